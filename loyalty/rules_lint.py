"""What speaks against a programme before it is published, as sentences for staff in the active language.

Higher tiers have to be better in everything, to ask for clearly but not endlessly more than the tier below, and to give
clearly but not absurdly more; and a member has to be able to understand it all (loyalty/complexity.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from loyalty.complexity import ATTENTION, HARD, Complexity, Exceptional, Grade, Measured, Part, complexity_of
from loyalty.criteria import Criteria, Metric
from loyalty.ladder import Ladder, Step
from loyalty.wording import METRIC_LABELS, amount_of, listed

#: What tiers give: words → code of the tier → figure, more being better. A tier that is not named gives nothing of it.
Gives = Mapping[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within which ratio a tier stands to the one below: what it asks for, and what it gives."""

    least_asked: Decimal = Decimal("1.5")
    most_asked: Decimal = Decimal(5)
    least_given: Decimal = Decimal("1.05")
    most_given: Decimal = Decimal(3)


USUAL: Final = Bounds()

GRADES: Final[dict[Grade, Promise]] = {
    "easy": gettext_lazy("easy to understand"),
    "attention": gettext_lazy("takes attention"),
    "hard": gettext_lazy("hard to understand"),
}
_PARTS: Final[dict[Part, Promise]] = {
    "tiers": ngettext_lazy("%(count)s tier", "%(count)s tiers", "count"),
    "metrics": ngettext_lazy("%(count)s thing that is counted", "%(count)s things that are counted", "count"),
    "conditions": ngettext_lazy("%(count)s threshold", "%(count)s thresholds", "count"),
    "choices": ngettext_lazy(
        "%(count)s list of which only some is needed", "%(count)s lists of which only some is needed", "count"
    ),
    "exceptions": ngettext_lazy("%(count)s exception", "%(count)s exceptions", "count"),
    "periods": ngettext_lazy("%(count)s period to know", "%(count)s periods to know", "count"),
    "words": ngettext_lazy(
        "%(count)s word in the longest language", "%(count)s words in the longest language", "count"
    ),
}
EXCEPTIONS: Final[dict[Exceptional, Promise]] = {
    "by_hand": gettext_lazy("a tier that can not be reached by shopping"),
    "kept_freely": gettext_lazy("a tier that is kept without a condition"),
    "kept_otherwise": gettext_lazy("a tier that is kept by other things than it is reached by"),
    "waiting": gettext_lazy("members who have reached a tier wait for it"),
    "grace": gettext_lazy("grace near the line"),
    "carried_over": gettext_lazy("tier credits carried over"),
    "score": gettext_lazy("a score that nobody can work out in the head"),
    "activities": gettext_lazy("one more kind of activity that counts"),
}


def rules_lints(
    ladder: Ladder,
    names: Mapping[int, str],
    *,
    gives: Gives | None = None,
    words: Mapping[str, int] | None = None,
    bounds: Bounds = USUAL,
) -> tuple[str, ...]:
    """Return what staff should look at before these rules are published; nothing when all is well.

    `names` are those of the tiers by id, `gives` what tiers give beside points, `words` how long the page is by language.
    """
    found: list[str] = []
    for below, above in pairwise(ladder.steps):
        pair = {"above": names[above.tier_id], "below": names[below.tier_id]}
        is_asked = below is not ladder.lowest
        found += _asked(below, above, pair, bounds) if is_asked else ()
        found += _given(below, above, pair, gives or {}, bounds)
    return (*found, *_too_hard(complexity_of(ladder, words)))


def complexity_sentence(complexity: Complexity) -> str:
    """Return how hard it is, with the figure and its limits."""
    words = {"grade": GRADES[complexity.grade], "load": complexity.load, "attention": ATTENTION, "hard": HARD}
    return _("Load %(load)s: %(grade)s. From %(attention)s on it takes attention, from %(hard)s on it is hard.") % words


def part_words(part: Measured) -> str:
    """Return one part of the load by its count: 5 tiers."""
    return str(_PARTS[part.part] % {"count": part.count})


def _too_hard(complexity: Complexity) -> Iterator[str]:
    if complexity.grade == "easy":
        return
    reasons = listed([f"{part_words(part)} (+{part.load})" for part in complexity.heaviest])
    words = {"load": complexity.load, "limit": HARD if complexity.grade == "hard" else ATTENTION, "reasons": reasons}
    if complexity.grade == "hard":
        yield _("The programme is hard to understand: load %(load)s of %(limit)s. %(reasons)s.") % words
    else:
        yield _("The programme takes attention to understand: load %(load)s, from %(limit)s on. %(reasons)s.") % words


def _asked(below: Step, above: Step, pair: Mapping[str, str], bounds: Bounds) -> Iterator[str]:
    yield from _monotone(
        below.rise, above.rise, pair, _("%(above)s asks for less than %(below)s to rise: %(figures)s.")
    )
    yield from _monotone(
        below.keep, above.keep, pair, _("%(above)s asks for less than %(below)s to be kept: %(figures)s.")
    )
    if below.keep.thresholds and not above.keep.thresholds:
        yield _("%(above)s is kept without a condition, %(below)s is not.") % pair
    if not above.rise.thresholds:
        return
    asked = {metric for metric, _needed in above.rise}
    missing = [metric for metric, _needed in below.rise if metric not in asked]
    if missing and below.rise.must == len(below.rise.thresholds):
        metrics = listed([str(METRIC_LABELS[metric]) for metric in missing])
        yield _("%(above)s does not ask for what %(below)s asks for: %(metrics)s.") % {**pair, "metrics": metrics}
    for metric, low, high in _both(below.rise, above.rise):
        ratio = high / low if low else Decimal(0)
        figures = {**pair, "figures": _figures(metric, low, high), "ratio": f"{ratio:.2f}"}
        if low and low <= high < low * bounds.least_asked:
            limit = {"limit": f"{bounds.least_asked:f}"}
            yield (
                _(
                    "%(above)s lies close to %(below)s: %(figures)s, %(ratio)s times as much; at least %(limit)s is usual."
                )
                % (figures | limit)
            )
        elif low and high > low * bounds.most_asked:
            limit = {"limit": f"{bounds.most_asked:f}"}
            yield (
                _(
                    "%(above)s lies far from %(below)s: %(figures)s, %(ratio)s times as much; at most %(limit)s is usual."
                )
                % (figures | limit)
            )


def _monotone(below: Criteria, above: Criteria, pair: Mapping[str, str], text: str) -> Iterator[str]:
    for metric, low, high in _both(below, above):
        if high < low:
            yield text % {**pair, "figures": _figures(metric, low, high)}


def _both(below: Criteria, above: Criteria) -> Iterator[tuple[Metric, Decimal, Decimal]]:
    higher = dict(above.thresholds)
    for metric, low in below:
        if metric in higher:
            yield metric, low, higher[metric]


def _figures(metric: Metric, low: Decimal, high: Decimal) -> str:
    words = {"metric": METRIC_LABELS[metric], "high": amount_of(metric, high), "low": amount_of(metric, low)}
    return _("%(metric)s %(high)s against %(low)s") % words


def _given(below: Step, above: Step, pair: Mapping[str, str], gives: Gives, bounds: Bounds) -> Iterator[str]:
    low, high = below.points_multiplier, above.points_multiplier
    better = worse = False
    for label, figures in gives.items():
        less, more = figures.get(below.code, Decimal(0)), figures.get(above.code, Decimal(0))
        better, worse = better or more > less, worse or more < less
        if more < less:
            words = {**pair, "label": label, "more": f"{more.normalize():f}", "less": f"{less.normalize():f}"}
            yield _("%(above)s gives less than %(below)s: %(label)s %(more)s against %(less)s.") % words
    words = {**pair, "high": f"{high.normalize():f}", "low": f"{low.normalize():f}"}
    if high < low:
        yield _("%(above)s earns fewer points than %(below)s: %(high)s times against %(low)s times.") % words
    elif high < low * bounds.least_given and not better and not worse:
        yield (
            _(
                "%(above)s gives hardly more than %(below)s: points %(high)s times against %(low)s times, and nothing else."
            )
            % words
        )
    elif high > low * bounds.most_given:
        limit = {"limit": f"{bounds.most_given:f}"}
        text = _(
            "%(above)s gives far more than %(below)s: points %(high)s times against %(low)s times; at most %(limit)s times as much is usual."
        )
        yield text % (words | limit)
