"""Pages of segments and tags."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import Member, MemberTag, Segment, Tag
from members.services.tags import add_tag, make_tag
from tests.factories.api import SYSTEM
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.factories.segments import ACTIVE, a_live_segment, run_waiting_jobs

CHIP = {
    "condition-mode": "all", "condition-part": "c1", "condition-c1-fact": "members.status", "condition-c1-op": "in",
    "condition-c1-value": "active",
}  # fmt: skip


SENT = {"_form_submitted": "True"}


def address(page: str, *args: Any, model: str = "segment") -> str:
    return reverse(f"admin:members_{model}_{page}", args=args)


@pytest.fixture
def staff() -> Client:
    return signed_in(superuser=True)


def may(*codes: str) -> Client:
    operator = an_operator()
    operator.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    return client


@pytest.mark.django_db
class TestBuilding:
    def test_begins_with_a_template(self, staff: Client) -> None:
        text = staff.get(address("add")).text
        assert "Dormant for 90 days" in text
        form = staff.get(f"{address('add')}?template=dormant").text
        assert 'value="Dormant for 90 days"' in form
        assert "orders in the last 90 days: exactly 0 orders" in form

    def test_shows_at_once_what_is_written(self, staff: Client) -> None:
        a_named_member()
        found = staff.post(address("look"), CHIP).text
        assert "status: active" in found
        assert "1 member" in found
        assert "Everybody meets this now." in found
        wrong = staff.post(address("look"), {**CHIP, "condition-c1-value": ""}).text
        assert "Choose at least one." in wrong

    def test_saves_a_draft_publishes_it_and_shows_who_is_in(self, staff: Client) -> None:
        member = a_named_member()
        staff.post(f"{address('add')}?template=empty", {**CHIP, "name": "Active", "kind": "live", "note": ""})
        segment = Segment.objects.get()
        page = staff.get(address("change", segment.pk)).text
        assert "status: active" in page
        assert "Count exactly" in page
        asked = staff.get(address("publish", segment.pk)).text
        assert "1 member" in asked
        staff.post(address("publish", segment.pk), SENT)
        run_waiting_jobs(timezone.now())
        page = staff.get(address("change", segment.pk)).text
        assert "in use" in page
        assert 'id="trend-figures"' in page
        assert "0 of 1" in staff.get(address("reach", segment.pk)).text
        who = staff.get(address("members", segment.pk)).text
        assert member.member_no in who
        assert "the segment was filled" in who
        assert "Nobody." in staff.get(f"{address('members', segment.pk)}?on=2020-01-01").text

    def test_keeps_a_condition_in_use_from_those_who_may_not_publish(self) -> None:
        segment = a_live_segment({"all": [ACTIVE]}, at=timezone.now())
        writer = may("view_segment", "change_segment", "add_segment")
        assert writer.get(address("edit", segment.pk)).status_code == 403
        assert writer.get(address("publish", segment.pk)).status_code == 403
        assert writer.get(address("members", segment.pk)).status_code == 403
        assert writer.post(address("look"), CHIP).status_code == 200
        reader = may("view_segment")
        assert reader.post(address("look"), CHIP).status_code == 403
        assert reader.get(address("change", segment.pk)).status_code == 200

    def test_makes_a_list_of_numbers(self, staff: Client) -> None:
        member = a_named_member()
        staff.post(address("list"), {"name": "Guests", "note": "", "numbers": f"{member.member_no}\nnobody"})
        run_waiting_jobs(timezone.now())
        segment = Segment.objects.get()
        assert (segment.kind, segment.state, segment.members_count) == ("static", "ready", 1)
        assert "members of a list" in staff.get(address("changelist")).text

    def test_retires_with_a_reason(self, staff: Client) -> None:
        segment = a_live_segment({"all": [ACTIVE]}, at=timezone.now())
        staff.post(address("retire", segment.pk), SENT | {"reason": "spring is over"})
        segment.refresh_from_db()
        assert segment.state == "retired"


@pytest.mark.django_db
class TestTags:
    def test_are_made_with_a_rule(self, staff: Client) -> None:
        a_named_member()
        staff.post(
            address("add", model="tag"), {**CHIP, "code": "here", "name": "Here", "note": "", "colour": "success"}
        )
        run_waiting_jobs(timezone.now())
        tag = Tag.objects.get()
        assert tag.rule is not None
        text = staff.get(address("changelist", model="tag")).text
        assert "status: active" in text
        assert "Here" in text
        assert "No segment yet" in staff.get(address("changelist")).text  # rules stand with their tags
        staff.post(
            address("change", tag.pk, model="tag"),
            {**CHIP, "condition-c1-value": "closed", "name": "Gone", "note": "", "colour": "danger", "is_on": "on"},
        )
        tag.refresh_from_db()
        assert tag.name == "Gone"

    def test_are_put_on_and_taken_off_on_the_member_page(self, staff: Client) -> None:
        member = a_named_member()
        tag = make_tag(code="vip", name="Very important", by=SYSTEM, at=timezone.now())
        staff.post(address("put", member.pk, model="tag"), SENT | {"tag": tag.pk, "reason": "comes every day"})
        page = staff.get(f"{reverse('admin:members_member_change', args=[member.pk])}?tab=tags").text
        assert page.count("Very important") >= 2  # in the head and in the tab
        assert "comes every day" in page
        staff.post(address("take", member.pk, tag.pk, model="tag"), SENT | {"reason": "moved"})
        assert MemberTag.objects.get().end == "taken_off"
        timeline = staff.get(reverse("admin:members_member_change", args=[member.pk])).text
        assert "was taken off: moved" in timeline

    def test_are_not_put_on_without_the_right(self) -> None:
        member = a_named_member()
        make_tag(code="vip", name="Very important", by=SYSTEM, at=timezone.now())
        assert may("view_member", "view_tag").get(address("put", member.pk, model="tag")).status_code == 403

    def test_tab_takes_as_few_queries_for_many_as_for_one(
        self, staff: Client, django_assert_max_num_queries: Any
    ) -> None:
        member = a_named_member()
        for number in range(8):
            tag = make_tag(code=f"t{number}", name=f"T{number}", by=SYSTEM, at=timezone.now())
            add_tag(member_ids=[member.pk], tag_id=tag.pk, by=SYSTEM, at=timezone.now(), reason="many")
            a_live_segment({"all": [ACTIVE]}, at=timezone.now(), name=f"S{number}")
        where = reverse("admin:members_member_tab", args=[member.pk, "tags"])
        with django_assert_max_num_queries(12):
            text = staff.get(where, headers={"hx-request": "true"}).text
        assert len(re.findall("the segment was filled", text)) == 8
        assert Member.objects.count() == 1
