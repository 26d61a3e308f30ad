"""Activities: recorded once, told to the timeline, refused for those who may not act; the API for them; their pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from members.admin.timeline import tell
from members.identifiers import MEMBER, NotFound, public_ref
from members.models import Activity, ActivityKind, Member, TimelineEntry
from members.refusals import Refusal
from members.services.activities import (
    ActivityConflict,
    ActivityInFuture,
    ActivityKindUnknown,
    RecordedActivity,
    record_activity,
)
from members.services.keys import ACTIVITIES_WRITE, SCOPES
from members.services.tokens import MemberIsClosed, MemberIsFrozen
from tests.factories.api import make_member, make_till, now, problem_of, sign_in
from tests.factories.people import TILL, a_member, a_store
from tests.factories.portal import a_named_member, signed_in
from tests.factories.times import at
from tests.harness.threads import together

NOON = at("2026-03-15 12:00")


def told(member: Member, **changes: Any) -> RecordedActivity:
    details: dict[str, Any] = {
        "member_id": member.pk, "kind": "review", "source": "shop", "external_ref": "R-1", "happened_at": NOON, "value": 4,
        "by": TILL, "at": NOON,
    }  # fmt: skip
    return record_activity(**details | changes)


def nothing_was_recorded() -> bool:
    return not Activity.objects.exists() and not TimelineEntry.objects.filter(kind__startswith="members.act").exists()


@pytest.mark.django_db
class TestRecordActivity:
    def test_keeps_what_was_told_and_tells_the_timeline(self) -> None:
        member, store = a_member(), a_store()
        recorded = told(member, store_id=store.pk)
        activity = Activity.objects.get()
        assert recorded == RecordedActivity(activity.pk, False)
        assert (activity.member_id, activity.kind, activity.source, activity.external_ref) == (
            member.pk, "review", "shop", "R-1",
        )  # fmt: skip
        assert (activity.happened_at, activity.value, activity.store_id) == (NOON, 4, store.pk)
        entry = TimelineEntry.objects.get(kind="members.activity_recorded.v1")
        assert (entry.member_id, entry.happened_at, entry.actor_kind) == (member.pk, NOON, "device")
        assert entry.payload == {"activity": activity.pk, "kind": "review", "value": 4}

    def test_answers_a_repeat_from_the_fact(self) -> None:
        member = a_member()
        first = told(member)
        assert told(member, at=NOON + timedelta(days=400)) == RecordedActivity(first.activity_id, True)
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        ActivityKind.objects.filter(code="review").update(is_on=False)
        assert told(member) == RecordedActivity(first.activity_id, True)
        assert Activity.objects.count() == 1
        assert TimelineEntry.objects.filter(kind="members.activity_recorded.v1").count() == 1

    def test_tells_apart_sources_and_kinds(self) -> None:
        member = a_member()
        ids = {told(member).activity_id, told(member, source="app").activity_id, told(member, kind="share").activity_id}
        assert len(ids) == 3

    @pytest.mark.parametrize(
        "other", [{"value": 5}, {"value": None}, {"happened_at": NOON - timedelta(seconds=1)}, {"member_id": None}]
    )
    def test_refuses_another_content_under_the_same_reference(self, other: dict[str, Any]) -> None:
        member = a_member()
        told(member)
        if "member_id" in other:
            other = {"member_id": a_member().pk}
        with pytest.raises(ActivityConflict):
            told(member, **other)
        assert Activity.objects.get().value == 4
        assert TimelineEntry.objects.filter(kind="members.activity_recorded.v1").count() == 1

    @pytest.mark.parametrize(
        ("status", "refusal"), [(Member.Status.FROZEN, MemberIsFrozen), (Member.Status.CLOSED, MemberIsClosed)]
    )
    def test_refuses_members_who_may_not_act(self, status: str, refusal: type[Refusal]) -> None:
        with pytest.raises(refusal):
            told(a_member(status=status))
        assert nothing_was_recorded()

    def test_refuses_kinds_that_are_unknown_or_switched_off(self) -> None:
        member = a_member()
        with pytest.raises(ActivityKindUnknown):
            told(member, kind="dance")
        ActivityKind.objects.filter(code="review").update(is_on=False)
        with pytest.raises(ActivityKindUnknown):
            told(member)
        assert nothing_was_recorded()

    def test_refuses_the_future_and_nobody(self) -> None:
        with pytest.raises(ActivityInFuture):
            told(a_member(), happened_at=NOON + timedelta(minutes=11))
        with pytest.raises(NotFound):
            told(Member(pk=999_999_999))
        assert nothing_was_recorded()
        told(a_member(), happened_at=NOON + timedelta(minutes=9))  # clocks of tills run ahead a little

    def test_takes_three_statements(self) -> None:
        member = a_member()
        with CaptureQueriesContext(connection) as statements:
            told(member)
        asked = [query["sql"] for query in statements if "SAVEPOINT" not in query["sql"]]
        assert len(asked) == 3, asked


@pytest.mark.django_db
class TestActivities:
    def test_are_history(self) -> None:
        told(a_member())
        for change in (lambda: Activity.objects.update(value=5), Activity.objects.all().delete):
            with pytest.raises(IntegrityError, match="is history"), transaction.atomic():
                change()

    def test_are_of_a_known_kind_in_the_database(self) -> None:
        constraint = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'activity_kind_is_known'"
        with connection.cursor() as cursor:
            cursor.execute(constraint)
            assert cursor.fetchone()[0] == "FOREIGN KEY (kind) REFERENCES members_activitykind(code)"
        row = {"member": a_member(), "kind": "dance", "source": "shop", "external_ref": "D-1", "happened_at": NOON}
        with pytest.raises(IntegrityError, match="activity_kind_is_known"), transaction.atomic():
            Activity.objects.create(**row)

    def test_begin_with_the_usual_kinds_in_three_languages(self) -> None:
        codes = set(ActivityKind.objects.values_list("code", flat=True))
        assert codes == {
            "check_in", "review", "share", "survey", "referral", "profile_completed", "event_visit", "view", "search",
            "visit",
        }  # fmt: skip
        names = ActivityKind.objects.values_list("name_zh_hans", "name_zh_hant", "name_en")
        assert all(name for row in names for name in row)

    @pytest.mark.parametrize(
        ("language", "value", "sentence"),
        [("en", 4, "Review: 4."), ("en", None, "Review."), ("zh-hans", None, "评价")],
    )
    def test_are_told_on_the_member_page(self, language: str, value: int | None, sentence: str) -> None:
        told(a_member(), value=value)
        with translation.override(language):
            entry = tell(list(TimelineEntry.objects.filter(kind="members.activity_recorded.v1")))[0]
        assert entry.sentence.startswith(sentence)


class TestTheSameActivityAtTheSameTime:
    def test_is_recorded_once(self, committed_db: str) -> None:
        member = a_member()
        results = together([lambda: told(member)] * 8)
        assert sorted(result.repeated for result in results) == [False] + [True] * 7
        assert len({result.activity_id for result in results}) == 1
        assert Activity.objects.count() == 1
        assert TimelineEntry.objects.filter(kind="members.activity_recorded.v1").count() == 1


def body(member: Member, **changes: Any) -> dict[str, Any]:
    return {
        "member_ref": public_ref(MEMBER, member.public_id), "kind": "review", "external_ref": "R-1",
        "happened_at": (now() - timedelta(minutes=1)).isoformat(), "value": 4,
    } | changes  # fmt: skip


@pytest.mark.django_db
class TestTheActivitiesOfTills:
    def test_are_recorded_with_the_place_of_the_key(self) -> None:
        till, member = make_till(source="shop-9"), make_member()
        wanted = body(member)
        answer = till.post("/pos/activities", wanted)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {
            "member_ref": wanted["member_ref"], "kind": "review", "external_ref": "R-1", "already_processed": False,
        }  # fmt: skip
        activity = Activity.objects.get()
        assert (activity.source, activity.store_id, activity.channel_id) == (
            "shop-9", till.key.store_id, till.key.channel_id,
        )  # fmt: skip
        repeat = till.post("/pos/activities", wanted)
        assert (repeat.status_code, repeat.json()["already_processed"]) == (200, True)
        assert Activity.objects.count() == 1

    def test_need_the_scope(self) -> None:
        till = make_till(scopes=set(SCOPES) - {ACTIVITIES_WRITE})
        assert problem_of(till.post("/pos/activities", body(make_member()))) == (403, "insufficient_scope")
        assert problem_of(sign_in(make_member()).post("/pos/activities", {}))[0] == 403
        assert nothing_was_recorded()

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"kind": "dance"}, 422, "activity_kind_unknown"),
            ({"kind": "x" * 31}, 400, "validation_error"),
            ({"member_ref": "mem_" + "0" * 26}, 404, "not_found"),
            ({"happened_at": "2026-03-15T12:00:00"}, 400, "validation_error"),
            ({"happened_at": "2099-03-15T12:00:00Z"}, 422, "activity_in_future"),
            ({"value": 2**31}, 400, "validation_error"),
            ({"value": 4.5}, 400, "validation_error"),
            ({"external_ref": "a/b"}, 400, "validation_error"),
            ({"membr": "x"}, 400, "validation_error"),
        ],
    )
    def test_are_refused_with_the_reason(self, changes: dict[str, Any], status: int, code: str) -> None:
        assert problem_of(make_till().post("/pos/activities", body(make_member(), **changes))) == (status, code)
        assert nothing_was_recorded()

    def test_are_refused_for_frozen_members_and_other_contents(self) -> None:
        till, member = make_till(), make_member()
        told_first = body(member)
        till.post("/pos/activities", told_first)
        assert problem_of(till.post("/pos/activities", told_first | {"value": 5})) == (409, "activity_conflict")
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        assert problem_of(till.post("/pos/activities", body(member, external_ref="R-2"))) == (403, "member_frozen")
        assert Activity.objects.count() == 1


@pytest.mark.django_db
class TestTheEventsOfAMember:
    def event(self, **changes: Any) -> dict[str, Any]:
        return {"id": "E-1", "kind": "share", "happened_at": (now() - timedelta(minutes=1)).isoformat()} | changes

    def test_are_answered_one_by_one(self) -> None:
        caller = sign_in(make_member())
        event = self.event()
        answer = caller.post(
            "/me/events",
            {"events": [event, event, self.event(id="E-2", kind="review"), self.event(id="E-3", kind="dance"),
                        self.event(happened_at="2026-01-01T00:00:00Z"), self.event(id="E-4")]},
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        assert [(row["id"], row["result"], row["code"]) for row in answer.json()["events"]] == [
            ("E-1", "recorded", None), ("E-1", "known", None), ("E-2", "refused", "activity_kind_unknown"),
            ("E-3", "refused", "activity_kind_unknown"), ("E-1", "refused", "activity_conflict"), ("E-4", "recorded", None),
        ]  # fmt: skip
        assert Activity.objects.count() == 2

    def test_of_two_members_may_have_the_same_id(self) -> None:
        for _member in range(2):
            answer = sign_in(make_member()).post("/me/events", {"events": [self.event()]})
            assert answer.json()["events"][0]["result"] == "recorded"
        assert Activity.objects.count() == 2

    def test_come_in_bounded_numbers(self) -> None:
        caller = sign_in(make_member())
        events = [self.event(id=f"E-{number}") for number in range(51)]
        assert problem_of(caller.post("/me/events", {"events": events})) == (400, "validation_error")
        assert problem_of(caller.post("/me/events", {"events": []})) == (400, "validation_error")
        assert nothing_was_recorded()

    def test_are_the_members_own(self) -> None:
        assert problem_of(make_till().post("/me/events", {"events": [self.event()]}))[0] == 403


@pytest.mark.django_db
class TestThePages:
    def test_let_staff_add_a_kind_and_keep_its_code(self) -> None:
        client = signed_in(superuser=True)
        form = {
            "code": "yoga_class",
            "is_on": "on",
            "name_zh_hans": "瑜伽课",
            "name_zh_hant": "瑜伽課",
            "name_en": "Yoga class",
        }
        answer = client.post(reverse("admin:members_activitykind_add"), form)
        assert answer.status_code == 302, answer.text
        kind = ActivityKind.objects.get(code="yoga_class")
        client.post(reverse("admin:members_activitykind_change", args=[kind.pk]), form | {"code": "other", "is_on": ""})
        kind.refresh_from_db()
        assert (kind.code, kind.is_on) == ("yoga_class", False)

    @pytest.mark.parametrize("code", ["Yoga", "1yoga", "yoga class", "yoga-class"])
    def test_refuse_a_code_that_is_no_word(self, code: str) -> None:
        form = {"code": code, "name_zh_hans": "瑜", "name_zh_hant": "瑜", "name_en": "Y"}
        assert signed_in(superuser=True).post(reverse("admin:members_activitykind_add"), form).status_code == 200
        assert not ActivityKind.objects.filter(name_en="Y").exists()

    def test_list_activities_and_find_them_by_member(self) -> None:
        client, member, other = signed_in(superuser=True), a_named_member(), a_named_member()
        told(member)
        told(other, external_ref="R-2", kind="share", value=None)
        where = reverse("admin:members_activity_changelist")
        page = client.get(where).text
        assert "Review" in page
        assert "Share" in page
        found = client.get(where, {"q": member.member_no}).text
        assert "Review" in found
        assert ">Share<" not in found
        assert (
            client.get(reverse("admin:members_activity_change", args=[Activity.objects.latest("pk").pk])).status_code
            == 200
        )

    def test_are_closed_to_staff_without_the_right(self) -> None:
        for model in ("activity", "activitykind"):
            assert signed_in().get(reverse(f"admin:members_{model}_changelist")).status_code in (403, 404)
