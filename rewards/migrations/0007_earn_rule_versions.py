"""Earn rules get versions of their own, with goods, times, conditions and caps; counters and budgets for the caps.

The versions of the one base rule there was become the versions of that rule, with their numbers and their history.
"""

from pathlib import Path

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import connection, migrations, models

import rewards.models.spans
from members.history import refuse_changes_sql

FUNCTIONS = (Path(__file__).parent / "sql" / "caps_0001.sql").read_text(encoding="utf-8")

# A version with a name of its own keeps it as its note. Triggers of deferred constraints fire before the tables change again.
MOVE = """
INSERT INTO rewards_earnruleversion
    (id, rule_id, number, state, note, valid_from, valid_to, mode, priority, points_per_step, step_amount, basis, rounding,
     min_spend_amount, category_ids, skus, brands, excluded_category_ids, excluded_skus, excluded_brands, channel_ids, store_ids,
     weekdays, first_order_only, gets_tier_multiplier, gets_promotions, pending_days, expiry_months)
SELECT id, (SELECT min(id) FROM rewards_earnrule), version, 'published',
    CASE WHEN name = (SELECT name FROM rewards_earnrule ORDER BY version DESC LIMIT 1) THEN '' ELSE name END,
    valid_from, valid_to, 'base', 0, points_per_step, step_amount, 'order', 'floor', 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', false, true, true, pending_days, expiry_months
FROM rewards_earnrule;

INSERT INTO rewards_earnruleversionevent
    (pgh_created_at, pgh_label, pgh_context_id, pgh_obj_id, id, rule_id, number, state, note, valid_from, valid_to, mode, priority,
     points_per_step, step_amount, basis, rounding, min_spend_amount, category_ids, skus, brands, excluded_category_ids,
     excluded_skus, excluded_brands, channel_ids, store_ids, weekdays, first_order_only, gets_tier_multiplier, gets_promotions,
     pending_days, expiry_months)
SELECT pgh_created_at, pgh_label, pgh_context_id, pgh_obj_id, id, coalesce((SELECT min(id) FROM rewards_earnrule), 1), version,
    'published', name, valid_from, valid_to, 'base', 0, points_per_step, step_amount, 'order', 'floor', 0, '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', false, true, true, pending_days, expiry_months
FROM rewards_earnruleevent ORDER BY pgh_id;

UPDATE rewards_earnrule kept
SET name = newest.name, name_zh_hans = newest.name_zh_hans, name_zh_hant = newest.name_zh_hant, name_en = newest.name_en
FROM (SELECT * FROM rewards_earnrule ORDER BY version DESC LIMIT 1) newest
WHERE kept.id = (SELECT min(id) FROM rewards_earnrule) AND newest.id <> kept.id;
DELETE FROM rewards_earnrule WHERE id > (SELECT min(id) FROM rewards_earnrule);

SELECT setval(pg_get_serial_sequence('rewards_earnruleversion', 'id'), max(id)) FROM rewards_earnruleversion HAVING max(id) > 0;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


def points_currency() -> int:
    """Return the id of the programme's points: all rules until now were in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(min(id) FILTER (WHERE code = 'points'), min(id), 1) FROM rewards_pointscurrency"
        )
        return cursor.fetchone()[0]


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0006_activities"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("rewards", "0006_ledger_functions_of_many_kinds"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="earnrule",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="earnrule",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="earnrule",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="earnrule",
            name="earn_rule_gives_points",
        ),
        migrations.RemoveConstraint(
            model_name="earnrule",
            name="earn_rule_step_is_positive",
        ),
        migrations.RemoveConstraint(
            model_name="earnrule",
            name="earn_rule_expiry_is_positive",
        ),
        migrations.RemoveConstraint(
            model_name="earnrule",
            name="earn_rule_ends_after_it_begins",
        ),
        migrations.RemoveConstraint(
            model_name="earnrule",
            name="one_base_earn_rule_is_in_force_at_a_time",
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("total_points", models.PositiveBigIntegerField(verbose_name="budget (points)")),
            ],
            options={
                "verbose_name": "budget",
                "verbose_name_plural": "budgets",
            },
        ),
        migrations.CreateModel(
            name="BudgetSlice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slice_no", models.PositiveSmallIntegerField(verbose_name="slice")),
                ("capacity", models.PositiveBigIntegerField(verbose_name="capacity (points)")),
                ("used", models.PositiveBigIntegerField(default=0, verbose_name="taken (points)")),
                (
                    "budget",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="slices",
                        to="rewards.budget",
                        verbose_name="budget",
                    ),
                ),
            ],
            options={
                "verbose_name": "slice of a budget",
                "verbose_name_plural": "slices of budgets",
                "constraints": [
                    models.UniqueConstraint(fields=("budget", "slice_no"), name="budget_has_a_slice_once"),
                    models.CheckConstraint(
                        condition=models.Q(("used__lte", models.F("capacity"))),
                        name="budget_slice_is_within_its_capacity",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CapCounter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "period",
                    models.SmallIntegerField(choices=[(1, "day"), (2, "month"), (3, "ever")], verbose_name="period"),
                ),
                ("period_start", models.DateField(verbose_name="first day of the period")),
                ("used", models.PositiveBigIntegerField(default=0, verbose_name="points")),
                ("times", models.PositiveIntegerField(default=0, verbose_name="times")),
                (
                    "currency",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cap_counters",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.earnrule",
                        verbose_name="earn rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "points towards a cap",
                "verbose_name_plural": "points towards caps",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("member", "rule", "currency", "period", "period_start"),
                        name="cap_is_counted_once_a_period",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(condition=models.Q(("period__in", [1, 2, 3])), name="cap_period_is_known"),
                ],
                "indexes": [
                    models.Index(condition=models.Q(("period", 1)), fields=["period_start"], name="cap_days_by_age")
                ],
            },
        ),
        migrations.CreateModel(
            name="EarnRuleVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("published", "published"), ("withdrawn", "withdrawn")],
                        default="draft",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200, verbose_name="what changed")),
                ("valid_from", models.DateTimeField(blank=True, null=True, verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("base", "base: each article earns by one base rule, the one of highest priority"),
                            ("extra", "extra: added to what the base rules give"),
                        ],
                        default="base",
                        max_length=5,
                        verbose_name="how it counts",
                    ),
                ),
                (
                    "priority",
                    models.SmallIntegerField(
                        default=0,
                        help_text="Among base rules that count the same article the highest one gives its points.",
                        verbose_name="priority",
                    ),
                ),
                (
                    "points_fixed",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="So many points, whatever was spent. Empty: points for each step.",
                        null=True,
                        verbose_name="fixed points",
                    ),
                ),
                ("points_per_step", models.PositiveIntegerField(default=1, verbose_name="points for each step")),
                (
                    "step_amount",
                    models.DecimalField(
                        decimal_places=2,
                        default=1,
                        help_text="1 point for each 10.00 spent: points 1, step 10.00.",
                        max_digits=10,
                        verbose_name="step",
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[("order", "on the whole order"), ("line", "on each line")],
                        default="order",
                        max_length=5,
                        verbose_name="worked out",
                    ),
                ),
                (
                    "rounding",
                    models.CharField(
                        choices=[
                            ("floor", "down: whole steps only"),
                            ("nearest", "to the nearest step"),
                            ("up", "up: a step begun counts"),
                        ],
                        default="floor",
                        max_length=7,
                        verbose_name="rounding",
                    ),
                ),
                (
                    "min_spend_amount",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="On the articles that it counts.",
                        max_digits=10,
                        verbose_name="from a spend of",
                    ),
                ),
                (
                    "category_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all goods.",
                        verbose_name="categories",
                    ),
                ),
                (
                    "skus",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="Article numbers. None: all goods.",
                        verbose_name="articles",
                    ),
                ),
                (
                    "brands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="None: all brands.",
                        verbose_name="brands of goods",
                    ),
                ),
                (
                    "excluded_category_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without categories",
                    ),
                ),
                (
                    "excluded_skus",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without articles",
                    ),
                ),
                (
                    "excluded_brands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without brands",
                    ),
                ),
                (
                    "channel_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all channels.",
                        verbose_name="channels",
                    ),
                ),
                (
                    "store_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all stores.",
                        verbose_name="stores",
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: every day.",
                        verbose_name="weekdays",
                    ),
                ),
                ("hour_from", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (hour)")),
                (
                    "hour_to",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="22 to 6 passes midnight. The hour named here is over.",
                        null=True,
                        verbose_name="to (hour)",
                    ),
                ),
                ("first_order_only", models.BooleanField(default=False, verbose_name="first order only")),
                (
                    "min_orders",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="This order is one of them.",
                        null=True,
                        verbose_name="at least so many orders",
                    ),
                ),
                ("within_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="within (days)")),
                ("condition", models.JSONField(blank=True, null=True, verbose_name="condition on the member")),
                ("gets_tier_multiplier", models.BooleanField(default=True, verbose_name="multiplied by the tier")),
                ("gets_promotions", models.BooleanField(default=True, verbose_name="multiplied by promotions")),
                (
                    "pending_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Days until the points can be spent, usually the time allowed for returns.",
                        verbose_name="pending (days)",
                    ),
                ),
                (
                    "expiry_months",
                    models.PositiveSmallIntegerField(
                        default=12,
                        help_text="At the end of the month so many months later, where no expiry policy of the currency says otherwise.",
                        verbose_name="expiry (months)",
                    ),
                ),
                (
                    "cap_order_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per order (points)"),
                ),
                (
                    "cap_day_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member and day (points)"),
                ),
                (
                    "cap_month_points",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (points)"
                    ),
                ),
                (
                    "cap_member_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member (points)"),
                ),
                (
                    "cap_day_count",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="most per member and day (times)"
                    ),
                ),
                (
                    "cap_month_count",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (times)"
                    ),
                ),
                (
                    "budget_points",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="What the rule gives to all members together, from its first day on. Neither tiers nor promotions multiply points of a rule with a budget.",
                        null=True,
                        verbose_name="budget (points)",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="rewards.earnrule",
                        verbose_name="earn rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of an earn rule",
                "verbose_name_plural": "versions of earn rules",
                "ordering": ["rule", "-number"],
                "permissions": [("publish_earnruleversion", "Can publish, end and withdraw versions of earn rules")],
                "constraints": [
                    models.UniqueConstraint(fields=("rule", "number"), name="earn_rule_has_a_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "published", "withdrawn"])),
                        name="earn_rule_version_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "draft"), ("valid_from__isnull", False), _connector="OR"),
                        name="published_earn_rule_begins_some_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True), ("valid_to__gt", models.F("valid_from")), _connector="OR"
                        ),
                        name="earn_rule_ends_after_it_begins",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("state", "published")),
                        expressions=[
                            (rewards.models.spans.IdRange(models.F("rule_id")), "&&"),
                            (
                                rewards.models.spans.TsTzRange(
                                    models.F("valid_from"), models.F("valid_to"), models.Value("[)")
                                ),
                                "&&",
                            ),
                        ],
                        name="one_version_of_an_earn_rule_is_in_force_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("mode__in", ["base", "extra"])), name="earn_rule_mode_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("basis__in", ["order", "line"])), name="earn_rule_basis_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rounding__in", ["floor", "nearest", "up"])),
                        name="earn_rule_rounding_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("points_per_step__gt", 0),
                            models.Q(("points_fixed__isnull", True), ("points_fixed__gt", 0), _connector="OR"),
                        ),
                        name="earn_rule_gives_points",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points_fixed__isnull", True), ("basis", "order"), _connector="OR"),
                        name="fixed_points_are_given_once_an_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("step_amount__gt", 0)), name="earn_rule_step_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("min_spend_amount__gte", 0)), name="earn_rule_min_spend_is_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("weekdays__contained_by", [0, 1, 2, 3, 4, 5, 6])),
                        name="earn_rule_weekdays_are_monday_to_sunday",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("hour_from__isnull", True), ("hour_to__isnull", True)),
                            models.Q(
                                ("hour_from__isnull", False),
                                ("hour_from__lte", 23),
                                ("hour_to__gte", 1),
                                ("hour_to__isnull", False),
                                ("hour_to__lte", 24),
                                models.Q(("hour_from", models.F("hour_to")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="earn_rule_hours_are_a_span_of_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("min_orders__isnull", True), ("within_days__isnull", True)),
                            models.Q(
                                ("min_orders__gt", 0),
                                ("min_orders__isnull", False),
                                ("within_days__gt", 0),
                                ("within_days__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="earn_rule_orders_are_counted_within_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expiry_months__gt", 0)), name="earn_rule_expiry_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cap_order_points__isnull", True), ("cap_order_points__gt", 0), _connector="OR"),
                            models.Q(("cap_day_points__isnull", True), ("cap_day_points__gt", 0), _connector="OR"),
                            models.Q(("cap_month_points__isnull", True), ("cap_month_points__gt", 0), _connector="OR"),
                            models.Q(
                                ("cap_member_points__isnull", True), ("cap_member_points__gt", 0), _connector="OR"
                            ),
                            models.Q(("cap_day_count__isnull", True), ("cap_day_count__gt", 0), _connector="OR"),
                            models.Q(("cap_month_count__isnull", True), ("cap_month_count__gt", 0), _connector="OR"),
                            models.Q(("budget_points__isnull", True), ("budget_points__gt", 0), _connector="OR"),
                        ),
                        name="earn_rule_caps_are_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("budget_points__isnull", True),
                            models.Q(("gets_promotions", False), ("gets_tier_multiplier", False)),
                            _connector="OR",
                        ),
                        name="earn_rule_with_a_budget_is_not_multiplied",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EarnRuleVersionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("number", models.PositiveIntegerField(verbose_name="version")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("published", "published"), ("withdrawn", "withdrawn")],
                        default="draft",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200, verbose_name="what changed")),
                ("valid_from", models.DateTimeField(blank=True, null=True, verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("base", "base: each article earns by one base rule, the one of highest priority"),
                            ("extra", "extra: added to what the base rules give"),
                        ],
                        default="base",
                        max_length=5,
                        verbose_name="how it counts",
                    ),
                ),
                (
                    "priority",
                    models.SmallIntegerField(
                        default=0,
                        help_text="Among base rules that count the same article the highest one gives its points.",
                        verbose_name="priority",
                    ),
                ),
                (
                    "points_fixed",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="So many points, whatever was spent. Empty: points for each step.",
                        null=True,
                        verbose_name="fixed points",
                    ),
                ),
                ("points_per_step", models.PositiveIntegerField(default=1, verbose_name="points for each step")),
                (
                    "step_amount",
                    models.DecimalField(
                        decimal_places=2,
                        default=1,
                        help_text="1 point for each 10.00 spent: points 1, step 10.00.",
                        max_digits=10,
                        verbose_name="step",
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[("order", "on the whole order"), ("line", "on each line")],
                        default="order",
                        max_length=5,
                        verbose_name="worked out",
                    ),
                ),
                (
                    "rounding",
                    models.CharField(
                        choices=[
                            ("floor", "down: whole steps only"),
                            ("nearest", "to the nearest step"),
                            ("up", "up: a step begun counts"),
                        ],
                        default="floor",
                        max_length=7,
                        verbose_name="rounding",
                    ),
                ),
                (
                    "min_spend_amount",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="On the articles that it counts.",
                        max_digits=10,
                        verbose_name="from a spend of",
                    ),
                ),
                (
                    "category_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all goods.",
                        verbose_name="categories",
                    ),
                ),
                (
                    "skus",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="Article numbers. None: all goods.",
                        verbose_name="articles",
                    ),
                ),
                (
                    "brands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="None: all brands.",
                        verbose_name="brands of goods",
                    ),
                ),
                (
                    "excluded_category_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without categories",
                    ),
                ),
                (
                    "excluded_skus",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without articles",
                    ),
                ),
                (
                    "excluded_brands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="These never count.",
                        verbose_name="without brands",
                    ),
                ),
                (
                    "channel_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all channels.",
                        verbose_name="channels",
                    ),
                ),
                (
                    "store_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all stores.",
                        verbose_name="stores",
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: every day.",
                        verbose_name="weekdays",
                    ),
                ),
                ("hour_from", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (hour)")),
                (
                    "hour_to",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="22 to 6 passes midnight. The hour named here is over.",
                        null=True,
                        verbose_name="to (hour)",
                    ),
                ),
                ("first_order_only", models.BooleanField(default=False, verbose_name="first order only")),
                (
                    "min_orders",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="This order is one of them.",
                        null=True,
                        verbose_name="at least so many orders",
                    ),
                ),
                ("within_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="within (days)")),
                ("condition", models.JSONField(blank=True, null=True, verbose_name="condition on the member")),
                ("gets_tier_multiplier", models.BooleanField(default=True, verbose_name="multiplied by the tier")),
                ("gets_promotions", models.BooleanField(default=True, verbose_name="multiplied by promotions")),
                (
                    "pending_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Days until the points can be spent, usually the time allowed for returns.",
                        verbose_name="pending (days)",
                    ),
                ),
                (
                    "expiry_months",
                    models.PositiveSmallIntegerField(
                        default=12,
                        help_text="At the end of the month so many months later, where no expiry policy of the currency says otherwise.",
                        verbose_name="expiry (months)",
                    ),
                ),
                (
                    "cap_order_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per order (points)"),
                ),
                (
                    "cap_day_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member and day (points)"),
                ),
                (
                    "cap_month_points",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (points)"
                    ),
                ),
                (
                    "cap_member_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member (points)"),
                ),
                (
                    "cap_day_count",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="most per member and day (times)"
                    ),
                ),
                (
                    "cap_month_count",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (times)"
                    ),
                ),
                (
                    "budget_points",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="What the rule gives to all members together, from its first day on. Neither tiers nor promotions multiply points of a rule with a budget.",
                        null=True,
                        verbose_name="budget (points)",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="rewards.earnruleversion",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="rewards.earnrule",
                        verbose_name="earn rule",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProgrammeCap",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "day_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member and day (points)"),
                ),
                (
                    "month_points",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (points)"
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="programme_caps",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "programme cap",
                "verbose_name_plural": "programme caps",
                "ordering": ["currency", "-valid_from"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True), ("valid_to__gt", models.F("valid_from")), _connector="OR"
                        ),
                        name="programme_cap_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("day_points__gt", 0), ("day_points__isnull", True), _connector="OR"),
                            models.Q(("month_points__gt", 0), ("month_points__isnull", True), _connector="OR"),
                            models.Q(("day_points__isnull", True), ("month_points__isnull", True), _negated=True),
                        ),
                        name="programme_cap_limits_something",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            (rewards.models.spans.IdRange(models.F("currency_id")), "&&"),
                            (
                                rewards.models.spans.TsTzRange(
                                    models.F("valid_from"), models.F("valid_to"), models.Value("[)")
                                ),
                                "&&",
                            ),
                        ],
                        name="one_programme_cap_is_in_force_at_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgrammeCapEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "day_points",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="most per member and day (points)"),
                ),
                (
                    "month_points",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="most per member and month (points)"
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                (
                    "currency",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="rewards.programmecap",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="earnrule",
            name="activity_kind",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What members do for these points. Birthdays come by themselves, once a year.",
                max_length=40,
                verbose_name="behaviour",
            ),
        ),
        migrations.AddField(
            model_name="earnrule",
            name="currency",
            field=models.ForeignKey(
                default=points_currency,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="earn_rules",
                to="rewards.pointscurrency",
                verbose_name="points currency",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="earnrule",
            name="kind",
            field=models.CharField(
                choices=[("spend", "for purchases"), ("behaviour", "for behaviour")],
                default="spend",
                max_length=10,
                verbose_name="earned",
            ),
        ),
        migrations.AddField(
            model_name="earnruleevent",
            name="activity_kind",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What members do for these points. Birthdays come by themselves, once a year.",
                max_length=40,
                verbose_name="behaviour",
            ),
        ),
        migrations.AddField(
            model_name="earnruleevent",
            name="currency",
            field=models.ForeignKey(
                db_constraint=False,
                default=1,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.pointscurrency",
                verbose_name="points currency",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="earnruleevent",
            name="kind",
            field=models.CharField(
                choices=[("spend", "for purchases"), ("behaviour", "for behaviour")],
                default="spend",
                max_length=10,
                verbose_name="earned",
            ),
        ),
        migrations.AddField(
            model_name="earnrule",
            name="budget",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rule",
                to="rewards.budget",
                verbose_name="budget",
            ),
        ),
        migrations.AddField(
            model_name="earnruleevent",
            name="budget",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.budget",
                verbose_name="budget",
            ),
        ),
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="expiry_months",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="pending_days",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="points_per_step",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="step_amount",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="valid_from",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="valid_to",
        ),
        migrations.RemoveField(
            model_name="earnruleevent",
            name="version",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="expiry_months",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="pending_days",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="points_per_step",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="step_amount",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="valid_from",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="valid_to",
        ),
        migrations.RemoveField(
            model_name="earnrule",
            name="version",
        ),
        migrations.AlterModelOptions(
            name="earnrule",
            options={"ordering": ["kind", "id"], "verbose_name": "earn rule", "verbose_name_plural": "earn rules"},
        ),
        migrations.AddField(
            model_name="product",
            name="brand",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The brand of the goods, for rules that count it. Empty: none.",
                max_length=60,
                verbose_name="brand",
            ),
        ),
        migrations.AlterField(
            model_name="earnrule",
            name="name",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.", max_length=80, verbose_name="rule name"
            ),
        ),
        migrations.AlterField(
            model_name="earnrule",
            name="name_en",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        migrations.AlterField(
            model_name="earnrule",
            name="name_zh_hans",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        migrations.AlterField(
            model_name="earnrule",
            name="name_zh_hant",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        migrations.AlterField(
            model_name="earnruleevent",
            name="name",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.", max_length=80, verbose_name="rule name"
            ),
        ),
        migrations.AlterField(
            model_name="earnruleevent",
            name="name_en",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        migrations.AlterField(
            model_name="earnruleevent",
            name="name_zh_hans",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        migrations.AlterField(
            model_name="earnruleevent",
            name="name_zh_hant",
            field=models.CharField(
                help_text="Members read it on receipts and in the app.",
                max_length=80,
                null=True,
                verbose_name="rule name",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnrule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_earnruleevent" ("activity_kind", "budget_id", "currency_id", "id", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."activity_kind", NEW."budget_id", NEW."currency_id", NEW."id", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="ec2ecfb1fdadb6c7e7b9f83ce8e0a1acd2e0ef69",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_23152",
                    table="rewards_earnrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnrule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_earnruleevent" ("activity_kind", "budget_id", "currency_id", "id", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."activity_kind", NEW."budget_id", NEW."currency_id", NEW."id", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="723d744cd876fe27c04cd5a5211e2018a7930b52",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_6a4e0",
                    table="rewards_earnrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnrule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_earnruleevent" ("activity_kind", "budget_id", "currency_id", "id", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."activity_kind", OLD."budget_id", OLD."currency_id", OLD."id", OLD."kind", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="07d53adb9091523d372f4086293ba7d316523fad",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_614d6",
                    table="rewards_earnrule",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="earnrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["spend", "behaviour"])), name="earn_rule_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="earnrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("activity_kind", ""), ("kind", "spend")),
                    models.Q(("kind", "behaviour"), models.Q(("activity_kind", ""), _negated=True)),
                    _connector="OR",
                ),
                name="earn_rule_for_behaviour_names_it",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnruleversion",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_earnruleversionevent" ("basis", "brands", "budget_points", "cap_day_count", "cap_day_points", "cap_member_points", "cap_month_count", "cap_month_points", "cap_order_points", "category_ids", "channel_ids", "condition", "excluded_brands", "excluded_category_ids", "excluded_skus", "expiry_months", "first_order_only", "gets_promotions", "gets_tier_multiplier", "hour_from", "hour_to", "id", "min_orders", "min_spend_amount", "mode", "note", "number", "pending_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_fixed", "points_per_step", "priority", "rounding", "rule_id", "skus", "state", "step_amount", "store_ids", "valid_from", "valid_to", "weekdays", "within_days") VALUES (NEW."basis", NEW."brands", NEW."budget_points", NEW."cap_day_count", NEW."cap_day_points", NEW."cap_member_points", NEW."cap_month_count", NEW."cap_month_points", NEW."cap_order_points", NEW."category_ids", NEW."channel_ids", NEW."condition", NEW."excluded_brands", NEW."excluded_category_ids", NEW."excluded_skus", NEW."expiry_months", NEW."first_order_only", NEW."gets_promotions", NEW."gets_tier_multiplier", NEW."hour_from", NEW."hour_to", NEW."id", NEW."min_orders", NEW."min_spend_amount", NEW."mode", NEW."note", NEW."number", NEW."pending_days", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."points_fixed", NEW."points_per_step", NEW."priority", NEW."rounding", NEW."rule_id", NEW."skus", NEW."state", NEW."step_amount", NEW."store_ids", NEW."valid_from", NEW."valid_to", NEW."weekdays", NEW."within_days"); RETURN NULL;',
                    hash="5b8d4267c0f3c58c766d9b103a7d10e96363bca3",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_80f98",
                    table="rewards_earnruleversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnruleversion",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_earnruleversionevent" ("basis", "brands", "budget_points", "cap_day_count", "cap_day_points", "cap_member_points", "cap_month_count", "cap_month_points", "cap_order_points", "category_ids", "channel_ids", "condition", "excluded_brands", "excluded_category_ids", "excluded_skus", "expiry_months", "first_order_only", "gets_promotions", "gets_tier_multiplier", "hour_from", "hour_to", "id", "min_orders", "min_spend_amount", "mode", "note", "number", "pending_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_fixed", "points_per_step", "priority", "rounding", "rule_id", "skus", "state", "step_amount", "store_ids", "valid_from", "valid_to", "weekdays", "within_days") VALUES (NEW."basis", NEW."brands", NEW."budget_points", NEW."cap_day_count", NEW."cap_day_points", NEW."cap_member_points", NEW."cap_month_count", NEW."cap_month_points", NEW."cap_order_points", NEW."category_ids", NEW."channel_ids", NEW."condition", NEW."excluded_brands", NEW."excluded_category_ids", NEW."excluded_skus", NEW."expiry_months", NEW."first_order_only", NEW."gets_promotions", NEW."gets_tier_multiplier", NEW."hour_from", NEW."hour_to", NEW."id", NEW."min_orders", NEW."min_spend_amount", NEW."mode", NEW."note", NEW."number", NEW."pending_days", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."points_fixed", NEW."points_per_step", NEW."priority", NEW."rounding", NEW."rule_id", NEW."skus", NEW."state", NEW."step_amount", NEW."store_ids", NEW."valid_from", NEW."valid_to", NEW."weekdays", NEW."within_days"); RETURN NULL;',
                    hash="450db5c4c620c96f0b1dadebfbf4f4764ef8664b",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0cb45",
                    table="rewards_earnruleversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="earnruleversion",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_earnruleversionevent" ("basis", "brands", "budget_points", "cap_day_count", "cap_day_points", "cap_member_points", "cap_month_count", "cap_month_points", "cap_order_points", "category_ids", "channel_ids", "condition", "excluded_brands", "excluded_category_ids", "excluded_skus", "expiry_months", "first_order_only", "gets_promotions", "gets_tier_multiplier", "hour_from", "hour_to", "id", "min_orders", "min_spend_amount", "mode", "note", "number", "pending_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_fixed", "points_per_step", "priority", "rounding", "rule_id", "skus", "state", "step_amount", "store_ids", "valid_from", "valid_to", "weekdays", "within_days") VALUES (OLD."basis", OLD."brands", OLD."budget_points", OLD."cap_day_count", OLD."cap_day_points", OLD."cap_member_points", OLD."cap_month_count", OLD."cap_month_points", OLD."cap_order_points", OLD."category_ids", OLD."channel_ids", OLD."condition", OLD."excluded_brands", OLD."excluded_category_ids", OLD."excluded_skus", OLD."expiry_months", OLD."first_order_only", OLD."gets_promotions", OLD."gets_tier_multiplier", OLD."hour_from", OLD."hour_to", OLD."id", OLD."min_orders", OLD."min_spend_amount", OLD."mode", OLD."note", OLD."number", OLD."pending_days", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."points_fixed", OLD."points_per_step", OLD."priority", OLD."rounding", OLD."rule_id", OLD."skus", OLD."state", OLD."step_amount", OLD."store_ids", OLD."valid_from", OLD."valid_to", OLD."weekdays", OLD."within_days"); RETURN NULL;',
                    hash="02905abce9e5ff4e21bcf985f35d86b0963d79f4",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_13df7",
                    table="rewards_earnruleversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programmecap",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_programmecapevent" ("currency_id", "day_points", "id", "month_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to") VALUES (NEW."currency_id", NEW."day_points", NEW."id", NEW."month_points", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="ecd6ac877026ac3070e92994776ba4e05ec35dca",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_868b7",
                    table="rewards_programmecap",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programmecap",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_programmecapevent" ("currency_id", "day_points", "id", "month_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to") VALUES (NEW."currency_id", NEW."day_points", NEW."id", NEW."month_points", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="22058710d7d9b884487a471be4cb2a122af40a86",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_413c8",
                    table="rewards_programmecap",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programmecap",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_programmecapevent" ("currency_id", "day_points", "id", "month_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to") VALUES (OLD."currency_id", OLD."day_points", OLD."id", OLD."month_points", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."valid_from", OLD."valid_to"); RETURN NULL;',
                    hash="e4f5f58812e2afe60df67f35cd51ab95cb8911d2",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_07f71",
                    table="rewards_programmecap",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(
            refuse_changes_sql("rewards_earnruleversionevent") + refuse_changes_sql("rewards_programmecapevent"),
            migrations.RunSQL.noop,
        ),
    ]
