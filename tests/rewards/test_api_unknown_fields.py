"""A field that is not known is refused by name, and nothing happens."""

from typing import Any

import pytest

from members.identifiers import MEMBER, public_ref
from members.models import Member
from rewards.models import LedgerEntry, Purchase
from tests.factories.api import Till, make_member, make_till, order_body

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    return make_member()


class TestAnUnknownField:
    def test_of_an_order_is_refused_by_name_and_nothing_is_recorded(self, till: Till, member: Member) -> None:
        body: dict[str, Any] = order_body(public_ref(MEMBER, member.public_id))
        body["member"] = body.pop("member_ref")

        answer = till.post("/pos/orders", body, key="k1")

        assert answer.status_code == 400
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
            ("#/member", "unknown_field")
        ]
        assert not Purchase.objects.exists()
        assert not LedgerEntry.objects.exists()

    def test_of_a_line_is_refused_at_its_place(self, till: Till, member: Member) -> None:
        body: dict[str, Any] = order_body(public_ref(MEMBER, member.public_id))
        body["lines"][0]["price"] = "1.00"

        answer = till.post("/pos/orders", body, key="k1")

        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
            ("#/lines/0/price", "unknown_field")
        ]

    def test_of_the_one_before_does_not_spend_the_key(self, till: Till, member: Member) -> None:
        body: dict[str, Any] = order_body(public_ref(MEMBER, member.public_id))
        assert till.post("/pos/orders", {**body, "till": 7}, key="k1").status_code == 400

        assert till.post("/pos/orders", body, key="k1").status_code == 201
