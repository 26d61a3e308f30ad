"""Which published rules hold when, what is announced, and what changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from loyalty.models import PublishedRules
from loyalty.rules_of_ladder import moment_words
from loyalty.rules_page import RulesPage, page_from_json


def rules_on(moment: datetime) -> PublishedRules | None:
    """Return the version of the page that holds at a moment, as published so far; None before the first."""
    return _in_order(PublishedRules.objects.filter(valid_from__lte=moment)).first()


def rules_numbered(number: int) -> PublishedRules | None:
    """Return a version by its number; None for one that is replaced, which never held."""
    return PublishedRules.objects.filter(number=number, replaced_by=None).first()


def rules_before(moment: datetime) -> PublishedRules | None:
    """Return the version that holds until a moment."""
    return _in_order(PublishedRules.objects.filter(valid_from__lt=moment)).first()


def rules_planned(after: datetime) -> QuerySet[PublishedRules]:
    """Return the versions that are to hold later, the next one first; what was replaced left out."""
    planned = PublishedRules.objects.filter(valid_from__gt=after, replaced_by=None)
    return planned.order_by("valid_from", "number")


def notices() -> QuerySet[PublishedRules]:
    """Return the versions after the first that are not replaced, the newest first: each is a change notice."""
    return PublishedRules.objects.filter(number__gt=1, replaced_by=None).order_by("-number")


def holds_until(version: PublishedRules) -> datetime | None:
    """Return when the next version begins, as far as it is known."""
    return rules_planned(version.valid_from).values_list("valid_from", flat=True).first()


def page_in(version: PublishedRules, language: str | None = None) -> RulesPage:
    """Return the page of a version in a language, else the active one."""
    return page_from_json(version.pages[_known(language, version.pages)])


def notice_sentences(version: PublishedRules, language: str | None = None) -> Sequence[str]:
    """Return what a version changes, in a language, else the active one; one sentence if it changes words only."""
    told: list[str] = version.changes[_known(language, version.changes)]
    with override(language or get_language()):
        if version.number == 1:
            return [_("The first published version of the rules.")]
        if version.replaces_id and not told:
            return [_("What was announced for this day does not come; the rules stay as they are.")]
        return told or [_("Only the wording has changed; the rules are the same.")]


def notice_head(version: PublishedRules) -> str:
    """Return from when a version holds, and since when this is known."""
    words = {"from": moment_words(version.valid_from), "published": moment_words(version.published_at)}
    if version.replaces_id:
        return _("From %(from)s, in place of what was announced; published %(published)s") % words
    if version.valid_from == version.published_at:
        return _("From %(from)s") % words
    return _("From %(from)s; published %(published)s") % words


def _known(language: str | None, kept: Mapping[str, object]) -> str:
    asked = language or get_language() or ""
    return asked if asked in kept else next(iter(kept))


def _in_order(versions: QuerySet[PublishedRules]) -> QuerySet[PublishedRules]:
    return versions.order_by("-valid_from", "-number")
