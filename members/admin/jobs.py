"""Pages of long work: the list, the page of one job with its bar and buttons, and the tray in the header."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from members import job_progress, jobs
from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.dialogs import ConfirmDialog, CountedDialog, carry_out
from members.admin.timeline import Names, Renderer, register_sentence, tell
from members.figures import grouped
from members.jobs import MILESTONES, UndoPreview, kind_of, title_of, words_of
from members.models import Job, JobFile, Operator, TimelineEntry
from members.refusals import Refusal
from members.services.jobs import REFUSED, cancel_job, continue_job, take_file, undo_job, undo_preview
from members.services.refused_rows import MOST_ROWS
from members.wording import together

STATE_COLOURS = {"queued": "info", "running": "warning", "done": "success", "failed": "danger", "cancelled": "info"}
CHANGE = "members.change_job"
SEE_PERSONAL_DATA = "members.view_personal_data"
_TRAY_MINUTES = 10
_TRAY_ROWS = 5
_MILESTONES_SHOWN = 20


def progress_of(job: Job) -> dict[str, Any]:
    """Return how far a job is, for a bar and in words: counts, percent, rate and time left, where they can be told."""
    now = job_progress.progress_of(job)
    return {
        "percent": now.percent,
        "left": now.left,
        "rate": _rate(now.rows_a_second) if now.rows_a_second else "",
        "time_left": _duration(now.seconds_left) if now.seconds_left and now.rows_a_second else "",
        "took": _duration(now.seconds_worked) if not job.is_active and job.done else "",
    }


def _rate(rows_a_second: float) -> str:
    return _("%(rows)s rows a second") % {"rows": grouped(max(round(rows_a_second), 1))}


def _duration(seconds: float) -> str:
    if seconds < 60:
        whole = max(round(seconds), 1)
        return ngettext("%(number)s second", "%(number)s seconds", whole) % {"number": whole}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}
    hours = round(minutes / 60)
    return ngettext("%(number)s hour", "%(number)s hours", hours) % {"number": hours}


def _may_act(request: HttpRequest, job: Job) -> bool:
    return job.owner_id == request.user.pk or request.user.has_perm(CHANGE)


@admin.register(Job)
class JobAdmin(HistoryAdmin):
    """Long work: one's own, and that of the kinds that one's role may see."""

    is_nameless = True
    list_display = ("title", "owner", "state_badge", "progress", "refused_rows", "created_at")
    list_display_links = ("title",)
    list_select_related = ("owner",)
    list_filter = (("state", ChoicesDropdownFilter),)
    ordering = ("-created_at", "-id")
    empty_sentence = gettext_lazy(
        "No long work yet. Imports, adjustments of lists and exports appear here while they run."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        allowed = [kind.code for kind in jobs.kinds() if request.user.has_perm(kind.permission)]
        return super().get_queryset(request).filter(Q(kind__in=allowed) | Q(owner=cast(Operator, request.user)))

    @display(description=gettext_lazy("work"))
    def title(self, job: Job) -> str:
        return title_of(job)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state_badge(self, job: Job) -> Badge:
        return Badge(job.state, job.get_state_display())

    @display(description=gettext_lazy("rows done"))
    def progress(self, job: Job) -> str:
        if not job.total:
            return grouped(job.done)
        return _("%(done)s of %(total)s") % {"done": grouped(job.done), "total": grouped(job.total)}

    @display(description=gettext_lazy("refused rows"))
    def refused_rows(self, job: Job) -> str:
        return grouped(job.failed) if job.failed else "–"

    def get_urls(self) -> list[URLPattern]:
        page = JobPage(self)
        view = self.admin_site.admin_view
        own = [
            path("tray/", view(page.tray), name="members_job_tray"),
            path("<int:job_id>/progress/", view(page.progress), name="members_job_progress"),
            path("<int:job_id>/stop/", view(page.stop), name="members_job_stop"),
            path("<int:job_id>/continue/", view(page.go_on), name="members_job_continue"),
            path("<int:job_id>/take-back/", view(page.take_back), name="members_job_take_back"),
            path("<int:job_id>/file/<slug:role>/", view(page.file), name="members_job_file"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not object_id.isdigit():
            raise Http404
        return JobPage(self).show(request, int(object_id))


class JobPage:
    """The views of one job, and the tray."""

    def __init__(self, model_admin: JobAdmin) -> None:
        self.model_admin = model_admin

    def show(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The page: title, state, bar, buttons, and what happened so far."""
        at = timezone.now()
        job = self._job(request, job_id)
        entries = TimelineEntry.objects.filter(subject=f"job:{job.pk}", kind__in=MILESTONES)
        site = self.model_admin.admin_site
        request.current_app = site.name
        context = {
            **site.each_context(request),
            **self._context(request, job, at),
            "opts": self.model_admin.opts,
            "title": title_of(job),
            "milestones": tell(list(entries.order_by("-id")[:_MILESTONES_SHOWN])),
        }
        return render(request, "portal/job.html", context)

    def progress(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The part that is asked for again every two seconds while the job is worked at."""
        job = self._job(request, job_id)
        answer = render(request, "portal/job_progress.html", self._context(request, job, timezone.now()))
        if not job.is_active:
            answer["HX-Refresh"] = "true"  # the buttons are others now
        return answer

    def tray(self, request: HttpRequest) -> HttpResponse:
        """One's own jobs that are not ended or ended a moment ago, for the header of every page."""
        self._require_view(request)
        ended_after = timezone.now() - timedelta(minutes=_TRAY_MINUTES)
        mine = Job.objects.filter(owner=cast(Operator, request.user)).filter(
            Q(state__in=[Job.State.QUEUED, Job.State.RUNNING]) | Q(finished_at__gte=ended_after)
        )
        shown = list(mine.order_by("-created_at")[:_TRAY_ROWS])
        rows = [{"job": job, "title": title_of(job), "progress": progress_of(job)} for job in shown]
        context = {
            "rows": rows,
            "active": sum(job.is_active for job in shown),
            "is_open": request.GET.get("open") == "1",
        }
        return render(request, "portal/job_tray.html", context)

    def stop(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The dialog that asks a job to stop."""
        dialog = {
            "title": _("Stop this work?"),
            "description": _(
                "It stops after the step that is being worked at. What was done stays; it can go on later."
            ),
            "form_submit_text": _("Stop the work"),
        }
        return self._ask(request, job_id, dialog, cancel_job, _("The work stops after this step."))

    def go_on(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The dialog that lets a job go on."""
        dialog = {
            "title": _("Go on with this work?"),
            "description": _("It goes on from where it stood. Nothing is done twice."),
            "form_submit_text": _("Go on"),
        }
        return self._ask(request, job_id, dialog, continue_job, _("The work goes on."))

    def take_back(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The dialog that has a whole job taken back, with what can no longer be taken back."""
        job = self._job(request, job_id)
        preview = _undo_preview(request, job, timezone.now())
        if preview is None or not preview.is_possible:
            raise PermissionDenied
        rows = grouped(preview.total)
        dialog = {
            "title": _("Take back everything that this work did?"),
            "description": together(
                [
                    ngettext("%(rows)s row is taken back.", "%(rows)s rows are taken back.", preview.total)
                    % {"rows": rows},
                    *preview.lines,
                ]
            ),
            "form_submit_text": ngettext("Take back %(rows)s row", "Take back %(rows)s rows", preview.total)
            % {"rows": rows},
        }
        form = CountedDialog(request, job_id, request.POST or None, number=preview.total)
        done = _("The work is being taken back, as work of its own.")
        return self._ask(request, job_id, dialog, undo_job, done, form)

    def file(self, request: HttpRequest, job_id: int, role: str) -> HttpResponse:
        """A file of the job, after writing down who took it."""
        job = self._job(request, job_id)
        if role not in (JobFile.Role.RESULT, REFUSED) or not _may_take(request, job, role):
            raise PermissionDenied
        try:
            taken = take_file(
                job_id=job_id,
                role=role,
                by=actor_of(request),
                at=timezone.now(),
                ip_address=request.META.get("REMOTE_ADDR"),
            )
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(_address(job_id))
        answer = HttpResponse(taken.content, content_type=taken.content_type)
        answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=taken.name)
        answer["Cache-Control"] = "no-store"
        return answer

    def _ask(
        self, request: HttpRequest, job_id: int, dialog: dict[str, Any], service: Any, done: str, form: Any = None
    ) -> HttpResponse:
        job = self._job(request, job_id)
        if not _may_act(request, job):
            raise PermissionDenied
        form = form or ConfirmDialog(request, job_id, request.POST or None)
        if request.method != "POST" or not form.is_valid():
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: service(job_id=job_id, by=actor_of(request), at=timezone.now()),
            done=done,
            then=_address(job_id),
        )

    def _context(self, request: HttpRequest, job: Job, at: datetime) -> dict[str, Any]:
        may_act = _may_act(request, job)
        undone_by = Job.objects.filter(undoes=job).first()
        ended = not job.is_active
        preview = _undo_preview(request, job, at) if ended and may_act else None
        return {
            "job": job,
            "job_title": title_of(job),
            "progress": progress_of(job),
            "state": Badge(job.state, job.get_state_display()),
            "message": words_of(job.message, job.message_params),
            "may_stop": may_act and job.is_active and job.cancel_asked_at is None,
            "may_go_on": may_act and _is_stopped(job, at) and undone_by is None,
            "may_take_back": preview is not None and preview.is_possible,
            "undone_by": undone_by,
            "has_result": ended and _may_take(request, job, JobFile.Role.RESULT) and _has(job, JobFile.Role.RESULT),
            "refused_rows": min(job.failed, MOST_ROWS),
            "most_refused_rows": MOST_ROWS if job.failed > MOST_ROWS else 0,
            "has_refused": ended and job.failed > 0 and _may_take(request, job, REFUSED) and _has(job, REFUSED),
        }

    def _require_view(self, request: HttpRequest) -> None:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied

    def _job(self, request: HttpRequest, job_id: int) -> Job:
        self._require_view(request)
        job = self.model_admin.get_queryset(request).select_related("owner", "undoes").filter(pk=job_id).first()
        if job is None:
            raise Http404
        return job


def _undo_preview(request: HttpRequest, job: Job, at: datetime) -> UndoPreview | None:
    kind = kind_of(job)
    if kind is None or not request.user.has_perm(kind.permission):
        return None
    try:
        return undo_preview(job=job, at=at)
    except Refusal:
        return None


def _is_stopped(job: Job, at: datetime) -> bool:
    return job.state in (Job.State.CANCELLED, Job.State.FAILED) and job.files_expire_at > at


def _has(job: Job, role: str) -> bool:
    return job.error_rows.exists() if role == REFUSED else job.files.filter(role=role).exists()


def _may_take(request: HttpRequest, job: Job, role: str) -> bool:
    """Whether the operator may take a file away: the owner, and whoever may see personal data unmasked."""
    if job.owner_id == request.user.pk or request.user.has_perm(SEE_PERSONAL_DATA):
        return True
    return role != REFUSED and job.files.filter(role=role, holds_personal_data=False).exists()


def _address(job_id: int) -> str:
    return reverse("admin:members_job_change", args=[job_id])


_TOLD: dict[str, tuple[Promise, str]] = {
    "started": (gettext_lazy("Asked for."), "play_arrow"),
    "stop_asked": (gettext_lazy("Asked to stop. Rows done: %(done)s."), "pan_tool"),
    "continued": (gettext_lazy("Let go on. Rows done before: %(done)s."), "resume"),
    "stopped": (gettext_lazy("Stopped. Rows done: %(done)s."), "stop_circle"),
    "failed": (gettext_lazy("Failed. Rows done, which were kept: %(done)s."), "error"),
    "done": (gettext_lazy("Done. Rows that went well: %(ok)s; refused: %(failed)s."), "check_circle"),
    "file_taken": (gettext_lazy("A file was downloaded."), "download"),
}


def _teller(words: Promise) -> Renderer:
    def tell_counts(payload: Mapping[str, Any], names: Names) -> str:
        return str(words) % {name: grouped(payload.get(name, 0)) for name in ("done", "ok", "failed")}

    return tell_counts


for _what, (_words, _icon) in _TOLD.items():
    register_sentence(f"members.job_{_what}.v1", _teller(_words), icon=_icon)
