"""Charity projects with what they were given, and giving points of a member."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from members.admin.base import TranslatedAdmin, actor_of
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, signed
from rewards.admin.by_hand import HandForm, HandPages, Page, PointsField, ReasonField
from rewards.models import CharityProject, Donation
from rewards.services.donations import DONATE, points_given, propose_donation, running_projects, totals_of

RIGHT = "rewards.donate_points"


class DonationForm(HandForm):
    """To which project, how many points, and why staff do it for the member."""

    project = forms.TypedChoiceField(label=_("Project"), coerce=int, widget=UnfoldAdminSelectWidget)
    points = PointsField()
    reason = ReasonField()

    def __init__(self, *args: Any, projects: Sequence[CharityProject], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = [(project.pk, project.name) for project in projects]  # type: ignore[attr-defined]


class DonationPages(HandPages):
    """Giving one member's points to a project."""

    def donate(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that gives points."""
        self.require(request, RIGHT)
        member, at = self.member(member_id), timezone.now()
        projects = running_projects(at)
        page = Page(
            title=_("Give points to a charity project"), submit=_("Donate points"), kind=DONATE, can_send=bool(projects),
            intro="" if projects else _("No charity project takes points now."),
        )  # fmt: skip
        form = DonationForm(request.POST or None, projects=projects)
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            answer = self.send(
                request, form,
                lambda: propose_donation(
                    member_id=member_id, project_id=wanted["project"], points=wanted["points"], reason=wanted["reason"],
                    by=actor_of(request), at=at, request_id=wanted["request_id"],
                ),
                member_id,
            )  # fmt: skip
            if answer is not None:
                return answer
        return self.show(request, member, form, page, at)


@admin.register(CharityProject)
class CharityProjectAdmin(TranslatedAdmin):
    """The projects, with what members gave."""

    list_display = ("name", "given", "goal", "starts_at", "ends_at", "is_active")
    sortable_by = ()
    ordering = ("-starts_at", "id")
    fields = ("name", "description", "is_active", "starts_at", "ends_at", "target_points", "given", "givers")
    readonly_fields = ("given", "givers")
    empty_sentence = _("No charity project yet. Make one, and points of members can be given to it.")

    def load_columns(self, rows: Sequence[Model]) -> None:
        given = points_given([row.pk for row in rows])
        for row in rows:
            row.points_given = given.get(row.pk, 0)  # type: ignore[attr-defined]

    @display(description=pgettext_lazy("charity", "given (points)"))
    def given(self, project: CharityProject) -> str:
        return grouped(_given(project))

    @display(description=_("members who gave"))
    def givers(self, project: CharityProject) -> str:
        return grouped(totals_of(project.pk).members) if project.pk else "–"

    @display(description=_("goal (points)"))
    def goal(self, project: CharityProject) -> str:
        if not project.target_points:
            return "–"
        share = 100 * _given(project) // project.target_points
        return _now("%(points)s, %(share)s%% reached") % {"points": grouped(project.target_points), "share": share}


def _given(project: CharityProject) -> int:
    known: int | None = getattr(project, "points_given", None)
    if known is None:
        known = points_given([project.pk]).get(project.pk, 0) if project.pk else 0
    return known


@admin.register(Donation)
class DonationAdmin(FactAdmin):
    """What members gave, newest first."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "project", "change")
    list_display_links = ("happened_at",)
    list_select_related = ("member", "project")
    list_filter = (("project", RelatedDropdownFilter), ("happened_at", DayRangeFilter))
    ordering = ("-happened_at", "-id")
    fields = ("happened_at", "member_page", "project", "change", "reason")
    readonly_fields = ("member_page", "change", "reason")
    empty_sentence = _("No points were given to a charity project yet. It is done on the page of a member.")

    @display(description=_("member"))
    def member_page(self, row: Donation) -> SafeString:
        return member_link(row.member)

    @display(description=_("points"))
    def change(self, row: Donation) -> str:
        return grouped(row.points) if row.points > 0 else signed(row.points)  # below 0: a gift taken back

    @display(description=_("reason"))
    def reason(self, row: Donation) -> str | Promise:
        return row.proposal.reason if row.proposal else _("Redeemed from the catalogue.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("member/<int:member_id>/", view(DonationPages(self).donate), name="rewards_donation_donate")]
        return own + super().get_urls()
