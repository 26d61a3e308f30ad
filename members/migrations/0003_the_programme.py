"""The one row of the programme. Staff give it their own names under Settings."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAMES = {
    "name": "常青会员",
    "name_zh_hans": "常青会员",
    "name_zh_hant": "常青會員",
    "name_en": "Perennial Club",
    "points_name": "积分",
    "points_name_zh_hans": "积分",
    "points_name_zh_hant": "積分",
    "points_name_en": "points",
}


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("members", "Programme").objects.get_or_create(pk=1, defaults=NAMES)


class Migration(migrations.Migration):
    dependencies = [("members", "0002_timeline_table")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
