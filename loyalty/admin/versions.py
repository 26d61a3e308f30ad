"""Pages of the versions of the ladder: list, the grid of a draft, previews, and the rules in force on a day."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Count, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import escape
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from loyalty.admin.version_context import compared_with, moved_line_words, previewed_of, said_of
from loyalty.admin.version_forms import InsertTierDialog, PreviewDialog, PublishDialog, VersionForm
from loyalty.models import LadderVersion
from loyalty.periods import business_date
from loyalty.services.previews import knows_base_points, start_preview
from loyalty.services.publishing import propose_version, withdraw_version
from loyalty.services.versions import (
    copy_version,
    discard_draft,
    insert_tier,
    start_version,
    write_draft,
)
from loyalty.starters import STARTERS
from loyalty.version_words import changed_fields, ladder_sentences, term_sentences
from loyalty.versions import (
    STATES,
    begin_of,
    is_draft,
    ladder_of,
    ladder_policy,
    state_of,
    version_judging,
    waiting_of,
)
from members.admin.base import Badge, StaffAdmin, actor_of
from members.admin.dialogs import ReasonDialog, carry_out
from members.queries import programme
from members.refusals import Refusal

SEE: Final = "loyalty.view_ladderversion"
ADD: Final = "loyalty.add_ladderversion"
WRITE: Final = "loyalty.change_ladderversion"
PUBLISH: Final = "loyalty.publish_ladderversion"
INSERT: Final = "loyalty.add_tier"
#: The colour of a state in the portal's style sheet.
_LOOKS: Final = {
    "draft": "draft", "waiting": "draft", "scheduled": "scheduled", "live": "running", "archived": "ended",
    "discarded": "withdrawn",
}  # fmt: skip


class _Unsaved(Exception):
    """Rolls back what was only written to be looked at."""


@admin.register(LadderVersion)
class LadderVersionAdmin(StaffAdmin):
    """Versions of the ladder. What has been published is never changed: a change is a new version."""

    is_nameless = True
    list_display = ("title", "state", "valid_from", "valid_to", "tiers", "note")
    list_display_links = ("title",)
    ordering = ("-number",)
    sortable_by = ()
    actions_list = ("in_force",)
    empty_sentence = gettext_lazy(
        "No ladder yet. Add the first version with a rule for each tier; without it nobody rises."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[LadderVersion]:
        return super().get_queryset(request).annotate(rule_count=Count("rules"))

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Find out which drafts of this page wait for approval."""
        versions = [row for row in rows if isinstance(row, LadderVersion)]
        waiting = waiting_of([version.pk for version in versions])
        now = timezone.now()
        for version in versions:
            version.shown_state = state_of(version, now, is_waiting=version.pk in waiting)  # type: ignore[attr-defined]

    @display(description=gettext_lazy("version"))
    def title(self, version: LadderVersion) -> str:
        return _("Version %(number)s") % {"number": version.number}

    @display(description=gettext_lazy("tiers"))
    def tiers(self, version: Any) -> int:
        return version.rule_count

    @display(description=gettext_lazy("state"), label={key: colour for key, (_words, colour) in STATES.items()})
    def state(self, version: Any) -> Badge:
        return Badge(version.shown_state, STATES[version.shown_state][0])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(WRITE)

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("rules-on/", self.rules_on, "rules_on"),
            ("<int:version_id>/copy/", self.copy, "copy"),
            ("<int:version_id>/words/", self.words, "words"),
            ("<int:version_id>/preview/", self.preview, "preview"),
            ("<int:version_id>/line/", self.moved_line, "line"),
            ("<int:version_id>/insert-tier/", self.insert, "insert"),
            ("<int:version_id>/publish/", self.publish, "publish"),
            ("<int:version_id>/withdraw/", self.withdraw, "withdraw"),
            ("<int:version_id>/discard/", self.discard, "discard"),
        ]
        view = self.admin_site.admin_view
        urls = [path(at, view(shown), name=f"loyalty_ladderversion_{name}") for at, shown, name in own]
        return urls + super().get_urls()

    @action(description=gettext_lazy("Rules in force on a day"), url_path="in-force", icon="event")
    def in_force(self, request: HttpRequest) -> HttpResponse:
        """Lead to the rules of a day."""
        return HttpResponseRedirect(reverse("admin:loyalty_ladderversion_rules_on"))

    def rules_on(self, request: HttpRequest) -> HttpResponse:
        """The rules that are, were or will be in force on a day, as they are published now."""
        _require(request, SEE)
        now = timezone.now()
        day = parse_date(request.GET.get("day", "")[:10]) if request.GET.get("day") else None
        day = day or business_date(now, programme().tz)
        version = version_judging(begin_of(day))
        ladder = ladder_of(version.pk, moment=begin_of(day)) if version else None
        context = {
            **self._context(request, version), "title": _("Rules in force on a day"), "day": day,
            "terms": term_sentences(ladder) if ladder else [], "sentences": ladder_sentences(ladder) if ladder else [],
        }  # fmt: skip
        return render(request, "portal/ladder/rules_on.html", context)

    # --- Making, writing -----------------------------------------------------------------------------------------------
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The choice between a copy of the version in force and the starter ladders; it makes the draft."""
        _require(request, ADD)
        if request.method == "POST":
            starter = request.POST.get("starter", "")
            by, now = actor_of(request), timezone.now()
            if starter and starter not in STARTERS:
                raise Http404
            draft = (
                start_version(starter=starter, by=by, at=now)
                if starter
                else copy_version(version_id=None, by=by, at=now)
            )
            return HttpResponseRedirect(_address("change", draft.pk))
        context = {
            **self._context(request, None),
            "title": _("New version of the tier ladder"),
            "starters": STARTERS.items(),
        }
        return render(request, "portal/ladder/new.html", context)

    def copy(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Make a draft that says what this version says, and open it."""
        _require(request, ADD)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        draft = copy_version(version_id=_version(version_id).pk, by=actor_of(request), at=timezone.now())
        messages.success(request, _("The draft is made. Nobody is judged by it until it is published."))
        return HttpResponseRedirect(_address("change", draft.pk))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A version: the grid of a draft for those who may write, else what it says in sentences."""
        _require(request, SEE)
        version = _version(unquote(object_id))
        now = timezone.now()
        state = state_of(version, now, is_waiting=version.pk in waiting_of([version.pk]))
        also = request.GET.getlist("metric")
        form = VersionForm(request.POST or None, version=version, also=also) if state == "draft" else None
        may_write = request.user.has_perm(WRITE)
        if request.method == "POST":
            if not may_write or form is None:
                raise PermissionDenied
            if form.is_valid() and _save(form, request):
                messages.success(request, _("The draft is saved. Nobody is judged by it until it is published."))
                columns = urlencode({"metric": form.cleaned_data["metrics"]}, doseq=True)
                return HttpResponseRedirect(f"{_address('change', version.pk)}?{columns}")
        return self._show(request, version, state, form if may_write else None, now)

    def _show(
        self, request: HttpRequest, version: LadderVersion, state: str, form: VersionForm | None, now: datetime
    ) -> HttpResponse:
        moment = begin_of(version.planned_date) if version.planned_date and version.valid_from is None else now
        ladder = ladder_of(version.pk, moment=moment)
        other = compared_with(version, moment)
        live = ladder_of(other.pk, moment=moment) if other else None
        waiting = waiting_of([version.pk]).get(version.pk)
        context = {
            **self._context(request, version), **said_of(ladder, live, version, now),
            "title": _("Version %(number)s of the tier ladder") % {"number": version.number},
            "version": version, "state": {"key": _LOOKS[state], "words": STATES[state][0]}, "state_key": state, "form": form,
            "other": other, "changed": changed_fields(live, ladder), "proposal": waiting, "policy": ladder_policy(),
            **previewed_of(version, ladder, now),
            "may_copy": request.user.has_perm(ADD), "may_write": request.user.has_perm(WRITE),
            "may_publish": request.user.has_perm(PUBLISH), "may_insert": request.user.has_perm(INSERT),
            "media": self.media + form.media if form else self.media,
        }  # fmt: skip
        return render(request, "portal/ladder/version.html", context)

    def words(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """What the form says, in words, with its lints and what differs: for the page that is open. Nothing is kept."""
        _require(request, WRITE)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        version = _version(version_id)
        form = VersionForm(request.POST, version=version)
        missing = (
            [] if form.is_valid() else [str(form.fields[name].label) for name in form.errors if name in form.fields]
        )
        context: dict[str, Any] = {"missing": missing}
        if not missing:
            now = timezone.now()
            try:
                with transaction.atomic():  # written as it would be, read, and taken back: one reading of the rules
                    _write(form, request, now)
                    other = compared_with(version, now)
                    live = ladder_of(other.pk, moment=now) if other else None
                    context |= said_of(ladder_of(version.pk, moment=now), live, version, now)
                    raise _Unsaved
            except _Unsaved:
                pass
            except (Refusal, IntegrityError) as refusal:
                context["missing"] = [refusal.sentence() if isinstance(refusal, Refusal) else _("the numbers")]
        return render(request, "portal/ladder/words.html", context)

    # --- Buttons -------------------------------------------------------------------------------------------------------
    def preview(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Ask for a preview as of a day (posted), or show the newest one."""
        _require(request, SEE)
        version = _version(version_id)
        now = timezone.now()
        today = business_date(now, programme().tz)
        if request.method == "POST":
            _require(request, WRITE)
            form = PreviewDialog(request.POST)
            if form.is_valid():
                try:
                    start_preview(version_id=version.pk, day=form.cleaned_data["day"], by=actor_of(request), at=now)
                except Refusal as refusal:
                    messages.error(request, refusal.sentence())
            return HttpResponseRedirect(_address("preview", version.pk))
        ladder = ladder_of(version.pk, moment=now)
        context = {
            **self._context(request, version), "version": version,
            "title": _("Preview of version %(number)s of the tier ladder") % {"number": version.number},
            "form": PreviewDialog(initial={"day": today}), "may_write": request.user.has_perm(WRITE) and is_draft(version),
            "knows_points": knows_base_points(), **previewed_of(version, ladder, now),
        }  # fmt: skip
        return render(request, "portal/ladder/preview.html", context)

    def moved_line(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """How many members a line of a histogram lets through where it was moved to, in words. Nothing is kept."""
        _require(request, SEE)
        version, now = _version(version_id), timezone.now()
        figures = previewed_of(version, ladder_of(version.pk, moment=now), now)["figures"]
        if figures is None:
            raise Http404
        return HttpResponse(escape(moved_line_words(figures, request.GET)))

    def insert(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that inserts a tier between two."""
        _require(request, INSERT)
        _require(request, WRITE)
        form = InsertTierDialog(request, version_id, request.POST or None)
        if not form.is_valid():
            text = _(
                "The tiers above move up by one; nobody’s tier changes. Conditions that ask for the rank as a number count the new one."
            )
            return _dialog(request, form, _("Insert a tier"), text, _("Insert"))

        def act() -> None:
            found = form.cleaned_data
            insert_tier(
                version_id=version_id, above_tier_id=found["above"], code=found["code"], names=form.names(),
                colour=found["colour"], by=actor_of(request), at=timezone.now(),
            )  # fmt: skip

        done = _("The tier is made. Say now what rising to it takes.")
        return carry_out(request, act, done=done, then=_address("change", version_id))

    def publish(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that asks a colleague to approve, and says what speaks against it."""
        _require(request, PUBLISH)
        _version(version_id)
        form = PublishDialog(request, version_id, request.POST or None)
        if not form.is_valid():
            text = _("A colleague of finance approves it. Until then the draft stays as it is.")
            return _dialog(request, form, _("Have this version approved?"), text, _("Ask for approval"))

        def act() -> None:
            propose_version(
                version_id=version_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            )

        return carry_out(request, act, done=_("The version waits for approval."), then=_address("change", version_id))

    def withdraw(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that withdraws a scheduled version."""
        _require(request, PUBLISH)
        form = ReasonDialog(request, version_id, request.POST or None)
        if not form.is_valid():
            text = _("It becomes a draft again; the version before it goes on.")
            return _dialog(request, form, _("Withdraw this version?"), text, _("Withdraw"))

        def act() -> None:
            withdraw_version(
                version_id=version_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            )

        return carry_out(request, act, done=_("The version is withdrawn."), then=_address("change", version_id))

    def discard(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """The dialog that throws a draft away."""
        _require(request, WRITE)
        form = ReasonDialog(request, version_id, request.POST or None)
        del form.fields["reason"]
        if request.method != "POST":
            text = _("It stays readable, but can not be published any more.")
            return _dialog(request, form, _("Throw this draft away?"), text, _("Throw away"))
        return carry_out(
            request,
            lambda: discard_draft(version_id=version_id, by=actor_of(request), at=timezone.now()),
            done=_("The draft is thrown away."),
            then=_address("changelist"),
        )

    def _context(self, request: HttpRequest, version: LadderVersion | None) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        now = timezone.now()
        return {
            **self.admin_site.each_context(request), "opts": self.opts, "object": None, "version": version, "media": self.media,
            "as_of": now, "zone": programme().zone,
        }  # fmt: skip


def _save(form: VersionForm, request: HttpRequest) -> bool:
    try:
        with transaction.atomic():
            _write(form, request, timezone.now())
    except Refusal as refusal:
        form.add_error(None, refusal.sentence())
    except IntegrityError:
        form.add_error(None, _("These numbers do not go together. Keeping takes no more than rising."))
    else:
        return True
    return False


def _write(form: VersionForm, request: HttpRequest, at: datetime) -> None:
    write_draft(
        version_id=form.version.pk, terms=form.terms(), rules=form.rule_terms(), scores=form.score_terms(),
        by=actor_of(request), at=at,
    )  # fmt: skip


def _dialog(request: HttpRequest, form: Any, title: str, description: str, button: str) -> HttpResponse:
    context = {"dialog": {"title": title, "description": description}, "form": form, "form_submit_text": button}
    return render(request, "unfold/helpers/dialog.html", context)


def _version(version_id: int | str) -> LadderVersion:
    try:
        return LadderVersion.objects.select_related("published_by").get(pk=version_id)
    except (LadderVersion.DoesNotExist, ValueError) as error:
        raise Http404 from error


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _address(name: str, *args: int) -> str:
    return reverse(f"admin:loyalty_ladderversion_{name}", args=args)
