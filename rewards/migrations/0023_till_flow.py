"""The till: paying with points, prices for members, orders set aside, settled and voided, batches that were taken offline."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from members.history import refuse_changes_sql
import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations

HISTORY = [
    "rewards_ordersettlement",
    "rewards_orderdeduction",
    "rewards_ordervoid",
    "rewards_offlinebatchline",
    "rewards_deductionsgivenback",
    "rewards_memberpriceevent",
    "rewards_pointspaymentevent",
]


TASK = "续录离线批次 · Go on with offline batches"


def schedule(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every = interval.objects.filter(every=300, period="seconds").first() or interval.objects.create(
        every=300, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "rewards.work_off_batches", "interval": every, "expire_seconds": 600}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("rewards", "0022_catalogue_and_fulfilment"),
        ("loyalty", "0014_badge_images"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]
    operations = [
        migrations.CreateModel(
            name="DeductionsGivenBack",
            fields=[
                (
                    "purchase_return",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="given_back",
                        serialize=False,
                        to="rewards.purchasereturn",
                        verbose_name="return",
                    ),
                ),
                ("vouchers", models.PositiveSmallIntegerField(verbose_name="vouchers")),
                ("uses", models.PositiveSmallIntegerField(verbose_name="uses of benefits")),
            ],
            options={
                "verbose_name": "deductions given back",
                "verbose_name_plural": "deductions given back",
            },
        ),
        migrations.CreateModel(
            name="MemberPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sku", models.CharField(max_length=60, verbose_name="SKU")),
                (
                    "price_amount",
                    models.DecimalField(decimal_places=2, max_digits=12, verbose_name="price for members"),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        limit_choices_to={"kind": "products"},
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="member_prices",
                        to="loyalty.benefit",
                        verbose_name="benefit",
                    ),
                ),
            ],
            options={
                "verbose_name": "member price",
                "verbose_name_plural": "member prices",
                "ordering": ["benefit", "sku"],
            },
        ),
        migrations.CreateModel(
            name="MemberPriceEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("sku", models.CharField(max_length=60, verbose_name="SKU")),
                (
                    "price_amount",
                    models.DecimalField(decimal_places=2, max_digits=12, verbose_name="price for members"),
                ),
                (
                    "benefit",
                    models.ForeignKey(
                        db_constraint=False,
                        limit_choices_to={"kind": "products"},
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
                        to="rewards.memberprice",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OfflineBatch",
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
                ("source", models.CharField(max_length=40, verbose_name="source")),
                ("external_batch_no", models.CharField(max_length=80, verbose_name="batch number")),
                ("fingerprint", models.BinaryField(max_length=32, verbose_name="hash of the content")),
                ("total", models.PositiveSmallIntegerField(verbose_name="orders")),
                ("orders", models.JSONField(default=list, verbose_name="orders that wait")),
                ("received_at", models.DateTimeField(verbose_name="received at")),
                ("done_at", models.DateTimeField(null=True, verbose_name="done at")),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.apikey",
                        verbose_name="till key",
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.store",
                        verbose_name="store",
                    ),
                ),
            ],
            options={
                "verbose_name": "offline batch",
                "verbose_name_plural": "offline batches",
            },
        ),
        migrations.CreateModel(
            name="OfflineBatchLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(verbose_name="position")),
                ("external_order_no", models.CharField(blank=True, max_length=80, verbose_name="order number")),
                (
                    "outcome",
                    models.CharField(
                        choices=[("recorded", "recorded"), ("known", "known before"), ("refused", "refused")],
                        max_length=8,
                        verbose_name="what became of it",
                    ),
                ),
                ("points", models.BigIntegerField(default=0, verbose_name="points")),
                ("code", models.CharField(blank=True, max_length=60, verbose_name="code")),
                ("params", models.JSONField(default=dict, verbose_name="figures")),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="rewards.offlinebatch",
                        verbose_name="offline batch",
                    ),
                ),
                (
                    "purchase",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.purchase",
                        verbose_name="purchase",
                    ),
                ),
            ],
            options={
                "verbose_name": "order of an offline batch",
                "verbose_name_plural": "orders of offline batches",
                "ordering": ["batch", "position"],
            },
        ),
        migrations.CreateModel(
            name="OrderHold",
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
                ("quote_ref", models.UUIDField(unique=True, verbose_name="quote")),
                ("fingerprint", models.BinaryField(max_length=32, verbose_name="hash of what was asked for")),
                ("source", models.CharField(max_length=40, verbose_name="source")),
                ("points", models.PositiveBigIntegerField(default=0, verbose_name="points")),
                (
                    "points_amount",
                    models.DecimalField(decimal_places=2, default=0, max_digits=14, verbose_name="paid with points"),
                ),
                ("vouchers", models.PositiveSmallIntegerField(default=0, verbose_name="vouchers")),
                ("uses", models.PositiveSmallIntegerField(default=0, verbose_name="uses of benefits")),
                ("terms", models.JSONField(default=dict, verbose_name="deductions")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("captured", "captured"),
                            ("released", "released"),
                            ("expired", "expired"),
                        ],
                        default="open",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("external_order_no", models.CharField(blank=True, max_length=80, verbose_name="order number")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                ("closed_reason", models.CharField(blank=True, max_length=200, verbose_name="why it was given back")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                (
                    "key",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.apikey",
                        verbose_name="till key",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_holds",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "points_hold",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_hold",
                        to="rewards.hold",
                        verbose_name="points set aside",
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
            ],
            options={
                "verbose_name": "order set aside",
                "verbose_name_plural": "orders set aside",
                "permissions": [("give_back_orderhold", "Can give back what is set aside for orders")],
            },
        ),
        migrations.CreateModel(
            name="OrderSettlement",
            fields=[
                (
                    "purchase",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="settlement",
                        serialize=False,
                        to="rewards.purchase",
                        verbose_name="purchase",
                    ),
                ),
                ("quote_ref", models.UUIDField(verbose_name="quote")),
                ("fingerprint", models.BinaryField(max_length=32, verbose_name="hash of the content")),
                ("goods_lines", models.PositiveSmallIntegerField(verbose_name="lines of goods")),
                (
                    "gross_amount",
                    models.DecimalField(decimal_places=2, max_digits=14, verbose_name="before deductions"),
                ),
                (
                    "benefits_amount",
                    models.DecimalField(decimal_places=2, max_digits=14, verbose_name="off by benefits"),
                ),
                (
                    "vouchers_amount",
                    models.DecimalField(decimal_places=2, max_digits=14, verbose_name="off by vouchers"),
                ),
                ("points", models.PositiveBigIntegerField(verbose_name="points paid")),
                (
                    "points_amount",
                    models.DecimalField(decimal_places=2, max_digits=14, verbose_name="paid with points"),
                ),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
                (
                    "hold",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlement",
                        to="rewards.orderhold",
                        verbose_name="order set aside",
                    ),
                ),
            ],
            options={
                "verbose_name": "settlement of an order",
                "verbose_name_plural": "settlements of orders",
            },
        ),
        migrations.CreateModel(
            name="OrderDeduction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(verbose_name="position")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("member_price", "member price"),
                            ("discount", "discount"),
                            ("shipping", "free shipping"),
                            ("voucher", "voucher"),
                            ("points", "paid with points"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("ref", models.CharField(max_length=60, verbose_name="reference")),
                ("names", models.JSONField(default=dict, verbose_name="name")),
                ("figure", models.DecimalField(decimal_places=4, max_digits=10, null=True, verbose_name="figure")),
                ("amount", models.DecimalField(decimal_places=2, max_digits=14, verbose_name="off")),
                (
                    "shares",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DecimalField(decimal_places=2, max_digits=14), verbose_name="of each line"
                    ),
                ),
                (
                    "use",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deduction",
                        to="loyalty.entitlementuse",
                        verbose_name="use of a benefit",
                    ),
                ),
                (
                    "voucher",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deductions",
                        to="rewards.voucher",
                        verbose_name="voucher",
                    ),
                ),
                (
                    "settlement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deductions",
                        to="rewards.ordersettlement",
                        verbose_name="settlement of an order",
                    ),
                ),
            ],
            options={
                "verbose_name": "deduction of an order",
                "verbose_name_plural": "deductions of orders",
                "ordering": ["settlement", "position"],
            },
        ),
        migrations.CreateModel(
            name="OrderVoid",
            fields=[
                (
                    "purchase",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="void",
                        serialize=False,
                        to="rewards.purchase",
                        verbose_name="purchase",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("voided_at", models.DateTimeField(verbose_name="voided at")),
                (
                    "purchase_return",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="void",
                        to="rewards.purchasereturn",
                        verbose_name="return",
                    ),
                ),
            ],
            options={
                "verbose_name": "voided order",
                "verbose_name_plural": "voided orders",
                "permissions": [("void_purchase", "Can void orders of the same day")],
            },
        ),
        migrations.CreateModel(
            name="PointsPayment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("is_on", models.BooleanField(default=True, verbose_name="points can pay")),
                (
                    "money_per_point",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="In the programme's currency, for example 0.010000 when 100 points pay 1.00.",
                        max_digits=12,
                        verbose_name="what one point pays (money)",
                    ),
                ),
                (
                    "step_points",
                    models.PositiveIntegerField(
                        default=100,
                        help_text="100: only 100, 200, 300 … points can be used.",
                        verbose_name="in steps of (points)",
                    ),
                ),
                ("min_points", models.PositiveIntegerField(default=100, verbose_name="at least (points)")),
                (
                    "max_share_percent",
                    models.PositiveSmallIntegerField(default=100, verbose_name="at most of the order (%)"),
                ),
                ("pays_postage", models.BooleanField(default=False, verbose_name="pays postage too")),
                (
                    "store_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all stores.",
                        verbose_name="stores",
                    ),
                ),
                (
                    "currency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="rewards.pointscurrency",
                        verbose_name="points currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "rule for paying with points",
                "verbose_name_plural": "paying with points",
                "ordering": ["currency", "-valid_from"],
            },
        ),
        migrations.CreateModel(
            name="PointsPaymentEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                ("is_on", models.BooleanField(default=True, verbose_name="points can pay")),
                (
                    "money_per_point",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="In the programme's currency, for example 0.010000 when 100 points pay 1.00.",
                        max_digits=12,
                        verbose_name="what one point pays (money)",
                    ),
                ),
                (
                    "step_points",
                    models.PositiveIntegerField(
                        default=100,
                        help_text="100: only 100, 200, 300 … points can be used.",
                        verbose_name="in steps of (points)",
                    ),
                ),
                ("min_points", models.PositiveIntegerField(default=100, verbose_name="at least (points)")),
                (
                    "max_share_percent",
                    models.PositiveSmallIntegerField(default=100, verbose_name="at most of the order (%)"),
                ),
                ("pays_postage", models.BooleanField(default=False, verbose_name="pays postage too")),
                (
                    "store_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        help_text="None chosen: all stores.",
                        verbose_name="stores",
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
                        to="rewards.pointspayment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="memberprice",
            constraint=models.UniqueConstraint(fields=("benefit", "sku"), name="article_has_one_price_for_members"),
        ),
        migrations.AddConstraint(
            model_name="memberprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("price_amount__gte", 0)), name="member_price_is_not_negative"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberprice",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_memberpriceevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sku") VALUES (NEW."benefit_id", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."price_amount", NEW."sku"); RETURN NULL;',
                    hash="b57c02d0cffd76a6576b47683143ed48e0d4ab70",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c8a69",
                    table="rewards_memberprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberprice",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_memberpriceevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sku") VALUES (NEW."benefit_id", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."price_amount", NEW."sku"); RETURN NULL;',
                    hash="cb115e8282762d9b4ce98e115784de6e9e9230b8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_1342e",
                    table="rewards_memberprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberprice",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_memberpriceevent" ("benefit_id", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_amount", "sku") VALUES (OLD."benefit_id", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."price_amount", OLD."sku"); RETURN NULL;',
                    hash="427ad9b88e597d6b9b6f559c66da04c012352a51",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_04fa4",
                    table="rewards_memberprice",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="offlinebatch",
            index=models.Index(
                condition=models.Q(("done_at__isnull", True)), fields=["received_at"], name="offline_batch_waits"
            ),
        ),
        migrations.AddConstraint(
            model_name="offlinebatch",
            constraint=models.UniqueConstraint(
                fields=("source", "external_batch_no"), name="batch_number_is_unique_in_its_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="offlinebatchline",
            constraint=models.UniqueConstraint(fields=("batch", "position"), name="order_of_a_batch_is_answered_once"),
        ),
        migrations.AddConstraint(
            model_name="offlinebatchline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", "refused"), ("purchase__isnull", True)),
                    models.Q(models.Q(("outcome", "refused"), _negated=True), ("purchase__isnull", False)),
                    _connector="OR",
                ),
                name="order_of_a_batch_is_recorded_or_refused",
            ),
        ),
        migrations.AddIndex(
            model_name="orderhold",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["expires_at"], name="order_hold_open_by_end"
            ),
        ),
        migrations.AddIndex(
            model_name="orderhold",
            index=models.Index(fields=["member", "-created_at"], name="order_holds_of_member"),
        ),
        migrations.AddIndex(
            model_name="orderhold",
            index=models.Index(fields=["-created_at", "-id"], name="order_hold_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="orderhold",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "captured", "released", "expired"])),
                name="order_hold_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderhold",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="order_hold_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="orderhold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state", "open")),
                    models.Q(models.Q(("state", "open"), _negated=True), ("closed_at__isnull", False)),
                    _connector="OR",
                ),
                name="order_hold_is_closed_at_a_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderhold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("points", 0), ("points_hold__isnull", True)),
                    models.Q(("points__gt", 0), ("points_hold__isnull", False)),
                    _connector="OR",
                ),
                name="order_hold_names_the_hold_of_its_points",
            ),
        ),
        migrations.AddConstraint(
            model_name="ordersettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("benefits_amount__gte", 0),
                    ("points_amount__gte", 0),
                    ("vouchers_amount__gte", 0),
                    (
                        "gross_amount__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("benefits_amount"), "+", models.F("vouchers_amount")
                            ),
                            "+",
                            models.F("points_amount"),
                        ),
                    ),
                ),
                name="settlement_takes_off_what_there_was",
            ),
        ),
        migrations.AddConstraint(
            model_name="ordersettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("points", 0), ("points_amount", 0)),
                    models.Q(("points__gt", 0), ("points_amount__gte", 0)),
                    _connector="OR",
                ),
                name="settlement_is_paid_with_points_that_are_named",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdeduction",
            constraint=models.UniqueConstraint(
                fields=("settlement", "position"), name="deduction_has_a_place_of_its_own_in_its_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="orderdeduction",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gte", 0)), name="deduction_is_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="pointspayment",
            constraint=models.UniqueConstraint(
                fields=("currency", "valid_from"), name="points_pay_by_one_rule_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="pointspayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("money_per_point__gt", 0)), name="point_pays_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="pointspayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("step_points__gte", 1)), name="points_pay_in_steps_of_one_or_more"
            ),
        ),
        migrations.AddConstraint(
            model_name="pointspayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_share_percent__gte", 1), ("max_share_percent__lte", 100)),
                name="points_pay_a_share_of_an_order",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointspayment",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointspaymentevent" ("currency_id", "id", "is_on", "max_share_percent", "min_points", "money_per_point", "pays_postage", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "step_points", "store_ids", "valid_from") VALUES (NEW."currency_id", NEW."id", NEW."is_on", NEW."max_share_percent", NEW."min_points", NEW."money_per_point", NEW."pays_postage", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."step_points", NEW."store_ids", NEW."valid_from"); RETURN NULL;',
                    hash="2fee753bf1a1f2921ad218844362b6a61bf57cd7",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_d705b",
                    table="rewards_pointspayment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointspayment",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_pointspaymentevent" ("currency_id", "id", "is_on", "max_share_percent", "min_points", "money_per_point", "pays_postage", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "step_points", "store_ids", "valid_from") VALUES (NEW."currency_id", NEW."id", NEW."is_on", NEW."max_share_percent", NEW."min_points", NEW."money_per_point", NEW."pays_postage", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."step_points", NEW."store_ids", NEW."valid_from"); RETURN NULL;',
                    hash="dfed244b35841db070d8c0b168f779555c41ca10",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_2229d",
                    table="rewards_pointspayment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointspayment",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointspaymentevent" ("currency_id", "id", "is_on", "max_share_percent", "min_points", "money_per_point", "pays_postage", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "step_points", "store_ids", "valid_from") VALUES (OLD."currency_id", OLD."id", OLD."is_on", OLD."max_share_percent", OLD."min_points", OLD."money_per_point", OLD."pays_postage", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."step_points", OLD."store_ids", OLD."valid_from"); RETURN NULL;',
                    hash="bfa5f2772b35beb86f621c51712d6cf6d0c1dd4e",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_b1038",
                    table="rewards_pointspayment",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
    ]
