"""Where a member is signed in, as a tab of the member's page; ending it; and what the timeline says of signing in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from members.actors import Actor
from members.admin import panels
from members.admin.days import local_day
from members.admin.dialogs import ReasonDialog
from members.admin.standing_dialogs import Wish, wish_dialog
from members.admin.timeline import Names, register_sentence
from members.models import Member, MemberSession
from members.services.member_sessions import BEGUN, ENDED, sessions_of, sign_member_out

END: Final = "members.end_membersession"
_MOST_ENDED: Final = 20


class EndSessionDialog(ReasonDialog):
    """Which device, and why."""

    session = forms.ChoiceField(label=_("Device"), widget=UnfoldAdminSelectWidget)
    field_order = ("session", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = MemberSession.objects.filter(member_id=self.object_id, ended_at__isnull=True).order_by("-last_used_at")
        self.fields["session"].choices = [(one.pk, _name(one)) for one in live[:_MOST_ENDED]]


def _end_one(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    wanted = form.cleaned_data
    sign_member_out(member_id=member_id, session_id=int(wanted["session"]), reason=wanted["reason"], by=by, at=at)


def _end_all(member_id: int, form: Any, by: Actor, at: datetime) -> None:
    sign_member_out(member_id=member_id, reason=form.cleaned_data["reason"], by=by, at=at)


SIGN_IN_WISHES: Final[Mapping[str, Wish]] = {
    "end": Wish(
        END,
        _("Sign the member out on a device?"),
        _("It holds at once. The member can sign in anew."),
        _("Sign out"),
        _("The member is signed out there."),
        EndSessionDialog,
        _end_one,
    ),
    "end_all": Wish(
        END,
        _("Sign the member out everywhere?"),
        _("It holds at once, on all devices. The member can sign in anew."),
        _("Sign out everywhere"),
        _("The member is signed out everywhere."),
        ReasonDialog,
        _end_all,
    ),
}


def sign_in_dialog(request: HttpRequest, member: Member, wish: str) -> HttpResponse:
    """Show the dialog of a wish, or carry it out and lead back to the tab."""
    then = reverse("admin:members_member_change", args=[member.pk]) + "?tab=sign_ins"
    return wish_dialog(request, member, SIGN_IN_WISHES[wish], then)


def _name(session: MemberSession) -> str:
    device = session.device or _now("device without a name")
    return f"{device} · {session.get_way_display()} · {local_day(session.created_at)}"


def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    ended = MemberSession.objects.filter(member=member).exclude(ended_at=None).order_by("-ended_at")
    return {
        "live": sessions_of(member.pk, at),
        "ended": list(ended[:_MOST_ENDED]),
        "cooling": member.cooling_until if member.cooling_until and member.cooling_until > at else None,
    }


def _begun(payload: Mapping[str, Any], names: Names) -> str:
    ways = dict(MemberSession.Way.choices)
    return _now("Signed in with %(way)s.") % {"way": ways.get(payload.get("way", ""), payload.get("way", ""))}


def _ended(payload: Mapping[str, Any], names: Names) -> str:
    ends = dict(MemberSession.End.choices)
    why = ends.get(payload.get("end", ""), payload.get("end", ""))
    if payload.get("reason"):
        count = int(payload.get("sessions", 1))
        words = ngettext(
            "Signed out by staff on %(number)s device: %(reason)s",
            "Signed out by staff on %(number)s devices: %(reason)s",
            count,
        )
        return words % {"number": count, "reason": payload["reason"]}
    return _now("A sign-in ended: %(why)s.") % {"why": why}


panels.register_tab(
    "sign_ins", label=_("Sign-ins and devices"), order=72, template="portal/member/sign_ins.html", context=_tab
)
register_sentence(BEGUN, _begun, icon="login")
register_sentence(ENDED, _ended, icon="logout")
