"""Refusals that members may ask about later: kept as decisions by the edge, after everything else has rolled back."""

import logging

from django.utils import timezone
from rest_framework.request import Request

from members.api.authentication import MemberCaller, TillCaller
from members.decisions import MOST_A_DAY
from members.decisions import keep_refusal as keep
from members.identifiers import MEMBER, NotFound, parse_ref
from members.models import Member
from members.refusals import Refusal

logger = logging.getLogger(__name__)


def keep_refusal(request: Request, refusal: Refusal) -> None:
    """Keep a refusal of a POST that explains itself and concerns a member. Whatever goes wrong here is only logged."""
    if not refusal.explains or request.method != "POST":
        return
    try:
        caller = request.user
        if not isinstance(caller, MemberCaller | TillCaller):
            return
        keep(
            refusal,
            member_id=refusal.member_id or _member_of(request, caller),
            subject=_route(request),
            by=caller.actor,
            at=timezone.now(),
            request_ref=request.META.get("PERENNIAL_REQUEST_ID", ""),
            most=MOST_A_DAY,
        )
    except Exception:
        logger.exception("the refusal %s could not be kept", refusal.code)


def _member_of(request: Request, caller: MemberCaller | TillCaller) -> int | None:
    """Return the member whom a call concerns: the caller, or whom a till names in the body."""
    if isinstance(caller, MemberCaller):
        return caller.member.pk
    named = request.data.get("member_ref") if isinstance(request.data, dict) else None
    if not isinstance(named, str):
        return None
    try:
        public_id = parse_ref(MEMBER, named)
    except NotFound:
        return None
    return Member.objects.filter(public_id=public_id).values_list("pk", flat=True).first()


def _route(request: Request) -> str:
    """Return the address called without its ids, as the description of the API writes it."""
    match = request.resolver_match
    route = match.route if match else ""
    return f"{request.method} /{route.removeprefix('api/v1/')}"
