"""Codes of badges, stages and tasks: made from their names once, so that nobody has to think of one."""

import re
from typing import Any, Final

from django.db.models import Model

from members.names import search_keys

_LENGTH: Final = 30
_NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+")


def code_of(model: type[Model], row: Any) -> str:
    """Return a code that no row of the model has: after the English name, else after the sound of the Chinese one."""
    english = _NOT_A_WORD.sub("_", (row.name_en or "").lower()).strip("_")
    sound = search_keys(row.name_zh_hans or row.name_zh_hant or row.name or "")[0]
    begun = (english or sound or str(model._meta.model_name))[:_LENGTH].strip("_")
    taken = set(model._default_manager.filter(code__startswith=begun).values_list("code", flat=True))
    return next(code for code in (begun, *(f"{begun}_{n}" for n in range(2, len(taken) + 3))) if code not in taken)
