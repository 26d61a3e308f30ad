"""What a new member is invited to do."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication
from members.api.base import ApiView, caller_member
from members.api.fields import Instant
from members.api.permissions import IsMember
from members.onboarding import tasks_of


class OnboardingTaskSerializer(serializers.Serializer):
    """One thing to do."""

    code = serializers.CharField(source="task.code")
    label = serializers.CharField(source="task.name")  # type: ignore[assignment]
    hint = serializers.CharField(source="task.hint", help_text="May be empty.")
    is_done = serializers.BooleanField()
    until = Instant(help_text="So long it is on the list.")


class OnboardingSerializer(serializers.Serializer):
    """The list, and how far the member is."""

    done = serializers.IntegerField()
    total = serializers.IntegerField()
    tasks = OnboardingTaskSerializer(many=True)


_EXAMPLE = OpenApiExample(
    "One of one is done",
    value={
        "done": 1,
        "total": 1,
        "tasks": [
            {
                "code": "birthday",
                "label": "Tell us your birthday",
                "hint": "There is a present every year.",
                "is_done": True,
                "until": "2026-08-04T06:10:00Z",
            }
        ],
    },
    response_only=True,
)


class OnboardingView(ApiView):
    """The list of the member who calls."""

    authentication_classes = (MemberAuthentication,)
    permission_classes = (IsMember,)

    @extend_schema(
        operation_id="get_my_onboarding",
        examples=[_EXAMPLE],
        summary="What to do first",
        description="For new members. A task is done when its fact is there, whoever brought it about.",
        tags=["Me"],
        responses=OnboardingSerializer,
    )
    def get(self, request: Request) -> Response:
        tasks = tasks_of(caller_member(request), timezone.now())
        done = sum(task.is_done for task in tasks)
        return Response(OnboardingSerializer({"done": done, "total": len(tasks), "tasks": tasks}).data)
