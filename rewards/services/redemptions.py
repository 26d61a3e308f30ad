"""Redeem points for a reward: points, limits, voucher or code, and stock in one transaction, never oversold.

Where the policy of the points says so, the household pays what the member lacks (`services/household_points.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Exists, F

from members import timeline
from members.actors import Actor
from members.models import Member, Store
from members.services.phone_change import refuse_cooling
from rewards import events, ledger
from rewards.events_adjustments import household_points_given
from rewards.ledger_household import Share
from rewards.models import FlashSale, Redemption, RedemptionState, Reward, Voucher
from rewards.queries import balance_of, labels_of
from rewards.reward_offers import Offer, obstacles_of, offers_at, price_changes
from rewards.reward_refusals import (
    DeliveryMissing,
    OutOfStock,
    PartnerAccountMissing,
    PriceChanged,
    RequestConflict,
    RewardLimitReached,
    RewardNotAvailable,
)
from rewards.services.addresses import Address, AddressMissing, write_address
from rewards.services.conversions import send_to_partner
from rewards.services.digital_codes import give_code
from rewards.services.donations import give_to_project, running_project
from rewards.services.fulfilment import PICKUP_LOOKUP
from rewards.services.household_points import is_possible, open_purse, pay_together
from rewards.services.purchases import hold_active
from rewards.services.secret_codes import derived_code, lookup_key
from rewards.services.transfers import check_cooldown
from rewards.services.voucher_issue import issue_vouchers
from rewards.services.vouchers import voucher_code

__all__ = [
    "OutOfStock", "RedemptionReceipt", "RequestConflict", "RewardLimitReached", "RewardNotAvailable", "Wanted",
    "pickup_code", "redeem_reward",
]  # fmt: skip

SOURCE: Final = "redemption"
PICKUP: Final = "pickup-code"
Delivery = Redemption.Delivery
_GIVEN_ON: Final = (Reward.Kind.DONATION, Reward.Kind.PARTNER)


@dataclass(frozen=True, slots=True)
class RedemptionReceipt:
    """A redemption, the code of its voucher (for the owner's eyes, else empty), and the points available after it."""

    redemption: Redemption
    code: str
    available: int
    already_recorded: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a reward is to reach the member: by post to an address, or in a store; or at which account with a partner."""

    delivery: str = ""
    store_id: int | None = None
    address: Address | None = None
    partner_account: str = ""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who wants which reward, by which request, at which price, how, told by whom and when."""

    member_id: int
    reward: Reward
    request_id: str
    offer: Offer
    wanted: Wanted
    quote_ref: UUID | None
    by: Actor
    at: datetime


@dataclass(slots=True)
class _Paid:
    """What paid for a redemption: the posting, and what was written with it where the points were given on."""

    posting: ledger.Posting
    donation_id: int | None = None
    conversion_id: int | None = None


@transaction.atomic
def redeem_reward(
    *, member_id: int, reward_id: int, request_id: str, by: Actor, at: datetime, wanted: Wanted | None = None,
    quote_ref: UUID | None = None, quoted: tuple[int, Decimal] | None = None,
) -> RedemptionReceipt:  # fmt: skip
    """Redeem a reward for a member. `request_id` names the wish for ever: a repeat returns the first redemption.

    `quoted` is what the member was told that it costs (points, money). Raises InsufficientPoints, OutOfStock,
    RewardNotAvailable, PriceChanged, DeliveryMissing, AddressMissing, PartnerAccountMissing, the noes of `reward_offers`
    (tier, segment, limits, as many vouchers as one may hold …), CoolingDown, MemberFrozen, MemberClosed, RequestConflict; for vouchers VoucherNotIssued and
    VoucherBudgetExhausted; for points given on what `services/conversions` and `services/donations` raise. After a refusal
    neither points nor stock have changed.
    """
    others_pay = is_possible(member_id, ledger.currency_id())
    rewards = Reward.objects.select_related("template", "project", "partner", "least_tier")
    known = Redemption.objects.filter(request_id=request_id)
    told = rewards.annotate(others_pay=others_pay, is_known=Exists(known), has_price_changes=price_changes())
    reward = told.filter(pk=reward_id).first()
    if reward is None:
        raise RewardNotAvailable
    offer = (
        offers_at([reward], at, member_id=member_id)[reward.pk]
        if reward.has_price_changes
        else Offer(reward.price_points, reward.cash_amount, reward.price_points)
    )
    wish = _Wish(member_id, reward, request_id, offer, wanted or Wanted(), quote_ref, by, at)
    if reward.is_known:
        hold_active(member_id, Member.Act.SPEND)
        return _known(wish, balance_of(member_id, at).available)
    if quoted is not None and quoted != (offer.points, offer.cash_amount):
        refusal = PriceChanged(price_points=offer.points, cash_amount=str(offer.cash_amount))
        raise refusal.about(member_id, reward=labels_of(reward, "name"))
    if reward.others_pay and reward.kind not in _GIVEN_ON:
        return _redeem_together(wish)
    return _redeem(wish)


def _redeem_together(wish: _Wish) -> RedemptionReceipt:
    """Redeem with the member's own points, else with those of the household.

    The first try gives back its locks with its savepoint, so that the household is locked in order; the second one says
    exactly what is missing, or finds that somebody else was faster.
    """
    answer = _tried(wish)
    if isinstance(answer, RedemptionReceipt):
        return answer
    purse = open_purse(member_id=wish.member_id, currency_id=ledger.currency_id(), at=wish.at)
    answer = _tried(wish)
    if isinstance(answer, RedemptionReceipt):
        return answer
    label = labels_of(wish.reward, "name")
    shares = pay_together(purse=purse, short=answer, request_id=wish.request_id, label=label, by=wish.by, at=wish.at)
    return _redeem(wish, shares)


def _tried(wish: _Wish) -> RedemptionReceipt | ledger.InsufficientPoints:
    try:
        with transaction.atomic():
            return _redeem(wish)
    except ledger.InsufficientPoints as refusal:
        return refusal


def _redeem(wish: _Wish, shares: Sequence[Share] = ()) -> RedemptionReceipt:
    """Redeem with the points in the member's account; `shares` of them were just given by others."""
    member_id, reward, at, by = wish.member_id, wish.reward, wish.at, wish.by
    hold_active(member_id, Member.Act.SPEND)
    refuse_cooling(member_id=member_id, at=at)
    paid = _pay(wish, shares)
    if paid.posting.repeated:
        return _known(wish, paid.posting.available)
    _check(wish)
    redemption = _new(wish, paid)
    if reward.template is not None:
        voucher_id = issue_vouchers(
            template=reward.template,
            rows=[(member_id, uuid4())],
            origin=Voucher.Origin.REWARD,
            by=by,
            at=at,
        )[0]
        redemption.voucher = Voucher.objects.select_related("template").get(pk=voucher_id)
    _write(redemption, by)
    if redemption.delivery == Delivery.POST and wish.wanted.address is not None:
        write_address(redemption_id=redemption.pk, address=wish.wanted.address, at=at)
    _take_piece(wish, redemption)
    given = sum(share.points for share in shares)
    timeline.record([
        events.reward_redeemed(
            redemption_id=redemption.pk, reward_id=reward.pk, voucher_id=redemption.voucher_id, member_id=member_id,
            points=redemption.price_points, from_household=given, happened_at=at, by=by,
        ),
        *(
            household_points_given(
                redemption_id=redemption.pk, reward_id=reward.pk, giver_id=share.member_id, receiver_id=member_id,
                points=share.points, happened_at=at, by=by,
            )
            for share in shares
        ),
    ])  # fmt: skip
    code = voucher_code(redemption.voucher.public_id) if redemption.voucher else ""
    return RedemptionReceipt(redemption, code, paid.posting.available, False)


def _pay(wish: _Wish, shares: Sequence[Share]) -> _Paid:
    """Take the points: spent, or given on to a project or a partner. All three under the key of the request."""
    reward, points = wish.reward, wish.offer.points
    key: dict[str, Any] = {"source": SOURCE, "natural_key": wish.request_id, "by": wish.by, "at": wish.at}
    if reward.kind == Reward.Kind.DONATION:
        check_cooldown(member_id=wish.member_id, currency_id=ledger.currency_id(), at=wish.at)
        posting, donation = give_to_project(
            member_id=wish.member_id, project=running_project(reward.project_id or 0, wish.at), points=points,
            currency_id=ledger.currency_id(), **key,
        )  # fmt: skip
        return _Paid(posting, donation_id=donation.pk if donation else None)
    if reward.partner is not None:
        if not wish.wanted.partner_account.strip():
            raise PartnerAccountMissing
        posting, conversion = send_to_partner(
            member_id=wish.member_id, partner=reward.partner, points=points, partner_account=wish.wanted.partner_account, **key
        )  # fmt: skip
        return _Paid(posting, conversion_id=conversion.pk if conversion else None)
    trace: dict[str, Any] = {
        "v": 1, "kind": "redemption", "reward": reward.pk, "label": labels_of(reward, "name"), "points": points,
    }  # fmt: skip
    if shares:
        given = [[share.member_id, share.points] for share in shares]
        trace |= {"household": sum(share.points for share in shares), "givers": given}
    return _Paid(ledger.burn(member_id=wish.member_id, points=points, trace=trace, **key))


def _check(wish: _Wish) -> None:
    """Refuse what the member may not have now. The account is locked, so that what is counted stays so."""
    reward, at = wish.reward, wish.at
    if reward.valid_from > at or (reward.valid_to is not None and reward.valid_to <= at):
        raise RewardNotAvailable
    for obstacle in obstacles_of([reward], {reward.pk: wish.offer}, wish.member_id, at)[reward.pk]:
        raise obstacle.about(wish.member_id, reward=labels_of(reward, "name"))


def _new(wish: _Wish, paid: _Paid) -> Redemption:
    """Return the order, not yet written: where it begins, and how it reaches the member."""
    reward, at = wish.reward, wish.at
    redemption = Redemption(
        public_id=uuid4(), member_id=wish.member_id, request_id=wish.request_id, reward=reward, price_points=wish.offer.points,
        cash_amount=wish.offer.cash_amount, sale=wish.offer.sale, quote_ref=wish.quote_ref,
        transaction_id=paid.posting.transaction_id, donation_id=paid.donation_id, conversion_id=paid.conversion_id,
        delivery=delivery_of(reward, wish.wanted), state_at=at, redeemed_at=at, carrier="", tracking_no="",
    )  # fmt: skip
    if redemption.delivery == Delivery.NONE:
        redemption.state = RedemptionState.DONE
    elif redemption.delivery == Delivery.POST:
        if wish.wanted.address is None:
            raise AddressMissing
        redemption.state = RedemptionState.PLACED
        redemption.due_at = at + timedelta(days=reward.prepare_days)
    else:
        redemption.pickup_hmac = lookup_key(PICKUP_LOOKUP, pickup_code(redemption))
        redemption.store_id = _store_of(reward, wish.wanted.store_id)
        is_gift = reward.kind == Reward.Kind.GIFT
        redemption.state = RedemptionState.PLACED if is_gift else RedemptionState.READY
        redemption.due_at = at + timedelta(days=reward.prepare_days) if is_gift else None
    return redemption


def delivery_of(reward: Reward, wanted: Wanted) -> Delivery:
    """Return how a reward reaches the member: as wished, or the one way there is. Raises DeliveryMissing."""
    ways = [way for way, is_open in ((Delivery.POST, reward.by_post), (Delivery.STORE, reward.in_store)) if is_open]
    if not ways:
        return Delivery.NONE
    if not wanted.delivery and len(ways) == 1:
        return ways[0]
    if wanted.delivery not in ways:
        raise DeliveryMissing
    return Delivery(wanted.delivery)


def _store_of(reward: Reward, store_id: int | None) -> int | None:
    """Return in which store a reward is handed over; None: in any that has it. A gift is put aside in one. Raises DeliveryMissing."""
    if store_id is None:
        if reward.kind == Reward.Kind.GIFT:
            raise DeliveryMissing
        return None
    if reward.store_ids and store_id not in reward.store_ids:
        raise DeliveryMissing
    if not Store.objects.filter(pk=store_id).exists():
        raise DeliveryMissing
    return store_id


def pickup_code(redemption: Redemption) -> str:
    """Return the code with which an order is picked up, for its member's eyes: 80 bits, four groups of four."""
    return derived_code(PICKUP, redemption.public_id)


def _write(redemption: Redemption, by: Actor) -> None:
    """Write an order with its first event in one statement. The account is locked, so the number is exact."""
    one = redemption
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH placed AS (
                INSERT INTO rewards_redemption
                    (public_id, member_id, request_id, reward_id, number, price_points, cash_amount, sale_id, quote_ref,
                     transaction_id, voucher_id, donation_id, conversion_id, state, state_at, delivery, store_id, pickup_hmac,
                     due_at, redeemed_at)
                SELECT %s, %s, %s, %s, 1 + (SELECT count(*) FROM rewards_redemption WHERE member_id = %s AND reward_id = %s),
                    %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
                RETURNING id, number, recorded_at
            ), event AS (
                INSERT INTO rewards_redemptionevent
                    (redemption_id, from_state, to_state, reason, store_id, actor_kind, actor_id, happened_at)
                SELECT id, '', %s, '', NULL, %s, %s, %s FROM placed
            )
            SELECT id, number, recorded_at FROM placed
            """,
            [
                one.public_id, one.member_id, one.request_id, one.reward_id, one.member_id, one.reward_id,
                one.price_points, one.cash_amount, one.sale_id, one.quote_ref, one.transaction_id, one.voucher_id, one.donation_id,
                one.conversion_id, one.state, one.state_at, one.delivery, one.store_id, bytes(one.pickup_hmac) if one.pickup_hmac else None, one.due_at, one.redeemed_at,
                one.state, by.kind, by.id, one.redeemed_at,
            ],
        )  # fmt: skip
        one.pk, one.number, one.recorded_at = cursor.fetchone()


def _take_piece(wish: _Wish, redemption: Redemption) -> None:
    """Take a piece: of the sale where it has its own, else of the reward's stock; and a code of the pool. Last of all."""
    reward, sale, taken = wish.reward, wish.offer.sale, True
    if sale is not None and sale.stock is not None:
        taken = bool(FlashSale.objects.filter(pk=sale.pk, stock__gt=0).update(stock=F("stock") - 1))
    elif reward.stock is not None or not Reward.objects.filter(pk=reward.pk, stock__isnull=True).exists():
        taken = bool(Reward.objects.filter(pk=reward.pk, stock__gt=0).update(stock=F("stock") - 1))
    if taken and reward.kind == Reward.Kind.DIGITAL:
        taken = give_code(reward_id=reward.pk, redemption_id=redemption.pk, at=wish.at)
    if not taken:
        raise OutOfStock(reward=reward.name).about(wish.member_id, reward=labels_of(reward, "name"))


def _known(wish: _Wish, available: int) -> RedemptionReceipt:
    orders = Redemption.objects.select_related("voucher__template", "reward")
    found = orders.filter(request_id=wish.request_id).first()
    if found is None or (found.member_id, found.reward_id) != (wish.member_id, wish.reward.pk):
        raise RequestConflict
    code = voucher_code(found.voucher.public_id) if found.voucher else ""
    return RedemptionReceipt(found, code, available, True)
