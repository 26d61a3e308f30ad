"""Points moved by hand: adjustments and their reasons, batches, transfers, donations, partners and conversions."""

import uuid

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

HISTORY = (
    "rewards_adjustmentbatchrow",
    "rewards_adjustment",
    "rewards_pointstransfer",
    "rewards_donation",
    "rewards_partnerrate",
    "rewards_partnerfile",
    "rewards_reasoncodeevent",
    "rewards_transferpolicyevent",
    "rewards_charityprojectevent",
    "rewards_partnerevent",
)

# code, direction, needs a note, label and what the member reads, each in zh-Hans, zh-Hant, English
REASONS = (
    (
        "missing-points",
        "credit",
        False,
        ("补积分", "補積分", "Missing points"),
        ("补发积分", "補發積分", "Points that were missing"),
    ),
    (
        "goodwill",
        "credit",
        False,
        ("客诉补偿", "客訴補償", "Goodwill"),
        ("感谢您的理解", "感謝您的體諒", "Thank you for your patience"),
    ),
    (
        "service-failure",
        "credit",
        False,
        ("服务失误补偿", "服務疏失補償", "Service failure"),
        ("服务补偿", "服務補償", "For the inconvenience"),
    ),
    ("event", "credit", True, ("线下活动", "線下活動", "Event"), ("活动奖励", "活動獎勵", "Reward of an event")),
    ("prize", "credit", True, ("中奖", "中獎", "Prize"), ("中奖奖励", "中獎獎勵", "Prize")),
    (
        "system-error",
        "both",
        True,
        ("系统差错更正", "系統錯誤更正", "System error"),
        ("积分更正", "積分更正", "Correction of points"),
    ),
    (
        "granted-in-error",
        "debit",
        True,
        ("误发收回", "誤發收回", "Granted in error"),
        ("误发积分收回", "誤發積分收回", "Points granted in error"),
    ),
    (
        "misuse",
        "debit",
        True,
        ("违规扣减", "違規扣減", "Misuse"),
        ("违规积分扣减", "違規積分扣減", "Points taken after misuse"),
    ),
    ("other", "both", True, ("其他", "其他", "Other"), ("积分调整", "積分調整", "Points adjustment")),
)


def write_reasons(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("rewards", "ReasonCode")
    for code, direction, needs_note, label, text in REASONS:
        names = {f"label_{tag}": words for tag, words in zip(("zh_hans", "zh_hant", "en"), label, strict=True)}
        names |= {f"member_text_{tag}": words for tag, words in zip(("zh_hans", "zh_hant", "en"), text, strict=True)}
        model.objects.create(
            code=code, direction=direction, needs_note=needs_note, label=label[0], member_text=text[0], **names
        )


def write_policies(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Nobody can give points away before staff say so."""
    model = apps.get_model("rewards", "TransferPolicy")
    for currency in apps.get_model("rewards", "PointsCurrency").objects.order_by("pk"):
        model.objects.create(currency=currency)


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0007_jobs_and_proposals"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("rewards", "0008_expiry_policies"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CharityProject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("description", models.TextField(blank=True, max_length=2000, verbose_name="description")),
                (
                    "description_zh_hans",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                (
                    "description_zh_hant",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                (
                    "description_en",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="takes points")),
                ("starts_at", models.DateTimeField(verbose_name="begins at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                ("target_points", models.PositiveBigIntegerField(blank=True, null=True, verbose_name="goal (points)")),
            ],
            options={
                "verbose_name": "charity project",
                "verbose_name_plural": "charity projects",
                "ordering": ["-starts_at", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("ends_at__gt", models.F("starts_at")), _connector="OR"
                        ),
                        name="charity_project_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("target_points__isnull", True), ("target_points__gt", 0), _connector="OR"),
                        name="charity_project_has_a_real_goal",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CharityProjectEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, verbose_name="public id")),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="name")),
                ("description", models.TextField(blank=True, max_length=2000, verbose_name="description")),
                (
                    "description_zh_hans",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                (
                    "description_zh_hant",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                (
                    "description_en",
                    models.TextField(blank=True, max_length=2000, null=True, verbose_name="description"),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="takes points")),
                ("starts_at", models.DateTimeField(verbose_name="begins at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                ("target_points", models.PositiveBigIntegerField(blank=True, null=True, verbose_name="goal (points)")),
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
                        to="rewards.charityproject",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Donation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                ("points", models.BigIntegerField(help_text="Below 0: a gift taken back.", verbose_name="points")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
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
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="donations",
                        to="rewards.charityproject",
                        verbose_name="charity project",
                    ),
                ),
                (
                    "proposal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "takes_back",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="taken_back_by",
                        to="rewards.donation",
                        verbose_name="takes back",
                    ),
                ),
                (
                    "transaction",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="donation",
                        to="rewards.ledgertransaction",
                        verbose_name="transaction",
                    ),
                ),
            ],
            options={
                "verbose_name": "donation",
                "verbose_name_plural": "donations",
                "permissions": [("donate_points", "Can give points of members to charity projects")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("points__gt", 0), ("takes_back__isnull", True)),
                            models.Q(("points__lt", 0), ("takes_back__isnull", False)),
                            _connector="OR",
                        ),
                        name="donation_gives_or_takes_back",
                    )
                ],
                "indexes": [models.Index(fields=["-happened_at", "-id"], name="donation_newest_first")],
            },
        ),
        migrations.CreateModel(
            name="Partner",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=30, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("unit_name", models.CharField(max_length=30, verbose_name="what the partner's points are called")),
                (
                    "unit_name_zh_hans",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                (
                    "unit_name_zh_hant",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                (
                    "unit_name_en",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="points are exchanged")),
                (
                    "min_points",
                    models.PositiveBigIntegerField(default=1000, verbose_name="at least each time (points)"),
                ),
                ("step_points", models.PositiveBigIntegerField(default=1000, verbose_name="in steps of (points)")),
                (
                    "day_limit_points",
                    models.PositiveBigIntegerField(default=50000, verbose_name="at most each day and member (points)"),
                ),
                ("settlement_note", models.TextField(blank=True, max_length=1000, verbose_name="how it is settled")),
            ],
            options={
                "verbose_name": "partner",
                "verbose_name_plural": "partners",
                "ordering": ["code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("min_points__gte", 1), ("step_points__gte", 1)),
                        name="conversion_moves_points",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PartnerFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("export", "conversions for the partner"),
                            ("answer", "the partner's answer"),
                            ("incoming", "conversions from the partner"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="file")),
                ("sha256", models.BinaryField(max_length=32, verbose_name="hash of the file")),
                ("rows", models.PositiveIntegerField(verbose_name="rows")),
                ("created_at", models.DateTimeField(verbose_name="at")),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="rewards.partner",
                        verbose_name="partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "partner file",
                "verbose_name_plural": "partner files",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["export", "answer", "incoming"])),
                        name="partner_file_kind_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PartnerRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "direction",
                    models.CharField(
                        choices=[("out", "to the partner"), ("in", "from the partner")],
                        max_length=3,
                        verbose_name="direction",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("points", models.PositiveIntegerField(verbose_name="our points")),
                ("units", models.PositiveIntegerField(verbose_name="partner's units")),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rates",
                        to="rewards.partner",
                        verbose_name="partner",
                    ),
                ),
            ],
            options={
                "verbose_name": "exchange rate",
                "verbose_name_plural": "exchange rates",
                "ordering": ["partner", "direction", "-valid_from"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("partner", "direction", "valid_from"), name="partner_has_one_rate_at_a_time"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points__gt", 0), ("units__gt", 0)), name="exchange_rate_is_not_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("direction__in", ["out", "in"])), name="rate_direction_is_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PartnerConversion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[("out", "to the partner"), ("in", "from the partner")],
                        max_length=3,
                        verbose_name="direction",
                    ),
                ),
                ("points", models.PositiveBigIntegerField(verbose_name="points")),
                ("units", models.PositiveBigIntegerField(verbose_name="partner's units")),
                (
                    "partner_account",
                    models.CharField(blank=True, max_length=40, verbose_name="member's number at the partner"),
                ),
                ("line_ref", models.CharField(max_length=60, verbose_name="reference of the line")),
                ("request_id", models.CharField(blank=True, max_length=80, verbose_name="request")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "waiting for approval"),
                            ("pending", "waiting for the next file"),
                            ("exported", "sent to the partner"),
                            ("confirmed", "confirmed"),
                            ("rejected", "rejected by the partner"),
                            ("cancelled", "taken back"),
                        ],
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("rejected_reason", models.CharField(blank=True, max_length=200, verbose_name="why it was rejected")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="settled at")),
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
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversions",
                        to="rewards.partner",
                        verbose_name="partner",
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
                    "transaction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversion",
                        to="rewards.ledgertransaction",
                        verbose_name="transaction",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversions",
                        to="rewards.partnerfile",
                        verbose_name="partner file",
                    ),
                ),
                (
                    "rate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.partnerrate",
                        verbose_name="exchange rate",
                    ),
                ),
            ],
            options={
                "verbose_name": "conversion",
                "verbose_name_plural": "conversions",
                "permissions": [
                    ("convert_points", "Can exchange points of members with partners"),
                    ("exchange_partner_files", "Can make and read the files of partners"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("partner", "direction", "line_ref"), name="line_of_a_partner_is_exchanged_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("request_id", ""), _negated=True),
                        fields=("request_id",),
                        name="request_is_one_conversion_only",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("points__gt", 0), ("units__gt", 0)), name="conversion_is_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("direction__in", ["out", "in"])), name="conversion_direction_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["asked", "pending", "exported", "confirmed", "rejected", "cancelled"])
                        ),
                        name="conversion_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "asked"), ("transaction__isnull", True)),
                            ("state", "cancelled"),
                            models.Q(
                                models.Q(("state__in", ["asked", "cancelled"]), _negated=True),
                                ("transaction__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="conversion_is_posted_when_it_counts",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["member", "partner", "happened_at"], name="conversions_of_a_member"),
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["partner", "id"],
                        name="conversions_to_be_sent",
                    ),
                    models.Index(fields=["-happened_at", "-id"], name="conversion_newest_first"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PartnerEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="name")),
                ("unit_name", models.CharField(max_length=30, verbose_name="what the partner's points are called")),
                (
                    "unit_name_zh_hans",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                (
                    "unit_name_zh_hant",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                (
                    "unit_name_en",
                    models.CharField(max_length=30, null=True, verbose_name="what the partner's points are called"),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="points are exchanged")),
                (
                    "min_points",
                    models.PositiveBigIntegerField(default=1000, verbose_name="at least each time (points)"),
                ),
                ("step_points", models.PositiveBigIntegerField(default=1000, verbose_name="in steps of (points)")),
                (
                    "day_limit_points",
                    models.PositiveBigIntegerField(default=50000, verbose_name="at most each day and member (points)"),
                ),
                ("settlement_note", models.TextField(blank=True, max_length=1000, verbose_name="how it is settled")),
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
                        to="rewards.partner",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PointsTransfer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                ("points", models.PositiveBigIntegerField(verbose_name="points")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "currency",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
                (
                    "proposal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "receiver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="to",
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="from",
                    ),
                ),
                (
                    "transaction",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.ledgertransaction",
                        verbose_name="transaction",
                    ),
                ),
            ],
            options={
                "verbose_name": "transfer",
                "verbose_name_plural": "transfers",
                "permissions": [("transfer_points", "Can move points from one member to another")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("points__gt", 0)), name="transfer_moves_points"),
                    models.CheckConstraint(
                        condition=models.Q(("sender", models.F("receiver")), _negated=True),
                        name="transfer_goes_to_another_member",
                    ),
                ],
                "indexes": [
                    models.Index(fields=["sender", "currency", "happened_at"], name="transfers_of_a_sender"),
                    models.Index(fields=["-happened_at", "-id"], name="transfer_newest_first"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReasonCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True, verbose_name="code")),
                ("label", models.CharField(max_length=60, verbose_name="reason")),
                ("label_zh_hans", models.CharField(max_length=60, null=True, verbose_name="reason")),
                ("label_zh_hant", models.CharField(max_length=60, null=True, verbose_name="reason")),
                ("label_en", models.CharField(max_length=60, null=True, verbose_name="reason")),
                (
                    "direction",
                    models.CharField(
                        choices=[
                            ("credit", "gives points"),
                            ("debit", "takes points"),
                            ("both", "gives or takes points"),
                        ],
                        max_length=6,
                        verbose_name="direction",
                    ),
                ),
                ("needs_note", models.BooleanField(default=False, verbose_name="needs a note")),
                (
                    "member_text",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_en",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="offered")),
            ],
            options={
                "verbose_name": "reason for adjustments",
                "verbose_name_plural": "reasons for adjustments",
                "ordering": ["code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("direction__in", ["credit", "debit", "both"])),
                        name="reason_direction_is_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReasonCodeEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=40, verbose_name="code")),
                ("label", models.CharField(max_length=60, verbose_name="reason")),
                ("label_zh_hans", models.CharField(max_length=60, null=True, verbose_name="reason")),
                ("label_zh_hant", models.CharField(max_length=60, null=True, verbose_name="reason")),
                ("label_en", models.CharField(max_length=60, null=True, verbose_name="reason")),
                (
                    "direction",
                    models.CharField(
                        choices=[
                            ("credit", "gives points"),
                            ("debit", "takes points"),
                            ("both", "gives or takes points"),
                        ],
                        max_length=6,
                        verbose_name="direction",
                    ),
                ),
                ("needs_note", models.BooleanField(default=False, verbose_name="needs a note")),
                (
                    "member_text",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                (
                    "member_text_en",
                    models.CharField(
                        blank=True,
                        help_text="Empty: members read the reason itself.",
                        max_length=120,
                        null=True,
                        verbose_name="what the member reads",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="offered")),
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
                        to="rewards.reasoncode",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="TransferPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_enabled", models.BooleanField(default=False, verbose_name="transfers are possible")),
                ("min_points", models.PositiveBigIntegerField(default=100, verbose_name="at least each time (points)")),
                ("max_points", models.PositiveBigIntegerField(default=5000, verbose_name="at most each time (points)")),
                (
                    "day_points",
                    models.PositiveBigIntegerField(default=5000, verbose_name="at most on one day (points)"),
                ),
                ("day_times", models.PositiveSmallIntegerField(default=3, verbose_name="at most on one day (times)")),
                (
                    "month_points",
                    models.PositiveBigIntegerField(default=20000, verbose_name="at most in one month (points)"),
                ),
                (
                    "month_times",
                    models.PositiveSmallIntegerField(default=10, verbose_name="at most in one month (times)"),
                ),
                (
                    "cooldown_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="Whoever took over a phone number must not empty the account at once. 0: no wait.",
                        verbose_name="wait after a new phone number (hours)",
                    ),
                ),
                (
                    "currency",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transfer_policy",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "transfer policy",
                "verbose_name_plural": "transfer policies",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("max_points__gte", models.F("min_points")), ("min_points__gte", 1)),
                        name="transfer_has_a_least_and_a_most",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("day_points__gte", models.F("min_points")), ("month_points__gte", models.F("day_points"))
                        ),
                        name="transfers_of_a_month_include_those_of_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cooldown_hours__lte", 720)), name="wait_before_transfers_is_bounded"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TransferPolicyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("is_enabled", models.BooleanField(default=False, verbose_name="transfers are possible")),
                ("min_points", models.PositiveBigIntegerField(default=100, verbose_name="at least each time (points)")),
                ("max_points", models.PositiveBigIntegerField(default=5000, verbose_name="at most each time (points)")),
                (
                    "day_points",
                    models.PositiveBigIntegerField(default=5000, verbose_name="at most on one day (points)"),
                ),
                ("day_times", models.PositiveSmallIntegerField(default=3, verbose_name="at most on one day (times)")),
                (
                    "month_points",
                    models.PositiveBigIntegerField(default=20000, verbose_name="at most in one month (points)"),
                ),
                (
                    "month_times",
                    models.PositiveSmallIntegerField(default=10, verbose_name="at most in one month (times)"),
                ),
                (
                    "cooldown_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="Whoever took over a phone number must not empty the account at once. 0: no wait.",
                        verbose_name="wait after a new phone number (hours)",
                    ),
                ),
                (
                    "currency",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
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
                        to="rewards.transferpolicy",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AdjustmentBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                ("file_name", models.CharField(max_length=200, verbose_name="file")),
                ("file_sha256", models.BinaryField(max_length=32, verbose_name="hash of the file")),
                ("created_at", models.DateTimeField(verbose_name="read at")),
                ("rows_total", models.PositiveIntegerField(default=0, verbose_name="rows")),
                ("rows_good", models.PositiveIntegerField(default=0, verbose_name="rows that can be carried out")),
                (
                    "rows_unknown",
                    models.PositiveIntegerField(default=0, verbose_name="rows whose member was not found"),
                ),
                ("points_given", models.PositiveBigIntegerField(default=0, verbose_name="points given")),
                ("points_taken", models.PositiveBigIntegerField(default=0, verbose_name="points taken")),
                ("errors_expire_at", models.DateTimeField(verbose_name="bad rows are kept until")),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
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
                        verbose_name="read by",
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
            ],
            options={
                "verbose_name": "batch of adjustments",
                "verbose_name_plural": "batches of adjustments",
                "permissions": [("batch_adjust", "Can adjust points of many members by a file")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("rows_good__lte", models.F("rows_total"))),
                        name="batch_has_no_more_good_rows_than_rows",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("job__isnull", True), ("proposal__isnull", False), _connector="OR"),
                        name="batch_is_carried_out_by_a_proposal",
                    ),
                ],
                "indexes": [models.Index(fields=["-created_at", "-id"], name="adjustment_batch_newest_first")],
            },
        ),
        migrations.CreateModel(
            name="AdjustmentBatchError",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="row")),
                ("cells", models.JSONField(verbose_name="what stands in it")),
                ("reason", models.CharField(max_length=500, verbose_name="why not")),
                ("reason_params", models.JSONField(default=dict, verbose_name="figures of the reason")),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="errors",
                        to="rewards.adjustmentbatch",
                        verbose_name="batch",
                    ),
                ),
            ],
            options={
                "verbose_name": "bad row of a batch",
                "verbose_name_plural": "bad rows of batches",
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "number"), name="bad_row_of_a_batch_is_told_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AdjustmentBatchRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="row")),
                ("points", models.BigIntegerField(verbose_name="points")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="rewards.adjustmentbatch",
                        verbose_name="batch",
                    ),
                ),
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
                    "reason_code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.reasoncode",
                        verbose_name="reason",
                    ),
                ),
            ],
            options={
                "verbose_name": "row of a batch of adjustments",
                "verbose_name_plural": "rows of batches of adjustments",
                "constraints": [
                    models.UniqueConstraint(fields=("batch", "number"), name="row_of_a_batch_is_read_once"),
                    models.CheckConstraint(
                        condition=models.Q(("points", 0), _negated=True), name="row_of_a_batch_moves_points"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"),
                ),
                ("points", models.BigIntegerField(help_text="Below 0: taken.", verbose_name="points")),
                (
                    "note",
                    models.CharField(
                        blank=True,
                        help_text="For colleagues; members do not see it.",
                        max_length=200,
                        verbose_name="note",
                    ),
                ),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "currency",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
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
                    "proposal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "purchase",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="rewards.purchase",
                        verbose_name="order",
                    ),
                ),
                (
                    "transaction",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustment",
                        to="rewards.ledgertransaction",
                        verbose_name="transaction",
                    ),
                ),
                (
                    "batch_row",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustment",
                        to="rewards.adjustmentbatchrow",
                        verbose_name="row of a batch",
                    ),
                ),
                (
                    "reason_code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.reasoncode",
                        verbose_name="reason",
                    ),
                ),
            ],
            options={
                "verbose_name": "adjustment",
                "verbose_name_plural": "adjustments",
                "permissions": [
                    ("adjust_points", "Can give and take points of members"),
                    ("correct_points", "Can take back wrong postings of points"),
                    ("write_off_arrears", "Can forgive arrears of points"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("points", 0), _negated=True), name="adjustment_moves_points"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("purchase__isnull", False)),
                        fields=("purchase", "currency"),
                        name="missing_points_of_an_order_are_credited_once",
                    ),
                ],
                "indexes": [models.Index(fields=["-happened_at", "-id"], name="adjustment_newest_first")],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="charityproject",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_charityprojectevent" ("description", "description_en", "description_zh_hans", "description_zh_hant", "ends_at", "id", "is_active", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "starts_at", "target_points") VALUES (NEW."description", NEW."description_en", NEW."description_zh_hans", NEW."description_zh_hant", NEW."ends_at", NEW."id", NEW."is_active", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."starts_at", NEW."target_points"); RETURN NULL;',
                    hash="7eb4844cc7632e6e2ccd49a96d536ada57cd7cd5",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_99ba5",
                    table="rewards_charityproject",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="charityproject",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_charityprojectevent" ("description", "description_en", "description_zh_hans", "description_zh_hant", "ends_at", "id", "is_active", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "starts_at", "target_points") VALUES (NEW."description", NEW."description_en", NEW."description_zh_hans", NEW."description_zh_hant", NEW."ends_at", NEW."id", NEW."is_active", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."starts_at", NEW."target_points"); RETURN NULL;',
                    hash="06ef222915997b4eaa970235f17db34d3d390e93",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_09652",
                    table="rewards_charityproject",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="charityproject",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_charityprojectevent" ("description", "description_en", "description_zh_hans", "description_zh_hant", "ends_at", "id", "is_active", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "starts_at", "target_points") VALUES (OLD."description", OLD."description_en", OLD."description_zh_hans", OLD."description_zh_hant", OLD."ends_at", OLD."id", OLD."is_active", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."starts_at", OLD."target_points"); RETURN NULL;',
                    hash="0b7517dbda939f764987abd59c25e30530b5138d",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d1a1d",
                    table="rewards_charityproject",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="partner",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_partnerevent" ("code", "day_limit_points", "id", "is_active", "min_points", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settlement_note", "step_points", "unit_name", "unit_name_en", "unit_name_zh_hans", "unit_name_zh_hant") VALUES (NEW."code", NEW."day_limit_points", NEW."id", NEW."is_active", NEW."min_points", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."settlement_note", NEW."step_points", NEW."unit_name", NEW."unit_name_en", NEW."unit_name_zh_hans", NEW."unit_name_zh_hant"); RETURN NULL;',
                    hash="d31106770309a92e920ed47880b96a40246b6e69",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_77513",
                    table="rewards_partner",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="partner",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_partnerevent" ("code", "day_limit_points", "id", "is_active", "min_points", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settlement_note", "step_points", "unit_name", "unit_name_en", "unit_name_zh_hans", "unit_name_zh_hant") VALUES (NEW."code", NEW."day_limit_points", NEW."id", NEW."is_active", NEW."min_points", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."settlement_note", NEW."step_points", NEW."unit_name", NEW."unit_name_en", NEW."unit_name_zh_hans", NEW."unit_name_zh_hant"); RETURN NULL;',
                    hash="b018ecdad844c0bb4017be8c375c5dc3ad01c012",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_efffc",
                    table="rewards_partner",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="partner",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_partnerevent" ("code", "day_limit_points", "id", "is_active", "min_points", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settlement_note", "step_points", "unit_name", "unit_name_en", "unit_name_zh_hans", "unit_name_zh_hant") VALUES (OLD."code", OLD."day_limit_points", OLD."id", OLD."is_active", OLD."min_points", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."settlement_note", OLD."step_points", OLD."unit_name", OLD."unit_name_en", OLD."unit_name_zh_hans", OLD."unit_name_zh_hant"); RETURN NULL;',
                    hash="74b34eaf6522854557ea280731335bae42bec641",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a19dd",
                    table="rewards_partner",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reasoncode",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_reasoncodeevent" ("code", "direction", "id", "is_active", "label", "label_en", "label_zh_hans", "label_zh_hant", "member_text", "member_text_en", "member_text_zh_hans", "member_text_zh_hant", "needs_note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."direction", NEW."id", NEW."is_active", NEW."label", NEW."label_en", NEW."label_zh_hans", NEW."label_zh_hant", NEW."member_text", NEW."member_text_en", NEW."member_text_zh_hans", NEW."member_text_zh_hant", NEW."needs_note", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="4b63d3691b446ffbb0462c932dad055c5b6754fc",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_0672e",
                    table="rewards_reasoncode",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reasoncode",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_reasoncodeevent" ("code", "direction", "id", "is_active", "label", "label_en", "label_zh_hans", "label_zh_hant", "member_text", "member_text_en", "member_text_zh_hans", "member_text_zh_hant", "needs_note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."direction", NEW."id", NEW."is_active", NEW."label", NEW."label_en", NEW."label_zh_hans", NEW."label_zh_hant", NEW."member_text", NEW."member_text_en", NEW."member_text_zh_hans", NEW."member_text_zh_hant", NEW."needs_note", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="a047f251680c7bf4c44ef41b7fd4fa20709135ec",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_28d42",
                    table="rewards_reasoncode",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reasoncode",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_reasoncodeevent" ("code", "direction", "id", "is_active", "label", "label_en", "label_zh_hans", "label_zh_hant", "member_text", "member_text_en", "member_text_zh_hans", "member_text_zh_hant", "needs_note", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."direction", OLD."id", OLD."is_active", OLD."label", OLD."label_en", OLD."label_zh_hans", OLD."label_zh_hant", OLD."member_text", OLD."member_text_en", OLD."member_text_zh_hans", OLD."member_text_zh_hant", OLD."needs_note", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="73cd66b055bdcf4355f0b24c7b1d136c2235371f",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_bc552",
                    table="rewards_reasoncode",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transferpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_transferpolicyevent" ("cooldown_hours", "currency_id", "day_points", "day_times", "id", "is_enabled", "max_points", "min_points", "month_points", "month_times", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."cooldown_hours", NEW."currency_id", NEW."day_points", NEW."day_times", NEW."id", NEW."is_enabled", NEW."max_points", NEW."min_points", NEW."month_points", NEW."month_times", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="d82bd59c5bfbdfc71593083c03db7a8bf6c530a7",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_f9f64",
                    table="rewards_transferpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transferpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_transferpolicyevent" ("cooldown_hours", "currency_id", "day_points", "day_times", "id", "is_enabled", "max_points", "min_points", "month_points", "month_times", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."cooldown_hours", NEW."currency_id", NEW."day_points", NEW."day_times", NEW."id", NEW."is_enabled", NEW."max_points", NEW."min_points", NEW."month_points", NEW."month_times", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="a13c05f7a989f243e3ec9ae96593843d7783b8ce",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_e5e49",
                    table="rewards_transferpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transferpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_transferpolicyevent" ("cooldown_hours", "currency_id", "day_points", "day_times", "id", "is_enabled", "max_points", "min_points", "month_points", "month_times", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."cooldown_hours", OLD."currency_id", OLD."day_points", OLD."day_times", OLD."id", OLD."is_enabled", OLD."max_points", OLD."min_points", OLD."month_points", OLD."month_times", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="5e01a85b6b165891b9481eee25455fe41d4ca32f",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_e3ae4",
                    table="rewards_transferpolicy",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunPython(write_reasons, migrations.RunPython.noop),
        migrations.RunPython(write_policies, migrations.RunPython.noop),
    ]
