"""Whatever a till sends, the answer is an answer: never an error of ours, and nothing half done."""

from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from members.identifiers import MEMBER, public_ref
from rewards.models import Purchase
from tests.factories.api import make_member, make_till, order_body, problem_of
from tests.harness.generated import examples

pytestmark = pytest.mark.django_db

text = st.text(max_size=20) | st.sampled_from(
    ["", "\x00", "\ud800", "1e999", "NaN", "-0", "2026-02-30T00:00:00Z", "mem_" + "0" * 26]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
FIELDS = ["external_order_no", "member_ref", "ordered_at", "currency", "lines", "store"]
LINE_FIELDS = ["sku", "name", "quantity", "unit_price", "amount", "earns"]
PATHS = [
    "/pos/orders",
    "/pos/members/resolve",
    "/pos/members",
    "/pos/vouchers/verify",
    "/pos/vouchers/redeem",
    "/pos/orders/T1/returns",
]


class TestAnyBody:
    @settings(max_examples=examples(50))
    @given(path=st.sampled_from(PATHS), body=json_values)
    def test_is_answered(self, path: str, body: Any) -> None:
        with transaction.atomic():
            answer = make_till().post(path, body, key="k")
            assert problem_of(answer)[0] in (400, 404, 409)
            transaction.set_rollback(True)

    @settings(max_examples=examples(50))
    @given(
        changes=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=2),
        line=st.dictionaries(st.sampled_from(LINE_FIELDS), json_values, max_size=2),
    )
    def test_with_anything_in_its_fields_is_recorded_or_refused(
        self, changes: dict[str, Any], line: dict[str, Any]
    ) -> None:
        with transaction.atomic():
            body = order_body(public_ref(MEMBER, make_member().public_id))
            body["lines"][0] |= line
            answer = make_till().post("/pos/orders", body | changes, key="k")
            if answer.status_code == 201:
                assert Purchase.objects.count() == 1
                assert answer.json()["points_earned"] == sum(part["points"] for part in answer.json()["explain"])
            else:
                assert problem_of(answer)[0] in (400, 403, 404, 422)
                assert not Purchase.objects.exists()
            transaction.set_rollback(True)

    @settings(max_examples=examples(50))
    @given(
        path=st.sampled_from(["/rewards", "/tiers", "/program"]),
        query=st.dictionaries(st.sampled_from(["limit", "cursor", "max_points", "on", "x"]), text, max_size=3),
    )
    def test_any_query_is_answered(self, path: str, query: dict[str, str]) -> None:
        caller = make_till()
        caller.secret = ""
        pairs = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
        answer = caller.client.get(f"/api/v1{path}", pairs)
        assert answer.status_code in (200, 400)
