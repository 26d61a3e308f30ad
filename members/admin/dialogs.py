"""Dialogs in which staff say why, before a service is called. They are posted; a link alone changes nothing."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from members.admin.base import say_refusal
from members.refusals import Refusal


class ReasonDialog(BaseDialogForm):
    """Asks for a reason."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )


class ConfirmDialog(BaseDialogForm):
    """Asks whether it is meant."""


def carry_out(request: HttpRequest, act: Callable[[], None], *, done: Any, then: str) -> HttpResponse:
    """Do what the dialog asked about, say how it went, and lead the page on to `then`."""
    try:
        act()
    except Refusal as refusal:
        say_refusal(request, refusal)
    else:
        messages.success(request, done)
    return HttpResponse(headers={"HX-Redirect": then})
