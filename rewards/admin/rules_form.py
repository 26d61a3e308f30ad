"""The form of an earn rule: what it gives, to whom, where and when, within which limits. Typed fields, no codes."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from modeltranslation.utils import build_localized_fieldname
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.admin.condition_editor import ConditionField
from members.models import ActivityKind, Channel, Store
from members.queries import programme
from rewards.models import Category, EarnRule, EarnRuleVersion, PointsCurrency
from rewards.models.rules import BIRTHDAY

NAME_FIELDS: Final = tuple(build_localized_fieldname("name", code) for code, _label in settings.LANGUAGES)
_MOST_WORDS: Final = 500
_FIXED, _STEP = "fixed", "step"
#: The blocks of the form. A field that a kind of rule does not have is left out.
BLOCKS: Final = (
    ("rule", _("Rule"), (*NAME_FIELDS, "currency", "activity_kind")),
    (
        "gives",
        _("What it gives"),
        (
            "mode", "priority", "gives", "points_fixed", "points_per_step", "step_amount", "basis", "rounding",
            "gets_tier_multiplier", "gets_promotions", "pending_days", "expiry_months",
        ),
    ),
    ("who", _("Who"), ("condition", "first_order_only", "min_orders", "within_days")),
    (
        "where",
        _("What, where and when"),
        (
            "min_spend_amount", "category_ids", "skus", "brands", "excluded_category_ids", "excluded_skus", "excluded_brands",
            "channel_ids", "store_ids", "weekdays", "hour_from", "hour_to", "valid_from", "valid_to",
        ),
    ),
    (
        "limits",
        _("Limits"),
        (
            "cap_order_points", "cap_day_points", "cap_month_points", "cap_member_points", "cap_day_count", "cap_month_count",
            "budget_points",
        ),
    ),
    ("note", _("For colleagues"), ("note",)),
)  # fmt: skip
_SPEND_ONLY = frozenset(
    {
        "mode", "priority", "basis", "first_order_only", "min_orders", "within_days", "min_spend_amount", "category_ids",
        "skus", "brands", "excluded_category_ids", "excluded_skus", "excluded_brands", "cap_order_points", "gets_promotions",
    }
)  # fmt: skip
_BEHAVIOUR_ONLY = frozenset({"activity_kind", "cap_day_count", "cap_month_count"})
_NOT_FOR_BIRTHDAYS = ("channel_ids", "store_ids", "weekdays", "hour_from", "hour_to")
#: On which choice of another field a field is shown: the classes of portal.css hide the others.
SHOWN_WHEN: Final = {
    "points_fixed": "gives-fixed",
    "points_per_step": "gives-step",
    "step_amount": "gives-step",
    "basis": "gives-step",
    "rounding": "gives-step",
    "priority": "mode-base",
}


class WordsField(forms.CharField):
    """A list of words as people type it: separated by commas or new lines."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        words = [word.strip() for word in re.split(r"[,，、;；\n]", str(value or "")) if word.strip()]
        if len(words) > _MOST_WORDS:
            raise ValidationError(_("At most %(most)s entries."), params={"most": _MOST_WORDS})
        for word in words:
            if len(word) > 60:
                raise ValidationError(_("“%(word)s” is too long."), params={"word": word[:60]})
        return list(dict.fromkeys(words))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


class RuleForm(forms.Form):
    """What a version says. Bound to a kind of rule; the currency and the behaviour are asked only for a new one."""

    currency = forms.TypedChoiceField(label=_("points currency"), coerce=int, widget=UnfoldAdminSelectWidget)
    activity_kind = forms.ChoiceField(
        label=_("behaviour"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("What members do for these points. Birthdays come by themselves, once a year."),
    )
    gives = forms.ChoiceField(
        label=_("Points"), choices=((_STEP, _("for each step")), (_FIXED, _("fixed"))), widget=UnfoldAdminSelectWidget
    )

    def __init__(
        self, data: Any = None, *, kind: str, version: EarnRuleVersion | None = None, condition_address: str
    ) -> None:
        self.kind = kind
        self.version = version or EarnRuleVersion(rule=EarnRule(kind=kind))
        super().__init__(data, initial=_initial(self.version))
        self._add_names()
        for name in _TYPED:
            self.fields[name] = _typed(name, self.version)
        self.fields["condition"] = ConditionField(address=condition_address, label=_("Members"))
        self._fit(is_new=version is None)

    @property
    def is_spend(self) -> bool:
        """Whether the rule is for purchases."""
        return self.kind == EarnRule.Kind.SPEND

    def _add_names(self) -> None:
        for (code, label), name in zip(settings.LANGUAGES, NAME_FIELDS, strict=True):
            self.fields[name] = forms.CharField(
                label=_("Name (%(language)s)") % {"language": label}, max_length=80, required=code == settings.LANGUAGES[0][0],
                widget=UnfoldAdminTextInputWidget,
                help_text=_("Members read it on receipts and in the app.") if code == settings.LANGUAGES[0][0] else "",
            )  # fmt: skip

    def _fit(self, *, is_new: bool) -> None:
        """Drop what this kind of rule does not have, and fill the choices."""
        gone = set(_BEHAVIOUR_ONLY if self.is_spend else _SPEND_ONLY)
        if not is_new:
            gone |= {"currency", "activity_kind"}
        if not is_new and self.version.rule.activity_kind == BIRTHDAY:
            gone |= {*_NOT_FOR_BIRTHDAYS}
        for name in gone & self.fields.keys():
            del self.fields[name]
        if "currency" in self.fields:
            self.fields["currency"].choices = [(row.pk, row.name) for row in PointsCurrency.objects.order_by("pk")]  # type: ignore[attr-defined]
        if "activity_kind" in self.fields:
            kinds = [(row.code, row.name) for row in ActivityKind.objects.order_by("code") if row.is_on]
            self.fields["activity_kind"].choices = [(BIRTHDAY, _("birthday")), *kinds]  # type: ignore[attr-defined]

    def blocks(self) -> list[tuple[str, str | Promise, list[tuple[forms.BoundField, str]]]]:
        """Return (key, title, fields with the class by which they are shown or hidden) of each block."""
        return [
            (key, title, [(self[name], SHOWN_WHEN.get(name, "")) for name in names if name in self.fields])
            for key, title, names in BLOCKS
            if any(name in self.fields for name in names)
        ]

    def clean(self) -> dict[str, Any]:
        """Keep what the choices ask for; complain, at its field, about what does not go together."""
        found = self.cleaned_data
        if found.get("gives") == _FIXED:
            found |= {"points_per_step": 1, "step_amount": 1, "basis": "order", "rounding": "floor"}
            self._forgive("points_per_step", "step_amount", "basis", "rounding")
            self._ask_for("points_fixed", _("Say how many points."))
        else:
            found["points_fixed"] = None
            self._forgive("points_fixed")
            self._ask_for("points_per_step", _("Say how many points."))
            self._ask_for("step_amount", _("Say for how much."))
        if found.get("mode") == EarnRuleVersion.Mode.EXTRA:
            found["priority"] = 0
            self._forgive("priority")
        found["priority"] = found.get("priority") or 0
        for name, fallback in (("pending_days", 0), ("min_spend_amount", 0)):
            found[name] = found.get(name) or fallback
        self._ask_for("expiry_months", _("Say after how many months."))
        self._check_pair("hour_from", "hour_to", _("Name both hours, or neither."))
        if found.get("hour_from") is not None and found.get("hour_from") == found.get("hour_to"):
            self.add_error("hour_to", _("The hours are the same."))
        self._check_pair("min_orders", "within_days", _("Say both how many orders and within how many days."))
        begins, ends = found.get("valid_from"), found.get("valid_to")
        if begins and ends and ends <= begins:
            self.add_error("valid_to", _("The end lies before the beginning."))
        if not self.is_spend:
            found["gets_promotions"] = not found.get("budget_points")  # no promotion reaches behaviour
        if found.get("budget_points") and (found.get("gets_tier_multiplier") or found.get("gets_promotions")):
            self.add_error(
                "budget_points", _("With a budget, points are multiplied neither by tiers nor by promotions.")
            )
        return found

    def _forgive(self, *names: str) -> None:
        for name in names:
            self.errors.pop(name, None)

    def _ask_for(self, name: str, complaint: Any) -> None:
        if name in self.fields and self.cleaned_data.get(name) is None and name not in self.errors:
            self.add_error(name, complaint)

    def _check_pair(self, one: str, other: str, complaint: Any) -> None:
        if one not in self.fields or one in self.errors or other in self.errors:
            return
        missing = [name for name in (one, other) if self.cleaned_data.get(name) is None]
        if len(missing) == 1:
            self.add_error(missing[0], complaint)

    def names(self) -> dict[str, str]:
        """Return the columns of the name, one for each language."""
        return {field: self.cleaned_data.get(field, "") for field in NAME_FIELDS}

    def terms(self) -> dict[str, Any]:
        """Return what the version is to say, by column; what could not be read is left out."""
        found = {name: self.cleaned_data[name] for name in (*_TYPED, "condition") if name in self.cleaned_data}
        return found | {"points_fixed": self.cleaned_data.get("points_fixed")}

    def said(self) -> EarnRuleVersion:
        """Return a version, not saved, that says what can be read of the form."""
        rule = EarnRule(
            pk=self.version.rule.pk,
            kind=self.kind,
            activity_kind=self.cleaned_data.get("activity_kind", self.version.rule.activity_kind),
            currency_id=self.cleaned_data.get("currency", self.version.rule.currency_id),
            **self.names(),
        )
        said = EarnRuleVersion(rule=rule, number=self.version.number or 1)
        for name, value in {**_initial(self.version), **self.terms()}.items():
            if name in _COLUMNS:
                setattr(said, name, value)
        return said


def _initial(version: EarnRuleVersion) -> dict[str, Any]:
    """Return what a version says, as the form's first values."""
    found = {name: getattr(version, name) for name in _COLUMNS}
    found["gives"] = _STEP
    if version.points_fixed is not None or (version._state.adding and version.rule.kind == EarnRule.Kind.BEHAVIOUR):
        found["gives"] = _FIXED
    return found | {name: getattr(version.rule, name, "") or "" for name in NAME_FIELDS}


# --- Fields ------------------------------------------------------------------------------------------------------------
_WHOLE = {
    "points_fixed": (1, None), "points_per_step": (1, None), "pending_days": (0, 3_660), "expiry_months": (1, 600),
    "priority": (-1_000, 1_000), "hour_from": (0, 23), "hour_to": (1, 24), "min_orders": (1, 10_000),
    "within_days": (1, 3_660), "cap_order_points": (1, None), "cap_day_points": (1, None), "cap_month_points": (1, None),
    "cap_member_points": (1, None), "cap_day_count": (1, 10_000), "cap_month_count": (1, 10_000),
    "budget_points": (1, None),
}  # fmt: skip
_MOST_WHOLE: Final = 2_000_000_000
_CENT: Final = Decimal("0.01")
_AMOUNTS = ("step_amount", "min_spend_amount")
_CHOICES = ("mode", "basis", "rounding")
_SWITCHES = ("first_order_only", "gets_tier_multiplier", "gets_promotions")
_LISTS = ("skus", "brands", "excluded_skus", "excluded_brands")
_ROWS: dict[str, type[Model]] = {
    "category_ids": Category, "excluded_category_ids": Category, "channel_ids": Channel, "store_ids": Store,
}  # fmt: skip
_MOMENTS = ("valid_from", "valid_to")
_TYPED: Final = (*_WHOLE, *_AMOUNTS, *_CHOICES, *_SWITCHES, *_LISTS, *_ROWS, *_MOMENTS, "weekdays", "note")
_COLUMNS: Final = frozenset({*_TYPED, "condition"})


def _typed(name: str, version: EarnRuleVersion) -> forms.Field:
    """Return the field of a column, with the words of the model."""
    column: Any = EarnRuleVersion._meta.get_field(name)
    words: dict[str, Any] = {"label": capfirst(column.verbose_name), "help_text": column.help_text, "required": False}
    if name in _WHOLE:
        least, most = _WHOLE[name]
        return forms.IntegerField(
            min_value=least, max_value=most or _MOST_WHOLE, widget=UnfoldAdminIntegerFieldWidget, **words
        )
    if name in _AMOUNTS:
        if name == "step_amount" and version.rule.kind == EarnRule.Kind.BEHAVIOUR:
            words |= {
                "label": _("Step (of the figure)"),
                "help_text": _("1 point for each 10 of the figure: points 1, step 10."),
            }
        else:
            words["label"] = f"{words['label']} ({programme().currency})"
        least_amount = 0 if name == "min_spend_amount" else _CENT
        return forms.DecimalField(
            min_value=least_amount, max_digits=10, decimal_places=2, widget=UnfoldAdminDecimalFieldWidget, **words
        )  # fmt: skip
    if name in _CHOICES:
        return forms.ChoiceField(choices=column.choices, widget=UnfoldAdminSelectWidget, **(words | {"required": True}))
    if name in _SWITCHES:
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget, **words)
    if name in _LISTS:
        return WordsField(**words)
    if name in _ROWS:
        return rows_field(_ROWS[name], getattr(version, name), words, boxes=name == "channel_ids")
    if name in _MOMENTS:
        return forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget, **words)
    if name == "weekdays":
        return forms.TypedMultipleChoiceField(
            coerce=int, choices=list(WEEKDAYS.items()), widget=UnfoldAdminCheckboxSelectMultipleWidget, **words
        )
    return forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, **words)


def rows_field(model: type[Model], kept: Iterable[int], words: dict[str, Any], *, boxes: bool) -> forms.Field:
    """Return a choice of rows by name. One that is chosen and gone stays, so that opening a form changes nothing."""
    choices = [(row.pk, str(row)) for row in model._default_manager.all()]
    known = {pk for pk, _label in choices}
    choices += [(pk, str(_("(deleted)"))) for pk in kept if pk not in known]
    widget = UnfoldAdminCheckboxSelectMultipleWidget() if boxes else UnfoldAdminSelect2MultipleWidget()
    return forms.TypedMultipleChoiceField(coerce=int, choices=choices, widget=widget, **words)
