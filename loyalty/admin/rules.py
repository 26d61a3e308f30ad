"""The published rules to staff: the page as members read it, how hard it is, what speaks against it, and its versions."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.complexity import complexity_of, words_in
from loyalty.models import PublishedRules
from loyalty.periods import day_bounds
from loyalty.queries import ladder_book, tier_rows
from loyalty.refusals import NoLadder
from loyalty.rules_lint import EXCEPTIONS, complexity_sentence, part_words, rules_lints
from loyalty.rules_of_ladder import moment_words
from loyalty.rules_page import RulesPage, given_by_tiers
from loyalty.rules_queries import notice_head, notice_sentences, rules_planned
from loyalty.services.published_rules import pages_at
from members.admin.base import Badge, HistoryAdmin
from members.queries import programme

SEE = "loyalty.view_publishedrules"
_MOST_PLANNED = 12
_RESOLUTION = timedelta(microseconds=1)


@admin.register(PublishedRules)
class PublishedRulesAdmin(HistoryAdmin):
    """Every version of the public page, and the page of today with what speaks against it."""

    list_display = ("title", "valid_from", "published_at", "state", "notice")
    empty_sentence = _(
        "No version yet. The first one is made by itself within a minute of a tier ladder that is in force; then one for "
        "every change."
    )
    is_nameless = True
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("replaced_by").defer("pages", "replaced_by__pages")

    @display(description=_("version"))
    def title(self, version: PublishedRules) -> SafeString:
        words = _("Version %(number)s") % {"number": version.number}
        if _is_replaced(version):
            return format_html('<span class="pn-number">{}</span>', words)
        address = f"{reverse('rules_in', args=[get_language() or settings.LANGUAGE_CODE])}?version={version.number}"
        return format_html(
            '<a class="pn-number text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, words
        )

    @display(description=_("state"), label={"planned": "info", "published": "success", "replaced": "warning"})
    def state(self, version: PublishedRules) -> Badge:
        if _is_replaced(version):
            return Badge("replaced", _("replaced before it came"))
        if version.valid_from > timezone.now():
            return Badge("planned", _("announced"))
        return Badge("published", _("published"))

    @display(description=_("what changed"))
    def notice(self, version: PublishedRules) -> SafeString:
        return format_html_join("", "<div>{}</div>", ((sentence,) for sentence in notice_sentences(version)))

    def get_urls(self) -> list[URLPattern]:
        own = [path("now/", self.admin_site.admin_view(self.now), name="loyalty_publishedrules_now")]
        return [*own, *super().get_urls()]

    def now(self, request: HttpRequest) -> HttpResponse:
        """Show the page as it is now, or will be on a day (`?on=`), with its load and what speaks against it."""
        if not request.user.has_perm(SEE):
            raise PermissionDenied
        at = timezone.now()
        day = _day(request.GET.get("on", ""))
        moment = at if day is None else day_bounds(day, programme().tz)[1] - _RESOLUTION
        context = {
            **self.admin_site.each_context(request),
            "title": _("Published rules"),
            "day": day,
            "planned": _planned(at),
            "as_of": at,
            "zone": programme().zone,
            **_measured(moment, request.GET.get("language", "")),
        }
        return render(request, "portal/published_rules/page.html", context)


def _is_replaced(version: PublishedRules) -> bool:
    return getattr(version, "replaced_by", None) is not None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _planned(at: datetime) -> list[dict[str, Any]]:
    tz = programme().tz
    return [
        {
            "version": version,
            "head": notice_head(version),
            "sentences": notice_sentences(version),
            "on": version.valid_from.astimezone(tz).date(),
            "label": moment_words(version.valid_from),
        }
        for version in rules_planned(at).defer("pages")[:_MOST_PLANNED]
    ]


def _measured(moment: datetime, language: str) -> dict[str, Any]:
    try:
        ladder, pages = ladder_book().at(moment), pages_at(moment)
    except NoLadder as refusal:
        return {"missing": refusal.sentence()}
    words = {code: words_in(page.sentences()) for code, page in pages.items()}
    complexity = complexity_of(ladder, words)
    names = {pk: tier.name for pk, tier in tier_rows().items()}
    shown = language if language in pages else get_language() or settings.LANGUAGE_CODE
    return {
        "page": pages.get(shown) or next(iter(pages.values())),
        "languages": _languages(pages, words, shown),
        "shown": shown,
        "complexity": complexity,
        "verdict": complexity_sentence(complexity),
        "parts": [{"words": part_words(part), "free": part.free, "load": part.load} for part in complexity.parts],
        "exceptions": [EXCEPTIONS[code] for code in complexity.exceptions],
        "lints": rules_lints(ladder, names, gives=given_by_tiers(moment, ladder), words=words),
    }


def _languages(pages: Mapping[str, RulesPage], words: Mapping[str, int], shown: str) -> list[dict[str, Any]]:
    known = dict(settings.LANGUAGES)
    return [{"code": code, "name": known[code], "words": words[code], "is_shown": code == shown} for code in pages]
