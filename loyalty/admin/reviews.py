"""Pages of the runs of reviews: what is due when, the dry run and its exceptions, the waves, the result, and undoing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from loyalty.admin.sentences import at_risk_words, tier_names
from loyalty.models import ReviewPolicy, ReviewRun, ReviewRunMember, TierWarning
from loyalty.models.reviews import RUN_REVIEWS
from loyalty.periods import business_date, last_day_before
from loyalty.review_queries import by_wave, due_days, matrix
from loyalty.services import review_runs
from loyalty.services.review_undo import UNDO_WITHIN, can_undo
from members.actors import Actor
from members.admin.base import Badge, HistoryAdmin, StaffAdmin, actor_of, say_refusal
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin
from members.figures import grouped
from members.models import Member
from members.queries import programme
from members.refusals import Refusal

State = ReviewRun.State
_MOST_LEADS = 5
_MOST_LEFT_ALONE = 50
_FARTHEST_LEAD = 120
_COLOURS = {
    "planned": "info", "looking": "warning", "dry": "info", "running": "warning", "stopped": "danger", "done": "success",
    "given_up": "info", "undoing": "warning", "undone": "danger",
}  # fmt: skip
_REASONS = {
    "kept": _("keep their tier"),
    "fallen": _("fall"),
    "grace": _("are given grace"),
    "risen": _("rise"),
    "waited": _("waited for a rise that is not reached"),
}
_EXCEPTIONS = {
    "frozen": _("Frozen: their reviews go on all the same."),
    "grace": _("Near the line: they are given grace."),
    "grace_ends": _("Their grace ends: no second one is given."),
    "rise_waits": _("A rise waits for this day."),
    "floor_staff": _("Locked: a tier set by hand lies over what the review leaves; they keep it."),
    "floor_plan": _("A paid membership gives them more than the review leaves; they keep it while it runs."),
    "floor_campaign": _("A campaign gives them more than the review leaves; they keep it until it ends."),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """How many go from a tier to another, for which reason; in the dry run, and when it was decided."""

    reason: Any
    before: str
    after: str
    expected: str
    decided: str


class WarnDaysField(forms.CharField):
    """Days ahead, as people list them: 30, 7."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(days) for days in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        words = [word for word in str(value or "").replace("，", ",").replace("、", ",").split(",") if word.strip()]
        if not all(word.strip().isdecimal() and 0 < int(word) <= _FARTHEST_LEAD for word in words):
            raise ValidationError(_("Write days as whole numbers from 1 to 120, such as 30, 7."))
        if len(words) > _MOST_LEADS:
            raise ValidationError(_("At most %(most)s warnings."), params={"most": _MOST_LEADS})
        return sorted({int(word) for word in words}, reverse=True)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


class ReviewPolicyForm(forms.ModelForm):
    """How many days ahead members are warned."""

    warn_days = WarnDaysField(
        label=_("Warn so many days ahead"), required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("Such as 30, 7. Whoever keeps the tier already is not warned. Empty: nobody is."),
    )  # fmt: skip

    class Meta:
        model = ReviewPolicy
        fields = ("warn_days",)


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(StaffAdmin):
    """The one row of what is told before reviews."""

    is_nameless = True
    form = ReviewPolicyForm
    list_display = ("title", "warn_days_listed")
    empty_sentence = _("Nothing is set: nobody is warned.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # there is one row

    @display(description=_("what"))
    def title(self, policy: ReviewPolicy) -> str:
        return _now("Warnings before reviews")

    @display(description=_("warned so many days ahead"))
    def warn_days_listed(self, policy: ReviewPolicy) -> str:
        return ", ".join(map(str, policy.warn_days)) or _now("nobody is warned")


@admin.register(TierWarning)
class TierWarningAdmin(FactAdmin):
    """Who was warned, newest first."""

    is_nameless = True
    list_display = ("warned_at", "member_page", "sentence", "days")
    list_display_links = None
    list_select_related = ("member", "tier", "to_tier")
    list_filter = (("tier", RelatedDropdownFilter), ("warned_at", DayRangeFilter))
    ordering = ("-id",)
    empty_sentence = _(
        "Nobody was warned yet. Members are warned some days before a review that would not keep their tier."
    )

    @display(description=_("member"))
    def member_page(self, row: TierWarning) -> Any:
        return member_link(row.member)

    @display(description=_("warning"))
    def sentence(self, row: TierWarning) -> str:
        payload = {
            "review_date": row.review_date.isoformat(), "credits": row.credits, "needed": row.needed_credits,
            "short": max(0, row.needed_credits - row.credits), "figures": row.figures, "must": row.must,
            "outlook": "grace" if row.tier_id == row.to_tier_id else "fallen",
        }  # fmt: skip
        return at_risk_words(payload, {"from": row.tier.name, "to": row.to_tier.name})


class PlanForm(forms.Form):
    """The day whose reviews are planned."""

    day = forms.DateField()


@admin.register(ReviewRun)
class ReviewRunAdmin(HistoryAdmin):
    """Runs of reviews, newest first."""

    is_nameless = True
    list_display = ("day", "state_badge", "expected", "decided", "planned_by", "planned_at")
    list_display_links = ("day",)
    list_select_related = ("planned_by", "job__undone_by", "forecast_job")
    list_filter = (("day", DayRangeFilter),)
    ordering = ("-day", "-id")
    actions_list = ("plan",)
    empty_sentence = _("No run was planned. Reviews are then decided day by day; plan one to look at it beforehand.")

    @display(description=_("state"), label=_COLOURS)
    def state_badge(self, run: ReviewRun) -> Badge:
        return Badge(run.state.value, run.state.label)

    @display(description=_("expected (decisions)"))
    def expected(self, run: ReviewRun) -> str:
        return grouped(sum(row[-1] for row in run.forecast)) if run.forecast_at else "–"

    @display(description=_("decided"))
    def decided(self, run: ReviewRun) -> str:
        return grouped(sum(row[-1] for row in run.counts)) if run.job_id else "–"

    def has_plan_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN_REVIEWS)

    @action(description=_("Plan a run"), url_path="plan", permissions=["plan"], icon="event_upcoming")
    def plan(self, request: HttpRequest) -> HttpResponse:
        """The next days on which reviews are due, and the button that plans a run for one of them."""
        if not request.user.has_perm(RUN_REVIEWS):
            raise PermissionDenied
        at = timezone.now()
        form = PlanForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                run = review_runs.plan_run(day=form.cleaned_data["day"], by=actor_of(request), at=at)
            except Refusal as refusal:
                say_refusal(request, refusal)
            else:
                return HttpResponseRedirect(_address(run))
        today = business_date(at, programme().tz)
        open_days = {run.day: run for run in ReviewRun.objects.filter(closed_at=None)}
        days = [(one, open_days.get(one.day), one.day < today) for one in due_days(at)]
        context = {**self._context(request, _now("Plan a run of reviews")), "days": days, "today": today}
        return render(request, "portal/reviews/plan.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one run: where it stands, and what can be done next."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = _run(object_id)
        at = timezone.now()
        if request.method == "POST":
            return self._act(request, run, at)
        return render(
            request, "portal/reviews/run.html", {**self._context(request, str(run)), **_shown(request, run, at)}
        )

    def _act(self, request: HttpRequest, run: ReviewRun, at: datetime) -> HttpResponse:
        if not request.user.has_perm(RUN_REVIEWS):
            raise PermissionDenied
        act = _acts(run, request, actor_of(request), at).get(request.POST.get("act", ""))
        if act is None:
            raise Http404
        try:
            act()
        except Refusal as refusal:
            say_refusal(request, refusal)
        else:
            messages.success(request, _now("Done. This page shows how it goes on."))
        return HttpResponseRedirect(_address(run))

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "media": self.media}


def _acts(run: ReviewRun, request: HttpRequest, by: Actor, at: datetime) -> dict[str, Callable[[], Any]]:
    pauses = "pauses" in request.POST
    return {
        "forecast": lambda: review_runs.start_forecast(run_id=run.pk, by=by, at=at),
        "start": lambda: review_runs.start_run(run_id=run.pk, pauses=pauses, by=by, at=at),
        "stop": lambda: review_runs.stop_run(run_id=run.pk, by=by, at=at),
        "go_on": lambda: review_runs.continue_run(run_id=run.pk, pauses=pauses, by=by, at=at),
        "undo": lambda: review_runs.undo_run(run_id=run.pk, by=by, at=at),
        "close": lambda: review_runs.close_run(run_id=run.pk, at=at),
    }


def _shown(request: HttpRequest, run: ReviewRun, at: datetime) -> dict[str, Any]:
    state = run.state
    may = request.user.has_perm(RUN_REVIEWS)
    is_ready = may and state == State.DRY and at >= run.from_at
    ended_at = run.job.finished_at if run.job else None
    may_undo = (
        may
        and state in (State.DONE, State.STOPPED)
        and ended_at is not None
        and at < ended_at + UNDO_WITHIN
        and bool(run.counts)
    )
    return {
        "run": run,
        "state": state,
        "colour": _COLOURS[state],
        "rows": _rows(run),
        "waves": sorted(by_wave(run.counts).items()),
        "exceptions": _exceptions(run),
        "preview": _preview(run),
        "may_forecast": may and state in (State.PLANNED, State.DRY),
        "may_start": is_ready,
        "waits_for_day": state == State.DRY and at < run.from_at,
        "may_stop": may and state == State.RUNNING,
        "may_go_on": may and state == State.STOPPED,
        "may_close": may and state in (State.PLANNED, State.DRY, State.STOPPED),
        "undoing": can_undo(run.job, at).lines if may_undo and run.job else (),
        "undo_until": ended_at + UNDO_WITHIN if ended_at else None,
        "undo_job": getattr(run.job, "undone_by", None),
        "left_alone": _left_alone(run) if state in (State.UNDOING, State.UNDONE) else [],
        "is_moving": state in (State.LOOKING, State.RUNNING, State.UNDOING),
    }


def _rows(run: ReviewRun) -> list[_Row]:
    expected, decided = matrix(run.forecast), matrix(run.counts)
    keys = sorted({*expected, *decided})
    names = tier_names({code for _reason, before, after in keys for code in (before, after)})
    return [
        _Row(
            _REASONS.get(reason, reason), names.get(before, before), names.get(after, after),
            grouped(expected.get((reason, before, after), 0)) if run.forecast_at else "–",
            grouped(decided.get((reason, before, after), 0)) if run.job_id else "–",
        )
        for reason, before, after in keys
    ]  # fmt: skip


def _exceptions(run: ReviewRun) -> list[tuple[Any, str, list[Any]]]:
    noted = {kind: found for kind, found in run.exceptions.items() if found["number"] and kind in _EXCEPTIONS}
    members = Member.objects.in_bulk({member_id for found in noted.values() for member_id in found["members"]})
    return [
        (
            _EXCEPTIONS[kind], grouped(found["number"]),
            [member_link(members[member_id]) for member_id in found["members"] if member_id in members],
        )
        for kind, found in noted.items()
    ]  # fmt: skip


def _preview(run: ReviewRun) -> str:
    """Return the warning as a member reads it, with the figures of one whose tier would fall."""
    payload = run.example.get("fallen") or run.example.get("grace")
    if payload is None:
        return ""
    short = max(0, payload["needed"] - payload["credits"])
    day = last_day_before(run.from_at, programme().tz)
    outlook = "fallen" if "fallen" in run.example else "grace"
    told = {**payload, "short": short, "review_date": day.isoformat(), "outlook": outlook}
    names = tier_names([payload["from"], payload["to"]])
    return at_risk_words(told, {"from": names[payload["from"]], "to": names[payload["to"]]})


def _left_alone(run: ReviewRun) -> list[tuple[Any, str]]:
    undo = ReviewRunMember.Undo
    rows = ReviewRunMember.objects.filter(run=run, undo__in=[undo.DECIDED_SINCE, undo.RISE_WAITS, undo.LEFT])
    rows = rows.select_related("member").order_by("member_id")
    return [(member_link(row.member), row.get_undo_display()) for row in rows[:_MOST_LEFT_ALONE]]


def _run(run_id: int | str) -> ReviewRun:
    try:
        return ReviewRun.objects.select_related("job__undone_by", "forecast_job", "planned_by").get(pk=run_id)
    except (ReviewRun.DoesNotExist, ValueError) as error:
        raise Http404 from error


def _address(run: ReviewRun) -> str:
    return reverse("admin:loyalty_reviewrun_change", args=[run.pk])
