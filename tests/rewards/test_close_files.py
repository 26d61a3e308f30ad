"""What finance takes away: a workbook that opens and runs nothing, a journal that balances and moves the liability."""

import csv
import io
from decimal import Decimal

import openpyxl
import pytest
from django.utils import translation
from python_calamine import CalamineWorkbook

from rewards.models import ClosingAccount, MonthClose
from rewards.services.close import preview_close
from rewards.services.close_files import JournalLine, NotLockedYet, harmless, journal_csv, journal_lines, workbook_of
from tests.factories.catalogue import a_template
from tests.factories.people import a_member, a_store
from tests.factories.times import at
from tests.rewards.closing import Books, month, set_value
from tests.rewards.test_close import AUGUST, SEPTEMBER, told
from tests.rewards.test_close_vouchers import books_of_the_programme, issue

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def sheets(close: MonthClose) -> dict[str, list[list[object]]]:
    """Return the cells of the workbook by sheet, as openpyxl reads them."""
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(close)))
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}


def credited(lines: list[JournalLine], account: str) -> Decimal:
    """Return what an account was credited, less what it was debited."""
    return sum((line.credit - line.debit for line in lines if line.account == account), Decimal(0))


def money(amount: Decimal | None) -> Decimal:
    assert amount is not None
    return amount


class TestTheWorkbook:
    def test_has_a_sheet_for_each_view_and_the_figures_of_the_books(self) -> None:
        books = told()
        books.lock(AUGUST)
        found = sheets(books.lock(SEPTEMBER))
        assert list(found) == ["Summary", "By source", "By store", "By tier", "Vintages", "Settlement", "Method"]
        rows = {row[0]: row[1:] for row in found["Summary"] if row}
        assert rows["opening balance"] == [1250, 12.5]
        assert rows["closing balance"] == [615, 6.15]
        assert rows["by movements"][0] == rows["by accounts"][0] == rows["by lots"][0] == 615
        assert rows["agreement"][0] == "the books agree"
        assert any("IFRS 15" in str(row[0]) for row in found["Method"])

    def test_lists_what_stores_owe_each_other(self) -> None:
        books = told()
        books.lock(AUGUST)
        rows = sheets(books.lock(SEPTEMBER))["Settlement"]
        assert rows[1] == ["Store N", "owes", 0, -50, 300, -350, -3.5, None]
        assert rows[3][:2] == ["head office (no store)", "receives"]
        assert ["Store S", "Store N", 0, 50, -50, 0, 0.5, -0.5] in rows
        assert [row[6] for row in rows[1:4]] == [-3.5, 0.5, 3]

    def test_counts_vouchers_by_template(self) -> None:
        books, five = books_of_the_programme(), a_template()
        issue(five, "2026-08-05", 10)
        found = sheets(books.lock(AUGUST))
        assert found["Vouchers"][1] == ["5 off", 0, 10, 0, 0, 0, 10, 10, 5, 50, 0, 50]
        assert ["liability of vouchers", 50, None] in found["Summary"]

    def test_is_read_by_another_reader_with_the_same_figures(self) -> None:
        close = told().lock(AUGUST)
        book = CalamineWorkbook.from_filelike(io.BytesIO(workbook_of(close)))
        rows = book.get_sheet_by_name("Vintages").to_python()
        assert rows[1][:6] == ["2026-08", 0, 1400, 150, 0, 1250]

    def test_runs_no_formula_that_a_name_smuggles_in(self) -> None:
        books, store = Books(), a_store("EVIL")
        type(store).objects.filter(pk=store.pk).update(name='=HYPERLINK("http://evil.example","x")')
        books.earn(a_member(), "2026-08-10", 100, store=store, tier="+1")
        close = books.lock(AUGUST)
        book = openpyxl.load_workbook(io.BytesIO(workbook_of(close)))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert [cell.value for cell in cells if cell.data_type == "f"] == []
        assert harmless("=1+1") == "'=1+1"
        assert harmless("Filiale") == "Filiale"

    def test_of_a_draft_says_so(self) -> None:
        books = told()
        draft = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-03"))
        assert sheets(draft)["Summary"][0][1] == "draft"

    @pytest.mark.parametrize("language", ["zh-hans", "zh-hant", "en"])
    def test_opens_in_each_language(self, language: str) -> None:
        close = told().lock(AUGUST)
        with translation.override(language):
            assert len(sheets(close)) == 7


class TestTheJournal:
    def test_balances_and_moves_the_liability_to_what_stands_at_the_end(self) -> None:
        books = told()
        august = books.lock(AUGUST)
        set_value(books.currency, "0.013", "2026-09-20")
        september = books.lock(SEPTEMBER)
        codes = dict(ClosingAccount.objects.values_list("purpose", "code"))
        for close, before in ((august, None), (september, august)):
            lines = journal_lines(close)
            assert sum(line.debit for line in lines) == sum(line.credit for line in lines) > 0
            assert all((line.debit > 0) != (line.credit > 0) for line in lines)
            grown = credited(lines, codes["liability"])
            assert grown == money(close.closing_amount) - (money(before.closing_amount) if before else 0)
            grown += credited(lines, codes["breakage"])
            assert grown == money(close.liability_amount) - (money(before.liability_amount) if before else 0)

    def test_posts_each_movement_against_its_account(self) -> None:
        books = told()
        books.lock(AUGUST)
        lines = journal_lines(books.lock(SEPTEMBER))
        codes = dict(ClosingAccount.objects.values_list("purpose", "code"))
        net = {
            purpose: sum(line.debit - line.credit for line in lines if line.account == code)
            for purpose, code in codes.items()
        }
        # in points × 0.01: earned 560 − returned 400, redeemed −300 + given back 50, adjusted 50, donated −20, partner 25
        assert net["granted"] == Decimal("1.60")
        assert net["redeemed"] == Decimal("-2.50")
        assert net["goodwill"] == Decimal("0.50")
        assert net["donated"] == Decimal("-0.20")
        assert net["partner"] == Decimal("0.25")
        assert net["written_off"] == net["revalued"] == 0

    def test_is_a_file_with_date_account_debit_credit_and_text(self) -> None:
        books = told()
        ClosingAccount.objects.filter(purpose="granted").update(code="9999-1")
        content = journal_csv(books.lock(AUGUST))
        assert content.startswith("\ufeff".encode())
        header, *rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        assert header == ["date", "account", "debit", "credit", "text"]
        assert rows[0] == ["2026-08-31", "9999-1", "14.00", "", f"{books.currency.name} 2026-08: earned"]
        assert rows[1][1:4] == ["2205.01", "", "14.00"]

    def test_of_a_draft_is_refused(self) -> None:
        books = told()
        draft = preview_close(currency_id=books.currency.pk, month=month(AUGUST), at=at("2026-09-03"))
        with pytest.raises(NotLockedYet):
            journal_lines(draft)

    def test_leaves_out_the_opening_balance_where_the_books_begin(self) -> None:
        books = told()
        close = books.lock(SEPTEMBER, begin=True)
        code = ClosingAccount.objects.get(purpose="liability").code
        grown = credited(journal_lines(close), code)
        assert grown == money(close.closing_amount) - money(close.opening_amount)
