"""What imported orders lead to: returns, old dates, files that come again, and nobody is written to."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from analytics.models import DayFigures
from campaigns.models import Message
from loyalty.queries import standing_of
from members.actors import Actor
from members.models import Member, TimelineEntry
from members.tables.rows import read_rows
from rewards.models import LedgerEntry, OrderImport, PointsAccount, Product, Purchase, PurchaseReturn
from rewards.services.imports import posting
from rewards.services.imports.drafts import read_drafts
from rewards.services.imports.mapping import load_mapping_arguments
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from rewards.services.verification import verify
from tests.harness.dumps import DUMPS, dump
from tests.rewards.order_files import HEADER, HISTORY, PAIRS, SHANGHAI, line, rejected, run, value_of, write_csv


@pytest.mark.django_db
class TestReturns:
    """Returns of a file …"""

    def test_that_name_no_sale_take_back_base_points(self, tmp_path: Path) -> None:
        rows = [
            line("1", "ann", price="600"),
            line("2", "ann", "2026-03-02 10:00", price="100"),
            line("C1", "ann", "2026-03-03 10:00", pieces="-1", price="100"),
        ]
        run(write_csv(tmp_path / "a.csv", rows), "cancellation.prefix=C")

        found = PurchaseReturn.objects.get()
        assert (found.external_return_no, found.purchase_id, found.total_amount, found.points) == (
            "C1",
            None,
            Decimal(100),
            100,
        )
        assert value_of("ann") == (600 + 110 - 100, "silver")  # silver multiplies what comes after the rise

    def test_beside_sold_lines_get_a_number_of_their_own(self, tmp_path: Path) -> None:
        run(
            write_csv(
                tmp_path / "a.csv", [line("1", "ann", price="80"), line("1", "ann", sku="MUG", pieces="-1", price="30")]
            )
        )

        assert PurchaseReturn.objects.get().external_return_no == "1-R"
        assert Purchase.objects.get().total_amount == 80
        assert value_of("ann")[0] == 50

    def test_of_guests_change_no_balance(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", [line("1", ""), line("C1", "", pieces="-1")]), "cancellation.prefix=C")
        assert PurchaseReturn.objects.get().member_id is None
        assert not LedgerEntry.objects.exists()

    def test_that_name_their_sale_are_booked_in_order_of_time_as_live_ones_are(self, tmp_path: Path) -> None:
        """The first order lifts to silver; it comes back before the second, which therefore earns without the multiplier."""
        rows = [
            [*line("1", "ann", "2026-03-01 10:00", price="600"), ""],
            [*line("C1", "ann", "2026-03-02 10:00", pieces="-1", price="600"), "1"],
            [*line("2", "ann", "2026-03-03 10:00", price="100"), ""],
        ]
        run(write_csv(tmp_path / "a.csv", rows, [*HEADER, "of"]), "cancellation.prefix=C", "original_order_no=of")

        found = PurchaseReturn.objects.get()
        assert (found.purchase.external_order_no if found.purchase else None, found.points) == ("1", 600)
        assert value_of("ann") == (100, "member")
        tiers = (
            TimelineEntry.objects.filter(kind__startswith="loyalty.")
            .order_by("happened_at")
            .values_list("kind", flat=True)
        )
        assert list(tiers) == ["loyalty.tier_raised.v1", "loyalty.tier_rise_undone.v1"]

    def test_that_name_their_sale_find_their_lines_across_equal_articles_and_earlier_files(
        self, tmp_path: Path
    ) -> None:
        first = [
            [*line("1", "ann", pieces="3", price="10"), ""],
            [*line("1", "ann", sku="MUG", price="69"), ""],
            [*line("1", "ann", pieces="5", price="8"), ""],
        ]
        header, pairs = [*HEADER, "of"], ("cancellation.prefix=C", "original_order_no=of")
        run(write_csv(tmp_path / "a.csv", first, header), *pairs)
        second = [
            [*line("C1", "ann", "2026-03-02 10:00", pieces="-4", price="10"), "1"],
            [*line("C2", "ann", "2026-03-03 10:00", pieces="-4", price="10"), "1"],
            [*line("C3", "ann", "2026-03-04 10:00", pieces="-1", price="10"), "1"],
        ]
        path = write_csv(tmp_path / "b.csv", second, header)
        run(path, *pairs)

        taken = PurchaseReturn.objects.order_by("external_return_no").values_list("external_return_no", "total_amount")
        assert list(taken) == [("C1", Decimal(38)), ("C2", Decimal(32))]
        assert [(row["no"], row["reason"]) for row in rejected(path)] == [
            ("C3", "SKU: “LATTE” is not in order “1”, or came back more often than it was bought.")
        ]
        before = dump()
        run(path, *pairs)
        assert dump() == before
        assert OrderImport.objects.latest("id").returns_known == 2
        assert [row["no"] for row in rejected(path)] == ["C3"]

    def test_that_name_an_unknown_sale_or_article_are_refused(self, tmp_path: Path) -> None:
        rows = [
            [*line("1", "ann"), ""],
            [*line("C1", "ann", "2026-03-02 10:00", pieces="-1"), "77"],
            [*line("C2", "ann", "2026-03-02 10:00", sku="MUG", pieces="-1"), "1"],
        ]
        path = write_csv(tmp_path / "a.csv", rows, [*HEADER, "of"])
        run(path, "cancellation.prefix=C", "original_order_no=of")

        assert [(row["row"], row["reason"]) for row in rejected(path)] == [
            ("3", "Original order number: no order “77” is known."),
            ("4", "SKU: “MUG” is not in order “1”, or came back more often than it was bought."),
        ]
        assert value_of("ann")[0] == 30

    def test_equal_the_same_facts_told_live(self, tmp_path: Path) -> None:
        """Sales, unlinked and linked returns of one file, against the services fact by fact."""
        header, pairs = [*HEADER, "of"], ("cancellation.prefix=C", "original_order_no=of")
        rows = []
        for number in range(24):
            day = f"2026-{1 + number // 4:02}-{1 + number:02} 10:00"
            rows.append(
                [
                    *line(
                        f"{number:02}", ["ann", "bob", ""][number % 3], day, pieces="2", price=f"{90 + 13 * number}.55"
                    ),
                    "",
                ]
            )
            if number % 5 == 3:
                rows.append([*line(f"C{number:02}", "ann", day, pieces="-1", price="20"), ""])
            if number % 4 == 1:
                rows.append([*line(f"CL{number:02}", "", day, pieces="-1", price="1"), f"{number:02}"])
        path = write_csv(tmp_path / "a.csv", rows, header)
        mapping = load_mapping_arguments([*PAIRS, *pairs])
        drafts = read_drafts(read_rows(path), mapping, programme_currency="CNY").drafts
        run(write_csv(tmp_path / "people.csv", [line("p1", "ann", "2025-12-01"), line("p2", "bob", "2025-12-01")]))
        places = posting._places(mapping)
        members, _ = posting._buyers(drafts, mapping, places)
        report = posting.PostingReport()
        plan = posting._plan(drafts, mapping, places, members, report)
        by = Actor("import", 1)
        with transaction.atomic():
            for draft in plan.drafts:
                if draft.kind == "sale":
                    record_purchase(order=posting._order(draft, plan), by=by, at=draft.ordered_at)
                else:
                    record_return(ret=posting._return(draft, plan), by=by, at=draft.ordered_at)
            live = dump()
            transaction.set_rollback(True)
        posting.post_drafts(drafts, mapping, by=by, at=datetime(2026, 11, 1, tzinfo=UTC), progress=lambda _: None)

        bulk = dump()
        for name in DUMPS:
            if name != "lines":  # live posting meets products that the import notes first
                assert bulk[name] == live[name], name
        assert len(bulk["returns"]) == 11


@pytest.mark.django_db
class TestDates:
    """Old dates …"""

    ROWS = [line("1", "ann", "2011-01-05 10:00", price="600"), line("2", "ann", "2011-02-01 10:00", price="50")]

    def test_run_their_course_up_to_now(self, tmp_path: Path) -> None:
        said = run(write_csv(tmp_path / "a.csv", self.ROWS))

        assert "655 points of 1 members were past their expiry" in said
        assert value_of("ann") == (0, "member")
        assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []

    @pytest.mark.parametrize(
        ("as_of", "available", "tier"),
        [
            ("2011-06-01", 655, "silver"),
            ("2012-01-31", 655, "silver"),
            ("2012-02-01", 55, "member"),
            ("2012-03-01", 0, "member"),
        ],
    )
    def test_run_their_course_up_to_a_day_that_is_named(
        self, tmp_path: Path, as_of: str, available: int, tier: str
    ) -> None:
        run(write_csv(tmp_path / "a.csv", self.ROWS), as_of=as_of)

        end = datetime.combine(date.fromisoformat(as_of), datetime.max.time(), SHANGHAI)
        member = Member.objects.get()
        assert PointsAccount.objects.get().available == available
        assert standing_of(member.pk, end).tier.code == tier
        assert [str(finding) for finding in verify(at=end)] == []

    def test_after_the_day_that_is_named_are_refused(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", self.ROWS)
        run(path, as_of="2011-01-31")

        assert [(row["row"], row["reason"]) for row in rejected(path)] == [
            ("3", "Order time: “2011-02-01 10:00” lies in the future.")
        ]
        assert PointsAccount.objects.get().available == 600

    def test_in_the_future_are_refused(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", [line("1", "ann"), line("2", "ann", "2100-01-01 10:00")])
        run(path)
        assert [row["no"] for row in rejected(path)] == ["2"]

    def test_can_be_moved_by_whole_weeks_to_the_last_days(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", self.ROWS), shift_dates=True)

        times = dict(Purchase.objects.values_list("external_order_no", "ordered_at"))
        assert timedelta(0) <= datetime.now(UTC) - times["2"] < timedelta(days=7)
        assert times["2"] - times["1"] == timedelta(days=27)
        local = times["2"].astimezone(SHANGHAI)
        assert (local.weekday(), local.hour) == (1, 10)
        assert value_of("ann") == (655, "silver")

    def test_are_moved_by_as_many_weeks_as_before_when_the_file_comes_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_csv(tmp_path / "a.csv", self.ROWS)
        run(path, shift_dates=True)
        before = dump()
        later = timezone.now() + timedelta(days=17)
        monkeypatch.setattr(timezone, "now", lambda: later)
        run(path, shift_dates=True)

        assert dump() == before
        assert OrderImport.objects.latest("id").orders_known == 2

    def test_can_not_be_both_moved_and_posted_as_of_a_day(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError):
            call_command(
                "import_orders", str(write_csv(tmp_path / "a.csv", self.ROWS)), "--as-of", "2012-01-01", "--shift-dates"
            )
        with pytest.raises(CommandError):
            run(write_csv(tmp_path / "a.csv", self.ROWS), as_of="soon")


@pytest.mark.django_db
class TestAgain:
    """A file that comes again …"""

    def test_changes_nothing(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", HISTORY)
        run(path, "cancellation.prefix=C")
        before = dump() | {"members": list(Member.objects.values()), "products": list(Product.objects.values())}
        said = run(path, "cancellation.prefix=C")

        assert dump() | {"members": list(Member.objects.values()), "products": list(Product.objects.values())} == before
        assert "known already: 5 orders, 2 returns; new members: 0" in said

    def test_in_another_order_of_rows_of_other_orders_changes_nothing(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", HISTORY), "cancellation.prefix=C")
        before = dump()
        run(write_csv(tmp_path / "b.csv", [*HISTORY[5:], *HISTORY[:5]]), "cancellation.prefix=C")
        assert dump() == before

    def test_with_another_content_under_a_known_number_is_refused_with_the_reason(self, tmp_path: Path) -> None:
        run(write_csv(tmp_path / "a.csv", HISTORY), "cancellation.prefix=C")
        before = dump()
        path = write_csv(
            tmp_path / "b.csv",
            [
                line("1", "ann", price="701"),
                line("C1", "ann", "2026-03-02 10:00", pieces="-1", price="21"),
                line("2", "", sku="MUG"),
            ],
        )
        run(path, "cancellation.prefix=C")

        assert dump() == before
        assert [(row["row"], row["reason"]) for row in rejected(path)] == [
            ("2", "Order 1 was recorded before with another content."),
            ("3", "Return C1 was recorded before with another content."),
        ]

    def test_after_breaking_off_ends_as_if_it_had_not_broken_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(posting, "CHUNK_LINES", 2)
        path = write_csv(tmp_path / "a.csv", HISTORY)
        numbers = sequences()
        with transaction.atomic():
            run(path, "cancellation.prefix=C")
            whole = dump()
            transaction.set_rollback(True)
        set_sequences(numbers)
        monkeypatch.setattr("rewards.management.commands.import_orders.tqdm", breaking_bar(after=3))
        with pytest.raises(ConnectionAbortedError):
            run(path, "cancellation.prefix=C")
        broken = OrderImport.objects.get()
        assert (broken.state, broken.error) == (
            OrderImport.State.FAILED,
            "ConnectionAbortedError('the power went out')",
        )
        assert 0 < Purchase.objects.count() < 5
        monkeypatch.undo()
        run(path, "cancellation.prefix=C")

        found = dump()
        for name in DUMPS:
            assert found[name] == whole[name], name
        resumed = OrderImport.objects.latest("id")
        assert resumed.orders_new + resumed.orders_known == 5
        assert resumed.orders_known > 0


def test_history_writes_to_nobody_and_fills_the_figures_of_its_days(committed_db: str, tmp_path: Path) -> None:
    today = datetime.now(SHANGHAI).date()
    path = write_csv(
        tmp_path / "a.csv",
        [line("1", "ann", f"{today - timedelta(days=1)} 00:30", price="700"), line("2", "", f"{today - timedelta(days=1)} 23:30"),
         line("3", "ann", f"{today - timedelta(days=2)} 23:59")],
    )  # fmt: skip
    run(path)

    assert TimelineEntry.objects.filter(kind="loyalty.tier_raised.v1").count() == 1
    assert not Message.objects.exists()
    figures = DayFigures.objects.order_by("date").values_list(
        "date",
        "members_joined",
        "member_orders",
        "guest_orders",
        "member_sales_amount",
        "guest_sales_amount",
        "points_issued",
        "tiers_raised",
    )
    assert list(figures) == [
        (today - timedelta(days=2), 1, 1, 0, Decimal(30), Decimal(0), 30, 0),
        (today - timedelta(days=1), 0, 1, 1, Decimal(700), Decimal(30), 700, 1),
    ]


def sequences() -> list[tuple[str, int, bool]]:
    """Return where the sequences stand: a rollback leaves them where they are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname || '.' || sequencename FROM pg_sequences WHERE schemaname = 'public'")
        names = [row[0] for row in cursor.fetchall()]
        found = []
        for name in names:
            cursor.execute(f"SELECT last_value, is_called FROM {name}")
            found.append((name, *cursor.fetchone()))
    return found


def set_sequences(numbers: list[tuple[str, int, bool]]) -> None:
    """Put the sequences back."""
    with connection.cursor() as cursor:
        for name, value, is_called in numbers:
            cursor.execute("SELECT setval(%s, %s, %s)", [name, value, is_called])


def breaking_bar(after: int) -> Callable[..., Any]:
    """Return a progress bar that raises once posting has told it so many lines."""

    class Bar:
        def __init__(self, desc: str = "", **_options: Any) -> None:
            self.is_posting = desc == "posting"
            self.told = 0

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def update(self, lines: int) -> None:
            self.told += lines
            if self.is_posting and self.told >= after:
                raise ConnectionAbortedError("the power went out")

    return Bar
