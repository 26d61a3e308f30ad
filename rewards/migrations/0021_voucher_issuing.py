"""How vouchers come to members: budgets, batches, offers, gifts, goodwill; limits of staff, rules of abuse, a schedule."""

import django.contrib.postgres.functions
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

HISTORY = ("rewards_voucherclaim", "rewards_vouchergoodwill", "rewards_voucherofferevent")
# What each role may issue without a colleague: role, at most each time, at most on one day (units of the currency).
FAMILY = "vouchers"
LIMITS = (("service", 100, 500), ("service supervisor", 1_000, 5_000), ("marketing", 20_000, 50_000))
SECOND_ABOVE = 500_000
# Rules that look for hoarding, with their limits.
RULES = (("vouchers_hoarded", 20), ("vouchers_claimed_in_a_day", 10))
# Who looks at vouchers as they are issued begins with what happens from now on.
FROM_NOW_ON = """
    INSERT INTO members_subscription (name, epoch, xact, entry_id)
    SELECT 'rewards.voucher_risk', epoch, xact, id FROM members_timelineentry ORDER BY epoch DESC, xact DESC, id DESC LIMIT 1
    ON CONFLICT DO NOTHING
"""
TASK, SECONDS = "收回无人领取的赠券 · Return gifts of vouchers", 300


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    groups = apps.get_model("auth", "Group").objects
    for name, per_entry, per_day in LIMITS:
        apps.get_model("members", "OperatorLimit").objects.get_or_create(
            role=groups.get_or_create(name=name)[0], family=FAMILY,
            defaults={"per_entry_points": per_entry, "per_day_points": per_day},
        )  # fmt: skip
    apps.get_model("members", "ApprovalRule").objects.get_or_create(
        family=FAMILY, defaults={"second_above_points": SECOND_ABOVE}
    )
    for code, most in RULES:
        apps.get_model("members", "RiskRule").objects.get_or_create(code=code, defaults={"most": most})
    interval = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    every = interval.filter(every=SECONDS, period="seconds").first() or interval.create(every=SECONDS, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK,
        defaults={"task": "rewards.return_due_gifts", "interval": every, "expire_seconds": 2 * SECONDS},
    )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0014_badge_images"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("rewards", "0020_voucher_terms"),
    ]
    operations = [
        migrations.CreateModel(
            name="VoucherBudget",
            fields=[
                (
                    "template",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="budget",
                        serialize=False,
                        to="rewards.vouchertemplate",
                        verbose_name="voucher template",
                    ),
                ),
                (
                    "used_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=14, verbose_name="used of the budget (money)"
                    ),
                ),
            ],
            options={
                "verbose_name": "budget of a voucher template",
                "verbose_name_plural": "budgets of voucher templates",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("used_amount__gte", 0)), name="voucher_budget_is_not_used_below_zero"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VoucherOffer",
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
                ("name", models.CharField(max_length=80, verbose_name="offer name")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("running", "running"), ("paused", "paused"), ("ended", "ended")],
                        default="draft",
                        editable=False,
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("begins_at", models.DateTimeField(verbose_name="from")),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="Empty: until it is ended.", null=True, verbose_name="until"
                    ),
                ),
                ("per_member_limit", models.PositiveSmallIntegerField(default=1, verbose_name="limit per member")),
                (
                    "total_limit",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: without limit.", null=True, verbose_name="vouchers in all"
                    ),
                ),
                ("claimed", models.PositiveIntegerField(default=0, editable=False, verbose_name="vouchers claimed")),
                ("by_button", models.BooleanField(default=True, verbose_name="claimed by a button in the app")),
                ("by_scan", models.BooleanField(default=False, verbose_name="claimed by scanning its code")),
                (
                    "scan_hmac",
                    models.BinaryField(max_length=32, unique=True, verbose_name="look-up key of the code to scan"),
                ),
                (
                    "claim_code_hmac",
                    models.BinaryField(
                        max_length=32, null=True, unique=True, verbose_name="look-up key of the claim code"
                    ),
                ),
                ("created_at", models.DateTimeField(editable=False, verbose_name="made at")),
                ("ended_at", models.DateTimeField(editable=False, null=True, verbose_name="ended at")),
                (
                    "min_tier",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all tiers.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="loyalty.tier",
                        verbose_name="from tier",
                    ),
                ),
                (
                    "segment",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all members.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.segment",
                        verbose_name="only who is in",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="rewards.vouchertemplate",
                        verbose_name="voucher template",
                    ),
                ),
            ],
            options={
                "verbose_name": "voucher offer",
                "verbose_name_plural": "voucher offers",
                "permissions": [("run_voucheroffer", "Can start, pause and end voucher offers")],
            },
        ),
        migrations.CreateModel(
            name="VoucherClaim",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "number",
                    models.PositiveSmallIntegerField(
                        help_text="1, 2, 3 … of this member and offer.", verbose_name="number"
                    ),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("button", "by the button in the app"),
                            ("scan", "by scanning"),
                            ("code", "by the claim code"),
                            ("till", "at the till"),
                        ],
                        max_length=6,
                        verbose_name="way",
                    ),
                ),
                ("request_id", models.CharField(max_length=80, unique=True, verbose_name="request")),
                (
                    "took_ms",
                    models.PositiveIntegerField(null=True, verbose_name="time from scan to voucher (milliseconds)"),
                ),
                ("claimed_at", models.DateTimeField(verbose_name="claimed at")),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="voucher_claims",
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
                (
                    "voucher",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claim",
                        to="rewards.voucher",
                        verbose_name="voucher",
                    ),
                ),
                (
                    "offer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claims",
                        to="rewards.voucheroffer",
                        verbose_name="offer",
                    ),
                ),
            ],
            options={
                "verbose_name": "claim of a voucher",
                "verbose_name_plural": "claims of vouchers",
            },
        ),
        migrations.CreateModel(
            name="VoucherOfferEvent",
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
                ("name", models.CharField(max_length=80, verbose_name="offer name")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="offer name")),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "draft"), ("running", "running"), ("paused", "paused"), ("ended", "ended")],
                        default="draft",
                        editable=False,
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("begins_at", models.DateTimeField(verbose_name="from")),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="Empty: until it is ended.", null=True, verbose_name="until"
                    ),
                ),
                ("per_member_limit", models.PositiveSmallIntegerField(default=1, verbose_name="limit per member")),
                (
                    "total_limit",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: without limit.", null=True, verbose_name="vouchers in all"
                    ),
                ),
                ("claimed", models.PositiveIntegerField(default=0, editable=False, verbose_name="vouchers claimed")),
                ("by_button", models.BooleanField(default=True, verbose_name="claimed by a button in the app")),
                ("by_scan", models.BooleanField(default=False, verbose_name="claimed by scanning its code")),
                ("created_at", models.DateTimeField(editable=False, verbose_name="made at")),
                ("ended_at", models.DateTimeField(editable=False, null=True, verbose_name="ended at")),
                (
                    "min_tier",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty: all tiers.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="loyalty.tier",
                        verbose_name="from tier",
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
                        to="rewards.voucheroffer",
                    ),
                ),
                (
                    "segment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty: all members.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="members.segment",
                        verbose_name="only who is in",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="rewards.vouchertemplate",
                        verbose_name="voucher template",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="VoucherBatch",
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
                    "duplicates",
                    models.CharField(
                        choices=[("skip", "leave out who has one that can be used"), ("again", "give one more")],
                        default="skip",
                        max_length=5,
                        verbose_name="who has one already",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="drawn up at")),
                ("planned_people", models.PositiveIntegerField(default=0, verbose_name="members as proposed")),
                (
                    "planned_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=14, verbose_name="cost at most as proposed"
                    ),
                ),
                ("began_at", models.DateTimeField(null=True, verbose_name="members as they were at")),
                ("issued", models.PositiveIntegerField(default=0, verbose_name="vouchers issued")),
                (
                    "job",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="drawn up by",
                    ),
                ),
                (
                    "proposal",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "segment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.segment",
                        verbose_name="segment",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="batches",
                        to="rewards.vouchertemplate",
                        verbose_name="voucher template",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch of vouchers",
                "verbose_name_plural": "batches of vouchers",
                "permissions": [("issue_batch", "Can issue vouchers to many members")],
                "indexes": [models.Index(fields=["-created_at", "-id"], name="voucher_batch_newest_first")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("duplicates__in", ["skip", "again"])),
                        name="voucher_batch_treats_duplicates",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("job__isnull", True), ("proposal__isnull", False), _connector="OR"),
                        name="voucher_batch_is_carried_out_by_a_proposal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("began_at__isnull", True), ("job__isnull", False), _connector="OR"),
                        name="voucher_batch_begins_with_its_job",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VoucherGift",
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
                ("token_hmac", models.BinaryField(max_length=32, unique=True, verbose_name="look-up key of the token")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("offered", "waiting for the friend"),
                            ("accepted", "accepted"),
                            ("cancelled", "taken back"),
                            ("expired", "returned, nobody took it"),
                        ],
                        default="offered",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("offered_at", models.DateTimeField(verbose_name="offered at")),
                ("expires_at", models.DateTimeField(verbose_name="open until")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                (
                    "giver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="given by",
                    ),
                ),
                (
                    "received",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="came_by_gift",
                        to="rewards.voucher",
                        verbose_name="voucher of the friend",
                    ),
                ),
                (
                    "receiver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="accepted by",
                    ),
                ),
                (
                    "voucher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gifts",
                        to="rewards.voucher",
                        verbose_name="voucher",
                    ),
                ),
            ],
            options={
                "verbose_name": "gift of a voucher",
                "verbose_name_plural": "gifts of vouchers",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "offered")), fields=["expires_at"], name="gifts_that_are_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "offered")),
                        fields=("voucher",),
                        name="voucher_is_offered_to_one_friend_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["offered", "accepted", "cancelled", "expired"])),
                        name="gift_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("offered_at"))), name="gift_ends_after_it_begins"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at__isnull", True), ("state", "offered")),
                            models.Q(models.Q(("state", "offered"), _negated=True), ("closed_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="closed_gift_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("received__isnull", False), ("receiver__isnull", False), ("state", "accepted")),
                            models.Q(
                                models.Q(("state", "accepted"), _negated=True),
                                ("received__isnull", True),
                                ("receiver__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="accepted_gift_says_by_whom",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VoucherGoodwill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("give", "given"),
                            ("extend", "extended"),
                            ("reissue", "reissued"),
                            ("void", "voided"),
                            ("undo", "taken back"),
                        ],
                        max_length=7,
                        verbose_name="what was done",
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=8, verbose_name="state before")),
                ("old_expires_at", models.DateTimeField(null=True, verbose_name="end before")),
                ("new_expires_at", models.DateTimeField(null=True, verbose_name="end after")),
                (
                    "cost_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=12, verbose_name="cost at most (money)"
                    ),
                ),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "maker",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "proposal",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "replaces",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="rewards.voucher",
                        verbose_name="in place of",
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="rewards.vouchergoodwill",
                        verbose_name="takes back",
                    ),
                ),
                (
                    "voucher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="goodwill",
                        to="rewards.voucher",
                        verbose_name="voucher",
                    ),
                ),
            ],
            options={
                "verbose_name": "voucher by hand",
                "verbose_name_plural": "vouchers by hand",
                "permissions": [
                    ("give_voucher", "Can give a voucher to a member"),
                    ("extend_voucher", "Can extend and reissue vouchers of members"),
                    ("void_voucher", "Can void vouchers of members"),
                ],
                "indexes": [models.Index(fields=["maker", "happened_at"], name="vouchers_by_hand_of_operator")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("what__in", ["give", "extend", "reissue", "void", "undo"])),
                        name="voucher_by_hand_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cost_amount__gte", 0)), name="voucher_by_hand_costs_nothing_or_more"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("undoes__isnull", False), ("what", "undo")),
                            models.Q(models.Q(("what", "undo"), _negated=True), ("undoes__isnull", True)),
                            _connector="OR",
                        ),
                        name="taking_back_names_what_it_takes_back",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="voucheroffer",
            index=models.Index(
                condition=models.Q(("state", "running")), fields=["begins_at"], name="voucher_offers_that_run"
            ),
        ),
        migrations.AddConstraint(
            model_name="voucheroffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "running", "paused", "ended"])),
                name="voucher_offer_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucheroffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__isnull", True), ("ends_at__gt", models.F("begins_at")), _connector="OR"),
                name="voucher_offer_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucheroffer",
            constraint=models.CheckConstraint(
                condition=models.Q(("per_member_limit__gt", 0)), name="voucher_offer_gives_each_member_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="voucheroffer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("total_limit__isnull", True), ("claimed__lte", models.F("total_limit")), _connector="OR"
                ),
                name="voucher_offer_is_not_claimed_over_its_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucheroffer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", False), ("state", "ended")),
                    models.Q(models.Q(("state", "ended"), _negated=True), ("ended_at__isnull", True)),
                    _connector="OR",
                ),
                name="ended_voucher_offer_says_since_when",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="voucheroffer",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_voucherofferevent" ("begins_at", "by_button", "by_scan", "claimed", "created_at", "ended_at", "ends_at", "id", "min_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "segment_id", "state", "template_id", "total_limit") VALUES (NEW."begins_at", NEW."by_button", NEW."by_scan", NEW."claimed", NEW."created_at", NEW."ended_at", NEW."ends_at", NEW."id", NEW."min_tier_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."per_member_limit", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."segment_id", NEW."state", NEW."template_id", NEW."total_limit"); RETURN NULL;',
                    hash="141e1eaaa0cc690bceea51049d80ffa41150a15f",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_54f76",
                    table="rewards_voucheroffer",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="voucheroffer",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."begins_at" IS DISTINCT FROM (NEW."begins_at") OR OLD."by_button" IS DISTINCT FROM (NEW."by_button") OR OLD."by_scan" IS DISTINCT FROM (NEW."by_scan") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."min_tier_id" IS DISTINCT FROM (NEW."min_tier_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."name_en" IS DISTINCT FROM (NEW."name_en") OR OLD."name_zh_hans" IS DISTINCT FROM (NEW."name_zh_hans") OR OLD."name_zh_hant" IS DISTINCT FROM (NEW."name_zh_hant") OR OLD."per_member_limit" IS DISTINCT FROM (NEW."per_member_limit") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."segment_id" IS DISTINCT FROM (NEW."segment_id") OR OLD."state" IS DISTINCT FROM (NEW."state") OR OLD."template_id" IS DISTINCT FROM (NEW."template_id") OR OLD."total_limit" IS DISTINCT FROM (NEW."total_limit"))',
                    func='INSERT INTO "rewards_voucherofferevent" ("begins_at", "by_button", "by_scan", "claimed", "created_at", "ended_at", "ends_at", "id", "min_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "segment_id", "state", "template_id", "total_limit") VALUES (NEW."begins_at", NEW."by_button", NEW."by_scan", NEW."claimed", NEW."created_at", NEW."ended_at", NEW."ends_at", NEW."id", NEW."min_tier_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."per_member_limit", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."segment_id", NEW."state", NEW."template_id", NEW."total_limit"); RETURN NULL;',
                    hash="a60ded9e2708d68cb2187d048175753dca647a23",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_ee2fb",
                    table="rewards_voucheroffer",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="voucheroffer",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_voucherofferevent" ("begins_at", "by_button", "by_scan", "claimed", "created_at", "ended_at", "ends_at", "id", "min_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "segment_id", "state", "template_id", "total_limit") VALUES (OLD."begins_at", OLD."by_button", OLD."by_scan", OLD."claimed", OLD."created_at", OLD."ended_at", OLD."ends_at", OLD."id", OLD."min_tier_id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."per_member_limit", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."segment_id", OLD."state", OLD."template_id", OLD."total_limit"); RETURN NULL;',
                    hash="58d6b9d3abee59f6a979dac620d726e62e3e1a02",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_55d9a",
                    table="rewards_voucheroffer",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="voucherclaim",
            index=models.Index(fields=["member", "-claimed_at"], name="voucher_claims_of_member"),
        ),
        migrations.AddIndex(
            model_name="voucherclaim",
            index=models.Index(fields=["claimed_at"], name="voucher_claims_by_moment"),
        ),
        migrations.AddIndex(
            model_name="voucherclaim",
            index=models.Index(fields=["offer", "-id"], name="voucher_claims_of_offer"),
        ),
        migrations.AddConstraint(
            model_name="voucherclaim",
            constraint=models.UniqueConstraint(
                fields=("offer", "member", "number"), name="claims_of_an_offer_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherclaim",
            constraint=models.CheckConstraint(
                condition=models.Q(("way__in", ["button", "scan", "code", "till"])), name="claim_way_is_known"
            ),
        ),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunSQL(FROM_NOW_ON, migrations.RunSQL.noop),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
