"""Mappings of order files: from files, ready ones, pairs; what is wrong with them; what they say in words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from rewards.services.imports.describing import describe
from rewards.services.imports.mapping import (
    OrderMapping,
    load_mapping,
    load_mapping_arguments,
    parse_mapping,
    preset_names,
)
from rewards.services.imports.mapping_values import MappingError

LEAST: dict[str, Any] = {"source": "shop", "ordered_at": "When", "amount": "Sum"}


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def mapping(**values: Any) -> OrderMapping:
    return parse_mapping({**LEAST, **values})


class TestParseMapping:
    def test_needs_little_and_fills_in_the_rest(self) -> None:
        parsed = parse_mapping(LEAST)
        assert (parsed.source, parsed.ordered_at, parsed.amount) == ("shop", "When", "Sum")
        assert (parsed.member_kind, parsed.identity_kind, parsed.identity_issuer) == (
            "external:shop",
            "external",
            "shop",
        )
        assert (parsed.unknown_members, parsed.time_format, parsed.decimal_mark) == ("reject", "iso", ".")
        assert parsed.columns == {"ordered_at": "When", "amount": "Sum"}

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            ("colour", "red", "no such key"),
            ("cancellation.suffix", "X", "no such key"),
            ("source", "", "1 to 200 characters"),
            ("source", "my shop", "Latin letters"),
            ("source", "x" * 41, "40 characters"),
            ("order_no", 3, "must be text"),
            ("order_no", ["a"], "must be text"),
            ("order_no", "x" * 201, "1 to 200 characters"),
            ("member_kind", "email", "external:<issuer>"),
            ("member_kind", "external:", "external:<issuer>"),
            ("unknown_members", "ignore", "reject  create  guest"),
            ("time_format", "%H:%M", "year, month and day"),
            ("time_format", "%Q", "year, month and day"),
            ("time_format", "hours_since", "time_origin"),
            ("time_origin", "yesterday", "2018-01-01T00:00:00"),
            ("time_zone", "Mars/Olympus", "no time zone “Mars/Olympus”"),
            ("time_zone", "../../etc/passwd", "no time zone"),
            ("decimal_mark", ";", "must be one of"),
            ("currency", "usd", "three capital letters"),
            ("rate", "0", "above 0"),
            ("rate", "-1", "above 0"),
            ("rate", "NaN", "above 0"),
            ("rate", 7.1, "above 0"),
            ("rate", True, "above 0"),
            ("rate", "1.123456789", "8 decimals"),
            ("rate.usd", "7.1", "three capital letters"),
            ("rate_currency", "CNY", "needs a rate"),
            ("cancellation.negative_quantity", "maybe", "true or false"),
            ("cancellation.prefix", "C", "needs order_no"),
            ("cancellation.column", "Type", "column and value go together"),
            ("filter.value", "sale", "column and value go together"),
            ("excluded_skus", 3, "list of SKUs"),
            ("source", "activity", "the portal uses itself"),
            ("excluded_skus", ["a", 3], "must be text"),
        ],
    )
    def test_names_the_key_that_is_wrong_and_why(self, key: str, value: Any, words: str) -> None:
        with pytest.raises(MappingError) as caught:
            mapping(**{key: value})
        assert words in str(caught.value)
        assert caught.value.key
        assert str(caught.value).startswith(f"Mapping, {caught.value.key}: ")

    @pytest.mark.parametrize("key", ["source", "ordered_at", "amount"])
    def test_names_what_is_missing(self, key: str) -> None:
        with pytest.raises(MappingError, match=f"{key}: .*required"):
            parse_mapping({name: value for name, value in LEAST.items() if name != key})

    @pytest.mark.parametrize(("one", "other"), [("store", "store_column"), ("currency", "currency_column")])
    def test_refuses_a_constant_together_with_a_column(self, one: str, other: str) -> None:
        with pytest.raises(MappingError, match=f"{other}: can not be given together with {one}"):
            mapping(**{one: "CNY", other: "Column"})

    def test_refuses_one_rate_for_a_column_of_currencies(self) -> None:
        with pytest.raises(MappingError, match="one rate can not serve"):
            mapping(currency_column="Money", rate="7")

    def test_refuses_an_origin_at_no_certain_moment(self) -> None:
        with pytest.raises(MappingError, match="needs an offset, or time_zone"):
            mapping(time_format="hours_since", time_origin="2018-01-01T00:00:00")

    def test_takes_tables_and_dotted_keys_alike(self) -> None:
        nested = mapping(
            order_no="No", cancellation={"prefix": "C"}, rate={"USD": "7.1"}, filter={"column": "k", "value": "v"}
        )
        dotted = mapping(
            **{
                "order_no": "No",
                "cancellation.prefix": "C",
                "rate.USD": "7.1",
                "filter.column": "k",
                "filter.value": "v",
            }
        )
        assert nested == dotted
        assert nested.cancel_prefix == "C"
        assert nested.rate_to("CNY", "USD") == Decimal("7.1")

    @pytest.mark.parametrize("text", ["phone", "member_no", "external:till-7"])
    def test_knows_what_the_member_column_holds(self, text: str) -> None:
        parsed = mapping(member="Who", member_kind=text)
        assert ":".join(filter(None, (parsed.identity_kind, parsed.identity_issuer))) == text

    @pytest.mark.parametrize(
        "pattern", ["%d/%m/%Y %H:%M", "%Y年%m月%d日", "%m/%d/%y", "%Y-%m-%dT%H:%M:%S%z", "%d-%b-%Y"]
    )
    def test_takes_patterns_that_tell_a_day(self, pattern: str) -> None:
        assert mapping(time_format=pattern).time_format == pattern


class TestRateTo:
    def test_is_1_for_the_programmes_own_currency(self) -> None:
        assert mapping().rate_to("CNY", "") == 1
        assert mapping(rate="7").rate_to("CNY", "CNY") == 1

    def test_is_none_for_a_currency_without_a_rate(self) -> None:
        assert mapping(currency_column="Money", rate={"USD": "7.1"}).rate_to("CNY", "EUR") is None


class TestTimeReader:
    def reader(self, **values: Any) -> Any:
        return mapping(**values).time_reader().read

    @pytest.mark.parametrize(
        ("zone", "text", "moment"),
        [
            ("Asia/Shanghai", "2024-02-29", datetime(2024, 2, 28, 16, tzinfo=UTC)),
            ("Asia/Shanghai", "20240229", datetime(2024, 2, 28, 16, tzinfo=UTC)),
            ("Asia/Shanghai", "2024-02-29T08:00:00+00:00", datetime(2024, 2, 29, 8, tzinfo=UTC)),
            ("Europe/London", "2011-07-01 12:00:00", datetime(2011, 7, 1, 11, tzinfo=UTC)),
            # 01:30 comes twice on the day the clocks are set back: the first is meant.
            ("Europe/London", "2011-10-30 01:30:00", datetime(2011, 10, 30, 0, 30, tzinfo=UTC)),
            # 01:30 does not come on the day the clocks are set forward: it is moved on to 02:30.
            ("Europe/London", "2011-03-27 01:30:00", datetime(2011, 3, 27, 1, 30, tzinfo=UTC)),
        ],
    )
    def test_reads_local_times(self, zone: str, text: str, moment: datetime) -> None:
        assert self.reader(time_zone=zone)(text) == moment

    def test_reads_a_pattern_and_real_dates_of_a_workbook_beside_it(self) -> None:
        read = self.reader(time_zone="UTC", time_format="%d/%m/%Y %H:%M")
        assert read("03/04/2024 05:06") == read("2024-04-03 05:06:00") == datetime(2024, 4, 3, 5, 6, tzinfo=UTC)

    def test_counts_hours_as_time_that_passes_and_days_by_the_calendar(self) -> None:
        count = {"time_origin": "2024-03-30T12:00:00", "time_zone": "Europe/Berlin"}
        # The night between is an hour short.
        assert self.reader(time_format="hours_since", **count)("24") == datetime(2024, 3, 31, 11, tzinfo=UTC)
        assert self.reader(time_format="days_since", **count)("1") == datetime(2024, 3, 31, 10, tzinfo=UTC)

    def test_reads_the_day_numbers_of_spreadsheets(self) -> None:
        read = self.reader(time_format="days_since", time_origin="1899-12-30T00:00:00", time_zone="UTC")
        assert read("45351.75") == datetime(2024, 2, 29, 18, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["", "today", "2024-02-30", "29.02.2024", "12583", "2024-02-29 25:00"])
    def test_refuses_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            self.reader(time_zone="UTC")(text)

    @pytest.mark.parametrize("text", ["0001-01-01", "1899-12-31", "9999-12-31"])
    def test_refuses_times_nobody_bought_at(self, text: str) -> None:
        with pytest.raises(OverflowError):
            self.reader(time_zone="Asia/Shanghai")(text)

    def test_refuses_counts_beyond_all_time(self) -> None:
        read = self.reader(time_format="hours_since", time_origin="2024-01-01T00:00:00+00:00")
        with pytest.raises(OverflowError):
            read("9999999999")


class TestLoadMapping:
    @pytest.mark.parametrize("name", ["cdnow", "online_retail", "starbucks"])
    def test_finds_the_ready_ones_by_name(self, name: str) -> None:
        assert name in preset_names()
        loaded = load_mapping(name)
        assert loaded.source == name
        assert loaded.rate_to("CNY", loaded.currency) is not None
        assert all(describe(loaded))

    @pytest.mark.parametrize("kind", ["toml", "json"])
    def test_reads_files(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / f"mine.{kind}"
        if kind == "toml":
            path.write_text('source="shop"\nordered_at="When"\namount="Sum"\nrate=7.10\ncurrency="USD"\n', "utf-8-sig")
        else:
            path.write_text(json.dumps({**LEAST, "rate": 7.10, "currency": "USD"}), "utf-8-sig")
        assert load_mapping(path) == load_mapping(str(path)) == mapping(rate="7.1", currency="USD")

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("none.toml", None, "cdnow, online_retail, starbucks"),
            ("../presets/cdnow", None, "no ready mapping"),
            ("bad.toml", "= 3", "can not be read"),
            ("bad.json", "{", "can not be read"),
            ("deep.json", "[" * 100_000, "can not be read"),
            ("list.json", "[]", "must be a JSON object"),
            ("bytes.toml", b"\xff", "can not be read"),
            ("mine.yaml", "a: b", ".toml or .json"),
        ],
    )
    def test_says_what_is_wrong_with_a_file(
        self, tmp_path: Path, name: str, content: str | bytes | None, words: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(MappingError) as caught:
            load_mapping(tmp_path / name if content is not None else name)
        assert words in str(caught.value)

    def test_lets_pairs_override_a_file(self) -> None:
        loaded = load_mapping(
            "online_retail", ["unknown_members=guest", "excluded_skus=POST, D", "cancellation.prefix="]
        )
        assert loaded.unknown_members == "guest"
        assert loaded.excluded_skus == {"POST", "D"}
        assert loaded.cancel_prefix == ""
        assert loaded.order_no == "InvoiceNo"

    def test_takes_a_rate_of_its_own_as_leading_to_this_programme(self) -> None:
        loaded = load_mapping("online_retail", {"rate": "1.15"})
        assert loaded.rate_currency == ""
        assert loaded.rate_to("EUR", "GBP") == Decimal("1.15")

    def test_makes_a_mapping_of_pairs_alone(self) -> None:
        pairs = ["source=shop", "ordered_at=When", "amount=Sum = net", "rate.USD=7.1", "currency_column=Money"]
        loaded = load_mapping(None, pairs)
        assert loaded.amount == "Sum = net"
        assert loaded.rates == {"USD": Decimal("7.1")}

    @pytest.mark.parametrize("text", ["source", "=shop"])
    def test_refuses_what_is_no_pair(self, text: str) -> None:
        with pytest.raises(MappingError, match="key=value"):
            load_mapping(None, [text])


class TestLoadMappingArguments:
    def test_takes_one_name_and_pairs_in_any_order(self) -> None:
        loaded = load_mapping_arguments(["store=S1", "cdnow", "channel=shop"])
        assert (loaded.source, loaded.store, loaded.channel) == ("cdnow", "S1", "shop")

    def test_takes_pairs_alone(self) -> None:
        assert load_mapping_arguments([f"{key}={value}" for key, value in LEAST.items()]) == mapping()

    def test_refuses_two_names(self) -> None:
        with pytest.raises(MappingError, match="only one"):
            load_mapping_arguments(["cdnow", "starbucks"])


class TestDescribe:
    def test_tells_the_whole_mapping_in_sentences(self) -> None:
        assert describe(load_mapping("online_retail", ["excluded_skus=POST,D"])) == [
            "Orders come from “online_retail”; rows with the same “InvoiceNo” are one order.",
            "All orders belong to the channel “online”.",
            "Column “CustomerID” holds the number that “online_retail” gave the member.",
            "Orders without it are those of guests.",
            "Members who are not known yet are enrolled.",
            "Column “InvoiceDate” holds the time of the order, year first.",
            "Times without an offset are local time of Europe/London; the first of two, where clocks are set back.",
            "Column “StockCode” is the SKU.",
            "Column “Description” is the description.",
            "Column “Quantity” is the quantity.",
            "A line's amount is quantity times “UnitPrice”, rounded to two decimals, halves upwards.",
            "Lines with these SKUs are kept but earn nothing: D, POST.",
            "Amounts are in GBP.",
            "1 GBP counts as 10.20 in the programme's currency.",
            "Order numbers that begin with “C” are returns.",
            "Negative lines of other orders become a return with “-R” behind the order number.",
            "Returns are not linked to the order that they take back.",
        ]

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({}, "The file names no members: all orders are those of guests."),
            ({}, "Times without an offset are refused, for no time zone is named."),
            ({}, "Amounts are in the programme's currency."),
            ({"member": "Who", "member_kind": "phone"}, "Column “Who” holds the member's phone number."),
            ({"member": "Who"}, "Orders of members who are not known are refused."),
            ({"filter.column": "kind", "filter.value": "sale"}, "Only rows with “sale” in column “kind” are read; the others are passed over."),
            ({"store_column": "Shop"}, "Column “Shop” holds the store's code."),
            ({"decimal_mark": ","}, "Decimals follow a comma."),
            ({"currency_column": "Money", "rate.USD": "7"}, "1 USD counts as 7 in the programme's currency."),
            ({"cancellation.column": "Kind", "cancellation.value": "back"}, "Rows with “back” in column “Kind” are returns."),
            ({"cancellation.negative_quantity": "yes"}, "Orders of negative lines only are returns."),
            ({"original_order_no": "Of"}, "Column “Of” names the order that a return belongs to."),
        ],
    )  # fmt: skip
    def test_has_a_sentence_for(self, values: dict[str, str], sentence: str) -> None:
        assert sentence in describe(mapping(**values))
