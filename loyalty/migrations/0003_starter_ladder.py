"""A ladder of four tiers to start with. Staff publish their own versions under Tiers."""

from datetime import UTC, datetime
from decimal import Decimal

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# code, names (zh-hans, zh-hant, en), colour, credits to rise, credits to keep, multiplier
TIERS = [
    ("member", ("普通会员", "普通會員", "Member"), "#8a8f98", 0, 0, "1.00"),
    ("silver", ("银卡", "銀卡", "Silver"), "#9fb1c1", 500, 400, "1.10"),
    ("gold", ("金卡", "金卡", "Gold"), "#c9a227", 1500, 1200, "1.25"),
    ("diamond", ("钻石卡", "鑽石卡", "Diamond"), "#4a8fe7", 5000, 4000, "1.50"),
]


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    ladder, _ = apps.get_model("loyalty", "LadderVersion").objects.get_or_create(
        number=1, defaults={"valid_from": datetime(2000, 1, 1, tzinfo=UTC)}
    )
    for rank, (code, (hans, hant, english), colour, rise, keep, multiplier) in enumerate(TIERS):
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        tier, _ = apps.get_model("loyalty", "Tier").objects.get_or_create(
            code=code, defaults={"rank": rank, "colour": colour, **names}
        )
        apps.get_model("loyalty", "TierRule").objects.get_or_create(
            ladder=ladder,
            tier=tier,
            defaults={"rise_credits": rise, "keep_credits": keep, "points_multiplier": Decimal(multiplier)},
        )


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0002_history_refuses_changes")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
