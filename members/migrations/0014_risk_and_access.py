"""Risk reviews, how staff sign in, and the indexes of the find box."""

import django.db.models.deletion
import django.db.models.functions.text
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models
from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# Sessions know the epoch: when it moves on, they end. It never moves back, whatever an old copy of the row says.
EPOCH = """
CREATE FUNCTION members_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sign_in_epoch := greatest(NEW.sign_in_epoch, OLD.sign_in_epoch);
    IF OLD.is_active AND NOT NEW.is_active THEN
        NEW.sign_in_epoch := OLD.sign_in_epoch + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER members_operator_ends_sessions BEFORE UPDATE ON members_operator
    FOR EACH ROW EXECUTE FUNCTION members_end_sessions();
"""
NO_EPOCH = """
DROP TRIGGER members_operator_ends_sessions ON members_operator;
DROP FUNCTION members_end_sessions();
"""
# The reader that asks the rules about whom something happens to begins with what happens from now on.
READER = """
INSERT INTO members_subscription (name, epoch, xact, entry_id)
SELECT 'rewards.risk', epoch, xact, id FROM members_timelineentry ORDER BY epoch DESC, xact DESC, id DESC LIMIT 1
ON CONFLICT DO NOTHING
"""
# What usual customers stay below; staff set other limits.
RULES = {"orders_in_an_hour": 5, "orders_in_a_day": 10, "goods_given_back": 60, "staff_own_account": 3}


def write_rules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rule = apps.get_model("members", "RiskRule")
    for code, most in RULES.items():
        rule.objects.get_or_create(code=code, defaults={"most": most})


class Migration(migrations.Migration):
    dependencies = [("members", "0013_imports_and_exports"), ("pghistory", "0007_auto_20250421_0444")]

    operations = [
        migrations.CreateModel(
            name="FindTally",
            fields=[
                (
                    "operator",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
                ("minute_at", models.DateTimeField(verbose_name="minute")),
                ("lookups", models.PositiveIntegerField(verbose_name="look-ups")),
            ],
            options={
                "verbose_name": "look-ups of an operator",
                "verbose_name_plural": "look-ups of operators",
            },
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_hash", models.BinaryField(max_length=32, verbose_name="hash of the code")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used at")),
            ],
            options={
                "verbose_name": "recovery code",
                "verbose_name_plural": "recovery codes",
            },
        ),
        migrations.CreateModel(
            name="RiskFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.SlugField(db_index=False, max_length=40, verbose_name="rule")),
                ("natural_key", models.CharField(max_length=80, verbose_name="what was found")),
                ("figures", models.JSONField(default=dict, verbose_name="figures")),
                ("found_at", models.DateTimeField(verbose_name="found at")),
            ],
            options={
                "verbose_name": "risk finding",
                "verbose_name_plural": "risk findings",
            },
        ),
        migrations.CreateModel(
            name="RiskReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "to be reviewed"), ("released", "released"), ("frozen", "frozen")],
                        default="waiting",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("opened_at", models.DateTimeField(verbose_name="opened at")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                ("reason", models.CharField(blank=True, db_default="", max_length=200, verbose_name="reason")),
            ],
            options={
                "verbose_name": "risk review",
                "verbose_name_plural": "risk reviews",
                "permissions": [("decide_riskreview", "Can release or freeze members under review")],
            },
        ),
        migrations.CreateModel(
            name="RiskRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(editable=False, max_length=40, unique=True, verbose_name="code")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it opens no reviews any more.", verbose_name="in use"
                    ),
                ),
                (
                    "most",
                    models.PositiveIntegerField(
                        help_text="What goes beyond it opens a review. The unit stands in the rule's sentence.",
                        verbose_name="limit",
                    ),
                ),
            ],
            options={
                "verbose_name": "risk rule",
                "verbose_name_plural": "risk rules",
            },
        ),
        migrations.CreateModel(
            name="RiskRuleEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, editable=False, max_length=40, verbose_name="code")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it opens no reviews any more.", verbose_name="in use"
                    ),
                ),
                (
                    "most",
                    models.PositiveIntegerField(
                        help_text="What goes beyond it opens a review. The unit stands in the rule's sentence.",
                        verbose_name="limit",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SecondStep",
            fields=[
                (
                    "operator",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="second_step",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
                ("nonce", models.BinaryField(max_length=16, verbose_name="what the secret is derived from")),
                ("begun_at", models.DateTimeField(verbose_name="begun at")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="in use since")),
                (
                    "last_step",
                    models.BigIntegerField(
                        default=0, editable=False, verbose_name="last half minute whose digits were used"
                    ),
                ),
            ],
            options={
                "verbose_name": "second step",
                "verbose_name_plural": "second steps",
            },
        ),
        migrations.CreateModel(
            name="SignInTries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("account", "name of an account"),
                            ("place", "network address"),
                            ("digits", "second step of an account"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("key_hash", models.BinaryField(max_length=32, verbose_name="hash of what is counted")),
                ("tries", models.PositiveIntegerField(verbose_name="tries")),
                ("since_at", models.DateTimeField(verbose_name="counted since")),
                ("locked_until", models.DateTimeField(null=True, verbose_name="locked until")),
            ],
            options={
                "verbose_name": "tries to sign in",
                "verbose_name_plural": "tries to sign in",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="operator",
            name="sign_in_epoch",
            field=models.PositiveIntegerField(
                db_default=0, default=0, editable=False, verbose_name="how often all sign-ins were ended"
            ),
        ),
        migrations.AddField(
            model_name="programme",
            name="second_step_required",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="On: administrators, finance and service supervisors must sign in with six digits from their phone too.",
                verbose_name="second step at sign-in",
            ),
        ),
        migrations.AddField(
            model_name="programmeevent",
            name="second_step_required",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="On: administrators, finance and service supervisors must sign in with six digits from their phone too.",
                verbose_name="second step at sign-in",
            ),
        ),
        migrations.AddIndex(
            model_name="identity",
            index=models.Index(fields=["value"], name="identities_by_value"),
        ),
        migrations.AddIndex(
            model_name="memberperson",
            index=models.Index(django.db.models.functions.text.Right("phone", 4), name="person_phone_tail"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "second_step_required", "zone") VALUES (NEW."closing_days", NEW."currency", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."points_name", NEW."points_name_en", NEW."points_name_zh_hans", NEW."points_name_zh_hant", NEW."second_step_required", NEW."zone"); RETURN NULL;',
                    hash="ebc63a83a3633fdcc073f597081f73fe93ff8844",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_67c19",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "second_step_required", "zone") VALUES (NEW."closing_days", NEW."currency", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."points_name", NEW."points_name_en", NEW."points_name_zh_hans", NEW."points_name_zh_hant", NEW."second_step_required", NEW."zone"); RETURN NULL;',
                    hash="b868fb5bca8298866035872f7931a59e29ef9d73",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_8cf4c",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "second_step_required", "zone") VALUES (OLD."closing_days", OLD."currency", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."points_name", OLD."points_name_en", OLD."points_name_zh_hans", OLD."points_name_zh_hant", OLD."second_step_required", OLD."zone"); RETURN NULL;',
                    hash="9c46e501feaad85bee134d5c322a1f2aa79b6154",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a974e",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="recoverycode",
            name="operator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="recovery_codes",
                to=settings.AUTH_USER_MODEL,
                verbose_name="operator",
            ),
        ),
        migrations.AddField(
            model_name="riskfinding",
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
            model_name="riskreview",
            name="decided_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="decided by",
            ),
        ),
        migrations.AddField(
            model_name="riskreview",
            name="freeze",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.memberfreeze",
                verbose_name="freeze",
            ),
        ),
        migrations.AddField(
            model_name="riskreview",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="risk_reviews",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="riskfinding",
            name="review",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="findings",
                to="members.riskreview",
                verbose_name="review",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskrule",
            constraint=models.CheckConstraint(condition=models.Q(("most__gte", 1)), name="risk_rule_has_a_limit"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="riskrule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_riskruleevent" ("code", "id", "is_on", "most", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."most", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="81176dfd23e188a80a1308d015c4d7516a1c2f9c",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_b188e",
                    table="members_riskrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="riskrule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_riskruleevent" ("code", "id", "is_on", "most", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."most", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="24eed14beca73d25fb36d1d31175e565fbb1d9b8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_94a31",
                    table="members_riskrule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="riskrule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_riskruleevent" ("code", "id", "is_on", "most", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."most", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="36fa30d9493960e620273fabce99653ab9e694e5",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_3cd41",
                    table="members_riskrule",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="riskruleevent",
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
            model_name="riskruleevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.riskrule",
            ),
        ),
        migrations.AddIndex(
            model_name="signintries",
            index=models.Index(fields=["since_at"], name="tries_by_age"),
        ),
        migrations.AddConstraint(
            model_name="signintries",
            constraint=models.UniqueConstraint(fields=("kind", "key_hash"), name="tries_are_counted_in_one_place"),
        ),
        migrations.AddConstraint(
            model_name="signintries",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["account", "place", "digits"])), name="kind_of_tries_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="recoverycode",
            constraint=models.UniqueConstraint(fields=("operator", "code_hash"), name="recovery_code_is_given_once"),
        ),
        migrations.AddIndex(
            model_name="riskreview",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["opened_at", "id"], name="risk_reviews_waiting"
            ),
        ),
        migrations.AddIndex(
            model_name="riskreview",
            index=models.Index(fields=["-opened_at", "-id"], name="risk_review_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "released", "frozen"])), name="risk_review_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")), fields=("member",), name="member_has_one_risk_review_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="riskreview",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True),
                        ("decided_by__isnull", True),
                        ("freeze__isnull", True),
                        ("state", "waiting"),
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("freeze__isnull", True),
                        ("state", "released"),
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("freeze__isnull", False),
                        ("state", "frozen"),
                    ),
                    _connector="OR",
                ),
                name="risk_review_says_how_it_was_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskfinding",
            constraint=models.UniqueConstraint(
                fields=("member", "rule", "natural_key"), name="risk_finding_is_made_once"
            ),
        ),
        migrations.RunSQL(EPOCH, NO_EPOCH),
        migrations.RunSQL(READER, migrations.RunSQL.noop),
        migrations.RunSQL(refuse_changes_sql("members_riskfinding"), migrations.RunSQL.noop),
        migrations.RunSQL(refuse_changes_sql("members_riskruleevent"), migrations.RunSQL.noop),
        migrations.RunPython(write_rules, migrations.RunPython.noop),
    ]
