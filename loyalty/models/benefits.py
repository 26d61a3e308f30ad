"""Benefits: what the programme promises, which tier gives what under which version of the ladder, and what it may cost."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models.ladder import LadderVersion, Tier, TsTzRange
from members.models import Store


class IdRange(Func):
    """The range that holds one id alone: two of them overlap exactly when the ids are equal."""

    function = "int8range"
    template = "%(function)s(%(expressions)s, '[]')"


class Benefit(models.Model):
    """A promise of the programme: what members get, how it is counted, and what one use costs. Never deleted, only taken out of use.

    Without a quota it simply holds while the tier is held (a discount); with one, each member gets an `Entitlement` for each
    period.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        DISCOUNT = "discount", _("discount")
        MULTIPLIER = "multiplier", _("more points")
        SHIPPING = "shipping", _("free shipping")
        DELIVERY = "delivery", _("faster delivery")
        RETURNS = "returns", _("easier returns")
        PRIORITY = "priority", _("priority service")
        BIRTHDAY = "birthday", _("birthday gift")
        VOUCHERS = "vouchers", _("voucher pack")
        EARLY = "early", _("early purchase")
        PRODUCTS = "products", _("member prices and products")
        EVENT = "event", _("event access")
        GIFT = "gift", _("exclusive gift")
        VISITS = "visits", _("visits and uses by quota")
        PARTNER = "partner", _("partner benefit")

    class Period(models.TextChoices):
        MONTH = "month", _("each month")
        QUARTER = "quarter", _("each quarter")
        YEAR = "year", _("each year")
        TIER = "tier", _("each validity of the tier")

    class OnLowered(models.TextChoices):
        AT_ONCE = "at_once", _("ends at once")
        PERIOD_END = "period_end", _("stays to the end of its period")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    name = models.CharField(_("benefit name"), max_length=60)
    sentence = models.CharField(
        _("sentence for members"),
        max_length=200,
        blank=True,
        help_text=_("What members read. {figure} and {quota} stand for what the tier gives."),
    )
    is_on = models.BooleanField(_("in use"), default=True)
    period = models.CharField(pgettext_lazy("benefit", "given"), max_length=8, choices=Period, default=Period.YEAR)
    quota = models.PositiveSmallIntegerField(
        _("uses in a period"), null=True, blank=True, help_text=_("Empty: without limit, as for a discount.")
    )
    unit_cost_amount = models.DecimalField(
        _("cost of one use"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("In the programme's currency. Empty: not known; no budget in money can hold it then."),
    )
    on_lowered = models.CharField(
        _("when the tier is lost"), max_length=10, choices=OnLowered, default=OnLowered.PERIOD_END
    )
    is_used_in_app = models.BooleanField(
        _("members use it in the app"), default=False, help_text=_("Otherwise only tills and staff use it.")
    )
    category_codes = ArrayField(
        models.SlugField(max_length=60),
        default=list,
        blank=True,
        verbose_name=_("categories"),
        help_text=_("Codes, with commas between. None: the whole order."),
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("weekdays"),
        help_text=_("None chosen: every day."),
    )
    hours_from = models.TimeField(_("from the hour"), null=True, blank=True)
    hours_to = models.TimeField(_("until the hour"), null=True, blank=True)
    stores = models.ManyToManyField(
        Store, blank=True, related_name="+", verbose_name=_("stores"), help_text=_("None chosen: all stores.")
    )
    voucher_template_code = models.SlugField(
        _("voucher template"),
        max_length=40,
        blank=True,
        help_text=_("The code of the voucher that is issued for each use. Empty: no voucher."),
    )
    is_given_at_once = models.BooleanField(
        _("vouchers are issued at once"),
        default=True,
        help_text=_("All of a period when the benefit is given. Otherwise one for each use that a member claims."),
    )

    class Meta:
        verbose_name = _("benefit")
        verbose_name_plural = _("benefits")
        ordering = ["kind", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(unit_cost_amount__isnull=True) | Q(unit_cost_amount__gte=0),
                name="benefit_costs_nothing_or_more",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6]), name="benefit_weekdays_are_monday_to_sunday"
            ),
            models.CheckConstraint(
                condition=Q(hours_from__isnull=True, hours_to__isnull=True) | Q(hours_to__gt=F("hours_from")),
                name="benefit_hours_end_after_they_begin",
            ),
            models.CheckConstraint(condition=Q(quota__isnull=True) | Q(quota__gt=0), name="benefit_quota_is_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class TierBenefit(models.Model):
    """What one tier gives of a benefit under one version of the ladder: a cell of the grid.

    A version without any cell goes on with those of the version before it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    ladder = models.ForeignKey(
        LadderVersion, on_delete=models.PROTECT, related_name="benefits", verbose_name=_("ladder version")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="benefits", verbose_name=_("tier"))
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="cells", verbose_name=_("benefit"))
    figure = models.DecimalField(
        _("figure"),
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("5 for 5 % off, 1.5 for one and a half times the points."),
    )
    quota = models.PositiveSmallIntegerField(
        _("uses in a period"), null=True, blank=True, help_text=_("Empty: as the benefit says.")
    )

    class Meta:
        verbose_name = _("benefit of a tier")
        verbose_name_plural = _("benefits of tiers")
        constraints = [
            models.UniqueConstraint(fields=["ladder", "tier", "benefit"], name="tier_gives_a_benefit_once"),
            models.CheckConstraint(
                condition=Q(figure__isnull=True) | Q(figure__gte=0), name="benefit_figure_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(quota__isnull=True) | Q(quota__gt=0), name="quota_of_a_tier_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ladder_id}/{self.tier_id}/{self.benefit_id}"


class BenefitBudget(models.Model):
    """What a benefit (of one tier, or of all) may cost over [valid_from, valid_to): in uses, in money, or both.

    Each use that is promised is reserved here, and given back when it lapses; what is reserved never passes what may be
    promised. The row is locked after entitlements, always in ascending order.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class WhenFull(models.TextChoices):
        STOP = "stop", _("nothing more is given")
        SWAP = "swap", _("another benefit is given instead")

    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="budgets", verbose_name=_("benefit"))
    tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tier"),
        help_text=_("Empty: all tiers together."),
    )
    total_units = models.PositiveIntegerField(_("budget (uses)"), null=True, blank=True)
    total_amount = models.DecimalField(_("budget (money)"), max_digits=14, decimal_places=2, null=True, blank=True)
    throttle_percent = models.PositiveSmallIntegerField(
        _("stop at (%)"),
        default=100,
        help_text=_("When so much of the budget is promised, nothing more is given, or another benefit instead."),
    )
    when_full = models.CharField(_("then"), max_length=4, choices=WhenFull, default=WhenFull.STOP)
    swap_benefit = models.ForeignKey(
        Benefit, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("benefit instead")
    )
    valid_from = models.DateTimeField(pgettext_lazy("begin", "from"))
    valid_to = models.DateTimeField(_("until"))
    reserved_units = models.PositiveIntegerField(_("promised (uses)"), default=0, editable=False)
    reserved_amount = models.DecimalField(
        _("promised (money)"), max_digits=14, decimal_places=2, default=0, editable=False
    )
    stopped_at = models.DateTimeField(_("stopped at"), null=True, editable=False)
    stop_reason = models.CharField(_("why it was stopped"), max_length=200, blank=True, editable=False)
    warned_percent = models.PositiveSmallIntegerField(_("warned at (%)"), default=0, editable=False)

    class Meta:
        verbose_name = _("budget of a benefit")
        verbose_name_plural = _("budgets of benefits")
        ordering = ["-valid_to", "benefit", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_units__isnull=False) | Q(total_amount__isnull=False),
                name="benefit_budget_limits_something",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__gt=F("valid_from")), name="benefit_budget_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(throttle_percent__gte=1, throttle_percent__lte=100),
                name="benefit_budget_stops_within_itself",
            ),
            models.CheckConstraint(
                condition=Q(when_full="stop", swap_benefit__isnull=True)
                | (Q(when_full="swap", swap_benefit__isnull=False) & ~Q(swap_benefit=F("benefit"))),
                name="swapped_benefit_is_another_one",
            ),
            models.CheckConstraint(condition=Q(reserved_amount__gte=0), name="benefit_budget_reserves_nothing_or_more"),
            ExclusionConstraint(
                name="one_budget_of_a_benefit_is_in_force",
                expressions=[
                    (IdRange(F("benefit_id"), F("benefit_id")), RangeOperators.OVERLAPS),
                    (
                        IdRange(Coalesce(F("tier_id"), Value(0)), Coalesce(F("tier_id"), Value(0))),
                        RangeOperators.OVERLAPS,
                    ),
                    (TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.benefit_id}/{self.tier_id}"


class BenefitBudgetNote(models.Model):
    """What happened to a budget: it was stopped or let go on by staff, ran full, or passed a line that warns. With its figures."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        WARNED = "warned", pgettext_lazy("budget", "warned")
        FULL = "full", pgettext_lazy("budget", "used up")
        STOPPED = "stopped", pgettext_lazy("budget", "stopped")
        RESUMED = "resumed", pgettext_lazy("budget", "goes on")

    budget = models.ForeignKey(
        BenefitBudget, on_delete=models.PROTECT, related_name="notes", verbose_name=_("budget of a benefit")
    )
    kind = models.CharField(_("what happened"), max_length=8, choices=Kind)
    percent = models.PositiveSmallIntegerField(_("promised (%)"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("note of a budget")
        verbose_name_plural = _("notes of budgets")
        ordering = ["-happened_at", "-id"]

    def __str__(self) -> str:
        return f"{self.budget_id}: {self.kind}"
