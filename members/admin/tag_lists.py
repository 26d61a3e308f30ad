"""The page that puts a tag on everybody in a segment or a list, with one approval."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from members.admin.base import actor_of
from members.models import Segment, Tag
from members.refusals import Refusal
from members.segment_queries import segments_in_use
from members.services.tag_batches import PERMISSION, propose_tagging, said_of

if TYPE_CHECKING:
    from members.admin.tags import TagAdmin


class _SegmentChoice(forms.ModelChoiceField):
    """A segment or a list, with how many are in it."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {said_of(obj.members_count)}"


class TagListForm(forms.Form):
    """On whom, and why. Carried out once, however often it is sent."""

    request_id = forms.CharField(max_length=40, widget=forms.HiddenInput)
    segment: Any = _SegmentChoice(
        label=_("Segment or list"), queryset=Segment.objects.none(), widget=UnfoldAdminSelectWidget, empty_label="–",
        help_text=_("A list out of a file is read under segments, as a fixed list."),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Stays on the timeline for colleagues. No names or numbers of people."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initial": {"request_id": uuid4().hex}})
        self.fields["segment"].queryset = segments_in_use().order_by("name")  # type: ignore[attr-defined]


def tag_list(model_admin: "TagAdmin", request: HttpRequest, tag_id: int) -> HttpResponse:
    """Ask for a tag on everybody in a segment."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    tag = Tag.objects.filter(pk=tag_id, rule__isnull=True).first()
    if tag is None:
        raise Http404
    form = TagListForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        try:
            outcome = propose_tagging(
                tag_id=tag.pk, segment_id=wanted["segment"].pk, reason=wanted["reason"], by=actor_of(request), at=timezone.now(),
                request_id=wanted["request_id"],
            )  # fmt: skip
        except Refusal as refusal:
            form.add_error(None, refusal.sentence())
        else:
            messages.warning(request, _now("It waits for a colleague to approve it."))
            return HttpResponseRedirect(reverse("admin:members_proposal_change", args=[outcome.proposal_id]))
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _now("Put “%(tag)s” on many members") % {"tag": tag.name},
        "tag": tag,
        "form": form,
        "media": model_admin.media + form.media,
    }
    return render(request, "portal/tags/list.html", context)
