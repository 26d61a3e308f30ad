"""The form of a draft of the ladder: its terms, and a grid of tiers by what rising and keeping takes. And its dialogs."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator, validate_slug
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminColorInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty.criteria import METRICS, WEIGHED, Metric
from loyalty.models import ActivityScore, LadderVersion, Tier, TierRule
from loyalty.rules_advice import advice_on
from loyalty.services.versions import RuleTerms
from loyalty.versions import PLAN_FIELDS, begin_of, ladder_of
from loyalty.wording import METRIC_LABELS
from members.admin.dialogs import ReasonDialog
from members.models import ActivityKind
from members.queries import programme

_SETTINGS: Final = (
    "window", "qualifying_months", "validity_months", "rises", "soft_landing", "grace_percent", "grace_days",
    "carries_over", "credits_per_unit",
)  # fmt: skip
_LIMITS: Final = {
    "qualifying_months": (1, 60), "validity_months": (1, 60), "grace_percent": (0, 50), "grace_days": (0, 90),
    "credits_per_unit": (0, 1_000),
}  # fmt: skip
_MOST: Final = {
    "credits": 2_000_000_000,
    "orders": 2_000_000_000,
    "activity": 2_000_000_000,
    "active_days": 32_000,
    "tenure_months": 1_200,
}
_LEAST: Final = (
    (0, _("all of them")),
    (1, _("any one of them")),
    (2, _("any two of them")),
    (3, _("any three of them")),
)
#: Blocks of the form beside the grid: key, title, fields.
BLOCKS: Final = (
    ("period", _("What counts, and how long a tier is held"), ("window", "qualifying_months", "validity_months", "credits_per_unit", "carries_over")),
    ("moves", _("Rising and falling"), ("rises", "soft_landing", "grace_percent", "grace_days")),
    ("plan", _("When, and why"), ("planned_date", "notice_date", "haste_reason", "note")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GridRow:
    """One tier in the grid: its fields for rising and for keeping in the order of the metrics shown, and the rest."""

    tier: Tier
    is_lowest: bool
    on_ladder: forms.BoundField
    rise: list[forms.BoundField]
    keep: list[forms.BoundField]
    rise_least: forms.BoundField | None
    keep_least: forms.BoundField | None
    by_hand: forms.BoundField | None
    multiplier: forms.BoundField


class VersionForm(forms.Form):
    """What a draft says. Metrics that no tier asks for are not shown until they are ticked."""

    metrics = forms.MultipleChoiceField(
        label=_("What a tier may ask for"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        choices=[(metric, METRIC_LABELS[metric]) for metric in METRICS],
        help_text=_("Tick something and save to have a column for it."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, version: LadderVersion, also: Collection[str] = ()) -> None:
        self.version = version
        self.also = frozenset(also if data is None else data.getlist("metrics"))
        self.rules = {rule.tier_id: rule for rule in TierRule.objects.filter(ladder=version)}
        self.tiers = list(Tier.objects.order_by("rank"))
        self.used = self._used()
        super().__init__(data, initial=self._initial())
        for name in (*_SETTINGS, *PLAN_FIELDS):
            self.fields[name] = _term_field(name)
        for tier in self.tiers:
            self._add_tier(tier)
        self.kinds: list[ActivityKind] = []
        if "score" in self.used:
            for metric in WEIGHED:
                self.fields[f"weight_{metric}"] = forms.DecimalField(
                    label=capfirst(str(LadderVersion._meta.get_field(f"weight_{metric}").verbose_name)),  # type: ignore[union-attr]
                    min_value=0, max_digits=8, decimal_places=3, required=False, widget=_number("any"),
                )  # fmt: skip
        if {"score", "activity"} & set(self.used):
            self.kinds = list(ActivityKind.objects.order_by("code"))
            for kind in self.kinds:
                self.fields[f"score_{kind.pk}"] = forms.IntegerField(
                    label=str(kind), min_value=0, max_value=30_000, required=False, widget=_number()
                )

        for name, field in self.fields.items():
            if name.startswith("t") and name[1:2].isdigit():  # in the grid, columns and rows name them for the eye only
                field.widget.attrs["aria-label"] = field.label

    def _used(self) -> list[Metric]:
        asked = {
            metric
            for rule in self.rules.values()
            for metric in METRICS
            if getattr(rule, f"rise_{metric}") or getattr(rule, f"keep_{metric}")
        }
        return [metric for metric in METRICS if metric in asked | self.also] or ["credits"]

    def _initial(self) -> dict[str, Any]:
        found: dict[str, Any] = {"metrics": self.used}
        for name in (*_SETTINGS, *PLAN_FIELDS, *(f"weight_{metric}" for metric in WEIGHED)):
            found[name] = getattr(self.version, name)
        for tier in self.tiers:
            rule = self.rules.get(tier.pk)
            found[f"t{tier.pk}_on"] = rule is not None
            for name in _rule_fields():
                found[f"t{tier.pk}_{name}"] = getattr(rule or TierRule(), name)
            for purpose in ("rise", "keep"):
                name = f"t{tier.pk}_{purpose}_least"
                found[name] = min(found[name], len(self.used), len(_LEAST) - 1)
        scores = ActivityScore.objects.filter(ladder=self.version).values_list("kind_id", "score")
        return found | {f"score_{kind_id}": score for kind_id, score in scores}

    def _add_tier(self, tier: Tier) -> None:
        start = f"t{tier.pk}_"
        self.fields[f"{start}on"] = forms.BooleanField(
            label=_("on the ladder"), required=False, widget=UnfoldBooleanSwitchWidget
        )
        if tier != self.tiers[0]:
            for purpose in ("rise", "keep"):
                for metric in self.used:
                    self.fields[f"{start}{purpose}_{metric}"] = _threshold(tier, purpose, metric)
                self.fields[f"{start}{purpose}_least"] = forms.TypedChoiceField(
                    label=_("how many"),
                    required=False,  # not shown for one metric, nor before a second one has its column
                    empty_value=None,
                    coerce=int,
                    choices=_LEAST[: len(self.used) + 1],
                    widget=UnfoldAdminSelectWidget,
                )
            self.fields[f"{start}is_by_hand"] = forms.BooleanField(
                label=_("only given by hand"), required=False, widget=UnfoldBooleanSwitchWidget
            )
        self.fields[f"{start}points_multiplier"] = forms.DecimalField(
            label=_("Points multiplier of %(tier)s") % {"tier": tier}, min_value=1, max_value=99, max_digits=4,
            decimal_places=2, widget=_number("0.01"),
        )  # fmt: skip

    def blocks(self) -> Iterator[tuple[str, Any, list[forms.BoundField]]]:
        """Return (key, title, fields) of each block beside the grid."""
        for key, title, names in BLOCKS:
            yield key, title, [self[name] for name in names]

    def grid(self) -> list[GridRow]:
        """Return the tiers, highest first, as a ladder stands."""
        return [self._row(tier) for tier in reversed(self.tiers)]

    def _row(self, tier: Tier) -> GridRow:
        start, is_lowest = f"t{tier.pk}_", tier == self.tiers[0]
        several = len(self.used) > 1 and not is_lowest
        return GridRow(
            tier=tier,
            is_lowest=is_lowest,
            on_ladder=self[f"{start}on"],
            rise=[] if is_lowest else [self[f"{start}rise_{metric}"] for metric in self.used],
            keep=[] if is_lowest else [self[f"{start}keep_{metric}"] for metric in self.used],
            rise_least=self[f"{start}rise_least"] if several else None,
            keep_least=self[f"{start}keep_least"] if several else None,
            by_hand=None if is_lowest else self[f"{start}is_by_hand"],
            multiplier=self[f"{start}points_multiplier"],
        )

    @property
    def metric_labels(self) -> list[str]:
        """The columns of the grid, with their units."""
        return [
            _("%(metric)s (%(currency)s)") % {"metric": METRIC_LABELS[metric], "currency": programme().currency}
            if metric == "spend"
            else str(METRIC_LABELS[metric])
            for metric in self.used
        ]

    @property
    def weights(self) -> list[forms.BoundField]:
        """What a score is made of, where one is asked for."""
        return [self[name] for name in self.fields if name.startswith("weight_")]

    @property
    def scores(self) -> list[forms.BoundField]:
        """What activities count, where they are asked for."""
        return [self[f"score_{kind.pk}"] for kind in self.kinds]

    def clean(self) -> dict[str, Any]:
        """Complain where keeping takes more than rising: the tables refuse it."""
        found = self.cleaned_data
        if found.get("carries_over") and found.get("window") == "rolling":
            self.add_error("carries_over", _("A rolling period carries nothing over."))
        for tier in self.tiers[1:]:
            for metric in self.used:
                rise, keep = (found.get(f"t{tier.pk}_{purpose}_{metric}") for purpose in ("rise", "keep"))
                if rise is not None and keep is not None and keep > rise:
                    self.add_error(f"t{tier.pk}_keep_{metric}", _("Keeping takes no more than rising."))
        return found

    def terms(self) -> dict[str, Any]:
        """Return what the version is to say, by column."""
        names = (*_SETTINGS, *PLAN_FIELDS, *(name for name in self.fields if name.startswith("weight_")))
        found = {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}
        for name, value in found.items():
            if value is None and (name.startswith("weight_") or name in _LIMITS):
                found[name] = Decimal(0) if name.startswith("weight_") else 0
        return found

    def rule_terms(self) -> list[RuleTerms]:
        """Return what the tiers on the ladder are to take and give; a metric just ticked asks for 0 until it is filled in."""
        found = []
        wanted = set(self.cleaned_data.get("metrics", self.used))
        for tier in self.tiers:
            start = f"t{tier.pk}_"
            if not self.cleaned_data.get(f"{start}on"):
                continue
            values = {
                name: self.cleaned_data[f"{start}{name}"]
                for name in _rule_fields()
                if f"{start}{name}" in self.cleaned_data
            }
            for purpose in ("rise", "keep"):
                values |= {f"{purpose}_{metric}": None for metric in self.used if metric not in wanted}
                if values.get(f"{purpose}_least") is None:
                    values[f"{purpose}_least"] = 0
            found.append(RuleTerms(tier.pk, values))
        return found

    def score_terms(self) -> dict[int, int] | None:
        """Return what activities count, by kind; None where they are not asked for."""
        if not self.kinds:
            return None
        scores = {kind.pk: self.cleaned_data.get(f"score_{kind.pk}") for kind in self.kinds}
        return {pk: score for pk, score in scores.items() if score}


def _rule_fields() -> Iterator[str]:
    for purpose in ("rise", "keep"):
        yield from (f"{purpose}_{metric}" for metric in METRICS)
        yield f"{purpose}_least"
    yield from ("is_by_hand", "points_multiplier")


def _number(step: str = "1") -> forms.NumberInput:
    return forms.NumberInput(attrs={"class": " ".join([*INPUT_CLASSES, "pn-short"]), "step": step, "min": 0})


def _threshold(tier: Tier, purpose: str, metric: Metric) -> forms.Field:
    label = capfirst(str(TierRule._meta.get_field(f"{purpose}_{metric}").verbose_name))  # type: ignore[union-attr]
    words: dict[str, Any] = {"label": f"{tier}: {label}", "required": False, "min_value": 0}
    if metric in ("spend", "score"):
        return forms.DecimalField(max_digits=12, decimal_places=2, widget=_number("0.01"), **words)
    return forms.IntegerField(max_value=_MOST[metric], widget=_number(), **words)


def _term_field(name: str) -> forms.Field:
    column: Any = LadderVersion._meta.get_field(name)
    words: dict[str, Any] = {"label": capfirst(column.verbose_name), "help_text": column.help_text}
    if column.choices:
        return forms.ChoiceField(choices=column.choices, widget=UnfoldAdminSelectWidget, **words)
    if name in _LIMITS:
        least, most = _LIMITS[name]
        return forms.IntegerField(min_value=least, max_value=most, widget=UnfoldAdminIntegerFieldWidget, **words)
    if name in ("soft_landing", "carries_over"):
        return forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget, **words)
    if name in ("planned_date", "notice_date"):
        return forms.DateField(required=False, widget=_date(), **words)
    return forms.CharField(max_length=300, required=False, widget=UnfoldAdminTextInputWidget, **words)


def _date() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date", "class": " ".join(INPUT_CLASSES)}, format="%Y-%m-%d")


class PreviewDialog(forms.Form):
    """As of which day."""

    day = forms.DateField(
        label=_("As if everybody were assessed on"), widget=_date(), input_formats=["%Y-%m-%d"],
        help_text=_("From the beginning of this day backwards. Later days know nothing of purchases still to come."),
    )  # fmt: skip


class PublishDialog(ReasonDialog):
    """What speaks against the version, as its approver will see it, and why it is to be published."""

    form_before_template = "portal/ladder/advice.html"

    def get_before_template_context(self, request: HttpRequest, object_id: int | str | None = None) -> dict[str, Any]:
        version = LadderVersion.objects.get(pk=int(object_id or 0))
        moment = begin_of(version.planned_date) if version.planned_date else timezone.now()
        return {"advice": advice_on(ladder_of(version.pk, moment=moment), moment)}


class InsertTierDialog(ReasonDialog):
    """What the new tier is called, and above which one it stands."""

    above = forms.TypedChoiceField(label=_("Right above"), coerce=int, widget=UnfoldAdminSelectWidget)
    code = forms.CharField(
        label=_("code"), max_length=30, validators=[validate_slug], widget=UnfoldAdminTextInputWidget,
        help_text=_("Small letters and digits, for other programs. It stays for ever."),
    )  # fmt: skip
    colour = forms.CharField(
        label=_("colour"), initial="#8a8f98", widget=UnfoldAdminColorInputWidget,
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$")],
    )  # fmt: skip
    field_order = ("above", "code", *(f"name_{code}" for code, _label in settings.LANGUAGES), "colour")

    def __init__(self, request: HttpRequest, object_id: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        del self.fields["reason"]
        self.fields["above"].choices = [(tier.pk, str(tier)) for tier in Tier.objects.order_by("-rank")]
        for code, label in settings.LANGUAGES:
            self.fields[f"name_{code}"] = forms.CharField(
                label=_("Name (%(language)s)") % {"language": label}, max_length=40, widget=UnfoldAdminTextInputWidget
            )
        self.order_fields(self.field_order)

    def names(self) -> Mapping[str, str]:
        """Return the names by language."""
        return {code: self.cleaned_data[f"name_{code}"] for code, _label in settings.LANGUAGES}
