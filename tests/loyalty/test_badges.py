"""Badges: given by their rule, by hand and for tasks, taken back by an opposite row, with why; and the title worn."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import override

from loyalty.badge_queries import held_badges, holder_counts, title_of
from loyalty.identity_words import award_words
from loyalty.models import Badge, BadgeAward, MemberTitle
from loyalty.refusals import BadgeHeld, BadgeIsOff, BadgeNotHeld, RuleAsksForIdentity, TitleNotHeld
from loyalty.services.badges import (
    award_by_hand,
    choose_title,
    open_due_badges,
    save_badge,
    take_back_by_hand,
)
from members.actors import SYSTEM, Actor
from members.facts import values_for
from members.models import Member, Segment, TimelineEntry
from members.personal_words import WordsNamePerson
from members.refusals import Refusal
from members.services.segment_keeping import follow_time
from members.services.status import ReasonMissing
from tests.factories.identity import a_badge, did, does, hear
from tests.factories.people import a_member
from tests.factories.portal import a_named_member
from tests.factories.segments import a_live_segment, members_in, run_waiting_jobs
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
STAFF = Actor("operator", 7)


def rows_of(member: Member) -> list[tuple[str, str]]:
    return list(BadgeAward.objects.filter(member=member).order_by("pk").values_list("kind", "cause"))


def told(kind: str) -> list[dict[str, Any]]:
    return [entry.payload for entry in TimelineEntry.objects.filter(kind=f"loyalty.{kind}.v1").order_by("pk")]


def holds(member: Member) -> list[str]:
    return [one.badge.code for one in held_badges(member.pk)]


@pytest.mark.django_db
class TestABadgeWithARule:
    def test_comes_with_what_happened_and_keeps_the_figures(self) -> None:
        member, other = a_member(), a_member()
        a_badge(did("review", 2), at=NOON, name="Two reviews")
        does(member, "review", NOON)
        assert holds(member) == []
        does(member, "review", NOON + timedelta(minutes=1))
        assert holds(member) == ["two_reviews"]
        row = BadgeAward.objects.get()
        assert (row.number, row.kind, row.cause) == (1, "awarded", "rule")
        assert row.why == [["members.activities?kind=review&days=365", "gte", 2, 2]]
        with override("en"):
            assert award_words(row) == "“Review” in the last 365 days: at least 2 times (2 times)"
        assert told("badge_awarded") == [{"badge": "two_reviews", "cause": "rule"}]
        assert holds(other) == []

    def test_is_given_at_once_to_who_meets_it_already_and_nobody_is_written_to(self) -> None:
        member = a_member()
        does(member, "review", NOON)
        a_badge(did("review", 1), at=NOON + timedelta(hours=1))
        assert holds(member) == ["first"]
        assert told("badge_awarded") == [{"badge": "first", "cause": "rule", "quiet": True}]

    def test_stays_when_the_rule_is_no_longer_met(self) -> None:
        member = a_member()
        a_badge(did("review", 1, days=30), at=NOON)
        does(member, "review", NOON)
        follow_time(at=NOON + timedelta(days=31))
        assert holds(member) == ["first"]
        does(member, "review", NOON + timedelta(days=40))
        assert rows_of(member) == [("awarded", "rule")]

    def test_that_can_be_lost_goes_with_time_and_comes_again(self) -> None:
        member = a_member()
        a_badge(did("review", 1, days=30), at=NOON, is_losable=True)
        does(member, "review", NOON)
        follow_time(at=NOON + timedelta(days=31))
        assert holds(member) == []
        lost = BadgeAward.objects.latest("pk")
        assert lost.why == [["members.activities?kind=review&days=30", "gte", 1, 0]]
        with override("en"):
            assert award_words(lost).startswith("No longer met:")
        does(member, "review", NOON + timedelta(days=40))
        assert rows_of(member) == [("awarded", "rule"), ("taken_back", "rule"), ("awarded", "rule")]
        assert len(told("badge_taken_back")) == 1

    def test_is_earned_only_in_its_span(self) -> None:
        early, late, never = a_member(), a_member(), a_member()
        does(early, "review", NOON)
        a_badge(
            did("review", 1), at=NOON, valid_from=NOON + timedelta(days=2), valid_until=NOON + timedelta(days=4)
        )  # fmt: skip
        assert holds(early) == []
        assert open_due_badges(at=NOON + timedelta(days=1), by=SYSTEM) == 0
        assert open_due_badges(at=NOON + timedelta(days=2), by=SYSTEM) == 1
        assert open_due_badges(at=NOON + timedelta(days=2), by=SYSTEM) == 0
        run_waiting_jobs(NOON + timedelta(days=2))
        assert holds(early) == ["first"]
        does(late, "review", NOON + timedelta(days=3))
        does(never, "review", NOON + timedelta(days=5))
        assert (holds(late), holds(never)) == (["first"], [])

    def test_switched_off_is_not_given_and_on_again_is_settled(self) -> None:
        keeps, comes, goes = a_member(), a_member(), a_member()
        badge = a_badge(did("review", 1, days=30), at=NOON, is_losable=True)
        for member in (keeps, goes):
            does(member, "review", NOON)
        badge.is_on = False
        save_badge(badge=badge, condition=did("review", 1, days=30), by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        later = NOON + timedelta(days=20)
        does(comes, "review", later)
        does(keeps, "review", later)
        follow_time(at=NOON + timedelta(days=31))
        assert holds(comes) == holds(keeps) == []  # nobody sees it
        badge.is_on = True
        assert save_badge(badge=badge, condition=did("review", 1, days=30), by=SYSTEM, at=NOON + timedelta(days=31))
        run_waiting_jobs(NOON + timedelta(days=31))
        assert (holds(comes), holds(keeps), holds(goes)) == (["first"], ["first"], [])

    def test_follows_another_rule(self) -> None:
        some, more = a_member(), a_member()
        does(some, "review", NOON)
        does(more, "review", NOON, times=3)
        badge = a_badge(did("review", 3), at=NOON + timedelta(hours=1))
        assert (holds(some), holds(more)) == ([], ["first"])
        save_badge(badge=badge, condition=did("review", 1), by=SYSTEM, at=NOON + timedelta(hours=2))
        run_waiting_jobs(NOON + timedelta(hours=2))
        assert (holds(some), holds(more)) == (["first"], ["first"])

    def test_without_its_rule_is_given_by_hand_only(self) -> None:
        member = a_member()
        badge = a_badge(did("review", 1), at=NOON)
        rule = badge.rule_id
        save_badge(badge=badge, condition=None, by=SYSTEM, at=NOON)
        does(member, "review", NOON)
        assert holds(member) == []
        assert Segment.objects.get(pk=rule or 0).state == "retired"

    @pytest.mark.parametrize("fact", ["members.has_tag?tag=x", "loyalty.badge?badge=x"])
    def test_can_not_ask_for_what_follows_rules_itself(self, fact: str) -> None:
        condition = {"all": [{"fact": fact, "op": "is", "value": True}]}
        with pytest.raises(RuleAsksForIdentity):
            a_badge(condition, at=NOON)
        assert not Badge.objects.exists()
        assert not Segment.objects.exists()

    def test_is_no_segment_that_staff_see(self) -> None:
        a_badge(did("review", 1), at=NOON)
        assert Segment.objects.get().is_of_tag

    def test_is_asked_for_by_segments(self) -> None:
        member = a_member()
        badge = a_badge(did("review", 1, days=30), at=NOON, is_losable=True)
        wanted = {"all": [{"fact": f"loyalty.badge?badge={badge.code}", "op": "is", "value": True}]}
        segment = a_live_segment(wanted, at=NOON)
        does(member, "review", NOON)
        last = TimelineEntry.objects.latest("pk").pk
        hear(last - 1, NOON + timedelta(minutes=1))
        assert members_in(segment) == {member.pk}
        follow_time(at=NOON + timedelta(days=31))
        hear(last, NOON + timedelta(days=31, minutes=1))
        assert members_in(segment) == set()
        key = f"loyalty.badge?badge={badge.code}"
        assert values_for(member.pk, [key], NOON)[key] is False
        assert values_for(member.pk, [key], NOON + timedelta(days=1))[key] is True


@pytest.mark.django_db
class TestABadgeByHand:
    def test_needs_a_reason_and_is_told(self) -> None:
        member = a_member()
        badge = a_badge(at=NOON, name="Friend of the house")
        award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="Helped at the opening", by=STAFF, at=NOON)
        row = BadgeAward.objects.get()
        assert (row.cause, row.reason, row.actor_kind, row.actor_id) == ("hand", "Helped at the opening", "operator", 7)
        assert told("badge_awarded") == [{"badge": "friend_of_the_house", "cause": "hand"}]
        take_back_by_hand(member_id=member.pk, badge_id=badge.pk, reason="Wrong member", by=STAFF, at=NOON)
        assert holds(member) == []
        assert rows_of(member) == [("awarded", "hand"), ("taken_back", "hand")]

    def test_is_refused_without_writing_anything(self) -> None:
        member = a_named_member("李雷", phone="13900001111")
        badge, off = a_badge(at=NOON), a_badge(at=NOON, name="Off", is_on=False)
        refused: list[tuple[type[Refusal], dict[str, Any]]] = [
            (ReasonMissing, {"reason": "  "}),
            (WordsNamePerson, {"reason": "李雷 helped"}),
            (BadgeIsOff, {"badge_id": off.pk}),
        ]
        for refusal, wrong in refused:
            asked = {"member_id": member.pk, "badge_id": badge.pk, "reason": "good", **wrong}
            with pytest.raises(refusal):
                award_by_hand(**asked, by=STAFF, at=NOON)
        with pytest.raises(BadgeNotHeld):
            take_back_by_hand(member_id=member.pk, badge_id=badge.pk, reason="no", by=STAFF, at=NOON)
        assert not BadgeAward.objects.exists()
        award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="good", by=STAFF, at=NOON)
        with pytest.raises(BadgeHeld):
            award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="good", by=STAFF, at=NOON)
        assert BadgeAward.objects.count() == 1

    def test_is_not_taken_by_a_rule_and_what_staff_took_is_not_given_back_by_settling(self) -> None:
        by_hand, taken = a_member(), a_member()
        badge = a_badge(did("review", 1, days=30), at=NOON, is_losable=True)
        award_by_hand(member_id=by_hand.pk, badge_id=badge.pk, reason="good", by=STAFF, at=NOON)
        for member in (by_hand, taken):
            does(member, "review", NOON)
        take_back_by_hand(member_id=taken.pk, badge_id=badge.pk, reason="cheated", by=STAFF, at=NOON)
        badge.is_on = False
        save_badge(badge=badge, condition=did("review", 1, days=30), by=SYSTEM, at=NOON)
        badge.is_on = True
        save_badge(badge=badge, condition=did("review", 1, days=30), by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        assert holds(taken) == []
        follow_time(at=NOON + timedelta(days=31))
        assert holds(by_hand) == ["first"]
        assert holder_counts([badge.pk]) == {badge.pk: 1}


@pytest.mark.django_db
class TestTheTitle:
    def test_is_the_newest_until_one_is_chosen(self) -> None:
        member = a_member()
        old, new = (a_badge(at=NOON, name=name, title=name) for name in ("Regular", "Legend"))
        plain = a_badge(at=NOON, name="Plain")
        for day, badge in enumerate((old, new, plain)):
            award_by_hand(member_id=member.pk, badge_id=badge.pk, reason="x", by=STAFF, at=NOON + timedelta(days=day))

        def worn() -> str | None:
            badge = title_of(member.pk, held_badges(member.pk))
            return badge.title if badge else None

        assert worn() == "Legend"
        choose_title(member_id=member.pk, badge_code="regular", at=NOON)
        assert worn() == "Regular"
        choose_title(member_id=member.pk, badge_code=None, at=NOON)
        assert worn() is None
        choose_title(member_id=member.pk, badge_code="regular", at=NOON)
        take_back_by_hand(member_id=member.pk, badge_id=old.pk, reason="x", by=STAFF, at=NOON + timedelta(days=9))
        assert worn() == "Legend"

    def test_is_refused_where_there_is_none(self) -> None:
        member = a_member()
        a_badge(at=NOON, name="Legend", title="Legend")
        plain = a_badge(at=NOON, name="Plain")
        award_by_hand(member_id=member.pk, badge_id=plain.pk, reason="x", by=STAFF, at=NOON)
        for code in ("legend", "plain", "nothing"):
            with pytest.raises(TitleNotHeld):
                choose_title(member_id=member.pk, badge_code=code, at=NOON)
        assert not MemberTitle.objects.exists()
