"""Pages of badges, stages and tasks, and the parts of the member pages."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Badge, BadgeAward, Stage, StageTask
from members.models import Member
from tests.factories.identity import a_badge, a_stage, a_task, did, does
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.factories.segments import run_waiting_jobs

CHIP = {
    "condition-mode": "all", "condition-part": "c1", "condition-c1-fact": "members.activities", "condition-c1-op": "gte",
    "condition-c1-arg-kind": "review", "condition-c1-arg-days": "30", "condition-c1-value": "1",
}  # fmt: skip
NO_RULE = {"condition-mode": "all"}
BADGE = {
    "icon": "star", "colour": "#c9a227", "is_on": "on", "name_en": "Critic", "name_zh_hans": "评论家", "name_zh_hant": "評論家",
    "text_en": "", "title_en": "The critic",
}  # fmt: skip
SENT = {"_form_submitted": "True"}


def address(model: str, page: str, *args: Any) -> str:
    return reverse(f"admin:loyalty_{model}_{page}", args=args)


def page_of(member: Member, tab: str = "growth") -> str:
    return f"{reverse('admin:members_member_change', args=[member.pk])}?tab={tab}"


@pytest.fixture
def staff(db: None) -> Client:
    return signed_in(superuser=True)


def may(*codes: str) -> Client:
    operator = an_operator()
    operator.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    return client


class TestThePagesOfBadges:
    def test_make_a_badge_in_words_and_show_who_would_have_it(self, staff: Client) -> None:
        member = a_named_member()
        does(member, "review", timezone.now())
        found = staff.post(address("badge", "look"), CHIP).text
        assert "“Review” in the last 30 days: at least 1 time" in found
        assert "1 member" in found
        assert "How many members meet the rule" in staff.post(address("badge", "look"), NO_RULE).text
        assert "Choose what is asked." in staff.post(address("badge", "look"), {**CHIP, "condition-c1-fact": ""}).text
        answer = staff.post(address("badge", "add"), {**BADGE, **CHIP})
        assert answer.status_code == 302, answer.text
        badge: Any = Badge.objects.get()
        assert (badge.code, badge.name_zh_hans, badge.title_en) == ("critic", "评论家", "The critic")
        run_waiting_jobs(timezone.now())
        listed = staff.get(address("badge", "changelist")).text
        assert "“Review” in the last 30 days: at least 1 time" in listed
        assert "The critic" in listed
        form = staff.get(address("badge", "change", badge.pk)).text
        assert 'value="Critic"' in form
        assert "critic" not in form.replace("The critic", "").replace('value="Critic"', "").replace("Critic", "")
        changed = {**BADGE, **CHIP, "condition-c1-value": "5", "is_losable": "on"}
        assert staff.post(address("badge", "change", badge.pk), changed).status_code == 302
        run_waiting_jobs(timezone.now())
        assert [row.kind for row in BadgeAward.objects.order_by("pk")] == ["awarded", "taken_back"]

    def test_say_what_is_wrong_and_keep_nothing(self, staff: Client) -> None:
        a_badge(at=timezone.now(), name="Other")
        asks_for_badges = {
            **CHIP, "condition-c1-fact": "loyalty.badge", "condition-c1-op": "is", "condition-c1-arg-badge": "other",
            "condition-c1-value": "yes",
        }  # fmt: skip
        refused = staff.post(address("badge", "add"), {**BADGE, **asks_for_badges})
        assert "can not ask for tags, badges or stages" in refused.text
        refused = staff.post(address("badge", "add"), {**BADGE, **NO_RULE, "is_losable": "on"})
        assert "A badge without a rule is not lost by itself." in refused.text
        assert Badge.objects.count() == 1

    def test_are_refused_without_the_permission(self, db: None) -> None:
        badge, member = a_badge(did("review", 1), at=timezone.now()), a_named_member()
        reader = may("view_badge")
        assert "at least 1 time" in reader.get(address("badge", "change", badge.pk)).text
        assert reader.get(address("badge", "add")).status_code == 403
        assert reader.post(address("badge", "look"), CHIP).status_code == 403
        assert reader.post(address("badge", "condition"), CHIP).status_code == 403
        assert (
            reader.post(address("badge", "give", member.pk), {**SENT, "badge": badge.pk, "reason": "x"}).status_code
            == 403
        )
        assert reader.post(address("badge", "take", member.pk, badge.pk), {**SENT, "reason": "x"}).status_code == 403
        assert not BadgeAward.objects.exists()


class TestThePagesOfStages:
    def test_make_stages_and_tasks(self, staff: Client) -> None:
        begun = {"position": "10", "colour": "#2f6f8f", "name_en": "New", "name_zh_hans": "新会员", "text_en": ""}
        assert staff.post(address("stage", "add"), {**begun, **NO_RULE}).status_code == 302
        refused = staff.post(address("stage", "add"), {**begun, **CHIP})
        assert "has the place 10 already" in refused.text
        refused = staff.post(address("stage", "add"), {**begun, **NO_RULE, "position": "20"})
        assert "so this stage needs a rule" in refused.text
        growing = {**begun, "position": "20", "name_en": "Growing"}
        assert staff.post(address("stage", "add"), {**growing, **CHIP}).status_code == 302
        stage = Stage.objects.get(position=20)
        task = {
            "stage": stage.pk,
            "order": "1",
            "badge": "",
            "name_en": "Review us",
            "name_zh_hans": "评价",
            "text_en": "",
        }
        assert "Say when the task is done." in staff.post(address("stagetask", "add"), {**task, **NO_RULE}).text
        answer = staff.post(address("stagetask", "add"), {**task, **CHIP})
        assert answer.status_code == 302, answer.text
        run_waiting_jobs(timezone.now())
        page = staff.get(address("stage", "change", stage.pk)).text
        assert "Review us" in page
        assert "where everybody begins" in staff.get(address("stage", "changelist")).text
        row = StageTask.objects.get()
        asked = staff.get(address("stagetask", "retire", row.pk)).text
        assert "Retire the task “Review us”?" in asked
        staff.post(address("stagetask", "retire", row.pk), {**SENT, "reason": "too easy"})
        staff.post(address("stage", "retire", stage.pk), {**SENT, "reason": "not needed"})
        run_waiting_jobs(timezone.now())
        assert (Stage.objects.get(pk=stage.pk).is_on, StageTask.objects.get().is_on) == (False, False)
        assert "retired" in staff.get(address("stage", "changelist")).text
        assert staff.get(address("stage", "change", stage.pk)).status_code == 200

    def test_are_refused_without_the_permission(self, db: None) -> None:
        stage = a_stage(10, at=timezone.now())
        task = a_task(stage, did("review", 1), at=timezone.now())
        reader = may("view_stage", "view_stagetask")
        for model, row in (("stage", stage), ("stagetask", task)):
            assert reader.get(address(model, "change", row.pk)).status_code == 200
            assert reader.get(address(model, "add")).status_code == 403
            assert reader.post(address(model, "retire", row.pk), {**SENT, "reason": "x"}).status_code == 403
        assert Stage.objects.get().is_on


class TestTheMemberPage:
    def test_shows_badges_with_why_and_tasks_with_how_far(self, staff: Client) -> None:
        at = timezone.now()
        member = a_named_member()
        begun = a_stage(10, at=at, name="New")
        a_stage(20, did("review", 2), at=at, name="Growing")
        a_task(begun, did("check_in", 4), at=at, name="Drop by", badge=a_badge(at=at, name="Star"))
        a_task(begun, did("review", 1), at=at, name="Say something")
        by_hand = a_badge(at=at, name="Friend", title="Friend of the house")
        does(member, "review", at, times=2)
        does(member, "check_in", at)
        asked = staff.get(address("badge", "give", member.pk)).text
        assert "Friend" in asked
        staff.post(address("badge", "give", member.pk), {**SENT, "badge": by_hand.pk, "reason": "Helped us move"})
        with CaptureQueriesContext(connection) as queries:
            page = staff.get(page_of(member)).text
        assert "wears the title “Friend of the house”" in page
        assert "Helped us move" in page
        assert "now 1 time" in page
        assert "at least 1 time (2 times)" in page
        assert "From New to Growing" in page
        assert len([one for one in queries.captured_queries if "loyalty_badge" in one["sql"]]) < 12
        timeline = staff.get(page_of(member, "timeline")).text
        assert "Came from the stage “New” to “Growing”." in timeline
        assert "Did the task “Say something” of the stage “New”." in timeline
        assert "Was given the badge “Friend” by staff." in timeline
        staff.post(address("badge", "take", member.pk, by_hand.pk), {**SENT, "reason": "By mistake"})
        assert "wears the title" not in staff.get(page_of(member)).text
        listed = reverse("admin:members_member_changelist")
        other = a_named_member()
        found = staff.get(f"{listed}?stage=growing").text
        assert member.member_no in found
        assert other.member_no not in found
        found = staff.get(f"{listed}?stage=new").text
        assert member.member_no not in found
        assert other.member_no in found

    def test_says_so_where_there_is_nothing(self, staff: Client) -> None:
        page = staff.get(page_of(a_named_member())).text
        assert "No badge yet." in page
        assert "There are no stages yet." in page

    def test_hides_it_from_who_may_not_see_it(self, db: None) -> None:
        reader = may("view_member")
        page = reader.get(page_of(a_named_member()))
        assert "No badge yet." not in page.text
