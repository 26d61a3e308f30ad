"""A finished preview as people read it: the matrix, who rises and falls, who is near a line, what it costs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from loyalty.criteria import Metric
from loyalty.ladder import Ladder
from loyalty.models import LadderPreview, Tier
from loyalty.tally import BARS, Tally, bar_widths
from loyalty.versions import ladder_policy
from loyalty.wording import METRIC_LABELS, amount_of
from members.figures import grouped, signed

#: Round numbers by which a line of a histogram may be moved, the coarsest first.
_STEPS: Final = tuple(
    Decimal(digit) * Decimal(10) ** exponent for exponent in range(7, -3, -1) for digit in (5, 2, 1)
)  # fmt: skip
_STEPS_A_BAR: Final = 5
_WITH_DECIMALS: Final = frozenset({"spend", "score"})


@dataclass(frozen=True, slots=True)
class Line:
    """A threshold in a histogram: whose, how much, and in words how many members reach it."""

    tier: Tier
    value: Decimal
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram: from and to in words, members, height in per cent of the highest."""

    label: str
    members: int
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How members are spread over a metric, those with nothing said apart.

    A line moves by `step`, up to `highest`, which lies at `highest_percent` of the width.
    """

    metric: str
    nothing: int
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    key: Metric
    step: Decimal
    highest: Decimal
    highest_percent: float


@dataclass(frozen=True, slots=True)
class PreviewFigures:
    """The figures of a preview. Tiers stand lowest first; `matrix[from][to]` counts members."""

    preview: LadderPreview
    tally: Tally
    ladder: Ladder
    tiers: tuple[Tier, ...]
    top_share_limit: int
    near_percent: int

    @classmethod
    def of(cls, preview: LadderPreview, ladder: Ladder) -> "PreviewFigures":
        """Return the figures of a preview of a version."""
        policy = ladder_policy()
        tally = Tally.of_json(preview.figures)
        return cls(
            preview, tally, ladder, tuple(Tier.objects.order_by("rank")), policy.top_share_percent, policy.near_percent
        )

    def moves(self, *, from_now: bool = False) -> dict[tuple[int, int], int]:
        """Return members by from and to: from the rules in force, or from what they hold now."""
        found: dict[tuple[int, int], int] = {}
        for (held, live, new), number in self.tally.moves.items():
            key = (held if from_now else live, new)
            found[key] = found.get(key, 0) + number
        return found

    def matrix(self, *, from_now: bool = False) -> list[dict[str, Any]]:
        """Return the rows of the matrix for a page: the tier, members by tier reached, and their sum."""
        moves, shown = self.moves(from_now=from_now), self._shown()
        table = []
        for one in shown:
            cells = [
                {
                    "members": moves.get((one.pk, other.pk), 0),
                    "kind": "same" if one.pk == other.pk else "up" if other.rank > one.rank else "down",
                }
                for other in shown
            ]
            table.append(
                {"tier": one, "cells": cells, "members": sum(moves.get((one.pk, other.pk), 0) for other in shown)}
            )
        return table

    @property
    def matrix_from_now(self) -> list[dict[str, Any]]:
        """The same from what members hold now, for a page."""
        return self.matrix(from_now=True)

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The tiers under the draft with their members and share."""
        counts = self._by_new()
        return [
            {"tier": tier, "members": counts.get(tier.pk, 0), "share": self._share(counts.get(tier.pk, 0))}
            for tier in self._shown()
        ]

    @property
    def winners(self) -> int:
        """Members who stand higher under the draft than under the rules in force."""
        return self._moved(1)

    @property
    def losers(self) -> int:
        """Members who stand lower under the draft than under the rules in force."""
        return self._moved(-1)

    @property
    def top_share(self) -> Decimal:
        """Members of the highest tier of the draft, in per cent of all."""
        return self._share(self._by_new().get(self.ladder.steps[-1].tier_id, 0)) if self.ladder.steps else Decimal(0)

    @property
    def top_share_before(self) -> Decimal:
        """The same tier under the rules in force."""
        top = self.ladder.steps[-1].tier_id if self.ladder.steps else 0
        return self._share(sum(number for (_held, live, _new), number in self.tally.moves.items() if live == top))

    @property
    def warnings(self) -> list[str]:
        """What the figures make one think of."""
        found = []
        if self.top_share > self.top_share_limit and self.ladder.steps:
            text = _(
                "%(share)s%% of all members would hold %(tier)s, the highest tier; the policy warns above %(limit)s%%."
            )
            name = next(str(tier) for tier in self.tiers if tier.pk == self.ladder.steps[-1].tier_id)
            found.append(text % {"share": self.top_share, "tier": name, "limit": self.top_share_limit})
        empty = [str(one["tier"]) for one in self.columns if not one["members"] and self._is_on(one["tier"].pk)]
        if empty and self.tally.members:
            found.append(_("Nobody would hold: %(tiers)s.") % {"tiers": ", ".join(empty)})
        return found

    @property
    def near(self) -> list[dict[str, Any]]:
        """Members near a line, by tier: below and above what rising, and what keeping, takes."""
        return [
            {"tier": tier, "counts": self.tally.near[tier.pk]} for tier in self._shown() if tier.pk in self.tally.near
        ]

    @property
    def histograms(self) -> list[Histogram]:
        """One for each metric that the draft asks for."""
        widths = bar_widths(self.ladder)
        return [
            self._histogram(metric, bars, widths[metric])
            for metric, bars in self.tally.bars.items()
            if metric in widths
        ]

    def line_words(self, metric: Metric, tier_id: int, value: Decimal) -> str:
        """Return how many members have at least a value, and how many more or fewer than the line of the draft lets through.

        Counted by bars, and within a bar in proportion. Raises KeyError for a metric or a tier without a line.
        """
        drafted = self._drafted(metric)[tier_id]
        reach = self._reach(metric, value)
        figures = {
            "amount": amount_of(metric, value), "reach": grouped(reach), "less": grouped(self.tally.members - reach),
            "members": grouped(self.tally.members), "drafted": amount_of(metric, drafted),
            "difference": signed(reach - self._reach(metric, drafted)),
        }  # fmt: skip
        if value == drafted:
            return _("%(amount)s: about %(reach)s of %(members)s members have it, %(less)s have less.") % figures
        return (
            _(
                "%(amount)s: about %(reach)s of %(members)s members have it, %(less)s have less; "
                "%(difference)s against %(drafted)s in this version."
            )
            % figures
        )

    def lines(self) -> list[tuple[str, str | None, str]]:
        """Return the figures as lines of a proposal: label, before, after."""
        told = [
            (_("Preview"), None, _("%(preview)s, as of %(day)s") % {"preview": f"#{self.preview.pk}", "day": date_format(self.preview.day)}),
            (_("Members who stand higher"), None, grouped(self.winners)),
            (_("Members who stand lower"), None, grouped(self.losers)),
            (_("Share of the highest tier"), f"{self.top_share_before} %", f"{self.top_share} %"),
        ]  # fmt: skip
        if self.tally.base_points:
            told.append((_("Points for the purchases of a year"), None, signed(self.more_points)))
        return told

    @property
    def more_points(self) -> int:
        """How many more points the purchases of a year would have earned."""
        return int(self.tally.more_points)

    def _histogram(self, metric: Metric, bars: list[int], width: Decimal) -> Histogram:
        highest = max([*bars[1:], 1])
        drawn = [
            Bar(
                _("%(from)s to %(to)s") % {"from": amount_of(metric, _whole(width * n)), "to": amount_of(metric, _whole(width * (n + 1)))}
                if n < BARS
                else _("%(from)s and more") % {"from": amount_of(metric, _whole(width * n))},
                members,
                100 * members / highest,
            )
            for n, members in enumerate(bars[1:])
        ]  # fmt: skip
        tiers = {tier.pk: tier for tier in self.tiers}
        drafted = self._drafted(metric)
        lines = [
            Line(tiers[tier_id], value, self.line_words(metric, tier_id, value)) for tier_id, value in drafted.items()
        ]
        step = _step_of([*drafted.values()], width, Decimal("0.01") if metric in _WITH_DECIMALS else Decimal(1))
        farthest = width * BARS // step * step
        return Histogram(
            str(METRIC_LABELS[metric]), bars[0], tuple(drawn), tuple(lines), metric, step, farthest,
            float(100 * farthest / width / (BARS + 1)),
        )  # fmt: skip

    def _drafted(self, metric: Metric) -> dict[int, Decimal]:
        """Return what the draft asks for of a metric to rise, by tier."""
        return {
            step.tier_id: value for step in self.ladder.steps for asked, value in step.rise if asked == metric and value
        }

    def _reach(self, metric: Metric, value: Decimal) -> int:
        """Return about how many members have at least a value."""
        if not value:
            return self.tally.members
        bars, at = self.tally.bars[metric][1:], value / bar_widths(self.ladder)[metric]
        number = int(at)
        if number >= BARS:
            return bars[BARS]
        return round(bars[number] * (number + 1 - at)) + sum(bars[number + 1 :])

    def _shown(self) -> list[Tier]:
        """The tiers of the draft, and those that anybody holds or would hold."""
        met = {pk for ids in self.tally.moves for pk in ids}
        return [tier for tier in self.tiers if tier.pk in met or self._is_on(tier.pk)]

    def _is_on(self, tier_id: int) -> bool:
        return any(step.tier_id == tier_id for step in self.ladder.steps)

    def _by_new(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for (_held, _live, new), number in self.tally.moves.items():
            counts[new] = counts.get(new, 0) + number
        return counts

    def _moved(self, sign: int) -> int:
        ranks = {tier.pk: tier.rank for tier in self.tiers}
        return sum(
            number for (_held, live, new), number in self.tally.moves.items() if (ranks[new] - ranks[live]) * sign > 0
        )

    def _share(self, members: int) -> Decimal:
        return (Decimal(100 * members) / max(self.tally.members, 1)).quantize(Decimal("0.1"))


def _step_of(values: list[Decimal], width: Decimal, least: Decimal) -> Decimal:
    """Return the round number by which a line is moved: a few of them make a bar, and every line stands on one."""
    fitting = (step for step in _STEPS if step * _STEPS_A_BAR <= width and not any(value % step for value in values))
    return max(next(fitting, least), least)


def _whole(value: Decimal) -> Decimal:
    return value.to_integral_value()
