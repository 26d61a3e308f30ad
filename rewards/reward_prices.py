"""What rewards cost when: the price they were put up with, the versions after it, and what 100 points bought of them.

A flash sale is no price version; whoever redeems asks for it beside this.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db import connection

from loyalty.periods import business_date, midnight
from members.queries import programme
from rewards.ledger import currency_id
from rewards.models import Reward, RewardPrice

MONTHS: Final = 12
_MOST_REWARDS: Final = 2_000
_SIX_PLACES: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class PriceNow:
    """What one piece costs at a moment: points, and money besides; since when (None: since it was put up)."""

    points: int
    cash_amount: Decimal
    since: datetime | None = None


def is_dearer(price: tuple[int, Decimal], than: tuple[int, Decimal]) -> bool:
    """Whether anybody could have to pay more at a price (points, money) than at another one: more points, or more money."""
    return price[0] > than[0] or price[1] > than[1]


@dataclass(frozen=True, slots=True)
class SavedUp:
    """How many members have saved enough for a reward at its price, and how many of them would lack points at a new one."""

    enough: int
    no_longer: int


@dataclass(frozen=True, slots=True)
class Bought:
    """What 100 points bought on a day: money's worth, the mean of so many rewards; None where there was none."""

    date: date
    amount: Decimal | None
    rewards: int


def price_at(reward: Reward, at: datetime) -> PriceNow:
    """Return the price of a reward at a moment: one query."""
    return prices_at([reward], at)[reward.pk]


def prices_at(rewards: Collection[Reward], at: datetime) -> dict[int, PriceNow]:
    """Return the prices of rewards at a moment, by id: one query for all."""
    found = {one.pk: PriceNow(one.price_points, one.cash_amount) for one in rewards}
    versions = RewardPrice.objects.filter(reward__in=list(found), valid_from__lte=at, withdrawn_at=None)
    for row in versions.order_by("reward", "valid_from"):
        found[row.reward_id] = PriceNow(row.price_points, row.cash_amount, row.valid_from)
    return found


def planned_price(reward_id: int, at: datetime) -> RewardPrice | None:
    """Return the price that was announced and is not in force yet, if there is one."""
    planned = RewardPrice.objects.filter(reward=reward_id, valid_from__gt=at, withdrawn_at=None)
    return planned.order_by("valid_from").first()


def worth_of_a_point(points: int, cash_amount: Decimal, cost_amount: Decimal | None) -> Decimal | None:
    """Return what a point buys of a reward, in money: what it costs us less what is paid besides; None without a cost."""
    if cost_amount is None or points <= 0:
        return None
    return (max(cost_amount - cash_amount, Decimal(0)) / points).quantize(_SIX_PLACES)


def saved_up(*, reward: Reward, points: int, new_points: int) -> SavedUp:
    """Count who could redeem a reward for `points`, and who of them could not for `new_points`: one pass over the balances.

    Counted are available points of members who may have the reward by tier and segment.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), count(*) FILTER (WHERE a.available < %(new)s)
            FROM rewards_pointsaccount a
            WHERE a.currency_id = %(currency)s AND a.available >= %(old)s {_may_have(reward)}
            """,  # noqa: S608 - constants
            {
                "old": points, "new": new_points, "currency": currency_id(), "segment": reward.segment_id,
                "rank": reward.least_tier.rank if reward.least_tier else None,
            },
        )  # fmt: skip
        enough, no_longer = cursor.fetchone()
    return SavedUp(enough, no_longer)


def _may_have(reward: Reward) -> str:
    """Return the conditions on the member of account `a`."""
    sql = ""
    if reward.least_tier_id:
        sql += """ AND EXISTS (
            SELECT 1 FROM loyalty_tierstanding s JOIN loyalty_tier t ON t.id = s.tier_id
            LEFT JOIN loyalty_tier f ON f.id = s.floor_tier_id
            WHERE s.member_id = a.member_id AND greatest(t.rank, f.rank) >= %(rank)s)"""
    if reward.segment_id:
        sql += """ AND EXISTS (
            SELECT 1 FROM members_segmentspan p
            WHERE p.segment_id = %(segment)s AND p.member_id = a.member_id AND p.left_at IS NULL)"""
    return sql


def bought_by_month(*, at: datetime, months: int = MONTHS) -> list[Bought]:
    """Return what 100 points bought at the beginning of each of the last months, and now, the oldest first: two queries.

    Of each reward that was on the shelf then and whose cost is known: its cost of today, less the money paid besides, for
    100 points at its price of then. The mean over these rewards, each counted once. So it falls when prices rise, or when
    what is put on the shelf is dearer than what is taken off.
    """
    tz = programme().tz
    today = business_date(at, tz)
    firsts = [_first_of(today, back) for back in range(months - 1, -1, -1)]
    moments = [(day, midnight(day, tz)) for day in firsts] + [(today, at)]
    rewards = list(Reward.objects.filter(cost_amount__isnull=False).order_by("pk")[:_MOST_REWARDS])
    versions: dict[int, list[RewardPrice]] = {}
    for row in RewardPrice.objects.filter(reward__in=rewards, withdrawn_at=None).order_by("reward", "valid_from"):
        versions.setdefault(row.reward_id, []).append(row)
    return [_bought(day, moment, rewards, versions) for day, moment in moments]


def _bought(
    day: date, moment: datetime, rewards: Collection[Reward], versions: Mapping[int, list[RewardPrice]]
) -> Bought:
    worths = []
    for reward in rewards:
        if reward.valid_from > moment or (reward.valid_to is not None and reward.valid_to <= moment):
            continue
        points, cash = reward.price_points, reward.cash_amount
        for version in versions.get(reward.pk, []):
            if version.valid_from <= moment:
                points, cash = version.price_points, version.cash_amount
        worth = worth_of_a_point(points, cash, reward.cost_amount)
        if worth is not None:
            worths.append(100 * worth)
    mean = (sum(worths, Decimal(0)) / len(worths)).quantize(Decimal("0.01")) if worths else None
    return Bought(day, mean, len(worths))


def _first_of(day: date, months_back: int) -> date:
    """Return the first day of the month so many months before."""
    number = day.year * 12 + day.month - 1 - months_back
    return date(number // 12, number % 12 + 1, 1)
