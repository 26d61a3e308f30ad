"""Finance sets when points expire, so it sees the message that tells members, and what became of it.

What stores owe each other and the vouchers that are out stand on the page of the month close, for whoever may see that.
"""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = {
    "finance": {"campaigns.view_message", "campaigns.view_messagetemplate"},
    "administrator": {"campaigns.view_message", "campaigns.view_messagetemplate", "campaigns.change_messagetemplate"},
}


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("campaigns")
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
        ("analytics", "0005_staff_roles_of_points"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("campaigns", "0006_points_expiring_message"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("rewards", "0015_voucher_events_by_moment"),
    ]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
