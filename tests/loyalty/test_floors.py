"""Floors: given, ended, followed as time passes; and the tier that counts everywhere."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from loyalty import tasks
from loyalty.floors import FloorSpan
from loyalty.models import LadderVersion, TierChange, TierFloor, TierRule, TierStanding
from loyalty.progress import progress_of
from loyalty.queries import (
    earned_tier_at,
    floor_at,
    forget_ladder_book,
    held_tier_ids,
    ladder_book,
    standing_of,
    tier_at,
)
from loyalty.replay import load_replays, save_replays
from loyalty.services.floors import (
    FloorHasNoTime,
    FloorIsAnother,
    FloorIsOver,
    NoSuchFloor,
    end_floor,
    grant_floor,
    refresh_floors,
)
from loyalty.services.standing import tier_for_fact
from members.actors import SYSTEM, Actor
from members.facts import values_for
from members.models import Member, TimelineEntry
from members.personal_words import WordsNamePerson
from members.services.status import ReasonMissing
from tests.factories.plans import a_floor, a_tier
from tests.harness.threads import spread
from tests.loyalty.stories import goods_back, local, make_member, path_of, purchase, review, state_of, tell

MARCH = local("2025-03-15")
JUNE = local("2025-06-01")
DAY = timedelta(days=1)


def told(member_id: int) -> list[tuple[str, str, datetime]]:
    """Return what the timeline says of a member's floors: kind, tier, moment."""
    entries = TimelineEntry.objects.filter(member_id=member_id, kind__startswith="loyalty.floor_").order_by("id")
    return [(entry.kind[8:-3], entry.payload["tier"], entry.happened_at) for entry in entries]


def columns(member_id: int) -> tuple[str | None, datetime | None, datetime | None]:
    row = TierStanding.objects.select_related("floor_tier").get(member_id=member_id)
    return (row.floor_tier.code if row.floor_tier else None), row.floor_from, row.floor_until


@pytest.mark.django_db
class TestAFloor:
    """A floor …"""

    def test_lifts_a_member_who_never_rose_and_leaves_what_is_earned(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, JUNE)
        held = standing_of(member.pk, MARCH)
        assert (held.tier.code, held.earned.code, held.since_at, held.valid_until) == ("gold", "member", None, None)
        assert (tier_at(member.pk, MARCH).code, earned_tier_at(member.pk, MARCH).code) == ("gold", "member")
        assert tier_at(member.pk, MARCH).points_multiplier == Decimal("1.25")
        assert TierChange.objects.count() == 0

    def test_holds_from_its_first_moment_to_just_before_its_last(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, JUNE)
        moments = [MARCH - timedelta(microseconds=1), MARCH, JUNE - timedelta(microseconds=1), JUNE]
        assert [tier_at(member.pk, moment).code for moment in moments] == ["member", "gold", "gold", "member"]
        refresh_floors(at=JUNE + DAY)
        assert [tier_at(member.pk, moment).code for moment in moments] == ["member", "gold", "gold", "member"]

    def test_below_what_is_earned_changes_nothing_and_counts_when_that_falls(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 1600, MARCH))  # gold until 2026-04-01
        a_floor(member.pk, "silver", MARCH, None)
        assert tier_at(member.pk, MARCH).code == "gold"
        review(local("2026-04-02"))
        review(local("2027-04-02"))
        assert earned_tier_at(member.pk, local("2027-04-02")).code == "member"
        assert tier_at(member.pk, local("2027-04-02")).code == "silver"

    def test_is_neither_gain_nor_loss_for_what_is_earned(self, member: Member) -> None:
        twin = make_member()
        a_floor(member.pk, "diamond", MARCH - DAY, JUNE)
        for one in (member, twin):
            tell(purchase(one.pk, f"a{one.pk}", 500, MARCH))
            tell(goods_back(one.pk, f"b{one.pk}", 500, MARCH + DAY, f"a{one.pk}"))
            tell(purchase(one.pk, f"c{one.pk}", 1500, MARCH + 2 * DAY))
            tell(purchase(one.pk, f"d{one.pk}", 10, MARCH - 30 * DAY), at=MARCH + 3 * DAY)  # late
        review(local("2026-04-02"))
        assert path_of(member.pk) == path_of(twin.pk)
        assert state_of(member.pk).standing == state_of(twin.pk).standing

    def test_outlives_a_rise_that_is_undone(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        a_floor(member.pk, "gold", MARCH + DAY, None)
        tell(goods_back(member.pk, "b", 500, MARCH + 2 * DAY, "a"))
        assert columns(member.pk) == ("gold", MARCH + DAY, None)
        held = standing_of(member.pk, MARCH + 3 * DAY)
        assert (held.tier.code, held.earned.code, held.since_at) == ("gold", "member", None)

    def test_given_again_changes_nothing_and_with_other_contents_is_refused(self, member: Member) -> None:
        first = a_floor(member.pk, "gold", MARCH, JUNE)
        assert a_floor(member.pk, "gold", MARCH, JUNE, at=JUNE + DAY).pk == first.pk
        with pytest.raises(FloorIsAnother):
            a_floor(member.pk, "silver", MARCH, JUNE)
        assert TierFloor.objects.count() == 1
        assert told(member.pk) == [("floor_began", "gold", MARCH)]

    @pytest.mark.parametrize("until", [MARCH, MARCH + DAY])
    def test_without_time_to_come_is_refused(self, member: Member, until: datetime) -> None:
        with pytest.raises(FloorHasNoTime):
            a_floor(member.pk, "gold", MARCH, until, at=MARCH + DAY)
        assert not TierFloor.objects.exists()

    def test_needs_a_reason_that_names_nobody(self, member: Member) -> None:
        asked: dict[str, Any] = {
            "member_id": member.pk, "tier_id": a_tier("gold").pk, "valid_from": MARCH, "valid_until": None,
            "source": "staff", "source_ref": "x", "by": SYSTEM, "at": MARCH,
        }  # fmt: skip
        with pytest.raises(ReasonMissing):
            grant_floor(reason=" ", **asked)
        with pytest.raises(WordsNamePerson):
            grant_floor(reason="ask zhang@example.com", **asked)
        assert not TierFloor.objects.exists()


@pytest.mark.django_db
class TestSeveralFloors:
    """Several floors …"""

    def test_come_to_the_highest_at_each_moment_before_and_after_they_are_followed(self, member: Member) -> None:
        a_floor(member.pk, "silver", MARCH, JUNE, ref="a")
        a_floor(member.pk, "diamond", MARCH + 10 * DAY, MARCH + 20 * DAY, ref="b", at=MARCH)
        a_floor(member.pk, "gold", MARCH + 15 * DAY, JUNE + 10 * DAY, ref="c", at=MARCH)
        days = [0, 9, 10, 14, 15, 19, 20, 40, 77, 78, 87, 89]
        expected = ["silver"] * 2 + ["diamond"] * 4 + ["gold"] * 5 + ["member"]
        assert [tier_at(member.pk, MARCH + day * DAY).code for day in days] == expected
        for followed in days:
            refresh_floors(at=MARCH + followed * DAY)
            assert [tier_at(member.pk, MARCH + day * DAY).code for day in days] == expected
            assert FloorSpan(
                *TierStanding.objects.values_list("floor_tier_id", "floor_from", "floor_until").get()
            ).covers(MARCH + followed * DAY)

    def test_are_each_told_once_when_they_begin_and_end(self, member: Member) -> None:
        a_floor(member.pk, "silver", MARCH, JUNE, ref="a")
        a_floor(member.pk, "gold", MARCH + 10 * DAY, MARCH + 20 * DAY, ref="b", at=MARCH)
        assert told(member.pk) == [("floor_began", "silver", MARCH)]
        for _twice in range(2):
            assert refresh_floors(at=MARCH + 5 * DAY) == 0
        refresh_floors(at=MARCH + 11 * DAY)
        refresh_floors(at=JUNE + 30 * DAY)
        refresh_floors(at=JUNE + 31 * DAY)
        assert told(member.pk) == [
            ("floor_began", "silver", MARCH), ("floor_began", "gold", MARCH + 10 * DAY),
            ("floor_ended", "silver", JUNE), ("floor_ended", "gold", MARCH + 20 * DAY),
        ]  # fmt: skip
        assert columns(member.pk) == (None, JUNE, None)

    def test_that_passed_unseen_are_told_before_the_next_change(self, member: Member) -> None:
        a_floor(member.pk, "silver", MARCH, MARCH + DAY, ref="a")
        a_floor(member.pk, "gold", MARCH + 5 * DAY, None, ref="b")
        refresh_floors(at=MARCH + 6 * DAY)
        assert [kind for kind, _tier, _at in told(member.pk)] == ["floor_began", "floor_ended", "floor_began"]


@pytest.mark.django_db
class TestAnEnd:
    """An early end …"""

    def end(
        self,
        *,
        ref: str = "one",
        ended_at: datetime = MARCH + 5 * DAY,
        reason: str = "no longer",
        at: datetime | None = None,
    ) -> None:
        end_floor(
            source="staff", source_ref=ref, ended_at=ended_at, reason=reason, by=Actor("operator", 1), at=at or ended_at
        )

    def test_counts_from_its_moment_and_is_told_once(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, None)
        self.end()
        self.end(at=MARCH + 9 * DAY)
        refresh_floors(at=JUNE)
        assert [tier_at(member.pk, MARCH + day * DAY).code for day in (4, 5)] == ["gold", "member"]
        assert told(member.pk) == [("floor_began", "gold", MARCH), ("floor_ended", "gold", MARCH + 5 * DAY)]
        row = TierFloor.objects.get()
        assert (row.ended_reason, row.ended_by_kind, row.ended_by_id) == ("no longer", "operator", 1)

    def test_before_it_begins_makes_it_never_happen(self, member: Member) -> None:
        a_floor(member.pk, "gold", JUNE, None, at=MARCH)
        self.end()
        refresh_floors(at=JUNE + DAY)
        assert tier_at(member.pk, JUNE + DAY).code == "member"
        assert told(member.pk) == []

    def test_of_what_is_over_is_refused(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, MARCH + DAY)
        with pytest.raises(FloorIsOver):
            self.end()
        with pytest.raises(NoSuchFloor):
            self.end(ref="other")
        with pytest.raises(ReasonMissing):
            self.end(reason="")
        assert TierFloor.objects.get().ended_at is None


@pytest.mark.django_db
class TestEveryReader:
    """What counts is said alike by …"""

    def test_the_tier_of_a_fact_live_and_in_an_import(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, JUNE)
        moments = [MARCH - DAY, MARCH, JUNE - DAY, JUNE]
        live = [tier_for_fact(member_id=member.pk, moment=one, by=SYSTEM, at=JUNE + DAY) for one in moments]
        assert [held.tier.code for held in live] == ["member", "gold", "gold", "member"]
        assert [held.floor.code if held.floor else "" for held in live] == ["", "gold", "gold", ""]
        replay = load_replays([member.pk], earliest_at=MARCH - DAY)[member.pk]
        assert [replay.tier_for_fact(one).code for one in moments] == ["member", "gold", "gold", "member"]

    def test_an_import_that_rises_beneath_it(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, JUNE)
        replays = load_replays([member.pk], earliest_at=MARCH)
        replays[member.pk].count(purchase(member.pk, "a", 600, MARCH))
        assert replays[member.pk].tier_for_fact(MARCH + DAY).code == "gold"
        assert replays[member.pk].tier_for_fact(JUNE + DAY).code == "silver"
        save_replays(replays, by=SYSTEM, at=JUNE, quiet=True)
        assert columns(member.pk)[0] == "gold"
        assert earned_tier_at(member.pk, JUNE).code == "silver"

    def test_a_purchase_that_rises_beneath_it_or_above(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, None)
        gold = ladder_book().tier_now(a_tier("gold").pk, MARCH)
        below = tell(purchase(member.pk, "a", 600, MARCH))
        assert (below.changed_to, below.changed_over(gold)) == ("silver", "")
        above = tell(purchase(member.pk, "b", 5000, MARCH + DAY))
        assert (above.changed_to, above.changed_over(gold)) == ("diamond", "diamond")
        assert tell(purchase(member.pk, "c", 1, MARCH + DAY)).changed_over(gold) == ""

    def test_facts_of_conditions(self, member: Member) -> None:
        other = make_member()
        a_floor(member.pk, "gold", MARCH, JUNE)
        keys = ["loyalty.tier", "loyalty.tier_rank"]

        def asked(one: Member, moment: datetime) -> list[object]:
            values = values_for(one.pk, keys, moment)
            return [values[key] for key in keys]

        for moment, expected in ((MARCH - DAY, ["member", 0]), (MARCH, ["gold", 2]), (JUNE, ["member", 0])):
            assert asked(member, moment) == expected
            assert asked(other, moment) == ["member", 0]
        tell(purchase(member.pk, "a", 6000, MARCH + DAY))
        assert asked(member, MARCH + 2 * DAY)[0] == "diamond"

    def test_progress_which_stays_about_what_is_earned(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 600, MARCH))
        a_floor(member.pk, "diamond", MARCH, JUNE)
        progress = progress_of(member.pk, MARCH + DAY)
        assert (progress.held.code, progress.tier.code, progress.multiplier) == ("diamond", "silver", Decimal("1.50"))
        assert progress.next_tier is not None
        assert (progress.next_tier.code, progress.gap) == ("gold", 900)

    def test_a_page_of_members_before_and_after_it_is_followed(self, member: Member) -> None:
        others = [make_member() for _ in range(2)]
        tell(purchase(others[0].pk, "a", 600, MARCH))
        a_floor(member.pk, "gold", MARCH, JUNE)
        ids = [member.pk, *(other.pk for other in others)]
        gold, silver, lowest = (a_tier(code).pk for code in ("gold", "silver", "member"))
        assert held_tier_ids(ids, MARCH) == {member.pk: gold, others[0].pk: silver}
        assert held_tier_ids(ids, JUNE) == {member.pk: lowest, others[0].pk: silver}
        refresh_floors(at=JUNE)
        assert held_tier_ids(ids, JUNE) == {member.pk: lowest, others[0].pk: silver}

    def test_a_floor_of_a_tier_that_the_ladder_dropped(self, member: Member) -> None:
        a_floor(member.pk, "gold", MARCH, None)
        LadderVersion.objects.update(valid_to=JUNE)
        new = LadderVersion.objects.create(number=2, valid_from=JUNE)
        for code in ("member", "silver"):
            TierRule.objects.create(
                ladder=new, tier=a_tier(code), rise_credits=0 if code == "member" else 9, keep_credits=0,
                points_multiplier=Decimal(1) if code == "member" else Decimal("1.10"),
            )  # fmt: skip
        forget_ladder_book()
        assert tier_at(member.pk, JUNE).points_multiplier == Decimal("1.10")  # as the next one below gives


@pytest.mark.django_db
def test_members_without_any_floor_cost_no_query_more(member: Member, django_assert_num_queries: object) -> None:
    tell(purchase(member.pk, "a", 600, MARCH))
    ladder_book()
    with django_assert_num_queries(1):  # type: ignore[operator]
        tier_for_fact(member_id=member.pk, moment=MARCH + DAY, by=SYSTEM, at=MARCH + DAY)
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert floor_at(member.pk, MARCH, FloorSpan()) is None


class TestAtOnce:
    def test_the_same_floor_twenty_times_is_one(self, committed_db: str) -> None:
        member = make_member()
        floors = spread(lambda _: a_floor(member.pk, "gold", MARCH, None).pk, times=20, threads=8)
        assert len(set(floors)) == 1
        assert told(member.pk) == [("floor_began", "gold", MARCH)]

    def test_runs_of_the_beat_beside_each_other_tell_each_end_once(self, committed_db: str) -> None:
        members = [make_member() for _ in range(30)]
        for one in members:
            a_floor(one.pk, "gold", MARCH, MARCH + DAY, ref=f"r{one.pk}")
        counts = spread(lambda _: refresh_floors(at=MARCH + 2 * DAY, limit=7), times=6, threads=6)
        assert sum(counts) == 30
        assert TimelineEntry.objects.filter(kind="loyalty.floor_ended.v1").count() == 30
        assert not TierStanding.objects.filter(floor_tier__isnull=False).exists()


@pytest.mark.django_db
def test_the_task_follows_floors(member: Member) -> None:
    a_floor(member.pk, "gold", MARCH, MARCH + DAY)
    with translation.override("en"):
        tasks.refresh_tier_floors()
    assert columns(member.pk) == (None, MARCH + DAY, None)
