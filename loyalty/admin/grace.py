"""The pages behind a member's tier: what counted in a period, and grace that staff ask for."""

from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from loyalty.models import QualificationEntry, TierChange
from loyalty.models.reviews import GRANT_GRACE
from loyalty.progress import progress_of
from loyalty.sentences import change_sentence, keep_sentence
from loyalty.services.grace import MOST_DAYS, propose_grace
from members.admin.base import actor_of
from members.models import Member
from members.refusals import Refusal

SEE = "loyalty.view_tierchange"
_MOST_ENTRIES = 200


class GraceForm(forms.Form):
    """How many days, and why. Carried out once, however often it is sent."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)
    days = forms.IntegerField(
        label=_("Days of grace"), min_value=1, max_value=MOST_DAYS, initial=30, widget=UnfoldAdminIntegerFieldWidget
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stays with the proposal for colleagues. No names or numbers of people."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"request_id": uuid4().hex}
        super().__init__(*args, **kwargs)


class GracePages:
    """Pages that hang on the changes of tiers."""

    def __init__(self, model_admin: ModelAdmin) -> None:
        self.model_admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Return their addresses."""
        view = self.model_admin.admin_site.admin_view
        return [
            path("<int:change_id>/entries/", view(self.entries), name="loyalty_tierchange_entries"),
            path("member/<int:member_id>/entries/", view(self.entries_now), name="loyalty_tierchange_entries_now"),
            path("member/<int:member_id>/grace/", view(self.grace), name="loyalty_tierchange_grace"),
        ]

    def entries(self, request: HttpRequest, change_id: int) -> HttpResponse:
        """What counted for a decision."""
        self._require(request, SEE)
        change = TierChange.objects.select_related("member", "from_tier", "to_tier").filter(pk=change_id).first()
        if change is None:
            raise Http404
        return self._entries(
            request,
            change.member,
            change.window_from,
            change.happened_at,
            change_sentence(change),
            change.reason != "risen",
        )

    def entries_now(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """What counts for the next review, so far."""
        self._require(request, SEE)
        member, at = self._member(member_id), timezone.now()
        progress = progress_of(member_id, at)
        return self._entries(
            request, member, progress.keep_from or progress.window_from, at, keep_sentence(progress), False
        )

    def grace(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """The page that asks a colleague for grace."""
        self._require(request, GRANT_GRACE)
        member, at = self._member(member_id), timezone.now()
        form = GraceForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            wanted = form.cleaned_data
            try:
                propose_grace(
                    member_id=member_id, days=wanted["days"], reason=wanted["reason"], by=actor_of(request), at=at,
                    request_id=wanted["request_id"],
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error(None, refusal.sentence())
            else:
                messages.success(request, _now("A colleague has to approve it. It waits among the approvals."))
                return HttpResponseRedirect(_tab_of(member_id))
        last = (
            TierChange.objects.filter(member=member).select_related("from_tier", "to_tier").order_by("-number").first()
        )
        context = {
            **self._context(request, _now("Ask for grace")), "member": member, "form": form, "back": _tab_of(member_id),
            "keep": keep_sentence(progress_of(member_id, at)), "last": change_sentence(last) if last else "",
        }  # fmt: skip
        return render(request, "portal/reviews/grace.html", context)

    def _entries(
        self, request: HttpRequest, member: Member, from_at: datetime, until: datetime, sentence: str, is_before: bool
    ) -> HttpResponse:
        bound = {"happened_at__lt" if is_before else "happened_at__lte": until}
        found = QualificationEntry.objects.filter(member=member, happened_at__gte=from_at, **cast(Any, bound))
        rows = list(found.order_by("-happened_at", "-pk")[: _MOST_ENTRIES + 1])
        context = {
            **self._context(request, _now("What counted")), "member": member, "sentence": sentence, "from_at": from_at,
            "until": until, "rows": rows[:_MOST_ENTRIES], "has_more": len(rows) > _MOST_ENTRIES, "most": _MOST_ENTRIES,
            "total": sum(row.credits for row in rows), "back": _tab_of(member.pk),
        }  # fmt: skip
        return render(request, "portal/reviews/entries.html", context)

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission) or not request.user.has_perm("members.view_member"):
            raise PermissionDenied

    def _member(self, member_id: int) -> Member:
        member = Member.objects.filter(pk=member_id).first()
        if member is None:
            raise Http404
        return member

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        request.current_app = self.model_admin.admin_site.name
        model_admin = self.model_admin
        return {
            **model_admin.admin_site.each_context(request), "opts": model_admin.opts, "title": title, "media": model_admin.media,
        }  # fmt: skip


def _tab_of(member_id: int) -> str:
    return reverse("admin:members_member_change", args=[member_id]) + "?tab=tier"
