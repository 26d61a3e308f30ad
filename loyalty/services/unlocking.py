"""Benefits that tasks of stages unlock: given once for each task, counted from the day it was done, as far as budgets reach."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from loyalty.models import Benefit, Entitlement
from loyalty.periods import add_months, business_date, end_of_day
from loyalty.services.granting import (
    BenefitBudgetUsedUp,
    BenefitNotOffered,
    GrantConflict,
    Wish,
    by_swap,
    give_benefit,
    grant,
)
from loyalty.services.holding import MemberClosed
from members.actors import Actor
from members.models import Member
from members.queries import programme

_MONTHS: Final[Mapping[str, int]] = {Benefit.Period.MONTH: 1, Benefit.Period.QUARTER: 3}
_YEAR: Final = 12
_TASK: Final = Entitlement.Source.TASK


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A task that a member has done, and the code of the benefit that it unlocks."""

    member_id: int
    task: str
    benefit: str
    done_at: datetime


def give_unlocked(*, unlocked: Sequence[Unlocked], by: Actor, at: datetime) -> int:
    """Give members what tasks unlocked, each once for ever; return how many benefits were given.

    A benefit that is out of use or has no number of uses gives nothing, and neither does one without budget, unless its
    budget says what is given instead. Who is frozen is given it, too; who was merged, the member they are now.
    """
    codes = {one.benefit for one in unlocked}
    benefits = {row.code: row for row in Benefit.objects.filter(code__in=codes, is_on=True, quota__isnull=False)}
    had = _had(unlocked)
    wishes: dict[str, list[Wish]] = defaultdict(list)
    for one in unlocked:
        if one.benefit in benefits and (one.member_id, one.task) not in had:
            had.add((one.member_id, one.task))
            wish = _wish(one, benefits[one.benefit])
            if wish.valid_to > at:
                wishes[one.benefit].append(wish)
    return sum(_give(benefits[code], wishes[code], by, at) for code in sorted(wishes))


def _had(unlocked: Sequence[Unlocked]) -> set[tuple[int, str]]:
    """Return the members who were given something for a task already, whatever it was."""
    given = Entitlement.objects.filter(
        source=_TASK, member__in={one.member_id for one in unlocked}, source_ref__in={one.task for one in unlocked}
    )
    return set(given.values_list("member_id", "source_ref"))


def _wish(one: Unlocked, benefit: Benefit) -> Wish:
    tz = programme().tz
    last = add_months(business_date(one.done_at, tz), _MONTHS.get(benefit.period, _YEAR))
    return Wish(one.member_id, benefit.quota or 0, "", one.done_at, end_of_day(last, tz), source_ref=one.task)


def _give(benefit: Benefit, wishes: Sequence[Wish], by: Actor, at: datetime) -> int:
    asked = {wish.member_id for wish in wishes}
    active = set(
        Member.objects.filter(pk__in=asked, status=Member.Status.ACTIVE, merged_into__isnull=True).values_list(
            "pk", flat=True
        )
    )
    outcome = grant(
        benefit=benefit, source=_TASK, wishes=[wish for wish in wishes if wish.member_id in active], by=by, at=at
    )
    given = len(outcome.entitlement_ids)
    for swap_id, refused in by_swap([outcome]).items():
        other = Benefit.objects.get(pk=swap_id)
        if other.is_on:
            instead = [replace(wish, quota=other.quota or wish.quota) for wish in refused]
            given += len(grant(benefit=other, source=_TASK, wishes=instead, by=by, at=at).entitlement_ids)
    return given + sum(_give_one(benefit, wish, by, at) for wish in wishes if wish.member_id not in active)


def _give_one(benefit: Benefit, wish: Wish, by: Actor, at: datetime) -> bool:
    """Give it to a member who is frozen, or to the one it was merged into; return whether it is there now."""
    with suppress(BenefitNotOffered, BenefitBudgetUsedUp, GrantConflict, MemberClosed):
        give_benefit(
            member_id=wish.member_id, benefit_id=benefit.pk, source=_TASK, source_ref=wish.source_ref, quota=wish.quota,
            valid_from=wish.valid_from, valid_to=wish.valid_to, by=by, at=at,
        )  # fmt: skip
        return True
    return False
