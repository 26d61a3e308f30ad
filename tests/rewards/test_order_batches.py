"""Orders and returns of a shop, many at a time: recorded by a job as if each were told alone, and answered line by line."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from members.actors import SYSTEM
from members.models import Job, JobFile, Member
from members.services.jobs import run_job
from members.services.keys import ORDERS_READ, revoke_key, rotate_key
from members.services.rates import forget_leases
from rewards.models import Purchase, PurchaseReturn
from rewards.queries import balance_of
from rewards.services import order_batches
from tests.factories.api import Till, make_member, make_store, make_till, now, order_body, problem_of
from tests.factories.portal import signed_in
from tests.factories.till import ref

pytestmark = pytest.mark.django_db
PATH = "/integration/orders:batch"


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)
    forget_leases()


@pytest.fixture
def shop() -> Till:
    return make_till(source="webshop")


@pytest.fixture
def member() -> Member:
    return make_member(phone="13800138000")


def a_return(order_no: str, number: str = "R-1", **changes: Any) -> dict[str, Any]:
    return {"external_return_no": number, "external_order_no": order_no, "returned_at": now().isoformat()} | changes


def tell(shop: Till, *orders: dict[str, Any], returns: Any = (), key: str = "1", worked: bool = True) -> str:
    """Tell a batch and have it worked off; return its job's id."""
    answer = shop.post(PATH, {"orders": orders, "returns": returns}, key=key)
    assert answer.status_code == 202, answer.json()
    if worked:
        work(answer.json()["id"])
    job_id: str = answer.json()["id"]
    return job_id


def work(_job_id: str) -> str:
    job = Job.objects.filter(kind=order_batches.KIND).latest("pk")
    return run_job(job_id=job.pk, worker="one", clock=timezone.now)


def told(shop: Till, job_id: str) -> Any:
    answer = shop.get(f"{PATH}/{job_id}")
    assert answer.status_code == 200, answer.json()
    return answer.json()


def points(member: Member) -> int:
    return balance_of(member.pk, timezone.now()).available


class TestABatch:
    def test_answers_each_line_as_if_it_were_told_alone(self, shop: Till, member: Member) -> None:
        before = order_body(ref(member), amount="10.00")
        assert shop.post("/pos/orders", before, key="0").status_code == 201
        good = order_body(ref(member), amount="50.00")
        job_id = tell(
            shop, good, before, before | {"lines": good["lines"]}, order_body(ref(member), amount="x"), order_body(f"mem_{'0' * 26}"),
            order_body(ref(member), store="S77"), order_body(ref(member), ordered_at=(now() + timedelta(days=1)).isoformat()),
            order_body(ref(member), hold_id=f"hol_{'0' * 26}"), order_body(),
            returns=[
                a_return(good["external_order_no"], amount="20.00"), a_return("none", "R-2"),
                a_return(good["external_order_no"], "R-3", lines=[{"line_no": 1, "quantity": "2"}]), {"external_return_no": 5},
            ],
        )  # fmt: skip
        answer = told(shop, job_id)
        assert (answer["state"], answer["total"], answer["done"]) == ("done", 13, 13)
        assert [(line["outcome"], line["code"]) for line in answer["orders"]] == [
            ("accepted", ""), ("already_processed", ""), ("order_conflict", "order_conflict"), ("refused", "validation_error"),
            ("refused", "not_found"), ("refused", "wrong_store"), ("refused", "order_in_future"), ("refused", "not_found"),
            ("accepted", ""),
        ]  # fmt: skip
        assert [(line["outcome"], line["code"]) for line in answer["returns"]] == [
            ("accepted", ""), ("refused", "not_found"), ("refused", "return_exceeds_order"), ("refused", "validation_error"),
        ]  # fmt: skip
        first, known = answer["orders"][:2]
        assert (first["position"], first["external_order_no"], first["points_earned"]) == (
            1, good["external_order_no"], 50,
        )  # fmt: skip
        assert first["id"].startswith("ord_")
        assert known["points_earned"] == 10
        assert (answer["returns"][0]["position"], answer["returns"][0]["points_taken_back"]) == (1, 20)
        assert answer["returns"][0]["id"].startswith("ret_")
        assert answer["orders"][3]["fields"] == ["lines"]
        assert answer["orders"][3]["reason"] == "Not valid: lines"
        assert answer["orders"][5]["reason"] == "This key does not act for this store."
        assert "return_exceeds_order" not in answer["returns"][2]["reason"]
        assert all(line["reason"] for line in [*answer["orders"], *answer["returns"]] if line["code"])
        assert (Purchase.objects.count(), PurchaseReturn.objects.count(), points(member)) == (3, 1, 40)

    def test_told_again_changes_nothing_ever(self, shop: Till, member: Member) -> None:
        order = order_body(ref(member), amount="50.00")
        back = a_return(order["external_order_no"], amount="20.00")
        first = tell(shop, order, returns=[back])
        assert tell(shop, order, returns=[back], worked=False) == first  # the same key: the same job
        assert Job.objects.filter(kind=order_batches.KIND).count() == 1
        again = told(shop, tell(shop, order, returns=[back], key="2"))
        assert [line["outcome"] for line in [*again["orders"], *again["returns"]]] == ["already_processed"] * 2
        assert (again["orders"][0]["points_earned"], again["returns"][0]["points_taken_back"]) == (50, 20)
        assert problem_of(shop.post(PATH, {"orders": [order]}, key="2")) == (422, "idempotency_key_reused")
        assert points(member) == 30

    def test_goes_on_where_a_worker_was_lost(self, shop: Till, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        orders = [order_body(ref(member), amount="10.00") for _number in range(3)]
        job_id = tell(shop, *orders, worked=False)
        recorded, calls = order_batches._record, []

        def killed_at_the_second(*arguments: Any) -> bool:
            calls.append(arguments)
            is_known = recorded(*arguments)
            if len(calls) == 2:
                raise OperationalError("killed")
            return is_known

        monkeypatch.setattr(order_batches, "_record", killed_at_the_second)
        with pytest.raises(OperationalError):
            work(job_id)
        half = told(shop, job_id)
        assert (half["state"], half["done"], len(half["orders"])) == ("running", 1, 1)
        assert points(member) == 10
        job = Job.objects.get()
        run_job(job_id=job.pk, worker="two", clock=lambda: timezone.now() + timedelta(minutes=5))
        done = told(shop, job_id)
        assert [line["outcome"] for line in done["orders"]] == ["accepted"] * 3  # each did its work once
        assert points(member) == 30

    def test_keeps_to_the_day_ceiling_of_its_key(self, shop: Till, member: Member) -> None:
        shop.key.daily_points_ceiling = 60
        shop.key.save()
        orders = [order_body(ref(member), amount="50.00") for _number in range(2)]
        answer = told(shop, tell(shop, *orders, order_body(ref(member), amount="10.00")))
        assert [line["code"] for line in answer["orders"]] == ["", "key_ceiling_reached", ""]
        assert points(member) == 60
        shop.key.daily_points_ceiling = None
        shop.key.save()
        mended = told(shop, tell(shop, *orders, key="2"))
        assert [line["outcome"] for line in mended["orders"]] == ["already_processed", "accepted"]

    def test_of_a_key_that_is_revoked_meanwhile_records_nothing(self, shop: Till, member: Member) -> None:
        job_id = tell(shop, order_body(ref(member)), worked=False)
        revoke_key(key_id=shop.key.pk, reason="stolen", by=SYSTEM, at=now())
        work(job_id)
        assert (Purchase.objects.count(), Job.objects.get().failed) == (0, 1)

    def test_may_name_another_store_for_which_the_key_acts(self, shop: Till, member: Member) -> None:
        other = make_store("S02")
        shop.key.stores.add(other)
        answer = told(shop, tell(shop, order_body(ref(member), store="S02"), order_body(ref(member), store="S01")))
        assert [line["outcome"] for line in answer["orders"]] == ["accepted"] * 2
        assert list(Purchase.objects.order_by("pk").values_list("store__code", flat=True)) == ["S02", "S01"]
        numbers = list(Purchase.objects.order_by("pk").values_list("external_order_no", flat=True))
        returns = [a_return(no, f"R-{no}", store=store) for no, store in zip(numbers, ("S01", "S02"), strict=True)]
        back = told(shop, tell(shop, returns=returns, key="2"))  # bought in one store, brought to the other
        assert [line["outcome"] for line in back["returns"]] == ["accepted"] * 2


class TestStaff:
    def test_see_the_work_and_what_was_refused(self, shop: Till) -> None:
        tell(shop, order_body(), order_body(f"mem_{'0' * 26}"))
        page = signed_in("administrator").get(reverse("admin:members_job_change", args=[Job.objects.get().pk]))
        assert page.status_code == 200
        assert "Orders of another system: 2, returns: 0" in page.text


class TestWhoAsks:
    def test_sees_its_own_batches_also_with_the_key_that_takes_its_place(self, shop: Till) -> None:
        job_id = tell(shop, order_body())
        successor = rotate_key(key_id=shop.key.pk, reason="yearly", by=SYSTEM, at=now())
        mine = Till(secret=successor.secret, key=successor.key)
        assert told(mine, job_id)["done"] == 1
        assert mine.get(f"/jobs/{job_id}").json()["ok"] == 1
        other = make_till(source="webshop")
        for path in (f"{PATH}/{job_id}", f"/jobs/{job_id}"):
            assert problem_of(other.get(path)) == (404, "not_found")
        assert problem_of(shop.get(f"{PATH}/job_x")) == (404, "not_found")

    def test_needs_the_scope_and_a_key_for_the_call(self, shop: Till) -> None:
        reader = make_till(scopes=[ORDERS_READ])
        body = {"orders": [order_body()]}
        assert problem_of(reader.post(PATH, body, key="1")) == (403, "insufficient_scope")
        assert problem_of(shop.post(PATH, body)) == (400, "idempotency_key_missing")

    def test_is_told_when_answers_are_no_longer_kept(self, shop: Till) -> None:
        job_id = tell(shop, order_body())
        JobFile.objects.all().delete()
        assert problem_of(shop.get(f"{PATH}/{job_id}")) == (410, "job_file_gone")


class TestABody:
    @pytest.mark.parametrize("body", [{}, {"orders": []}, {"orders": "x"}, {"lines": []}, []])
    def test_without_lines_is_refused(self, shop: Till, body: Any) -> None:
        assert problem_of(shop.post(PATH, body, key="1")) == (400, "validation_error")

    def test_has_a_thousand_lines_at_most_and_a_megabyte(self, shop: Till) -> None:
        most = order_batches.MOST_LINES
        for orders, returns in ((most + 1, 0), (most, 1)):
            body = {"orders": [None] * orders, "returns": [None] * returns}
            assert problem_of(shop.post(PATH, body, key="1")) == (400, "validation_error")
        assert shop.post(PATH, {"orders": [None] * most}, key="1").status_code == 202
        large = {"orders": [{"external_order_no": "x" * 2_000_000}]}
        assert problem_of(shop.post(PATH, large, key="2")) == (413, "payload_too_large")

    def test_keeps_no_payer_in_plain(self, shop: Till) -> None:
        tell(shop, order_body(payer="oPayer-123"), worked=False)
        content = bytes(JobFile.objects.get().content).decode()
        assert "oPayer-123" not in content
        assert json.loads(content)[0]["said"]["payer"]
