"""Which roles may play a till in a trial. A group that exists keeps what it has and gets what is missing here."""

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = ("administrator", "marketing", "service supervisor")


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("rewards")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    right = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="rewards", codename="use_till_simulator"
    )
    for name in ROLES:
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0008_roles_of_the_till"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("rewards", "0026_till_simulator"),
    ]

    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
