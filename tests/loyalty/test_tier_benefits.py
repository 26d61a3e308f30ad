"""What tiers give, given and taken."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty import events
from loyalty.benefit_book import benefits_at, benefits_of_tier, forget_benefit_book, grid_of
from loyalty.benefit_rules import Cell
from loyalty.models import (
    Benefit,
    BenefitBudget,
    BenefitBudgetNote,
    Entitlement,
    LadderVersion,
    Tier,
    TierBenefit,
    TierRule,
    TierStanding,
)
from loyalty.queries import forget_ladder_book
from loyalty.services.benefit_costs import (
    BudgetIsNotStopped,
    BudgetIsStopped,
    budgets_now,
    costs_of,
    resume_budget,
    stop_budget,
    warn_anew,
)
from loyalty.services.benefits import GridIsInForce, TierNotOnLadder, copy_grid, set_grid, why_frozen
from loyalty.services.entitlements import Use, use_benefit
from loyalty.services.granting import reserved_of
from loyalty.services.tier_benefits import follow_tiers, grant_due
from members import timeline
from members.actors import SYSTEM
from members.models import Member, MemberPerson, TimelineEntry
from members.timeline import NewEntry, record
from tests.factories.benefits import a_benefit, a_budget, an_entitlement, given_by, holding
from tests.factories.people import TILL, a_member
from tests.factories.times import at

NOON = at("2026-03-11 12:00")
SINCE = at("2026-01-05 12:00")
pytestmark = pytest.mark.django_db


def given(member: Member) -> list[tuple[str, str, int, int, str]]:
    rows = Entitlement.objects.filter(member=member).select_related("benefit").order_by("pk")
    return [(row.benefit.code, row.period_key, row.quota, row.used, row.state) for row in rows]


def used(member: Member, benefit: Benefit, times: int = 1, moment: datetime = NOON) -> None:
    use_benefit(use=Use(member.pk, "till", f"{member.pk}-{moment}", benefit.code, units=times), by=TILL, at=moment)


def move(member: Member, tier: str, *, until: datetime | None = None) -> None:
    """Let a member stand on another tier, and loyalty follow."""
    TierStanding.objects.filter(member=member).update(
        tier=Tier.objects.get(code=tier), **({"valid_until": until} if until else {})
    )
    follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)


def budgets_hold_what_is_promised() -> bool:
    """Show that each budget reserves exactly what its entitlements hold."""
    for budget in BenefitBudget.objects.all():
        rows = [row for row in Entitlement.objects.all() if budget.pk in (row.budget_id, row.tier_budget_id)]
        assert budget.reserved_units == sum(reserved_of(row) for row in rows)
        assert budget.reserved_amount == sum(reserved_of(row) * (row.unit_cost_amount or 0) for row in rows)
    return True


class TestThePeriods:
    """At the begin of a period …"""

    @pytest.mark.parametrize(
        ("period", "key", "until"),
        [
            ("month", "2026-03", at("2026-04-01")), ("quarter", "2026-Q1", at("2026-04-01")), ("year", "2026", at("2027-01-01")),
            ("tier", "until 2026-09-01", at("2026-09-01")),
        ],
    )  # fmt: skip
    def test_holders_of_the_tier_are_given_their_quota_once(self, period: str, key: str, until: datetime) -> None:
        given_by("gold", a_benefit("lounge", period=period), quota=4)
        gold = holding("gold", since=SINCE, valid_until=at("2026-09-01"))
        holding("silver", since=SINCE)
        a_member()
        assert [grant_due(at=NOON, by=SYSTEM) for _ in range(2)] == [1, 0]
        assert given(gold) == [("lounge", key, 4, 0, "granted")]
        assert Entitlement.objects.get().valid_to == until

    def test_the_next_period_gives_anew(self) -> None:
        given_by("gold", a_benefit("pack", period="month"))
        gold = holding("gold", since=SINCE)
        for moment in (NOON, at("2026-03-31 23:59"), at("2026-04-01 00:00")):
            grant_due(at=moment, by=SYSTEM)
        assert [row[1] for row in given(gold)] == ["2026-03", "2026-04"]

    def test_the_lowest_tier_is_held_by_everybody_without_a_standing(self) -> None:
        given_by("member", a_benefit("hello"))
        here, gone, frozen = a_member(), a_member(status="closed"), a_member(status="frozen")
        holding("gold", since=SINCE)
        assert grant_due(at=NOON, by=SYSTEM, chunk=1) == 1
        assert [len(given(one)) for one in (here, gone, frozen)] == [1, 0, 0]

    def test_nobody_is_given_anything_while_a_review_is_due(self) -> None:
        given_by("gold", a_benefit("lounge"))
        holding("gold", since=SINCE, valid_until=NOON)
        assert grant_due(at=NOON, by=SYSTEM) == 0

    def test_what_has_no_quota_is_not_counted(self) -> None:
        given_by("gold", a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(5))
        holding("gold", since=SINCE)
        assert grant_due(at=NOON, by=SYSTEM) == 0

    def test_it_goes_on_from_chunk_to_chunk_and_stops_at_its_bound(self) -> None:
        given_by("gold", a_benefit("lounge"))
        for _ in range(5):
            holding("gold", since=SINCE)
        assert [grant_due(at=NOON, by=SYSTEM, chunk=2, chunks=1), grant_due(at=NOON, by=SYSTEM, chunk=2)] == [2, 3]

    def test_birthday_gifts_come_in_the_month_of_the_birthday_once_a_year(self) -> None:
        given_by("gold", a_benefit("cake", kind=Benefit.Kind.BIRTHDAY), quota=1)
        march, april, leap = (holding("gold", since=SINCE) for _ in range(3))
        for member, birthday in ((march, date(1990, 3, 31)), (april, date(1990, 4, 1)), (leap, date(2000, 2, 29))):
            MemberPerson.objects.create(member=member, birthday=birthday)
        grant_due(at=NOON, by=SYSTEM)
        assert (given(march), given(april)) == ([("cake", "2026", 1, 0, "granted")], [])
        assert "until" not in str(TimelineEntry.objects.get(kind=events.ENTITLEMENT_GRANTED).payload["until"] or "")
        MemberPerson.objects.filter(member=march).update(birthday=date(1990, 4, 2))  # moved, for a second gift
        assert grant_due(at=at("2026-04-02"), by=SYSTEM) == 1
        assert (len(given(march)), len(given(april))) == (1, 1)
        assert grant_due(at=at("2027-02-28"), by=SYSTEM) == 1
        assert len(given(leap)) == 1


class TestRising:
    """A member who rises …"""

    @pytest.mark.parametrize(
        "kind", [events.TIER_RAISED, events.TIER_GRACE_GIVEN, events.TIER_PUT_BACK, events.FLOOR_BEGAN]
    )
    def test_gets_at_once_what_the_tier_gives_when_the_timeline_is_read(self, kind: str) -> None:
        given_by("gold", a_benefit("lounge"))
        member = holding("gold", since=SINCE)
        record([NewEntry(kind, member.pk, NOON, SYSTEM, {"change": 1, "from": "silver", "to": "gold"})])
        reader = timeline._subscribers["loyalty.benefits"]
        reader.handler([one for one in TimelineEntry.objects.filter(member=member) if one.kind in reader.kinds])
        assert [row[:1] + row[2:] for row in given(member)] == [("lounge", 2, 0, "granted")]

    def test_has_one_quota_in_the_period_the_higher_one(self) -> None:
        lounge = a_benefit("lounge")
        given_by("silver", lounge, quota=2)
        given_by("gold", lounge, quota=4)
        a_budget(lounge, at=NOON, total_units=100)
        a_budget(lounge, at=NOON, total_units=100, tier="silver")
        a_budget(lounge, at=NOON, total_units=100, tier="gold")
        member = holding("silver", since=SINCE)
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        used(member, lounge, 2)
        move(member, "gold")
        assert given(member) == [("lounge", "2026", 4, 2, "granted")]
        assert budgets_hold_what_is_promised()

    def test_keeps_what_runs_with_the_validity_of_the_tier_as_one(self) -> None:
        lounge = a_benefit("lounge", period="tier")
        given_by("silver", lounge, quota=1)
        given_by("gold", lounge, quota=3)
        member = holding("silver", since=SINCE, valid_until=at("2026-12-01"))
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        used(member, lounge)
        move(member, "gold", until=at("2027-04-01"))
        assert given(member) == [("lounge", "until 2027-04-01", 3, 1, "granted")]
        assert Entitlement.objects.get().valid_to == at("2027-04-01")

    def test_is_given_only_the_vouchers_that_are_more(self) -> None:
        pack = a_benefit("pack", kind=Benefit.Kind.VOUCHERS, period="month", voucher_template_code="coffee")
        given_by("silver", pack, quota=1)
        given_by("gold", pack, quota=3)
        member = holding("silver", since=SINCE)
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        move(member, "gold")
        told = TimelineEntry.objects.filter(kind=events.ENTITLEMENT_GRANTED).order_by("pk")
        assert [(one.payload["vouchers"]["first"], one.payload["vouchers"]["count"]) for one in told] == [
            (1, 1),
            (2, 2),
        ]


class TestFalling:
    """A member who loses a tier …"""

    @pytest.mark.parametrize(("policy", "state"), [("at_once", "revoked"), ("period_end", "granted")])
    def test_loses_or_keeps_its_benefits_by_their_policy(self, policy: str, state: str) -> None:
        lounge = a_benefit("lounge", on_lowered=policy)
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_units=9)
        member = holding("gold", since=SINCE)
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        used(member, lounge)
        move(member, "silver")
        assert given(member) == [("lounge", "2026", 2, 1, state)]
        assert BenefitBudget.objects.get().reserved_units == (1 if state == "revoked" else 2)

    def test_that_gives_less_keeps_what_it_gives_or_what_was_used(self) -> None:
        lounge = a_benefit("lounge", on_lowered="at_once")
        given_by("gold", lounge, quota=5)
        given_by("silver", lounge, quota=2)
        a_budget(lounge, at=NOON, total_units=50)
        often, seldom = holding("gold", since=SINCE), holding("gold", since=SINCE)
        follow_tiers(member_ids=[often.pk, seldom.pk], by=SYSTEM, at=NOON)
        used(often, lounge, 3)
        for member in (often, seldom):
            move(member, "silver")
        assert [given(one) for one in (often, seldom)] == [
            [("lounge", "2026", 3, 3, "used_up")], [("lounge", "2026", 2, 0, "granted")],
        ]  # fmt: skip
        assert budgets_hold_what_is_promised()

    def test_and_comes_back_has_what_was_left_again(self) -> None:
        lounge = a_benefit("lounge", on_lowered="at_once")
        given_by("gold", lounge, quota=3)
        a_budget(lounge, at=NOON, total_units=3)
        member = holding("gold", since=SINCE)
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        used(member, lounge)
        move(member, "silver")
        move(member, "gold")
        assert given(member) == [("lounge", "2026", 3, 1, "granted")]
        assert budgets_hold_what_is_promised()

    def test_keeps_what_others_gave(self) -> None:
        lounge = a_benefit("lounge", on_lowered="at_once")
        given_by("gold", lounge)
        member = holding("gold", since=SINCE)
        an_entitlement(member, lounge, at=NOON)
        follow_tiers(member_ids=[member.pk], by=SYSTEM, at=NOON)
        move(member, "silver")
        assert [row.state for row in Entitlement.objects.order_by("source")] == ["granted", "revoked"]


class TestBudgets:
    """A budget …"""

    def test_is_given_out_to_the_last_unit_and_no_further(self) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_units=7)
        for _ in range(5):
            holding("gold", since=SINCE)
        assert [grant_due(at=NOON, by=SYSTEM, chunk=2) for _ in range(2)] == [3, 0]
        assert BenefitBudget.objects.get().reserved_units == 6
        assert budgets_hold_what_is_promised()

    def test_of_a_tier_limits_that_tier_alone(self) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        given_by("silver", lounge)
        a_budget(lounge, at=NOON, total_units=2, tier="silver")
        for tier in ("gold", "gold", "silver", "silver"):
            holding(tier, since=SINCE)
        assert grant_due(at=NOON, by=SYSTEM) == 3
        assert Entitlement.objects.filter(tier__code="silver").count() == 1

    def test_that_stops_early_leaves_its_reserve(self) -> None:
        lounge = a_benefit("lounge", quota=1)
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_amount=Decimal(300), throttle_percent=50)  # 5 uses of 30.00
        for _ in range(8):
            holding("gold", since=SINCE)
        assert grant_due(at=NOON, by=SYSTEM) == 5

    def test_that_is_full_gives_another_benefit_instead_once(self) -> None:
        lounge, tea = a_benefit("lounge"), a_benefit("tea", quota=1)
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_units=3, when_full="swap", swap_benefit=tea)
        first, second, third = (holding("gold", since=SINCE) for _ in range(3))
        for _ in range(2):
            grant_due(at=NOON, by=SYSTEM)
        assert [given(one)[0][0] for one in (first, second, third)] == ["lounge", "tea", "tea"]
        assert Entitlement.objects.count() == 3
        BenefitBudget.objects.update(total_units=100)
        assert grant_due(at=NOON, by=SYSTEM) == 0  # who has another one instead has that for the period

    def test_is_told_of_once_at_each_line(self) -> None:
        lounge = a_benefit("lounge", quota=1)
        budget = a_budget(lounge, at=NOON, total_units=10)
        for _ in range(10):
            an_entitlement(a_member(), lounge, at=NOON, quota=1)
        assert [(one.kind, one.percent) for one in BenefitBudgetNote.objects.order_by("pk")] == [
            ("warned", 70), ("warned", 90), ("full", 100),
        ]  # fmt: skip
        assert TimelineEntry.objects.filter(kind=events.BENEFIT_BUDGET_NOTED).count() == 3
        BenefitBudget.objects.update(total_units=100)
        warn_anew(budget_id=budget.pk)
        assert BenefitBudget.objects.get().warned_percent == 0

    def test_can_be_stopped_and_resumed_with_a_reason(self) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        budget = a_budget(lounge, at=NOON, total_units=100)
        holding("gold", since=SINCE)
        with pytest.raises(BudgetIsNotStopped):
            resume_budget(budget_id=budget.pk, reason="go on", by=SYSTEM, at=NOON)
        stop_budget(budget_id=budget.pk, reason="the lounge is rebuilt", by=SYSTEM, at=NOON)
        with pytest.raises(BudgetIsStopped):
            stop_budget(budget_id=budget.pk, reason="again", by=SYSTEM, at=NOON)
        assert grant_due(at=NOON, by=SYSTEM) == 0
        resume_budget(budget_id=budget.pk, reason="it is open again", by=SYSTEM, at=NOON)
        assert grant_due(at=NOON, by=SYSTEM) == 1
        assert [one.reason for one in BenefitBudgetNote.objects.order_by("pk")] == [
            "the lounge is rebuilt", "it is open again",
        ]  # fmt: skip

    def test_says_what_was_used_and_when_it_runs_out(self) -> None:
        lounge = a_benefit("lounge", quota=None)
        budget = a_budget(lounge, at=NOON, total_units=40)  # begun 30 days ago, 30 to go
        member = a_member()
        an_entitlement(member, lounge, at=NOON, quota=24)
        used(member, lounge, 2)
        (now,) = budgets_now(budgets=[BenefitBudget.objects.select_related("benefit").get(pk=budget.pk)], at=NOON)
        assert (now.percent, now.used_units, now.used_amount, now.is_closed) == (60, 2, Decimal("60.00"), False)
        assert now.runs_out == date(2026, 3, 31)  # 24 in 30 days, 40 in 50
        (row,) = costs_of(from_at=NOON - timedelta(days=1), before_at=NOON + timedelta(days=1))
        assert (row.benefit_id, row.tier_id, row.units, row.amount) == (lounge.pk, None, 2, Decimal("60.00"))
        assert costs_of(from_at=NOON - timedelta(days=1), before_at=NOON) == []


class TestTheGrid:
    """The grid of a version …"""

    def later(self, number: int = 2, days: int = 30) -> LadderVersion:
        begin = NOON + timedelta(days=days)
        LadderVersion.objects.filter(valid_to__isnull=True).update(valid_to=begin)
        version = LadderVersion.objects.create(number=number, valid_from=begin)
        for tier in Tier.objects.exclude(code="diamond"):
            TierRule.objects.create(ladder=version, tier=tier, rise_credits=tier.rank * 500, keep_credits=0)
        forget_ladder_book()
        forget_benefit_book()
        return version

    def test_is_written_as_a_whole_and_read_from_the_book(self) -> None:
        lounge, five = a_benefit("lounge"), a_benefit("five", kind=Benefit.Kind.DISCOUNT, quota=None)
        version, gold = self.later(), Tier.objects.get(code="gold")
        LadderVersion.objects.filter(pk=version.pk).update(valid_from=None)
        cells = {(gold.pk, lounge.pk): Cell(quota=3), (gold.pk, five.pk): Cell(Decimal(5))}
        assert [set_grid(ladder_id=version.pk, cells=cells, by=SYSTEM, at=NOON) for _ in range(2)] == [2, 0]
        del cells[gold.pk, five.pk]
        assert set_grid(ladder_id=version.pk, cells=cells, by=SYSTEM, at=NOON) == 1
        LadderVersion.objects.filter(pk=version.pk).update(valid_from=version.valid_from)
        forget_benefit_book()
        assert [(one.benefit.code, one.quota) for one in benefits_of_tier(version.pk, gold.pk)] == [("lounge", 3)]
        assert TimelineEntry.objects.filter(kind=events.BENEFIT_GRID_CHANGED).count() == 2

    def test_is_not_changed_once_it_is_in_force(self) -> None:
        lounge, gold = a_benefit("lounge"), Tier.objects.get(code="gold")
        first = LadderVersion.objects.get(number=1)
        assert why_frozen(first, NOON) is None  # the first grid there ever was
        set_grid(ladder_id=first.pk, cells={(gold.pk, lounge.pk): Cell()}, by=SYSTEM, at=NOON)
        before = list(TierBenefit.objects.values())
        with pytest.raises(GridIsInForce):
            set_grid(ladder_id=first.pk, cells={}, by=SYSTEM, at=NOON)
        assert list(TierBenefit.objects.values()) == before

    def test_knows_only_tiers_of_its_version(self) -> None:
        version, lounge = self.later(), a_benefit("lounge")
        diamond = Tier.objects.get(code="diamond")
        with pytest.raises(TierNotOnLadder):
            set_grid(ladder_id=version.pk, cells={(diamond.pk, lounge.pk): Cell()}, by=SYSTEM, at=NOON)
        assert not TierBenefit.objects.exists()

    def test_goes_on_with_that_of_the_version_before_while_it_has_none(self) -> None:
        lounge, gold = a_benefit("lounge"), Tier.objects.get(code="gold")
        given_by("gold", lounge)
        given_by("diamond", a_benefit("concierge"))
        version = self.later()
        assert version.valid_from is not None
        assert [one.benefit.code for one in benefits_at(gold.pk, version.valid_from)] == ["lounge"]
        assert grid_of(version.pk) == grid_of(LadderVersion.objects.get(number=1).pk) != {}
        assert copy_grid(from_ladder_id=LadderVersion.objects.get(number=1).pk, to_ladder_id=version.pk) == 1
        assert codes(benefits_of_tier(version.pk, gold.pk)) == ["lounge"]

    def test_lets_a_tier_that_it_dropped_give_what_the_next_one_below_gives(self) -> None:
        version, gold, diamond = self.later(), Tier.objects.get(code="gold"), Tier.objects.get(code="diamond")
        set_grid(ladder_id=version.pk, cells={(gold.pk, a_benefit("lounge").pk): Cell()}, by=SYSTEM, at=NOON)
        assert codes(benefits_of_tier(version.pk, diamond.pk)) == ["lounge"]
        assert benefits_of_tier(999, gold.pk) == ()

    def test_is_read_without_a_query_while_the_book_is_fresh(self, django_assert_num_queries: object) -> None:
        given_by("gold", a_benefit("lounge"))
        gold = Tier.objects.get(code="gold")
        benefits_at(gold.pk, NOON)
        with django_assert_num_queries(0):  # type: ignore[operator]
            benefits_at(gold.pk, NOON)


def codes(given: Sequence[object]) -> list[str]:
    return [one.benefit.code for one in given]  # type: ignore[attr-defined]
