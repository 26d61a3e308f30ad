"""Orders of rewards: of every kind, on their way, handed over; cancelled, with the very points back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from loyalty.models import Tier
from members.actors import SYSTEM, Actor
from members.models import Member, MemberPerson, Segment, SegmentSpan, TimelineEntry
from members.refusals import Refusal
from members.services.status import ReasonMissing
from rewards.ledger import InsufficientPoints
from rewards.models import (
    CharityProject,
    DigitalCode,
    FlashSale,
    LedgerEntry,
    Lot,
    PartnerConversion,
    Redemption,
    RedemptionAddress,
    RedemptionEvent,
    RedemptionState,
    Reward,
    RewardPrice,
    Voucher,
    WishedReward,
)
from rewards.queries import balance_of
from rewards.reward_offers import offers_at
from rewards.reward_refusals import (
    DeliveryMissing,
    NotActiveEnough,
    NotForThisMember,
    OutOfStock,
    PartnerAccountMissing,
    PriceChanged,
    RewardLimitReached,
    RewardPeriodLimitReached,
    SaleLimitReached,
    TierTooLow,
)
from rewards.services import privacy
from rewards.services.addresses import AddressMissing, addresses_of, checked_address, forget_addresses
from rewards.services.conversions import ConversionTooSmall
from rewards.services.digital_codes import add_codes, code_of, codes_left, read_codes, take_codes_out
from rewards.services.donations import ProjectTakesNothing
from rewards.services.fulfilment import (
    PickupElsewhere,
    PickupNotFound,
    PickupNotReady,
    RedemptionNotCancellable,
    cancel_redemption,
    complete_pickup,
    move_redemption,
    refund_out_of_stock,
)
from rewards.services.partner_files import export_conversions, read_answer
from rewards.services.redemption_steps import RedemptionStateConflict
from rewards.services.redemptions import RedemptionReceipt, Wanted, pickup_code, redeem_reward
from rewards.services.verification import verify
from rewards.services.vouchers import use_voucher
from rewards.services.wishes import wish_for
from tests.factories.by_hand import a_partner
from tests.factories.catalogue import a_reward
from tests.factories.histories import with_points
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member, a_store
from tests.harness.dumps import dump
from tests.harness.threads import together
from tests.rewards.by_hand import actor, staff
from tests.rewards.household_given import a_household, has, pays
from tests.rewards.merge_given import merged

DAY = timedelta(days=1)
Kind = Reward.Kind
State = RedemptionState


def a_kind(kind: str, price_points: int = 30, **changes: Any) -> Reward:
    """Return a reward of a kind that gives no voucher."""
    return a_reward(price_points, kind=kind, name=f"A {kind}", template=None, **changes)


def rich(points: int = 100, **more: Any) -> Member:
    return with_points(points, moment=NOON - DAY, **more)


def redeem(
    member: Member, reward: Reward, request_id: str = "wish", at: Any = NOON, **wanted: Any
) -> RedemptionReceipt:
    """Redeem as the member."""
    return redeem_reward(
        member_id=member.pk, reward_id=reward.pk, request_id=request_id, by=Actor("member", member.pk), at=at,
        wanted=Wanted(**wanted),
    )  # fmt: skip


def posted(member: Member, reward: Reward, **more: Any) -> Redemption:
    """Return an order that is sent by post."""
    address = checked_address(name="张小丰", phone="13800138000", lines=["南京东路 1 号"])
    return redeem(member, reward, delivery="post", address=address, **more).redemption


def is_sound() -> bool:
    return [str(finding) for finding in verify(at=NOON)] == []


def refused(member: Member, reward: Reward, refusal: type[Refusal], **wanted: Any) -> None:
    """A redemption is refused and nothing has changed."""
    before = dump()
    with pytest.raises(refusal), transaction.atomic():
        redeem(member, reward, "refused", **wanted)
    assert dump() == before


@pytest.mark.django_db
class TestKinds:
    """A reward …"""

    def test_that_is_sent_waits_with_its_address_and_states_the_money(self) -> None:
        member = rich()
        reward = a_kind(Kind.GIFT, by_post=True, in_store=True, cash_amount=Decimal("9.90"), prepare_days=2, stock=3)
        order = posted(member, reward)
        assert (order.state, order.delivery, order.due_at) == (State.PLACED, "post", NOON + 2 * DAY)
        kept = Redemption.objects.get()
        assert (kept.cash_amount, kept.price_points, kept.number) == (Decimal("9.90"), 30, 1)
        assert addresses_of([order.pk])[order.pk].phone == "+8613800138000"
        assert "小丰" not in bytes(RedemptionAddress.objects.get().ciphertext).decode("latin1")
        reward.refresh_from_db()
        assert (reward.stock, balance_of(member.pk, NOON).available) == (2, 70)
        assert is_sound()

    def test_that_is_handed_over_needs_a_way_a_store_and_an_address(self) -> None:
        member, store = rich(), a_store("S01")
        both = a_kind(Kind.GIFT, by_post=True, in_store=True, store_ids=[store.pk])
        refused(member, both, DeliveryMissing)
        refused(member, both, AddressMissing, delivery="post")
        refused(member, both, DeliveryMissing, delivery="store")
        refused(member, both, DeliveryMissing, delivery="store", store_id=a_store("S02").pk)
        order = redeem(member, both, delivery="store", store_id=store.pk).redemption
        assert (order.state, order.store_id, len(pickup_code(order))) == (State.PLACED, store.pk, 19)

    def test_of_a_service_or_an_event_is_ready_at_once(self) -> None:
        member, store = rich(), a_store()
        for number, reward in enumerate((
            a_kind(Kind.SERVICE, in_store=True), a_kind(Kind.TICKET, in_store=True, event_at=NOON + DAY),
        )):  # fmt: skip
            order = redeem(member, reward, str(number)).redemption
            assert (order.state, order.delivery, order.store_id) == (State.READY, "store", None)
            done, known = complete_pickup(code=pickup_code(order).lower(), store_id=store.pk, by=TILL, at=NOON)
            assert (done.state, known) == (State.DONE, False)
        assert is_sound()

    def test_of_digital_codes_gives_each_once(self) -> None:
        member, reward = rich(), a_kind(Kind.DIGITAL)
        refused(member, reward, OutOfStock)
        assert add_codes(reward_id=reward.pk, codes=["A-1", "B-2", "A-1", " "], by=SYSTEM, at=NOON) == (2, 1)
        assert add_codes(reward_id=reward.pk, codes=["A-1"], by=SYSTEM, at=NOON) == (0, 1)
        found = read_codes(["A-1", "C-3", "C-3", "x" * 201])
        assert (found.new, found.known, found.twice, found.too_long) == (("C-3",), 1, 1, 1)
        plain = {code_of(redeem(member, reward, str(n)).redemption.pk).plain for n in range(2)}  # type: ignore[union-attr]
        assert plain == {"A-1", "B-2"}
        refused(member, reward, OutOfStock)
        pool = codes_left([reward.pk], NOON)[reward.pk]
        assert (pool.free, pool.given) == (0, 2)
        assert not any(b"A-1" in bytes(code.ciphertext) for code in DigitalCode.objects.all())
        assert is_sound()

    def test_of_digital_codes_gives_none_that_is_over_or_taken_out(self) -> None:
        member, reward = rich(), a_kind(Kind.DIGITAL)
        add_codes(reward_id=reward.pk, codes=["old"], expires_at=NOON + DAY, by=SYSTEM, at=NOON)
        with pytest.raises(OutOfStock):
            redeem(member, reward, at=NOON + DAY)
        assert take_codes_out(reward_id=reward.pk, by=SYSTEM, at=NOON) == 1
        refused(member, reward, OutOfStock)

    def test_of_a_donation_goes_to_the_project(self) -> None:
        project = CharityProject.objects.create(name="Trees", starts_at=NOON - DAY)
        member, reward = rich(), a_kind(Kind.DONATION, project=project)
        order = redeem(member, reward).redemption
        assert (order.state, Redemption.objects.get().donation.points) == (State.DONE, 30)  # type: ignore[union-attr]
        assert redeem(member, reward).already_recorded
        project.is_active = False
        project.save()
        assert redeem(member, reward).already_recorded
        refused(member, reward, ProjectTakesNothing)
        assert is_sound()

    def test_of_partner_points_goes_with_the_next_file_and_comes_back_when_refused(self) -> None:
        partner = a_partner("air", at=NOON - DAY)
        member, reward = rich(5_000), a_kind(Kind.PARTNER, price_points=1_000, partner=partner)
        refused(member, reward, PartnerAccountMissing)
        refused(
            member,
            a_kind(Kind.PARTNER, price_points=999, partner=partner),
            ConversionTooSmall,
            partner_account="CA1234",
        )
        order = redeem(member, reward, partner_account="CA1234").redemption
        conversion = PartnerConversion.objects.get()
        assert (conversion.state, order.conversion_id) == ("pending", conversion.pk)
        by = actor(staff())
        export_conversions(partner_id=partner.pk, by=by, at=NOON)
        answer = f"ref,result,reason\n{conversion.line_ref},失败,no such number\n".encode()
        report = read_answer(partner_id=partner.pk, name="a.csv", content=answer, by=by, at=NOON, dry_run=False)
        assert report.rejected == 1
        assert Redemption.objects.get().state == State.REFUNDED
        assert balance_of(member.pk, NOON).available == 5_000
        assert is_sound()


@pytest.mark.django_db
class TestTheWay:
    """An order …"""

    def test_is_prepared_sent_and_done_with_its_events(self) -> None:
        order = posted(rich(), a_kind(Kind.GIFT, by_post=True))
        step: dict[str, Any] = {"redemption_id": order.pk, "by": SYSTEM, "at": NOON}
        move_redemption(to_state=State.PREPARING, **step)
        move_redemption(to_state=State.PREPARING, **step)
        move_redemption(to_state=State.SHIPPED, carrier="SF", tracking_no="SF1", **step)
        move_redemption(to_state=State.SHIPPED, carrier="SF", tracking_no="SF1", **step)
        move_redemption(to_state=State.SHIPPED, tracking_no="SF2", carrier="SF", **step)
        move_redemption(to_state=State.DONE, **step)
        states = list(RedemptionEvent.objects.order_by("id").values_list("from_state", "to_state"))
        assert states == [
            ("", "placed"), ("placed", "preparing"), ("preparing", "shipped"), ("shipped", "shipped"), ("shipped", "done"),
        ]  # fmt: skip
        assert Redemption.objects.get().tracking_no == "SF2"
        kinds = [kind.split(".")[1] for kind in TimelineEntry.objects.order_by("id").values_list("kind", flat=True)]
        assert kinds[-2:] == ["redemption_shipped", "redemption_done"]
        assert is_sound()

    @pytest.mark.parametrize("state", [State.READY, State.DONE, State.CANCELLED, State.PLACED])
    def test_skips_no_step(self, state: RedemptionState) -> None:
        order = posted(rich(), a_kind(Kind.GIFT, by_post=True))
        move_redemption(redemption_id=order.pk, to_state=State.PREPARING, by=SYSTEM, at=NOON)
        before = dump()
        with pytest.raises(RedemptionStateConflict), transaction.atomic():
            move_redemption(redemption_id=order.pk, to_state=state, by=SYSTEM, at=NOON)
        assert dump() == before

    def test_is_handed_over_once_in_its_store_when_it_is_ready(self) -> None:
        store, other = a_store("S01"), a_store("S02")
        reward = a_kind(Kind.GIFT, in_store=True)
        order = redeem(rich(), reward, delivery="store", store_id=store.pk).redemption
        code = pickup_code(order)
        told: dict[str, Any] = {"by": TILL, "at": NOON}
        before = dump()
        for wrong, store_id, refusal in (
            ("0000-0000-0000-0000", store.pk, PickupNotFound), (code, other.pk, PickupElsewhere), (code, store.pk, PickupNotReady),
        ):  # fmt: skip
            with pytest.raises(refusal), transaction.atomic():
                complete_pickup(code=wrong, store_id=store_id, **told)
        assert dump() == before
        move_redemption(redemption_id=order.pk, to_state=State.READY, by=SYSTEM, at=NOON)
        assert complete_pickup(code=code, store_id=store.pk, **told)[1] is False
        assert complete_pickup(code=code.replace("-", " "), store_id=store.pk, **told)[1] is True
        with pytest.raises(PickupNotFound):
            complete_pickup(code=code, store_id=other.pk, **told)
        assert RedemptionEvent.objects.filter(to_state="done", store=store).count() == 1

    def test_keeps_what_was_agreed(self) -> None:
        order = posted(rich(), a_kind(Kind.GIFT, by_post=True))
        for change in ("price_points = 1", "cash_amount = 5", "voucher_id = 1", "request_id = ''"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE rewards_redemption SET {change} WHERE id = %s", [order.pk])
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM rewards_redemptionevent")

    def test_forgets_its_address_a_month_after_it_was_sent(self) -> None:
        order = posted(rich(), a_kind(Kind.GIFT, by_post=True))
        assert forget_addresses(at=NOON + 90 * DAY) == 0
        move_redemption(redemption_id=order.pk, to_state=State.SHIPPED, by=SYSTEM, at=NOON)
        assert forget_addresses(at=NOON + 29 * DAY) == 0
        assert forget_addresses(at=NOON + 31 * DAY) == 1


@pytest.mark.django_db
class TestCancelling:
    """An order that is cancelled …"""

    def test_gives_the_very_lots_and_the_piece_back(self) -> None:
        member = with_points(40, moment=NOON - DAY, expires_at=NOON + 9 * DAY)
        reward = a_kind(Kind.GIFT, by_post=True, stock=1)
        before = list(Lot.objects.values_list("id", "remaining", "expires_at"))
        order = posted(member, reward)
        for _ in range(2):
            cancel_redemption(redemption_id=order.pk, by=Actor("member", member.pk), at=NOON)
        assert list(Lot.objects.values_list("id", "remaining", "expires_at")) == before
        reward.refresh_from_db()
        assert (reward.stock, Redemption.objects.get().state) == (1, State.CANCELLED)
        assert posted(member, reward, request_id="again").number == 2
        assert is_sound()

    def test_makes_its_voucher_void_unless_it_was_used(self) -> None:
        member, reward = rich(), a_reward(30)
        first, second = redeem(member, reward, "1"), redeem(member, reward, "2")
        cancel_redemption(redemption_id=first.redemption.pk, by=SYSTEM, at=NOON)
        assert Voucher.objects.get(redemption=first.redemption).state == Voucher.State.VOIDED
        use_voucher(code=second.code, store_id=None, external_order_no="A", spend_amount=None, by=TILL, at=NOON)
        before = dump()
        with pytest.raises(RedemptionNotCancellable), transaction.atomic():
            cancel_redemption(redemption_id=second.redemption.pk, by=SYSTEM, at=NOON)
        assert dump() == before
        assert is_sound()

    def test_is_not_under_way_nor_too_old_for_its_member(self) -> None:
        member = rich()
        reward = a_kind(Kind.GIFT, by_post=True, cancel_hours=24)
        old, sent = posted(member, reward, request_id="1"), posted(member, reward, request_id="2")
        move_redemption(redemption_id=sent.pk, to_state=State.SHIPPED, by=SYSTEM, at=NOON)
        by = Actor("member", member.pk)
        for order, moment in ((old, NOON + DAY), (sent, NOON)):
            with pytest.raises(RedemptionNotCancellable), transaction.atomic():
                cancel_redemption(redemption_id=order.pk, by=by, at=moment)
        cancel_redemption(redemption_id=old.pk, by=SYSTEM, at=NOON + DAY)

    def test_gives_the_household_what_it_had_given(self) -> None:
        pays()
        one, other = a_household(10, 50)
        order = posted(one, a_kind(Kind.GIFT, by_post=True))
        assert has(one, other) == [0, 30]
        cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=NOON)
        assert has(one, other) == [10, 50]
        assert TimelineEntry.objects.latest("id").payload["household"] == 20
        assert is_sound()

    def test_gives_two_of_the_household_who_are_one_by_now_both_shares(self) -> None:
        pays()
        one, other, third = a_household(0, 10, 20)
        order = posted(one, a_kind(Kind.GIFT, by_post=True))
        assert has(one, other, third) == [0, 0, 0]
        MemberPerson.objects.bulk_create([MemberPerson(member=giver) for giver in (other, third)])
        merged(other, third, at=NOON)
        cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=NOON)
        assert has(one, other) == [0, 30]
        assert TimelineEntry.objects.latest("id").payload["household"] == 30
        assert is_sound()

    def test_that_was_sent_is_given_back_only_with_a_reason(self) -> None:
        member = rich()
        order = posted(member, a_kind(Kind.GIFT, by_post=True))
        move_redemption(redemption_id=order.pk, to_state=State.SHIPPED, by=SYSTEM, at=NOON)
        before = dump()
        with pytest.raises(ReasonMissing), transaction.atomic():
            refund_out_of_stock(redemption_id=order.pk, by=SYSTEM, at=NOON, reason=" ")
        assert dump() == before
        refund_out_of_stock(redemption_id=order.pk, by=SYSTEM, at=NOON, reason="lost on the way")
        assert (Redemption.objects.get().state, balance_of(member.pk, NOON).available) == (State.REFUNDED, 100)
        assert is_sound()

    def test_because_there_is_none_left_is_told_and_puts_nothing_back(self) -> None:
        member, reward = rich(), a_kind(Kind.GIFT, by_post=True, stock=1)
        order = posted(member, reward)
        for _ in range(2):
            refund_out_of_stock(redemption_id=order.pk, by=SYSTEM, at=NOON, reason="broken")
        reward.refresh_from_db()
        assert (reward.stock, balance_of(member.pk, NOON).available) == (0, 100)
        assert TimelineEntry.objects.latest("id").kind == "rewards.redemption_refunded.v1"
        assert is_sound()

    def test_of_a_bad_code_takes_it_out(self) -> None:
        member, reward = rich(), a_kind(Kind.DIGITAL)
        add_codes(reward_id=reward.pk, codes=["A"], by=SYSTEM, at=NOON)
        order = redeem(member, reward).redemption
        with pytest.raises(RedemptionNotCancellable), transaction.atomic():
            cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=NOON)
        refund_out_of_stock(redemption_id=order.pk, by=SYSTEM, at=NOON)
        assert (DigitalCode.objects.get().state, code_of(order.pk)) == ("void", None)
        assert is_sound()


@pytest.mark.django_db
class TestWhoMayHaveIt:
    """A reward is refused …"""

    def test_below_its_tier(self) -> None:
        highest = Tier.objects.order_by("-rank").first()
        refused(rich(), a_reward(least_tier=highest), TierTooLow)

    def test_outside_its_segment(self) -> None:
        segment = Segment.objects.create(name="Few", kind="static", state="ready", created_at=NOON)
        reward, member = a_reward(segment=segment), rich()
        refused(member, reward, NotForThisMember)
        SegmentSpan.objects.create(
            segment=segment, member=member, entered_at=NOON, entered_cause="list", entered_number=0, entered_tests=0
        )
        assert redeem(member, reward).redemption.pk

    def test_to_who_did_not_buy_lately(self) -> None:
        refused(rich(), a_reward(active_days=30), NotActiveEnough)

    def test_beyond_its_limits_which_cancelled_ones_do_not_fill(self) -> None:
        member = rich(1_000)
        reward = a_reward(per_member_limit=3, period_limit=2, period="day")
        first = redeem(member, reward, "1").redemption
        redeem(member, reward, "2")
        refused(member, reward, RewardPeriodLimitReached)
        cancel_redemption(redemption_id=first.pk, by=SYSTEM, at=NOON)
        redeem(member, reward, "3")
        assert redeem(member, reward, "4", at=NOON + DAY).redemption.number == 4
        with pytest.raises(RewardLimitReached):
            redeem(member, reward, "5", at=NOON + 2 * DAY)

    def test_with_too_few_points_whatever_its_kind(self) -> None:
        member = rich(10)
        for reward in (
            a_kind(Kind.DONATION, project=CharityProject.objects.create(name="Trees", starts_at=NOON - DAY)),
            a_reward(),
        ):
            refused(member, reward, InsufficientPoints)


@pytest.mark.django_db
class TestPrices:
    """What a reward costs …"""

    def test_is_the_version_in_force(self) -> None:
        member, reward = rich(), a_reward(30)
        RewardPrice.objects.create(
            reward=reward, price_points=40, announced_at=NOON - DAY, valid_from=NOON + DAY, reason="dearer"
        )
        assert redeem(member, reward, "1").redemption.price_points == 30
        assert redeem(member, reward, "2", at=NOON + DAY).redemption.price_points == 40

    def test_is_the_old_price_for_who_wished_or_had_saved_enough_while_it_is_honoured(self) -> None:
        wished, saved, poor, reward = rich(50), rich(35), a_member(), a_reward(30)
        WishedReward.objects.create(member=wished, reward=reward, wished_at=NOON - 2 * DAY)
        RewardPrice.objects.create(
            reward=reward, price_points=40, announced_at=NOON - timedelta(hours=1), valid_from=NOON,
            honoured_until=NOON + DAY, reason="dearer",
        )  # fmt: skip
        prices = [offers_at([reward], NOON, member_id=one.pk)[reward.pk].points for one in (wished, saved, poor)]
        assert prices == [30, 30, 40]
        assert offers_at([reward], NOON)[reward.pk].points == 40
        assert offers_at([reward], NOON + DAY, member_id=saved.pk)[reward.pk].points == 40
        assert redeem(saved, reward).redemption.price_points == 30

    def test_is_that_of_the_flash_sale_until_its_own_pieces_are_gone(self) -> None:
        member, reward = rich(), a_reward(30, stock=5)
        sale = FlashSale.objects.create(
            reward=reward, price_points=10, stock=1, per_member_limit=1, starts_at=NOON, ends_at=NOON + DAY
        )
        order = redeem(member, reward, "1").redemption
        assert (order.price_points, order.sale_id) == (10, sale.pk)
        reward.refresh_from_db()
        assert reward.stock == 5
        assert redeem(member, reward, "2").redemption.price_points == 30
        cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=NOON)
        sale.refresh_from_db()
        assert sale.stock == 1
        assert is_sound()

    def test_of_a_sale_is_had_so_often(self) -> None:
        member, reward = rich(), a_reward(30)
        FlashSale.objects.create(reward=reward, price_points=10, per_member_limit=1, starts_at=NOON, ends_at=NOON + DAY)
        redeem(member, reward, "1")
        refused(member, reward, SaleLimitReached)

    def test_is_what_was_quoted_or_refused(self) -> None:
        member, reward = rich(), a_reward(30)
        ask: dict[str, Any] = {"member_id": member.pk, "reward_id": reward.pk, "by": SYSTEM, "at": NOON}
        with pytest.raises(PriceChanged) as caught, transaction.atomic():
            redeem_reward(request_id="1", quoted=(20, Decimal(0)), **ask)
        assert caught.value.params["price_points"] == 30
        assert not LedgerEntry.objects.filter(d_available__lt=0).exists()
        receipt = redeem_reward(request_id="1", quoted=(30, Decimal("0.00")), **ask)
        late = redeem_reward(request_id="1", quoted=(20, Decimal(0)), **ask)
        assert (late.redemption.pk, late.already_recorded) == (receipt.redemption.pk, True)


class TestAtOnce:
    """Redemptions at once …"""

    def test_of_eight_codes_and_pieces_have_eight_winners_each(self, committed_db: str) -> None:
        members = [rich() for _ in range(16)]
        codes, gift = a_kind(Kind.DIGITAL), a_kind(Kind.GIFT, in_store=True, stock=8)
        store = a_store()
        add_codes(reward_id=codes.pk, codes=[f"C{n}" for n in range(8)], by=SYSTEM, at=NOON)

        def wish(number: int) -> list[str]:
            said = []
            for reward, more in ((codes, {}), (gift, {"delivery": "store", "store_id": store.pk})):
                try:
                    redeem(members[number], reward, f"{reward.pk}:{number}", **more)
                    said.append("done")
                except OutOfStock:
                    said.append("out")
            return said

        answers = together([lambda number=number: wish(number) for number in range(16)])  # type: ignore[misc]
        assert [sum(one[which] == "done" for one in answers) for which in (0, 1)] == [8, 8]
        assert DigitalCode.objects.filter(state="given").count() == 8
        assert Reward.objects.get(pk=gift.pk).stock == 0
        orders = list(Redemption.objects.filter(reward=gift))

        def cancel_or_take(number: int) -> str:
            order = orders[number % 8]
            try:
                if number < 8:
                    cancel_redemption(redemption_id=order.pk, by=SYSTEM, at=NOON)
                else:
                    move_redemption(redemption_id=order.pk, to_state=State.READY, by=SYSTEM, at=NOON)
                    complete_pickup(code=pickup_code(order), store_id=store.pk, by=TILL, at=NOON)
            except Refusal:
                return "no"
            return "done"

        ended = together([lambda number=number: cancel_or_take(number) for number in range(16)])  # type: ignore[misc]
        assert ended.count("done") == 8
        taken = Redemption.objects.filter(reward=gift, state=State.DONE).count()
        assert Reward.objects.get(pk=gift.pk).stock == 8 - taken
        assert is_sound()


@pytest.mark.django_db
class TestThePerson:
    """What an order knows of its person …"""

    def test_is_in_the_copy_and_goes_with_the_person_once_nothing_is_under_way(self) -> None:
        member, reward = rich(), a_kind(Kind.GIFT, by_post=True)
        order = posted(member, reward)
        wish_for(member_id=member.pk, reward=reward, at=NOON)
        sections = {section.name: section.rows for section in privacy.export(member.pk, NOON)}
        assert sections["redemptions"][0][-3:] == ["张小丰", "+8613800138000", "南京东路 1 号"]
        assert len(sections["wishes"]) == 1
        assert [one.code for one in privacy.obstacles(member.pk, NOON)] == ["redemption_open"]
        for state in (State.SHIPPED, State.DONE):
            move_redemption(redemption_id=order.pk, to_state=state, by=SYSTEM, at=NOON, tracking_no="SF1")
        assert privacy.obstacles(member.pk, NOON) == []
        with transaction.atomic():
            erased = privacy.erase(member.pk, SYSTEM, NOON)
        assert (erased["addresses"], erased["parcels"], erased["wishes"]) == (1, 1, 1)
        assert not RedemptionAddress.objects.exists()
        assert Redemption.objects.get().tracking_no == ""
        assert is_sound()
