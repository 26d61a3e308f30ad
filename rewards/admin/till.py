"""Pages of the till flow: how points pay, prices for members, what is set aside for orders, batches taken offline."""

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from loyalty.benefit_book import forget_benefit_book
from members.admin.base import Badge, HistoryAdmin, ReadOnlyInline, StaffAdmin, actor_of
from members.admin.decisions import register_quote
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped, money
from members.models import Store
from members.queries import programme
from members.refusals import refusal_sentence
from members.wording import listed
from rewards.admin.simulator import SimulatorPage, simulator_post
from rewards.deductions import PaymentRule
from rewards.events_till import ORDER_VOIDED
from rewards.explanation import in_active_language, points_words
from rewards.models import MemberPrice, OfflineBatch, OfflineBatchLine, OrderHold, PointsPayment
from rewards.payment_book import forget_payment_book
from rewards.services.till_holds import release_order_hold
from rewards.services.till_terms import QUOTE_CODE
from rewards.till_words import payment_sentence
from rewards.voucher_words import TEXTS, reason_words

STATE_COLOURS: Final = {"open": "warning", "captured": "success", "released": "info", "expired": "info"}
OUTCOME_COLOURS: Final = {"recorded": "success", "known": "info", "refused": "danger"}
# A rule written now may say that it counts from the last minutes on, not from longer ago.
_BACKDATED = timedelta(hours=1)


class PointsPaymentForm(forms.ModelForm):
    """A new rule for paying with points: stores by their names, from now or later on."""

    store_ids: "forms.ModelMultipleChoiceField[Store]" = forms.ModelMultipleChoiceField(
        Store.objects.order_by("code"),
        required=False,
        label=_("Stores"),
        help_text=_("None chosen: all stores."),
        widget=UnfoldAdminSelect2MultipleWidget,
    )

    class Meta:
        model = PointsPayment
        fields = (
            "currency", "valid_from", "is_on", "money_per_point", "step_points", "min_points", "max_share_percent",
            "pays_postage", "store_ids",
        )  # fmt: skip

    def clean_store_ids(self) -> list[int]:
        return sorted(store.pk for store in self.cleaned_data["store_ids"])

    def clean_valid_from(self) -> Any:
        moment = self.cleaned_data["valid_from"]
        if moment < timezone.now() - _BACKDATED:
            raise forms.ValidationError(_now("Orders that were quoted stay as they were. Please choose now or later."))
        return moment


@admin.register(PointsPayment)
class PointsPaymentAdmin(HistoryAdmin):
    """How points pay for orders, since when. A change is a new row; what was in force stays."""

    form = PointsPaymentForm
    list_display = ("currency", "valid_from", "sentence")
    list_select_related = ("currency",)
    ordering = ("currency", "-valid_from")
    fields = PointsPaymentForm.Meta.fields
    empty_sentence = _("Points do not pay for orders yet. Add a rule that says what one point pays.")
    _names: dict[int, str]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rewards.add_pointspayment")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"valid_from": timezone.now()}

    @display(description=_("in words"))
    def sentence(self, row: PointsPayment) -> str:
        if not row.is_on:
            return _now("Points do not pay.")
        rule = PaymentRule(
            row.money_per_point, row.step_points, row.min_points, row.max_share_percent, row.pays_postage
        )
        said = payment_sentence(rule, row.currency.name)
        if not row.store_ids:
            return said
        names = [self._names[pk] for pk in row.store_ids if pk in self._names]
        return _now("%(sentence)s Only in: %(stores)s.") % {"sentence": said, "stores": listed(names)}

    def save_model(self, request: HttpRequest, obj: PointsPayment, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_payment_book()

    def load_columns(self, rows: Any) -> None:
        """Load the names of the stores that rules are for."""
        ids = {pk for row in rows for pk in row.store_ids}
        self._names = {store.pk: store.name for store in Store.objects.filter(pk__in=ids)} if ids else {}


@admin.register(MemberPrice)
class MemberPriceAdmin(StaffAdmin):
    """What articles cost members whose tier gives a benefit of member prices."""

    list_display = ("sku", "price", "benefit")
    list_select_related = ("benefit",)
    list_filter = (("benefit", RelatedDropdownFilter),)
    search_fields = ("sku__startswith",)
    search_help_text = _("Beginning of an article number")
    ordering = ("benefit", "sku")
    fields = ("benefit", "sku", "price_amount")
    empty_sentence = _(
        "No member prices yet. Choose a benefit of the kind “member prices and products”, an article and its price; "
        "tills use it in quotes."
    )

    @display(description=_("price for members"))
    def price(self, row: MemberPrice) -> str:
        return money(row.price_amount, programme().currency)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_benefit_book()


@admin.register(OrderHold)
class OrderHoldAdmin(FactAdmin):
    """What tills set aside for orders under way, newest first."""

    list_display = ("created_at", "member_page", "what", "expires_at", "state_badge", "store")
    list_select_related = ("member", "store")
    list_display_links = ("created_at",)
    list_filter = (("created_at", DayRangeFilter), "state")
    ordering = ("-created_at", "-id")
    store_path = "store"
    is_nameless = True
    fields = (
        "created_at", "member_page", "what", "expires_at", "state_badge", "store", "external_order_no", "closed_at",
        "closed_reason",
    )  # fmt: skip
    readonly_fields = ("member_page", "what", "state_badge")
    actions_detail = ("give_back",)
    empty_sentence = _(
        "Nothing is set aside for an order. While a customer pays at a till, it stands here for minutes."
    )

    def get_urls(self) -> list[Any]:
        simulator = simulator_post(self.admin_site.admin_view(SimulatorPage(self).page))
        return [path("simulator/", simulator, name="rewards_orderhold_simulator"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("terms", "fingerprint")

    @display(description=_("member"))
    def member_page(self, hold: OrderHold) -> SafeString:
        return member_link(hold.member)

    @display(description=_("set aside"))
    def what(self, hold: OrderHold) -> str:
        """Points, vouchers and uses of benefits in words."""
        return held_words(hold)

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, hold: OrderHold) -> Badge:
        is_over = hold.state == OrderHold.State.OPEN and hold.expires_at <= timezone.now()
        state = OrderHold.State.EXPIRED if is_over else OrderHold.State(hold.state)
        return Badge(state, state.label)

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer to give back what is still set aside."""
        is_open = OrderHold.objects.filter(pk=object_id, state=OrderHold.State.OPEN).exists()
        return super().get_actions_detail(request, object_id) if is_open else []

    def has_give_back_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("rewards.give_back_orderhold")

    @action(
        description=_("Give back"), url_path="give-back", permissions=["give_back"], icon="lock_open",
        dialog={
            "title": _("Give all of this back to the member?"),
            "description": _("The till can then not record the order with it, and has to ask for a new quote."),
            "form_class": ReasonDialog,
            "form_submit_text": _("Give back"),
        },
    )  # fmt: skip
    def give_back(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        found = self.get_queryset(request).filter(pk=object_id).first()  # within the operator's stores
        then = reverse("admin:rewards_orderhold_change", args=[object_id])
        if found is None:
            then = reverse("admin:rewards_orderhold_changelist")
        return carry_out(
            request,
            lambda: release(request, found, form.cleaned_data["reason"]),
            done=_("Everything is the member's again."),
            then=then,
        )


def release(request: HttpRequest, hold: OrderHold | None, reason: str) -> None:
    """Give back what is set aside, as the signed-in member of staff."""
    release_order_hold(hold_id=hold.pk if hold else 0, by=actor_of(request), at=timezone.now(), reason=reason)


def held_words(hold: OrderHold) -> str:
    """Return what is set aside, in words of the active language."""
    parts = []
    if hold.points:
        figures = {"points": points_words(hold.points), "money": money(hold.points_amount, programme().currency)}
        parts.append(_now("%(points)s (%(money)s)") % figures)
    if hold.vouchers:
        parts.append(_now("vouchers: %(count)s") % {"count": grouped(hold.vouchers)})
    if hold.uses:
        parts.append(_now("uses of benefits: %(count)s") % {"count": grouped(hold.uses)})
    return ", ".join(parts) or _now("nothing")


class OfflineBatchLineInline(ReadOnlyInline):
    """The orders of a batch, each with its answer."""

    model = OfflineBatchLine
    fields = ("position", "external_order_no", "outcome_badge", "points", "why")
    readonly_fields = ("outcome_badge", "why")
    ordering = ("position",)

    @display(description=_("what became of it"), label=OUTCOME_COLOURS)
    def outcome_badge(self, line: OfflineBatchLine) -> Badge:
        return Badge(line.outcome, line.get_outcome_display())

    @display(description=_("why"))
    def why(self, line: OfflineBatchLine) -> str:
        return refusal_sentence(line.code, line.params) if line.code else "–"


@admin.register(OfflineBatch)
class OfflineBatchAdmin(HistoryAdmin):
    """Orders that tills took offline and told together, newest first."""

    list_display = ("received_at", "external_batch_no", "store", "total", "how_far")
    list_select_related = ("store",)
    list_filter = (("received_at", DayRangeFilter),)
    list_display_links = ("received_at", "external_batch_no")
    ordering = ("-received_at", "-id")
    store_path = "store"
    fields = ("external_batch_no", "source", "store", "received_at", "total", "how_far")
    readonly_fields = ("how_far",)
    inlines = (OfflineBatchLineInline,)
    empty_sentence = _("No till has sent orders that it took offline.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("orders", "fingerprint")

    @display(description=_("done"))
    def how_far(self, batch: OfflineBatch) -> str:
        if batch.done_at is None:
            return _now("under way")
        return date_format(timezone.localtime(batch.done_at), "DATETIME_FORMAT")


def _voided(payload: Any, names: Names) -> str:
    figures = {"number": payload["order_no"], "store": names["store"]}
    if names["store"]:
        return _now("Order %(number)s at %(store)s was voided.") % figures
    return _now("Order %(number)s was voided.") % figures


def _quoted(trace: Any) -> str:
    figures = {"payable": money_of(trace["payable"]), "earn": points_words(trace["earn"])}
    if trace["points"]:
        paid = points_words(trace["points"])
        return _now("A till quoted a cart: %(payable)s to pay beside %(paid)s, %(earn)s to earn.") % {
            **figures,
            "paid": paid,
        }
    return _now("A till quoted a cart: %(payable)s to pay, %(earn)s to earn.") % figures


def _not_used(trace: Any) -> list[str]:
    """Return why vouchers are not in a quote, a line for each."""
    said = _now("%(offer)s did not apply: %(reason)s")
    return [
        said % {"offer": in_active_language(one["label"]), "reason": reason_words(one["code"], one["params"])}
        for one in trace.get("not_used", ())
        if one.get("code") in TEXTS
    ]


def money_of(amount: str) -> str:
    """Return a stored amount of money in words."""
    return money(forms.DecimalField().clean(amount), programme().currency)


register_sentence(ORDER_VOIDED, _voided, icon="undo", names={"store": store_names})
register_quote(QUOTE_CODE, _quoted, _not_used)
