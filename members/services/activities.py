"""Recording what members do besides buying. Rewarded and counted by the floors above, which read the timeline."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Activity, Member
from members.queries import status_sql
from members.refusals import MembersRefusal
from members.services.tokens import MemberIsClosed, MemberIsFrozen
from members.timeline import NewEntry, nudge, record

CLOCK_TOLERANCE: Final = timedelta(minutes=10)


class ActivityKindUnknown(MembersRefusal):
    """There is no such kind, or it is not recorded any more, or not from there, or only in passing (`behaviours`)."""

    code = "activity_kind_unknown"
    text = _("“%(kind)s” is no behaviour that is recorded here.")
    status = 422


class ActivityConflict(MembersRefusal):
    """The reference is known with another content."""

    code = "activity_conflict"
    text = _("Activity %(external_ref)s was recorded before with another content.")


class ActivityInFuture(MembersRefusal):
    """The activity claims to be from later than now."""

    code = "activity_in_future"
    text = _("Activity %(external_ref)s is dated later than now.")
    status = 422


@dataclass(frozen=True, slots=True)
class RecordedActivity:
    """The activity's id, and whether it was known before."""

    activity_id: int
    repeated: bool


def record_activity(
    *,
    member_id: int,
    kind: str,
    source: str,
    external_ref: str,
    happened_at: datetime,
    value: int | None = None,
    store_id: int | None = None,
    channel_id: int | None = None,
    by: Actor,
    at: datetime,
) -> RecordedActivity:
    """Record one activity and tell the timeline. `(source, kind, external_ref)` names it for ever.

    A repeat changes nothing and is answered from the fact, whatever has become of the member or the kind since. Raises
    `ActivityKindUnknown`, `ActivityConflict`, `ActivityInFuture`, `MemberIsFrozen`, `MemberIsClosed`, `NotFound`.
    """
    if happened_at > at + CLOCK_TOLERANCE:
        raise ActivityInFuture(external_ref=external_ref)
    told = (member_id, happened_at, value)
    with transaction.atomic():
        refusal, bearer_id = _refusal(member_id, kind)
        if refusal is not None:
            known_id = _known(source, kind, external_ref, told)
            if known_id is None:
                raise refusal
            return RecordedActivity(known_id, True)
        activity_id = _insert(source, kind, external_ref, told, store_id, channel_id)
        if activity_id is None:
            known_id = _known(source, kind, external_ref, told)
            assert known_id is not None  # noqa: S101 - the insert waited for the row that stood in its way
            return RecordedActivity(known_id, True)
        payload = {"activity": activity_id, "kind": kind, "value": value}
        record([NewEntry("members.activity_recorded.v1", bearer_id, happened_at, by, payload)])
        nudge()
    return RecordedActivity(activity_id, False)


_Told = tuple[int, datetime, int | None]


def _refusal(member_id: int, kind: str) -> tuple[MembersRefusal | None, int]:
    """Return why nothing new may be recorded, or None; the member then stays active until the end of the transaction.

    And the member to whom it counts: of one who was merged, the survivor, whose status is asked.
    """
    found = _held(member_id, kind)
    if found is not None and found[2] is not None:
        # One after the other: a merge that we wait for may change to whom the first leads.
        found = _held(found[2], kind)
    if found is None:
        return NotFound(), member_id
    status, is_recorded, _merged_into, bearer_id = found
    if status == Member.Status.FROZEN:
        return MemberIsFrozen(), bearer_id
    if status == Member.Status.CLOSED:
        return MemberIsClosed(), bearer_id
    return None if is_recorded else ActivityKindUnknown(kind=kind), bearer_id


def _held(member_id: int, kind: str) -> tuple[str, bool, int | None, int] | None:
    """Return a member's status, whether the kind is recorded, into whom the member was merged, and the id; keep it so."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {status_sql(Member.Act.EARN, alias="m")},
                EXISTS (SELECT 1 FROM members_activitykind k WHERE k.code = %s AND k.is_on AND k.kept_days IS NULL),
                m.merged_into_id, m.id
            FROM members_member m WHERE m.id = %s FOR SHARE
            """,  # noqa: S608
            [kind, member_id],
        )
        return cursor.fetchone()


def _insert(
    source: str, kind: str, external_ref: str, told: _Told, store_id: int | None, channel_id: int | None
) -> int | None:
    """Insert the row and return its id, or None when it is there. Waits for another who is inserting it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_activity (source, kind, external_ref, member_id, happened_at, value, store_id, channel_id)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (source, kind, external_ref) DO NOTHING RETURNING id
            """,
            [source, kind, external_ref, *told, store_id, channel_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _known(source: str, kind: str, external_ref: str, told: _Told) -> int | None:
    """Return the id of the activity with this name, or None. Raises `ActivityConflict` when it says something else."""
    known = Activity.objects.filter(source=source, kind=kind, external_ref=external_ref).first()
    if known is None:
        return None
    if (known.member_id, known.happened_at, known.value) != told:
        raise ActivityConflict(external_ref=external_ref)
    return known.pk
