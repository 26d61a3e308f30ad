"""Wrong codes of vouchers, pick-ups, offers and gifts are counted, lock for a time, and are shown to staff."""

import pytest
from django.test import Client

from members.identifiers import MEMBER, public_ref
from members.models import GuessingAlarm, RiskReview, WrongTries
from members.services.guessing import AXES, TooManyTries, guess_label
from rewards.models import Voucher, VoucherClaim
from rewards.services.code_guessing import CLAIM, COUNTER, GIFT, PICKUP, VOUCHER, counted
from rewards.services.voucher_codes import voucher_code
from rewards.services.voucher_offers import scan_code
from rewards.services.voucher_refusals import VoucherExpired, VoucherNotUsable
from tests.factories.api import make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_voucher
from tests.factories.portal import an_operator
from tests.rewards.test_counter import at_the_counter, scan
from tests.rewards.voucher_given import an_offer

pytestmark = pytest.mark.django_db
WRONG = "AAAA-BBBB-CCCC-DDDD"


def told() -> set[tuple[str, str]]:
    """Return of which kinds and keys locks stand in the list of alarms."""
    return set(GuessingAlarm.objects.filter(locks=1).values_list("kind", "axis"))


class TestATill:
    def test_that_guesses_at_vouchers_is_locked_by_itself_and_uses_none(self) -> None:
        till, other = make_till(), make_till(make_store("S02"))
        voucher = a_voucher(make_member().pk, issued_at=now())
        right = {"code": voucher_code(voucher.public_id), "spend_amount": "50.00"}
        ways = [
            lambda key: till.post("/pos/vouchers/verify", {"code": WRONG}),
            lambda key: till.post("/pos/vouchers/redeem", {"code": WRONG, "external_order_no": "A"}, key=key),
            lambda key: till.post("/pos/vouchers/unredeem", {"code": WRONG, "external_order_no": "A"}, key=key),
        ]
        for number in range(20):
            assert problem_of(ways[number % 3](f"k{number}")) == (409, "voucher_not_usable")
        locked = till.post("/pos/vouchers/redeem", {**right, "external_order_no": "A"}, key="right")
        assert problem_of(locked) == (429, "too_many_tries")
        assert 0 < int(locked.headers["Retry-After"]) <= 300
        voucher.refresh_from_db()
        assert voucher.state == Voucher.State.ISSUED
        assert other.post("/pos/vouchers/verify", right).status_code == 200
        assert told() == {(VOUCHER, "key")}

    def test_that_guesses_at_pick_ups_is_locked(self) -> None:
        till = make_till()
        for number in range(20):
            answer = till.post(f"/pos/pickups/{WRONG}/complete", {}, key=f"k{number}")
            assert problem_of(answer) == (404, "pickup_not_found")
        assert problem_of(till.post(f"/pos/pickups/{WRONG}/complete", {}, key="k")) == (429, "too_many_tries")
        assert told() == {(PICKUP, "key")}

    def test_that_guesses_at_offers_locks_itself_not_the_member(self) -> None:
        till, member = make_till(), make_member()
        body = {"member_ref": public_ref(MEMBER, member.public_id), "code": WRONG}
        for number in range(20):
            till.post("/pos/vouchers/claim", body, key=f"k{number}")
        assert problem_of(till.post("/pos/vouchers/claim", body, key="k")) == (429, "too_many_tries")
        assert told() == {(CLAIM, "key")}
        answer = sign_in(member).post("/me/vouchers/claim", {"code": scan_code(an_offer(begins_at=now()))}, key="k")
        assert answer.status_code == 201


class TestAMember:
    def test_has_ten_tries_an_hour_at_codes_of_offers(self) -> None:
        member, offer = make_member(), an_offer(begins_at=now())
        caller, right = sign_in(member), {"code": scan_code(offer)}
        assert caller.post("/me/vouchers/claim", right, key="right").status_code == 201
        for number in range(10):
            answer = caller.post("/me/vouchers/claim", {"code": WRONG}, key=f"k{number}")
            assert problem_of(answer) == (404, "claim_code_invalid")
        locked = caller.post("/me/vouchers/claim", right, key="again")
        assert problem_of(locked) == (429, "too_many_tries")
        assert 3_590 <= int(locked.headers["Retry-After"]) <= 3_600
        assert VoucherClaim.objects.count() == 1
        assert told() == {(CLAIM, "member")}
        assert sign_in(make_member()).post("/me/vouchers/claim", right, key="other").status_code == 201
        assert not RiskReview.objects.exclude(member=member).exists()

    def test_has_ten_tries_an_hour_at_gifts(self) -> None:
        caller = sign_in(make_member())
        for number in range(10):
            answer = caller.post("/me/vouchers/gift/accept", {"token": WRONG}, key=f"k{number}")
            assert problem_of(answer) == (410, "gift_not_open")
        assert problem_of(caller.post("/me/vouchers/gift/accept", {"token": WRONG}, key="k")) == (429, "too_many_tries")
        assert told() == {(GIFT, "member")}


class TestTheCounter:
    def test_is_locked_for_who_guesses_there(self) -> None:
        store = make_store()
        voucher = a_voucher(make_member().pk, issued_at=now())
        client, _operator = at_the_counter(store)
        for _number in range(20):
            assert "has this code" in scan(client, WRONG)
        assert "Too many wrong tries" in scan(client, voucher_code(voucher.public_id))
        voucher.refresh_from_db()
        assert voucher.state == Voucher.State.ISSUED
        assert told() == {(COUNTER, "operator")}
        colleague, _operator = at_the_counter(store)
        assert "Take off" in scan(colleague, voucher_code(voucher.public_id))
        page = Client(headers={"accept-language": "en"})
        page.force_login(an_operator("administrator"))
        listed = page.get("/admin/members/guessingalarm/").content.decode()
        assert guess_label(COUNTER) in listed
        assert str(AXES["operator"]) in listed


class TestOtherRefusals:
    def test_are_no_guesses(self) -> None:
        with (
            pytest.raises(VoucherExpired),
            counted(kind=VOUCHER, partitions={"key": "1"}, wrong=VoucherNotUsable, at=now()),
        ):
            raise VoucherExpired
        assert not WrongTries.objects.exists()
        for _number in range(20):
            with (
                pytest.raises(VoucherNotUsable),
                counted(kind=VOUCHER, partitions={"key": "1"}, wrong=VoucherNotUsable, at=now()),
            ):
                raise VoucherNotUsable
        with (
            pytest.raises(TooManyTries),
            counted(kind=VOUCHER, partitions={"key": "1"}, wrong=VoucherNotUsable, at=now()),
        ):
            pytest.fail("nothing is looked at")
