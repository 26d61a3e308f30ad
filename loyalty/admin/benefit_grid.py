"""The grid of benefits by tier: a version of the ladder with what differs from the one in force, its costs, and as members see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from loyalty.benefit_book import grid_of
from loyalty.benefit_rules import Cell, Step, falling_steps, multiplies
from loyalty.benefit_words import (
    FIGURED,
    cell_words,
    figure_unit,
    lacks_translation,
    member_sentence,
    missing_languages,
)
from loyalty.models import Benefit, BenefitBudget, LadderVersion, Tier
from loyalty.queries import ladder_book, members_by_tier
from loyalty.refusals import NoLadder
from loyalty.services.benefit_costs import budgets_now, costs_of
from loyalty.services.benefits import set_grid, why_frozen
from members.admin.base import actor_of
from members.figures import grouped, money
from members.queries import programme
from members.refusals import Refusal

if TYPE_CHECKING:
    from loyalty.admin.benefits import BenefitAdmin

SEE = "loyalty.view_benefit"
WRITE = "loyalty.change_tierbenefit"
YEAR = timedelta(days=365)
_TIMES_A_YEAR = {"month": 12, "quarter": 4, "year": 1, "tier": 1}
_MOST_VERSIONS = 12
_MOST_QUOTA = 999
_Grid = Mapping[tuple[int, int], Cell]


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell as it is shown: its words, and what the version in force says where that is something else."""

    words: str
    was: str = ""
    has_changed: bool = False


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A benefit with its cells, the languages it lacks, and how full its budgets are."""

    benefit: Benefit
    cells: list[ShownCell]
    missing: list[str]
    budgets: list[str]


@dataclass(frozen=True, slots=True)
class ShownCost:
    """What the benefits of a tier cost: used in a year, at most for a member and for all members; `was`: under the one in force."""

    used: str
    most: str
    was: str
    members: str
    most_of_all: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class AskedCell:
    """A cell of the form: its name, what was typed, and what is wrong with it."""

    name: str
    is_on: bool
    figure: str
    quota: str
    errors: list[str] = field(default_factory=list)


class GridPages:
    """The views."""

    def __init__(self, model_admin: "BenefitAdmin") -> None:
        self.model_admin = model_admin

    def current(self, request: HttpRequest) -> HttpResponse:
        """Lead to the version in force."""
        _require(request, SEE)
        try:
            ladder_id = ladder_book().at(timezone.now()).id
        except NoLadder:
            return HttpResponseRedirect(reverse("admin:loyalty_ladderversion_changelist"))
        return HttpResponseRedirect(reverse("admin:loyalty_benefit_grid_of", args=[ladder_id]))

    def show(self, request: HttpRequest, ladder_id: int) -> HttpResponse:
        """The grid of a version."""
        _require(request, SEE)
        at = timezone.now()
        version = _version(ladder_id)
        tiers, benefits = _tiers(version), list(Benefit.objects.order_by("kind", "code"))
        frozen = why_frozen(version, at)
        grid, in_force = grid_of(version.pk), _in_force(at)
        before: _Grid = grid_of(in_force) if in_force not in (None, version.pk) else grid
        benefits = [one for one in benefits if one.is_on or any((tier.pk, one.pk) in grid for tier in tiers)]
        chosen = next((tier for tier in tiers if tier.code == request.GET.get("tier")), tiers[-1] if tiers else None)
        context = {
            **self._context(request, _("What each tier gives")),
            "version": version,
            "versions": list(LadderVersion.objects.order_by("-number")[:_MOST_VERSIONS]),
            "in_force": in_force,
            "tiers": tiers,
            "rows": _rows(benefits, tiers, grid, before, at),
            "changes": sum(grid.get(key) != before.get(key) for key in {*grid, *before}),
            "warnings": _warnings(benefits, tiers, grid),
            "costs": _costs(benefits, tiers, grid, before, at),
            "chosen": chosen,
            "phones": [_phone(code, str(name), chosen, benefits, grid) for code, name in settings.LANGUAGES]
            if chosen
            else [],
            "may_edit": request.user.has_perm(WRITE) and frozen is None,
            "frozen": frozen.sentence() if frozen else "",
        }
        return render(request, "portal/benefits/grid.html", context)

    def edit(self, request: HttpRequest, ladder_id: int) -> HttpResponse:
        """The form of the grid of a version that is not in force yet."""
        _require(request, WRITE)
        at = timezone.now()
        version = _version(ladder_id)
        tiers, benefits = _tiers(version), list(Benefit.objects.filter(is_on=True).order_by("kind", "code"))
        asked, cells = _read(request, tiers, benefits, grid_of(version.pk))
        if request.method == "POST" and cells is not None:
            try:
                changed = set_grid(ladder_id=version.pk, cells=cells, by=actor_of(request), at=at)
            except Refusal as refusal:
                messages.error(request, refusal.sentence())
            else:
                words = _("Saved. Cells that changed: %(number)s.") if changed else _("Nothing has changed.")
                messages.success(request, words % {"number": changed})
            return HttpResponseRedirect(reverse("admin:loyalty_benefit_grid_of", args=[version.pk]))
        context = {
            **self._context(request, _("Change what each tier gives")),
            "version": version,
            "tiers": tiers,
            "rows": [
                (one, [asked[tier.pk, one.pk] for tier in tiers], figure_unit(one.kind), one.quota is not None)
                for one in benefits
            ],
            "has_errors": cells is None,
        }
        return render(request, "portal/benefits/edit.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.model_admin.admin_site.name
        return {
            **self.model_admin.admin_site.each_context(request),
            "opts": self.model_admin.opts,
            "title": title,
            "media": self.model_admin.media,
        }


# --- Showing ----------------------------------------------------------------------------------------------------------
def _rows(
    benefits: Sequence[Benefit], tiers: Sequence[Tier], grid: _Grid, before: _Grid, at: datetime
) -> list[ShownRow]:
    full = _budgets(at)
    rows = []
    for benefit in benefits:
        cells = []
        for tier in tiers:
            now, then = grid.get((tier.pk, benefit.pk)), before.get((tier.pk, benefit.pk))
            cells.append(ShownCell(_words(benefit, now), _words(benefit, then), now != then))
        rows.append(ShownRow(benefit, cells, missing_languages(benefit), full.get(benefit.pk, [])))
    return rows


def _words(benefit: Benefit, cell: Cell | None) -> str:
    return "–" if cell is None else cell_words(benefit, cell.figure, cell.quota)


def _budgets(at: datetime) -> dict[int, list[str]]:
    """Return how full the budgets in force are, in words, by benefit."""
    in_force = BenefitBudget.objects.filter(valid_from__lte=at, valid_to__gt=at).select_related("benefit", "tier")
    told: dict[int, list[str]] = {}
    for now in budgets_now(budgets=list(in_force.order_by("pk")[:200]), at=at):
        tier = now.budget.tier
        words = (
            _("%(tier)s: %(percent)s %% promised") if tier else _("%(percent)s %% promised")
        ) % {"tier": tier.name if tier else "", "percent": now.percent}  # fmt: skip
        told.setdefault(now.budget.benefit_id, []).append(words)
    return told


def _warnings(benefits: Sequence[Benefit], tiers: Sequence[Tier], grid: _Grid) -> list[str]:
    """Return in words where a higher tier gives less than the one below it, and where more points are none."""
    by_id, tier_names = {one.pk: one for one in benefits}, {tier.pk: tier.name for tier in tiers}
    steps: list[Step] = falling_steps(grid, [tier.pk for tier in tiers], [one.pk for one in benefits])
    told = []
    for step in steps:
        benefit = by_id[step.benefit_id]
        figures = {
            "benefit": benefit.name, "higher": tier_names[step.higher_tier_id], "lower": tier_names[step.lower_tier_id],
            "less": _words(benefit, step.higher), "more": _words(benefit, step.lower),
        }  # fmt: skip
        words = (
            _("%(higher)s does not give “%(benefit)s”, while %(lower)s does (%(more)s).")
            if step.higher is None
            else _("%(higher)s gives less of “%(benefit)s” than %(lower)s: %(less)s, not %(more)s.")
        )
        told.append(words % figures)
    return told + [
        _("“%(benefit)s” gives %(tier)s no more points: its figure has to be above 1, without a number of uses.")
        % {"benefit": one.name, "tier": tier.name}
        for one in benefits
        for tier in tiers
        if one.kind == Benefit.Kind.MULTIPLIER
        and (cell := grid.get((tier.pk, one.pk))) is not None
        and not multiplies(cell.figure, cell.quota)
    ]


def _costs(
    benefits: Sequence[Benefit], tiers: Sequence[Tier], grid: _Grid, before: _Grid, at: datetime
) -> list[ShownCost]:
    """Return for each tier what its benefits cost: what was used, and what could be used at most, by the grid and the one before."""
    currency = programme().currency
    used: dict[int | None, Decimal] = {}
    for row in costs_of(from_at=at - YEAR, before_at=at):
        used[row.tier_id] = used.get(row.tier_id, Decimal(0)) + (row.amount or 0)
    members, shown = members_by_tier(), []
    for number, tier in enumerate(tiers):
        most, is_open = _most(benefits, tier, grid)
        was, _was_open = _most(benefits, tier, before)
        held = None if number == 0 else members.get(tier.pk, 0)
        shown.append(
            ShownCost(
                money(used.get(tier.pk, Decimal(0)), currency), money(most, currency), money(was, currency) if was != most else "",
                _("all others") if held is None else grouped(held), "–" if held is None else money(most * held, currency), is_open,
            )
        )  # fmt: skip
    return shown


def _most(benefits: Sequence[Benefit], tier: Tier, grid: _Grid) -> tuple[Decimal, bool]:
    """Return what a member of a tier can use in a year at most, in money, and whether some of it has a cost nobody knows."""
    counted = [(one, cell) for one in benefits if (cell := grid.get((tier.pk, one.pk))) and cell.quota is not None]
    costs = [(one.unit_cost_amount or Decimal(0)) * (cell.quota or 0) * _times(one) for one, cell in counted]
    return sum(costs, Decimal(0)), any(one.unit_cost_amount is None for one, _cell in counted)


def _times(benefit: Benefit) -> int:
    return 1 if benefit.kind == Benefit.Kind.BIRTHDAY else _TIMES_A_YEAR[benefit.period]


def _phone(code: str, name: str, tier: Tier, benefits: Sequence[Benefit], grid: _Grid) -> dict[str, Any]:
    """Return what members who hold a tier read in a language."""
    with override(code):
        lines = [
            {
                "name": one.name,
                "sentence": member_sentence(one, cell.figure, cell.quota),
                "is_missing": lacks_translation(one, code),
            }
            for one in benefits
            if one.is_on and (cell := grid.get((tier.pk, one.pk))) is not None
        ]
        return {"language": name, "code": code, "tier": tier.name, "lines": lines}


# --- The form ---------------------------------------------------------------------------------------------------------
def _read(
    request: HttpRequest, tiers: Sequence[Tier], benefits: Sequence[Benefit], grid: _Grid
) -> tuple[dict[tuple[int, int], AskedCell], dict[tuple[int, int], Cell] | None]:
    """Return the cells of the form as typed (at first as they are), and what they mean; None where one can not be read."""
    asked: dict[tuple[int, int], AskedCell] = {}
    cells: dict[tuple[int, int], Cell] = {}
    is_sound = True
    for tier in tiers:
        for one in benefits:
            key, name = (tier.pk, one.pk), f"{tier.code}-{one.code}"
            if request.method != "POST":
                there = grid.get(key)
                figure = "" if there is None or there.figure is None else f"{there.figure.normalize():f}"
                quota = str(there.quota if there and there.quota else one.quota or "")
                asked[key] = AskedCell(name, there is not None, figure, quota)
                continue
            typed = AskedCell(
                name, f"{name}-on" in request.POST, request.POST.get(f"{name}-figure", "").strip(),
                request.POST.get(f"{name}-quota", "").strip(),
            )  # fmt: skip
            asked[key] = typed
            if typed.is_on:
                cells[key] = _meant(one, typed)
                is_sound = is_sound and not typed.errors
    return asked, cells if is_sound else None


def _meant(benefit: Benefit, typed: AskedCell) -> Cell:
    """Return what was typed into a cell; what is wrong is noted with it."""
    figure, quota = None, None
    if benefit.kind in FIGURED:
        try:
            figure = Decimal(typed.figure)
        except InvalidOperation:
            typed.errors.append(_("Give a figure."))
        else:
            if not figure.is_finite() or not 0 <= figure < 100_000 or figure != round(figure, 2):
                typed.errors.append(_("Give a figure of 0 or more, with two decimals at most."))
                figure = None
            elif benefit.kind == Benefit.Kind.MULTIPLIER and figure <= 1:
                typed.errors.append(_("Give a figure above 1: 1.5 gives one and a half times the points."))
    if benefit.quota is not None:
        if typed.quota.isascii() and typed.quota.isdigit() and 0 < int(typed.quota) <= _MOST_QUOTA:
            quota = None if int(typed.quota) == benefit.quota else int(typed.quota)
        else:
            typed.errors.append(_("Say how often: 1 to %(most)s.") % {"most": _MOST_QUOTA})
    return Cell(figure, quota)


def _in_force(at: datetime) -> int | None:
    try:
        return ladder_book().at(at).id
    except NoLadder:
        return None


def _version(ladder_id: int) -> LadderVersion:
    version = LadderVersion.objects.filter(pk=ladder_id).first()
    if version is None:
        raise Http404
    return version


def _tiers(version: LadderVersion) -> list[Tier]:
    return list(Tier.objects.filter(rules__ladder=version).order_by("rank"))


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
