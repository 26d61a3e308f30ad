"""The tier ladder: which tiers there are, and what it takes to rise and to keep, by version."""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from loyalty.criteria import METRICS
from loyalty.models.tier_images import TierImage
from members.models import ActivityKind, Operator

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_WINDOWS = ("rolling", "year", "quarter", "joined", "tier")


class TsTzRange(Func):
    """A half-open span of time from two columns; an empty end means open."""

    function = "tstzrange"
    template = "%(function)s(%(expressions)s)"


def _weight(label: "_StrPromise") -> "models.DecimalField[Decimal, Decimal]":
    help_text = _("For the score, a weighted mix. 0: not in it.")
    return models.DecimalField(label, max_digits=8, decimal_places=3, default=Decimal(0), help_text=help_text)


class Tier(models.Model):
    """A tier members can hold. Its code is for ever; what it takes to reach it is in the ladder's versions.

    Ranks say the order only: when a tier is inserted, those above it move up by one together.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("tier name"), max_length=40)
    rank = models.PositiveSmallIntegerField(
        _("rank"), help_text=_("0 is the tier everybody starts in; higher is better.")
    )
    colour = models.CharField(_("colour"), max_length=7, default="#8a8f98", help_text=_("For badges, like #c9a227."))
    image = models.ForeignKey(
        TierImage, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("badge picture")
    )

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ["rank"]
        constraints = [
            # Looked at when a statement ends, so that one statement can move several tiers up.
            models.UniqueConstraint(
                fields=["rank"], name="tier_has_a_rank_of_its_own", deferrable=models.Deferrable.IMMEDIATE
            ),
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-fA-F]{6}$"), name="tier_colour_is_six_hex_digits"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LadderVersion(models.Model):
    """One version of the rules of the ladder, in force over [valid_from, valid_to). At any moment at most one is.

    Without `valid_from` it is a draft, which has no place in time and can be written; one that was thrown away keeps the
    moment. With it, it is scheduled, in force or archived, as the clock says, and never changes but for its end, which
    the next version sets. Withdrawn before it begins, it is a draft again.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Window(models.TextChoices):
        ROLLING = "rolling", _("rolling: so many months back")
        YEAR = "year", _("calendar year")
        QUARTER = "quarter", _("calendar quarter")
        JOINED = "joined", _("year from the day the member joined")
        TIER = "tier", _("year from the day the tier was reached")

    class Rises(models.TextChoices):
        AT_ONCE = "at_once", _("at once")
        WAITING = "waiting", _("at the end of the period (where it rolls, of the month)")

    number = models.PositiveIntegerField(_("version"), unique=True)
    valid_from = models.DateTimeField(_("in force from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)
    qualifying_months = models.PositiveSmallIntegerField(
        _("qualifying period (months)"),
        default=12,
        help_text=_("Tier credits of this many months back from the day count."),
    )
    validity_months = models.PositiveSmallIntegerField(
        _("tier validity (months)"),
        default=12,
        help_text=_("A tier is held this long, to the end of the month, and then reviewed. For a period that rolls."),
    )
    window = models.CharField(
        _("how the qualifying period runs"),
        max_length=8,
        choices=Window,
        default=Window.ROLLING,
        help_text=_(
            "A tier of another period than a rolling one is valid to the end of the period after it was reached."
        ),
    )
    rises = models.CharField(_("members rise"), max_length=8, choices=Rises, default=Rises.AT_ONCE)
    grace_percent = models.PositiveSmallIntegerField(
        _("grace near the line (%)"),
        default=0,
        help_text=_("At a review, whoever lacks at most this share of what keeping takes is given more time."),
    )
    grace_days = models.PositiveSmallIntegerField(
        _("grace (days)"), default=0, help_text=_("0: no grace. Given once, then it is reviewed again.")
    )
    carries_over = models.BooleanField(
        _("carries credits over"),
        default=False,
        help_text=_("Tier credits beyond what keeping took count again in the next period, once. Not where it rolls."),
    )
    weight_credits = _weight(_("weight of a tier credit"))
    weight_spend = _weight(_("weight of a unit of money"))
    weight_orders = _weight(_("weight of an order"))
    weight_active_days = _weight(_("weight of an active day"))
    weight_activity = _weight(_("weight of an activity point"))
    weight_tenure_months = _weight(_("weight of a month of membership"))
    soft_landing = models.BooleanField(
        _("soft landing"), default=True, help_text=_("At a review a member falls by one step at most.")
    )
    credits_per_unit = models.PositiveSmallIntegerField(
        _("tier credits per unit of money"),
        default=1,
        help_text=_("Tier credits for each whole unit of the programme's currency spent."),
    )

    note = models.CharField(
        _("what changes, and why"), max_length=300, blank=True, db_default="", help_text=_("For colleagues.")
    )
    planned_date = models.DateField(
        _("to be in force from"), null=True, blank=True, help_text=_("From the beginning of this day.")
    )
    notice_date = models.DateField(
        _("members are told on"), null=True, blank=True, help_text=_("Empty: on the day on which it is approved.")
    )
    haste_reason = models.CharField(
        _("why members are told at shorter notice"),
        max_length=300,
        blank=True,
        db_default="",
        help_text=_("Only where fewer days than the policy asks for lie between telling members and the beginning."),
    )
    published_at = models.DateTimeField(_("published at"), null=True, editable=False)
    published_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", editable=False, verbose_name=_("published by")
    )
    discarded_at = models.DateTimeField(_("thrown away at"), null=True, editable=False)

    class Meta:
        verbose_name = _("tier ladder version")
        verbose_name_plural = _("tier ladder versions")
        ordering = ["-number"]
        permissions = [
            ("publish_ladderversion", _("Can ask for a version of the tier ladder to be published, and withdraw it")),
            ("approve_ladderversion", _("Can approve a version of the tier ladder")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="ladder_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(qualifying_months__gt=0, validity_months__gt=0), name="ladder_spans_are_positive"
            ),
            models.CheckConstraint(condition=Q(window__in=_WINDOWS), name="ladder_window_is_known"),
            models.CheckConstraint(condition=Q(rises__in=("at_once", "waiting")), name="ladder_says_when_members_rise"),
            models.CheckConstraint(condition=Q(grace_percent__lte=50, grace_days__lte=90), name="grace_is_bounded"),
            models.CheckConstraint(
                condition=Q(carries_over=False) | ~Q(window="rolling"), name="a_rolling_period_carries_nothing_over"
            ),
            ExclusionConstraint(
                name="one_ladder_is_in_force_at_a_time",
                expressions=[(TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS)],
                condition=Q(valid_from__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=False) | Q(valid_to__isnull=True, published_at__isnull=True),
                name="a_draft_of_the_ladder_has_no_place_in_time",
            ),
            models.CheckConstraint(
                condition=Q(discarded_at__isnull=True) | Q(valid_from__isnull=True),
                name="only_a_draft_of_the_ladder_is_thrown_away",
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class ActivityScore(models.Model):
    """What an activity of one kind counts under one version of the ladder: so much for each time."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    ladder = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="activity_scores", verbose_name=_("ladder version")
    )
    kind = models.ForeignKey(
        ActivityKind, on_delete=models.PROTECT, related_name="+", verbose_name=_("kind of activity")
    )
    score = models.PositiveSmallIntegerField(_("counts"), help_text=_("Activity points for each time."))

    class Meta:
        verbose_name = _("score of an activity")
        verbose_name_plural = _("scores of activities")
        constraints = [
            models.UniqueConstraint(fields=["ladder", "kind"], name="activity_has_one_score_per_ladder"),
            models.CheckConstraint(condition=Q(score__gt=0), name="activity_score_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.ladder_id}/{self.kind_id}"


class TierRule(models.Model):
    """What one tier takes and gives under one version of the ladder."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    ladder = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="rules", verbose_name=_("ladder version")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="rules", verbose_name=_("tier"))
    rise_credits = models.PositiveIntegerField(
        _("tier credits to rise"),
        null=True,
        blank=True,
        help_text=_("Tier credits within the qualifying period that lift a member here. Empty: not asked."),
    )
    rise_spend = models.DecimalField(_("spend to rise"), max_digits=12, decimal_places=2, null=True, blank=True)
    rise_orders = models.PositiveIntegerField(_("orders to rise"), null=True, blank=True)
    rise_active_days = models.PositiveSmallIntegerField(_("active days to rise"), null=True, blank=True)
    rise_activity = models.PositiveIntegerField(_("activity points to rise"), null=True, blank=True)
    rise_tenure_months = models.PositiveSmallIntegerField(_("months of membership to rise"), null=True, blank=True)
    rise_score = models.DecimalField(_("score to rise"), max_digits=12, decimal_places=2, null=True, blank=True)
    rise_least = models.PositiveSmallIntegerField(
        _("to rise, so many of them"), default=0, help_text=_("0: all that are filled in. 1: any one of them.")
    )
    keep_credits = models.PositiveIntegerField(
        _("tier credits to keep"),
        null=True,
        blank=True,
        help_text=_("Tier credits within the qualifying period that a review asks for to keep the tier."),
    )
    keep_spend = models.DecimalField(_("spend to keep"), max_digits=12, decimal_places=2, null=True, blank=True)
    keep_orders = models.PositiveIntegerField(_("orders to keep"), null=True, blank=True)
    keep_active_days = models.PositiveSmallIntegerField(_("active days to keep"), null=True, blank=True)
    keep_activity = models.PositiveIntegerField(_("activity points to keep"), null=True, blank=True)
    keep_tenure_months = models.PositiveSmallIntegerField(_("months of membership to keep"), null=True, blank=True)
    keep_score = models.DecimalField(_("score to keep"), max_digits=12, decimal_places=2, null=True, blank=True)
    keep_least = models.PositiveSmallIntegerField(
        _("to keep, so many of them"), default=0, help_text=_("0: all that are filled in. 1: any one of them.")
    )
    is_by_hand = models.BooleanField(
        _("only given by hand"),
        default=False,
        db_default=False,
        help_text=_("Nothing is asked to rise to it: staff, a paid plan or a campaign give it."),
    )
    points_multiplier = models.DecimalField(
        _("points multiplier"),
        max_digits=4,
        decimal_places=2,
        default=1,
        help_text=_("1.50 means half as many base points again."),
    )

    class Meta:
        verbose_name = _("tier rule")
        verbose_name_plural = _("tier rules")
        ordering = ["ladder", "tier__rank"]
        constraints = [
            models.UniqueConstraint(fields=["ladder", "tier"], name="tier_has_one_rule_per_ladder"),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"rise_{metric}__isnull": True})
                    | Q(**{f"keep_{metric}__isnull": True})
                    | Q(**{f"keep_{metric}__lte": F(f"rise_{metric}")}),
                    name=f"keeping_takes_no_more_{metric}",
                )
                for metric in METRICS
            ),
            models.CheckConstraint(condition=Q(points_multiplier__gte=1), name="multiplier_is_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.ladder_id}/{self.tier_id}"
