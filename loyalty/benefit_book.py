"""Which tier gives what: all benefits and the grids of all versions of the ladder, kept for seconds in each process."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from loyalty.benefit_rules import Cell
from loyalty.models import Benefit, LadderVersion, TierBenefit
from loyalty.queries import ladder_book

_BOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class GivenBenefit:
    """What one tier gives of a benefit. `quota` is how many uses in a period; None without limit. `benefit` is read only."""

    benefit: Benefit
    figure: Decimal | None
    quota: int | None
    store_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Book:
    read_at: float
    given: Mapping[int, Mapping[int, tuple[GivenBenefit, ...]]]  # ladder → tier → benefits


_book: _Book | None = None


def benefits_of_tier(ladder_id: int, tier_id: int) -> tuple[GivenBenefit, ...]:
    """Return what a tier gives under a version of the ladder, of the benefits in use; nothing for what does not exist.

    A tier that the version dropped gives what the next one below gives. Costs no query while the book is fresh.
    """
    tiers = _read().given.get(ladder_id)
    if not tiers:
        return ()
    if tier_id in tiers:
        return tiers[tier_id]
    ladders = ladder_book()
    ladder = next((one for one in ladders.ladders if one.id == ladder_id), None)
    if ladder is None or tier_id not in ladders.ranks:
        return ()
    return tiers.get(ladder.step_for(ladders.ranks[tier_id]).tier_id, ())


def benefits_under(ladder_id: int) -> Mapping[int, tuple[GivenBenefit, ...]]:
    """Return what each tier gives under a version of the ladder, by tier, of the benefits in use; of a draft, read anew."""
    given = _read().given
    if ladder_id in given:
        return given[ladder_id]
    source = ladder_with_grid(ladder_id)
    return {} if source is None else given[source] if source in given else _own_cells(source)


def benefits_at(tier_id: int, moment: datetime) -> tuple[GivenBenefit, ...]:
    """Return what a tier gives at a moment. Raises NoLadder."""
    return benefits_of_tier(ladder_book().at(moment).id, tier_id)


def gives_anything(moment: datetime) -> bool:
    """Whether any tier gives a benefit at a moment. Raises NoLadder."""
    return bool(_read().given.get(ladder_book().at(moment).id))


def grid_of(ladder_id: int) -> dict[tuple[int, int], Cell]:
    """Return the cells of a version by (tier, benefit), read anew, also of benefits out of use; of one without cells those it goes on with."""
    source = ladder_with_grid(ladder_id)
    cells = TierBenefit.objects.filter(ladder_id=source).select_related("benefit") if source else []
    return {(cell.tier_id, cell.benefit_id): Cell(cell.figure, cell.quota or cell.benefit.quota) for cell in cells}


def ladder_with_grid(ladder_id: int) -> int | None:
    """Return the version whose cells a version goes by: its own, or the last one before it that has any; None without."""
    with_cells = set(TierBenefit.objects.order_by().values_list("ladder_id", flat=True).distinct())
    return _source(ladder_id, _in_order(), with_cells)


def forget_benefit_book() -> None:
    """Read the benefits anew at the next call. For the pages that change them."""
    global _book
    _book = None


def _in_order() -> list[int]:
    published = LadderVersion.objects.filter(valid_from__isnull=False)
    return list(published.order_by("valid_from").values_list("pk", flat=True))


def _source(ladder_id: int, in_order: Sequence[int], with_cells: set[int]) -> int | None:
    # A draft comes after all that was published, until it has its place.
    until = in_order[: in_order.index(ladder_id) + 1] if ladder_id in in_order else [*in_order, ladder_id]
    return next((one for one in reversed(until) if one in with_cells), None)


def _read() -> _Book:
    global _book
    now = time.monotonic()
    if _book is None or now - _book.read_at > _BOOK_SECONDS:
        _book = _Book(now, _load())
    return _book


def _load() -> dict[int, Mapping[int, tuple[GivenBenefit, ...]]]:
    cells = list(TierBenefit.objects.select_related("benefit").order_by("benefit__kind", "benefit__code"))
    if not cells:
        return {}
    own = _given(cells)
    in_order = _in_order()
    sources = {ladder_id: _source(ladder_id, in_order, set(own)) for ladder_id in in_order}
    return {ladder_id: own[source] for ladder_id, source in sources.items() if source is not None}


def _own_cells(ladder_id: int) -> Mapping[int, tuple[GivenBenefit, ...]]:
    cells = TierBenefit.objects.filter(ladder_id=ladder_id).select_related("benefit")
    return _given(cells.order_by("benefit__kind", "benefit__code"))[ladder_id]


def _given(cells: Iterable[TierBenefit]) -> dict[int, Mapping[int, tuple[GivenBenefit, ...]]]:
    """Return what cells give, by version and tier; a tier whose benefits are all out of use gives nothing."""
    stores: dict[int, set[int]] = {}
    for benefit_id, store_id in Benefit.stores.through.objects.values_list("benefit_id", "store_id"):
        stores.setdefault(benefit_id, set()).add(store_id)
    own: dict[int, dict[int, tuple[GivenBenefit, ...]]] = {}
    for cell in cells:
        tiers = own.setdefault(cell.ladder_id, {})
        given = tiers.setdefault(cell.tier_id, ())
        if cell.benefit.is_on:
            quota, at = cell.quota or cell.benefit.quota, frozenset(stores.get(cell.benefit_id, ()))
            tiers[cell.tier_id] = (*given, GivenBenefit(cell.benefit, cell.figure, quota, at))
    return dict(own)
