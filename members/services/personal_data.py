"""Showing what is personal to staff: only on request, for a reason, and each time it is written down."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.actors import Actor
from members.identifiers import NotFound
from members.models import MemberPerson, TimelineEntry
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.timeline import NewEntry, record

VIEWED: Final = "members.personal_data_viewed.v1"
#: Why staff look. The first is what is meant where nothing is said.
REASONS: Final = {
    "call": pgettext_lazy("reason for a look", "the member calls or stands here"),
    "order": pgettext_lazy("reason for a look", "an order or a delivery"),
    "complaint": pgettext_lazy("reason for a look", "a complaint"),
    "correction": pgettext_lazy("reason for a look", "the profile is corrected"),
    "duplicate": pgettext_lazy("reason for a look", "two records are compared"),
    "abuse": pgettext_lazy("reason for a look", "suspected abuse"),
    "request": pgettext_lazy("reason for a look", "a wish about personal data"),
}
#: What can be looked at by itself.
FIELDS: Final = ("full_name", "phone", "email", "birthday")
#: So many looks in a day may go by with a reason from the list; then each needs words.
LOOKS_A_DAY: Final = 20
_DAY: Final = timedelta(days=1)
_LONGEST_WORDS: Final = 200


class LookReasonUnknown(MembersRefusal):
    """Looking needs a reason."""

    code = "look_reason_unknown"
    text = _("Say why you look at this: choose one of the reasons.")
    status = 422


class LookWordsMissing(MembersRefusal):
    """Who looks very often says why in their own words."""

    code = "look_words_missing"
    text = _(
        "You have looked at %(looks)s members in the last 24 hours. From here on, please say in your own words why."
    )
    status = 422


def show_person(
    *,
    member_id: int,
    by: Actor,
    at: datetime,
    reason: str = "call",
    words: str = "",
    fields: Collection[str] = FIELDS,
) -> MemberPerson:
    """Return who a member is, after the timeline was told who looked, at what, and why.

    Beyond 20 looks in 24 hours an operator needs words of their own. Raises `LookReasonUnknown`, `LookWordsMissing`,
    `WordsNamePerson`, `NotFound`.
    """
    if reason not in REASONS or not set(fields) <= set(FIELDS) or not fields:
        raise LookReasonUnknown
    said = clean_name(words)[:_LONGEST_WORDS]
    with transaction.atomic():
        person = MemberPerson.objects.filter(pk=member_id).first()
        if person is None:
            raise NotFound
        looks = looks_lately(by, at) if by.kind == "operator" and not said else 0
        if looks >= LOOKS_A_DAY:
            raise LookWordsMissing(looks=looks)
        refuse_personal_words(said, member_ids=[member_id])
        payload: dict[str, object] = {"reason": reason, "fields": [name for name in FIELDS if name in fields]}
        if said:
            payload["words"] = said
        record([NewEntry(VIEWED, member_id, at, by, payload)])
    return person


def looks_lately(by: Actor, at: datetime) -> int:
    """Return how often somebody looked in the last 24 hours, counted to 20."""
    lately = TimelineEntry.objects.filter(
        kind=VIEWED, actor_kind=by.kind, actor_id=by.id, happened_at__gt=at - _DAY, happened_at__lte=at
    )
    return len(lately.values_list("pk", flat=True)[:LOOKS_A_DAY])
