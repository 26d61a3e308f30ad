"""Merging two records of one person, and taking that apart again within 30 days.

Nothing is rewritten: rows keep their member, and `merged_into` leads from one to the other. What lives (points, arrears,
the tier, counters) is moved by the parts that the floors register (`members.lifecycle`), in one transaction; each keeps a
memo of what it moved. Taken apart, the parts give back in the opposite order, the highest floor first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import lifecycle
from members.actors import Actor
from members.identifiers import NotFound
from members.lifecycle import Obstacle, PreviewLine
from members.models import DuplicatePair, Member, Merge
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.services.privacy import erasure_waits, refuse_erased
from members.timeline import NewEntry, nudge, record

#: How long a merge can be taken apart.
UNMERGE_WITHIN: Final = timedelta(days=30)
REASON_LENGTH: Final = 200
MERGED, MERGED_AWAY, UNMERGED = "members.merged.v1", "members.merged_away.v1", "members.unmerged.v1"
#: What may be taken over from the member that is merged.
FIELDS: Final = ("full_name", "phone", "email", "birthday", "language", "home_store")


class MergeOfOne(MembersRefusal):
    """Two records are needed."""

    code = "merge_of_one"
    text = _("A member can not be merged with itself.")
    status = 422


class MergeInTheWay(MembersRefusal):
    """Something has to be settled first."""

    code = "merge_in_the_way"
    text = _("The members can not be merged now: %(obstacle)s")


class MergeReasonMissing(MembersRefusal):
    """Staff say why."""

    code = "reason_missing"
    text = _("Please say why.")
    status = 422


class MergeIsUndone(MembersRefusal):
    """It was taken apart before."""

    code = "merge_is_undone"
    text = _("This merge was taken apart before.")


class UnmergeTooLate(MembersRefusal):
    """The time for it is over."""

    code = "unmerge_too_late"
    text = _("A merge can be taken apart within %(days)s days; this one is older.")


class UnmergeInTheWay(MembersRefusal):
    """A later merge stands on this one, or something is open."""

    code = "unmerge_in_the_way"
    text = _("The merge can not be taken apart now: %(obstacle)s")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would do, part by part; with obstacles it can not be done now."""

    obstacles: tuple[Obstacle, ...]
    lines: tuple[PreviewLine, ...]


def preview_merge(*, kept_id: int, merged_id: int, at: datetime) -> Preview:
    """Return what merging would do now, and what stands in its way. Changes nothing."""
    parts = lifecycle.parts()
    return Preview(
        tuple(obstacle for part in parts for obstacle in part.merge_obstacles(kept_id, merged_id, at)),
        tuple(line for part in parts for line in part.merge_preview(kept_id, merged_id, at)),
    )


def merge_members(
    *, kept_id: int, merged_id: int, take: Collection[str] = (), reason: str, by: Actor, at: datetime
) -> Merge:
    """Merge a member into another and return the merge. `take` names the details that the survivor takes from the other.

    The merged member is closed and signed out; its number, phone and ids lead to the survivor. Raises `MergeOfOne`,
    `MergeInTheWay`, `MergeReasonMissing`, `WordsNamePerson`, `OwnAccount`, `NotFound`; ValueError for a detail that can not be taken.
    """
    words = _words(reason)
    if kept_id == merged_id:
        raise MergeOfOne
    taken = sorted(set(take))
    if set(taken) - set(FIELDS):
        raise ValueError(f"{taken} can not be taken over")
    refuse_personal_words(words, member_ids=[kept_id, merged_id])  # of either: it is told for ever
    with transaction.atomic():
        along = _lock_with_those_merged_before(kept_id, merged_id)
        refuse_own_account(by, [kept_id, merged_id])
        for part in lifecycle.parts():
            for obstacle in part.merge_obstacles(kept_id, merged_id, at):
                raise MergeInTheWay(obstacle=str(obstacle.text))
        merge = Merge.objects.create(
            kept_id=kept_id, merged_id=merged_id, side_ids=[merged_id, *along], taken=taken, reason=words, merged_at=at,
            unmerge_until=at + UNMERGE_WITHIN, actor_kind=by.kind, actor_id=by.id,
        )  # fmt: skip
        # The pointers first: whatever the parts read of the survivor is read of the family.
        Member.objects.filter(pk__in=merge.side_ids).update(merged_into_id=kept_id)
        context = lifecycle.Merge(merge.pk, kept_id, merged_id, by, at)
        merge.memo = {part.name: part.merge(context) for part in lifecycle.parts()}
        merge.save(update_fields=["memo"])
        _close_pair(kept_id, merged_id, words, by, at)
        record([
            NewEntry(MERGED, kept_id, at, by, {"merge": merge.pk, "merged": merged_id, "fields": taken, "reason": words}),
            NewEntry(MERGED_AWAY, merged_id, at, by, {"merge": merge.pk, "into": kept_id}),
        ])  # fmt: skip
        nudge()
    return merge


def unmerge_members(*, merge_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Take a merge apart: each side has its own history again, what came in under its own name, and what is left of its points.

    What was spent meanwhile came off the points that were to expire first, whosever they were, and stays spent. Raises
    `MergeIsUndone`, `UnmergeTooLate`, `UnmergeInTheWay`, `MergeReasonMissing`, `OwnAccount`, `NotFound`.
    """
    words = _words(reason)
    with transaction.atomic():
        merge = Merge.objects.select_for_update(no_key=True).filter(pk=merge_id).first()
        if merge is None:
            raise NotFound
        refuse_personal_words(words, member_ids=[merge.kept_id, merge.merged_id])
        # As an order told in a merged member's name locks them: first that one, then the survivor.
        _lock(merge.side_ids)
        _lock([merge.kept_id])
        refuse_own_account(by, [merge.kept_id, merge.merged_id])
        refuse_unmerge(merge, at)
        context = lifecycle.Merge(merge.pk, merge.kept_id, merge.merged_id, by, at)
        for part in reversed(lifecycle.parts()):
            if part.name in merge.memo:
                part.unmerge(context, merge.memo[part.name])
        Member.objects.filter(pk__in=merge.side_ids).exclude(pk=merge.merged_id).update(merged_into_id=merge.merged_id)
        Member.objects.filter(pk=merge.merged_id).update(merged_into_id=None)
        merge.unmerged_at, merge.unmerged_reason = at, words
        merge.save(update_fields=["unmerged_at", "unmerged_reason"])
        record([
            NewEntry(UNMERGED, merge.kept_id, at, by, {"merge": merge.pk, "other": merge.merged_id, "reason": words}),
            NewEntry(UNMERGED, merge.merged_id, at, by, {"merge": merge.pk, "other": merge.kept_id, "reason": words}),
        ])  # fmt: skip
        nudge()


def refuse_unmerge(merge: Merge, at: datetime) -> None:
    """Refuse where the merge can not be taken apart now. Raises `MergeIsUndone`, `PersonErased`, `UnmergeTooLate`, `UnmergeInTheWay`."""
    if merge.unmerged_at is not None:
        raise MergeIsUndone
    refuse_erased(merge.kept_id)
    if erasure_waits(merge.kept_id):
        raise UnmergeInTheWay(obstacle=str(_("the member kept asked to be erased; that is taken back first.")))
    if at > merge.unmerge_until:
        raise UnmergeTooLate(days=UNMERGE_WITHIN.days)
    standing = Merge.objects.filter(unmerged_at__isnull=True)
    if standing.filter(merged_id=merge.kept_id).exists():
        raise UnmergeInTheWay(
            obstacle=str(_("the member kept was merged into another one since; that comes apart first."))
        )
    # What the later one exchanged and moved was of both by then.
    if standing.filter(kept_id=merge.kept_id, pk__gt=merge.pk).exists():
        raise UnmergeInTheWay(
            obstacle=str(_("somebody else was merged into the member kept since; that comes apart first."))
        )


def dismiss_pair(*, pair_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Say that the two of a pair are two people; the queue forgets them. Raises `NotFound`, `MergeReasonMissing`."""
    words = _words(reason)
    decided = DuplicatePair.objects.filter(pk=pair_id, state=DuplicatePair.State.OPEN).update(
        state=DuplicatePair.State.DISMISSED, decided_at=at, decided_by_id=_operator_id(by), reason=words
    )
    if not decided:
        raise NotFound


def _lock(member_ids: Collection[int]) -> None:
    """Keep members as they are until the end of the transaction, against whatever is told of them. Raises `NotFound`."""
    rows = Member.objects.select_for_update(no_key=True).filter(pk__in=member_ids).order_by("pk")
    if len(rows) != len(member_ids):
        raise NotFound


def _lock_with_those_merged_before(kept_id: int, merged_id: int) -> list[int]:
    """Lock two members, and before them those who were merged into the second one; return the ids of these.

    What is told in the name of one of these locks it first and its survivor then. Raises `NotFound`, `MergeInTheWay`.
    """
    before = Member.objects.filter(merged_into_id=merged_id).order_by("pk").values_list("pk", flat=True)
    found = list(before)
    _lock(found)
    _lock([kept_id, merged_id])
    if list(before.all()) != found:
        raise MergeInTheWay(obstacle=str(_("somebody was merged into it at this moment; please look again.")))
    return found


def _close_pair(kept_id: int, merged_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Close the pair that was merged; other pairs of the merged member are found anew as the survivor's."""
    first, second = sorted((kept_id, merged_id))
    DuplicatePair.objects.filter(first_id=first, second_id=second).update(
        state=DuplicatePair.State.MERGED, decided_at=at, decided_by_id=_operator_id(by), reason=reason
    )


def _operator_id(by: Actor) -> int | None:
    return by.id if by.kind == "operator" else None


def _words(reason: str) -> str:
    words = clean_name(reason)[:REASON_LENGTH]
    if not words:
        raise MergeReasonMissing
    return words
