"""What each role may do with jobs, proposals, activities, rules, adjustments, expiry, month close and proof.

A group that exists keeps what it has and gets what is missing here.
"""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

APPS = ("members", "rewards")


def see(*models: str) -> set[str]:
    return {f"{app}.view_{model}" for app, model in (name.split(".") for name in models)}


def write(*models: str) -> set[str]:
    return {
        f"{app}.{verb}_{model}"
        for app, model in (name.split(".") for name in models)
        for verb in ("view", "add", "change")
    }


WORK = see("members.job", "members.proposal")
BEHAVIOUR = see("members.activity", "members.activitykind")
RULES = see("rewards.earnrule", "rewards.earnruleversion", "rewards.programmecap")
BUDGETS = see("rewards.budget", "rewards.budgetslice", "rewards.capcounter")
EXPIRY = see("rewards.expirypolicy", "rewards.expirywarning")
POLICIES = see(
    "rewards.pointscurrency",
    "rewards.arrearslimit",
    "rewards.pointsrate",
    "rewards.transferpolicy",
    "rewards.reasoncode",
)
BY_HAND = see(
    "rewards.adjustment", "rewards.adjustmentbatch", "rewards.pointstransfer", "rewards.donation", "rewards.partnerconversion",
    "rewards.hold", "rewards.charityproject", "rewards.partner",
)  # fmt: skip
BOOKS = see("rewards.monthclose", "rewards.closingaccount", "rewards.ledgerverification")

SERVICE = (
    WORK | BEHAVIOUR | RULES | EXPIRY | POLICIES | BY_HAND | see("members.decision")
    | {
        "rewards.adjust_points", "rewards.correct_points", "rewards.transfer_points", "rewards.donate_points",
        "rewards.convert_points", "rewards.give_back_hold",
    }
)  # fmt: skip
SUPERVISOR = SERVICE | {
    "members.approve_proposal", "rewards.write_off_arrears", "rewards.batch_adjust", "rewards.extend_lots",
}  # fmt: skip
MARKETING = (
    WORK | BEHAVIOUR | RULES | BUDGETS | EXPIRY | POLICIES | see("rewards.charityproject", "rewards.partner")
    | write("rewards.earnrule", "rewards.earnruleversion", "rewards.programmecap", "members.activitykind")
    | {"rewards.publish_earnruleversion", "rewards.extend_lots"}
)  # fmt: skip
FINANCE = (
    WORK | BEHAVIOUR | RULES | BUDGETS | EXPIRY | POLICIES | BY_HAND | BOOKS | see("rewards.ledgerseal", "rewards.ledgeranchor")
    | write(
        "rewards.expirypolicy", "rewards.pointscurrency", "rewards.arrearslimit", "rewards.pointsrate", "rewards.transferpolicy",
        "rewards.reasoncode", "rewards.partner", "rewards.charityproject",
    )
    | {
        "members.approve_proposal", "rewards.adjust_points", "rewards.correct_points", "rewards.write_off_arrears",
        "rewards.batch_adjust", "rewards.transfer_points", "rewards.donate_points", "rewards.convert_points",
        "rewards.exchange_partner_files", "rewards.extend_lots", "rewards.lock_month", "rewards.change_closingaccount",
        "rewards.export_ledgeranchor", "rewards.run_ledgerverification",
    }
)  # fmt: skip
STORE = BEHAVIOUR | RULES | see("members.decision")
ANALYST = WORK | BEHAVIOUR | RULES | BUDGETS | EXPIRY | POLICIES | BY_HAND | BOOKS | see("members.decision")
ADMINISTRATOR = (
    SUPERVISOR | MARKETING | FINANCE
    | write("members.operatorlimit", "members.approvalrule", "members.ownmembership")
    | {"members.change_job", "members.delete_ownmembership"}
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
        ("analytics", "0004_points_adjusted"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("members", "0008_decisions"),
        ("rewards", "0012_open_purchase"),
    ]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
