"""Pages of members say what they say in words: no codes, no numbers of rows, no figures without their unit."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from members.actors import Actor
from members.jobs import InputFile
from members.models import Activity, ConsentText, Member, PrivacyRequest, Region, Segment
from members.services.activities import record_activity
from members.services.privacy import erase_person, request_copy, request_erasure
from members.services.segments import make_list
from tests.factories.people import a_channel
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.factories.segments import run_waiting_jobs


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *arguments, **options: None)


def page_of(model: str, pk: int, *, role: str = "administrator", language: str = "en") -> str:
    address = reverse(f"admin:members_{model}_change", args=[pk])
    return signed_in(role, language=language).get(address).text


@pytest.mark.django_db
class TestAWishAboutPersonalData:
    def test_names_who_asked_and_shows_no_code(self) -> None:
        operator = an_operator("service")
        by = Actor("operator", operator.pk)
        wish = request_copy(member_id=a_named_member().pk, way="call", by=by, at=timezone.now())
        page = page_of("privacyrequest", wish.pk)
        assert f"{operator} · on the phone" in page
        assert "members.data_copy" not in page
        assert "Kind of actor" not in page
        assert "Rows by kind" not in page

    def test_tells_what_was_erased_with_its_numbers(self) -> None:
        now = timezone.now()
        wish = request_erasure(member_id=a_named_member().pk, way="call", by=Actor("system"), at=now)
        PrivacyRequest.objects.filter(pk=wish.pk).update(
            asked_at=now - timedelta(days=8), due_at=now - timedelta(hours=1)
        )
        erase_person(request_id=wish.pk, at=now)
        page = page_of("privacyrequest", wish.pk)
        assert "name, phone number, e-mail address and birthday: 1 record" in page
        assert "PDF" in page

    def test_to_be_erased_stands_at_the_head_of_the_member_page(self) -> None:
        member: Member = a_named_member()
        assert "Wants to be erased" not in page_of("member", member.pk)
        request_erasure(member_id=member.pk, way="call", by=Actor("system"), at=timezone.now())
        assert "Wants to be erased (P" in page_of("member", member.pk)


@pytest.mark.django_db
class TestATextOfConsents:
    def test_is_shown_once_in_each_language(self) -> None:
        text = ConsentText.objects.get(purpose="research")
        page = page_of("consenttext", text.pk)
        for words in (text.body_zh_hans, text.body_zh_hant, text.body_en):  # type: ignore[attr-defined]
            assert page.count(words) == 1


@pytest.mark.django_db
class TestAFixedList:
    def test_is_renamed_without_being_asked_for_a_condition(self) -> None:
        operator = an_operator("marketing")
        member = a_named_member()
        now = timezone.now()
        segment, _job = make_list(
            name="Guests",
            file=InputFile("guests.txt", member.member_no.encode()),
            by=Actor("operator", operator.pk),
            at=now,
        )
        run_waiting_jobs(now)
        client = signed_in("marketing")
        address = reverse("admin:members_segment_edit", args=[segment.pk])
        assert "pn-field-condition" not in client.get(address).text
        client.post(address, {"name": "Guests of honour", "note": ""})
        segment.refresh_from_db()
        assert (segment.name, segment.condition, segment.members_count) == ("Guests of honour", None, 1)
        assert segment.state == Segment.State.READY


@pytest.mark.django_db
class TestLists:
    def test_of_regions_tell_all_that_a_region_lies_in(self) -> None:
        above = None
        for code in ("east", "jiangsu", "suzhou"):
            above = Region.objects.create(code=code, name=code.title(), parent=above)
        page = signed_in("administrator").get(reverse("admin:members_region_changelist")).text
        assert "East › Jiangsu" in page

    def test_of_activities_name_the_channel(self) -> None:
        channel = a_channel()
        record_activity(
            member_id=a_named_member().pk, kind="review", source="src-7", external_ref="1", happened_at=timezone.now(),
            channel_id=channel.pk, by=Actor("system"), at=timezone.now(),
        )  # fmt: skip
        assert Activity.objects.exists()
        page = signed_in("administrator").get(reverse("admin:members_activity_changelist")).text
        assert channel.name in page
        assert "src-7" not in page
