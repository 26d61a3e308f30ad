"""Redeem points for a reward: points, limit, voucher and stock in one transaction, never oversold."""

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
from rewards.models import Redemption, Reward
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
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


@transaction.atomic
def redeem_reward(*, member_id: int, reward_id: int, request_id: str, by: Actor, at: datetime) -> RedemptionReceipt:
    """Redeem a reward for a member. `request_id` names the wish for ever: a repeat returns the first redemption.

    Raises InsufficientPoints, OutOfStock, RewardNotAvailable, RewardLimitReached, MemberFrozen, MemberClosed,
    RequestConflict. After a refusal neither points nor stock have changed.
    """
    hold_active(member_id, Member.Act.SPEND)
    reward = Reward.objects.select_related("template").filter(pk=reward_id).first()
    if reward is None:
        raise RewardNotAvailable
    trace = {
        "v": 1,
        "kind": "redemption",
        "reward": reward.pk,
        "label": labels_of(reward, "name"),
        "points": reward.price_points,
    }
    posting = ledger.burn(
        member_id=member_id,
        points=reward.price_points,
        source=SOURCE,
        natural_key=request_id,
        at=at,
        by=by,
        trace=trace,
    )
    if posting.repeated:
        return _known(member_id, reward_id, request_id, posting.available)
    if reward.valid_from > at or (reward.valid_to is not None and reward.valid_to <= at):
        raise RewardNotAvailable
    redemption = _write(member_id, reward, request_id, by, at)
    if not Reward.objects.filter(pk=reward.pk, stock__isnull=True).exists():
        taken = Reward.objects.filter(pk=reward.pk, stock__gt=0).update(stock=F("stock") - 1)
        if not taken:
            raise OutOfStock(reward=reward.name).about(member_id, reward=labels_of(reward, "name"))
    timeline.record([
        events.reward_redeemed(
            redemption_id=redemption.pk, reward_id=reward.pk, voucher_id=redemption.voucher_id, member_id=member_id,
            points=reward.price_points, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return RedemptionReceipt(redemption, voucher_code(redemption.voucher.public_id), posting.available, False)


def _write(member_id: int, reward: Reward, request_id: str, by: Actor, at: datetime) -> Redemption:
    """Write redemption, voucher and its first event in one statement. The account is locked, so the number is exact."""
    voucher = new_voucher(public_id=uuid4(), member_id=member_id, template=reward.template, at=at)
    redemption = Redemption(
        member_id=member_id, request_id=request_id, reward=reward, price_points=reward.price_points, redeemed_at=at
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH voucher AS (
                INSERT INTO rewards_voucher (public_id, member_id, template_id, code_hmac, state, issued_at, expires_at)
                VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
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
                voucher.public_id, member_id, voucher.template_id, bytes(voucher.code_hmac), voucher.state, at, voucher.expires_at,
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
