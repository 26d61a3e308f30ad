"""The month close states what stores owe each other and the vouchers that are out; both stay as they were locked."""

import django.db.models.deletion
import django.db.models.expressions
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLES = ("rewards_settlementline", "rewards_voucherline", "rewards_vouchervintage")
LOCKED_STAYS = "".join(
    f"""
    CREATE TRIGGER {table}_lock_stays BEFORE INSERT OR UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION rewards_refuse_change_of_locked_figure();
    CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION members_refuse_change();
    """
    for table in TABLES
)
LOCKED_MAY_CHANGE = "".join(
    f"DROP TRIGGER {table}_is_not_emptied ON {table}; DROP TRIGGER {table}_lock_stays ON {table};" for table in TABLES
)

# Numbers as Chinese charts of accounts have them; finance sets its own.
ACCOUNTS = {"stores": "2241.03", "vouchers": "2205.03", "voucher_cost": "6001.05"}


def set_accounts(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("rewards", "ClosingAccount")
    model.objects.bulk_create(model(purpose=purpose, code=code) for purpose, code in ACCOUNTS.items())


def forget_accounts(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("rewards", "ClosingAccount").objects.filter(purpose__in=ACCOUNTS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0008_decisions"),
        ("rewards", "0013_expired_holds_are_told"),
    ]

    operations = [
        migrations.CreateModel(
            name="SettlementLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_arrears", models.BooleanField(default=False, verbose_name="arrears")),
                ("spent_points", models.BigIntegerField(default=0, verbose_name="spent (points)")),
                ("restored_points", models.BigIntegerField(default=0, verbose_name="given back (points)")),
                (
                    "spent_amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="spent (money)"),
                ),
                (
                    "restored_amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="given back (money)"),
                ),
            ],
            options={
                "verbose_name": "settlement between stores",
                "verbose_name_plural": "settlements between stores",
            },
        ),
        migrations.CreateModel(
            name="VoucherLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opening_count", models.BigIntegerField(default=0, verbose_name="out at the beginning")),
                ("issued_count", models.BigIntegerField(default=0, verbose_name="issued")),
                ("used_count", models.BigIntegerField(default=0, verbose_name="used")),
                ("expired_count", models.BigIntegerField(default=0, verbose_name="expired")),
                ("revoked_count", models.BigIntegerField(default=0, verbose_name="revoked")),
                ("closing_count", models.BigIntegerField(default=0, verbose_name="out at the end")),
                ("counted_count", models.BigIntegerField(default=0, verbose_name="out at the end by the vouchers")),
                ("ended_count", models.BigIntegerField(default=0, verbose_name="used or expired so far")),
                (
                    "face_value",
                    models.DecimalField(
                        decimal_places=2, max_digits=10, null=True, verbose_name="face value of one (money)"
                    ),
                ),
                (
                    "face_amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="face value (money)"),
                ),
                (
                    "breakage_share",
                    models.DecimalField(decimal_places=6, default=0, max_digits=7, verbose_name="expected breakage"),
                ),
                (
                    "opening_amount",
                    models.DecimalField(
                        decimal_places=2, max_digits=16, null=True, verbose_name="liability at the beginning (money)"
                    ),
                ),
                (
                    "liability_amount",
                    models.DecimalField(decimal_places=2, max_digits=16, null=True, verbose_name="liability (money)"),
                ),
            ],
            options={
                "verbose_name": "vouchers of a month close",
                "verbose_name_plural": "vouchers of a month close",
            },
        ),
        migrations.CreateModel(
            name="VoucherVintage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("vintage_month", models.DateField(verbose_name="month of issue")),
                ("age_months", models.SmallIntegerField(verbose_name="age (months)")),
                ("issued_count", models.BigIntegerField(default=0, verbose_name="issued")),
                ("used_count", models.BigIntegerField(default=0, verbose_name="used")),
                ("expired_count", models.BigIntegerField(default=0, verbose_name="expired")),
                ("revoked_count", models.BigIntegerField(default=0, verbose_name="revoked")),
            ],
            options={
                "verbose_name": "vouchers by month of issue",
                "verbose_name_plural": "vouchers by month of issue",
            },
        ),
        migrations.AddField(
            model_name="monthclose",
            name="has_settlement",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Months that were locked before the portal settled between stores do not.",
                verbose_name="states the settlement between stores",
            ),
        ),
        migrations.AddField(
            model_name="monthclose",
            name="voucher_count",
            field=models.BigIntegerField(null=True, verbose_name="vouchers out at the end"),
        ),
        migrations.AddField(
            model_name="monthclose",
            name="voucher_counted_count",
            field=models.BigIntegerField(null=True, verbose_name="vouchers out at the end by the vouchers"),
        ),
        migrations.AddField(
            model_name="monthclose",
            name="voucher_liability_amount",
            field=models.DecimalField(
                decimal_places=2, max_digits=16, null=True, verbose_name="liability of vouchers (money)"
            ),
        ),
        migrations.AddField(
            model_name="monthclose",
            name="voucher_mark",
            field=models.BigIntegerField(null=True, verbose_name="last voucher event taken"),
        ),
        migrations.AlterField(
            model_name="closingaccount",
            name="purpose",
            field=models.CharField(
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
                    ("stores", "settlement between stores"),
                    ("vouchers", "vouchers owed to members (contract liability)"),
                    ("voucher_cost", "vouchers granted (deducted from revenue)"),
                ],
                max_length=12,
                unique=True,
                verbose_name="movement",
            ),
        ),
        migrations.AlterField(
            model_name="closingaccountevent",
            name="purpose",
            field=models.CharField(
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
                    ("stores", "settlement between stores"),
                    ("vouchers", "vouchers owed to members (contract liability)"),
                    ("voucher_cost", "vouchers granted (deducted from revenue)"),
                ],
                max_length=12,
                verbose_name="movement",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "draft"), ("voucher_count", models.F("voucher_counted_count")), _connector="OR"
                ),
                name="locked_month_agrees_with_the_vouchers",
            ),
        ),
        migrations.AddConstraint(
            model_name="monthclose",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("voucher_count__isnull", True),
                        ("voucher_counted_count__isnull", True),
                        ("voucher_liability_amount__isnull", True),
                        ("voucher_mark__isnull", True),
                    ),
                    models.Q(
                        ("voucher_count__isnull", False),
                        ("voucher_counted_count__isnull", False),
                        ("voucher_liability_amount__isnull", False),
                        ("voucher_mark__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="month_close_states_all_of_vouchers_or_nothing",
            ),
        ),
        migrations.AddField(
            model_name="settlementline",
            name="close",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="settlement",
                to="rewards.monthclose",
                verbose_name="month close",
            ),
        ),
        migrations.AddField(
            model_name="settlementline",
            name="issuing_store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="issued by",
            ),
        ),
        migrations.AddField(
            model_name="settlementline",
            name="spending_store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="spent at",
            ),
        ),
        migrations.AddField(
            model_name="voucherline",
            name="close",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="vouchers",
                to="rewards.monthclose",
                verbose_name="month close",
            ),
        ),
        migrations.AddField(
            model_name="voucherline",
            name="template",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.vouchertemplate",
                verbose_name="voucher template",
            ),
        ),
        migrations.AddField(
            model_name="vouchervintage",
            name="close",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.monthclose",
                verbose_name="month close",
            ),
        ),
        migrations.AddField(
            model_name="vouchervintage",
            name="template",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.vouchertemplate",
                verbose_name="voucher template",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=models.UniqueConstraint(
                fields=("close", "issuing_store", "is_arrears", "spending_store"),
                name="month_close_settles_a_pair_of_stores_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=models.CheckConstraint(
                condition=models.Q(("restored_points", 0), ("spent_points", 0), _negated=True),
                name="settlement_is_about_some_points",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_arrears", False), ("issuing_store__isnull", True), _connector="OR"),
                name="no_store_issues_arrears",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherline",
            constraint=models.UniqueConstraint(fields=("close", "template"), name="month_close_counts_a_template_once"),
        ),
        migrations.AddConstraint(
            model_name="voucherline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "closing_count",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("opening_count"), "+", models.F("issued_count")
                                    ),
                                    "-",
                                    models.F("used_count"),
                                ),
                                "-",
                                models.F("expired_count"),
                            ),
                            "-",
                            models.F("revoked_count"),
                        ),
                    )
                ),
                name="vouchers_out_are_the_sum_of_their_movements",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherline",
            constraint=models.CheckConstraint(
                condition=models.Q(("breakage_share__gte", 0), ("breakage_share__lte", 1)),
                name="voucher_breakage_is_a_share",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("face_amount__isnull", True), ("face_value__isnull", True), ("liability_amount__isnull", True)
                    ),
                    models.Q(
                        (
                            "face_amount",
                            django.db.models.expressions.CombinedExpression(
                                models.F("closing_count"), "*", models.F("face_value")
                            ),
                        ),
                        ("liability_amount__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="voucher_liability_follows_its_face_value",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchervintage",
            constraint=models.UniqueConstraint(
                fields=("close", "template", "vintage_month", "age_months"),
                name="month_close_states_a_voucher_age_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchervintage",
            constraint=models.CheckConstraint(
                condition=models.Q(("age_months__gte", 0)), name="vouchers_are_not_older_than_issue"
            ),
        ),
        migrations.RunSQL(LOCKED_STAYS, LOCKED_MAY_CHANGE),
        migrations.RunPython(set_accounts, forget_accounts),
    ]
