"""What every view of the API has in common."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from django.conf import settings
from django.http import HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import parse_etags
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from members.addresses import place_of
from members.api.authentication import MemberCaller, TillCaller
from members.api.deprecation import Deprecation
from members.api.queries import BadQuery
from members.models import ApiKey, Member
from members.refusals import Refusal
from members.services.rates import Limit, Taken, take


@dataclass(frozen=True, slots=True)
class CallLimit:
    """How often a route may be called: the limit, and by what calls are told apart."""

    by: Literal["member", "key", "address"]
    limit: Limit


class ApiView(APIView):
    """A view that says nothing to caches unless it means to, and names the refusals it may answer with.

    `refusals` is read by the published schema: method in small letters → refusals. `limits` are those of a route by
    itself, beside the one that every caller has over all routes (`API_CALLS_A_MINUTE`): method in small letters → limits.
    `deprecations` are the methods that go, with their dates; a serializer names its fields that go (`deprecated_fields`).
    """

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    refusals: ClassVar[dict[str, tuple[type[Refusal], ...]]] = {}
    limits: ClassVar[dict[str, tuple[CallLimit, ...]]] = {}
    deprecations: ClassVar[dict[str, Deprecation]] = {}
    _taken: tuple[Limit, Taken] | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in who may, and no parameter that no text of the database could equal. Raises `BadQuery`."""
        super().initial(request, *args, **kwargs)
        for name, text in request.query_params.items():
            if "\0" in text:
                raise BadQuery(name, _("Control characters are not allowed."))

    def check_throttles(self, request: Request) -> None:
        """Count the call, after it is known who calls and before anything is done. Raises `RateLimited`.

        The narrowest limit is told in the headers.
        """
        at = timezone.now()
        asked = [*_limits_of_all(request), *self.limits.get((request.method or "").lower(), ())]
        for one in asked:
            taken = take(limit=one.limit, partition=_partition(request, one.by), at=at)
            if self._taken is None or taken.remaining < self._taken[1].remaining:
                self._taken = one.limit, taken

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        method = (self.request.method or "").lower()
        going = self.deprecations.get("get" if method == "head" else method)
        if going is not None:
            for name, value in going.headers().items():
                answer.headers[name] = value
        if self._taken is not None:
            limit, taken = self._taken
            # draft-ietf-httpapi-ratelimit-headers: a draft, so Retry-After is what counts.
            answer.headers["RateLimit-Policy"] = f'"{limit.name}";q={limit.count};w={limit.seconds}'
            answer.headers["RateLimit"] = f'"{limit.name}";r={taken.remaining};t={taken.reset_seconds}'
        return answer


def _limits_of_all(request: Request) -> list[CallLimit]:
    """Return the limit of whoever calls over all routes; none where the settings set none."""
    caller = request.user
    by: Literal["member", "key", "address"] = "address"
    if isinstance(caller, MemberCaller):
        by = "member"
    elif isinstance(caller, TillCaller):
        by = "key"
    count = settings.API_CALLS_A_MINUTE[by]
    return [CallLimit(by, Limit(by, count, 60))] if count else []


def _partition(request: Request, by: str) -> str:
    """Return what calls are counted under: the member or key that calls, or else the address."""
    caller = request.user
    if by == "member" and isinstance(caller, MemberCaller):
        return str(caller.member.pk)
    if by == "key" and isinstance(caller, TillCaller):
        return str(caller.key.pk)
    return place_of(request._request)


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
