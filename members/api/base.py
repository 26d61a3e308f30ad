"""What every view of the API has in common."""

import hashlib
import json
from typing import Any, ClassVar

from django.http import HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from django.utils.translation import get_language
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from members.api.authentication import MemberCaller, TillCaller
from members.models import ApiKey, Member
from members.refusals import Refusal


class ApiView(APIView):
    """A view that says nothing to caches unless it means to, and names the refusals it may answer with.

    `refusals` is read by the published schema: method in small letters → refusals.
    """

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    refusals: ClassVar[dict[str, tuple[type[Refusal], ...]]] = {}

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def caller_of(request: Request) -> MemberCaller | TillCaller:
    """Return who calls; the view's permission has made sure that there is somebody."""
    caller = request.user
    assert isinstance(caller, MemberCaller | TillCaller)  # noqa: S101 - the permission class says so
    return caller


def caller_member(request: Request) -> Member:
    """Return the member who calls; the view's permission has made sure of it."""
    caller = caller_of(request)
    assert isinstance(caller, MemberCaller)  # noqa: S101 - the permission class says so
    return caller.member


def caller_key(request: Request) -> ApiKey:
    """Return the till's key that calls; the view's permission has made sure of it."""
    caller = caller_of(request)
    assert isinstance(caller, TillCaller)  # noqa: S101 - the permission class says so
    return caller.key


def cacheable(request: Request, data: Any, *, seconds: int, is_personal: bool = False) -> HttpResponseBase:
    """Return an answer with a strong ETag of its content and language, or 304 when the caller has it already."""
    content = json.dumps([get_language(), data], sort_keys=True, default=str)
    etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    known = parse_etags(request.headers.get("If-None-Match", ""))
    is_known = etag in known or f"W/{etag}" in known or known == ["*"]
    response: HttpResponseBase = HttpResponseNotModified() if is_known else Response(data)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-store" if is_personal else f"public, max-age={seconds}"
    if request.authenticators:
        response.headers["Vary"] = "Authorization"
    return response
