"""The congratulation that members get when they rise to a tier, in three languages. Staff may rewrite it."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TITLES = {
    "zh_hans": "恭喜您升级为{tier}",
    "zh_hant": "恭喜您升級為{tier}",
    "en": "Congratulations, you are now {tier}",
}
BODIES = {
    "zh_hans": (
        "{name}，您好：\n\n"
        "您近期累计了 {credits} 成长值，已升级为{tier}。新的权益即刻生效，等级有效期至 {valid_until}。\n\n"
        "感谢您的一路相伴。\n{programme}"
    ),
    "zh_hant": (
        "{name}，您好：\n\n"
        "您近期累積了 {credits} 成長值，已升級為{tier}。新的權益即刻生效，等級效期至 {valid_until}。\n\n"
        "感謝您的一路相伴。\n{programme}"
    ),
    "en": (
        "Dear {name},\n\n"
        "With {credits} tier credits you have risen to {tier}. Your new benefits are yours from now on, "
        "until the end of {valid_until}.\n\n"
        "Thank you for staying with us.\n{programme}"
    ),
}


def write(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    texts = {
        f"{field}_{language}": text
        for field, by in (("title", TITLES), ("body", BODIES))
        for language, text in by.items()
    }
    apps.get_model("campaigns", "MessageTemplate").objects.get_or_create(
        occasion="tier_raised",
        defaults={"channel": "email", "title": TITLES["zh_hans"], "body": BODIES["zh_hans"], **texts},
    )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_history_refuses_changes")]
    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
