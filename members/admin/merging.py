"""查重与合并: the queue of possible duplicates, two records side by side, the merge, and the list from which one comes apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from members.admin.base import Badge, HistoryAdmin, actor_of, say_refusal
from members.admin.days import last_day, local_day
from members.admin.dialogs import ReasonDialog, carry_out
from members.admin.filters import DayRangeFilter
from members.admin.links import member_link
from members.admin.search import FactAdmin, member_named
from members.admin.timeline import ActorNames, Names, register_sentence
from members.models import DuplicatePair, Member, Merge
from members.names import mask_name
from members.phones import mask_phone
from members.queries import region
from members.refusals import Refusal
from members.services.merging import (
    FIELDS,
    MERGED,
    MERGED_AWAY,
    UNMERGED,
    dismiss_pair,
    merge_members,
    preview_merge,
    refuse_unmerge,
    unmerge_members,
)
from members.wording import enumerated

MAY_MERGE: Final = "members.merge_members"
_LABELS: Final[dict[str, str | Promise]] = {
    "full_name": capfirst(_("name")),
    "phone": _("Phone"),
    "email": _("E-mail"),
    "birthday": _("Birthday"),
    "language": _("Language"),
    "home_store": _("Home store"),
}
_LIKELY, _POSSIBLE = 90, 60


@dataclass(frozen=True, slots=True)
class ComparedField:
    """One detail of two records, masked, and from which of them it is taken unless staff choose otherwise."""

    name: str
    label: str | Promise
    kept: str
    other: str
    is_same: bool
    takes_other: bool


def _shown(member: Member, name: str) -> tuple[str, Any]:
    """Return a detail masked, and its value to compare by."""
    if name == "language":
        return str(dict(settings.LANGUAGES).get(member.language, member.language)), member.language
    if name == "home_store":
        return str(member.home_store or ""), member.home_store_id
    person = getattr(member, "person", None)
    value = getattr(person, name, None) or ""
    if not value:
        return "", ""
    if name == "full_name":
        return mask_name(value), value
    if name == "phone":
        return mask_phone(value, region=region()), value
    if name == "email":
        return f"{value[:1]}***@{value.partition('@')[2]}", value.lower()
    return "****", value


def compared(kept: Member, other: Member) -> list[ComparedField]:
    """Return the details side by side. What the one kept lacks is taken from the other unless staff choose otherwise."""
    fields = []
    for name in FIELDS:
        (kept_words, kept_value), (other_words, other_value) = _shown(kept, name), _shown(other, name)
        fields.append(
            ComparedField(
                name,
                _LABELS[name],
                kept_words,
                other_words,
                kept_value == other_value,
                bool(other_value and not kept_value),
            )
        )
    return fields


def evidence_words(pair: DuplicatePair) -> list[str]:
    """Return what speaks for a pair; the sound of a name is not said beside the name itself."""
    codes = list(pair.evidence)
    if DuplicatePair.Evidence.NAME_BIRTHDAY in codes and DuplicatePair.Evidence.PINYIN_BIRTHDAY in codes:
        codes.remove(DuplicatePair.Evidence.PINYIN_BIRTHDAY)
    return [str(DuplicatePair.Evidence(code).label) for code in codes]


class MergeWithDialog(BaseDialogForm):
    """Asks which record is the same person."""

    other = forms.CharField(
        label=_("Member number or phone of the other record"), max_length=40, widget=UnfoldAdminTextInputWidget
    )


@admin.register(DuplicatePair)
class DuplicatePairAdmin(HistoryAdmin):
    """Records that look like one person, the likeliest first."""

    list_display = ("score_badge", "one", "other", "what_speaks", "found_at", "state_badge")
    list_select_related = ("first__person", "second__person")
    list_filter = (("state", ChoicesDropdownFilter), ("found_at", DayRangeFilter))
    list_display_links = ("score_badge", "one", "other")
    ordering = ("-score", "-id")
    is_nameless = True
    empty_sentence = _(
        "No duplicates to look at. They are looked for every night: same phone in two forms, same name and birthday, and more."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset if "state__exact" in request.GET else queryset.filter(state=DuplicatePair.State.OPEN)

    @display(description=_("how likely"), label={"likely": "success", "possible": "warning", "weak": "info"})
    def score_badge(self, pair: DuplicatePair) -> Badge:
        level = "likely" if pair.score >= _LIKELY else "possible" if pair.score >= _POSSIBLE else "weak"
        return Badge(level, f"{pair.score} %")

    @display(description=_("member"))
    def one(self, pair: DuplicatePair) -> str:
        return _name_and_number(pair.first)

    @display(description=_("other member"))
    def other(self, pair: DuplicatePair) -> str:
        return _name_and_number(pair.second)

    @display(description=_("what speaks for it"))
    def what_speaks(self, pair: DuplicatePair) -> str:
        return _now("; ").join(evidence_words(pair))

    @display(description=_("state"), label={"open": "warning", "dismissed": "info", "merged": "success"})
    def state_badge(self, pair: DuplicatePair) -> Badge:
        return Badge(pair.state, pair.get_state_display())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The two records side by side; the one with the longer history is kept unless staff swap them."""
        pair = DuplicatePair.objects.filter(pk=_number(unquote(object_id))).first()
        if pair is None:
            raise Http404
        address = reverse("admin:members_merge_compare", args=[pair.first_id, pair.second_id])
        return HttpResponseRedirect(f"{address}?pair={pair.pk}")


@admin.register(Merge)
class MergeAdmin(FactAdmin):
    """Merges, newest first. Each comes apart again within 30 days."""

    list_display = ("merged_at", "kept_page", "merged_page", "reason", "state_badge")
    list_select_related = ("kept", "merged")
    list_filter = (("merged_at", DayRangeFilter),)
    list_display_links = ("merged_at",)
    member_path = "kept"
    ordering = ("-merged_at", "-id")
    is_nameless = True
    empty_sentence = _("No members were merged yet. Possible duplicates stand in a queue of their own.")

    @display(description=_("kept"))
    def kept_page(self, merge: Merge) -> SafeString:
        return member_link(merge.kept)

    @display(description=_("merged into it"))
    def merged_page(self, merge: Merge) -> str:
        return merge.merged.member_no

    @display(description=_("state"), label={"merged": "success", "apart": "info"})
    def state_badge(self, merge: Merge) -> Badge:
        if merge.unmerged_at is not None:
            return Badge("apart", _now("taken apart on %(day)s") % {"day": local_day(merge.unmerged_at)})
        return Badge("merged", _now("can be taken apart until %(day)s") % {"day": last_day(merge.unmerge_until)})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("compare/<int:kept_id>/<int:other_id>/", view(self.compare), name="members_merge_compare"),
            path("preview/<int:kept_id>/<int:other_id>/", view(self.preview), name="members_merge_preview"),
            path("with/<int:member_id>/", view(self.merge_with), name="members_merge_with"),
            path("<int:merge_id>/apart/", view(self.take_apart), name="members_merge_apart"),
        ]
        return own + super().get_urls()

    def compare(self, request: HttpRequest, kept_id: int, other_id: int) -> HttpResponse:
        """Two records side by side, what merging them would do, and the form that does it."""
        _require(request)
        found = Member.objects.select_related("person", "home_store", "channel").in_bulk([kept_id, other_id])
        if len(found) != 2:
            raise Http404
        kept, other = found[kept_id], found[other_id]
        pair = _pair(kept_id, other_id)
        if request.method == "POST":
            return self._decide(request, kept, other, pair)
        context = {
            **self._context(request, _now("Two records side by side")),
            "kept": kept,
            "other": other,
            "fields": compared(kept, other),
            "preview_address": reverse("admin:members_merge_preview", args=[kept_id, other_id]),
            "evidence": _now("; ").join(evidence_words(pair)) if pair else "",
            "swapped": reverse("admin:members_merge_compare", args=[other_id, kept_id]),
        }
        return render(request, "portal/merge/compare.html", context)

    def preview(self, request: HttpRequest, kept_id: int, other_id: int) -> HttpResponse:
        """What merging would do now, what stands in the way, and the buttons: a part of the page, worked out after it is there."""
        _require(request)
        try:
            preview = preview_merge(kept_id=kept_id, merged_id=other_id, at=timezone.now())
        except Member.DoesNotExist as error:
            raise Http404 from error
        pair = _pair(kept_id, other_id)
        is_open = pair is not None and pair.state == DuplicatePair.State.OPEN
        return render(request, "portal/merge/preview.html", {"preview": preview, "pair": pair if is_open else None})

    def _decide(self, request: HttpRequest, kept: Member, other: Member, pair: DuplicatePair | None) -> HttpResponse:
        by, at, reason = actor_of(request), timezone.now(), request.POST.get("reason", "")
        try:
            if "dismiss" in request.POST and pair is not None:
                dismiss_pair(pair_id=pair.pk, reason=reason, by=by, at=at)
                messages.success(request, _now("They stay two members; the queue will not ask again."))
                return HttpResponseRedirect(reverse("admin:members_duplicatepair_changelist"))
            take = [name for name in FIELDS if request.POST.get(f"take_{name}") == "other"]
            merge = merge_members(kept_id=kept.pk, merged_id=other.pk, take=take, reason=reason, by=by, at=at)
        except Refusal as refusal:
            say_refusal(request, refusal)
            return HttpResponseRedirect(request.get_full_path())
        words = _now("Member %(other)s was merged into this one. It can be taken apart until %(day)s.")
        messages.success(request, words % {"other": other.member_no, "day": last_day(merge.unmerge_until)})
        return HttpResponseRedirect(reverse("admin:members_member_change", args=[kept.pk]))

    def merge_with(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The dialog on the member page that asks for the other record."""
        _require(request)
        if not Member.objects.filter(pk=member_id).exists():
            raise Http404
        form = MergeWithDialog(request, member_id, request.POST or None)
        if request.method == "POST" and form.is_valid():
            other = member_named(form.cleaned_data["other"])
            if other is not None and other.pk != member_id:
                return HttpResponse(
                    headers={"HX-Redirect": reverse("admin:members_merge_compare", args=[member_id, other.pk])}
                )
            form.add_error("other", _now("No other member is known by this."))
        dialog = {
            "title": _("Merge with another record of the same person"),
            "description": _("Next you see both side by side, and what will happen."),
            "form_submit_text": _("Compare"),
        }
        context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
        return render(request, "unfold/helpers/dialog.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One merge: who, why, until when it comes apart, and whether something stands in the way."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        merge = Merge.objects.select_related("kept", "merged").filter(pk=_number(unquote(object_id))).first()
        if merge is None:
            raise Http404
        context = {
            **self._context(request, _now("Merge of two members")),
            "merge": merge,
            "by": ActorNames.of([merge]).name(merge),
            "taken": enumerated(_LABELS[name] for name in merge.taken),
            "in_the_way": _in_the_way(merge),
            "may_merge": request.user.has_perm(MAY_MERGE),
        }
        return render(request, "portal/merge/merge.html", context)

    def take_apart(self, request: HttpRequest, merge_id: int) -> HttpResponse:
        """The dialog that takes a merge apart."""
        _require(request)
        form = ReasonDialog(request, merge_id, request.POST or None)
        if not form.is_valid():
            dialog = {
                "title": _("Take this merge apart?"),
                "description": _(
                    "Each member has its own orders and vouchers again, and what is left of its points. What was spent "
                    "meanwhile came off the points that were to expire first, and stays spent."
                ),
                "form_submit_text": _("Take apart"),
            }
            context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
            return render(request, "unfold/helpers/dialog.html", context)
        return carry_out(
            request,
            lambda: unmerge_members(
                merge_id=merge_id, reason=form.cleaned_data["reason"], by=actor_of(request), at=timezone.now()
            ),
            done=_("The merge was taken apart. Both are members of their own again."),
            then=reverse("admin:members_merge_change", args=[merge_id]),
        )

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title}


def member_numbers(ids: Iterable[int]) -> Mapping[int, str]:
    """Return member numbers by id."""
    return dict(Member.objects.filter(pk__in=ids).values_list("pk", "member_no"))


def _merged(payload: Mapping[str, Any], names: Names) -> str:
    figures = {"other": names["merged"], "reason": payload.get("reason", "")}
    return _now("Member %(other)s was merged into this one: %(reason)s") % figures


def _merged_away(payload: Mapping[str, Any], names: Names) -> str:
    return _now("Merged into member %(other)s.") % {"other": names["into"]}


def _unmerged(payload: Mapping[str, Any], names: Names) -> str:
    figures = {"other": names["other"], "reason": payload.get("reason", "")}
    return _now("The merge with member %(other)s was taken apart: %(reason)s") % figures


register_sentence(MERGED, _merged, icon="merge", names={"merged": member_numbers})
register_sentence(MERGED_AWAY, _merged_away, icon="merge", names={"into": member_numbers})
register_sentence(UNMERGED, _unmerged, icon="call_split", names={"other": member_numbers})


def _in_the_way(merge: Merge) -> str:
    """Return why the merge can not be taken apart now, or nothing."""
    try:
        refuse_unmerge(merge, timezone.now())
    except Refusal as refusal:
        return refusal.sentence()
    return ""


def _pair(one_id: int, other_id: int) -> DuplicatePair | None:
    return DuplicatePair.objects.filter(first_id=min(one_id, other_id), second_id=max(one_id, other_id)).first()


def _name_and_number(member: Member) -> str:
    person = getattr(member, "person", None)
    parts: Sequence[str] = (mask_name(person.full_name) if person else "", member.member_no)
    return " ".join(part for part in parts if part)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Http404
    return int(text)


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_MERGE):
        raise PermissionDenied
