"""When points expire, as policies; the warnings ahead of it and their receipts.

Until now points expired at the end of the month some months after they were earned, as their earn rule said. The
policies begin as just that.
"""

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import rewards.models.expiry
import rewards.models.spans
from members.history import refuse_changes_sql

ALWAYS = datetime(1990, 1, 1, tzinfo=UTC)
USUAL_MONTHS = 12
ZONE = "Asia/Shanghai"

# name, task, hour, minute
BY_CLOCK = (
    ("未联系到的会员延期 · Extend points of members not reached", "rewards.extend_unreached", "*", "40"),
    ("跟随不活跃到期规则 · Follow the policies of inactivity", "rewards.follow_expiry_policies", "1", "10"),
    ("积分到期提醒 · Warn of expiring points", "rewards.warn_of_expiry", "9", "0"),
)
HISTORY = ("rewards_expirywarning", "rewards_warningreceipt", "rewards_expirypolicyevent")


def write_policies(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    policy = apps.get_model("rewards", "ExpiryPolicy")
    for currency in apps.get_model("rewards", "PointsCurrency").objects.order_by("pk"):
        for months, valid_from, valid_to in _spans(apps, currency.pk):
            policy.objects.create(
                currency=currency, kind="end_of_month", months=months, valid_from=valid_from, valid_to=valid_to
            )


def _spans(apps: Apps, currency_id: int) -> list[tuple[int, datetime, datetime | None]]:
    """Return (months, from, to) as the versions of the currency's first base rule had it, without gap or end."""
    versions = apps.get_model("rewards", "EarnRuleVersion").objects.filter(
        rule__currency_id=currency_id, rule__kind="spend", mode="base", state="published"
    )
    first = versions.order_by("rule_id").values_list("rule_id", flat=True).first()
    # Published versions begin some day; a constraint says so.
    rows: list[Any] = list(
        versions.filter(rule_id=first).order_by("valid_from").values_list("expiry_months", "valid_from")
    )
    starts = [(months, next(group)[1]) for months, group in groupby(rows, key=lambda row: row[0])]
    if not starts:
        return [(USUAL_MONTHS, ALWAYS, None)]
    ends: list[Any] = [start for _months, start in starts[1:]]
    # What is not earned by the rule, such as adjustments, needs an end before its first version too.
    spans = [(months, start, end) for (months, start), end in zip(starts, [*ends, None], strict=True)]
    return [(spans[0][0], min(ALWAYS, spans[0][1]), spans[0][2]), *spans[1:]]


def write_schedules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, hour, minute in BY_CLOCK:
        when = {
            "minute": minute,
            "hour": hour,
            "day_of_week": "*",
            "day_of_month": "*",
            "month_of_year": "*",
            "timezone": ZONE,
        }
        clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
        periodic_task.objects.get_or_create(name=name, defaults={"task": task, "crontab": clock})


def remove_schedules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    names = [name for name, *_ in BY_CLOCK]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0006_activities"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("rewards", "0007_earn_rule_versions"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExpiryPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "origin",
                    models.SmallIntegerField(
                        blank=True,
                        choices=[
                            (1, "purchase"),
                            (2, "promotion"),
                            (3, "activity"),
                            (4, "adjustment"),
                            (5, "transfer"),
                            (6, "partner"),
                            (7, "opening balance"),
                        ],
                        help_text="Empty: points of all sources that have no policy of their own.",
                        null=True,
                        verbose_name="source of the points",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("rolling_months", "some months after the day they were earned"),
                            ("end_of_month", "at the end of a month"),
                            ("end_of_year", "at the end of a year"),
                            ("fixed_date", "on a fixed date"),
                            ("inactivity", "after some months without activity"),
                            ("never", "never"),
                        ],
                        default="end_of_month",
                        max_length=16,
                        verbose_name="points expire",
                    ),
                ),
                (
                    "months",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="With a fixed date: how many months points live at least. Those that would not, expire a year later.",
                        null=True,
                        verbose_name="months",
                    ),
                ),
                (
                    "years",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="0: at the end of the year in which they were earned. 1: at the end of the next year.",
                        null=True,
                        verbose_name="years",
                    ),
                ),
                (
                    "fixed_date",
                    models.DateField(
                        blank=True,
                        help_text="The points can still be spent on this day. Points earned later expire on the same day of a later year.",
                        null=True,
                        verbose_name="last day",
                    ),
                ),
                (
                    "activities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        verbose_name="what counts as activity",
                    ),
                ),
                (
                    "grace_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="So many days longer. Points can be spent until the end of the grace; members are told that day.",
                        verbose_name="grace (days)",
                    ),
                ),
                (
                    "warn_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=rewards.models.expiry.usual_warn_days,
                        help_text="Such as 30, 7, 1. Empty: members are not warned.",
                        verbose_name="warn so many days ahead",
                    ),
                ),
                (
                    "extend_unreached_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Once, when no warning could be delivered. 0: their points expire all the same.",
                        verbose_name="extend for members who could not be reached (days)",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                ("applied_at", models.DateTimeField(editable=False, null=True, verbose_name="accounts followed at")),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="expiry_policies",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "expiry policy",
                "verbose_name_plural": "expiry policies",
                "ordering": ["currency", models.OrderBy(models.F("origin"), nulls_first=True), "-valid_from"],
                "permissions": [("extend_lots", "Can extend the expiry of points")],
            },
        ),
        migrations.CreateModel(
            name="ExpiryPolicyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "origin",
                    models.SmallIntegerField(
                        blank=True,
                        choices=[
                            (1, "purchase"),
                            (2, "promotion"),
                            (3, "activity"),
                            (4, "adjustment"),
                            (5, "transfer"),
                            (6, "partner"),
                            (7, "opening balance"),
                        ],
                        help_text="Empty: points of all sources that have no policy of their own.",
                        null=True,
                        verbose_name="source of the points",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("rolling_months", "some months after the day they were earned"),
                            ("end_of_month", "at the end of a month"),
                            ("end_of_year", "at the end of a year"),
                            ("fixed_date", "on a fixed date"),
                            ("inactivity", "after some months without activity"),
                            ("never", "never"),
                        ],
                        default="end_of_month",
                        max_length=16,
                        verbose_name="points expire",
                    ),
                ),
                (
                    "months",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="With a fixed date: how many months points live at least. Those that would not, expire a year later.",
                        null=True,
                        verbose_name="months",
                    ),
                ),
                (
                    "years",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="0: at the end of the year in which they were earned. 1: at the end of the next year.",
                        null=True,
                        verbose_name="years",
                    ),
                ),
                (
                    "fixed_date",
                    models.DateField(
                        blank=True,
                        help_text="The points can still be spent on this day. Points earned later expire on the same day of a later year.",
                        null=True,
                        verbose_name="last day",
                    ),
                ),
                (
                    "activities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        verbose_name="what counts as activity",
                    ),
                ),
                (
                    "grace_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="So many days longer. Points can be spent until the end of the grace; members are told that day.",
                        verbose_name="grace (days)",
                    ),
                ),
                (
                    "warn_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=rewards.models.expiry.usual_warn_days,
                        help_text="Such as 30, 7, 1. Empty: members are not warned.",
                        verbose_name="warn so many days ahead",
                    ),
                ),
                (
                    "extend_unreached_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Once, when no warning could be delivered. 0: their points expire all the same.",
                        verbose_name="extend for members who could not be reached (days)",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="in force until")),
                ("applied_at", models.DateTimeField(editable=False, null=True, verbose_name="accounts followed at")),
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
                        to="rewards.expirypolicy",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ExpiryWarning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("expires_date", models.DateField(verbose_name="last day")),
                ("days", models.PositiveSmallIntegerField(verbose_name="warned so many days ahead")),
                ("points", models.BigIntegerField(verbose_name="points")),
                ("warned_at", models.DateTimeField(verbose_name="warned at")),
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
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "expiry warning",
                "verbose_name_plural": "expiry warnings",
            },
        ),
        migrations.CreateModel(
            name="WarningReceipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("delivered", "delivered"),
                            ("unreachable", "not reached"),
                            ("extended", "extended because nobody was reached"),
                        ],
                        max_length=12,
                        verbose_name="outcome",
                    ),
                ),
                ("extended_to_date", models.DateField(null=True, verbose_name="extended to")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "warning",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="rewards.expirywarning",
                        verbose_name="warning",
                    ),
                ),
            ],
            options={
                "verbose_name": "receipt of a warning",
                "verbose_name_plural": "receipts of warnings",
            },
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("fixed_date__isnull", True),
                        ("kind", "rolling_months"),
                        ("months__range", (1, 600)),
                        ("years__isnull", True),
                    ),
                    models.Q(
                        ("fixed_date__isnull", True),
                        ("kind", "end_of_month"),
                        ("months__range", (0, 600)),
                        ("years__isnull", True),
                    ),
                    models.Q(
                        ("fixed_date__isnull", True),
                        ("kind", "end_of_year"),
                        ("months__isnull", True),
                        ("years__range", (0, 50)),
                    ),
                    models.Q(
                        ("fixed_date__isnull", False),
                        ("kind", "fixed_date"),
                        ("months__range", (0, 600)),
                        ("years__isnull", True),
                    ),
                    models.Q(
                        ("fixed_date__isnull", True),
                        ("kind", "inactivity"),
                        ("months__range", (1, 600)),
                        ("years__isnull", True),
                    ),
                    models.Q(
                        ("fixed_date__isnull", True),
                        ("kind", "never"),
                        ("months__isnull", True),
                        ("years__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="expiry_policy_has_the_figures_of_its_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("activities__len__gt", 0), ("kind", "inactivity"), ("origin__isnull", True)),
                    models.Q(models.Q(("kind", "inactivity"), _negated=True), ("activities__len", 0)),
                    _connector="OR",
                ),
                name="inactivity_is_for_all_sources_and_has_activities",
            ),
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__isnull", True), ("origin__range", (1, 7)), _connector="OR"),
                name="expiry_policy_origin_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("extend_unreached_days__lte", 366), ("grace_days__lte", 366)),
                name="expiry_grace_is_bounded",
            ),
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True), ("valid_to__gt", models.F("valid_from")), _connector="OR"
                ),
                name="expiry_policy_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="expirypolicy",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (rewards.models.spans.IdRange(models.F("currency_id")), "&&"),
                    (rewards.models.expiry.OriginRange(models.F("origin")), "&&"),
                    (
                        rewards.models.spans.TsTzRange(
                            models.F("valid_from"), models.F("valid_to"), models.Value("[)")
                        ),
                        "&&",
                    ),
                ],
                name="one_expiry_policy_per_source_is_in_force_at_a_time",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="expirypolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_expirypolicyevent" ("activities", "applied_at", "currency_id", "extend_unreached_days", "fixed_date", "grace_days", "id", "kind", "months", "origin", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to", "warn_days", "years") VALUES (NEW."activities", NEW."applied_at", NEW."currency_id", NEW."extend_unreached_days", NEW."fixed_date", NEW."grace_days", NEW."id", NEW."kind", NEW."months", NEW."origin", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."valid_from", NEW."valid_to", NEW."warn_days", NEW."years"); RETURN NULL;',
                    hash="508acbdd542ce8b3d9bcb72ca65db2c86b6d01c1",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_988db",
                    table="rewards_expirypolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="expirypolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."activities" IS DISTINCT FROM (NEW."activities") OR OLD."currency_id" IS DISTINCT FROM (NEW."currency_id") OR OLD."extend_unreached_days" IS DISTINCT FROM (NEW."extend_unreached_days") OR OLD."fixed_date" IS DISTINCT FROM (NEW."fixed_date") OR OLD."grace_days" IS DISTINCT FROM (NEW."grace_days") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."months" IS DISTINCT FROM (NEW."months") OR OLD."origin" IS DISTINCT FROM (NEW."origin") OR OLD."valid_from" IS DISTINCT FROM (NEW."valid_from") OR OLD."valid_to" IS DISTINCT FROM (NEW."valid_to") OR OLD."warn_days" IS DISTINCT FROM (NEW."warn_days") OR OLD."years" IS DISTINCT FROM (NEW."years"))',
                    func='INSERT INTO "rewards_expirypolicyevent" ("activities", "applied_at", "currency_id", "extend_unreached_days", "fixed_date", "grace_days", "id", "kind", "months", "origin", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to", "warn_days", "years") VALUES (NEW."activities", NEW."applied_at", NEW."currency_id", NEW."extend_unreached_days", NEW."fixed_date", NEW."grace_days", NEW."id", NEW."kind", NEW."months", NEW."origin", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."valid_from", NEW."valid_to", NEW."warn_days", NEW."years"); RETURN NULL;',
                    hash="a09621ff6675044fb59895ea4d8cb711ccc0ecde",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0b130",
                    table="rewards_expirypolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="expirypolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_expirypolicyevent" ("activities", "applied_at", "currency_id", "extend_unreached_days", "fixed_date", "grace_days", "id", "kind", "months", "origin", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from", "valid_to", "warn_days", "years") VALUES (OLD."activities", OLD."applied_at", OLD."currency_id", OLD."extend_unreached_days", OLD."fixed_date", OLD."grace_days", OLD."id", OLD."kind", OLD."months", OLD."origin", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."valid_from", OLD."valid_to", OLD."warn_days", OLD."years"); RETURN NULL;',
                    hash="7fa5b16441f08fa0653f822bf69f7b66c9582de6",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_f1189",
                    table="rewards_expirypolicy",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="expirywarning",
            index=models.Index(fields=["expires_date", "currency", "member"], name="expiry_warning_by_day"),
        ),
        migrations.AddConstraint(
            model_name="expirywarning",
            constraint=models.UniqueConstraint(
                fields=("member", "currency", "expires_date", "days"), name="member_is_warned_once_per_day_and_lead"
            ),
        ),
        migrations.AddConstraint(
            model_name="expirywarning",
            constraint=models.CheckConstraint(
                condition=models.Q(("points__gt", 0)), name="expiry_warning_is_about_points"
            ),
        ),
        migrations.AddConstraint(
            model_name="warningreceipt",
            constraint=models.UniqueConstraint(
                fields=("warning", "outcome"), name="warning_has_one_receipt_per_outcome"
            ),
        ),
        migrations.AddConstraint(
            model_name="warningreceipt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("extended_to_date__isnull", True), ("outcome__in", ["delivered", "unreachable"])),
                    models.Q(("extended_to_date__isnull", False), ("outcome", "extended")),
                    _connector="OR",
                ),
                name="warning_outcome_is_known",
            ),
        ),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunPython(write_policies, migrations.RunPython.noop),
        migrations.RunPython(write_schedules, remove_schedules),
    ]
