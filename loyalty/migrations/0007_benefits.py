"""Benefits by tier, what members were given of them, every use, and budgets; their history, roles, limits and beats."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import loyalty.models.benefits
import loyalty.models.ladder
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

HISTORY = (
    "loyalty_benefitevent",
    "loyalty_tierbenefitevent",
    "loyalty_benefitbudgetevent",
    "loyalty_benefitbudgetnote",
    "loyalty_entitlementuse",
)


def see(*models: str) -> set[str]:
    return {f"view_{model}" for model in models}


def write(*models: str) -> set[str]:
    return {f"{verb}_{model}" for model in models for verb in ("view", "add", "change")}


SERVICE = see("benefit", "entitlement") | {"use_entitlement", "give_benefit"}
SUPERVISOR = SERVICE | see("benefitbudget", "tierbenefit")
MARKETING = write("benefit", "tierbenefit", "benefitbudget") | see("entitlement")
FINANCE = write("benefitbudget") | see("benefit", "tierbenefit", "entitlement")
ANALYST = see("benefit", "tierbenefit", "benefitbudget", "entitlement")
ROLES = {
    "service": SERVICE,
    "service supervisor": SUPERVISOR,
    "marketing": MARKETING,
    "finance": FINANCE,
    "administrator": SUPERVISOR | MARKETING | FINANCE,
    "analyst": ANALYST,
}
# What each role may give by hand without a colleague: role, at most each time, at most on one day (units of the currency).
FAMILY = "benefit_cost"
LIMITS = (("service", 100, 500), ("service supervisor", 1_000, 5_000))
SECOND_ABOVE = 20_000
# name, task, every so many seconds
BY_INTERVAL = (
    ("发放等级权益 · Give due benefits", "loyalty.give_due_benefits", 3600),
    ("权益到期 · Expire entitlements", "loyalty.expire_due_entitlements", 300),
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


def set_limits(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    groups = apps.get_model("auth", "Group").objects
    for name, per_entry, per_day in LIMITS:
        apps.get_model("members", "OperatorLimit").objects.get_or_create(
            role=groups.get_or_create(name=name)[0], family=FAMILY,
            defaults={"per_entry_points": per_entry, "per_day_points": per_day},
        )  # fmt: skip
    apps.get_model("members", "ApprovalRule").objects.get_or_create(
        family=FAMILY, defaults={"second_above_points": SECOND_ABOVE}
    )


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
        ("loyalty", "0006_criteria"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Benefit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True, verbose_name="code")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("discount", "discount"),
                            ("multiplier", "more points"),
                            ("shipping", "free shipping"),
                            ("delivery", "faster delivery"),
                            ("returns", "easier returns"),
                            ("priority", "priority service"),
                            ("birthday", "birthday gift"),
                            ("vouchers", "voucher pack"),
                            ("early", "early purchase"),
                            ("products", "member prices and products"),
                            ("event", "event access"),
                            ("gift", "exclusive gift"),
                            ("visits", "visits and uses by quota"),
                            ("partner", "partner benefit"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="benefit name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                (
                    "sentence",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_en",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                (
                    "period",
                    models.CharField(
                        choices=[
                            ("month", "each month"),
                            ("quarter", "each quarter"),
                            ("year", "each year"),
                            ("tier", "each validity of the tier"),
                        ],
                        default="year",
                        max_length=8,
                        verbose_name="given",
                    ),
                ),
                (
                    "quota",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty: without limit, as for a discount.",
                        null=True,
                        verbose_name="uses in a period",
                    ),
                ),
                (
                    "unit_cost_amount",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="In the programme's currency. Empty: not known; no budget in money can hold it then.",
                        max_digits=10,
                        null=True,
                        verbose_name="cost of one use",
                    ),
                ),
                (
                    "on_lowered",
                    models.CharField(
                        choices=[("at_once", "ends at once"), ("period_end", "stays to the end of its period")],
                        default="period_end",
                        max_length=10,
                        verbose_name="when the tier is lost",
                    ),
                ),
                (
                    "is_used_in_app",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise only tills and staff use it.",
                        verbose_name="members use it in the app",
                    ),
                ),
                (
                    "category_codes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SlugField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="Codes, with commas between. None: the whole order.",
                        verbose_name="categories",
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: every day.",
                        verbose_name="weekdays",
                    ),
                ),
                ("hours_from", models.TimeField(blank=True, null=True, verbose_name="from the hour")),
                ("hours_to", models.TimeField(blank=True, null=True, verbose_name="until the hour")),
                (
                    "voucher_template_code",
                    models.SlugField(
                        blank=True,
                        help_text="The code of the voucher that is issued for each use. Empty: no voucher.",
                        max_length=40,
                        verbose_name="voucher template",
                    ),
                ),
                (
                    "is_given_at_once",
                    models.BooleanField(
                        default=True,
                        help_text="All of a period when the benefit is given. Otherwise one for each use that a member claims.",
                        verbose_name="vouchers are issued at once",
                    ),
                ),
                (
                    "stores",
                    models.ManyToManyField(
                        blank=True,
                        help_text="None chosen: all stores.",
                        related_name="+",
                        to="members.store",
                        verbose_name="stores",
                    ),
                ),
            ],
            options={
                "verbose_name": "benefit",
                "verbose_name_plural": "benefits",
                "ordering": ["kind", "code"],
            },
        ),
        migrations.CreateModel(
            name="BenefitBudget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("total_units", models.PositiveIntegerField(blank=True, null=True, verbose_name="budget (uses)")),
                (
                    "total_amount",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=14, null=True, verbose_name="budget (money)"
                    ),
                ),
                (
                    "throttle_percent",
                    models.PositiveSmallIntegerField(
                        default=100,
                        help_text="When so much of the budget is promised, nothing more is given, or another benefit instead.",
                        verbose_name="stop at (%)",
                    ),
                ),
                (
                    "when_full",
                    models.CharField(
                        choices=[("stop", "nothing more is given"), ("swap", "another benefit is given instead")],
                        default="stop",
                        max_length=4,
                        verbose_name="then",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_to", models.DateTimeField(verbose_name="until")),
                (
                    "reserved_units",
                    models.PositiveIntegerField(default=0, editable=False, verbose_name="promised (uses)"),
                ),
                (
                    "reserved_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, editable=False, max_digits=14, verbose_name="promised (money)"
                    ),
                ),
                ("stopped_at", models.DateTimeField(editable=False, null=True, verbose_name="stopped at")),
                (
                    "stop_reason",
                    models.CharField(blank=True, editable=False, max_length=200, verbose_name="why it was stopped"),
                ),
                (
                    "warned_percent",
                    models.PositiveSmallIntegerField(default=0, editable=False, verbose_name="warned at (%)"),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
                (
                    "swap_benefit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.benefit",
                        verbose_name="benefit instead",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all tiers together.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "budget of a benefit",
                "verbose_name_plural": "budgets of benefits",
                "ordering": ["-valid_to", "benefit", "pk"],
            },
        ),
        migrations.CreateModel(
            name="BenefitBudgetEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("total_units", models.PositiveIntegerField(blank=True, null=True, verbose_name="budget (uses)")),
                (
                    "total_amount",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=14, null=True, verbose_name="budget (money)"
                    ),
                ),
                (
                    "throttle_percent",
                    models.PositiveSmallIntegerField(
                        default=100,
                        help_text="When so much of the budget is promised, nothing more is given, or another benefit instead.",
                        verbose_name="stop at (%)",
                    ),
                ),
                (
                    "when_full",
                    models.CharField(
                        choices=[("stop", "nothing more is given"), ("swap", "another benefit is given instead")],
                        default="stop",
                        max_length=4,
                        verbose_name="then",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_to", models.DateTimeField(verbose_name="until")),
                (
                    "benefit",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.benefit",
                        verbose_name="benefit",
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
                        to="loyalty.benefitbudget",
                    ),
                ),
                (
                    "swap_benefit",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.benefit",
                        verbose_name="benefit instead",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty: all tiers together.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="BenefitBudgetNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("warned", "warned"),
                            ("full", "used up"),
                            ("stopped", "stopped"),
                            ("resumed", "goes on"),
                        ],
                        max_length=8,
                        verbose_name="what happened",
                    ),
                ),
                ("percent", models.PositiveSmallIntegerField(verbose_name="promised (%)")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="loyalty.benefitbudget",
                        verbose_name="budget of a benefit",
                    ),
                ),
            ],
            options={
                "verbose_name": "note of a budget",
                "verbose_name_plural": "notes of budgets",
                "ordering": ["-happened_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="BenefitEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=40, verbose_name="code")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("discount", "discount"),
                            ("multiplier", "more points"),
                            ("shipping", "free shipping"),
                            ("delivery", "faster delivery"),
                            ("returns", "easier returns"),
                            ("priority", "priority service"),
                            ("birthday", "birthday gift"),
                            ("vouchers", "voucher pack"),
                            ("early", "early purchase"),
                            ("products", "member prices and products"),
                            ("event", "event access"),
                            ("gift", "exclusive gift"),
                            ("visits", "visits and uses by quota"),
                            ("partner", "partner benefit"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="benefit name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="benefit name")),
                (
                    "sentence",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                (
                    "sentence_en",
                    models.CharField(
                        blank=True,
                        help_text="What members read. {figure} and {quota} stand for what the tier gives.",
                        max_length=200,
                        null=True,
                        verbose_name="sentence for members",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                (
                    "period",
                    models.CharField(
                        choices=[
                            ("month", "each month"),
                            ("quarter", "each quarter"),
                            ("year", "each year"),
                            ("tier", "each validity of the tier"),
                        ],
                        default="year",
                        max_length=8,
                        verbose_name="given",
                    ),
                ),
                (
                    "quota",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty: without limit, as for a discount.",
                        null=True,
                        verbose_name="uses in a period",
                    ),
                ),
                (
                    "unit_cost_amount",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="In the programme's currency. Empty: not known; no budget in money can hold it then.",
                        max_digits=10,
                        null=True,
                        verbose_name="cost of one use",
                    ),
                ),
                (
                    "on_lowered",
                    models.CharField(
                        choices=[("at_once", "ends at once"), ("period_end", "stays to the end of its period")],
                        default="period_end",
                        max_length=10,
                        verbose_name="when the tier is lost",
                    ),
                ),
                (
                    "is_used_in_app",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise only tills and staff use it.",
                        verbose_name="members use it in the app",
                    ),
                ),
                (
                    "category_codes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SlugField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="Codes, with commas between. None: the whole order.",
                        verbose_name="categories",
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: every day.",
                        verbose_name="weekdays",
                    ),
                ),
                ("hours_from", models.TimeField(blank=True, null=True, verbose_name="from the hour")),
                ("hours_to", models.TimeField(blank=True, null=True, verbose_name="until the hour")),
                (
                    "voucher_template_code",
                    models.SlugField(
                        blank=True,
                        db_index=False,
                        help_text="The code of the voucher that is issued for each use. Empty: no voucher.",
                        max_length=40,
                        verbose_name="voucher template",
                    ),
                ),
                (
                    "is_given_at_once",
                    models.BooleanField(
                        default=True,
                        help_text="All of a period when the benefit is given. Otherwise one for each use that a member claims.",
                        verbose_name="vouchers are issued at once",
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
                        to="loyalty.benefit",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Entitlement",
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
                    "source",
                    models.CharField(
                        choices=[
                            ("tier", "tier"),
                            ("plan", "paid membership"),
                            ("campaign", "campaign"),
                            ("staff", "staff"),
                        ],
                        max_length=8,
                        verbose_name="given by",
                    ),
                ),
                ("source_ref", models.CharField(blank=True, max_length=80, verbose_name="reference in the source")),
                ("period_key", models.CharField(blank=True, max_length=24, verbose_name="period")),
                ("quota", models.PositiveIntegerField(verbose_name="uses")),
                ("used", models.PositiveIntegerField(default=0, verbose_name="used")),
                (
                    "unit_cost_amount",
                    models.DecimalField(decimal_places=2, max_digits=10, null=True, verbose_name="cost of one use"),
                ),
                ("valid_from", models.DateTimeField(verbose_name="from")),
                ("valid_to", models.DateTimeField(verbose_name="until")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("granted", "given"),
                            ("used_up", "used up"),
                            ("expired", "expired"),
                            ("revoked", "taken back"),
                        ],
                        default="granted",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("ended_because", models.CharField(blank=True, max_length=20, verbose_name="why it was taken back")),
                ("granted_at", models.DateTimeField(verbose_name="given at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entitlements",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
                (
                    "budget",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.benefitbudget",
                        verbose_name="budget",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entitlements",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
                (
                    "tier_budget",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.benefitbudget",
                        verbose_name="budget of the tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "entitlement",
                "verbose_name_plural": "entitlements",
                "permissions": [
                    ("use_entitlement", "Can note that members use benefits, and take that back"),
                    ("give_benefit", "Can give members benefits by hand, and take them back"),
                ],
            },
        ),
        migrations.CreateModel(
            name="EntitlementUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("units", models.SmallIntegerField(verbose_name="uses")),
                ("left_after", models.PositiveIntegerField(verbose_name="left after it")),
                ("source", models.CharField(max_length=40, verbose_name="source")),
                ("external_ref", models.CharField(max_length=160, verbose_name="reference in the source")),
                ("cost_amount", models.DecimalField(decimal_places=2, max_digits=12, null=True, verbose_name="cost")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
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
                    "benefit",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
                (
                    "entitlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="loyalty.entitlement",
                        verbose_name="entitlement",
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
                (
                    "tier",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="loyalty.entitlementuse",
                        verbose_name="takes back",
                    ),
                ),
            ],
            options={
                "verbose_name": "use of an entitlement",
                "verbose_name_plural": "uses of entitlements",
            },
        ),
        migrations.CreateModel(
            name="TierBenefit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "figure",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="5 for 5 % off, 1.5 for one and a half times the points.",
                        max_digits=8,
                        null=True,
                        verbose_name="figure",
                    ),
                ),
                (
                    "quota",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="Empty: as the benefit says.", null=True, verbose_name="uses in a period"
                    ),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cells",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
                (
                    "ladder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="benefits",
                        to="loyalty.ladderversion",
                        verbose_name="ladder version",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="benefits",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "benefit of a tier",
                "verbose_name_plural": "benefits of tiers",
            },
        ),
        migrations.CreateModel(
            name="TierBenefitEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "figure",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="5 for 5 % off, 1.5 for one and a half times the points.",
                        max_digits=8,
                        null=True,
                        verbose_name="figure",
                    ),
                ),
                (
                    "quota",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="Empty: as the benefit says.", null=True, verbose_name="uses in a period"
                    ),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
                (
                    "ladder",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.ladderversion",
                        verbose_name="ladder version",
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
                        to="loyalty.tierbenefit",
                    ),
                ),
                (
                    "tier",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.tier",
                        verbose_name="tier",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_cost_amount__isnull", True), ("unit_cost_amount__gte", 0), _connector="OR"),
                name="benefit_costs_nothing_or_more",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekdays__contained_by", [0, 1, 2, 3, 4, 5, 6])),
                name="benefit_weekdays_are_monday_to_sunday",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("hours_from__isnull", True), ("hours_to__isnull", True)),
                    ("hours_to__gt", models.F("hours_from")),
                    _connector="OR",
                ),
                name="benefit_hours_end_after_they_begin",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("quota__isnull", True), ("quota__gt", 0), _connector="OR"),
                name="benefit_quota_is_positive",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefit",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_benefitevent" ("category_codes", "code", "hours_from", "hours_to", "id", "is_given_at_once", "is_on", "is_used_in_app", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "on_lowered", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "sentence", "sentence_en", "sentence_zh_hans", "sentence_zh_hant", "unit_cost_amount", "voucher_template_code", "weekdays") VALUES (NEW."category_codes", NEW."code", NEW."hours_from", NEW."hours_to", NEW."id", NEW."is_given_at_once", NEW."is_on", NEW."is_used_in_app", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."on_lowered", NEW."period", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."quota", NEW."sentence", NEW."sentence_en", NEW."sentence_zh_hans", NEW."sentence_zh_hant", NEW."unit_cost_amount", NEW."voucher_template_code", NEW."weekdays"); RETURN NULL;',
                    hash="6a5b381fcacde01369ce1baf8d82f97b2b58f2c0",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_8bf5b",
                    table="loyalty_benefit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefit",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_benefitevent" ("category_codes", "code", "hours_from", "hours_to", "id", "is_given_at_once", "is_on", "is_used_in_app", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "on_lowered", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "sentence", "sentence_en", "sentence_zh_hans", "sentence_zh_hant", "unit_cost_amount", "voucher_template_code", "weekdays") VALUES (NEW."category_codes", NEW."code", NEW."hours_from", NEW."hours_to", NEW."id", NEW."is_given_at_once", NEW."is_on", NEW."is_used_in_app", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."on_lowered", NEW."period", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."quota", NEW."sentence", NEW."sentence_en", NEW."sentence_zh_hans", NEW."sentence_zh_hant", NEW."unit_cost_amount", NEW."voucher_template_code", NEW."weekdays"); RETURN NULL;',
                    hash="5f06b4d31b7196f83656ad01c06b1f0df3e9f69a",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_4072d",
                    table="loyalty_benefit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefit",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_benefitevent" ("category_codes", "code", "hours_from", "hours_to", "id", "is_given_at_once", "is_on", "is_used_in_app", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "on_lowered", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "sentence", "sentence_en", "sentence_zh_hans", "sentence_zh_hant", "unit_cost_amount", "voucher_template_code", "weekdays") VALUES (OLD."category_codes", OLD."code", OLD."hours_from", OLD."hours_to", OLD."id", OLD."is_given_at_once", OLD."is_on", OLD."is_used_in_app", OLD."kind", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."on_lowered", OLD."period", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."quota", OLD."sentence", OLD."sentence_en", OLD."sentence_zh_hans", OLD."sentence_zh_hant", OLD."unit_cost_amount", OLD."voucher_template_code", OLD."weekdays"); RETURN NULL;',
                    hash="0d595c206f35b21acc617692f0146a7a05e73089",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_1f431",
                    table="loyalty_benefit",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_units__isnull", False), ("total_amount__isnull", False), _connector="OR"),
                name="benefit_budget_limits_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_to__gt", models.F("valid_from"))), name="benefit_budget_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=models.CheckConstraint(
                condition=models.Q(("throttle_percent__gte", 1), ("throttle_percent__lte", 100)),
                name="benefit_budget_stops_within_itself",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("swap_benefit__isnull", True), ("when_full", "stop")),
                    models.Q(
                        ("swap_benefit__isnull", False),
                        ("when_full", "swap"),
                        models.Q(("swap_benefit", models.F("benefit")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="swapped_benefit_is_another_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=models.CheckConstraint(
                condition=models.Q(("reserved_amount__gte", 0)), name="benefit_budget_reserves_nothing_or_more"
            ),
        ),
        migrations.AddConstraint(
            model_name="benefitbudget",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (loyalty.models.benefits.IdRange(models.F("benefit_id"), models.F("benefit_id")), "&&"),
                    (
                        loyalty.models.benefits.IdRange(
                            django.db.models.functions.comparison.Coalesce(models.F("tier_id"), models.Value(0)),
                            django.db.models.functions.comparison.Coalesce(models.F("tier_id"), models.Value(0)),
                        ),
                        "&&",
                    ),
                    (
                        loyalty.models.ladder.TsTzRange(
                            models.F("valid_from"), models.F("valid_to"), models.Value("[)")
                        ),
                        "&&",
                    ),
                ],
                name="one_budget_of_a_benefit_is_in_force",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefitbudget",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_benefitbudgetevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "swap_benefit_id", "throttle_percent", "tier_id", "total_amount", "total_units", "valid_from", "valid_to", "when_full") VALUES (NEW."benefit_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."swap_benefit_id", NEW."throttle_percent", NEW."tier_id", NEW."total_amount", NEW."total_units", NEW."valid_from", NEW."valid_to", NEW."when_full"); RETURN NULL;',
                    hash="dab5330aecc66f741d9c046d8cc51fd1ef12768d",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c49a8",
                    table="loyalty_benefitbudget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefitbudget",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."benefit_id" IS DISTINCT FROM (NEW."benefit_id") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."swap_benefit_id" IS DISTINCT FROM (NEW."swap_benefit_id") OR OLD."throttle_percent" IS DISTINCT FROM (NEW."throttle_percent") OR OLD."tier_id" IS DISTINCT FROM (NEW."tier_id") OR OLD."total_amount" IS DISTINCT FROM (NEW."total_amount") OR OLD."total_units" IS DISTINCT FROM (NEW."total_units") OR OLD."valid_from" IS DISTINCT FROM (NEW."valid_from") OR OLD."valid_to" IS DISTINCT FROM (NEW."valid_to") OR OLD."when_full" IS DISTINCT FROM (NEW."when_full"))',
                    func='INSERT INTO "loyalty_benefitbudgetevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "swap_benefit_id", "throttle_percent", "tier_id", "total_amount", "total_units", "valid_from", "valid_to", "when_full") VALUES (NEW."benefit_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."swap_benefit_id", NEW."throttle_percent", NEW."tier_id", NEW."total_amount", NEW."total_units", NEW."valid_from", NEW."valid_to", NEW."when_full"); RETURN NULL;',
                    hash="685cfb1bb5fd886a49a844d11d6d805f0f43cc03",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_3ac8f",
                    table="loyalty_benefitbudget",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="benefitbudget",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_benefitbudgetevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "swap_benefit_id", "throttle_percent", "tier_id", "total_amount", "total_units", "valid_from", "valid_to", "when_full") VALUES (OLD."benefit_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."swap_benefit_id", OLD."throttle_percent", OLD."tier_id", OLD."total_amount", OLD."total_units", OLD."valid_from", OLD."valid_to", OLD."when_full"); RETURN NULL;',
                    hash="c2ad28a57a2b125ea8fc6089dc5b7b123c4314b7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d5803",
                    table="loyalty_benefitbudget",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="entitlement",
            index=models.Index(fields=["member", "-valid_to"], name="entitlements_of_member"),
        ),
        migrations.AddIndex(
            model_name="entitlement",
            index=models.Index(condition=models.Q(("state", "granted")), fields=["valid_to"], name="entitlement_due"),
        ),
        migrations.AddIndex(
            model_name="entitlement",
            index=models.Index(fields=["-granted_at", "-id"], name="entitlement_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.UniqueConstraint(
                fields=("member", "benefit", "source", "source_ref", "period_key"),
                name="benefit_is_given_once_for_a_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("quota__gt", 0), ("used__lte", models.F("quota"))),
                name="entitlement_is_used_within_its_quota",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "granted"), ("used__lt", models.F("quota"))),
                    models.Q(("state", "used_up"), ("used", models.F("quota"))),
                    ("state__in", ["expired", "revoked"]),
                    _connector="OR",
                ),
                name="entitlement_is_open_while_uses_are_left",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_to__gt", models.F("valid_from"))), name="entitlement_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("source__in", ["tier", "plan", "campaign", "staff"])),
                name="entitlement_source_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "revoked"), ("ended_because", ""), _connector="OR"),
                name="only_what_is_taken_back_says_why",
            ),
        ),
        migrations.AddIndex(
            model_name="entitlementuse",
            index=models.Index(
                fields=["happened_at"],
                include=("benefit", "tier", "units", "cost_amount"),
                name="benefit_use_by_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="entitlementuse",
            constraint=models.UniqueConstraint(fields=("source", "external_ref"), name="benefit_use_is_told_once"),
        ),
        migrations.AddConstraint(
            model_name="entitlementuse",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("undoes__isnull", True), ("units__gt", 0)),
                    models.Q(("undoes__isnull", False), ("units__lt", 0)),
                    _connector="OR",
                ),
                name="benefit_use_is_undone_by_its_opposite",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierbenefit",
            constraint=models.UniqueConstraint(fields=("ladder", "tier", "benefit"), name="tier_gives_a_benefit_once"),
        ),
        migrations.AddConstraint(
            model_name="tierbenefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("figure__isnull", True), ("figure__gte", 0), _connector="OR"),
                name="benefit_figure_is_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="tierbenefit",
            constraint=models.CheckConstraint(
                condition=models.Q(("quota__isnull", True), ("quota__gt", 0), _connector="OR"),
                name="quota_of_a_tier_is_positive",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierbenefit",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierbenefitevent" ("benefit_id", "figure", "id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "tier_id") VALUES (NEW."benefit_id", NEW."figure", NEW."id", NEW."ladder_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."quota", NEW."tier_id"); RETURN NULL;',
                    hash="36e10918bce5ae8bd3c46aa867ad5108135c6f23",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c072c",
                    table="loyalty_tierbenefit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierbenefit",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_tierbenefitevent" ("benefit_id", "figure", "id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "tier_id") VALUES (NEW."benefit_id", NEW."figure", NEW."id", NEW."ladder_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."quota", NEW."tier_id"); RETURN NULL;',
                    hash="30eb2c4ad737fedcae523b0acf5c936010bc6491",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_5475a",
                    table="loyalty_tierbenefit",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tierbenefit",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierbenefitevent" ("benefit_id", "figure", "id", "ladder_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "quota", "tier_id") VALUES (OLD."benefit_id", OLD."figure", OLD."id", OLD."ladder_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."quota", OLD."tier_id"); RETURN NULL;',
                    hash="fdf2c93c2c8d46c9237570a8aced2a272d56fdc4",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_ec3bc",
                    table="loyalty_tierbenefit",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
        migrations.RunPython(set_limits, migrations.RunPython.noop),
        migrations.RunPython(schedule, migrations.RunPython.noop),
    ]
