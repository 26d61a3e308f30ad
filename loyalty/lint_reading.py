"""The lints of a stored version: its rules as plain values, with what the tables know of the tiers."""

from datetime import datetime

from django.conf import settings
from modeltranslation.utils import build_localized_fieldname

from loyalty.lints import Lint, TierWords, lints_of
from loyalty.models import Tier, TierRule, TierStanding
from loyalty.versions import ladder_of


def version_lints(version_id: int, at: datetime) -> list[Lint]:
    """Return what there is to say about a version's rules, errors first."""
    by_hand = set(TierRule.objects.filter(ladder=version_id, is_by_hand=True).values_list("tier_id", flat=True))
    tiers = list(Tier.objects.order_by("rank"))
    on_ladder = set(TierRule.objects.filter(ladder=version_id).values_list("tier_id", flat=True))
    left_out = [tier.pk for tier in tiers if tier.pk not in on_ladder]
    held = {pk for pk in left_out if TierStanding.objects.filter(tier_id=pk).exists()}
    words = {
        tier.pk: TierWords(
            str(tier), _without_name(tier) if tier.pk in on_ladder else (), tier.pk in by_hand, tier.pk in held
        )
        for tier in tiers
    }
    return lints_of(ladder_of(version_id, moment=at), words, lowest_tier_id=tiers[0].pk if tiers else None)


def errors_of(version_id: int, at: datetime) -> list[Lint]:
    """Return what keeps a version from being published."""
    return [lint for lint in version_lints(version_id, at) if lint.is_error]


def _without_name(tier: Tier) -> tuple[str, ...]:
    return tuple(
        str(label) for code, label in settings.LANGUAGES if not getattr(tier, build_localized_fieldname("name", code))
    )
