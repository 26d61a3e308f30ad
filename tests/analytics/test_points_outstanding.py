"""The points of the days equal those of the ledger, whatever happened."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.db.models import F, Sum

from analytics.queries import day_series, points_outstanding, total
from analytics.services.rebuild import rebuild_days
from campaigns.services.promotions import contributor
from members.actors import SYSTEM
from rewards.models import PointsAccount, Purchase, Redemption, Reward, VoucherTemplate
from rewards.queries import forget_rules
from rewards.refusals import RewardsRefusal
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import Return, ReturnItem, record_return
from tests.analytics.test_days import read_on
from tests.campaigns.given import a_channel, a_member, a_promotion, a_store
from tests.factories.rules import rewrite_base_rule

BEGIN = datetime(2024, 3, 1, 4, tzinfo=UTC)
MEMBERS = 6
STEPS = 400


class Shop:
    """A shop that lives through two years, a few days at a step, with a seeded hand."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.at = BEGIN
        self.members = [a_member().pk for _ in range(MEMBERS)]
        self.stores = [a_store("S1").pk, a_store("S2").pk, None]
        self.channel = a_channel().pk
        template = VoucherTemplate.objects.create(code="t5", name="¥5", kind="amount", off_amount=5)
        self.reward = Reward.objects.create(name="¥5", price_points=70, template=template, valid_from=BEGIN)
        self.open_orders: list[tuple[str, int]] = []
        self.done: Counter[str] = Counter()

    def lines(self, number: int) -> tuple[OrderLine, ...]:
        amounts = [Decimal(self.random.randrange(100, 9999)) / 100 for _ in range(number)]
        return tuple(
            OrderLine(f"A{number}", "", Decimal(1), amount, amount, earns=self.random.random() > 0.1)
            for amount in amounts
        )

    def buy(self, number: int) -> None:
        member_id = self.random.choice([*self.members, None])
        order_no, lines = f"O{number}", self.lines(self.random.randrange(1, 4))
        order = Order("pos", order_no, member_id, self.channel, self.random.choice(self.stores), self.at, lines)
        record_purchase(order=order, by=SYSTEM, at=self.at)
        self.open_orders.append((order_no, len(lines)))

    def bring_back(self, number: int) -> None:
        if not self.open_orders or self.random.random() < 0.1:
            self.bring_back_without_receipt(number)
            return
        order_no, lines = self.open_orders.pop(self.random.randrange(len(self.open_orders)))
        items = (ReturnItem(1, Decimal(1)),) if lines > 1 and self.random.random() < 0.5 else ()
        ret = Return("pos", f"R{number}", order_no, self.channel, self.random.choice(self.stores), self.at, items=items)
        record_return(ret=ret, by=SYSTEM, at=self.at)

    def bring_back_without_receipt(self, number: int) -> None:
        member_id = self.random.choice([*self.members, None])
        ret = Return("pos", f"R{number}", None, self.channel, None, self.at, member_id=member_id, lines=self.lines(1))
        record_return(ret=ret, by=SYSTEM, at=self.at)

    def redeem(self, number: int) -> None:
        member_id = self.random.choice(self.members)
        redeem_reward(member_id=member_id, reward_id=self.reward.pk, request_id=f"W{number}", by=SYSTEM, at=self.at)

    def night(self, number: int) -> None:
        expire_due_lots(at=self.at, by=SYSTEM)
        release_pending_lots(at=self.at, by=SYSTEM)

    def live(self, steps: int) -> None:
        doings = (*[self.buy] * 5, *[self.bring_back] * 2, *[self.redeem] * 2, self.night)
        for number in range(steps):
            self.at += timedelta(hours=self.random.randrange(1, 90))
            doing = self.random.choice(doings)
            try:
                doing(number)
                self.done[doing.__name__] += 1
            except RewardsRefusal as refusal:
                self.done[refusal.code] += 1


@pytest.mark.parametrize(("seed", "pending_days"), [(1, 0), (2, 14)])
def test_points_of_the_days_equal_the_ledger(committed_db: str, seed: int, pending_days: int) -> None:
    rewrite_base_rule(pending_days=pending_days)
    contributor.forget()
    a_promotion(starts_at=BEGIN, ends_at=BEGIN + timedelta(days=999), weekdays=[5, 6], min_spend_amount=50)
    shop = Shop(seed)
    shop.live(STEPS)
    read_on()

    account = F("available") + F("pending") + F("held") - F("debt")
    assert points_outstanding() == PointsAccount.objects.aggregate(points=Sum(account))["points"] != 0
    days = total(day_series(BEGIN.date(), shop.at.date() + timedelta(days=2)))
    assert days.orders == Purchase.objects.count() == shop.done["buy"]
    assert days.redemptions == Redemption.objects.count() == shop.done["redeem"] > 0
    assert min(days.points_expired, days.points_taken_back, shop.done["insufficient_points"]) > 0

    before = points_outstanding(), days
    rebuild_days(at=shop.at)
    assert (points_outstanding(), total(day_series(BEGIN.date(), shop.at.date() + timedelta(days=2)))) == before
    forget_rules()
    contributor.forget()
