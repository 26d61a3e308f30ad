"""Whole orders out of rows: sales, returns, refusals, and money that is never lost between them."""

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from members.tables.refused import TableError, UnreadableRow
from members.tables.rows import Row, read_rows
from rewards.services.imports.drafts import DraftReport, OrderDraft, read_drafts
from rewards.services.imports.mapping import OrderMapping, load_mapping, parse_mapping
from rewards.services.imports.mapping_values import MappingError

DATA = Path(__file__).parents[3] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")

COLUMNS = ("No", "Who", "When", "What", "Qty", "Price")
SHOP: dict[str, Any] = {
    "source": "shop", "order_no": "No", "member": "Who", "ordered_at": "When", "time_zone": "UTC", "sku": "What",
    "quantity": "Qty", "unit_price": "Price", "cancellation.prefix": "C",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def shop(**values: Any) -> OrderMapping:
    return parse_mapping({key: value for key, value in (SHOP | values).items() if value is not None})


def rows(*texts: str, columns: tuple[str, ...] = COLUMNS) -> list[Row]:
    """Return rows from texts of cells with blanks between; a dot is an empty cell."""
    cells = [["" if cell == "." else cell for cell in text.split()] for text in texts]
    return [(number, dict(zip(columns, row, strict=True))) for number, row in enumerate(cells, 2)]


def drafts(*texts: str, **values: Any) -> DraftReport:
    report = read_drafts(rows(*texts), shop(**values), programme_currency="CNY")
    assert balances(report)
    return report


def balances(report: DraftReport) -> bool:
    return report.sale_original - report.return_original + report.rejected_original == report.file_original


def reasons(report: DraftReport) -> dict[int, str]:
    return {rejected.row_no: rejected.reason() for rejected in report.rejected}


def codes(report: DraftReport) -> dict[int, str]:
    return {rejected.row_no: rejected.code for rejected in report.rejected}


def shape(draft: OrderDraft) -> tuple[str, str, str, str, list[str]]:
    lines = [f"{line.quantity}x{line.sku}={line.amount}" for line in draft.lines]
    return draft.kind, draft.order_no, draft.member_key, str(draft.total_amount), lines


class TestReadDrafts:
    def test_gathers_the_rows_of_an_order_wherever_they_stand(self) -> None:
        report = drafts(
            "2 . 2024-01-02 tea 1 3.00", "1 m1 2024-01-01T10:05 cup 2 4.50", "3 m2 2024-01-03 tea 1 3",
            "1 m1 2024-01-01T10:01 pot 1 20",
        )  # fmt: skip
        assert [shape(draft) for draft in report.drafts] == [
            ("sale", "1", "m1", "29.00", ["2xcup=9.00", "1xpot=20.00"]),
            ("sale", "2", "", "3.00", ["1xtea=3.00"]),
            ("sale", "3", "m2", "3.00", ["1xtea=3.00"]),
        ]
        first = report.drafts[0]
        assert first.ordered_at == datetime(2024, 1, 1, 10, 1, tzinfo=UTC)
        assert [(line.line_no, line.row_no) for line in first.lines] == [(1, 3), (2, 5)]
        assert (first.currency, str(first.rate), first.generated_no) == ("CNY", "1", False)
        assert (report.rows_read, report.sales, report.returns, report.lines) == (4, 3, 0, 4)
        assert (report.first_at, report.last_at) == (first.ordered_at, datetime(2024, 1, 3, tzinfo=UTC))

    def test_keeps_equal_rows_of_an_order_as_lines_of_their_own(self) -> None:
        report = drafts("1 m 2024-01-01 tea 1 3", "1 m 2024-01-01 tea 1 3")
        assert shape(report.drafts[0]) == ("sale", "1", "m", "6.00", ["1xtea=3.00", "1xtea=3.00"])

    def test_rounds_each_line_half_up(self) -> None:
        report = drafts("1 m 2024-01-01 tea 3 0.335", "1 m 2024-01-01 tea 1 0.004", "1 m 2024-01-01 tea 0.5 0.01")
        assert [str(line.amount) for line in report.drafts[0].lines] == ["1.01", "0.00", "0.01"]

    def test_keeps_lines_that_cost_nothing(self) -> None:
        assert shape(drafts("1 m 2024-01-01 gift 1 0").drafts[0]) == ("sale", "1", "m", "0.00", ["1xgift=0.00"])

    def test_keeps_lines_that_are_no_goods_but_lets_them_earn_nothing(self) -> None:
        report = drafts("1 m 2024-01-01 POST 1 9", "1 m 2024-01-01 tea 1 3", excluded_skus=["POST"])
        assert [(line.sku, line.earns) for line in report.drafts[0].lines] == [("POST", False), ("tea", True)]

    def test_gives_an_empty_report_for_a_file_without_rows(self) -> None:
        report = drafts()
        assert (report.drafts, report.rejected, report.rows_read, report.first_at) == ([], [], 0, None)

    def test_cuts_long_descriptions_and_stores_short_quantities(self) -> None:
        row = dict(zip(COLUMNS, ("1", "m", "2024-01-01", "x" * 300, "0.00049", "10000"), strict=True))
        report = read_drafts([(2, row)], shop(sku=None, description="What"), programme_currency="CNY")
        line = report.drafts[0].lines[0]
        assert len(line.description) == 200
        assert (str(line.quantity), str(line.amount)) == ("0.001", "4.90")

    def test_moves_all_times_but_not_the_content_hash(self) -> None:
        plain = drafts("1 m 2024-01-01 tea 1 3")
        moved = read_drafts(
            rows("1 m 2024-01-01 tea 1 3"), shop(), programme_currency="CNY", shift=timedelta(days=30, hours=1)
        )
        assert moved.drafts[0].ordered_at == datetime(2024, 1, 31, 1, tzinfo=UTC)
        assert moved.drafts == plain.moved(timedelta(days=30, hours=1)).drafts

    def test_refuses_times_in_the_future_as_they_are_after_the_shift(self) -> None:
        texts = ("1 m 2024-01-01 tea 1 3", "2 m 2024-01-02 tea 1 3")
        for shift, refused in ((None, {}), (timedelta(days=1), {3: "in_future"})):
            report = read_drafts(
                rows(*texts), shop(), programme_currency="CNY", shift=shift, not_after=datetime(2024, 1, 2, tzinfo=UTC)
            )
            assert codes(report) == refused

    def test_needs_the_columns_of_the_mapping(self, tmp_path: Path) -> None:
        (tmp_path / "orders.csv").write_text("No,Who,When\n")
        with pytest.raises(TableError) as caught:
            read_drafts(read_rows(tmp_path / "orders.csv"), shop(), programme_currency="CNY")
        assert "“What”, “Qty”, “Price”" in str(caught.value)
        assert "“No”, “Who”, “When”" in str(caught.value)

    def test_tells_its_progress_row_for_row(self) -> None:
        told: list[int] = []
        texts = [f"{number} m 2024-01-01 tea 1 3" for number in range(2_500)]
        read_drafts(rows(*texts), shop(), programme_currency="CNY", progress=told.append)
        assert told == [1_000, 1_000, 500]

    def test_needs_the_keys_of_the_mapping_in_some_json_line(self, tmp_path: Path) -> None:
        path = tmp_path / "orders.jsonl"
        path.write_text('{"No": 1, "When": "2024-01-01", "Qty": 1, "Price": 2}\n{"No": 2, "Who": "m"}\n')
        report = read_drafts(read_rows(path), shop(cancellation=None), programme_currency="CNY")
        assert [shape(draft) for draft in report.drafts] == [("sale", "1", "", "2.00", ["1x=2.00"])]
        assert codes(report) == {2: "missing_value"}
        with pytest.raises(TableError, match="“Cost”"):
            read_drafts(read_rows(path), shop(unit_price="Cost"), programme_currency="CNY")

    def test_passes_over_and_counts_rows_that_the_filter_leaves_out(self) -> None:
        report = drafts(
            "1 m 2024-01-01 tea 1 3",
            "2 m never view x y",
            "3 m 2024-01-01 view 1 3",
            **{"filter.column": "What", "filter.value": "tea"},
        )
        assert (report.rows_read, report.rows_ignored, report.sales, report.rejected) == (3, 2, 1, [])


class TestReadDraftsRefusing:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("1 m 2024-01-01 tea x 3", "Quantity: “x” in column “Qty” is not a number."),
            ("1 m 2024-01-01 tea . 3", "Quantity: column “Qty” is empty."),
            ("1 m 2024-01-01 tea 1 .", "Unit price: column “Price” is empty."),
            ("1 m 2024-01-01 tea 1 1e3", "Unit price: “1e3” in column “Price” is not a number."),
            ("1 m 2024-01-01 tea 1 NaN", "Unit price: “NaN” in column “Price” is not a number."),
            ("1 m 2024-01-01 tea 1 -3", "Unit price: negative unit price “-3” in column “Price”."),
            ("1 m 2024-01-01 tea 1 10000000000", "Unit price: “10000000000” is not below 10,000,000,000."),
            ("1 m 2024-01-01 tea 1000000000 1", "Quantity: “1000000000” is not below 1,000,000,000."),
            ("1 m 2024-01-01 tea 100000 100000", "Unit price: “100000” is not below 10,000,000,000."),
            ("1 m yesterday tea 1 3", "Order time: “yesterday” in column “When” is not a time of the form iso."),
            ("1 m . tea 1 3", "Order time: column “When” is empty."),
            ("1 m 1899-01-01 tea 1 3", "Order time: “1899-01-01” lies before the year 1900 or too far ahead."),
            (". m 2024-01-01 tea 1 3", "Order number: column “No” is empty."),
            (f"1 m 2024-01-01 {'x' * 61} 1 3", f"SKU: “{'x' * 61}” in column “What” is longer than 60 characters."),
            (
                f"{'1' * 79} m 2024-01-01 x 1 3",
                f"Order number: “{'1' * 79}” in column “No” is longer than 78 characters.",
            ),
        ],
    )
    def test_names_field_value_and_reason(self, row: str, reason: str) -> None:
        report = drafts(row, "9 m 2024-01-01 tea 1 3")
        assert reasons(report) == {2: reason}
        assert [draft.order_no for draft in report.drafts] == ["9"]
        assert report.rejected[0].cells == rows(row)[0][1]

    def test_refuses_times_without_a_zone_if_the_mapping_names_none(self) -> None:
        report = drafts("1 m 2024-01-01 tea 1 3", "2 m 2024-01-01T00:00Z tea 1 3", time_zone=None)
        assert reasons(report) == {2: "Order time: “2024-01-01” has no time zone and the mapping names none."}

    def test_refuses_an_order_with_a_bad_row_whole(self) -> None:
        report = drafts(
            "1 m 2024-01-01 tea 1 3",
            "2 m 2024-01-01 tea 1 3",
            "1 m never tea 1 4",
            "1 m 2024-01-01 tea x 5",
            "1 m 2024-01-01 cup 1 6",
        )
        assert [draft.order_no for draft in report.drafts] == ["2"]
        assert codes(report) == {2: "other_row_refused", 4: "bad_time", 5: "bad_number", 6: "other_row_refused"}
        assert reasons(report)[2] == "Another row of this order was refused (row 4)."
        assert report.rejected_original == 13
        assert report.file_original == 16

    def test_refuses_an_order_of_which_a_row_can_not_be_read(self) -> None:
        read = rows("1 m 2024-01-01 tea 1 3", "2 m 2024-01-01 tea 1 3")
        read.append((4, UnreadableRow({"No": "1", "Who": "m"}, "too_few_cells", {"found": 2, "expected": 6})))
        report = read_drafts(read, shop(), programme_currency="CNY")
        assert [draft.order_no for draft in report.drafts] == ["2"]
        assert reasons(report) == {
            2: "Another row of this order was refused (row 4).",
            4: "The row has 2 cells, the header 6.",
        }

    @pytest.mark.parametrize(
        ("texts", "reason"),
        [
            (("1 m 2024-01-01 a 1 3", "1 n 2024-01-01 b 1 3"), "Member: one order has both “m” and “n”."),
            (("1 m 2024-01-01 a 1 3", "1 . 2024-01-01 b 1 3"), "Member: one order has both “” and “m”."),
            (
                ("C1 m 2024-01-01 a 1 3", "C1 m 2024-01-01 a -1 3"),
                "A cancellation has positive as well as negative amounts.",
            ),
            (
                ("1 m 2024-01-01 a 1 3", "1 m 2024-01-01 a -1 3", "1-R m 2024-01-01 a 1 3"),
                "The returned lines would need the order number “1-R”, which the file uses itself.",
            ),
            (("1 m 2024-01-01 a 9999 1000000",) * 2, "Amount: “19998000000.00” is not below 10,000,000,000."),
        ],
    )
    def test_refuses_an_order_that_contradicts_itself(self, texts: tuple[str, ...], reason: str) -> None:
        report = drafts(*texts)
        assert set(reasons(report)) == {2, 3}
        assert set(reasons(report).values()) == {reason}

    def test_refuses_an_order_in_two_stores_or_currencies(self) -> None:
        texts = ("1 m 2024-01-01 USD 1 3", "1 m 2024-01-01 CNY 1 3")
        assert set(codes(drafts(*texts, sku=None, store_column="What")).values()) == {"order_disagrees"}
        report = drafts(*texts, sku=None, currency_column="What", **{"rate.USD": "7"})
        assert set(reasons(report).values()) == {"Currency: one order has both “CNY” and “USD”."}

    def test_has_reasons_in_the_language_of_the_reader(self) -> None:
        rejected = drafts("1 m never tea 1 3").rejected[0]
        with translation.override("de"):
            assert "never" in rejected.reason()


class TestReadDraftsOfReturns:
    @pytest.mark.parametrize("quantity", ["-2", "2"])
    def test_takes_a_prefix_as_cancellation_with_positive_amounts_however_they_are_signed(self, quantity: str) -> None:
        report = drafts(f"C1 m 2024-01-01 tea {quantity} 3")
        assert [shape(draft) for draft in report.drafts] == [("return", "C1", "m", "6.00", ["2xtea=6.00"])]
        assert report.file_original == -6
        assert report.drafts[0].original_order_no == ""

    def test_takes_a_column_as_cancellation_also_of_single_rows(self) -> None:
        report = drafts(
            "1 m 2024-01-01 back 1 3", "2 m 2024-01-01 back 1 4", "2 m 2024-01-01 sold 1 9",
            **{"cancellation.prefix": None, "cancellation.column": "What", "cancellation.value": "back"},
        )  # fmt: skip
        assert [shape(draft)[:4] for draft in report.drafts] == [
            ("return", "1", "m", "3.00"), ("sale", "2", "m", "9.00"), ("return", "2-R", "m", "4.00"),
        ]  # fmt: skip
        assert report.file_original == 2

    def test_splits_negative_lines_off_a_sale(self) -> None:
        report = drafts("1 m 2024-01-01 tea -1 3", "1 m 2024-01-02 cup 2 4")
        assert [shape(draft) for draft in report.drafts] == [
            ("return", "1-R", "m", "3.00", ["1xtea=3.00"]), ("sale", "1", "m", "8.00", ["2xcup=8.00"]),
        ]  # fmt: skip

    @pytest.mark.parametrize(("rule", "number"), [(None, "1-R"), ("true", "1")])
    def test_keeps_the_number_of_an_all_negative_order_if_the_mapping_says_so(
        self, rule: str | None, number: str
    ) -> None:
        report = drafts("1 m 2024-01-01 tea -1 3", **{"cancellation.negative_quantity": rule})
        assert [shape(draft)[:2] for draft in report.drafts] == [("return", number)]

    def test_counts_corrections_of_stock_but_makes_no_orders_of_them(self) -> None:
        report = drafts(
            "1 . 2024-01-01 tea -5 0", "2 m 2024-01-01 cup -1 0", "3 . 2024-01-01 pot 5 0", "4 m 2024-01-01 jar 0 3"
        )
        assert [shape(draft) for draft in report.drafts] == [
            ("return", "2-R", "m", "0.00", ["1xcup=0.00"]), ("sale", "3", "", "0.00", ["5xpot=0.00"]),
        ]  # fmt: skip
        assert report.rows_empty == 2
        assert report.rejected == []

    def test_links_a_return_to_the_order_that_its_column_names(self) -> None:
        report = drafts("C1 m 2024-01-01 77 -1 3", "2 m 2024-01-01 78 1 3", sku=None, original_order_no="What")
        assert [(draft.order_no, draft.original_order_no) for draft in report.drafts] == [("2", ""), ("C1", "77")]

    def test_refuses_a_return_of_two_orders(self) -> None:
        report = drafts("C1 m 2024-01-01 77 -1 3", "C1 m 2024-01-01 78 -1 3", sku=None, original_order_no="What")
        assert set(reasons(report).values()) == {"Original order number: one order has both “77” and “78”."}


class TestReadDraftsOfAmounts:
    def amounts(self, *texts: str, **values: Any) -> DraftReport:
        return drafts(*texts, amount="Price", unit_price=None, **values)

    def test_lets_the_amount_win_and_works_out_the_price(self) -> None:
        line = self.amounts("1 m 2024-01-01 tea 3 10").drafts[0].lines[0]
        assert (str(line.quantity), str(line.unit_price), str(line.amount)) == ("3", "3.3333", "10.00")

    def test_takes_the_price_where_the_amount_is_empty(self) -> None:
        read = rows("1 m 2024-01-01 10 3 4", "1 m 2024-01-01 . 3 4")
        report = read_drafts(read, shop(sku=None, amount="What"), programme_currency="CNY")
        assert [f"{line.unit_price} {line.amount}" for line in report.drafts[0].lines] == ["4 10.00", "4 12.00"]

    def test_takes_a_quantity_that_is_not_told_as_1(self) -> None:
        assert self.amounts("1 m 2024-01-01 tea . 10").drafts[0].lines[0].quantity == 1
        assert self.amounts("1 m 2024-01-01 tea 5 10", quantity=None).drafts[0].lines[0].quantity == 1

    def test_takes_a_negative_amount_as_money_back(self) -> None:
        report = self.amounts("1 m 2024-01-01 tea 1 -10")
        assert [shape(draft) for draft in report.drafts] == [("return", "1-R", "m", "10.00", ["1xtea=10.00"])]

    def test_refuses_a_positive_amount_of_a_negative_quantity_unless_that_means_a_return(self) -> None:
        assert codes(self.amounts("1 m 2024-01-01 tea -1 10")) == {2: "sign_conflict"}
        report = self.amounts("1 m 2024-01-01 tea -1 10", **{"cancellation.negative_quantity": True})
        assert [shape(draft)[:4] for draft in report.drafts] == [("return", "1", "m", "10.00")]
        assert report.file_original == -10

    def test_refuses_money_for_no_quantity(self) -> None:
        assert reasons(self.amounts("1 m 2024-01-01 tea 0 10")) == {
            2: "Quantity: “0” in column “Qty”, and yet an amount."
        }


class TestReadDraftsOfCurrencies:
    def test_converts_each_line_and_keeps_what_the_file_says(self) -> None:
        report = drafts(
            "1 m 2024-01-01 tea 3 1.15",
            "1 m 2024-01-01 cup 1 0.07",
            currency="USD",
            rate="7.1",
        )
        draft = report.drafts[0]
        assert [(str(line.amount), str(line.original_amount)) for line in draft.lines] == [
            ("24.50", "3.45"),
            ("0.50", "0.07"),
        ]
        assert (draft.currency, str(draft.rate), str(draft.total_amount)) == ("USD", "7.1", "25.00")
        assert (str(report.sale_amount), str(report.sale_original)) == ("25.00", "3.52")

    def test_uses_the_rate_of_each_orders_currency(self) -> None:
        values = {"sku": None, "currency_column": "What", "rate.USD": "7", "rate.EUR": "8"}
        report = drafts(
            "1 m 2024-01-01 USD 1 1",
            "2 m 2024-01-01 eur 1 1",
            "3 m 2024-01-01 CNY 1 1",
            "4 m 2024-01-01 GBP 1 1",
            "5 m 2024-01-01 £ 1 1",
            **values,
        )
        assert [draft.total_amount for draft in report.drafts] == [7, 8, 1]
        assert reasons(report) == {
            5: "Currency: the mapping has no rate for “GBP”.",
            6: "Currency: “£” in column “What” is not a currency code of three letters.",
        }

    def test_needs_a_rate_to_the_programmes_currency(self) -> None:
        with pytest.raises(MappingError, match="how much CNY is 1 USD"):
            drafts(currency="USD")
        with pytest.raises(MappingError, match="leads to CNY, but the programme's currency is EUR"):
            read_drafts([], load_mapping("cdnow"), programme_currency="EUR")

    def test_ignores_the_rate_of_its_own_currency(self) -> None:
        assert read_drafts([], load_mapping("cdnow"), programme_currency="USD").rows_read == 0


class TestContentHash:
    def one(self, *texts: str, **values: Any) -> bytes:
        return drafts(*texts, **values).drafts[0].content_hash

    def test_is_the_same_however_the_file_writes_it(self) -> None:
        hashes = {
            self.one("1 m 2024-01-01 tea 1 3", "1 m 2024-01-01 cup 2 4"),
            self.one("1 m 2024-01-01 cup 2 4", "1 m 2024-01-01 tea 1 3"),
            self.one("1 m 2024-01-01T00:00+00:00 cup 2.0 ¥4.00", "1 m 2024-01-01 tea 1 3"),
            self.one(
                "1 m 2024-01-01 tea 1 3", "1 m 2024-01-01 cup 2 4", store="S1", channel="till", excluded_skus=["tea"]
            ),
            self.one("1 m 2024-01-01 tea 1 3", "1 m 2024-01-01 cup 2 4", currency="CNY", rate="7"),
        }
        assert len(hashes) == 1

    @pytest.mark.parametrize(
        "other",
        [
            "2 m 2024-01-01 tea 1 3", "1 n 2024-01-01 tea 1 3", "1 m 2024-01-02 tea 1 3", "1 m 2024-01-01 cup 1 3",
            "1 m 2024-01-01 tea 2 3", "1 m 2024-01-01 tea 1 4", "1 m 2024-01-01 tea 3 1",
        ],
    )  # fmt: skip
    def test_differs_where_the_order_differs(self, other: str) -> None:
        assert self.one("1 m 2024-01-01 tea 1 3") != self.one(other)


class TestOrdersWithoutNumbers:
    def numbers(self, *texts: str, **values: Any) -> dict[int, str]:
        report = drafts(*texts, order_no=None, **{"cancellation.prefix": None}, **values)
        assert all(draft.generated_no for draft in report.drafts)
        return {draft.lines[0].row_no: draft.order_no for draft in report.drafts}

    def test_are_one_for_each_row_numbered_by_contents_and_ordinal(self) -> None:
        numbers = self.numbers("x m 2024-01-01 tea 1 3", "x m 2024-01-01 tea 1 3.00", "x m 2024-01-01 cup 1 3")
        stem, ordinal = numbers[2].rsplit("-", 1)
        assert (stem[:4], len(stem), ordinal) == ("row-", 24, "1")
        assert numbers[3] == f"{stem}-2"
        assert not numbers[4].startswith(stem)

    def test_are_returns_where_the_amount_is_negative(self) -> None:
        report = drafts("x m 2024-01-01 tea -1 3", order_no=None, **{"cancellation.prefix": None})
        assert report.drafts[0].kind == "return"
        assert not report.drafts[0].order_no.endswith("-R")

    @given(
        st.lists(st.sampled_from(["tea 1 3", "tea 2 3", "cup 1 3", "cup -1 3", "pot x 1"]), max_size=20),
        st.integers(0, 20),
    )
    def test_keep_their_numbers_in_a_longer_file(self, ends: list[str], cut: int) -> None:
        texts = [f"x m 2024-01-01 {end}" for end in ends]
        longer, shorter = self.numbers(*texts), self.numbers(*texts[:cut])
        assert shorter == {row_no: number for row_no, number in longer.items() if row_no < cut + 2}
        assert len(set(longer.values())) == len(longer)


NUMBERS = st.sampled_from(["1", "2", "3", "C1", "C2", "3-R", "."])
MEMBERS = st.sampled_from(["m", "m", "m", "n", "."])
TIMES = st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03T10:00", "never"])
QUANTITIES = st.sampled_from(["1", "2", "-1", "-3", "0", "0.5", "x", "."])
PRICES = st.sampled_from(["0", "3", "0.335", "1,234.5", "-2", "9999999999", "y", "."])
ROWS = st.tuples(NUMBERS, MEMBERS, TIMES, st.sampled_from(["tea", "cup"]), QUANTITIES, PRICES).map(" ".join)


class TestNothingIsLost:
    @given(st.lists(ROWS, max_size=25), st.sampled_from([{}, {"cancellation.negative_quantity": True}]))
    def test_between_sales_returns_refused_and_empty_rows(self, texts: list[str], values: dict[str, Any]) -> None:
        report = drafts(*texts, **values)
        kept = [line.row_no for draft in report.drafts for line in draft.lines]
        refused = [rejected.row_no for rejected in report.rejected]
        assert len(set(kept + refused)) == len(kept) + len(refused) == len(texts) - report.rows_empty
        assert all(line.amount >= 0 and line.quantity > 0 for draft in report.drafts for line in draft.lines)
        assert len({draft.order_no for draft in report.drafts}) == len(report.drafts)
        assert all(rejected.reason() for rejected in report.rejected)

    @given(st.lists(ROWS, max_size=25), st.randoms(use_true_random=False))
    def test_when_the_file_is_sorted_anew(self, texts: list[str], shuffling: random.Random) -> None:
        report = drafts(*texts)
        shuffled = list(texts)
        shuffling.shuffle(shuffled)
        again = drafts(*shuffled)
        assert {draft.order_no: draft.content_hash for draft in report.drafts} == {
            draft.order_no: draft.content_hash for draft in again.drafts
        }
        assert report.file_original == again.file_original


def cents(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def retail_report() -> DraftReport:
    rows = read_rows(DATA / "online_retail_slice.csv")
    return read_drafts(rows, load_mapping("online_retail"), programme_currency="CNY")


@pytest.fixture(scope="module")
def retail_lines() -> list[dict[str, str]]:
    with (DATA / "online_retail_slice.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@real_data
class TestOnlineRetail:
    def test_is_read_without_a_refusal(self, retail_report: DraftReport, retail_lines: list[dict[str, str]]) -> None:
        assert retail_report.rejected == []
        assert retail_report.rows_read == len(retail_lines) == 38_003

    def test_keeps_the_money_of_each_member_and_invoice(
        self, retail_report: DraftReport, retail_lines: list[dict[str, str]]
    ) -> None:
        invoices: dict[str, Decimal] = defaultdict(Decimal)
        members: dict[str, Decimal] = defaultdict(Decimal)
        for line in retail_lines:
            amount = Decimal(line["Quantity"]) * Decimal(line["UnitPrice"])
            members[line["CustomerID"]] += amount
            if int(line["Quantity"]) > 0 or line["UnitPrice"] != "0.0" or line["CustomerID"]:
                invoices[line["InvoiceNo"]] += amount
        drafted: dict[str, Decimal] = defaultdict(Decimal)
        for draft in retail_report.drafts:
            sign = 1 if draft.kind == "sale" else -1
            drafted[draft.member_key] += sign * draft.total_original_amount
            assert draft.total_original_amount == sign * invoices.pop(draft.order_no)
            assert draft.total_amount == sum(cents(line.original_amount * Decimal("10.20")) for line in draft.lines)
            assert (draft.kind == "return") == draft.order_no.startswith("C")
        assert not invoices
        assert drafted == members
        assert (
            retail_report.sale_original - retail_report.return_original
            == retail_report.file_original
            == Decimal("683931.18")
        )

    def test_keeps_repeated_rows_and_leaves_out_corrections_of_stock_only(
        self, retail_report: DraftReport, retail_lines: list[dict[str, str]]
    ) -> None:
        stock = [line for line in retail_lines if int(line["Quantity"]) < 0 and not line["InvoiceNo"].startswith("C")]
        assert all(line["UnitPrice"] == "0.0" and not line["CustomerID"] for line in stock)
        assert retail_report.rows_empty == len(stock) == 49
        assert retail_report.lines == len(retail_lines) - len(stock)
        repeated = Counter(tuple(line.values()) for line in retail_lines)
        assert max(repeated.values()) > 1

    def test_lets_postage_and_fees_earn_nothing(self, retail_report: DraftReport) -> None:
        skus = {line.sku for draft in retail_report.drafts for line in draft.lines if not line.earns}
        assert skus == {"POST", "DOT", "C2", "D", "M", "S", "BANK CHARGES", "gift_0001_40"}

    def test_is_the_same_from_a_workbook(
        self, tmp_path: Path, retail_report: DraftReport, retail_lines: list[dict[str, str]]
    ) -> None:
        workbook = openpyxl.Workbook(write_only=True)
        sheet = workbook.create_sheet()
        sheet.append(list(retail_lines[0]))
        whole = [line for line in retail_lines if line["InvoiceDate"] < "2010-12-15"]
        for line in whole:
            cells: dict[str, Any] = dict(line)
            cells["Quantity"], cells["UnitPrice"] = int(line["Quantity"]), float(line["UnitPrice"])
            cells["InvoiceDate"] = datetime.fromisoformat(line["InvoiceDate"])
            cells["CustomerID"] = int(line["CustomerID"]) if line["CustomerID"] else None
            sheet.append(list(cells.values()))
        workbook.save(tmp_path / "orders.xlsx")
        report = read_drafts(
            read_rows(tmp_path / "orders.xlsx"), load_mapping("online_retail"), programme_currency="CNY"
        )
        assert report.rows_read == len(whole) > 1_000
        assert report.drafts == retail_report.drafts[: len(report.drafts)]

    def test_takes_british_time(self, retail_report: DraftReport, retail_lines: list[dict[str, str]]) -> None:
        times: dict[str, str] = {}
        for line in retail_lines:
            times[line["InvoiceNo"]] = min(times.get(line["InvoiceNo"], "9"), line["InvoiceDate"])
        summer = {
            draft.order_no: f"{draft.ordered_at + timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
            for draft in retail_report.drafts
            if 4 <= draft.ordered_at.month <= 9
        }
        assert len(summer) > 500
        assert all(times[number] == time for number, time in summer.items())


@real_data
class TestCdnow:
    def test_keeps_every_row_as_an_order_also_equal_ones(self) -> None:
        report = read_drafts(read_rows(DATA / "cdnow_sample.csv"), load_mapping("cdnow"), programme_currency="CNY")
        with (DATA / "cdnow_sample.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert report.rejected == []
        assert report.sales == len({draft.order_no for draft in report.drafts}) == len(lines) == 6_919
        spent: dict[str, Decimal] = defaultdict(Decimal)
        drafted: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            spent[line["master_id"]] += Decimal(line["dollar_value"])
        for draft in report.drafts:
            drafted[draft.member_key] += draft.total_original_amount
        assert drafted == spent
        equal = sum(number - 1 for number in Counter(tuple(line.values()) for line in lines).values())
        assert sum(not draft.order_no.endswith("-1") for draft in report.drafts) == equal > 0


@real_data
class TestStarbucks:
    def test_takes_the_transactions_and_passes_over_the_offers(self) -> None:
        path = DATA / "starbucks_transcript_2000.json"
        report = read_drafts(read_rows(path), load_mapping("starbucks"), programme_currency="CNY")
        events = [json.loads(line, parse_float=Decimal) for line in path.read_text("utf-8").splitlines()]
        bought = [event for event in events if event["event"] == "transaction"]
        assert report.rejected == []
        assert report.rows_ignored == len(events) - len(bought)
        assert report.sales == len(bought) == 16_571
        assert report.sale_original == sum(event["value"]["amount"] for event in bought)
        hours = Counter(event["time"] for event in bought)
        start = datetime(2018, 8, 1, 7, tzinfo=UTC)
        assert Counter((draft.ordered_at - start) // timedelta(hours=1) for draft in report.drafts) == hours
