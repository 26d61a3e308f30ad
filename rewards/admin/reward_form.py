"""The form of a reward: what its kind needs, complained about at its field, before the database would."""

from typing import Any, Final

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from members.models import Store
from rewards.models import Reward

_Kind = Reward.Kind
#: What each kind names; the other two stay empty.
_NAMES: Final = {_Kind.VOUCHER: "template", _Kind.DONATION: "project", _Kind.PARTNER: "partner"}
_IN_STORES: Final = (_Kind.SERVICE, _Kind.TICKET)
#: The plain fields of the form, in order; the price only of a new reward, later it has a page of its own.
FIELDS: Final = (
    "kind", "category", "price_points", "cash_amount", "cost_amount", "template", "project", "partner", "stock",
    "per_member_limit", "period_limit", "period", "least_tier", "segment", "active_days", "by_post", "in_store", "store_ids",
    "prepare_days", "cancel_hours", "event_at", "valid_from", "valid_to", "sort_order",
)  # fmt: skip
TEXTS: Final = ("name", "description", "event_place")
_NEVER_MONEY: Final = (_Kind.DONATION, _Kind.PARTNER)
#: On which kinds a field is shown; the others have it empty.
SHOWN_WHEN: Final = {
    "template": "kind == 'voucher'",
    "project": "kind == 'donation'",
    "partner": "kind == 'partner'",
    "cash_amount": "kind != 'donation' && kind != 'partner'",
    "by_post": "kind == 'gift'",
    "in_store": "kind == 'gift'",
    "store_ids": "kind == 'gift' || kind == 'service' || kind == 'ticket'",
    "prepare_days": "kind == 'gift'",
    "event_at": "kind == 'ticket'",
    "stock": "kind != 'digital'",
    **{f"event_place_{code}": "kind == 'ticket'" for code in ("zh_hans", "zh_hant", "en")},
}


class RewardForm(forms.ModelForm):
    """A reward."""

    store_ids = forms.TypedMultipleChoiceField(
        label=_("Stores"), coerce=int, required=False, empty_value=[], widget=UnfoldAdminSelect2MultipleWidget,
        help_text=_("None chosen: all stores."),
    )  # fmt: skip

    class Meta:
        model = Reward
        fields = (*FIELDS, *TEXTS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "store_ids" in self.fields:
            kept = self.instance.store_ids or []
            stores = Store.objects.filter(Q(is_open=True) | Q(pk__in=kept)).order_by("code")
            self.fields["store_ids"].choices = [(store.pk, store.name) for store in stores]  # type: ignore[attr-defined]
        if "valid_from" in self.fields and self.instance.pk and self.instance.valid_from <= timezone.now():
            # What has been on the shelf has been: its price never again rises without approval and notice.
            self.fields["valid_from"].disabled = True
            self.fields["valid_from"].help_text = _now("The reward has come onto the shelf: this stays as it is.")

    def clean(self) -> dict[str, Any]:
        """Empty what the kind does not have; ask for what it needs."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        kind = found.get("kind") or self.instance.kind
        for one, name in _NAMES.items():
            if kind != one:
                self._set(found, name, None)
            elif name in self.fields and not found.get(name):
                self._complain(name, _now("Say which."))
        if kind in _NEVER_MONEY:
            self._set(found, "cash_amount", 0)
        if kind != _Kind.GIFT:
            self._set(found, "by_post", False)
            self._set(found, "in_store", kind in _IN_STORES)
        elif "by_post" in self.fields and not (found.get("by_post") or found.get("in_store")):
            self._complain("by_post", _now("Say how it reaches the member: by post, in a store, or both."))
        if kind != _Kind.TICKET:
            self._set(found, "event_at", None)
        elif "event_at" in self.fields and not found.get("event_at"):
            self._complain("event_at", _now("Say when the event begins."))
        if kind == _Kind.DIGITAL:
            self._set(found, "stock", None)
        self._check_limit(found)
        begins, ends = found.get("valid_from"), found.get("valid_to")
        if begins and ends and ends <= begins:
            self._complain("valid_to", _now("It must end after it begins."))
        return found

    def _check_limit(self, found: dict[str, Any]) -> None:
        if bool(found.get("period_limit")) != bool(found.get("period")):
            missing = "period" if found.get("period_limit") else "period_limit"
            self._complain(missing, _now("Say both how many and in which period, or neither."))
        if found.get("period_limit") == 0:
            self._complain("period_limit", _now("Leave it empty where there is no limit."))

    def _set(self, found: dict[str, Any], name: str, value: Any) -> None:
        """Give a field the value that its kind has; what was typed into it does not count."""
        if name in self.fields:
            found[name] = value
            self.errors.pop(name, None)

    def _complain(self, name: str, words: str) -> None:
        if name in self.fields and name not in self.errors:
            self.add_error(name, words)
