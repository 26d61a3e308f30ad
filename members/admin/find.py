"""The find box in the header of every page: what is typed is posted, so that it stands in no address and no log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from members.admin import panels
from members.admin.base import store_scope
from members.models import Member, Operator
from members.names import mask_name
from members.phones import mask_phone
from members.queries import region
from members.refusals import Refusal
from members.services.finding import Finding, Hit, find_members
from members.wording import enumerated


@dataclass(frozen=True, slots=True)
class Shown:
    """A member who was found, masked, with what floors above put into the list of members."""

    address: str
    name: str
    phone: str
    number: str
    status: str
    status_label: str
    columns: tuple[tuple[str, Any], ...]
    by: str


@sensitive_post_parameters()
def find_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Look up what was posted. One hit leads to the member's page; otherwise a list, or what was tried in vain."""
    if not request.user.has_perm("members.view_member"):
        raise PermissionDenied
    is_part = "HX-Request" in request.headers
    shown: dict[str, Any] = {"may_enrol": request.user.has_perm("members.add_member")}
    if request.method == "POST":
        operator = cast(Operator, request.user)
        try:
            finding = find_members(
                text=request.POST.get("text", ""), stores=store_scope(request), by=operator, at=timezone.now()
            )
        except Refusal as refusal:
            shown["refusal"] = refusal.sentence()
        else:
            if len(finding.hits) == 1:
                return _lead_to(_address(finding.hits[0].member_id), is_part)
            shown |= {"finding": finding, "tried": enumerated(finding.tried), "hits": _shown(finding)}
    template = "portal/find/results.html" if is_part else "portal/find/page.html"
    answer = render(request, template, shown if is_part else {**context, **shown})
    answer["Cache-Control"] = "no-store"
    return answer


def _lead_to(address: str, is_part: bool) -> HttpResponse:
    return HttpResponse(headers={"HX-Redirect": address}) if is_part else HttpResponseRedirect(address)


def _address(member_id: int) -> str:
    return reverse("admin:members_member_change", args=[member_id])


def _shown(finding: Finding) -> list[Shown]:
    ids = [hit.member_id for hit in finding.hits]
    members = Member.objects.select_related("person").in_bulk(ids)
    columns = [(column, column.load(ids)) for column in panels.list_columns()] if ids else []
    return [
        _as_shown(
            hit,
            members[hit.member_id],
            [(str(column.label), values.get(hit.member_id)) for column, values in columns],
        )
        for hit in finding.hits
        if hit.member_id in members
    ]


def _as_shown(hit: Hit, member: Member, columns: Sequence[tuple[str, Any]]) -> Shown:
    person = getattr(member, "person", None)
    return Shown(
        address=_address(member.pk),
        name=mask_name(person.full_name) if person else "",
        phone=mask_phone(person.phone, region=region()) if person and person.phone else "",
        number=member.member_no,
        status=member.status,
        status_label=member.get_status_display(),
        columns=tuple(
            ("" if isinstance(value, SafeString) else label, value) for label, value in columns if value is not None
        ),
        by=enumerated(hit.by),
    )
