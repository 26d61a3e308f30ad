"""A member's badges, the title they wear, and their growth map."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.badge_queries import held_badges, open_badges, title_of
from loyalty.growth_queries import GrowthMap, Step, TaskOfStage, growth_of
from loyalty.models import Badge
from loyalty.refusals import TitleNotHeld
from loyalty.services.badges import choose_title
from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.bodies import Body
from members.api.fields import Instant
from members.api.permissions import IsMember


class BadgeSerializer(serializers.Serializer):
    """A badge by its code, with its looks; `title` is what it lets the member wear, "" for none."""

    code = serializers.CharField(source="badge.code")
    label = serializers.CharField(source="badge.name")  # type: ignore[assignment]
    text = serializers.CharField(source="badge.text", help_text="May be empty.")
    icon = serializers.CharField(source="badge.icon", help_text="Name of a Material Symbol.")
    colour = serializers.CharField(source="badge.colour", help_text="Like #c9a227.")
    title = serializers.CharField(source="badge.title", help_text="The title it carries; empty for none.")
    held_since = Instant(source="since_at", allow_null=True, help_text="Null: it can still be earned.")


class TitleSerializer(serializers.Serializer):
    """The title that is worn."""

    badge = serializers.CharField(source="code", help_text="Code of the badge that carries it.")
    title = serializers.CharField()


class BadgesSerializer(serializers.Serializer):
    """The badges that a member has or can earn, and the title worn."""

    title = TitleSerializer(allow_null=True, help_text="Null: none is worn.")
    held = BadgeSerializer(many=True, help_text="Longest held first.")
    open = BadgeSerializer(many=True, help_text="What can still be earned.")


class TitleChoice(Body):
    """Whose title to wear."""

    badge = serializers.CharField(
        max_length=40, allow_null=True, help_text="Code of a badge that is held and carries a title; null to wear none."
    )


def badges_answer(member_id: int, at: datetime) -> dict[str, Any]:
    """Return a member's badges as the API shows them."""
    held = held_badges(member_id)
    known = {one.badge.pk for one in held}
    still_open = [{"badge": badge, "since_at": None} for badge in open_badges(at) if badge.pk not in known]
    worn: Badge | None = title_of(member_id, held)
    return dict(BadgesSerializer({"title": worn, "held": held, "open": still_open}).data)


class MyBadgesView(ApiView):
    """The badges of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_badges",
        summary="My badges",
        description="Badges held, since when, those that can still be earned, and the title worn beside the name.",
        tags=["Me"],
        responses=BadgesSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(badges_answer(caller_member(request).pk, timezone.now()))


class MyTitleView(ApiView):
    """The title of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)
    refusals = {"put": (TitleNotHeld,)}

    @extend_schema(
        operation_id="choose_my_title",
        summary="Choose my title",
        description="One title at most is worn. Until one is chosen, the newest is. Answers with the badges.",
        tags=["Me"],
        request=TitleChoice,
        responses=BadgesSerializer,
        examples=[OpenApiExample("A title", value={"badge": "ten_orders"}, request_only=True)],
    )
    def put(self, request: Request) -> Response:
        at = timezone.now()
        member = caller_member(request)
        choose_title(member_id=member.pk, badge_code=TitleChoice.read(request.data)["badge"], at=at)
        return Response(badges_answer(member.pk, at))


class StepSerializer(serializers.Serializer):
    """One thing that a task asks for. Figures only where it is a number to be reached."""

    text = serializers.CharField(source="words")
    found = serializers.CharField(help_text="What is found now, in words.")
    is_met = serializers.BooleanField()
    current = serializers.SerializerMethodField(help_text="Decimal string, or null.")
    needed = serializers.SerializerMethodField(help_text="Decimal string, or null.")
    percent = serializers.IntegerField(allow_null=True)

    def get_current(self, step: Step) -> str | None:
        return None if step.current is None else format(step.current, "f")

    def get_needed(self, step: Step) -> str | None:
        return None if step.needed is None else format(step.needed, "f")


UNLOCKED = ("badge", "benefit")


class UnlockSerializer(serializers.Serializer):
    """What a task unlocks."""

    kind = serializers.ChoiceField(choices=UNLOCKED)
    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class StageTaskSerializer(serializers.Serializer):
    """A task: done, or how far it is. Steps only of open tasks of stages that were reached."""

    code = serializers.CharField(source="task.code")
    label = serializers.CharField(source="task.name")  # type: ignore[assignment]
    text = serializers.CharField(source="task.text", help_text="May be empty.")
    is_done = serializers.SerializerMethodField()
    done_at = Instant(source="done.happened_at", default=None, allow_null=True)
    one_is_enough = serializers.BooleanField(source="is_any", help_text="Whether one of the steps is enough.")
    steps = StepSerializer(many=True)
    unlocks = serializers.SerializerMethodField()

    def get_is_done(self, row: TaskOfStage) -> bool:
        return row.done is not None

    @extend_schema_field(UnlockSerializer(many=True))
    def get_unlocks(self, row: TaskOfStage) -> list[dict[str, Any]]:
        task = row.task
        found = [{"kind": "badge", "code": task.badge.code, "label": task.badge.name}] if task.badge else []
        if row.benefit:
            found.append({"kind": "benefit", "code": task.benefit_code, "label": row.benefit})
        return found


class StageOnMapSerializer(serializers.Serializer):
    """A stage of the growth map."""

    code = serializers.CharField(source="stage.code")
    label = serializers.CharField(source="stage.name")  # type: ignore[assignment]
    text = serializers.CharField(source="stage.text", help_text="May be empty.")
    colour = serializers.CharField(source="stage.colour")
    is_now = serializers.BooleanField(help_text="Whether the member is in it.")
    is_reached = serializers.BooleanField(help_text="Whether the member is in it, or further.")
    tasks = StageTaskSerializer(many=True)


class GrowthSerializer(serializers.Serializer):
    """The growth map: where the member is, and what there is to do."""

    stage = serializers.SerializerMethodField(help_text="Code of the stage the member is in; null where there is none.")
    since = Instant(source="since_at")
    stages = StageOnMapSerializer(many=True)

    def get_stage(self, found: GrowthMap) -> str | None:
        return found.now.code if found.now else None


class MyGrowthView(ApiView):
    """The growth map of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_growth",
        summary="My growth map",
        description="The stages of life with the programme, the member's own, the tasks of each, how far they are and what they unlock.",
        tags=["Me"],
        responses=GrowthSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(GrowthSerializer(growth_of(caller_member(request), timezone.now())).data)
