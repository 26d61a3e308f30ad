"""What rewards cost a member now, and whether they may have them: read for many rewards at once, in a bounded number of queries."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

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
    LedgerEntry,
    Purchase,
    Redemption,
    RedemptionState,
    Reward,
    RewardPrice,
    WishedReward,
)
from rewards.refusals import RewardsRefusal
from rewards.reward_prices import prices_at
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
    """Return what rewards cost now, by id; with a member, what they cost that member. Two queries, or five with old prices.

    A sale whose own pieces are gone is over. The cheapest holds where a sale meets an old price.
    """
    prices = prices_at(rewards, at)
    found = {pk: Offer(price.points, price.cash_amount, price.points) for pk, price in prices.items()}
    if member_id is not None:
        for pk, old in _honoured(rewards, member_id, at).items():
            found[pk] = Offer(
                old.points, old.cash_amount, found[pk].points, is_honoured=True, ends_at=old.version.honoured_until
            )
    sales = FlashSale.objects.filter(
        Q(stock__isnull=True) | Q(stock__gt=0), reward__in=list(found), starts_at__lte=at, ends_at__gt=at
    )
    for sale in sales:
        if sale.price_points <= found[sale.reward_id].points:
            ordinary = found[sale.reward_id].list_points
            found[sale.reward_id] = Offer(sale.price_points, sale.cash_amount, ordinary, sale, ends_at=sale.ends_at)
    return found


def _honoured(rewards: Collection[Reward], member_id: int, at: datetime) -> dict[int, _Old]:
    """Return the old prices that a member still has: after a rise, if they had wished or saved enough when it was announced."""
    versions: dict[int, list[RewardPrice]] = defaultdict(list)
    risen = RewardPrice.objects.filter(honoured_until__gt=at, valid_from__lte=at, withdrawn_at=None)
    ids = set(risen.filter(reward__in=[one.pk for one in rewards]).values_list("reward_id", flat=True))
    if not ids:
        return {}
    rows = RewardPrice.objects.filter(reward__in=ids, valid_from__lte=at, withdrawn_at=None)
    for row in rows.order_by("reward", "valid_from"):
        versions[row.reward_id].append(row)
    olds = {one.pk: _before(one, versions[one.pk], at) for one in rewards if one.pk in ids}
    risen_now = {pk: old for pk, old in olds.items() if old is not None}
    family = family_ids(member_id)
    wished = dict(
        WishedReward.objects.filter(member__in=family, reward__in=risen_now)
        .values("reward_id")
        .annotate(since=Min("wished_at"))
        .values_list("reward_id", "since")
    )
    kept = {}
    for pk, old in risen_now.items():
        since = wished.get(pk)
        if (since is not None and since <= old.version.announced_at) or _had(
            member_id, old.version.announced_at
        ) >= old.points:
            kept[pk] = old
    return kept


def _before(reward: Reward, versions: Sequence[RewardPrice], at: datetime) -> _Old | None:
    """Return the price before the one in force, where it was lower and is honoured still."""
    last = versions[-1]
    if last.honoured_until is None or last.honoured_until <= at:
        return None
    before = versions[-2] if len(versions) > 1 else reward
    is_dearer = (last.price_points, last.cash_amount) > (before.price_points, before.cash_amount)
    return _Old(last, before.price_points, before.cash_amount) if is_dearer else None


def _had(member_id: int, moment: datetime) -> int:
    """Return the points that could be spent at a moment, as booked."""
    entries = LedgerEntry.objects.filter(
        account__member=member_id, account__currency=currency_id(), happened_at__lte=moment
    )
    return entries.order_by("-seq").values_list("available_after", flat=True).first() or 0


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
