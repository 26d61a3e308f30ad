"""The currency 积分 and the first base earn rule: 1 point for each whole unit of money, for 12 months."""

from datetime import UTC, datetime

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    names = {"name": "积分", "name_zh_hans": "积分", "name_zh_hant": "積分", "name_en": "Points"}
    apps.get_model("rewards", "PointsCurrency").objects.get_or_create(code="points", defaults=names)
    rule = {
        "name": "消费得积分",
        "name_zh_hans": "消费得积分",
        "name_zh_hant": "消費得積分",
        "name_en": "Points on purchases",
    }
    apps.get_model("rewards", "EarnRule").objects.get_or_create(
        version=1,
        defaults={**rule, "points_per_step": 1, "step_amount": 1, "valid_from": datetime(1990, 1, 1, tzinfo=UTC)},
    )


class Migration(migrations.Migration):
    dependencies = [("rewards", "0002_ledger_functions")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
