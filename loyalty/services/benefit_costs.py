"""What benefits cost: budgets in which uses are reserved when they are promised, their stop, and what was really used.

Budgets are locked after entitlements, in ascending order, by whoever reserves or gives back.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db import connection, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from loyalty.benefit_rules import BudgetLine, line_passed, percent_used, runs_out_on, throttled
from loyalty.events import BENEFIT_BUDGET_NOTED
from loyalty.models import BenefitBudget, BenefitBudgetNote, EntitlementUse
from loyalty.refusals import LoyaltyRefusal
from members.actors import Actor
from members.personal_words import refuse_personal_words
from members.queries import programme
from members.services.status import ReasonMissing
from members.timeline import NewEntry, nudge, record

REASON_LENGTH: Final = 200
Reserved = tuple[int, int, Decimal | None]  # budget, uses, cost of one use


class BudgetIsStopped(LoyaltyRefusal):
    """It is stopped already."""

    code = "budget_is_stopped"
    text = _("This budget is stopped already.")


class BudgetIsNotStopped(LoyaltyRefusal):
    """Nothing is stopped."""

    code = "budget_is_not_stopped"
    text = _("This budget is not stopped.")


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """How a budget stands: promised in percent, really used in uses and money (None: no cost is known), when it runs out.

    `runs_out` is None where it lasts, by the average since its beginning. `is_closed`: nothing more is given.
    """

    budget: BenefitBudget
    percent: int
    used_units: int
    used_amount: Decimal | None
    runs_out: date | None
    is_closed: bool


@dataclass(frozen=True, slots=True)
class CostRow:
    """What a tier (None: no tier) used of a benefit in a span."""

    benefit_id: int
    tier_id: int | None
    units: int
    amount: Decimal | None


class OpenBudgets:
    """The budgets that hold what is promised of one benefit now, locked until the end of the transaction."""

    def __init__(self, *, benefit_id: int, at: datetime, also: Collection[int] = ()) -> None:
        """Lock the budgets in force, and `also` those in which something was reserved before."""
        in_force = Q(benefit_id=benefit_id, valid_from__lte=at, valid_to__gt=at)
        rows = BenefitBudget.objects.filter(in_force | Q(pk__in=also)).order_by("pk")
        self.at = at
        self.rows = {row.pk: row for row in rows.select_for_update(no_key=True, of=("self",))}
        self.lines = {pk: line_of(row) for pk, row in self.rows.items()}
        self._by_tier = {
            row.tier_id: pk
            for pk, row in self.rows.items()
            if row.benefit_id == benefit_id and row.valid_from <= at < row.valid_to
        }
        self.refused_by: set[int] = set()
        self.unit_cost: Decimal | None = None

    def of(self, tier_id: int | None) -> tuple[int | None, int | None]:
        """Return the budget of all tiers, and that of one, where there are such."""
        return self._by_tier.get(None), self._by_tier.get(tier_id) if tier_id else None

    def reserve(
        self, *, tier_id: int | None, units: int, unit_cost: Decimal | None, instead: Iterable[Reserved] = ()
    ) -> bool:
        """Reserve uses in both budgets, or in none; return whether there was room. `instead` is given back with it."""
        self.unit_cost = unit_cost
        back = list(instead)
        for budget_id, freed, cost in back:
            self.lines[budget_id].take(-freed, cost)
        wanted = [budget_id for budget_id in self.of(tier_id) if budget_id is not None]
        full = [budget_id for budget_id in wanted if not self.lines[budget_id].fits(units, unit_cost)]
        if full:
            self.refused_by.update(full)
            for budget_id, freed, cost in back:
                self.lines[budget_id].take(freed, cost)
            return False
        for budget_id in wanted:
            self.lines[budget_id].take(units, unit_cost)
        return True

    def write(self, *, by: Actor) -> None:
        """Write what is reserved now; tell once of each line that was passed, and that a budget was found full."""
        for budget_id, row in self.rows.items():
            line = self.lines[budget_id]
            row.reserved_units, row.reserved_amount = line.units, line.amount
            passed = line_passed(percent_of(row))
            if budget_id in self.refused_by and row.stopped_at is None and not line.fits(1, self.unit_cost):
                passed = 100  # not even one more fits, whatever the percentage says
            warned = row.warned_percent
            if passed > warned:
                row.warned_percent = passed
            row.save(update_fields=["reserved_units", "reserved_amount", "warned_percent"])
            if passed > warned:
                kind = BenefitBudgetNote.Kind.FULL if passed == 100 else BenefitBudgetNote.Kind.WARNED
                note(row, kind, by=by, at=self.at)


def give_back(*, reserved: Iterable[Reserved], by: Actor, at: datetime) -> None:
    """Free what was reserved for uses that lapsed, in the caller's transaction, which holds their entitlements."""
    sums: dict[int, tuple[int, Decimal]] = {}
    for budget_id, units, cost in reserved:
        before = sums.get(budget_id, (0, Decimal(0)))
        sums[budget_id] = before[0] + units, before[1] + units * (cost or Decimal(0))
    with connection.cursor() as cursor:
        for budget_id in sorted(sums):
            units, amount = sums[budget_id]
            cursor.execute(
                "UPDATE loyalty_benefitbudget SET reserved_units = reserved_units - %s, "
                "reserved_amount = reserved_amount - %s WHERE id = %s",
                [units, amount, budget_id],
            )


def stop_budget(*, budget_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Give nothing more from a budget, or its other benefit, until it is resumed. Raises ReasonMissing, BudgetIsStopped."""
    words = _own_words(reason)
    with transaction.atomic():
        row = BenefitBudget.objects.select_for_update(no_key=True).get(pk=budget_id)
        if row.stopped_at is not None:
            raise BudgetIsStopped
        row.stopped_at, row.stop_reason = at, words
        row.save(update_fields=["stopped_at", "stop_reason"])
        note(row, BenefitBudgetNote.Kind.STOPPED, by=by, at=at, reason=words)


def resume_budget(*, budget_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Let a stopped budget give again. Raises ReasonMissing, BudgetIsNotStopped."""
    words = _own_words(reason)
    with transaction.atomic():
        row = BenefitBudget.objects.select_for_update(no_key=True).get(pk=budget_id)
        if row.stopped_at is None:
            raise BudgetIsNotStopped
        row.stopped_at, row.stop_reason = None, ""
        row.save(update_fields=["stopped_at", "stop_reason"])
        note(row, BenefitBudgetNote.Kind.RESUMED, by=by, at=at, reason=words)


def warn_anew(*, budget_id: int) -> None:
    """After a budget was changed by staff: forget lines that are no longer passed, so that they are told of again."""
    with transaction.atomic():
        row = BenefitBudget.objects.select_for_update(no_key=True).get(pk=budget_id)
        row.warned_percent = min(row.warned_percent, line_passed(percent_of(row)))
        row.save(update_fields=["warned_percent"])


def note(row: BenefitBudget, kind: BenefitBudgetNote.Kind, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Keep what happened to a budget and tell the timeline, in the caller's transaction."""
    percent = percent_of(row)
    BenefitBudgetNote.objects.create(
        budget=row, kind=kind, percent=percent, reason=reason, actor_kind=by.kind, actor_id=by.id, happened_at=at
    )
    payload = {"budget": row.pk, "benefit": row.benefit_id, "what": kind.value, "percent": percent}
    record([NewEntry(BENEFIT_BUDGET_NOTED, None, at, by, payload, f"benefit_budget:{row.pk}")])
    nudge()


def line_of(row: BenefitBudget) -> BudgetLine:
    """Return a budget as what may be promised and what is."""
    units, amount = throttled(row.total_units, row.throttle_percent), throttled(row.total_amount, row.throttle_percent)
    return BudgetLine(
        None if units is None else int(units),
        amount,
        row.reserved_units,
        row.reserved_amount,
        row.stopped_at is not None,
    )


def percent_of(row: BenefitBudget) -> int:
    """Return how much of a budget is promised, in percent."""
    return percent_used(
        units=row.reserved_units, total_units=row.total_units, amount=row.reserved_amount, total_amount=row.total_amount
    )


def closing_budget(
    *, benefit_id: int, tier_id: int | None, units: int, unit_cost: Decimal | None, at: datetime
) -> BenefitBudget | None:
    """Return the budget that would not hold so many uses now, None when all would. Nothing is locked: a look beforehand."""
    in_force = BenefitBudget.objects.filter(
        Q(tier__isnull=True) | Q(tier=tier_id), benefit_id=benefit_id, valid_from__lte=at, valid_to__gt=at
    )
    rows = in_force.select_related("swap_benefit").order_by("pk")
    return next((row for row in rows if not line_of(row).fits(units, unit_cost)), None)


def budgets_now(*, budgets: Collection[BenefitBudget], at: datetime) -> list[BudgetNow]:
    """Return how budgets stand, with what was really used in their spans: one statement for all of them."""
    used: Mapping[int, tuple[int, Decimal | None]] = {}
    if budgets:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT b.id, u.units, u.amount FROM loyalty_benefitbudget b CROSS JOIN LATERAL (
                    SELECT coalesce(sum(u.units), 0) AS units, sum(u.cost_amount) AS amount FROM loyalty_entitlementuse u
                    WHERE u.benefit_id = b.benefit_id AND (b.tier_id IS NULL OR u.tier_id = b.tier_id)
                        AND u.happened_at >= b.valid_from AND u.happened_at < b.valid_to) u
                WHERE b.id = ANY (%s)
                """,
                [[row.pk for row in budgets]],
            )
            used = {pk: (int(units), amount) for pk, units, amount in cursor.fetchall()}
    tz = programme().tz
    return [
        BudgetNow(
            row, percent_of(row), *used.get(row.pk, (0, None)),
            runs_out_on(
                from_at=row.valid_from, to_at=row.valid_to, at=at, units=row.reserved_units, total_units=row.total_units,
                amount=row.reserved_amount, total_amount=row.total_amount, tz=tz,
            ),
            not line_of(row).fits(1, row.benefit.unit_cost_amount),
        )
        for row in budgets
    ]  # fmt: skip


def costs_of(*, from_at: datetime, before_at: datetime) -> list[CostRow]:
    """Return what was used of each benefit by each tier in a half-open span, by index alone."""
    rows = EntitlementUse.objects.filter(happened_at__gte=from_at, happened_at__lt=before_at).order_by()
    sums = rows.values("benefit_id", "tier_id").annotate(uses=Sum("units"), cost=Sum("cost_amount"))
    return [CostRow(row["benefit_id"], row["tier_id"], row["uses"], row["cost"]) for row in sums]


def words_of(reason: str) -> str:
    """Return a reason as it is kept. Raises ReasonMissing."""
    words = " ".join(reason.split())[:REASON_LENGTH]
    if not words:
        raise ReasonMissing
    return words


def _own_words(reason: str) -> str:
    words = words_of(reason)
    refuse_personal_words(words, member_ids=[])
    return words
