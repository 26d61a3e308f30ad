"""The floor that rates of the API are compared with: a DRF view with one SELECT, beside all addresses of the portal."""

from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import urlpatterns as portal
from members.models import Member


class BareSerializer(serializers.Serializer):
    """Some columns of a member."""

    id = serializers.UUIDField(source="public_id")
    member_no = serializers.CharField()
    status = serializers.CharField()
    joined_at = serializers.DateTimeField()


class BareView(APIView):
    """One SELECT by primary key, with the portal's middleware around it and nothing else."""

    permission_classes = (AllowAny,)

    def get(self, request: Request, member_id: int) -> Response:
        return Response(BareSerializer(Member.objects.get(pk=member_id)).data)


urlpatterns = [path("bare/<int:member_id>", BareView.as_view()), *portal]
