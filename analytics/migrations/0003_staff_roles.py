"""The roles of staff: groups, and what each may do. In the topmost app, because roles reach into all of them.

A group that exists keeps what it has and gets what is missing here.
"""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

APPS = ("members", "loyalty", "rewards", "campaigns", "analytics", "django_celery_beat")


def see(*models: str) -> set[str]:
    return {f"{app}.view_{model}" for app, model in (name.split(".") for name in models)}


def write(*models: str) -> set[str]:
    return {
        f"{app}.{verb}_{model}"
        for app, model in (name.split(".") for name in models)
        for verb in ("view", "add", "change")
    }


PLACES = see("members.store", "members.brand", "members.channel")
TIERS = see("loyalty.tier", "loyalty.ladderversion", "loyalty.tierstanding", "loyalty.tierchange")
TRADE = see("rewards.purchase", "rewards.purchasereturn", "rewards.product", "rewards.category")
POINTS = see("rewards.ledgerentry", "rewards.earnrule")
SHELF = see("rewards.reward", "rewards.redemption", "rewards.voucher", "rewards.vouchertemplate")
CAMPAIGNS = see("campaigns.promotion", "campaigns.message", "campaigns.messagetemplate")
FIGURES = see("analytics.dayfigures")
MEMBERS = see("members.member")

SERVICE = (
    MEMBERS
    | {"members.change_member", "members.view_personal_data"}
    | PLACES
    | TIERS
    | TRADE
    | POINTS
    | SHELF
    | CAMPAIGNS
)
SUPERVISOR = SERVICE | FIGURES | {"campaigns.change_message"}
MARKETING = (
    MEMBERS | PLACES | TIERS | TRADE | POINTS | SHELF | CAMPAIGNS | FIGURES
    | write("campaigns.promotion", "campaigns.messagetemplate", "rewards.reward", "rewards.vouchertemplate")
    | {"campaigns.change_message"}
)  # fmt: skip
FINANCE = (
    MEMBERS | PLACES | TIERS | TRADE | POINTS | SHELF | FIGURES | see("campaigns.promotion", "rewards.orderimport")
    | write("rewards.earnrule", "rewards.category", "rewards.product")
)  # fmt: skip
STORE = (
    MEMBERS
    | PLACES
    | TIERS
    | see("rewards.purchase", "rewards.purchasereturn", "campaigns.promotion")
    | SHELF
    | FIGURES
)
ANALYST = MEMBERS | PLACES | TIERS | TRADE | POINTS | SHELF | CAMPAIGNS | FIGURES | see("rewards.orderimport")
ADMINISTRATOR = (
    SUPERVISOR | MARKETING | FINANCE
    | write("members.store", "members.brand", "members.channel", "members.operator", "members.apikey", "loyalty.tier", "loyalty.ladderversion")
    | see("members.programme", "members.subscription", "members.parkedentry", "django_celery_beat.periodictask")
    | {"members.change_programme", "members.change_parkedentry", "django_celery_beat.change_periodictask"}
)  # fmt: skip

ROLES = {
    "service": SERVICE,
    "service supervisor": SUPERVISOR,
    "marketing": MARKETING,
    "finance": FINANCE,
    "store": STORE,
    "administrator": ADMINISTRATOR,
    "analyst": ANALYST,
}


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    for label in APPS:
        config = apps.get_app_config(label)
        config.models_module = True  # the stub of a past state has none, and is passed over without it
        create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission")
    known = {
        f"{row.content_type.app_label}.{row.codename}": row for row in permission.objects.select_related("content_type")
    }
    for name, rights in ROLES.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_schedules"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("campaigns", "0001_promotions_and_messages"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0001_ladder_and_standing"),
        ("members", "0001_ground_floor"),
        ("rewards", "0001_ledger_purchases_rewards"),
    ]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
