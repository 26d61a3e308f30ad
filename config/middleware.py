"""Middleware of the roof: a name for every request, and language tags as clients really send them."""

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from pghistory.middleware import HistoryMiddleware

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class RequestIdMiddleware:
    """Give each request an id (the caller's `X-Request-Id` when it is sane) and return it on the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.match(given) else f"req_{uuid.uuid4().hex}"
        request.META["PERENNIAL_REQUEST_ID"] = request_id
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class LanguageTagMiddleware:
    """Rewrite `zh_CN` to `zh-CN` in Accept-Language: mini-programs send the underscore, which Django does not read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.META.get("HTTP_ACCEPT_LANGUAGE")
        if header and "_" in header:
            request.META["HTTP_ACCEPT_LANGUAGE"] = header.replace("_", "-")
        return self.get_response(request)


class MethodOverrideMiddleware:
    """Take a POST to the API that says `X-HTTP-Method-Override: PATCH` for a PATCH: mini-programs can not send one themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wanted = request.headers.get("X-HTTP-Method-Override", "")
        if request.method == "POST" and wanted.upper() == "PATCH" and request.path.startswith("/api/"):
            request.method = request.META["REQUEST_METHOD"] = "PATCH"
        return self.get_response(request)


class StaffHistoryMiddleware:
    """Name the operator in the history of configuration, for what is changed in the admin. Other paths pay nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.with_history = HistoryMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(f"/{settings.ADMIN_PATH}"):
            answer: HttpResponse = self.with_history(request)
            return answer
        return self.get_response(request)
