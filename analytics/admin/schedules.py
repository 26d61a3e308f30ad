"""The page of what runs by itself: staff see when each task ran, move it, or switch it off."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from members.admin.base import StaffAdmin

_TITLES = {
    "members.relay_timeline": gettext_lazy("Relay the timeline to its readers"),
    "members.ensure_timeline_partitions": gettext_lazy("Make room for the timeline ahead"),
    "members.forget_old_answers": gettext_lazy("Forget old answers of the API"),
    "loyalty.review_due_tiers": gettext_lazy("Review the tiers that are due"),
    "loyalty.warn_of_reviews": gettext_lazy("Warn members whose tier is at risk"),
    "loyalty.forget_review_details": gettext_lazy("Delete the details of old runs of reviews"),
    "rewards.expire_due_lots": gettext_lazy("Expire the points that are due"),
    "rewards.release_pending_lots": gettext_lazy("Make pending points available"),
    "rewards.expire_due_vouchers": gettext_lazy("Expire the vouchers that are due"),
    "rewards.warn_of_expiry": gettext_lazy("Warn of points that expire soon"),
    "rewards.extend_unreached": gettext_lazy("Extend points of members who could not be reached"),
    "rewards.follow_expiry_policies": gettext_lazy("Bring accounts in line with the policies of inactivity"),
    "members.resume_jobs": gettext_lazy("Go on with jobs whose worker was lost"),
    "members.expire_proposals": gettext_lazy("Close proposals that nobody decided in time"),
    "members.forget_job_files": gettext_lazy("Delete the files of old jobs"),
    "rewards.release_due_holds": gettext_lazy("Give back points set aside past their end"),
    "rewards.rebalance_budgets": gettext_lazy("Spread shared budgets evenly"),
    "rewards.forget_day_counters": gettext_lazy("Forget old daily counters of caps"),
    "rewards.seal_ledger": gettext_lazy("Seal what was posted"),
    "rewards.anchor_ledger": gettext_lazy("Anchor the seals of the day"),
    "rewards.work_out_open_months": gettext_lazy("Work out the open month of the points books"),
    "rewards.award_birthdays": gettext_lazy("Award the points of birthdays"),
    "rewards.forget_batch_errors": gettext_lazy("Delete the refused rows of old batches"),
    "rewards.verify_ledger": gettext_lazy("Check the points ledger"),
    "campaigns.deliver_due_messages": gettext_lazy("Send the messages that are due"),
    "celery.backend_cleanup": gettext_lazy("Clear old results of background work"),
}
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_EVERY_HOUR = "*"

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)  # their own pages ask for JSON and cron expressions


def task_title(task: PeriodicTask) -> str:
    """Return what a task does, in the active language; tasks that were added by hand keep their name."""
    return str(_TITLES.get(task.task, task.name))


def when_sentence(task: PeriodicTask) -> str:
    """Return when a task runs, in words."""
    if task.interval:
        seconds = task.interval.every * _SECONDS.get(task.interval.period, 1)
        return _every(seconds)
    clock = task.crontab
    if clock is None:
        return _("on a schedule of its own")
    if (clock.day_of_week, clock.day_of_month, clock.month_of_year) != ("*", "*", "*") or not clock.minute.isdigit():
        return _("by the clock: %(expression)s (%(zone)s)") % {
            "expression": f"{clock.minute} {clock.hour} {clock.day_of_month} {clock.month_of_year} {clock.day_of_week}",
            "zone": clock.timezone,
        }
    if clock.hour == _EVERY_HOUR:
        return _("every hour at minute %(minute)s") % {"minute": clock.minute}
    if not clock.hour.isdigit():
        return _("by the clock: %(expression)s (%(zone)s)") % {
            "expression": f"{clock.minute} {clock.hour}",
            "zone": clock.timezone,
        }
    return _("daily at %(time)s (%(zone)s)") % {
        "time": f"{int(clock.hour):02}:{int(clock.minute):02}",
        "zone": clock.timezone,
    }


def _every(seconds: int) -> str:
    if seconds % 86_400 == 0:
        return ngettext("every %(number)s day", "every %(number)s days", seconds // 86_400) % {
            "number": seconds // 86_400
        }
    if seconds % 3_600 == 0:
        return ngettext("every %(number)s hour", "every %(number)s hours", seconds // 3_600) % {
            "number": seconds // 3_600
        }
    if seconds % 60 == 0:
        return ngettext("every %(number)s minute", "every %(number)s minutes", seconds // 60) % {
            "number": seconds // 60
        }
    return ngettext("every %(number)s second", "every %(number)s seconds", seconds) % {"number": seconds}


class ScheduleForm(forms.ModelForm):
    """On or off, and the time in the two forms that ship: every so many seconds, or at a time of day."""

    every_seconds = forms.IntegerField(
        label=gettext_lazy("Every (seconds)"),
        min_value=5,
        max_value=86_400,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    hour = forms.IntegerField(
        label=gettext_lazy("Hour"), min_value=0, max_value=23, required=False, widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Empty: every hour."),
    )  # fmt: skip
    minute = forms.IntegerField(
        label=gettext_lazy("Minute"), min_value=0, max_value=59, required=False, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = PeriodicTask
        fields = ("enabled",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.interval:
            self.initial["every_seconds"] = self.instance.interval.every * _SECONDS.get(
                self.instance.interval.period, 1
            )
        if self.instance.crontab:
            self.initial["hour"] = self.instance.crontab.hour if self.instance.crontab.hour.isdigit() else None
            self.initial["minute"] = self.instance.crontab.minute

    def save(self, commit: bool = True) -> PeriodicTask:
        task, wanted = self.instance, self.cleaned_data
        if task.interval and wanted.get("every_seconds"):
            every = {"every": wanted["every_seconds"], "period": IntervalSchedule.SECONDS}
            task.interval = IntervalSchedule.objects.filter(**every).first() or IntervalSchedule.objects.create(**every)
        if task.crontab and wanted.get("minute") is not None:
            hour = wanted.get("hour")
            clock = {
                "minute": str(wanted["minute"]),
                "hour": _EVERY_HOUR if hour is None else str(hour),
                "day_of_week": task.crontab.day_of_week,
                "day_of_month": task.crontab.day_of_month,
                "month_of_year": task.crontab.month_of_year,
                "timezone": task.crontab.timezone,
            }
            task.crontab = CrontabSchedule.objects.filter(**clock).first() or CrontabSchedule.objects.create(**clock)
        return super().save(commit)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(StaffAdmin):
    """What runs by itself."""

    form = ScheduleForm
    is_nameless = True
    list_display = ("title", "when", "enabled", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab")
    list_display_links = ("title",)
    ordering = ("task", "id")
    sortable_by = ()
    readonly_fields = ("title", "when", "last_run_at", "total_run_count")
    empty_sentence = gettext_lazy("Nothing runs by itself. The schedules are made when the portal is installed.")

    def get_fields(self, request: HttpRequest, obj: PeriodicTask | None = None) -> tuple[str, ...]:
        timing = ("every_seconds",) if obj and obj.interval_id else ("hour", "minute") if obj and obj.crontab_id else ()
        return ("title", "when", "enabled", *timing, "last_run_at", "total_run_count")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description=gettext_lazy("what is done"))
    def title(self, task: PeriodicTask) -> str:
        return task_title(task)

    @display(description=gettext_lazy("when"))
    def when(self, task: PeriodicTask) -> str:
        return when_sentence(task)
