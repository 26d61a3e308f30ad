"""The monthly close: its rows, the accounts of its journal, and triggers that keep a locked month as it was locked."""

import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# A draft may be worked out anew; what is locked refuses every change, also of its figures, to the owner too.
LOCKED_STAYS = """
CREATE FUNCTION rewards_refuse_change_of_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'locked' THEN
        RAISE EXCEPTION 'the month % of currency % is locked', to_char(OLD.month, 'YYYY-MM'), OLD.currency_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE FUNCTION rewards_refuse_change_of_locked_figure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM rewards_monthclose c WHERE c.state = 'locked'
        AND (TG_OP <> 'INSERT' AND c.id = OLD.close_id OR TG_OP <> 'DELETE' AND c.id = NEW.close_id);
    IF FOUND THEN
        RAISE EXCEPTION 'the figures of a locked month stay as they are' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER rewards_monthclose_lock_stays BEFORE UPDATE OR DELETE ON rewards_monthclose
    FOR EACH ROW EXECUTE FUNCTION rewards_refuse_change_of_lock();
CREATE TRIGGER rewards_closeline_lock_stays BEFORE INSERT OR UPDATE OR DELETE ON rewards_closeline
    FOR EACH ROW EXECUTE FUNCTION rewards_refuse_change_of_locked_figure();
CREATE TRIGGER rewards_vintagefigure_lock_stays BEFORE INSERT OR UPDATE OR DELETE ON rewards_vintagefigure
    FOR EACH ROW EXECUTE FUNCTION rewards_refuse_change_of_locked_figure();
CREATE TRIGGER rewards_monthclose_is_not_emptied BEFORE TRUNCATE ON rewards_monthclose
    FOR EACH STATEMENT EXECUTE FUNCTION members_refuse_change();
CREATE TRIGGER rewards_closeline_is_not_emptied BEFORE TRUNCATE ON rewards_closeline
    FOR EACH STATEMENT EXECUTE FUNCTION members_refuse_change();
CREATE TRIGGER rewards_vintagefigure_is_not_emptied BEFORE TRUNCATE ON rewards_vintagefigure
    FOR EACH STATEMENT EXECUTE FUNCTION members_refuse_change();
"""
LOCKED_MAY_CHANGE = """
DROP TRIGGER rewards_vintagefigure_is_not_emptied ON rewards_vintagefigure;
DROP TRIGGER rewards_closeline_is_not_emptied ON rewards_closeline;
DROP TRIGGER rewards_monthclose_is_not_emptied ON rewards_monthclose;
DROP TRIGGER rewards_vintagefigure_lock_stays ON rewards_vintagefigure;
DROP TRIGGER rewards_closeline_lock_stays ON rewards_closeline;
DROP TRIGGER rewards_monthclose_lock_stays ON rewards_monthclose;
DROP FUNCTION rewards_refuse_change_of_locked_figure();
DROP FUNCTION rewards_refuse_change_of_lock();
"""

# Numbers as Chinese charts of accounts have them; finance sets its own.
ACCOUNTS = {
    "liability": "2205.01",
    "breakage": "2205.02",
    "granted": "6001.01",
    "redeemed": "6001.02",
    "expired": "6001.03",
    "goodwill": "6601.01",
    "donated": "2241.01",
    "partner": "2241.02",
    "written_off": "6601.02",
    "revalued": "6001.04",
}


def set_accounts(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("rewards", "ClosingAccount")
    model.objects.bulk_create(model(purpose=purpose, code=code) for purpose, code in ACCOUNTS.items())


class Migration(migrations.Migration):
    dependencies = [
        ("pghistory", "0007_auto_20250421_0444"),
        ("members", "0001_ground_floor"),
        ("rewards", "0009_adjustments_and_transfers"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClosingAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("liability", "points owed to members (contract liability)"),
                            ("breakage", "expected breakage (deducted from the liability)"),
                            ("granted", "points granted with purchases (deducted from revenue)"),
                            ("redeemed", "points redeemed (revenue)"),
                            ("expired", "points expired and expected breakage (revenue)"),
                            ("goodwill", "points given or taken by staff (expense)"),
                            ("donated", "owed to charity projects"),
                            ("partner", "settlement with partners"),
                            ("written_off", "arrears forgiven (expense)"),
                            ("revalued", "change of the value of a point"),
                        ],
                        max_length=12,
                        unique=True,
                        verbose_name="movement",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        help_text="Its number in your chart of accounts, for example 2205.01.",
                        max_length=30,
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "account of the journal",
                "verbose_name_plural": "accounts of the journal",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[0-9A-Za-z][0-9A-Za-z.-]*$")), name="account_code_is_plain"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosingAccountEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("liability", "points owed to members (contract liability)"),
                            ("breakage", "expected breakage (deducted from the liability)"),
                            ("granted", "points granted with purchases (deducted from revenue)"),
                            ("redeemed", "points redeemed (revenue)"),
                            ("expired", "points expired and expected breakage (revenue)"),
                            ("goodwill", "points given or taken by staff (expense)"),
                            ("donated", "owed to charity projects"),
                            ("partner", "settlement with partners"),
                            ("written_off", "arrears forgiven (expense)"),
                            ("revalued", "change of the value of a point"),
                        ],
                        max_length=12,
                        verbose_name="movement",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        help_text="Its number in your chart of accounts, for example 2205.01.",
                        max_length=30,
                        verbose_name="account",
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
                        to="rewards.closingaccount",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MonthClose",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.", verbose_name="month")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("locked", "locked")],
                        default="draft",
                        max_length=6,
                        verbose_name="state",
                    ),
                ),
                (
                    "begins_books",
                    models.BooleanField(
                        default=False,
                        help_text="All that happened earlier is the opening balance.",
                        verbose_name="the books begin here",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="begins at")),
                ("ends_at", models.DateTimeField(verbose_name="ends at")),
                ("entry_mark", models.BigIntegerField(verbose_name="last entry taken")),
                ("entries", models.BigIntegerField(verbose_name="entries")),
                (
                    "late_entries",
                    models.BigIntegerField(verbose_name="entries that belong to earlier months by their day"),
                ),
                ("late_points", models.BigIntegerField(verbose_name="points of late entries")),
                ("opening_points", models.BigIntegerField(verbose_name="opening balance (points)")),
                ("closing_points", models.BigIntegerField(verbose_name="closing balance (points)")),
                ("available_points", models.BigIntegerField(verbose_name="available at the end (points)")),
                ("pending_points", models.BigIntegerField(verbose_name="pending at the end (points)")),
                ("held_points", models.BigIntegerField(verbose_name="held at the end (points)")),
                ("arrears_points", models.BigIntegerField(verbose_name="arrears at the end (points)")),
                ("balances_points", models.BigIntegerField(verbose_name="closing balance by the accounts (points)")),
                ("lots_points", models.BigIntegerField(verbose_name="closing balance by the lots (points)")),
                ("money_currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "money_per_point",
                    models.DecimalField(
                        decimal_places=6, max_digits=12, null=True, verbose_name="value of one point (money)"
                    ),
                ),
                (
                    "opening_amount",
                    models.DecimalField(
                        decimal_places=2, max_digits=16, null=True, verbose_name="opening balance (money)"
                    ),
                ),
                (
                    "closing_amount",
                    models.DecimalField(
                        decimal_places=2, max_digits=16, null=True, verbose_name="closing balance (money)"
                    ),
                ),
                (
                    "used_share",
                    models.DecimalField(decimal_places=6, max_digits=7, verbose_name="share of points used in the end"),
                ),
                (
                    "breakage_share",
                    models.DecimalField(decimal_places=6, max_digits=7, verbose_name="expected breakage"),
                ),
                (
                    "liability_amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="liability (money)"),
                ),
                ("worked_out_at", models.DateTimeField(verbose_name="worked out at")),
                ("locked_at", models.DateTimeField(null=True, verbose_name="locked at")),
                ("reason", models.CharField(blank=True, db_default="", max_length=200, verbose_name="reason")),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="closes",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "locked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="locked by",
                    ),
                ),
                (
                    "previous",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="next",
                        to="rewards.monthclose",
                        verbose_name="month before",
                    ),
                ),
            ],
            options={
                "verbose_name": "month close",
                "verbose_name_plural": "month closes",
                "permissions": [("lock_month", "Can lock a month of the points books")],
                "constraints": [
                    models.UniqueConstraint(fields=("currency", "month"), name="month_is_closed_once_per_currency"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")),
                        fields=("currency",),
                        name="currency_has_one_month_in_draft",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("previous__isnull", True)),
                        fields=("currency",),
                        name="currency_has_one_month_where_books_begin",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "locked"])), name="month_close_state_is_known"
                    ),
                    models.CheckConstraint(condition=models.Q(("month__day", 1)), name="month_close_names_a_first_day"),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="month_close_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "closing_points",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("available_points"), "+", models.F("pending_points")
                                        ),
                                        "+",
                                        models.F("held_points"),
                                    ),
                                    "-",
                                    models.F("arrears_points"),
                                ),
                            )
                        ),
                        name="month_close_is_the_sum_of_its_balances",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "draft"),
                            models.Q(
                                ("closing_points", models.F("balances_points")),
                                ("liability_amount__isnull", False),
                                ("locked_at__gte", models.F("ends_at")),
                                ("locked_at__isnull", False),
                                ("lots_points", models.F("closing_points")),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="locked_month_agrees_with_the_ledger",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VintageFigure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("vintage_month", models.DateField(verbose_name="month of issue")),
                ("age_months", models.SmallIntegerField(verbose_name="age (months)")),
                ("issued_points", models.BigIntegerField(default=0, verbose_name="issued (points)")),
                ("withdrawn_points", models.BigIntegerField(default=0, verbose_name="taken back (points)")),
                ("used_points", models.BigIntegerField(default=0, verbose_name="used (points)")),
                ("expired_points", models.BigIntegerField(default=0, verbose_name="expired (points)")),
                (
                    "close",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="vintages",
                        to="rewards.monthclose",
                        verbose_name="month close",
                    ),
                ),
            ],
            options={
                "verbose_name": "vintage figure",
                "verbose_name_plural": "vintage figures",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("close", "vintage_month", "age_months"), name="month_close_states_a_vintage_age_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("age_months__gte", 0)), name="vintage_is_not_older_than_issue"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CloseLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "part",
                    models.SmallIntegerField(
                        choices=[(0, "in all"), (1, "by source"), (2, "by store"), (3, "by tier")], verbose_name="part"
                    ),
                ),
                ("is_arrears", models.BooleanField(default=False, verbose_name="arrears")),
                (
                    "origin",
                    models.SmallIntegerField(
                        choices=[
                            (1, "purchase"),
                            (2, "promotion"),
                            (3, "activity"),
                            (4, "adjustment"),
                            (5, "transfer"),
                            (6, "partner"),
                            (7, "opening balance"),
                        ],
                        null=True,
                        verbose_name="source",
                    ),
                ),
                ("tier_code", models.CharField(blank=True, db_default="", max_length=30, verbose_name="tier")),
                (
                    "movement",
                    models.SmallIntegerField(
                        choices=[
                            (0, "opening balance"),
                            (1, "earned"),
                            (2, "adjusted by staff"),
                            (3, "redeemed"),
                            (4, "expired"),
                            (5, "taken back after returns"),
                            (6, "redemptions taken back"),
                            (7, "expired points given back"),
                            (8, "wrong credits taken back"),
                            (9, "transferred between members"),
                            (10, "donated"),
                            (11, "converted to partners"),
                            (12, "converted from partners"),
                            (13, "arrears forgiven"),
                            (14, "arrears repaid"),
                            (20, "revaluation"),
                            (21, "closing balance"),
                        ],
                        verbose_name="movement",
                    ),
                ),
                ("points", models.BigIntegerField(verbose_name="points")),
                (
                    "amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="amount (money)"),
                ),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.store",
                        verbose_name="store",
                    ),
                ),
                (
                    "close",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="rewards.monthclose",
                        verbose_name="month close",
                    ),
                ),
            ],
            options={
                "verbose_name": "figure of a month close",
                "verbose_name_plural": "figures of a month close",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("close", "part", "is_arrears", "origin", "store", "tier_code", "movement"),
                        name="month_close_states_a_figure_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("part__range", (0, 3))), name="part_of_a_close_is_known"
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_closingaccountevent" ("code", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose") VALUES (NEW."code", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."purpose"); RETURN NULL;',
                    hash="57033a75218ccffd457f588accd5d793f90dbaa3",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_72836",
                    table="rewards_closingaccount",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_closingaccountevent" ("code", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose") VALUES (NEW."code", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."purpose"); RETURN NULL;',
                    hash="118a94c0d7a4d0e4418a2f67fe23db28ac8e01cd",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_de03e",
                    table="rewards_closingaccount",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_closingaccountevent" ("code", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose") VALUES (OLD."code", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."purpose"); RETURN NULL;',
                    hash="7b8240e628a94067bfbf3e55334a4f9b6cbb3345",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_388b1",
                    table="rewards_closingaccount",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(refuse_changes_sql("rewards_closingaccountevent"), migrations.RunSQL.noop),
        migrations.RunSQL(LOCKED_STAYS, LOCKED_MAY_CHANGE),
        migrations.RunPython(set_accounts, migrations.RunPython.noop),
    ]
