"""The grid of a version of the ladder: which tier gives what. Only a draft is edited; the first grid there ever is may be added."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from loyalty.benefit_book import forget_benefit_book, ladder_with_grid
from loyalty.benefit_rules import Cell, multiplies
from loyalty.events import BENEFIT_GRID_CHANGED
from loyalty.models import Benefit, LadderVersion, TierBenefit, TierRule
from loyalty.refusals import DraftIsWaiting, LoyaltyRefusal, NotADraft
from loyalty.versions import is_draft, waiting_of
from members.actors import Actor
from members.timeline import NewEntry, nudge, record


class GridIsInForce(LoyaltyRefusal):
    """Members may have been given what it says."""

    code = "benefit_grid_in_force"
    text = _("Version %(number)s is in force already. Its benefits can only be changed by a version that begins later.")


class TierNotOnLadder(LoyaltyRefusal):
    """The version has no rule for the tier."""

    code = "tier_not_on_ladder"
    text = _("Version %(number)s has no such tier.")
    status = 422


class GivesNoMorePoints(LoyaltyRefusal):
    """A benefit that multiplies points would multiply none, or only so many times."""

    code = "benefit_gives_no_more_points"
    text = _("“%(benefit)s” needs a figure above 1 and no number of uses: 1.5 gives one and a half times the points.")
    status = 422


def why_frozen(version: LadderVersion, at: datetime) -> LoyaltyRefusal | None:
    """Return why the cells of a version can not be written; None for a draft, and while no version up to it has any.

    What was approved, and what colleagues are asked to approve, stays as it is.
    """
    if is_draft(version):
        return DraftIsWaiting(number=version.number) if waiting_of([version.pk]) else None
    if version.discarded_at is None and ladder_with_grid(version.pk) is None:
        return None
    is_in_force = version.valid_from is not None and version.valid_from <= at
    return (GridIsInForce if is_in_force else NotADraft)(number=version.number)


@transaction.atomic
def set_grid(*, ladder_id: int, cells: Mapping[tuple[int, int], Cell], by: Actor, at: datetime) -> int:
    """Let a version give exactly these cells, by (tier, benefit); return how many were added, changed or removed.

    Raises what `why_frozen` returns, TierNotOnLadder, GivesNoMorePoints.
    """
    version = LadderVersion.objects.select_for_update(no_key=True).get(pk=ladder_id)
    refusal = why_frozen(version, at)
    if refusal is not None:
        raise refusal
    on_ladder = set(TierRule.objects.filter(ladder=version).order_by().values_list("tier_id", flat=True))
    if any(tier_id not in on_ladder for tier_id, _benefit_id in cells):
        raise TierNotOnLadder(number=version.number)
    _refuse_no_more_points(cells)
    there = {(cell.tier_id, cell.benefit_id): cell for cell in TierBenefit.objects.filter(ladder=version)}
    changed = 0
    for key, cell in cells.items():
        row = there.pop(key, None)
        if row is None:
            TierBenefit.objects.create(
                ladder=version, tier_id=key[0], benefit_id=key[1], figure=cell.figure, quota=cell.quota
            )
        elif (row.figure, row.quota) != (cell.figure, cell.quota):
            row.figure, row.quota = cell.figure, cell.quota
            row.save(update_fields=["figure", "quota"])
        else:
            continue
        changed += 1
    changed += len(there)
    TierBenefit.objects.filter(pk__in=[row.pk for row in there.values()]).delete()
    if changed:
        payload = {"ladder": version.pk, "number": version.number, "cells": len(cells), "changed": changed}
        record([NewEntry(BENEFIT_GRID_CHANGED, None, at, by, payload, f"ladder:{version.pk}")])
        nudge()
    forget_benefit_book()
    return changed


def _refuse_no_more_points(cells: Mapping[tuple[int, int], Cell]) -> None:
    asked = {benefit_id for _tier_id, benefit_id in cells}
    multipliers = Benefit.objects.filter(kind=Benefit.Kind.MULTIPLIER, pk__in=asked).in_bulk()
    for (_tier_id, benefit_id), cell in cells.items():
        benefit = multipliers.get(benefit_id)
        if benefit is not None and not multiplies(cell.figure, cell.quota or benefit.quota):
            raise GivesNoMorePoints(benefit=benefit.name)


@transaction.atomic
def copy_grid(*, from_ladder_id: int, to_ladder_id: int) -> int:
    """Copy the cells of a version's own grid to another one that has none, tiers that it lacks left out; return how many."""
    if TierBenefit.objects.filter(ladder_id=to_ladder_id).exists():
        return 0
    on_ladder = set(TierRule.objects.filter(ladder_id=to_ladder_id).order_by().values_list("tier_id", flat=True))
    rows = TierBenefit.objects.filter(ladder_id=from_ladder_id, tier_id__in=on_ladder)
    made = TierBenefit.objects.bulk_create(
        TierBenefit(
            ladder_id=to_ladder_id, tier_id=row.tier_id, benefit_id=row.benefit_id, figure=row.figure, quota=row.quota
        )
        for row in rows
    )
    forget_benefit_book()
    return len(made)
