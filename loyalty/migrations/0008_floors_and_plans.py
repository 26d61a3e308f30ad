"""Floors under earned tiers, and paid membership: tables, who may do what, and when time is followed."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql


def see(*models: str) -> set[str]:
    return {f"view_{model}" for model in models}


SEEN = see("tierfloor", "plan", "planmembership", "planorder", "planpayment")
KEEP = {"add_plan", "change_plan"}
ROLES = {
    "service": SEEN | {"set_tier", "sell_plan"},
    "service supervisor": SEEN | {"set_tier", "sell_plan", "refund_plan"},
    "marketing": SEEN | KEEP,
    "finance": SEEN | {"refund_plan"},
    "store": see("tierfloor", "plan", "planmembership"),
    "administrator": SEEN | KEEP | {"set_tier", "sell_plan", "refund_plan"},
    "analyst": SEEN,
}
# name, task, every so many seconds
BY_INTERVAL = (
    ("等级下限随时间更新 · Let tier floors follow time", "loyalty.refresh_floors", 60),
    ("付费会员到期与提醒 · Keep plans", "loyalty.keep_plans", 300),
)


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
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    for name, task, seconds in BY_INTERVAL:
        every = interval.objects.filter(every=seconds, period="seconds").first() or interval.objects.create(
            every=seconds, period="seconds"
        )
        apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
            name=name, defaults={"task": task, "interval": every, "expire_seconds": 2 * seconds}
        )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0007_benefits"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Plan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=30, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="plan name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("text", models.TextField(blank=True, max_length=500, verbose_name="what members read")),
                (
                    "text_zh_hans",
                    models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read"),
                ),
                (
                    "text_zh_hant",
                    models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read"),
                ),
                ("text_en", models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read")),
                (
                    "price_amount",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="For one period, in the programme's currency.",
                        max_digits=12,
                        verbose_name="price",
                    ),
                ),
                ("period_months", models.PositiveSmallIntegerField(default=12, verbose_name="period (months)")),
                (
                    "trial_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Free to begin with, once per person whatever the plan. 0: no trial.",
                        verbose_name="trial (days)",
                    ),
                ),
                (
                    "can_renew",
                    models.BooleanField(
                        default=True,
                        help_text="Whether members can say that they mean to go on. Nothing is charged by itself.",
                        verbose_name="members may wish to renew",
                    ),
                ),
                ("sale_from", models.DateTimeField(verbose_name="on sale from")),
                ("sale_until", models.DateTimeField(blank=True, null=True, verbose_name="on sale until")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("on_sale", "on sale"), ("withdrawn", "no longer sold")],
                        default="draft",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
            ],
            options={
                "verbose_name": "plan",
                "verbose_name_plural": "plans",
                "ordering": ["tier__rank", "price_amount"],
            },
        ),
        migrations.CreateModel(
            name="PlanEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="plan name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="plan name")),
                ("text", models.TextField(blank=True, max_length=500, verbose_name="what members read")),
                (
                    "text_zh_hans",
                    models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read"),
                ),
                (
                    "text_zh_hant",
                    models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read"),
                ),
                ("text_en", models.TextField(blank=True, max_length=500, null=True, verbose_name="what members read")),
                (
                    "price_amount",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="For one period, in the programme's currency.",
                        max_digits=12,
                        verbose_name="price",
                    ),
                ),
                ("period_months", models.PositiveSmallIntegerField(default=12, verbose_name="period (months)")),
                (
                    "trial_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Free to begin with, once per person whatever the plan. 0: no trial.",
                        verbose_name="trial (days)",
                    ),
                ),
                (
                    "can_renew",
                    models.BooleanField(
                        default=True,
                        help_text="Whether members can say that they mean to go on. Nothing is charged by itself.",
                        verbose_name="members may wish to renew",
                    ),
                ),
                ("sale_from", models.DateTimeField(verbose_name="on sale from")),
                ("sale_until", models.DateTimeField(blank=True, null=True, verbose_name="on sale until")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("on_sale", "on sale"), ("withdrawn", "no longer sold")],
                        default="draft",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PlanMembership",
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
                    "state",
                    models.CharField(
                        choices=[
                            ("trial", "trial"),
                            ("active", "paid"),
                            ("ended", "ended"),
                            ("refunded", "paid back"),
                            ("upgraded", "changed for a higher one"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_until", models.DateTimeField(verbose_name="until")),
                ("anchor_date", models.DateField(verbose_name="first day of the paid periods")),
                ("months_given", models.PositiveSmallIntegerField(default=0, verbose_name="months since that day")),
                ("renews_intended", models.BooleanField(default=False, verbose_name="means to renew")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "end_reason",
                    models.CharField(blank=True, db_default="", max_length=200, verbose_name="why it ended"),
                ),
            ],
            options={
                "verbose_name": "plan of a member",
                "verbose_name_plural": "plans of members",
                "permissions": [
                    ("sell_plan", "Can sell plans and note whether members mean to renew"),
                    ("refund_plan", "Can end plans and note what is paid back"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanOrder",
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
                    "kind",
                    models.CharField(
                        choices=[("purchase", "purchase"), ("renewal", "renewal"), ("upgrade", "upgrade")],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=12, verbose_name="to pay")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "spans",
                    models.JSONField(
                        default=list,
                        help_text="Of an upgrade: from, until and share of the price of each period.",
                        verbose_name="what it gives",
                    ),
                ),
                ("renews_intended", models.BooleanField(default=False, verbose_name="means to renew")),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "waits for payment"), ("paid", "paid"), ("lapsed", "not paid in time")],
                        default="pending",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("made_at", models.DateTimeField(verbose_name="ordered at")),
                ("expires_at", models.DateTimeField(verbose_name="to be paid until")),
                ("actor_kind", models.CharField(max_length=10, verbose_name="ordered by")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="id of who ordered")),
            ],
            options={
                "verbose_name": "order of a plan",
                "verbose_name_plural": "orders of plans",
            },
        ),
        migrations.CreateModel(
            name="PlanPayment",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("purchase", "purchase"),
                            ("renewal", "renewal"),
                            ("upgrade", "upgrade"),
                            ("refund", "refund"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=2, max_digits=12, verbose_name="amount")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("source", models.CharField(max_length=40, verbose_name="source")),
                ("external_ref", models.CharField(max_length=80, verbose_name="number at the source")),
                ("fingerprint", models.BinaryField(max_length=32, verbose_name="hash of what was told")),
                ("figures", models.JSONField(default=dict, verbose_name="how it was worked out")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("paid_at", models.DateTimeField(verbose_name="paid at")),
                ("actor_kind", models.CharField(max_length=10, verbose_name="confirmed by")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="id of who confirmed")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
            ],
            options={
                "verbose_name": "payment for a plan",
                "verbose_name_plural": "payments for plans",
            },
        ),
        migrations.CreateModel(
            name="PlanPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                (
                    "kind",
                    models.CharField(
                        choices=[("trial", "trial"), ("paid", "paid")], max_length=10, verbose_name="kind"
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_until", models.DateTimeField(verbose_name="until")),
                (
                    "amount",
                    models.DecimalField(decimal_places=2, default=0, max_digits=12, verbose_name="share of the price"),
                ),
                (
                    "reminded_days",
                    models.PositiveSmallIntegerField(
                        help_text="The nearest reminder that was told.",
                        null=True,
                        verbose_name="reminded so many days before its end",
                    ),
                ),
            ],
            options={
                "verbose_name": "period of a plan",
                "verbose_name_plural": "periods of plans",
            },
        ),
        migrations.CreateModel(
            name="PlanTrial",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="plan_trial",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("taken_at", models.DateTimeField(verbose_name="begun at")),
            ],
            options={
                "verbose_name": "trial of a plan",
                "verbose_name_plural": "trials of plans",
            },
        ),
        migrations.CreateModel(
            name="TierFloor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_until", models.DateTimeField(blank=True, null=True, verbose_name="until")),
                (
                    "source",
                    models.CharField(
                        choices=[("staff", "set by hand"), ("plan", "paid membership"), ("campaign", "campaign")],
                        max_length=10,
                        verbose_name="where it comes from",
                    ),
                ),
                ("source_ref", models.CharField(max_length=80, verbose_name="reference there")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("actor_kind", models.CharField(max_length=10, verbose_name="set by")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="id of who set it")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended early at")),
                (
                    "ended_reason",
                    models.CharField(blank=True, db_default="", max_length=200, verbose_name="why it was ended"),
                ),
                ("ended_by_kind", models.CharField(blank=True, db_default="", max_length=10, verbose_name="ended by")),
                ("ended_by_id", models.BigIntegerField(null=True, verbose_name="id of who ended it")),
            ],
            options={
                "verbose_name": "tier floor",
                "verbose_name_plural": "tier floors",
                "permissions": [("set_tier", "Can set a tier by hand")],
            },
        ),
        migrations.AddField(
            model_name="tierstanding",
            name="floor_from",
            field=models.DateTimeField(null=True, verbose_name="floors as said since"),
        ),
        migrations.AddField(
            model_name="tierstanding",
            name="floor_tier",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tier",
                verbose_name="tier of the highest floor",
            ),
        ),
        migrations.AddField(
            model_name="tierstanding",
            name="floor_until",
            field=models.DateTimeField(null=True, verbose_name="floors as said until"),
        ),
        migrations.AddIndex(
            model_name="tierstanding",
            index=models.Index(
                condition=models.Q(("floor_until__isnull", False)),
                fields=["floor_until", "member"],
                name="standing_due_for_floors",
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="tier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tier",
                verbose_name="tier it gives",
            ),
        ),
        migrations.AddField(
            model_name="planevent",
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
            model_name="planevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="loyalty.plan",
            ),
        ),
        migrations.AddField(
            model_name="planevent",
            name="tier",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="loyalty.tier",
                verbose_name="tier it gives",
            ),
        ),
        migrations.AddField(
            model_name="planmembership",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="plan_memberships",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="planmembership",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.plan", verbose_name="plan"
            ),
        ),
        migrations.AddField(
            model_name="planorder",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="plan_orders",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="planorder",
            name="membership",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="loyalty.planmembership",
                verbose_name="plan it goes on from",
            ),
        ),
        migrations.AddField(
            model_name="planorder",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.plan", verbose_name="plan"
            ),
        ),
        migrations.AddField(
            model_name="planpayment",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="plan_payments",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="planpayment",
            name="membership",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="loyalty.planmembership",
                verbose_name="plan of the member",
            ),
        ),
        migrations.AddField(
            model_name="planpayment",
            name="order",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payment",
                to="loyalty.planorder",
                verbose_name="order",
            ),
        ),
        migrations.AddField(
            model_name="planperiod",
            name="membership",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="periods",
                to="loyalty.planmembership",
                verbose_name="plan of the member",
            ),
        ),
        migrations.AddField(
            model_name="planperiod",
            name="payment",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="periods",
                to="loyalty.planpayment",
                verbose_name="payment",
            ),
        ),
        migrations.AddField(
            model_name="plantrial",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.plan", verbose_name="plan"
            ),
        ),
        migrations.AddField(
            model_name="tierfloor",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tier_floors",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="tierfloor",
            name="tier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="loyalty.tier", verbose_name="tier"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(condition=models.Q(("price_amount__gt", 0)), name="plan_has_a_price"),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("period_months__gt", 0)), name="plan_lasts_some_months"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("trial_days__lte", 366)), name="trial_lasts_a_year_at_most"
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("sale_until__isnull", True), ("sale_until__gt", models.F("sale_from")), _connector="OR"
                ),
                name="sale_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "on_sale", "withdrawn"])), name="plan_state_is_known"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_planevent" ("can_renew", "code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "period_months", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sale_from", "sale_until", "state", "text", "text_en", "text_zh_hans", "text_zh_hant", "tier_id", "trial_days") VALUES (NEW."can_renew", NEW."code", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."period_months", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."price_amount", NEW."sale_from", NEW."sale_until", NEW."state", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant", NEW."tier_id", NEW."trial_days"); RETURN NULL;',
                    hash="a3e0347c6103db104deab2570a1101a54d80f633",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_fbcc1",
                    table="loyalty_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_planevent" ("can_renew", "code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "period_months", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sale_from", "sale_until", "state", "text", "text_en", "text_zh_hans", "text_zh_hant", "tier_id", "trial_days") VALUES (NEW."can_renew", NEW."code", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."period_months", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."price_amount", NEW."sale_from", NEW."sale_until", NEW."state", NEW."text", NEW."text_en", NEW."text_zh_hans", NEW."text_zh_hant", NEW."tier_id", NEW."trial_days"); RETURN NULL;',
                    hash="7ce4b29e5cdcda2234e307172b90c367de97385a",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_aaf75",
                    table="loyalty_plan",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="plan",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_planevent" ("can_renew", "code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "period_months", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sale_from", "sale_until", "state", "text", "text_en", "text_zh_hans", "text_zh_hant", "tier_id", "trial_days") VALUES (OLD."can_renew", OLD."code", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."period_months", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."price_amount", OLD."sale_from", OLD."sale_until", OLD."state", OLD."text", OLD."text_en", OLD."text_zh_hans", OLD."text_zh_hant", OLD."tier_id", OLD."trial_days"); RETURN NULL;',
                    hash="672b31cc07107d9ffc699dd91cd7f93eae10e388",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d1057",
                    table="loyalty_plan",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="planmembership",
            index=models.Index(fields=["member", "-valid_from"], name="plans_of_member"),
        ),
        migrations.AddIndex(
            model_name="planmembership",
            index=models.Index(fields=["-valid_from", "-id"], name="plans_of_members_newest_first"),
        ),
        migrations.AddIndex(
            model_name="planmembership",
            index=models.Index(
                condition=models.Q(("state__in", ["trial", "active"])),
                fields=["valid_until"],
                name="running_plans_by_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="planmembership",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["trial", "active"])),
                fields=("member",),
                name="member_has_one_running_plan",
            ),
        ),
        migrations.AddConstraint(
            model_name="planmembership",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_until__gt", models.F("valid_from"))),
                name="plan_of_member_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="planmembership",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["trial", "active", "ended", "refunded", "upgraded"])),
                name="plan_of_member_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="planmembership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state__in", ["trial", "active"])),
                    models.Q(models.Q(("state__in", ["trial", "active"]), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="plan_of_member_has_ended_unless_it_runs",
            ),
        ),
        migrations.AddIndex(
            model_name="planorder",
            index=models.Index(fields=["member", "-made_at"], name="plan_orders_of_member"),
        ),
        migrations.AddIndex(
            model_name="planorder",
            index=models.Index(fields=["-made_at", "-id"], name="plan_orders_newest_first"),
        ),
        migrations.AddIndex(
            model_name="planorder",
            index=models.Index(
                condition=models.Q(("state", "pending")), fields=["expires_at"], name="waiting_plan_orders"
            ),
        ),
        migrations.AddConstraint(
            model_name="planorder",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "pending")), fields=("member",), name="one_plan_order_waits_per_member"
            ),
        ),
        migrations.AddConstraint(
            model_name="planorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0)), name="plan_order_amount_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="planorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "paid", "lapsed"])), name="plan_order_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="planorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["purchase", "renewal", "upgrade"])), name="plan_order_kind_is_known"
            ),
        ),
        migrations.AddIndex(
            model_name="planpayment",
            index=models.Index(fields=["member", "-paid_at"], name="plan_payments_of_member"),
        ),
        migrations.AddIndex(
            model_name="planpayment",
            index=models.Index(fields=["-paid_at", "-id"], name="plan_payments_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="planpayment",
            constraint=models.UniqueConstraint(fields=("source", "external_ref"), name="payment_is_told_once"),
        ),
        migrations.AddConstraint(
            model_name="planpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0)), name="plan_payment_amount_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="planpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["purchase", "renewal", "upgrade", "refund"])),
                name="plan_payment_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="planpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "refund"), ("order__isnull", True)),
                    models.Q(models.Q(("kind", "refund"), _negated=True), ("order__isnull", False)),
                    _connector="OR",
                ),
                name="plan_payment_has_an_order_unless_refund",
            ),
        ),
        migrations.AddIndex(
            model_name="planperiod",
            index=models.Index(fields=["valid_until"], name="plan_periods_by_end"),
        ),
        migrations.AddConstraint(
            model_name="planperiod",
            constraint=models.UniqueConstraint(fields=("membership", "number"), name="periods_of_a_plan_are_numbered"),
        ),
        migrations.AddConstraint(
            model_name="planperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_until__gt", models.F("valid_from"))), name="period_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="planperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0)), name="period_amount_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="planperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["trial", "paid"])), name="plan_period_kind_is_known"
            ),
        ),
        migrations.AddIndex(
            model_name="tierfloor",
            index=models.Index(fields=["member", "valid_from"], name="floors_of_member"),
        ),
        migrations.AddIndex(
            model_name="tierfloor",
            index=models.Index(fields=["-valid_from", "-id"], name="floors_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="tierfloor",
            constraint=models.UniqueConstraint(fields=("source", "source_ref"), name="floor_is_given_once"),
        ),
        migrations.AddConstraint(
            model_name="tierfloor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_until__isnull", True), ("valid_until__gt", models.F("valid_from")), _connector="OR"
                ),
                name="floor_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierfloor",
            constraint=models.CheckConstraint(
                condition=models.Q(("source__in", ["staff", "plan", "campaign"])), name="floor_source_is_known"
            ),
        ),
        *(
            migrations.RunSQL(refuse_changes_sql(table), migrations.RunSQL.noop)
            for table in ("loyalty_planpayment", "loyalty_planevent")
        ),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
