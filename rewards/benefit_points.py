"""The benefits by which a tier gives more points, as values; made anew whenever the book of benefits was read anew."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from loyalty.benefit_book import GivenBenefit, benefits_of_tier
from loyalty.benefit_rules import multiplies
from loyalty.models import Benefit
from loyalty.queries import ladder_book
from rewards.earning import MorePoints
from rewards.models import Category
from rewards.queries import labels_of

_Given = tuple[GivenBenefit, ...]
# By version of the ladder and tier: what the book gave, and what was made of it.
_made: dict[tuple[int, int], tuple[_Given, tuple[MorePoints, ...]]] = {}


def more_points_of(tier_id: int, moment: datetime) -> tuple[MorePoints, ...]:
    """Return what a tier adds to the points of orders of a moment, mostly nothing. Raises NoLadder.

    Costs no query while the book of benefits is fresh; else one more where goods are named.
    """
    ladder_id = ladder_book().at(moment).id
    given = benefits_of_tier(ladder_id, tier_id)
    if not given:
        return ()
    made = _made.get((ladder_id, tier_id))
    if made is None or made[0] is not given:
        made = _made[ladder_id, tier_id] = given, _values(given)
    return made[1]


def _values(given: _Given) -> tuple[MorePoints, ...]:
    found = [one for one in given if one.benefit.kind == Benefit.Kind.MULTIPLIER and multiplies(one.figure, one.quota)]
    ids = _category_ids([code for one in found for code in one.benefit.category_codes])
    return tuple(_value(one, ids) for one in found)


def _category_ids(codes: Sequence[str]) -> dict[str, int]:
    return dict(Category.objects.filter(code__in=codes).values_list("code", "pk")) if codes else {}


def _value(given: GivenBenefit, category_ids: dict[str, int]) -> MorePoints:
    benefit, codes = given.benefit, given.benefit.category_codes
    begin, end = benefit.hours_from, benefit.hours_to
    return MorePoints(
        ref=f"benefit:{benefit.code}",
        names=labels_of(benefit, "name"),
        factor=given.figure or Decimal(1),
        category_ids=frozenset(category_ids[code] for code in codes if code in category_ids) if codes else None,
        weekdays=frozenset(benefit.weekdays),
        hours=None if begin is None or end is None else (begin, end),
        store_ids=given.store_ids,
    )
