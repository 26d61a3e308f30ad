"""What staff say of keys: of new ones, of their bounds, and of what takes their place."""

from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from members.admin.dialogs import ReasonDialog
from members.models import ApiKey, Channel, Store
from members.queries import programme
from members.refusals import Refusal
from members.services.devices import TILL_SCOPES
from members.services.key_bounds import store_ids_of
from members.services.keys import LONGEST_OVERLAP_DAYS, OVERLAP_DAYS, SCOPES, SIGNED_SCOPES, checked_networks
from members.sources import OWN_SOURCES

_MOST_POINTS = 2_000_000_000


def _scopes_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=_("The till may"),
        choices=list(SCOPES.items()),
        initial=list(TILL_SCOPES),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


def _ceiling_field() -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Points a day at most"),
        required=False,
        min_value=1,
        max_value=_MOST_POINTS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_(
            "Earned, spent and adjusted together, from midnight to midnight. It limits what a stolen key is worth. Empty: no limit."
        ),
    )


def _networks_field() -> forms.CharField:
    return forms.CharField(
        label=_("Networks"),
        required=False,
        max_length=1_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_(
            "From where it may be used, one in a line, like 10.20.0.0/16 or 203.0.113.7. Empty: from anywhere."
        ),
    )


def _stores_field() -> forms.ModelMultipleChoiceField:
    return forms.ModelMultipleChoiceField(
        label=_("More stores"),
        queryset=Store.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("For servers that act for several stores. Tills need none."),
    )


class BoundsMixin(forms.Form):
    """What bounds a key."""

    def clean_networks(self) -> list[str]:
        try:
            return checked_networks(str(self.cleaned_data["networks"]).splitlines())
        except Refusal as refusal:
            raise forms.ValidationError(refusal.sentence()) from refusal


class IssueKeyForm(BoundsMixin, forms.ModelForm):
    """What a new key is for."""

    scopes = _scopes_field()
    stores = _stores_field()
    networks = _networks_field()
    daily_points_ceiling = _ceiling_field()

    class Meta:
        model = ApiKey
        fields = ("name", "store", "channel", "source", "scopes", "stores", "networks", "daily_points_ceiling")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "stores" in self.fields:
            _offer_stores(self.fields["stores"])


class ScopesDialog(ReasonDialog):
    """What a key may do from now on. What it would have to sign is for new keys only."""

    scopes = forms.MultipleChoiceField(label=_("The till may"), widget=UnfoldAdminCheckboxSelectMultipleWidget)
    field_order = ("scopes", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        has = ApiKey.objects.values_list("scopes", flat=True).get(pk=self.object_id)
        field = cast(forms.MultipleChoiceField, self.fields["scopes"])
        field.choices = [
            (scope, label) for scope, label in SCOPES.items() if scope in has or scope not in SIGNED_SCOPES
        ]
        field.initial = has


class BoundsDialog(BoundsMixin, ReasonDialog):
    """For which stores, from where, for how much a day and until when a key may be used."""

    stores = _stores_field()
    networks = _networks_field()
    daily_points_ceiling = _ceiling_field()
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(INPUT_CLASSES)}),
        input_formats=["%Y-%m-%d"],
        help_text=_("It opens nothing from the next midnight on. Empty: without an end."),
    )
    field_order = ("stores", "networks", "daily_points_ceiling", "last_day", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = ApiKey.objects.get(pk=self.object_id)
        _offer_stores(self.fields["stores"])
        self.fields["stores"].initial = store_ids_of(key)[1:]
        self.fields["networks"].initial = "\n".join(key.networks)
        self.fields["daily_points_ceiling"].initial = key.daily_points_ceiling
        if key.ends_at is not None:
            self.fields["last_day"].initial = (
                (key.ends_at - timedelta(microseconds=1)).astimezone(programme().tz).date()
            )

    @property
    def ends_at(self) -> datetime | None:
        """The midnight after the last day, in the programme's zone."""
        day: date | None = self.cleaned_data["last_day"]
        return None if day is None else datetime.combine(day + timedelta(days=1), time.min, programme().tz)


class ReasonForm(forms.Form):
    """Asks for a reason, on a page of its own."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )


class RotateForm(ReasonForm):
    """For how long the old one goes on beside the new one."""

    overlap_days = forms.IntegerField(
        label=_("The old one goes on for (days)"),
        initial=OVERLAP_DAYS,
        min_value=0,
        max_value=LONGEST_OVERLAP_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Until then both open; afterwards the old one ends by itself. 0: at once."),
    )
    field_order = ("overlap_days", "reason")


class ActivateForm(ReasonForm):
    """What a till that is being activated will be."""

    name = forms.CharField(label=_("Name of the till"), max_length=80, widget=UnfoldAdminTextInputWidget)
    channel: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Channel"), queryset=Channel.objects.none(), widget=UnfoldAdminSelectWidget
    )
    source = forms.SlugField(
        label=_("Source of orders"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Order numbers are unique within a source; tills that share numbers share it."),
    )
    scopes = _scopes_field()
    daily_points_ceiling = _ceiling_field()
    field_order = ("name", "channel", "source", "scopes", "daily_points_ceiling", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tills: QuerySet[Channel] = Channel.objects.filter(kind=Channel.Kind.TILL)
        field = cast(forms.ModelChoiceField, self.fields["channel"])
        field.queryset = tills
        field.initial = tills.first()
        scopes = cast(forms.MultipleChoiceField, self.fields["scopes"])
        scopes.choices = [(scope, label) for scope, label in SCOPES.items() if scope not in SIGNED_SCOPES]

    def clean_source(self) -> str:
        source = str(self.cleaned_data["source"])
        if source in OWN_SOURCES:
            raise forms.ValidationError(_("The portal uses this name itself. Please choose another source."))
        return source


def _offer_stores(field: forms.Field) -> None:
    cast(forms.ModelMultipleChoiceField, field).queryset = Store.objects.filter(is_open=True)
