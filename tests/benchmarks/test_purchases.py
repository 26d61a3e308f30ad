"""Purchases a second: through the service, through HTTP and in bulk, against the same rows written by hand."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.trial.folder import free_port
from loyalty.periods import end_of_month_after
from members.actors import Actor
from members.identifiers import MEMBER, public_ref
from members.models import Member
from members.queries import programme
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.models import LedgerEntry, Product, Purchase
from rewards.services.bulk import post_history
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.verification import verify
from tests.factories.api import Till, make_channel, make_store, make_till
from tests.harness.results import Figures

PROJECT = Path(__file__).resolve().parents[2]
MEMBERS = 2_000
ROUNDS = 5
AT_A_TIME = 300
AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
BY = Actor("system", None)
LINES = (
    OrderLine("C-LAT", "拿铁", Decimal(1), Decimal("28.00"), Decimal("28.00")),
    OrderLine("B-CRO", "可颂", Decimal(2), Decimal("16.00"), Decimal("32.00")),
)
MOST_STATEMENTS = 8  # of a full purchase, with BEGIN and COMMIT (DECISIONS.md 25)
_numbers = count(1)

HAND_WRITTEN = {
    "purchase": """INSERT INTO rewards_purchase (source, external_order_no, fingerprint, member_id, channel_id, store_id, ordered_at,
        total_amount, eligible_amount, original_currency) VALUES ('hand', %(no)s, '\\x00', %(member)s, %(channel)s, %(store)s, %(at)s, 60, 60, '')
        RETURNING id""",
    "lines": """INSERT INTO rewards_purchaseline (purchase_id, line_no, sku, name, product_id, quantity, unit_price, amount, earns)
        VALUES (%(purchase)s, 1, 'C-LAT', '拿铁', %(latte)s, 1, 28, 28, true), (%(purchase)s, 2, 'B-CRO', '可颂', %(croissant)s, 2, 16, 32, true)""",
    "account": """UPDATE rewards_pointsaccount SET available = available + 60, seq = seq + 1
        WHERE member_id = %(member)s AND currency_id = %(currency)s RETURNING id, seq, available""",
    "transaction": """INSERT INTO rewards_ledgertransaction (kind, source, natural_key, currency_id, member_id, actor_kind, happened_at, trace)
        VALUES (1, 'hand', %(no)s, %(currency)s, %(member)s, 'system', %(at)s, %(trace)s::jsonb) RETURNING id""",
    "entry": """INSERT INTO rewards_ledgerentry (transaction_id, account_id, member_id, seq, d_available, d_pending, d_held, d_debt,
        available_after, pending_after, held_after, debt_after, contra, happened_at, hash)
        VALUES (%(transaction)s, %(account)s, %(member)s, %(seq)s, 60, 0, 0, 0, %(available)s, 0, 0, 0, 1, %(at)s,
        ledger_entry_hash(1::smallint, 'hand', %(no)s, %(member)s, %(account)s, %(seq)s, 60, 0, 0, 0, %(available)s, 0, 0, 0, 1::smallint, %(at)s))
        RETURNING id""",
    "lot": """INSERT INTO rewards_lot (account_id, member_id, transaction_id, amount, remaining, state, available_at, expires_at)
        VALUES (%(account)s, %(member)s, %(transaction)s, 60, 60, 2, %(at)s, %(expires)s) RETURNING id""",
    "move": "INSERT INTO rewards_lotmove (entry_id, lot_id, d_remaining, d_held) VALUES (%(entry)s, %(lot)s, 60, 0)",
    "qualification": """INSERT INTO loyalty_qualificationentry (member_id, kind, source, source_ref, credits, spend_amount, orders, happened_at)
        VALUES (%(member)s, 'purchase', 'hand', %(no)s, 60, 60, 1, %(at)s)""",
    "timeline": """INSERT INTO members_timelineentry (kind, member_id, happened_at, actor_kind, payload)
        VALUES ('rewards.purchase_recorded.v1', %(member)s, %(at)s, 'system', %(payload)s::jsonb)""",
}  # fmt: skip
TRACE = {
    "v": 1, "rule": 1, "step": [1, "1.00"], "amount": "60.00", "tier": ["member", "1.00"], "not": [],
    "lines": [["base", "1", 60, {"zh-hans": "消费得积分", "zh-hant": "消費得積分", "en": "Points on purchases"}]],
}  # fmt: skip


class Shop:
    """Members, goods, a store and a till; and ways to sell to the next member."""

    def __init__(self) -> None:
        self.store = make_store()
        self.channel = make_channel()
        joined = AT - timedelta(days=300)
        self.members = enrol_many(
            members=[NewMember(joined, self.channel.pk) for _ in range(MEMBERS)], by=BY, at=joined
        )
        self.refs = [
            public_ref(MEMBER, public_id)
            for public_id in Member.objects.order_by("pk").values_list("public_id", flat=True)
        ]
        self.products = {line.sku: Product.objects.create(sku=line.sku, name=line.name).pk for line in LINES}
        post_history(
            orders=[self.order() for _ in range(MEMBERS)], returns=[], by=BY, at=AT, quiet=True
        )  # everybody has an account
        self.till: Till = make_till(self.store)

    def next_member(self) -> tuple[int, int]:
        """Return a number never given before, and the place of the next member."""
        number = next(_numbers)
        return number, number % MEMBERS

    def order(self) -> Order:
        """Return an order of two lines, of the next member."""
        number, place = self.next_member()
        return Order("service", f"{number:08}", self.members[place], self.channel.pk, self.store.pk, AT, LINES)

    def body(self) -> dict[str, Any]:
        """Return the same order as a till sends it."""
        number, place = self.next_member()
        return {
            "external_order_no": f"T{number:08}", "ordered_at": AT.isoformat(), "member_ref": self.refs[place],
            "lines": [{"sku": line.sku, "name": line.name, "quantity": str(line.quantity), "unit_price": str(line.unit_price), "amount": str(line.amount)} for line in LINES],
        }  # fmt: skip

    def by_hand(self, server: psycopg.Connection, currency: int, expires: datetime) -> None:
        """Write what a purchase writes, knowing everything beforehand: no rule, no tier, no promotion is looked at."""
        number, place = self.next_member()
        values: dict[str, Any] = {
            "no": f"{number:08}", "member": self.members[place], "channel": self.channel.pk, "store": self.store.pk, "at": AT,
            "currency": currency, "expires": expires, "trace": json.dumps(TRACE), "latte": self.products["C-LAT"], "croissant": self.products["B-CRO"],
        }  # fmt: skip
        with server.transaction():
            values["purchase"] = _one(server, "purchase", values)[0]
            server.execute(HAND_WRITTEN["lines"], values, prepare=True)
            values["account"], values["seq"], values["available"] = _one(server, "account", values)
            for name in ("transaction", "entry", "lot"):
                values[name] = _one(server, name, values)[0]
            for name in ("move", "qualification"):
                server.execute(HAND_WRITTEN[name], values, prepare=True)
            payload = {
                "purchase": values["purchase"], "store": self.store.pk, "channel": self.channel.pk, "amount": "60.00", "points": 60,
                "pending": False, "credits": 60, "order_no": values["no"],
            }  # fmt: skip
            server.execute(HAND_WRITTEN["timeline"], values | {"payload": json.dumps(payload)}, prepare=True)


def _one(server: psycopg.Connection, name: str, values: dict[str, Any]) -> tuple[Any, ...]:
    row = server.execute(HAND_WRITTEN[name], values, prepare=True).fetchone()
    assert row is not None
    return tuple(row)


def per_second(act: Callable[[], object], times: int = AT_A_TIME) -> float:
    """Return how often a second an act can be done."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return times / (time.perf_counter() - began)


@pytest.fixture
def shop(committed_db: str) -> Shop:
    """A shop in a database of its own."""
    return Shop()


class TestPurchases:
    """A purchase …"""

    def test_at_a_good_share_of_hand_written_sql(
        self, shop: Shop, committed_db: str, record_result: Callable[[str, Figures], None]
    ) -> None:
        """The ways take turns, so that whatever else the machine does falls on all of them; medians are compared."""
        expires = end_of_month_after(AT, 12, programme().tz)
        rates: dict[str, list[float]] = {"hand-written SQL": [], "service": [], "HTTP, in process": []}
        cpu: dict[str, list[float]] = {name: [] for name in rates}
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM rewards_pointscurrency")
            currency = cursor.fetchone()[0]
        with psycopg.connect(committed_db, autocommit=True) as server:
            ways: dict[str, Callable[[], object]] = {
                "hand-written SQL": lambda: shop.by_hand(server, currency, expires),
                "service": lambda: record_purchase(order=shop.order(), by=BY, at=AT),
                "HTTP, in process": lambda: _sold(shop.till.post("/pos/orders", shop.body(), key=f"k{next(_numbers)}")),
            }
            for _ in range(ROUNDS):
                for name, act in ways.items():
                    before = time.process_time()
                    rates[name].append(per_second(act))
                    cpu[name].append((time.process_time() - before) / AT_A_TIME * 1000)
        assert [str(finding) for finding in verify(at=AT)] == []
        assert Purchase.objects.count() == LedgerEntry.objects.count() == MEMBERS + 3 * ROUNDS * AT_A_TIME
        limit = statistics.median(rates["hand-written SQL"])
        record_purchase(order=shop.order(), by=BY, at=AT)  # rules and tiers are read anew every few seconds
        with CaptureQueriesContext(connection) as captured:
            record_purchase(order=shop.order(), by=BY, at=AT)
        figures: dict[str, object] = {}
        for name, measured in rates.items():
            rate = statistics.median(measured)
            figures[name] = (
                f"{rate:,.0f} a second ({rate / limit:.2f} of hand-written SQL; {statistics.median(cpu[name]):.2f} ms CPU of Python each)"
            )
        figures["statements of one purchase, with BEGIN and COMMIT"] = len(captured)
        bulk = _bulk_rate(shop)
        figures["bulk posting, one process"] = f"{bulk:,.0f} a second ({bulk / limit:.1f} of hand-written SQL)"
        figures["load average of the machine"] = f"{os.getloadavg()[0]:.1f}"
        record_result("Purchases a second", figures)

        assert len(captured) <= MOST_STATEMENTS, [query["sql"][:90] for query in captured.captured_queries]
        assert statistics.median(rates["service"]) / limit >= 0.20
        assert statistics.median(rates["HTTP, in process"]) / limit >= 0.10
        assert bulk / limit >= 2

    def test_over_a_real_server(
        self, shop: Shop, committed_db: str, record_result: Callable[[str, Figures], None]
    ) -> None:
        """Four tills at once, each on a connection of its own, against the web server of the portal."""
        with web_server(committed_db) as port:
            for _ in range(2):  # the first round warms both workers
                bodies = [[json.dumps(shop.body()) for _ in range(AT_A_TIME)] for _ in range(4)]
                began = time.perf_counter()
                with ThreadPoolExecutor(4) as tills:
                    waits = [
                        wait
                        for part in tills.map(lambda part: _sell_all(port, shop.till.secret, part), bodies)
                        for wait in part
                    ]
                rate = len(waits) / (time.perf_counter() - began)
        slowest = sorted(waits)[int(len(waits) * 0.95)]
        record_result(
            "Purchases a second through the web server",
            f"{rate:,.0f} a second with 4 tills (two workers; the tills run on the same cores); median {statistics.median(waits) * 1000:.1f} ms, "
            f"95 % within {slowest * 1000:.1f} ms; load average {os.getloadavg()[0]:.1f}.",
        )
        assert Purchase.objects.filter(source="till").count() == 8 * AT_A_TIME
        assert [str(finding) for finding in verify(at=AT)] == []
        assert rate >= 50


def _sold(response: Any) -> None:
    assert response.status_code == 201, response.content


def _bulk_rate(shop: Shop) -> float:
    orders = [shop.order() for _ in range(8_000)]
    began = time.perf_counter()
    for start in range(0, len(orders), 4_000):
        outcome = post_history(orders=orders[start : start + 4_000], returns=[], by=BY, at=AT, quiet=True)
        assert outcome.orders_new == 4_000
    return len(orders) / (time.perf_counter() - began)


def _sell_all(port: int, secret: str, bodies: list[str]) -> list[float]:
    """Send orders one after another over one connection; return how long each took, in seconds."""
    waits = []
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"g{next(_numbers)}",
        }
        began = time.perf_counter()
        server.request("POST", "/api/v1/pos/orders", body, headers)
        answer = server.getresponse()
        content = answer.read()
        waits.append(time.perf_counter() - began)
        assert answer.status == 201, content
    server.close()
    return waits


@contextmanager
def web_server(url: str, **more: str) -> Iterator[int]:
    """Run the web server on a database as ./run.sh does, with `more` in its environment; yield its port."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": url,
        "DATABASE_POOL": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        **more,
    }
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "config.wsgi:application",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--workers", "2", "--blocking-threads", "1", "--no-ws"]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_answers(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            server = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            server.request("GET", "/api/v1/program")
            server.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the web server does not answer")
