"""What tasks of stages can unlock beside badges: benefits by code, of whoever knows benefits.

Registered once, from `AppConfig.ready()`. A task that is done says on the timeline which benefit it unlocks
(`loyalty.stage_task_done.v1`, `benefit`); a reader of it gives the benefit to the member (`services/unlocking.py`).
"""

from collections.abc import Collection, Mapping

from members.facts import Choices

_names: list[Choices] = []


def register_benefits(names: Choices) -> None:
    """Register who returns the names of benefits by code: of those asked for, or of all that can be given (None)."""
    if names not in _names:
        _names.append(names)


def benefit_names(only: Collection[str] | None = None) -> Mapping[str, str]:
    """Return the names of benefits by code in the active language: of those asked for, or of all that can be given."""
    found: dict[str, str] = {}
    for names in _names if only is None or only else []:
        found |= names(only)
    return found
