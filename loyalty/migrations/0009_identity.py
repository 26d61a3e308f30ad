"""Badges, titles, stages and their tasks; what happened with them can only be added to; spans of badges begin by beat."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

TASK = "开放勋章 · Open badges"
HISTORY = (
    "loyalty_badgeaward",
    "loyalty_stagechange",
    "loyalty_stagetaskdone",
    "loyalty_badgeevent",
    "loyalty_stageevent",
    "loyalty_stagetaskevent",
)


_SEE = {"view_badge", "view_badgeaward", "view_stage", "view_stagetask"}
_WRITE = {f"{verb}_{model}" for verb in ("add", "change") for model in ("badge", "stage", "stagetask")}
RIGHTS = {
    "service": _SEE,
    "service supervisor": _SEE | {"award_badge"},
    "marketing": _SEE | _WRITE | {"award_badge"},
    "administrator": _SEE | _WRITE | {"award_badge"},
    "store": {"view_badgeaward"},
    "analyst": _SEE,
}


def give_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Permissions are otherwise made after the last migration of the run, too late for this one.
    config = apps.get_app_config("loyalty")
    config.models_module = True  # the stub of a past state has none, and is passed over without it
    create_permissions(config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission")
    known = {row.codename: row for row in permission.objects.filter(content_type__app_label="loyalty")}
    for name, rights in RIGHTS.items():
        group, _made = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(known[right] for right in sorted(rights)))


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    every = interval.filter(every=300, period="seconds").first() or interval.create(every=300, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "loyalty.open_badges", "interval": every, "expire_seconds": 600}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0008_floors_and_plans"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Badge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(editable=False, max_length=40, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="badge name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "title",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_en",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "icon",
                    models.CharField(
                        choices=[
                            ("workspace_premium", "medal"),
                            ("star", "star"),
                            ("favorite", "heart"),
                            ("shopping_bag", "shopping bag"),
                            ("local_cafe", "cup"),
                            ("cake", "cake"),
                            ("eco", "leaf"),
                            ("local_fire_department", "flame"),
                            ("emoji_events", "trophy"),
                            ("diamond", "diamond"),
                            ("event", "calendar"),
                            ("rate_review", "pen"),
                        ],
                        default="workspace_premium",
                        max_length=30,
                        verbose_name="sign",
                    ),
                ),
                (
                    "colour",
                    models.CharField(default="#c9a227", help_text="Like #c9a227.", max_length=7, verbose_name="colour"),
                ),
                (
                    "is_losable",
                    models.BooleanField(
                        default=False,
                        help_text="It goes when its rule is no longer met.",
                        verbose_name="can be lost again",
                    ),
                ),
                (
                    "is_on",
                    models.BooleanField(
                        default=True,
                        help_text="Switched off, nobody gets it, and members do not see it.",
                        verbose_name="in use",
                    ),
                ),
                (
                    "valid_from",
                    models.DateTimeField(
                        blank=True, help_text="Empty: at once.", null=True, verbose_name="can be earned from"
                    ),
                ),
                (
                    "valid_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: always. Who has it keeps it.",
                        null=True,
                        verbose_name="can be earned until",
                    ),
                ),
                ("opened_at", models.DateTimeField(editable=False, null=True, verbose_name="given since")),
                (
                    "rule",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="badge",
                        to="members.segment",
                        verbose_name="rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "badge",
                "verbose_name_plural": "badges",
                "ordering": ["id"],
                "permissions": [("award_badge", "Can give badges to members and take them back")],
            },
        ),
        migrations.CreateModel(
            name="BadgeEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, editable=False, max_length=40, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="badge name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="badge name")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "title",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "title_en",
                    models.CharField(
                        blank=True,
                        help_text="Shown beside the member's name. Empty: it carries no title.",
                        max_length=20,
                        null=True,
                        verbose_name="title",
                    ),
                ),
                (
                    "icon",
                    models.CharField(
                        choices=[
                            ("workspace_premium", "medal"),
                            ("star", "star"),
                            ("favorite", "heart"),
                            ("shopping_bag", "shopping bag"),
                            ("local_cafe", "cup"),
                            ("cake", "cake"),
                            ("eco", "leaf"),
                            ("local_fire_department", "flame"),
                            ("emoji_events", "trophy"),
                            ("diamond", "diamond"),
                            ("event", "calendar"),
                            ("rate_review", "pen"),
                        ],
                        default="workspace_premium",
                        max_length=30,
                        verbose_name="sign",
                    ),
                ),
                (
                    "colour",
                    models.CharField(default="#c9a227", help_text="Like #c9a227.", max_length=7, verbose_name="colour"),
                ),
                (
                    "is_losable",
                    models.BooleanField(
                        default=False,
                        help_text="It goes when its rule is no longer met.",
                        verbose_name="can be lost again",
                    ),
                ),
                (
                    "is_on",
                    models.BooleanField(
                        default=True,
                        help_text="Switched off, nobody gets it, and members do not see it.",
                        verbose_name="in use",
                    ),
                ),
                (
                    "valid_from",
                    models.DateTimeField(
                        blank=True, help_text="Empty: at once.", null=True, verbose_name="can be earned from"
                    ),
                ),
                (
                    "valid_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: always. Who has it keeps it.",
                        null=True,
                        verbose_name="can be earned until",
                    ),
                ),
                ("opened_at", models.DateTimeField(editable=False, null=True, verbose_name="given since")),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="loyalty.badge",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MemberTitle",
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
                ("chosen_at", models.DateTimeField(verbose_name="chosen at")),
                (
                    "badge",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.badge",
                        verbose_name="badge",
                    ),
                ),
            ],
            options={
                "verbose_name": "title chosen by a member",
                "verbose_name_plural": "titles chosen by members",
            },
        ),
        migrations.CreateModel(
            name="Stage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(editable=False, max_length=40, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="stage name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        help_text="The furthest stage whose rule is met counts. Leave room between, such as 10, 20, 30. It can not be changed later.",
                        verbose_name="place",
                    ),
                ),
                (
                    "colour",
                    models.CharField(default="#2f6f8f", help_text="Like #c9a227.", max_length=7, verbose_name="colour"),
                ),
                ("is_on", models.BooleanField(default=True, editable=False, verbose_name="in use")),
                (
                    "rule",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stage",
                        to="members.segment",
                        verbose_name="rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "stage",
                "verbose_name_plural": "stages",
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="MemberStage",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="stage",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("since_at", models.DateTimeField(verbose_name="since")),
                (
                    "stage",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.stage",
                        verbose_name="stage",
                    ),
                ),
            ],
            options={
                "verbose_name": "stage of a member",
                "verbose_name_plural": "stages of members",
            },
        ),
        migrations.CreateModel(
            name="StageChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "cause",
                    models.CharField(
                        choices=[("rule", "by the rules"), ("retired", "retired"), ("merge", "at a merge")],
                        max_length=8,
                        verbose_name="how",
                    ),
                ),
                ("met", models.JSONField(default=list, verbose_name="figures that were met")),
                ("unmet", models.JSONField(default=list, verbose_name="figures that were not met any more")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                (
                    "from_stage",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.stage",
                        verbose_name="from stage",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stage_changes",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "to_stage",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.stage",
                        verbose_name="to stage",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a stage",
                "verbose_name_plural": "changes of stages",
            },
        ),
        migrations.CreateModel(
            name="StageEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, editable=False, max_length=40, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="stage name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="stage name")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        help_text="The furthest stage whose rule is met counts. Leave room between, such as 10, 20, 30. It can not be changed later.",
                        verbose_name="place",
                    ),
                ),
                (
                    "colour",
                    models.CharField(default="#2f6f8f", help_text="Like #c9a227.", max_length=7, verbose_name="colour"),
                ),
                ("is_on", models.BooleanField(default=True, editable=False, verbose_name="in use")),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="loyalty.stage",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="StageTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(editable=False, max_length=40, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="task")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
                (
                    "benefit_code",
                    models.SlugField(blank=True, db_default="", max_length=40, verbose_name="unlocks the benefit"),
                ),
                ("is_on", models.BooleanField(default=True, editable=False, verbose_name="in use")),
                (
                    "badge",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.badge",
                        verbose_name="unlocks the badge",
                    ),
                ),
                (
                    "rule",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stage_task",
                        to="members.segment",
                        verbose_name="rule",
                    ),
                ),
                (
                    "stage",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tasks",
                        to="loyalty.stage",
                        verbose_name="stage",
                    ),
                ),
            ],
            options={
                "verbose_name": "task of a stage",
                "verbose_name_plural": "tasks of stages",
                "ordering": ["stage__position", "order", "id"],
            },
        ),
        migrations.CreateModel(
            name="BadgeAward",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("awarded", "given"), ("taken_back", "taken back")],
                        max_length=10,
                        verbose_name="what happened",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("rule", "by its rule"),
                            ("task", "for a task"),
                            ("hand", "by staff"),
                            ("merge", "at a merge"),
                        ],
                        max_length=8,
                        verbose_name="how",
                    ),
                ),
                ("why", models.JSONField(default=list, verbose_name="figures")),
                ("reason", models.CharField(blank=True, db_default="", max_length=200, verbose_name="reason")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                (
                    "badge",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="awards",
                        to="loyalty.badge",
                        verbose_name="badge",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="badge_awards",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.stagetask",
                        verbose_name="task",
                    ),
                ),
            ],
            options={
                "verbose_name": "badge of a member",
                "verbose_name_plural": "badges of members",
            },
        ),
        migrations.CreateModel(
            name="StageTaskDone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("why", models.JSONField(default=list, verbose_name="figures")),
                ("happened_at", models.DateTimeField(verbose_name="done at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stage_tasks_done",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="done",
                        to="loyalty.stagetask",
                        verbose_name="task",
                    ),
                ),
            ],
            options={
                "verbose_name": "task done by a member",
                "verbose_name_plural": "tasks done by members",
            },
        ),
        migrations.CreateModel(
            name="StageTaskEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, editable=False, max_length=40, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="task")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("text", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "text_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "text_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
                (
                    "benefit_code",
                    models.SlugField(
                        blank=True, db_default="", db_index=False, max_length=40, verbose_name="unlocks the benefit"
                    ),
                ),
                ("is_on", models.BooleanField(default=True, editable=False, verbose_name="in use")),
                (
                    "badge",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.badge",
                        verbose_name="unlocks the badge",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="loyalty.stagetask",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
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
                (
                    "stage",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.stage",
                        verbose_name="stage",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="badge",
            constraint=models.CheckConstraint(
                condition=models.Q(("colour__regex", "^#[0-9a-fA-F]{6}$")), name="badge_colour_is_six_hex_digits"
            ),
        ),
        migrations.AddConstraint(
            model_name="badge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_until__isnull", True),
                    ("valid_until__gt", models.F("valid_from")),
                    _connector="OR",
                ),
                name="badge_ends_after_it_begins",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="badge",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_badgeevent" ("code", "colour", "icon", "id", "is_losable", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "opened_at", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant", "title", "title_en", "title_zh_hans", "title_zh_hant", "valid_from", "valid_until") VALUES (NEW."code", NEW."colour", NEW."icon", NEW."id", NEW."is_losable", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."opened_at", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."rule_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant", NEW."title", NEW."title_en", NEW."title_zh_hans", NEW."title_zh_hant", NEW."valid_from", NEW."valid_until"); RETURN NULL;',
                    hash="69f672f0874bd2f602291d70ec4f8ed2272f0f52",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_bbb66",
                    table="loyalty_badge",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="badge",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."code" IS DISTINCT FROM (NEW."code") OR OLD."colour" IS DISTINCT FROM (NEW."colour") OR OLD."icon" IS DISTINCT FROM (NEW."icon") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_losable" IS DISTINCT FROM (NEW."is_losable") OR OLD."is_on" IS DISTINCT FROM (NEW."is_on") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."name_en" IS DISTINCT FROM (NEW."name_en") OR OLD."name_zh_hans" IS DISTINCT FROM (NEW."name_zh_hans") OR OLD."name_zh_hant" IS DISTINCT FROM (NEW."name_zh_hant") OR OLD."rule_id" IS DISTINCT FROM (NEW."rule_id") OR OLD."text" IS DISTINCT FROM (NEW."text") OR OLD."text_en" IS DISTINCT FROM (NEW."text_en") OR OLD."text_zh_hans" IS DISTINCT FROM (NEW."text_zh_hans") OR OLD."text_zh_hant" IS DISTINCT FROM (NEW."text_zh_hant") OR OLD."title" IS DISTINCT FROM (NEW."title") OR OLD."title_en" IS DISTINCT FROM (NEW."title_en") OR OLD."title_zh_hans" IS DISTINCT FROM (NEW."title_zh_hans") OR OLD."title_zh_hant" IS DISTINCT FROM (NEW."title_zh_hant") OR OLD."valid_from" IS DISTINCT FROM (NEW."valid_from") OR OLD."valid_until" IS DISTINCT FROM (NEW."valid_until"))',
                    func='INSERT INTO "loyalty_badgeevent" ("code", "colour", "icon", "id", "is_losable", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "opened_at", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant", "title", "title_en", "title_zh_hans", "title_zh_hant", "valid_from", "valid_until") VALUES (NEW."code", NEW."colour", NEW."icon", NEW."id", NEW."is_losable", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."opened_at", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."rule_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant", NEW."title", NEW."title_en", NEW."title_zh_hans", NEW."title_zh_hant", NEW."valid_from", NEW."valid_until"); RETURN NULL;',
                    hash="8ae5fef0b6bdc09dd25bb85fc642e7630022a0f8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_50691",
                    table="loyalty_badge",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="badge",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_badgeevent" ("code", "colour", "icon", "id", "is_losable", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "opened_at", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant", "title", "title_en", "title_zh_hans", "title_zh_hant", "valid_from", "valid_until") VALUES (OLD."code", OLD."colour", OLD."icon", OLD."id", OLD."is_losable", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."opened_at", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."rule_id", OLD."text", OLD."text_en", OLD."text_zh_hans", OLD."text_zh_hant", OLD."title", OLD."title_en", OLD."title_zh_hans", OLD."title_zh_hant", OLD."valid_from", OLD."valid_until"); RETURN NULL;',
                    hash="94cb4884257bf1687787f6681f2ff944385b11b7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_23c22",
                    table="loyalty_badge",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_on", True)), fields=("position",), name="stage_has_a_place_of_its_own"
            ),
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_on", True), ("rule__isnull", True)),
                fields=("is_on",),
                name="one_stage_is_where_everybody_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=models.CheckConstraint(
                condition=models.Q(("colour__regex", "^#[0-9a-fA-F]{6}$")), name="stage_colour_is_six_hex_digits"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stage",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_stageevent" ("code", "colour", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (NEW."code", NEW."colour", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."rule_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant"); RETURN NULL;',
                    hash="aeac978cbb2a98e8f6bafb89943d127e75346521",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_d4022",
                    table="loyalty_stage",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stage",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_stageevent" ("code", "colour", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (NEW."code", NEW."colour", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."rule_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant"); RETURN NULL;',
                    hash="a948aa204eff2e4dc603c736788823a7103e17fe",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_016a1",
                    table="loyalty_stage",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stage",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_stageevent" ("code", "colour", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "rule_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (OLD."code", OLD."colour", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."rule_id", OLD."text", OLD."text_en", OLD."text_zh_hans", OLD."text_zh_hant"); RETURN NULL;',
                    hash="c2a23b1f36f6c16e1dc9b7c0a7ed275f173b343d",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_26e70",
                    table="loyalty_stage",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="memberstage",
            index=models.Index(fields=["stage", "member"], name="members_in_a_stage"),
        ),
        migrations.AddConstraint(
            model_name="stagechange",
            constraint=models.UniqueConstraint(
                fields=("member", "number"), name="stage_changes_of_a_member_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="stagechange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("from_stage__isnull", True),
                    ("to_stage__isnull", True),
                    models.Q(("from_stage", models.F("to_stage")), _negated=True),
                    _connector="OR",
                ),
                name="stage_change_leads_elsewhere",
            ),
        ),
        migrations.AddConstraint(
            model_name="stagechange",
            constraint=models.CheckConstraint(
                condition=models.Q(("cause__in", ["rule", "retired", "merge"])), name="stage_change_cause_is_known"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stagetask",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_stagetaskevent" ("badge_id", "benefit_code", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "stage_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (NEW."badge_id", NEW."benefit_code", NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."rule_id", NEW."stage_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant"); RETURN NULL;',
                    hash="f25e206b04dbf05578ae7c5e06de1cc53d3fbdd9",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_117eb",
                    table="loyalty_stagetask",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stagetask",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_stagetaskevent" ("badge_id", "benefit_code", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "stage_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (NEW."badge_id", NEW."benefit_code", NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."rule_id", NEW."stage_id", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant"); RETURN NULL;',
                    hash="50a2ac3719ff24a5597032ceff37092382cf8e84",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_965d7",
                    table="loyalty_stagetask",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="stagetask",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_stagetaskevent" ("badge_id", "benefit_code", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule_id", "stage_id", "text", "text_en", "text_zh_hans", "text_zh_hant") VALUES (OLD."badge_id", OLD."benefit_code", OLD."code", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."order", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."rule_id", OLD."stage_id", OLD."text", OLD."text_en", OLD."text_zh_hans", OLD."text_zh_hant"); RETURN NULL;',
                    hash="25fd944918a85498fd3c3457e77b8c94e71c25e7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_c37cb",
                    table="loyalty_stagetask",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="badgeaward",
            index=models.Index(fields=["badge", "-id"], name="awards_of_badge_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="badgeaward",
            constraint=models.UniqueConstraint(
                fields=("member", "badge", "number"), name="awards_of_a_badge_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="badgeaward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["awarded", "taken_back"]), ("cause__in", ["rule", "task", "hand", "merge"])
                ),
                name="badge_award_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="badgeaward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cause", "hand"), _negated=True), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="badge_by_hand_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="badgeaward",
            constraint=models.CheckConstraint(
                condition=models.Q(("task__isnull", True), ("cause", "task"), _connector="OR"),
                name="badge_for_a_task_names_it",
            ),
        ),
        migrations.AddIndex(
            model_name="stagetaskdone",
            index=models.Index(fields=["task", "-id"], name="task_done_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="stagetaskdone",
            constraint=models.UniqueConstraint(fields=("member", "task"), name="task_is_done_once_by_a_member"),
        ),
        *(migrations.RunSQL(refuse_changes_sql(table), migrations.RunSQL.noop) for table in HISTORY),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
