"""Answers about tiers."""

from collections.abc import Sequence

from django.core.validators import MaxValueValidator, MinValueValidator
from rest_framework import serializers

from loyalty.ladder import Step
from loyalty.models import Tier
from loyalty.periods import last_day_before
from loyalty.queries import TierProgress
from loyalty.sentences import rise_sentence
from members.api.fields import EARLIEST, LATEST, Instant
from members.queries import programme


class TierSerializer(serializers.Serializer):
    """A tier by its code, with its name."""

    code = serializers.CharField()
    label = serializers.CharField(source="name", help_text="Name in the asked language.")  # type: ignore[assignment]
    rank = serializers.IntegerField(help_text="0 is the tier everybody starts in.")
    colour = serializers.CharField(help_text="For badges, like #c9a227.")


class LadderTierSerializer(TierSerializer):
    """A tier on the ladder: what it takes, and what it gives."""

    rise_credits = serializers.IntegerField(
        help_text="Tier credits within the qualifying period that lift a member here at once."
    )
    keep_credits = serializers.IntegerField(
        help_text="Tier credits within the qualifying period that a review asks for."
    )
    points_multiplier = serializers.DecimalField(max_digits=4, decimal_places=2)


class LadderSerializer(serializers.Serializer):
    """The ladder in force on a day."""

    version = serializers.IntegerField()
    valid_from = Instant()
    valid_to = Instant(allow_null=True)
    currency = serializers.CharField()
    credits_per_unit = serializers.IntegerField(help_text="Tier credits for each whole unit of the currency spent.")
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
    sentence = serializers.SerializerMethodField(help_text="The same in words.")

    def get_valid_until_on(self, progress: TierProgress) -> str | None:
        until = progress.valid_until
        return last_day_before(until, programme().tz).isoformat() if until else None

    def get_sentence(self, progress: TierProgress) -> str:
        return rise_sentence(progress)


def ladder_rows(ladder_steps: Sequence[Step], tiers: dict[int, Tier]) -> list[dict[str, object]]:
    """Return the rows of a ladder's steps with the words of their tiers."""
    return [
        {
            "code": step.code,
            "name": tiers[step.tier_id].name,
            "rank": step.rank,
            "colour": tiers[step.tier_id].colour,
            "rise_credits": step.rise_credits,
            "keep_credits": step.keep_credits,
            "points_multiplier": step.points_multiplier,
        }
        for step in ladder_steps
    ]
