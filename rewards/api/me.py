"""What is a member's own: summary, points, redemptions, vouchers."""

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.progress import progress_of
from loyalty.sentences import rise_sentence
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.bodies import written
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember
from members.api.queries import BadQuery
from members.identifiers import ENTRY, NotFound
from rewards.api import examples
from rewards.api.filters import EntryFilter, filtered
from rewards.api.serializers import (
    EntryDetailSerializer,
    EntrySerializer,
    PointsSerializer,
    SummarySerializer,
)
from rewards.explanation import explain
from rewards.models import LedgerTransaction, LotMove, PointsCurrency
from rewards.queries import accounts_of, balance_of, entries_of, vouchers_usable
from rewards.services.household_points import household_would_add

_DAY = "in the programme's zone, included"
CURRENCY = OpenApiParameter("currency", str, description="Code of a points currency; left out: points.")


def asked_currency(request: Request) -> PointsCurrency:
    """Return the points currency that is asked for. Raises BadQuery when there is none of that code."""
    code = request.query_params.get("currency", "points")
    found = PointsCurrency.objects.filter(code=code).first()
    if found is None:
        raise BadQuery("currency", _("There is no points currency of this code."))
    return found


class SummaryView(ApiView):
    """The home screen in one call."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_summary",
        examples=examples.SUMMARY,
        summary="My home screen",
        description="Member, tier with progress, points, and how many vouchers can be used, in one call.",
        tags=["Me"],
        responses=SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        progress = progress_of(member.pk, at)
        balance = balance_of(member.pk, at)
        tier = progress.held
        summary = {
            "member": member,
            "tier": {
                "code": tier.code,
                "name": tier.name,
                "rank": tier.rank,
                "colour": tier.colour,
                "image_id": tier.image_id,
                "credits": progress.credits,
                "next_tier": progress.next_tier,
                "credits_to_next": progress.gap,
                "sentence": rise_sentence(progress),
            },
            "points": {
                "available": balance.available,
                "pending": balance.pending,
                "debt": balance.debt,
                "expiring_next": balance.expiring[0] if balance.expiring else None,
            },
            "vouchers_usable": vouchers_usable(member.pk, at),
        }
        return Response(written(SummarySerializer, summary))


class PointsView(ApiView):
    """A member's balance."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_points",
        summary="My points",
        description="Available, pending, held and owed points, what expires when, and what the household would add.",
        tags=["Me"],
        parameters=[CURRENCY],
        responses=PointsSerializer,
    )
    def get(self, request: Request) -> Response:
        at, member, currency = timezone.now(), caller_member(request), asked_currency(request)
        balance = balance_of(member.pk, at, currency=currency.pk)
        others = accounts_of(member.pk).exclude(currency=currency)
        context = {"at": at, "currency": currency, "others": others}
        if currency.household_pays:
            context["household"] = household_would_add(member_id=member.pk, currency_id=currency.pk, at=at)
        return Response(PointsSerializer(balance, context=context).data)


class EntriesView(ApiView):
    """The history of a member's points."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_points_entries",
        summary="The history of my points",
        description="Every change of the balance, newest first.",
        tags=["Me"],
        parameters=[
            CURRENCY,
            OpenApiParameter(
                "kind", str, enum=[kind.name.lower() for kind in LedgerTransaction.Kind], description="Only this kind."
            ),
            OpenApiParameter("since", {"type": "string", "format": "date"}, description=f"From this day, {_DAY}."),
            OpenApiParameter("until", {"type": "string", "format": "date"}, description=f"To this day, {_DAY}."),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(EntrySerializer, "EntryPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        entries = entries_of(caller_member(request).pk, currency=asked_currency(request).pk)
        rows = filtered(EntryFilter, entries, request)
        page = page_of(rows, request, by="seq")
        return Response(page.body(EntrySerializer(page.items, many=True).data))


class EntryView(ApiView):
    """One change of a balance, explained."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_points_entry",
        examples=examples.GET_ENTRY,
        summary="One change of my points, explained",
        description="Why the points are what they are: line by line, with what did not apply and why, as the rules were then.",
        tags=["Me"],
        parameters=[CURRENCY],
        responses=EntryDetailSerializer,
    )
    def get(self, request: Request, entry_id: str) -> Response:
        entries = entries_of(caller_member(request).pk, currency=asked_currency(request).pk)
        entry = entries.filter(seq=_entry_number(entry_id)).first()
        if entry is None:
            raise NotFound
        entry.explanation = explain(entry.transaction.trace)  # type: ignore[attr-defined]
        entry.lots = LotMove.objects.filter(entry=entry).select_related("lot").order_by("lot_id")  # type: ignore[attr-defined]
        return Response(EntryDetailSerializer(entry).data)


def _entry_number(ref: str) -> int:
    prefix, _separator, digits = ref.partition("_")
    if prefix != ENTRY or not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise NotFound
    return int(digits)
