"""Pages on which staff move points of one member by hand: a form, the limits beside it, and what becomes of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from members.models import Member, Operator
from members.proposals import ProposalOutcome, my_limit
from members.refusals import Refusal
from rewards.queries import balance_of

MOST_POINTS = 10_000_000


class HandForm(forms.Form):
    """A form that is carried out once, however often it is sent: it bears a request of its own."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"request_id": uuid4().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)


class PointsField(forms.IntegerField):
    """How many points, at least 1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "label": gettext_lazy("Points"),
                "min_value": 1,
                "max_value": MOST_POINTS,
                "widget": UnfoldAdminIntegerFieldWidget,
                **kwargs,
            }
        )


class ReasonField(forms.CharField):
    """Why, for colleagues."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "label": gettext_lazy("Reason"), "max_length": 200, "widget": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
                "help_text": gettext_lazy("Stays with the posting for colleagues. No names or numbers of people."), **kwargs,
            }
        )  # fmt: skip


@dataclass(slots=True)
class Page:
    """What an action page shows beside its form: facts in pairs, an explanation, a link, and whether there is anything to send."""

    title: str | Promise
    submit: str | Promise
    intro: str | Promise = ""
    facts: list[tuple[Any, Any]] = field(default_factory=list)
    why: Any = None
    link: tuple[str, str] | None = None
    works_out: str | Promise = ""
    kind: str = ""
    can_send: bool = True


class HandPages:
    """What the pages of one admin share: permission, member, form, limits, the way back to the member page."""

    def __init__(self, model_admin: ModelAdmin) -> None:
        self.model_admin = model_admin

    def require(self, request: HttpRequest, permission: str) -> None:
        """Refuse whoever has not this permission."""
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def member(self, member_id: int) -> Member:
        """Return the member, or answer that there is none."""
        member = Member.objects.filter(pk=member_id).first()
        if member is None:
            raise Http404
        return member

    def show(self, request: HttpRequest, member: Member, form: forms.Form, page: Page, at: Any) -> HttpResponse:
        """Return the page."""
        balance = balance_of(member.pk, at)
        request.current_app = self.model_admin.admin_site.name
        context = {
            **self.model_admin.admin_site.each_context(request),
            "opts": self.model_admin.opts,
            "title": page.title,
            "member": member,
            "balance": balance,
            "form": form,
            "page": page,
            "limit": my_limit(operator=cast(Operator, request.user), kind=page.kind, at=at) if page.kind else None,
            "back": member_page(member.pk),
            "media": self.model_admin.media + form.media,
        }
        return render(request, "portal/points/action.html", context)

    def send(self, request: HttpRequest, form: forms.Form, act: Callable[[], ProposalOutcome], member_id: int) -> HttpResponse | None:  # fmt: skip
        """Carry out or propose, and lead back to the member; None when it was refused, with the reason in the form."""
        try:
            outcome = act()
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
            return None
        say_outcome(request, outcome)
        return HttpResponseRedirect(member_page(member_id))


def say_outcome(request: HttpRequest, outcome: ProposalOutcome) -> None:
    """Tell the operator what became of it."""
    if outcome.carried_out:
        messages.success(request, outcome.result)
        return
    missing = outcome.approvals_missing
    words = ngettext(
        "This is above what you may do alone: it waits for %(people)s colleague to approve it.",
        "This is above what you may do alone: it waits for %(people)s colleagues to approve it.",
        missing,
    )
    messages.warning(request, words % {"people": missing})


def member_page(member_id: int) -> str:
    """Return the address of the points of a member."""
    return reverse("admin:members_member_change", args=[member_id]) + "?tab=points"
