"""Pages of paid membership: plans, who holds which, what is ordered, what was paid; and how many go on."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from loyalty.admin import given_dialogs
from loyalty.admin.badges import tier_badge
from loyalty.floor_sentences import price_sentence
from loyalty.models import Plan, PlanMembership, PlanOrder, PlanPayment, PlanPeriod
from loyalty.plan_queries import renewal_rate, trial_conversion
from loyalty.services.plan_payments import NOTHING_DUE, STAFF
from members.admin.base import Badge, ReadOnlyInline, TranslatedAdmin
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import money
from members.queries import programme

_RATE_DAYS = 365


def source_words(payment: PlanPayment) -> str:
    """Return who confirmed a payment: staff, nobody where nothing was due, or the system by the name of its key."""
    words = {STAFF: _now("staff"), NOTHING_DUE: _now("nothing was due")}
    return words.get(payment.source, payment.source)


@admin.register(Plan)
class PlanAdmin(TranslatedAdmin):
    """The plans that are sold. Who bought one keeps the price and the days of then."""

    list_display = ("name", "gives", "price", "trial", "state_badge")
    list_display_links = ("name",)
    list_select_related = ("tier",)
    list_filter = (("state", ChoicesDropdownFilter),)
    ordering = ("tier__rank", "price_amount")
    fields = (
        "code", "state", "tier", "price_amount", "period_months", "trial_days", "can_renew", "sale_from", "sale_until", "name",
        "text",
    )  # fmt: skip
    empty_sentence = _(
        "No plan yet. A plan gives a tier for some months at a price; members and staff order it, and its payment is confirmed from outside."
    )

    @display(description=_("tier it gives"))
    def gives(self, plan: Plan) -> SafeString:
        return tier_badge(plan.tier)

    @display(description=_("price"))
    def price(self, plan: Plan) -> str:
        return price_sentence(plan)

    @display(description=_("trial (days)"))
    def trial(self, plan: Plan) -> str:
        return str(plan.trial_days or "–")

    @display(
        description=_("state"), label={"draft": "info", "on_sale": "success", "over": "warning", "withdrawn": "warning"}
    )
    def state_badge(self, plan: Plan) -> Badge:
        if plan.state == Plan.State.ON_SALE and plan.sale_until is not None and plan.sale_until <= timezone.now():
            return Badge("over", _("sale is over"))
        return Badge(plan.state, plan.get_state_display())

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        """What was sold once gives what it gave; another tier or another length is another plan."""
        return ("code", "tier", "period_months") if obj and obj.state != Plan.State.DRAFT else ()


class PeriodInline(ReadOnlyInline):
    """What the plan gave, span by span."""

    model = PlanPeriod
    verbose_name_plural = _("periods")
    fields = readonly_fields = ("kind", "valid_from", "valid_until", "share")
    ordering = ("number",)

    @display(description=_("share of the price"))
    def share(self, period: PlanPeriod) -> str:
        return money(period.amount, programme().currency)


class PaymentInline(ReadOnlyInline):
    """What was paid for it and paid back."""

    model = PlanPayment
    verbose_name_plural = _("payments")
    fields = readonly_fields = ("kind", "paid_at", "sum_of_money", "source_name", "external_ref", "reason")
    ordering = ("paid_at", "pk")

    @display(description=_("amount"))
    def sum_of_money(self, payment: PlanPayment) -> str:
        return money(payment.amount, payment.currency)

    @display(description=_("confirmed by"))
    def source_name(self, payment: PlanPayment) -> str:
        return source_words(payment)


@admin.register(PlanMembership)
class PlanMembershipAdmin(FactAdmin):
    """Who holds or held which plan, those that began last first."""

    is_nameless = True
    list_display = ("valid_from", "member_page", "plan", "valid_until", "state_badge", "renews_intended")
    list_display_links = ("valid_from",)
    list_select_related = ("member", "plan")
    list_before_template = "portal/plans/rates.html"
    list_filter = (
        ("state", ChoicesDropdownFilter), ("plan", RelatedDropdownFilter), ("valid_until", DayRangeFilter),
    )  # fmt: skip
    ordering = ("-valid_from", "-id")
    inlines = (PeriodInline, PaymentInline)
    fields = (
        "member_page",
        "plan",
        "state_badge",
        "valid_from",
        "valid_until",
        "renews_intended",
        "ended_at",
        "end_reason",
    )
    readonly_fields = ("member_page", "state_badge")
    empty_sentence = _(
        "Nobody holds a plan yet. Members order one in the app, or staff sell one on the page of the member."
    )

    @display(description=_("member"))
    def member_page(self, membership: PlanMembership) -> SafeString:
        return member_link(membership.member)

    @display(
        description=_("state"),
        label={"trial": "info", "active": "success", "ended": "warning", "refunded": "danger", "upgraded": "info"},
    )
    def state_badge(self, membership: PlanMembership) -> Badge:
        return Badge(membership.state, membership.get_state_display())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, and above it how many go on."""
        rates = self._rates() if self.has_view_permission(request) else None
        return super().changelist_view(request, {**(extra_context or {}), "rates": rates})

    def _rates(self) -> dict[str, Any]:
        until = timezone.now()
        span = {"from_at": until - timedelta(days=_RATE_DAYS), "until": until}
        shown = {"days": _RATE_DAYS, "cards": []}
        for label, rate, definition in (
            (
                _now("Renewal rate"), renewal_rate(**span),
                _now("Of the paid periods that ended, those followed by another paid one of the same member within 30 days. Periods of plans that were paid back or changed for a higher one before their end do not count."),
            ),
            (
                _now("Trials that were paid for"), trial_conversion(**span),
                _now("Of the trials that ended, those whose member paid for a plan during the trial or within 30 days after it."),
            ),
        ):  # fmt: skip
            shown["cards"].append({"label": label, "rate": rate, "definition": definition})  # type: ignore[attr-defined]
        return shown

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("member/<int:member_id>/sell/", view(self.sell), name="loyalty_planmembership_sell"),
            path("member/<int:member_id>/renewal/", view(self.renewal), name="loyalty_planmembership_renewal"),
            path("<int:membership_id>/refund/", view(self.refund), name="loyalty_planmembership_refund"),
        ]
        return own + super().get_urls()

    def sell(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that sells a plan."""
        return given_dialogs.sell(request, member_id)

    def renewal(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that notes whether the member means to renew."""
        return given_dialogs.renewal(request, member_id)

    def refund(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        """The dialog that ends a plan and pays back."""
        return given_dialogs.refund(request, membership_id)


@admin.register(PlanOrder)
class PlanOrderAdmin(FactAdmin):
    """What members are to pay, newest first."""

    is_nameless = True
    list_display = ("made_at", "member_page", "plan", "kind", "to_pay", "state_badge", "expires_at")
    list_display_links = ("made_at",)
    list_select_related = ("member", "plan")
    list_filter = (("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter), ("made_at", DayRangeFilter))
    ordering = ("-made_at", "-id")
    fields = ("member_page", "plan", "kind", "to_pay", "state_badge", "made_at", "expires_at", "renews_intended")
    readonly_fields = ("member_page", "to_pay", "state_badge")
    empty_sentence = _("No plan is ordered yet. Orders of members wait here until their payment is confirmed.")

    @display(description=_("member"))
    def member_page(self, order: PlanOrder) -> SafeString:
        return member_link(order.member)

    @display(description=_("to pay"))
    def to_pay(self, order: PlanOrder) -> str:
        return money(order.amount, order.currency)

    @display(description=_("state"), label={"pending": "info", "paid": "success", "lapsed": "warning"})
    def state_badge(self, order: PlanOrder) -> Badge:
        return Badge(order.state, order.get_state_display())


@admin.register(PlanPayment)
class PlanPaymentAdmin(FactAdmin):
    """Money that came in for plans and went back, newest first. Never changed."""

    is_nameless = True
    number_field = "external_ref"
    search_help_text = _("Member number, phone, or number of the payment, exactly")
    list_display = ("paid_at", "member_page", "plan", "kind_badge", "sum_of_money", "source_name", "external_ref")
    list_display_links = ("paid_at",)
    list_select_related = ("member", "membership__plan")
    list_filter = (("kind", ChoicesDropdownFilter), ("paid_at", DayRangeFilter))
    ordering = ("-paid_at", "-id")
    fields = (
        "member_page",
        "plan",
        "kind_badge",
        "sum_of_money",
        "source_name",
        "external_ref",
        "paid_at",
        "reason",
        "working",
    )
    readonly_fields = ("member_page", "plan", "kind_badge", "sum_of_money", "source_name", "working")
    empty_sentence = _("No payment for a plan yet. Payments are confirmed by the shop's payment system, or by staff.")

    @display(description=_("member"))
    def member_page(self, payment: PlanPayment) -> SafeString:
        return member_link(payment.member)

    @display(description=_("confirmed by"))
    def source_name(self, payment: PlanPayment) -> str:
        return source_words(payment)

    @display(description=_("plan"))
    def plan(self, payment: PlanPayment) -> str:
        return payment.membership.plan.name

    @display(
        description=_("kind"),
        label={"purchase": "success", "renewal": "success", "upgrade": "info", "refund": "danger"},
    )
    def kind_badge(self, payment: PlanPayment) -> Badge:
        return Badge(payment.kind, payment.get_kind_display())

    @display(description=_("amount"))
    def sum_of_money(self, payment: PlanPayment) -> str:
        return money(payment.amount, payment.currency)

    @display(description=_("how it was worked out"))
    def working(self, payment: PlanPayment) -> str:
        """A refund: what was paid, used, left, less the benefits used."""
        figures = payment.figures
        if not figures:
            return "–"
        amounts = {
            name: money(Decimal(figures[name]), payment.currency) for name in ("paid", "used", "left", "benefits_used")
        }
        return _now("Paid %(paid)s, used %(used)s, left %(left)s for %(days_left)s of %(days)s days; benefits used %(benefits_used)s.") % {**figures, **amounts}  # fmt: skip
