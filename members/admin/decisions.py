"""The tab of the member page that answers "why was it refused?" and shows what was quoted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.admin import panels
from members.admin.keyset import page_of
from members.admin.timeline import ActorNames
from members.conditions import FailedTest, failed_words
from members.decisions import kept_decisions
from members.models import Decision, Member
from members.refusals import refusal_sentence

# The trace of a quote → its sentence.
QuoteWords = Callable[[Mapping[str, Any]], str]

# The trace of a quote → what did not count in it, and why.
QuoteNotes = Callable[[Mapping[str, Any]], list[str]]

_quotes: dict[str, QuoteWords] = {}
_notes: dict[str, QuoteNotes] = {}


@dataclass(frozen=True, slots=True)
class ToldDecision:
    """A decision ready to be shown: what was said, and the reasons beneath it."""

    decided_at: datetime
    kind: str
    label: str
    sentence: str
    notes: list[str]
    by: str


def register_quote(code: str, words: QuoteWords, notes: QuoteNotes | None = None) -> None:
    """Tell quotes with this code by `words(trace)`, and beneath by `notes(trace)`. Called by the floor that gives them."""
    _quotes[code] = words
    if notes is not None:
        _notes[code] = notes


def decision_sentence(decision: Decision) -> str:
    """Return what was decided, in the active language."""
    if decision.kind == Decision.Kind.REFUSAL:
        params = decision.trace.get("params")
        return refusal_sentence(decision.code, params if isinstance(params, dict) else {})
    words = _quotes.get(decision.code)
    return words(decision.trace) if words else _("A quote was given.")


def decision_notes(decision: Decision) -> list[str]:
    """Return what stood in the way, in the active language, where the trace says so."""
    if decision.kind == Decision.Kind.QUOTE and decision.code in _notes:
        return _notes[decision.code](decision.trace)
    return failed_words(FailedTest.from_stored(row) for row in decision.trace.get("failed", []))


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    page = page_of(kept_decisions(member.pk, at=at), by=("id",), cursor=request.GET.get("cursor", ""))
    actors = ActorNames.of(page.rows)
    told = [
        ToldDecision(
            decision.decided_at,
            decision.kind,
            decision.get_kind_display(),
            decision_sentence(decision),
            decision_notes(decision),
            actors.name(decision),
        )
        for decision in page.rows
    ]
    return {"page": page, "decisions": told}


panels.register_tab(
    "decisions",
    label=gettext_lazy("Refusals and quotes"),
    order=70,
    template="portal/member/decisions.html",
    context=_tab,
    permission="members.view_decision",
)
