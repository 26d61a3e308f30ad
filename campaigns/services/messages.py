"""The outbox: what happened becomes a message, and a message that is due is sent, once, in the member's language."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from campaigns import notes
from campaigns.channels import Channel, Letter, NotDelivered
from campaigns.channels.console import ConsoleChannel
from campaigns.channels.email import EmailChannel
from campaigns.models import Message, MessageTemplate
from campaigns.placeholders import filled
from campaigns.refusals import CampaignsRefusal
from campaigns.services.occasions import OCCASIONS, Occasion, name_of
from members.actors import SYSTEM, Actor
from members.consents import is_allowed
from members.models import ContactChannel, Member, MemberPerson, Purpose, TimelineEntry
from members.queries import programme
from members.timeline import NewEntry, record

MESSAGE_SENT = "campaigns.message_sent.v1"

NEWS_IS_FRESH = timedelta(days=3)
WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
logger = logging.getLogger(__name__)

MAX_ATTEMPTS = len(WAITS) + 1
# Longer than a worker may run (CELERY_TASK_TIME_LIMIT), so that two never send the same message at a time.
LEASE = timedelta(minutes=35)
_CLAIMED_AT_ONCE = 10
_SILENCES_IN_A_ROW = 5
_LONGEST_CHAIN = 3

CHANNELS: Mapping[str, Channel] = {
    MessageTemplate.Channel.EMAIL: EmailChannel(),
    MessageTemplate.Channel.CONSOLE: ConsoleChannel(),
}

# What a message is for is a matter of its occasion, not of whoever writes the words: it decides which consent it needs.
PURPOSES: Mapping[str, str] = {
    MessageTemplate.Occasion.TIER_RAISED: Purpose.SERVICE,
    MessageTemplate.Occasion.POINTS_EXPIRING: Purpose.SERVICE,
    MessageTemplate.Occasion.TIER_AT_RISK: Purpose.SERVICE,
    MessageTemplate.Occasion.PLAN_ENDS_SOON: Purpose.SERVICE,
}
# The way a member is reached by each of our channels. The trial's log stands for the app.
_WAYS: Mapping[str, str] = {
    MessageTemplate.Channel.EMAIL: ContactChannel.EMAIL,
    MessageTemplate.Channel.CONSOLE: ContactChannel.APP,
}


class MessageNotGivenUp(CampaignsRefusal):
    """Only a message that failed or was not sent can be tried again."""

    code: ClassVar[str] = "message_not_given_up"
    text = _("This message is waiting or was sent; there is nothing to try again.")


@dataclass(slots=True)
class Delivery:
    """What one run did: messages sent, to be tried again, given up, and not sent for a reason."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A message this worker may send now, with what it takes to write it. `due_at` is when it had been due."""

    message: Message
    member: Member
    template: MessageTemplate
    due_at: datetime
    depth: int

    @property
    def person(self) -> MemberPerson | None:
        return getattr(self.member, "person", None)

    @property
    def claimed_at(self) -> datetime:
        return (self.message.next_attempt_at or self.due_at) - LEASE

    @property
    def occasion(self) -> Occasion:
        return OCCASIONS[self.template.occasion]


def queue_messages(*, entries: Sequence[TimelineEntry]) -> None:
    """Put a message into the outbox for each entry that members are told of and that is news.

    None for history (`quiet`, or told more than 3 days after it happened), nor for a member who is not active. One for
    each occurrence, however often the entry is read. The clock here is the entry's own time of recording.
    """
    news = [entry for entry in entries if entry.member_id is not None and _is_news(entry)]
    kinds = {entry.kind for entry in news}
    wanted = {name: occasion for name, occasion in OCCASIONS.items() if occasion.kind in kinds}
    templates = MessageTemplate.objects.filter(occasion__in=wanted, is_active=True) if wanted else ()
    by_kind = {wanted[template.occasion].kind: (template, wanted[template.occasion]) for template in templates}
    told = [(entry, *by_kind[entry.kind]) for entry in news if entry.kind in by_kind]
    if not told:
        return
    active = Member.objects.filter(pk__in={entry.member_id for entry, *_rest in told}, status=Member.Status.ACTIVE)
    reached = set(active.values_list("pk", flat=True))
    messages = [
        _message(template, occasion, entry.member_id, entry)
        for entry, template, occasion in told
        if entry.member_id is not None and entry.member_id in reached
    ]
    Message.objects.bulk_create(messages, batch_size=1_000, ignore_conflicts=True)


def deliver_due_messages(*, at: datetime, limit: int = 200) -> Delivery:
    """Send the messages that are due, at most `limit`, and return what became of them. Never within a transaction.

    Safe beside itself: a message is claimed before it is sent. Should a worker die between sending and taking note, the
    message goes out again after its lease; no message is tried more than five times. The run ends early when one letter
    after the other meets silence: the rest waits for the next run.
    """
    done = Delivery()
    silences = 0
    while limit > 0 and silences < _SILENCES_IN_A_ROW:
        claimed = _claim(at=at, count=min(limit, _CLAIMED_AT_ONCE))
        if not claimed:
            break
        limit -= len(claimed)
        for each in claimed:
            try:
                state, note = _deliver(each, at)
            except Exception:
                # Whatever it is, it is this letter's trouble: those claimed with it are still sent.
                logger.exception("message %s could not be sent", each.message.pk)
                is_last = each.message.attempts >= MAX_ATTEMPTS
                state, note = Message.State.FAILED if is_last else Message.State.QUEUED, notes.NOT_REACHED
            _take_note(each, state, note, at=at, done=done)
            silences = silences + 1 if note == notes.NOT_REACHED else 0
    return done


def retry_message(*, message_id: int, by: Actor, at: datetime) -> None:
    """Put a message that failed or was not sent back into the outbox, due now. Raises MessageNotGivenUp.

    `by` is for the log of whoever calls; a message keeps no names.
    """
    given_up = Message.objects.filter(pk=message_id, state__in=[Message.State.FAILED, Message.State.SKIPPED])
    if not given_up.update(state=Message.State.QUEUED, attempts=0, next_attempt_at=at, note=""):
        raise MessageNotGivenUp


def _is_news(entry: TimelineEntry) -> bool:
    return not entry.payload.get("quiet") and entry.recorded_at - entry.happened_at <= NEWS_IS_FRESH


def _message(template: MessageTemplate, occasion: Occasion, member_id: int, entry: TimelineEntry) -> Message:
    return Message(
        member_id=member_id,
        template=template,
        occurrence=occasion.occurrence(entry),
        channel=template.channel,
        figures=occasion.figures(entry),
        cause_id=entry.pk,
        next_attempt_at=entry.recorded_at,
        created_at=entry.recorded_at,
    )


def _claim(*, at: datetime, count: int) -> list[_Claimed]:
    """Take due messages for this worker: count the attempt and move the next one behind the lease, in one transaction."""
    with transaction.atomic(durable=True):
        due = Message.objects.filter(state=Message.State.QUEUED, next_attempt_at__lte=at).order_by(
            "next_attempt_at", "pk"
        )
        messages = list(due.select_for_update(skip_locked=True, no_key=True)[:count])
        due_at = {message.pk: message.next_attempt_at or at for message in messages}
        for message in messages:
            message.attempts += 1
            message.next_attempt_at = at + LEASE
        Message.objects.bulk_update(messages, ["attempts", "next_attempt_at"])
    members = Member.objects.select_related("person").in_bulk([message.member_id for message in messages])
    templates = MessageTemplate.objects.in_bulk([message.template_id for message in messages])
    causes = TimelineEntry.objects.filter(pk__in=[message.cause_id for message in messages])
    depths = dict(causes.values_list("pk", "depth")) if messages else {}
    return [
        _Claimed(
            message,
            members[message.member_id],
            templates[message.template_id],
            due_at[message.pk],
            min(depths.get(message.cause_id or 0, 0) + 1, _LONGEST_CHAIN),
        )
        for message in messages
    ]


def _deliver(claimed: _Claimed, at: datetime) -> tuple[Message.State, str]:
    """Send one claimed message; return the state it is in now, with a note. QUEUED: to be tried again."""
    message = claimed.message
    channel = CHANNELS[message.channel]
    address = channel.address_of(claimed.person)
    obstacle = _obstacle(claimed) or ("" if address else channel.missing_address)
    if obstacle:
        return Message.State.SKIPPED, obstacle
    if message.attempts > MAX_ATTEMPTS:  # workers died with it, one after the other
        return Message.State.FAILED, notes.NOT_REACHED
    try:
        title, body = _texts(claimed)
    except ValueError:
        return Message.State.FAILED, notes.TEXT_NOT_READY
    # Asked at the last moment: a no, or a global stop, holds from its commit on, whatever was planned before.
    if not is_allowed(message.member_id, PURPOSES[claimed.template.occasion], _WAYS[message.channel], at=at):
        return Message.State.SKIPPED, notes.NOT_ALLOWED
    try:
        channel.send(Letter(message.pk, address, title, body))
    except NotDelivered as refused:
        if refused.lasting:
            return Message.State.FAILED, notes.NOT_ACCEPTED
        is_last = message.attempts >= MAX_ATTEMPTS
        return Message.State.FAILED if is_last else Message.State.QUEUED, notes.NOT_REACHED
    return Message.State.SENT, ""


def _obstacle(claimed: _Claimed) -> str:
    """Return why the message should not go out any more, as a note; empty when nothing speaks against it."""
    if claimed.member.status != Member.Status.ACTIVE:
        return notes.MEMBER_NOT_ACTIVE
    if not claimed.template.is_active:
        return notes.TEMPLATE_NOT_IN_USE
    is_stale = claimed.claimed_at - claimed.due_at > NEWS_IS_FRESH
    if is_stale or claimed.occasion.is_over(claimed.message.figures, claimed.claimed_at):
        return notes.TOO_LATE
    return ""


def _texts(claimed: _Claimed) -> tuple[str, str]:
    """Return title and body, both in the member's language. Raises ValueError when a text asks for what there is not."""
    template = claimed.template
    with override(language_of(template, claimed.member.language)):
        values = {
            "name": name_of(claimed.person.full_name if claimed.person else ""),
            "programme": programme().name,
            **claimed.occasion.values(claimed.message.figures, claimed.claimed_at),
        }
        return _one_line(filled(template.title, values)), filled(template.body, values)


def language_of(template: MessageTemplate, wanted: str) -> str:
    """Return the language that is wanted, or the next in which the whole template is written: a message mixes none."""
    for language in (wanted, *(code for code, _name in settings.LANGUAGES)):
        suffix = language.replace("-", "_")
        if all(getattr(template, f"{field}_{suffix}", "") for field in ("title", "body")):
            return language
    return str(settings.LANGUAGE_CODE)


def _one_line(text: str) -> str:
    """Return the text without line breaks, which could smuggle headers into an e-mail."""
    return " ".join(text.split())


def _take_note(claimed: _Claimed, state: Message.State, note: str, *, at: datetime, done: Delivery) -> None:
    """Write down what became of a message, unless somebody else has claimed it since."""
    message = claimed.message
    with transaction.atomic():
        mine = _still_mine(message)
        if state == Message.State.QUEUED:
            done.postponed += mine.update(next_attempt_at=at + WAITS[message.attempts - 1], note=note)
            return
        if not mine.update(
            state=state, note=note, next_attempt_at=None, sent_at=at if state == Message.State.SENT else None
        ):
            return
        claimed.occasion.settled(message, state, note, at)
        if state == Message.State.SENT:
            payload = {"message": message.pk, "template": message.template_id}
            told = NewEntry(
                MESSAGE_SENT, message.member_id, at, SYSTEM, payload, cause_id=message.cause_id, depth=claimed.depth
            )
            record([told])
            done.sent += 1
        elif state == Message.State.SKIPPED:
            done.skipped += 1
        else:
            done.failed += 1


def _still_mine(message: Message) -> QuerySet[Message]:
    return Message.objects.filter(pk=message.pk, state=Message.State.QUEUED, attempts=message.attempts)
