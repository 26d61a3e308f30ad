"""A month close as people read it: the roll-forward, the same by source, store and tier, the vintages, the method in words."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from loyalty.models import Tier
from members.figures import grouped, money
from rewards.liability import ENDED_NEEDED, Estimate
from rewards.models import CloseLine, Lot, MonthClose, Movement, VoucherLine
from rewards.services.close import triangle
from rewards.services.close_stores import STORES_SHOWN, Settlement, settlement_of
from rewards.services.close_vouchers import ENDED_NEEDED as VOUCHERS_NEEDED
from rewards.services.close_vouchers import lines_of


@dataclass(frozen=True, slots=True)
class Figure:
    """Points of one movement, and what they are worth in money where a value is known."""

    movement: int
    label: str
    points: int
    amount: Decimal | None

    @property
    def is_balance(self) -> bool:
        """Whether it says what stands, not what moved."""
        return self.movement in (Movement.OPENING, Movement.CLOSING)

    @property
    def is_value_only(self) -> bool:
        """Whether no point moved, only their value."""
        return self.movement == Movement.REVALUED


@dataclass(frozen=True, slots=True)
class PartRow:
    """One source, store or tier, with its figures in the order of the table's columns."""

    label: str
    figures: list[Figure]


@dataclass(frozen=True, slots=True)
class PartTable:
    """The roll-forward by source, by store or by tier. `columns` are the names of the movements that occur."""

    key: str
    label: str
    columns: list[str]
    rows: list[PartRow]


@dataclass(frozen=True, slots=True)
class CloseReport:
    """All that a page or a workbook says of a month."""

    close: MonthClose
    total: list[Figure]
    tables: list[PartTable]
    estimate: Estimate
    method: list[str]
    settlement: Settlement | None
    settlement_method: list[str]
    vouchers: list[VoucherLine]
    voucher_method: list[str]

    @property
    def owed_amount(self) -> Decimal | None:
        """What is owed in points and in vouchers, in money."""
        if self.close.liability_amount is None:
            return None
        return self.close.liability_amount + (self.close.voucher_liability_amount or 0)

    @property
    def vouchers_agree(self) -> bool:
        """Whether for each template movements and vouchers give the same number."""
        return all(line.agrees for line in self.vouchers)

    @property
    def breakage_amount(self) -> Decimal | None:
        """What of the closing balance is not expected to be claimed, in money."""
        if self.close.closing_amount is None or self.close.liability_amount is None:
            return None
        return self.close.closing_amount - self.close.liability_amount


def report_of(close: MonthClose) -> CloseReport:
    """Return the report of a month in the active language: five queries, whatever the number of entries."""
    lines = list(CloseLine.objects.filter(close=close).select_related("store"))
    tiers = {tier.code: str(tier) for tier in Tier.objects.all()}
    estimate = triangle(close)
    total = {line.movement: line for line in lines if line.part == CloseLine.Part.TOTAL}
    settlement = settlement_of(close)
    return CloseReport(
        close=close,
        total=[_figure(movement, total[movement]) for movement in sorted(total)],
        tables=[
            _table("source", _("By source"), CloseLine.Part.SOURCE, lines, tiers),
            _table("store", _("By store"), CloseLine.Part.STORE, lines, tiers),
            _table("tier", _("By tier"), CloseLine.Part.TIER, lines, tiers),
        ],
        estimate=estimate,
        method=_method(close, estimate),
        settlement=settlement,
        settlement_method=_method_of_settlement(close, settlement),
        vouchers=lines_of(close) if close.has_vouchers else [],
        voucher_method=_method_of_vouchers(close),
    )


def movement_label(movement: int) -> str:
    """Return the name of a movement in the active language."""
    return str(Movement(movement).label)


def _figure(movement: int, line: CloseLine | None) -> Figure:
    points, amount = (line.points, line.amount) if line else (0, None)
    return Figure(movement, movement_label(movement), points, amount)


def _table(key: str, label: str, part: int, lines: list[CloseLine], tiers: dict[str, str]) -> PartTable:
    mine = [line for line in lines if line.part == part]
    movements = sorted({line.movement for line in mine} | {Movement.OPENING.value, Movement.CLOSING.value})
    rows: dict[Any, dict[int, CloseLine]] = {}
    labels: dict[Any, str] = {}
    for line in mine:
        bucket = (line.is_arrears, line.origin, line.store_id, line.tier_code)
        rows.setdefault(bucket, {})[line.movement] = line
        labels[bucket] = _label(line, part, tiers)
    order = sorted(rows, key=lambda bucket: (bucket[0], bucket[1] or 99, labels[bucket]))
    return PartTable(
        key=key,
        label=label,
        columns=[movement_label(movement) for movement in movements],
        rows=[
            PartRow(labels[bucket], [_figure(movement, rows[bucket].get(movement)) for movement in movements])
            for bucket in order
        ],
    )


def _label(line: CloseLine, part: int, tiers: dict[str, str]) -> str:
    if line.is_arrears:
        return _("Arrears of members")
    if part == CloseLine.Part.SOURCE:
        return str(Lot.Origin(line.origin).label) if line.origin else _("unknown")
    if part == CloseLine.Part.STORE:
        return str(line.store) if line.store else _("online or unknown")
    return tiers.get(line.tier_code, line.tier_code) or pgettext("tier of a close", "unknown")


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f}"


def _method(close: MonthClose, estimate: Estimate) -> list[str]:
    """Return how the figures came about, sentence by sentence."""
    found = [
        _("A point belongs to the month in which it moved. What is recorded after a month was locked stands in the next open month."),
        ngettext(
            "Of this month's entries, %(number)s happened in an earlier month that was locked already (%(points)s points).",
            "Of this month's entries, %(number)s happened in earlier months that were locked already (%(points)s points).",
            close.late_entries,
        ) % {"number": grouped(close.late_entries), "points": grouped(close.late_points)},
        _(
            "By source, store and tier: points are counted where they were issued, wherever they are used later. "
            "Arrears are points that members owe; the points that are earned next repay them."
        ),
    ]  # fmt: skip
    if close.money_per_point is None:
        found.append(_("Nobody has set what a point is worth, so there are no amounts of money."))
    else:
        found.append(
            _(
                "One point is worth %(value)s %(currency)s, the value in force at the end of the month. All movements of the month are "
                "valued so; what a change of the value makes of the opening balance, and cents of rounding, stand as revaluation."
            )
            % {"value": f"{close.money_per_point.normalize():f}", "currency": close.money_currency}
        )
    if close.previous_id is None:
        found.append(
            _(
                "The books begin with this month: all that happened before it is its opening balance, and not in the journal."
            )
        )
    found += _method_of_breakage(close, estimate)
    return found


def _method_of_breakage(close: MonthClose, estimate: Estimate) -> list[str]:
    found = [
        _(
            "Breakage is estimated from the months of issue (vintages): how much of each was used up to which age, and what expired. "
            "From one age to the next, use grows by the ratio of all vintages that have reached both ages (chain ladder); what is left "
            "of the oldest vintage counts as still to be used. One share of use in the end is taken for all vintages (Cape Cod)."
        ),
        _(
            "No breakage is assumed before %(needed)s months of issue have run to their end, with at most 5 %% left. Ended so far: %(ended)s."
        )
        % {"needed": ENDED_NEEDED, "ended": grouped(estimate.ended)},
        _(
            "By this, %(used)s %% of the points issued are used in the end; of the %(left)s points now left, %(breakage)s %% are not "
            "expected to be used."
        )
        % {
            "used": _percent(close.used_share),
            "left": grouped(estimate.left),
            "breakage": _percent(close.breakage_share),
        },
    ]
    if close.liability_amount is not None and close.money_per_point is not None:
        found.append(
            _("Liability: %(points)s points × %(value)s × (1 − %(breakage)s %%) = %(liability)s.")
            % {
                "points": grouped(max(close.closing_points, 0)),
                "value": f"{close.money_per_point.normalize():f}",
                "breakage": _percent(close.breakage_share),
                "liability": money(close.liability_amount, close.money_currency),
            }
        )
    found.append(
        _(
            "Sources: IFRS 15 B39–B43 (options of customers) and B44–B47 (breakage); Gault, Llaguno and Ménard, Loyalty Rewards and Gift Card Programs: "
            "Basic Actuarial Estimation Techniques, CAS E-Forum, Summer 2012."
        )
    )
    return found


def _method_of_settlement(close: MonthClose, settlement: Settlement | None) -> list[str]:
    if settlement is None:
        return []
    found = [
        _(
            "Every redeemed point is followed to the store that issued it, through gifts between members as well. The store that "
            "issued it owes the store that took it in; what was given back after a return goes the way back."
        ),
        _(
            "Head office stands for points that no store issued (online, by staff, from partners) and for redemptions outside of "
            "stores, such as those of the rewards catalogue. Arrears that are repaid on the way belong to head office, too."
        ),
        _(
            "In all %(spent)s points redeemed and %(restored)s given back, as the roll-forward says. What is owed adds up to nothing."
        ) % {"spent": grouped(settlement.spent_points), "restored": grouped(settlement.restored_points)},
    ]  # fmt: skip
    if close.money_per_point is not None:
        found.append(
            _("Points are settled at %(value)s %(currency)s, the value of a point in force at the end of the month.")
            % {"value": f"{close.money_per_point.normalize():f}", "currency": close.money_currency}
        )
    if settlement.is_folded:
        found.append(
            _("The table shows the %(number)s largest stores; the workbook lists every pair.")
            % {"number": grouped(STORES_SHOWN)}
        )
    return found


def _method_of_vouchers(close: MonthClose) -> list[str]:
    if not close.has_vouchers:
        return []
    found = [
        _(
            "Vouchers are counted from their events: out at the beginning + issued − used − expired − revoked = out at the end. "
            "The vouchers themselves must give the same number. One points currency states them for the whole programme."
        ),
        _(
            "Liability: vouchers out × face value × (1 − expected breakage). Vouchers without a value in money are counted only."
        ),
        _(
            "Breakage is estimated for each template from its months of issue, in the same way as that of points. None is assumed "
            "before %(needed)s vouchers have been used or have expired and three months of issue have run to their end, with at "
            "most 5 %% left."
        ) % {"needed": grouped(VOUCHERS_NEEDED)},
    ]  # fmt: skip
    if close.previous is None or not close.previous.has_vouchers:
        found.append(
            _("Vouchers are stated from this month on: what was out before is the opening, and not in the journal.")
        )
    return found


def last_day_of(close: MonthClose) -> str:
    """Return the last day of the month, as journals write it: 2026-09-30."""
    first = close.month.replace(day=28) + timedelta(days=4)
    return (first.replace(day=1) - timedelta(days=1)).isoformat()
