"""Points given and taken by staff: the pages of one member, the reasons, and what was done."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.admin.base import Badge, TranslatedAdmin, actor_of
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, signed
from members.models import Member
from members.refusals import Refusal
from members.wording import enumerated, together
from rewards.admin.by_hand import HandForm, HandPages, Page, PointsField, ReasonField
from rewards.admin.corrections import CorrectionPages
from rewards.explanation import explain
from rewards.models import Adjustment, ReasonCode
from rewards.services.adjustments import (
    ADJUST,
    arrears_of,
    propose_adjustment,
    propose_missing_points,
    propose_write_off,
    reasons,
)
from rewards.services.missing_points import MissingPoints, OrderIsCredited, missing_points

GIVE, TAKE = "give", "take"
RIGHT, FORGIVE = "rewards.adjust_points", "rewards.write_off_arrears"


class AdjustForm(HandForm):
    """How many points, which way, and why; or an order, whose missing points are worked out."""

    reason = forms.ChoiceField(label=_("Reason"), widget=UnfoldAdminSelectWidget)
    order_no = forms.CharField(
        label=_("Order number"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Only for missing points: the rules of the day of the order then say how many."),
    )  # fmt: skip
    way = forms.ChoiceField(
        label=_("Direction"),
        choices=[(GIVE, _("Give points")), (TAKE, _("Take points"))],
        widget=UnfoldAdminSelectWidget,
    )
    points = PointsField(required=False)
    note = forms.CharField(
        label=_("Note for colleagues"), max_length=200, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Members do not see it. No names or numbers of people."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(reason.code, f"{reason.label} ({reason.get_direction_display()})") for reason in reasons()]
        self.fields["reason"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Points are needed, unless an order says how many."""
        wanted = super().clean() or {}
        if not wanted.get("points") and not wanted.get("order_no"):
            self.add_error("points", _now("Say how many points, or name an order."))
        return wanted


class WriteOffForm(HandForm):
    """How many points of arrears are forgiven, and why."""

    points = PointsField()
    reason = ReasonField()


class AdjustmentPages(HandPages):
    """Adjusting one member's points, and forgiving arrears."""

    def adjust(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that gives and takes points. With an order number it first shows what is missing, with its working."""
        self.require(request, RIGHT)
        member, at = self.member(member_id), timezone.now()
        page = Page(
            title=_("Adjust points"), submit=_("Adjust points"), works_out=_("Work out the missing points"), kind=ADJUST,
            intro=_("For points that an order should have earned, name the order and have the figure worked out."),
        )  # fmt: skip
        if request.method != "POST":
            return self.show(request, member, AdjustForm(), page, at)
        form = AdjustForm(request.POST)
        if form.is_valid():
            wanted = form.cleaned_data
            missing = self._missing(form, page, member) if wanted["order_no"] else None
            asks_for_figure = "work_out" in request.POST or (wanted["order_no"] and wanted["points"] is None)
            if missing is not None and (asks_for_figure or wanted["points"] != missing.points):
                form = _with_figure(request, missing)
            elif not form.errors and "work_out" not in request.POST:
                answer = self.send(request, form, lambda: _propose(request, member, wanted, at), member_id)
                if answer is not None:
                    return answer
        return self.show(request, member, form, page, at)

    def _missing(self, form: forms.Form, page: Page, member: Member) -> MissingPoints | None:
        """Return what is missing of the order, shown on the page; None when it is refused, and why stands in the form."""
        try:
            missing = missing_points(member_id=member.pk, order_no=form.cleaned_data["order_no"])
        except OrderIsCredited as refusal:
            form.add_error(None, refusal.sentence())
            if refusal.entry_id is not None:
                page.link = (
                    reverse("admin:rewards_ledgerentry_change", args=[refusal.entry_id]),
                    _now("Show the entry"),
                )
            return None
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
            return None
        page.why = explain(missing.trace)
        page.facts = [
            (_now("Missing of the order"), grouped(missing.points)),
            (_now("The rules of its day give"), grouped(missing.due)),
            (_now("Credited before"), grouped(missing.posted)),
        ]
        if missing.returned:
            page.facts.append((_now("Less what came back"), grouped(missing.returned)))
        return missing

    def forgive(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that asks a colleague to forgive arrears."""
        self.require(request, FORGIVE)
        member, at = self.member(member_id), timezone.now()
        owed = arrears_of(member_id)
        page = Page(
            title=_("Forgive arrears"), submit=_("Ask for approval"), can_send=owed > 0,
            intro=_("The member owes points that could not be taken back. Forgiving them always needs a colleague's approval."),
            facts=[(_now("Owed"), grouped(owed))],
        )  # fmt: skip
        form = WriteOffForm(request.POST or None, initial={"points": owed or None})
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            answer = self.send(
                request, form,
                lambda: propose_write_off(
                    member_id=member_id, points=wanted["points"], reason=wanted["reason"], by=actor_of(request), at=at,
                    request_id=wanted["request_id"],
                ),
                member_id,
            )  # fmt: skip
            if answer is not None:
                return answer
        return self.show(request, member, form, page, at)


def _with_figure(request: HttpRequest, missing: MissingPoints) -> AdjustForm:
    """Return the form with the figure that was worked out, to be sent if staff agree."""
    data = request.POST.copy()
    data["points"], data["way"] = str(missing.points), GIVE
    return AdjustForm(data)


def _propose(request: HttpRequest, member: Member, wanted: dict[str, Any], at: datetime) -> Any:
    asked = {
        "member_id": member.pk, "reason_code": wanted["reason"], "note": wanted["note"], "by": actor_of(request), "at": at,
        "request_id": wanted["request_id"],
    }  # fmt: skip
    if wanted["order_no"]:
        return propose_missing_points(order_no=wanted["order_no"], points=wanted["points"], **asked)
    return propose_adjustment(points=wanted["points"] if wanted["way"] == GIVE else -wanted["points"], **asked)


@admin.register(Adjustment)
class AdjustmentAdmin(FactAdmin):
    """What staff gave and took, newest first."""

    is_nameless = True
    list_display = ("happened_at", "member_page", "change", "reason_name", "order", "maker")
    list_display_links = ("happened_at",)
    list_select_related = ("member", "reason_code", "purchase", "maker")
    list_filter = (("reason_code", RelatedDropdownFilter), ("happened_at", DayRangeFilter))
    ordering = ("-happened_at", "-id")
    fields = ("happened_at", "member_page", "change", "reason_name", "note", "order", "maker", "approved", "why")
    readonly_fields = ("member_page", "change", "reason_name", "order", "approved", "why")
    empty_sentence = _(
        "Nobody has adjusted points yet. On the page of a member, staff give and take points with a reason."
    )

    @display(description=_("member"))
    def member_page(self, row: Adjustment) -> SafeString:
        return member_link(row.member)

    @display(description=_("change (points)"))
    def change(self, row: Adjustment) -> str:
        return signed(row.points)

    @display(description=_("reason"))
    def reason_name(self, row: Adjustment) -> str:
        return row.reason_code.label

    @display(description=_("order"))
    def order(self, row: Adjustment) -> str:
        return row.purchase.external_order_no if row.purchase else "–"

    @display(description=_("approved by"))
    def approved(self, row: Adjustment) -> str:
        checkers = (row.proposal.first_checker, row.proposal.second_checker)
        return enumerated(checker for checker in checkers if checker) or _now("within the own limits")

    @display(description=_("Why?"))
    def why(self, row: Adjustment) -> str:
        return together(explain(row.transaction.trace).notes)

    def get_urls(self) -> list[URLPattern]:
        pages, corrections, view = AdjustmentPages(self), CorrectionPages(self), self.admin_site.admin_view
        own = [
            path("member/<int:member_id>/adjust/", view(pages.adjust), name="rewards_adjustment_adjust"),
            path("member/<int:member_id>/forgive/", view(pages.forgive), name="rewards_adjustment_forgive"),
            path("entry/<int:entry_id>/correct/", view(corrections.correct), name="rewards_adjustment_correct"),
        ]
        return own + super().get_urls()


@admin.register(ReasonCode)
class ReasonCodeAdmin(TranslatedAdmin):
    """The reasons from which staff choose."""

    list_display = ("label", "direction_badge", "needs_note", "is_active")
    list_filter = (("direction", ChoicesDropdownFilter),)
    ordering = ("code",)
    fields = ("code", "direction", "needs_note", "is_active", "label", "member_text")
    empty_sentence = _("No reasons yet. Without one nobody can adjust points.")

    @display(description=_("direction"), label={"credit": "success", "debit": "danger", "both": "info"})
    def direction_badge(self, reason: ReasonCode) -> Badge:
        return Badge(reason.direction, reason.get_direction_display())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()
