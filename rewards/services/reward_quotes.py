"""What a reward would cost a member now, kept for five minutes, with what stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from members.actors import Actor
from members.decisions import decision_by_public_id, record_decision
from members.identifiers import NotFound
from members.models import Member
from rewards import ledger
from rewards.models import PointsCurrency, Reward
from rewards.queries import balance_of, labels_of
from rewards.refusals import RewardsRefusal
from rewards.reward_offers import Offer, obstacles_of, offers_at, on_shelf, pieces_left
from rewards.reward_refusals import OutOfStock, RewardNotAvailable
from rewards.services.household_points import household_would_add
from rewards.services.till_terms import QuoteExpired

#: The code under which quotes of rewards are kept as decisions, and how long one counts.
QUOTE_CODE: Final = "reward_quote"
LASTS: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RewardQuote:
    """What a member was told: the price, what they have and lack (points), pieces left, and why they may not have it."""

    ref: UUID
    expires_at: datetime
    reward: Reward
    offer: Offer
    available: int
    household: int
    left: int | None
    obstacles: Sequence[RewardsRefusal]

    @property
    def missing(self) -> int:
        """Points that are missing, after what the household would add."""
        return max(0, self.offer.points - self.available - self.household)


def quote_reward(*, member: Member, reward_ref: UUID, by: Actor, at: datetime) -> RewardQuote:
    """Quote a reward and keep the quote, in a transaction of its own. Raises RewardNotAvailable."""
    reward = on_shelf(at).filter(public_id=reward_ref).first()
    if reward is None:
        raise RewardNotAvailable
    offers = offers_at([reward], at, member_id=member.pk)
    offer = offers[reward.pk]
    available = balance_of(member.pk, at).available
    left = pieces_left([reward], offers, at)[reward.pk]
    obstacles = list(obstacles_of([reward], offers, member.pk, at)[reward.pk])
    if left == 0:
        obstacles.append(OutOfStock(reward=reward.name))
    trace = {
        "v": 1, "reward": reward.pk, "label": labels_of(reward, "name"), "points": offer.points, "cash": str(offer.cash_amount),
        "until": (at + LASTS).isoformat(), "obstacles": [one.code for one in obstacles],
    }  # fmt: skip
    ref = record_decision(
        kind="quote", member_id=member.pk, subject=f"reward:{reward.pk}", code=QUOTE_CODE, trace=trace, by=by, at=at
    )
    return RewardQuote(ref, at + LASTS, reward, offer, available, _household(member.pk, reward, at), left, obstacles)


def quoted_terms(*, quote_ref: UUID, member_id: int, at: datetime) -> tuple[int, tuple[int, Decimal]]:
    """Return the reward (id) of a quote and its price (points, money). Raises QuoteExpired, also for another member's."""
    try:
        decision = decision_by_public_id(quote_ref, at=at)
    except NotFound:
        raise QuoteExpired from None
    trace = decision.trace
    if decision.code != QUOTE_CODE or decision.member_id != member_id or datetime.fromisoformat(trace["until"]) <= at:
        raise QuoteExpired
    return trace["reward"], (trace["points"], Decimal(trace["cash"]))


def _household(member_id: int, reward: Reward, at: datetime) -> int:
    """Return what the household would add for a reward that it pays for."""
    currency = ledger.currency_id()
    is_given_on = reward.kind in (Reward.Kind.DONATION, Reward.Kind.PARTNER)
    if is_given_on or not PointsCurrency.objects.filter(pk=currency, household_pays=True).exists():
        return 0
    return household_would_add(member_id=member_id, currency_id=currency, at=at)
