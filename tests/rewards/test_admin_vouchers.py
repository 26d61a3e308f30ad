"""The page of voucher templates: typed by kind, a sentence as one types, and nothing in hand loses worth."""

from typing import Any

import pytest
from django.test import Client

from rewards.models import VoucherTemplate
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.orders import NOON
from tests.factories.people import a_member, a_store
from tests.factories.portal import signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/vouchertemplate/"


def typed(**changes: Any) -> dict[str, Any]:
    """Return what the browser sends of a voucher of ¥10 off from ¥50, with the fields that are hidden left empty."""
    return {
        "code": "ten", "kind": "amount", "off_amount": "10", "min_spend_amount": "50", "validity": "days", "validity_days": "30",
        "starts_after_days": "0", "stacking": "alone", "priority": "0", "is_given_back": "on", "name_zh_hans": "十元券",
        "name_zh_hant": "十元券", "name_en": "Ten off", **changes,
    }  # fmt: skip


@pytest.fixture
def marketing() -> Client:
    return signed_in("marketing")


def words(client: Client, address: str = "look/", **changes: Any) -> str:
    return client.post(f"{LIST}{address}", typed(**changes)).text


class TestTheForm:
    @pytest.mark.parametrize(
        ("changes", "kept"),
        [
            ({}, {"off_amount": 10, "validity_days": 30}),
            (
                {"kind": "percent", "off_percent": "20", "cap_amount": "30"},
                {"off_amount": None, "off_percent": 20, "cap_amount": 30},
            ),
            ({"kind": "threshold", "most_times": "3"}, {"most_times": 3}),
            ({"kind": "exchange", "gift_en": "A latte"}, {"off_amount": None, "gift_en": "A latte"}),
            ({"kind": "shipping"}, {"off_amount": None}),
            ({"kind": "multiplier", "multiplier": "2"}, {"multiplier": 2}),
            (
                {"validity": "dates", "valid_to_0": "2027-01-31", "valid_to_1": "23:59:59"},
                {"validity_days": None, "starts_after_days": 0},
            ),
            ({"skus": "LATTE, BAGEL", "weekdays": ["5", "6"]}, {"skus": ["LATTE", "BAGEL"], "weekdays": [5, 6]}),
            ({"stacking": "class", "stacking_class": "drinks"}, {"stacking_class": "drinks"}),
        ],
    )
    def test_keeps_what_its_kind_has(self, marketing: Client, changes: dict[str, Any], kept: dict[str, Any]) -> None:
        answer = marketing.post(f"{LIST}add/", typed(**changes))
        assert answer.status_code == 302, [str(error) for error in answer.context["errors"]]
        template = VoucherTemplate.objects.get(code="ten")
        assert {name: getattr(template, name) for name in kept} == kept

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"off_amount": ""}, "off_amount"),
            ({"kind": "percent", "off_percent": "120"}, "off_percent"),
            ({"kind": "threshold", "off_amount": "60"}, "off_amount"),
            ({"validity": "dates"}, "valid_to"),
            ({"validity_days": ""}, "validity_days"),
            ({"hour_from": "9"}, "hour_to"),
            ({"stacking": "class"}, "stacking_class"),
            ({"kind": "shipping", "budget_amount": "100"}, "cost_amount"),
            ({"most_held": "0"}, "most_held"),
        ],
    )
    def test_complains_at_the_field(self, marketing: Client, changes: dict[str, Any], field: str) -> None:
        answer = marketing.post(f"{LIST}add/", typed(**changes))
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == [field]
        assert not VoucherTemplate.objects.filter(code="ten").exists()

    def test_says_in_words_what_stands_in_it(self, marketing: Client) -> None:
        store = a_store()
        said = words(
            marketing, store_ids=[store.pk], hour_from="14", hour_to="18", weekdays=["0"], most_used_per_day="2"
        )
        for part in (
            "¥10.00 off",
            "on orders of ¥50.00 or more",
            store.name,
            "14:00",
            "valid for 30 days",
            "at most 2 a member and day",
        ):
            assert part in said
        assert "neither a budget nor a limit" in said
        assert "To be looked at: Valid" not in said

    def test_warns_of_what_may_cost_any_amount(self, marketing: Client) -> None:
        assert "one large order can cost any amount" in words(marketing, kind="percent", off_percent="20")
        assert "not in the catalogue: NONE" in words(marketing, skus="NONE")
        assert "To be looked at" in words(marketing, off_amount="")

    def test_is_for_those_who_may_write_templates(self) -> None:
        assert signed_in("service").post(f"{LIST}look/", typed()).status_code == 403


class TestATemplateInHand:
    def test_keeps_what_it_gives_and_only_becomes_wider(self, marketing: Client) -> None:
        store, other = a_store(), a_store("S02")
        template = a_template(
            "ten", store_ids=[store.pk], name_en="Ten off", name_zh_hans="十元券", name_zh_hant="十元券"
        )
        a_voucher(a_member().pk, template, issued_at=NOON)
        address = f"{LIST}{template.pk}/change/"
        narrower = marketing.post(address, typed(store_ids=[other.pk]))
        assert list(narrower.context["adminform"].form.errors) == ["store_ids"]
        wider = marketing.post(address, typed(off_amount="99", store_ids=[store.pk, other.pk], validity_days="60"))
        assert wider.status_code == 302
        template.refresh_from_db()
        assert (template.off_amount, template.store_ids, template.validity_days) == (5, [store.pk, other.pk], 60)


class TestTheLists:
    def test_say_what_each_gives_in_few_queries(self, marketing: Client, django_assert_max_num_queries: Any) -> None:
        store = a_store()
        for number in range(6):
            template = a_template(f"t{number}", store_ids=[store.pk], is_retired=number == 0)
            a_voucher(a_member().pk, template, issued_at=NOON) if number else None
        with django_assert_max_num_queries(13):
            page = marketing.get(LIST).text
        assert f"in {store.name}" in page
        assert "no more are issued" in page
        service = signed_in("service")
        with django_assert_max_num_queries(13):
            assert "benefit" in service.get("/admin/rewards/voucher/").text
