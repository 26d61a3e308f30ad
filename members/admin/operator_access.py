"""What colleagues do about an operator's sign-in: end all sessions, take a lost second step away, lift a lock-out."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from members.admin.base import StaffAdmin
from members.admin.days import local_moment
from members.admin.dialogs import ReasonDialog, carry_out
from members.models import Operator
from members.services import second_steps
from members.services.sign_in_tries import account_locked_until, lift_account


def _dialog(title: Any, description: Any, submit: Any) -> dict[str, Any]:
    return {"title": title, "description": description, "form_class": ReasonDialog, "form_submit_text": submit}


class AccessActions(StaffAdmin):
    """The actions about sign-in of the operator's page. Each asks why; the log of the page keeps who did it."""

    @display(description=_("second step"))
    def second_step_state(self, operator: Operator) -> str:
        step = getattr(operator, "second_step", None)
        if step is None or step.confirmed_at is None:
            return _now("not set up")
        left = second_steps.codes_left(operator)
        day = local_moment(step.confirmed_at)
        return _now("in use since %(day)s; recovery codes left: %(left)s") % {"day": day, "left": left}

    @display(description=_("lock-out"))
    def lock_state(self, operator: Operator) -> str:
        until = account_locked_until(name=operator.get_username(), operator_id=operator.pk, at=timezone.now())
        if until is None:
            return _now("none")
        return _now("after too many failed tries, until %(time)s") % {"time": local_moment(until)}

    @action(
        description=_("Sign out everywhere"),
        url_path="end-sessions",
        permissions=["access"],
        icon="logout",
        dialog=_dialog(
            _("Sign this operator out everywhere?"), _("All open sessions end with the next click."), _("Sign out")
        ),
    )
    def end_all_sessions(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._change(
            request, object_id, form, lambda one: second_steps.end_sessions(operator=one), _("All sessions have ended.")
        )

    @action(
        description=_("Take the second step away"),
        url_path="take-second-step",
        permissions=["access"],
        icon="phonelink_erase",
        dialog=_dialog(
            _("Take the second step away?"),
            _("For a lost phone. The operator signs in with the password alone and is signed out everywhere now."),
            _("Take away"),
        ),
    )
    def take_second_step(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._change(
            request, object_id, form, lambda one: second_steps.take_away(operator=one), _("The second step is gone.")
        )

    @action(
        description=_("Lift the lock-out"),
        url_path="lift-lock",
        permissions=["access"],
        icon="lock_open",
        dialog=_dialog(
            _("Lift the lock-out?"), _("The operator may try again at once. Make sure who is asking."), _("Lift it")
        ),
    )
    def lift_lock(self, request: HttpRequest, form: ReasonDialog, object_id: int) -> HttpResponse:
        return self._change(request, object_id, form, _lift, _("The operator may sign in again."))

    def has_access_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        """Only who may change the operator; only a superuser where that is a superuser."""
        operator = Operator.objects.filter(pk=object_id).first() if object_id else None
        return self.has_change_permission(request, operator)

    def _change(
        self, request: HttpRequest, object_id: int, form: ReasonDialog, act: Callable[[Operator], None], done: Any
    ) -> HttpResponse:
        operator = Operator.objects.get(pk=object_id)

        def acted() -> None:
            act(operator)
            self.log_change(request, operator, f"{done}: {form.cleaned_data['reason']}")

        return carry_out(request, acted, done=done, then=reverse("admin:members_operator_change", args=[object_id]))


def _lift(operator: Operator) -> None:
    lift_account(name=operator.get_username(), operator_id=operator.pk)
