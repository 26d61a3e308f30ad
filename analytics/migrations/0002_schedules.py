"""What runs by itself, and when. Staff see and change these under Settings; a schedule that exists is left as it is."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ZONE = "Asia/Shanghai"

# name, task, every so many seconds
BY_INTERVAL = (
    ("时间线传递 · Relay the timeline", "members.relay_timeline", 10),
    ("发送到期消息 · Send due messages", "campaigns.deliver_due_messages", 15),
)
# name, task, hour, minute
BY_CLOCK = (
    ("积分过期 · Expire due points", "rewards.expire_due_lots", "0", "5"),
    ("待生效积分生效 · Release pending points", "rewards.release_pending_lots", "*", "0"),
    ("优惠券过期 · Expire due vouchers", "rewards.expire_due_vouchers", "0", "20"),
    ("定级 · Review due tiers", "loyalty.review_due_tiers", "0", "30"),
    ("时间线分区 · Make timeline partitions ahead", "members.ensure_timeline_partitions", "3", "0"),
    ("清理过期应答 · Forget old answers", "members.forget_old_answers", "3", "10"),
    ("积分核对 · Verify the points ledger", "rewards.verify_ledger", "4", "0"),
)


def write(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, seconds in BY_INTERVAL:
        every = interval.objects.filter(every=seconds, period="seconds").first() or interval.objects.create(
            every=seconds, period="seconds"
        )
        # A run that no worker took in time is not made up for: the next one does all of its work.
        periodic_task.objects.get_or_create(
            name=name, defaults={"task": task, "interval": every, "expire_seconds": 2 * seconds}
        )
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


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    names = [name for name, *_ in (*BY_INTERVAL, *BY_CLOCK)]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_day_figures"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(write, remove)]
