"""Members are told before points expire: the occasion, and a first text in three languages. Staff may rewrite it."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

OCCASIONS = [("tier_raised", "a member rose to a tier"), ("points_expiring", "points are about to expire")]

TITLES = {
    "zh_hans": "您有 {points} {points_name}即将过期",
    "zh_hant": "您有 {points} {points_name}即將到期",
    "en": "{points} {points_name} are about to expire",
}
BODIES = {
    "zh_hans": (
        "{name}，您好：\n\n"
        "您账户中的 {points} {points_name}将于 {last_day} 过期。当天仍可使用，过期后将无法恢复。\n\n"
        "欢迎到门店或积分商城使用。\n{programme}"
    ),
    "zh_hant": (
        "{name}，您好：\n\n"
        "您帳戶中的 {points} {points_name}將於 {last_day} 到期。當天仍可使用，到期後將無法恢復。\n\n"
        "歡迎到門市或積分商城使用。\n{programme}"
    ),
    "en": (
        "Dear {name},\n\n"
        "{points} {points_name} of yours can be spent until the end of {last_day}. "
        "After that they are gone.\n\n"
        "Come and use them in a store or for a reward.\n{programme}"
    ),
}


def write(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    texts = {
        f"{field}_{language}": text
        for field, by in (("title", TITLES), ("body", BODIES))
        for language, text in by.items()
    }
    apps.get_model("campaigns", "MessageTemplate").objects.get_or_create(
        occasion="points_expiring",
        defaults={"channel": "email", "title": TITLES["zh_hans"], "body": BODIES["zh_hans"], **texts},
    )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_configuration_history")]

    operations = [
        migrations.RemoveConstraint(model_name="messagetemplate", name="message_occasion_is_known"),
        migrations.AlterField(
            model_name="messagetemplate",
            name="occasion",
            field=models.CharField(choices=OCCASIONS, max_length=30, unique=True, verbose_name="occasion"),
        ),
        migrations.AlterField(
            model_name="messagetemplateevent",
            name="occasion",
            field=models.CharField(choices=OCCASIONS, max_length=30, verbose_name="occasion"),
        ),
        migrations.AddConstraint(
            model_name="messagetemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("occasion__in", ["tier_raised", "points_expiring"])),
                name="message_occasion_is_known",
            ),
        ),
        migrations.RunPython(write, migrations.RunPython.noop),
    ]
