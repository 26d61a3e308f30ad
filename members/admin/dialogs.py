"""Dialogs in which staff say why, before a service is called. They are posted; a link alone changes nothing."""

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from members.admin.base import say_refusal
from members.figures import grouped
from members.refusals import Refusal

#: From one more on, a number has to be typed.
MOST_UNTYPED: Final = 1_000


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


class CountedDialog(ConfirmDialog):
    """Asks whether it is meant; where it concerns more than 1,000, the number has to be typed."""

    typed = forms.CharField(label=_("The number"), max_length=20, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = number
        if number <= MOST_UNTYPED:
            del self.fields["typed"]
        else:
            words = _("Type %(number)s to show that you mean so many.")
            self.fields["typed"].help_text = words % {"number": grouped(number)}

    def clean_typed(self) -> str:
        """Refuse another number; thousands may be set apart."""
        typed: str = self.cleaned_data["typed"]
        if typed.replace(",", "").replace(" ", "") != str(self._number):
            raise forms.ValidationError(_("This is another number."))
        return typed


def carry_out(request: HttpRequest, act: Callable[[], None], *, done: Any, then: str) -> HttpResponse:
    """Do what the dialog asked about, say how it went, and lead the page on to `then`."""
    try:
        act()
    except Refusal as refusal:
        say_refusal(request, refusal)
    else:
        messages.success(request, done)
    return HttpResponse(headers={"HX-Redirect": then})
