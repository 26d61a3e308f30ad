"""Segments and tags with their history, and behaviours in passing with the kinds that every installation begins with."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# A segment is filled when it is published, so nothing that was told before is of interest.
FIRST_READING = """
INSERT INTO members_segmentclock (id, at) VALUES (1, '2000-01-01 00:00+00');
INSERT INTO members_subscription (name, epoch, xact, entry_id, advanced_at)
SELECT 'members.segments', coalesce((SELECT max(epoch) FROM members_timelineentry), 1),
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 0, now()
ON CONFLICT (name) DO NOTHING;
"""
UNDO_FIRST_READING = """
DELETE FROM members_subscription WHERE name = 'members.segments';
DELETE FROM members_segmentclock;
"""

# code, days kept, zh-Hans, zh-Hant, English
KINDS = [
    ("view", 90, "浏览", "瀏覽", "View"),
    ("search", 90, "搜索", "搜尋", "Search"),
    ("visit", 366, "到店未消费", "到店未消費", "Visit without purchase"),
]


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    kinds = apps.get_model("members", "ActivityKind").objects
    for code, days, hans, hant, english in KINDS:
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        kinds.get_or_create(code=code, defaults={"is_open_to_members": True, "kept_days": days, **names})


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0010_merges"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Behaviour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.SlugField(db_index=False, max_length=30, verbose_name="behaviour")),
                ("external_ref", models.CharField(max_length=80, verbose_name="reference in the app")),
                (
                    "subject",
                    models.CharField(blank=True, db_default="", max_length=60, verbose_name="what it was about"),
                ),
                ("value", models.IntegerField(null=True, verbose_name="figure")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                ("expires_at", models.DateTimeField(verbose_name="kept until")),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="behaviours",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "behaviour in passing",
                "verbose_name_plural": "behaviours in passing",
                "constraints": [
                    models.UniqueConstraint(fields=("member", "external_ref"), name="behaviour_is_told_once"),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("happened_at"))),
                        name="behaviour_is_kept_for_a_while",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["member", "kind", "happened_at"], name="behaviours_of_member"),
                    models.Index(fields=["-happened_at", "-id"], name="behaviour_newest_first"),
                    models.Index(fields=["expires_at"], name="behaviours_to_be_forgotten"),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since_at", models.DateTimeField(verbose_name="since")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="falls off at")),
                ("reason", models.CharField(max_length=200, verbose_name="why")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="until")),
                (
                    "end",
                    models.CharField(
                        blank=True,
                        choices=[("taken_off", "taken off"), ("expired", "fell off")],
                        db_default="",
                        max_length=10,
                        verbose_name="how it ended",
                    ),
                ),
            ],
            options={
                "verbose_name": "tag on a member",
                "verbose_name_plural": "tags on members",
            },
        ),
        migrations.CreateModel(
            name="Segment",
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
                ("name", models.CharField(max_length=80, verbose_name="segment name")),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="What it is for. For colleagues.", max_length=200, verbose_name="note"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("live", "kept up to date"), ("static", "fixed list")],
                        default="live",
                        max_length=8,
                        verbose_name="sort of segment",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("filling", "being filled"),
                            ("ready", "in use"),
                            ("retired", "retired"),
                        ],
                        default="draft",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("condition", models.JSONField(blank=True, null=True, verbose_name="condition")),
                ("number", models.PositiveSmallIntegerField(default=0, verbose_name="version of the condition")),
                ("is_of_tag", models.BooleanField(default=False, verbose_name="rule of a tag")),
                ("members_count", models.PositiveBigIntegerField(default=0, verbose_name="members")),
                ("sweep_from", models.BigIntegerField(null=True, verbose_name="compared up to this member")),
                ("compared_at", models.DateTimeField(null=True, verbose_name="last compared in full at")),
                ("counted", models.PositiveBigIntegerField(null=True, verbose_name="members counted")),
                ("counted_at", models.DateTimeField(null=True, verbose_name="counted at")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                ("retired_at", models.DateTimeField(null=True, verbose_name="retired at")),
            ],
            options={
                "verbose_name": "segment",
                "verbose_name_plural": "segments",
                "permissions": [
                    ("publish_segment", "Can publish and retire segments"),
                    ("list_segment_members", "Can see who is in a segment"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SegmentClock",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="followed until")),
            ],
            options={
                "verbose_name": "clock of segments",
                "verbose_name_plural": "clock of segments",
            },
        ),
        migrations.CreateModel(
            name="SegmentDue",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("due_at", models.DateTimeField(verbose_name="to be asked again at")),
            ],
            options={
                "verbose_name": "member to be asked again",
                "verbose_name_plural": "members to be asked again",
            },
        ),
        migrations.CreateModel(
            name="SegmentEvent",
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
                ("name", models.CharField(max_length=80, verbose_name="segment name")),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="What it is for. For colleagues.", max_length=200, verbose_name="note"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("live", "kept up to date"), ("static", "fixed list")],
                        default="live",
                        max_length=8,
                        verbose_name="sort of segment",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("filling", "being filled"),
                            ("ready", "in use"),
                            ("retired", "retired"),
                        ],
                        default="draft",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("condition", models.JSONField(blank=True, null=True, verbose_name="condition")),
                ("number", models.PositiveSmallIntegerField(default=0, verbose_name="version of the condition")),
                ("is_of_tag", models.BooleanField(default=False, verbose_name="rule of a tag")),
                ("members_count", models.PositiveBigIntegerField(default=0, verbose_name="members")),
                ("sweep_from", models.BigIntegerField(null=True, verbose_name="compared up to this member")),
                ("compared_at", models.DateTimeField(null=True, verbose_name="last compared in full at")),
                ("counted", models.PositiveBigIntegerField(null=True, verbose_name="members counted")),
                ("counted_at", models.DateTimeField(null=True, verbose_name="counted at")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                ("retired_at", models.DateTimeField(null=True, verbose_name="retired at")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SegmentSpan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entered_at", models.DateTimeField(verbose_name="in since")),
                ("entered_cause", models.CharField(max_length=60, verbose_name="came in because of")),
                ("entered_number", models.PositiveSmallIntegerField(verbose_name="version when coming in")),
                ("entered_tests", models.IntegerField(verbose_name="tests met when coming in")),
                ("left_at", models.DateTimeField(null=True, verbose_name="out since")),
                (
                    "left_cause",
                    models.CharField(blank=True, db_default="", max_length=60, verbose_name="went out because of"),
                ),
                ("left_number", models.PositiveSmallIntegerField(null=True, verbose_name="version when going out")),
                ("left_tests", models.IntegerField(null=True, verbose_name="tests met when going out")),
            ],
            options={
                "verbose_name": "stay in a segment",
                "verbose_name_plural": "stays in segments",
            },
        ),
        migrations.CreateModel(
            name="SegmentVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                ("condition", models.JSONField(verbose_name="condition")),
                ("from_at", models.DateTimeField(verbose_name="in force from")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
            ],
            options={
                "verbose_name": "version of a segment",
                "verbose_name_plural": "versions of segments",
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SlugField(
                        help_text="A word of small letters. It can not be changed later.",
                        max_length=40,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=40, verbose_name="tag name")),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="What it means. For colleagues.", max_length=200, verbose_name="note"
                    ),
                ),
                (
                    "colour",
                    models.CharField(
                        choices=[("info", "grey"), ("success", "green"), ("warning", "orange"), ("danger", "red")],
                        default="info",
                        max_length=8,
                        verbose_name="colour",
                    ),
                ),
                (
                    "keep_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Days. Empty: it stays until it is taken off.",
                        null=True,
                        verbose_name="falls off after",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
            ],
            options={
                "verbose_name": "tag",
                "verbose_name_plural": "tags",
                "ordering": ["code"],
                "permissions": [("put_tags", "Can put tags on members and take them off")],
            },
        ),
        migrations.CreateModel(
            name="TagEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False,
                        help_text="A word of small letters. It can not be changed later.",
                        max_length=40,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=40, verbose_name="tag name")),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="What it means. For colleagues.", max_length=200, verbose_name="note"
                    ),
                ),
                (
                    "colour",
                    models.CharField(
                        choices=[("info", "grey"), ("success", "green"), ("warning", "orange"), ("danger", "red")],
                        default="info",
                        max_length=8,
                        verbose_name="colour",
                    ),
                ),
                (
                    "keep_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Days. Empty: it stays until it is taken off.",
                        null=True,
                        verbose_name="falls off after",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="activitykind",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="activitykind",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="activitykind",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="activitykind",
            name="kept_days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Days, at most 366, for what is done in passing, such as views: it is told in batches, needs consent, and is never worth points. Empty: kept for ever, and rules may reward it. It can not be changed later.",
                null=True,
                verbose_name="kept for",
            ),
        ),
        migrations.AddField(
            model_name="activitykindevent",
            name="kept_days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Days, at most 366, for what is done in passing, such as views: it is told in batches, needs consent, and is never worth points. Empty: kept for ever, and rules may reward it. It can not be changed later.",
                null=True,
                verbose_name="kept for",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="activitykind",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "kept_days", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."kept_days", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="579597dfd120dc98c23b8dead0a290f90b5e61d4",
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
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "kept_days", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."kept_days", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="fb7edfa8180cd6efd184dab3dfca74a63c02d886",
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
                    func='INSERT INTO "members_activitykindevent" ("code", "id", "is_on", "is_open_to_members", "kept_days", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."is_open_to_members", OLD."kept_days", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="683064138e46c5002679f7aee0b20ac13ac6b31a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_dcaaf",
                    table="members_activitykind",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="activitykind",
            constraint=models.CheckConstraint(
                condition=models.Q(("kept_days__isnull", True), ("kept_days__range", (1, 366)), _connector="OR"),
                name="kind_is_kept_for_a_year_at_most",
            ),
        ),
        migrations.AddField(
            model_name="membertag",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tags",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddIndex(
            model_name="segment",
            index=models.Index(
                condition=models.Q(("kind", "live"), ("state__in", ["filling", "ready"])),
                fields=["id"],
                name="segments_that_are_kept_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(
                condition=models.Q(models.Q(("state", "retired"), _negated=True), ("is_of_tag", False)),
                fields=("name",),
                name="segment_name_is_used_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["live", "static"])), name="segment_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "filling", "ready", "retired"])),
                name="segment_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind", "static"),
                    ("state__in", ["draft", "retired"]),
                    models.Q(("condition__isnull", False), ("number__gte", 1)),
                    _connector="OR",
                ),
                name="live_segment_has_a_condition",
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_of_tag", False), ("kind", "live"), _connector="OR"),
                name="rule_of_a_tag_is_kept_up_to_date",
            ),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("retired_at__isnull", False), ("state", "retired")),
                    models.Q(models.Q(("state", "retired"), _negated=True), ("retired_at__isnull", True)),
                    _connector="OR",
                ),
                name="retired_segment_says_since_when",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="segment",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_segmentevent" ("compared_at", "condition", "counted", "counted_at", "created_at", "id", "is_of_tag", "kind", "members_count", "name", "note", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "retired_at", "state", "sweep_from") VALUES (NEW."compared_at", NEW."condition", NEW."counted", NEW."counted_at", NEW."created_at", NEW."id", NEW."is_of_tag", NEW."kind", NEW."members_count", NEW."name", NEW."note", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."retired_at", NEW."state", NEW."sweep_from"); RETURN NULL;',
                    hash="f9e370d6cc8f392f3b687a41e3365df592eed9a0",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_b8bb6",
                    table="members_segment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="segment",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."condition" IS DISTINCT FROM (NEW."condition") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_of_tag" IS DISTINCT FROM (NEW."is_of_tag") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."retired_at" IS DISTINCT FROM (NEW."retired_at") OR OLD."state" IS DISTINCT FROM (NEW."state"))',
                    func='INSERT INTO "members_segmentevent" ("compared_at", "condition", "counted", "counted_at", "created_at", "id", "is_of_tag", "kind", "members_count", "name", "note", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "retired_at", "state", "sweep_from") VALUES (NEW."compared_at", NEW."condition", NEW."counted", NEW."counted_at", NEW."created_at", NEW."id", NEW."is_of_tag", NEW."kind", NEW."members_count", NEW."name", NEW."note", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."retired_at", NEW."state", NEW."sweep_from"); RETURN NULL;',
                    hash="8b0b1cc8de098e4a81fb51f0edb6b8add0d732d6",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_7d2d0",
                    table="members_segment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="segment",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_segmentevent" ("compared_at", "condition", "counted", "counted_at", "created_at", "id", "is_of_tag", "kind", "members_count", "name", "note", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "retired_at", "state", "sweep_from") VALUES (OLD."compared_at", OLD."condition", OLD."counted", OLD."counted_at", OLD."created_at", OLD."id", OLD."is_of_tag", OLD."kind", OLD."members_count", OLD."name", OLD."note", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."retired_at", OLD."state", OLD."sweep_from"); RETURN NULL;',
                    hash="b46e4a390206f46cc060630c9728cbb866ccecc9",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_cf38b",
                    table="members_segment",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="segmentclock",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="segment_clock_is_a_single_row"),
        ),
        migrations.AddIndex(
            model_name="segmentdue",
            index=models.Index(fields=["due_at", "member"], name="segment_due_in_order"),
        ),
        migrations.AddField(
            model_name="segmentevent",
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
            model_name="segmentevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.segment",
            ),
        ),
        migrations.AddField(
            model_name="segmentspan",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="segment_spans",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="segmentspan",
            name="segment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="spans",
                to="members.segment",
                verbose_name="segment",
            ),
        ),
        migrations.AddField(
            model_name="segmentversion",
            name="segment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="versions",
                to="members.segment",
                verbose_name="segment",
            ),
        ),
        migrations.AddField(
            model_name="tag",
            name="rule",
            field=models.OneToOneField(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tag",
                to="members.segment",
                verbose_name="rule",
            ),
        ),
        migrations.AddField(
            model_name="membertag",
            name="tag",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="on_members",
                to="members.tag",
                verbose_name="tag",
            ),
        ),
        migrations.AddField(
            model_name="tagevent",
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
            model_name="tagevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.tag",
            ),
        ),
        migrations.AddField(
            model_name="tagevent",
            name="rule",
            field=models.ForeignKey(
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.segment",
                verbose_name="rule",
            ),
        ),
        migrations.AddIndex(
            model_name="segmentspan",
            index=models.Index(
                condition=models.Q(("left_at__isnull", True)), fields=["segment", "id"], name="members_in_a_segment"
            ),
        ),
        migrations.AddIndex(
            model_name="segmentspan",
            index=models.Index(fields=["segment", "entered_at"], name="stays_by_their_beginning"),
        ),
        migrations.AddIndex(
            model_name="segmentspan",
            index=models.Index(
                condition=models.Q(("left_at__isnull", False)), fields=["segment", "left_at"], name="stays_by_their_end"
            ),
        ),
        migrations.AddIndex(
            model_name="segmentspan",
            index=models.Index(fields=["member", "-id"], name="stays_of_member"),
        ),
        migrations.AddConstraint(
            model_name="segmentspan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("left_at__isnull", True)),
                fields=("member", "segment"),
                name="member_is_in_a_segment_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="segmentspan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("left_at__isnull", True), ("left_at__gte", models.F("entered_at")), _connector="OR"
                ),
                name="stay_ends_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="segmentversion",
            constraint=models.UniqueConstraint(fields=("segment", "number"), name="segment_version_has_a_number"),
        ),
        migrations.AddConstraint(
            model_name="tag",
            constraint=models.CheckConstraint(
                condition=models.Q(("code__regex", "^[a-z][a-z0-9_]*$")), name="tag_code_is_a_word"
            ),
        ),
        migrations.AddConstraint(
            model_name="tag",
            constraint=models.CheckConstraint(
                condition=models.Q(("keep_days__isnull", True), ("keep_days__range", (1, 3660)), _connector="OR"),
                name="tag_falls_off_within_ten_years",
            ),
        ),
        migrations.AddConstraint(
            model_name="tag",
            constraint=models.CheckConstraint(
                condition=models.Q(("rule__isnull", True), ("keep_days__isnull", True), _connector="OR"),
                name="automatic_tag_follows_its_rule",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tag",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_tagevent" ("code", "colour", "id", "is_on", "keep_days", "name", "note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id") VALUES (NEW."code", NEW."colour", NEW."id", NEW."is_on", NEW."keep_days", NEW."name", NEW."note", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."rule_id"); RETURN NULL;',
                    hash="5afc66528d61fdd19d96dbd0ffc667b4bbe9f902",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_56030",
                    table="members_tag",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tag",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_tagevent" ("code", "colour", "id", "is_on", "keep_days", "name", "note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id") VALUES (NEW."code", NEW."colour", NEW."id", NEW."is_on", NEW."keep_days", NEW."name", NEW."note", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."rule_id"); RETURN NULL;',
                    hash="cc6024d08f096f924b6c60e0a7b372a1e1bf31fe",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_843ad",
                    table="members_tag",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tag",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_tagevent" ("code", "colour", "id", "is_on", "keep_days", "name", "note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id") VALUES (OLD."code", OLD."colour", OLD."id", OLD."is_on", OLD."keep_days", OLD."name", OLD."note", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."rule_id"); RETURN NULL;',
                    hash="78863a1e068fe270e05935c8e474e1ba8b782f09",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_ee422",
                    table="members_tag",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="membertag",
            index=models.Index(fields=["tag", "-id"], name="members_with_a_tag"),
        ),
        migrations.AddIndex(
            model_name="membertag",
            index=models.Index(fields=["member", "-id"], name="tags_of_member"),
        ),
        migrations.AddIndex(
            model_name="membertag",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True), ("expires_at__isnull", False)),
                fields=["expires_at"],
                name="tags_that_fall_off",
            ),
        ),
        migrations.AddConstraint(
            model_name="membertag",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)), fields=("member", "tag"), name="member_has_a_tag_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="membertag",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("end", ""), ("ended_at__isnull", True)),
                    models.Q(("end__in", ["taken_off", "expired"]), ("ended_at__gte", models.F("since_at"))),
                    _connector="OR",
                ),
                name="tag_ends_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="membertag",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__isnull", True), ("expires_at__gt", models.F("since_at")), _connector="OR"
                ),
                name="tag_falls_off_after_it_began",
            ),
        ),
        migrations.RunSQL(
            "".join(
                refuse_changes_sql(table)
                for table in ("members_segmentversion", "members_segmentevent", "members_tagevent")
            ),
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(FIRST_READING, UNDO_FIRST_READING),
        migrations.RunPython(make, migrations.RunPython.noop),
    ]
