"""Redeem points for a reward: points, limit, voucher and stock in one transaction, never oversold.

Where the policy of the points says so, the household pays what the member lacks (`services/household_points.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.models import Member
from rewards import events, ledger
from rewards.events_adjustments import household_points_given
from rewards.ledger_household import Share
from rewards.models import Redemption, Reward, Voucher
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.household_points import is_possible, open_purse, pay_together
from rewards.services.purchases import hold_active
from rewards.services.vouchers import new_voucher, voucher_code

SOURCE = "redemption"


class OutOfStock(RewardsRefusal):
    """The last piece is gone."""

    code = "out_of_stock"
    explains = True
    text = _("%(reward)s is out of stock.")


class RewardNotAvailable(RewardsRefusal):
    """The reward is not on the shelf now."""

    code = "not_available"
    status = 404
    explains = True
    text = _("This reward is not available now.")


class RewardLimitReached(RewardsRefusal):
    """The member has had as many as one member may have."""

    code = "cap_reached"
    explains = True
    text = _("Each member can redeem %(reward)s at most %(limit)s times.")


class RequestConflict(RewardsRefusal):
    """The request was used for another redemption."""

    code = "idempotency_key_reused"
    status = 422
    text = _("This request was used for another redemption before.")


@dataclass(frozen=True, slots=True)
class RedemptionReceipt:
    """A redemption, the code of its voucher (for the owner's eyes), and the points available after it."""

    redemption: Redemption
    code: str
    available: int
    already_recorded: bool


@dataclass(frozen=True, slots=True)
class _Wish:
    """Who wants which reward, by which request, told by whom and when."""

    member_id: int
    reward: Reward
    request_id: str
    by: Actor
    at: datetime


@transaction.atomic
def redeem_reward(*, member_id: int, reward_id: int, request_id: str, by: Actor, at: datetime) -> RedemptionReceipt:
    """Redeem a reward for a member. `request_id` names the wish for ever: a repeat returns the first redemption.

    Raises InsufficientPoints, OutOfStock, RewardNotAvailable, RewardLimitReached, MemberFrozen, MemberClosed,
    RequestConflict. After a refusal neither points nor stock have changed.
    """
    others_pay = is_possible(member_id, ledger.currency_id())
    reward = Reward.objects.select_related("template").annotate(others_pay=others_pay).filter(pk=reward_id).first()
    if reward is None:
        raise RewardNotAvailable
    wish = _Wish(member_id, reward, request_id, by, at)
    return _redeem_together(wish) if reward.others_pay else _redeem(wish)


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
    given = sum(share.points for share in shares)
    trace = {
        "v": 1,
        "kind": "redemption",
        "reward": reward.pk,
        "label": labels_of(reward, "name"),
        "points": reward.price_points,
    } | ({"household": given} if given else {})
    posting = ledger.burn(
        member_id=member_id,
        points=reward.price_points,
        source=SOURCE,
        natural_key=wish.request_id,
        at=at,
        by=by,
        trace=trace,
    )
    if posting.repeated:
        return _known(member_id, reward.pk, wish.request_id, posting.available)
    if reward.valid_from > at or (reward.valid_to is not None and reward.valid_to <= at):
        raise RewardNotAvailable
    redemption = _write(member_id, reward, wish.request_id, by, at)
    if not Reward.objects.filter(pk=reward.pk, stock__isnull=True).exists():
        taken = Reward.objects.filter(pk=reward.pk, stock__gt=0).update(stock=F("stock") - 1)
        if not taken:
            raise OutOfStock(reward=reward.name).about(member_id, reward=labels_of(reward, "name"))
    timeline.record([
        events.reward_redeemed(
            redemption_id=redemption.pk, reward_id=reward.pk, voucher_id=redemption.voucher_id, member_id=member_id,
            points=reward.price_points, from_household=given, happened_at=at, by=by,
        ),
        *(
            household_points_given(
                redemption_id=redemption.pk, reward_id=reward.pk, giver_id=share.member_id, receiver_id=member_id,
                points=share.points, happened_at=at, by=by,
            )
            for share in shares
        ),
    ])  # fmt: skip
    return RedemptionReceipt(redemption, voucher_code(redemption.voucher.public_id), posting.available, False)


def _write(member_id: int, reward: Reward, request_id: str, by: Actor, at: datetime) -> Redemption:
    """Write redemption, voucher and its first event in one statement. The account is locked, so the number is exact."""
    voucher = new_voucher(
        public_id=uuid4(), member_id=member_id, template=reward.template, origin=Voucher.Origin.REWARD, at=at
    )
    redemption = Redemption(
        member_id=member_id, request_id=request_id, reward=reward, price_points=reward.price_points, redeemed_at=at
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH voucher AS (
                INSERT INTO rewards_voucher
                    (public_id, member_id, template_id, code_hmac, state, origin, issued_at, valid_from, expires_at)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
            ), event AS (
                INSERT INTO rewards_voucherevent
                    (voucher_id, from_state, to_state, external_order_no, actor_kind, actor_id, happened_at)
                SELECT id, '', 'issued', '', %s, %s, %s FROM voucher
            )
            INSERT INTO rewards_redemption (member_id, request_id, reward_id, number, price_points, voucher_id, redeemed_at)
            SELECT %s, %s, %s, 1 + (SELECT count(*) FROM rewards_redemption WHERE member_id = %s AND reward_id = %s), %s, id, %s
            FROM voucher
            RETURNING id, public_id, number, voucher_id, recorded_at, (
                SELECT count(*) FROM rewards_redemption r JOIN members_member m ON m.id = r.member_id
                WHERE m.merged_into_id = %s AND r.reward_id = %s)
            """,
            [
                voucher.public_id, member_id, voucher.template_id, bytes(voucher.code_hmac), voucher.state, voucher.origin, at,
                voucher.valid_from, voucher.expires_at,
                by.kind, by.id, at,
                member_id, request_id, reward.pk, member_id, reward.pk, reward.price_points, at, member_id, reward.pk,
            ],
        )  # fmt: skip
        redemption.pk, redemption.public_id, redemption.number, voucher.pk, redemption.recorded_at, brought = (
            cursor.fetchone()
        )
    redemption.voucher = voucher
    if reward.per_member_limit is not None and redemption.number + brought > reward.per_member_limit:
        refusal = RewardLimitReached(reward=reward.name, limit=reward.per_member_limit)
        raise refusal.about(member_id, reward=labels_of(reward, "name"))
    return redemption


def _known(member_id: int, reward_id: int, request_id: str, available: int) -> RedemptionReceipt:
    found = Redemption.objects.select_related("voucher", "reward").filter(request_id=request_id).first()
    if found is None or (found.member_id, found.reward_id) != (member_id, reward_id):
        raise RequestConflict
    return RedemptionReceipt(found, voucher_code(found.voucher.public_id), available, True)
