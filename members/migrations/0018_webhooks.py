"""Webhooks: endpoints, deliveries, secrets."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# Events are sent of what happens from now on.
READER = """
INSERT INTO members_subscription (name, epoch, xact, entry_id)
SELECT 'members.webhooks', epoch, xact, id FROM members_timelineentry ORDER BY epoch DESC, xact DESC, id DESC LIMIT 1
ON CONFLICT DO NOTHING
"""


def make_schedules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval, _made = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=10, period="seconds"
    )
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    when = {
        "minute": "15", "hour": "4", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    tasks.get_or_create(
        name="发送到期的 Webhook · Send webhooks that are due",
        defaults={"task": "members.send_due_webhooks", "interval": interval, "expire_seconds": 60},
    )
    tasks.get_or_create(
        name="清理旧的 Webhook 记录 · Forget old webhook deliveries",
        defaults={"task": "members.forget_webhook_deliveries", "crontab": clock},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0017_devices_and_codes"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations: list[migrations.operations.base.Operation] = [
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event", models.UUIDField(verbose_name="event")),
                ("type", models.CharField(max_length=40, verbose_name="type of event")),
                ("entry_id", models.BigIntegerField(verbose_name="entry of the timeline")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("failed", "failed, will be tried again"),
                            ("given_up", "given up"),
                            ("delivered", "delivered"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                ("created_at", models.DateTimeField(verbose_name="planned at")),
                ("next_at", models.DateTimeField(verbose_name="next try")),
                ("tried_at", models.DateTimeField(blank=True, null=True, verbose_name="last try")),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="HTTP status")),
                (
                    "fault",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("status", "it answered with an error"),
                            ("redirect", "it answered with a redirect, which is not followed"),
                            ("timeout", "it did not answer in time"),
                            ("connection", "there was no connection"),
                            ("tls", "its certificate is not valid"),
                            ("address", "nothing may be sent to this address"),
                            ("no_event", "the event does not exist any more"),
                        ],
                        default="",
                        max_length=12,
                        verbose_name="what went wrong",
                    ),
                ),
                (
                    "took_ms",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="time taken, in milliseconds"),
                ),
                ("answer", models.CharField(blank=True, max_length=300, verbose_name="beginning of the answer")),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        editable=False,
                        unique=True,
                        verbose_name="public id",
                    ),
                ),
                ("url", models.CharField(max_length=500, verbose_name="address")),
                ("description", models.CharField(blank=True, max_length=120, verbose_name="what it is for")),
                (
                    "types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), verbose_name="events"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "active"),
                            ("paused", "paused"),
                            ("disabled", "switched off"),
                            ("removed", "removed"),
                        ],
                        default="active",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("owner", "its owner wanted it"),
                            ("staff", "staff wanted it"),
                            ("gone", "it answered that it is gone for good (410)"),
                            ("failing", "it failed for days"),
                        ],
                        default="",
                        max_length=10,
                        verbose_name="reason of the state",
                    ),
                ),
                ("secret", models.BinaryField(verbose_name="secret")),
                ("earlier_secret", models.BinaryField(null=True, verbose_name="earlier secret")),
                (
                    "earlier_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="earlier secret signs until"),
                ),
                ("version", models.PositiveIntegerField(default=1, verbose_name="version")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("delivered_at", models.DateTimeField(blank=True, null=True, verbose_name="last delivery")),
                ("failing_since", models.DateTimeField(blank=True, null=True, verbose_name="failing since")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures in a row")),
                ("served_at", models.DateTimeField(blank=True, null=True, verbose_name="last served at")),
                ("busy_until", models.DateTimeField(blank=True, null=True, verbose_name="being served until")),
                ("rest_until", models.DateTimeField(blank=True, null=True, verbose_name="rests until")),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpointEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        editable=False,
                        verbose_name="public id",
                    ),
                ),
                ("url", models.CharField(max_length=500, verbose_name="address")),
                ("description", models.CharField(blank=True, max_length=120, verbose_name="what it is for")),
                (
                    "types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), verbose_name="events"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "active"),
                            ("paused", "paused"),
                            ("disabled", "switched off"),
                            ("removed", "removed"),
                        ],
                        default="active",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("owner", "its owner wanted it"),
                            ("staff", "staff wanted it"),
                            ("gone", "it answered that it is gone for good (410)"),
                            ("failing", "it failed for days"),
                        ],
                        default="",
                        max_length=10,
                        verbose_name="reason of the state",
                    ),
                ),
                (
                    "earlier_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="earlier secret signs until"),
                ),
                ("version", models.PositiveIntegerField(default=1, verbose_name="version")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("delivered_at", models.DateTimeField(blank=True, null=True, verbose_name="last delivery")),
                ("failing_since", models.DateTimeField(blank=True, null=True, verbose_name="failing since")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="failures in a row")),
                ("served_at", models.DateTimeField(blank=True, null=True, verbose_name="last served at")),
                ("busy_until", models.DateTimeField(blank=True, null=True, verbose_name="being served until")),
                ("rest_until", models.DateTimeField(blank=True, null=True, verbose_name="rests until")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="key",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.apikey",
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="endpoint",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="members.webhookendpoint",
                verbose_name="webhook",
            ),
        ),
        migrations.AddField(
            model_name="webhookendpointevent",
            name="key",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.apikey",
                verbose_name="owner",
            ),
        ),
        migrations.AddField(
            model_name="webhookendpointevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="webhookendpointevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.webhookendpoint",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("types__len__gt", 0)), name="webhook_is_told_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused", "disabled", "removed"])),
                name="webhook_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "active"), ("why", "")),
                    models.Q(models.Q(("state", "active"), _negated=True), models.Q(("why", ""), _negated=True)),
                    _connector="OR",
                ),
                name="webhook_that_is_not_active_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("earlier_secret__isnull", True), ("earlier_until__isnull", True)),
                    models.Q(("earlier_secret__isnull", False), ("earlier_until__isnull", False)),
                    _connector="OR",
                ),
                name="earlier_webhook_secret_ends",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="webhookendpoint",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_webhookendpointevent" ("busy_until", "created_at", "delivered_at", "description", "earlier_until", "failing_since", "failures", "id", "key_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "rest_until", "served_at", "state", "types", "url", "version", "why") VALUES (NEW."busy_until", NEW."created_at", NEW."delivered_at", NEW."description", NEW."earlier_until", NEW."failing_since", NEW."failures", NEW."id", NEW."key_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."rest_until", NEW."served_at", NEW."state", NEW."types", NEW."url", NEW."version", NEW."why"); RETURN NULL;',
                    hash="41b8c77a1c8cccb90788bb48de893eaa90cd4efb",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_93270",
                    table="members_webhookendpoint",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="webhookendpoint",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."earlier_until" IS DISTINCT FROM (NEW."earlier_until") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."key_id" IS DISTINCT FROM (NEW."key_id") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."state" IS DISTINCT FROM (NEW."state") OR OLD."types" IS DISTINCT FROM (NEW."types") OR OLD."url" IS DISTINCT FROM (NEW."url") OR OLD."version" IS DISTINCT FROM (NEW."version") OR OLD."why" IS DISTINCT FROM (NEW."why"))',
                    func='INSERT INTO "members_webhookendpointevent" ("busy_until", "created_at", "delivered_at", "description", "earlier_until", "failing_since", "failures", "id", "key_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "rest_until", "served_at", "state", "types", "url", "version", "why") VALUES (NEW."busy_until", NEW."created_at", NEW."delivered_at", NEW."description", NEW."earlier_until", NEW."failing_since", NEW."failures", NEW."id", NEW."key_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."rest_until", NEW."served_at", NEW."state", NEW."types", NEW."url", NEW."version", NEW."why"); RETURN NULL;',
                    hash="08748d46f578ced1934caf30767deecf6ddd58da",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_6a321",
                    table="members_webhookendpoint",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="webhookendpoint",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_webhookendpointevent" ("busy_until", "created_at", "delivered_at", "description", "earlier_until", "failing_since", "failures", "id", "key_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "rest_until", "served_at", "state", "types", "url", "version", "why") VALUES (OLD."busy_until", OLD."created_at", OLD."delivered_at", OLD."description", OLD."earlier_until", OLD."failing_since", OLD."failures", OLD."id", OLD."key_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."rest_until", OLD."served_at", OLD."state", OLD."types", OLD."url", OLD."version", OLD."why"); RETURN NULL;',
                    hash="3428ae51eceb43bb8d30e7196ab3643d600828a4",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_454ef",
                    table="members_webhookendpoint",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "failed"])),
                fields=["endpoint", "next_at"],
                name="webhook_deliveries_due",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state__in", ["failed", "given_up"])),
                fields=["-id"],
                name="webhook_deliveries_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["endpoint", "created_at", "id"], name="webhook_deliveries_by_moment"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(fields=("endpoint", "event"), name="event_goes_to_a_webhook_once"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "failed", "given_up", "delivered"])),
                name="webhook_delivery_state_is_known",
            ),
        ),
        migrations.RunSQL(refuse_changes_sql("members_webhookendpointevent"), migrations.RunSQL.noop),
        migrations.RunSQL(READER, migrations.RunSQL.noop),
        migrations.RunPython(make_schedules, migrations.RunPython.noop),
    ]
