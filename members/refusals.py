"""The expected noes: exceptions with a stable code and a sentence that staff and members can read."""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _

_FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_UNKNOWN = "…"


class Refusal(Exception):
    """A no that the caller could have expected. A refusal leaves every value table as it was.

    `code` is stable and documented; `text` is a translatable sentence with named placeholders; `status` is
    the HTTP status that fits. Keyword arguments fill the placeholders and travel to clients as figures.
    A refusal that `explains` is kept as a decision when a member is concerned, so that it can be asked about later.
    """

    code: ClassVar[str]
    text: ClassVar[str | Promise]
    status: ClassVar[int] = 409
    explains: ClassVar[bool] = False
    member_id: int | None = None
    kept: Mapping[str, Any] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in vars(cls):
            _classes[cls.code].append(cls)

    def __init__(self, **params: Any) -> None:
        super().__init__(self.code, params)
        self.params = params

    def about(self, member_id: int | None = None, **kept: Any) -> Self:
        """Say whom it concerns, and what is kept instead of words: the texts of a name by language tag, an id."""
        self.member_id = member_id
        self.kept = kept
        return self

    def sentence(self) -> str:
        """Return the sentence in the active language."""
        return str(self.text) % self.params

    def stored_params(self) -> dict[str, Any]:
        """Return what may be kept of the parameters: figures, days, and what `about` named. Never words of the case."""
        stored: dict[str, Any] = {}
        for name, value in self.params.items():
            if value is None or isinstance(value, bool | int):
                stored[name] = value
            elif isinstance(value, date | datetime):
                stored[name] = value.isoformat()
            elif isinstance(value, Decimal) or (isinstance(value, str) and _FIGURE.fullmatch(value)):
                stored[name] = str(value)
        return stored | dict(self.kept)


_classes: defaultdict[str, list[type[Refusal]]] = defaultdict(list)


def refusal_sentence(code: str, stored: Mapping[str, Any]) -> str:
    """Return what a kept refusal said, in the active language, from its code and what was kept of its parameters.

    Of several refusals with one code, the one whose sentence can be filled best. A code that exists no longer says so.
    """
    found = _classes.get(code)
    if not found:
        return _("Refused: %(code)s") % {"code": code}
    texts = [str(refusal.text) for refusal in found]
    text = min(texts, key=lambda one: len({*_PLACEHOLDER.findall(one)} - stored.keys()))
    return text % _Fillings({name: _in_language(value) for name, value in stored.items()})


class _Fillings(dict[str, Any]):
    """Fills every placeholder; what was not kept is left open."""

    def __missing__(self, key: str) -> str:
        return _UNKNOWN


def _in_language(value: Any) -> Any:
    """Return the text of a name for the active language, or the value itself when it is no set of texts."""
    if not isinstance(value, Mapping):
        return value
    return value.get(get_language() or "") or next(iter(value.values()), _UNKNOWN)


class MembersRefusal(Refusal):
    """Root of the refusals of members."""
