"""Orders of rewards: what waits to be sent and handed over first, and what can be done with several at once."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from members.admin.base import Badge, actor_of, say_refusal, store_scope
from members.admin.days import local_day
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.identifiers import REDEMPTION, NotFound, parse_ref
from members.refusals import Refusal
from rewards.admin.fulfilment_pages import OrderPages
from rewards.admin.fulfilment_words import STATE_COLOURS, say_many, state_badge
from rewards.admin.tracking_pages import TrackingPages, may_send_parcels
from rewards.fulfilment_queries import OPEN, is_late
from rewards.models import Redemption, RedemptionState, RewardCategory
from rewards.order_numbers import order_no, redemption_id_of
from rewards.services.address_lists import propose_addresses
from rewards.services.fulfilment_jobs import PERMISSION, PREPARE, READY, REFUND_PERMISSION, act_on_many
from rewards.services.fulfilment_lists import MAY_SEE_ADDRESSES

WHAT: Final = "what"
_OLDEST_FIRST: Final = ("", "late", "stores", "ready")
_STATES: Final[dict[str, tuple[str, ...]]] = {
    "ready": (RedemptionState.READY,),
    "shipped": (RedemptionState.SHIPPED,),
    "done": (RedemptionState.DONE,),
    "ended": (RedemptionState.CANCELLED, RedemptionState.REFUNDED),
}


def _stages(request: HttpRequest) -> list[tuple[str, Any]]:
    """Return where orders stand, in the order of their way; the first is what the page begins with."""
    if store_scope(request) is not None:
        return [
            ("", _("to be made ready or picked up")),
            ("ready", _("ready for pick-up")),
            ("done", _("done")),
            ("ended", _("points given back")),
        ]
    return [
        ("", _("to be sent")),
        ("late", _("late")),
        ("stores", _("to be made ready in stores")),
        ("ready", _("ready for pick-up")),
        ("shipped", _("on their way")),
        ("done", _("done")),
        ("ended", _("cancelled, points given back")),
        ("all", _("all")),
    ]


class WhatWaits(DropdownFilter):
    """Where orders stand. Whoever opens the page sees what is to be sent; staff of stores see what is theirs to do."""

    title = _("state")
    parameter_name = WHAT
    all_option: ClassVar = ["", _("to be sent")]

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.all_option = list(_stages(request)[0])  # type: ignore[misc]
        super().__init__(request, *args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return _stages(request)[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> QuerySet[Redemption]:
        wanted = self.value() or ""
        if wanted == "all":
            return queryset
        if wanted in _STATES:
            return queryset.filter(state__in=_STATES[wanted])
        if store_scope(request) is not None:
            return queryset.filter(state__in=[*OPEN, RedemptionState.READY])
        if wanted == "stores":
            return queryset.filter(state__in=OPEN, delivery=Redemption.Delivery.STORE)
        if wanted == "late":
            return queryset.filter(state__in=OPEN, due_at__lte=timezone.now())
        return queryset.filter(state__in=OPEN, delivery=Redemption.Delivery.POST)


class PartOfCatalogue(DropdownFilter):
    """The category of the reward."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(part.pk), part.name) for part in RewardCategory.objects.order_by("sort_order", "pk")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> QuerySet[Redemption]:
        wanted = self.value() or ""
        return queryset.filter(reward__category=int(wanted)) if wanted.isdecimal() and len(wanted) < 10 else queryset


@admin.register(Redemption)
class RedemptionAdmin(FactAdmin):
    """What members redeemed: what waits first, the oldest of it at the top."""

    is_nameless = True
    list_per_page = 50
    list_display = ("order_number", "placed", "due", "reward_name", "member_page", "reaches", "state_label", "parcel")
    list_display_links = ("order_number",)
    list_select_related = ("member", "reward", "store")
    list_filter = (
        WhatWaits, ("reward__kind", ChoicesDropdownFilter), PartOfCatalogue,
        ("store", RelatedDropdownFilter), ("redeemed_at", DayRangeFilter),
    )  # fmt: skip
    list_filter_submit = True
    list_before_template = "portal/fulfilment/above_list.html"
    fields = ("redeemed_at",)
    store_path = "store"
    actions = ("start_preparing", "make_ready", "picking_list", "picking_list_with_addresses", "out_of_stock")
    actions_list = ("picking_list_of_all", "parcels_form", "tracking_file", "addresses_file")
    search_help_text = _("Order number, member number or phone, exactly")
    empty_sentence = _(
        "Nothing waits to be shipped today. Well done. What was sent and handed over stands under the other states."
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say above the list which part of the way it shows."""
        chosen = request.GET.get(WHAT, "")
        stages = [{"key": key, "label": label, "is_chosen": key == chosen} for key, label in _stages(request)]
        return super().changelist_view(request, {"stages": stages, **(extra_context or {})})

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        waits = request.GET.get(WHAT, "") in _OLDEST_FIRST
        return ("due_at", "id") if waits else ("-redeemed_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Redemption]:
        return super().get_queryset(request).defer("pickup_hmac")

    def for_address(self, text: str) -> str:
        return text if self._order_of(text) else super().for_address(text)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        named = self._order_of(search_term)
        if named:
            return queryset.filter(**named), False
        return super().get_search_results(request, queryset, search_term)

    @staticmethod
    def _order_of(text: str) -> dict[str, Any]:
        """Return which order a number or a public id names, as a condition; empty for none."""
        number = redemption_id_of(text.strip())
        if number is not None:
            return {"pk": number}
        try:
            return {"public_id": parse_ref(REDEMPTION, text.strip())}
        except NotFound:
            return {}

    def load_columns(self, rows: Sequence[Model]) -> None:
        at = timezone.now()
        for row in rows:
            row.is_late = isinstance(row, Redemption) and is_late(row, at)  # type: ignore[attr-defined]

    @display(description=_("order"))
    def order_number(self, order: Redemption) -> str:
        return order_no(order.pk)

    @display(description=_("placed"))
    def placed(self, order: Redemption) -> str:
        return local_day(order.redeemed_at)

    @display(description=_("ready by"))
    def due(self, order: Any) -> SafeString | str:
        if order.due_at is None or order.state not in OPEN:
            return "–"
        day = local_day(order.due_at)
        if not order.is_late:
            return day
        words = _now("%(day)s, late") % {"day": day}
        return format_html('<span class="pn-minus pn-strong">{}</span>', words)

    @display(description=_("reward"))
    def reward_name(self, order: Redemption) -> str:
        return order.reward.name

    @display(description=_("member"))
    def member_page(self, order: Redemption) -> SafeString:
        return member_link(order.member)

    @display(description=_("how it reaches the member"))
    def reaches(self, order: Redemption) -> str:
        if order.delivery == Redemption.Delivery.STORE:
            return order.store.name if order.store else _now("any store")
        return order.get_delivery_display()

    @display(description=_("state"), label=STATE_COLOURS)
    def state_label(self, order: Redemption) -> Badge:
        return state_badge(order)

    @display(description=_("parcel"))
    def parcel(self, order: Redemption) -> str:
        return " ".join(filter(None, (order.carrier, order.tracking_no))) or "–"

    # --- Several orders at once -------------------------------------------------------------------------------------------
    def has_fulfil_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_parcels_permission(self, request: HttpRequest) -> bool:
        return may_send_parcels(request)

    def has_addresses_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION) and request.user.has_perm(MAY_SEE_ADDRESSES)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REFUND_PERMISSION)

    @admin.action(description=_("Start preparing"), permissions=["fulfil"])
    def start_preparing(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        """Start preparing the chosen orders."""
        self._act(request, queryset, PREPARE)

    @admin.action(description=_("Ready for pick-up"), permissions=["fulfil"])
    def make_ready(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        """Say that the chosen orders wait in their stores."""
        self._act(request, queryset, READY)

    def _act(self, request: HttpRequest, queryset: QuerySet[Redemption], act: str) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        try:
            done = act_on_many(act=act, redemption_ids=ids, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            say_many(request, act, done)

    @admin.action(description=_("Picking list (PDF)"), permissions=["fulfil"])
    def picking_list(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse:
        """The chosen orders on paper, names masked."""
        return OrderPages(self).picking_list(request, queryset, with_addresses=False)

    @admin.action(description=_("Picking list with addresses (PDF)"), permissions=["addresses"])
    def picking_list_with_addresses(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse:
        """The chosen orders on paper, with where they go; that they were seen is written down for each."""
        return OrderPages(self).picking_list(request, queryset, with_addresses=True)

    @admin.action(description=_("Out of stock: give the points back"), permissions=["refund"])
    def out_of_stock(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> HttpResponse:
        """Lead to the page that asks why, and says what comes back."""
        ids = ".".join(str(pk) for pk in queryset.values_list("pk", flat=True))
        return HttpResponseRedirect(f"{reverse('admin:rewards_redemption_refund')}?orders={ids}")

    @action(description=_("Picking list"), url_path="picking-list", permissions=["fulfil"], icon="print")
    def picking_list_of_all(self, request: HttpRequest) -> HttpResponse:
        """All that waits to be sent, or in a store to be made ready, on paper."""
        orders = self.get_queryset(request).filter(state__in=OPEN)
        if store_scope(request) is None:
            orders = orders.filter(delivery=Redemption.Delivery.POST)
        return OrderPages(self).picking_list(request, orders, with_addresses=False)

    @action(description=_("List of parcels"), url_path="parcels", permissions=["parcels"], icon="table_view")
    def parcels_form(self, request: HttpRequest) -> HttpResponse:
        """A workbook of what waits to be sent, to be filled in with carriers and tracking numbers."""
        return TrackingPages(self).form(request)

    @action(description=_("Tracking numbers"), url_path="tracking", permissions=["parcels"], icon="upload_file")
    def tracking_file(self, request: HttpRequest) -> HttpResponse:
        """The page that reads tracking numbers."""
        return TrackingPages(self).upload(request)

    @action(
        description=_("Addresses"), url_path="addresses", permissions=["addresses"], icon="contact_mail",
        dialog={
            "title": _("Take the addresses of what waits to be sent out?"),
            "description": _("A colleague has to approve it. The file can be taken for 24 hours; who took it is written down."),
            "form_submit_text": _("Ask for the file"), "form_class": ReasonDialog,
        },
    )  # fmt: skip
    def addresses_file(self, request: HttpRequest, form: ReasonDialog) -> HttpResponse:
        """Ask for a file of addresses."""

        def act() -> None:
            propose_addresses(reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now())

        return carry_out(
            request,
            act,
            done=_("The file waits for a colleague to approve it."),
            then=reverse("admin:rewards_redemption_changelist"),
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer only what the operator may do; nothing is ever deleted."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_urls(self) -> list[URLPattern]:
        pages, view = OrderPages(self), self.admin_site.admin_view
        own = [
            path("refund/", view(pages.refund_many), name="rewards_redemption_refund"),
            path("<int:order_id>/do/<slug:wish>/", view(pages.ask), name="rewards_redemption_do"),
            path("<int:order_id>/address/", view(pages.address), name="rewards_redemption_address"),
            path(
                "tracking/refused.xlsx", view(TrackingPages(self).refused), name="rewards_redemption_tracking_refused"
            ),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return OrderPages(self).show(request, object_id)
