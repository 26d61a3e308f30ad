"""Many kinds of facts in the ledger: several currencies, holds, policies of arrears, origins of lots, inactivity.

Columns of the big history tables are added without rewriting them; rows that are there keep NULL as posting transaction.
"""

import django.db.models.deletion
import members.models.timeline
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from members.history import refuse_changes_sql


XACT = """
    ALTER TABLE rewards_ledgerentry ADD COLUMN xact bigint NULL;
    ALTER TABLE rewards_ledgerentry ALTER COLUMN xact SET DEFAULT (pg_current_xact_id()::text::bigint);
"""
XACT_UNDO = "ALTER TABLE rewards_ledgerentry DROP COLUMN xact"

# What was posted until now was posted in the one currency there was.
CURRENCY = """
    DO $$
    DECLARE
        v_points smallint := coalesce((SELECT id FROM rewards_pointscurrency WHERE code = 'points'), 1);
    BEGIN
        EXECUTE format('ALTER TABLE rewards_ledgertransaction ADD COLUMN currency_id smallint NOT NULL DEFAULT %s', v_points);
    END $$;
    ALTER TABLE rewards_ledgertransaction ALTER COLUMN currency_id DROP DEFAULT;
    ALTER TABLE rewards_ledgertransaction ADD CONSTRAINT rewards_ledgertransaction_currency_exists
        FOREIGN KEY (currency_id) REFERENCES rewards_pointscurrency (id) DEFERRABLE INITIALLY DEFERRED;
"""
CURRENCY_UNDO = "ALTER TABLE rewards_ledgertransaction DROP COLUMN currency_id"


# How often a lot was booked as expired is a part of the natural key of its next expiry.
EXPIRIES = """
    UPDATE rewards_lot l SET expiries = booked.times
    FROM (
        SELECT m.lot_id, count(*) AS times FROM rewards_lotmove m
        JOIN rewards_ledgerentry e ON e.id = m.entry_id
        JOIN rewards_ledgertransaction t ON t.id = e.transaction_id AND t.kind = 5
        GROUP BY m.lot_id
    ) AS booked
    WHERE l.id = booked.lot_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0004_configuration_history"),
        ("members", "0005_configuration_history"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("rewards", "0004_configuration_history"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArrearsLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("limit_points", models.PositiveBigIntegerField(verbose_name="limit of arrears (points)")),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arrears_limits",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit of arrears",
                "verbose_name_plural": "limits of arrears",
                "constraints": [
                    models.UniqueConstraint(fields=("currency", "tier"), name="tier_has_one_arrears_limit_per_currency")
                ],
            },
        ),
        migrations.CreateModel(
            name="ArrearsLimitEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("limit_points", models.PositiveBigIntegerField(verbose_name="limit of arrears (points)")),
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
                        to="rewards.arrearslimit",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PointsRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                (
                    "money_per_point",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="In the programme's currency, for example 0.010000 when 100 points are worth 1.00.",
                        max_digits=12,
                        verbose_name="value of one point (money)",
                    ),
                ),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rates",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "value of a point",
                "verbose_name_plural": "values of a point",
                "ordering": ["currency", "-valid_from"],
                "constraints": [
                    models.UniqueConstraint(fields=("currency", "valid_from"), name="point_has_one_value_at_a_time"),
                    models.CheckConstraint(
                        condition=models.Q(("money_per_point__gte", 0)), name="value_of_a_point_is_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PointsRateEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                (
                    "money_per_point",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="In the programme's currency, for example 0.010000 when 100 points are worth 1.00.",
                        max_digits=12,
                        verbose_name="value of one point (money)",
                    ),
                ),
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
                        to="rewards.pointsrate",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="ledgerentry",
            name="other_side_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="ledgertransaction",
            name="ledger_fact_is_posted_once",
        ),
        migrations.RemoveConstraint(
            model_name="ledgertransaction",
            name="ledger_kind_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="lotevent",
            name="lot_event_kind_is_known",
        ),
        migrations.AddField(
            model_name="hold",
            name="closed_by",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="closed_hold",
                to="rewards.ledgertransaction",
                verbose_name="closed by",
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="member",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                default=None,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
                verbose_name="member",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="hold",
            name="transaction",
            field=models.OneToOneField(
                default=None,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="hold",
                to="rewards.ledgertransaction",
                verbose_name="set aside by",
            ),
            preserve_default=False,
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(XACT, XACT_UNDO)],
            state_operations=[
                migrations.AddField(
                    model_name="ledgerentry",
                    name="xact",
                    field=models.BigIntegerField(
                        db_default=members.models.timeline.CurrentTransactionId(),
                        editable=False,
                        null=True,
                        verbose_name="posting transaction of the database",
                    ),
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CURRENCY, CURRENCY_UNDO)],
            state_operations=[
                migrations.AddField(
                    model_name="ledgertransaction",
                    name="currency",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="ledgertransaction",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="store",
            ),
        ),
        migrations.AddField(
            model_name="ledgertransaction",
            name="tier_code",
            field=models.CharField(blank=True, db_default="", max_length=30, verbose_name="tier"),
        ),
        migrations.AddField(
            model_name="lot",
            name="expiries",
            field=models.SmallIntegerField(db_default=0, verbose_name="times expired"),
        ),
        migrations.AddField(
            model_name="lot",
            name="origin",
            field=models.SmallIntegerField(
                choices=[
                    (1, "purchase"),
                    (2, "promotion"),
                    (3, "activity"),
                    (4, "adjustment"),
                    (5, "transfer"),
                    (6, "partner"),
                    (7, "opening balance"),
                ],
                db_default=1,
                default=1,
                verbose_name="origin",
            ),
        ),
        migrations.AddField(
            model_name="pointsaccount",
            name="deadline_at",
            field=models.DateTimeField(
                help_text="Points expire at this moment or at their lot's, whichever is earlier.",
                null=True,
                verbose_name="expires without activity at",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="arrears_limit_points",
            field=models.PositiveBigIntegerField(
                db_default=0,
                default=0,
                help_text="For members of tiers without a limit of their own.",
                verbose_name="limit of arrears (points)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="arrears_policy",
            field=models.CharField(
                choices=[
                    ("none", "is given up"),
                    ("limit", "becomes arrears up to a limit, the rest is given up"),
                    ("future", "becomes arrears, repaid from later earnings"),
                ],
                db_default="future",
                default="future",
                help_text="When goods come back and the points they earned are spent already.",
                max_length=10,
                verbose_name="what can not be taken back",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="hold_minutes",
            field=models.PositiveIntegerField(
                db_default=15,
                default=15,
                help_text="Points set aside while an order is paid come back by themselves after this time.",
                verbose_name="a hold lasts (minutes)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="restored_days_min",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Points that come back after a cancelled redemption. 0: they keep the expiry they had.",
                verbose_name="restored points live at least (days)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="takes_other_lots",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="When the points of the returned purchase are spent, take other points of the member before arrears.",
                verbose_name="takes back from other points",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="arrears_limit_points",
            field=models.PositiveBigIntegerField(
                db_default=0,
                default=0,
                help_text="For members of tiers without a limit of their own.",
                verbose_name="limit of arrears (points)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="arrears_policy",
            field=models.CharField(
                choices=[
                    ("none", "is given up"),
                    ("limit", "becomes arrears up to a limit, the rest is given up"),
                    ("future", "becomes arrears, repaid from later earnings"),
                ],
                db_default="future",
                default="future",
                help_text="When goods come back and the points they earned are spent already.",
                max_length=10,
                verbose_name="what can not be taken back",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="hold_minutes",
            field=models.PositiveIntegerField(
                db_default=15,
                default=15,
                help_text="Points set aside while an order is paid come back by themselves after this time.",
                verbose_name="a hold lasts (minutes)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="restored_days_min",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Points that come back after a cancelled redemption. 0: they keep the expiry they had.",
                verbose_name="restored points live at least (days)",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="takes_other_lots",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="When the points of the returned purchase are spent, take other points of the member before arrears.",
                verbose_name="takes back from other points",
            ),
        ),
        migrations.AlterField(
            model_name="hold",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="holds",
                to="rewards.pointsaccount",
                verbose_name="account",
            ),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="contra",
            field=models.SmallIntegerField(
                choices=[
                    (1, "issuance"),
                    (2, "redemption"),
                    (3, "breakage"),
                    (4, "within the account"),
                    (5, "adjustment"),
                    (6, "other member"),
                    (7, "charity"),
                    (8, "partner"),
                    (9, "write-off"),
                ],
                verbose_name="other side",
            ),
        ),
        migrations.AlterField(
            model_name="ledgertransaction",
            name="kind",
            field=models.SmallIntegerField(
                choices=[
                    (1, "earned"),
                    (2, "became available"),
                    (3, "redeemed"),
                    (4, "taken back after a return"),
                    (5, "expired"),
                    (6, "set aside"),
                    (7, "redeemed from a hold"),
                    (8, "hold given back"),
                    (9, "given back"),
                    (10, "adjusted by staff"),
                    (11, "transferred"),
                    (12, "donated"),
                    (13, "converted to a partner"),
                    (14, "converted from a partner"),
                    (15, "wrong credit taken back"),
                    (16, "arrears forgiven"),
                    (18, "expiry extended"),
                ],
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="lotevent",
            name="kind",
            field=models.SmallIntegerField(
                choices=[
                    (1, "became available"),
                    (2, "expiry changed"),
                    (3, "returned after it had expired"),
                    (4, "could not be taken back"),
                ],
                verbose_name="kind",
            ),
        ),
        migrations.AddIndex(
            model_name="hold",
            index=models.Index(
                condition=models.Q(("state", 1)), fields=["account", "expires_at"], name="hold_open_of_account"
            ),
        ),
        migrations.AddIndex(
            model_name="hold",
            index=models.Index(fields=["account", "-id"], name="hold_newest_of_account"),
        ),
        migrations.AddIndex(
            model_name="pointsaccount",
            index=models.Index(
                condition=models.Q(("deadline_at__isnull", False)),
                fields=["deadline_at", "id"],
                name="account_deadline",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (NEW."arrears_limit_points", NEW."arrears_policy", NEW."code", NEW."exponent", NEW."hold_minutes", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."restored_days_min", NEW."takes_other_lots"); RETURN NULL;',
                    hash="2a2737af39452eeb9eaf32d33e45983eeae39ca8",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_04216",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (NEW."arrears_limit_points", NEW."arrears_policy", NEW."code", NEW."exponent", NEW."hold_minutes", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."restored_days_min", NEW."takes_other_lots"); RETURN NULL;',
                    hash="7070afddd58bede647b17d8b1d44f80dbe29b99f",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_eebda",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (OLD."arrears_limit_points", OLD."arrears_policy", OLD."code", OLD."exponent", OLD."hold_minutes", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."restored_days_min", OLD."takes_other_lots"); RETURN NULL;',
                    hash="4a2c69b75e25e62445a3164b9b43e87e3e8e7060",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_995b6",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_by__isnull", True), ("state", 1)),
                    models.Q(models.Q(("state", 1), _negated=True), ("closed_by__isnull", False)),
                    _connector="OR",
                ),
                name="hold_is_closed_by_a_transaction",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("contra__range", (1, 9))), name="other_side_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=models.UniqueConstraint(
                fields=("kind", "source", "natural_key", "currency"), name="ledger_fact_is_posted_once_per_currency"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18])),
                name="ledger_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="lot",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__range", (1, 7))), name="lot_origin_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="lotevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__range", (1, 4))), name="lot_event_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pointscurrency",
            constraint=models.CheckConstraint(
                condition=models.Q(("arrears_policy__in", ["none", "limit", "future"])), name="arrears_policy_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pointscurrency",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold_minutes__gte", 1)), name="hold_lasts_at_least_a_minute"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="arrearslimit",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_arrearslimitevent" ("currency_id", "id", "limit_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "tier_id") VALUES (NEW."currency_id", NEW."id", NEW."limit_points", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."tier_id"); RETURN NULL;',
                    hash="45a2ba89daf88734083460537871bfe1063e7579",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_7c4c3",
                    table="rewards_arrearslimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="arrearslimit",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_arrearslimitevent" ("currency_id", "id", "limit_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "tier_id") VALUES (NEW."currency_id", NEW."id", NEW."limit_points", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."tier_id"); RETURN NULL;',
                    hash="03d40426b7e02bf6eafb983b0e4a7392e001ae02",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_206f1",
                    table="rewards_arrearslimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="arrearslimit",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_arrearslimitevent" ("currency_id", "id", "limit_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "tier_id") VALUES (OLD."currency_id", OLD."id", OLD."limit_points", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."tier_id"); RETURN NULL;',
                    hash="6e039a5885e8301d748750e7bbf3abb068acb0fa",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_8907d",
                    table="rewards_arrearslimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointsrate",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointsrateevent" ("currency_id", "id", "money_per_point", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from") VALUES (NEW."currency_id", NEW."id", NEW."money_per_point", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."valid_from"); RETURN NULL;',
                    hash="e5e0af8f628bf17268e9a90a0c27bc77c7de1be8",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_dfa0d",
                    table="rewards_pointsrate",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointsrate",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_pointsrateevent" ("currency_id", "id", "money_per_point", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from") VALUES (NEW."currency_id", NEW."id", NEW."money_per_point", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."valid_from"); RETURN NULL;',
                    hash="9f4fd49653defe9a34ba135ff99f0706b8b0d816",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_6d310",
                    table="rewards_pointsrate",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointsrate",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointsrateevent" ("currency_id", "id", "money_per_point", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "valid_from") VALUES (OLD."currency_id", OLD."id", OLD."money_per_point", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."valid_from"); RETURN NULL;',
                    hash="c21dfb0d1c5af9efdb1d916f86646e4a21816132",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_155a8",
                    table="rewards_pointsrate",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(EXPIRIES, migrations.RunSQL.noop),
        migrations.RunSQL(
            "".join(refuse_changes_sql(table) for table in ("rewards_arrearslimitevent", "rewards_pointsrateevent")),
            migrations.RunSQL.noop,
        ),
    ]
