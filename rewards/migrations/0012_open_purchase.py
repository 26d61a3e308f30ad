"""Recording a purchase begins with one call of the database; money can come back without goods."""

from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
FUNCTIONS = (Path(__file__).parent / "sql" / "purchases_0001.sql").read_text(encoding="utf-8")


# name, task, every so many seconds
BY_INTERVAL = (
    ("归还过期占用 · Give back due holds", "rewards.release_due_holds", 60),
    ("均衡积分预算 · Rebalance shared budgets", "rewards.rebalance_budgets", 60),
    ("积分账封存 · Seal the points ledger", "rewards.seal_ledger", 60),
)
# name, task, hour, minute
BY_CLOCK = (
    ("生日积分 · Award birthdays", "rewards.award_birthdays", "0", "45"),
    ("清理批次差错 · Forget errors of batches", "rewards.forget_batch_errors", "3", "35"),
    ("积分账锚定 · Anchor the points ledger", "rewards.anchor_ledger", "0", "50"),
    ("清理旧的每日上限 · Forget day counters of caps", "rewards.forget_day_counters", "3", "25"),
    ("测算未结月份 · Work out the open month", "rewards.work_out_open_months", "3", "30"),
)


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, seconds in BY_INTERVAL:
        every = interval.objects.filter(every=seconds, period="seconds").first() or interval.objects.create(
            every=seconds, period="seconds"
        )
        periodic_task.objects.get_or_create(
            name=name, defaults={"task": task, "interval": every, "expire_seconds": 2 * seconds}
        )
    for name, task, hour, minute in BY_CLOCK:
        when = {
            "minute": minute, "hour": hour, "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
            "timezone": "Asia/Shanghai",
        }  # fmt: skip
        clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
        periodic_task.objects.get_or_create(name=name, defaults={"task": task, "crontab": clock})


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0004_configuration_history"),
        ("rewards", "0011_seals"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [
        migrations.RunSQL(FUNCTIONS, "DROP FUNCTION rewards_open_purchase"),
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.AlterModelOptions(
            "hold",
            {
                "permissions": [("give_back_hold", "Can give points that are set aside back")],
                "verbose_name": "points set aside",
                "verbose_name_plural": "points set aside",
            },
        ),
        migrations.RemoveConstraint("returnline", "returned_quantity_is_positive"),
        migrations.AddConstraint(
            "returnline",
            models.CheckConstraint(
                condition=Q(quantity__gt=0) | Q(quantity=0, amount__gt=0), name="returned_are_pieces_or_money"
            ),
        ),
    ]
