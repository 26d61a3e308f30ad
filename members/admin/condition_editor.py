"""The editor of conditions: what is asked of a member, as chips in two levels of groups, with its sentence beneath.

A form field for any page. What is written is read on the server: adding, removing and choosing another fact post the form
to the page's own fragment view (`condition_fragment`), which answers with the editor as it then is. Nobody sees JSON.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from django import forms
from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.dates import MONTHS
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES

from members.admin.condition_chips import (
    DATE_OPS,
    DAY_OPS,
    NUMBER_OPS,
    Chip,
    ChipGroup,
    Written,
    changed,
    errors_of,
    sentence_of,
    stored_of,
    written_in,
    written_of,
)
from members.conditions import OPERATOR_WORDS, OPERATORS
from members.facts import Fact, FactParam, facts
from members.figures import currency_sign
from members.queries import programme

_FLOORS: Final = ("members", "loyalty", "rewards", "campaigns", "analytics")


def rendered(written: Written, *, name: str, address: str, empty: str = "") -> SafeString:
    """Return the editor as HTML. `address` is where its buttons post the form, `empty` what it means without a condition."""
    errors = errors_of(written)
    shown = (
        errors if written.is_final else {chip.key: errors.get(chip.key, "") for chip in written.chips() if chip.values}
    )
    labels = _fact_groups()
    context = {
        "name": name,
        "address": address,
        "written": written,
        "parts": [
            {"key": part.key, "chips": [_shown(chip, name, shown, labels) for chip in part.chips]}
            if isinstance(part, ChipGroup)
            else {"chip": _shown(part, name, shown, labels)}
            for part in written.parts
        ],
        "sentence": _said(written, empty),
        "empty": empty,
        "input_class": " ".join(INPUT_CLASSES),
        "select_class": " ".join(SELECT_CLASSES),
    }
    return mark_safe(render_to_string("portal/conditions/editor.html", context))  # noqa: S308 - a template escapes


def _said(written: Written, empty: str) -> str:
    return empty if empty and not written.parts else sentence_of(written)


def _fact_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the facts to choose from, by the floor that owns them."""
    in_order = sorted(facts(), key=lambda one: _FLOORS.index(one.key.partition(".")[0]))
    return [
        (capfirst(str(apps.get_app_config(floor).verbose_name)), [(one.key, capfirst(str(one.label))) for one in group])
        for floor, group in groupby(in_order, key=lambda one: one.key.partition(".")[0])
    ]


def _shown(
    chip: Chip, name: str, errors: Mapping[str, str], labels: list[tuple[str, list[tuple[str, str]]]]
) -> dict[str, Any]:
    known = chip.fact
    shown: dict[str, Any] = {
        "key": chip.key, "start": f"{name}-{chip.key}-", "fact_key": chip.fact_key, "groups": labels, "is_new": chip.is_new,
        "error": errors.get(chip.key, ""),
    }  # fmt: skip
    if known is None:
        return shown
    return {
        **shown,
        "op": chip.op,
        "operators": [(op, OPERATOR_WORDS[op]) for op in OPERATORS[known.kind]],
        "params": [
            {
                "name": param.name,
                "label": capfirst(str(param.label)),
                "value": chip.args.get(param.name, ""),
                "choices": _param_choices(param, chip.args.get(param.name, "")),
                "least": param.least,
                "most": param.most,
            }
            for param in known.params
        ],
        **_input(known, chip),
    }


def _param_choices(param: FactParam, chosen: str) -> list[tuple[str, str]] | None:
    """Return what a parameter can be; what was chosen stays, even if it is not offered any more."""
    if param.choices is None:
        return None
    offered = dict(param.choices(None))
    return [*offered.items(), *([(chosen, chosen)] if chosen and chosen not in offered else [])]


def _input(known: Fact, chip: Chip) -> dict[str, Any]:
    """Return which sort of input takes the value, and what stands in it."""
    values = [*chip.values, "", ""]
    if chip.op in NUMBER_OPS:
        unit = currency_sign(programme().currency) if known.kind == "money" else known.unit
        return {"input": "numbers", "numbers": values[: 2 if chip.op == "between" else 1], "unit": unit}
    if chip.op in DAY_OPS:
        return {"input": "numbers", "numbers": values[:1], "unit": _("days")}
    if chip.op in DATE_OPS:
        return {"input": "date", "value": values[0]}
    if chip.op == "is":
        return {"input": "select", "value": values[0], "choices": [("yes", _("yes")), ("no", _("no"))]}
    if chip.op == "month_in":
        choices = {str(number): str(month) for number, month in MONTHS.items()}
    else:
        choices = {code: str(label) for code, label in (known.choices(None) if known.choices else {}).items()}
    gone = {code: code for code in chip.values if code and code not in choices}
    rows = [(code, label, code in chip.values) for code, label in {**choices, **gone}.items()]
    return {"input": "boxes", "boxes": rows}


class ConditionWidget(forms.Widget):
    """Shows the editor in a form."""

    def __init__(self, address: str | Promise, empty: str | Promise = "") -> None:
        super().__init__()
        self.address = address
        self.empty = empty

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        written = value if isinstance(value, Written) else written_of(value)
        return rendered(written, name=name, address=str(self.address), empty=str(self.empty))

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Written:
        return written_in(data, name, is_final=True)

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-mode" not in data

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return f"{id_}_mode" if id_ else ""


class ConditionField(forms.Field):
    """A condition in a form; its value is what is stored, or None when nothing is asked. `address` is its fragment view.

    `empty` says what it means that nothing is asked; without it that is everybody.
    """

    def __init__(self, *, address: str | Promise, empty: str | Promise = "", **kwargs: Any) -> None:
        super().__init__(
            **{"required": False, "label": gettext_lazy("Members"), **kwargs, "widget": ConditionWidget(address, empty)}
        )

    def clean(self, value: Any) -> dict[str, Any] | None:
        return stored_of(value if isinstance(value, Written) else Written())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not isinstance(data, Written) or bool(written_of(initial).parts != data.parts)


def condition_fragment(request: HttpRequest, *, name: str, address: str, empty: str = "") -> HttpResponse:
    """Answer a button of the editor: the editor after it, or only its sentence. The page has checked who asks."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    data = request.POST
    written = written_in(data, name, is_final=False)
    wish = data.get(f"{name}-do", "")
    if wish == "sentence":
        return HttpResponse(render_to_string("portal/conditions/sentence.html", {"sentence": _said(written, empty)}))
    return HttpResponse(rendered(changed(written, wish), name=name, address=address, empty=empty))
