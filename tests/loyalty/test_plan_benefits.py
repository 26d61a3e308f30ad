"""What benefits used through a paid plan take off its refund."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from loyalty.benefit_hooks import tier_figures
from loyalty.models import Benefit, Entitlement, EntitlementUse, PlanMembership
from loyalty.plan_queries import refund_figure
from loyalty.queries import forget_ladder_book, ladder_book
from loyalty.services.entitlements import Use, undo_use, use_benefit
from loyalty.services.granting import give_benefit
from loyalty.services.plan_payments import refund_plan, sell_plan
from loyalty.services.tier_benefits import follow_tiers
from members.actors import SYSTEM, Actor
from members.models import Member, MemberPerson
from members.services.merging import merge_members
from tests.factories.benefits import a_benefit, an_entitlement, given_by
from tests.factories.people import TILL
from tests.factories.plans import a_floor, a_plan
from tests.factories.portal import an_operator
from tests.loyalty.stories import local, make_member, purchase, tell

pytestmark = pytest.mark.django_db
MARCH = local("2026-03-05")
DAY = timedelta(days=1)
ON = local("2026-03-14")  # 355 of 365 days are left, a yuan each


@pytest.fixture
def plan(member: Member) -> PlanMembership:
    a_plan()
    MemberPerson.objects.create(member=member, full_name="")
    return sell_plan(
        member_id=member.pk, plan_code="gold_year", receipt_no="R-1", renews_intended=False, reason="paid", by=SYSTEM, at=MARCH
    ).membership  # fmt: skip


def through(plan: PlanMembership, benefit: Benefit, *, quota: int = 2, at: datetime = MARCH) -> Entitlement:
    """Give a benefit on behalf of the plan itself."""
    return give_benefit(
        member_id=plan.member_id, benefit_id=benefit.pk, source="plan", source_ref=plan.public_id.hex, quota=quota,
        valid_from=at, valid_to=at + 60 * DAY, by=SYSTEM, at=at,
    )  # fmt: skip


def used(member: Member, benefit: Benefit, *, at: datetime = MARCH + DAY, units: int = 1) -> EntitlementUse:
    ref = f"{benefit.code} {at}"
    return use_benefit(use=Use(member.pk, "till", ref, benefit.code, units=units), by=TILL, at=at).use


def given_by_tier(member: Member, *, at: datetime) -> int:
    return follow_tiers(member_ids=[member.pk], by=SYSTEM, at=at)


class TestTheRefund:
    """The refund …"""

    def test_is_less_what_the_plan_gave_and_was_used(self, member: Member, plan: PlanMembership) -> None:
        lounge = a_benefit("lounge")
        through(plan, lounge)
        used(member, lounge)
        figure = refund_figure(plan, ON)
        assert (figure.left.left, figure.benefits_used, figure.amount) == (355, 30, 325)
        staff = Actor("operator", an_operator("service supervisor").pk)
        payment = refund_plan(
            membership_id=plan.pk, receipt_no="B-1", shown_amount=Decimal("325.00"), reason="asked for it", by=staff, at=ON
        ).payment  # fmt: skip
        assert (payment.amount, payment.figures["benefits_used"]) == (Decimal("325.00"), "30.00")

    def test_counts_no_use_that_was_taken_back_nor_one_of_unknown_cost(
        self, member: Member, plan: PlanMembership
    ) -> None:
        lounge, tea = a_benefit("lounge"), a_benefit("tea", unit_cost_amount=None)
        through(plan, lounge, quota=3)
        through(plan, tea)
        undone = used(member, lounge, units=2)
        used(member, lounge, at=MARCH + 2 * DAY)
        used(member, tea)
        undo_use(use_id=undone.pk, reason="by mistake", by=TILL, at=MARCH + 3 * DAY)
        assert refund_figure(plan, ON).benefits_used == Decimal("30.00")

    def test_counts_nothing_of_other_givers(self, member: Member, plan: PlanMembership) -> None:
        lounge = a_benefit("lounge")
        an_entitlement(member, lounge, at=MARCH)
        used(member, lounge)
        tea = a_benefit("tea")
        give_benefit(
            member_id=member.pk, benefit_id=tea.pk, source="plan", source_ref="another", quota=1, valid_from=MARCH,
            valid_to=ON, by=SYSTEM, at=MARCH,
        )  # fmt: skip
        used(member, tea)
        assert refund_figure(plan, ON).benefits_used == 0

    def test_counts_what_was_used_before_and_after_a_merge(self, member: Member, plan: PlanMembership) -> None:
        lounge = a_benefit("lounge")
        through(plan, lounge)
        # What is used up and over by then stays with the one who was merged.
        tea = a_benefit("tea", unit_cost_amount=Decimal(7))
        short = through(plan, tea, quota=1)
        used(member, tea)
        Entitlement.objects.filter(pk=short.pk).update(valid_to=MARCH + 2 * DAY)
        used(member, lounge)
        kept = make_member()
        MemberPerson.objects.create(member=kept, full_name="")
        merge_members(kept_id=kept.pk, merged_id=member.pk, reason="one person", by=SYSTEM, at=MARCH + 3 * DAY)
        used(kept, lounge, at=MARCH + 4 * DAY)
        plan.refresh_from_db()
        assert plan.member_id == kept.pk
        assert refund_figure(plan, ON).benefits_used == Decimal("67.00")

    def test_counts_what_the_tier_gave_that_only_the_plan_gave(self, member: Member, plan: PlanMembership) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        assert given_by_tier(member, at=MARCH) == 1
        used(member, lounge)
        assert refund_figure(plan, ON).benefits_used == Decimal("30.00")

    @pytest.mark.parametrize("why", ["earned", "by_hand"])
    def test_counts_nothing_of_a_tier_that_the_member_had_anyway(self, member: Member, why: str) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        if why == "earned":
            tell(purchase(member.pk, "rise", 2_000, MARCH - DAY))
        else:
            a_floor(member.pk, "gold", MARCH - DAY, MARCH + 90 * DAY)
        a_plan()
        plan = sell_plan(
            member_id=member.pk, plan_code="gold_year", receipt_no="R-1", renews_intended=False, reason="paid", by=SYSTEM,
            at=MARCH,
        ).membership  # fmt: skip
        assert given_by_tier(member, at=MARCH) == 1
        used(member, lounge)
        assert refund_figure(plan, ON).benefits_used == 0


class TestTheFigures:
    """What tiers give as figures …"""

    def test_are_compared_by_benefit_and_by_uses(self, db: None) -> None:
        forget_ladder_book()
        off = a_benefit("off", kind="discount", quota=None, name="Off", name_en="Off")
        lounge = a_benefit("lounge", name="Lounge", name_en="Lounge")
        given_by("silver", off, figure=Decimal(5))
        given_by("gold", off, figure=Decimal(8))
        given_by("gold", lounge, quota=3)
        with translation.override("en"):
            told = tier_figures(MARCH, ladder_book().at(MARCH))
        assert told == {"Off": {"silver": 5, "gold": 8}, "Lounge (uses)": {"gold": 3}}
