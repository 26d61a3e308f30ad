"""What rewards cost a member now, and whether they may have them: read for many rewards at once, in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Final

from django.db import connection
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Least

from loyalty.periods import business_date, midnight
from loyalty.queries import tier_at
from members.models import SegmentSpan
from members.queries import family_ids, programme
from rewards.ledger import currency_id
from rewards.models import (
    DigitalCode,
    FlashSale,
    Purchase,
    Redemption,
    RedemptionState,
    Reward,
    RewardPrice,
    WishedReward,
)
from rewards.refusals import RewardsRefusal
from rewards.reward_prices import is_dearer, prices_at
from rewards.reward_refusals import (
    EventIsOver,
    NotActiveEnough,
    NotForThisMember,
    RewardLimitReached,
    RewardPeriodLimitReached,
    SaleLimitReached,
    TierTooLow,
)
from rewards.vouchers_held import MostVouchersHeld, held_of

#: Orders whose points came back do not count towards limits.
_BACK: Final = (RedemptionState.CANCELLED, RedemptionState.REFUNDED)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one piece costs now: points, and money besides. `sale`: in a flash sale. `is_honoured`: the price before a rise.

    `list_points` is the ordinary price; `ends_at` says until when this one is had, where that is known.
    """

    points: int
    cash_amount: Decimal
    list_points: int
    sale: FlashSale | None = None
    is_honoured: bool = False
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Old:
    """The price before a rise, and who still has it: whoever wished or had saved enough when the rise was announced."""

    version: RewardPrice
    points: int
    cash_amount: Decimal


def on_shelf(at: datetime) -> QuerySet[Reward]:
    """Return the rewards that are on the shelf at a moment, with all that an answer tells of them."""
    rows = Reward.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=at), valid_from__lte=at)
    return rows.select_related("template", "category", "project", "partner", "least_tier")


def costing_at_most(rows: QuerySet[Reward], points: int, at: datetime) -> QuerySet[Reward]:
    """Return the rewards for which everybody pays at most so many points now."""
    versions = RewardPrice.objects.filter(reward=OuterRef("pk"), valid_from__lte=at, withdrawn_at=None)
    sales = FlashSale.objects.filter(
        Q(stock__isnull=True) | Q(stock__gt=0), reward=OuterRef("pk"), starts_at__lte=at, ends_at__gt=at
    )
    ordinary = Coalesce(Subquery(versions.order_by("-valid_from").values("price_points")[:1]), F("price_points"))
    in_sale = Subquery(sales.values("price_points")[:1])
    return rows.annotate(points_now=Least(ordinary, Coalesce(in_sale, ordinary))).filter(points_now__lte=points)


def price_changes() -> Q:
    """Return the condition that anything but the price a reward was put up with was ever asked for."""
    versions = RewardPrice.objects.filter(reward=OuterRef("pk"))
    return Exists(versions) | Exists(FlashSale.objects.filter(reward=OuterRef("pk")))


def announced_prices(rewards: Collection[Reward], at: datetime) -> dict[int, RewardPrice]:
    """Return the price of each reward that was announced and has not come yet, by id: one query."""
    planned = RewardPrice.objects.filter(reward__in=[one.pk for one in rewards], valid_from__gt=at, withdrawn_at=None)
    return {row.reward_id: row for row in planned.order_by("-valid_from")}


def offers_at(rewards: Collection[Reward], at: datetime, *, member_id: int | None = None) -> dict[int, Offer]:
    """Return what rewards cost now, by id; with a member, what they cost that member.

    Two queries, three with a member, at most seven where old prices are honoured. A sale whose own pieces are gone is over.
    A sale holds where it asks for fewer points than everybody pays; an old price gives way only to what is in no way dearer.
    """
    prices = prices_at(rewards, at)
    found = {pk: Offer(price.points, price.cash_amount, price.points) for pk, price in prices.items()}
    if member_id is not None:
        for pk, old in _honoured(rewards, member_id, at).items():
            if is_dearer(_price(found[pk]), _price(old)):
                found[pk] = Offer(
                    old.points, old.cash_amount, found[pk].points, is_honoured=True, ends_at=old.version.honoured_until
                )
    sales = FlashSale.objects.filter(
        Q(stock__isnull=True) | Q(stock__gt=0), reward__in=list(found), starts_at__lte=at, ends_at__gt=at
    )
    for sale in sales:
        offer, asked = found[sale.reward_id], (sale.price_points, sale.cash_amount)
        if not (is_dearer(asked, _price(offer)) if offer.is_honoured else asked > _price(offer)):
            found[sale.reward_id] = Offer(*asked, offer.list_points, sale, ends_at=sale.ends_at)
    return found


def _price(one: Offer | _Old) -> tuple[int, Decimal]:
    return one.points, one.cash_amount


def _honoured(rewards: Collection[Reward], member_id: int, at: datetime) -> dict[int, _Old]:
    """Return the old prices that a member still has: after rises, if they had wished or saved enough when one was announced.

    Of several, the one that ends first, unless another is in no way dearer.
    """
    versions: dict[int, list[RewardPrice]] = defaultdict(list)
    risen = RewardPrice.objects.filter(honoured_until__gt=at, valid_from__lte=at, withdrawn_at=None)
    ids = set(risen.filter(reward__in=[one.pk for one in rewards]).values_list("reward_id", flat=True))
    if not ids:
        return {}
    rows = RewardPrice.objects.filter(reward__in=ids, valid_from__lte=at, withdrawn_at=None)
    for row in rows.order_by("reward", "valid_from"):
        versions[row.reward_id].append(row)
    olds = {one.pk: _before(one, versions[one.pk], at) for one in rewards if one.pk in ids}
    wished = dict(
        WishedReward.objects.filter(member__in=family_ids(member_id), reward__in=ids)
        .values("reward_id")
        .annotate(since=Min("wished_at"))
        .values_list("reward_id", "since")
    )
    announced = {old.version.announced_at for found in olds.values() for old in found}
    had = _had(member_id, announced)
    kept: dict[int, _Old] = {}
    for pk, found in olds.items():
        since = wished.get(pk)
        for old in found:
            moment = old.version.announced_at
            is_theirs = (since is not None and since <= moment) or had[moment] >= old.points
            if is_theirs and (pk not in kept or not is_dearer(_price(old), _price(kept[pk]))):
                kept[pk] = old
    return kept


def _before(reward: Reward, versions: Sequence[RewardPrice], at: datetime) -> list[_Old]:
    """Return the prices before those rises after which they are honoured still, the one that ends first at the beginning."""
    found: list[tuple[datetime, _Old]] = []
    before: Reward | RewardPrice = reward
    for version in versions:
        old = _Old(version, before.price_points, before.cash_amount)
        is_rise = is_dearer((version.price_points, version.cash_amount), _price(old))
        if is_rise and version.honoured_until is not None and version.honoured_until > at:
            found.append((version.honoured_until, old))
        before = version
    return [old for _ends, old in sorted(found, key=itemgetter(0))]


def _had(member_id: int, moments: Collection[datetime]) -> dict[datetime, int]:
    """Return the points that could be spent at each moment, as booked: one query for all."""
    if not moments:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.moment, coalesce((
                SELECT e.available_after FROM rewards_ledgerentry e JOIN rewards_pointsaccount a ON a.id = e.account_id
                WHERE a.member_id = %s AND a.currency_id = %s AND e.happened_at <= m.moment ORDER BY e.seq DESC LIMIT 1
            ), 0)
            FROM unnest(%s::timestamptz[]) AS m (moment)
            """,
            [member_id, currency_id(), list(moments)],
        )
        return dict(cursor.fetchall())


def obstacles_of(
    rewards: Collection[Reward], offers: Mapping[int, Offer], member_id: int, at: datetime
) -> dict[int, list[RewardsRefusal]]:
    """Return what stands between a member and rewards besides points and stock, by id: none where they may have them."""
    asks = any(
        one.segment_id or one.active_days or one.per_member_limit is not None or one.period_limit is not None
        or _limits_sale(offers[one.pk]) or _most_held(one) is not None
        for one in rewards
    )  # fmt: skip
    family = family_ids(member_id) if asks else []
    rank = tier_at(member_id, at).rank if any(one.least_tier_id for one in rewards) else 0
    segments = {one.segment_id for one in rewards if one.segment_id}
    stays = (
        SegmentSpan.objects.filter(member__in=family, segment__in=segments, left_at__isnull=True) if segments else None
    )
    within = set(stays.values_list("segment_id", flat=True)) if stays is not None else set()
    bought_at = _last_purchase(family, rewards)
    had = _counted(family, rewards, offers, at)
    found = {
        one.pk: list(_obstacles(one, offers[one.pk], rank, within, bought_at, had.get(one.pk, (0, 0, 0)), at)) for one in rewards
    }  # fmt: skip
    for pk, refusal in _vouchers_held(family, rewards, at):
        found[pk].append(refusal)
    return found


def _most_held(reward: Reward) -> int | None:
    """Return how many unused vouchers of the kind that a reward gives a member may hold."""
    return reward.template.most_held if reward.template is not None else None


def _vouchers_held(
    family: Sequence[int], rewards: Collection[Reward], at: datetime
) -> Iterator[tuple[int, RewardsRefusal]]:
    """Yield the rewards whose vouchers the member holds as many of as one may. One query, where any has a limit."""
    limited = [one for one in rewards if _most_held(one) is not None]
    held = held_of([one.template_id or 0 for one in limited], family, at=at) if limited else {}
    for one in limited:
        most = _most_held(one)
        if most is not None and held.get(one.template_id or 0, 0) >= most:
            yield one.pk, MostVouchersHeld(most=most)


def _obstacles(
    reward: Reward, offer: Offer, rank: int, within: Collection[int], bought_at: datetime | None, had: tuple[int, int, int],
    at: datetime,
) -> list[RewardsRefusal]:  # fmt: skip
    ever, in_period, in_sale = had
    found: list[RewardsRefusal] = []
    if reward.least_tier is not None and rank < reward.least_tier.rank:
        found.append(TierTooLow(tier=reward.least_tier.name))
    if reward.segment_id and reward.segment_id not in within:
        found.append(NotForThisMember())
    if reward.active_days and (bought_at is None or bought_at < at - timedelta(days=reward.active_days)):
        found.append(NotActiveEnough(days=reward.active_days))
    if reward.event_at is not None and reward.event_at <= at:
        found.append(EventIsOver())
    if reward.per_member_limit is not None and ever >= reward.per_member_limit:
        found.append(RewardLimitReached(reward=reward.name, limit=reward.per_member_limit))
    if reward.period_limit is not None and in_period >= reward.period_limit:
        period = reward.get_period_display()
        found.append(RewardPeriodLimitReached(reward=reward.name, limit=reward.period_limit, period=str(period)))
    if offer.sale is not None and offer.sale.per_member_limit is not None and in_sale >= offer.sale.per_member_limit:
        found.append(SaleLimitReached(reward=reward.name, limit=offer.sale.per_member_limit))
    return found


def _last_purchase(family: Sequence[int], rewards: Collection[Reward]) -> datetime | None:
    """Return when the member last bought something, where a reward asks for it."""
    if not any(one.active_days for one in rewards):
        return None
    return Purchase.objects.filter(member__in=family).aggregate(last=Max("ordered_at"))["last"]


def _counted(
    family: Sequence[int], rewards: Collection[Reward], offers: Mapping[int, Offer], at: datetime
) -> dict[int, tuple[int, int, int]]:
    """Return how many of each limited reward the member had: ever, in the period of its limit, in its sale. One query."""
    limited = [
        one for one in rewards
        if one.per_member_limit is not None or one.period_limit is not None or _limits_sale(offers[one.pk])
    ]  # fmt: skip
    if not limited:
        return {}
    in_period = Q()
    for one in limited:
        if one.period_limit is not None:
            in_period |= Q(reward=one.pk, redeemed_at__gte=period_start(one.period, at))
    sales = [offer.sale.pk for offer in offers.values() if offer.sale is not None]
    rows = (
        Redemption.objects.filter(member__in=family, reward__in=[one.pk for one in limited])
        .exclude(state__in=_BACK)
        .values("reward_id")
        .annotate(
            ever=Count("pk"),
            period=Count("pk", filter=in_period or Q(pk__isnull=True)),
            in_sale=Count("pk", filter=Q(sale__in=sales)),
        )
    )
    return {row["reward_id"]: (row["ever"], row["period"], row["in_sale"]) for row in rows}


def _limits_sale(offer: Offer) -> bool:
    return offer.sale is not None and offer.sale.per_member_limit is not None


def period_start(period: str, at: datetime) -> datetime:
    """Return when the day, week (from Monday), month or year of a moment began, in the programme's zone."""
    tz = programme().tz
    today = business_date(at, tz)
    first: date = {
        Reward.Period.DAY: today,
        Reward.Period.WEEK: today - timedelta(days=today.weekday()),
        Reward.Period.MONTH: today.replace(day=1),
        Reward.Period.YEAR: today.replace(month=1, day=1),
    }[Reward.Period(period)]
    return midnight(first, tz)


def pieces_left(rewards: Collection[Reward], offers: Mapping[int, Offer], at: datetime) -> dict[int, int | None]:
    """Return how many pieces can be redeemed now at their price, by id; None without limit. One query for digital codes."""
    digital = [one.pk for one in rewards if one.kind == Reward.Kind.DIGITAL]
    free: dict[int, int] = {}
    if digital:
        usable = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
        codes = DigitalCode.objects.filter(usable, reward__in=digital, state=DigitalCode.State.FREE)
        free = dict(codes.values("reward_id").annotate(left=Count("pk")).values_list("reward_id", "left"))
    left: dict[int, int | None] = {}
    for one in rewards:
        sale = offers[one.pk].sale
        own = free.get(one.pk, 0) if one.kind == Reward.Kind.DIGITAL else one.stock
        if sale is not None and sale.stock is not None:
            own = sale.stock if one.kind != Reward.Kind.DIGITAL else min(sale.stock, own or 0)
        left[one.pk] = own
    return left
