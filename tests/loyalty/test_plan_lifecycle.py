"""Floors and plans with a whole member: merged, taken apart, copied out, erased."""

from datetime import timedelta

import pytest
from django.utils.translation import override

from loyalty.models import PlanMembership, PlanOrder, PlanTrial, TierFloor, TierStanding
from loyalty.queries import tier_at
from loyalty.services.floors import refresh_floors
from loyalty.services.plan_lifecycle import export
from loyalty.services.plan_payments import confirm_payment, sell_plan
from loyalty.services.plan_refusals import TrialTaken
from loyalty.services.plans import order_plan, start_trial
from members import lifecycle
from members.actors import SYSTEM
from members.models import Member, MemberPerson, Merge
from members.services.merging import MergeInTheWay, merge_members, preview_merge, unmerge_members
from tests.factories.plans import a_floor, a_plan
from tests.loyalty.stories import local, make_member, purchase, tell

pytestmark = pytest.mark.django_db
MARCH = local("2026-03-05")
DAY = timedelta(days=1)


@pytest.fixture
def pair() -> tuple[Member, Member]:
    """Two records of one person; the second one is merged into the first."""
    a_plan(trial_days=7)
    members = make_member(), make_member()
    for member in members:
        MemberPerson.objects.create(member=member, full_name="")
    return members


def sold(member: Member, receipt: str = "R-1") -> PlanMembership:
    return sell_plan(
        member_id=member.pk, plan_code="gold_year", receipt_no=receipt, renews_intended=False, reason="paid", by=SYSTEM, at=MARCH
    ).membership  # fmt: skip


def merged(kept: Member, other: Member, *, at: object = MARCH + DAY) -> Merge:
    return merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=at)  # type: ignore[arg-type]


def codes(*members: Member, days: int = 2) -> list[str]:
    return [tier_at(member.pk, MARCH + days * DAY).code for member in members]


class TestAMerge:
    def test_lets_what_is_alive_count_for_the_survivor_and_gives_it_back(self, pair: tuple[Member, Member]) -> None:
        kept, other = pair
        found = sold(other)
        a_floor(other.pk, "diamond", MARCH - 9 * DAY, MARCH - DAY, ref="past")
        a_floor(other.pk, "silver", MARCH, MARCH + 20 * DAY, ref="now")
        merge = merged(kept, other)
        assert codes(kept, other) == ["gold", "member"]
        assert PlanMembership.objects.get().member_id == kept.pk
        assert set(TierFloor.objects.values_list("source_ref", "member_id")) == {
            ("past", other.pk), ("now", kept.pk), (f"{found.public_id.hex}:1", kept.pk),
        }  # fmt: skip
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=MARCH + 2 * DAY)
        assert codes(kept, other, days=3) == ["member", "gold"]
        assert not TierFloor.objects.filter(member=kept).exists()
        assert PlanMembership.objects.get().member_id == other.pk
        refresh_floors(at=MARCH + 400 * DAY)
        assert codes(kept, other, days=400) == ["member", "member"]
        assert not TierStanding.objects.filter(floor_tier__isnull=False).exists()

    def test_gives_back_what_was_paid_under_the_survivor_since(self, pair: tuple[Member, Member]) -> None:
        kept, other = pair
        sold(other)
        merge = merged(kept, other)
        order = order_plan(
            member_id=other.pk, plan_code="gold_year", renews_intended=False, by=SYSTEM, at=MARCH + 2 * DAY
        )
        assert (order.member_id, order.kind) == (kept.pk, "renewal")
        confirm_payment(
            order=order.public_id, source="shop", external_ref="P", amount=order.amount, currency=order.currency,
            paid_at=MARCH + 2 * DAY, by=SYSTEM, at=MARCH + 2 * DAY,
        )  # fmt: skip
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=MARCH + 3 * DAY)
        assert codes(kept, other, days=500) == ["member", "gold"]
        assert PlanMembership.objects.get().member_id == other.pk

    def test_keeps_the_floor_of_a_survivor_whose_tier_was_earned_by_the_other(
        self, pair: tuple[Member, Member]
    ) -> None:
        kept, other = pair
        a_floor(kept.pk, "diamond", MARCH, None, ref="own")
        tell(purchase(other.pk, "a", 600, MARCH))
        merge = merged(kept, other)
        assert codes(kept, other) == ["diamond", "member"]
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=MARCH + 2 * DAY)
        assert codes(kept, other, days=3) == ["diamond", "silver"]

    def test_counts_as_one_person_for_the_trial(self, pair: tuple[Member, Member]) -> None:
        kept, other = pair
        start_trial(member_id=other.pk, plan_code="gold_year", by=SYSTEM, at=MARCH - 20 * DAY)
        merge = merged(kept, other)
        for one in (kept, other):
            with pytest.raises(TrialTaken):
                start_trial(member_id=one.pk, plan_code="gold_year", by=SYSTEM, at=MARCH + 2 * DAY)
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=MARCH + 3 * DAY)
        assert list(PlanTrial.objects.values_list("member_id", flat=True)) == [other.pk]

    def test_of_two_with_plans_is_refused_until_one_has_ended(self, pair: tuple[Member, Member]) -> None:
        kept, other = pair
        sold(kept)
        start_trial(member_id=other.pk, plan_code="gold_year", by=SYSTEM, at=MARCH)
        with override("en"), pytest.raises(MergeInTheWay) as refusal:
            merged(kept, other)
        assert "both hold a paid membership" in refusal.value.sentence()
        merged(kept, other, at=MARCH + 8 * DAY)  # the trial is over, ended by the beat or not
        assert codes(kept, days=9) == ["gold"]

    def test_shows_before_what_becomes_of_it(self, pair: tuple[Member, Member]) -> None:
        kept, other = pair
        sold(other)
        lines = {
            str(line.label): (line.kept, line.merged, line.result)
            for line in preview_merge(kept_id=kept.pk, merged_id=other.pk, at=MARCH + DAY).lines
        }
        plan = PlanMembership.objects.get().plan.name
        assert ("–", plan, plan) in lines.values()


class TestAnErasure:
    def test_ends_the_plan_and_forgets_what_staff_wrote(self, pair: tuple[Member, Member]) -> None:
        member, other = pair
        sold(member)
        a_floor(member.pk, "diamond", MARCH, None, ref="own")
        order_plan(member_id=other.pk, plan_code="gold_year", renews_intended=False, by=SYSTEM, at=MARCH)
        [part] = [part for part in lifecycle.parts() if part.name == "loyalty.plans"]
        assert [line.kept for line in part.settle(member.pk, MARCH + DAY)] == ["Gold Year"]
        assert part.settle(other.pk, MARCH + DAY) == []
        assert part.erase(member.pk, SYSTEM, MARCH + DAY) == {"plans": 1, "words_about_tiers": 2}
        part.erase(other.pk, SYSTEM, MARCH + DAY)
        assert PlanMembership.objects.get().state == "ended"
        assert set(PlanOrder.objects.values_list("member_id", "state")) == {(member.pk, "paid"), (other.pk, "lapsed")}
        assert set(TierFloor.objects.values_list("reason", "ended_reason")) == {("", "")}


class TestACopy:
    def test_tells_tiers_plans_and_payments(self, pair: tuple[Member, Member]) -> None:
        member = pair[0]
        sold(member)
        sections = {section.name: section.rows for section in export(member.pk, MARCH + DAY)}
        assert [len(rows) for rows in sections.values()] == [1, 1, 1]
        assert sections["plan_payments"][0][3:] == ["¥365.00", "staff.plans", "R-1"]
        assert all(len(section.labels) == len(section.columns) for section in export(member.pk, MARCH))
