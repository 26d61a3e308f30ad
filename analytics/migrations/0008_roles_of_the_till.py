"""What each role may do with vouchers, rewards, the till, sign-ins of members and webhooks.

A group that exists keeps what it has and gets what is missing here.
"""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

APPS = ("members", "rewards")


def see(app: str, *models: str) -> set[str]:
    return {f"{app}.view_{model}" for model in models}


def write(app: str, *models: str) -> set[str]:
    return {f"{app}.{verb}_{model}" for model in models for verb in ("view", "add", "change")}


def may(app: str, *codes: str) -> set[str]:
    return {f"{app}.{code}" for code in codes}


SHELF = ("rewardcategory", "flashsale", "pointspayment", "memberprice")
ISSUING = ("voucherbatch", "voucheroffer", "vouchergoodwill")

SERVICE = (
    see("rewards", "voucheroffer", "vouchergoodwill", "orderhold", "rewardcategory", "flashsale")
    | may("rewards", "give_voucher", "extend_voucher", "void_voucher", "cancel_redemption", "fulfil_redemption")
    | see("rewards", "redemption", "redemptionaddress")
    | see("members", "guessingalarm")
    | may("members", "change_phone", "end_membersession")
)
SUPERVISOR = (
    SERVICE
    | see("rewards", "voucherbatch", "offlinebatch", *SHELF)
    | may("rewards", "issue_batch", "void_purchase", "give_back_orderhold", "serve_at_counter")
    | may("members", "settle_guessingalarm")
)
MARKETING = (
    write("rewards", "voucheroffer", "rewardcategory", "flashsale", "memberprice")
    | see("rewards", "voucherbatch", "vouchergoodwill", "pointspayment")
    | may("rewards", "issue_batch", "run_voucheroffer", "price_reward", "upload_digital_codes", "fulfil_redemption")
)
FINANCE = (
    see("rewards", "orderhold", "offlinebatch", *ISSUING, *SHELF)
    | write("rewards", "pointspayment")
    | may("rewards", "price_reward")
)
STORE = see("rewards", "orderhold", "offlinebatch", "redemption") | may(
    "rewards", "serve_at_counter", "fulfil_redemption", "void_purchase", "give_back_orderhold"
)
ANALYST = see("rewards", "orderhold", "offlinebatch", *ISSUING, *SHELF) | see(
    "members", "guessingalarm", "webhookendpoint", "webhookdelivery"
)
ADMINISTRATOR = (
    SUPERVISOR | MARKETING | FINANCE | STORE | ANALYST
    | write("members", "webhookendpoint", "webhookdelivery")
    | may("members", "activate_till")
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
    rows = apps.get_model("auth", "Permission").objects.filter(content_type__app_label__in=APPS)
    known = {f"{row.content_type.app_label}.{row.codename}": row for row in rows.select_related("content_type")}
    for name, rights in ROLES.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0007_roles_of_members"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("members", "0018_webhooks"),
        ("rewards", "0024_counter"),
    ]

    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
