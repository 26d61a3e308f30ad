"""Runs of reviews that are planned and can be undone, warnings before reviews; who may do what, and when the beats run."""

import django.contrib.postgres.fields
import django.db.models.deletion
import loyalty.models.reviews
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql


# Of the roles: what they see, and what they may do.
SERVICE = ("view_tierwarning", "grant_grace")
ADMINISTRATOR = (
    *SERVICE, "view_reviewrun", "run_reviews", "view_reviewpolicy", "change_reviewpolicy",
)  # fmt: skip
ROLES = {
    "service": SERVICE,
    "service supervisor": (*SERVICE, "view_reviewrun"),
    "marketing": ("view_tierwarning", "view_reviewrun", "view_reviewpolicy"),
    "analyst": ("view_tierwarning", "view_reviewrun", "view_reviewpolicy"),
    "administrator": ADMINISTRATOR,
}
# name, task, hour, minute
BY_CLOCK = (
    ("定级提醒 · Warn of reviews ahead", "loyalty.warn_of_reviews", "9", "0"),
    ("清理定级批次 · Forget the details of review runs", "loyalty.forget_review_details", "4", "35"),
)


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("loyalty", "ReviewPolicy").objects.create(id=1, warn_days=[30, 7])


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("loyalty")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission")
    known = {row.codename: row for row in permission.objects.filter(content_type__app_label="loyalty")}
    for name, rights in ROLES.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, hour, minute in BY_CLOCK:
        when = {
            "minute": minute, "hour": hour, "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
            "timezone": "Asia/Shanghai",
        }  # fmt: skip
        clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
        periodic_task.objects.get_or_create(name=name, defaults={"task": task, "crontab": clock})


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0010_ladder_versions"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReviewPolicy",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                (
                    "warn_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=loyalty.models.reviews.usual_warn_days,
                        help_text="For example 30, 7. Whoever keeps the tier already is not warned. Empty: nobody is.",
                        size=5,
                        verbose_name="warned so many days ahead",
                    ),
                ),
            ],
            options={
                "verbose_name": "warnings before reviews",
                "verbose_name_plural": "warnings before reviews",
            },
        ),
        migrations.CreateModel(
            name="ReviewPolicyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, serialize=False)),
                (
                    "warn_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=loyalty.models.reviews.usual_warn_days,
                        help_text="For example 30, 7. Whoever keeps the tier already is not warned. Empty: nobody is.",
                        size=5,
                        verbose_name="warned so many days ahead",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ReviewRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "day",
                    models.DateField(help_text="What is due until the end of this day is decided.", verbose_name="day"),
                ),
                ("from_at", models.DateTimeField(verbose_name="day begins at")),
                ("before_at", models.DateTimeField(verbose_name="day ends at")),
                ("planned_at", models.DateTimeField(verbose_name="planned at")),
                ("forecast_at", models.DateTimeField(null=True, verbose_name="dry run at")),
                ("forecast", models.JSONField(default=list, verbose_name="what the dry run found")),
                ("exceptions", models.JSONField(default=dict, verbose_name="exceptions")),
                ("example", models.JSONField(default=dict, verbose_name="figures of an example")),
                ("pauses", models.BooleanField(default=True, verbose_name="pauses after each wave")),
                ("wave_size", models.PositiveIntegerField(default=0, verbose_name="members in a wave")),
                ("counts", models.JSONField(default=list, verbose_name="what was decided")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
            ],
            options={
                "verbose_name": "run of reviews",
                "verbose_name_plural": "runs of reviews",
                "permissions": [
                    ("run_reviews", "Can plan, run and undo reviews of tiers"),
                    ("grant_grace", "Can ask for grace for a member's tier"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReviewRunMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wave", models.PositiveSmallIntegerField(verbose_name="wave")),
                ("first_number", models.PositiveIntegerField(verbose_name="first change")),
                ("last_number", models.PositiveIntegerField(verbose_name="last change")),
                ("since_at", models.DateTimeField(verbose_name="held since")),
                ("valid_until", models.DateTimeField(null=True, verbose_name="valid until")),
                ("rise_at", models.DateTimeField(null=True, verbose_name="rise is decided at")),
                (
                    "undo",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("put_back", "put back"),
                            ("decided_since", "the tier was decided again since"),
                            ("rise_waits", "a rise waits since"),
                            ("left", "the member has left"),
                        ],
                        db_default="",
                        max_length=14,
                        verbose_name="outcome of undoing",
                    ),
                ),
            ],
            options={
                "verbose_name": "member of a run of reviews",
                "verbose_name_plural": "members of runs of reviews",
            },
        ),
        migrations.CreateModel(
            name="TierWarning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("review_date", models.DateField(verbose_name="last day of the tier")),
                ("days", models.PositiveSmallIntegerField(verbose_name="so many days ahead")),
                ("credits", models.IntegerField(verbose_name="tier credits so far")),
                ("needed_credits", models.PositiveIntegerField(verbose_name="tier credits needed")),
                ("figures", models.JSONField(db_default=[], default=list, verbose_name="figures")),
                (
                    "must",
                    models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="so many had to be reached"),
                ),
                ("warned_at", models.DateTimeField(verbose_name="warned at")),
            ],
            options={
                "verbose_name": "warning before a review",
                "verbose_name_plural": "warnings before reviews",
            },
        ),
        migrations.RemoveConstraint(
            model_name="tierchange",
            name="tier_change_reason_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="tierchange",
            name="tier_changes_unless_kept",
        ),
        migrations.AddField(
            model_name="tierchange",
            name="takes_back",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="changes taken back"),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="reason",
            field=models.CharField(
                choices=[
                    ("risen", "risen"),
                    ("kept", "kept at review"),
                    ("fallen", "fallen at review"),
                    ("undone", "rise undone by a return"),
                    ("grace", "given grace"),
                    ("restored", "put back: the run of reviews was undone"),
                ],
                max_length=8,
                verbose_name="reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason__in", ["risen", "kept", "fallen", "undone", "grace", "restored"])),
                name="tier_change_reason_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_tier", models.F("to_tier")), ("reason", "kept")),
                    ("reason__in", ["grace", "restored"]),
                    models.Q(
                        models.Q(("reason__in", ["kept", "grace", "restored"]), _negated=True),
                        models.Q(("from_tier", models.F("to_tier")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="tier_changes_unless_kept",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason", "restored"), ("takes_back__gt", 0), ("takes_back__lt", models.F("number"))),
                    models.Q(models.Q(("reason", "restored"), _negated=True), ("takes_back", 0)),
                    _connector="OR",
                ),
                name="only_what_puts_back_takes_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewpolicy",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="there_is_one_review_policy"),
        ),
        migrations.AddConstraint(
            model_name="reviewpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("warn_days__len__lte", 5),
                    (
                        "warn_days__contained_by",
                        [
                            1,
                            2,
                            3,
                            4,
                            5,
                            6,
                            7,
                            8,
                            9,
                            10,
                            11,
                            12,
                            13,
                            14,
                            15,
                            16,
                            17,
                            18,
                            19,
                            20,
                            21,
                            22,
                            23,
                            24,
                            25,
                            26,
                            27,
                            28,
                            29,
                            30,
                            31,
                            32,
                            33,
                            34,
                            35,
                            36,
                            37,
                            38,
                            39,
                            40,
                            41,
                            42,
                            43,
                            44,
                            45,
                            46,
                            47,
                            48,
                            49,
                            50,
                            51,
                            52,
                            53,
                            54,
                            55,
                            56,
                            57,
                            58,
                            59,
                            60,
                            61,
                            62,
                            63,
                            64,
                            65,
                            66,
                            67,
                            68,
                            69,
                            70,
                            71,
                            72,
                            73,
                            74,
                            75,
                            76,
                            77,
                            78,
                            79,
                            80,
                            81,
                            82,
                            83,
                            84,
                            85,
                            86,
                            87,
                            88,
                            89,
                            90,
                            91,
                            92,
                            93,
                            94,
                            95,
                            96,
                            97,
                            98,
                            99,
                            100,
                            101,
                            102,
                            103,
                            104,
                            105,
                            106,
                            107,
                            108,
                            109,
                            110,
                            111,
                            112,
                            113,
                            114,
                            115,
                            116,
                            117,
                            118,
                            119,
                            120,
                        ],
                    ),
                ),
                name="warnings_are_some_days_ahead",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reviewpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_reviewpolicyevent" ("id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "warn_days") VALUES (NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."warn_days"); RETURN NULL;',
                    hash="36561538a5bf6dd837754bc67ccc2170bde7439e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_e6166",
                    table="loyalty_reviewpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reviewpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_reviewpolicyevent" ("id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "warn_days") VALUES (NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."warn_days"); RETURN NULL;',
                    hash="9c4c04d15ef5b71e015f1fb56e38fa2bd4c855d1",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_d9766",
                    table="loyalty_reviewpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reviewpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_reviewpolicyevent" ("id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "warn_days") VALUES (OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."warn_days"); RETURN NULL;',
                    hash="61f36a9b957f076caddd07b8b5d4461607f2b9c6",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_87efb",
                    table="loyalty_reviewpolicy",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="reviewpolicyevent",
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
            model_name="reviewpolicyevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="loyalty.reviewpolicy",
            ),
        ),
        migrations.AddField(
            model_name="reviewrun",
            name="forecast_job",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.job",
                verbose_name="job of the dry run",
            ),
        ),
        migrations.AddField(
            model_name="reviewrun",
            name="job",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.job",
                verbose_name="job",
            ),
        ),
        migrations.AddField(
            model_name="reviewrun",
            name="planned_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="planned by",
            ),
        ),
        migrations.AddField(
            model_name="reviewrunmember",
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
            model_name="reviewrunmember",
            name="run",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="members",
                to="loyalty.reviewrun",
                verbose_name="run of reviews",
            ),
        ),
        migrations.AddField(
            model_name="reviewrunmember",
            name="tier",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tier",
                verbose_name="tier before",
            ),
        ),
        migrations.AddField(
            model_name="tierwarning",
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
            model_name="tierwarning",
            name="tier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.tier", verbose_name="tier"
            ),
        ),
        migrations.AddField(
            model_name="tierwarning",
            name="to_tier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tier",
                verbose_name="tier after the review",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("day",), name="one_open_review_run_for_a_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("before_at__gt", models.F("from_at"))), name="review_day_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("job", None), ("wave_size__gt", 0), _connector="OR"), name="review_run_has_waves"
            ),
        ),
        migrations.AddIndex(
            model_name="reviewrunmember",
            index=models.Index(
                condition=models.Q(("undo__in", ["decided_since", "rise_waits", "left"])),
                fields=["run", "member"],
                name="members_left_alone_by_undoing",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewrunmember",
            constraint=models.UniqueConstraint(fields=("run", "member"), name="run_decides_about_a_member_once"),
        ),
        migrations.AddConstraint(
            model_name="reviewrunmember",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_number__gt", 0), ("last_number__gte", models.F("first_number"))),
                name="run_made_changes_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewrunmember",
            constraint=models.CheckConstraint(
                condition=models.Q(("undo__in", ["", "put_back", "decided_since", "rise_waits", "left"])),
                name="outcome_of_undoing_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierwarning",
            constraint=models.UniqueConstraint(
                fields=("member", "review_date", "days"), name="member_is_warned_once_for_review_and_distance"
            ),
        ),
        migrations.RunSQL(refuse_changes_sql("loyalty_tierwarning"), migrations.RunSQL.noop),
        migrations.RunSQL(refuse_changes_sql("loyalty_reviewpolicyevent"), migrations.RunSQL.noop),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
