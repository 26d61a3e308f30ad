"""`manage.py import_orders`: files of orders become purchases and returns, with points and tiers, once."""

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError
from openpyxl import Workbook

from members.actors import SYSTEM
from members.models import Brand, Channel, Member, Store, TimelineEntry
from members.services.enrolment import enrol_member
from rewards.models import Category, LedgerEntry, OrderImport, Product, Purchase
from tests.harness.dumps import dump
from tests.rewards.order_files import HEADER, HISTORY, line, rejected, run, value_of, write_csv


@pytest.mark.django_db
class TestFiles:
    """A file …"""

    def test_is_read_by_column_pairs_and_earns_as_live_orders_do(self, tmp_path: Path) -> None:
        rows = [
            line("1", "ann"),
            line("1", "ann", sku="MUG", pieces="2", price="69.50"),
            line("2", "bob", price="19.99"),
        ]
        run(write_csv(tmp_path / "a.csv", rows))

        assert value_of("ann") == (169, "member")
        assert value_of("bob") == (19, "member")
        purchase = Purchase.objects.get(external_order_no="1")
        assert (purchase.total_amount, purchase.ordered_at) == (Decimal("169.00"), datetime(2026, 3, 1, 2, tzinfo=UTC))
        assert list(
            purchase.lines.order_by("line_no").values_list("sku", "name", "quantity", "unit_price", "amount")
        ) == [
            ("LATTE", "拿铁", Decimal(1), Decimal(30), Decimal(30)),
            ("MUG", "马克杯", Decimal(2), Decimal("69.5"), Decimal(139)),
        ]
        assert (purchase.original_currency, purchase.original_amount) == ("", None)

    @pytest.mark.parametrize("kind", ["xlsx", "jsonl"])
    def test_means_the_same_as_a_workbook_and_as_json_lines(self, tmp_path: Path, kind: str) -> None:
        rows = [
            line("1", "ann"),
            line("1", "ann", sku="MUG", pieces="2"),
            line("2", "bob", "2026-03-02 23:59", price="19.99"),
            line("3", ""),
        ]
        path = tmp_path / f"a.{kind}"
        if kind == "xlsx":
            book = Workbook()
            sheet = book.active
            assert sheet is not None
            for row in [HEADER, *rows]:
                sheet.append(row)
            sheet["G4"] = 19.99
            sheet["C4"] = datetime(2026, 3, 2, 23, 59)  # noqa: DTZ001 (spreadsheets know no zones)
            book.save(path)
        else:
            path.write_text(
                "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows), encoding="utf-8"
            )
        run(path)
        from_other = dump()["purchases"]
        run(write_csv(tmp_path / "b.csv", rows))

        assert OrderImport.objects.latest("id").orders_known == 3
        assert dump()["purchases"] == from_other
        assert len(from_other) == 3

    def test_keeps_the_names_of_products_known_and_notes_new_ones(self, tmp_path: Path) -> None:
        Product.objects.create(sku="LATTE", name="招牌拿铁")
        goods = Category.objects.create(code="goods", name="周边")
        rows = [
            [*line("1", "ann"), "drinks"],
            [*line("1", "ann", sku="MUG"), "goods"],
            [*line("2", "ann", sku="BAG"), ""],
        ]
        run(write_csv(tmp_path / "a.csv", rows, [*HEADER, "kind"]), "category=kind")

        found = Product.objects.order_by("sku").values_list("sku", "name", "category")
        assert list(found) == [("BAG", "BAG", None), ("LATTE", "招牌拿铁", None), ("MUG", "马克杯", goods.pk)]
        assert Purchase.objects.get(external_order_no="1").lines.get(sku="LATTE").name == "拿铁"

    def test_in_another_currency_is_converted_and_keeps_the_original_amount(self, tmp_path: Path) -> None:
        path = write_csv(
            tmp_path / "a.csv", [line("1", "ann", pieces="3", price="3.33"), line("2", "bob", price="1.00")]
        )
        run(path, "currency=GBP", "rate=9.123456")

        purchase = Purchase.objects.get(external_order_no="1")
        assert (purchase.total_amount, purchase.original_amount) == (Decimal("91.14"), Decimal("9.99"))
        assert (purchase.original_currency, purchase.exchange_rate) == ("GBP", Decimal("9.123456"))
        assert value_of("ann")[0] == 91
        assert value_of("bob")[0] == 9

    def test_in_a_currency_at_par_still_keeps_its_name(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", [line("1", "ann")]), "currency=MOP", "rate=1")
        purchase = Purchase.objects.get()
        assert (purchase.original_currency, purchase.original_amount, purchase.exchange_rate) == (
            "MOP",
            Decimal(30),
            Decimal(1),
        )

    def test_without_a_rate_or_with_an_unknown_channel_or_column_is_refused_whole(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", [line("1", "ann")])
        for pair in ("currency=GBP", "channel=nowhere", "store=nowhere", "sku=no such column"):
            with pytest.raises(CommandError):
                run(path, pair)
        assert not Purchase.objects.exists()
        assert not Member.objects.exists()

    def test_without_order_numbers_takes_each_row_once_also_when_rows_are_equal(self, tmp_path: Path) -> None:
        rows = [line("", "ann"), line("", "ann"), line("", "bob")]
        run(write_csv(tmp_path / "a.csv", rows), "order_no=")
        run(write_csv(tmp_path / "longer.csv", [*rows, line("", "ann")]), "order_no=")

        assert value_of("ann")[0] == 90
        assert OrderImport.objects.latest("id").orders_new == 1

    def test_that_is_no_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError):
            run(tmp_path / "none.csv")


@pytest.mark.django_db
class TestPeople:
    """Members and guests of a file …"""

    def test_are_made_with_their_first_order_and_found_the_second_time(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", [line("2", "ann", "2026-03-05 09:00"), line("1", "ann", "2026-03-01 09:00")]))
        member = Member.objects.get()
        run(write_csv(tmp_path / "b.csv", [line("3", "ann", "2026-03-09 09:00")]))

        assert member.joined_at == datetime(2026, 3, 1, 1, tzinfo=UTC)
        assert list(Purchase.objects.values_list("member_id", flat=True)) == [member.pk] * 3
        assert value_of("ann")[0] == 90

    def test_who_are_unknown_are_refused_each_row_with_its_reason(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "known.csv", [line("1", "ann")]))
        rows = [line("2", "zoe"), line("3", "ann"), line("2", "zoe", sku="MUG"), line("4", "")]
        path = write_csv(tmp_path / "b.csv", rows)
        said = run(path, "unknown_members=reject")

        assert "2 rows were rejected" in said
        assert [(row["row"], row["sku"], row["reason"]) for row in rejected(path)] == [
            ("2", "LATTE", "Member: no member is known as “zoe”."),
            ("4", "MUG", "Member: no member is known as “zoe”."),
        ]
        assert set(Purchase.objects.values_list("external_order_no", flat=True)) == {"1", "3", "4"}
        assert Member.objects.count() == 1

    def test_who_are_unknown_can_be_taken_as_guests(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", [line("1", "zoe"), line("2", "")]), "unknown_members=guest")

        assert list(Purchase.objects.values_list("member_id", flat=True)) == [None, None]
        assert not Member.objects.exists()
        assert not LedgerEntry.objects.exists()

    def test_named_by_phone_are_one_member_however_it_is_written(self, tmp_path: Path) -> None:
        channel = Channel.objects.get(code="till")
        known = enrol_member(channel_id=channel.pk, phone="13900139000", by=SYSTEM, at=datetime(2026, 1, 1, tzinfo=UTC))
        rows = [
            line("1", "138 0013 8000"), line("2", "+8613800138000"), line("3", "139-0013-9000"), line("4", "no phone"),
        ]  # fmt: skip
        path = write_csv(tmp_path / "a.csv", rows)
        run(path, "member_kind=phone")

        owners = dict(Purchase.objects.values_list("external_order_no", "member_id"))
        assert owners["1"] == owners["2"] != owners["3"] == known.pk
        assert Member.objects.count() == 2
        assert [(row["row"], row["reason"]) for row in rejected(path)] == [
            ("5", "Member: no member is known as “no phone”.")
        ]

    def test_named_by_member_number_are_found_and_never_made(self, tmp_path: Path) -> None:
        channel = Channel.objects.get(code="till")
        known = enrol_member(channel_id=channel.pk, by=SYSTEM, at=datetime(2026, 1, 1, tzinfo=UTC))
        known.refresh_from_db()
        path = write_csv(tmp_path / "a.csv", [line("1", known.member_no), line("2", "9999999999")])
        run(path, "member_kind=member_no")

        assert Purchase.objects.get().member_id == known.pk
        assert [row["row"] for row in rejected(path)] == ["3"]

    def test_of_unknown_stores_are_refused(self, tmp_path: Path) -> None:
        brand = Brand.objects.create(code="house", name="House")
        store = Store.objects.create(code="S01", name="一店", brand=brand)
        path = write_csv(
            tmp_path / "a.csv", [[*line("1", "ann"), "S01"], [*line("2", "bob"), "S99"]], [*HEADER, "shop"]
        )
        run(path, "store_column=shop")

        assert Purchase.objects.get().store_id == store.pk
        assert Member.objects.get().home_store_id == store.pk
        assert [(row["no"], row["reason"]) for row in rejected(path)] == [("2", "Store: no store has the code “S99”.")]

    def test_who_are_frozen_get_nothing_and_the_rows_say_so(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", [line("1", "ann")]))
        Member.objects.update(status=Member.Status.FROZEN)
        path = write_csv(tmp_path / "b.csv", [line("2", "ann"), line("3", "bob")])
        run(path)

        assert value_of("ann")[0] == 30
        assert [row["no"] for row in rejected(path)] == ["2"]
        assert "frozen" in rejected(path)[0]["reason"]


@pytest.mark.django_db
class TestReport:
    """The command …"""

    def test_records_nothing_in_a_dry_run_but_says_all_it_can(self, tmp_path: Path) -> None:
        rows = [
            [*line("1", "ann"), "", ""], [*line("2", "bob", price="x"), "", ""], [*line("3", "bob"), "S99", ""],
            [*line("C1", "", pieces="-1"), "", "1"], [*line("C2", "", pieces="-1"), "", "77"],
        ]  # fmt: skip
        path = write_csv(tmp_path / "a.csv", rows, [*HEADER, "shop", "of"])
        before = dump()
        said = run(path, "store_column=shop", "cancellation.prefix=C", "original_order_no=of", dry_run=True)

        assert "2 sales of 60.00 CNY, 2 returns of 60.00 CNY" in said
        assert "nothing was recorded" in said
        assert [row["no"] for row in rejected(path)] == ["2", "3", "C2"]
        assert dump() == before
        for model in (Member, Product, Purchase, OrderImport, TimelineEntry):
            assert not model._default_manager.exists()

    def test_refuses_in_a_dry_run_whom_it_would_refuse(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", [line("1", "ann"), line("2", "")])
        run(path, "unknown_members=reject", dry_run=True)
        assert [row["no"] for row in rejected(path)] == ["1"]

    def test_writes_every_rejected_row_once_with_its_number_and_reason(self, tmp_path: Path) -> None:
        rows = [
            line("1", "ann", price="abc"), line("1", "ann"), line("2", "ann"), line("3", "ann", "yesterday"), line("4", "=cmd"),
            ["5", "ann"], line("6", "ann", pieces="0", price="0"), line("", "ann"),
        ]  # fmt: skip
        path = write_csv(tmp_path / "a.csv", rows)
        target = tmp_path / "other.csv"
        said = run(path, "unknown_members=create", rejected=target)

        with target.open(encoding="utf-8-sig", newline="") as file:
            found = {row["row"]: row["reason"] for row in csv.DictReader(file)}
        assert found == {
            "2": "Unit price: “abc” in column “price” is not a number.",
            "3": "Another row of this order was refused (row 2).",
            "5": "Order time: “yesterday” in column “when” is not a time of the form iso.",
            "7": "The row has 2 cells, the header 7.",
            "9": "Order number: column “no” is empty.",
        }
        assert f"{len(found)} rows were rejected; they are in {target}" in said

    def test_gives_the_reasons_in_the_language_that_is_chosen(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", [line("1", "ann")])
        reasons = {}
        for language in ("zh-hans", "zh-hant", "en"):
            run(path, "unknown_members=reject", language=language)
            reasons[language] = rejected(path)[0]["reason"]

        assert reasons["en"] == "Member: no member is known as “ann”."
        assert "会员" in reasons["zh-hans"]
        assert "會員" in reasons["zh-hant"]

    def test_keeps_a_record_of_the_run(self, tmp_path: Path) -> None:
        rows = [*HISTORY, [*line("9", "ann", price="x")], line("", "ann")]
        path = write_csv(tmp_path / "a.csv", rows)
        run(path, "cancellation.prefix=C", "order_no=no")

        found = OrderImport.objects.get()
        assert (found.file_name, found.source, found.state, found.error) == ("a.csv", "shop", "done", "")
        assert (found.rows_read, found.rows_ignored, found.rows_rejected) == (9, 0, 2)
        assert (found.orders_new, found.orders_known, found.returns_new, found.returns_known) == (5, 0, 2, 0)
        assert (found.members_new, found.points) == (3, 700 + 330 + 30 + 1600)
        assert found.finished_at is not None
        assert len(bytes(found.file_sha256)) == 32

    def test_passes_over_rows_that_the_filter_leaves_out(self, tmp_path: Path) -> None:
        rows = [[*line("1", "ann"), "sale"], [*line("2", "ann"), "visit"]]
        run(write_csv(tmp_path / "a.csv", rows, [*HEADER, "event"]), "filter.column=event", "filter.value=sale")
        found = OrderImport.objects.get()
        assert (found.rows_read, found.rows_ignored, found.orders_new) == (2, 1, 1)
