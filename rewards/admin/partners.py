"""Partners: their rates and files, the statement of a month, and exchanging points of a member."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from loyalty.periods import add_months, business_date
from members.admin.base import Badge, TranslatedAdmin, actor_of, say_refusal
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from members.queries import programme
from members.refusals import Refusal
from members.sheets import CONTENT_TYPE
from rewards.admin.by_hand import HandForm, HandPages, Page, PointsField, ReasonField
from rewards.explanation import points_words
from rewards.models import Direction, Partner, PartnerConversion, PartnerFile, PartnerRate
from rewards.services.conversions import CONVERT, propose_conversion
from rewards.services.partner_files import (
    FileReport,
    export_content,
    export_conversions,
    read_answer,
    read_incoming,
    settlement_of,
    settlement_sheet,
)

RIGHT, FILES, SEE = "rewards.convert_points", "rewards.exchange_partner_files", "rewards.view_partner"
_MONTHS_OFFERED = 24
_FILES_SHOWN = 20
_WRONG_SHOWN = 50
_MOST_BYTES = 5 * 1_048_576
STATE_COLOURS = {
    "asked": "warning", "pending": "info", "exported": "info", "confirmed": "success", "rejected": "danger", "cancelled": "danger",
}  # fmt: skip


class ConversionForm(HandForm):
    """With which partner, how many points, the member's number there, and why staff do it."""

    partner = forms.TypedChoiceField(
        label=pgettext_lazy("conversion", "Partner"), coerce=int, widget=UnfoldAdminSelectWidget
    )
    points = PointsField()
    account = forms.CharField(
        label=_("Member's number at the partner"), max_length=40, widget=UnfoldAdminTextInputWidget
    )
    reason = ReasonField()

    def __init__(self, *args: Any, partners: Sequence[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].choices = [(partner.pk, partner.name) for partner in partners]  # type: ignore[attr-defined]


class FileForm(forms.Form):
    """A file of the partner; tried first."""

    kind = forms.ChoiceField(
        label=_("What the file is"), choices=PartnerFile.Kind.choices[1:], widget=UnfoldAdminSelectWidget
    )
    file = forms.FileField(
        label=_("File (csv)"), widget=UnfoldAdminFileFieldWidget,
        help_text=_("Answers have the columns ref, result, reason; conversions from the partner ref, member, units."),
    )  # fmt: skip

    def clean_file(self) -> Any:
        """Files are small; a large one is none of these."""
        file = self.cleaned_data["file"]
        if file.size > _MOST_BYTES:
            raise forms.ValidationError(_now("The file is too large."))
        return file


class ConversionPages(HandPages):
    """Exchanging one member's points."""

    def convert(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that exchanges points."""
        self.require(request, RIGHT)
        member, at = self.member(member_id), timezone.now()
        partners = list(Partner.objects.filter(is_active=True).prefetch_related("rates").order_by("code"))
        page = Page(
            title=_("Exchange points with a partner"), submit=_("Exchange points"), kind=CONVERT, can_send=bool(partners),
            intro="" if partners else _("There is no partner with whom points are exchanged."),
            facts=[(partner.name, _rates_now(partner, at)) for partner in partners],
        )  # fmt: skip
        form = ConversionForm(request.POST or None, partners=partners)
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            answer = self.send(
                request, form,
                lambda: propose_conversion(
                    member_id=member_id, partner_id=wanted["partner"], points=wanted["points"], partner_account=wanted["account"],
                    reason=wanted["reason"], by=actor_of(request), at=at, request_id=wanted["request_id"],
                ),
                member_id,
            )  # fmt: skip
            if answer is not None:
                return answer
        return self.show(request, member, form, page, at)


def _rates_now(partner: Partner, at: Any, direction: str = Direction.OUT) -> str:
    """Return the rate in force in words, from rates that were loaded."""
    rates = [rate for rate in partner.rates.all() if rate.direction == direction and rate.valid_from <= at]
    if not rates:
        return _now("no rate in force")
    rate = max(rates, key=lambda one: one.valid_from)
    figures = {"points": points_words(rate.points), "units": grouped(rate.units), "unit": partner.unit_name}
    if direction == Direction.OUT:
        return _now("%(units)s in %(unit)s for %(points)s") % figures
    return _now("%(points)s for %(units)s in %(unit)s") % figures


class RateInline(TabularInline):
    """The rates, each from a moment on. A rate is never changed; a new one follows it."""

    model = PartnerRate
    extra = 0
    can_delete = False
    show_change_link = False
    show_title = False
    fields = ("direction", "valid_from", "points", "units")
    ordering = ("direction", "-valid_from")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(SEE)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.change_partner")


@admin.register(Partner)
class PartnerAdmin(TranslatedAdmin):
    """The partners, with their rates of today."""

    list_display = ("name", "rate_out", "rate_in", "least", "is_active", "files_link")
    ordering = ("code",)
    inlines = (RateInline,)
    fields = (
        "code", "name", "unit_name", "is_active", "min_points", "step_points", "day_limit_points", "settlement_note",
    )  # fmt: skip
    empty_sentence = _("No partner yet. Make one with its rates, and points can be exchanged with it by files.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("rates")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    @display(description=_("our points become"))
    def rate_out(self, partner: Partner) -> str:
        return _rates_now(partner, timezone.now())

    @display(description=_("the partner's become"))
    def rate_in(self, partner: Partner) -> str:
        return _rates_now(partner, timezone.now(), Direction.IN)

    @display(description=_("at least (points)"))
    def least(self, partner: Partner) -> str:
        return grouped(partner.min_points)

    @display(description=_("files and statement"))
    def files_link(self, partner: Partner) -> SafeString:
        address = reverse("admin:rewards_partner_files", args=[partner.pk])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, _now("open the page")
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:partner_id>/files/", view(self.files), name="rewards_partner_files"),
            path("<int:partner_id>/export/", view(self.export), name="rewards_partner_export"),
            path("<int:partner_id>/files/<int:file_id>/", view(self.download), name="rewards_partner_download"),
            path("<int:partner_id>/statement.xlsx", view(self.statement), name="rewards_partner_statement"),
        ]
        return own + super().get_urls()

    def files(self, request: HttpRequest, partner_id: int) -> HttpResponse:
        """The page of files and of the statement. A file is tried, and booked when staff say so."""
        self._require(request, SEE)
        at = timezone.now()
        partner = self._partner(partner_id)
        form, report, is_booked = FileForm(), None, False
        if request.method == "POST":
            self._require(request, FILES)
            form = FileForm(request.POST, request.FILES)
            if form.is_valid():
                is_booked = "book" in request.POST
                report = self._read(request, partner, form, at, dry_run=not is_booked)
        request.current_app = self.admin_site.name
        month = self._month(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": partner.name,
            "partner": partner,
            "form": form,
            "report": report,
            "wrong": report.wrong[:_WRONG_SHOWN] if report else [],
            "is_booked": is_booked,
            "files": PartnerFile.objects.filter(partner=partner)
            .select_related("operator")
            .order_by("-pk")[:_FILES_SHOWN],
            "waiting": PartnerConversion.objects.filter(partner=partner, state=PartnerConversion.State.PENDING).count(),
            "may_exchange": request.user.has_perm(FILES),
            "statement": settlement_of(partner=partner, month=month, at=at),
            "directions": dict(Direction.choices),
            "states": dict(PartnerConversion.State.choices),
            "months": _months(),
            "media": self.media + form.media,
        }
        return render(request, "portal/points/partner.html", context)

    def _read(
        self, request: HttpRequest, partner: Partner, form: FileForm, at: Any, *, dry_run: bool
    ) -> FileReport | None:
        given = form.cleaned_data["file"]
        read = read_answer if form.cleaned_data["kind"] == PartnerFile.Kind.ANSWER else read_incoming
        try:
            return read(
                partner_id=partner.pk,
                name=given.name,
                content=given.read(),
                by=actor_of(request),
                at=at,
                dry_run=dry_run,
            )
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
            return None

    def export(self, request: HttpRequest, partner_id: int) -> HttpResponse:
        """Put what waits into a file, and lead back to where it can be fetched."""
        self._require(request, FILES)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        try:
            export_conversions(partner_id=self._partner(partner_id).pk, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
        return HttpResponseRedirect(reverse("admin:rewards_partner_files", args=[partner_id]))

    def download(self, request: HttpRequest, partner_id: int, file_id: int) -> HttpResponse:
        """A file for the partner. It holds the members' numbers there."""
        self._require(request, FILES)
        made = (
            PartnerFile.objects.select_related("partner")
            .filter(pk=file_id, partner=partner_id, kind=PartnerFile.Kind.EXPORT)
            .first()
        )
        if made is None:
            raise Http404
        return _file(export_content(made), "text/csv; charset=utf-8", made.name)

    def statement(self, request: HttpRequest, partner_id: int) -> HttpResponse:
        """The statement of a month as a workbook."""
        self._require(request, SEE)
        partner = self._partner(partner_id)
        month = self._month(request)
        statement = settlement_of(partner=partner, month=month, at=timezone.now())
        return _file(settlement_sheet(statement), CONTENT_TYPE, f"statement-{partner.code}-{month:%Y-%m}.xlsx")

    def _month(self, request: HttpRequest) -> date:
        wanted = request.GET.get("month", "")
        return next((month for month in _months() if f"{month:%Y-%m}" == wanted), _months()[0])

    def _partner(self, partner_id: int) -> Partner:
        partner = Partner.objects.filter(pk=partner_id).first()
        if partner is None:
            raise Http404
        return partner

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied


def _months() -> list[date]:
    this_month = business_date(timezone.now(), programme().tz).replace(day=1)
    return [add_months(this_month, -back) for back in range(_MONTHS_OFFERED)]


def _file(content: bytes, kind: str, name: str) -> HttpResponse:
    headers = {
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "no-store",
    }
    return HttpResponse(content, content_type=kind, headers=headers)


@admin.register(PartnerConversion)
class PartnerConversionAdmin(FactAdmin):
    """What was exchanged, newest first."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "partner", "way", "points_moved", "units_moved", "state_badge")
    list_display_links = ("happened_at",)
    list_select_related = ("member", "partner", "proposal")
    list_filter = (
        ("partner", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("happened_at", DayRangeFilter),
    )
    ordering = ("-happened_at", "-id")
    fields = (
        "happened_at", "member_page", "partner", "way", "points_moved", "units_moved", "state_badge", "rejected_reason", "settled_at",
        "line_ref",
    )  # fmt: skip
    readonly_fields = ("member_page", "way", "points_moved", "units_moved", "state_badge")
    empty_sentence = _(
        "Nothing was exchanged with a partner yet. It is done on the page of a member, or by files of the partner."
    )

    @display(description=_("member"))
    def member_page(self, row: PartnerConversion) -> SafeString:
        return member_link(row.member)

    @display(description=_("direction"))
    def way(self, row: PartnerConversion) -> str:
        return row.get_direction_display()

    @display(description=_("points"))
    def points_moved(self, row: PartnerConversion) -> str:
        return grouped(row.points)

    @display(description=_("partner's units"))
    def units_moved(self, row: PartnerConversion) -> str:
        return grouped(row.units)

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, row: PartnerConversion) -> Badge:
        if row.state == PartnerConversion.State.ASKED and row.proposal and row.proposal.state != "waiting":
            return Badge(PartnerConversion.State.CANCELLED, _now("not approved"))
        return Badge(row.state, row.get_state_display())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path(
                "member/<int:member_id>/", view(ConversionPages(self).convert), name="rewards_partnerconversion_convert"
            )
        ]
        return own + super().get_urls()
