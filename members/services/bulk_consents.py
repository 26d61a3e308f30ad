"""Write down the first yeses of many members at once, set-based: for generated histories. The same rows as one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from members import timeline
from members.actors import Actor
from members.consents import ADULT_YEARS, ALLOWED_UNTIL_NO
from members.copying import copy_rows
from members.models import ConsentEntry, ConsentState, ConsentText, Purpose
from members.queries import programme
from members.services.consents import (
    CHANGED,
    ConsentTextMissing,
    GuardianNeeded,
    checked_channels,
)

_GIVEN: Final = ConsentEntry.Decision.GIVEN


@dataclass(frozen=True, slots=True)
class FirstYes:
    """A member's first answer about a purpose: a yes in some of its channels (none named: in all of them)."""

    member_id: int
    purpose: Purpose
    way: ConsentEntry.Way
    by: Actor
    happened_at: datetime
    channels: tuple[str, ...] = ()


@transaction.atomic
def give_first_consents(*, given: Sequence[FirstYes]) -> int:
    """Write down first yeses, each to the words that were in force then; return how many entries.

    Raises `ConsentChannelUnknown`, `ConsentTextMissing`, and `GuardianNeeded` where one of them is a child. A member who has
    answered for the purpose and channel before is an IntegrityError.
    """
    if not given:
        return 0
    _refuse_children(given)
    texts = _Texts()
    said = [
        (yes, channel, texts.in_force(yes)) for yes in given for channel in checked_channels(yes.purpose, yes.channels)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [ConsentEntry._meta.db_table, len(said)],
        )
        ids = [row[0] for row in cursor.fetchall()]
    rows = list(zip(ids, said, strict=True))
    copy_rows(
        f"{ConsentEntry._meta.db_table} (id, member_id, purpose, channel, decision, text_id, way, by_guardian, actor_kind, actor_id,"
        " happened_at)",
        (
            (
                pk, yes.member_id, str(yes.purpose), channel, str(_GIVEN), text_id, str(yes.way), False, yes.by.kind, yes.by.id,
                yes.happened_at,
            )
            for pk, (yes, channel, text_id) in rows
        ),
    )  # fmt: skip
    copy_rows(
        f"{ConsentState._meta.db_table} (member_id, purpose, channel, is_given, by_guardian, since_at, entry_id)",
        (
            (yes.member_id, str(yes.purpose), channel, True, False, yes.happened_at, pk)
            for pk, (yes, channel, _text_id) in rows
        ),
    )
    timeline.record_many(
        timeline.NewEntry(
            CHANGED, yes.member_id, yes.happened_at, yes.by,
            {"purpose": str(yes.purpose), "given": True, "channels": list(checked_channels(yes.purpose, yes.channels))},
        )
        for yes in given
    )  # fmt: skip
    return len(rows)


class _Texts:
    """The versions of all words, read once."""

    def __init__(self) -> None:
        self.versions = list(
            ConsentText.objects.order_by("-valid_from", "-version").values_list("purpose", "valid_from", "pk")
        )

    def in_force(self, yes: FirstYes) -> int:
        for purpose, valid_from, pk in self.versions:
            if purpose == yes.purpose and valid_from <= yes.happened_at:
                return pk
        raise ConsentTextMissing


def _refuse_children(given: Sequence[FirstYes]) -> None:
    """Refuse where somebody else has to agree for one of them at the moment of the yes."""
    asked = [yes for yes in given if yes.purpose not in ALLOWED_UNTIL_NO]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (
                SELECT 1 FROM unnest(%s::bigint[], %s::timestamptz[]) AS yes (member_id, moment)
                JOIN members_memberperson p ON p.member_id = yes.member_id
                WHERE p.birthday > (yes.moment AT TIME ZONE %s)::date - make_interval(years => %s)
            )
            """,
            [[yes.member_id for yes in asked], [yes.happened_at for yes in asked], programme().zone, ADULT_YEARS],
        )
        if cursor.fetchone()[0]:
            raise GuardianNeeded(years=ADULT_YEARS)
