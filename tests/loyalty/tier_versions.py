"""Versions of the ladder that follow the first one: other terms, other lines, a tier less or a tier more."""

from datetime import datetime
from typing import Any

from django.conf import settings

from loyalty.criteria import METRICS
from loyalty.models import LadderVersion, Tier, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.services.versions import RuleTerms, copy_version, insert_tier, write_draft
from members.actors import SYSTEM
from tests.loyalty.test_same_decisions import _THRESHOLDS, Terms

NEW_TIER = (900, 700)  # what a tier that is inserted over silver asks for, to rise and to keep


def publish(
    ladder: Terms, percent: int, begin: datetime, at: datetime, *, dropped: str = "", inserted: str = ""
) -> LadderVersion:
    """Publish a copy of the version in force, from `begin` on, with these terms and so many per cent of its tier credits.

    The tier `dropped` is not in it; one with the code `inserted` stands over silver.
    """
    draft = copy_version(version_id=None, by=SYSTEM, at=at)
    if inserted:
        names = {language: inserted.title() for language, _name in settings.LANGUAGES}
        silver = Tier.objects.get(code="silver")
        insert_tier(
            version_id=draft.pk, above_tier_id=silver.pk, code=inserted, names=names, colour="#00a86b", by=SYSTEM, at=at
        )
    write_draft(
        version_id=draft.pk, terms=_said(ladder), rules=_rules(draft, ladder, percent, dropped), by=SYSTEM, at=at
    )
    _put_in_force(draft, begin)
    return draft


def _said(ladder: Terms) -> dict[str, Any]:
    """Return the terms of a version."""
    return {
        "window": ladder.window, "rises": ladder.rises, "grace_percent": ladder.grace[0], "grace_days": ladder.grace[1],
        "carries_over": ladder.carries_over and ladder.window != "rolling", "soft_landing": ladder.soft_landing,
        "qualifying_months": ladder.qualifying_months, "validity_months": ladder.validity_months,
    }  # fmt: skip


def _rules(draft: LadderVersion, ladder: Terms, percent: int, dropped: str) -> list[RuleTerms]:
    """Return what the tiers of a draft ask for: so many per cent of what they asked for, and what is drawn beside it."""
    rules = []
    for asks in TierRule.objects.filter(ladder=draft).select_related("tier").exclude(tier__code=dropped):
        values: dict[str, Any] = {}
        if asks.tier.rank:
            rise, keep = asks.rise_credits or NEW_TIER[0], asks.keep_credits or NEW_TIER[1]
            values = {"rise_credits": rise * percent // 100, "keep_credits": keep * percent // 100}
            for metric in METRICS[1:]:
                line = _THRESHOLDS[metric] * asks.tier.rank if metric in ladder.asks else None
                values |= {f"rise_{metric}": line, f"keep_{metric}": line and line - 1}
            values |= {"rise_least": ladder.least, "keep_least": ladder.least}
        rules.append(RuleTerms(asks.tier_id, values))
    return rules


def _put_in_force(draft: LadderVersion, begin: datetime) -> None:
    """Give a draft its place in time, as its approval does."""
    published = LadderVersion.objects.filter(valid_from__isnull=False).order_by("valid_from")
    before = [one.pk for one in published if one.valid_from and one.valid_from < begin][-1]
    after = next((one.valid_from for one in published if one.valid_from and one.valid_from > begin), None)
    LadderVersion.objects.filter(pk=before).update(valid_to=begin)
    LadderVersion.objects.filter(pk=draft.pk).update(valid_from=begin, valid_to=after)
    forget_ladder_book()
