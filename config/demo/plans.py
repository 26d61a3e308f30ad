"""Paid membership in the demo: plans that run, go on, are tried and paid back; and tiers that were set by hand."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from config.demo.regulars import ENDS, LOCKED, PAYS, REFUNDED
from config.demo.scenes import Scene, Scenes
from loyalty.models import Plan, PlanMembership, Tier
from loyalty.periods import business_date, day_bounds
from loyalty.plan_queries import refund_figure, running_plan
from loyalty.services.floors import refresh_floors
from loyalty.services.plan_payments import confirm_payment, refund_plan
from loyalty.services.plan_refusals import PlanIsRunning
from loyalty.services.plan_upkeep import end_due_plans, lapse_orders, remind_of_ends
from loyalty.services.plans import order_plan, start_trial
from loyalty.services.tier_by_hand import TierBelowEarned, propose_tier
from members.actors import Actor
from members.models import ApiKey, Member
from members.proposals import approve

YEAR, MONTH = "gold_year", "silver_month"
_NAMES: Final = {
    YEAR: ("金卡年度会员", "金卡年度會員", "Gold for a year"),
    MONTH: ("银卡月度会员", "銀卡月度會員", "Silver by the month"),
}
_TEXTS: Final = {
    YEAR: ("一年内享受金卡等级的积分倍率与权益。", "一年內享有金卡等級的積分倍率與權益。", "A year of gold: its points multiplier and its benefits."),
    MONTH: ("先试用十四天，再按月续费。", "先試用十四天，再按月續費。", "Fourteen days to try, then month by month."),
}  # fmt: skip


class PaidPlans(Scenes):
    """Scenes of members who pay for their tier, and of staff who set one."""

    def planned(self) -> list[Scene]:
        """Return the opening, the sales, one try, one that is paid back, two tiers by hand, and the upkeep of each week."""
        return [
            Scene(self._when(130, 9), self._open),
            *(Scene(self._when(days, 18), partial(self._buy, YEAR)) for days in (110, 61, 33, 12)),
            *(Scene(self._when(days, 19), partial(self._buy, MONTH)) for days in (95, 40, 8)),
            Scene(self._when(124, 18), partial(self._buy, YEAR, told=PAYS)),
            Scene(self._when(27, 19), partial(self._buy, MONTH, told=ENDS)),
            *(Scene(self._when(days, 8), self._go_on) for days in (70, 36, 9)),
            Scene(self._when(55, 12), self._try),
            Scene(self._when(4, 12), self._try),
            Scene(self._when(38, 17), self._buy_and_give_back),
            Scene(self._when(26, 10), partial(self._set, "silver", "排队过久的补偿", told=LOCKED)),
            Scene(self._when(18, 10), partial(self._set, "gold", "门店十年老会员，店长承诺")),
            Scene(self._when(1, 20), self._order_only),
            *(Scene(self._when(days, 23), self._upkeep) for days in range(126, 0, -7)),
            Scene(self.now - timedelta(minutes=5), self._upkeep),
        ]

    def _open(self, at: datetime) -> None:
        for code, tier, price, months, trial_days in (
            (YEAR, "gold", "199.00", 12, 0), (MONTH, "silver", "15.00", 1, 14),
        ):  # fmt: skip
            names, texts = _NAMES[code], _TEXTS[code]
            Plan.objects.get_or_create(
                code=code,
                defaults={
                    "name": names[0], "name_zh_hans": names[0], "name_zh_hant": names[1], "name_en": names[2],
                    "text": texts[0], "text_zh_hans": texts[0], "text_zh_hant": texts[1], "text_en": texts[2],
                    "tier": Tier.objects.get(code=tier), "price_amount": Decimal(price), "period_months": months,
                    "trial_days": trial_days, "sale_from": day_bounds(business_date(at, self.tz), self.tz)[0],
                    "state": Plan.State.ON_SALE,
                },
            )  # fmt: skip

    def _new(self, at: datetime, told: int | None = None) -> Member | None:
        """Return somebody who holds no plan: who is told, or anybody."""
        chosen = self._buyers(at, 8) if told is None else self._told(told)
        return next((one for one in chosen if running_plan(one.pk, at) is None), None)

    def _buy(self, code: str, at: datetime, told: int | None = None) -> None:
        """Somebody buys; of those who are told, the one who pays by the month means to let it end."""
        member = self._new(at, told)
        if member is not None:
            self._pay(member.pk, code, at, renews=code == MONTH and told is None)

    def _pay(self, member_id: int, code: str, at: datetime, *, renews: bool) -> PlanMembership:
        """Order in the app; the shop's payment system confirms a minute later."""
        order = order_plan(
            member_id=member_id, plan_code=code, renews_intended=renews, by=Actor("member", member_id), at=at
        )
        key = ApiKey.objects.order_by("pk").first()
        paid_at = at + timedelta(minutes=1)
        return confirm_payment(
            order=order.public_id, source="mini-program", external_ref=f"PAY-{at:%y%m%d}-{order.pk}", amount=order.amount,
            currency=order.currency, paid_at=paid_at, by=Actor("device", key.pk if key else None), at=paid_at,
        ).membership  # fmt: skip

    def _go_on(self, at: datetime) -> None:
        """Those who pay by the month and mean to, pay another one shortly before the end."""
        ending = PlanMembership.objects.filter(
            plan__code=MONTH, state=PlanMembership.State.ACTIVE, renews_intended=True, valid_until__gt=at
        )
        for member_id in ending.order_by("pk").values_list("member_id", flat=True)[:2]:
            self._pay(member_id, MONTH, at, renews=True)

    def _try(self, at: datetime) -> None:
        member = self._new(at)
        if member is not None:
            start_trial(member_id=member.pk, plan_code=MONTH, by=Actor("member", member.pk), at=at)

    def _buy_and_give_back(self, at: datetime) -> None:
        member = self._new(at, REFUNDED)
        if member is None:
            return
        membership = self._pay(member.pk, YEAR, at, renews=False)
        later = at + timedelta(days=6)
        refund_plan(
            membership_id=membership.pk, receipt_no=f"TK-{later:%y%m%d}-01", reason="会员搬离本市，申请退款", by=self.staff["supervisor"],
            shown_amount=refund_figure(membership, later).amount, at=later,
        )  # fmt: skip

    def _set(self, code: str, reason: str, at: datetime, told: int | None = None) -> None:
        """Service sets a tier by hand; where it is more than one step, the supervisor approves."""
        until = day_bounds(business_date(at + timedelta(days=180), self.tz), self.tz)[0]
        for member in self._buyers(at, 8) if told is None else self._told(told):
            try:
                outcome = propose_tier(
                    member_id=member.pk, tier_id=Tier.objects.get(code=code).pk, until=until, reason=reason,
                    by=self.staff["service"], at=at,
                )  # fmt: skip
            except TierBelowEarned:
                continue
            if outcome.waiting:
                approve(proposal_id=outcome.proposal_id, by=self.staff["supervisor"], at=at + timedelta(hours=2))
            return

    def _order_only(self, at: datetime) -> None:
        for member in self._buyers(at, 3):
            try:
                order_plan(
                    member_id=member.pk, plan_code=YEAR, renews_intended=False, by=Actor("member", member.pk), at=at
                )
            except PlanIsRunning:
                continue
            return

    def _upkeep(self, at: datetime) -> None:
        for keep in (end_due_plans, remind_of_ends, lapse_orders, refresh_floors):
            keep(at=at)
