"""The public page of the programme's rules: no sign-in, one address for each language, the same for everybody."""

import hashlib
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from loyalty.models import PublishedRules
from loyalty.periods import day_bounds
from loyalty.rules_of_ladder import moment_words
from loyalty.rules_queries import (
    holds_until,
    notice_head,
    notice_sentences,
    notices,
    page_in,
    rules_numbered,
    rules_on,
    rules_planned,
)
from members.api.fields import EARLIEST, LATEST
from members.queries import programme

CACHE_SECONDS: Final = 300
MOST_NOTICES: Final = 12
_RESOLUTION: Final = timedelta(microseconds=1)
# As browsers and screen readers know the languages.
_TAGS: Final = {"zh-hans": "zh-Hans", "zh-hant": "zh-Hant"}


@require_safe
def choose_language(request: HttpRequest) -> HttpResponseBase:
    """Lead to the page in the language that the reader's browser asks for."""
    language = get_language() or settings.LANGUAGE_CODE
    asked = request.GET.urlencode()
    response = HttpResponseRedirect(reverse("rules_in", args=[language]) + (f"?{asked}" if asked else ""))
    patch_vary_headers(response, ("Accept-Language", "Cookie"))
    response.headers["Cache-Control"] = "no-cache"
    return response


@require_safe
def rules(request: HttpRequest, language: str) -> HttpResponseBase:
    """The page in a language, as published: for now, at the end of a day with `?on=2027-01-01`, or with
    `?version=7` a version by its number. Raises Http404 for what can not be read.
    """
    if language not in dict(settings.LANGUAGES):
        raise Http404
    now = timezone.now()
    with translation.override(language):
        version, query = _asked(request, now)
        context = _context(version, language, now) | {"query": query}
        response = render(request, "public/rules.html", context, status=200 if version else 404)
        return _cached(request, response, language)


def _asked(request: HttpRequest, now: datetime) -> tuple[PublishedRules | None, str]:
    """Return the version that the address asks for, and the part of the address that does; of today: nothing."""
    number, day = request.GET.get("version"), request.GET.get("on")
    if number is not None:
        if not (number.isascii() and number.isdigit() and len(number) < 8):
            raise Http404
        return rules_numbered(int(number)), f"?version={int(number)}"
    if day is None:
        return rules_on(now), ""
    date_asked = _day(day)
    return rules_on(day_bounds(date_asked, programme().tz)[1] - _RESOLUTION), f"?on={date_asked.isoformat()}"


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Http404 from error
    if not EARLIEST.date() <= day < LATEST.date():
        raise Http404
    return day


def _context(version: PublishedRules | None, language: str, now: datetime) -> dict[str, object]:
    names = [
        {"code": code, "tag": _TAGS.get(code, code), "name": name, "is_this": code == language}
        for code, name in settings.LANGUAGES
    ]
    context: dict[str, object] = {"languages": names, "language_tag": _TAGS.get(language, language)}
    if version is None:
        return context
    until = holds_until(version)
    told: list[tuple[int, dict[str, object]]] = [
        (
            notice.pk,
            {
                "version": notice,
                "head": notice_head(notice),
                "sentences": notice_sentences(notice),
            },
        )
        for notice in notices().defer("pages")[:MOST_NOTICES]
    ]
    later = set(rules_planned(now).values_list("pk", flat=True)) if told else set()
    return context | {
        "version": version,
        "page": page_in(version),
        "since": moment_words(version.valid_from),
        "until": moment_words(until) if until else "",
        "is_now": version.valid_from <= now and (until is None or now < until),
        "is_later": version.valid_from > now,
        "coming": [notice for pk, notice in reversed(told) if pk in later],
        "past": [notice for pk, notice in told if pk not in later],
    }


def _cached(request: HttpRequest, response: HttpResponse, language: str) -> HttpResponseBase:
    response.headers["Content-Language"] = _TAGS.get(language, language)
    if response.status_code != 200:
        response.headers["Cache-Control"] = "no-cache"
        return response
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    answer: HttpResponseBase = get_conditional_response(request, etag=etag, response=response) or response
    return answer
