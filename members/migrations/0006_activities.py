"""What members do besides buying: the kinds, with those that every installation begins with, and the history itself."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# The code is written into each row, so that readers need no look-up; the key keeps it a known one.
KIND_IS_KNOWN = """
ALTER TABLE members_activity ADD CONSTRAINT activity_kind_is_known
    FOREIGN KEY (kind) REFERENCES members_activitykind (code);
"""

# code, whether members' apps may tell it, zh-Hans, zh-Hant, English
KINDS = [
    ("check_in", False, "签到", "簽到", "Check-in"),
    ("review", False, "评价", "評價", "Review"),
    ("share", True, "分享", "分享", "Share"),
    ("survey", False, "问卷", "問卷", "Survey"),
    ("referral", False, "邀请好友", "邀請好友", "Referral"),
    ("profile_completed", False, "完善资料", "完善資料", "Profile completed"),
    ("event_visit", False, "参加活动", "參加活動", "Event visit"),
]


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    kinds = apps.get_model("members", "ActivityKind").objects
    for code, is_open, hans, hant, english in KINDS:
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        kinds.get_or_create(code=code, defaults={"is_open_to_members": is_open, **names})


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0005_configuration_history"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.SlugField(db_index=False, max_length=30, verbose_name="behaviour")),
                ("source", models.CharField(max_length=40, verbose_name="source")),
                ("external_ref", models.CharField(max_length=80, verbose_name="reference in the source")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                ("value", models.IntegerField(null=True, verbose_name="figure")),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.channel",
                        verbose_name="channel",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.store",
                        verbose_name="store",
                    ),
                ),
            ],
            options={
                "verbose_name": "activity",
                "verbose_name_plural": "activities",
            },
        ),
        migrations.CreateModel(
            name="ActivityKindEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False,
                        help_text="How apps and shops name it. It can not be changed later.",
                        max_length=30,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="behaviour")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: new ones are refused; the old ones stay.", verbose_name="recorded"
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=False,
                        help_text="On: the member's own app may report it. Leave it off for whatever is worth points and can not be checked.",
                        verbose_name="members' apps may tell it",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ActivityKind",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SlugField(
                        help_text="How apps and shops name it. It can not be changed later.",
                        max_length=30,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="behaviour")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="behaviour")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: new ones are refused; the old ones stay.", verbose_name="recorded"
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=False,
                        help_text="On: the member's own app may report it. Leave it off for whatever is worth points and can not be checked.",
                        verbose_name="members' apps may tell it",
                    ),
                ),
            ],
            options={
                "verbose_name": "kind of behaviour",
                "verbose_name_plural": "kinds of behaviour",
                "ordering": ["code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[a-z][a-z0-9_]*$")), name="activity_kind_code_is_a_word"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="activitykindevent",
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
            model_name="activitykindevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.activitykind",
            ),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(fields=["member", "kind", "happened_at"], name="activities_of_member"),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(fields=["-happened_at", "-id"], name="activity_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.UniqueConstraint(
                fields=("source", "kind", "external_ref"), name="activity_is_recorded_once"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activitykind",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="f371ecc06cbb834ff55fb5f436818cab1e40994e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_8c2bf",
                    table="members_activitykind",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activitykind",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="faa44d38b1771e27024c33ed77813f1cf9921d7d",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_50e93",
                    table="members_activitykind",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activitykind",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."is_open_to_members", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="aded140c6399aa4efba99658ad317c8feb5eb02f",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_dcaaf",
                    table="members_activitykind",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(KIND_IS_KNOWN, migrations.RunSQL.noop),
        migrations.RunSQL(
            "".join(refuse_changes_sql(table) for table in ("members_activity", "members_activitykindevent")),
            migrations.RunSQL.noop,
        ),
        migrations.RunPython(make, migrations.RunPython.noop),
    ]
