"""Vouchers over HTTP: the wallet by state, one with its reasons in words, and the till that verifies, uses and takes back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from members.identifiers import VOUCHER, public_ref
from members.models import Member
from rewards.models import Product, Voucher
from rewards.services.voucher_codes import voucher_code
from tests.factories.api import Caller, make_member, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_template, a_voucher
from tests.harness.dumps import dump

pytestmark = pytest.mark.django_db
EVERY_HOUR = {"hour_from": 0, "hour_to": 24}


@pytest.fixture
def member() -> Member:
    return make_member()


@pytest.fixture
def caller(member: Member) -> Caller:
    return sign_in(member)


def held(member: Member, code: str = "t", **terms: Any) -> Voucher:
    return a_voucher(member.pk, a_template(code, **terms), issued_at=now() - timedelta(hours=1))


def detail_of(caller: Caller, voucher: Voucher) -> dict[str, Any]:
    return caller.get(f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}").json()


class TestTheWallet:
    def test_lists_by_the_state_of_now(self, member: Member, caller: Caller) -> None:
        ready, offered, lapsed, over = (held(member) for _number in range(4))
        Voucher.objects.filter(pk=offered.pk).update(state="offered", held_until=now() + timedelta(hours=1))
        Voucher.objects.filter(pk=lapsed.pk).update(state="offered", held_until=now() - timedelta(hours=1))
        Voucher.objects.filter(pk=over.pk).update(expires_at=now() - timedelta(minutes=1))
        wanted = {"issued": {ready, lapsed}, "offered": {offered}, "expired": {over}, "used": set(), "voided": set()}
        for state, vouchers in wanted.items():
            items = caller.get(f"/me/vouchers?state={state}").json()["items"]
            assert {item["id"] for item in items} == {public_ref(VOUCHER, one.public_id) for one in vouchers}, state
            assert {item["state"] for item in items} <= {state}

    def test_counts_on_the_home_screen_what_can_be_used_now(self, member: Member, caller: Caller) -> None:
        held(member)
        held(member, "later", starts_after_days=2)
        assert caller.get("/me/summary").json()["vouchers_usable"] == 1

    def test_shows_one_with_its_terms_in_words_and_its_code(self, member: Member, caller: Caller) -> None:
        voucher = held(member, min_spend_amount=Decimal(30))
        body = detail_of(caller, voucher)
        assert body["code"] == voucher_code(voucher.public_id)
        assert (body["usable_now"], body["reasons"]) == (True, [])
        assert body["sentence"] == (
            "¥5.00 off, on orders of ¥30.00 or more, valid for 30 days, not with other vouchers."
        )

    def test_says_in_words_why_one_can_not_be_used_now(self, member: Member, caller: Caller) -> None:
        later = detail_of(caller, held(member, "later", starts_after_days=2))
        assert not later["usable_now"]
        assert later["reasons"][0]["code"] == "not_yet_valid"
        assert later["reasons"][0]["detail"].startswith("This voucher can be used from ")
        used = held(member)
        Voucher.objects.filter(pk=used.pk).update(state="voided")
        body = detail_of(caller, used)
        assert (body["code"], body["reasons"]) == (
            None, [{"code": "voided", "detail": "This voucher was made void."}],
        )  # fmt: skip

    def test_of_somebody_else_is_not_found(self, caller: Caller) -> None:
        other = held(make_member())
        answer = caller.get(f"/me/vouchers/{public_ref(VOUCHER, other.public_id)}")
        assert problem_of(answer) == (404, "not_found")


class TestTheTill:
    def test_is_told_what_a_voucher_gives_by_lines_and_changes_nothing(self, member: Member) -> None:
        Product.objects.create(sku="LATTE", name="Latte")
        voucher, till = held(member, skus=["LATTE"]), make_till()
        body = {
            "code": voucher_code(voucher.public_id),
            "lines": [{"sku": "BAGEL", "amount": "9.00"}, {"sku": "LATTE", "amount": "3.50"}],
        }
        before = dump()
        answer = till.post("/pos/vouchers/verify", body)
        assert answer.status_code == 200, answer.content
        assert (answer.json()["off_amount"], answer.json()["shares"]) == ("3.50", [{"line_no": 2, "amount": "3.50"}])
        assert dump() == before
        bagel = till.post("/pos/vouchers/verify", {**body, "lines": body["lines"][:1]})
        assert problem_of(bagel) == (409, "voucher_no_goods")

    def test_uses_takes_back_and_uses_again(self, member: Member) -> None:
        voucher, till = held(member), make_till()
        body = {"code": voucher_code(voucher.public_id), "external_order_no": "O-1"}
        used = till.post("/pos/vouchers/redeem", {**body, "spend_amount": "50.00"}, key="V-1").json()
        assert (used["off_amount"], used["already_processed"]) == ("5.00", False)
        undone = till.post("/pos/vouchers/unredeem", body, key="V-2")
        assert (undone.status_code, undone.json()["already_processed"]) == (200, False)
        replayed = till.post("/pos/vouchers/unredeem", body, key="V-2")
        assert replayed.headers["Idempotency-Replayed"] == "true"
        assert till.post("/pos/vouchers/unredeem", body, key="V-3").json()["already_processed"]
        other = till.post("/pos/vouchers/redeem", {**body, "external_order_no": "O-2"}, key="V-4")
        assert (other.status_code, other.json()["already_processed"]) == (200, False)
        late = till.post("/pos/vouchers/unredeem", {**body, "external_order_no": "O-9"}, key="V-5")
        assert problem_of(late) == (409, "voucher_not_used_here")

    def test_reads_the_limit_in_a_refusal(self, member: Member) -> None:
        till = make_till()
        voucher = held(member, starts_after_days=3)
        body = {"code": voucher_code(voucher.public_id), "external_order_no": "O-1"}
        answer = till.post("/pos/vouchers/redeem", body, key="V-1")
        assert problem_of(answer) == (409, "not_yet_valid")
        assert answer.json()["begins"] == voucher.valid_from.isoformat()

    @pytest.mark.parametrize("path", ["verify", "redeem", "unredeem"])
    def test_learns_nothing_from_a_wrong_code(self, path: str, member: Member) -> None:
        till = make_till()
        body = {"external_order_no": "O-1"} if path != "verify" else {}
        answers = [
            till.post(f"/pos/vouchers/{path}", {**body, "code": code}, **({"key": f"K-{number}"} if body else {}))
            for number, code in enumerate(("ABCD-ABCD-ABCD-ABCD", "0000", "zzzz-zzzz-zzzz-zzzz"))
        ]
        told = [
            {key: value for key, value in one.json().items() if key not in ("request_id", "instance")}
            for one in answers
        ]
        assert [one.status_code for one in answers] == [409] * 3
        assert told[0] == told[1] == told[2]
