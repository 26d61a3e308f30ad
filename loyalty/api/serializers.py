"""Answers about tiers."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from loyalty.benefit_book import GivenBenefit
from loyalty.benefit_words import figure_words, member_sentence
from loyalty.criteria import METRICS, Criteria
from loyalty.ladder import Step
from loyalty.models import Benefit, LadderVersion, Tier, TierChange
from loyalty.periods import last_day_before
from loyalty.progress import Outlook, TierProgress
from loyalty.sentences import change_sentence, keep_sentence, outlook_sentence, rise_sentence, what_if_sentence
from loyalty.wording import criteria_sentence
from members.api.bodies import Body
from members.api.fields import EARLIEST, LATEST, Instant
from members.queries import programme


class TierSerializer(serializers.Serializer):
    """A tier by its code, with its name."""

    code = serializers.CharField()
    label = serializers.CharField(source="name", help_text="Name in the asked language.")  # type: ignore[assignment]
    rank = serializers.IntegerField(help_text="0 is the tier everybody starts in.")
    colour = serializers.CharField(help_text="For badges, like #c9a227.")
    image_path = serializers.SerializerMethodField(
        help_text="Where the badge stands on this host: a PNG of 192 × 192, for ever the same under its path. Null: none, only a colour."
    )

    def get_image_path(self, tier: Tier | Mapping[str, Any]) -> str | None:
        digest = tier["image_id"] if isinstance(tier, Mapping) else tier.image_id
        return reverse("tier_image", args=[digest]) if digest else None


class ThresholdSerializer(serializers.Serializer):
    """One threshold within the qualifying period."""

    metric = serializers.ChoiceField(choices=METRICS, help_text="What is counted, returns taken off.")
    needed = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="In the metric's unit.")


class CriteriaSerializer(serializers.Serializer):
    """Thresholds, of which so many have to be reached."""

    must = serializers.IntegerField(help_text="So many of them have to be reached.")
    thresholds = ThresholdSerializer(many=True)
    sentence = serializers.CharField(help_text="The same in words.")


class FigureSerializer(ThresholdSerializer):
    """One threshold beside what the member has."""

    have = serializers.DecimalField(max_digits=14, decimal_places=2)
    short = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="What is missing; 0 once reached.")


BENEFIT_KINDS = tuple(Benefit.Kind.values)


class TierBenefitSerializer(serializers.Serializer):
    """A benefit as a tier gives it."""

    code = serializers.CharField(source="benefit.code")
    kind = serializers.ChoiceField(source="benefit.kind", choices=BENEFIT_KINDS)
    kind_label = serializers.CharField(source="benefit.get_kind_display")
    label = serializers.CharField(source="benefit.name", help_text="Name in the asked language.")  # type: ignore[assignment]
    sentence = serializers.SerializerMethodField(help_text="What it gives, in words of the asked language.")
    figure = serializers.DecimalField(max_digits=8, decimal_places=2, allow_null=True, help_text="5 for 5 % off.")
    figure_label = serializers.SerializerMethodField(help_text="The figure in words; empty where there is none.")
    quota = serializers.IntegerField(allow_null=True, help_text="Uses in a period; null without limit.")
    period = serializers.SerializerMethodField(help_text="For which period the uses are; null without limit.")

    def get_sentence(self, given: GivenBenefit) -> str:
        return member_sentence(given.benefit, given.figure, given.quota)

    def get_figure_label(self, given: GivenBenefit) -> str:
        return figure_words(given.benefit.kind, given.figure)

    @extend_schema_field(serializers.ChoiceField(choices=Benefit.Period.values, allow_null=True))
    def get_period(self, given: GivenBenefit) -> str | None:
        return None if given.quota is None else given.benefit.period


class LadderTierSerializer(TierSerializer):
    """A tier on the ladder: what it takes, and what it gives."""

    rise = CriteriaSerializer(help_text="What lifts a member here; null for the lowest tier.", allow_null=True)
    keep = CriteriaSerializer(help_text="What a review asks for; null where nothing.", allow_null=True)
    points_multiplier = serializers.DecimalField(max_digits=4, decimal_places=2)
    benefits = TierBenefitSerializer(many=True, help_text="What it gives beside points, of the benefits in use.")


class LadderSerializer(serializers.Serializer):
    """The ladder in force on a day."""

    version = serializers.IntegerField()
    valid_from = Instant()
    valid_to = Instant(allow_null=True)
    currency = serializers.CharField()
    credits_per_unit = serializers.IntegerField(help_text="Tier credits for each whole unit of the currency spent.")
    window = serializers.ChoiceField(choices=LadderVersion.Window.values, help_text="How the qualifying period runs.")
    rises_at_once = serializers.BooleanField(help_text="False: at the end of the period.")
    grace_days = serializers.IntegerField(help_text="Days more for whoever is near the line at a review; 0: none.")
    qualifying_months = serializers.IntegerField()
    validity_months = serializers.IntegerField()
    soft_landing = serializers.BooleanField(help_text="At a review a member falls by one step at most.")
    tiers = LadderTierSerializer(many=True)


class LadderQuery(serializers.Serializer):
    """Which day's ladder."""

    on = serializers.DateField(
        required=False,
        validators=[MinValueValidator(EARLIEST.date()), MaxValueValidator(LATEST.date())],
        help_text="A day in the programme's zone; today when left out.",
    )


class OutlookSerializer(serializers.Serializer):
    """What the next review decides if nothing else comes."""

    review_at = Instant()
    tier = TierSerializer()
    reason = serializers.ChoiceField(choices=("kept", "grace", "fallen"))
    sentence = serializers.SerializerMethodField(help_text="The same in words.")

    def get_sentence(self, outlook: Outlook) -> str:
        return outlook_sentence(outlook)


class WhatIfRequest(Body):
    """A purchase that is only supposed."""

    spend = serializers.DecimalField(
        max_digits=12,
        decimal_places=2,
        min_value=Decimal("0.01"),
        help_text="What would be bought for now, in the programme's currency.",
    )


class WhatIfSerializer(serializers.Serializer):
    """Where a supposed purchase would lead. Nothing is kept of it."""

    risen_to = TierSerializer(source="risen", allow_null=True, help_text="The tier it would lift to; null: none.")
    rise = FigureSerializer(many=True, help_text="What the tier above asks for, with the purchase.")
    keep = FigureSerializer(many=True, help_text="What the review will ask for, with the purchase.")
    outlook = OutlookSerializer(allow_null=True)
    sentence = serializers.SerializerMethodField(help_text="Where the purchase leads, in words.")

    def get_sentence(self, progress: TierProgress) -> str:
        return what_if_sentence(progress)


class TierDecisionSerializer(serializers.Serializer):
    """One decision about the tier, with its reason."""

    happened_at = Instant()
    reason = serializers.ChoiceField(choices=TierChange.Reason.values)
    from_tier = TierSerializer()
    to_tier = TierSerializer()
    valid_until = Instant(allow_null=True)
    sentence = serializers.SerializerMethodField(help_text="The reason with its numbers, as staff see it.")

    def get_sentence(self, change: TierChange) -> str:
        return change_sentence(change)


class TierStandingSerializer(serializers.Serializer):
    """Where a member stands: the way up, and what it takes to stay."""

    tier = TierSerializer(source="held", help_text="What counts now: what was earned, or what a plan or staff gave.")
    earned_tier = TierSerializer(source="tier", help_text="What was earned; the figures below are about this one.")
    points_multiplier = serializers.DecimalField(source="multiplier", max_digits=4, decimal_places=2)
    credits = serializers.IntegerField(help_text="Tier credits that count for a rise now.")
    credits_from = Instant(source="window_from", help_text="Since when they are counted.")
    next_tier = TierSerializer(allow_null=True, help_text="Null at the top.")
    next_tier_credits = serializers.IntegerField(source="rise_needed", allow_null=True)
    credits_to_next = serializers.IntegerField(source="gap", allow_null=True)
    keep_credits = serializers.IntegerField(
        source="keep_needed", allow_null=True, help_text="What the review will ask for."
    )
    credits_to_keep = serializers.IntegerField(source="keep_gap", allow_null=True)
    valid_until = Instant(
        allow_null=True, help_text="The review is due at this moment; null for a tier that does not end."
    )
    valid_until_on = serializers.SerializerMethodField(help_text="The last day before it, in the programme's zone.")
    rise = FigureSerializer(many=True, help_text="What the next tier asks for, beside what there is.")
    rise_must = serializers.IntegerField(help_text="So many of them have to be reached.")
    rise_at = Instant(allow_null=True, help_text="Where a rise waits for the end of the period: when it is decided.")
    keep = FigureSerializer(many=True, help_text="What the review will ask for, beside what there is.")
    keep_must = serializers.IntegerField(help_text="So many of them have to be reached.")
    in_grace = serializers.BooleanField(source="is_in_grace")
    outlook = OutlookSerializer(allow_null=True, help_text="What the review decides if nothing else comes.")
    sentence = serializers.SerializerMethodField(help_text="The way up in words.")
    keep_sentence = serializers.SerializerMethodField(help_text="What it takes to stay, in words; empty at the bottom.")

    def get_keep_sentence(self, progress: TierProgress) -> str:
        return keep_sentence(progress)

    def get_valid_until_on(self, progress: TierProgress) -> str | None:
        until = progress.valid_until
        return last_day_before(until, programme().tz).isoformat() if until else None

    def get_sentence(self, progress: TierProgress) -> str:
        return rise_sentence(progress)


def ladder_rows(
    ladder_steps: Sequence[Step], tiers: dict[int, Tier], given: Mapping[int, Sequence[GivenBenefit]]
) -> list[dict[str, object]]:
    """Return the rows of a ladder's steps with the words of their tiers, and what each gives (by tier)."""
    return [
        {
            "code": step.code,
            "name": tiers[step.tier_id].name,
            "rank": step.rank,
            "colour": tiers[step.tier_id].colour,
            "image_id": tiers[step.tier_id].image_id,
            "rise": _criteria(step.rise),
            "keep": _criteria(step.keep),
            "points_multiplier": step.points_multiplier,
            "benefits": given.get(step.tier_id, ()),
        }
        for step in ladder_steps
    ]


def _criteria(criteria: Criteria) -> dict[str, object] | None:
    if not criteria.thresholds:
        return None
    return {
        "must": criteria.must,
        "thresholds": [{"metric": metric, "needed": needed} for metric, needed in criteria],
        "sentence": criteria_sentence(criteria),
    }
