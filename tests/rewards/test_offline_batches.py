"""Orders that tills took offline: each recorded by itself and answered, once for ever; and what a till must know for it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from members.actors import SYSTEM, Actor
from members.api.signatures import signature_of
from members.models import ApiKey, KeyDay, Member
from members.services.keys import revoke_key, rotate_key, rotate_signing_secret, signs_batches
from rewards.models import OfflineBatch, OfflineBatchLine, Purchase
from rewards.queries import balance_of
from rewards.services import offline_batches
from rewards.services.offline_batches import work_off_batches
from tests.factories.api import Till, make_member, make_store, make_till, now, order_body, problem_of
from tests.factories.portal import an_operator
from tests.factories.till import points_pay, ref

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    return make_member(phone="13800138000")


def a_batch(*orders: dict[str, Any], number: str = "B-1") -> dict[str, Any]:
    return {"external_batch_no": number, "orders": list(orders)}


def signed(secret: str, body: dict[str, Any], *, number: str = "msg_1") -> dict[str, str]:
    """Return the headers that sign a batch as its till sends it."""
    stamp, sent = int(now().timestamp()), json.dumps(body).encode()
    signature = signature_of(secret, message_id=number, stamp=stamp, body=sent, address="POST /api/v1/pos/batches")
    return {"webhook_id": number, "webhook_timestamp": str(stamp), "webhook_signature": signature}


class TestABatch:
    def test_answers_each_order_by_itself(self, till: Till, member: Member) -> None:
        before = order_body(ref(member), amount="10.00")
        assert till.post("/pos/orders", before, key="0").status_code == 201
        good = order_body(ref(member), amount="50.00")
        body = a_batch(
            good, before, order_body(ref(member), points=100), order_body(ref(member), vouchers=["vch_x"]),
            order_body(ref(member), amount="x"), order_body(f"mem_{'0' * 26}"), good | {"lines": before["lines"]},
            order_body(ref(member), ordered_at=(now() + timedelta(days=1)).isoformat()),
        )  # fmt: skip
        answer = till.post("/pos/batches", body, key="1")
        assert answer.status_code == 200, answer.json()
        told = answer.json()
        assert (told["is_done"], told["total"], told["recorded"], told["known"], told["refused"]) == (True, 8, 1, 1, 6)
        assert [line["code"] for line in told["lines"]] == [
            "", "", "spending_offline", "spending_offline", "validation_error", "not_found", "order_conflict", "order_in_future",
        ]  # fmt: skip
        assert all(bool(line["reason"]) == bool(line["code"]) for line in told["lines"])
        assert told["lines"][4]["fields"] == ["lines"]
        assert (told["lines"][0]["points_earned"], told["lines"][0]["outcome"]) == (50, "recorded")
        assert balance_of(member.pk, now()).available == 60
        assert till.get(f"/pos/batches/{told['id']}").json() == told
        assert OfflineBatch.objects.get().orders == []

    def test_told_again_gives_the_same_answers(self, till: Till, member: Member) -> None:
        body = a_batch(order_body(ref(member)), order_body(ref(member)))
        first = till.post("/pos/batches", body, key="1").json()
        replayed = till.post("/pos/batches", body, key="1")
        assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (first, "true")
        assert till.post("/pos/batches", body, key="2").json() == first
        other = a_batch(order_body(ref(member)))
        assert problem_of(till.post("/pos/batches", other, key="3")) == (409, "order_conflict")
        assert Purchase.objects.count() == 2

    def test_that_broke_off_goes_on_where_it_stopped(
        self, till: Till, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, calls = offline_batches.record_purchase, []

        def once(**asked: Any) -> Any:
            calls.append(asked)
            if len(calls) == 2:
                raise RuntimeError("the worker was killed")
            return whole(**asked)

        monkeypatch.setattr(offline_batches, "record_purchase", once)
        body = a_batch(*(order_body(ref(member)) for _ in range(3)))
        with pytest.raises(RuntimeError):
            till.post("/pos/batches", body, key="1")
        assert Purchase.objects.count() == 1
        work_off_batches(at=timezone.now())  # too fresh: its own call may still be at work
        assert Purchase.objects.count() == 1
        work_off_batches(at=timezone.now() + timedelta(minutes=5))
        told = till.post("/pos/batches", body, key="1").json()
        assert (told["is_done"], told["recorded"]) == (True, 3)
        assert Purchase.objects.count() == OfflineBatchLine.objects.count() == 3

    def test_that_broke_off_earns_nothing_more_once_its_key_is_revoked(
        self, till: Till, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = offline_batches.record_purchase

        def revoked_meanwhile(**asked: Any) -> Any:
            receipt = whole(**asked)
            if Purchase.objects.count() == 1:
                revoke_key(key_id=till.key.pk, reason="stolen", by=SYSTEM, at=now())
            return receipt

        monkeypatch.setattr(offline_batches, "record_purchase", revoked_meanwhile)
        body = a_batch(*(order_body(ref(member), amount="50.00") for _ in range(3)))
        told = till.post("/pos/batches", body, key="1").json()
        assert [line["code"] for line in told["lines"]] == ["", "key_revoked", "key_revoked"]
        assert all(line["reason"] for line in told["lines"][1:])
        assert (told["is_done"], balance_of(member.pk, now()).available) == (True, 50)

    def test_counts_towards_what_the_key_may_move_in_a_day(self, till: Till, member: Member) -> None:
        ApiKey.objects.update(daily_points_ceiling=60)
        beyond = order_body(ref(member), amount="20.00")
        body = a_batch(order_body(ref(member), amount="50.00"), beyond, order_body(ref(member), amount="10.00"))
        told = till.post("/pos/batches", body, key="1").json()
        assert [line["code"] for line in told["lines"]] == ["", "key_ceiling_reached", ""]
        assert "60 points a day" in told["lines"][1]["reason"]
        assert (balance_of(member.pk, now()).available, Purchase.objects.count()) == (60, 2)
        KeyDay.objects.all().delete()  # the next day
        assert till.post("/pos/batches", a_batch(beyond, number="B-2"), key="2").json()["recorded"] == 1

    def test_is_signed_once_its_key_was_given_a_secret(self, till: Till, member: Member) -> None:
        staff = Actor("operator", an_operator().pk)
        secret = rotate_signing_secret(key_id=till.key.pk, overlap_days=0, reason="x", by=staff, at=now())
        body = a_batch(order_body(ref(member)))
        assert problem_of(till.post("/pos/batches", body, key="1")) == (401, "signature_invalid")
        headers = signed(secret, body)
        other = a_batch(order_body(ref(member)))
        assert problem_of(till.post("/pos/batches", other, key="2", **headers)) == (401, "signature_invalid")
        assert not OfflineBatch.objects.exists()
        assert till.post("/pos/batches", body, key="3", **headers).json()["recorded"] == 1
        assert problem_of(till.post("/pos/batches", body, key="3", **headers)) == (409, "signature_replayed")
        again = till.post("/pos/batches", body, key="3", **signed(secret, body, number="msg_2"))
        assert again.headers["Idempotency-Replayed"] == "true"
        rotated = rotate_key(key_id=till.key.pk, reason="x", by=staff, at=now())
        assert signs_batches(rotated.key)

    def test_of_more_than_500_orders_or_of_another_store_is_refused(self, till: Till, member: Member) -> None:
        order = order_body()
        assert problem_of(till.post("/pos/batches", a_batch(*[order] * 501), key="1")) == (400, "validation_error")
        assert problem_of(till.post("/pos/batches", a_batch(), key="2")) == (400, "validation_error")
        told = till.post("/pos/batches", a_batch(order), key="3").json()
        elsewhere = make_till(make_store("S02"))
        assert problem_of(elsewhere.get(f"/pos/batches/{told['id']}")) == (404, "not_found")
        assert problem_of(elsewhere.post("/pos/batches", a_batch(order), key="4")) == (409, "order_conflict")


class TestTheConfig:
    def test_tells_a_till_what_it_must_know_and_our_clock(self, till: Till) -> None:
        points_pay(min_points=500)
        answer = till.get("/pos/config")
        told = answer.json()
        assert (told["store"]["code"], told["source"], told["currency"]) == ("S01", "till", "CNY")
        assert told["limits"]["orders_per_batch"] == 500
        [rule] = told["earning"]
        assert (rule["points"], rule["step"], rule["counts_everything"], rule["is_extra"]) == (1, "1.00", True, False)
        assert told["points_payment"]["sentence"].startswith("Points: each 100 pay ¥1.00, from 500 on")
        assert answer.headers["X-Server-Time"].endswith("Z")
        again = till.get("/pos/config", if_none_match=answer.headers["ETag"])
        assert again.status_code == 304
        assert again.headers["X-Server-Time"]
