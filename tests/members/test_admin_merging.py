"""查重与合并 in the portal: from the queue over the two records to the merge, and back."""

from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import DuplicatePair, Member, MemberPerson, Merge, Operator
from members.services.duplicates import find_duplicates
from tests.factories.portal import a_named_member, an_operator

pytestmark = pytest.mark.django_db


def staff(*rights: str) -> Client:
    operator = an_operator("analyst")
    operator.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = Client(headers={"accept-language": "en"})
    client.force_login(Operator.objects.get(pk=operator.pk))
    return client


def merger() -> Client:
    return staff("merge_members", "view_merge", "view_duplicatepair", "view_member")


def two_alike() -> tuple[Member, Member]:
    first, second = a_named_member(), a_named_member()
    MemberPerson.objects.filter(pk__in=[first.pk, second.pk]).update(
        full_name="李伟", name_pinyin="liwei", birthday=date(1990, 5, 1)
    )
    find_duplicates(at=timezone.now())
    return first, second


def compare(kept: Member, other: Member, page: str = "compare") -> str:
    return reverse(f"admin:members_merge_{page}", args=[kept.pk, other.pk])


class TestQueue:
    def test_shows_the_pair_with_what_speaks_for_it_and_leads_to_both_records(self) -> None:
        first, second = two_alike()
        client = merger()
        page = client.get(reverse("admin:members_duplicatepair_changelist"))
        assert "the same name and birthday" in page.content.decode()
        pair = DuplicatePair.objects.get()
        answer = client.get(reverse("admin:members_duplicatepair_change", args=[pair.pk]), follow=True)
        assert answer.redirect_chain[-1][0].startswith(compare(first, second))

    def test_is_not_asked_again_about_two_people(self) -> None:
        first, second = two_alike()
        answer = merger().post(compare(first, second), {"dismiss": "1", "reason": "twins"}, follow=True)
        assert "they stay two members".casefold() in answer.content.decode().casefold()
        assert DuplicatePair.objects.get().state == DuplicatePair.State.DISMISSED


class TestTwoRecords:
    def test_are_masked(self) -> None:
        first, second = two_alike()
        text = merger().get(compare(first, second)).content.decode()
        assert "李伟" not in text
        assert person_phone(first) not in text

    def test_say_what_will_be(self) -> None:
        first, second = two_alike()
        text = merger().get(compare(first, second, "preview")).content.decode()
        assert "Vouchers that can be used" in text
        assert 'name="merge"' in text

    def test_say_what_stands_in_the_way_and_offer_no_button_then(self) -> None:
        first, second = two_alike()
        Member.objects.filter(pk=second.pk).update(status=Member.Status.CLOSED)
        text = merger().get(compare(first, second, "preview")).content.decode()
        assert "is not active" in text
        assert 'name="merge"' not in text

    def test_become_one_with_the_details_chosen_and_the_old_page_leads_there(self) -> None:
        first, second = two_alike()
        phone = person_phone(second)
        client = merger()
        answer = client.post(
            compare(first, second), {"merge": "1", "reason": "one person", "take_phone": "other"}, follow=True
        )
        assert answer.redirect_chain[-1][0] == reverse("admin:members_member_change", args=[first.pk])
        assert person_phone(first) == phone
        text = client.get(reverse("admin:members_member_change", args=[second.pk]), follow=True).content.decode()
        assert first.member_no in text
        assert second.member_no in text

    def test_come_apart_from_the_list_of_merges(self) -> None:
        first, second = two_alike()
        client = merger()
        client.post(compare(first, second), {"merge": "1", "reason": "one person"})
        merge = Merge.objects.get()
        assert "Take apart" in client.get(reverse("admin:members_merge_change", args=[merge.pk])).content.decode()
        apart = reverse("admin:members_merge_apart", args=[merge.pk])
        client.post(apart, {"reason": "two people", "_form_submitted": "True"}, headers={"HX-Request": "true"})
        assert Merge.objects.get().unmerged_at is not None
        assert Member.objects.get(pk=second.pk).merged_into_id is None

    def test_are_not_for_staff_without_the_right(self) -> None:
        first, second = two_alike()
        client = staff("view_merge", "view_duplicatepair", "view_member")
        for address in (compare(first, second), compare(first, second, "preview")):
            assert client.get(address).status_code == 403
        assert client.post(compare(first, second), {"merge": "1", "reason": "x"}).status_code == 403
        assert not Merge.objects.exists()


def person_phone(member: Member) -> str:
    return MemberPerson.objects.get(pk=member.pk).phone or ""
