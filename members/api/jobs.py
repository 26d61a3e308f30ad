"""How far long work is that a member or a server asked for, and its result while it is kept."""

from datetime import datetime
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.authentication import MemberAuthentication, MemberCaller, TillAuthentication, TillCaller
from members.api.base import ApiView, caller_of
from members.api.fields import Instant, Ref
from members.api.permissions import Public
from members.identifiers import JOB, NotFound, parse_ref, public_ref
from members.job_progress import progress_of
from members.jobs import title_of, words_of
from members.models import Job, JobFile
from members.services.job_links import link_key, take_result
from members.services.jobs import JobFileGone

_JOB: Final = "job_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_LINK: Final = f"/api/v1/jobs/{_JOB}/result?key=pJ3c…"


STATES: Final = tuple(state.value for state in Job.State)


class AskedForIt(BasePermission):
    """A member or a key; the view shows each what they asked for themselves."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, MemberCaller | TillCaller)


class JobResultSerializer(serializers.Serializer):
    """Where the result can be taken, and until when."""

    url = serializers.CharField(help_text="Opens without a token; treat it like the file itself.")
    name = serializers.CharField()
    expires_at = Instant()


class JobSerializer(serializers.Serializer):
    """Long work: what it does and how far it is."""

    id = Ref(JOB)
    title = serializers.CharField(help_text="What is being done, in the language asked for.")
    state = serializers.ChoiceField(choices=STATES)
    total = serializers.IntegerField(allow_null=True, help_text="Rows in all; null until it is known.")
    done = serializers.IntegerField()
    ok = serializers.IntegerField()
    failed = serializers.IntegerField()
    percent = serializers.IntegerField(allow_null=True)
    seconds_left = serializers.IntegerField(allow_null=True, help_text="As far as the pace so far tells.")
    created_at = Instant()
    finished_at = Instant(allow_null=True)
    problem = serializers.CharField(allow_null=True, help_text="Why it failed.")
    result = JobResultSerializer(allow_null=True)


_EXAMPLES: Final = [
    OpenApiExample(
        "Done, with a result",
        value={
            "id": _JOB, "title": "Copy of my data", "state": "done", "total": 6, "done": 6, "ok": 6, "failed": 0,
            "percent": 100, "seconds_left": None, "created_at": "2026-07-05T11:30:00Z",
            "finished_at": "2026-07-05T11:30:04Z", "problem": None,
            "result": {"url": _LINK, "name": "my-data.zip", "expires_at": "2026-07-06T11:30:04Z"},
        },
        response_only=True,
    ),
]  # fmt: skip


class JobView(ApiView):
    """A job to whoever asked for it."""

    authentication_classes = (MemberAuthentication, TillAuthentication)
    permission_classes = (AskedForIt,)
    refusals: ClassVar = {"get": (NotFound,)}

    @extend_schema(
        operation_id="get_job",
        summary="Long work: how far it is",
        description=(
            "For work that was answered with 202. Shown to the member or the key that asked for it (or the one that takes its place), to nobody else. "
            "Ask again every few seconds until `state` is `done`, `failed` or `cancelled`; `result` is there when there is one."
        ),
        tags=["Jobs"],
        examples=_EXAMPLES,
        responses=JobSerializer,
    )
    def get(self, request: Request, job: str) -> Response:
        caller = caller_of(request)
        asked_by = (
            {"member": caller.member} if isinstance(caller, MemberCaller) else {"api_key__family": caller.key.family}
        )
        found = Job.objects.filter(public_id=parse_ref(JOB, job), **asked_by).first()
        if found is None:
            raise NotFound
        return Response(JobSerializer(told(found, timezone.now())).data)


class JobResultView(ApiView):
    """The result of a job to whoever has its link."""

    authentication_classes = ()
    permission_classes = (Public,)
    refusals: ClassVar = {"get": (NotFound, JobFileGone)}

    @extend_schema(
        operation_id="get_job_result",
        summary="Long work: its result",
        description="The file itself. The address is that of `result.url` of the job; it ends at `result.expires_at`.",
        tags=["Jobs"],
        parameters=[OpenApiParameter("key", str, required=True, description="The signature of the link.")],
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, description="The file.")},
    )
    def get(self, request: Request, job: str) -> HttpResponse:
        found = Job.objects.filter(public_id=parse_ref(JOB, job)).first()
        if found is None:
            raise NotFound
        taken = take_result(
            job=found,
            key=request.query_params.get("key", ""),
            at=timezone.now(),
            ip_address=request.META.get("REMOTE_ADDR"),
        )
        answer = HttpResponse(taken.content, content_type=taken.content_type)
        answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=taken.name)
        return answer


def told(job: Job, at: datetime) -> dict[str, Any]:
    """Return a job as the API tells it at a moment, also for the 202 of whoever starts one."""
    progress = progress_of(job)
    file = None
    if not job.is_active and job.files_expire_at > at:
        file = JobFile.objects.filter(job=job, role=JobFile.Role.RESULT).only("name").first()
    address = reverse("api:job_result", args=[public_ref(JOB, job.public_id)])
    return {
        "id": job.public_id,
        "title": title_of(job),
        "state": job.state,
        "total": job.total or None,
        "done": job.done,
        "ok": job.ok,
        "failed": job.failed,
        "percent": progress.percent,
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left),
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "problem": words_of(job.message, job.message_params) or None,
        "result": file and {
            "url": f"{address}?key={link_key(job)}",
            "name": file.name,
            "expires_at": job.files_expire_at,
        },
    }  # fmt: skip
