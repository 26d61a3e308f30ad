"""What holds for every page of the portal, whoever wrote it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.widgets import AutocompleteMixin, ForeignKeyRawIdWidget, RelatedFieldWidgetWrapper
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from config.portal import MENU, sidebar
from members.admin.base import StaffAdmin
from members.models import Member, Operator
from tests.factories.portal import a_business, an_operator, signed_in

MOST_QUERIES = 13
LANGUAGES = [code for code, _name in settings.LANGUAGES]
# Tables that grow with members and with what they do, beside all append-only ones.
GROWING = {
    "members.Member", "members.MemberPerson", "members.Identity", "members.MemberToken", "members.MemberSession", "members.IdempotentAnswer",
    "members.Job", "members.Proposal", "members.Card", "members.MemberFreeze", "members.Closure", "members.AttributeValue",
    "members.SegmentSpan", "members.SegmentDue", "members.MemberTag", "members.Behaviour", "rewards.CapCounter",
    "loyalty.TierStanding", "loyalty.ReviewRunMember", "loyalty.MemberStage", "loyalty.MemberTitle", "loyalty.Entitlement",
    "rewards.PointsAccount", "rewards.Lot", "rewards.Hold", "rewards.HoldLot", "rewards.Voucher", "rewards.OrderHold", "rewards.OfflineBatch", "rewards.Redemption",
    "rewards.RedemptionAddress", "rewards.DigitalCode", "rewards.WishedReward",
    "loyalty.TierFloor", "loyalty.PlanMembership", "loyalty.PlanOrder", "loyalty.PlanPeriod", "rewards.Product", "campaigns.Message", "analytics.MemberDay",
    "members.WebhookDelivery",
}  # fmt: skip
LARGE: set[type[Model]] = {
    model for model in apps.get_models() if getattr(model, "append_only", False) or model._meta.label in GROWING
}
FULL_COUNT = re.compile(r"COUNT\(", re.IGNORECASE)


def pages() -> list[Any]:
    """Every model with a page, as pytest parameters."""
    return [pytest.param(model, id=model._meta.label) for model in admin.site._registry]


def address(model: type[Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def queries_of(client: Client, where: str) -> list[str]:
    where = client.get(where).get("Location", where)  # where it leads to a part of itself, that is the list
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(where)
    assert answer.status_code == 200, where
    return [query["sql"] for query in captured.captured_queries]


class TestEveryPage:
    @pytest.mark.parametrize("model", pages())
    def test_stands_on_the_common_base(self, model: type[Model]) -> None:
        assert isinstance(admin.site._registry[model], StaffAdmin)

    @pytest.mark.parametrize("model", pages())
    def test_says_what_an_empty_list_is_for(self, model: type[Model]) -> None:
        page = admin.site._registry[model]
        assert isinstance(page, StaffAdmin)
        if model._meta.label != "members.Programme":  # a single row, never empty
            assert page.empty_sentence != StaffAdmin.empty_sentence

    @pytest.mark.parametrize("model", pages())
    def test_offers_no_deletion(self, model: type[Model]) -> None:
        request = RequestFactory().get("/")
        request.user = an_operator_that_is_not_saved()
        page = admin.site._registry[model]
        assert not page.has_delete_permission(request)
        assert "delete_selected" not in page.get_actions(request)

    @pytest.mark.parametrize("model", pages())
    def test_has_no_drop_down_over_a_large_table(self, model: type[Model], rf: RequestFactory) -> None:
        request = rf.get("/")
        request.user = an_operator_that_is_not_saved()
        assert [name for name, target in drop_downs(admin.site._registry[model], request) if target in LARGE] == []

    @pytest.mark.parametrize("model", pages())
    def test_does_not_change_history(self, model: type[Model], rf: RequestFactory) -> None:
        request = rf.get("/")
        request.user = an_operator_that_is_not_saved()
        page = admin.site._registry[model]
        if getattr(model, "append_only", False):
            assert not page.has_add_permission(request)
            assert not page.has_change_permission(request)


def an_operator_that_is_not_saved() -> Operator:
    return Operator(is_superuser=True, is_staff=True, is_active=True)


def drop_downs(page: Any, request: Any) -> Iterator[tuple[str, type[Model]]]:
    """Yield (where, model) of every choice among rows that a page renders in full: in its form, inlines and filters."""
    forms_of_page = (
        [page.get_form(request)] if page.has_add_permission(request) or page.has_change_permission(request) else []
    )
    forms_of_page += [
        inline.get_formset(request).form
        for inline in page.get_inline_instances(request)
        if inline.has_add_permission(request, None) or inline.has_change_permission(request, None)
    ]
    for form in forms_of_page:
        for name, field in form.base_fields.items():
            widget = field.widget.widget if isinstance(field.widget, RelatedFieldWidgetWrapper) else field.widget
            if isinstance(field, forms.ModelChoiceField) and not isinstance(
                widget, AutocompleteMixin | ForeignKeyRawIdWidget
            ):
                assert field.queryset is not None
                yield name, field.queryset.model
    for listed in page.get_list_filter(request):
        if isinstance(listed, tuple) and issubclass(listed[1], RelatedFieldListFilter):
            yield listed[0], page.model._meta.get_field(listed[0]).related_model
        elif isinstance(listed, str) and page.model._meta.get_field(listed).is_relation:
            yield listed, page.model._meta.get_field(listed).related_model


@pytest.mark.django_db
class TestLists:
    def test_take_the_same_few_queries_at_3_and_at_20_rows_and_never_count_a_large_table(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for kept in (
            "members.queries._PROGRAMME_SECONDS",
            "loyalty.queries._BOOK_SECONDS",
            "loyalty.benefit_book._BOOK_SECONDS",
            "rewards.queries._RULES_SECONDS",
        ):
            monkeypatch.setattr(
                kept, 3600.0
            )  # what each process reads anew every few seconds must not fall into one count only
        client = signed_in("administrator", "service supervisor", "marketing", "finance")
        lists = {model._meta.label: address(model, "changelist") for model in admin.site._registry}
        a_business(3)
        for where in lists.values():
            client.get(where, follow=True)  # what is kept per process is read once
        few = {label: queries_of(client, where) for label, where in lists.items()}
        a_business(17)
        assert [model._meta.label for model in admin.site._registry if not model._default_manager.exists()] == []
        many = {label: queries_of(client, where) for label, where in lists.items()}
        wrong = {}
        for label in lists:
            if len(few[label]) != len(many[label]) or len(many[label]) > MOST_QUERIES:
                wrong[label] = f"{len(few[label])} queries at 3 rows, {len(many[label])} at 20:\n" + "\n".join(
                    many[label]
                )
            full_counts = [
                sql for sql in many[label] if FULL_COUNT.search(sql) and "LIMIT" not in sql and reads_a_large_table(sql)
            ]
            if full_counts:
                wrong[f"{label} counts"] = "\n".join(full_counts)
        assert not wrong, "\n\n".join(f"{label}: {what}" for label, what in wrong.items())

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_and_forms_answer_in_each_language(self, language: str) -> None:
        client = signed_in(superuser=True, language=language)
        request = RequestFactory().get("/")
        request.user = an_operator_that_is_not_saved()
        a_business(1)
        failed = []
        for model, page in admin.site._registry.items():
            row = model._default_manager.first()
            wheres = [address(model, "changelist"), address(model, "change", row.pk) if row else ""]
            if model is not Member and page.has_add_permission(request):
                wheres.append(address(model, "add"))
            for where in filter(None, wheres):
                answer = client.get(where, follow=True)
                if answer.status_code != 200 or f'lang="{language}"' not in answer.text:
                    failed.append((where, answer.status_code))
        assert failed == []

    def test_that_are_empty_say_what_they_are_for(self) -> None:
        client = signed_in(superuser=True)
        answer = client.get(address(Member, "changelist"))
        assert "Members join at a till" in answer.text

    @pytest.mark.parametrize("model", pages())
    def test_and_forms_are_refused_to_visitors_and_to_staff_without_a_role(self, model: type[Model]) -> None:
        visitor, outsider = Client(), signed_in()
        for where in (address(model, "changelist"), address(model, "add"), address(model, "change", 1)):
            answer = visitor.get(where)
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith(reverse("admin:login"))
            assert outsider.get(where).status_code in (403, 404), where


def reads_a_large_table(sql: str) -> bool:
    return any(f'"{model._meta.db_table}"' in sql for model in LARGE)


@pytest.mark.django_db
class TestTheMenu:
    def test_shows_each_role_only_pages_that_it_may_open(self) -> None:
        for role in ("service", "service supervisor", "marketing", "finance", "store", "administrator", "analyst"):
            client = signed_in(role)
            request = RequestFactory().get("/")
            request.user = an_operator(role)
            links = [str(item["link"]) for group in sidebar(request) for item in group["items"]]
            assert len(links) > 1, role
            assert {where: client.get(where, follow=True).status_code for where in links} == dict.fromkeys(
                links, 200
            ), role

    def test_shows_staff_without_a_role_nothing_but_the_home_page(self) -> None:
        request = RequestFactory().get("/")
        request.user = an_operator()
        with override("en"):
            assert [[str(item["title"]) for item in group["items"]] for group in sidebar(request)] == [["Home"]]

    def test_leads_to_every_page_there_is(self) -> None:
        listed = {page.model for _title, entries in MENU for page in entries if page.model}
        assert listed == {model._meta.label_lower for model in admin.site._registry}
