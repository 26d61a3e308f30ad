"""The inbox: what a member finds in the app of the messages that were sent to them, or that could not reach them elsewhere.

A message keeps figures and no text, so its words are made when they are read, in the language that is asked for; what is
counted in them (days that are left) is counted from the day on which it was told. What waits, was stopped, or came too late
is not in the inbox; neither is what the member did not want to be written for.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import get_language, override

from campaigns import notes
from campaigns.models import Message
from campaigns.placeholders import filled
from campaigns.services.messages import language_of
from campaigns.services.occasions import OCCASIONS, Names, name_of
from members.identifiers import NotFound
from members.queries import family_ids, programme

_NOT_REACHED = notes.NOT_TO_BE_REACHED - {notes.TOO_LATE}


@dataclass(frozen=True, slots=True)
class Words:
    """A message in words, in one language."""

    title: str
    body: str


def inbox_of(member_id: int) -> QuerySet[Message]:
    """Return what a member finds in the app, with what was told to those merged into it, the newest first."""
    missed = Q(state__in=(Message.State.FAILED, Message.State.SKIPPED), note__in=_NOT_REACHED)
    mine = Message.objects.filter(Q(state=Message.State.SENT) | missed, member__in=family_ids(member_id))
    return mine.select_related("template").order_by("-created_at", "-id")


def unread_of(member_id: int) -> int:
    """Return how many messages the member has not read."""
    return inbox_of(member_id).filter(read_at=None).order_by().count()


def words_of(messages: Sequence[Message], *, full_name: str) -> list[Words]:
    """Return messages in words, in the active language or the next in which they are written: three queries at most."""
    names, wanted = Names(), get_language() or ""
    return [_words(message, full_name, wanted, names) for message in messages]


def mark_read(
    *, member_id: int, at: datetime, message_refs: Collection[UUID] | None = None, until: datetime | None = None
) -> int:
    """Take note that a member has read some messages, or all that were made until a moment; return how many are unread.

    What was read before keeps its moment. Raises `NotFound` when one of the messages is not in the inbox; then none is marked.
    """
    mine = inbox_of(member_id).order_by()
    if message_refs is not None:
        wanted = set(message_refs)
        mine = mine.filter(public_id__in=wanted)
        if mine.count() < len(wanted):
            raise NotFound
    if until is not None:
        mine = mine.filter(created_at__lte=until)
    Message.objects.filter(pk__in=mine.values("pk"), read_at=None).update(read_at=at)
    return unread_of(member_id)


def _words(message: Message, full_name: str, wanted: str, names: Names) -> Words:
    template = message.template
    occasion = OCCASIONS[template.occasion]
    with override(language_of(template, wanted)):
        values = {
            "name": name_of(full_name),
            "programme": programme().name,
            **occasion.values(message.figures, message.sent_at or message.created_at, names),
        }
        try:
            return Words(filled(template.title, values), filled(template.body, values))
        except ValueError:  # a mistake in the template, which staff will mend
            return Words(str(template.get_occasion_display()), "")
