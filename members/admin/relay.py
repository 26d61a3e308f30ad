"""Pages of the timeline's readers: how far each has come, and entries that a reader failed on."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display

from members.admin.base import HistoryAdmin
from members.admin.dialogs import ConfirmDialog
from members.models import ParkedEntry, Subscription
from members.timeline import replay

_SUBSCRIBERS = {
    "analytics.days": _("figures of the day"),
    "campaigns.messages": _("messages to members"),
    "members.webhooks": _("webhooks of other systems"),
    "rewards.deadlines": _("inactivity deadlines"),
}


def subscriber_name(name: str) -> str:
    """Return what a reader of the timeline does, in the active language."""
    return str(_SUBSCRIBERS.get(name, name))


@admin.register(Subscription)
class SubscriptionAdmin(HistoryAdmin):
    """Who reads the timeline, and when they last moved on."""

    is_nameless = True
    list_display = ("reader", "advanced_at", "parked_count")
    ordering = ("name",)
    fields = ("reader", "advanced_at", "parked_count")
    readonly_fields = fields
    empty_sentence = _("Nobody has read the timeline yet. Readers appear here once the background worker has run.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return (
            super().get_queryset(request).annotate(waiting=Count("parked", filter=Q(parked__replayed_at__isnull=True)))
        )

    @display(description=_("reader"))
    def reader(self, subscription: Subscription) -> str:
        return subscriber_name(subscription.name)

    @display(description=_("entries that failed"))
    def parked_count(self, subscription: Any) -> int:
        return subscription.waiting


class WaitingFilter(DropdownFilter):
    """Entries that still wait for somebody, or those that were replayed."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("replayed", _("replayed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ParkedEntry]) -> QuerySet[ParkedEntry]:
        chosen = self.value()
        return queryset.filter(replayed_at__isnull=chosen == "waiting") if chosen else queryset


@admin.register(ParkedEntry)
class ParkedEntryAdmin(HistoryAdmin):
    """Entries that a reader failed on. When the cause is mended, they are given to it again."""

    is_nameless = True
    list_display = ("reader", "error", "attempts", "parked_at", "replayed_at")
    list_filter = (WaitingFilter,)
    ordering = ("-parked_at", "-id")
    fields = ("reader", "error", "attempts", "parked_at", "replayed_at")
    readonly_fields = ("reader",)
    actions_row = actions_detail = ("replay_entry",)
    empty_sentence = _("No entry waits here. That is as it should be.")

    @display(description=_("reader"))
    def reader(self, parked: ParkedEntry) -> str:
        return subscriber_name(parked.subscription_id)

    def has_replay_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.change_parkedentry")

    @action(
        description=_("Replay"),
        url_path="replay",
        permissions=["replay"],
        icon="replay",
        dialog={
            "title": _("Replay this entry?"),
            "description": _("The reader gets the entry again. What it did before is not done twice."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Replay the entry"),
        },
    )
    def replay_entry(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        try:
            replay(parked_id=int(object_id), at=timezone.now())
        except Exception as error:  # noqa: BLE001 - whatever the reader raises is what the operator must read
            messages.error(request, _("It failed again: %(error)s") % {"error": error})
        else:
            messages.success(request, _("The entry was replayed."))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:members_parkedentry_changelist")})
