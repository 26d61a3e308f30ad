"""Redemptions: points for a reward, never oversold, never paid twice."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from members.models import Member, TimelineEntry
from members.services.phone_change import CoolingDown
from rewards.explanation import explain
from rewards.ledger import InsufficientPoints
from rewards.models import LedgerTransaction, Redemption, Reward, Voucher
from rewards.queries import balance_of
from rewards.refusals import RewardsRefusal
from rewards.services.purchases import MemberClosed, MemberFrozen
from rewards.services.redemptions import (
    OutOfStock,
    RedemptionReceipt,
    RequestConflict,
    RewardLimitReached,
    RewardNotAvailable,
    redeem_reward,
)
from rewards.services.verification import verify
from rewards.services.vouchers import use_voucher, voucher_code
from rewards.vouchers_held import MostVouchersHeld
from tests.factories.catalogue import a_reward, a_template
from tests.factories.histories import with_points
from tests.factories.orders import NOON
from tests.factories.people import TILL
from tests.harness.dumps import dump


def a_rich_member(points: int = 100) -> Member:
    """Return a member who earned points a day before noon."""
    return with_points(points, moment=NOON - timedelta(days=1))


def redeem(member: Member, reward: Reward, request_id: str = "wish-1") -> RedemptionReceipt:
    """Redeem at noon."""
    return redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id=request_id, by=TILL, at=NOON)


@pytest.mark.django_db
class TestRedemption:
    """A redemption …"""

    def test_waits_while_the_phone_number_is_new(self) -> None:
        member, reward = a_rich_member(), a_reward(30, stock=1)
        Member.objects.filter(pk=member.pk).update(cooling_until=NOON + timedelta(hours=2))
        with pytest.raises(CoolingDown) as refused:
            redeem(member, reward)
        assert refused.value.params == {"hours": 2}
        reward.refresh_from_db()
        assert (balance_of(member.pk, NOON).available, reward.stock) == (100, 1)
        assert not Redemption.objects.exists()
        Member.objects.filter(pk=member.pk).update(cooling_until=NOON)
        assert redeem(member, reward).available == 70

    def test_costs_the_price_and_gives_a_voucher(self) -> None:
        member, reward = a_rich_member(), a_reward(30)
        receipt = redeem(member, reward)
        assert (receipt.available, receipt.already_recorded) == (70, False)
        assert balance_of(member.pk, NOON).available == 70
        voucher = receipt.redemption.voucher
        assert voucher is not None
        assert (voucher.member_id, voucher.template_id, voucher.state) == (
            member.pk,
            reward.template_id,
            Voucher.State.ISSUED,
        )
        assert (voucher.issued_at, voucher.expires_at) == (NOON, NOON + timedelta(days=30))
        assert receipt.code == voucher_code(voucher.public_id)
        assert [str(finding) for finding in verify(at=NOON)] == []

    def test_gives_a_code_that_the_till_takes(self) -> None:
        receipt = redeem(a_rich_member(), a_reward(30))
        used = use_voucher(
            code=receipt.code, store_id=None, external_order_no="A1", spend_amount=None, by=TILL, at=NOON
        )
        assert (used.voucher.pk, used.off_amount) == (receipt.redemption.voucher_id, Decimal(5))

    def test_takes_a_piece_of_the_stock(self) -> None:
        reward = a_reward(30, stock=2)
        redeem(a_rich_member(), reward)
        reward.refresh_from_db()
        assert reward.stock == 1

    def test_leaves_a_stock_without_end_alone(self) -> None:
        reward = a_reward(30)
        redeem(a_rich_member(), reward)
        reward.refresh_from_db()
        assert reward.stock is None

    def test_keeps_the_price_of_its_day(self) -> None:
        member, reward = a_rich_member(), a_reward(30)
        receipt = redeem(member, reward)
        Reward.objects.update(price_points=90)
        assert Redemption.objects.get(pk=receipt.redemption.pk).price_points == 30
        assert [str(finding) for finding in verify(at=NOON)] == []

    def test_leaves_points_past_their_expiry_out_of_what_is_available(self) -> None:
        member = with_points(100, moment=NOON - timedelta(days=9), expires_at=NOON + timedelta(days=1))
        reward = a_reward(30)
        redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="1", by=TILL, at=NOON)
        late = NOON + timedelta(days=1)
        receipt = redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id="1", by=TILL, at=late)
        assert receipt.available == balance_of(member.pk, late).available == 0

    def test_is_numbered_for_its_member_and_reward(self) -> None:
        member, reward, other = a_rich_member(), a_reward(30), a_reward(10)
        numbers = [
            redeem(member, which, f"wish-{n}").redemption.number for n, which in enumerate((reward, other, reward))
        ]
        assert numbers == [1, 1, 2]

    def test_is_told_on_the_timeline(self) -> None:
        member, reward = a_rich_member(), a_reward(30)
        receipt = redeem(member, reward)
        entry = TimelineEntry.objects.get(member=member, kind="rewards.reward_redeemed.v1")
        assert entry.happened_at == NOON
        assert entry.payload == {
            "redemption": receipt.redemption.pk, "reward": reward.pk, "points": 30, "voucher": receipt.redemption.voucher_id,
        }  # fmt: skip

    def test_is_explained(self) -> None:
        redeem(a_rich_member(), a_reward(30, name_zh_hans="五元券", name_en="Five off"))
        trace = LedgerTransaction.objects.latest("id").trace
        with override("en"):
            assert explain(trace).notes == ["Redeemed for Five off."]
        with override("zh-hans"):
            assert "五元券" in explain(trace).notes[0]


@pytest.mark.django_db
class TestRepeat:
    """A wish told again …"""

    def test_gets_the_first_answer_and_changes_nothing(self) -> None:
        member, reward = a_rich_member(), a_reward(30, stock=5)
        first = redeem(member, reward)
        before = dump()
        again = redeem(member, reward)
        assert (again.redemption, again.code, again.available) == (first.redemption, first.code, 70)
        assert again.already_recorded
        assert dump() == before

    def test_gets_the_first_answer_when_the_reward_is_gone_since(self) -> None:
        member, reward = a_rich_member(), a_reward(30, stock=1)
        first = redeem(member, reward)
        Reward.objects.update(valid_to=NOON - timedelta(days=1))
        assert redeem(member, reward).redemption == first.redemption

    @pytest.mark.parametrize("whose", ["another member", "another reward"])
    def test_by_another_member_or_for_another_reward_is_refused(self, whose: str) -> None:
        member, reward = a_rich_member(), a_reward(30)
        redeem(member, reward)
        other = (a_rich_member(), reward) if whose == "another member" else (member, a_reward(10))
        _is_refused(RequestConflict, *other)


def _is_refused(
    refusal: type[RewardsRefusal], member: Member, reward: Reward, request_id: str = "wish-1"
) -> RewardsRefusal:
    """Show that a redemption is refused and that nothing changed; return the refusal."""
    before = dump()
    with pytest.raises(refusal) as refused:
        redeem(member, reward, request_id)
    assert dump() == before
    return refused.value


@pytest.mark.django_db
class TestRefusal:
    """A redemption is refused, and nothing changes, …"""

    def test_when_the_points_do_not_suffice(self) -> None:
        refusal = _is_refused(InsufficientPoints, a_rich_member(29), a_reward(30, stock=1))
        assert (refusal.code, refusal.params) == ("insufficient_points", {"required": 30, "available": 29})

    def test_when_the_stock_is_empty(self) -> None:
        assert _is_refused(OutOfStock, a_rich_member(), a_reward(30, stock=0)).code == "out_of_stock"

    def test_when_the_member_has_had_as_many_as_allowed(self) -> None:
        member, reward = a_rich_member(), a_reward(30, per_member_limit=2, stock=9)
        for number in range(2):
            redeem(member, reward, f"wish-{number}")
        refusal = _is_refused(RewardLimitReached, member, reward, "wish-2")
        assert (refusal.code, refusal.params["limit"]) == ("cap_reached", 2)
        assert redeem(a_rich_member(), reward, "wish-3").redemption.number == 1

    def test_when_the_member_holds_as_many_of_its_vouchers_as_one_may(self) -> None:
        member, reward = a_rich_member(), a_reward(30, stock=2, template=a_template("scarce", most_held=1))
        code = redeem(member, reward).code
        assert _is_refused(MostVouchersHeld, member, reward, "wish-2").params == {"most": 1}
        use_voucher(code=code, store_id=None, external_order_no="A1", spend_amount=None, by=TILL, at=NOON)
        assert redeem(member, reward, "wish-2").available == 40

    @pytest.mark.parametrize(
        "span",
        [
            {"valid_from": NOON + timedelta(microseconds=1)},
            {"valid_to": NOON},
        ],
    )
    def test_when_the_reward_is_not_on_the_shelf(self, span: dict[str, object]) -> None:
        refusal = _is_refused(RewardNotAvailable, a_rich_member(), a_reward(30, **span))
        assert (refusal.code, refusal.status) == ("not_available", 404)

    def test_when_there_is_no_such_reward(self) -> None:
        reward = a_reward(30)
        reward.pk += 1000
        _is_refused(RewardNotAvailable, a_rich_member(), reward)

    @pytest.mark.parametrize(
        ("status", "refusal"), [(Member.Status.FROZEN, MemberFrozen), (Member.Status.CLOSED, MemberClosed)]
    )
    def test_when_the_member_is_not_active(self, status: str, refusal: type[RewardsRefusal]) -> None:
        member = a_rich_member()
        Member.objects.filter(pk=member.pk).update(status=status)
        _is_refused(refusal, member, a_reward(30))

    def test_and_may_be_tried_again(self) -> None:
        member, reward = a_rich_member(), a_reward(30, stock=0)
        _is_refused(OutOfStock, member, reward)
        Reward.objects.filter(pk=reward.pk).update(stock=1)
        assert redeem(member, reward).available == 70

    def test_at_the_last_moment_it_is_not(self) -> None:
        reward = a_reward(30, valid_from=NOON, valid_to=NOON + timedelta(microseconds=1), template=a_template())
        assert redeem(a_rich_member(), reward).available == 70
