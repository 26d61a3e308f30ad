"""The API's edge: every error as a problem (RFC 9457)."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views import defaults
from psycopg import errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.problems import CODE_OF_STATUS, title_of
from config.refused import keep_refusal
from members.api.queries import BadQuery
from members.refusals import Refusal

logger = logging.getLogger(__name__)

API = "/api/"
PROBLEM = "application/problem+json"
_WAIT = {"Retry-After": "1"}
_OWN_FIELDS = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors"})


def problem_details(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to an exception of a view; None for a bug, which is logged and answered by `server_error`."""
    request: HttpRequest = context["request"]._request
    refusal = exc if isinstance(exc, Refusal) else None
    if refusal is not None:
        answer = _of_refusal(request, refusal)
    elif isinstance(exc, exceptions.ValidationError):
        where = "parameter" if isinstance(exc, BadQuery) else "pointer"
        answer = _answer(
            request, 400, "validation_error", _("Please check what was sent."), errors=_errors(exc.detail, where)
        )
    elif isinstance(exc, exceptions.APIException):
        answer = _of_api_exception(request, exc)
    elif isinstance(exc, Http404):
        answer = _answer(request, 404, "not_found", _("There is nothing at this address."))
    elif isinstance(exc, PermissionDenied):
        answer = _answer(request, 403, "insufficient_scope", _("You are not allowed to do this."))
    elif isinstance(exc, RequestDataTooBig):
        answer = _answer(request, 413, "payload_too_large", _("The body of the request is too large."))
    elif isinstance(exc, OperationalError | InterfaceError):
        answer = _of_database(request, exc)
    else:
        return None
    set_rollback()
    if refusal is not None:
        keep_refusal(context["request"], refusal)
    return answer


def _of_refusal(request: HttpRequest, refusal: Refusal) -> Response:
    answer = _answer(request, refusal.status, refusal.code, refusal.sentence(), params=refusal.params)
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="perennial", error="invalid_token"'
    wait = refusal.params.get("retry_after_seconds")
    if isinstance(wait, int):
        answer.headers["Retry-After"] = str(wait)
    if refusal.code == "request_in_progress":
        answer.headers["Retry-After"] = _WAIT["Retry-After"]
    return answer


def _of_api_exception(request: HttpRequest, exc: exceptions.APIException) -> Response:
    status = exc.status_code
    answer = _answer(request, status, CODE_OF_STATUS.get(status, "malformed_request"), str(exc.detail))
    challenge = getattr(exc, "auth_header", None)
    if challenge:
        failed = isinstance(exc, exceptions.AuthenticationFailed)
        answer.headers["WWW-Authenticate"] = f'{challenge}, error="invalid_token"' if failed else challenge
    wait = getattr(exc, "wait", None)
    if wait:
        answer.headers["Retry-After"] = str(int(wait) + 1)
    return answer


def _of_database(request: HttpRequest, error: Exception) -> Response:
    """A lock that was not given in time may be had in a moment; a database that is away is said to be away."""
    if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
        return _answer(request, 409, "member_busy", _("Please repeat the request in a moment."), headers=_WAIT)
    logger.error("the database does not answer: %s", request.path, exc_info=error)
    return _answer(request, 503, "unavailable", _("Please repeat the request in a moment."), headers=_WAIT)


def _answer(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str,
    *,
    params: Mapping[str, Any] | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = problem_body(request, status, code, detail, params=params, errors=errors)
    response = Response(body, status=status, headers=dict(headers or {}), content_type=PROBLEM)
    response.headers["Content-Language"] = get_language() or settings.LANGUAGE_CODE
    return response


def problem_body(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str,
    *,
    params: Mapping[str, Any] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem: the standard ones, ours, and the figures of the case."""
    body: dict[str, Any] = {
        "type": f"/api/v1/problems/{code}",  # relative (RFC 9457, 3.1.1): a forged Host header has no part in it
        "title": title_of(code, status),
        "status": status,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": request.META.get("PERENNIAL_REQUEST_ID", ""),
    }
    if errors:
        body["errors"] = errors
    return body | {name: _plain(value) for name, value in (params or {}).items() if name not in _OWN_FIELDS}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int | str | bool | dict | None) else str(value)  # a dict is plain already


def _errors(detail: Any, where: str) -> list[dict[str, str]]:
    """Return what is wrong, flat: each with its place, as a JSON pointer (RFC 6901, in a fragment) or a parameter's name."""
    found: list[dict[str, str]] = []

    def walk(part: Any, path: tuple[str, ...]) -> None:
        if isinstance(part, Mapping):
            for name, inner in part.items():
                walk(inner, path if name == "non_field_errors" else (*path, str(name)))
        elif isinstance(part, list):
            for number, inner in enumerate(part):
                walk(inner, (*path, str(number)) if isinstance(inner, Mapping | list) else path)
        else:
            place = "#" + "".join(f"/{_escaped(name)}" for name in path) if where == "pointer" else ".".join(path)
            found.append({where: place, "code": getattr(part, "code", "invalid"), "detail": str(part)})

    walk(detail, ())
    return [error for error in found if error["detail"]]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


# --- Errors outside of views: unknown addresses, bugs -------------------------------------------------------------
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown address: a problem under /api/, a page elsewhere."""
    if request.path.startswith(API):
        return _problem_response(request, 404, "not_found", _("There is nothing at this address."))
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses to read."""
    if request.path.startswith(API):
        is_large = isinstance(exception, RequestDataTooBig)
        status, code = (413, "payload_too_large") if is_large else (400, "malformed_request")
        return _problem_response(request, status, code, _("The request can not be read."))
    return defaults.bad_request(
        request, exception if isinstance(exception, SuspiciousOperation) else SuspiciousOperation()
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a bug, which Django has logged with its trace: nothing of it is told."""
    if request.path.startswith(API):
        return _problem_response(request, 500, "internal_error", _("Something went wrong. It was noted."))
    return defaults.server_error(request)


def _problem_response(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    response = JsonResponse(problem_body(request, status, code, detail), status=status, content_type=PROBLEM)
    response.headers["Cache-Control"] = "no-store"
    return response
