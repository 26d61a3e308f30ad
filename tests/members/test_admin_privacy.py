"""The tabs of consents and personal data, their dialogs, the certificate, and the texts."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from members.actors import SYSTEM
from members.certificate import certificate_of
from members.consents import is_allowed
from members.models import ConsentEntry, ConsentText, Member, MemberPerson, Operator, PrivacyRequest, TimelineEntry
from members.services.consents import give_consent
from members.services.jobs import run_job
from members.services.privacy import erase_person, request_erasure
from tests.factories.portal import a_named_member, an_operator

RIGHTS = ("view_consententry", "view_privacyrequest", "record_consent", "handle_privacyrequest", "publish_consenttext", "view_consenttext")  # fmt: skip

SUBMITTED = {"_form_submitted": "True"}


def desk(*left_out: str, language: str = "en") -> tuple[Client, Operator]:
    """Return a browser of somebody at the desk, and who it is."""
    operator = an_operator("service")
    rights = Permission.objects.filter(codename__in=set(RIGHTS) - set(left_out), content_type__app_label="members")
    operator.user_permissions.set(rights)
    if left_out:
        for group in operator.groups.all():
            group.permissions.remove(*Permission.objects.filter(codename__in=left_out))
    client = Client(headers={"accept-language": language})
    client.force_login(Operator.objects.get(pk=operator.pk))
    return client, operator


def tab(member: Member, key: str) -> str:
    return reverse("admin:members_member_change", args=[member.pk]) + f"?tab={key}"


def wish_of(member: Member, wish: str) -> str:
    return reverse("admin:members_member_privacy", args=[member.pk, wish])


def erased(member: Member) -> PrivacyRequest:
    now = timezone.now()
    wish = request_erasure(member_id=member.pk, way="call", by=SYSTEM, at=now)
    PrivacyRequest.objects.filter(pk=wish.pk).update(asked_at=now - timedelta(days=8), due_at=now - timedelta(hours=1))
    return erase_person(request_id=wish.pk, at=now)


@pytest.mark.django_db
class TestTheTabOfConsents:
    def test_says_what_is_allowed_since_when_and_by_which_words(self) -> None:
        member = a_named_member()
        give_consent(
            member_id=member.pk,
            purpose="marketing",
            channels=["sms"],
            version=1,
            way="paper",
            by=SYSTEM,
            at=timezone.now(),
        )
        client, _operator = desk()
        page = client.get(tab(member, "consents")).text
        assert "offers and news" in page
        assert "version 1" in page
        assert "on paper" in page
        assert "Stop all contact" in page

    def test_stops_all_contact_in_two_clicks(self) -> None:
        member = a_named_member()
        give_consent(
            member_id=member.pk,
            purpose="marketing",
            channels=["sms"],
            version=1,
            way="paper",
            by=SYSTEM,
            at=timezone.now(),
        )
        client, operator = desk()
        assert "Stop all contact?" in client.get(wish_of(member, "stop")).text
        assert is_allowed(member.pk, "marketing", "sms", at=timezone.now()), "a look changes nothing"
        answer = client.post(wish_of(member, "stop"), SUBMITTED | {"way": "call"})
        assert answer["HX-Redirect"] == tab(member, "consents")
        assert not is_allowed(member.pk, "marketing", "sms", at=timezone.now())
        assert not is_allowed(member.pk, "service", "sms", at=timezone.now())
        entry = ConsentEntry.objects.latest("pk")
        assert (entry.purpose, entry.decision, entry.way, entry.actor_id) == (
            "contact",
            "withdrawn",
            "call",
            operator.pk,
        )
        assert "All contact is stopped since" in client.get(tab(member, "consents")).text
        client.post(wish_of(member, "resume"), SUBMITTED | {"way": "call"})
        assert is_allowed(member.pk, "marketing", "sms", at=timezone.now())

    def test_records_an_answer_to_the_words_that_were_on_the_screen(self) -> None:
        member = a_named_member()
        client, _operator = desk()
        page = client.get(wish_of(member, "answer")).text
        versions = re.search(r'name="versions" value="([^"]+)"', page)
        assert versions is not None
        said = SUBMITTED | {
            "decision": "yes",
            "purpose": "marketing",
            "channels": ["sms"],
            "way": "call",
            "versions": versions[1],
        }
        client.post(wish_of(member, "answer"), said)
        assert is_allowed(member.pk, "marketing", "sms", at=timezone.now())
        client.post(wish_of(member, "answer"), said | {"channels": ["email"], "versions": "marketing:7"})
        assert not is_allowed(member.pk, "marketing", "email", at=timezone.now()), "other words are in force"
        assert "not asked for in one of these channels" in client.post(wish_of(member, "answer"), said | {"purpose": "service", "channels": ["post"]}).text  # fmt: skip

    def test_is_for_those_who_may(self) -> None:
        member = a_named_member()
        client, _operator = desk("record_consent", "handle_privacyrequest")
        for wish in ("stop", "answer", "copy", "erase", "keep"):
            assert client.post(wish_of(member, wish), SUBMITTED | {"way": "call"}).status_code == 403
        assert client.get(wish_of(member, "dance")).status_code == 404
        assert not ConsentEntry.objects.exists()
        assert not PrivacyRequest.objects.exists()


@pytest.mark.django_db
class TestTheTabOfPersonalData:
    def test_says_who_looked_at_what_and_why(self) -> None:
        member = a_named_member()
        client, operator = desk()
        address = reverse("admin:members_member_person", args=[member.pk])
        shown = client.post(address, {"reason": "complaint", "field": "phone"}).text
        assert "This look is recorded." in shown
        assert "张三丰" not in shown, "only what was asked for"
        page = client.get(tab(member, "privacy")).text
        assert operator.display_name in page
        assert "a complaint" in page

    def test_asks_for_words_after_twenty_looks(self) -> None:
        member = a_named_member()
        client, _operator = desk()
        address = reverse("admin:members_member_person", args=[member.pk])
        for _look in range(20):
            assert "张三丰" in client.post(address).text
        refused = client.post(address).text
        assert "张三丰" not in refused
        assert 'name="words"' in refused
        assert "张三丰" in client.post(address, {"words": "回访名单"}).text
        assert TimelineEntry.objects.latest("pk").payload["words"] == "回访名单"

    def test_makes_a_copy_that_is_fetched_and_written_down(self) -> None:
        member = a_named_member()
        client, _operator = desk()
        client.post(wish_of(member, "copy"), SUBMITTED | {"way": "call"})
        wish = PrivacyRequest.objects.get(member=member)
        assert wish.job_id is not None
        run_job(job_id=wish.job_id, worker="w", clock=timezone.now)
        page = client.get(tab(member, "privacy")).text
        address = reverse("admin:members_privacyrequest_copy", args=[wish.pk])
        assert address in page
        file = client.get(address)
        assert file.status_code == 200
        assert file.content.startswith(b"PK")
        assert "The copy of all data was fetched." in client.get(tab(member, "timeline")).text
        other, _other = desk("handle_privacyrequest")
        assert other.get(address).status_code == 403

    def test_notes_a_wish_to_be_erased_with_its_checklist_and_takes_it_back(self) -> None:
        member = a_named_member()
        client, _operator = desk()
        dialog = client.get(wish_of(member, "erase")).text
        assert "Nothing is in the way." in dialog
        assert "Accounts have to be kept by law" in dialog
        client.post(wish_of(member, "erase"), SUBMITTED | {"way": "call"})
        wish = PrivacyRequest.objects.get(member=member)
        assert wish.number in client.get(tab(member, "privacy")).text
        client.post(wish_of(member, "keep"), SUBMITTED)
        assert PrivacyRequest.objects.get(member=member).state == "withdrawn"
        assert MemberPerson.objects.filter(pk=member.pk).exists()

    def test_shows_an_erased_person_as_such(self) -> None:
        member = a_named_member()
        erased(member)
        client, _operator = desk()
        page = client.get(tab(member, "privacy")).text
        assert "This person was erased." in page
        assert "Certificate" in page
        assert client.post(reverse("admin:members_member_person", args=[member.pk])).status_code == 302

    @pytest.mark.parametrize("key", ["consents", "privacy"])
    def test_opens_with_few_queries(self, key: str, django_assert_max_num_queries: object) -> None:
        member = a_named_member()
        client, _operator = desk()
        for _look in range(3):
            client.post(reverse("admin:members_member_person", args=[member.pk]))
        address = reverse("admin:members_member_tab", args=[member.pk, key])
        client.get(address, headers={"HX-Request": "true"})
        with django_assert_max_num_queries(12):  # type: ignore[operator]
            assert client.get(address, headers={"HX-Request": "true"}).status_code == 200


@pytest.mark.django_db
class TestTheDesk:
    def test_lists_wishes_with_certificates(self) -> None:
        wish = erased(a_named_member())
        client, _operator = desk()
        page = client.get(reverse("admin:members_privacyrequest_changelist")).text
        assert wish.number in page
        file = client.get(reverse("admin:members_privacyrequest_certificate", args=[wish.pk]))
        assert file["Content-Type"] == "application/pdf"
        assert file["Content-Disposition"] == f'attachment; filename="{wish.number}.pdf"'

    @pytest.mark.parametrize("language", ["zh-hans", "zh-hant", "en"])
    def test_draws_the_certificate_in_every_language_and_names_nobody(self, language: str) -> None:
        member = a_named_member("张三丰", "13912345678")
        wish = erased(member)
        with translation.override(language):
            content = certificate_of(wish)
        assert content.startswith(b"%PDF-")
        assert len(content) > 1_000
        assert b"13912345678" not in content
        assert b"Light" in content or language == "en", "Chinese needs its font"

    def test_gives_no_certificate_for_what_did_not_take_place(self) -> None:
        wish = request_erasure(member_id=a_named_member().pk, way="call", by=SYSTEM, at=timezone.now())
        client, _operator = desk()
        assert client.get(reverse("admin:members_privacyrequest_certificate", args=[wish.pk])).status_code == 404

    def test_publishes_new_words_in_every_language(self) -> None:
        client, _operator = desk()
        address = reverse("admin:members_consenttext_publish")
        words = {"purpose": "marketing", "body_zh_hans": "新", "body_zh_hant": "新", "body_en": "New"}
        assert client.post(address, words | {"body_en": ""}).status_code == 200
        assert ConsentText.objects.filter(purpose="marketing").count() == 1
        assert client.post(address, words).status_code == 302
        text = ConsentText.objects.get(purpose="marketing", version=2)
        assert (text.body_zh_hans, text.body_en) == ("新", "New")  # type: ignore[attr-defined]
        assert client.post(address, words).status_code == 200, "the same words are no new version"
        assert ConsentText.objects.filter(purpose="marketing").count() == 2
