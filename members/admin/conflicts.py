"""Two people at one thing: what to do when it was changed after a form was opened.

A form carries the version of what it shows in a hidden field. When another version is there by the time it is sent,
the page of the conflict puts both values of every field beside each other; what is chosen is sent again with the version
that is there now.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.widgets import AdminDateWidget
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget


class VersionedForm(forms.Form):
    """A form that knows which version of a thing it shows."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class ManyAnswers(UnfoldAdminCheckboxSelectMultipleWidget):
    """Answers out of a list; on the page of a conflict they come as one value, with commas between them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        given = data.getlist(name) if hasattr(data, "getlist") else data.get(name) or []
        return [answer for text in given for answer in text.split(",") if answer]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two values of a field: as it is sent, and as people read it."""

    sent: str
    words: str


@dataclass(frozen=True, slots=True)
class FieldInConflict:
    """A field with what is saved now and what this operator wrote."""

    name: str
    label: Any
    saved: Side
    mine: Side

    no_value: ClassVar[str] = "–"

    @property
    def differs(self) -> bool:
        """Whether somebody has to choose."""
        return self.saved.sent != self.mine.sent


def show_conflict(
    request: HttpRequest,
    *,
    mine: VersionedForm,
    saved: VersionedForm,
    version: int,
    who: str,
    when: datetime | None,
    context: dict[str, Any],
    back: str,
) -> HttpResponse:
    """Answer with the page of the conflict (409). `saved` is a fresh form with what is there now, as its initial values."""
    fields = [_in_conflict(mine, saved, field.name) for field in mine.visible_fields()]
    page = {**context, "fields": fields, "version": version, "who": who, "when": when, "back": back}
    answer = render(request, "portal/conflict.html", page, status=409)
    answer["Cache-Control"] = "no-store"
    return answer


def _in_conflict(mine: forms.Form, saved: forms.Form, name: str) -> FieldInConflict:
    """Return a field with both values. A mere confirmation has no saved value, so nobody has to choose."""
    field = mine.fields[name]
    wish = _side(field, mine[name].value())
    there = wish
    if not isinstance(field, forms.BooleanField):
        there = _side(saved.fields[name], saved.get_initial_for_field(saved.fields[name], name))
    return FieldInConflict(name, field.label, there, wish)


def _side(field: forms.Field, value: Any) -> Side:
    """Return a value as the field's widget would send it, and in words."""
    if isinstance(field, forms.BooleanField):
        return Side("on", "✓") if value else Side("", FieldInConflict.no_value)
    prepared = field.prepare_value(value)
    if isinstance(prepared, list | tuple):
        sent = ",".join(sorted(str(one) for one in prepared))
        chosen = [str(one) for one in prepared]
    else:
        formatted = field.widget.format_value(prepared) if prepared is not None else ""
        first = formatted[0] if isinstance(formatted, list) and formatted else formatted
        sent = str(first or "").strip() if isinstance(field.widget, AdminDateWidget) else str(prepared or "").strip()
        chosen = [sent]
    if isinstance(field, forms.ChoiceField):
        labels = {str(code): str(label) for code, label in field.choices}
        return Side(sent, ", ".join(labels.get(code, code) for code in chosen if code) or FieldInConflict.no_value)
    return Side(sent, sent or FieldInConflict.no_value)
