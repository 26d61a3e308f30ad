"""What is done in steps is done in their order: a step that is left out, or made twice, is refused and moves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from members.actors import SYSTEM
from members.identifiers import REWARD, STORE, VOUCHER, public_ref
from members.models import Member
from rewards.models import LedgerEntry, Purchase, Redemption, RedemptionState, Reward, Voucher, VoucherEvent
from rewards.queries import balance_of
from rewards.services.fulfilment import cancel_redemption, move_redemption
from rewards.services.voucher_codes import voucher_code
from tests.factories.api import API, Caller, Till, make_member, make_store, make_till, now, problem_of, sign_in
from tests.factories.catalogue import a_reward, a_template, a_voucher
from tests.factories.till import a_cart, an_order_of, held, ordered, points_pay, quoted, returned, with_points

pytestmark = pytest.mark.django_db
LINES = a_cart("100.00")


@pytest.fixture
def till() -> Till:
    points_pay()
    return make_till()


@pytest.fixture
def member() -> Member:
    found = make_member(phone="13800138000")
    with_points(found, 1_000)
    return found


@pytest.fixture
def me(member: Member) -> Caller:
    return sign_in(member)


def refused(call: Callable[[], Any], problem: tuple[int, str]) -> None:
    """Make a call that is refused so, and moves nothing."""

    def stand() -> list[Any]:
        kept = (LedgerEntry, Purchase, Redemption, Voucher, VoucherEvent)
        return [list(model.objects.order_by("pk").values()) for model in kept]

    before = stand()
    assert problem_of(call()) == problem
    assert stand() == before


class TestAnOrder:
    def test_that_needs_something_set_aside_is_not_confirmed_without(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        refused(lambda: till.post("/pos/orders", an_order_of(quote, LINES), key="a"), (409, "hold_required"))

    def test_is_not_confirmed_with_what_was_given_back(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        hold = held(till, quote)
        assert _delete(till, f"/pos/holds/{hold['id']}").status_code == 200
        refused(lambda: till.post("/pos/orders", an_order_of(quote, LINES, hold), key="a"), (409, "hold_expired"))
        assert balance_of(member.pk, now()).available == 1_000

    def test_does_not_pay_with_what_paid_another(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        hold = held(till, quote)
        ordered(till, quote, LINES, hold)
        refused(lambda: till.post("/pos/orders", an_order_of(quote, LINES, hold), key="b"), (409, "hold_captured"))
        refused(lambda: _delete(till, f"/pos/holds/{hold['id']}"), (409, "hold_captured"))

    def test_is_not_confirmed_with_the_hold_of_another_quote(self, till: Till, member: Member) -> None:
        dear, cheap = (quoted(till, member, LINES, points=points) for points in (500, 100))
        hold = held(till, cheap)
        refused(lambda: till.post("/pos/orders", an_order_of(dear, LINES, hold), key="a"), (409, "quote_differs"))

    def test_that_came_back_is_not_undone_and_the_other_way_round(self, till: Till, member: Member) -> None:
        back, undone = (ordered(till, quoted(till, member, LINES), LINES) for _ in range(2))
        returned(till, back["external_order_no"])
        void = f"/pos/orders/{back['external_order_no']}/void"
        refused(lambda: till.post(void, {}, key="v"), (409, "order_has_returns"))
        number = undone["external_order_no"]
        assert till.post(f"/pos/orders/{number}/void", {}, key="w").status_code == 201
        more = {"external_return_no": "R-77", "returned_at": now().isoformat()}
        refused(lambda: till.post(f"/pos/orders/{number}/returns", more, key="r"), (409, "return_exceeds_order"))


class TestAReward:
    def ready(self, me: Caller, reward: Reward) -> tuple[str, Redemption]:
        """Order a reward to a store; return its code and the order, which is still being prepared."""
        store = public_ref(STORE, make_store().public_id)
        body = {"reward": public_ref(REWARD, reward.public_id), "delivery": "store", "store": store}
        order = me.post("/me/redemptions", body, key="o").json()
        code = me.get(f"/me/redemptions/{order['id']}").json()["pickup_code"]
        return code, Redemption.objects.get()

    @pytest.fixture
    def mug(self) -> Reward:
        made = a_reward(30, kind="gift", template=None, by_post=True, in_store=True, name="Mug")
        return Reward.objects.get(pk=made.pk)

    def test_is_handed_over_when_it_is_ready_and_not_after_it_was_cancelled(
        self, till: Till, me: Caller, mug: Reward
    ) -> None:
        code, order = self.ready(me, mug)
        path = f"/pos/pickups/{code}/complete"
        refused(lambda: till.post(path, {}, key="a"), (409, "pickup_not_ready"))
        cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=now())
        refused(lambda: till.post(path, {}, key="b"), (404, "pickup_not_found"))

    def test_that_was_handed_over_is_not_cancelled(self, till: Till, me: Caller, mug: Reward) -> None:
        code, order = self.ready(me, mug)
        move_redemption(redemption_id=order.pk, to_state=RedemptionState.READY, by=SYSTEM, at=now())
        assert till.post(f"/pos/pickups/{code}/complete", {}, key="a").status_code == 200
        path = f"/me/redemptions/{public_ref('rdm', order.public_id)}/cancel"
        refused(lambda: me.post(path, {}, key="c"), (409, "not_cancellable"))


class TestAVoucher:
    def test_that_was_not_used_is_not_given_back_and_a_used_one_not_given_away(
        self, till: Till, me: Caller, member: Member
    ) -> None:
        voucher = a_voucher(member.pk, a_template("giftable", is_giftable=True), issued_at=now())
        body = {"code": voucher_code(voucher.public_id), "external_order_no": "A"}
        refused(lambda: till.post("/pos/vouchers/unredeem", body, key="a"), (409, "voucher_not_used_here"))
        used = till.post("/pos/vouchers/redeem", body | {"spend_amount": "50.00"}, key="b")
        assert used.status_code == 200, used.content
        path = f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}"
        refused(lambda: me.post(f"{path}/gift", {}, key="c"), (409, "voucher_not_giftable"))
        again = {**body, "spend_amount": "50.00", "external_order_no": "B"}
        refused(lambda: till.post("/pos/vouchers/redeem", again, key="d"), (409, "voucher_used"))

    def test_that_was_taken_back_from_a_friend_is_not_accepted_and_not_used_while_it_is_offered(
        self, till: Till, me: Caller, member: Member
    ) -> None:
        voucher = a_voucher(member.pk, a_template("giftable", is_giftable=True), issued_at=now())
        path = f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}/gift"
        refused(lambda: me.post(f"{path}/cancel", {}, key="a"), (404, "not_found"))
        token = me.post(path, {}, key="b").json()["token"]
        use = {"code": voucher_code(voucher.public_id), "external_order_no": "A", "spend_amount": "50.00"}
        refused(lambda: till.post("/pos/vouchers/redeem", use, key="c"), (409, "voucher_held"))
        assert me.post(f"{path}/cancel", {}, key="d").status_code == 200
        friend = sign_in(make_member(phone="13900139000"))
        refused(lambda: friend.post("/me/vouchers/gift/accept", {"token": token}, key="e"), (410, "gift_not_open"))


def _delete(caller: Caller, path: str) -> Any:
    return caller.client.delete(f"{API}{path}", headers={"authorization": f"Bearer {caller.secret}"})
