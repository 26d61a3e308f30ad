"""What members do besides buying, and their birthdays, earn points: once, within limits, by the rules of that day."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.actors import SYSTEM
from members.admin.timeline import tell
from members.models import Activity, Member, MemberPerson, TimelineEntry
from members.services.activities import record_activity
from members.timeline import relay
from rewards.explanation import explain
from rewards.models import CapCounter, LedgerTransaction, Lot, PointsAccount, PointsCurrency
from rewards.services.behaviours import award_activities, award_birthdays
from tests.factories.people import a_member
from tests.factories.rules import a_rule
from tests.factories.times import at
from tests.harness.threads import together

MORNING = at("2026-11-20 09:00")
EVER = at("2020-01-01")


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def check_in(
    member: Member, ref: str, moment: datetime = MORNING, *, kind: str = "check_in", value: int | None = None
) -> int:
    done = record_activity(
        member_id=member.pk,
        kind=kind,
        source="app",
        external_ref=ref,
        happened_at=moment,
        value=value,
        by=SYSTEM,
        at=moment,
    )
    return done.activity_id


def award(*ids: int, moment: datetime = MORNING) -> list[dict[int, int]]:
    return [dict(one.points) for one in award_activities(activity_ids=ids, by=SYSTEM, at=moment)]


def available(member: Member) -> int:
    return sum(PointsAccount.objects.filter(member=member).values_list("available", flat=True))


def points_id() -> int:
    return PointsCurrency.objects.get(code="points").pk


def told(member: Member) -> list[tuple[str, dict[str, Any]]]:
    rows = TimelineEntry.objects.filter(member_id=member.pk, kind__startswith="rewards.activity").order_by("pk")
    return [(row.kind.split(".")[1], row.payload) for row in rows]


def born(day: str, **more: Any) -> Member:
    member = a_member(**more)
    MemberPerson.objects.update_or_create(member=member, defaults={"birthday": date.fromisoformat(day)})
    return member


def everything() -> list[Any]:
    return [
        *LedgerTransaction.objects.order_by("pk").values_list("pk", "natural_key"),
        *CapCounter.objects.order_by("pk").values_list("pk", "used", "times"),
        *PointsAccount.objects.order_by("pk").values_list("available", "pending"),
    ]


@pytest.mark.django_db
class TestActivity:
    """A recorded activity …"""

    def test_earns_what_its_rule_says(self) -> None:
        rule = a_rule("Check-in", activity_kind="check_in", points_fixed=5, pending_days=0)
        member = a_member()
        done = check_in(member, "1")
        assert award(done) == [{points_id(): 5}]
        (lot,) = Lot.objects.filter(member=member)
        assert (lot.amount, lot.origin, lot.expires_at) == (5, Lot.Origin.BEHAVIOUR, at("2027-12-01"))
        posted = LedgerTransaction.objects.get(member=member)
        assert (posted.source, posted.natural_key) == ("activity", str(done))
        assert [(line.label, line.points) for line in explain(posted.trace).lines] == [("Check-in", 5)]
        assert told(member) == [
            ("activity_rewarded", {"activity": done, "kind": "check_in", "points": 5, "currency": points_id()})
        ]
        assert rule.rule.activity_kind == "check_in"

    def test_earns_by_its_figure(self) -> None:
        a_rule("Steps", activity_kind="check_in", points_per_step=2, step_amount=Decimal(1000))
        member = a_member()
        assert award(check_in(member, "1", value=3_500)) == [{points_id(): 6}]

    def test_waits_as_long_as_the_rule_says(self) -> None:
        a_rule("Review", activity_kind="review", points_fixed=30, pending_days=7)
        member = a_member()
        award(check_in(member, "1", kind="review", value=5))
        account = PointsAccount.objects.get(member=member)
        assert (account.available, account.pending) == (0, 30)

    def test_earns_in_every_currency_that_has_a_rule(self) -> None:
        coins = PointsCurrency.objects.create(code="coins", name="Coins")
        a_rule("Check-in", activity_kind="check_in", points_fixed=5)
        a_rule("Coin", activity_kind="check_in", points_fixed=1, currency=coins)
        member = a_member()
        assert award(check_in(member, "1")) == [{points_id(): 5, coins.pk: 1}]
        assert [payload["currency"] for _kind, payload in told(member)] == [points_id(), coins.pk]

    def test_is_rewarded_once_however_often_it_is_delivered(self) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, cap_day_count=3)
        member = a_member()
        done = check_in(member, "1")
        award(done)
        before = everything()
        assert award(done, done) == []
        assert everything() == before
        assert len(told(member)) == 1

    def test_of_a_kind_without_a_rule_costs_no_more_than_reading_it(self) -> None:
        member = a_member()
        done = check_in(member, "1")
        award(done)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert award(done) == []
        assert len(captured) == 3  # a savepoint's beginning and end, and the activity itself
        assert told(member) == []

    def test_before_the_rule_began_earns_nothing(self) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, valid_from=MORNING + timedelta(seconds=1))
        assert award(check_in(a_member(), "1")) == []

    @pytest.mark.parametrize(
        ("limit", "given"), [({"cap_day_count": 2}, [5, 5, 0, 5]), ({"cap_day_points": 7}, [5, 2, 0, 5])]
    )
    def test_stays_within_the_day_of_the_programmes_zone(self, limit: dict[str, Any], given: list[int]) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, gets_tier_multiplier=False, **limit)
        member = a_member()
        moments = ["2026-11-20 00:00", "2026-11-20 12:00", "2026-11-20 23:59", "2026-11-21 00:00"]
        found = [award(check_in(member, str(number), at(moment))) for number, moment in enumerate(moments)]
        assert [sum(one.values()) for (one,) in found] == given
        assert told(member)[2] == (
            "activity_not_rewarded", {"activity": Activity.objects.get(external_ref="2").pk, "kind": "check_in", "code": "rule_cap_reached"},
        )  # fmt: skip

    @pytest.mark.parametrize("status", ["frozen", "closed"])
    def test_of_a_member_who_is_not_active_changes_no_balance_and_is_told(self, status: str) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, cap_day_count=1)
        member = a_member()
        done = check_in(member, "1")
        Member.objects.filter(pk=member.pk).update(status=status)
        assert award(done) == [{}]
        assert (LedgerTransaction.objects.count(), CapCounter.objects.count(), available(member)) == (0, 0, 0)
        assert told(member) == [
            ("activity_not_rewarded", {"activity": done, "kind": "check_in", "code": f"member_{status}"})
        ]

    def test_asks_the_rules_condition_of_the_member(self) -> None:
        wanted = {"all": [{"fact": "members.joined_days", "op": "lte", "value": 30}]}
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, condition=wanted)
        old, new = a_member(), a_member(joined_at=MORNING - timedelta(days=3))
        assert award(check_in(old, "1"), check_in(new, "2")) == [{}, {points_id(): 5}]
        assert told(old)[0][1]["code"] == "rule_condition"

    def test_takes_from_a_budget_until_it_is_empty(self) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, budget_points=12)
        done = [check_in(a_member(), str(number)) for number in range(3)]
        assert sorted(sum(one.values()) for one in award(*done)) == [2, 5, 5]

    def test_reads_as_a_sentence(self) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, cap_day_count=1)
        member = a_member()
        award(check_in(member, "1"), check_in(member, "2"))
        said = [
            entry.sentence
            for entry in tell(list(TimelineEntry.objects.filter(kind__startswith="rewards.activity").order_by("pk")))
        ]
        assert said[0].startswith("5 ")
        assert said[1].startswith("No points for:")
        assert "the limit is reached" in said[1]


class TestDelivery:
    """The timeline …"""

    def test_leads_to_the_points(self, committed_db: str) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5)
        member = a_member()
        check_in(member, "1")
        for _again in range(2):
            relay(at=MORNING, name="rewards.behaviours")
        assert available(member) == 5

    def test_and_others_at_the_same_moment_reward_once_within_the_limits(self, committed_db: str) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=5, cap_day_count=3)
        member = a_member()
        done = [check_in(member, str(number)) for number in range(6)]
        together([lambda ids=ids: award(*ids) for ids in (done, done[::-1], done[:3], done[3:], done[2:3], done)])  # type: ignore[misc]
        assert available(member) == 15
        assert LedgerTransaction.objects.count() == 3
        (counter,) = CapCounter.objects.all()
        assert (counter.used, counter.times) == (15, 3)


@pytest.mark.django_db
class TestBirthday:
    """A birthday …"""

    @pytest.fixture(autouse=True)
    def rule(self) -> None:
        a_rule("Birthday", activity_kind="birthday", points_fixed=100)

    def test_is_rewarded_once_a_year(self) -> None:
        member, other = born("1990-11-20"), born("1990-11-21")
        assert award_birthdays(by=SYSTEM, at=at("2026-11-20 00:10")) == 1
        assert award_birthdays(by=SYSTEM, at=at("2026-11-20 23:50")) == 0
        assert (available(member), available(other)) == (100, 0)
        assert LedgerTransaction.objects.get().natural_key == f"{member.pk}:2026"
        MemberPerson.objects.filter(member=member).update(birthday=date(1990, 12, 1))
        assert award_birthdays(by=SYSTEM, at=at("2026-12-01 08:00")) == 0
        assert award_birthdays(by=SYSTEM, at=at("2027-12-01 08:00")) == 1

    def test_begins_at_midnight_of_the_programmes_zone(self) -> None:
        member = born("1990-11-20")
        award_birthdays(by=SYSTEM, at=at("2026-11-19 23:59"))
        assert available(member) == 0
        award_birthdays(by=SYSTEM, at=at("2026-11-20 00:00"))
        assert available(member) == 100

    @pytest.mark.parametrize(
        ("moment", "points"),
        [("2026-02-28 09:00", 100), ("2028-02-28 09:00", 0), ("2028-02-29 09:00", 100), ("2026-03-01 09:00", 100)],
    )
    def test_of_29_february_is_kept_on_the_28th_in_common_years(self, moment: str, points: int) -> None:
        member = born("1992-02-29")
        award_birthdays(by=SYSTEM, at=at(moment))
        assert available(member) == points

    @pytest.mark.parametrize(("days", "points"), [(1, 100), (3, 100), (4, 0)])
    def test_missed_by_a_run_that_did_not_come_is_made_up_for_three_days(self, days: int, points: int) -> None:
        member = born("1990-11-20")
        award_birthdays(by=SYSTEM, at=at("2026-11-20 09:00") + timedelta(days=days))
        assert available(member) == points

    def test_over_new_year_belongs_to_the_old_one(self) -> None:
        member = born("1990-12-31")
        award_birthdays(by=SYSTEM, at=at("2027-01-02 09:00"))
        assert LedgerTransaction.objects.get().natural_key == f"{member.pk}:2026"

    @pytest.mark.parametrize("status", ["frozen", "closed"])
    def test_of_a_member_who_is_not_active_is_passed_over(self, status: str) -> None:
        member = born("1990-11-20", status=status)
        assert award_birthdays(by=SYSTEM, at=at("2026-11-20 09:00")) == 0
        assert (available(member), told(member)) == (0, [])

    def test_of_a_member_who_joined_later_is_passed_over(self) -> None:
        late, same_day = (
            born("1990-11-20", joined_at=at("2026-11-21")),
            born("1990-11-20", joined_at=at("2026-11-20 15:00")),
        )
        award_birthdays(by=SYSTEM, at=at("2026-11-21 09:00"))
        assert (available(late), available(same_day)) == (0, 100)

    def test_is_found_for_many_in_few_statements(self) -> None:
        for _number in range(120):
            born("1990-11-20")
        assert award_birthdays(by=SYSTEM, at=at("2026-11-20 09:00")) == 120
        with CaptureQueriesContext(connection) as captured:
            assert award_birthdays(by=SYSTEM, at=at("2026-11-20 10:00")) == 0
        assert len(captured) <= 8


class TestBirthdaysTogether:
    def test_give_each_member_one_reward(self, committed_db: str) -> None:
        a_rule("Birthday", activity_kind="birthday", points_fixed=100)
        for _ in range(70):
            born("1990-11-20")
        moment = at("2026-11-20 09:00")
        found = together([lambda: award_birthdays(by=SYSTEM, at=moment)] * 4)
        assert sum(found) == 70
        assert LedgerTransaction.objects.count() == 70
