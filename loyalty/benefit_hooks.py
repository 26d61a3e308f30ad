"""What benefits say where others ask: what plans cost by them, what tasks unlock, what the published page tells of tiers."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from loyalty.benefit_book import GivenBenefit, benefits_under
from loyalty.benefit_costs import register_benefit_cost
from loyalty.benefit_queries import cost_through_plan, names_of_given
from loyalty.benefit_words import cell_words, member_sentence
from loyalty.ladder import Ladder
from loyalty.rules_page import Line, register_tier_rules
from loyalty.unlocks import register_benefits

_GIVEN = Decimal(1)


def register() -> None:
    """Answer for benefits. Called once, from `AppConfig.ready()`."""
    register_benefit_cost("benefits", cost_through_plan)
    register_benefits(names_of_given)
    register_tier_rules("benefits", order=10, lines=tier_lines, gives=tier_figures)


def tier_lines(moment: datetime, ladder: Ladder) -> dict[str, list[Line]]:
    """Return a sentence for each benefit in use that a tier of a ladder gives, by the code of the tier."""
    given = benefits_under(ladder.id)
    return {step.code: [_line(one) for one in given.get(step.tier_id, ())] for step in ladder.steps}


def tier_figures(moment: datetime, ladder: Ladder) -> dict[str, dict[str, Decimal]]:
    """Return what tiers give of each benefit by its name, and of its uses where all tiers that give it count them."""
    given = benefits_under(ladder.id)
    by_benefit: dict[int, list[tuple[str, GivenBenefit]]] = defaultdict(list)
    for step in ladder.steps:
        for one in given.get(step.tier_id, ()):
            by_benefit[one.benefit.pk].append((step.code, one))
    found: dict[str, dict[str, Decimal]] = {}
    for cells in by_benefit.values():
        found |= dict(_figures(cells))
    return found


def _figures(cells: list[tuple[str, GivenBenefit]]) -> Iterator[tuple[str, dict[str, Decimal]]]:
    name = cells[0][1].benefit.name
    is_counted = all(one.quota is not None for _code, one in cells)
    if is_counted:
        words = _("%(benefit)s (uses)") % {"benefit": name}
        yield words, {code: Decimal(one.quota or 0) for code, one in cells}
    if not is_counted or any(one.figure is not None for _code, one in cells):
        yield name, {code: _GIVEN if one.figure is None else one.figure for code, one in cells}


def _line(given: GivenBenefit) -> Line:
    benefit, figure, quota = given.benefit, given.figure, given.quota
    said = member_sentence(benefit, figure, quota)
    # What staff left out of their sentence is said after it.
    untold = (None if "{figure}" in benefit.sentence else figure, None if "{quota}" in benefit.sentence else quota)
    if benefit.sentence and untold != (None, None):
        said = _("%(sentence)s (%(figures)s)") % {"sentence": said, "figures": cell_words(benefit, *untold)}
    words = _("%(name)s: %(sentence)s") % {"name": benefit.name, "sentence": said}
    sense = (
        benefit.kind,
        "" if figure is None else f"{figure.normalize():f}",
        quota or "",
        benefit.period if quota else "",
    )
    return Line(
        f"benefit_{benefit.pk}", benefit.name if said == benefit.name else words, " ".join(map(str, sense)).strip()
    )
