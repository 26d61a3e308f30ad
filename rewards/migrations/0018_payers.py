"""Who paid for orders, as a keyed hash; the rule that looks for one payer behind many members, and when notes are deleted."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

RULE, MOST = "one_payer", 3
TASK = "清理付款账户 · Forget payers"


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("members", "RiskRule").objects.get_or_create(code=RULE, defaults={"most": MOST})
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    when = {
        "minute": "5", "hour": "4", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "rewards.forget_payers", "crontab": clock}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0015_household_points"),
        ("rewards", "0017_household_points"),
    ]
    operations = [
        migrations.CreateModel(
            name="PurchasePayer",
            fields=[
                (
                    "purchase",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="payer",
                        serialize=False,
                        to="rewards.purchase",
                        verbose_name="purchase",
                    ),
                ),
                ("payer", models.BinaryField(max_length=32, verbose_name="hash of the payment account")),
                ("paid_at", models.DateTimeField(verbose_name="paid at")),
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
                "verbose_name": "payer of a purchase",
                "verbose_name_plural": "payers of purchases",
                "indexes": [
                    models.Index(fields=["payer", "paid_at"], name="purchases_of_payer"),
                    models.Index(fields=["member", "paid_at"], name="payers_of_member"),
                    models.Index(fields=["paid_at"], name="payers_by_moment"),
                ],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
