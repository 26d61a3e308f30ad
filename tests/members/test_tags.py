"""Tags: put on by hand or by a rule, with why; falling off by themselves; moved with a merge."""

from datetime import timedelta
from typing import Any

import pytest

from members.actors import SYSTEM, Actor
from members.facts import values_for
from members.lifecycle import Merge, parts
from members.models import Member, MemberPerson, MemberTag, SegmentSpan, Tag, TimelineEntry
from members.personal_words import WordsNamePerson
from members.segment_queries import held_counts, tags_of
from members.services.activities import record_activity
from members.services.segment_jobs import put_on_list
from members.services.segment_keeping import TAG_ADDED, TAG_REMOVED, follow_entries, follow_time
from members.services.segments import TagRuleAsksForTags, make_segment
from members.services.status import ReasonMissing
from members.services.tags import (
    TagCodeTaken,
    TagIsAutomatic,
    TagIsOff,
    add_tag,
    change_tag,
    expire_tags,
    make_tag,
    remove_tag,
)
from tests.factories.people import a_member
from tests.factories.segments import ACTIVE, a_live_segment, members_in, run_waiting_jobs
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
OFTEN = {"all": [{"fact": "members.activities?kind=check_in&days=30", "op": "gte", "value": 6}]}
IS_VIP = {"all": [{"fact": "members.has_tag?tag=vip", "op": "is", "value": True}]}


def a_tag(code: str = "vip", **details: object) -> Tag:
    return make_tag(code=code, name=code.upper(), by=SYSTEM, at=NOON, **details)  # type: ignore[arg-type]


def put(tag: Tag, *members: Member, **details: object) -> int:
    ids = [member.pk for member in members]
    return add_tag(member_ids=ids, tag_id=tag.pk, by=SYSTEM, at=NOON, reason="a regular", **details)  # type: ignore[arg-type]


def held(member: Member, moment: object = NOON) -> list[str]:
    return [one.tag.code for one in tags_of(member.pk, at=moment)]  # type: ignore[arg-type]


@pytest.mark.django_db
class TestATagByHand:
    def test_is_put_on_once_and_told(self) -> None:
        tag, one, other = a_tag(), a_member(), a_member()
        assert put(tag, one, other) == 2
        assert put(tag, one) == 0
        assert held(one) == ["vip"]
        assert held_counts([tag.pk], at=NOON) == {tag.pk: 2}
        entry = TimelineEntry.objects.get(kind=TAG_ADDED, member_id=one.pk)
        assert entry.payload == {"tag": tag.pk, "automatic": False, "reason": "a regular"}
        assert entry.happened_at == NOON

    def test_is_taken_off_and_can_be_put_on_again(self) -> None:
        tag, member = a_tag(), a_member()
        put(tag, member)
        assert remove_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=NOON, reason="moved away") == 1
        assert remove_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=NOON, reason="moved away") == 0
        assert held(member) == []
        assert put(tag, member) == 1
        assert MemberTag.objects.filter(member=member).count() == 2

    def test_falls_off_after_its_days(self) -> None:
        tag, member = a_tag(keep_days=7), a_member()
        put(tag, member)
        assert held(member, NOON + timedelta(days=6)) == ["vip"]
        assert held(member, NOON + timedelta(days=7)) == []  # also before it is written down
        assert expire_tags(at=NOON + timedelta(days=7)) == 1
        assert expire_tags(at=NOON + timedelta(days=8)) == 0
        row = MemberTag.objects.get()
        assert (row.end, row.ended_at) == ("expired", NOON + timedelta(days=7))
        assert TimelineEntry.objects.filter(kind=TAG_REMOVED, member_id=member.pk).count() == 1

    def test_that_has_fallen_off_unnoticed_can_be_put_on(self) -> None:
        tag, member = a_tag(keep_days=7), a_member()
        put(tag, member)
        later = NOON + timedelta(days=9)
        assert add_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=later, reason="again") == 1
        assert held(member, later) == ["vip"]

    def test_is_refused_without_a_reason_or_with_a_name_in_it(self) -> None:
        tag, member = a_tag(), a_member()
        MemberPerson.objects.create(member=member, full_name="张三丰")
        with pytest.raises(ReasonMissing):
            add_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=NOON, reason=" ")
        with pytest.raises(WordsNamePerson):
            add_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=NOON, reason="friend of 张三丰")
        assert not MemberTag.objects.exists()

    def test_is_not_put_on_when_it_is_switched_off_nor_on_merged_members(self) -> None:
        tag, member, merged = a_tag(), a_member(), a_member()
        Member.objects.filter(pk=merged.pk).update(merged_into=member)
        assert put(tag, member, merged) == 1
        change_tag(
            tag_id=tag.pk, name="VIP", note="", colour=Tag.Colour.GREY, keep_days=None, is_on=False, condition=None, by=SYSTEM, at=NOON
        )  # fmt: skip
        with pytest.raises(TagIsOff):
            put(tag, a_member())

    def test_has_a_code_of_its_own(self) -> None:
        a_tag()
        with pytest.raises(TagCodeTaken):
            a_tag()
        assert Tag.objects.count() == 1

    def test_brings_members_into_segments_and_out_again(self) -> None:
        tag, member = a_tag(keep_days=7), a_member()
        segment = a_live_segment(IS_VIP, at=NOON)
        put(tag, member)
        follow_entries(entries=[TimelineEntry.objects.get(kind=TAG_ADDED)], at=NOON + timedelta(seconds=1))
        assert members_in(segment) == {member.pk}
        assert follow_time(at=NOON + timedelta(days=7)) == 1
        assert members_in(segment) == set()


@pytest.mark.django_db
class TestAnAutomaticTag:
    def test_comes_with_the_sixth_visit_of_a_month_and_goes_with_time(self) -> None:
        tag, member = a_tag(condition=OFTEN), a_member()
        run_waiting_jobs(NOON)
        for number in range(6):
            assert held(member) == []
            moment = NOON + timedelta(days=number)
            record_activity(
                member_id=member.pk, kind="check_in", source="till", external_ref=f"v{number}", happened_at=moment, by=SYSTEM, at=moment
            )  # fmt: skip
            entry = TimelineEntry.objects.filter(kind="members.activity_recorded.v1").latest("pk")
            follow_entries(entries=[entry], at=moment + timedelta(seconds=1))
        assert held(member, NOON + timedelta(days=5)) == ["vip"]
        told = TimelineEntry.objects.get(kind=TAG_ADDED)
        assert (told.member_id, told.payload) == (member.pk, {"tag": tag.pk, "automatic": True})
        assert follow_time(at=NOON + timedelta(days=31)) == 1
        assert held(member, NOON + timedelta(days=31)) == []
        assert TimelineEntry.objects.get(kind=TAG_REMOVED).payload["tag"] == tag.pk

    def test_is_told_quietly_when_it_is_made(self) -> None:
        a_member()
        a_tag(condition={"all": [ACTIVE]})
        run_waiting_jobs(NOON)
        assert TimelineEntry.objects.get(kind=TAG_ADDED).payload["quiet"] is True

    def test_is_a_fact_like_others(self) -> None:
        a_tag(condition={"all": [ACTIVE]})
        member = a_member()
        run_waiting_jobs(NOON)
        key = "members.has_tag?tag=vip"
        assert values_for(member.pk, [key], NOON)[key] is True

    def test_can_not_be_put_on_by_hand_nor_ask_for_tags(self) -> None:
        tag = a_tag(condition={"all": [ACTIVE]})
        with pytest.raises(TagIsAutomatic):
            put(tag, a_member())
        with pytest.raises(TagIsAutomatic):
            remove_tag(member_ids=[1], tag_id=tag.pk, by=SYSTEM, at=NOON, reason="no")
        with pytest.raises(TagRuleAsksForTags):
            a_tag("other", condition=IS_VIP)
        assert not Tag.objects.filter(code="other").exists()  # nor is it left behind as a tag by hand
        assert Tag.objects.filter(rule__isnull=False).count() == 1

    def test_that_is_switched_off_stays_off(self) -> None:
        tag = a_tag(condition={"all": [ACTIVE]})
        run_waiting_jobs(NOON)
        values: dict[str, Any] = {
            "tag_id": tag.pk,
            "name": "V",
            "note": "",
            "colour": Tag.Colour.RED,
            "keep_days": None,
            "by": SYSTEM,
            "at": NOON,
        }
        change_tag(**values, is_on=False, condition={"all": [ACTIVE]})
        tag.refresh_from_db()
        assert tag.rule is not None
        assert (tag.is_on, tag.rule.state) == (False, "retired")
        with pytest.raises(TagIsOff):
            change_tag(**values, is_on=True, condition={"all": [ACTIVE]})


@pytest.mark.django_db
class TestAMerge:
    def test_takes_tags_and_places_on_lists_over_and_gives_them_back(self) -> None:
        kept, merged = a_member(), a_member()
        tag, common = a_tag(), a_tag("common")
        guests = make_segment(name="Guests", kind="static", condition={"all": [ACTIVE]}, by=SYSTEM, at=NOON)  # type: ignore[arg-type]
        put(tag, merged)
        put(common, kept, merged)
        put_on_list(segment_id=guests.pk, member_ids=[merged.pk], cause="listed", at=NOON)
        part = next(part for part in parts() if part.name == "members.segments")
        merge = Merge(1, kept.pk, merged.pk, SYSTEM, NOON + timedelta(days=1))
        memo = part.merge(merge)
        assert sorted(held(kept, merge.at)) == ["common", "vip"]
        assert held(merged, merge.at) == []
        assert members_in(guests) == {kept.pk}
        part.unmerge(Merge(1, kept.pk, merged.pk, SYSTEM, NOON + timedelta(days=2)), memo)
        later = NOON + timedelta(days=2)
        assert held(kept, later) == ["common"]
        assert sorted(held(merged, later)) == ["common", "vip"]
        assert members_in(guests) == {merged.pk}
        guests.refresh_from_db()
        assert guests.members_count == 1

    def test_and_an_erasure_leave_counts_right(self) -> None:
        member, other = a_member(), a_member()
        segment = a_live_segment({"all": [ACTIVE]}, at=NOON)
        part = next(part for part in parts() if part.name == "members.segments")
        part.erase(member.pk, Actor("system"), NOON)
        segment.refresh_from_db()
        assert members_in(segment) == {other.pk}
        assert segment.members_count == 1
        assert not SegmentSpan.objects.filter(member=member).exists()
