"""Keep what the public page of the programme says: a version for every change, with its notice."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import translation

from loyalty import events
from loyalty.benefit_book import forget_benefit_book
from loyalty.models import PublishedRules
from loyalty.queries import forget_ladder_book, ladder_book
from loyalty.rules_notice import changes_between
from loyalty.rules_of_ladder import page_at
from loyalty.rules_page import RulesPage, moments_after, page_from_json
from loyalty.rules_queries import rules_before, rules_on, rules_planned
from members import timeline
from members.actors import Actor
from members.queries import forget_programme

#: How many changes ahead are published; later ones follow when these have come.
MOST_AHEAD: Final = 24

Pages = Mapping[str, RulesPage]


@transaction.atomic
def publish_rules(*, by: Actor, at: datetime) -> list[int]:
    """Publish what the rules say now and at each moment at which they are known to change; return the versions made.

    A moment for which the page says it already costs no row, so that running twice or beside itself changes nothing.
    Raises NoLadder.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('loyalty_publishedrules'))")  # one at a time
    # What others of this process read some seconds ago may be older than what was published meanwhile.
    forget_ladder_book()
    forget_benefit_book()
    forget_programme()
    made = [_publish_at(moment, by=by, at=at) for moment in _moments(at)]
    return [number for number in made if number is not None]


def pages_at(moment: datetime) -> Pages:
    """Return the page as the rules are at a moment, in every language. Raises NoLadder."""
    pages = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            pages[language] = page_at(moment)
    return pages


def _moments(at: datetime) -> list[datetime]:
    ahead = {ladder.valid_from for ladder in ladder_book().ladders if ladder.valid_from > at}
    ahead |= moments_after(at)
    ahead |= set(rules_planned(at).values_list("valid_from", flat=True))
    return [at, *islice(sorted(ahead), MOST_AHEAD)]


def _publish_at(moment: datetime, *, by: Actor, at: datetime) -> int | None:
    pages = pages_at(moment)
    kept = {language: page.as_json() for language, page in pages.items()}
    checksum = _checksum(kept)
    holds = rules_on(moment)
    if holds is not None and holds.content_hash == checksum:
        return None
    replaced = holds if holds is not None and holds.valid_from == moment else None
    before = rules_before(moment) if replaced else holds
    version = PublishedRules.objects.create(
        number=(PublishedRules.objects.aggregate(Max("number"))["number__max"] or 0) + 1,
        valid_from=moment,
        published_at=at,
        content_hash=checksum,
        pages=kept,
        changes=_changes(before, pages),
        replaces=replaced,
    )
    changes = max(map(len, version.changes.values()), default=0)
    timeline.record(
        [events.rules_changed(version.number, moment, changes, replaced.number if replaced else None, by=by, at=at)]
    )
    return version.number


def _changes(before: PublishedRules | None, pages: Pages) -> dict[str, list[str]]:
    if before is None:
        return {language: [] for language in pages}
    changes = {}
    for language, page in pages.items():
        with translation.override(language):
            changes[language] = changes_between(page_from_json(before.pages[language]), page)
    return changes


def _checksum(kept: Mapping[str, Any]) -> str:
    told = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()
