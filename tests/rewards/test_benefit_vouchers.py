"""Vouchers that benefits promise."""

from typing import Any

import pytest
from django.urls import reverse

from loyalty.models import Benefit, Entitlement
from loyalty.services.entitlements import Use, use_benefit
from members.actors import SYSTEM, Actor
from members.models import Member, TimelineEntry
from rewards.events_vouchers import VOUCHERS_LEFT_OUT
from rewards.handlers import issue_vouchers_of_benefits
from rewards.models import Category, Voucher, VoucherEvent, VoucherTemplate
from rewards.services.benefit_vouchers import VoucherTemplateMissing, voucher_id_for
from rewards.services.vouchers import use_voucher, voucher_code
from tests.factories.benefits import a_benefit, an_entitlement
from tests.factories.catalogue import a_template
from tests.factories.people import TILL, a_member, a_store
from tests.factories.portal import signed_in
from tests.factories.times import at
from tests.harness.threads import together

NOON = at("2026-03-11 12:00")


def pack(**more: Any) -> Benefit:
    a_template("coffee")
    return a_benefit(kind=Benefit.Kind.VOUCHERS, voucher_template_code="coffee", **more)


def told() -> list[TimelineEntry]:
    kinds = ("loyalty.entitlement_granted.v1", "loyalty.entitlement_used.v1")
    return list(TimelineEntry.objects.filter(kind__in=kinds).order_by("pk"))


@pytest.mark.django_db
class TestVouchersOfABenefit:
    """The vouchers of a benefit …"""

    def test_are_issued_when_it_is_given_once_however_often_it_is_told(self) -> None:
        member = a_member()
        an_entitlement(member, pack(), at=NOON, quota=3)
        for _ in range(2):
            issue_vouchers_of_benefits(told())
        vouchers = Voucher.objects.filter(member=member, issued_at=NOON, state=Voucher.State.ISSUED)
        assert (vouchers.count(), Voucher.objects.count(), VoucherEvent.objects.count()) == (3, 3, 3)

    def test_can_be_used_at_the_till(self) -> None:
        member = a_member()
        row = an_entitlement(member, pack(), at=NOON, quota=1)
        issue_vouchers_of_benefits(told())
        code = voucher_code(voucher_id_for(entitlement_id=row.pk, number=1))
        receipt = use_voucher(
            code=code, store_id=a_store().pk, external_order_no="O1", spend_amount=None, by=TILL, at=NOON
        )
        assert receipt.voucher.member == member

    def test_are_issued_with_each_use_where_it_is_claimed(self) -> None:
        member = a_member()
        row = an_entitlement(member, pack(is_given_at_once=False, is_used_in_app=True), at=NOON, quota=2)
        issue_vouchers_of_benefits(told())
        assert not Voucher.objects.exists()
        for ref in ("1", "2", "2"):
            use = Use(member.pk, "app", ref, entitlement=row.public_id, in_app=True)
            use_benefit(use=use, by=Actor("member", member.pk), at=NOON)
        issue_vouchers_of_benefits(told())
        ids = {voucher_id_for(entitlement_id=row.pk, number=number) for number in (1, 2)}
        assert {voucher.public_id for voucher in Voucher.objects.all()} == ids

    def test_go_to_the_survivor_of_a_merge_and_to_nobody_who_left(self) -> None:
        benefit, kept, merged, gone = pack(), a_member(), a_member(), a_member()
        for member in (merged, gone):
            an_entitlement(member, benefit, at=NOON, quota=1)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status="closed")
        Member.objects.filter(pk=gone.pk).update(status="closed")
        issue_vouchers_of_benefits(told())
        assert [voucher.member for voucher in Voucher.objects.all()] == [kept]

    def test_are_left_out_and_told_where_the_member_holds_as_many_as_one_may(self) -> None:
        member, benefit = a_member(), pack()
        VoucherTemplate.objects.filter(code="coffee").update(most_held=2)
        an_entitlement(member, benefit, at=NOON, quota=3)
        for _ in range(2):
            issue_vouchers_of_benefits(told())
        assert Voucher.objects.count() == 2
        left_out = TimelineEntry.objects.filter(member=member, kind=VOUCHERS_LEFT_OUT)
        assert {(one.payload["vouchers"], one.payload["most"]) for one in left_out} == {(1, 2)}
        page = signed_in("service").get(reverse("admin:members_member_change", args=[member.pk])).text
        assert "A benefit promised 1 more voucher" in page

    def test_of_a_template_that_is_missing_wait_with_the_parked_entries(self) -> None:
        an_entitlement(a_member(), a_benefit(voucher_template_code="nothing"), at=NOON)
        with pytest.raises(VoucherTemplateMissing):
            issue_vouchers_of_benefits(told())
        assert Entitlement.objects.exists()
        assert not Voucher.objects.exists()


class TestAtOnce:
    """Two readers at once …"""

    def test_issue_each_voucher_once(self, committed_db: str) -> None:
        an_entitlement(a_member(), pack(), at=NOON, quota=5)
        entries = told()
        together([lambda: issue_vouchers_of_benefits(entries) for _ in range(6)])
        assert (Voucher.objects.count(), VoucherEvent.objects.count()) == (5, 5)
        assert SYSTEM.kind == VoucherEvent.objects.values_list("actor_kind", flat=True).distinct().get()


@pytest.mark.django_db
class TestTheFormOfABenefit:
    """The form of a benefit …"""

    def sent(self, **changes: Any) -> Any:
        names = {f"name_{code}": "Pack" for code in ("zh_hans", "zh_hant", "en")}
        rest = {
            "code": "pack",
            "kind": "vouchers",
            "is_on": "on",
            "period": "month",
            "quota": 1,
            "on_lowered": "at_once",
        }
        return signed_in("marketing").post(reverse("admin:loyalty_benefit_add"), {**names, **rest, **changes})

    def test_offers_vouchers_and_goods_by_their_names(self) -> None:
        a_template("coffee", name="Free coffee")
        Category.objects.create(code="bread", name="Bread and rolls")
        text = signed_in("marketing").get(reverse("admin:loyalty_benefit_add")).text
        assert "Free coffee" in text
        assert "Bread and rolls" in text
        answer = self.sent(voucher_template_code="coffee", category_codes=["bread"])
        assert answer.status_code == 302, answer.context["adminform"].errors
        made = Benefit.objects.get(code="pack")
        assert (made.voucher_template_code, made.category_codes) == ("coffee", ["bread"])

    def test_takes_no_voucher_that_does_not_exist(self) -> None:
        answer = self.sent(voucher_template_code="coffe")
        assert "voucher_template_code" in answer.context["adminform"].errors
        assert not Benefit.objects.filter(code="pack").exists()

    def test_keeps_what_a_benefit_names_that_is_not_known(self) -> None:
        benefit = a_benefit("old", kind=Benefit.Kind.VOUCHERS, voucher_template_code="gone", category_codes=["cakes"])
        names = {f"name_{code}": "Old" for code in ("zh_hans", "zh_hant", "en")}
        rest = {
            "period": "year",
            "quota": 2,
            "on_lowered": "at_once",
            "voucher_template_code": "gone",
            "category_codes": "cakes",
        }
        address = reverse("admin:loyalty_benefit_change", args=[benefit.pk])
        answer = signed_in("marketing").post(address, {**names, **rest})
        assert answer.status_code == 302, answer.context["adminform"].errors
        benefit.refresh_from_db()
        assert (benefit.voucher_template_code, benefit.category_codes) == ("gone", ["cakes"])
