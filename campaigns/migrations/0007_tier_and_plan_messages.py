"""Members are told before a review takes their tier and before a plan ends: two occasions with first texts. Staff may rewrite them."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

OCCASIONS = [
    ("tier_raised", "a member rose to a tier"),
    ("points_expiring", "points are about to expire"),
    ("tier_at_risk", "the next review would not keep a tier"),
    ("plan_ends_soon", "a paid membership is about to end"),
]

TITLES = {
    "tier_at_risk": {
        "zh_hans": "保持{tier}，请在 {last_day} 前完成",
        "zh_hant": "保持{tier}，請在 {last_day} 前完成",
        "en": "Keep {tier}: until {last_day}",
    },
    "plan_ends_soon": {
        "zh_hans": "您的{plan}将于 {last_day} 到期",
        "zh_hant": "您的{plan}將於 {last_day} 到期",
        "en": "{plan} ends on {last_day}",
    },
}
BODIES = {
    "tier_at_risk": {
        "zh_hans": (
            "{name}，您好：\n\n"
            "您的{tier}有效期至 {last_day}（还有 {days} 天）。保级还差：{gap}。{outcome}\n\n"
            "期待您的光临。\n{programme}"
        ),
        "zh_hant": (
            "{name}，您好：\n\n"
            "您的{tier}效期至 {last_day}（還有 {days} 天）。保級還差：{gap}。{outcome}\n\n"
            "期待您的光臨。\n{programme}"
        ),
        "en": (
            "Dear {name},\n\n"
            "You hold {tier} until the end of {last_day}, {days} days from now. To keep it there is still missing: {gap}. "
            "{outcome}\n\n"
            "We look forward to seeing you.\n{programme}"
        ),
    },
    "plan_ends_soon": {
        "zh_hans": (
            "{name}，您好：\n\n"
            "您的{plan}有效期至 {last_day}（还有 {days} 天）。到期后不会自动扣款；如需继续享受权益，请在此之前续费。\n\n"
            "感谢您的支持。\n{programme}"
        ),
        "zh_hant": (
            "{name}，您好：\n\n"
            "您的{plan}效期至 {last_day}（還有 {days} 天）。到期後不會自動扣款；如需繼續享有權益，請在此之前續費。\n\n"
            "感謝您的支持。\n{programme}"
        ),
        "en": (
            "Dear {name},\n\n"
            "{plan} is yours until the end of {last_day}, {days} days from now. Nothing is charged by itself: to go on, "
            "please renew it before then.\n\n"
            "Thank you for being with us.\n{programme}"
        ),
    },
}


def write(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    templates = apps.get_model("campaigns", "MessageTemplate").objects
    for occasion in TITLES:
        texts = {
            f"{field}_{language}": text
            for field, by in (("title", TITLES), ("body", BODIES))
            for language, text in by[occasion].items()
        }
        templates.get_or_create(
            occasion=occasion,
            defaults={"channel": "email", "title": texts["title_zh_hans"], "body": texts["body_zh_hans"], **texts},
        )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_points_expiring_message")]

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
                condition=models.Q(
                    ("occasion__in", ["tier_raised", "points_expiring", "tier_at_risk", "plan_ends_soon"])
                ),
                name="message_occasion_is_known",
            ),
        ),
        migrations.RunPython(write, migrations.RunPython.noop),
    ]
