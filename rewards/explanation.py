"""为什么？ A stored trace put into words, in the active language, years later too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from rewards.earning import Label

# Why an offer did not apply. Registered from above with the codes that its quotes give.
_reasons: dict[str, Callable[[dict[str, Any]], str]] = {}


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One line of points with its reason."""

    kind: str
    label: str
    points: int


@dataclass(frozen=True, slots=True)
class UnusedOffer:
    """An offer that gave nothing, and the reason in words."""

    label: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a posting has the points it has."""

    lines: list[ExplainedLine]
    not_applied: list[UnusedOffer]
    notes: list[str]


def register_reason(code: str, words: Callable[[dict[str, Any]], str]) -> None:
    """Register what puts the figures of a code, with which offers answer, into words of the active language."""
    _reasons[code] = words


def in_active_language(label: Label) -> str:
    """Return the text for the active language, else zh-Hans, else English, else any."""
    for language in (get_language() or "", "zh-hans", "en"):
        if label.get(language):
            return label[language]
    return next(iter(label.values()), "")


def explain(trace: dict[str, Any] | None) -> Explanation:
    """Return the explanation of a stored trace; an empty one when there is none."""
    if not trace or not trace.get("v"):
        return Explanation([], [], [])
    lines = [_line(trace, *line) for line in trace.get("lines", [])]
    unused = [
        UnusedOffer(in_active_language(label), code, _reason(code, params))
        for _ref, label, code, params in trace.get("not", [])
    ]
    return Explanation(lines, unused, _notes(trace))


def _reason(code: str, params: dict[str, Any]) -> str:
    words = _reasons.get(code)
    return words(params) if words else _("It did not apply.")


def _line(trace: dict[str, Any], kind: str, ref: str, points: int, label: Label) -> ExplainedLine:
    if kind == "base":
        words = _("%(name)s: %(points)s for each %(step)s of %(amount)s") % {
            "name": in_active_language(label), "points": trace["step"][0], "step": trace["step"][1], "amount": trace["amount"],
        }  # fmt: skip
    elif kind == "tier":
        words = _("Tier multiplier ×%(multiplier)s") % {"multiplier": trace["tier"][1]}
    else:
        words = in_active_language(label)
    return ExplainedLine(kind, words, points)


def _notes(trace: dict[str, Any]) -> list[str]:
    notes = []
    if trace.get("kind") == "return":
        figures = {"amount": trace["amount"], "points": trace["points"]}
        if trace.get("unlinked"):
            notes.append(_("Return without a known sale, %(amount)s: base points only, %(points)s.") % figures)
        else:
            notes.append(_("Return of %(amount)s: its share of the points of the purchase, %(points)s.") % figures)
    elif trace.get("kind") == "redemption":
        notes.append(_("Redeemed for %(name)s.") % {"name": in_active_language(trace["label"])})
    elif "rule" in trace and not trace["rule"]:
        notes.append(_("No earn rule was in force on that day."))
    return notes
