"""Devices: activation by a one-time code, keys that overlap; rotating codes of members."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TASK = "清理会员码与签名记录 · Forget used codes and signed calls"


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    when = {
        "minute": "25", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "members.forget_shown_codes", "crontab": clock}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0016_member_sign_in"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("family", models.UUIDField(verbose_name="family")),
                ("business_date", models.DateField(verbose_name="business day")),
                ("points", models.BigIntegerField(verbose_name="points")),
            ],
            options={
                "verbose_name": "day of a key",
                "verbose_name_plural": "days of keys",
            },
        ),
        migrations.CreateModel(
            name="KeyUse",
            fields=[
                (
                    "key",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="members.apikey",
                        verbose_name="till key",
                    ),
                ),
                ("last_used_at", models.DateTimeField(verbose_name="last used at")),
            ],
            options={
                "verbose_name": "use of a key",
                "verbose_name_plural": "uses of keys",
            },
        ),
        migrations.CreateModel(
            name="MemberAtTill",
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
                (
                    "by",
                    models.CharField(
                        choices=[("code", "member code"), ("card", "card"), ("sms", "one-time code by text message")],
                        max_length=4,
                        verbose_name="shown by",
                    ),
                ),
                ("code_owner", models.BigIntegerField(null=True, verbose_name="member of the code")),
                ("place", models.PositiveSmallIntegerField(null=True, verbose_name="place")),
                ("step", models.BigIntegerField(null=True, verbose_name="half minute of the code")),
                ("shown_at", models.DateTimeField(verbose_name="shown at")),
                ("good_until", models.DateTimeField(verbose_name="good until")),
            ],
            options={
                "verbose_name": "member at a till",
                "verbose_name_plural": "members at tills",
            },
        ),
        migrations.CreateModel(
            name="MemberCodeDevice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(editable=False, unique=True, verbose_name="public id")),
                ("place", models.PositiveSmallIntegerField(verbose_name="place")),
                ("nonce", models.BinaryField(max_length=16, verbose_name="what the seed is derived from")),
                ("drift_steps", models.SmallIntegerField(default=0, verbose_name="half minutes its clock is ahead")),
                ("seeded_at", models.DateTimeField(verbose_name="last given a seed at")),
            ],
            options={
                "verbose_name": "phone that shows a code",
                "verbose_name_plural": "phones that show a code",
            },
        ),
        migrations.CreateModel(
            name="SignedCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nonce_sha256", models.BinaryField(max_length=32, verbose_name="hash of the nonce")),
                ("signed_at", models.DateTimeField(verbose_name="signed at")),
            ],
            options={
                "verbose_name": "signed call",
                "verbose_name_plural": "signed calls",
            },
        ),
        migrations.CreateModel(
            name="TillActivation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_hmac", models.BinaryField(max_length=32, unique=True, verbose_name="hash of the code")),
                ("name", models.CharField(max_length=80, verbose_name="name of the till")),
                ("source", models.SlugField(max_length=40, verbose_name="source of orders")),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), verbose_name="scopes"
                    ),
                ),
                (
                    "daily_points_ceiling",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="points a day at most"),
                ),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used at")),
                ("device", models.CharField(blank=True, max_length=120, verbose_name="what the till says it is")),
            ],
            options={
                "verbose_name": "activation of a till",
                "verbose_name_plural": "activations of tills",
            },
        ),
        migrations.AlterModelOptions(
            name="apikey",
            options={
                "permissions": [("activate_till", "Can activate tills in their stores")],
                "verbose_name": "till key",
                "verbose_name_plural": "till keys",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="apikey",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="apikey",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="apikey",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="apikey",
            name="daily_points_ceiling",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="points a day at most"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="ends_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ends at"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="family",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, verbose_name="family"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43), blank=True, default=list, verbose_name="networks"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="replaces",
            field=models.OneToOneField(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="members.apikey",
                verbose_name="takes the place of",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="signing_overlap_until",
            field=models.DateTimeField(
                editable=False, null=True, verbose_name="the signing secret before is good until"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="signing_version",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, editable=False, verbose_name="version of the signing secret"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="stores",
            field=models.ManyToManyField(
                blank=True,
                help_text="For servers that act for several stores. Tills need none.",
                related_name="+",
                to="members.store",
                verbose_name="more stores",
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="daily_points_ceiling",
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name="points a day at most"),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="ends_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ends at"),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="family",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, verbose_name="family"
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43), blank=True, default=list, verbose_name="networks"
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="replaces",
            field=models.ForeignKey(
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.apikey",
                verbose_name="takes the place of",
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="signing_overlap_until",
            field=models.DateTimeField(
                editable=False, null=True, verbose_name="the signing secret before is good until"
            ),
        ),
        migrations.AddField(
            model_name="apikeyevent",
            name="signing_version",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, editable=False, verbose_name="version of the signing secret"
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.channel",
                verbose_name="channel",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="created_at",
            field=models.DateTimeField(editable=False, verbose_name="created at"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="key_sha256",
            field=models.BinaryField(max_length=32, unique=True, verbose_name="hash of the key"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="name",
            field=models.CharField(max_length=80, verbose_name="name of the till"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="prefix",
            field=models.CharField(editable=False, max_length=16, verbose_name="beginning of the key"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="public_id",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                editable=False,
                unique=True,
                verbose_name="public id",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="revoked_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked at"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), verbose_name="scopes"
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="source",
            field=models.SlugField(
                help_text="Order numbers are unique within a source; tills that share numbers share it.",
                max_length=40,
                verbose_name="source of orders",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="store",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.store", verbose_name="store"
            ),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="channel",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.channel",
                verbose_name="channel",
            ),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="created_at",
            field=models.DateTimeField(editable=False, verbose_name="created at"),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="name",
            field=models.CharField(max_length=80, verbose_name="name of the till"),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="prefix",
            field=models.CharField(editable=False, max_length=16, verbose_name="beginning of the key"),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="public_id",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, verbose_name="public id"
            ),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="revoked_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked at"),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), verbose_name="scopes"
            ),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="source",
            field=models.SlugField(
                db_index=False,
                help_text="Order numbers are unique within a source; tills that share numbers share it.",
                max_length=40,
                verbose_name="source of orders",
            ),
        ),
        migrations.AlterField(
            model_name="apikeyevent",
            name="store",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.store",
                verbose_name="store",
            ),
        ),
        migrations.AddIndex(
            model_name="apikey",
            index=models.Index(
                condition=models.Q(("revoked_at__isnull", True)), fields=["ends_at"], name="keys_by_end"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_apikeyevent" ("channel_id", "created_at", "daily_points_ceiling", "ends_at", "family", "id", "name", "networks", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "public_id", "replaces_id", "revoked_at", "scopes", "signing_overlap_until", "signing_version", "source", "store_id") VALUES (NEW."channel_id", NEW."created_at", NEW."daily_points_ceiling", NEW."ends_at", NEW."family", NEW."id", NEW."name", NEW."networks", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."prefix", NEW."public_id", NEW."replaces_id", NEW."revoked_at", NEW."scopes", NEW."signing_overlap_until", NEW."signing_version", NEW."source", NEW."store_id"); RETURN NULL;',
                    hash="72bbdd699f18d6e36dd121ba2e5bc98125960f81",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_e37cc",
                    table="members_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."channel_id" IS DISTINCT FROM (NEW."channel_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."daily_points_ceiling" IS DISTINCT FROM (NEW."daily_points_ceiling") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."family" IS DISTINCT FROM (NEW."family") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."networks" IS DISTINCT FROM (NEW."networks") OR OLD."prefix" IS DISTINCT FROM (NEW."prefix") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."replaces_id" IS DISTINCT FROM (NEW."replaces_id") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."scopes" IS DISTINCT FROM (NEW."scopes") OR OLD."signing_overlap_until" IS DISTINCT FROM (NEW."signing_overlap_until") OR OLD."signing_version" IS DISTINCT FROM (NEW."signing_version") OR OLD."source" IS DISTINCT FROM (NEW."source") OR OLD."store_id" IS DISTINCT FROM (NEW."store_id"))',
                    func='INSERT INTO "members_apikeyevent" ("channel_id", "created_at", "daily_points_ceiling", "ends_at", "family", "id", "name", "networks", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "public_id", "replaces_id", "revoked_at", "scopes", "signing_overlap_until", "signing_version", "source", "store_id") VALUES (NEW."channel_id", NEW."created_at", NEW."daily_points_ceiling", NEW."ends_at", NEW."family", NEW."id", NEW."name", NEW."networks", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."prefix", NEW."public_id", NEW."replaces_id", NEW."revoked_at", NEW."scopes", NEW."signing_overlap_until", NEW."signing_version", NEW."source", NEW."store_id"); RETURN NULL;',
                    hash="3f32f289de3cf1a4e8bada99e33746a94e3f3c5d",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_08d19",
                    table="members_apikey",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apikey",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_apikeyevent" ("channel_id", "created_at", "daily_points_ceiling", "ends_at", "family", "id", "name", "networks", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "public_id", "replaces_id", "revoked_at", "scopes", "signing_overlap_until", "signing_version", "source", "store_id") VALUES (OLD."channel_id", OLD."created_at", OLD."daily_points_ceiling", OLD."ends_at", OLD."family", OLD."id", OLD."name", OLD."networks", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."prefix", OLD."public_id", OLD."replaces_id", OLD."revoked_at", OLD."scopes", OLD."signing_overlap_until", OLD."signing_version", OLD."source", OLD."store_id"); RETURN NULL;',
                    hash="8bf994dfd0bb26720673965ef6c0beff159c728a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_91122",
                    table="members_apikey",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_at__isnull", True), ("ends_at__gte", models.F("created_at")), _connector="OR"
                ),
                name="api_key_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("daily_points_ceiling__isnull", True), ("daily_points_ceiling__gt", 0), _connector="OR"
                ),
                name="ceiling_of_a_key_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("signing_version__gt", 0)), name="signing_secrets_begin_with_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="keyday",
            constraint=models.UniqueConstraint(fields=("family", "business_date"), name="day_of_a_key_is_counted_once"),
        ),
        migrations.AddConstraint(
            model_name="keyday",
            constraint=models.CheckConstraint(
                condition=models.Q(("points__gte", 0)), name="points_of_a_key_are_not_negative"
            ),
        ),
        migrations.AddField(
            model_name="memberattill",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.apikey",
                verbose_name="till key",
            ),
        ),
        migrations.AddField(
            model_name="memberattill",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="membercodedevice",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="code_devices",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="membercodedevice",
            name="session",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="code_device",
                to="members.membersession",
                verbose_name="session",
            ),
        ),
        migrations.AddField(
            model_name="signedcall",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.apikey",
                verbose_name="till key",
            ),
        ),
        migrations.AddField(
            model_name="tillactivation",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.channel",
                verbose_name="channel",
            ),
        ),
        migrations.AddField(
            model_name="tillactivation",
            name="key",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="activation",
                to="members.apikey",
                verbose_name="till key",
            ),
        ),
        migrations.AddField(
            model_name="tillactivation",
            name="store",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.store", verbose_name="store"
            ),
        ),
        migrations.AddIndex(
            model_name="memberattill",
            index=models.Index(fields=["key", "member", "-good_until"], name="members_at_a_till"),
        ),
        migrations.AddIndex(
            model_name="memberattill",
            index=models.Index(fields=["shown_at"], name="members_at_tills_by_age"),
        ),
        migrations.AddConstraint(
            model_name="memberattill",
            constraint=models.UniqueConstraint(fields=("code_owner", "place", "step"), name="code_is_used_up_once"),
        ),
        migrations.AddConstraint(
            model_name="memberattill",
            constraint=models.CheckConstraint(
                condition=models.Q(("by__in", ["code", "card", "sms"])), name="way_to_show_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattill",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("by", "code"), ("code_owner__isnull", False), ("place__isnull", False), ("step__isnull", False)
                    ),
                    models.Q(
                        models.Q(("by", "code"), _negated=True),
                        ("code_owner__isnull", True),
                        ("place__isnull", True),
                        ("step__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="only_codes_are_used_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattill",
            constraint=models.CheckConstraint(
                condition=models.Q(("good_until__gt", models.F("shown_at"))), name="showing_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="membercodedevice",
            constraint=models.UniqueConstraint(fields=("member", "place"), name="place_of_a_phone_is_taken_once"),
        ),
        migrations.AddConstraint(
            model_name="membercodedevice",
            constraint=models.CheckConstraint(
                condition=models.Q(("place__gte", 1), ("place__lte", 9)), name="phones_have_nine_places"
            ),
        ),
        migrations.AddConstraint(
            model_name="membercodedevice",
            constraint=models.CheckConstraint(
                condition=models.Q(("drift_steps__gte", -4), ("drift_steps__lte", 4)),
                name="drift_of_a_phone_is_bounded",
            ),
        ),
        migrations.AddIndex(
            model_name="signedcall",
            index=models.Index(fields=["signed_at"], name="signed_calls_by_age"),
        ),
        migrations.AddConstraint(
            model_name="signedcall",
            constraint=models.UniqueConstraint(fields=("key", "nonce_sha256"), name="nonce_of_a_key_is_used_once"),
        ),
        migrations.AddConstraint(
            model_name="tillactivation",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("made_at"))), name="activation_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="tillactivation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("key__isnull", True), ("used_at__isnull", True)),
                    models.Q(("key__isnull", False), ("used_at__isnull", False)),
                    _connector="OR",
                ),
                name="activation_that_was_used_has_a_key",
            ),
        ),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
