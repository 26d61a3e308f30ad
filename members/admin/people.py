"""The member list: fast look-ups over any number of members. What opens from it is the member page (`member_page`)."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from members.admin import panels
from members.admin.base import Badge, HistoryAdmin
from members.admin.enrol_form import enrol_page
from members.admin.filters import DayRangeFilter
from members.admin.find import find_view
from members.admin.links import shown_name
from members.admin.member_page import MemberPage
from members.admin.search import HIDDEN, without_contact
from members.models import Member, MemberPerson
from members.phones import mask_phone
from members.queries import members_matching, region

STATUS_COLOURS = {"active": "success", "frozen": "warning", "closed": "info"}
_SHORTEST_DIGITS = 4


def person_of(member: Member) -> MemberPerson | None:
    """Return who the member is, None when that was erased."""
    return getattr(member, "person", None)


def _cell(column: panels.ListColumn) -> Any:
    def cell(member: Any) -> Any:
        return member.panel_values.get(column.key)

    cell.__name__ = column.key
    cell.short_description = column.label  # type: ignore[attr-defined]
    return cell


@admin.register(Member)
class MemberAdmin(HistoryAdmin):
    """All members, newest first."""

    list_display = ("member_no", "masked_name", "masked_phone", "joined_at", "home_store", "status_badge")
    list_select_related = ("person", "home_store")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("home_store", RelatedDropdownFilter),
        ("joined_at", DayRangeFilter),
    )
    list_display_links = ("member_no", "masked_name")
    ordering = ("-joined_at", "-id")
    fields = readonly_fields = ("member_no",)  # members are enrolled and changed on pages of their own
    search_fields = ("member_no",)  # shows the box; what is looked up is in get_search_results
    search_help_text = _("Member number, phone, name or pinyin")
    list_before_template = "portal/find/above_list.html"
    empty_sentence = _("No member here. Members join at a till, in the mini-program, or by an import of orders.")

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return [*self.list_display[:3], *map(_cell, panels.list_columns()), *self.list_display[3:]]

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        return [*self.list_filter, *panels.list_filters()]

    def load_columns(self, rows: Sequence[Model]) -> None:
        ids = [row.pk for row in rows]
        loaded = {column.key: column.load(ids) if ids else {} for column in panels.list_columns()}
        for row in rows:
            row.panel_values = {key: values.get(row.pk) for key, values in loaded.items()}  # type: ignore[attr-defined]

    def for_address(self, text: str) -> str:
        return without_contact(text)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        if text.startswith(HIDDEN):
            return queryset.none(), False
        if len(re.sub(r"[\s()+-]", "", text)) < _SHORTEST_DIGITS and re.fullmatch(r"[\d\s()+-]+", text):
            messages.info(request, _("Type at least four digits of a phone or member number."))
            return queryset.none(), False
        return queryset.filter(pk__in=members_matching(text).values("pk")), False

    @display(description=_("name"))
    def masked_name(self, member: Member) -> str:
        return shown_name(member)

    @display(description=_("phone"))
    def masked_phone(self, member: Member) -> str:
        person = person_of(member)
        return mask_phone(person.phone, region=region()) if person and person.phone else ""

    @display(description=_("status"), label=STATUS_COLOURS)
    def status_badge(self, member: Member) -> Badge:
        return Badge(member.status, member.get_status_display())

    def get_urls(self) -> list[URLPattern]:
        page = MemberPage(self)
        view = self.admin_site.admin_view
        own = [
            path("find/", view(self.find), name="members_member_find"),
            path("<int:member_id>/tab/<slug:key>/", view(page.tab), name="members_member_tab"),
            path("<int:member_id>/person/", view(page.person), name="members_member_person"),
            path("<int:member_id>/edit/", view(page.edit), name="members_member_edit"),
            path("<int:member_id>/standing/<slug:wish>/", view(page.standing), name="members_member_standing"),
            path("<int:member_id>/household/<slug:wish>/", view(page.household), name="members_member_household"),
            path("<int:member_id>/privacy/<slug:wish>/", view(page.privacy), name="members_member_privacy"),
            path("<int:member_id>/handout/<slug:key>/", view(page.handout), name="members_member_handout"),
            path("<int:member_id>/sign-ins/<slug:wish>/", view(page.sign_ins), name="members_member_sign_ins"),
            path("<int:member_id>/phone/", view(page.phone), name="members_member_phone"),
            path("<int:member_id>/cards/<slug:wish>/", view(page.cards), name="members_member_cards"),
        ]
        return own + super().get_urls()

    def find(self, request: HttpRequest) -> HttpResponse:
        """Look up what was typed into the find box."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Find a member")}
        return find_view(request, context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_member")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Enrol a member")}
        return enrol_page(request, context, self.media)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return MemberPage(self).show(request, object_id)
