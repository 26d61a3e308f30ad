"""A member's own orders, and what of the points expires when, over HTTP."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.periods import business_date, midnight
from members.actors import SYSTEM
from members.identifiers import MEMBER, public_ref
from members.models import Member
from members.queries import programme
from members.services.merging import merge_members
from rewards.models import PointsAccount
from tests.factories.api import Caller, Till, make_member, make_till, now, order_body, problem_of, sign_in
from tests.factories.histories import give_points

pytestmark = pytest.mark.django_db

LIST_QUERIES = 8
DETAIL_QUERIES = 11


@pytest.fixture
def member() -> Member:
    return make_member(phone="13800138000")


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


@pytest.fixture
def till() -> Till:
    return make_till()


def bought(till: Till, member: Member, amount: str = "50.00", **changes: Any) -> dict[str, Any]:
    body = order_body(public_ref(MEMBER, member.public_id), amount=amount, **changes)
    answer = till.post("/pos/orders", body, key=body["external_order_no"])
    assert answer.status_code == 201, answer.content
    receipt: dict[str, Any] = answer.json()
    return receipt


def came_back(till: Till, receipt: dict[str, Any], amount: str, number: str) -> None:
    path = f"/pos/orders/{receipt['external_order_no']}/returns"
    body = {"external_return_no": number, "returned_at": now().isoformat(), "amount": amount}
    assert till.post(path, body, key=number).status_code == 201


class TestOrders:
    def test_come_with_their_points_and_what_came_back(self, me: Caller, member: Member, till: Till) -> None:
        first, second = bought(till, member, "50.00"), bought(till, member, "80.00")
        came_back(till, first, "20.00", "R-1")
        came_back(till, first, "10.00", "R-2")
        newest, oldest = sorted(me.get("/me/orders").json()["items"], key=lambda one: one["total_amount"], reverse=True)
        assert (newest["id"], newest["points_earned"], newest["came_back"]) == (second["id"], 80, None)
        assert (oldest["points_earned"], oldest["came_back"]) == (50, {"amount": "30.00", "points": 30, "times": 2})
        assert (oldest["store"]["code"], oldest["channel"], oldest["voided_at"]) == ("S01", "Till", None)
        assert (
            oldest["ordered_on"]
            == business_date(datetime.fromisoformat(oldest["ordered_at"]), programme().tz).isoformat()
        )

    def test_are_told_one_by_one_with_lines_reasons_and_returns(self, me: Caller, member: Member, till: Till) -> None:
        receipt = bought(till, member)
        came_back(till, receipt, "20.00", "R-1")
        told = me.get(f"/me/orders/{receipt['id']}").json()
        assert [line["sku"] for line in told["lines"]] == ["LATTE"]
        assert told["explanation"]["lines"] == receipt["explain"]
        assert [(one["external_return_no"], one["points"]) for one in told["returns"]] == [("R-1", 20)]
        assert told["settlement"] is None

    def test_of_others_are_not_found(self, me: Caller, till: Till) -> None:
        receipt = bought(till, make_member())
        guest = order_body(amount="10.00")
        assert till.post("/pos/orders", guest, key="guest").status_code == 201
        assert me.get("/me/orders").json()["items"] == []
        for ref in (receipt["id"], "ord_1", "mem_1", "ord_" + "0" * 26):
            assert problem_of(me.get(f"/me/orders/{ref}")) == (404, "not_found")

    def test_of_a_merged_card_are_mine(self, me: Caller, member: Member, till: Till) -> None:
        other = make_member()
        receipt = bought(till, other)
        merge_members(kept_id=member.pk, merged_id=other.pk, by=SYSTEM, at=now(), reason="one person")
        assert [one["id"] for one in me.get("/me/orders").json()["items"]] == [receipt["id"]]
        assert me.get(f"/me/orders/{receipt['id']}").json()["points_earned"] == 50

    def test_come_in_pages_and_can_be_narrowed_in_few_queries(self, me: Caller, member: Member, till: Till) -> None:
        for number in range(4):
            receipt = bought(till, member, ordered_at=(now() - timedelta(minutes=number)).isoformat())
        came_back(till, receipt, "10.00", "R-1")
        with CaptureQueriesContext(connection) as queries:
            page = me.get("/me/orders?limit=3").json()
        assert len(queries) <= LIST_QUERIES, [query["sql"] for query in queries]
        rest = me.get(f"/me/orders?limit=3&cursor={page['next']}").json()
        assert [len(page["items"]), [one["id"] for one in rest["items"]]] == [3, [receipt["id"]]]
        with CaptureQueriesContext(connection) as queries:
            assert me.get(f"/me/orders/{receipt['id']}").status_code == 200
        assert len(queries) <= DETAIL_QUERIES, [query["sql"] for query in queries]
        assert me.get("/me/orders?until=2020-01-01").json()["items"] == []
        assert len(me.get("/me/orders?since=2020-01-01&until=2099-12-31").json()["items"]) == 4
        assert problem_of(me.get("/me/orders?since=yesterday")) == (400, "validation_error")


class TestExpiring:
    @pytest.fixture
    def lots(self, member: Member) -> Callable[[int, int | None], datetime | None]:
        """A function that gives points which end at the midnight after so many days; None: never."""

        def give(points: int, days: int | None) -> datetime | None:
            ends = midnight(self.day(days + 1), programme().tz) if days is not None else None
            give_points(member, points, moment=now() - timedelta(days=1), expires_at=ends)
            return ends

        return give

    @staticmethod
    def day(ahead: int) -> date:
        return business_date(now(), programme().tz) + timedelta(days=ahead)

    def test_comes_by_day_and_adds_up_to_the_balance(self, me: Caller, lots: Callable[..., Any]) -> None:
        for points, days in ((10, 3), (20, 3), (40, 200), (80, 700), (160, None)):
            lots(points, days)
        told = me.get("/me/points/expiring").json()
        assert [(one["points"], one["expires_on"]) for one in told["buckets"]] == [
            (30, self.day(3).isoformat()),
            (40, self.day(200).isoformat()),
        ]
        ends = datetime.fromisoformat(told["buckets"][0]["expires_at"])
        assert ends == midnight(self.day(4), programme().tz)
        assert (told["total"], told["later"], told["never"]) == (70, 80, 160)
        assert (told["until"], told["currency"]) == (self.day(400).isoformat(), "points")
        points = me.get("/me/points").json()
        assert told["available"] == points["available"] == told["total"] + told["later"] + told["never"]
        assert told["buckets"][1] in points["expiring"]

    def test_ends_with_the_day_that_is_asked_for(self, me: Caller, lots: Callable[..., Any]) -> None:
        lots(10, 3)
        lots(20, 4)
        told = me.get(f"/me/points/expiring?until={self.day(3)}").json()
        assert (told["total"], told["later"]) == (10, 20)
        for until in (self.day(-1), self.day(401), "soon", "0001-01-01", "9999-12-31"):
            answer = me.get(f"/me/points/expiring?until={until}")
            assert problem_of(answer) == (400, "validation_error")
            assert [error["parameter"] for error in answer.json()["errors"]] == ["until"]

    def test_reads_the_deadline_of_an_idle_account(self, me: Caller, member: Member, lots: Callable[..., Any]) -> None:
        lots(10, 300)
        PointsAccount.objects.filter(member=member).update(deadline_at=midnight(self.day(31), programme().tz))
        told = me.get("/me/points/expiring").json()
        assert [(one["points"], one["expires_on"]) for one in told["buckets"]] == [(10, self.day(30).isoformat())]

    def test_is_for_one_currency_and_without_an_account_nothing(self, me: Caller) -> None:
        told = me.get("/me/points/expiring").json()
        assert (told["buckets"], told["available"]) == ([], 0)
        assert problem_of(me.get("/me/points/expiring?currency=gold")) == (400, "validation_error")
