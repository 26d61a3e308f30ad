"""Segments as staff make them: drafts, publication, lists, counts, estimates, odd conditions, retirement."""

import pytest
from django.db import connection
from django.utils import translation

from members.actors import SYSTEM
from members.conditions import ConditionInvalid, parse
from members.jobs import InputFile
from members.models import JobErrorRow, Member, MemberPerson, Segment, SegmentSpan, SegmentVersion, TimelineEntry
from members.segment_estimates import Estimate, look
from members.segment_lint import lint
from members.segment_queries import conditions_of, stays, trend
from members.segment_templates import templates
from members.segment_uses import Use, _finders
from members.segment_words import why_entered, why_left
from members.services.consents import give_consent, text_in_force, withdraw_consent
from members.services.segment_keeping import follow_entries
from members.services.segments import (
    FixedListHasNoCondition,
    ListIsEmpty,
    SegmentHasNoCondition,
    SegmentIsNotADraft,
    SegmentIsRetired,
    SegmentIsUsed,
    SegmentNameTaken,
    TooManyLiveSegments,
    count_segment,
    make_list,
    make_segment,
    publish_segment,
    retire_segment,
    write_segment,
)
from members.services.status import ReasonMissing
from tests.factories.people import a_member
from tests.factories.segments import ACTIVE, a_live_segment, members_in, run_waiting_jobs
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
CONDITION = {"all": [ACTIVE]}


@pytest.mark.django_db
class TestADraft:
    def test_is_kept_as_it_was_written(self) -> None:
        segment = make_segment(name=" Active ", note="who is here", condition=CONDITION, by=SYSTEM, at=NOON)
        assert (segment.name, segment.state, segment.number) == ("Active", "draft", 0)
        assert segment.condition == CONDITION
        assert not SegmentSpan.objects.exists()

    def test_does_not_take_a_name_that_is_used(self) -> None:
        make_segment(name="Active", condition=CONDITION, by=SYSTEM, at=NOON)
        with pytest.raises(SegmentNameTaken):
            make_segment(name="Active", condition=CONDITION, by=SYSTEM, at=NOON)
        assert Segment.objects.count() == 1

    def test_does_not_take_a_condition_that_can_not_be_read(self) -> None:
        with pytest.raises(ConditionInvalid):
            make_segment(
                name="x", condition={"all": [{"fact": "no.such", "op": "is", "value": True}]}, by=SYSTEM, at=NOON
            )
        assert not Segment.objects.exists()

    def test_is_not_published_without_a_condition_nor_twice(self) -> None:
        empty = make_segment(name="Empty", condition=None, by=SYSTEM, at=NOON)
        with pytest.raises(SegmentHasNoCondition):
            publish_segment(segment_id=empty.pk, by=SYSTEM, at=NOON)
        write_segment(segment_id=empty.pk, name="Full", note="", condition=CONDITION, by=SYSTEM, at=NOON)
        publish_segment(segment_id=empty.pk, by=SYSTEM, at=NOON)
        with pytest.raises(SegmentIsNotADraft):
            publish_segment(segment_id=empty.pk, by=SYSTEM, at=NOON)
        assert SegmentVersion.objects.filter(segment=empty).count() == 1

    def test_is_counted_exactly(self) -> None:
        for status in ("active", "active", "frozen"):
            a_member(status=status)
        segment = make_segment(name="Active", condition=CONDITION, by=SYSTEM, at=NOON)
        count_segment(segment_id=segment.pk, by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        segment.refresh_from_db()
        assert (segment.counted, segment.counted_at) == (2, NOON)
        write_segment(segment_id=segment.pk, name="Active", note="", condition=None, by=SYSTEM, at=NOON)
        segment.refresh_from_db()
        assert segment.counted is None

    def test_is_refused_when_as_many_are_kept_up_as_may_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.services.segments.MOST_LIVE", 1)
        a_live_segment(CONDITION, at=NOON, name="One")
        other = make_segment(name="Two", condition=CONDITION, by=SYSTEM, at=NOON)
        with pytest.raises(TooManyLiveSegments):
            publish_segment(segment_id=other.pk, by=SYSTEM, at=NOON)
        other.refresh_from_db()
        assert other.state == "draft"


@pytest.mark.django_db
class TestAFixedList:
    def test_by_condition_stays_as_it_was(self) -> None:
        member, frozen = a_member(), a_member(status="frozen")
        segment = make_segment(name="Then", kind=Segment.Kind.STATIC, condition=CONDITION, by=SYSTEM, at=NOON)
        publish_segment(segment_id=segment.pk, by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        Member.objects.filter(pk=member.pk).update(status="frozen")
        follow_entries(entries=[TimelineEntry(kind="members.frozen.v1", member_id=member.pk)], at=NOON)
        segment.refresh_from_db()
        assert members_in(segment) == {member.pk}
        assert frozen.pk not in members_in(segment)
        assert (segment.state, segment.members_count) == ("ready", 1)
        with pytest.raises(FixedListHasNoCondition):
            write_segment(segment_id=segment.pk, name="Then", note="", condition={"any": [ACTIVE]}, by=SYSTEM, at=NOON)

    def test_is_made_of_numbers_that_staff_have(self) -> None:
        by_number, by_phone, merged = a_member(), a_member(), a_member()
        MemberPerson.objects.create(member=by_phone, phone="+8613800138000")
        Member.objects.filter(pk=merged.pk).update(merged_into=by_phone)
        text = f"{by_number.member_no},first\n138 0013 8000\nnobody\n\n{by_number.member_no}\n{merged.member_no}\n"
        segment, job = make_list(name="Guests", file=InputFile("guests.csv", text.encode()), by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        segment.refresh_from_db()
        job.refresh_from_db()
        assert members_in(segment) == {by_number.pk, by_phone.pk}
        assert (segment.members_count, job.ok, job.failed) == (2, 4, 1)
        assert JobErrorRow.objects.get(job=job).number == 3

    def test_is_read_in_the_encoding_of_chinese_spreadsheets(self) -> None:
        member = a_member()
        content = f"{member.member_no},张三\n会员,李四\n".encode("gb18030")
        segment, _job = make_list(name="名单", file=InputFile("a.csv", content), by=SYSTEM, at=NOON)
        run_waiting_jobs(NOON)
        assert members_in(segment) == {member.pk}

    def test_is_refused_when_it_is_empty(self) -> None:
        with pytest.raises(ListIsEmpty):
            make_list(name="Nobody", file=InputFile("a.csv", b"\n,\n"), by=SYSTEM, at=NOON)
        assert not Segment.objects.exists()


@pytest.mark.django_db
class TestRetirement:
    def test_stops_keeping_a_segment_up_and_leaves_its_history(self) -> None:
        member = a_member()
        segment = a_live_segment(CONDITION, at=NOON)
        retire_segment(segment_id=segment.pk, reason="not needed", by=SYSTEM, at=NOON)
        Member.objects.filter(pk=member.pk).update(status="frozen")
        follow_entries(entries=[TimelineEntry(kind="members.frozen.v1", member_id=member.pk)], at=NOON)
        assert members_in(segment) == {member.pk}
        make_segment(name=segment.name, condition=CONDITION, by=SYSTEM, at=NOON)  # the name is free again
        with pytest.raises(SegmentIsRetired):
            write_segment(segment_id=segment.pk, name="x", note="", condition=CONDITION, by=SYSTEM, at=NOON)

    def test_is_refused_without_a_reason_and_while_it_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        segment = a_live_segment(CONDITION, at=NOON)
        with pytest.raises(ReasonMissing):
            retire_segment(segment_id=segment.pk, reason=" ", by=SYSTEM, at=NOON)
        monkeypatch.setitem(_finders, "test", lambda segment_id: [Use("campaign", "Spring")])
        with pytest.raises(SegmentIsUsed, match="Spring"):
            retire_segment(segment_id=segment.pk, reason="why", by=SYSTEM, at=NOON)
        segment.refresh_from_db()
        assert segment.state == "ready"


@pytest.mark.django_db
class TestHistory:
    def test_tells_who_was_in_on_a_day_and_why(self) -> None:
        member = a_member()
        segment = a_live_segment(CONDITION, at=NOON)
        Member.objects.filter(pk=member.pk).update(status="frozen")
        later = at("2026-06-15 12:00")
        follow_entries(entries=[TimelineEntry(kind="members.frozen.v1", member_id=member.pk)], at=later)
        assert [span.member_id for span in stays(segment, on=at("2026-06-01"))] == [member.pk]
        assert not stays(segment, on=at("2026-07-01")).exists()
        assert not stays(segment).exists()
        span = SegmentSpan.objects.get()
        conditions = conditions_of([span])
        with translation.override("en"):
            assert why_entered(span, conditions) == "the segment was filled – met: status: active"
            assert "no longer met: status: active" in why_left(span, conditions)

    def test_draws_how_many_there_were_each_day(self) -> None:
        for _ in range(3):
            a_member()
        segment = a_live_segment(CONDITION, at=NOON)
        member = Member.objects.first()
        assert member is not None
        Member.objects.filter(pk=member.pk).update(status="frozen")
        follow_entries(
            entries=[TimelineEntry(kind="members.frozen.v1", member_id=member.pk)], at=at("2026-03-20 12:00")
        )
        segment.refresh_from_db()
        days = trend(segment, at=at("2026-03-22 12:00"), days=10)
        assert [day.members for day in days] == [0, 0, 3, 3, 3, 3, 3, 2, 2, 2]
        assert [(day.entered, day.left) for day in days if day.entered or day.left] == [(3, 0), (0, 1)]


@pytest.mark.django_db
class TestAnEstimate:
    def test_is_exact_where_members_are_few(self) -> None:
        for status in ("active", "active", "frozen"):
            a_member(status=status)
        found = look(parse(CONDITION), at=NOON, channels=["sms"])
        assert found.matched == Estimate(2, 2, 2, 3, 3)
        assert found.matched.is_exact
        assert found.reach["sms"].likely == 0
        assert len(found.sample) == 2
        with translation.override("en"):
            assert found.matched.sentence() == "2 members"

    def test_of_whom_is_reached_leaves_out_who_does_not_want_to_be_chosen(self) -> None:
        members = [a_member(), a_member()]
        text = text_in_force("marketing", NOON)
        assert text is not None
        for member in members:
            give_consent(
                member_id=member.pk, purpose="marketing", channels=["sms"], version=text.version, way="self", by=SYSTEM, at=NOON
            )  # fmt: skip
        assert look(parse(CONDITION), at=NOON, channels=["sms"]).reach["sms"].likely == 2
        withdraw_consent(member_id=members[0].pk, purpose="personalisation", way="self", by=SYSTEM, at=NOON)
        found = look(parse(CONDITION), at=NOON, channels=["sms"])
        assert (found.matched.likely, found.reach["sms"].likely) == (2, 1)

    @pytest.mark.parametrize("percent", [2, 30, 90])
    def test_of_many_holds_the_truth_in_its_interval(self, percent: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.segment_estimates.EXACT_UP_TO", 1_000)
        monkeypatch.setattr("members.segment_estimates._MOST_MEMBERS", 4_000)
        many_members(20_000, percent)
        truth = Member.objects.filter(status="active").count()
        found = look(parse(CONDITION), at=NOON)
        assert not found.matched.is_exact
        assert found.matched.low <= truth <= found.matched.high
        assert found.matched.high - found.matched.low < 20_000 * 0.25
        assert len(found.sample) == 10
        with translation.override("en"):
            assert found.matched.sentence().startswith("about ")

    def test_of_nobody_says_below_how_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("members.segment_estimates.EXACT_UP_TO", 1_000)
        monkeypatch.setattr("members.segment_estimates._MOST_MEMBERS", 4_000)
        many_members(20_000, 0)
        found = look(parse(CONDITION), at=NOON)
        assert found.matched.likely == found.matched.low == 0
        assert 0 < found.matched.high < 1_000
        with translation.override("en"):
            assert found.matched.sentence().startswith("fewer than ")


def many_members(number: int, percent: int) -> None:
    """Make many members, some of whom are active, and let the database know how many they are."""
    channel = a_member(status="closed").channel_id
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_member (joined_at, channel_id, status)"
            " SELECT now(), %s, CASE WHEN n * 7919 %% 100 < %s THEN 'active' ELSE 'closed' END FROM generate_series(1, %s) n",
            [channel, percent, number],
        )
        cursor.execute("ANALYZE members_member")


class TestOddConditions:
    @pytest.mark.parametrize(
        "tests",
        [
            [("members.joined_days", "gte", 30), ("members.joined_days", "lte", 20)],
            [("members.joined_days", "eq", 3), ("members.joined_days", "between", [5, 9])],
            [("members.status", "in", ["active"]), ("members.status", "in", ["closed"])],
            [("members.status", "in", ["active"]), ("members.status", "not_in", ["active"])],
            [("members.is_birthday", "is", True), ("members.is_birthday", "is", False)],
            [("members.joined_date", "before", "2026-01-01"), ("members.joined_date", "after", "2026-01-01")],
        ],
    )
    @pytest.mark.django_db
    def test_that_nobody_can_meet_are_named(self, tests: list[tuple[str, str, object]]) -> None:
        node = parse({"all": [{"fact": fact, "op": op, "value": value} for fact, op, value in tests]})
        with translation.override("en"):
            [remark] = lint(node, None)
        assert remark.weight == "wrong"
        assert "Nobody can meet both" in remark.text
        anyway = parse({"any": [{"fact": fact, "op": op, "value": value} for fact, op, value in tests]})
        assert lint(anyway, None) == []

    @pytest.mark.django_db
    def test_are_judged_by_how_many_meet_them(self) -> None:
        node = parse(CONDITION)
        assert [one.weight for one in lint(node, Estimate(0, 0, 0, 9, 9))] == ["wrong"]
        assert [one.weight for one in lint(node, Estimate(0, 0, 5, 9, 99))] == ["odd"]
        assert [one.weight for one in lint(node, Estimate(9, 9, 9, 9, 9))] == ["odd"]
        assert lint(node, Estimate(5, 4, 6, 9, 9)) == []

    @pytest.mark.django_db
    def test_do_not_come_with_templates(self) -> None:
        assert len(templates()) >= 6
        for template in templates():
            assert lint(parse(template.condition), None) == [], template.code
