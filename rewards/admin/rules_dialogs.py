"""The dialogs in which a rule begins and ends."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES

from members.admin.dialogs import ReasonDialog
from rewards.models import EarnRule, EarnRuleVersion


def _moment(label: Any, help_text: Any) -> forms.DateTimeField:
    """Return a moment that may be left empty, typed into the browser's own field: calendars of pages do not reach dialogs."""
    widget = forms.DateTimeInput(
        attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}, format="%Y-%m-%dT%H:%M"
    )
    return forms.DateTimeField(
        label=label,
        required=False,
        help_text=help_text,
        widget=widget,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


class PublishDialog(ReasonDialog):
    """From when, and why."""

    valid_from = _moment(_("From"), _("Empty: now."))
    field_order = ("valid_from", "reason")


class EndDialog(ReasonDialog):
    """Until when, and why."""

    valid_to = _moment(_("Until"), _("Empty: now."))
    field_order = ("valid_to", "reason")


def ask(
    request: HttpRequest, form: ReasonDialog, *, title: str, description: str, button: str,
    version: EarnRuleVersion | None = None, rule: EarnRule | None = None,
) -> HttpResponse:  # fmt: skip
    """Show a dialog; its title may name the rule and the version."""
    named = version.rule if version else rule
    words = {"name": named.name if named else "", "number": version.number if version else ""}
    context = {
        "dialog": {"title": title % words, "description": description},
        "form": form,
        "form_submit_text": button,
    }
    return render(request, "unfold/helpers/dialog.html", context)
