"""What points buy, to everybody; with a member's token, also what they can afford."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from members.api.authentication import MemberAuthentication, MemberCaller
from members.api.base import ApiView, cacheable
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import Public
from members.identifiers import REWARD, NotFound, parse_ref
from rewards.api.filters import RewardFilter, filtered
from rewards.api.serializers import RewardSerializer
from rewards.models import Reward
from rewards.queries import balance_of

_CACHE_SECONDS = 60


class RewardsView(ApiView):
    """The rewards on the shelf."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_rewards",
        summary="Rewards on the shelf",
        description="In the order of the shelf. With a member's token, each says whether they can afford it.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        parameters=[OpenApiParameter("max_points", int, description="Up to this price."), *CURSOR_PARAMETERS],
        responses=page_serializer(RewardSerializer, "RewardPageSerializer"),
    )
    def get(self, request: Request) -> HttpResponseBase:
        at = timezone.now()
        page = page_of(filtered(RewardFilter, _on_shelf(at), request), request, by="sort_order", newest_first=False)
        rows = RewardSerializer(page.items, many=True, context=_context(request, at)).data
        return cacheable(request, page.body(rows), seconds=_CACHE_SECONDS, is_personal=_is_member(request))


class RewardView(ApiView):
    """One reward."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="get_reward",
        summary="One reward",
        description="As in the list.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        responses=RewardSerializer,
    )
    def get(self, request: Request, reward_id: str) -> HttpResponseBase:
        at = timezone.now()
        reward = _on_shelf(at).filter(public_id=parse_ref(REWARD, reward_id)).first()
        if reward is None:
            raise NotFound
        data = RewardSerializer(reward, context=_context(request, at)).data
        return cacheable(request, data, seconds=_CACHE_SECONDS, is_personal=_is_member(request))


def _on_shelf(at: datetime) -> QuerySet[Reward]:
    rows = Reward.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=at), valid_from__lte=at)
    return rows.select_related("template")


def _is_member(request: Request) -> bool:
    return isinstance(request.user, MemberCaller)


def _context(request: Request, at: datetime) -> dict[str, object]:
    caller = request.user
    return {"available": balance_of(caller.member.pk, at).available if isinstance(caller, MemberCaller) else None}
