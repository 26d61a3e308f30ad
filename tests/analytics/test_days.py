"""The figures of days in the database: each entry once, members once a day, rebuilt to the same."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from time import sleep
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from analytics.handlers import count_days
from analytics.models import DayFigures, MemberDay
from analytics.queries import DaySummary, day_series, day_summary, points_outstanding, total
from analytics.services.days import READER
from analytics.services.rebuild import rebuild_days
from members.actors import SYSTEM
from members.models import ParkedEntry, Subscription
from members.queries import programme
from members.timeline import NewEntry, record, relay
from tests.campaigns.given import NOON, a_member, a_store, an_entry

SATURDAY = date(2026, 11, 21)
BOUGHT, RETURNED = "rewards.purchase_recorded.v1", "rewards.return_recorded.v1"


def bought(
    member_id: int | None, store_id: int | None, amount: str = "10.00", points: int = 10, at: datetime = NOON
) -> NewEntry:
    return NewEntry(BOUGHT, member_id, at, SYSTEM, {"store": store_id, "amount": amount, "points": points})


def read_on() -> int:
    """Relay once all entries can be read: transactions of other tests on this server may hold the cursor back a while."""
    readable = """
        SELECT coalesce(max(xact), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM members_timelineentry
    """
    with connection.cursor() as cursor:
        for _ in range(1_200):
            cursor.execute(readable)
            if cursor.fetchone()[0]:
                return relay(at=NOON, name=READER)
            sleep(0.05)
    raise TimeoutError


def everything() -> tuple[list[Any], list[Any]]:
    columns = [field.attname for field in DayFigures._meta.concrete_fields if field.attname != "id"]
    days = DayFigures.objects.order_by("date", "store").values_list(*columns)
    return list(days), list(MemberDay.objects.order_by("date", "member").values_list("date", "member_id", "store_id"))


@pytest.mark.django_db
class TestCountDays:
    def test_counts_a_member_once_a_day_in_the_first_store(self) -> None:
        member, other = a_member(), a_member()
        first, second = a_store("S1"), a_store("S2")

        def purchase(member_id: int | None, store_id: int | None, at: datetime = NOON) -> Any:
            return an_entry(BOUGHT, member_id, at, store=store_id, amount="10.00", points=10)

        count_days([purchase(member.pk, second.pk), purchase(member.pk, first.pk), purchase(None, None)])
        count_days(
            [
                purchase(member.pk, first.pk),
                purchase(other.pk, None),
                purchase(member.pk, first.pk, NOON + timedelta(days=1)),
            ]
        )
        active = DayFigures.objects.order_by("date", "store").values_list(
            "date", "store", "members_active", "member_orders"
        )
        assert list(active) == [
            (SATURDAY, first.pk, 0, 2),
            (SATURDAY, second.pk, 1, 1),
            (SATURDAY, None, 1, 1),
            (SATURDAY + timedelta(days=1), first.pk, 1, 1),
        ]
        assert day_summary(SATURDAY).members_active == 2

    def test_keeps_one_row_for_online_and_unknown(self) -> None:
        for _ in range(3):
            count_days([an_entry(BOUGHT, None, NOON, store=None, amount="0.10", points=0)])
        assert DayFigures.objects.get().guest_sales_amount == Decimal("0.30")

    def test_takes_two_statements_for_any_number_of_entries(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        members = [a_member().pk for _ in range(5)]
        told = [
            an_entry(BOUGHT, members[number % 5], NOON + timedelta(hours=number), store=None, amount="1.00", points=1)
            for number in range(300)
        ]
        programme()
        with django_assert_num_queries(2):
            count_days(told)
        assert total(day_series(SATURDAY, SATURDAY + timedelta(days=20))).member_orders == 300


class TestRelay:
    def tell(self) -> list[int]:
        member, other, store = a_member(), a_member(), a_store()
        ids = record(
            [
                NewEntry("members.enrolled.v1", member.pk, NOON, SYSTEM, {"channel": 1, "store": store.pk}),
                bought(member.pk, store.pk, "100.00", 100),
                bought(member.pk, None, "20.00", 20),
                bought(other.pk, store.pk, "5.50", 5, NOON + timedelta(days=1)),
                bought(None, store.pk, "7.25", 0),
                NewEntry("members.moved_house.v1", member.pk, NOON, SYSTEM, {}),
            ]
        )
        returned = {"store": store.pk, "amount": "40.00", "points": 40, "arrears": 3}
        ids += record(
            [
                NewEntry(RETURNED, member.pk, NOON + timedelta(days=2), SYSTEM, returned),
                NewEntry("rewards.reward_redeemed.v1", member.pk, NOON, SYSTEM, {"points": 30}),
                NewEntry("rewards.points_expired.v1", other.pk, NOON, SYSTEM, {"points": 2, "lots": 1}),
                NewEntry("rewards.voucher_used.v1", member.pk, NOON, SYSTEM, {"store": store.pk}),
                NewEntry("rewards.voucher_used.v1", member.pk, NOON, SYSTEM, {"store": store.pk}),
                NewEntry("rewards.voucher_use_undone.v1", member.pk, NOON, SYSTEM, {"store": store.pk}),
                NewEntry("loyalty.tier_raised.v1", member.pk, NOON, SYSTEM, {"quiet": True}),
                NewEntry("loyalty.tier_lowered.v1", other.pk, NOON, SYSTEM, {}),
            ]
        )
        return ids

    def test_folds_each_entry_once(self, committed_db: str) -> None:
        self.tell()
        assert read_on() == 13  # one of the fourteen is of no interest
        before = everything()
        assert read_on() == 0
        assert everything() == before
        assert day_summary(SATURDAY) == DaySummary(
            date=SATURDAY,
            members_joined=1,
            members_active=1,
            member_orders=2,
            guest_orders=1,
            member_sales_amount=Decimal("120.00"),
            guest_sales_amount=Decimal("7.25"),
            points_issued=120,
            points_redeemed=30,
            points_expired=2,
            redemptions=1,
            vouchers_used=1,
            tiers_raised=1,
            tiers_lowered=1,
        )
        assert day_summary(SATURDAY + timedelta(days=2)).points_taken_back == 40
        assert points_outstanding() == 125 - 30 - 2 - 40

    def test_is_rebuilt_to_the_same_figures(self, committed_db: str) -> None:
        ids = self.tell()
        read_on()
        before = everything()
        DayFigures.objects.filter(store=None).delete()
        DayFigures.objects.update(member_orders=99)
        MemberDay.objects.all().delete()
        ParkedEntry.objects.create(subscription_id=READER, entry_id=ids[0], error="ValueError", parked_at=NOON)
        out = StringIO()
        call_command("rebuild_days", stdout=out)
        assert everything() == before
        assert out.getvalue().startswith("13 ")
        assert not ParkedEntry.objects.exists()

    def test_is_rebuilt_from_the_beginning_of_a_long_timeline(
        self, committed_db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("members.timeline._SCAN_ROWS", 3)
        for _ in range(60):  # more than one relay's fifty batches
            record([bought(None, None), *[NewEntry("members.moved_house.v1", None, NOON, SYSTEM)] * 3])
        read_on()
        assert rebuild_days(at=NOON) == 60
        assert day_summary(SATURDAY).guest_orders == 60
        assert Subscription.objects.get(name=READER).entry_id > 0

    def test_leaves_figures_and_cursor_where_they_were_when_a_batch_breaks_off(self, committed_db: str) -> None:
        self.tell()
        read_on()
        before, cursor = everything(), Subscription.objects.values("epoch", "xact", "entry_id").get(name=READER)
        record([bought(None, None), NewEntry(BOUGHT, None, NOON, SYSTEM, {"store": None, "amount": "no number"})])
        read_on()
        assert ParkedEntry.objects.get().error.startswith("InvalidOperation")
        assert day_summary(SATURDAY).guest_orders == 2  # the good entry beside it counted, once
        assert before != everything()
        assert cursor != Subscription.objects.values("epoch", "xact", "entry_id").get(name=READER)


@pytest.mark.django_db
class TestQueries:
    def test_fills_days_on_which_nothing_happened(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        DayFigures.objects.create(date=SATURDAY, guest_orders=2)
        with django_assert_num_queries(1):
            series = day_series(SATURDAY - timedelta(days=1), SATURDAY + timedelta(days=2))
        assert [(day.date.day, day.guest_orders) for day in series] == [(20, 0), (21, 2), (22, 0)]

    def test_adds_up_stores_or_shows_some(self) -> None:
        first, second = a_store("S1"), a_store("S2")
        for store, orders in ((first, 1), (second, 10), (None, 100)):
            DayFigures.objects.create(date=SATURDAY, store=store, member_orders=orders, member_sales_amount=orders)
        assert day_summary(SATURDAY).member_orders == 111
        assert day_summary(SATURDAY, store_ids=[first.pk, second.pk]).member_orders == 11
        assert day_summary(SATURDAY, store_ids=[]).member_orders == 0
        assert day_summary(SATURDAY).average_order_amount == 1

    @pytest.mark.parametrize(
        ("member", "guest", "share"),
        [
            ("75", "25", "0.75"),
            ("0", "10", "0"),
            ("10", "0", "1"),
            ("0", "0", None),
            ("-5", "10", None),
            ("10", "-5", None),
        ],
    )
    def test_shares_are_between_nothing_and_all(self, member: str, guest: str, share: str | None) -> None:
        day = DaySummary(SATURDAY, member_sales_amount=Decimal(member), guest_sales_amount=Decimal(guest))
        assert day.member_share == (None if share is None else Decimal(share))

    def test_nothing_is_outstanding_before_anything_happened(self) -> None:
        assert points_outstanding() == 0
