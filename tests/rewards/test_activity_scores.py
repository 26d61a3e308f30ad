"""What members do besides buying counts towards their tier: once, by the scores of the ladder of that day."""

from datetime import datetime

import pytest

from loyalty.models import ActivityScore, LadderVersion, QualificationEntry, TierChange, TierRule
from loyalty.queries import forget_ladder_book, tier_at
from members.actors import SYSTEM
from members.models import ActivityKind, Member, TimelineEntry
from members.services.activities import record_activity
from members.timeline import relay
from rewards.services.activity_scores import count_activities
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import a_return, an_order
from tests.factories.people import a_member
from tests.factories.times import at
from tests.harness.threads import together

MORNING = at("2026-11-20 09:00")


@pytest.fixture(autouse=True)
def a_ladder_of_activity(request: pytest.FixtureRequest) -> None:
    """Silver takes ten activity points; a check-in counts four."""
    request.getfixturevalue("committed_db" if "committed_db" in request.fixturenames else "db")
    TierRule.objects.filter(tier__code="silver").update(rise_credits=None, rise_activity=10, keep_credits=None)
    ladder, kind = LadderVersion.objects.get(), ActivityKind.objects.get(code="check_in")
    ActivityScore.objects.create(ladder=ladder, kind=kind, score=4)
    forget_ladder_book()


def check_in(member: Member, ref: str, moment: datetime = MORNING, *, kind: str = "check_in") -> int:
    done = record_activity(
        member_id=member.pk, kind=kind, source="app", external_ref=ref, happened_at=moment, by=SYSTEM, at=moment
    )
    return done.activity_id


def count(*ids: int) -> int:
    return count_activities(activity_ids=ids, by=SYSTEM, at=MORNING)


class TestActivities:
    def test_count_their_score_once(self) -> None:
        member = a_member()
        one = check_in(member, "1")
        assert (count(one), count(one)) == (1, 0)
        entry = QualificationEntry.objects.get(member=member)
        assert (entry.kind, entry.source_ref, entry.activity, entry.credits, entry.orders) == (
            "activity",
            str(one),
            4,
            0,
            0,
        )

    def test_lift_a_member(self) -> None:
        member = a_member()
        count(*(check_in(member, str(n)) for n in range(3)))
        change = TierChange.objects.get(member=member)
        assert (change.reason, change.figures, change.must) == ("risen", [["activity", "12", "10", "0"]], 1)
        assert tier_at(member.pk, MORNING).code == "silver"
        [told] = TimelineEntry.objects.filter(member_id=member.pk, kind="loyalty.tier_raised.v1")
        assert told.payload["figures"] == [["activity", "12", "10", "0"]]

    def test_of_a_kind_without_a_score_count_nothing(self) -> None:
        assert count(check_in(a_member(), "1", kind="review")) == 0
        assert not QualificationEntry.objects.exists()

    def test_of_who_has_left_count_nothing(self) -> None:
        member = a_member()
        one = check_in(member, "1")
        Member.objects.filter(pk=member.pk).update(status=Member.Status.CLOSED)
        assert count(one) == 0

    def test_are_counted_from_the_timeline(self, committed_db: str) -> None:
        member = a_member()
        check_in(member, "1")
        for _again in range(2):
            relay(at=MORNING, name="rewards.activity_scores")
        assert QualificationEntry.objects.get(member=member).activity == 4

    def test_beside_each_other_count_once(self, committed_db: str) -> None:
        member = a_member()
        ids = [check_in(member, str(n)) for n in range(3)]
        together([lambda: count(*ids)] * 8)
        assert QualificationEntry.objects.filter(member=member).count() == 3
        assert TierChange.objects.filter(member=member).count() == 1


class TestOrdersOfADay:
    def test_an_order_that_came_back_whole_takes_its_day_back(self) -> None:
        member = a_member()
        order = an_order(member, "60.00", ordered_at=MORNING)
        record_purchase(order=order, by=SYSTEM, at=MORNING)
        record_return(ret=a_return(order), by=SYSTEM, at=at("2026-11-21 09:00"))
        bought, back = QualificationEntry.objects.filter(member=member).order_by("pk")
        assert (bought.orders, bought.active_on) == (1, None)
        assert (back.orders, back.active_on) == (-1, MORNING.date())

    def test_an_order_that_came_back_in_part_keeps_it(self) -> None:
        member = a_member()
        order = an_order(member, "60.00", ordered_at=MORNING)
        record_purchase(order=order, by=SYSTEM, at=MORNING)
        for number, quantity in (("R1", "0.5"), ("R2", "0.5")):
            ret = a_return(order, (1, quantity), number=number)
            record_return(ret=ret, by=SYSTEM, at=at("2026-11-21 09:00"))
        entries = QualificationEntry.objects.filter(member=member, kind="return").order_by("pk")
        assert [entry.orders for entry in entries] == [0, -1]
