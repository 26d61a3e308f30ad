"""Columns that hold lists: ids of rows that a term names, and words such as article numbers."""

from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


def none_or_positive(*names: str) -> Q:
    """Return the condition that each of these columns is empty or above 0."""
    condition = Q()
    for name in names:
        condition &= Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gt": 0})
    return condition


def ids_field(label: "_StrPromise", help_text: "_StrPromise") -> "ArrayField[list[int], list[int]]":
    """Return a column of ids; one whose row is gone matches nothing."""
    return ArrayField(models.BigIntegerField(), default=list, blank=True, verbose_name=label, help_text=help_text)


def words_field(label: "_StrPromise", help_text: "_StrPromise", length: int) -> "ArrayField[list[str], list[str]]":
    """Return a column of words of at most `length` letters."""
    return ArrayField(
        models.CharField(max_length=length), default=list, blank=True, verbose_name=label, help_text=help_text
    )
