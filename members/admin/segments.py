"""Pages of segments: the list, the builder with what it finds at once, the page of each, who is in and who was."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from members import consents
from members.admin.base import Badge, StaffAdmin, actor_of
from members.admin.condition_chips import stored_of, written_in
from members.admin.condition_editor import condition_fragment
from members.admin.dialogs import ConfirmDialog, ReasonDialog, carry_out
from members.admin.keyset import page_of
from members.admin.segment_forms import ListForm, SegmentForm
from members.admin.segment_looks import REACHED, chart, job_of, looked, node_of, said
from members.conditions import parse
from members.facts import choices_remembered
from members.figures import grouped
from members.jobs import InputFile
from members.models import ContactChannel, Purpose, Segment
from members.queries import programme
from members.refusals import Refusal
from members.segment_estimates import look
from members.segment_queries import conditions_of, stays
from members.segment_templates import template, templates
from members.segment_uses import uses_of
from members.segment_words import why_entered, why_left
from members.services.segments import (
    count_segment,
    make_list,
    make_segment,
    publish_segment,
    retire_segment,
    write_segment,
)

SEE = "members.view_segment"
ADD = "members.add_segment"
WRITE = "members.change_segment"
PUBLISH = "members.publish_segment"
LIST_MEMBERS = "members.list_segment_members"
STATES = {"draft": "info", "filling": "warning", "ready": "success", "retired": "danger"}
_CONDITION = reverse_lazy("admin:members_segment_condition")


@admin.register(Segment)
class SegmentAdmin(StaffAdmin):
    """Segments. Rules of tags stand with their tags."""

    list_display = ("name", "meaning", "sort", "state_badge", "members")
    list_display_links = ("name",)
    list_filter = (("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    search_fields = ("name",)
    sortable_by = ()
    ordering = ("-id",)
    actions_list = ("from_numbers",)
    empty_sentence = gettext_lazy(
        "No segment yet. A segment says in plain words which members are meant, and keeps itself up to date."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).filter(is_of_tag=False)

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Say the conditions of a page, looking up names once."""
        with choices_remembered():
            for row in rows:
                if isinstance(row, Segment):
                    row.meant = said(row.condition) if row.condition else _("members of a list")  # type: ignore[attr-defined]

    @display(description=gettext_lazy("who belongs to it"))
    def meaning(self, segment: Any) -> str:
        return segment.meant

    @display(description=gettext_lazy("sort"))
    def sort(self, segment: Segment) -> str:
        return segment.get_kind_display()

    @display(description=gettext_lazy("state"), label=STATES)
    def state_badge(self, segment: Segment) -> Badge:
        return Badge(segment.state, segment.get_state_display())

    @display(description=gettext_lazy("members"))
    def members(self, segment: Segment) -> str:
        return "–" if segment.state == Segment.State.DRAFT else grouped(segment.members_count)

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("condition/", self.condition, "condition"),
            ("look/", self.look, "look"),
            ("list/", self.from_list, "list"),
            ("<int:segment_id>/edit/", self.edit, "edit"),
            ("<int:segment_id>/publish/", self.publish, "publish"),
            ("<int:segment_id>/retire/", self.retire, "retire"),
            ("<int:segment_id>/count/", self.count, "count"),
            ("<int:segment_id>/reach/", self.reach, "reach"),
            ("<int:segment_id>/members/", self.who, "members"),
        ]
        view = self.admin_site.admin_view
        return [path(at, view(shown), name=f"members_segment_{name}") for at, shown, name in own] + super().get_urls()

    # --- Building ------------------------------------------------------------------------------------------------------
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the choice of a beginning, then the builder."""
        _require(request, ADD)
        wanted = request.GET.get("template", "")
        begun = template(wanted)
        if begun is None and wanted != "empty":
            context = {**self._context(request, None), "title": _("New segment"), "templates": templates()}
            return render(request, "portal/segments/templates.html", context)
        initial: dict[str, Any] = {"kind": Segment.Kind.LIVE, "condition": begun.condition if begun else None}
        initial["name"] = str(begun.name) if begun else ""
        form = SegmentForm(request.POST or None, address=str(_CONDITION), initial=initial, is_new=True)
        if request.method == "POST" and form.is_valid():
            try:
                segment = make_segment(**form.cleaned_data, by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("The draft is saved. Publish it to use it."))
                return HttpResponseRedirect(_address("change", segment.pk))
        return self._show_form(request, form, None, _("New segment"))

    def edit(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """The builder of a segment that exists."""
        _require(request, WRITE)
        segment = self._segment(segment_id)
        if segment.is_kept_up:
            _require(request, PUBLISH)  # another condition holds at once
        initial = {"name": segment.name, "note": segment.note, "condition": segment.condition}
        is_list = segment.kind == Segment.Kind.STATIC and segment.state != Segment.State.DRAFT
        form = SegmentForm(
            request.POST or None, address=str(_CONDITION), initial=initial, is_new=False, has_condition=not is_list
        )
        if request.method == "POST" and form.is_valid():
            wanted = {"condition": segment.condition, **form.cleaned_data}
            try:
                job = write_segment(segment_id=segment_id, **wanted, by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(
                    request, _("Saved. Members are compared with the new condition now.") if job else _("Saved.")
                )
                return HttpResponseRedirect(_address("change", segment_id))
        return self._show_form(request, form, segment, segment.name)

    def condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        _require_any(request, ADD, WRITE)
        answer = condition_fragment(request, name="condition", address=str(_CONDITION))
        answer.headers["HX-Trigger-After-Settle"] = "condition-changed"  # what it finds is looked up anew
        return answer

    def look(self, request: HttpRequest) -> HttpResponse:
        """What the builder says, in words, and what it finds: about how many, whom it reaches, some of them, what is odd."""
        _require_any(request, ADD, WRITE)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        try:
            node = parse(stored_of(written_in(request.POST, "condition", is_final=True)))
        except ValidationError as wrong:
            return render(request, "portal/segments/look.html", {"wrong": wrong.messages})
        return render(request, "portal/segments/look.html", looked(node, timezone.now()))

    @action(description=gettext_lazy("List from numbers"), url_path="from-numbers", icon="format_list_numbered")
    def from_numbers(self, request: HttpRequest) -> HttpResponse:
        """Lead to the form of a list."""
        return HttpResponseRedirect(_address("list"))

    def from_list(self, request: HttpRequest) -> HttpResponse:
        """A fixed list of members whose numbers staff have."""
        _require(request, ADD)
        _require(request, PUBLISH)
        form = ListForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            name, content = form.content()
            try:
                segment, _job = make_list(
                    name=form.cleaned_data["name"], note=form.cleaned_data["note"], file=InputFile(name, content),
                    by=actor_of(request), at=timezone.now(),
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("The list is being filled."))
                return HttpResponseRedirect(_address("change", segment.pk))
        context = {**self._context(request, None), "title": _("Fixed list from numbers"), "form": form}
        context |= {"back": _address("changelist"), "media": self.media + form.media}
        return render(request, "portal/segments/list_form.html", context)

    # --- One segment ---------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A segment: what it says, how many are in it, how that went, who uses it, its versions."""
        _require(request, SEE)
        at = timezone.now()
        segment = self._segment(unquote(object_id))
        is_filled = segment.state in (Segment.State.READY, Segment.State.RETIRED)
        context = {
            **self._context(request, segment),
            "segment": segment,
            "sentence": said(segment.condition) if segment.condition else _("The members of a list that was given."),
            "badge": STATES[segment.state],
            "job": job_of(segment),
            "versions": [(version, said(version.condition)) for version in segment.versions.order_by("-number")[:20]],
            "uses": uses_of(segment.pk),
            "chart": chart(segment, at) if is_filled else None,
            "may_write": request.user.has_perm(WRITE)
            and (not segment.is_kept_up or request.user.has_perm(PUBLISH))
            and segment.state != Segment.State.RETIRED,
            "may_publish": request.user.has_perm(PUBLISH),
            "may_list": request.user.has_perm(LIST_MEMBERS),
            "is_filled": is_filled,
            **_as_of(at),
        }
        if segment.state == Segment.State.DRAFT and segment.condition:
            context |= looked(node_of(segment), at)
        return render(request, "portal/segments/page.html", context)

    def publish(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """The dialog that publishes, with how many it will be."""
        _require(request, PUBLISH)
        segment = self._segment(segment_id)
        form = ConfirmDialog(request, segment_id, request.POST or None)
        if request.method != "POST" or not form.is_valid():
            at = timezone.now()
            found = look(node_of(segment), at=at) if segment.condition else None
            words = [said(segment.condition) if segment.condition else ""]
            words += [found.matched.sentence()] if found else []
            dialog = {
                "title": _("Publish “%(name)s”?") % {"name": segment.name},
                "description": " · ".join(words),
                "form_submit_text": _("Publish and fill"),
            }
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: _ignore(publish_segment(segment_id=segment_id, by=actor_of(request), at=timezone.now())),
            done=_("The segment is being filled."),
            then=_address("change", segment_id),
        )

    def retire(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """The dialog that retires."""
        _require(request, PUBLISH)
        segment = self._segment(segment_id)
        form = ReasonDialog(request, segment_id, request.POST or None)
        if not form.is_valid():
            dialog = {
                "title": _("Retire “%(name)s”?") % {"name": segment.name},
                "description": _("It is not kept up any more and can not be used. Who was in it stays on record."),
                "form_submit_text": _("Retire"),
            }
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: retire_segment(
                segment_id=segment_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            ),
            done=_("The segment is retired."),
            then=_address("change", segment_id),
        )

    def count(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """Begin an exact count."""
        _require(request, WRITE)
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        segment = self._segment(segment_id)
        try:
            count_segment(segment_id=segment.pk, by=actor_of(request), at=timezone.now())
        except Refusal as refusal:
            messages.error(request, refusal.sentence())
        else:
            messages.success(request, _("The count has begun; its figure appears here."))
        return HttpResponseRedirect(_address("change", segment_id))

    def reach(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """How many members of a segment may be written to in each channel, exactly: for the page that is open."""
        _require(request, SEE)
        segment = self._segment(segment_id)
        reached = consents.reach(
            "SELECT member_id FROM members_segmentspan WHERE segment_id = %(segment)s AND left_at IS NULL",
            {"segment": segment.pk}, purpose=Purpose.MARKETING, at=timezone.now(), channels=REACHED, are_chosen=True,
        )  # fmt: skip
        rows = [(ContactChannel(channel).label, grouped(number)) for channel, number in reached.items()]
        context = {"reach": rows, "members": segment.members_count}
        return render(request, "portal/segments/reach.html", context)

    def who(self, request: HttpRequest, segment_id: int) -> HttpResponse:
        """Who is in a segment now, or was in it at the end of a day, each with why."""
        _require(request, LIST_MEMBERS)
        segment = self._segment(segment_id)
        day = _day(request.GET.get("on", ""))
        moment = None if day is None else datetime.combine(day + timedelta(days=1), time(), programme().tz)
        spans = stays(segment, on=moment).select_related("member")
        page = page_of(spans, by=("id",), cursor=request.GET.get("cursor", ""))
        conditions = conditions_of(page.rows)
        context = {
            **self._context(request, segment),
            "segment": segment,
            "title": _("Members of “%(name)s”") % {"name": segment.name},
            "day": day,
            "page": page,
            "rows": [(span, why_entered(span, conditions), why_left(span, conditions)) for span in page.rows],
        }
        return render(request, "portal/segments/members.html", context)

    # --- Parts ---------------------------------------------------------------------------------------------------------
    def _show_form(self, request: HttpRequest, form: SegmentForm, segment: Segment | None, title: str) -> HttpResponse:
        back = _address("change", segment.pk) if segment else _address("changelist")
        context = {
            **self._context(request, segment), "title": title, "form": form, "look": _address("look"), "back": back,
            "media": self.media + form.media, "is_live": bool(segment and segment.is_kept_up),
        }  # fmt: skip
        return render(request, "portal/segments/form.html", context)

    def _context(self, request: HttpRequest, segment: Segment | None) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        title = segment.name if segment else ""
        return {**self.admin_site.each_context(request), "opts": self.opts, "object": segment, "title": title}

    def _segment(self, segment_id: int | str) -> Segment:
        try:
            return Segment.objects.get(pk=segment_id, is_of_tag=False)
        except (Segment.DoesNotExist, ValueError) as error:
            raise Http404 from error


def _as_of(at: datetime) -> dict[str, Any]:
    return {"as_of": at.astimezone(programme().tz), "zone": programme().zone}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _address(page: str, *args: int) -> str:
    return reverse(f"admin:members_segment_{page}", args=args)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _require_any(request: HttpRequest, *permissions: str) -> None:
    if not any(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied


def _ignore(_made: object) -> None:
    return None
