"""The same order posted 50 times at once from 8 connections: one fact, one answer, no error."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import IdempotentAnswer, Member
from rewards.models import LedgerEntry, LedgerTransaction, Lot, Purchase
from rewards.queries import balance_of
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.verification import verify
from tests.factories.api import Caller, Till, make_member, make_store, make_till, now, order_body

CALLS = 50
CONNECTIONS = 8


def storm(act: Callable[[int], Any], calls: int = CALLS) -> list[Any]:
    """Return what `calls` calls answer that begin together on eight threads with a connection each."""
    barrier = Barrier(CONNECTIONS)

    def run(first: int) -> list[Any]:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return [act(number) for number in range(first, calls, CONNECTIONS)]
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [answer for found in pool.map(run, range(CONNECTIONS)) for answer in found]


@pytest.fixture
def member(committed_db: str) -> Member:
    return make_member(phone="13800138000")


@pytest.fixture
def till(committed_db: str) -> Till:
    return make_till()


@pytest.fixture
def body(member: Member) -> dict[str, Any]:
    return order_body(public_ref(MEMBER, member.public_id), amount="50.00")


def one_purchase_was_recorded(member: Member, points: int = 50) -> None:
    assert Purchase.objects.count() == 1
    assert LedgerTransaction.objects.count() == LedgerEntry.objects.count() == Lot.objects.count() == 1
    assert balance_of(member.pk, now()).available == points
    assert list(verify(at=now())) == []


class TestTheSameOrderAtOnce:
    def test_with_the_same_key_has_one_entry_and_one_answer(
        self, member: Member, till: Till, body: dict[str, Any]
    ) -> None:
        def post(_number: int) -> Any:
            return Caller(secret=till.secret).post("/pos/orders", body, key="the-one")

        answers = storm(post)
        assert len(answers) == CALLS
        assert Counter(answer.status_code for answer in answers) == {201: CALLS}
        assert len({json.dumps(answer.json(), sort_keys=True) for answer in answers}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
        assert IdempotentAnswer.objects.count() == 1
        one_purchase_was_recorded(member)

    def test_with_keys_of_their_own_is_processed_once(self, member: Member, till: Till, body: dict[str, Any]) -> None:
        answers = storm(lambda number: Caller(secret=till.secret).post("/pos/orders", body, key=f"key-{number}"))
        assert Counter(answer.status_code for answer in answers) == {200: CALLS - 1, 201: 1}
        assert len({json.dumps(answer.json() | {"already_processed": None}, sort_keys=True) for answer in answers}) == 1
        one_purchase_was_recorded(member)

    def test_with_another_body_under_the_key_is_refused_each_time(
        self, member: Member, till: Till, body: dict[str, Any]
    ) -> None:
        other = body | {"external_order_no": "T-other"}

        def post(number: int) -> Any:
            return Caller(secret=till.secret).post("/pos/orders", body if number % 2 else other, key="the-one")

        answers = storm(post)
        codes = Counter(answer.status_code for answer in answers)
        assert codes == {201: CALLS // 2, 422: CALLS // 2}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"idempotency_key_reused"}
        one_purchase_was_recorded(member)

    def test_through_the_service_has_one_entry(self, member: Member) -> None:
        at, store, till = now(), make_store(), make_till()
        order = Order(
            source="till",
            external_order_no="T-1",
            member_id=member.pk,
            channel_id=till.key.channel_id,
            store_id=store.pk,
            ordered_at=at,
            lines=(OrderLine("LATTE", "拿铁", Decimal(1), Decimal(50), Decimal(50)),),
        )
        receipts = storm(lambda _number: record_purchase(order=order, by=SYSTEM, at=at))
        assert Counter(receipt.already_recorded for receipt in receipts) == {True: CALLS - 1, False: 1}
        assert {(receipt.public_id, receipt.points, receipt.available) for receipt in receipts} == {
            (receipts[0].public_id, 50, 50)
        }
        one_purchase_was_recorded(member)


class TestOneMemberFromManyTills:
    def test_every_order_counts_once_and_the_balance_is_their_sum(self, member: Member, till: Till) -> None:
        ref = public_ref(MEMBER, member.public_id)
        bodies = [order_body(ref, amount="10.00") for _ in range(CALLS)]

        def post(number: int) -> Any:
            return Caller(secret=till.secret).post("/pos/orders", bodies[number], key=f"k{number}")

        answers = storm(post)
        assert Counter(answer.status_code for answer in answers) == {201: CALLS}
        assert sum(answer.json()["points_earned"] for answer in answers) == balance_of(member.pk, now()).available
        assert sorted(LedgerEntry.objects.values_list("seq", flat=True)) == list(range(1, CALLS + 1))
        assert list(verify(at=now())) == []
