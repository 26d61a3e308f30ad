"""What purchases and behaviours earn: rules, and their versions in time."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from rewards.models.caps import Budget
from rewards.models.ledger import PointsCurrency
from rewards.models.lists import ids_field, none_or_positive, words_field
from rewards.models.spans import IdRange, TsTzRange

#: The activity kind under which birthdays are rewarded: they are not recorded, they come.
BIRTHDAY = "birthday"


class EarnRule(models.Model):
    """A rule by which points are earned, in one points currency. What it says is in its versions; it is kept for ever."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        SPEND = "spend", _("for purchases")
        BEHAVIOUR = "behaviour", _("for behaviour")

    name = models.CharField(_("rule name"), max_length=80, help_text=_("Members read it on receipts and in the app."))
    kind = models.CharField(pgettext_lazy("earn rule", "earned"), max_length=10, choices=Kind, default=Kind.SPEND)
    activity_kind = models.CharField(
        _("behaviour"),
        max_length=40,
        blank=True,
        default="",
        help_text=_("What members do for these points. Birthdays come by themselves, once a year."),
    )
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="earn_rules", verbose_name=_("points currency")
    )
    budget = models.OneToOneField(
        Budget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="rule",
        verbose_name=_("budget"),
    )

    class Meta:
        verbose_name = _("earn rule")
        verbose_name_plural = _("earn rules")
        ordering = ["kind", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["spend", "behaviour"]), name="earn_rule_kind_is_known"),
            models.CheckConstraint(
                condition=Q(kind="spend", activity_kind="") | (Q(kind="behaviour") & ~Q(activity_kind="")),
                name="earn_rule_for_behaviour_names_it",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EarnRuleVersion(models.Model):
    """What a rule says over [valid_from, valid_to). A draft is written until it is published; then only its end can be set.

    A change is a new version. One that has not begun can be withdrawn. Goods, stores and channels are kept as lists of
    ids in the row, so that a version is one thing that can neither change nor come apart; an id whose row is gone
    matches nothing.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class Mode(models.TextChoices):
        BASE = "base", _("base: each article earns by one base rule, the one of highest priority")
        EXTRA = "extra", _("extra: added to what the base rules give")

    class Basis(models.TextChoices):
        PER_ORDER = "order", _("on the whole order")
        PER_LINE = "line", _("on each line")

    class Rounding(models.TextChoices):
        FLOOR = "floor", _("down: whole steps only")
        NEAREST = "nearest", _("to the nearest step")
        UP = "up", _("up: a step begun counts")

    rule = models.ForeignKey(EarnRule, on_delete=models.PROTECT, related_name="versions", verbose_name=_("earn rule"))
    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    note = models.CharField(_("what changed"), max_length=200, blank=True, default="")
    valid_from = models.DateTimeField(_("in force from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("in force until"), null=True, blank=True)

    mode = models.CharField(_("how it counts"), max_length=5, choices=Mode, default=Mode.BASE)
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        help_text=_("Among base rules that count the same article the highest one gives its points."),
    )
    points_fixed = models.PositiveIntegerField(
        _("fixed points"),
        null=True,
        blank=True,
        help_text=_("So many points, whatever was spent. Empty: points for each step."),
    )
    points_per_step = models.PositiveIntegerField(_("points for each step"), default=1)
    step_amount = models.DecimalField(
        _("step"),
        max_digits=10,
        decimal_places=2,
        default=1,
        help_text=_("1 point for each 10.00 spent: points 1, step 10.00."),
    )
    basis = models.CharField(_("worked out"), max_length=5, choices=Basis, default=Basis.PER_ORDER)
    rounding = models.CharField(_("rounding"), max_length=7, choices=Rounding, default=Rounding.FLOOR)
    min_spend_amount = models.DecimalField(
        _("from a spend of"), max_digits=10, decimal_places=2, default=0, help_text=_("On the articles that it counts.")
    )

    category_ids = ids_field(_("categories"), _("None chosen: all goods."))
    skus = words_field(_("articles"), _("Article numbers. None: all goods."), 60)
    brands = words_field(_("brands of goods"), _("None: all brands."), 60)
    excluded_category_ids = ids_field(_("without categories"), _("These never count."))
    excluded_skus = words_field(_("without articles"), _("These never count."), 60)
    excluded_brands = words_field(_("without brands"), _("These never count."), 60)
    channel_ids = ids_field(_("channels"), _("None chosen: all channels."))
    store_ids = ids_field(_("stores"), _("None chosen: all stores."))
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("weekdays"),
        help_text=_("None chosen: every day."),
    )
    hour_from = models.PositiveSmallIntegerField(_("from (hour)"), null=True, blank=True)
    hour_to = models.PositiveSmallIntegerField(
        _("to (hour)"), null=True, blank=True, help_text=_("22 to 6 passes midnight. The hour named here is over.")
    )
    first_order_only = models.BooleanField(_("first order only"), default=False)
    min_orders = models.PositiveSmallIntegerField(
        _("at least so many orders"), null=True, blank=True, help_text=_("This order is one of them.")
    )
    within_days = models.PositiveSmallIntegerField(_("within (days)"), null=True, blank=True)
    condition = models.JSONField(_("condition on the member"), null=True, blank=True)

    gets_tier_multiplier = models.BooleanField(_("multiplied by the tier"), default=True)
    gets_promotions = models.BooleanField(_("multiplied by promotions"), default=True)
    pending_days = models.PositiveSmallIntegerField(
        _("pending (days)"),
        default=0,
        help_text=_("Days until the points can be spent, usually the time allowed for returns."),
    )
    expiry_months = models.PositiveSmallIntegerField(
        _("expiry (months)"),
        default=12,
        help_text=_(
            "At the end of the month so many months later, where no expiry policy of the currency says otherwise."
        ),
    )

    cap_order_points = models.PositiveIntegerField(_("most per order (points)"), null=True, blank=True)
    cap_day_points = models.PositiveIntegerField(_("most per member and day (points)"), null=True, blank=True)
    cap_month_points = models.PositiveIntegerField(_("most per member and month (points)"), null=True, blank=True)
    cap_member_points = models.PositiveIntegerField(_("most per member (points)"), null=True, blank=True)
    cap_day_count = models.PositiveSmallIntegerField(_("most per member and day (times)"), null=True, blank=True)
    cap_month_count = models.PositiveSmallIntegerField(_("most per member and month (times)"), null=True, blank=True)
    budget_points = models.PositiveBigIntegerField(
        _("budget (points)"),
        null=True,
        blank=True,
        help_text=_(
            "What the rule gives to all members together, from its first day on. Neither tiers nor promotions multiply "
            "points of a rule with a budget."
        ),
    )

    class Meta:
        verbose_name = _("version of an earn rule")
        verbose_name_plural = _("versions of earn rules")
        ordering = ["rule", "-number"]
        permissions = [("publish_earnruleversion", _("Can publish, end and withdraw versions of earn rules"))]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="earn_rule_has_a_version_once"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "published", "withdrawn"]), name="earn_rule_version_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(valid_from__isnull=False), name="published_earn_rule_begins_some_day"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="earn_rule_ends_after_it_begins",
            ),
            ExclusionConstraint(
                name="one_version_of_an_earn_rule_is_in_force_at_a_time",
                expressions=[
                    (IdRange(F("rule_id")), RangeOperators.OVERLAPS),
                    (TsTzRange(F("valid_from"), F("valid_to"), Value("[)")), RangeOperators.OVERLAPS),
                ],
                condition=Q(state="published"),
            ),
            models.CheckConstraint(condition=Q(mode__in=["base", "extra"]), name="earn_rule_mode_is_known"),
            models.CheckConstraint(condition=Q(basis__in=["order", "line"]), name="earn_rule_basis_is_known"),
            models.CheckConstraint(
                condition=Q(rounding__in=["floor", "nearest", "up"]), name="earn_rule_rounding_is_known"
            ),
            models.CheckConstraint(
                condition=Q(points_per_step__gt=0) & none_or_positive("points_fixed"), name="earn_rule_gives_points"
            ),
            models.CheckConstraint(
                condition=Q(points_fixed__isnull=True) | Q(basis="order"), name="fixed_points_are_given_once_an_order"
            ),
            models.CheckConstraint(condition=Q(step_amount__gt=0), name="earn_rule_step_is_positive"),
            models.CheckConstraint(condition=Q(min_spend_amount__gte=0), name="earn_rule_min_spend_is_not_negative"),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6]), name="earn_rule_weekdays_are_monday_to_sunday"
            ),
            models.CheckConstraint(
                condition=Q(hour_from__isnull=True, hour_to__isnull=True)
                | (
                    Q(hour_from__isnull=False, hour_from__lte=23, hour_to__isnull=False, hour_to__gte=1, hour_to__lte=24)
                    & ~Q(hour_from=F("hour_to"))
                ),
                name="earn_rule_hours_are_a_span_of_a_day",
            ),
            models.CheckConstraint(
                condition=Q(min_orders__isnull=True, within_days__isnull=True)
                | Q(min_orders__isnull=False, min_orders__gt=0, within_days__isnull=False, within_days__gt=0),
                name="earn_rule_orders_are_counted_within_days",
            ),
            models.CheckConstraint(condition=Q(expiry_months__gt=0), name="earn_rule_expiry_is_positive"),
            models.CheckConstraint(
                condition=none_or_positive(
                    "cap_order_points", "cap_day_points", "cap_month_points", "cap_member_points", "cap_day_count",
                    "cap_month_count", "budget_points",
                ),
                name="earn_rule_caps_are_positive",
            ),
            models.CheckConstraint(
                condition=Q(budget_points__isnull=True) | Q(gets_tier_multiplier=False, gets_promotions=False),
                name="earn_rule_with_a_budget_is_not_multiplied",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"

    def has_begun(self, at: datetime) -> bool:
        """Whether purchases may have used it by then."""
        return self.state == self.State.PUBLISHED and self.valid_from is not None and self.valid_from <= at

    def is_in_force(self, at: datetime) -> bool:
        """Whether purchases of a moment earn by it."""
        return self.has_begun(at) and (self.valid_to is None or at < self.valid_to)
