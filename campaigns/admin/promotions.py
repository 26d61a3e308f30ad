"""Pages of promotions: written as a draft, launched, paused, ended. What has been launched keeps its terms."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from campaigns.models import Promotion
from campaigns.queries import promotion_sentence
from campaigns.services.promotions import end_promotion, launch_promotion, pause_promotion, resume_promotion
from members.admin.base import Badge, TranslatedAdmin, actor_of
from members.admin.dialogs import ConfirmDialog, carry_out

_TERMS = ("factor", "starts_at", "ends_at", "weekdays", "stores", "min_tier", "min_spend_amount")


class PromotionForm(forms.ModelForm):
    """A promotion with its weekdays as boxes to tick."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=list(WEEKDAYS.items()),
        coerce=int,
        required=False,
        empty_value=[],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: every day."),
    )

    class Meta:
        model = Promotion
        fields = ("name", *_TERMS)


@admin.register(Promotion)
class PromotionAdmin(TranslatedAdmin):
    """Promotions on purchases, the latest first."""

    form = PromotionForm
    list_display = ("name", "sentence", "state_badge", "starts_at", "ends_at")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("min_tier",)
    search_fields = ("name",)
    ordering = ("-starts_at", "-id")
    fields = ("name", "sentence", "state_badge", *_TERMS)
    autocomplete_fields = ("stores",)
    actions_detail = ("launch", "pause", "resume", "end")
    empty_sentence = _("No promotion yet. Try double points for a weekend: it is a draft until you launch it.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        return super().get_queryset(request).prefetch_related("stores")

    def get_fields(self, request: HttpRequest, obj: Promotion | None = None) -> tuple[str, ...]:
        """The terms while they can be changed; afterwards the sentence says them."""
        head = ("name", "sentence", "state_badge")
        return (
            (*head, *_TERMS) if obj is None or obj.state == Promotion.State.DRAFT else (*head, "starts_at", "ends_at")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Promotion | None = None) -> tuple[str, ...]:
        is_draft = obj is None or obj.state == Promotion.State.DRAFT
        return ("sentence", "state_badge") if is_draft else ("sentence", "state_badge", *_TERMS)

    @display(description=_("in words"))
    def sentence(self, promotion: Promotion) -> str:
        return promotion_sentence(promotion) if promotion.pk else "–"

    @display(
        description=_("state"),
        label={"draft": "info", "live": "success", "paused": "warning", "planned": "info", "over": "danger"},
    )
    def state_badge(self, promotion: Promotion) -> Badge:
        now = timezone.now()
        if promotion.pk and promotion.state != Promotion.State.DRAFT and promotion.ends_at <= now:
            return Badge("over", _("over"))
        if promotion.pk and promotion.state == Promotion.State.LIVE and promotion.starts_at > now:
            return Badge("planned", _("planned"))
        return Badge(promotion.state, promotion.get_state_display())

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer what can be done to the promotion as it is now."""
        promotion = Promotion.objects.filter(pk=object_id).first()
        possible = _possible(promotion) if promotion else set()
        return [
            offer
            for offer in super().get_actions_detail(request, object_id)
            if offer.method.original_function_name in possible
        ]

    def has_run_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("campaigns.change_promotion")

    @action(
        description=_("Launch"),
        url_path="launch",
        permissions=["run"],
        icon="play_arrow",
        dialog={
            "title": _("Launch this promotion?"),
            "description": _(
                "Purchases within its span earn more from now on. Its terms can not be changed afterwards."
            ),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Launch the promotion"),
        },
    )
    def launch(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        return _run(request, object_id, launch_promotion, _("The promotion is live."))

    @action(
        description=_("Pause"),
        url_path="pause",
        permissions=["run"],
        icon="pause",
        dialog={
            "title": _("Pause this promotion?"),
            "description": _("Purchases earn nothing from it until it is resumed."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Pause the promotion"),
        },
    )
    def pause(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        return _run(request, object_id, pause_promotion, _("The promotion is paused."))

    @action(
        description=_("Resume"),
        url_path="resume",
        permissions=["run"],
        icon="resume",
        dialog={
            "title": _("Resume this promotion?"),
            "description": _("Purchases earn from it again. Those made meanwhile get nothing later."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Resume the promotion"),
        },
    )
    def resume(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        return _run(request, object_id, resume_promotion, _("The promotion is live again."))

    @action(
        description=_("End now"),
        url_path="end",
        permissions=["run"],
        icon="stop",
        dialog={
            "title": _("End this promotion now?"),
            "description": _("It ends for good. What members earned from it stays theirs."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("End the promotion"),
        },
    )
    def end(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        return _run(request, object_id, end_promotion, _("The promotion has ended."))


def _possible(promotion: Promotion) -> set[str]:
    now = timezone.now()
    if promotion.ends_at <= now:
        return set()
    if promotion.state == Promotion.State.DRAFT:
        return {"launch"}
    return {"pause" if promotion.state == Promotion.State.LIVE else "resume"} | (
        {"end"} if promotion.starts_at < now else set()
    )


def _run(request: HttpRequest, object_id: int, service: Callable[..., None], done: Any) -> HttpResponse:
    return carry_out(
        request,
        lambda: service(promotion_id=int(object_id), by=actor_of(request), at=timezone.now()),
        done=done,
        then=reverse("admin:campaigns_promotion_change", args=[object_id]),
    )
