"""Pages of tags: the list, the form of each, and the tab of a member's tags and segments."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from members.admin import panels
from members.admin.base import Badge, StaffAdmin, actor_of
from members.admin.condition_editor import condition_fragment
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.segment_forms import TagDialog, TagForm
from members.admin.segment_looks import said
from members.admin.tag_lists import tag_list
from members.admin.timeline import ActorNames, Names, register_sentence
from members.facts import choices_remembered
from members.figures import grouped
from members.models import Member, Tag
from members.refusals import Refusal
from members.segment_queries import MOST_COUNTED, HeldTag, conditions_of, held_counts, stays_of, tag_names, tags_of
from members.segment_words import why_entered, why_left
from members.services.segment_keeping import TAG_ADDED, TAG_REMOVED
from members.services.tags import add_tag, change_tag, make_tag, remove_tag

SEE = "members.view_tag"
ADD = "members.add_tag"
WRITE = "members.change_tag"
PUT = "members.put_tags"
_CONDITION = reverse_lazy("admin:members_tag_condition")


@admin.register(Tag)
class TagAdmin(StaffAdmin):
    """Tags."""

    list_display = ("coloured_name", "code", "rule_words", "members", "is_on_badge")
    list_display_links = ("coloured_name",)
    list_select_related = ("rule",)
    search_fields = ("name", "code")
    sortable_by = ()
    empty_sentence = gettext_lazy(
        "No tag yet. A tag is a word that staff hang on members, or that follows a rule, such as six visits in a month."
    )

    def load_columns(self, rows: Sequence[Model]) -> None:
        """Count on how many members the tags of this page are, and say their rules."""
        tags = [row for row in rows if isinstance(row, Tag)]
        counted = held_counts([tag.pk for tag in tags if tag.rule is None], at=timezone.now())
        with choices_remembered():
            for tag in tags:
                tag.holders = tag.rule.members_count if tag.rule else counted[tag.pk]  # type: ignore[attr-defined]
                tag.meant = said(tag.rule.condition) if tag.rule else _("whom staff choose")  # type: ignore[attr-defined]

    @display(description=gettext_lazy("tag"), label={key: key for key in Tag.Colour.values})
    def coloured_name(self, tag: Tag) -> Badge:
        return Badge(tag.colour, tag.name)

    @display(description=gettext_lazy("hangs on"))
    def rule_words(self, tag: Any) -> str:
        return tag.meant

    @display(description=gettext_lazy("members"))
    def members(self, tag: Any) -> str:
        return (
            _("more than %(most)s") % {"most": grouped(MOST_COUNTED)}
            if tag.holders > MOST_COUNTED
            else grouped(tag.holders)
        )

    @display(description=gettext_lazy("in use"), label={True: "success", False: "info"})
    def is_on_badge(self, tag: Tag) -> Badge:
        return Badge(tag.is_on, _("in use") if tag.is_on else _("switched off"))

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("condition/", self.condition, "condition"),
            ("put/<int:member_id>/", self.put, "put"),
            ("take/<int:member_id>/<int:tag_id>/", self.take, "take"),
            ("<int:tag_id>/many/", partial(tag_list, self), "many"),
        ]
        view = self.admin_site.admin_view
        return [path(at, view(shown), name=f"members_tag_{name}") for at, shown, name in own] + super().get_urls()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a new tag."""
        _require(request, ADD)
        form = TagForm(request.POST or None, address=str(_CONDITION), initial={"colour": Tag.Colour.GREY}, tag=None)
        if request.method == "POST" and form.is_valid():
            try:
                make_tag(**form.cleaned_data, by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("The tag is made."))
                return HttpResponseRedirect(reverse("admin:members_tag_changelist"))
        return self._show(request, form, None, _("New tag"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a tag; for those who may not write it can only be read."""
        _require(request, SEE)
        tag = _tag(unquote(object_id))
        initial = {
            "name": tag.name, "note": tag.note, "colour": tag.colour, "keep_days": tag.keep_days, "is_on": tag.is_on,
            "condition": tag.rule.condition if tag.rule else None,
        }  # fmt: skip
        may_write = request.user.has_perm(WRITE)
        form = TagForm(request.POST or None, address=str(_CONDITION), initial=initial, tag=tag)
        if request.method == "POST" and not may_write:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            wanted = {"keep_days": None, "condition": None, **form.cleaned_data}
            try:
                change_tag(tag_id=tag.pk, **wanted, by=actor_of(request), at=timezone.now())
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _("Saved."))
                return HttpResponseRedirect(reverse("admin:members_tag_changelist"))
        if not may_write:
            for field in form.fields.values():
                field.disabled = True
        return self._show(request, form, tag, tag.name, may_write=may_write)

    def condition(self, request: HttpRequest) -> HttpResponse:
        """The condition editor after one of its buttons."""
        if not (request.user.has_perm(ADD) or request.user.has_perm(WRITE)):
            raise PermissionDenied
        return condition_fragment(request, name="condition", address=str(_CONDITION))

    def put(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog that puts a tag on a member."""
        _require(request, PUT)
        form = TagDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            title = _("Put a tag on this member")
            return _dialog(request, form, title, _("Everybody who may see the member sees the tag."), _("Put it on"))
        return carry_out(
            request,
            lambda: _ignore(
                add_tag(
                    member_ids=[member_id], tag_id=form.cleaned_data["tag"], reason=form.cleaned_data["reason"],
                    by=actor_of(request), at=timezone.now(),
                )
            ),
            done=_("The tag is on."),
            then=_member_address(member_id),
        )  # fmt: skip

    def take(self, request: HttpRequest, member_id: int, tag_id: int) -> HttpResponse:
        """The dialog that takes a tag off a member."""
        _require(request, PUT)
        tag = _tag(tag_id)
        form = ReasonDialog(request, member_id, request.POST or None)
        if not form.is_valid():
            title = _("Take “%(tag)s” off this member?") % {"tag": tag.name}
            return _dialog(request, form, title, _("That it was on stays on record."), _("Take it off"))
        return carry_out(
            request,
            lambda: _ignore(
                remove_tag(
                    member_ids=[member_id], tag_id=tag.pk, reason=form.cleaned_data["reason"], by=actor_of(request),
                    at=timezone.now(),
                )
            ),
            done=_("The tag is off."),
            then=_member_address(member_id),
        )  # fmt: skip

    def _show(
        self, request: HttpRequest, form: TagForm, tag: Tag | None, title: str, *, may_write: bool = True
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "object": tag, "tag": tag, "title": title, "form": form,
            "may_write": may_write, "may_put_many": bool(tag and not tag.rule_id and tag.is_on) and request.user.has_perm(PUT), "media": self.media + form.media,
        }  # fmt: skip
        return render(request, "portal/tags/form.html", context)


# --- The member page ---------------------------------------------------------------------------------------------------
def _tab(member: Member, request: HttpRequest, at: datetime) -> dict[str, Any]:
    held = tags_of(member.pk, at=at)
    spans = stays_of(member.pk)
    conditions = conditions_of([*spans, *(one.by_rule for one in held if one.by_rule)])
    actors = ActorNames.of([one.by_hand for one in held if one.by_hand])
    return {
        "tags": [_held(one, conditions, actors) for one in held],
        "stays": [(span, why_entered(span, conditions), why_left(span, conditions)) for span in spans],
        "may_put": request.user.has_perm(PUT),
    }


def _held(one: HeldTag, conditions: Any, actors: ActorNames) -> dict[str, Any]:
    if one.by_hand:
        why, by = one.by_hand.reason, actors.name(one.by_hand)
    else:
        why, by = (why_entered(one.by_rule, conditions) if one.by_rule else ""), _("by its rule")
    return {"held": one, "why": why, "by": by, "is_by_hand": one.by_hand is not None}


def _head(member: Member, at: datetime) -> dict[str, Any]:
    return {"held": tags_of(member.pk, at=at)}


panels.register_tab("tags", label=gettext_lazy("Tags"), order=70, template="portal/member/tags.html", context=_tab)
panels.register_header("tags", order=70, template="portal/member/tags_head.html", context=_head)


# --- The timeline ------------------------------------------------------------------------------------------------------
def _added(payload: Any, names: Names) -> str:
    words = {"tag": names["tag"], "reason": payload.get("reason", "")}
    if payload.get("automatic"):
        return _("Got the tag “%(tag)s” by its rule.") % words
    return _("Got the tag “%(tag)s”: %(reason)s") % words


def _removed(payload: Any, names: Names) -> str:
    words = {"tag": names["tag"], "reason": payload.get("reason", "")}
    if payload.get("automatic"):
        return _("The tag “%(tag)s” came off: its rule is no longer met.") % words
    if payload.get("expired"):
        return _("The tag “%(tag)s” fell off after its time.") % words
    return _("The tag “%(tag)s” was taken off: %(reason)s") % words


def _behaviours(payload: Any, names: Names) -> str:
    number = sum(payload.get("kinds", {}).values())
    return _("Looked around in the app (%(number)s times).") % {"number": grouped(number)}


def _names(ids: Any) -> dict[int, str]:
    return tag_names(list(ids))


register_sentence(TAG_ADDED, _added, icon="sell", names={"tag": _names})
register_sentence(TAG_REMOVED, _removed, icon="sell", names={"tag": _names})
register_sentence("members.behaviours_recorded.v1", _behaviours, icon="visibility")


def _dialog(request: HttpRequest, form: ReasonDialog, title: str, description: str, button: str) -> HttpResponse:
    dialog = {"title": title, "description": description, "form_submit_text": button}
    context = {"dialog": dialog, "form": form, "form_submit_text": button}
    return render(request, "unfold/helpers/dialog.html", context)


def _member_address(member_id: int) -> str:
    return f"{reverse('admin:members_member_change', args=[member_id])}?tab=tags"


def _tag(tag_id: int | str) -> Tag:
    try:
        return Tag.objects.select_related("rule").get(pk=tag_id)
    except (Tag.DoesNotExist, ValueError) as error:
        raise Http404 from error


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _ignore(_made: object) -> None:
    return None
