"""Alarms of guessing, where no member can be named: one row an hour, kind and key. And a strip above the risk reviews."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from members.admin.base import Badge, HistoryAdmin, actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.timeline import Names, register_sentence
from members.figures import grouped
from members.models import GuessingAlarm
from members.services.guessing import ALARM, AXES, EVERYBODY, guess_label, settle_alarm

SETTLE: Final = "members.settle_guessingalarm"
_MOST_COUNTED: Final = 99


def alarms_waiting() -> int:
    """Return how many alarms nobody has looked at yet, a hundred at most."""
    waiting = GuessingAlarm.objects.filter(seen_at__isnull=True).order_by("hour_at", "pk")
    return len(waiting.values_list("pk", flat=True)[: _MOST_COUNTED + 1])


@admin.register(GuessingAlarm)
class GuessingAlarmAdmin(HistoryAdmin):
    """What was guessed at, newest first."""

    is_nameless = True
    list_display = ("what", "hour_at", "who", "locks_shown", "most_shown", "state", "finding")
    list_display_links = None
    list_select_related = ("seen_by",)
    list_filter = (("hour_at", DayRangeFilter),)
    ordering = ("-hour_at", "-id")
    empty_sentence = _("Nobody is guessing at codes. Locks after wrong codes, and alarms, are noted here by the hour.")

    @display(description=_("what was guessed"))
    def what(self, alarm: GuessingAlarm) -> str:
        return guess_label(alarm.kind)

    @display(description=_("counted by"))
    def who(self, alarm: GuessingAlarm) -> str:
        return str(AXES.get(alarm.axis, alarm.axis))

    @display(description=_("locks"))
    def locks_shown(self, alarm: GuessingAlarm) -> str:
        words = ngettext("%(number)s lock", "%(number)s locks", alarm.locks)
        return words % {"number": grouped(alarm.locks)} if alarm.locks else "–"

    @display(description=_("most in a minute"))
    def most_shown(self, alarm: GuessingAlarm) -> str:
        words = ngettext("%(number)s wrong try", "%(number)s wrong tries", alarm.most_in_a_minute)
        return words % {"number": grouped(alarm.most_in_a_minute)}

    @display(description=_("state"), label={"alarm": "danger", "lock": "warning", "seen": "success"})
    def state(self, alarm: GuessingAlarm) -> Badge:
        if alarm.seen_at is not None:
            return Badge("seen", _now("looked at"))
        if alarm.axis == EVERYBODY:
            return Badge("alarm", _now("alarm"))
        return Badge("lock", _now("locked"))

    @display(description=_("what was found"))
    def finding(self, alarm: GuessingAlarm) -> SafeString:
        if alarm.seen_at is not None:
            return format_html("{} ({})", alarm.reason, alarm.seen_by)
        where = reverse("admin:members_guessingalarm_settle", args=[alarm.pk])
        button = (
            '<button type="button" class="pn-button" hx-get="{}" hx-target="#modal-content" hx-select="#dialog" '
            'x-on:htmx:after-on-load="openModal = true">{}</button>'
        )
        return format_html(button, where, _now("Note what it was"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("<int:alarm_id>/settle/", view(self.settle), name="members_guessingalarm_settle")]
        return own + super().get_urls()

    def settle(self, request: HttpRequest, alarm_id: int) -> HttpResponse:
        """Ask what was found behind an alarm, and note it."""
        if not request.user.has_perm(SETTLE):
            raise Http404
        form = ReasonDialog(request, alarm_id, request.POST or None)
        if not form.is_valid():
            title = _("What was behind it?")
            dialog = {
                "title": title,
                "description": _("The alarm is closed with your note. What comes next opens another one."),
                "form_submit_text": _("Note it"),
            }
            context = {"dialog": dialog, "form": form, "form_submit_text": _("Note it")}
            return render(request, "unfold/helpers/dialog.html", context)

        def act() -> None:
            settle_alarm(alarm_id=alarm_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now())

        return carry_out(request, act, done=_("It is noted."), then=reverse("admin:members_guessingalarm_changelist"))


def _alarm(payload: Mapping[str, Any], names: Names) -> str:
    words = _now("Alarm: %(number)s wrong tries in a minute (%(what)s).")
    return words % {"number": grouped(payload["tries"]), "what": guess_label(payload["kind"])}


def _settled(payload: Mapping[str, Any], names: Names) -> str:
    return _now("Alarm looked at (%(what)s): %(reason)s") % {
        "what": guess_label(payload["kind"]),
        "reason": payload.get("reason", ""),
    }


register_sentence(ALARM, _alarm, icon="notifications_active")
register_sentence("members.guessing_alarm_settled.v1", _settled, icon="verified_user")
