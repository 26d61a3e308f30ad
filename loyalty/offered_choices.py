"""What floors above have that a benefit may name: loyalty keeps the code, staff choose by the name."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

Offered = Literal["vouchers", "categories"]
#: Returns (code, name in the active language), in the order in which they are shown.
Choices = Callable[[], Sequence[tuple[str, str]]]

_registered: dict[Offered, Choices] = {}
_NOTHING: Final[Sequence[tuple[str, str]]] = ()


def register_choices(what: Offered, choices: Choices) -> None:
    """Let a floor above say what there is to choose from. Called once per process from `AppConfig.ready()`."""
    _registered[what] = choices


def choices_of(what: Offered, *, named: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return what there is to choose from; codes that are `named` already but not known (any more) stand last, as they are."""
    found = list(_registered[what]() if what in _registered else _NOTHING)
    known = {code for code, _name in found}
    return found + [(code, code) for code in named if code not in known]
