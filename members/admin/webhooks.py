"""Pages of webhooks: where events are sent, who wanted it, how it goes, and what staff do when it does not."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.dialogs import ConfirmDialog, ReasonDialog, carry_out
from members.admin.timeline import Names, register_sentence
from members.admin.webhook_dialogs import ChangeDialog, ReplaySpanDialog, RotateDialog, type_labels
from members.figures import grouped
from members.models import WebhookDelivery, WebhookEndpoint
from members.refusals import Refusal
from members.services.webhook_replays import replay_deliveries
from members.services.webhook_sending import send_test
from members.services.webhooks import (
    change_webhook,
    create_webhook,
    pause_webhook,
    remove_webhook,
    resume_webhook,
    rotate_secret,
)
from members.webhook_urls import refuse_host
from members.wording import enumerated

State = WebhookEndpoint.State
STATE_COLOURS = {"active": "success", "paused": "warning", "disabled": "danger", "removed": "info", "failing": "danger"}


def fault_words(status: int | None, fault: str) -> str:
    """Return how a try went, in the active language."""
    if not fault:
        return _now("delivered (status %(status)s)") % {"status": status}
    words = str(dict(WebhookDelivery.Fault.choices)[fault])
    return _now("%(fault)s (status %(status)s)") % {"fault": words, "status": status} if status else words


class WebhookForm(forms.ModelForm):
    """Where events are sent, and which."""

    types = forms.MultipleChoiceField(label=_("Events"), choices=[], widget=UnfoldAdminCheckboxSelectMultipleWidget)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("description", "url", "types")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["types"]).choices = list(type_labels().items())

    def clean_url(self) -> str:
        """An address that something may be sent to."""
        url: str = self.cleaned_data["url"]
        try:
            refuse_host(url)
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence()) from refusal
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(HistoryAdmin):
    """Addresses that events are sent to. Changed by their own dialogs; made with a secret that is shown once."""

    form = WebhookForm
    list_display = ("name", "types_shown", "owner", "state_badge", "delivered_at")
    list_display_links = ("name",)
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("key",)
    ordering = ("-created_at", "-id")
    actions_detail = (
        "test",
        "deliveries",
        "pause",
        "resume",
        {"title": _("More"), "items": ["edit", "rotate", "replay", "remove"]},
    )
    empty_sentence = _("Nothing is sent to other systems. Make a webhook, or give a key the right to make its own.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("secret", "earlier_secret")

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("description", "url", "types", "reason")
        return (
            "description", "url", "types_shown", "owner", "state_badge", "why_shown", "created_at", "delivered_at", "failing_since",
            "earlier_until",
        )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("members.add_webhookendpoint")

    @display(description=_("name"))
    def name(self, endpoint: WebhookEndpoint) -> str:
        return str(endpoint)

    @display(description=_("events"))
    def types_shown(self, endpoint: WebhookEndpoint) -> str:
        known = type_labels()
        return enumerated(known.get(code, code) for code in endpoint.types)

    @display(description=_("owner"))
    def owner(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.key.name if endpoint.key else _now("staff")

    @display(description=_("state"), label=STATE_COLOURS)
    def state_badge(self, endpoint: WebhookEndpoint) -> Badge:
        if endpoint.state == State.ACTIVE and endpoint.failing_since is not None:
            return Badge("failing", _("active, but failing"))
        return Badge(endpoint.state, endpoint.get_state_display())

    @display(description=_("reason of the state"))
    def why_shown(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.get_why_display() if endpoint.why else "–"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make a webhook of the staff. The page that answers is the only place where its secret is ever seen."""
        if request.method == "POST" and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                wanted = form.cleaned_data
                try:
                    made = create_webhook(
                        url=wanted["url"], types=wanted["types"], description=wanted["description"], key=None,
                        reason=wanted["reason"], by=actor_of(request), at=timezone.now(),
                    )  # fmt: skip
                except Refusal as refusal:
                    say_refusal(request, refusal)
                    return HttpResponseRedirect(reverse("admin:members_webhookendpoint_changelist"))
                else:
                    context = {
                        **self.admin_site.each_context(request),
                        "opts": self.opts,
                        "title": _("New webhook"),
                        "secret": made.secret,
                        "then": _page(made.endpoint.pk),
                    }
                    answer = render(request, "portal/webhooks/made.html", context)
                    answer["Cache-Control"] = "no-store"
                    return answer
        return super().add_view(request, form_url, extra_context)

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer what can be done in the state it is in."""
        state = WebhookEndpoint.objects.filter(pk=object_id).values_list("state", flat=True).first()
        without = {
            State.ACTIVE: {"resume"},
            State.PAUSED: {"pause"},
            State.DISABLED: {"pause", "replay"},
            State.REMOVED: {"edit", "test", "pause", "resume", "rotate", "replay", "remove"},
        }.get(cast(State, state), set())
        names = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in without}
        return [one for one in super().get_actions_detail(request, object_id) if one.action_name not in names]

    def has_operate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("members.change_webhookendpoint")

    @action(description=_("Deliveries"), url_path="deliveries", permissions=["view"], icon="list")
    def deliveries(self, request: HttpRequest, object_id: int) -> HttpResponse:
        address = reverse("admin:members_webhookdelivery_changelist")
        return HttpResponseRedirect(f"{address}?endpoint__id__exact={int(object_id)}")

    @action(
        description=_("Test"),
        url_path="test",
        permissions=["operate"],
        icon="network_ping",
        dialog={
            "title": _("Send a test there?"),
            "description": _("A test event without data is sent at once, and you see what is answered."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Send the test"),
        },
    )
    def test(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        endpoint = WebhookEndpoint.objects.get(pk=object_id)
        outcome = send_test(endpoint=endpoint, by=actor_of(request), clock=timezone.now)
        words = fault_words(outcome.status, str(outcome.fault))
        took = _now("Milliseconds: %(number)s.") % {"number": grouped(outcome.took_ms)}
        return _told(
            request,
            title=_("It works.") if outcome.is_delivered else _("It does not work."),
            words=f"{words} · {took}",
            answer=outcome.answer,
            object_id=object_id,
        )

    @action(
        description=_("Change"),
        url_path="edit",
        permissions=["operate"],
        icon="edit",
        dialog={
            "title": _("Change where and what is sent"),
            "description": _("What waits is sent to the new address."),
            "form_class": ChangeDialog,
            "form_submit_text": _("Change"),
        },
    )
    def edit(self, request: HttpRequest, form: ChangeDialog, object_id: int) -> HttpResponse:
        wanted = form.cleaned_data

        def act() -> None:
            change_webhook(
                endpoint_id=int(object_id), url=wanted["url"], types=wanted["types"], description=wanted["description"],
                reason=wanted["reason"], by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        return carry_out(request, act, done=_("The webhook was changed."), then=_page(object_id))

    @action(
        description=_("Pause"),
        url_path="pause",
        permissions=["operate"],
        icon="pause",
        dialog={
            "title": _("Send nothing there for a while?"),
            "description": _(
                "What happens meanwhile waits, and follows when you let it go on. It is kept for 30 days."
            ),
            "form_class": ReasonDialog,
            "form_submit_text": _("Pause"),
        },
    )
    def pause(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._do(request, pause_webhook, form, object_id, _("Nothing is sent there now."))

    @action(
        description=_("Let it go on"),
        url_path="resume",
        permissions=["operate"],
        icon="play_arrow",
        dialog={
            "title": _("Send there again?"),
            "description": _("What waits is sent at once."),
            "form_class": ReasonDialog,
            "form_submit_text": _("Let it go on"),
        },
    )
    def resume(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._do(request, resume_webhook, form, object_id, _("Events are sent there again."))

    @action(
        description=_("Remove"),
        url_path="remove",
        permissions=["operate"],
        icon="delete",
        dialog={
            "title": _("Send nothing there any more?"),
            "description": _("For good. What waits is not sent either."),
            "form_class": ReasonDialog,
            "form_submit_text": _("Remove the webhook"),
        },
    )
    def remove(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._do(request, remove_webhook, form, object_id, _("The webhook was removed."))

    @action(
        description=_("Change the secret"),
        url_path="rotate",
        permissions=["operate"],
        icon="key",
        dialog={
            "title": _("Give it another secret?"),
            "description": _("For some hours both sign, so that the other system can change over without a gap."),
            "form_class": RotateDialog,
            "form_submit_text": _("Change the secret"),
        },
    )
    def rotate(self, request: HttpRequest, form: RotateDialog, object_id: int) -> HttpResponse:
        try:
            made = rotate_secret(
                endpoint_id=int(object_id), overlap=form.overlap(), reason=form.cleaned_data["reason"],
                by=actor_of(request), at=timezone.now(),
            )  # fmt: skip
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponse(headers={"HX-Redirect": _page(object_id)})
        return _told(
            request,
            title=_("The new secret"),
            words=_("It is shown this once. Hand it to whoever runs the other system."),
            secret=made.secret,
            object_id=object_id,
        )

    @action(
        description=_("Send again"),
        url_path="replay",
        permissions=["operate"],
        icon="replay",
        dialog={
            "title": _("Send a span of time again?"),
            "description": _("Under the old ids: a receiver that has an event already passes over it."),
            "form_class": ReplaySpanDialog,
            "form_submit_text": _("Send again"),
        },
    )
    def replay(self, request: HttpRequest, form: ReplaySpanDialog, object_id: int) -> HttpResponse:
        try:
            count = replay_deliveries(
                endpoint_id=int(object_id), span=form.span(), with_delivered=form.cleaned_data["with_delivered"],
                typed=form.cleaned_data["typed"], reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now(),
            )  # fmt: skip
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            words = ngettext("%(number)s event is sent again.", "%(number)s events are sent again.", count)
            messages.success(request, words % {"number": grouped(count)})
        return HttpResponse(headers={"HX-Redirect": _page(object_id)})

    def _do(
        self, request: HttpRequest, service: Any, form: ReasonDialog, object_id: int, done: Promise
    ) -> HttpResponse:
        def act() -> None:
            service(
                endpoint_id=int(object_id), reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            )  # fmt: skip

        return carry_out(request, act, done=done, then=_page(object_id))


def _page(endpoint_id: int) -> str:
    return reverse("admin:members_webhookendpoint_change", args=[endpoint_id])


def _told(
    request: HttpRequest, *, title: Promise, words: object, object_id: int, secret: str = "", answer: str = ""
) -> HttpResponse:
    """Answer a dialog with what came of it, in its own place: what is shown here is kept nowhere."""
    context = {"title": title, "words": words, "secret": secret, "answer": answer, "then": _page(object_id)}
    told = render(request, "portal/webhooks/told.html", context)
    for header, value in {"HX-Retarget": "#dialog", "HX-Reselect": "#dialog", "HX-Reswap": "outerHTML"}.items():
        told[header] = value
    told["Cache-Control"] = "no-store"
    return told


_TOLD: Mapping[str, tuple[Promise, str]] = {
    "made": (_("A webhook was made."), "add_link"),
    "changed": (_("A webhook was changed."), "edit"),
    "paused": (_("A webhook was paused."), "pause"),
    "resumed": (_("A webhook was let go on."), "play_arrow"),
    "secret_changed": (_("The secret of a webhook was changed."), "key"),
    "removed": (_("A webhook was removed."), "link_off"),
    "tested": (_("A webhook was tested."), "network_ping"),
    "replayed": (_("Events were sent again to a webhook: %(deliveries)s."), "replay"),
    "disabled": (_("A webhook was switched off, because of what it answered."), "error"),
}


def _teller(words: Promise) -> Any:
    def tell(payload: Mapping[str, Any], names: Names) -> str:
        said = str(words) % {"deliveries": grouped(payload.get("deliveries", 0))}
        reason = payload.get("reason")
        return _now("%(what)s Reason: %(reason)s") % {"what": said, "reason": reason} if reason else said

    return tell


for _what, (_words, _icon) in _TOLD.items():
    register_sentence(f"members.webhook_{_what}.v1", _teller(_words), icon=_icon)
