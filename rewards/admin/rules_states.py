"""Where rules and their versions stand: one word and one colour for each state, on every page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from rewards.models import EarnRuleVersion

#: Key → (words, colour of the label in lists).
STATES: Final = {
    "draft": (_("draft"), "warning"),
    "scheduled": (_("scheduled"), "info"),
    "running": (_("in force"), "success"),
    "ended": (_("ended"), "default"),
    "withdrawn": (_("withdrawn"), "danger"),
}


def state_of(version: EarnRuleVersion, at: datetime) -> str:
    """Return draft, scheduled, running, ended or withdrawn."""
    if version.state != EarnRuleVersion.State.PUBLISHED:
        return str(version.state)
    if version.valid_from is not None and version.valid_from > at:
        return "scheduled"
    return "running" if version.is_in_force(at) else "ended"


def standing(versions: Sequence[EarnRuleVersion], at: datetime) -> tuple[str, EarnRuleVersion | None]:
    """Return the state of a rule and the version that says what it is about: in force, else planned, drafted, ended."""
    by_state: dict[str, EarnRuleVersion] = {}
    for version in sorted(versions, key=lambda one: one.number, reverse=True):
        by_state.setdefault(state_of(version, at), version)
    for state in ("running", "scheduled", "draft", "ended", "withdrawn"):
        if state in by_state:
            return state, by_state[state]
    return "draft", None


def badge(state: str) -> dict[str, Any]:
    """Return a state for the templates."""
    return {"key": state, "words": STATES[state][0]}
