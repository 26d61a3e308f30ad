"""What points buy, to everybody; with a member's token, also what they can have and afford. The wish list."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication, MemberCaller
from members.api.base import ApiView, cacheable, caller_member
from members.api.pagination import CURSOR_PARAMETERS, page_of, page_serializer
from members.api.permissions import IsMember, Public
from members.identifiers import REWARD, NotFound, parse_ref
from rewards.api import examples_rewards as examples
from rewards.api.filters import RewardFilter, filtered
from rewards.api.reward_serializers import IMAGES, RewardSerializer, Shown, WishSerializer
from rewards.models import Reward, WishedReward
from rewards.queries import balance_of
from rewards.reward_offers import announced_prices, obstacles_of, offers_at, on_shelf, pieces_left
from rewards.reward_refusals import RewardNotAvailable
from rewards.services.wishes import TooManyWishes, wish_for, wish_no_more, wishes_of

_CACHE_SECONDS = 60


class RewardsView(ApiView):
    """The rewards on the shelf."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="list_rewards",
        examples=examples.LIST,
        summary="Rewards on the shelf",
        description="In the order of the shelf. With a member's token, each says whether they can have and afford it, and why "
        "not.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        parameters=[
            OpenApiParameter("max_points", int, description="Up to this price."),
            OpenApiParameter("category", str, description="Code of a category: only its rewards."),
            OpenApiParameter("kind", str, enum=Reward.Kind.values, description="Only this kind."),
            *CURSOR_PARAMETERS,
        ],
        responses=page_serializer(RewardSerializer, "RewardPageSerializer"),
    )
    def get(self, request: Request) -> HttpResponseBase:
        at = timezone.now()
        rows = filtered(RewardFilter, with_pictures(on_shelf(at)), request, at=at)
        page = page_of(rows, request, by="sort_order", newest_first=False)
        context = {"shown": shown(page.items, _member_id(request), at)}
        data = RewardSerializer(page.items, many=True, context=context).data
        return cacheable(request, page.body(data), seconds=_CACHE_SECONDS, is_personal=_is_member(request))


class RewardView(ApiView):
    """One reward."""

    is_cacheable = True
    authentication_classes = (MemberAuthentication,)
    permission_classes = (Public,)

    @extend_schema(
        operation_id="get_reward",
        examples=examples.ONE,
        summary="One reward",
        description="As in the list.",
        tags=["Program"],
        auth=[{}, {"memberToken": []}],  # type: ignore[list-item]
        responses=RewardSerializer,
    )
    def get(self, request: Request, reward_id: str) -> HttpResponseBase:
        at = timezone.now()
        reward = with_pictures(on_shelf(at)).filter(public_id=parse_ref(REWARD, reward_id)).first()
        if reward is None:
            raise NotFound
        data = RewardSerializer(reward, context={"shown": shown([reward], _member_id(request), at)}).data
        return cacheable(request, data, seconds=_CACHE_SECONDS, is_personal=_is_member(request))


class WishesView(ApiView):
    """The rewards that a member saves for."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="list_my_wishes",
        examples=examples.WISHES,
        summary="My wish list",
        description="The newest first, also what is off the shelf now.",
        tags=["Me"],
        parameters=[*CURSOR_PARAMETERS],
        responses=page_serializer(WishSerializer, "WishPageSerializer"),
    )
    def get(self, request: Request) -> Response:
        at, member = timezone.now(), caller_member(request)
        rewards = with_pictures(
            Reward.objects.select_related("template", "category", "project", "partner", "least_tier")
        )
        rows: QuerySet[WishedReward] = wishes_of(member.pk).prefetch_related(Prefetch("reward", rewards))
        page = page_of(rows, request, by="wished_at")
        context = {"shown": shown([wish.reward for wish in page.items], member.pk, at), "at": at}
        return Response(page.body(WishSerializer(page.items, many=True, context=context).data))


class WishView(ApiView):
    """One reward on a member's wish list."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals: ClassVar = {"put": (RewardNotAvailable, TooManyWishes)}

    @extend_schema(
        operation_id="wish_for_reward",
        summary="Put a reward on my wish list",
        description="Told again, nothing changes. Who wished before a dearer price was announced keeps the old price for as "
        "long as the programme honours it.",
        tags=["Me"],
        request=None,
        responses={204: None},
    )
    def put(self, request: Request, reward_id: str) -> Response:
        at = timezone.now()
        wish_for(member_id=caller_member(request).pk, reward=_reward(reward_id), at=at)
        return Response(status=204)

    @extend_schema(
        operation_id="wish_no_more",
        summary="Take a reward off my wish list",
        description="Told again, nothing changes.",
        tags=["Me"],
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, reward_id: str) -> Response:
        wish_no_more(member_id=caller_member(request).pk, reward_id=_reward(reward_id).pk)
        return Response(status=204)


def with_pictures(rows: QuerySet[Reward]) -> QuerySet[Reward]:
    """Return rewards with their pictures, without the pictures' content."""
    return rows.prefetch_related(IMAGES)


def shown(rewards: Collection[Reward], member_id: int | None, at: datetime) -> Shown:
    """Return what is told of rewards besides their rows, to a member or to everybody."""
    offers = offers_at(rewards, at, member_id=member_id)
    told: dict[str, Any] = {
        "offers": offers, "left": pieces_left(rewards, offers, at), "announced": announced_prices(rewards, at),
    }  # fmt: skip
    if member_id is not None:
        told |= {
            "available": balance_of(member_id, at).available,
            "obstacles": obstacles_of(rewards, offers, member_id, at),
            "wished": frozenset(wishes_of(member_id).values_list("reward_id", flat=True)),
        }
    return Shown(**told)


def _reward(reward_id: str) -> Reward:
    reward = Reward.objects.filter(public_id=parse_ref(REWARD, reward_id)).first()
    if reward is None:
        raise NotFound
    return reward


def _is_member(request: Request) -> bool:
    return isinstance(request.user, MemberCaller)


def _member_id(request: Request) -> int | None:
    caller = request.user
    return caller.member.pk if isinstance(caller, MemberCaller) else None
