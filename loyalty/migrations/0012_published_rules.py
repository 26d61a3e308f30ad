"""Versions of the public page of the programme, append-only; who sees them in the portal; and the beat that makes them."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# What is public anyway may be seen by everybody who reads the rules in the portal.
ROLES = ("service", "service supervisor", "marketing", "finance", "store", "administrator", "analyst")
RIGHT = "view_publishedrules"
TASK = "发布会员规则 · Publish the rules"
SECONDS = 60


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("loyalty")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    right = apps.get_model("auth", "Permission").objects.get(content_type__app_label="loyalty", codename=RIGHT)
    for name in ROLES:
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(right)


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every = interval.objects.filter(every=SECONDS, period="seconds").first() or interval.objects.create(
        every=SECONDS, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "loyalty.publish_rules", "interval": every, "expire_seconds": 2 * SECONDS}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0011_review_runs"),
    ]
    operations = [
        migrations.CreateModel(
            name="PublishedRules",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True, verbose_name="version")),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("published_at", models.DateTimeField(verbose_name="published at")),
                (
                    "content_hash",
                    models.CharField(
                        help_text="SHA-256 of what the page says, in all languages.",
                        max_length=64,
                        verbose_name="checksum",
                    ),
                ),
                ("pages", models.JSONField(verbose_name="page by language")),
                ("changes", models.JSONField(default=dict, verbose_name="changes by language")),
                (
                    "replaces",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="loyalty.publishedrules",
                        verbose_name="replaces what was announced",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of the published rules",
                "verbose_name_plural": "published rules",
                "ordering": ["-number"],
                "indexes": [models.Index(fields=["valid_from", "number"], name="published_rules_by_moment")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("valid_from__gte", models.F("published_at"))),
                        name="rules_are_published_before_they_hold",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("content_hash__regex", "^[0-9a-f]{64}$")),
                        name="published_rules_have_a_checksum",
                    ),
                ],
            },
        ),
        migrations.RunSQL(refuse_changes_sql("loyalty_publishedrules"), migrations.RunSQL.noop),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
