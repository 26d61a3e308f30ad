"""What each role may do with members, merges, segments, consents, imports, exports and risks; and when their beats run.

A group that exists keeps what it has and gets what is missing here.
"""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def see(*models: str) -> set[str]:
    return {f"members.view_{model}" for model in models}


def write(*models: str) -> set[str]:
    return {f"members.{verb}_{model}" for model in models for verb in ("view", "add", "change")}


def may(*codes: str) -> set[str]:
    return {f"members.{code}" for code in codes}


SETTINGS = ("region", "recruitingsource", "closingreason", "memberattribute", "attributechoice", "onboardingtask")

SERVICE = (
    see("card", "memberfreeze", "closure", "merge", "duplicatepair", "consententry", "privacyrequest", "behaviour", "tag")
    | see("segment", "riskreview")
    | may("add_member", "change_card", "change_identity", "merge_members", "record_consent", "handle_privacyrequest", "put_tags")
)  # fmt: skip
SUPERVISOR = (
    SERVICE | see("consenttext", "riskrule", "memberexport", "memberimport", *SETTINGS)
    | may("close_member", "correct_birthday", "view_sensitive_attributes", "decide_riskreview", "import_members", "export_members")
)  # fmt: skip
MARKETING = (
    see("memberfreeze", "closure", "consententry", "consenttext", "behaviour", "memberexport", *SETTINGS)
    | write("segment", "tag")
    | may("publish_segment", "list_segment_members", "put_tags", "export_members")
)  # fmt: skip
STORE = see("card") | may("add_member", "change_card")
ANALYST = see(
    "memberfreeze", "closure", "merge", "duplicatepair", "consententry", "consenttext", "behaviour", "segment", "tag",
    "riskreview", "riskrule", "memberexport", "memberimport", *SETTINGS,
)  # fmt: skip
FINANCE = see("memberexport", "memberimport", "merge", "riskreview")
ADMINISTRATOR = (
    SUPERVISOR | MARKETING | STORE | ANALYST
    | write("cardbatch", "riskrule", *SETTINGS)
    | may("publish_consenttext", "export_unmasked", "delete_tag", "delete_segment")
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

# name, task, every so many seconds
BY_INTERVAL = (
    ("解除到期冻结 · End freezes that are over", "members.release_freezes", 300),
    ("办理退会 · Close memberships that are due", "members.close_due_memberships", 600),
    ("注销个人信息 · Erase persons that are due", "members.erase_due_persons", 3600),
    ("人群随时间更新 · Let segments follow time", "members.follow_time", 60),
    ("核对人群 · Compare segments", "members.compare_segments", 60),
)
# name, task, hour, minute
BY_CLOCK = (
    ("查找重复会员 · Find duplicate members", "members.find_duplicates", "2", "40"),
    ("开始核对人群 · Begin comparing segments", "members.begin_comparing_segments", "1", "30"),
    ("风险规则 · Run the risk rules", "members.run_risk_rules", "3", "0"),
    ("清理登录尝试 · Forget tries to sign in", "members.forget_sign_in_tries", "3", "45"),
    ("清理浏览行为 · Forget behaviours in passing", "members.forget_behaviours", "3", "50"),
    ("清理导入导出 · Forget imports and exports", "members.forget_imports_and_exports", "3", "55"),
    ("结清已注销会员 · Settle erased members", "rewards.settle_erased", "4", "20"),
)


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("members")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission")
    known = {f"members.{row.codename}": row for row in permission.objects.filter(content_type__app_label="members")}
    for name, rights in ROLES.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, seconds in BY_INTERVAL:
        every = interval.objects.filter(every=seconds, period="seconds").first() or interval.objects.create(
            every=seconds, period="seconds"
        )
        periodic_task.objects.get_or_create(
            name=name, defaults={"task": task, "interval": every, "expire_seconds": 2 * seconds}
        )
    for name, task, hour, minute in BY_CLOCK:
        when = {
            "minute": minute, "hour": hour, "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
            "timezone": "Asia/Shanghai",
        }  # fmt: skip
        clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
        periodic_task.objects.get_or_create(name=name, defaults={"task": task, "crontab": clock})


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0006_close_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0014_risk_and_access"),
        ("rewards", "0016_merge_kind"),
    ]
    operations = [
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
