"""Close a month of the points books: work it out as a draft, look at it, lock it. A lock is final."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from loyalty.periods import add_months, business_date, day_bounds
from members import timeline
from members.actors import Actor
from members.queries import programme
from rewards import events, ledger
from rewards.liability import Cell, Estimate, apportion, estimate_breakage, rounded
from rewards.models import (
    CloseLine,
    MonthClose,
    Movement,
    PointsCurrency,
    PointsRate,
    SettlementLine,
    VintageFigure,
    VoucherLine,
    VoucherVintage,
)
from rewards.refusals import RewardsRefusal
from rewards.services.close_figures import (
    Bucket,
    PartTotal,
    Span,
    Total,
    balance_by_accounts,
    collect,
    first_fact_at,
    parts,
    settled_mark,
    totals,
)
from rewards.services.close_stores import settle
from rewards.services.close_vouchers import count_vouchers, vouchers_agree

REASON_LENGTH = 200
_ALL = Bucket(CloseLine.Part.TOTAL.value)
_LINES_AT_ONCE = 2_000

Column = dict[int, int]
"""Points by movement."""


class MonthIsLocked(RewardsRefusal):
    """What is locked stays as it is."""

    code = "month_is_locked"
    text = _("%(month)s is locked. What is recorded now falls into the next open month.")


class MonthBeforeBooks(RewardsRefusal):
    """The books begin later."""

    code = "month_before_books"
    text = _("The books begin with %(first)s; %(month)s is part of its opening balance.")


class EarlierMonthOpen(RewardsRefusal):
    """Months are closed one after the other."""

    code = "earlier_month_open"
    text = _("%(open)s is still open. Close it before %(month)s.")


class MonthNotOver(RewardsRefusal):
    """A month can be locked once it is over."""

    code = "month_not_over"
    text = _("%(month)s is not over yet. It can be locked from %(first_day)s on.")


class RateMissing(RewardsRefusal):
    """Nobody said what a point is worth."""

    code = "value_of_a_point_missing"
    text = _("For the end of %(month)s nobody has set what a point is worth. Set the value of a point first.")


class BooksDisagree(RewardsRefusal):
    """The ledger contradicts itself."""

    code = "books_disagree"
    text = _(
        "Movements give %(movements)s points, accounts %(accounts)s, lots %(lots)s. "
        "Have the ledger checked before the month is locked."
    )


class VouchersDisagree(RewardsRefusal):
    """Vouchers and their events contradict each other."""

    code = "vouchers_disagree"
    text = _("Movements give %(movements)s vouchers, the vouchers themselves %(vouchers)s. Have them checked first.")


class CloseReasonMissing(RewardsRefusal):
    """Staff must say why."""

    code = "reason_missing"
    text = _("Please say why.")
    status = 422


def month_open(*, currency_id: int, at: datetime) -> date:
    """Return the first day of the month to be closed next: after the last lock, else the month of the first fact."""
    last = MonthClose.objects.filter(currency_id=currency_id, state=MonthClose.State.LOCKED).order_by("-month").first()
    if last is not None:
        return add_months(last.month, 1)
    return business_date(first_fact_at(currency_id) or at, programme().tz).replace(day=1)


def preview_close(*, currency_id: int, month: date, at: datetime, begins_books: bool = False) -> MonthClose:
    """Work out a month as it stands now and keep it as the currency's draft, in place of the draft before.

    With `begins_books`, and no month locked yet, everything before the month becomes its opening balance. Raises
    MonthIsLocked, MonthBeforeBooks, EarlierMonthOpen, LedgerIsBusy.
    """
    with transaction.atomic():
        return _work_out(currency_id, month.replace(day=1), at, begins_books)


def lock_close(
    *, currency_id: int, month: date, by: Actor, at: datetime, reason: str, begins_books: bool = False
) -> MonthClose:  # fmt: skip
    """Work out a month for the last time and lock it. What is recorded from now on falls into the months after it.

    Raises what `preview_close` raises, and MonthNotOver, RateMissing, BooksDisagree, VouchersDisagree, CloseReasonMissing.
    """
    words = " ".join(reason.split())[:REASON_LENGTH]
    if not words:
        raise CloseReasonMissing
    month = month.replace(day=1)
    if at < day_bounds(add_months(month, 1), programme().tz)[0]:
        raise MonthNotOver(month=f"{month:%Y-%m}", first_day=add_months(month, 1).isoformat())
    with transaction.atomic():
        close = _work_out(currency_id, month, at, begins_books)
        if close.liability_amount is None:
            raise RateMissing(month=f"{month:%Y-%m}")
        if not close.agrees:
            raise BooksDisagree(
                movements=close.closing_points, accounts=close.balances_points, lots=close.lots_points
            )  # fmt: skip
        if not vouchers_agree(close):
            raise VouchersDisagree(movements=close.voucher_count, vouchers=close.voucher_counted_count)
        close.state = MonthClose.State.LOCKED
        close.locked_at, close.reason = at, words
        close.locked_by_id = by.id if by.kind == "operator" else None
        close.save()
        told = events.month_locked(
            close_id=close.pk, currency=close.currency.code, month=f"{month:%Y-%m}", points=close.closing_points,
            amount=close.liability_amount, reason=words, happened_at=at, by=by,
        )  # fmt: skip
        timeline.record([told])
        timeline.nudge()
    return close


def refresh_drafts(*, at: datetime) -> int:
    """Work out anew the draft of each currency, or the month that is open next where there is none; return how many."""
    done = 0
    for currency in PointsCurrency.objects.order_by("pk"):
        draft = MonthClose.objects.filter(currency=currency, state=MonthClose.State.DRAFT).first()
        month = draft.month if draft else month_open(currency_id=currency.pk, at=at)
        if day_bounds(month, programme().tz)[0] > at:
            continue  # all months are locked up to now
        preview_close(currency_id=currency.pk, month=month, at=at, begins_books=draft.begins_books if draft else False)
        done += 1
    return done


def triangle(close: MonthClose) -> Estimate:
    """Return the breakage estimate of a month from the figures of all vintages up to it."""
    rows = (
        VintageFigure.objects.filter(close__currency_id=close.currency_id, close__month__lte=close.month)
        .values("vintage_month", "age_months")
        .annotate(
            issued=Sum("issued_points"), withdrawn=Sum("withdrawn_points"), used=Sum("used_points"), expired=Sum("expired_points")
        )
        .order_by("vintage_month", "age_months")
    )  # fmt: skip
    cells = [
        Cell(row["vintage_month"], row["age_months"], row["issued"], row["withdrawn"], row["used"], row["expired"])
        for row in rows
    ]
    return estimate_breakage(cells, month=close.month)


def _work_out(currency_id: int, month: date, at: datetime, begins_books: bool) -> MonthClose:
    # One close of a currency at a time. Postings only look at the row's key and go on beside it.
    currency = PointsCurrency.objects.select_for_update(no_key=True).get(pk=currency_id)
    locked = MonthClose.objects.filter(currency=currency, state=MonthClose.State.LOCKED)
    before = locked.order_by("-month").first()
    _refuse_out_of_turn(currency_id, month, before, locked.order_by("month").first(), begins_books)
    start, end = day_bounds(month, programme().tz)[0], day_bounds(add_months(month, 1), programme().tz)[0]
    span = Span(
        currency_id=currency_id, month=month, starts_at=before.ends_at if before else start, ends_at=end,
        mark=settled_mark(), mark_before=before.entry_mark if before else 0, begins=before is None, zone=programme().zone,
    )  # fmt: skip
    collect(span)
    in_all, (of_parts, cells) = totals(), parts(span)
    draft = _draft(currency, month)
    draft.previous, draft.begins_books = before, begins_books and before is None
    draft.starts_at, draft.ends_at, draft.entry_mark, draft.worked_out_at = span.starts_at, end, span.mark, at
    columns = _columns(before, span.begins, in_all, of_parts)
    _set_points(draft, before, span, in_all, columns)
    rate = PointsRate.objects.filter(currency=currency, valid_from__lt=end).order_by("-valid_from").first()
    draft.money_currency = programme().currency
    draft.money_per_point = rate.money_per_point if rate else None
    unit_value = _unit_value(currency, draft.money_per_point)
    _save_figures(draft, columns, unit_value, before, cells)
    settle(draft, span, unit_value)
    if currency.pk == ledger.currency_id():  # the programme's vouchers are stated once, beside its own points
        count_vouchers(draft, span, before)
    draft.save()
    return draft


def _refuse_out_of_turn(
    currency_id: int, month: date, last: MonthClose | None, first: MonthClose | None, begins_books: bool
) -> None:
    if last is not None and first is not None:
        following = add_months(last.month, 1)
        if month < first.month:
            raise MonthBeforeBooks(month=f"{month:%Y-%m}", first=f"{first.month:%Y-%m}")
        if month <= last.month:
            raise MonthIsLocked(month=f"{month:%Y-%m}")
        if month > following:
            raise EarlierMonthOpen(month=f"{month:%Y-%m}", open=f"{following:%Y-%m}")
    elif not begins_books and (fact_at := first_fact_at(currency_id)) is not None:
        of_fact = business_date(fact_at, programme().tz).replace(day=1)
        if month > of_fact:
            raise EarlierMonthOpen(month=f"{month:%Y-%m}", open=f"{of_fact:%Y-%m}")


def _draft(currency: PointsCurrency, month: date) -> MonthClose:
    """Return the draft of the month, emptied; a draft of another month gives way."""
    draft = MonthClose.objects.filter(currency=currency, state=MonthClose.State.DRAFT).first()
    if draft is not None:
        for part in (CloseLine, VintageFigure, SettlementLine, VoucherLine, VoucherVintage):
            part._default_manager.filter(close=draft).delete()
        if draft.month == month:
            return draft
        draft.delete()
    return MonthClose(currency=currency, month=month)


def _columns(
    before: MonthClose | None, begins: bool, in_all: list[Total], of_parts: list[PartTotal]
) -> dict[Bucket, Column]:
    """Return for the whole and for each bucket its points by movement, with opening and closing balance."""
    columns: dict[Bucket, Column] = {_ALL: {}}
    if before is not None:
        for line in CloseLine.objects.filter(close=before, movement=Movement.CLOSING):
            bucket = Bucket(line.part, line.is_arrears, line.origin, line.store_id, line.tier_code)
            columns.setdefault(bucket, {})[Movement.OPENING] = line.points
    moved = [(_ALL, row.early, row.movement, row.points) for row in in_all]
    moved += [(row.bucket, row.early, row.movement, row.points) for row in of_parts]
    for bucket, early, movement, points in moved:
        column = columns.setdefault(bucket, {})
        kind = Movement.OPENING if early and begins else movement
        column[kind] = column.get(kind, 0) + int(points)
    for column in columns.values():
        column[Movement.CLOSING] = sum(column.values())
    return columns


def _set_points(
    draft: MonthClose, before: MonthClose | None, span: Span, in_all: list[Total], columns: Mapping[Bucket, Column]
) -> None:
    mine = [row for row in in_all if not (row.early and span.begins)]
    late = [row for row in mine if row.early]
    draft.entries = sum(row.entries for row in mine)
    draft.late_entries, draft.late_points = sum(row.entries for row in late), int(sum(row.points for row in late))
    for name in ("available", "pending", "held", "arrears"):
        carried = getattr(before, f"{name}_points") if before else 0
        setattr(draft, f"{name}_points", carried + int(sum(getattr(row, name) for row in in_all)))
    draft.opening_points = columns[_ALL].get(Movement.OPENING, 0)
    draft.closing_points = columns[_ALL][Movement.CLOSING]
    sources = [column for bucket, column in columns.items() if bucket.part == CloseLine.Part.SOURCE]
    draft.lots_points = sum(column[Movement.CLOSING] for column in sources)
    draft.balances_points = balance_by_accounts(span)


def _unit_value(currency: PointsCurrency, money_per_point: Decimal | None) -> Decimal | None:
    """Return what one unit of the ledger is worth: points are counted in the smallest unit of their currency."""
    return None if money_per_point is None else money_per_point.scaleb(-currency.exponent)


@dataclass(frozen=True, slots=True)
class _Money:
    """The amounts of every column. They add up: parts to the whole, and each column from its opening to its closing."""

    amounts: dict[tuple[Bucket, int], Decimal]

    @classmethod
    def of(
        cls, columns: Mapping[Bucket, Column], unit_value: Decimal, opening: Mapping[Bucket, Decimal] | None
    ) -> "_Money":
        amounts = {
            (_ALL, movement): rounded(points * unit_value) for movement, points in columns[_ALL].items()
        }  # fmt: skip
        for part in (CloseLine.Part.SOURCE.value, CloseLine.Part.STORE.value, CloseLine.Part.TIER.value):
            buckets = [bucket for bucket in columns if bucket.part == part]
            for movement in {movement for bucket in buckets for movement in columns[bucket]}:
                exact = {bucket: columns[bucket].get(movement, 0) * unit_value for bucket in buckets}
                whole = rounded(sum(columns[bucket].get(movement, 0) for bucket in buckets) * unit_value)
                amounts |= {(bucket, movement): amount for bucket, amount in apportion(whole, exact).items()}
        for bucket, column in columns.items():
            if opening is not None:
                amounts[bucket, Movement.OPENING] = opening.get(bucket, Decimal(0))
            flow = sum(
                (amounts.get((bucket, movement), Decimal(0)) for movement in column if movement != Movement.CLOSING), Decimal(0)
            )  # fmt: skip
            amounts[bucket, Movement.REVALUED] = amounts[bucket, Movement.CLOSING] - flow
        return cls(amounts)


def _save_figures(
    draft: MonthClose, columns: Mapping[Bucket, Column], unit_value: Decimal | None, before: MonthClose | None, cells: list[Cell]
) -> None:  # fmt: skip
    opening = None
    if before is not None:
        closing = CloseLine.objects.filter(close=before, movement=Movement.CLOSING)
        opening = {
            Bucket(line.part, line.is_arrears, line.origin, line.store_id, line.tier_code): line.amount or Decimal(0)
            for line in closing
        }
    amounts = _Money.of(columns, unit_value, opening).amounts if unit_value is not None else {}
    draft.opening_amount = amounts.get((_ALL, Movement.OPENING), Decimal(0)) if amounts else None
    draft.closing_amount = amounts.get((_ALL, Movement.CLOSING))
    draft.used_share, draft.breakage_share, draft.liability_amount = Decimal(0), Decimal(0), None
    draft.save()
    _write_lines(draft, columns, amounts)
    VintageFigure.objects.bulk_create(
        (
            VintageFigure(
                close=draft, vintage_month=vintage, age_months=age, issued_points=cell.issued, withdrawn_points=cell.withdrawn,
                used_points=cell.used, expired_points=cell.expired,
            )
            for (vintage, age), cell in _by_age(cells).items()
        ),
        batch_size=_LINES_AT_ONCE,
    )  # fmt: skip
    estimate = triangle(draft)
    draft.used_share, draft.breakage_share = estimate.used_in_the_end, estimate.breakage
    if draft.closing_amount is not None and unit_value is not None:
        owed = max(draft.closing_points, 0) * unit_value * (1 - estimate.breakage)
        draft.liability_amount = rounded(owed)
    draft.save()


def _write_lines(
    draft: MonthClose, columns: Mapping[Bucket, Column], amounts: Mapping[tuple[Bucket, int], Decimal]
) -> None:
    lines = []
    for bucket, column in columns.items():
        wanted = set(column) | ({Movement.REVALUED} if amounts.get((bucket, Movement.REVALUED)) else set())
        for movement in sorted(wanted):
            points, amount = column.get(movement, 0), amounts.get((bucket, movement))
            if not points and not amount and (bucket != _ALL or movement not in (Movement.OPENING, Movement.CLOSING)):
                continue
            lines.append(
                CloseLine(
                    close=draft, part=bucket.part, is_arrears=bucket.is_arrears, origin=bucket.origin, store_id=bucket.store_id,
                    tier_code=bucket.tier_code, movement=movement, points=points, amount=amount,
                )
            )  # fmt: skip
    CloseLine.objects.bulk_create(lines, batch_size=_LINES_AT_ONCE)


def _by_age(cells: list[Cell]) -> dict[tuple[date, int], Cell]:
    """Return the cells added up by vintage and age."""
    found: dict[tuple[date, int], Cell] = {}
    for cell in cells:
        key = (cell.vintage, cell.age)
        so_far = found.get(key, Cell(*key))
        found[key] = Cell(
            *key,
            so_far.issued + cell.issued,
            so_far.withdrawn + cell.withdrawn,
            so_far.used + cell.used,
            so_far.expired + cell.expired,
        )
    return {
        key: cell
        for key, cell in found.items()
        if (cell.issued, cell.withdrawn, cell.used, cell.expired) != (0, 0, 0, 0)
    }
