"""What is wrong, or odd, with the rules of a version before anybody is judged by them. Pure but for the words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from django.utils.translation import gettext as _

from loyalty.criteria import Criteria, Metric
from loyalty.ladder import Ladder, Step
from loyalty.wording import METRIC_LABELS, amount_of, listed


@dataclass(frozen=True, slots=True)
class Lint:
    """Something to look at, in words; an error keeps the version from being published."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class TierWords:
    """A tier as lints speak of it: its name, the languages in which it has none, and whether it is only given by hand."""

    name: str
    missing_languages: tuple[str, ...] = ()
    is_by_hand: bool = False
    has_holders: bool = False


def lints_of(ladder: Ladder, tiers: Mapping[int, TierWords], *, lowest_tier_id: int | None) -> list[Lint]:
    """Return what there is to say about the rules, errors first. `tiers` are all tiers there are."""
    found = [
        *_whole(ladder, tiers, lowest_tier_id),
        *(lint for step in ladder.steps for lint in _tier(ladder, step, tiers[step.tier_id])),
        *(lint for below, above in pairwise(ladder.steps) for lint in _neighbours(below, above, tiers)),
    ]
    return sorted(found, key=lambda lint: not lint.is_error)


def _whole(ladder: Ladder, tiers: Mapping[int, TierWords], lowest_tier_id: int | None) -> Iterator[Lint]:
    if not ladder.steps:
        yield Lint(_("No tier is in this version."), is_error=True)
        return
    if ladder.lowest.tier_id != lowest_tier_id:
        yield Lint(_("The tier in which everybody starts is missing."), is_error=True)
    if ladder.lowest.rise.thresholds and any(value for _metric, value in ladder.lowest.rise):
        text = _("Everybody starts in %(tier)s, so what is asked to rise to it is never looked at.")
        yield Lint(text % {"tier": tiers[ladder.lowest.tier_id].name})
    asked = {metric for step in ladder.steps for criteria in (step.rise, step.keep) for metric, _value in criteria}
    weights = ladder.lowest.rise.weights
    if "score" in asked and not weights:
        yield Lint(_("A score is asked for, but nothing is weighed in it."), is_error=True)
    if weights and "score" not in asked:
        yield Lint(_("Weights of a score are set, but no tier asks for a score."))
    if ("activity" in asked or ("score" in asked and "activity" in weights)) and not ladder.activity_scores:
        yield Lint(_("Activity points are asked for, but no activity counts any."), is_error=True)
    on_ladder = {step.tier_id for step in ladder.steps}
    for tier_id, tier in tiers.items():
        if tier_id not in on_ladder and tier.has_holders:
            text = _("%(tier)s is not in this version; whoever holds it falls at the next review.")
            yield Lint(text % {"tier": tier.name})


def _tier(ladder: Ladder, step: Step, tier: TierWords) -> Iterator[Lint]:
    if tier.missing_languages:
        words = {"tier": tier.name, "languages": listed(tier.missing_languages)}
        yield Lint(_("%(tier)s has no name in: %(languages)s.") % words, is_error=True)
    if step == ladder.lowest:
        return
    name = {"tier": tier.name}
    if not step.rise.thresholds and not tier.is_by_hand:
        text = _("Nothing is asked to rise to %(tier)s. If it is only given by hand, say so there.")
        yield Lint(text % name, is_error=True)
    if step.rise.thresholds and tier.is_by_hand:
        yield Lint(_("%(tier)s is only given by hand, but something is asked to rise to it.") % name, is_error=True)
    if step.rise.thresholds and all(value == 0 for _metric, value in step.rise):
        yield Lint(_("0 is asked to rise to %(tier)s: everybody reaches it.") % name, is_error=True)
    if step.rise.thresholds and not step.keep.thresholds:
        yield Lint(_("Nothing is asked to keep %(tier)s: whoever reached it keeps it for ever.") % name)
    yield from _keep_against_rise(step, name)
    for criteria in (step.rise, step.keep):
        if criteria.least > len(criteria.thresholds) > 0:
            yield Lint(_("More conditions of %(tier)s have to be met than there are.") % name)


def _keep_against_rise(step: Step, name: Mapping[str, str]) -> Iterator[Lint]:
    rise = dict(step.rise)
    for metric, keep in step.keep:
        if metric in rise and keep > rise[metric]:
            words = {**name, **_said(metric, keep, rise[metric])}
            text = _("Keeping %(tier)s takes more than rising to it: %(metric)s %(one)s against %(other)s.")
            yield Lint(text % words, is_error=True)
        elif metric not in rise and step.rise.thresholds:
            words = {**name, "metric": str(METRIC_LABELS[metric])}
            yield Lint(_("Keeping %(tier)s asks for %(metric)s, rising to it does not.") % words)


def _neighbours(below: Step, above: Step, tiers: Mapping[int, TierWords]) -> Iterator[Lint]:
    names = {"below": tiers[below.tier_id].name, "above": tiers[above.tier_id].name}
    for lower, upper, is_rise in ((below.rise, above.rise, True), (below.keep, above.keep, False)):
        for metric, low, high in _shared(lower, upper):
            words = {**names, **_said(metric, high, low)}
            if high < low and is_rise:
                text = _(
                    "Rising to %(above)s takes less than rising to %(below)s: %(metric)s %(one)s against %(other)s."
                )
                yield Lint(text % words, is_error=True)
            elif high < low:
                text = _("Keeping %(above)s takes less than keeping %(below)s: %(metric)s %(one)s against %(other)s.")
                yield Lint(text % words, is_error=True)
            elif high == low and is_rise and len(lower.thresholds) == len(upper.thresholds) == 1:
                text = _("Rising to %(above)s takes the same as to %(below)s, so nobody stays in %(below)s.")
                yield Lint(text % words)
    if above.points_multiplier < below.points_multiplier:
        text = _("%(above)s gets fewer points for the same purchase than %(below)s.")
        yield Lint(text % names)


def _shared(lower: Criteria, upper: Criteria) -> Iterator[tuple[Metric, Decimal, Decimal]]:
    high = dict(upper)
    for metric, value in lower:
        if metric in high:
            yield metric, value, high[metric]


def _said(metric: Metric, one: Decimal, other: Decimal) -> dict[str, str]:
    return {"metric": str(METRIC_LABELS[metric]), "one": amount_of(metric, one), "other": amount_of(metric, other)}
