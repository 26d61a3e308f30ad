"""Pages of points currencies with their policies, of what a point is worth, and of points that are set aside."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.decorators import action, display

from members.admin.base import Badge, HistoryAdmin, TranslatedAdmin, actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped, money
from members.queries import programme
from rewards.models import ArrearsLimit, Hold, PointsCurrency, PointsRate
from rewards.policies import forget_policies
from rewards.services.holds import give_hold_back

HOLD_COLOURS = {1: "warning", 2: "success", 3: "info", 4: "info"}


def policy_sentence(currency: PointsCurrency) -> str:
    """Say the ledger's policies of a currency in the active language."""
    names = {"points": currency.name}
    if currency.takes_other_lots:
        first = _now("Returned goods take back the points they earned, then other points of the member.")
    else:
        first = _now("Returned goods take back only the points they earned.")
    if currency.arrears_policy == PointsCurrency.Arrears.FUTURE:
        second = _now("What is missing becomes arrears, repaid from later earnings.")
    elif currency.arrears_policy == PointsCurrency.Arrears.LIMIT:
        limit = {"limit": grouped(currency.arrears_limit_points)}
        second = (
            _now("What is missing becomes arrears up to %(limit)s (or the tier's own limit); the rest is given up.")
            % limit
        )
    else:
        second = _now("What is missing is given up.")
    if currency.restored_days_min:
        third = ngettext(
            "Points that come back live at least %(days)s day.", "Points that come back live at least %(days)s days.",
            currency.restored_days_min,
        ) % {"days": currency.restored_days_min}  # fmt: skip
    else:
        third = _now("Points that come back keep the expiry they had.")
    fourth = ngettext(
        "Points set aside come back by themselves after %(minutes)s minute.",
        "Points set aside come back by themselves after %(minutes)s minutes.",
        currency.hold_minutes,
    ) % {"minutes": currency.hold_minutes}  # fmt: skip
    said = _now("%(points)s: %(first)s %(second)s %(third)s %(fourth)s") % {
        **names, "first": first, "second": second, "third": third, "fourth": fourth,
    }  # fmt: skip
    if not currency.household_pays:
        return said
    last = _now("What a member lacks for a reward comes from those in the household who agreed to it.")
    return _now("%(sentences)s %(last)s") % {"sentences": said, "last": last}


class ArrearsLimitInline(TabularInline):
    """Limits of arrears by tier."""

    model = ArrearsLimit
    extra = 0
    fields = ("tier", "limit_points")


@admin.register(PointsCurrency)
class PointsCurrencyAdmin(TranslatedAdmin):
    """Kinds of points, and what the ledger does when goods come back, redemptions are cancelled, points are set aside."""

    list_display = ("name", "sentence")
    ordering = ("id",)
    inlines = (ArrearsLimitInline,)
    fields = (
        "sentence", "code", "name", "exponent", "arrears_policy", "arrears_limit_points", "takes_other_lots", "restored_days_min",
        "hold_minutes", "household_pays",
    )  # fmt: skip
    conditional_fields = {"arrears_limit_points": "arrears_policy == 'limit'"}  # as unfold declares it
    empty_sentence = _("No points currency yet.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Code and decimal places name what accounts hold: they stay as they were made."""
        return ("sentence",) if obj is None else ("sentence", "code", "exponent")

    @display(description=_("in words"))
    def sentence(self, currency: PointsCurrency) -> str:
        return policy_sentence(currency) if currency.pk else "–"

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        forget_policies()


@admin.register(PointsRate)
class PointsRateAdmin(HistoryAdmin):
    """What a point is worth, since when. A new value is a new row; an old one stays for the months it was in force."""

    list_display = ("currency", "valid_from", "worth")
    list_select_related = ("currency",)
    ordering = ("currency", "-valid_from")
    fields = ("currency", "valid_from", "money_per_point")
    empty_sentence = _("No value of a point yet. Liability and costs are shown in money once there is one.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rewards.add_pointsrate")

    @display(description=_("100 points are worth"))
    def worth(self, rate: PointsRate) -> str:
        return money(rate.money_per_point * 100, programme().currency)


@admin.register(Hold)
class HoldAdmin(FactAdmin):
    """Points set aside while orders are paid, newest first."""

    list_display = ("created_at", "member_page", "how_many", "expires_at", "state_badge")
    list_select_related = ("member",)
    list_display_links = ("created_at",)
    list_filter = (("created_at", DayRangeFilter),)
    ordering = ("-id",)
    is_nameless = True
    fields = ("created_at", "member_page", "how_many", "expires_at", "state_badge", "where")
    readonly_fields = ("member_page", "how_many", "state_badge", "where")
    actions_detail = ("give_back",)
    empty_sentence = _("Nothing is set aside. While an order is paid with points, they stand here for some minutes.")

    @display(description=_("member"))
    def member_page(self, hold: Hold) -> SafeString:
        return member_link(hold.member)

    @display(description=_("points"))
    def how_many(self, hold: Hold) -> str:
        return grouped(hold.points)

    @display(description=_("state"), label=HOLD_COLOURS)
    def state_badge(self, hold: Hold) -> Badge:
        return Badge(hold.state, hold.get_state_display())

    @display(description=_("lies on"))
    def where(self, hold: Hold) -> SafeString:
        """The lots on which the hold lies, in the order in which they are spent."""
        lots = hold.lots.select_related("lot").order_by("lot__expires_at", "lot_id")
        return format_html_join(
            "", "<div>{}</div>",
            (
                (
                    _now("%(points)s of the points that expire at %(moment)s")
                    % {"points": grouped(part.points), "moment": date_format(timezone.localtime(part.lot.expires_at), "DATETIME_FORMAT")}
                    if part.lot.expires_at
                    else _now("%(points)s of the points that never expire") % {"points": grouped(part.points)},
                )
                for part in lots
            ),
        )  # fmt: skip

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to give back what is still set aside."""
        is_open = Hold.objects.filter(pk=object_id, state=Hold.State.OPEN).exists()
        return super().get_actions_detail(request, object_id) if is_open else []

    def has_give_back_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("rewards.give_back_hold")

    @action(
        description=_("Give back"), url_path="give-back", permissions=["give_back"], icon="lock_open",
        dialog={
            "title": _("Give these points back to the member?"),
            "description": _("The order they were set aside for can then not be paid with them. Arrears are repaid first."),
            "form_class": ReasonDialog,
            "form_submit_text": _("Give the points back"),
        },
    )  # fmt: skip
    def give_back(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return carry_out(
            request,
            lambda: give_hold_back(
                hold_id=int(object_id), by=actor_of(request), at=timezone.now(), reason=form.cleaned_data["reason"]
            ),
            done=_("The points are the member's again."),
            then=reverse("admin:rewards_hold_change", args=[object_id]),
        )
