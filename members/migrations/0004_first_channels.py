"""The channels that every installation has. Staff may rename them and add others."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# code, kind, zh-Hans, zh-Hant, English
CHANNELS = [
    ("till", "till", "门店收银", "門市收銀", "Till"),
    ("mini-program", "mini_program", "小程序", "小程式", "Mini-program"),
    ("app", "app", "App", "App", "App"),
    ("online", "web", "网店", "網路商店", "Web shop"),
    ("import", "import", "导入", "匯入", "Import"),
    ("staff", "staff", "员工录入", "員工登錄", "Staff"),
]


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    channels = apps.get_model("members", "Channel").objects
    for code, kind, hans, hant, english in CHANNELS:
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        channels.get_or_create(code=code, defaults={"kind": kind, **names})


class Migration(migrations.Migration):
    dependencies = [("members", "0003_the_programme")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
