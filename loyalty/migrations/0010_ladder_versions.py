"""Drafts, approval and previews of the ladder: what a version needs, how careful publishing is, and who may do what."""

import django.contrib.postgres.constraints
import django.core.validators
import django.db.models.constraints
import django.db.models.deletion
import loyalty.models.ladder
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

SEE = {"view_tier", "view_ladderversion", "view_ladderpreview", "view_ladderpolicy"}
DRAFT = SEE | {"add_ladderversion", "change_ladderversion", "publish_ladderversion", "add_tier", "change_tier"}
APPROVE = SEE | {"approve_ladderversion", "change_ladderpolicy"}
ROLES = {
    "marketing": DRAFT,
    "finance": APPROVE,
    "analyst": SEE,
    "service supervisor": SEE,
    "administrator": DRAFT | APPROVE,
}


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("loyalty", "LadderPolicy").objects.get_or_create(pk=1)
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("loyalty")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission")
    known = {row.codename: row for row in permission.objects.filter(content_type__app_label="loyalty")}
    for name, rights in ROLES.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("loyalty", "0009_identity"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LadderPolicy",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                (
                    "notice_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="So many days lie at least between telling members of a new version and its beginning; a shorter notice needs a reason, which stays with the version.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                        verbose_name="notice to members (days)",
                    ),
                ),
                (
                    "near_percent",
                    models.PositiveSmallIntegerField(
                        default=5,
                        help_text="A preview counts the members who are within this share below or above what a tier takes.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ],
                        verbose_name="near a line (%)",
                    ),
                ),
                (
                    "top_share_percent",
                    models.PositiveSmallIntegerField(
                        default=5,
                        help_text="A preview warns when a larger share of all members would hold the highest tier.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="share of the highest tier (%)",
                    ),
                ),
                (
                    "preview_days",
                    models.PositiveSmallIntegerField(
                        default=7,
                        help_text="An older preview has to be made again before a version is published.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(60),
                        ],
                        verbose_name="a preview is good for (days)",
                    ),
                ),
            ],
            options={
                "verbose_name": "policy of the tier ladder",
                "verbose_name_plural": "policy of the tier ladder",
            },
        ),
        migrations.CreateModel(
            name="LadderPolicyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.IntegerField()),
                (
                    "notice_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="So many days lie at least between telling members of a new version and its beginning; a shorter notice needs a reason, which stays with the version.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                        verbose_name="notice to members (days)",
                    ),
                ),
                (
                    "near_percent",
                    models.PositiveSmallIntegerField(
                        default=5,
                        help_text="A preview counts the members who are within this share below or above what a tier takes.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ],
                        verbose_name="near a line (%)",
                    ),
                ),
                (
                    "top_share_percent",
                    models.PositiveSmallIntegerField(
                        default=5,
                        help_text="A preview warns when a larger share of all members would hold the highest tier.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="share of the highest tier (%)",
                    ),
                ),
                (
                    "preview_days",
                    models.PositiveSmallIntegerField(
                        default=7,
                        help_text="An older preview has to be made again before a version is published.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(60),
                        ],
                        verbose_name="a preview is good for (days)",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LadderPreview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="as if assessed on")),
                ("digest", models.CharField(max_length=64, verbose_name="digest of the rules")),
                ("made_at", models.DateTimeField(verbose_name="asked for at")),
                ("expires_at", models.DateTimeField(verbose_name="good until")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("figures", models.JSONField(default=dict, verbose_name="figures")),
            ],
            options={
                "verbose_name": "preview of the ladder",
                "verbose_name_plural": "previews of the ladder",
            },
        ),
        migrations.CreateModel(
            name="LadderPreviewPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("rows", models.JSONField(verbose_name="rows")),
            ],
            options={
                "verbose_name": "part of a preview",
                "verbose_name_plural": "parts of previews",
            },
        ),
        migrations.AlterModelOptions(
            name="ladderversion",
            options={
                "ordering": ["-number"],
                "permissions": [
                    (
                        "publish_ladderversion",
                        "Can ask for a version of the tier ladder to be published, and withdraw it",
                    ),
                    ("approve_ladderversion", "Can approve a version of the tier ladder"),
                ],
                "verbose_name": "tier ladder version",
                "verbose_name_plural": "tier ladder versions",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="ladderversion",
            name="delete_delete",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tierrule",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="ladderversion",
            name="one_ladder_is_in_force_at_a_time",
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="discarded_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="thrown away at"),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="haste_reason",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Only where fewer days than the policy asks for lie between telling members and the beginning.",
                max_length=300,
                verbose_name="why members are told at shorter notice",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="note",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="For colleagues.",
                max_length=300,
                verbose_name="what changes, and why",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="notice_date",
            field=models.DateField(
                blank=True,
                help_text="Empty: on the day on which it is approved.",
                null=True,
                verbose_name="members are told on",
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="planned_date",
            field=models.DateField(
                blank=True, help_text="From the beginning of this day.", null=True, verbose_name="to be in force from"
            ),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="published_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="published at"),
        ),
        migrations.AddField(
            model_name="ladderversion",
            name="published_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="published by",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="discarded_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="thrown away at"),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="haste_reason",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Only where fewer days than the policy asks for lie between telling members and the beginning.",
                max_length=300,
                verbose_name="why members are told at shorter notice",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="note",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="For colleagues.",
                max_length=300,
                verbose_name="what changes, and why",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="notice_date",
            field=models.DateField(
                blank=True,
                help_text="Empty: on the day on which it is approved.",
                null=True,
                verbose_name="members are told on",
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="planned_date",
            field=models.DateField(
                blank=True, help_text="From the beginning of this day.", null=True, verbose_name="to be in force from"
            ),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="published_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="published at"),
        ),
        migrations.AddField(
            model_name="ladderversionevent",
            name="published_by",
            field=models.ForeignKey(
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="published by",
            ),
        ),
        migrations.AddField(
            model_name="tierrule",
            name="is_by_hand",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Nothing is asked to rise to it: staff, a paid plan or a campaign give it.",
                verbose_name="only given by hand",
            ),
        ),
        migrations.AddField(
            model_name="tierruleevent",
            name="is_by_hand",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Nothing is asked to rise to it: staff, a paid plan or a campaign give it.",
                verbose_name="only given by hand",
            ),
        ),
        migrations.AlterField(
            model_name="ladderversion",
            name="valid_from",
            field=models.DateTimeField(blank=True, null=True, verbose_name="in force from"),
        ),
        migrations.AlterField(
            model_name="ladderversionevent",
            name="valid_from",
            field=models.DateTimeField(blank=True, null=True, verbose_name="in force from"),
        ),
        migrations.AlterField(
            model_name="tier",
            name="rank",
            field=models.PositiveSmallIntegerField(
                help_text="0 is the tier everybody starts in; higher is better.", verbose_name="rank"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "discarded_at", "grace_days", "grace_percent", "haste_reason", "id", "note", "notice_date", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "planned_date", "published_at", "published_by_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (NEW."carries_over", NEW."credits_per_unit", NEW."discarded_at", NEW."grace_days", NEW."grace_percent", NEW."haste_reason", NEW."id", NEW."note", NEW."notice_date", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."planned_date", NEW."published_at", NEW."published_by_id", NEW."qualifying_months", NEW."rises", NEW."soft_landing", NEW."valid_from", NEW."valid_to", NEW."validity_months", NEW."weight_active_days", NEW."weight_activity", NEW."weight_credits", NEW."weight_orders", NEW."weight_spend", NEW."weight_tenure_months", NEW."window"); RETURN NULL;',
                    hash="f2b9f2c4dc1bde2eade5b175f98e9ffea4b603bb",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_af1cf",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "discarded_at", "grace_days", "grace_percent", "haste_reason", "id", "note", "notice_date", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "planned_date", "published_at", "published_by_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (NEW."carries_over", NEW."credits_per_unit", NEW."discarded_at", NEW."grace_days", NEW."grace_percent", NEW."haste_reason", NEW."id", NEW."note", NEW."notice_date", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."planned_date", NEW."published_at", NEW."published_by_id", NEW."qualifying_months", NEW."rises", NEW."soft_landing", NEW."valid_from", NEW."valid_to", NEW."validity_months", NEW."weight_active_days", NEW."weight_activity", NEW."weight_credits", NEW."weight_orders", NEW."weight_spend", NEW."weight_tenure_months", NEW."window"); RETURN NULL;',
                    hash="0c82aa5f5bf461567a2014d48e00031b696eea5f",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_41502",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderversion",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderversionevent" ("carries_over", "credits_per_unit", "discarded_at", "grace_days", "grace_percent", "haste_reason", "id", "note", "notice_date", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "planned_date", "published_at", "published_by_id", "qualifying_months", "rises", "soft_landing", "valid_from", "valid_to", "validity_months", "weight_active_days", "weight_activity", "weight_credits", "weight_orders", "weight_spend", "weight_tenure_months", "window") VALUES (OLD."carries_over", OLD."credits_per_unit", OLD."discarded_at", OLD."grace_days", OLD."grace_percent", OLD."haste_reason", OLD."id", OLD."note", OLD."notice_date", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."planned_date", OLD."published_at", OLD."published_by_id", OLD."qualifying_months", OLD."rises", OLD."soft_landing", OLD."valid_from", OLD."valid_to", OLD."validity_months", OLD."weight_active_days", OLD."weight_activity", OLD."weight_credits", OLD."weight_orders", OLD."weight_spend", OLD."weight_tenure_months", OLD."window"); RETURN NULL;',
                    hash="448b1d4450be2b4d901456fa83446c69b1d1fdfb",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_976d8",
                    table="loyalty_ladderversion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "is_by_hand", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (NEW."id", NEW."is_by_hand", NEW."keep_active_days", NEW."keep_activity", NEW."keep_credits", NEW."keep_least", NEW."keep_orders", NEW."keep_score", NEW."keep_spend", NEW."keep_tenure_months", NEW."ladder_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."points_multiplier", NEW."rise_active_days", NEW."rise_activity", NEW."rise_credits", NEW."rise_least", NEW."rise_orders", NEW."rise_score", NEW."rise_spend", NEW."rise_tenure_months", NEW."tier_id"); RETURN NULL;',
                    hash="4561b042fa0e136c58baebcf3fd46bd202ed2807",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_67b1a",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "is_by_hand", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (NEW."id", NEW."is_by_hand", NEW."keep_active_days", NEW."keep_activity", NEW."keep_credits", NEW."keep_least", NEW."keep_orders", NEW."keep_score", NEW."keep_spend", NEW."keep_tenure_months", NEW."ladder_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."points_multiplier", NEW."rise_active_days", NEW."rise_activity", NEW."rise_credits", NEW."rise_least", NEW."rise_orders", NEW."rise_score", NEW."rise_spend", NEW."rise_tenure_months", NEW."tier_id"); RETURN NULL;',
                    hash="fa21011b921dd2e1665ae7c0e77d65b4a48e3afd",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_d37fd",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierrule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierruleevent" ("id", "is_by_hand", "keep_active_days", "keep_activity", "keep_credits", "keep_least", "keep_orders", "keep_score", "keep_spend", "keep_tenure_months", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_multiplier", "rise_active_days", "rise_activity", "rise_credits", "rise_least", "rise_orders", "rise_score", "rise_spend", "rise_tenure_months", "tier_id") VALUES (OLD."id", OLD."is_by_hand", OLD."keep_active_days", OLD."keep_activity", OLD."keep_credits", OLD."keep_least", OLD."keep_orders", OLD."keep_score", OLD."keep_spend", OLD."keep_tenure_months", OLD."ladder_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."points_multiplier", OLD."rise_active_days", OLD."rise_activity", OLD."rise_credits", OLD."rise_least", OLD."rise_orders", OLD."rise_score", OLD."rise_spend", OLD."rise_tenure_months", OLD."tier_id"); RETURN NULL;',
                    hash="29294be6083852edcce96802f32914d99f6ca7a2",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_141a9",
                    table="loyalty_tierrule",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("valid_from__isnull", False)),
                expressions=[
                    (
                        loyalty.models.ladder.TsTzRange(
                            models.F("valid_from"), models.F("valid_to"), models.Value("[)")
                        ),
                        "&&",
                    )
                ],
                name="one_ladder_is_in_force_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", False),
                    models.Q(("published_at__isnull", True), ("valid_to__isnull", True)),
                    _connector="OR",
                ),
                name="a_draft_of_the_ladder_has_no_place_in_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("discarded_at__isnull", True), ("valid_from__isnull", True), _connector="OR"),
                name="only_a_draft_of_the_ladder_is_thrown_away",
            ),
        ),
        migrations.AddConstraint(
            model_name="tier",
            constraint=models.UniqueConstraint(
                deferrable=django.db.models.constraints.Deferrable["IMMEDIATE"],
                fields=("rank",),
                name="tier_has_a_rank_of_its_own",
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("id", 1)), name="policy_of_the_ladder_is_a_single_row"
            ),
        ),
        migrations.AddConstraint(
            model_name="ladderpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("near_percent__range", (1, 50)),
                    ("notice_days__lte", 365),
                    ("preview_days__range", (1, 60)),
                    ("top_share_percent__range", (1, 100)),
                ),
                name="policy_of_the_ladder_is_bounded",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderpolicyevent" ("id", "near_percent", "notice_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "preview_days", "top_share_percent") VALUES (NEW."id", NEW."near_percent", NEW."notice_days", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."preview_days", NEW."top_share_percent"); RETURN NULL;',
                    hash="99845df7e9b341d9b2445693e3167ed3a7fbed2d",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_6ca75",
                    table="loyalty_ladderpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_ladderpolicyevent" ("id", "near_percent", "notice_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "preview_days", "top_share_percent") VALUES (NEW."id", NEW."near_percent", NEW."notice_days", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."preview_days", NEW."top_share_percent"); RETURN NULL;',
                    hash="96d2e2f9d9409ff213f72649b2f81d13e7bf9810",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_30024",
                    table="loyalty_ladderpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ladderpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_ladderpolicyevent" ("id", "near_percent", "notice_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "preview_days", "top_share_percent") VALUES (OLD."id", OLD."near_percent", OLD."notice_days", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."preview_days", OLD."top_share_percent"); RETURN NULL;',
                    hash="2033e0d9e17a3d12335fe5695c24361d2e166720",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_6989e",
                    table="loyalty_ladderpolicy",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="ladderpolicyevent",
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
            model_name="ladderpolicyevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="loyalty.ladderpolicy",
            ),
        ),
        migrations.AddField(
            model_name="ladderpreview",
            name="job",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="members.job",
                verbose_name="job",
            ),
        ),
        migrations.AddField(
            model_name="ladderpreview",
            name="made_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="asked for by",
            ),
        ),
        migrations.AddField(
            model_name="ladderpreview",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="previews",
                to="loyalty.ladderversion",
                verbose_name="ladder version",
            ),
        ),
        migrations.AddField(
            model_name="ladderpreviewpart",
            name="preview",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="parts",
                to="loyalty.ladderpreview",
                verbose_name="preview of the ladder",
            ),
        ),
        migrations.AddIndex(
            model_name="ladderpreview",
            index=models.Index(fields=["version", "-id"], name="previews_of_a_ladder"),
        ),
        migrations.AddConstraint(
            model_name="ladderpreviewpart",
            constraint=models.UniqueConstraint(fields=("preview", "number"), name="part_of_a_preview_is_written_once"),
        ),
        migrations.RunSQL(refuse_changes_sql("loyalty_ladderpolicyevent"), migrations.RunSQL.noop),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
