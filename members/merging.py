"""What the ground floor does at a merge: who may be merged, which details are taken over, who is signed out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import lifecycle, proposals
from members.figures import grouped
from members.lifecycle import Merge, Obstacle, Part, PreviewLine
from members.models import (
    Identity,
    Member,
    MemberPerson,
    OwnMembership,
    PrivacyRequest,
    Proposal,
    TimelineEntry,
)
from members.models import Merge as MergeRow
from members.services.merging import UnmergeInTheWay
from members.services.tokens import revoke_tokens_of
from members.timeline import NewEntry, record

PROFILE_CHANGED: Final = "members.profile_changed.v1"
#: The columns that a detail consists of. Those of the person are exchanged, so that nothing is lost or copied.
_OF_PERSON: Final = {
    "full_name": ("full_name", "name_pinyin", "name_initials"),
    "phone": ("phone",),
    "email": ("email",),
    "birthday": ("birthday",),
}
_OF_MEMBER: Final = {"language": "language", "home_store": "home_store_id"}
#: What stands in a column that nothing is known for.
_NOTHING: Final[dict[str, Any]] = {"full_name": "", "name_pinyin": "", "name_initials": ""}
#: Under which names the timeline tells that a detail changed.
_TOLD_AS: Final = {"home_store": "home_store_id"}
_MOST_PROPOSALS: Final = 2_000


def register() -> None:
    """Register what members does with a whole member at a merge."""
    lifecycle.register_part(
        Part("members", merge_obstacles=_obstacles, merge_preview=_preview, merge=_merge, unmerge=_unmerge)
    )


def _obstacles(kept_id: int, merged_id: int, at: datetime) -> list[Obstacle]:
    members = Member.objects.in_bulk([kept_id, merged_id])
    found = [
        Obstacle("not_active", _("member %(member)s is not active.") % {"member": member.member_no})
        for member in members.values()
        if member.status != Member.Status.ACTIVE or member.merged_into_id is not None
    ]
    if not MemberPerson.objects.filter(pk=merged_id).exists() or not MemberPerson.objects.filter(pk=kept_id).exists():
        found.append(Obstacle("erased", gettext_lazy("the personal data of one of them was erased.")))
    if PrivacyRequest.objects.filter(
        member_id__in=(kept_id, merged_id),
        kind=PrivacyRequest.Kind.ERASURE,
        state=PrivacyRequest.State.WAITING,
    ).exists():
        found.append(Obstacle("erasure_waiting", gettext_lazy("one of them has asked to be erased.")))
    if _waits_for_a_colleague({kept_id, merged_id}):
        found.append(
            Obstacle(
                "proposal_waiting", gettext_lazy("a proposal about one of them waits for a decision; decide it first.")
            )
        )
    return found


def _waits_for_a_colleague(member_ids: set[int]) -> bool:
    waiting = Proposal.objects.filter(state=Proposal.State.WAITING).order_by("pk")[:_MOST_PROPOSALS]
    for proposal in waiting:
        kind = proposals.kind_of(proposal)
        if kind and member_ids & set(kind.concerned(proposal.params)):
            return True
    return False


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    kept_ids, merged_ids = (Identity.objects.filter(member_id=member_id).count() for member_id in (kept_id, merged_id))
    kept_no, merged_no = (
        Member.objects.values_list("member_no", flat=True).get(pk=member_id) for member_id in (kept_id, merged_id)
    )
    both = _("%(kept)s; %(merged)s leads to it") % {"kept": kept_no, "merged": merged_no}
    return [
        PreviewLine(_("Member number"), kept_no, merged_no, both),
        PreviewLine(_("Ids in other systems"), grouped(kept_ids), grouped(merged_ids), grouped(kept_ids + merged_ids)),
    ]


def _merge(merge: Merge) -> dict[str, Any]:
    row = MergeRow.objects.get(pk=merge.merge_id)
    _exchange(merge.kept_id, merge.merged_id, row.taken)
    Member.objects.filter(pk=merge.merged_id).update(status=Member.Status.CLOSED)
    revoke_tokens_of(member_id=merge.merged_id, at=merge.at)
    if row.taken:
        # Told as any change of the profile: a new phone number keeps points in for a while.
        fields = [_TOLD_AS.get(name, name) for name in row.taken]
        record([NewEntry(PROFILE_CHANGED, merge.kept_id, merge.at, merge.by, {"fields": fields})])
    return {"own": _note_own_memberships(merge)}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    row = MergeRow.objects.get(pk=merge.merge_id)
    if MemberPerson.objects.filter(pk__in=(merge.kept_id, merge.merged_id)).count() < 2:
        raise UnmergeInTheWay(obstacle=_("the personal data was erased since."))
    changed = _changed_since(row)
    _exchange(merge.kept_id, merge.merged_id, [name for name in row.taken if name not in changed])
    _forget(merge.merged_id, [name for name in row.taken if name in changed])
    Member.objects.filter(pk=merge.merged_id).update(status=Member.Status.ACTIVE)
    OwnMembership.objects.filter(pk__in=memo["own"]).delete()


def _changed_since(row: MergeRow) -> set[str]:
    """Return the details that were taken over and changed since: they stay with the survivor."""
    told = TimelineEntry.objects.filter(
        member_id=row.kept_id, kind=PROFILE_CHANGED, happened_at__gt=row.merged_at
    ).values_list("payload", flat=True)
    fields = {name for payload in told for name in payload.get("fields", ())}
    return {name for name in row.taken if _TOLD_AS.get(name, name) in fields}


def _exchange(first_id: int, second_id: int, names: Sequence[str]) -> None:
    """Exchange details of two members. Unique ones are taken off both before they are put on again."""
    columns = [column for name in names for column in _OF_PERSON.get(name, ())]
    if columns:
        people = {person.pk: person for person in MemberPerson.objects.filter(pk__in=[first_id, second_id])}
        values = {pk: {column: getattr(person, column) for column in columns} for pk, person in people.items()}
        MemberPerson.objects.filter(pk=first_id).update(**{column: _NOTHING.get(column) for column in columns})
        MemberPerson.objects.filter(pk=second_id).update(**values[first_id])
        MemberPerson.objects.filter(pk=first_id).update(**values[second_id])
    own = [_OF_MEMBER[name] for name in names if name in _OF_MEMBER]
    if own:
        pairs = ", ".join(f"{column} = o.{column}" for column in own)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE members_member m SET {pairs} FROM members_member o "  # noqa: S608 - columns of this module
                "WHERE m.id IN (%(a)s, %(b)s) AND o.id IN (%(a)s, %(b)s) AND o.id <> m.id",
                {"a": first_id, "b": second_id},
            )
    Member.objects.filter(pk__in=[first_id, second_id]).update(profile_version=F("profile_version") + 1)


def _forget(member_id: int, names: Sequence[str]) -> None:
    """Empty details that went over to the survivor and were changed there: what stands here was the survivor's."""
    columns = [column for name in names for column in _OF_PERSON.get(name, ())]
    if columns:
        MemberPerson.objects.filter(pk=member_id).update(**{column: _NOTHING.get(column) for column in columns})


def _note_own_memberships(merge: Merge) -> list[int]:
    """Whose own membership the merged member is keeps off the survivor too; return the notes made for that."""
    of_merged = OwnMembership.objects.filter(member_id=merge.merged_id).values_list("operator_id", flat=True)
    known = set(OwnMembership.objects.filter(member_id=merge.kept_id).values_list("operator_id", flat=True))
    made = [
        OwnMembership.objects.create(operator_id=operator_id, member_id=merge.kept_id)
        for operator_id in of_merged
        if operator_id not in known
    ]
    return [note.pk for note in made]
