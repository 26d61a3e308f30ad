"""Vouchers that are out when a month ends, and what they are expected to cost: counted from their events, by template.

Like entries of the ledger, every event is taken by exactly one month: that in which it happened, or the first one that was
open when it was recorded. How many will be used follows from the months of issue, by the method that points go by.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from rewards.liability import Cell, Estimate, estimate_breakage, months_between, rounded
from rewards.models import MonthClose, VoucherEvent, VoucherLine, VoucherTemplate, VoucherVintage
from rewards.services.close_figures import Span, settled_mark

ENDED_NEEDED = 30
"""So many vouchers of a template must have been used or have expired before any breakage is assumed."""
_NONE = Decimal(0)
_AT_ONCE = 2_000

# Issued, used and so on are net: who gets a used voucher back counts it out of the used ones. One that an order or a friend
# holds is out all the while. Whatever is neither out nor used nor expired was revoked.
_MOVES = """
    SELECT v.template_id, %(begins)s AND e.happened_at < %(starts_at)s AS early,
        date_trunc('month', v.issued_at AT TIME ZONE %(zone)s)::date AS vintage,
        CASE WHEN %(begins)s AND e.happened_at < %(starts_at)s
             THEN date_trunc('month', e.happened_at AT TIME ZONE %(zone)s)::date ELSE %(month)s END AS in_month,
        count(*) FILTER (WHERE e.from_state = ''),
        count(*) FILTER (WHERE e.to_state = 'used') - count(*) FILTER (WHERE e.from_state = 'used'),
        count(*) FILTER (WHERE e.to_state = 'expired') - count(*) FILTER (WHERE e.from_state = 'expired'),
        count(*) FILTER (WHERE e.to_state NOT IN ('issued', 'offered', 'held', 'used', 'expired'))
            - count(*) FILTER (WHERE e.from_state NOT IN ('', 'issued', 'offered', 'held', 'used', 'expired'))
    FROM (
        SELECT * FROM rewards_voucherevent WHERE happened_at >= %(starts_at)s AND happened_at < %(ends_at)s AND id <= %(mark)s
        UNION ALL
        SELECT * FROM rewards_voucherevent WHERE id > %(mark_before)s AND id <= %(mark)s AND happened_at < %(starts_at)s
    ) AS e
    JOIN rewards_voucher v ON v.id = e.voucher_id
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""

# What the vouchers would say had nothing come after this month: one statement, so one moment.
_COUNTED = """
    SELECT template_id, sum(number) FROM (
        SELECT template_id, count(*) AS number FROM rewards_voucher WHERE state IN ('issued', 'offered', 'held')
        GROUP BY template_id
        UNION ALL
        SELECT v.template_id, -sum(
            (e.to_state IN ('issued', 'offered', 'held'))::int - (e.from_state IN ('issued', 'offered', 'held'))::int)
        FROM (SELECT * FROM rewards_voucherevent WHERE happened_at >= %(ends_at)s AND id <= %(mark)s
              UNION ALL SELECT * FROM rewards_voucherevent WHERE id > %(mark)s) AS e
        JOIN rewards_voucher v ON v.id = e.voucher_id GROUP BY v.template_id
    ) AS found GROUP BY template_id"""


@dataclass(frozen=True, slots=True)
class _Moved:
    """Vouchers of one template and month of issue that moved in a month; `early`: before vouchers were counted."""

    template_id: int
    early: bool
    vintage: date
    month: date
    issued: int
    used: int
    expired: int
    revoked: int

    @property
    def grown(self) -> int:
        return self.issued - self.used - self.expired - self.revoked


def count_vouchers(draft: MonthClose, span: Span, before: MonthClose | None) -> None:
    """Write how many vouchers of each template were out at the end of a month, with their movements, face value and liability.

    Where the month before did not count vouchers, all that happened earlier is the opening balance. Raises LedgerIsBusy.
    """
    began = before.voucher_mark if before is not None else None
    mark = settled_mark(model=VoucherEvent)
    mine = replace(span, mark=mark, mark_before=began or 0, begins=began is None)
    moved, counted = _read(mine)
    _write_vintages(draft, moved)
    lines = _lines(draft, moved, counted, _opening(before))
    VoucherLine.objects.bulk_create(lines, batch_size=_AT_ONCE)
    draft.voucher_mark = mark
    draft.voucher_count = sum(line.closing_count for line in lines)
    draft.voucher_counted_count = sum(line.counted_count for line in lines)
    draft.voucher_liability_amount = sum((line.liability_amount or _NONE for line in lines), _NONE)


def vouchers_agree(close: MonthClose) -> bool:
    """Whether for each template movements and vouchers give the same number, in one query."""
    return all(line.agrees for line in VoucherLine.objects.filter(close=close))


def liability_grown(close: MonthClose) -> Decimal:
    """Return by how much the liability of vouchers grew in the month, in money."""
    sums = VoucherLine.objects.filter(close=close).aggregate(end=Sum("liability_amount"), begin=Sum("opening_amount"))
    return (sums["end"] or _NONE) - (sums["begin"] or _NONE)


def lines_of(close: MonthClose) -> list[VoucherLine]:
    """Return the lines of a month with their templates, by name, in one query."""
    lines = VoucherLine.objects.filter(close=close).select_related("template")
    return sorted(lines, key=lambda line: (str(line.template), line.pk))


def _read(span: Span) -> tuple[list[_Moved], dict[int, int]]:
    params: dict[str, Any] = {
        "begins": span.begins, "starts_at": span.starts_at, "ends_at": span.ends_at, "month": span.month, "zone": span.zone,
        "mark": span.mark, "mark_before": span.mark_before,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, params)
        moved = [_Moved(*row) for row in cursor.fetchall()]
        cursor.execute(_COUNTED, params)
        return moved, {template_id: int(number) for template_id, number in cursor.fetchall()}


def _opening(before: MonthClose | None) -> dict[int, VoucherLine]:
    return {line.template_id: line for line in VoucherLine.objects.filter(close=before)} if before is not None else {}


def _write_vintages(draft: MonthClose, moved: list[_Moved]) -> None:
    by_age: dict[tuple[int, date, int], list[_Moved]] = defaultdict(list)
    for row in moved:
        by_age[row.template_id, row.vintage, max(0, months_between(row.vintage, row.month))].append(row)
    VoucherVintage.objects.bulk_create(
        (
            VoucherVintage(
                close=draft, template_id=template_id, vintage_month=vintage, age_months=age,
                issued_count=sum(row.issued for row in rows), used_count=sum(row.used for row in rows),
                expired_count=sum(row.expired for row in rows), revoked_count=sum(row.revoked for row in rows),
            )
            for (template_id, vintage, age), rows in by_age.items()
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip


def _lines(
    draft: MonthClose, moved: list[_Moved], counted: Mapping[int, int], opening: Mapping[int, VoucherLine]
) -> list[VoucherLine]:
    by_template: dict[int, list[_Moved]] = defaultdict(list)
    for row in moved:
        by_template[row.template_id].append(row)
    out_before = {template_id: line.closing_count for template_id, line in opening.items() if line.closing_count}
    wanted = sorted({*by_template, *out_before, *(key for key, number in counted.items() if number)})
    templates = VoucherTemplate.objects.in_bulk(wanted)
    estimates = _estimates(draft)
    return [
        _line(draft, templates[key], by_template[key], counted.get(key, 0), opening.get(key), estimates.get(key))
        for key in wanted
    ]


def _line(
    draft: MonthClose, template: VoucherTemplate, moved: list[_Moved], counted: int, before: VoucherLine | None,
    estimated: tuple[Estimate, int] | None,
) -> VoucherLine:  # fmt: skip
    earlier, own = [row for row in moved if row.early], [row for row in moved if not row.early]
    opening = before.closing_count if before else sum(row.grown for row in earlier)
    closing = opening + sum(row.grown for row in own)
    estimate, ended = estimated or (None, 0)
    breakage = estimate.breakage if estimate is not None and ended >= ENDED_NEEDED else _NONE
    breakage = min(max(breakage, _NONE), Decimal(1))
    face = template.most_cost_amount or None
    has_opening = face is not None or (before is not None and before.liability_amount is not None)
    opening_amount = before.liability_amount if before else None
    if opening_amount is None and has_opening:
        opening_amount = opening * (face or _NONE)
    return VoucherLine(
        close=draft, template=template, opening_count=opening, issued_count=sum(row.issued for row in own),
        used_count=sum(row.used for row in own), expired_count=sum(row.expired for row in own),
        revoked_count=sum(row.revoked for row in own), closing_count=closing, counted_count=counted, ended_count=ended,
        breakage_share=breakage, opening_amount=opening_amount, face_value=face,
        face_amount=None if face is None else closing * face,
        liability_amount=None if face is None else rounded(closing * face * (1 - breakage)),
    )  # fmt: skip


def _estimates(draft: MonthClose) -> dict[int, tuple[Estimate, int]]:
    """Return for each template the estimate from all months so far, and how many vouchers it rests on."""
    rows = (
        VoucherVintage.objects.filter(close__currency_id=draft.currency_id, close__month__lte=draft.month)
        .values("template_id", "vintage_month", "age_months")
        .annotate(
            issued=Sum("issued_count"), revoked=Sum("revoked_count"), used=Sum("used_count"), expired=Sum("expired_count")
        )
        .order_by("template_id", "vintage_month", "age_months")
    )  # fmt: skip
    cells: dict[int, list[Cell]] = defaultdict(list)
    for row in rows:
        cells[row["template_id"]].append(
            Cell(row["vintage_month"], row["age_months"], row["issued"], row["revoked"], row["used"], row["expired"])
        )
    return {
        template_id: (
            estimate_breakage(mine, month=draft.month),
            sum(cell.used + cell.expired for cell in mine),
        )
        for template_id, mine in cells.items()
    }
