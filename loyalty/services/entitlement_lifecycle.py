"""What members are entitled to when they are merged, taken apart, copied out or erased.

What lives moves to the survivor, with its uses. The same promise, given to both for the same period, stays once: the
survivor keeps its own, and what the other had left of it ends. Nothing here says who somebody is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from loyalty.benefit_words import state_words
from loyalty.models import Benefit, Entitlement, EntitlementUse
from loyalty.services.benefit_costs import OpenBudgets
from loyalty.services.entitlements import end_entitlements, reserved_in
from members.actors import Actor
from members.figures import grouped
from members.lifecycle import Merge, Part, PreviewLine, Section, register_part
from members.queries import family_ids

MERGED: Final = "merged"
ERASED: Final = "erased"
State = Entitlement.State
_LIVES: Final = (State.GRANTED, State.USED_UP)


def register() -> None:
    """Register the part of entitlements. Called once, from `AppConfig.ready()`."""
    register_part(
        Part(
            "loyalty.entitlements",
            merge_preview=_preview,
            merge=_merge,
            unmerge=_unmerge,
            export=export,
            settle=losses,
            erase=erase,
        )
    )


def _preview(kept_id: int, merged_id: int, at: datetime) -> list[PreviewLine]:
    rows = _living([kept_id, merged_id], at)
    own = [row for row in rows if row.member_id == kept_id]
    other = [row for row in rows if row.member_id == merged_id]
    if not rows:
        return []
    twice = sum(row.left for row in other if _same(row, own))
    ours, theirs = (sum(row.left for row in one) for one in (own, other))
    return [
        PreviewLine(_("Uses of benefits that are left"), grouped(ours), grouped(theirs), grouped(ours + theirs - twice))
    ]


def _merge(merge: Merge) -> dict[str, Any]:
    rows = _living([merge.kept_id, merge.merged_id], merge.at, lock=True)
    own = [row for row in rows if row.member_id == merge.kept_id]
    taken = Entitlement.objects.filter(member_id=merge.kept_id)
    keys = set(taken.values_list("benefit_id", "source", "source_ref", "period_key"))
    moved, ended = [], []
    for row in rows:
        if row.member_id != merge.merged_id:
            continue
        if _same(row, own) or (row.benefit_id, row.source, row.source_ref, row.period_key) in keys:
            if row.state == State.GRANTED:
                ended.append(row)
        else:
            moved.append(row.pk)
    end_entitlements(rows=ended, because=MERGED, by=merge.by, at=merge.at)
    Entitlement.objects.filter(pk__in=moved).update(member_id=merge.kept_id)
    return {"moved": moved, "ended": [row.pk for row in ended]}


def _unmerge(merge: Merge, memo: dict[str, Any]) -> None:
    Entitlement.objects.filter(pk__in=memo["moved"], member_id=merge.kept_id).update(member_id=merge.merged_id)
    ended = Entitlement.objects.filter(pk__in=memo["ended"], state=State.REVOKED, ended_because=MERGED).order_by("pk")
    for row in ended.select_for_update(no_key=True, of=("self",)):
        if row.valid_to > merge.at:
            _give_again(row, merge)


def _give_again(row: Entitlement, merge: Merge) -> None:
    """Open what had ended at the merge, as far as its budgets still hold it."""
    held = reserved_in(row, row.used)
    budgets = OpenBudgets(benefit_id=row.benefit_id, at=merge.at, also=[pk for pk, _units, _cost in held])
    if budgets.reserve(tier_id=row.tier_id, units=row.quota, unit_cost=row.unit_cost_amount, instead=held):
        row.budget_id, row.tier_budget_id = budgets.of(row.tier_id)
        row.state, row.ended_because = State.GRANTED, ""
        row.save(update_fields=["budget", "tier_budget", "state", "ended_because"])
    budgets.write(by=merge.by)


def export(member_id: int, at: datetime) -> list[Section]:
    """Return what the member was given, and every use."""
    rows = Entitlement.objects.filter(member=member_id).select_related("benefit").order_by("granted_at", "pk")
    uses = EntitlementUse.objects.filter(entitlement__member=member_id).select_related("benefit", "store")
    return [
        Section(
            "benefits",
            gettext_lazy("Benefits"),
            ("benefit", "given_by", "from", "until", "uses", "used", "state"),
            [
                [
                    row.benefit.name, str(row.get_source_display()), row.valid_from, row.valid_to, row.quota, row.used,
                    state_words(row, at),
                ]
                for row in rows
            ],
            (_("benefit"), _("given by"), pgettext("begin", "from"), _("until"), _("uses"), _("used"), _("state")),
        ),
        Section(
            "benefit_uses",
            gettext_lazy("Uses of benefits"),
            ("at", "benefit", "uses", "store", "source", "reference"),
            [
                [use.happened_at, use.benefit.name, use.units, str(use.store or ""), use.source, use.external_ref]
                for use in uses.order_by("happened_at", "pk").iterator(chunk_size=2_000)
            ],
            (_("at"), _("benefit"), _("uses"), _("store"), _("source"), _("reference")),
        ),
    ]  # fmt: skip


def losses(member_id: int, at: datetime) -> list[PreviewLine]:
    """Return what is lost with the membership: uses that are left, by benefit."""
    left: dict[int, tuple[Benefit, int]] = {}
    for row in _living([member_id], at):
        if row.left:
            left[row.benefit_id] = (row.benefit, left.get(row.benefit_id, (row.benefit, 0))[1] + row.left)
    words = _("Uses left: %(benefit)s")
    return [PreviewLine(words % {"benefit": one.name}, grouped(uses), "", "0") for one, uses in left.values()]


@transaction.atomic
def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """End what members of the family could still use; return how many entitlements."""
    rows = Entitlement.objects.filter(member_id__in=family_ids(member_id), state=State.GRANTED).order_by("pk")
    ended = end_entitlements(rows=rows.select_for_update(no_key=True, of=("self",)), because=ERASED, by=by, at=at)
    return {"entitlements": ended}


def _living(member_ids: Sequence[int], at: datetime, *, lock: bool = False) -> list[Entitlement]:
    rows = Entitlement.objects.filter(member_id__in=member_ids, state__in=_LIVES, valid_to__gt=at).order_by("pk")
    if lock:
        rows = rows.select_for_update(no_key=True, of=("self",))
    return list(rows.select_related("benefit"))


def _same(row: Entitlement, own: Sequence[Entitlement]) -> bool:
    """Whether the survivor has the same promise: of a tier, the same benefit now; of others, the same grant."""
    return any(
        one.benefit_id == row.benefit_id
        and one.source == row.source
        and one.source_ref == row.source_ref
        and (row.source == Entitlement.Source.TIER or one.period_key == row.period_key)
        for one in own
    )
