"""The ladder to everybody, and a member's place on it."""

from typing import ClassVar

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.api.serializers import (
    LadderQuery,
    LadderSerializer,
    TierDecisionSerializer,
    TierStandingSerializer,
    WhatIfRequest,
    WhatIfSerializer,
    ladder_rows,
)
from loyalty.benefit_book import benefits_under
from loyalty.periods import day_bounds
from loyalty.progress import progress_of
from loyalty.queries import history_of, ladder_book, tiers
from loyalty.refusals import NoLadder
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, cacheable, caller_member
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember, Public
from members.api.queries import query_values
from members.queries import programme

_CACHE_SECONDS = 300


class TiersView(ApiView):
    """The ladder: tiers, what they take, what they give."""

    is_cacheable = True
    authentication_classes = ()
    permission_classes = (Public,)
    refusals = {"get": (NoLadder,)}

    @extend_schema(
        operation_id="list_tiers",
        summary="The tier ladder",
        description="The version in force on a day: today, or any day, also a future one whose ladder is published already.",
        tags=["Program"],
        parameters=[LadderQuery],
        responses=LadderSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        current = programme()
        day = query_values(LadderQuery, request).get("on")
        moment = timezone.now() if day is None else day_bounds(day, current.tz)[0]
        ladder = ladder_book().at(moment)
        data = LadderSerializer(
            {
                "version": ladder.number,
                "valid_from": ladder.valid_from,
                "valid_to": ladder.valid_to,
                "currency": current.currency,
                "credits_per_unit": ladder.credits_per_unit,
                "window": ladder.window,
                "rises_at_once": ladder.rises_at_once,
                "grace_days": ladder.grace_days,
                "qualifying_months": ladder.qualifying_months,
                "validity_months": ladder.validity_months,
                "soft_landing": ladder.soft_landing,
                "tiers": ladder_rows(ladder.steps, {tier.pk: tier for tier in tiers()}, benefits_under(ladder.id)),
            }
        ).data
        return cacheable(request, data, seconds=_CACHE_SECONDS)


class MyTierView(ApiView):
    """A member's tier: progress, the gap up, what it takes to keep it."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"get": (NoLadder,)}

    @extend_schema(
        operation_id="get_my_tier",
        summary="My tier",
        description="Tier, progress to the next one, and what the next review asks for.",
        tags=["Me"],
        responses=TierStandingSerializer,
    )
    def get(self, request: Request) -> Response:
        member = caller_member(request)
        return Response(TierStandingSerializer(progress_of(member.pk, timezone.now())).data)


class WhatIfView(ApiView):
    """Where a purchase would lead."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"post": (NoLadder,)}

    @extend_schema(
        operation_id="ask_my_tier_what_if",
        summary="What if I buy for so much",
        description="The tier, the way up and the next review, supposing a purchase now. Nothing is kept of it.",
        tags=["Me"],
        request=WhatIfRequest,
        responses=WhatIfSerializer,
    )
    def post(self, request: Request) -> Response:
        spend = WhatIfRequest.read(request.data)["spend"]
        progress = progress_of(caller_member(request).pk, timezone.now(), spend=spend)
        return Response(WhatIfSerializer(progress).data)


class TierHistoryView(ApiView):
    """Every decision about a member's tier."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_tier_changes",
        summary="The history of my tier",
        description="Every decision about the tier with its reason, newest first: the same words that staff see.",
        tags=["Me"],
        parameters=[*CURSOR_PARAMETERS],
        responses=page_serializer(TierDecisionSerializer, "TierDecisionPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        page = page_of(history_of(caller_member(request).pk), request, by="number")
        return Response(page.body(TierDecisionSerializer(page.items, many=True).data))
