"""What the demo's tiers give since a month: monthly vouchers, birthday drinks, deliveries and tastings, half of them used."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from config.demo.business import Names, texts
from config.demo.regulars import KEEPS
from config.demo.scenes import Scene, Scenes
from loyalty.benefit_rules import Cell
from loyalty.models import (
    Benefit,
    BenefitBudget,
    Entitlement,
    LadderVersion,
    Tier,
    TierChange,
    TierFloor,
    TierStanding,
)
from loyalty.periods import add_months, business_date, day_bounds
from loyalty.queries import held_tier_ids
from loyalty.services.benefit_proposals import propose_benefit
from loyalty.services.benefits import set_grid
from loyalty.services.entitlements import Use, expire_due_entitlements, undo_use, use_benefit
from loyalty.services.published_rules import publish_rules
from loyalty.services.tier_benefits import follow_tiers, grant_due
from members.actors import SYSTEM, Actor
from members.models import Store
from members.refusals import Refusal

#: The grid begins so many days ago; on each day since, one in so many of what is open is used, and a few at least.
DAYS = 32
ONE_IN, LEAST_A_DAY = 400, 3
Kind, Period = Benefit.Kind, Benefit.Period

# code, kind, names, sentence, and the rest
BENEFITS: list[tuple[str, str, Names, Names, dict[str, Any]]] = [
    ("birthday-drink", Kind.BIRTHDAY, ("生日饮品", "生日飲品", "Birthday drink"),
     ("生日当月赠美式咖啡券", "生日當月贈美式咖啡券", "An Americano in the month of your birthday"),
     {"period": Period.YEAR, "quota": 1, "unit_cost_amount": "6.50", "voucher_template_code": "free-americano"}),
    ("monthly-pack", Kind.VOUCHERS, ("每月券包", "每月券包", "Monthly voucher pack"),
     ("每月{quota}张满50减10元券", "每月{quota}張滿50減10元券", "Every month, {quota} vouchers of ¥10 off ¥50"),
     {"period": Period.MONTH, "quota": 1, "unit_cost_amount": "10.00", "voucher_template_code": "off-10"}),
    ("free-delivery", Kind.SHIPPING, ("免配送费", "免配送費", "Free delivery"),
     ("每月{quota}次外卖免配送费", "每月{quota}次外賣免配送費", "Delivery is free {quota} times a month"),
     {"period": Period.MONTH, "quota": 2, "unit_cost_amount": "6.00", "is_used_in_app": True}),
    ("tasting", Kind.EVENT, ("手冲品鉴会", "手沖品鑑會", "Pour-over tasting"),
     ("每年{quota}次品鉴会名额，周末有效", "每年{quota}次品鑑會名額，週末有效", "A seat at {quota} tastings a year, at weekends"),
     {"period": Period.YEAR, "quota": 2, "unit_cost_amount": "45.00", "weekdays": [5, 6], "on_lowered": Benefit.OnLowered.AT_ONCE}),
    ("cup-upgrade", Kind.VISITS, ("免费升杯", "免費升杯", "Free upgrade of the cup"),
     ("每季{quota}次免费升杯", "每季{quota}次免費升杯", "A larger cup for free, {quota} times a quarter"),
     {"period": Period.QUARTER, "quota": 3, "unit_cost_amount": "3.00"}),
    ("bread-discount", Kind.DISCOUNT, ("面包折扣", "麵包折扣", "Off bread and cakes"),
     ("面包蛋糕立减{figure}%", "麵包蛋糕立減{figure}%", "{figure} % off bread and cakes"),
     {"category_codes": ["bread", "cake"]}),
    ("queue-first", Kind.PRIORITY, ("优先制作", "優先製作", "Made first"),
     ("到店与外卖订单优先制作", "到店與外賣訂單優先製作", ""), {}),
]  # fmt: skip
# benefit → tier → figure or uses; None as the benefit says
GRID: dict[str, dict[str, str | int | None]] = {
    "birthday-drink": {"silver": None, "gold": None, "diamond": None},
    "monthly-pack": {"silver": None, "gold": 2, "diamond": 3},
    "free-delivery": {"silver": None, "gold": 4, "diamond": 8},
    "tasting": {"gold": None, "diamond": 4},
    "cup-upgrade": {"member": 1, "silver": None, "gold": 6, "diamond": 12},
    "bread-discount": {"gold": "5", "diamond": "8"},
    "queue-first": {"diamond": None},
}
_USED = ("free-delivery", "tasting", "cup-upgrade")


class BenefitsGiven(Scenes):
    """The scenes of the last weeks in which benefits are opened, given and used."""

    def planned(self) -> list[Scene]:
        """Return the opening, the first day of this month, and some uses a day."""
        first = day_bounds(business_date(self.now, self.tz).replace(day=1), self.tz)[0]
        begin = self._when(DAYS, 8)
        scenes = [
            Scene(begin, self._open),
            *(Scene(self._when(days, 15), self._use) for days in range(DAYS - 1, 0, -1)),
        ]
        scenes += [Scene(max(first, begin), self._give), Scene(self._when(1, 9), self._give)]
        scenes += [Scene(moment, self._half) for moment in (self._when(2, 19), self.now - timedelta(minutes=40))]
        return [*scenes, Scene(self._when(6, 11), self._by_hand), Scene(self._when(2, 16), self._waits)]

    def follow(self, start: datetime, end: datetime) -> None:
        """Give and take in the evening of each day of [start, end) what tiers that changed on it give.

        The reader of the timeline would do it with the clock of the present.
        """
        moved: dict[datetime, set[int]] = defaultdict(set)
        opened = max(start, self._when(DAYS, 8))
        for model, column in (
            (TierChange, "happened_at"), (TierFloor, "valid_from"), (TierFloor, "valid_until"), (TierFloor, "ended_at"),
        ):  # fmt: skip
            within = model.objects.filter(**{f"{column}__gte": opened, f"{column}__lt": end})
            for moment, member_id in within.values_list(column, "member_id"):
                moved[day_bounds(business_date(moment, self.tz), self.tz)[1] - timedelta(hours=2)].add(member_id)
        for evening, member_ids in sorted(moved.items()):
            follow_tiers(member_ids=member_ids, by=SYSTEM, at=min(evening, self.now))

    def _open(self, at: datetime) -> None:
        """Write the benefits, let the version in force give them, and open their budgets."""
        for code, kind, names, sentence, rest in BENEFITS:
            values = {"kind": kind, **texts("name", names), **texts("sentence", sentence), **rest}
            Benefit.objects.get_or_create(code=code, defaults=values)
        benefits = {one.code: one for one in Benefit.objects.all()}
        tiers = {one.code: one for one in Tier.objects.all()}
        cells = {
            (tiers[tier].pk, benefits[code].pk): Cell(
                figure=Decimal(given) if isinstance(given, str) else None,
                quota=given if isinstance(given, int) else None,
            )
            for code, by_tier in GRID.items()
            for tier, given in by_tier.items()
        }
        version = LadderVersion.objects.filter(valid_from__lte=at).latest("valid_from")
        set_grid(ladder_id=version.pk, cells=cells, by=self.staff.get("marketing", SYSTEM), at=at)
        self._budgets(benefits, tiers, at)
        self._give(at)
        publish_rules(by=SYSTEM, at=at)

    def _budgets(self, benefits: dict[str, Benefit], tiers: dict[str, Tier], at: datetime) -> None:
        """One that warns, and one that gives free delivery instead once it is used up."""
        year = business_date(at, self.tz).replace(month=1, day=1)
        from_at, to_at = day_bounds(year, self.tz)[0], day_bounds(add_months(year, 12), self.tz)[0]
        held = Counter(held_tier_ids(list(TierStanding.objects.values_list("pk", flat=True)), at).values())
        seats = 2 * held[tiers["gold"].pk] + 4 * held[tiers["diamond"].pk]
        BenefitBudget.objects.get_or_create(
            benefit=benefits["tasting"], tier=None, valid_from=from_at, valid_to=to_at,
            defaults={"total_units": max(4, seats * 12 // 11)},
        )  # fmt: skip
        BenefitBudget.objects.get_or_create(
            benefit=benefits["cup-upgrade"], tier=tiers["silver"], valid_from=from_at, valid_to=to_at,
            defaults={
                "total_amount": Decimal(9 * max(1, TierStanding.objects.filter(tier=tiers["silver"]).count() * 2 // 3)),
                "when_full": BenefitBudget.WhenFull.SWAP, "swap_benefit": benefits["free-delivery"],
            },
        )  # fmt: skip

    def _give(self, at: datetime) -> None:
        """What beat does."""
        expire_due_entitlements(at=at, by=SYSTEM)
        grant_due(at=at, by=SYSTEM)

    def _use(self, at: datetime) -> None:
        """Some members use something at the till of some store; once in a while it was the wrong one."""
        held = Entitlement.objects.filter(
            benefit__code__in=_USED,
            state=Entitlement.State.GRANTED,
            valid_from__lte=at,
            valid_to__gt=at,
            tier__rank__gt=0,
        )
        held = held.exclude(member__in=self._told_ids())
        rows = list(held.order_by("pk").values_list("pk", "member_id", "benefit__code")[:4_000])
        stores = list(Store.objects.order_by("pk").values_list("pk", flat=True))
        for number, (pk, member_id, code) in enumerate(
            self.random.sample(rows, min(LEAST_A_DAY + len(rows) // ONE_IN, len(rows)))
        ):
            use = Use(member_id, "till", f"B-{at:%y%m%d}-{pk}", code, store_id=self.random.choice(stores))
            try:
                receipt = use_benefit(use=use, by=SYSTEM, at=at)
            except Refusal:
                continue  # frozen or left meanwhile, as in life
            if number == 0 and at.day % 9 == 0:
                undo_use(use_id=receipt.use.pk, reason="点错了会员", by=self._service, at=at)

    def _half(self, at: datetime) -> None:
        """One of two deliveries of a month with four."""
        for member in self._told(KEEPS):
            use = Use(member.pk, "mini-program", f"B-{at:%y%m%d%H%M}-{member.pk}", "free-delivery")
            use_benefit(use=use, by=Actor("member", member.pk), at=at)

    def _by_hand(self, at: datetime) -> None:
        self._propose(at, "cup-upgrade", uses=2, reason="外卖送达太晚，致歉")

    def _waits(self, at: datetime) -> None:
        """Above what an agent gives alone."""
        self._propose(at, "tasting", uses=4, reason="活动当天停电，请客人改期")

    def _propose(self, at: datetime, code: str, *, uses: int, reason: str) -> None:
        for member in self._buyers(at, 1):
            propose_benefit(
                member_id=member.pk, benefit_id=Benefit.objects.get(code=code).pk, uses=uses, days=60, reason=reason,
                by=self._service, at=at,
            )  # fmt: skip

    @property
    def _service(self) -> Actor:
        return self.staff["service"]
