"""The benefits that make orders cheaper, as values: discounts, member prices, free postage. Kept as long as the book of benefits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import connection

from loyalty.benefit_book import GivenBenefit, benefits_of_tier
from loyalty.benefit_rules import is_in_window
from loyalty.models import Benefit, Entitlement
from loyalty.queries import ladder_book
from members.plain_rows import PlainRows
from members.queries import programme
from rewards.deductions import PriceBenefit
from rewards.models import Category, MemberPrice, OrderHold
from rewards.queries import labels_of

KINDS: Final = (Benefit.Kind.DISCOUNT, Benefit.Kind.PRODUCTS, Benefit.Kind.SHIPPING)
_MOST_ENTITLEMENTS: Final = 200
_ENTITLEMENTS: Final = PlainRows(
    Entitlement,
    "WHERE member_id = %s AND state IN ('granted', 'used_up') AND valid_from <= %s AND valid_to > %s ORDER BY valid_to, id LIMIT %s",
)
_BENEFITS: Final = PlainRows(
    Benefit, "WHERE id = ANY (%s) AND kind = ANY (%s) AND is_on AND voucher_template_code = ''"
)
_STORES: Final = "SELECT benefit_id, store_id FROM loyalty_benefit_stores WHERE benefit_id = ANY (%s)"
_OVER: Final = PlainRows(OrderHold, "WHERE member_id = %s AND state = 'open' AND uses > 0 AND expires_at <= %s")


@dataclass(frozen=True, slots=True)
class _Priced:
    """What a tier gives of such a benefit, with the value that carts are worked out with."""

    given: GivenBenefit
    value: PriceBenefit


_Given = tuple[GivenBenefit, ...]
# By version of the ladder and tier: what the book gave, and what was made of it.
_made: dict[tuple[int, int], tuple[_Given, tuple[_Priced, ...]]] = {}


def price_benefits(
    *, tier_id: int, member_id: int, store_id: int | None, moment: datetime, counted: bool
) -> list[PriceBenefit]:
    """Return what makes orders of a member of a tier cheaper in a store at a moment; with `counted` also what is counted.

    One query for what is counted, more only where such uses are open; none otherwise while the book is fresh.
    """
    priced = _of_tier(tier_id, moment)
    found = [
        one.value for one in priced if one.given.quota is None and _is_usable(one.given.benefit, one.given.store_ids, store_id, moment)
    ]  # fmt: skip
    return [*found, *_counted(priced, member_id, store_id, moment)] if counted else found


def _of_tier(tier_id: int, moment: datetime) -> tuple[_Priced, ...]:
    ladder_id = ladder_book().at(moment).id
    given = benefits_of_tier(ladder_id, tier_id)
    if not given:
        return ()
    made = _made.get((ladder_id, tier_id))
    if made is None or made[0] is not given:
        wanted = [one for one in given if one.benefit.kind in KINDS and not one.benefit.voucher_template_code]
        values = _values([(one.benefit, one.figure) for one in wanted])
        priced = tuple(_Priced(one, values[one.benefit.pk]) for one in wanted if one.benefit.pk in values)
        made = _made[ladder_id, tier_id] = given, priced
    return made[1]


def _counted(priced: Sequence[_Priced], member_id: int, store_id: int | None, moment: datetime) -> list[PriceBenefit]:
    """Return benefits of which uses are left, each once, from what ends first. Holds past their end count as given back."""
    found = _ENTITLEMENTS.all(member_id, moment, moment, _MOST_ENTITLEMENTS)
    if not found:
        return []
    back = _given_back(member_id, moment)
    first: dict[int, Entitlement] = {}
    for row in found:
        if row.left + back.get(row.pk, 0) > 0:
            first.setdefault(row.benefit_id, row)
    benefits = {one.pk: one for one in _BENEFITS.all(list(first), [kind.value for kind in KINDS])}
    if not benefits:
        return []
    stores = _stores_of(benefits)
    figures = {one.given.benefit.pk: one.given.figure for one in priced}
    values = {one.given.benefit.pk: one.value for one in priced}
    values |= _values([(benefit, figures.get(pk)) for pk, benefit in benefits.items() if pk not in values])
    return [
        replace(values[pk], entitlement_id=row.pk)
        for pk, row in first.items()
        if pk in benefits and pk in values and _is_usable(benefits[pk], stores.get(pk, ()), store_id, moment)
    ]


def _stores_of(benefit_ids: Iterable[int]) -> Mapping[int, Sequence[int]]:
    """Return the stores in which benefits can be used; those that can be everywhere are left out."""
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STORES, [list(benefit_ids)])
        for benefit_id, store_id in cursor.fetchall():
            found.setdefault(benefit_id, []).append(store_id)
    return found


def _given_back(member_id: int, moment: datetime) -> Mapping[int, int]:
    """Return how many uses of entitlements holds past their end give back, whether or not the beat has come to them."""
    back: dict[int, int] = {}
    for hold in _OVER.all(member_id, moment):
        for _use, entitlement_id in hold.terms.get("uses", ()):
            back[entitlement_id] = back.get(entitlement_id, 0) + 1
    return back


def _is_usable(benefit: Benefit, stores: Collection[int], store_id: int | None, moment: datetime) -> bool:
    hours = (benefit.hours_from, benefit.hours_to) if benefit.hours_from and benefit.hours_to else None
    return is_in_window(
        weekdays=benefit.weekdays, hours=hours, stores=stores, store_id=store_id, at=moment, tz=programme().tz
    )


def _values(wanted: Iterable[tuple[Benefit, Decimal | None]]) -> dict[int, PriceBenefit]:
    """Return the values of benefits with their figures by id; one that would take nothing off is left out."""
    asked = list(wanted)
    codes = [code for benefit, _figure in asked for code in benefit.category_codes]
    ids = dict(Category.objects.filter(code__in=codes).values_list("code", "pk")) if codes else {}
    priced = [benefit.pk for benefit, _figure in asked if benefit.kind == Benefit.Kind.PRODUCTS]
    prices: dict[int, dict[str, Decimal]] = {}
    if priced:
        for benefit_id, sku, amount in MemberPrice.objects.filter(benefit__in=priced).values_list(
            "benefit_id", "sku", "price_amount"
        ):
            prices.setdefault(benefit_id, {})[sku] = amount
    found = {}
    for benefit, figure in asked:
        names = labels_of(benefit, "name")
        categories = frozenset(ids[code] for code in benefit.category_codes if code in ids)
        only = categories if benefit.category_codes else None
        if benefit.kind == Benefit.Kind.DISCOUNT and figure:
            found[benefit.pk] = PriceBenefit(benefit.code, names, percent=figure, category_ids=only)
        elif benefit.kind == Benefit.Kind.PRODUCTS and prices.get(benefit.pk):
            found[benefit.pk] = PriceBenefit(benefit.code, names, prices=prices[benefit.pk])
        elif benefit.kind == Benefit.Kind.SHIPPING:
            found[benefit.pk] = PriceBenefit(benefit.code, names)
    return found
