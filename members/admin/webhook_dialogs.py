"""What dialogs of webhooks ask for."""

from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from members.admin.dialogs import ReasonDialog
from members.models import WebhookEndpoint
from members.queries import programme
from members.services.webhooks import LONGEST_OVERLAP, OVERLAP
from members.webhook_types import event_types
from members.webhook_urls import LONGEST

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def type_labels() -> dict[str, str]:
    """Return what types of events are called, by code, in the active language."""
    return {one.code: str(one.label) for one in event_types()}


class ChangeDialog(ReasonDialog):
    """Where events are sent from now on, and which."""

    description = forms.CharField(
        label=_("What it is for"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    url = forms.CharField(label=_("Address"), max_length=LONGEST, widget=UnfoldAdminTextInputWidget)
    types = forms.MultipleChoiceField(label=_("Events"), widget=UnfoldAdminCheckboxSelectMultipleWidget)
    field_order = ("description", "url", "types", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        endpoint = WebhookEndpoint.objects.only("url", "description", "types").get(pk=self.object_id)
        for name in ("description", "url", "types"):
            self.fields[name].initial = getattr(endpoint, name)
        cast(forms.MultipleChoiceField, self.fields["types"]).choices = list(type_labels().items())


class RotateDialog(ReasonDialog):
    """How long both secrets sign."""

    hours = forms.IntegerField(
        label=_("Hours in which both sign"),
        min_value=0,
        max_value=LONGEST_OVERLAP // _HOUR,
        initial=OVERLAP // _HOUR,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("0: the earlier secret ends at once, for instance because it was seen by others."),
    )
    field_order = ("hours", "reason")

    def overlap(self) -> timedelta:
        """Return how long both sign."""
        return int(self.cleaned_data["hours"]) * _HOUR


class ReplaySpanDialog(ReasonDialog):
    """Which days, and what of them."""

    first_date = forms.DateField(label=_("From"), widget=UnfoldAdminDateWidget)
    last_date = forms.DateField(
        label=_("Through"), widget=UnfoldAdminDateWidget, help_text=_("Both days are part of it.")
    )
    with_delivered = forms.BooleanField(
        label=_("What was delivered, too"), required=False, widget=UnfoldBooleanWidget,
        help_text=_("Otherwise only what failed is sent again."),
    )  # fmt: skip
    typed = forms.IntegerField(
        label=_("How many"),
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Needed when there are more than 1,000: the number is named when it is missing."),
    )
    field_order = ("first_date", "last_date", "with_delivered", "typed", "reason")

    def clean(self) -> dict[str, Any]:
        """The last day does not lie before the first."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first_date"), cleaned.get("last_date")
        if first and last and last < first:
            self.add_error("last_date", _("This day lies before the first."))
        return cleaned

    def span(self) -> tuple[datetime, datetime]:
        """Return the days as a half-open span, in the programme's zone."""
        zone = programme().tz

        def begin(day: Any) -> datetime:
            return datetime(day.year, day.month, day.day, tzinfo=zone)

        return begin(self.cleaned_data["first_date"]), begin(self.cleaned_data["last_date"] + _DAY)
