"""Offers, claims and gifts of vouchers over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from members.identifiers import MEMBER, VOUCHER, VOUCHER_OFFER, public_ref
from members.models import IdempotentAnswer, Member
from rewards.models import Voucher, VoucherClaim, VoucherGift, VoucherOffer
from rewards.services.voucher_offers import scan_code
from tests.factories.api import Caller, make_member, make_till, problem_of, sign_in
from tests.factories.catalogue import a_template
from tests.rewards.voucher_given import a_list_of, a_voucher, an_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    return make_member()


@pytest.fixture
def caller(member: Member) -> Caller:
    return sign_in(member)


def offer(**changes: Any) -> VoucherOffer:
    return an_offer(**{"begins_at": timezone.now() - timedelta(days=1), **changes})


def ref(of: VoucherOffer) -> str:
    return public_ref(VOUCHER_OFFER, of.public_id)


class TestOffers:
    """The list of offers …"""

    def test_is_public_and_personal_with_a_token(self, caller: Caller, member: Member) -> None:
        shown, mine = offer(name="Shown"), offer(name="Mine", segment=a_list_of([member]))
        (one,) = Caller().get("/voucher-offers").json()["offers"]
        assert (one["id"], one["can_claim"], one["claimed_by_me"]) == (ref(shown), None, None)
        answer = caller.get("/voucher-offers")
        assert "public" not in answer.headers["Cache-Control"]
        assert {one["id"] for one in answer.json()["offers"]} == {ref(shown), ref(mine)}
        assert {one["can_claim"] for one in answer.json()["offers"]} == {True}


class TestClaim:
    """A claim …"""

    def test_gives_a_voucher_once_and_says_so_when_it_is_asked_again(self, caller: Caller, member: Member) -> None:
        body = {"offer": ref(offer())}
        first = caller.post("/me/vouchers/claim", body, key="k1")
        assert (first.status_code, first.json()["already_claimed"]) == (201, False)
        repeat = caller.post("/me/vouchers/claim", body, key="k1")
        assert (repeat.status_code, repeat.headers["Idempotency-Replayed"]) == (201, "true")
        again = caller.post("/me/vouchers/claim", body, key="k2")
        assert (again.status_code, again.json()["already_claimed"]) == (200, True)
        assert first.json()["voucher"]["id"] == again.json()["voucher"]["id"]
        IdempotentAnswer.objects.all().delete()  # kept for some days only; the fact is kept for ever
        late = caller.post("/me/vouchers/claim", body, key="k1")
        assert (late.status_code, late.json()["voucher"]) == (201, first.json()["voucher"])
        assert Voucher.objects.filter(member=member).count() == 1

    def test_by_code_notes_how_long_it_took(self, caller: Caller) -> None:
        one = offer()
        scanned = (timezone.now() - timedelta(seconds=2)).isoformat()
        answer = caller.post(
            "/me/vouchers/claim", {"code": scan_code(one), "scanned_at": scanned}, key="k1"
        )  # fmt: skip
        assert answer.status_code == 201
        took = VoucherClaim.objects.get().took_ms
        assert took is not None
        assert 2_000 <= took < 20_000

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"total_limit": 0}, (410, "out_of_stock")),
            ({"state": "paused"}, (409, "campaign_not_active")),
            ({"by_button": False}, (404, "not_found")),
        ],
    )
    def test_is_refused_with_its_reason(
        self, caller: Caller, changes: dict[str, Any], problem: tuple[int, str]
    ) -> None:
        answer = caller.post("/me/vouchers/claim", {"offer": ref(offer(**changes))}, key="k1")
        assert problem_of(answer) == problem

    def test_with_a_wrong_code_or_an_odd_body_is_refused(self, caller: Caller) -> None:
        path = "/me/vouchers/claim"
        assert problem_of(caller.post(path, {"code": "AAAA-BBBB-CCCC-DDDD"}, key="k")) == (404, "claim_code_invalid")
        for body in ({}, {"code": "A", "offer": ref(offer())}):
            assert problem_of(caller.post(path, body, key="k")) == (400, "validation_error")
        assert problem_of(caller.post(path, {"code": "A"})) == (400, "idempotency_key_missing")

    def test_at_the_till_is_for_the_member_it_found(self, member: Member) -> None:
        till, one = make_till(), offer()
        body = {"member_ref": public_ref(MEMBER, member.public_id), "code": scan_code(one)}
        first, again = (till.post("/pos/vouchers/claim", body, key=key) for key in ("k1", "k2"))
        assert (first.status_code, again.status_code, again.json()["already_claimed"]) == (201, 200, True)
        claim = VoucherClaim.objects.get()
        assert (claim.way, claim.store_id is not None) == ("till", True)
        weak = make_till(scopes=("members.resolve",), source="weak")
        assert problem_of(weak.post("/pos/vouchers/claim", body, key="k3")) == (403, "insufficient_scope")


class TestGift:
    """A gift …"""

    def test_is_offered_with_a_token_that_is_kept_nowhere_and_accepted_by_a_friend(
        self, caller: Caller, member: Member
    ) -> None:
        voucher = a_voucher(member, a_template("giftable", is_giftable=True), at=timezone.now())
        path = f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}/gift"
        given = caller.post(path, {}, key="k1")
        assert (given.status_code, given.json()["voucher"]["state"]) == (201, "offered")
        token = given.json()["token"]
        assert caller.post(path, {}, key="k1").json() == given.json()
        kept = [*IdempotentAnswer.objects.values(), *VoucherGift.objects.values()]
        assert token not in str(kept)
        assert token.replace("-", "") not in str(kept)
        friend = sign_in(make_member())
        accepted = friend.post("/me/vouchers/gift/accept", {"token": token}, key="k2")
        assert (accepted.status_code, accepted.json()["already_accepted"]) == (201, False)
        again = friend.post("/me/vouchers/gift/accept", {"token": token}, key="k3")
        assert (again.status_code, again.json()["already_accepted"]) == (200, True)
        late = sign_in(make_member()).post("/me/vouchers/gift/accept", {"token": token}, key="k4")
        assert problem_of(late) == (410, "gift_not_open")
        assert problem_of(caller.post(f"{path}/cancel", {}, key="k5")) == (409, "voucher_not_giftable")

    def test_is_taken_back(self, caller: Caller, member: Member) -> None:
        voucher = a_voucher(member, a_template("giftable", is_giftable=True), at=timezone.now())
        path = f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}/gift"
        caller.post(path, {}, key="k1")
        back = caller.post(f"{path}/cancel", {}, key="k2")
        assert (back.status_code, back.json()["state"], back.json()["voucher"]["state"]) == (200, "cancelled", "issued")

    def test_of_anothers_voucher_is_not_found(self, caller: Caller) -> None:
        voucher = a_voucher(make_member(), a_template("giftable", is_giftable=True), at=timezone.now())
        path = f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}/gift"
        for address in (path, f"{path}/cancel"):
            assert problem_of(caller.post(address, {}, key="k1")) == (404, "not_found")
