"""What finance takes away from a month close: a workbook of all figures, and a journal that balances."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import pgettext
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from rewards.models import CloseLine, ClosingAccount, MonthClose, Movement
from rewards.refusals import RewardsRefusal
from rewards.services.close_report import CloseReport, PartTable, last_day_of, movement_label, report_of
from rewards.services.close_stores import Flow, settlement_of
from rewards.services.close_vouchers import liability_grown

_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_MONEY = "#,##0.00"
_POINTS = "#,##0"
_SHARE = "0.00%"

Purpose = ClosingAccount.Purpose
# Against which account each movement is posted; the other side is the liability.
_AGAINST = {
    Movement.EARNED: Purpose.GRANTED,
    Movement.RETURNED: Purpose.GRANTED,
    Movement.CORRECTED: Purpose.GRANTED,
    Movement.ADJUSTED: Purpose.GOODWILL,
    Movement.TRANSFERRED: Purpose.GOODWILL,
    Movement.REDEEMED: Purpose.REDEEMED,
    Movement.RESTORED: Purpose.REDEEMED,
    Movement.EXPIRED: Purpose.EXPIRED,
    Movement.REINSTATED: Purpose.EXPIRED,
    Movement.DONATED: Purpose.DONATED,
    Movement.PARTNER_OUT: Purpose.PARTNER,
    Movement.PARTNER_IN: Purpose.PARTNER,
    Movement.WRITTEN_OFF: Purpose.WRITTEN_OFF,
    Movement.INTERNAL: Purpose.GOODWILL,
    Movement.REVALUED: Purpose.REVALUED,
}


class NotLockedYet(RewardsRefusal):
    """The journal of a draft would be booked twice."""

    code = "month_not_locked"
    text = _lazy("%(month)s is a draft. Its journal can be taken once the month is locked.")


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the journal: an account, and an amount of money on one of its sides."""

    date: str
    account: str
    debit: Decimal
    credit: Decimal
    text: str


def journal_lines(close: MonthClose) -> list[JournalLine]:
    """Return the journal of a month: for each movement a debit and a credit of the same amount, then the changes of breakage
    and of vouchers, then what each store owes (debit) or is owed (credit).

    Raises NotLockedYet for a draft. The lines move the liability of points, less expected breakage, and that of vouchers
    from what stood at the beginning to what stands at the end; those of the stores add up to nothing.
    """
    if not close.is_locked:
        raise NotLockedYet(month=f"{close.month:%Y-%m}")
    accounts = dict(ClosingAccount.objects.values_list("purpose", "code"))
    amounts = dict(
        CloseLine.objects.filter(close=close, part=CloseLine.Part.TOTAL)
        .exclude(movement__in=[Movement.OPENING, Movement.CLOSING])
        .values_list("movement", "amount")
    )
    postings = [
        (accounts[_AGAINST[Movement(movement)]], accounts[Purpose.LIABILITY], amounts[movement], movement_label(movement))
        for movement in sorted(amounts)
        if amounts[movement]
    ]  # fmt: skip
    text = _("change of the expected breakage")
    postings.append((accounts[Purpose.BREAKAGE], accounts[Purpose.EXPIRED], _breakage_grown(close), text))
    if close.has_vouchers:
        text = _("change of the vouchers that are out, at their expected cost")
        postings.append((accounts[Purpose.VOUCHER_COST], accounts[Purpose.VOUCHERS], liability_grown(close), text))
    date = last_day_of(close)
    subject = f"{close.currency.name} {close.month:%Y-%m}"
    lines = []
    for debited, credited, amount, what in postings:
        if amount:
            sides = (debited, credited) if amount > 0 else (credited, debited)
            told = f"{subject}: {what}"
            lines.append(JournalLine(date, sides[0], abs(amount), Decimal(0), told))
            lines.append(JournalLine(date, sides[1], Decimal(0), abs(amount), told))
    return lines + _lines_of_stores(close, accounts[Purpose.STORES], date, subject)


def _lines_of_stores(close: MonthClose, account: str, date: str, subject: str) -> list[JournalLine]:
    """Return one line for each store with something to settle, all of one account."""
    settlement = settlement_of(close)
    found = []
    for position in settlement.positions if settlement else ():
        amount = position.net.amount or Decimal(0)
        if amount:
            told = f"{subject}: " + _("settlement between stores, %(store)s") % {"store": position.label}
            found.append(JournalLine(date, account, max(-amount, Decimal(0)), max(amount, Decimal(0)), told))
    return found


def _breakage_grown(close: MonthClose) -> Decimal:
    """Return by how much the expected breakage grew in the month, in money."""
    before = close.previous
    return _allowance(close) - (_allowance(before) if before else Decimal(0))


def _allowance(close: MonthClose) -> Decimal:
    return (close.closing_amount or Decimal(0)) - (close.liability_amount or Decimal(0))


def journal_csv(close: MonthClose) -> bytes:
    """Return the journal as csv in UTF-8 with a byte order mark, as spreadsheets expect it. Raises NotLockedYet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("date"), _("account"), _("debit"), _("credit"), _("text")])
    for line in journal_lines(close):
        writer.writerow([line.date, line.account, line.debit or "", line.credit or "", harmless(line.text)])
    return out.getvalue().encode("utf-8-sig")


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def workbook_of(close: MonthClose) -> bytes:
    """Return a workbook (.xlsx) of a month in the active language: summary, by source, store and tier, vintages, settlement
    between stores, vouchers, method."""
    report = report_of(close)
    book = Workbook(write_only=True)
    _summary(book, report)
    for table in report.tables:
        _part(book, table)
    _vintages(book, report)
    _settlement(book, report)
    _vouchers(book, report)
    sheet = _Sheet(book, _("Method"), widths=(120,))
    for sentence in (*report.method, *report.settlement_method, *report.voucher_method):
        sheet.row([sentence])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class _Sheet:
    """A sheet that is written row by row: texts made harmless, points and money as numbers."""

    def __init__(self, book: Workbook, title: str, *, widths: Sequence[int]) -> None:
        self._sheet = book.create_sheet(title[:31])
        for place, width in enumerate(widths):
            self._sheet.column_dimensions["ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place]].width = width

    def row(self, values: Sequence[Any], *, bold: bool = False) -> None:
        self._sheet.append([self._cell(value, bold) for value in values])

    def _cell(self, value: Any, bold: bool) -> Any:
        form = ""
        if isinstance(value, _Share):
            value, form = value.share, _SHARE
        elif isinstance(value, Decimal):
            form = _MONEY
        elif isinstance(value, int):
            form = _POINTS
        elif value is not None:
            value = harmless(str(value))
        cell = WriteOnlyCell(self._sheet, value)
        if form:
            cell.number_format = form
        if bold:
            cell.font = Font(bold=True)
        return cell


@dataclass(frozen=True, slots=True)
class _Share:
    """A part of a whole, 0 to 1, to be shown in per cent."""

    share: Decimal


def _summary(book: Workbook, report: CloseReport) -> None:
    close = report.close
    sheet = _Sheet(book, _("Summary"), widths=(44, 18, 18))
    state = close.get_state_display()
    sheet.row([f"{close.currency.name} {close.month:%Y-%m}", state], bold=True)
    sheet.row([_("movement"), _("points"), close.money_currency], bold=True)
    for figure in report.total:
        points = None if figure.is_value_only else figure.points
        sheet.row([figure.label, points, figure.amount], bold=figure.is_balance)
    sheet.row([])
    sheet.row([_("by movements"), close.closing_points])
    sheet.row([_("by accounts"), close.balances_points])
    sheet.row([_("by lots"), close.lots_points])
    sheet.row([_("agreement"), _("the books agree") if close.agrees else _("the books disagree")])
    sheet.row([])
    for label, value in (
        (_("available"), close.available_points),
        (_("pending"), close.pending_points),
        (_("held"), close.held_points),
        (_("arrears"), -close.arrears_points),
        (_("expected breakage"), _Share(close.breakage_share)),
        (_("expected breakage (money)"), report.breakage_amount),
        (_("liability"), close.liability_amount),
        *(((_("liability of vouchers"), close.voucher_liability_amount),) if close.has_vouchers else ()),
    ):
        sheet.row([label, value])


def _part(book: Workbook, table: PartTable) -> None:
    sheet = _Sheet(book, table.label, widths=(30, *(16 for _column in table.columns)))
    for heading, of_money in ((_("points"), False), (_("money"), True)):
        sheet.row([heading, *table.columns], bold=True)
        for row in table.rows:
            values = [figure.amount if of_money else figure.points for figure in row.figures]
            sheet.row([row.label, *values])
        sheet.row([])


def _vintages(book: Workbook, report: CloseReport) -> None:
    sheet = _Sheet(book, _("Vintages"), widths=(16, 12, 16, 16, 16, 16, 18, 18))
    sheet.row(
        [
            _("month of issue"), _("age (months)"), _("issued, less taken back"), _("used"), _("expired"), _("left"),
            _("share of use behind it"), _("still to be used"),
        ],
        bold=True,
    )  # fmt: skip
    for vintage in report.estimate.vintages:
        sheet.row(
            [
                f"{vintage.vintage:%Y-%m}", vintage.age, vintage.issued, vintage.used, vintage.expired, vintage.left,
                _Share(vintage.developed), vintage.to_be_used,
            ]
        )  # fmt: skip


def _settlement(book: Workbook, report: CloseReport) -> None:
    settlement = report.settlement
    if settlement is None:
        return
    sheet = _Sheet(book, _("Settlement"), widths=(30, 30, 16, 16, 16, 16, 16, 16))
    sheet.row(
        [_("store"), "", _("own points"), _("taken in for others"), _("taken in by others"), _("net (points)"), _("net (money)")],
        bold=True,
    )  # fmt: skip
    for position in settlement.positions:
        told = _("receives") if position.receives else _("owes") if position.net.points else ""
        figures = (position.own, position.taken_in, position.given_out, position.net)
        sheet.row([position.label, told, *(flow.points for flow in figures), position.net.amount])
    sheet.row([])
    sheet.row(
        [
            pgettext("settlement", "issued by"), _("spent at"), _("spent (points)"), _("given back (points)"), _("net (points)"), _("spent (money)"),
            _("given back (money)"), _("net (money)"),
        ],
        bold=True,
    )  # fmt: skip
    for pair in settlement.pairs:
        line, net = pair.line, Flow.of([pair.line])
        sheet.row(
            [
                pair.issued_by, pair.spent_at, line.spent_points, line.restored_points, net.points, line.spent_amount,
                line.restored_amount, net.amount,
            ]
        )  # fmt: skip


def _vouchers(book: Workbook, report: CloseReport) -> None:
    if not report.close.has_vouchers:
        return
    sheet = _Sheet(book, _("Vouchers"), widths=(34, *(14 for _column in range(11))))
    sheet.row(
        [
            _("voucher template"), _("out at the beginning"), pgettext("vouchers", "Issued"), pgettext("vouchers", "Used"),
            pgettext("vouchers", "Expired"), pgettext("vouchers", "Revoked"), _("out at the end"), _("by the vouchers"),
            _("face value of one"), _("face value"), _("expected breakage"), pgettext("vouchers", "Liability"),
        ],
        bold=True,
    )  # fmt: skip
    for line in report.vouchers:
        sheet.row(
            [
                str(line.template), line.opening_count, line.issued_count, line.used_count, line.expired_count, line.revoked_count,
                line.closing_count, line.counted_count, line.face_value, line.face_amount, _Share(line.breakage_share),
                line.liability_amount,
            ]
        )  # fmt: skip
