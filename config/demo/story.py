"""Tell eighteen months of the demo's business, a week at a time, through the services of live traffic.

Purchases and returns go through the bulk posting that is proven equal to live posting (tests/rewards/test_bulk.py);
redemptions, vouchers, expiry and tier reviews, and in the last weeks all that members and staff do besides the trade,
through the services themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from random import Random

from config.demo.alike import make_alike
from config.demo.behaviours import behave
from config.demo.benefits import BenefitsGiven
from config.demo.books import bring_up_to_date, lock_past_months
from config.demo.business import Business, open_business
from config.demo.byhand import PointsByHand
from config.demo.cases import Cases
from config.demo.consents import agree, publish_words
from config.demo.counter import pay_with_points, serve
from config.demo.desk import MembersByHand
from config.demo.identity import Identity
from config.demo.issuing import VouchersComing
from config.demo.ladders import NextLadder
from config.demo.people import Goods, Person, basket, guests_of_day, make_people, moment_of
from config.demo.places import Recruiting, open_regions
from config.demo.plans import PaidPlans
from config.demo.points import BEHAVIOUR_DAYS, POINTS, open_points
from config.demo.redeeming import scenes_of_rewards
from config.demo.regulars import make_regulars, told_orders
from config.demo.scenes import Scenes
from config.demo.sign_ins import SignIns
from config.demo.tiers import TierScenes
from config.demo.webhooks import Webhooks
from loyalty.queries import forget_ladder_book
from loyalty.services.published_rules import publish_rules
from loyalty.services.standing import review_all_due
from members import timeline
from members.actors import Actor
from members.models import Operator
from members.queries import forget_programme, programme
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.ledger import InsufficientPoints
from rewards.models import PointsAccount, Reward
from rewards.queries import forget_rules
from rewards.services.bulk import post_history
from rewards.services.expiry import expire_due_lots
from rewards.services.purchases import Order, OrderLine
from rewards.services.redemptions import OutOfStock, RewardLimitReached, redeem_reward
from rewards.services.returns import Return, ReturnItem
from rewards.services.vouchers import expire_due_vouchers, use_voucher

SEED = 20_240_501
MONTHS = 18
STEP = timedelta(days=7)
CHUNK_ORDERS = 4_000
#: One member in so many has given no e-mail address.
ONE_IN_SO_MANY = 12
#: With the month after so many days ago the rules were put on a public page.
RULES_DAYS = 100
TILL, WEB = "till", "mini-program"


@dataclass(frozen=True, slots=True, order=True)
class _Wallet:
    """A voucher that will be used later: when, its code, and what it needs."""

    use_at: datetime
    number: int
    code: str
    store: int
    least: Decimal


class Story:
    """The telling: everything random comes from one seeded generator, so the same day tells the same story."""

    def __init__(self, *, members: int, now: datetime, by: Actor) -> None:
        self.random = Random(SEED)  # noqa: S311  (a story, not a secret)
        self.now = now
        self.by = by
        tz = programme().tz
        today = now.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today.replace(day=1)
        for _ in range(MONTHS):
            first = (first - timedelta(days=1)).replace(day=1)
        self.start = first.astimezone(UTC)
        self.business: Business = open_business(start=self.start, today=today.astimezone(UTC), members=members)
        open_regions()
        forget_programme()
        forget_ladder_book()
        self.history_from = open_points(start=self.start, today=today.astimezone(UTC), by=by)
        forget_rules()
        self.tz = self.business.tz
        self.people: list[Person] = make_people(
            members, self.start, now, self.business.store_weights, self.random, self.tz
        )
        make_regulars(self.people, self.start)
        make_alike(self.people)
        self.told = sorted(told_orders(self.people, now=now, tz=self.tz), key=lambda one: one.moment)
        self.joined = 0
        self.orders = 0
        self.wallets: list[_Wallet] = []
        self.pending_returns: list[tuple[int | None, Return]] = []
        # What was added beside the trade has generators of its own, so that it does not change the trade.
        self.beside = Random(SEED + 1)  # noqa: S311
        self.payers = Random(SEED + 3)  # noqa: S311
        self.by_hand = PointsByHand(now=now, tz=self.tz, random=Random(SEED + 2))  # noqa: S311
        self.recruiting = Recruiting(Random(SEED + 4))  # noqa: S311
        self.agreeing = Random(SEED + 5)  # noqa: S311
        self.desk = MembersByHand(now=now, tz=self.tz, random=Random(SEED + 6))  # noqa: S311
        self.identity = Identity(now=now, tz=self.tz, random=Random(SEED + 8))  # noqa: S311
        self.benefits = BenefitsGiven(now=now, tz=self.tz, random=Random(SEED + 9))  # noqa: S311
        self.tiers = TierScenes(now=now, tz=self.tz, random=Random(SEED + 11))  # noqa: S311
        self.cases = Cases(now=now, tz=self.tz, random=Random(SEED + 7))  # noqa: S311
        self.plans = PaidPlans(now=now, tz=self.tz, random=Random(SEED + 10))  # noqa: S311
        self.ladder = NextLadder(now=now, tz=self.tz, random=Random(SEED + 12))  # noqa: S311
        self.sign_ins = SignIns(now=now, tz=self.tz, random=Random(SEED + 13))  # noqa: S311
        self.webhooks = Webhooks(now=now, tz=self.tz, random=Random(SEED + 14))  # noqa: S311
        self.issuing = VouchersComing(now=now, tz=self.tz, random=Random(SEED + 13))  # noqa: S311
        self.rewarding = scenes_of_rewards(now=now, tz=self.tz, seed=SEED + 15)
        for scenes in [*vars(self).values(), *self.rewarding]:
            if isinstance(scenes, Scenes):
                scenes.people = self.people

    def tell(self, progress: Callable[[int], object]) -> None:
        """Tell the whole story; `progress` is told the days done. The accounts of staff and the till's key must be there."""
        self.finance = Actor("operator", Operator.objects.get(username="finance").pk)
        publish_words(now=self.now, by=Actor("operator", Operator.objects.get(username="admin").pk))
        start = self.start
        while start < self.now:
            if start == self._month_of(start):
                lock_past_months(begun=start, now=self.now, by=self.finance)
                if start == self._next_month(self.now - timedelta(days=RULES_DAYS)):
                    publish_rules(by=self.by, at=start)
            end = min(start + STEP, self._next_month(start), self.now)
            if start < self.history_from:
                end = min(end, self.history_from)  # beyond it, orders are posted one by one
            self._step(start, end)
            progress(max(1, (end - start).days))
            start = end
        serve(now=self.now, business=self.business, random=self.beside)
        self.cases.play(self.now)
        self.sign_ins.play(self.now)
        self.webhooks.play(self.now)
        self.ladder.play(self.now)
        publish_rules(by=self.by, at=self.now)
        bring_up_to_date(now=self.now, finance=self.finance, system=self.by)

    def _month_of(self, moment: datetime) -> datetime:
        """Return the first moment of a moment's month."""
        first = moment.astimezone(self.tz).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return first.astimezone(UTC)

    def _next_month(self, start: datetime) -> datetime:
        """Return the first moment of the month after `start`: points expire there, so a step ends there."""
        first = self._month_of(start).astimezone(self.tz)
        return (first + timedelta(days=32)).replace(day=1).astimezone(UTC)

    def _step(self, start: datetime, end: datetime) -> None:
        self._enrol(start, end)
        active = [
            person for person in self.people[: self.joined] if person.joined_at < end and person.lapses_at > start
        ]
        orders = [order for person in active for order in self._orders_of(person, start, end)]
        guests = self._guest_orders(start, end, len(orders))
        told = self._told_orders(end)
        due = [pair for pair in self.pending_returns if pair[1].returned_at < end]
        self.pending_returns = [pair for pair in self.pending_returns if pair[1].returned_at >= end]
        self._post([*orders, *guests, *told], due)
        self._plan_returns([*orders, *guests])
        self._redeem(orders, start, end)
        self._use_vouchers(end)
        self.plans.play(end)
        self._besides(orders, start, end)
        self._nightly(end)

    def _besides(self, orders: Sequence[Order], start: datetime, end: datetime) -> None:
        """In the last weeks: what members do besides buying, and what staff do with points."""
        if end > self.now - timedelta(days=BEHAVIOUR_DAYS):
            behave(
                people=self.people[: self.joined], orders=orders, start=max(start, self.now - timedelta(days=BEHAVIOUR_DAYS - 1)),
                end=end, business=self.business, random=self.beside,
            )  # fmt: skip
            coming_back = {ret.external_order_no for _member, ret in self.pending_returns}
            pay_with_points(
                orders=[order for order in orders if order.external_order_no not in coming_back], by=self.by, random=self.payers
            )  # fmt: skip
            self.by_hand.play(end)
            self.desk.play(end)
            self.identity.play(end)
            self.issuing.play(end)
            for scenes in self.rewarding:
                scenes.play(end)
            self.benefits.play(end)
            self.tiers.play(end)
            self.benefits.follow(start, end)
            # Activities are rewarded by whoever reads the timeline; benefits were followed just now.
            readers = [name for name in timeline.subscribers() if name != "loyalty.benefits"]
            while sum(timeline.relay(at=end, name=name) for name in readers):
                pass

    def _enrol(self, start: datetime, end: datetime) -> None:
        new: list[Person] = []
        while self.joined + len(new) < len(self.people) and self.people[self.joined + len(new)].joined_at < end:
            new.append(self.people[self.joined + len(new)])
        came = [self.recruiting.of_next(self.people[: self.joined]) for _person in new]
        ids = enrol_many(
            members=[
                NewMember(
                    joined_at=person.joined_at,
                    channel_id=self.business.channels[WEB if person.online > 0.24 and person.index % 2 else TILL],
                    home_store_id=self.business.stores[person.store].pk,
                    full_name=person.name,
                    phone=person.phone,
                    email=f"member{person.index:06}@example.com" if person.index % ONE_IN_SO_MANY else None,
                    birthday=person.birthday,
                    language=person.language,
                    recruiting_source_id=source,
                    inviter_id=inviter,
                )
                for person, (source, inviter) in zip(new, came, strict=True)
            ],
            by=self.by,
            at=end,
        )
        for person, member_id in zip(new, ids, strict=True):
            person.member_id = member_id
        agree(new, self.agreeing)
        self.joined += len(new)

    def _orders_of(self, person: Person, start: datetime, end: datetime) -> list[Order]:
        result = []
        for moment in person.visits(start, end, self.random, self.tz):
            online = self.random.random() < person.online
            away = not online and self.random.random() < 0.15
            store = (
                self.random.choices(range(len(self.business.stores)), self.business.store_weights)[0]
                if away
                else person.store
            )
            result.append(self._order(moment, person.member_id, None if online else store))
        return result

    def _told_orders(self, end: datetime) -> list[Order]:
        """Return the orders before `end` that are told and were not yet; what comes back of them does so a week later."""
        orders = []
        while self.told and self.told[0].moment < end:
            told = self.told.pop(0)
            order = self._order(told.moment, told.person.member_id, told.person.store, told.goods)
            orders.append(order)
            if told.comes_back:
                self._plan_return(order, days=8)
        return orders

    def _order(self, moment: datetime, member_id: int | None, store: int | None, goods: Goods | None = None) -> Order:
        self.orders += 1
        place = None if store is None else self.business.stores[store]
        lines = tuple(
            OrderLine(article.sku, article.name, Decimal(quantity), article.price, amount, article.earns)
            for article, quantity, amount in goods or basket(self.random, online=place is None)
        )
        return Order(
            source="mini-program" if place is None else "till",
            external_order_no=f"{place.code if place else 'MP'}-{moment.astimezone(self.tz):%y%m%d}-{self.orders:07}",
            member_id=member_id,
            channel_id=self.business.channels[WEB if place is None else TILL],
            store_id=place.pk if place else None,
            ordered_at=moment,
            lines=lines,
        )

    def _guest_orders(self, start: datetime, end: datetime, member_orders: int) -> list[Order]:
        days = max(1, (end - start).days)
        result = []
        for offset in range(days):
            day = (start + timedelta(days=offset)).astimezone(self.tz).date()
            for _ in range(guests_of_day(day, member_orders / days, self.random)):
                moment = moment_of(day, self.random, self.tz)
                if start <= moment < end:
                    store = self.random.choices(range(len(self.business.stores)), self.business.store_weights)[0]
                    result.append(self._order(moment, None, store))
        return result

    def _post(self, orders: Sequence[Order], returns: Sequence[tuple[int | None, Return]]) -> None:
        """Post a step's facts, one member's in one call."""
        told: dict[int | None, tuple[list[Order], list[Return]]] = defaultdict(lambda: ([], []))
        for order in orders:
            told[order.member_id][0].append(order)
        for member_id, ret in returns:
            told[member_id][1].append(ret)
        guests = told.pop(None, ([], []))
        chunk: tuple[list[Order], list[Return]] = ([], [])
        for own_orders, own_returns in told.values():
            chunk[0].extend(own_orders)
            chunk[1].extend(own_returns)
            if len(chunk[0]) >= CHUNK_ORDERS:
                self._post_chunk(*chunk)
                chunk = ([], [])
        self._post_chunk(*chunk)
        self._post_chunk(*guests)  # alone: no rule asks for their history

    def _post_chunk(self, orders: Sequence[Order], returns: Sequence[Return]) -> None:
        post_history(orders=orders, returns=returns, by=self.by, at=self.now, quiet=True)

    def _plan_returns(self, orders: Sequence[Order]) -> None:
        """One order in sixty comes back in the second week, half of those in part."""
        for order in orders:
            if self.random.random() >= 1 / 60:
                continue
            items = (
                () if len(order.lines) == 1 or self.random.random() < 0.5 else (ReturnItem(1, order.lines[0].quantity),)
            )
            # Now and then goods stay with the customer and part of the money is paid back.
            part = not items and self.beside.random() < 0.2
            amount = (order.total_amount * Decimal("0.3")).quantize(Decimal("0.01")) if part else None
            self._plan_return(order, days=self.random.randint(7, 12), items=items, amount=amount)

    def _plan_return(
        self, order: Order, *, days: int, items: tuple[ReturnItem, ...] = (), amount: Decimal | None = None
    ) -> None:
        day = (order.ordered_at + timedelta(days=days)).astimezone(self.tz).date()
        ret = Return(
            source=order.source,
            external_return_no=f"R-{order.external_order_no}",
            external_order_no=order.external_order_no,
            channel_id=order.channel_id,
            store_id=order.store_id,
            returned_at=moment_of(day, self.random, self.tz),
            items=items,
            amount=amount,
        )
        self.pending_returns.append((order.member_id, ret))

    def _redeem(self, orders: Sequence[Order], start: datetime, end: datetime) -> None:
        """Members with enough points now and then redeem, most right after they bought; the thrifty save for dearer rewards."""
        by_id = {person.member_id: person for person in self.people[: self.joined]}
        last_order = {order.member_id: order.ordered_at for order in sorted(orders, key=lambda order: order.ordered_at)}
        cheapest = min(reward.price_points for reward in self.business.rewards)
        rich = PointsAccount.objects.filter(currency__code=POINTS, available__gte=cheapest).order_by("member_id")
        for member_id, available in rich.values_list("member_id", "available"):
            bought_at = last_order.get(member_id)
            if self.random.random() > (0.16 if bought_at else 0.025):
                continue
            if bought_at:
                moment = bought_at + timedelta(minutes=self.random.randint(1, 40))
            else:
                day = start + timedelta(days=self.random.randrange(max(1, (end - start).days)))
                moment = moment_of(day.astimezone(self.tz).date(), self.random, self.tz)
            if start <= moment < end:
                self._redeem_one(by_id[member_id], available, moment)

    def _redeem_one(self, person: Person, available: int, moment: datetime) -> None:
        affordable = [reward for reward in self.business.rewards if reward.price_points <= available]
        reward: Reward = affordable[-1] if person.thrift > 0.6 else self.random.choice(affordable)
        try:
            receipt = redeem_reward(
                member_id=person.member_id,
                reward_id=reward.pk,
                request_id=f"demo-{person.index}-{moment:%Y%m%d%H%M%S}",
                by=Actor("member", person.member_id),
                at=moment,
            )
        except (InsufficientPoints, OutOfStock, RewardLimitReached):
            return  # as in life
        voucher = receipt.redemption.voucher
        if voucher is not None and self.random.random() < 0.72:
            days = min((voucher.expires_at - voucher.valid_from).days - 3, self.random.expovariate(1 / 9))
            use_at = moment_of((moment + timedelta(days=1 + days)).astimezone(self.tz).date(), self.random, self.tz)
            heappush(
                self.wallets,
                _Wallet(use_at, voucher.pk, receipt.code, person.store, voucher.template.min_spend_amount),
            )

    def _use_vouchers(self, end: datetime) -> None:
        while self.wallets and self.wallets[0].use_at < end:
            wallet = heappop(self.wallets)
            use_voucher(
                code=wallet.code,
                store_id=self.business.stores[wallet.store].pk,
                external_order_no=f"V-{wallet.number:08}",
                spend_amount=wallet.least + 8,
                by=self.by,
                at=wallet.use_at,
            )

    def _nightly(self, end: datetime) -> None:
        """What beat does every night."""
        expire_due_lots(at=end, by=self.by)
        while expire_due_vouchers(at=end, by=self.by):
            pass
        review_all_due(at=end, by=self.by, quiet=True, but_planned=True)
