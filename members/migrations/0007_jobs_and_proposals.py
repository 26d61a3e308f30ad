"""Jobs, proposals, and how much each role may do alone: the tables, the limits to begin with, what keeps proposals as they
were made, and what runs by itself.
"""

import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# What was asked for stays as it was, and what was decided stays decided: an approval of something else would be void.
KEPT_AS_MADE = """
CREATE FUNCTION members_keep_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a proposal is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'waiting' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'this proposal is decided' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.kind, NEW.params, NEW.maker_id, NEW.reason, NEW.request_id, NEW.family, NEW.amount, NEW.approvals_needed,
            NEW.effect, NEW.created_at, NEW.expires_at)
        IS DISTINCT FROM
        (OLD.kind, OLD.params, OLD.maker_id, OLD.reason, OLD.request_id, OLD.family, OLD.amount, OLD.approvals_needed,
            OLD.effect, OLD.created_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'what was proposed does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.first_checker_id IS NOT NULL AND NEW.first_checker_id IS DISTINCT FROM OLD.first_checker_id THEN
        RAISE EXCEPTION 'an approval does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER members_proposal_is_kept_as_made BEFORE UPDATE OR DELETE ON members_proposal
    FOR EACH ROW EXECUTE FUNCTION members_keep_proposal();
"""
UNDO_KEPT_AS_MADE = (
    "DROP TRIGGER members_proposal_is_kept_as_made ON members_proposal; DROP FUNCTION members_keep_proposal();"
)

FILE_IS_BOUNDED = """
ALTER TABLE members_jobfile ADD CONSTRAINT job_file_is_bounded CHECK (octet_length(content) <= 33554432);
"""
UNDO_FILE_IS_BOUNDED = "ALTER TABLE members_jobfile DROP CONSTRAINT job_file_is_bounded;"

# The pages of jobs and proposals show their milestones. Few entries are of these kinds, so the index stays small.
MILESTONES = """
CREATE INDEX timeline_of_jobs_and_proposals ON members_timelineentry (subject, id) WHERE kind IN (
    'members.job_started.v1', 'members.job_stop_asked.v1', 'members.job_continued.v1', 'members.job_stopped.v1',
    'members.job_failed.v1', 'members.job_done.v1', 'members.job_file_taken.v1', 'members.proposal_proposed.v1', 'members.proposal_approved.v1',
    'members.proposal_carried_out.v1', 'members.proposal_refused.v1', 'members.proposal_sent_back.v1',
    'members.proposal_withdrawn.v1', 'members.proposal_expired.v1');
"""
UNDO_MILESTONES = "DROP INDEX timeline_of_jobs_and_proposals;"

FAMILY = "points"
# All of them, in the order in which pages name them; what each may see and do is granted where all apps are known.
ROLES = ("service", "service supervisor", "marketing", "finance", "store", "administrator", "analyst")
# role, points each time, points on one day. Other roles do nothing alone.
LIMITS = (
    ("service", 500, 5_000),
    ("service supervisor", 5_000, 50_000),
    ("finance", 5_000, 50_000),
    ("administrator", 5_000, 50_000),
)
SECOND_ABOVE_POINTS = 200_000

# name, task, every so many seconds
BY_INTERVAL = (
    ("任务续做 · Resume jobs", "members.resume_jobs", 20),
    ("提案过期 · Expire proposals", "members.expire_proposals", 300),
)
# name, task, hour, minute
BY_CLOCK = (("清理任务文件 · Forget files of jobs", "members.forget_job_files", "3", "20"),)
ZONE = "Asia/Shanghai"


def set_limits(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    groups = apps.get_model("auth", "Group").objects
    roles = {name: groups.get_or_create(name=name)[0] for name in ROLES}
    for name, per_entry, per_day in LIMITS:
        apps.get_model("members", "OperatorLimit").objects.get_or_create(
            role=roles[name], family=FAMILY, defaults={"per_entry_points": per_entry, "per_day_points": per_day}
        )
    apps.get_model("members", "ApprovalRule").objects.get_or_create(
        family=FAMILY, defaults={"second_above_points": SECOND_ABOVE_POINTS}
    )


def set_schedules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    periodic_task = apps.get_model("django_celery_beat", "PeriodicTask")
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    for name, task, seconds in BY_INTERVAL:
        every = interval.objects.filter(every=seconds, period="seconds").first() or interval.objects.create(
            every=seconds, period="seconds"
        )
        periodic_task.objects.get_or_create(
            name=name, defaults={"task": task, "interval": every, "expire_seconds": 2 * seconds}
        )
    for name, task, hour, minute in BY_CLOCK:
        when = {
            "minute": minute,
            "hour": hour,
            "day_of_week": "*",
            "day_of_month": "*",
            "month_of_year": "*",
            "timezone": ZONE,
        }
        clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
        periodic_task.objects.get_or_create(name=name, defaults={"task": task, "crontab": clock})


def remove_schedules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    names = [name for name, *_ in (*BY_INTERVAL, *BY_CLOCK)]
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0006_activities"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("family", models.CharField(max_length=30, unique=True, verbose_name="what is limited")),
                (
                    "second_above_points",
                    models.PositiveBigIntegerField(default=200000, verbose_name="two approvals above (points)"),
                ),
            ],
            options={
                "verbose_name": "rule of approval",
                "verbose_name_plural": "rules of approval",
            },
        ),
        migrations.CreateModel(
            name="ApprovalRuleEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("family", models.CharField(max_length=30, verbose_name="what is limited")),
                (
                    "second_above_points",
                    models.PositiveBigIntegerField(default=200000, verbose_name="two approvals above (points)"),
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
                        to="members.approvalrule",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=60, verbose_name="kind of work")),
                ("title_params", models.JSONField(default=dict, verbose_name="figures of the title")),
                ("params", models.JSONField(default=dict, verbose_name="what is to be done")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "waiting"),
                            ("running", "running"),
                            ("cancelled", "stopped"),
                            ("failed", "failed"),
                            ("done", "done"),
                        ],
                        default="queued",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                (
                    "total",
                    models.PositiveIntegerField(default=0, help_text="0: not known yet.", verbose_name="rows in all"),
                ),
                ("done", models.PositiveIntegerField(default=0, verbose_name="rows done")),
                ("ok", models.PositiveIntegerField(default=0, verbose_name="rows that went well")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="rows that were refused")),
                ("cursor", models.JSONField(default=dict, verbose_name="place in the work")),
                ("ran_ms", models.PositiveBigIntegerField(default=0, verbose_name="time worked, in milliseconds")),
                ("worker", models.CharField(blank=True, max_length=120, verbose_name="worker")),
                ("lease_token", models.UUIDField(null=True, verbose_name="lease")),
                ("lease_until", models.DateTimeField(null=True, verbose_name="lease ends at")),
                (
                    "stalls",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="How often a worker was lost at the same place.",
                        verbose_name="stops without progress",
                    ),
                ),
                ("cancel_asked_at", models.DateTimeField(null=True, verbose_name="asked to stop at")),
                ("created_at", models.DateTimeField(verbose_name="asked for at")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("files_expire_at", models.DateTimeField(verbose_name="files are kept until")),
                ("message", models.CharField(blank=True, max_length=500, verbose_name="why it failed")),
                ("message_params", models.JSONField(default=dict, verbose_name="figures of the reason")),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="jobs",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="started by",
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="members.job",
                        verbose_name="takes back",
                    ),
                ),
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "cancelled", "failed", "done"])),
                        name="job_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "done__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("ok"), "+", models.F("failed")
                                ),
                            )
                        ),
                        name="job_counts_no_row_twice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("total", 0), ("done__lte", models.F("total")), _connector="OR"),
                        name="job_does_not_do_more_than_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lease_token__isnull", False), ("lease_until__isnull", False), ("state", "running")
                            ),
                            models.Q(
                                models.Q(("state", "running"), _negated=True),
                                ("lease_token__isnull", True),
                                ("lease_until__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="running_job_has_a_lease",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("state__in", ["queued", "running"])),
                            models.Q(("finished_at__isnull", False), ("state__in", ["cancelled", "failed", "done"])),
                            _connector="OR",
                        ),
                        name="ended_job_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("undoes", models.F("id")), _negated=True), name="job_does_not_undo_itself"
                    ),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["created_at"],
                        name="jobs_that_are_not_ended",
                    ),
                    models.Index(fields=["owner", "-created_at"], name="jobs_of_an_operator"),
                    models.Index(fields=["-created_at", "-id"], name="job_newest_first"),
                ],
            },
        ),
        migrations.CreateModel(
            name="JobErrorRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="row")),
                (
                    "cells",
                    models.JSONField(help_text="Column and value, in the order of the file.", verbose_name="cells"),
                ),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                ("reason_params", models.JSONField(default=dict, verbose_name="figures of the reason")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="error_rows",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "verbose_name": "refused row of a job",
                "verbose_name_plural": "refused rows of jobs",
                "constraints": [models.UniqueConstraint(fields=("job", "number"), name="row_is_refused_once_in_a_job")],
            },
        ),
        migrations.CreateModel(
            name="JobFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("input", "given"), ("result", "result")], max_length=10, verbose_name="role"
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="file name")),
                ("content", models.BinaryField(verbose_name="content")),
                ("holds_personal_data", models.BooleanField(default=True, verbose_name="holds personal data")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "verbose_name": "file of a job",
                "verbose_name_plural": "files of jobs",
                "constraints": [
                    models.UniqueConstraint(fields=("job", "role"), name="job_has_one_file_of_each_role"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["input", "result"])), name="job_file_role_is_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LimitUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("family", models.CharField(max_length=30, verbose_name="what is limited")),
                ("date", models.DateField(verbose_name="business day")),
                ("used_points", models.PositiveBigIntegerField(verbose_name="used (points)")),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
            ],
            options={
                "verbose_name": "use of a limit",
                "verbose_name_plural": "uses of limits",
                "constraints": [
                    models.UniqueConstraint(fields=("operator", "family", "date"), name="limit_is_counted_once_a_day")
                ],
            },
        ),
        migrations.CreateModel(
            name="OperatorLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("family", models.CharField(max_length=30, verbose_name="what is limited")),
                ("per_entry_points", models.PositiveBigIntegerField(verbose_name="at most each time (points)")),
                ("per_day_points", models.PositiveBigIntegerField(verbose_name="at most on one day (points)")),
                (
                    "role",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="auth.group",
                        verbose_name="role",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit of a role",
                "verbose_name_plural": "limits of roles",
                "constraints": [
                    models.UniqueConstraint(fields=("role", "family"), name="role_has_one_limit_in_a_family"),
                    models.CheckConstraint(
                        condition=models.Q(("per_entry_points__lte", models.F("per_day_points"))),
                        name="limit_of_an_entry_is_within_that_of_the_day",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OperatorLimitEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("family", models.CharField(max_length=30, verbose_name="what is limited")),
                ("per_entry_points", models.PositiveBigIntegerField(verbose_name="at most each time (points)")),
                ("per_day_points", models.PositiveBigIntegerField(verbose_name="at most on one day (points)")),
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
                        to="members.operatorlimit",
                    ),
                ),
                (
                    "role",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="auth.group",
                        verbose_name="role",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OwnMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="own_memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
            ],
            options={
                "verbose_name": "own membership",
                "verbose_name_plural": "own memberships",
                "constraints": [
                    models.UniqueConstraint(fields=("operator", "member"), name="own_membership_is_said_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="OwnMembershipEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "member",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
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
                        to="members.ownmembership",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=60, verbose_name="kind of change")),
                ("params", models.JSONField(default=dict, verbose_name="what is to be changed")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                ("request_id", models.CharField(blank=True, max_length=80, verbose_name="request")),
                ("family", models.CharField(max_length=30, verbose_name="family of limits")),
                ("amount", models.PositiveBigIntegerField(default=0, verbose_name="amount counted towards limits")),
                ("approvals_needed", models.PositiveSmallIntegerField(verbose_name="people who must approve")),
                ("effect", models.JSONField(default=dict, verbose_name="what it would change when it was asked for")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for approval"),
                            ("carried_out", "carried out"),
                            ("refused", "refused"),
                            ("sent_back", "sent back"),
                            ("withdrawn", "withdrawn"),
                            ("expired", "expired"),
                        ],
                        default="waiting",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="asked for at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("first_checked_at", models.DateTimeField(null=True, verbose_name="approved at")),
                ("second_checked_at", models.DateTimeField(null=True, verbose_name="approved secondly at")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                (
                    "decision_reason",
                    models.CharField(blank=True, max_length=500, verbose_name="reason of the decision"),
                ),
                ("result", models.CharField(blank=True, max_length=500, verbose_name="what was done")),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "first_checker",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="approved by",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
                (
                    "second_checker",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="approved secondly by",
                    ),
                ),
            ],
            options={
                "verbose_name": "proposal",
                "verbose_name_plural": "proposals",
                "permissions": [("approve_proposal", "Can approve or refuse what colleagues propose")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["waiting", "carried_out", "refused", "sent_back", "withdrawn", "expired"])
                        ),
                        name="proposal_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("approvals_needed__lte", 2)), name="proposal_needs_at_most_two_approvals"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_checker__isnull", True),
                            models.Q(("first_checker", models.F("maker")), _negated=True),
                            _connector="OR",
                        ),
                        name="maker_is_not_the_first_checker",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("second_checker__isnull", True),
                            models.Q(("second_checker", models.F("maker")), _negated=True),
                            _connector="OR",
                        ),
                        name="maker_is_not_the_second_checker",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("second_checker__isnull", True),
                            models.Q(
                                ("first_checker__isnull", False),
                                models.Q(("second_checker", models.F("first_checker")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="two_checkers_are_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "carried_out"), _negated=True),
                            ("approvals_needed", 0),
                            models.Q(("approvals_needed", 1), ("first_checker__isnull", False)),
                            models.Q(("approvals_needed", 2), ("second_checker__isnull", False)),
                            _connector="OR",
                        ),
                        name="carried_out_proposal_has_its_approvals",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_by__isnull", False),
                                ("state__in", ["refused", "sent_back"]),
                                models.Q(("decided_by", models.F("maker")), _negated=True),
                            ),
                            models.Q(("state__in", ["refused", "sent_back"]), _negated=True),
                            _connector="OR",
                        ),
                        name="maker_does_not_decide_the_own_proposal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "withdrawn"), _negated=True),
                            ("decided_by", models.F("maker")),
                            _connector="OR",
                        ),
                        name="proposal_is_withdrawn_by_its_maker",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at__isnull", True), ("state", "waiting")),
                            models.Q(models.Q(("state", "waiting"), _negated=True), ("decided_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="decided_proposal_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="proposal_expires_after_it_was_made",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="proposal_has_a_reason"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("request_id", ""), _negated=True),
                        fields=("maker", "request_id"),
                        name="request_of_a_maker_is_one_proposal",
                    ),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["expires_at"], name="proposals_that_wait"
                    ),
                    models.Index(fields=["maker", "-created_at"], name="proposals_of_a_maker"),
                    models.Index(fields=["-created_at", "-id"], name="proposal_newest_first"),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalrule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_approvalruleevent" ("family", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "second_above_points") VALUES (NEW."family", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."second_above_points"); RETURN NULL;',
                    hash="1db8b58c44c731a5626c238b7237b76a53767e9c",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_32cb5",
                    table="members_approvalrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalrule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_approvalruleevent" ("family", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "second_above_points") VALUES (NEW."family", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."second_above_points"); RETURN NULL;',
                    hash="61e01140341e79ba2232b367be5cd847cb308786",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_6f46f",
                    table="members_approvalrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="approvalrule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_approvalruleevent" ("family", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "second_above_points") VALUES (OLD."family", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."second_above_points"); RETURN NULL;',
                    hash="d2e208cb76b96f5579f1cc4c15607b93655dac71",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_807a7",
                    table="members_approvalrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="operatorlimit",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_operatorlimitevent" ("family", "id", "per_day_points", "per_entry_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "role_id") VALUES (NEW."family", NEW."id", NEW."per_day_points", NEW."per_entry_points", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."role_id"); RETURN NULL;',
                    hash="3b24116d51040a6e23e4a9e283dd21b9725f71c7",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_ddf9f",
                    table="members_operatorlimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="operatorlimit",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_operatorlimitevent" ("family", "id", "per_day_points", "per_entry_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "role_id") VALUES (NEW."family", NEW."id", NEW."per_day_points", NEW."per_entry_points", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."role_id"); RETURN NULL;',
                    hash="f2d624b1a25783ced84575e9178384ecabb6a13f",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_682c8",
                    table="members_operatorlimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="operatorlimit",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_operatorlimitevent" ("family", "id", "per_day_points", "per_entry_points", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "role_id") VALUES (OLD."family", OLD."id", OLD."per_day_points", OLD."per_entry_points", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."role_id"); RETURN NULL;',
                    hash="e1973ffd1e265c17e7a51d619e21de25a900aa6d",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_58aa1",
                    table="members_operatorlimit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_ownmembershipevent" ("id", "member_id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."member_id", NEW."operator_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="512b780f2fb0460b6b2d2401df7a14df4834b1bc",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_856fe",
                    table="members_ownmembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_ownmembershipevent" ("id", "member_id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."id", NEW."member_id", NEW."operator_id", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="9e18e2f70cf91fd317f45b37c478297b5bc27584",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_56e6e",
                    table="members_ownmembership",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="ownmembership",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_ownmembershipevent" ("id", "member_id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."id", OLD."member_id", OLD."operator_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="9cd2e9702cb670ca0d7665989d7b02ec53269bfd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_c7609",
                    table="members_ownmembership",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(KEPT_AS_MADE, UNDO_KEPT_AS_MADE),
        migrations.RunSQL(FILE_IS_BOUNDED, UNDO_FILE_IS_BOUNDED),
        migrations.RunSQL(MILESTONES, UNDO_MILESTONES),
        migrations.RunSQL(
            "".join(
                refuse_changes_sql(table)
                for table in ("members_operatorlimitevent", "members_approvalruleevent", "members_ownmembershipevent")
            ),
            migrations.RunSQL.noop,
        ),
        migrations.RunPython(set_limits, migrations.RunPython.noop),
        migrations.RunPython(set_schedules, remove_schedules),
    ]
