"""Filters of lists that the theme does not bring."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Model, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter

from members.queries import programme


class DayRangeFilter(RangeDateFilter):
    """Dates, or times within whole days of the programme's zone; both days included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        name = self.field_path
        first, last = self._day(f"{name}_from"), self._day(f"{name}_to")
        bounds: dict[str, Any] = {}
        if first:
            bounds[f"{name}__gte"] = self._begin(first)
        if last:
            bounds[f"{name}__lt"] = self._begin(last + timedelta(days=1))
        return queryset.filter(**bounds)

    def _day(self, parameter: str) -> date | None:
        """Return the chosen day, written as the reader's language writes it; None where there is none."""
        try:
            return forms.DateField(required=False).clean(self.used_parameters.get(parameter))
        except ValidationError:
            return None

    def _begin(self, day: date) -> date | datetime:
        """Return where a day begins: its midnight for times, itself for dates."""
        return datetime.combine(day, time(), tzinfo=programme().tz) if isinstance(self.field, DateTimeField) else day
