"""Tiers by more than credits: thresholds over seven metrics, other periods, waiting rises, grace, credits carried over."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from decimal import Decimal
from django.db import migrations, models

from members.history import refuse_changes_sql

FUNCTION = (Path(__file__).parent / "sql" / "standing_0002.sql").read_text(encoding="utf-8")
BEFORE = "DROP FUNCTION loyalty_count_fact;" + (Path(__file__).parent / "sql" / "standing_0001.sql").read_text(
    encoding="utf-8"
)


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0005_count_fact"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActivityScore",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "score",
                    models.PositiveSmallIntegerField(help_text="Activity points for each time.", verbose_name="counts"),
                ),
            ],
            options={
                "verbose_name": "score of an activity",
                "verbose_name_plural": "scores of activities",
            },
        ),
        migrations.CreateModel(
            name="ActivityScoreEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "score",
                    models.PositiveSmallIntegerField(help_text="Activity points for each time.", verbose_name="counts"),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="delete_delete",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="qualificationentry",
            name="qualification_kind_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="tierchange",
            name="tier_change_reason_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="tierchange",
            name="tier_changes_unless_kept",
        ),
        migrations.RemoveConstraint(
            model_name="tierrule",
            name="keeping_is_not_harder_than_rising",
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="carries_over",
            field=models.BooleanField(
                default=False,
                help_text="Tier credits beyond what keeping took count again in the next period, once. Not where it rolls.",
                verbose_name="carries credits over",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="grace_days",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="0: no grace. Given once, then it is reviewed again.", verbose_name="grace (days)"
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="grace_percent",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="At a review, whoever lacks at most this share of what keeping takes is given more time.",
                verbose_name="grace near the line (%)",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="rises",
            field=models.CharField(
                choices=[
                    ("at_once", "at once"),
                    ("waiting", "at the end of the period (where it rolls, of the month)"),
                ],
                default="at_once",
                max_length=8,
                verbose_name="members rise",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_active_days",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an active day",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_activity",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an activity point",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_credits",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a tier credit",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_orders",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an order",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_spend",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a unit of money",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="weight_tenure_months",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a month of membership",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="window",
            field=models.CharField(
                choices=[
                    ("rolling", "rolling: so many months back"),
                    ("year", "calendar year"),
                    ("quarter", "calendar quarter"),
                    ("joined", "year from the day the member joined"),
                    ("tier", "year from the day the tier was reached"),
                ],
                default="rolling",
                help_text="A tier of another period than a rolling one is valid to the end of the period after it was reached.",
                max_length=8,
                verbose_name="how the qualifying period runs",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="carries_over",
            field=models.BooleanField(
                default=False,
                help_text="Tier credits beyond what keeping took count again in the next period, once. Not where it rolls.",
                verbose_name="carries credits over",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="grace_days",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="0: no grace. Given once, then it is reviewed again.", verbose_name="grace (days)"
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="grace_percent",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="At a review, whoever lacks at most this share of what keeping takes is given more time.",
                verbose_name="grace near the line (%)",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="rises",
            field=models.CharField(
                choices=[
                    ("at_once", "at once"),
                    ("waiting", "at the end of the period (where it rolls, of the month)"),
                ],
                default="at_once",
                max_length=8,
                verbose_name="members rise",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_active_days",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an active day",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_activity",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an activity point",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_credits",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a tier credit",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_orders",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of an order",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_spend",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a unit of money",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="weight_tenure_months",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("0"),
                help_text="For the score, a weighted mix. 0: not in it.",
                max_digits=8,
                verbose_name="weight of a month of membership",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="window",
            field=models.CharField(
                choices=[
                    ("rolling", "rolling: so many months back"),
                    ("year", "calendar year"),
                    ("quarter", "calendar quarter"),
                    ("joined", "year from the day the member joined"),
                    ("tier", "year from the day the tier was reached"),
                ],
                default="rolling",
                help_text="A tier of another period than a rolling one is valid to the end of the period after it was reached.",
                max_length=8,
                verbose_name="how the qualifying period runs",
            ),
        ),
        migrations.AddField(
            model_name="qualificationentry",
            name="active_on",
            field=models.DateField(
                help_text="Empty: the day on which it happened. Of a return, the day of the sale.",
                null=True,
                verbose_name="day made active",
            ),
        ),
        migrations.AddField(
            model_name="qualificationentry",
            name="activity",
            field=models.IntegerField(db_default=0, default=0, verbose_name="activity points"),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="figures",
            field=models.JSONField(db_default=[], default=list, verbose_name="figures"),
        ),
        migrations.AddField(
            model_name="tierchange",
            name="must",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="so many had to be reached"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_active_days",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="active days to keep"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_activity",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="activity points to keep"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_least",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="0: all that are filled in. 1: any one of them.",
                verbose_name="to keep, so many of them",
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_orders",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="orders to keep"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_score",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="score to keep"
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_spend",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="spend to keep"
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="keep_tenure_months",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="months of membership to keep"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_active_days",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="active days to rise"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_activity",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="activity points to rise"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_least",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="0: all that are filled in. 1: any one of them.",
                verbose_name="to rise, so many of them",
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_orders",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="orders to rise"),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_score",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="score to rise"
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_spend",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="spend to rise"
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="rise_tenure_months",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="months of membership to rise"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_active_days",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="active days to keep"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_activity",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="activity points to keep"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_least",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="0: all that are filled in. 1: any one of them.",
                verbose_name="to keep, so many of them",
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_orders",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="orders to keep"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_score",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="score to keep"
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_spend",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="spend to keep"
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="keep_tenure_months",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="months of membership to keep"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_active_days",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="active days to rise"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_activity",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="activity points to rise"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_least",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="0: all that are filled in. 1: any one of them.",
                verbose_name="to rise, so many of them",
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_orders",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="orders to rise"),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_score",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="score to rise"
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_spend",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=12, null=True, verbose_name="spend to rise"
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="rise_tenure_months",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="months of membership to rise"),
        ),
        migrations.AddField(
            model_name="tierstanding",
            name="rise_at",
            field=models.DateTimeField(
                help_text="Where rises wait for the end of a period. Empty: none waits.",
                null=True,
                verbose_name="rise is decided at",
            ),
        ),
        migrations.AlterField(
            model_name="ladderversion",
            name="validity_months",
            field=models.PositiveSmallIntegerField(
                default=12,
                help_text="A tier is held this long, to the end of the month, and then reviewed. For a period that rolls.",
                verbose_name="tier validity (months)",
            ),
        ),
        migrations.AlterField(
            model_name="ladderversionevent",
            name="validity_months",
            field=models.PositiveSmallIntegerField(
                default=12,
                help_text="A tier is held this long, to the end of the month, and then reviewed. For a period that rolls.",
                verbose_name="tier validity (months)",
            ),
        ),
        migrations.AlterField(
            model_name="qualificationentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("purchase", "purchase"),
                    ("return", "return"),
                    ("activity", "activity"),
                    ("carry", "carried over from the period before"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="reason",
            field=models.CharField(
                choices=[
                    ("risen", "risen"),
                    ("kept", "kept at review"),
                    ("fallen", "fallen at review"),
                    ("undone", "rise undone by a return"),
                    ("grace", "given grace at review"),
                ],
                max_length=8,
                verbose_name="reason",
            ),
        ),
        migrations.AlterField(
            model_name="tierrule",
            name="keep_credits",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Tier credits within the qualifying period that a review asks for to keep the tier.",
                null=True,
                verbose_name="tier credits to keep",
            ),
        ),
        migrations.AlterField(
            model_name="tierrule",
            name="rise_credits",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Tier credits within the qualifying period that lift a member here. Empty: not asked.",
                null=True,
                verbose_name="tier credits to rise",
            ),
        ),
        migrations.AlterField(
            model_name="tierruleevent",
            name="keep_credits",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Tier credits within the qualifying period that a review asks for to keep the tier.",
                null=True,
                verbose_name="tier credits to keep",
            ),
        ),
        migrations.AlterField(
            model_name="tierruleevent",
            name="rise_credits",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Tier credits within the qualifying period that lift a member here. Empty: not asked.",
                null=True,
                verbose_name="tier credits to rise",
            ),
        ),
        migrations.AddIndex(
            model_name="tierstanding",
            index=models.Index(
                condition=models.Q(("rise_at__isnull", False)),
                fields=["rise_at", "member"],
                name="standing_waiting_to_rise",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "grace_days", "grace_percent", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (NEW."carries_over", NEW."credits_per_unit", NEW."grace_days", NEW."grace_percent", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."qualifying_months", NEW."rises", NEW."soft_landing", NEW."valid_from", NEW."valid_to", NEW."validity_months", NEW."weight_active_days", NEW."weight_activity", NEW."weight_credits", NEW."weight_orders", NEW."weight_spend", NEW."weight_tenure_months", NEW."window"); RETURN NULL;',
                    hash="d951c1de41646e8cb647c4a97d0c4e2ea1267779",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_af1cf",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "grace_days", "grace_percent", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (NEW."carries_over", NEW."credits_per_unit", NEW."grace_days", NEW."grace_percent", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."qualifying_months", NEW."rises", NEW."soft_landing", NEW."valid_from", NEW."valid_to", NEW."validity_months", NEW."weight_active_days", NEW."weight_activity", NEW."weight_credits", NEW."weight_orders", NEW."weight_spend", NEW."weight_tenure_months", NEW."window"); RETURN NULL;',
                    hash="1c347c36f395c70b9743860f1f49aa442a16be04",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_41502",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "grace_days", "grace_percent", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (OLD."carries_over", OLD."credits_per_unit", OLD."grace_days", OLD."grace_percent", OLD."id", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."qualifying_months", OLD."rises", OLD."soft_landing", OLD."valid_from", OLD."valid_to", OLD."validity_months", OLD."weight_active_days", OLD."weight_activity", OLD."weight_credits", OLD."weight_orders", OLD."weight_spend", OLD."weight_tenure_months", OLD."window"); RETURN NULL;',
                    hash="266e639848a94baa0d395b98016785d2f15a5430",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_976d8",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (NEW."id", NEW."keep_active_days", NEW."keep_activity", NEW."keep_credits", NEW."keep_least", NEW."keep_orders", NEW."keep_score", NEW."keep_spend", NEW."keep_tenure_months", NEW."ladder_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."points_multiplier", NEW."rise_active_days", NEW."rise_activity", NEW."rise_credits", NEW."rise_least", NEW."rise_orders", NEW."rise_score", NEW."rise_spend", NEW."rise_tenure_months", NEW."tier_id"); RETURN NULL;',
                    hash="cd24d4539aac39b2880504ffa652bef001cb6c86",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_67b1a",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (NEW."id", NEW."keep_active_days", NEW."keep_activity", NEW."keep_credits", NEW."keep_least", NEW."keep_orders", NEW."keep_score", NEW."keep_spend", NEW."keep_tenure_months", NEW."ladder_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."points_multiplier", NEW."rise_active_days", NEW."rise_activity", NEW."rise_credits", NEW."rise_least", NEW."rise_orders", NEW."rise_score", NEW."rise_spend", NEW."rise_tenure_months", NEW."tier_id"); RETURN NULL;',
                    hash="d04f5b61437e85e35764f3e5ab7bc14b35e03780",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_d37fd",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (OLD."id", OLD."keep_active_days", OLD."keep_activity", OLD."keep_credits", OLD."keep_least", OLD."keep_orders", OLD."keep_score", OLD."keep_spend", OLD."keep_tenure_months", OLD."ladder_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."points_multiplier", OLD."rise_active_days", OLD."rise_activity", OLD."rise_credits", OLD."rise_least", OLD."rise_orders", OLD."rise_score", OLD."rise_spend", OLD."rise_tenure_months", OLD."tier_id"); RETURN NULL;',
                    hash="e1eef8228f0457a225913049f7f5a418fb14fb40",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_141a9",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("window__in", ("rolling", "year", "quarter", "joined", "tier"))),
                name="ladder_window_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("rises__in", ("at_once", "waiting"))), name="ladder_says_when_members_rise"
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("grace_days__lte", 90), ("grace_percent__lte", 50)), name="grace_is_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("carries_over", False), models.Q(("window", "rolling"), _negated=True), _connector="OR"
                ),
                name="a_rolling_period_carries_nothing_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="qualificationentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["purchase", "return", "activity", "carry"])),
                name="qualification_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason__in", ["risen", "kept", "fallen", "undone", "grace"])),
                name="tier_change_reason_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_tier", models.F("to_tier")), ("reason__in", ["kept", "grace"])),
                    models.Q(
                        models.Q(("reason__in", ["kept", "grace"]), _negated=True),
                        models.Q(("from_tier", models.F("to_tier")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="tier_changes_unless_kept",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_credits__isnull", True),
                    ("keep_credits__isnull", True),
                    ("keep_credits__lte", models.F("rise_credits")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_credits",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_spend__isnull", True),
                    ("keep_spend__isnull", True),
                    ("keep_spend__lte", models.F("rise_spend")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_spend",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_orders__isnull", True),
                    ("keep_orders__isnull", True),
                    ("keep_orders__lte", models.F("rise_orders")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_orders",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_active_days__isnull", True),
                    ("keep_active_days__isnull", True),
                    ("keep_active_days__lte", models.F("rise_active_days")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_active_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_activity__isnull", True),
                    ("keep_activity__isnull", True),
                    ("keep_activity__lte", models.F("rise_activity")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_activity",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_tenure_months__isnull", True),
                    ("keep_tenure_months__isnull", True),
                    ("keep_tenure_months__lte", models.F("rise_tenure_months")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_tenure_months",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rise_score__isnull", True),
                    ("keep_score__isnull", True),
                    ("keep_score__lte", models.F("rise_score")),
                    _connector="OR",
                ),
                name="keeping_takes_no_more_score",
            ),
        ),
        migrations.AddField(
            model_name="activityscore",
            name="kind",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.activitykind",
                verbose_name="kind of activity",
            ),
        ),
        migrations.AddField(
            model_name="activityscore",
            name="ladder",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activity_scores",
                to="loyalty.ladderversion",
                verbose_name="ladder version",
            ),
        ),
        migrations.AddField(
            model_name="activityscoreevent",
            name="kind",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.activitykind",
                verbose_name="kind of activity",
            ),
        ),
        migrations.AddField(
            model_name="activityscoreevent",
            name="ladder",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="loyalty.ladderversion",
                verbose_name="ladder version",
            ),
        ),
        migrations.AddField(
            model_name="activityscoreevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="activityscoreevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="loyalty.activityscore",
            ),
        ),
        migrations.AddConstraint(
            model_name="activityscore",
            constraint=models.UniqueConstraint(fields=("ladder", "kind"), name="activity_has_one_score_per_ladder"),
        ),
        migrations.AddConstraint(
            model_name="activityscore",
            constraint=models.CheckConstraint(condition=models.Q(("score__gt", 0)), name="activity_score_is_positive"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activityscore",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_activityscoreevent" ("id", "kind_id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "score") VALUES (NEW."id", NEW."kind_id", NEW."ladder_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."score"); RETURN NULL;',
                    hash="dd9598720f12eec65663a6fdb76cba5a1a4ae3f4",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_12e91",
                    table="loyalty_activityscore",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activityscore",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_activityscoreevent" ("id", "kind_id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "score") VALUES (NEW."id", NEW."kind_id", NEW."ladder_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."score"); RETURN NULL;',
                    hash="e05c6934948bc31e6c62c5862145106610e3acaf",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_f23cd",
                    table="loyalty_activityscore",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activityscore",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_activityscoreevent" ("id", "kind_id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "score") VALUES (OLD."id", OLD."kind_id", OLD."ladder_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."score"); RETURN NULL;',
                    hash="a5d57adc81f2cddb66659d3562544a2ca5b00dd9",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_e1908",
                    table="loyalty_activityscore",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(refuse_changes_sql("loyalty_activityscoreevent"), migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTION, BEFORE),
    ]
