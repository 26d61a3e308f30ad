"""Whether a member's tier has a reason that can be told: each change in order, in sentences with its figures."""

from decimal import Decimal
from itertools import pairwise

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format

from loyalty.floor_sentences import floor_sentence
from loyalty.models import TierChange, TierFloor, TierRule, TierStanding
from loyalty.periods import last_day_before
from loyalty.queries import change_in_force
from loyalty.sentences import change_sentence
from loyalty.wording import amount_of
from tests.loyalty.stories import SHANGHAI, local

AFTER_ALL = local("2300-01-01")
REACHED = ("risen", "kept")


def assert_history(member_id: int) -> None:
    """A member's changes are numbered, in order of time, each from the tier that the one before left; they lead to its tier."""
    changes = list(TierChange.objects.filter(member_id=member_id).order_by("number"))
    assert [change.number for change in changes] == list(range(1, len(changes) + 1))
    for before, change in pairwise(changes):
        assert before.to_tier_id == change.from_tier_id
        assert before.happened_at <= change.happened_at
        if change.reason == "undone":
            assert before.reason == "risen"
    if changes:
        assert changes[0].reason == "risen"
    standing = TierStanding.objects.filter(member_id=member_id, tier__rank__gt=0).first()
    in_force = change_in_force(member_id, AFTER_ALL)
    lasting = in_force if in_force and in_force.to_tier.rank else None
    assert (standing and standing.tier_id) == (lasting and lasting.to_tier_id)


def assert_reason(change: TierChange) -> None:
    """A change says its figures in every language, and they lead to what it decided."""
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            sentence = change_sentence(change)
            assert [words for words in _words(change) if words not in sentence] == [], sentence
    if change.reason in REACHED and _asks(change):
        assert _is_reached(change)
    if change.reason in ("fallen", "undone") and _asks(change):
        assert not _is_reached(change)


def assert_floor_told(floor: TierFloor) -> None:
    """A floor says its tier, and why, in every language."""
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            sentence = floor_sentence(floor)
            assert floor.tier.name in sentence
            assert floor.reason in sentence


def _words(change: TierChange) -> list[str]:
    """Return the figures of a change as its sentence has to say them, in the active language."""
    until = date_format(last_day_before(change.valid_until, SHANGHAI)) if change.valid_until else ""
    if change.reason == "restored":
        return [change.to_tier.name, until]
    figures = [amount_of(metric, Decimal(value)) for metric, *values, _back in change.figures for value in values]
    figures = figures or [f"{change.credits:,}", f"{change.needed_credits:,}"]
    return [*figures, until] if change.reason == "grace" else figures


def _asks(change: TierChange) -> bool:
    """Whether the version that judged asked anything of the tier; one that the version dropped falls without a question."""
    of_tier = change.to_tier_id if change.reason in REACHED else change.from_tier_id
    rule = TierRule.objects.filter(ladder=change.ladder_id, tier=of_tier).first()
    purpose = "keep" if change.reason in ("kept", "fallen") else "rise"
    return rule is not None and rule.tier.rank > 0 and getattr(rule, f"{purpose}_credits") is not None


def _is_reached(change: TierChange) -> bool:
    if not change.figures:
        return change.credits >= change.needed_credits
    return sum(Decimal(have) >= Decimal(needed) for _metric, have, needed, _back in change.figures) >= change.must
