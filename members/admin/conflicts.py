"""Two people at one thing: what to do when it was changed after a form was opened.

A form carries the version of what it shows in a hidden field, and what it showed. When another version is there by the
time it is sent, the page of the conflict puts both values of every field beside each other. Chosen to begin with are the
fields that this operator changed, and what is saved of the others; it is sent again with the version that is there now.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.widgets import AdminDateWidget
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from members.wording import enumerated


class VersionedForm(forms.Form):
    """A form that knows which version of a thing it shows, and what it showed: subclasses call `complete` at the end."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def complete(self) -> None:
        """Let every field send along what it showed. Answers of a list may come as one text with commas between them."""
        for name, field in self.fields.items():
            field.show_hidden_initial = not field.widget.is_hidden
            if isinstance(field, forms.MultipleChoiceField) and isinstance(self.data, QueryDict):
                given = [answer for text in self.data.getlist(name) for answer in text.split(",") if answer]
                data = self.data.copy()
                data.setlist(name, given)
                self.data = data


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two values of a field: as it is sent, and as people read it."""

    values: tuple[str, ...]
    words: str

    @property
    def sent(self) -> str:
        """The value as one text."""
        return ",".join(self.values)


@dataclass(frozen=True, slots=True)
class FieldInConflict:
    """A field with what is saved now and what this operator sent; `is_mine`: they changed it, and did not only send it along."""

    name: str
    label: Any
    saved: Side
    mine: Side
    is_mine: bool

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
    return FieldInConflict(name, field.label, there, wish, name in mine.changed_data)


def _side(field: forms.Field, value: Any) -> Side:
    """Return a value as the field's widget would send it, and in words."""
    if isinstance(field, forms.BooleanField):
        return Side(("on",), "✓") if value else Side((), FieldInConflict.no_value)
    prepared = field.prepare_value(value)
    if isinstance(prepared, list | tuple):
        values = tuple(sorted(str(one) for one in prepared))
    elif isinstance(field.widget, AdminDateWidget) and prepared is not None:
        values = (str(field.widget.format_value(prepared) or ""),)
    else:
        values = (str("" if prepared is None else prepared).strip(),)
    values = tuple(one for one in values if one)
    labels: dict[str, str] = {}
    if isinstance(field, forms.ChoiceField):
        offered: Any = field.choices  # groups of choices are not used in these forms
        labels = {str(code): str(label) for code, label in offered}
    return Side(values, enumerated(labels.get(one, one) for one in values) or FieldInConflict.no_value)
