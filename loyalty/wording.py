"""Metrics and thresholds in the active language, with their units."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.criteria import Criteria, Figure, Metric
from members.figures import grouped, money
from members.queries import programme

METRIC_LABELS: Final[dict[Metric, Promise]] = {
    "credits": gettext_lazy("tier credits"),
    "spend": gettext_lazy("spend"),
    "orders": gettext_lazy("orders"),
    "active_days": gettext_lazy("active days"),
    "activity": gettext_lazy("activity points"),
    "tenure_months": gettext_lazy("months of membership"),
    "score": gettext_lazy("score"),
}


def amount_of(metric: Metric, value: Decimal) -> str:
    """Return a value of a metric as people read it: money with its currency, everything else as a number."""
    if metric == "spend":
        return money(value, programme().currency)
    return grouped(int(value) if value == value.to_integral_value() else value)


def figure_words(figure: Figure) -> str:
    """Return a figure beside what is needed, and what returns took back of it."""
    words = {
        "metric": METRIC_LABELS[figure.metric],
        "have": amount_of(figure.metric, figure.have),
        "needed": amount_of(figure.metric, figure.needed),
        "returned": amount_of(figure.metric, figure.returned),
    }
    if figure.returned:
        return _("%(metric)s %(have)s of %(needed)s (returns took back %(returned)s)") % words
    return _("%(metric)s %(have)s of %(needed)s") % words


def figures_words(figures: Sequence[Figure], must: int) -> str:
    """Return figures one after another, and how many of them are needed where not all are."""
    told = listed([figure_words(figure) for figure in figures])
    if 0 < must < len(figures):
        return ngettext(
            "%(figures)s; %(number)s of these is needed", "%(figures)s; %(number)s of these are needed", must
        ) % {"figures": told, "number": must}
    return told


def criteria_sentence(criteria: Criteria) -> str:
    """Return what is asked for: tier credits 1,500; or: any one of: spend ¥5,000.00, orders 20."""
    asked = listed(
        [
            _("%(metric)s %(needed)s") % {"metric": METRIC_LABELS[metric], "needed": amount_of(metric, needed)}
            for metric, needed in criteria
        ]
    )
    if not criteria.thresholds:
        return _("only by hand")
    if 0 < criteria.must < len(criteria.thresholds):
        words = ngettext("%(number)s of these: %(asked)s", "%(number)s of these: %(asked)s", criteria.must)
        return words % {"number": criteria.must, "asked": asked}
    return asked


def listed(items: Sequence[str]) -> str:
    """Return items of equal weight one after another."""
    return _(", ").join(items)
