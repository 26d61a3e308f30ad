"""Signing in: name and password, counted against guessing, then the digits of the phone where there is one.

Between the two steps nobody is signed in: the session knows only who has given the right password, for ten minutes.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from members.addresses import place_of
from members.models import Operator
from members.refusals import Refusal
from members.services import second_steps
from members.services.sign_in_tries import count_sign_in, forgive_sign_in, know_place

#: In the session of who has signed in with a second step.
SECOND_STEP: Final = "second_step"
_HALF: Final = "half_signed_in"
_TIME_FOR_DIGITS: Final = timedelta(minutes=10)


class SignInForm(AuthenticationForm):
    """Name and password. A try is counted before it is looked at."""

    def clean(self) -> dict[str, Any]:
        """Refuse who is locked out, without looking at the password."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return super().clean()
        at = timezone.now()
        place = place_of(self.request)
        try:
            count_sign_in(name=name, place=place, at=at)
        except Refusal as refusal:
            raise ValidationError(refusal.sentence(), code=refusal.code) from refusal
        cleaned = super().clean()
        forgive_sign_in(name=name, place=place, at=at)
        return cleaned


class DigitsForm(forms.Form):
    """The digits that the app shows, or a recovery code."""

    digits = forms.CharField(
        label=_("Six digits of your app, or a recovery code"),
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autofocus": "", "autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false"}
        ),
    )


class SignIn(LoginView):
    """The first step. It signs in whoever needs no second one, and leads the others on."""

    def form_valid(self, form: Any) -> HttpResponse:
        operator, at = form.get_user(), timezone.now()
        has_step = second_steps.has_second_step(operator)
        if not has_step and not second_steps.is_required(operator):
            _know_place(self.request, operator, at)
            return super().form_valid(form)
        _half_sign_in(self.request, operator, self.get_success_url(), at)
        return HttpResponseRedirect(reverse("admin:sign_in_digits" if has_step else "admin:second_step"))


def sign_in_digits(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The second step: ask for the digits, then sign in."""
    at = timezone.now()
    operator = half_signed_in(request, at)
    if operator is None:
        return HttpResponseRedirect(reverse("admin:login"))
    form = DigitsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            was_recovery = second_steps.check_digits(operator=operator, digits=form.cleaned_data["digits"], at=at)
        except Refusal as refusal:
            form.add_error("digits", refusal.sentence())
        else:
            if was_recovery:
                left = second_steps.codes_left(operator)
                messages.warning(request, _("You used a recovery code; %(left)s are left.") % {"left": left})
            _know_place(request, operator, at)
            return _sign_in(request, operator)
    return _page(request, "portal/sign_in/digits.html", {**context, "form": form, "title": _("Second step")})


def own_second_step(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """One's own second step: set it up, renew the recovery codes, switch it off. Also for who must set it up to get in."""
    at = timezone.now()
    half = half_signed_in(request, at)
    operator = half or request.user
    if not isinstance(operator, Operator) or not (half or operator.is_staff):
        return HttpResponseRedirect(reverse("admin:login"))
    if half and second_steps.has_second_step(half):
        return HttpResponseRedirect(reverse("admin:sign_in_digits"))
    form = DigitsForm(request.POST or None)
    shown = {**context, "form": form, "title": _("Second step at sign-in"), "is_half": half is not None}
    if request.method == "POST" and form.is_valid():
        try:
            codes = _carry_out(request, operator, form.cleaned_data["digits"], at)
        except Refusal as refusal:
            form.add_error("digits", refusal.sentence())
        else:
            if codes is None:
                messages.success(request, _("The second step is switched off."))
                return HttpResponseRedirect(reverse("admin:second_step"))
            _know_place(request, operator, at)
            _stay_signed_in(request, operator)
            return _page(request, "portal/sign_in/codes.html", {**shown, "codes": codes, "next": _next(request)})
    if second_steps.has_second_step(operator):
        shown |= {
            "codes_left": second_steps.codes_left(operator),
            "is_required": second_steps.is_required(operator),
            "since": operator.second_step.confirmed_at,
        }
        return _page(request, "portal/sign_in/own.html", shown)
    form.fields["digits"].label = _("Six digits that the app shows")
    enrolment = second_steps.begin_enrolment(operator=operator, at=at)
    square = segno.make(enrolment.address, error="m").svg_inline(scale=5, border=3, light="#fff")
    return _page(request, "portal/sign_in/enrol.html", {**shown, "secret": enrolment.secret, "square": square})


def may_be_here(request: HttpRequest) -> bool:
    """Return whether the session satisfies the programme's policy: signed in with a second step where that is required."""
    if request.session.get(SECOND_STEP):
        return True
    operator = request.user
    return not (isinstance(operator, Operator) and second_steps.is_required(operator))


def half_signed_in(request: HttpRequest, at: datetime) -> Operator | None:
    """Return who gave the right password in this session less than ten minutes ago, and has not signed in yet."""
    half = request.session.get(_HALF)
    if not half or at - datetime.fromisoformat(half["at"]) > _TIME_FOR_DIGITS:
        return None
    operator = Operator.objects.filter(pk=half["operator"], is_active=True, is_staff=True).first()
    if operator is None or not constant_time_compare(operator.get_session_auth_hash(), half["hash"]):
        return None
    return operator


def _carry_out(request: HttpRequest, operator: Operator, digits: str, at: datetime) -> list[str] | None:
    """Do what the page asks for; return recovery codes to show, or None when the second step was switched off."""
    wish = request.POST.get("wish")
    if wish == "off":
        second_steps.switch_off(operator=operator, digits=digits, at=at)
        return None
    if wish == "renew":
        return second_steps.renew_recovery_codes(operator=operator, digits=digits, at=at)
    return second_steps.confirm_enrolment(operator=operator, digits=digits, at=at)


def _know_place(request: HttpRequest, operator: Operator, at: datetime) -> None:
    """Remember where somebody is in, with all steps: guesses at the name from elsewhere do not lock them out there."""
    know_place(name=operator.get_username(), place=place_of(request), at=at)


def _half_sign_in(request: HttpRequest, operator: Operator, then: str, at: datetime) -> None:
    request.session.flush()
    request.session[_HALF] = {
        "operator": operator.pk,
        "backend": operator.backend,  # set by authenticate()
        "hash": operator.get_session_auth_hash(),
        "next": then,
        "at": at.isoformat(),
    }


def _sign_in(request: HttpRequest, operator: Operator) -> HttpResponse:
    half = request.session.pop(_HALF)
    login(request, operator, backend=half["backend"])
    request.session[SECOND_STEP] = True
    return HttpResponseRedirect(half["next"])


def _stay_signed_in(request: HttpRequest, operator: Operator) -> None:
    """Sign in who was half in; for the others, let this session outlive the end of all sessions."""
    half = request.session.pop(_HALF, None)
    backend = half["backend"] if half else request.session["_auth_user_backend"]
    operator.refresh_from_db()
    login(request, operator, backend=backend)
    request.session[SECOND_STEP] = True
    if half:
        request.session["next_page"] = half["next"]


def _next(request: HttpRequest) -> str:
    then: str = request.session.pop("next_page", reverse("admin:index"))
    return then


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    answer = render(request, template, context)
    answer["Cache-Control"] = "no-store"
    return answer
