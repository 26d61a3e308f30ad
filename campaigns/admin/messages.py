"""Pages of message templates and of the outbox."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from campaigns.models import Message, MessageTemplate
from campaigns.notes import note_sentence
from campaigns.placeholders import PLACEHOLDERS, unknown_placeholders
from campaigns.services.messages import retry_message
from campaigns.services.occasions import occasion_sentence
from members.admin.base import Badge, TranslatedAdmin, actor_of
from members.admin.dialogs import ConfirmDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin


class MessageTemplateForm(forms.ModelForm):
    """A template whose placeholders all exist."""

    class Meta:
        model = MessageTemplate
        fields = ("occasion", "channel", "title", "body", "is_active")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        occasion = cleaned.get("occasion") or self.instance.occasion
        for name, text in list(cleaned.items()):  # an error takes its field out
            if name.startswith(("title", "body")) and text and occasion in PLACEHOLDERS:
                wrong = unknown_placeholders(text, occasion)
                if wrong:
                    known = ", ".join(f"{{{placeholder}}}" for placeholder in sorted(PLACEHOLDERS[occasion]))
                    self.add_error(
                        name,
                        _("There is no placeholder %(wrong)s here. Those that exist: %(known)s")
                        % {"wrong": ", ".join(wrong), "known": known},
                    )
        return cleaned


@admin.register(MessageTemplate)
class MessageTemplateAdmin(TranslatedAdmin):
    """Words for each occasion, in each language."""

    form = MessageTemplateForm
    list_display = ("title", "occasion", "channel", "is_active")
    fields = ("occasion", "when", "channel", "is_active", "placeholders", "title", "body")
    empty_sentence = _("No template yet. Write one for an occasion, and messages go out by themselves.")

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> tuple[str, ...]:
        return ("when", "placeholders", "occasion") if obj else ("when", "placeholders")

    @display(description=_("when it is sent"))
    def when(self, template: MessageTemplate) -> str:
        return occasion_sentence(template.occasion) if template.occasion else "–"

    @display(description=_("placeholders"))
    def placeholders(self, template: MessageTemplate) -> str:
        if template.occasion:
            return _written(template.occasion)
        return " · ".join(f"{occasion.label}: {_written(occasion.value)}" for occasion in MessageTemplate.Occasion)


def _written(occasion: str) -> str:
    return " ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS[occasion]))


@admin.register(Message)
class MessageAdmin(FactAdmin):
    """The outbox, newest first. A message carries no text: it is written when it is sent."""

    is_nameless = True
    list_display = ("created_at", "member_page", "template", "channel", "state_badge", "reason", "sent_at")
    list_select_related = ("member", "template")
    list_filter = (("state", ChoicesDropdownFilter), ("created_at", DayRangeFilter))
    ordering = ("-created_at", "-id")
    fields = (
        "created_at",
        "member",
        "template",
        "channel",
        "state_badge",
        "reason",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "read_at",
    )
    readonly_fields = ("state_badge", "reason")
    actions_detail = ("try_again",)
    empty_sentence = _(
        "No message yet. Members are congratulated when they rise to a tier, and told before points expire."
    )

    @display(description=_("member"))
    def member_page(self, message: Message) -> SafeString:
        return member_link(message.member)

    @display(
        description=_("state"), label={"queued": "info", "sent": "success", "failed": "danger", "skipped": "warning"}
    )
    def state_badge(self, message: Message) -> Badge:
        return Badge(message.state, message.get_state_display())

    @display(description=_("why"))
    def reason(self, message: Message) -> str:
        return note_sentence(message.note) or "–"

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer another try for what was given up."""
        given_up = Message.objects.filter(pk=object_id, state__in=[Message.State.FAILED, Message.State.SKIPPED])
        return super().get_actions_detail(request, object_id) if given_up.exists() else []

    def has_retry_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("campaigns.change_message")

    @action(
        description=_("Try again"),
        url_path="retry",
        permissions=["retry"],
        icon="refresh",
        dialog={
            "title": _("Send this message again?"),
            "description": _("It goes back into the outbox and is sent at the next run."),
            "form_class": ConfirmDialog,
            "form_submit_text": _("Send it again"),
        },
    )
    def try_again(self, request: HttpRequest, form: ConfirmDialog, object_id: int) -> HttpResponse:
        return carry_out(
            request,
            lambda: retry_message(message_id=int(object_id), by=actor_of(request), at=timezone.now()),
            done=_("The message is in the outbox again."),
            then=reverse("admin:campaigns_message_changelist"),
        )
