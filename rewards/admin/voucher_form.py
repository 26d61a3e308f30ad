"""The form of a voucher template: fields for each kind, names to choose instead of codes, complaints at the field.

Also what to think of before members get such vouchers; nothing of that forbids anything.
"""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.dates import WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from members.models import Channel, Store
from members.wording import enumerated
from rewards.admin.rules_form import WordsField, rows_field
from rewards.models import Category, Product, VoucherTemplate
from rewards.queries import labels_of

_Kind = VoucherTemplate.Kind
_Stacking = VoucherTemplate.Stacking
_NAMED: Final = 3

#: The blocks of the form with their fields.
BLOCKS: Final = (
    (
        pgettext_lazy("voucher", "What it gives"),
        (
            "code", "kind", "off_amount", "off_percent", "cap_amount", "multiplier", "min_spend_amount", "most_times",
            "cost_amount",
        ),
    ),
    (_("How long"), ("validity", "validity_days", "starts_after_days", "valid_from", "valid_to")),
    (
        _("Where and when it may be used"),
        ("category_ids", "skus", "channel_ids", "store_ids", "weekdays", "hour_from", "hour_to"),
    ),
    (_("Beside other vouchers"), ("stacking", "stacking_class", "priority")),
    (
        _("Returns and gifts"),
        ("is_given_back", "grace_days", "is_giftable", "most_gifts", "gift_hours"),
    ),
    (_("Limits"), ("most_held", "most_used_per_day", "budget_amount", "is_retired")),
)  # fmt: skip
FIELDS: Final = tuple(name for _title, names in BLOCKS for name in names)
TEXTS: Final = ("name", "terms", "gift")
_OF_KIND: Final = {
    "off_amount": (_Kind.AMOUNT, _Kind.THRESHOLD),
    "off_percent": (_Kind.PERCENT,),
    "cap_amount": (_Kind.PERCENT,),
    "most_times": (_Kind.THRESHOLD,),
    "multiplier": (_Kind.MULTIPLIER,),
    "cost_amount": (_Kind.EXCHANGE, _Kind.SHIPPING, _Kind.MULTIPLIER, _Kind.PERCENT),
}
#: On which choice of another field a field is shown; else it stays empty.
SHOWN_WHEN: Final = {
    **{name: " || ".join(f"kind == '{kind.value}'" for kind in kinds) for name, kinds in _OF_KIND.items()},
    **{f"gift_{code}": "kind == 'exchange'" for code in ("zh_hans", "zh_hant", "en")},
    "validity_days": "validity == 'days'",
    "starts_after_days": "validity == 'days'",
    "valid_from": "validity == 'dates'",
    "valid_to": "validity == 'dates'",
    "stacking_class": "stacking == 'class'",
    "grace_days": "is_given_back",
    "most_gifts": "is_giftable",
    "gift_hours": "is_giftable",
}
_NEEDED: Final = {
    _Kind.AMOUNT: "off_amount", _Kind.THRESHOLD: "off_amount", _Kind.PERCENT: "off_percent", _Kind.MULTIPLIER: "multiplier",
}  # fmt: skip
#: What a voucher in a member's hands keeps: what it gives, and beside which others.
FIXED: Final = (
    "kind", "off_amount", "off_percent", "cap_amount", "most_times", "multiplier", "min_spend_amount", "stacking",
    "stacking_class", "hour_from", "hour_to",
)  # fmt: skip
#: What may only become wider while members hold vouchers: more stores, more goods, more days.
WIDENED: Final = ("store_ids", "channel_ids", "category_ids", "skus", "weekdays")


class VoucherTemplateForm(forms.ModelForm):
    """A template of vouchers."""

    is_held = False

    class Meta:
        model = VoucherTemplate
        fields = (*FIELDS, *TEXTS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (("store_ids", Store), ("channel_ids", Channel), ("category_ids", Category)):
            if name in self.fields:
                words = _words(self.fields[name])
                kept = getattr(self.instance, name) or []
                self.fields[name] = rows_field(rows, kept, words, boxes=name == "channel_ids")
        if "skus" in self.fields:
            self.fields["skus"] = WordsField(**_words(self.fields["skus"]))
        if "weekdays" in self.fields:
            self.fields["weekdays"] = forms.TypedMultipleChoiceField(
                coerce=int, choices=list(WEEKDAYS.items()), widget=UnfoldAdminCheckboxSelectMultipleWidget,
                **_words(self.fields["weekdays"]),
            )  # fmt: skip
        for name in (*_WITH_DEFAULT, *_OF_KIND):  # hidden ones are sent empty
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        """Empty what the choices do not have, and ask, at its field, for what they need."""
        found = super().clean() or self.cleaned_data
        kind = found.get("kind", self.instance.kind)
        for name, kinds in _OF_KIND.items():
            if kind and kind not in kinds and name in found:
                found[name] = 1 if name == "most_times" else None
        for name, usual in _WITH_DEFAULT.items():
            if name in self.fields and found.get(name) is None and name not in self.errors:
                found[name] = usual
        if kind != _Kind.EXCHANGE:
            found |= {
                name: "" for name in found if name == "gift" or (name.startswith("gift_") and name != "gift_hours")
            }
        self._check_worth(kind)
        self._check_validity()
        self._check_hours()
        self._check_rest(kind)
        if self.is_held:
            self._check_only_wider()
        return found

    def _check_worth(self, kind: str) -> None:
        found = self.cleaned_data
        needed = _NEEDED.get(_Kind(kind)) if kind in _Kind.values else None
        if needed and needed in self.fields:
            self._ask_for(needed, _("Say how much."))
        if kind == _Kind.THRESHOLD and "min_spend_amount" not in self.errors:
            least, off = found.get("min_spend_amount"), found.get("off_amount")
            if not least:
                self.add_error("min_spend_amount", _("Say from which spend."))
            elif off and off > least:
                self.add_error("off_amount", _("It would take off more than is spent."))
        percent, multiplier = found.get("off_percent"), found.get("multiplier")
        if percent is not None and not 0 < percent <= 100:
            # xgettext:no-python-format
            self.add_error("off_percent", _("From above 0 to 100 %."))
        if multiplier is not None and not 1 < multiplier <= 20:
            self.add_error("multiplier", _("From above 1 to 20."))
        for name in ("off_amount", "cap_amount", "cost_amount", "budget_amount"):
            amount = found.get(name)
            if amount is not None and amount <= 0:
                self.add_error(name, _("More than 0, or empty."))

    def _check_validity(self) -> None:
        found = self.cleaned_data
        if found.get("validity") == VoucherTemplate.Validity.DATES:
            found |= {"validity_days": None, "starts_after_days": 0}
            self._forgive("validity_days", "starts_after_days")
            self._ask_for("valid_to", _("Say until when."))
            begins, ends = found.get("valid_from"), found.get("valid_to")
            if begins and ends and ends <= begins:
                self.add_error("valid_to", _("The end lies before the beginning."))
        elif found.get("validity") == VoucherTemplate.Validity.DAYS:
            found |= {"valid_from": None, "valid_to": None}
            self._forgive("valid_from", "valid_to")
            if not found.get("validity_days") and "validity_days" not in self.errors:
                self.add_error("validity_days", _("Say for how many days."))

    def _check_hours(self) -> None:
        if "hour_from" not in self.fields or {"hour_from", "hour_to"} & self.errors.keys():
            return
        begins, ends = self.cleaned_data.get("hour_from"), self.cleaned_data.get("hour_to")
        if (begins is None) != (ends is None):
            self.add_error("hour_to" if ends is None else "hour_from", _("Name both hours, or neither."))
        elif begins is not None and ends is not None:
            if begins > 23 or not 1 <= ends <= 24:
                self.add_error("hour_to", _("Hours go from 0 to 24."))
            elif begins == ends:
                self.add_error("hour_to", _("The hours are the same."))

    def _check_rest(self, kind: str) -> None:
        found = self.cleaned_data
        if found.get("stacking") == _Stacking.CLASS:
            if not found.get("stacking_class") and "stacking_class" not in self.errors:
                self.add_error("stacking_class", _("Name the group."))
        elif "stacking_class" in found:
            found["stacking_class"] = ""
        if found.get("is_given_back") is False:
            found["grace_days"] = 0
        for name in ("most_held", "most_used_per_day"):
            if found.get(name) == 0:
                self.add_error(name, _("At least 1, or empty."))
        says_cost = kind in (_Kind.AMOUNT, _Kind.THRESHOLD) or found.get("cap_amount") or found.get("cost_amount")
        if found.get("budget_amount") and not says_cost and "cost_amount" not in self.errors:
            self.add_error("cost_amount", _("A budget needs to know what one costs you."))

    def _check_only_wider(self) -> None:
        for name in WIDENED:
            before, after = set(getattr(self.instance, name)), set(self.cleaned_data.get(name) or ())
            is_narrower = bool(after) and (not before or not before <= after)
            if is_narrower and name not in self.errors:
                self.add_error(name, _("Members hold vouchers of this template: it can only become wider."))

    def _ask_for(self, name: str, complaint: Any) -> None:
        if self.cleaned_data.get(name) is None and name not in self.errors:
            self.add_error(name, complaint)

    def _forgive(self, *names: str) -> None:
        for name in names:
            self.errors.pop(name, None)


_WITH_DEFAULT: Final = {
    "min_spend_amount": 0, "most_times": 1, "starts_after_days": 0, "priority": 0, "grace_days": 0, "most_gifts": 1,
    "gift_hours": 24,
}  # fmt: skip


def template_warnings(template: VoucherTemplate) -> list[str]:
    """Return a sentence for each thing that staff may have forgotten: one query at most."""
    found = []
    missing = [str(label) for code, label in settings.LANGUAGES if code.lower() not in labels_of(template, "name")]
    if missing:
        found.append(_now("The name is missing in: %(languages)s.") % {"languages": enumerated(missing)})
    if template.kind == _Kind.PERCENT and template.cap_amount is None:
        found.append(_now("No limit in money: one large order can cost any amount."))
    if template.kind == _Kind.EXCHANGE and not template.gift:
        found.append(_now("It does not say what it is exchanged for; the till reads only its name."))
    if template.kind == _Kind.AMOUNT and not template.min_spend_amount:
        found.append(_now("No least spend: it can pay for a whole order."))
    if (template.validity_days or 0) > 366:
        found.append(_now("It is valid for more than a year; what is owed to members grows all the while."))
    if template.stacking == _Stacking.FREE:
        found.append(_now("It combines with itself: a member can use several in one order."))
    if template.budget_amount is None and template.most_held is None:
        found.append(_now("There is neither a budget nor a limit per member."))
    return [*found, *_unknown_goods(template)]


def _unknown_goods(template: VoucherTemplate) -> list[str]:
    if not template.skus:
        return []
    known = set(Product.objects.filter(sku__in=template.skus).values_list("sku", flat=True))
    unknown = [sku for sku in template.skus if sku not in known]
    if not unknown:
        return []
    words = ngettext(
        "%(count)s article number is not in the catalogue: %(some)s.",
        "%(count)s article numbers are not in the catalogue: %(some)s.",
        len(unknown),
    )
    return [words % {"count": len(unknown), "some": enumerated(unknown[:_NAMED])}]


def _words(field: Any) -> dict[str, Any]:
    return {"label": capfirst(str(field.label)), "help_text": field.help_text, "required": False}
