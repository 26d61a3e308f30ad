"""Points from one member to another: the page of the sender, the policy, and what was moved."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from members.admin.base import StaffAdmin, actor_of
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from members.refusals import Refusal
from rewards import ledger
from rewards.admin.by_hand import HandForm, HandPages, Page, PointsField, ReasonField
from rewards.explanation import points_words, times_words
from rewards.models import PointsTransfer, TransferPolicy
from rewards.services.transfers import TRANSFER, find_receiver, propose_transfer, transfer_policy, transfer_use

RIGHT = "rewards.transfer_points"


class TransferForm(HandForm):
    """To whom, how many points, and why."""

    receiver = forms.CharField(
        label=_("To member"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Member number or phone, exactly."),
    )
    points = PointsField()
    reason = ReasonField()


class TransferPages(HandPages):
    """Moving one member's points to another."""

    def transfer(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that moves points."""
        self.require(request, RIGHT)
        member, at = self.member(member_id), timezone.now()
        page = Page(
            title=_("Move points to another member"), submit=_("Move points"), kind=TRANSFER,
            intro=_("The points keep their expiry. Both members find it on their timeline."),
        )  # fmt: skip
        form: forms.Form = TransferForm(request.POST or None)
        try:
            page.facts = _limits(transfer_policy(), member_id, at)
        except Refusal as refusal:
            page.can_send, page.intro, form = False, refusal.sentence(), forms.Form()
            return self.show(request, member, form, page, at)
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            answer = self.send(
                request, form,
                lambda: propose_transfer(
                    sender_id=member_id, receiver_id=find_receiver(wanted["receiver"]).pk, points=wanted["points"],
                    reason=wanted["reason"], by=actor_of(request), at=at, request_id=wanted["request_id"],
                ),
                member_id,
            )  # fmt: skip
            if answer is not None:
                return answer
        return self.show(request, member, form, page, at)


def _limits(policy: TransferPolicy, member_id: int, at: Any) -> list[tuple[Any, Any]]:
    use = transfer_use(member_id=member_id, currency_id=ledger.currency_id(), at=at)
    used = _now("%(used)s of %(most)s, %(times)s of %(most_times)s")
    return [
        (_now("Each time"), _now("%(least)s to %(most)s points") % {"least": grouped(policy.min_points), "most": grouped(policy.max_points)}),
        (
            _now("Given today"),
            used % _used_of(use.day_points, policy.day_points, use.day_times, policy.day_times),
        ),
        (
            _now("Given this month"),
            used % _used_of(use.month_points, policy.month_points, use.month_times, policy.month_times),
        ),
    ]  # fmt: skip


def _used_of(points: int, most: int, times: int, most_times: int) -> dict[str, str]:
    return {
        "used": grouped(points), "most": points_words(most), "times": grouped(times), "most_times": times_words(most_times),
    }  # fmt: skip


@admin.register(PointsTransfer)
class PointsTransferAdmin(FactAdmin):
    """What members gave to others, newest first; found by the sender."""

    is_nameless = True
    member_path = "sender"
    list_display = ("happened_at", "from_page", "to_page", "points_moved", "asked_by")
    list_display_links = ("happened_at",)
    list_select_related = ("sender", "receiver", "maker")
    list_filter = (("happened_at", DayRangeFilter),)
    ordering = ("-happened_at", "-id")
    fields = ("happened_at", "from_page", "to_page", "points_moved", "asked_by", "reason")
    readonly_fields = ("from_page", "to_page", "points_moved", "asked_by", "reason")
    empty_sentence = _(
        "No points were moved between members yet. The transfer policy says whether and how many may be."
    )

    @display(description=_("from"))
    def from_page(self, row: PointsTransfer) -> SafeString:
        return member_link(row.sender)

    @display(description=_("to"))
    def to_page(self, row: PointsTransfer) -> SafeString:
        return member_link(row.receiver)

    @display(description=_("points"))
    def points_moved(self, row: PointsTransfer) -> str:
        return grouped(row.points)

    @display(description=_("asked for by"))
    def asked_by(self, row: PointsTransfer) -> str:
        return str(row.maker) if row.maker is not None else _now("the member")

    @display(description=_("reason"))
    def reason(self, row: PointsTransfer) -> str:
        return row.proposal.reason if row.proposal is not None else "–"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("member/<int:member_id>/", view(TransferPages(self).transfer), name="rewards_pointstransfer_transfer")
        ]
        return own + super().get_urls()


@admin.register(TransferPolicy)
class TransferPolicyAdmin(StaffAdmin):
    """Whether points may be given to other members, for each currency."""

    is_nameless = True
    list_display = ("currency", "is_enabled", "each_time", "each_day", "each_month")
    list_select_related = ("currency",)
    sortable_by = ()
    ordering = ("currency",)
    fields = (
        "currency", "is_enabled", ("min_points", "max_points"), ("day_points", "day_times"), ("month_points", "month_times"),
        "cooldown_hours",
    )  # fmt: skip
    empty_sentence = _("No policy: points can not be given to other members.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("currency",) if obj else ()

    @display(description=_("each time (points)"))
    def each_time(self, policy: TransferPolicy) -> str:
        return f"{grouped(policy.min_points)} – {grouped(policy.max_points)}"

    @display(description=_("each day"))
    def each_day(self, policy: TransferPolicy) -> str:
        return _times(policy.day_points, policy.day_times)

    @display(description=_("each month"))
    def each_month(self, policy: TransferPolicy) -> str:
        return _times(policy.month_points, policy.month_times)


def _times(points: int, times: int) -> str:
    return _now("%(points)s, at most %(times)s") % {"points": points_words(points), "times": times_words(times)}
