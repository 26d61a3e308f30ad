"""The posting path against its floor: pgbench with the bare database functions, on the same server in the same run.

Durable settings (the server of ./run.sh prove). Ratios are what counts; absolute figures are the machine's.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test import RequestFactory
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.trial.postgres import binaries
from members.actors import SYSTEM
from members.api.authentication import TillAuthentication
from members.api.base import ApiView
from members.api.permissions import till_may
from members.identifiers import MEMBER, public_ref
from members.models import Member
from members.services.bulk_enrolment import NewMember, enrol_many
from members.services.keys import ORDERS_WRITE
from rewards import ledger
from rewards.ledger_batch import BatchFact, post_batch
from rewards.models import PointsAccount
from rewards.queries import balance_of
from rewards.services.expiry import expire_due_lots
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.verification import verify
from tests.factories.api import make_channel, make_store, make_till
from tests.harness.results import Figures

MEMBERS = 2_000
ROUNDS = 5
AT_A_TIME = 300
SECONDS = 4
AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
EXPIRES = AT + timedelta(days=400)
LOTS = 200_000
_numbers = count(1)

TRACE = (
    '{"v":2,"kind":"earn","amount":"60.00","tier":["member","1.00"],"lines":[["base","1",60,'
    '{"zh-hans":"消费得积分","zh-hant":"消費得積分","en":"Points on purchases"},{"n":1,"amount":"60.00","step":[1,"1.00"]}]],"not":[]}'
)
EARN = f"""\\set member random(:first, :last)
SELECT ledger_credit(1::smallint, 1::smallint, :member, :currency::smallint, 'bench', md5(random()::text || clock_timestamp()::text),
  '{AT.isoformat()}', '{AT.isoformat()}', ARRAY[60]::bigint[], ARRAY[1]::smallint[], ARRAY['{AT.isoformat()}']::timestamptz[],
  ARRAY['{EXPIRES.isoformat()}']::timestamptz[], NULL, 'system', NULL, '', NULL, '', '{TRACE}'::jsonb);
"""
REDEEM = f"""\\set member random(:first, :last)
SELECT ledger_debit(3::smallint, 2::smallint, :member, :currency::smallint, 7, 'bench', md5(random()::text || clock_timestamp()::text),
  '{AT.isoformat()}', 'system', NULL, '', NULL, '', '{{}}'::jsonb);
"""


class World:
    """Members with accounts, and one database for all ways of posting."""

    def __init__(self, url: str, scratch: Path) -> None:
        self.url = url
        self.scratch = scratch
        self.store = make_store()
        self.channel = make_channel()
        joined = AT - timedelta(days=300)
        self.members = enrol_many(
            members=[NewMember(joined, self.channel.pk) for _ in range(MEMBERS)], by=SYSTEM, at=joined
        )
        self.currency = ledger.currency_id()
        for _ in range(5):  # everybody has five open lots
            self.earn_in_bulk(self.members)

    def earn_in_bulk(self, members: list[int], expires_at: datetime = EXPIRES, points: int = 60) -> None:
        """Credit one lot to each of the members given, set-based."""
        lot = (ledger.NewLot(points, ledger.Origin.PURCHASE, AT, expires_at),)
        facts = [BatchFact("earn", member, "bulk", f"b{next(_numbers)}", AT, {"v": 2}, lots=lot) for member in members]
        with transaction.atomic():
            post_batch(facts, by=SYSTEM)

    def pgbench(self, script: str, *, clients: int, seconds: int = SECONDS, only: int | None = None) -> float:
        """Return the transactions a second of a script with so many clients."""
        path = self.scratch / "script.sql"
        path.write_text(script, encoding="utf-8")
        first, last = (only, only) if only else (self.members[0], self.members[-1])
        done = subprocess.run(
            [
                str(binaries(None) / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(path),
                "-D", f"first={first}", "-D", f"last={last}", "-D", f"currency={self.currency}", self.url,
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        [rate] = [line for line in done.stdout.splitlines() if line.startswith("tps = ")]
        return float(rate.split()[2])

    def next_member(self) -> int:
        return self.members[next(_numbers) % MEMBERS]

    def earn(self) -> None:
        """Post an earning by one call on a connection that commits by itself."""
        ledger.accrue(
            member_id=self.next_member(), lots=[ledger.NewLot(60, 1, AT, EXPIRES)], source="django", natural_key=f"e{next(_numbers)}",
            at=AT, by=SYSTEM, trace=_TRACE,
        )  # fmt: skip

    def redeem(self) -> None:
        """Spend by one call on a connection that commits by itself."""
        ledger.burn(
            member_id=self.next_member(),
            points=7,
            source="django",
            natural_key=f"r{next(_numbers)}",
            at=AT,
            by=SYSTEM,
            trace={},
        )

    def buy(self, member: int | None = None) -> None:
        """Record a purchase of two lines through the service."""
        lines = (
            OrderLine("C-LAT", "拿铁", Decimal(1), Decimal("28.00"), Decimal("28.00")),
            OrderLine("B-CRO", "可颂", Decimal(2), Decimal("16.00"), Decimal("32.00")),
        )
        order = Order(
            "service", f"p{next(_numbers)}", member or self.next_member(), self.channel.pk, self.store.pk, AT, lines
        )
        record_purchase(order=order, by=SYSTEM, at=AT)


_TRACE: dict[str, Any] = {
    "v": 2,
    "kind": "earn",
    "lines": [["base", "1", 60, {"en": "Points on purchases"}, {"n": 1}]],
    "not": [],
}


class PostOnlySerializer(serializers.Serializer):
    """What a view that only posts is told."""

    member = serializers.IntegerField()
    number = serializers.CharField(max_length=80)
    points = serializers.IntegerField(min_value=1)


class PostOnlyView(ApiView):
    """Authenticates a till, checks a body and posts: nothing else that a purchase needs."""

    authentication_classes = (TillAuthentication,)
    permission_classes = (till_may(ORDERS_WRITE),)

    def post(self, request: Request) -> Response:
        body = PostOnlySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        posting = ledger.accrue(
            member_id=asked["member"], lots=[ledger.NewLot(asked["points"], 1, AT, EXPIRES)], source="drf",
            natural_key=asked["number"], at=AT, by=SYSTEM, trace=_TRACE,
        )  # fmt: skip
        return Response({"available": posting.available}, status=201)


@contextmanager
def autocommit_postings() -> Iterator[None]:
    """Let single postings commit by themselves: a benchmark of one call, where no refusal has to be rolled back."""
    with patch("rewards.ledger._inside_a_transaction"):
        yield


@pytest.fixture
def world(committed_db: str, tmp_path: Path) -> World:
    """A database with members and lots."""
    return World(committed_db, tmp_path)


def per_second(act: Callable[[], object], times: int = AT_A_TIME) -> float:
    """Return how often a second an act can be done."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return times / (time.perf_counter() - began)


def wal_of(act: Callable[[], object]) -> int:
    """Return the bytes of write-ahead log that an act wrote."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        before = cursor.fetchone()[0]
        act()
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - %s::pg_lsn)::bigint", [before])
        return int(cursor.fetchone()[0])


class TestPosting:
    """Posting …"""

    def test_from_django_against_the_bare_functions(
        self, world: World, record_result: Callable[[str, Figures], None]
    ) -> None:
        """The ways take turns, so that whatever else the machine does falls on all of them; medians are compared."""
        till = make_till(world.store)
        factory = RequestFactory()
        view = PostOnlyView.as_view()

        def post_only() -> None:
            body = {"member": world.next_member(), "number": f"d{next(_numbers)}", "points": 60}
            request = factory.post(
                "/bench", body, content_type="application/json", headers={"Authorization": f"Bearer {till.secret}"}
            )
            response = view(request)
            assert response.status_code == 201, response.data

        refs = till_bodies(world)
        ways: dict[str, Callable[[], float]] = {
            "earn, pgbench, 1 client": lambda: world.pgbench(EARN, clients=1),
            "earn, Django": lambda: per_second(world.earn),
            "redeem, pgbench, 1 client": lambda: world.pgbench(REDEEM, clients=1),
            "redeem, Django": lambda: per_second(world.redeem),
            "full purchase, service": lambda: per_second(world.buy),
            "DRF view that only posts": lambda: per_second(post_only),
            "full purchase, DRF": lambda: per_second(
                lambda: _sold(till.post("/pos/orders", refs(), key=f"k{next(_numbers)}"))
            ),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        with autocommit_postings():
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    rates[name].append(way())
        assert [str(finding) for finding in verify(at=AT)] == []
        rate = {name: statistics.median(measured) for name, measured in rates.items()}
        earn, redeem = rate["earn, pgbench, 1 client"], rate["redeem, pgbench, 1 client"]
        figures: dict[str, object] = {}
        for name, per in rate.items():
            limit = redeem if name.startswith("redeem") else earn
            figures[name] = f"{per:,.0f} a second ({per / limit:.2f} of the bare function)"
        figures["full DRF of the view that only posts"] = (
            f"{rate['full purchase, DRF'] / rate['DRF view that only posts']:.2f}"
        )
        figures["load average of the machine"] = f"{os.getloadavg()[0]:.1f}"
        record_result("Posting and purchases against the bare functions", figures)
        assert rate["earn, Django"] / earn >= 0.5
        assert rate["redeem, Django"] / redeem >= 0.5

    def test_of_a_hot_account_is_exact(self, world: World, record_result: Callable[[str, Figures], None]) -> None:
        """Sixteen clients redeem from one account until it is empty; the rest is refused, and nothing is lost."""
        [member] = enrol_many(members=[NewMember(AT, world.channel.pk)], by=SYSTEM, at=AT)
        world.earn_in_bulk([member] * 700, points=700)
        limit = world.pgbench(EARN, clients=16)
        rate = world.pgbench(REDEEM, clients=16, only=member)
        left = balance_of(member, AT).available
        spent = 700 * 700 - left
        record_result(
            "A hot account, 16 clients",
            f"{rate:,.0f} redemptions a second ({rate / limit:.2f} of {limit:,.0f} earnings a second with 16 clients), {spent:,} points spent.",
        )
        assert spent % 7 == 0
        assert left >= 0
        assert [str(finding) for finding in verify(at=AT)] == []

    def test_in_sets_and_expiry_and_the_log_they_write(
        self, world: World, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Bare import and expiry against the earn limit of 16 clients; bytes of write-ahead log for each operation."""
        limit = world.pgbench(EARN, clients=16)
        due = AT + timedelta(days=1)
        chunks = [[world.members[place % MEMBERS] for place in range(4_000)] for _ in range(LOTS // 4_000)]
        checkpoint()
        world.earn_in_bulk(world.members)  # the first change of a page after a checkpoint logs the whole page
        began = time.perf_counter()
        bulk_wal = wal_of(lambda: _all(partial(world.earn_in_bulk, chunk, due, 1) for chunk in chunks))
        bulk = LOTS / (time.perf_counter() - began)
        began = time.perf_counter()
        expiry_wal = wal_of(lambda: expire_due_lots(at=due, by=SYSTEM))
        expiry = LOTS / (time.perf_counter() - began)
        with autocommit_postings():
            _all(world.earn for _ in range(MEMBERS))
            live_wal = wal_of(lambda: _all(world.earn for _ in range(2_000))) / 2_000
        record_result(
            "Bare import, expiry, write-ahead log",
            {
                "earn limit, pgbench, 16 clients": f"{limit:,.0f} a second",
                "bare import": f"{bulk:,.0f} a second ({bulk / limit:.1f} times the limit)",
                "expiry": f"{expiry:,.0f} lots a second ({expiry / limit:.1f} times the limit)",
                "log of a live earning": f"{live_wal:,.0f} bytes",
                "log of an imported earning": f"{bulk_wal / LOTS:,.0f} bytes",
                "log of an expired lot": f"{expiry_wal / LOTS:,.0f} bytes",
                "load average of the machine": f"{os.getloadavg()[0]:.1f}",
            },
        )
        assert [str(finding) for finding in verify(at=due)] == []

    def test_costs_the_same_however_long_the_history(
        self, world: World, record_result: Callable[[str, Figures], None]
    ) -> None:
        """One member with 10 entries and one with 100,000 and as many orders that counted, both with as many open lots, take turns.

        1,000 of the orders lie within the year that the ladder looks back on: three a day.
        """
        young, old = enrol_many(members=[NewMember(AT, world.channel.pk) for _ in range(2)], by=SYSTEM, at=AT)
        for _ in range(100):  # lots of others, or one member would be most of the table
            world.earn_in_bulk(world.members)
        world.earn_in_bulk([young] * 10)
        gone = AT + timedelta(minutes=1)
        for _ in range(25):
            world.earn_in_bulk([old] * 4_000, gone, 1)
        world.earn_in_bulk([old] * 10)
        account = PointsAccount.objects.get(member_id=old)
        with transaction.atomic():
            ledger.debit(
                kind=ledger.Kind.ADJUST, contra=ledger.Contra.ADJUSTMENT, member_id=old, points=100_000, source="bench",
                natural_key="old", at=AT, by=SYSTEM, trace={},
            )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO loyalty_qualificationentry (member_id, kind, source, source_ref, credits, spend_amount, orders, happened_at) "
                "SELECT %s, 'purchase', 'bench', 'old' || n, 0, 0, 1, "
                "%s::timestamptz - CASE WHEN n <= 1000 THEN n * interval '8 hours' ELSE interval '2 years' + n * interval '20 minutes' END "
                "FROM generate_series(1, 100000) AS n",
                [old, AT],
            )
            cursor.execute(
                "VACUUM ANALYZE rewards_lot, rewards_ledgerentry, rewards_pointsaccount, loyalty_qualificationentry"
            )
        took: dict[str, list[float]] = {"10 entries": [], "100,000 entries": []}
        for _ in range(ROUNDS * 2):
            for name, member in (("10 entries", young), ("100,000 entries", old)):
                took[name].append(1 / per_second(partial(world.buy, member), 50))
        balance = {
            name: 1000 / per_second(partial(balance_of, member, AT), 300)
            for name, member in (("10 entries", young), ("100,000 entries", old))
        }
        few, many = (statistics.median(times) * 1000 for times in took.values())
        record_result(
            "A purchase by the length of the history",
            f"{few:.2f} ms with 10 entries, {many:.2f} ms with {account.seq:,} entries ({many / few:.2f} times); "
            f"reading the balance {balance['10 entries']:.2f} ms and {balance['100,000 entries']:.2f} ms.",
        )
        assert many / few < 1.2


def _all(acts: Iterable[Callable[[], object]]) -> None:
    for act in acts:
        act()


def checkpoint() -> None:
    """Write all pages, so that the log of what follows holds as few whole pages as can be."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def till_bodies(world: World) -> Callable[[], dict[str, Any]]:
    """Return what makes orders as a till sends them."""
    refs = [
        public_ref(MEMBER, public_id) for public_id in Member.objects.order_by("pk").values_list("public_id", flat=True)
    ]

    def body() -> dict[str, Any]:
        number = next(_numbers)
        return {
            "external_order_no": f"T{number:08}", "ordered_at": AT.isoformat(), "member_ref": refs[number % MEMBERS],
            "lines": [
                {"sku": "C-LAT", "name": "拿铁", "quantity": "1", "unit_price": "28.00", "amount": "28.00"},
                {"sku": "B-CRO", "name": "可颂", "quantity": "2", "unit_price": "16.00", "amount": "32.00"},
            ],
        }  # fmt: skip

    return body


def _sold(response: Any) -> None:
    assert response.status_code == 201, response.content
