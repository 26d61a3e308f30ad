"""What was sent to other systems: begins with what failed, says in words how it went, and sends it again."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from members.admin.base import Badge, HistoryAdmin, actor_of
from members.admin.days import local_moment
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.webhook_dialogs import type_labels
from members.admin.webhooks import fault_words
from members.figures import grouped
from members.identifiers import EVENT, public_ref
from members.models import WebhookDelivery
from members.services.webhook_replays import replay_deliveries
from members.services.webhook_sending import SCHEDULE, bodies_of

State = WebhookDelivery.State
_COLOURS = {"waiting": "info", "failed": "warning", "given_up": "danger", "delivered": "success"}
_CHOICES = {
    "failed": (State.FAILED, State.GIVEN_UP),
    "waiting": (State.WAITING,),
    "delivered": (State.DELIVERED,),
}


class HowItWent(DropdownFilter):
    """What failed, what waits, what was delivered."""

    title = _("state")
    parameter_name = "went"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("failed", _("failed")), ("waiting", _("waiting")), ("delivered", _("delivered"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        chosen = _CHOICES.get(self.value() or "")
        return queryset.filter(state__in=chosen) if chosen else queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(HistoryAdmin):
    """Deliveries, newest first; the list begins with what failed."""

    is_nameless = True
    list_display = ("created_at", "endpoint", "event_name", "state_badge", "tries", "outcome")
    list_display_links = ("created_at",)
    list_select_related = ("endpoint",)
    list_filter = (HowItWent, ("endpoint", RelatedDropdownFilter), ("created_at", DayRangeFilter))
    ordering = ("-id",)
    fields = (
        "endpoint", "event_name", "event_ref", "state_badge", "tries", "created_at", "tried_at", "next_try", "outcome", "took",
        "answer_shown", "body",
    )  # fmt: skip
    readonly_fields = fields
    actions_row = actions_detail = ("send_again",)
    empty_sentence = _("Nothing here. What can not be delivered to another system stands in this list.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("endpoint__secret", "endpoint__earlier_secret")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Begin with what failed."""
        if not request.GET and request.method == "GET" and self.has_view_permission(request):
            return HttpResponseRedirect(f"{request.path}?went=failed")
        return super().changelist_view(request, extra_context)

    def load_columns(self, rows: Sequence[Model]) -> None:
        labels = type_labels()
        for row in rows:
            row.type_label = labels.get(row.type, row.type)  # type: ignore[attr-defined]

    @display(description=_("event"))
    def event_name(self, delivery: Any) -> str:
        return getattr(delivery, "type_label", "") or type_labels().get(delivery.type, delivery.type)

    @display(description=_("number of the event, as the other system sees it"))
    def event_ref(self, delivery: WebhookDelivery) -> str:
        return public_ref(EVENT, delivery.event)

    @display(description=_("state"), label=_COLOURS)
    def state_badge(self, delivery: WebhookDelivery) -> Badge:
        return Badge(delivery.state, delivery.get_state_display())

    @display(description=_("tries"))
    def tries(self, delivery: WebhookDelivery) -> str:
        if not delivery.attempts:
            return _now("not tried yet")
        words = ngettext("%(number)s try of %(most)s", "%(number)s tries of %(most)s", delivery.attempts)
        return words % {"number": delivery.attempts, "most": len(SCHEDULE) + 1}

    @display(description=_("how the last try went"))
    def outcome(self, delivery: WebhookDelivery) -> str:
        return fault_words(delivery.status, delivery.fault) if delivery.tried_at or delivery.fault else "–"

    @display(description=_("next try"))
    def next_try(self, delivery: WebhookDelivery) -> str:
        is_due = delivery.next_at is not None and delivery.state in (State.WAITING, State.FAILED)
        return local_moment(delivery.next_at) if is_due else "–"

    @display(description=_("time taken"))
    def took(self, delivery: WebhookDelivery) -> str:
        if delivery.took_ms is None:
            return "–"
        return _now("%(number)s ms") % {"number": grouped(delivery.took_ms)}

    @display(description=_("beginning of the answer"))
    def answer_shown(self, delivery: WebhookDelivery) -> str:
        return delivery.answer or "–"

    @display(description=_("what is sent"))
    def body(self, delivery: WebhookDelivery) -> SafeString:
        said = bodies_of([delivery]).get(delivery.pk)
        if said is None:
            return SafeString("–")
        return format_html(
            '<pre class="pn-secret">{}</pre>', json.dumps(json.loads(said), indent=2, ensure_ascii=False)
        )

    def has_operate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.change_webhookendpoint")

    @action(
        description=_("Send again"),
        url_path="send-again",
        permissions=["operate"],
        icon="replay",
        dialog={
            "title": _("Send this event again?"),
            "description": _("Under its old id: a receiver that has it already passes over it."),
            "form_class": ReasonDialog,
            "form_submit_text": _("Send again"),
        },
    )
    def send_again(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        delivery = WebhookDelivery.objects.only("endpoint_id", "event").get(pk=object_id)

        def act() -> None:
            replay_deliveries(
                endpoint_id=delivery.endpoint_id, events=[delivery.event], reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        then = reverse("admin:members_webhookdelivery_change", args=[object_id])
        return carry_out(request, act, done=_("The event is sent again."), then=then)
