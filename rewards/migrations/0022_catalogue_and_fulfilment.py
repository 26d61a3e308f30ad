"""The catalogue of rewards, and orders of rewards on their way."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
import rewards.models.spans
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# What was agreed is never changed: only the state, the parcel, the place of pick-up and what was given back. Once done it
# is over, but for a partner who rejects points, a voucher or a code that is taken back, and data of persons.
REDEMPTION_IS_KEPT = """
CREATE FUNCTION rewards_keep_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['state', 'state_at', 'refund_id', 'store_id', 'carrier', 'tracking_no', 'due_at'];
BEGIN
    IF to_jsonb(OLD) - free IS DISTINCT FROM to_jsonb(NEW) - free THEN
        RAISE EXCEPTION 'what was agreed in a redemption stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('cancelled', 'refunded') AND (OLD.state, OLD.refund_id) IS DISTINCT FROM (NEW.state, NEW.refund_id) THEN
        RAISE EXCEPTION 'a cancelled redemption stays cancelled' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER rewards_redemption_is_history ON rewards_redemption;
CREATE TRIGGER rewards_redemption_is_kept BEFORE UPDATE ON rewards_redemption
    FOR EACH ROW EXECUTE FUNCTION rewards_keep_redemption();
CREATE TRIGGER rewards_redemption_is_not_deleted BEFORE DELETE ON rewards_redemption
    FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
"""
REDEMPTION_IS_HISTORY = """
DROP TRIGGER rewards_redemption_is_kept ON rewards_redemption;
DROP TRIGGER rewards_redemption_is_not_deleted ON rewards_redemption;
DROP FUNCTION rewards_keep_redemption();
CREATE TRIGGER rewards_redemption_is_history BEFORE UPDATE OR DELETE ON rewards_redemption
    FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
"""

# Redemptions there are were all done at once. Before the table is guarded again; deferred constraints are looked at first.
BACKFILL = """
DROP TRIGGER rewards_redemption_is_history ON rewards_redemption;
UPDATE rewards_redemption r SET state_at = r.redeemed_at, transaction_id = t.id
FROM rewards_redemption same
LEFT JOIN rewards_ledgertransaction t ON t.kind = 3 AND t.source = 'redemption' AND t.natural_key = same.request_id
WHERE same.id = r.id;
CREATE TRIGGER rewards_redemption_is_history BEFORE UPDATE OR DELETE ON rewards_redemption
    FOR EACH ROW EXECUTE FUNCTION members_refuse_change();
INSERT INTO rewards_redemptionevent (redemption_id, from_state, to_state, reason, store_id, actor_kind, actor_id, happened_at)
SELECT r.id, '', 'done', '', NULL, coalesce(t.actor_kind, 'system'), t.actor_id, r.redeemed_at
FROM rewards_redemption r LEFT JOIN rewards_ledgertransaction t ON t.id = r.transaction_id ORDER BY r.id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

HISTORY = [
    "rewards_redemptionevent",
    "rewards_rewardpicture",
    "rewards_rewardcategoryevent",
    "rewards_rewardpriceevent",
    "rewards_rewardimageevent",
    "rewards_flashsaleevent",
]

TASK = "清理兑换地址 · Forget addresses of parcels"


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    when = {
        "minute": "25", "hour": "4", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "rewards.forget_addresses", "crontab": clock}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("loyalty", "0014_badge_images"),
        ("members", "0015_household_points"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("rewards", "0021_voucher_issuing"),
    ]

    operations = [
        migrations.CreateModel(
            name="DigitalCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ciphertext", models.BinaryField(verbose_name="encrypted code")),
                ("code_hmac", models.BinaryField(max_length=32, unique=True, verbose_name="look-up key of the code")),
                (
                    "state",
                    models.CharField(
                        choices=[("free", "free"), ("given", "given to a member"), ("void", "not to be given")],
                        default="free",
                        max_length=5,
                        verbose_name="state",
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="can be used until")),
                ("uploaded_at", models.DateTimeField(verbose_name="uploaded at")),
                ("given_at", models.DateTimeField(null=True, verbose_name="given at")),
                ("voided_at", models.DateTimeField(null=True, verbose_name="taken out at")),
            ],
            options={
                "verbose_name": "digital code",
                "verbose_name_plural": "digital codes",
                "permissions": [("upload_digital_codes", "Can upload and take out digital codes")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="FlashSale",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("price_points", models.PositiveIntegerField(verbose_name="price (points)")),
                (
                    "cash_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=10, verbose_name="to be paid besides (money)"
                    ),
                ),
                (
                    "stock",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Empty: those of the reward, as long as there are any.",
                        null=True,
                        verbose_name="pieces of the sale",
                    ),
                ),
                (
                    "per_member_limit",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Within the sale. Empty: without limit.",
                        null=True,
                        verbose_name="limit per member",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="begins at")),
                ("ends_at", models.DateTimeField(verbose_name="ends at")),
            ],
            options={
                "verbose_name": "flash sale",
                "verbose_name_plural": "flash sales",
                "ordering": ["-starts_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="FlashSaleEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("price_points", models.PositiveIntegerField(verbose_name="price (points)")),
                (
                    "cash_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=10, verbose_name="to be paid besides (money)"
                    ),
                ),
                (
                    "stock",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Empty: those of the reward, as long as there are any.",
                        null=True,
                        verbose_name="pieces of the sale",
                    ),
                ),
                (
                    "per_member_limit",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Within the sale. Empty: without limit.",
                        null=True,
                        verbose_name="limit per member",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="begins at")),
                ("ends_at", models.DateTimeField(verbose_name="ends at")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RedemptionAddress",
            fields=[
                (
                    "redemption",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="address",
                        serialize=False,
                        to="rewards.redemption",
                        verbose_name="redemption",
                    ),
                ),
                ("ciphertext", models.BinaryField(verbose_name="encrypted address")),
                ("written_at", models.DateTimeField(verbose_name="written at")),
            ],
            options={
                "verbose_name": "address of a redemption",
                "verbose_name_plural": "addresses of redemptions",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="RedemptionEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_state", models.CharField(blank=True, max_length=10, verbose_name="from state")),
                (
                    "to_state",
                    models.CharField(
                        choices=[
                            ("placed", "placed"),
                            ("preparing", "being prepared"),
                            ("shipped", "on its way"),
                            ("ready", "ready for pick-up"),
                            ("done", "done"),
                            ("cancelled", "cancelled"),
                            ("refunded", "points given back"),
                        ],
                        max_length=10,
                        verbose_name="to state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
            ],
            options={
                "verbose_name": "step of a redemption",
                "verbose_name_plural": "steps of redemptions",
                "ordering": ["happened_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="RewardCategory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="category name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("is_on", models.BooleanField(default=True, verbose_name="shown")),
                ("sort_order", models.PositiveSmallIntegerField(default=100, verbose_name="order on the shelf")),
            ],
            options={
                "verbose_name": "category of rewards",
                "verbose_name_plural": "categories of rewards",
                "ordering": ["sort_order", "id"],
            },
        ),
        migrations.CreateModel(
            name="RewardCategoryEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=40, verbose_name="code")),
                ("name", models.CharField(max_length=40, verbose_name="category name")),
                ("name_zh_hans", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("name_zh_hant", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("name_en", models.CharField(max_length=40, null=True, verbose_name="category name")),
                ("is_on", models.BooleanField(default=True, verbose_name="shown")),
                ("sort_order", models.PositiveSmallIntegerField(default=100, verbose_name="order on the shelf")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RewardImage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "alt",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_zh_hans",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_zh_hant",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_en",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "colour",
                    models.CharField(
                        help_text="Shown until the picture is there.", max_length=7, verbose_name="main colour"
                    ),
                ),
                ("sort_order", models.PositiveSmallIntegerField(default=100, verbose_name="order on the page")),
            ],
            options={
                "verbose_name": "image of a reward",
                "verbose_name_plural": "images of rewards",
                "ordering": ["reward", "sort_order", "id"],
            },
        ),
        migrations.CreateModel(
            name="RewardImageEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "alt",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_zh_hans",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_zh_hant",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "alt_en",
                    models.CharField(
                        help_text="Read out to members who can not see it.",
                        max_length=120,
                        null=True,
                        verbose_name="what the picture shows",
                    ),
                ),
                (
                    "colour",
                    models.CharField(
                        help_text="Shown until the picture is there.", max_length=7, verbose_name="main colour"
                    ),
                ),
                ("sort_order", models.PositiveSmallIntegerField(default=100, verbose_name="order on the page")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RewardPicture",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="digest")),
                ("content", models.BinaryField(verbose_name="content")),
                ("width", models.PositiveSmallIntegerField(verbose_name="width (pixels)")),
                ("height", models.PositiveSmallIntegerField(verbose_name="height (pixels)")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
            ],
            options={
                "verbose_name": "picture of a reward",
                "verbose_name_plural": "pictures of rewards",
            },
        ),
        migrations.CreateModel(
            name="RewardPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("price_points", models.PositiveIntegerField(verbose_name="price (points)")),
                (
                    "cash_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=10, verbose_name="to be paid besides (money)"
                    ),
                ),
                ("announced_at", models.DateTimeField(verbose_name="announced at")),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                (
                    "honoured_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="the old price is honoured until"),
                ),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn at")),
            ],
            options={
                "verbose_name": "price of a reward",
                "verbose_name_plural": "prices of rewards",
                "ordering": ["reward", "-valid_from"],
            },
        ),
        migrations.CreateModel(
            name="RewardPriceEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("price_points", models.PositiveIntegerField(verbose_name="price (points)")),
                (
                    "cash_amount",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=10, verbose_name="to be paid besides (money)"
                    ),
                ),
                ("announced_at", models.DateTimeField(verbose_name="announced at")),
                ("valid_from", models.DateTimeField(verbose_name="in force from")),
                (
                    "honoured_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="the old price is honoured until"),
                ),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn at")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="WishedReward",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wished_at", models.DateTimeField(verbose_name="wished at")),
            ],
            options={
                "verbose_name": "wish",
                "verbose_name_plural": "wishes",
                "ordering": ["-wished_at", "-id"],
            },
        ),
        migrations.AlterModelOptions(
            name="redemption",
            options={
                "permissions": [
                    ("fulfil_redemption", "Can prepare, ship and hand over what members redeemed"),
                    ("cancel_redemption", "Can cancel redemptions and give the points back"),
                ],
                "verbose_name": "redemption",
                "verbose_name_plural": "redemptions",
            },
        ),
        migrations.AlterModelOptions(
            name="reward",
            options={
                "ordering": ["sort_order", "id"],
                "permissions": [("price_reward", "Can change prices of rewards and set up flash sales")],
                "verbose_name": "reward",
                "verbose_name_plural": "rewards",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="reward",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="reward",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="reward",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="redemption",
            name="carrier",
            field=models.CharField(blank=True, db_default="", max_length=40, verbose_name="carrier"),
        ),
        migrations.AddField(
            model_name="redemption",
            name="cash_amount",
            field=models.DecimalField(
                db_default=0, decimal_places=2, default=0, max_digits=10, verbose_name="to be paid besides (money)"
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="conversion",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemption",
                to="rewards.partnerconversion",
                verbose_name="conversion",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="delivery",
            field=models.CharField(
                choices=[
                    ("none", "nothing to hand over"),
                    ("post", "sent by post"),
                    ("store", "handed over in a store"),
                ],
                db_default="none",
                default="none",
                max_length=5,
                verbose_name="how it reaches the member",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="donation",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemption",
                to="rewards.donation",
                verbose_name="donation",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="due_at",
            field=models.DateTimeField(null=True, verbose_name="to be ready by"),
        ),
        migrations.AddField(
            model_name="redemption",
            name="pickup_hmac",
            field=models.BinaryField(
                max_length=32, null=True, unique=True, verbose_name="look-up key of the pick-up code"
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="quantity",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name="pieces"),
        ),
        migrations.AddField(
            model_name="redemption",
            name="quote_ref",
            field=models.UUIDField(editable=False, null=True, verbose_name="quote"),
        ),
        migrations.AddField(
            model_name="redemption",
            name="refund",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunded_redemption",
                to="rewards.ledgertransaction",
                verbose_name="given back by",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="state",
            field=models.CharField(
                choices=[
                    ("placed", "placed"),
                    ("preparing", "being prepared"),
                    ("shipped", "on its way"),
                    ("ready", "ready for pick-up"),
                    ("done", "done"),
                    ("cancelled", "cancelled"),
                    ("refunded", "points given back"),
                ],
                db_default="done",
                default="done",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="state_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), verbose_name="in this state since"
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="store",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="store of pick-up",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="tracking_no",
            field=models.CharField(blank=True, db_default="", max_length=60, verbose_name="number of the parcel"),
        ),
        migrations.AddField(
            model_name="redemption",
            name="transaction",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemption",
                to="rewards.ledgertransaction",
                verbose_name="paid by",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="active_days",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: for all.", null=True, verbose_name="only for who bought within (days)"
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="by_post",
            field=models.BooleanField(default=False, verbose_name="is sent to members"),
        ),
        migrations.AddField(
            model_name="reward",
            name="cancel_hours",
            field=models.PositiveSmallIntegerField(
                default=168,
                help_text="By the member, as long as it is not under way or used. 0: not at all.",
                verbose_name="can be cancelled for (hours)",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="cash_amount",
            field=models.DecimalField(
                decimal_places=2,
                default=0,
                help_text="Collected at the till or by the shop, not here.",
                max_digits=10,
                verbose_name="to be paid besides (money)",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="cost_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="What one piece costs us.",
                max_digits=10,
                null=True,
                verbose_name="cost (money)",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="event_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="the event begins at"),
        ),
        migrations.AddField(
            model_name="reward",
            name="event_place",
            field=models.CharField(blank=True, max_length=120, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="reward",
            name="event_place_en",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="reward",
            name="event_place_zh_hans",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="reward",
            name="event_place_zh_hant",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="reward",
            name="in_store",
            field=models.BooleanField(default=False, verbose_name="is handed over in stores"),
        ),
        migrations.AddField(
            model_name="reward",
            name="kind",
            field=models.CharField(
                choices=[
                    ("voucher", "voucher"),
                    ("gift", "gift"),
                    ("service", "service at a store"),
                    ("ticket", "ticket for an event"),
                    ("digital", "digital code"),
                    ("donation", "donation"),
                    ("partner", "points of a partner"),
                ],
                default="voucher",
                max_length=10,
                verbose_name="kind of reward",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="least_tier",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tier",
                verbose_name="from this tier on",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="partner",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rewards",
                to="rewards.partner",
                verbose_name="partner",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="period",
            field=models.CharField(
                blank=True,
                choices=[("day", "day"), ("week", "week"), ("month", "month"), ("year", "year")],
                max_length=5,
                verbose_name="period of the limit",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="period_limit",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: without limit.", null=True, verbose_name="limit per member and period"
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="prepare_days",
            field=models.PositiveSmallIntegerField(
                default=3, help_text="Later than this, an order is shown as late.", verbose_name="ready within (days)"
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="project",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rewards",
                to="rewards.charityproject",
                verbose_name="charity project",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="segment",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.segment",
                verbose_name="only for the segment",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="store_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all stores.",
                verbose_name="stores",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="active_days",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: for all.", null=True, verbose_name="only for who bought within (days)"
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="by_post",
            field=models.BooleanField(default=False, verbose_name="is sent to members"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="cancel_hours",
            field=models.PositiveSmallIntegerField(
                default=168,
                help_text="By the member, as long as it is not under way or used. 0: not at all.",
                verbose_name="can be cancelled for (hours)",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="cash_amount",
            field=models.DecimalField(
                decimal_places=2,
                default=0,
                help_text="Collected at the till or by the shop, not here.",
                max_digits=10,
                verbose_name="to be paid besides (money)",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="cost_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="What one piece costs us.",
                max_digits=10,
                null=True,
                verbose_name="cost (money)",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="event_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="the event begins at"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="event_place",
            field=models.CharField(blank=True, max_length=120, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="event_place_en",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="event_place_zh_hans",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="event_place_zh_hant",
            field=models.CharField(blank=True, max_length=120, null=True, verbose_name="place of the event"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="in_store",
            field=models.BooleanField(default=False, verbose_name="is handed over in stores"),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("voucher", "voucher"),
                    ("gift", "gift"),
                    ("service", "service at a store"),
                    ("ticket", "ticket for an event"),
                    ("digital", "digital code"),
                    ("donation", "donation"),
                    ("partner", "points of a partner"),
                ],
                default="voucher",
                max_length=10,
                verbose_name="kind of reward",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="least_tier",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="loyalty.tier",
                verbose_name="from this tier on",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="partner",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.partner",
                verbose_name="partner",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="period",
            field=models.CharField(
                blank=True,
                choices=[("day", "day"), ("week", "week"), ("month", "month"), ("year", "year")],
                max_length=5,
                verbose_name="period of the limit",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="period_limit",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: without limit.", null=True, verbose_name="limit per member and period"
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="prepare_days",
            field=models.PositiveSmallIntegerField(
                default=3, help_text="Later than this, an order is shown as late.", verbose_name="ready within (days)"
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="project",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.charityproject",
                verbose_name="charity project",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="segment",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.segment",
                verbose_name="only for the segment",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="store_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all stores.",
                verbose_name="stores",
            ),
        ),
        migrations.AlterField(
            model_name="donation",
            name="proposal",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.proposal",
                verbose_name="proposal",
            ),
        ),
        migrations.AlterField(
            model_name="redemption",
            name="voucher",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemption",
                to="rewards.voucher",
                verbose_name="voucher",
            ),
        ),
        migrations.AlterField(
            model_name="reward",
            name="template",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rewards",
                to="rewards.vouchertemplate",
                verbose_name="voucher template",
            ),
        ),
        migrations.AlterField(
            model_name="rewardevent",
            name="template",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.vouchertemplate",
                verbose_name="voucher template",
            ),
        ),
        migrations.AddField(
            model_name="digitalcode",
            name="operator",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="uploaded by",
            ),
        ),
        migrations.AddField(
            model_name="digitalcode",
            name="redemption",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="digital_code",
                to="rewards.redemption",
                verbose_name="redemption",
            ),
        ),
        migrations.AddField(
            model_name="digitalcode",
            name="reward",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="codes",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="flashsale",
            name="reward",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sales",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="redemption",
            name="sale",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="redemptions",
                to="rewards.flashsale",
                verbose_name="flash sale",
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(
                condition=models.Q(("state__in", ["placed", "preparing"])),
                fields=["due_at", "id"],
                name="redemptions_to_be_fulfilled",
            ),
        ),
        migrations.AddIndex(
            model_name="redemption",
            index=models.Index(
                condition=models.Q(("state", "ready")),
                fields=["store", "redeemed_at"],
                name="redemptions_to_be_picked_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(condition=models.Q(("quantity", 1)), name="redemption_is_of_one_piece"),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(("cash_amount__gte", 0)), name="cash_of_a_redemption_is_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["placed", "preparing", "shipped", "ready", "done", "cancelled", "refunded"])
                ),
                name="redemption_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("delivery", "none"),
                        ("due_at", None),
                        ("pickup_hmac", None),
                        ("state__in", ["done", "cancelled", "refunded"]),
                        ("store", None),
                    ),
                    models.Q(
                        ("delivery", "post"),
                        ("due_at__isnull", False),
                        ("pickup_hmac", None),
                        ("store", None),
                        models.Q(("state", "ready"), _negated=True),
                    ),
                    models.Q(
                        ("delivery", "store"),
                        ("pickup_hmac__isnull", False),
                        models.Q(("state", "shipped"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="redemption_reaches_the_member_as_it_says",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refund__isnull", False), ("state__in", ["cancelled", "refunded"])),
                    models.Q(
                        models.Q(("state__in", ["cancelled", "refunded"]), _negated=True), ("refund__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="cancelled_redemption_gave_its_points_back",
            ),
        ),
        migrations.AddField(
            model_name="flashsaleevent",
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
            model_name="flashsaleevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="rewards.flashsale",
            ),
        ),
        migrations.AddField(
            model_name="flashsaleevent",
            name="reward",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="redemptionevent",
            name="redemption",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="events",
                to="rewards.redemption",
                verbose_name="redemption",
            ),
        ),
        migrations.AddField(
            model_name="redemptionevent",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="store",
            ),
        ),
        migrations.AddField(
            model_name="reward",
            name="category",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rewards",
                to="rewards.rewardcategory",
                verbose_name="category",
            ),
        ),
        migrations.AddField(
            model_name="rewardevent",
            name="category",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.rewardcategory",
                verbose_name="category",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["voucher", "gift", "service", "ticket", "digital", "donation", "partner"])
                ),
                name="reward_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "voucher"), ("partner", None), ("project", None), ("template__isnull", False)),
                    models.Q(("kind", "donation"), ("partner", None), ("project__isnull", False), ("template", None)),
                    models.Q(("kind", "partner"), ("partner__isnull", False), ("project", None), ("template", None)),
                    models.Q(
                        ("kind__in", ["gift", "service", "ticket", "digital"]),
                        ("partner", None),
                        ("project", None),
                        ("template", None),
                    ),
                    _connector="OR",
                ),
                name="reward_names_what_its_kind_gives",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("by_post", True), ("kind", "gift")),
                    models.Q(("in_store", True), ("kind", "gift")),
                    models.Q(("by_post", False), ("in_store", True), ("kind__in", ["service", "ticket"])),
                    models.Q(
                        ("by_post", False),
                        ("in_store", False),
                        ("kind__in", ["voucher", "digital", "donation", "partner"]),
                    ),
                    _connector="OR",
                ),
                name="reward_reaches_members_as_its_kind_does",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("event_at__isnull", False), ("kind", "ticket")),
                    models.Q(models.Q(("kind", "ticket"), _negated=True), ("event_at__isnull", True)),
                    _connector="OR",
                ),
                name="only_tickets_are_for_an_event",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "digital"), _negated=True), ("stock__isnull", True), _connector="OR"
                ),
                name="digital_codes_are_counted_by_their_pool",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cash_amount__gte", 0),
                    models.Q(("cost_amount__isnull", True), ("cost_amount__gte", 0), _connector="OR"),
                ),
                name="money_of_a_reward_is_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["donation", "partner"]), _negated=True), ("cash_amount", 0), _connector="OR"
                ),
                name="points_given_on_cost_no_money",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("period", ""), ("period_limit__isnull", True)),
                    models.Q(("period__in", ["day", "week", "month", "year"]), ("period_limit__gt", 0)),
                    _connector="OR",
                ),
                name="limit_per_period_names_its_period",
            ),
        ),
        migrations.AddField(
            model_name="rewardcategoryevent",
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
            model_name="rewardcategoryevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="rewards.rewardcategory",
            ),
        ),
        migrations.AddField(
            model_name="rewardimage",
            name="reward",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="images",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="rewardimageevent",
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
            model_name="rewardimageevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="rewards.rewardimage",
            ),
        ),
        migrations.AddField(
            model_name="rewardimageevent",
            name="reward",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardpicture",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="picture_of_a_reward_has_a_digest"
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardpicture",
            constraint=models.CheckConstraint(
                condition=models.Q(("height__gt", 0), ("width__gt", 0)), name="picture_of_a_reward_has_a_size"
            ),
        ),
        migrations.AddField(
            model_name="rewardimageevent",
            name="large",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.rewardpicture",
                verbose_name="1200 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardimageevent",
            name="medium",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.rewardpicture",
                verbose_name="600 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardimageevent",
            name="small",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.rewardpicture",
                verbose_name="200 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardimage",
            name="large",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.rewardpicture",
                verbose_name="1200 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardimage",
            name="medium",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.rewardpicture",
                verbose_name="600 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardimage",
            name="small",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.rewardpicture",
                verbose_name="200 pixels",
            ),
        ),
        migrations.AddField(
            model_name="rewardprice",
            name="operator",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="changed by",
            ),
        ),
        migrations.AddField(
            model_name="rewardprice",
            name="reward",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="prices",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="rewardpriceevent",
            name="operator",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="changed by",
            ),
        ),
        migrations.AddField(
            model_name="rewardpriceevent",
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
            model_name="rewardpriceevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="rewards.rewardprice",
            ),
        ),
        migrations.AddField(
            model_name="rewardpriceevent",
            name="reward",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddField(
            model_name="wishedreward",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="wishes",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="wishedreward",
            name="reward",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="wishes",
                to="rewards.reward",
                verbose_name="reward",
            ),
        ),
        migrations.AddIndex(
            model_name="digitalcode",
            index=models.Index(
                condition=models.Q(("state", "free")), fields=["reward", "id"], name="digital_codes_that_are_free"
            ),
        ),
        migrations.AddIndex(
            model_name="digitalcode",
            index=models.Index(fields=["reward", "state"], name="digital_codes_by_state"),
        ),
        migrations.AddConstraint(
            model_name="digitalcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("given_at", None), ("redemption", None), ("state", "free"), ("voided_at", None)),
                    models.Q(
                        ("given_at__isnull", False),
                        ("redemption__isnull", False),
                        ("state", "given"),
                        ("voided_at", None),
                    ),
                    models.Q(("state", "void"), ("voided_at__isnull", False)),
                    _connector="OR",
                ),
                name="digital_code_is_free_or_given_or_void",
            ),
        ),
        migrations.AddConstraint(
            model_name="digitalcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__isnull", True), ("expires_at__gt", models.F("uploaded_at")), _connector="OR"
                ),
                name="digital_code_is_uploaded_before_its_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="flashsale",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    (rewards.models.spans.IdRange(models.F("reward_id")), "&&"),
                    (
                        rewards.models.spans.TsTzRange(models.F("starts_at"), models.F("ends_at"), models.Value("[)")),
                        "&&",
                    ),
                ],
                name="reward_has_one_sale_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="flashsale",
            constraint=models.CheckConstraint(
                condition=models.Q(("cash_amount__gte", 0), ("price_points__gt", 0)), name="flash_sale_has_a_price"
            ),
        ),
        migrations.AddConstraint(
            model_name="flashsale",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="flash_sale_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="flashsale",
            constraint=models.CheckConstraint(
                condition=models.Q(("stock__isnull", True), ("stock__gte", 0), _connector="OR"),
                name="stock_of_a_sale_is_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="flashsale",
            constraint=models.CheckConstraint(
                condition=models.Q(("per_member_limit__isnull", True), ("per_member_limit__gt", 0), _connector="OR"),
                name="limit_of_a_sale_is_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardimage",
            constraint=models.CheckConstraint(
                condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")), name="main_colour_is_six_hex_digits"
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardprice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at", None)),
                fields=("reward", "valid_from"),
                name="reward_has_one_price_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("cash_amount__gte", 0), ("price_points__gt", 0)),
                name="price_of_a_reward_is_a_price",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("announced_at__lte", models.F("valid_from"))),
                name="price_is_announced_before_it_comes",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardprice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("honoured_until__isnull", True), ("honoured_until__gt", models.F("valid_from")), _connector="OR"
                ),
                name="old_price_is_honoured_after_the_new_one_came",
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardprice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("withdrawn_at__isnull", True), ("withdrawn_at__lte", models.F("valid_from")), _connector="OR"
                ),
                name="price_is_withdrawn_before_it_comes",
            ),
        ),
        migrations.AddConstraint(
            model_name="wishedreward",
            constraint=models.UniqueConstraint(fields=("member", "reward"), name="member_wishes_a_reward_once"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reward",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardevent" ("active_days", "by_post", "cancel_hours", "cash_amount", "category_id", "cost_amount", "description", "description_en", "description_zh_hans", "description_zh_hant", "event_at", "event_place", "event_place_en", "event_place_zh_hans", "event_place_zh_hant", "id", "in_store", "kind", "least_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "partner_id", "per_member_limit", "period", "period_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prepare_days", "price_points", "project_id", "public_id", "segment_id", "sort_order", "stock", "store_ids", "template_id", "valid_from", "valid_to") VALUES (NEW."active_days", NEW."by_post", NEW."cancel_hours", NEW."cash_amount", NEW."category_id", NEW."cost_amount", NEW."description", NEW."description_en", NEW."description_zh_hans", NEW."description_zh_hant", NEW."event_at", NEW."event_place", NEW."event_place_en", NEW."event_place_zh_hans", NEW."event_place_zh_hant", NEW."id", NEW."in_store", NEW."kind", NEW."least_tier_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."partner_id", NEW."per_member_limit", NEW."period", NEW."period_limit", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."prepare_days", NEW."price_points", NEW."project_id", NEW."public_id", NEW."segment_id", NEW."sort_order", NEW."stock", NEW."store_ids", NEW."template_id", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="26816efddb7a2be7f7567c22d7d9b99c2b1e9711",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_d7efc",
                    table="rewards_reward",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reward",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."active_days" IS DISTINCT FROM (NEW."active_days") OR OLD."by_post" IS DISTINCT FROM (NEW."by_post") OR OLD."cancel_hours" IS DISTINCT FROM (NEW."cancel_hours") OR OLD."cash_amount" IS DISTINCT FROM (NEW."cash_amount") OR OLD."category_id" IS DISTINCT FROM (NEW."category_id") OR OLD."cost_amount" IS DISTINCT FROM (NEW."cost_amount") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."description_en" IS DISTINCT FROM (NEW."description_en") OR OLD."description_zh_hans" IS DISTINCT FROM (NEW."description_zh_hans") OR OLD."description_zh_hant" IS DISTINCT FROM (NEW."description_zh_hant") OR OLD."event_at" IS DISTINCT FROM (NEW."event_at") OR OLD."event_place" IS DISTINCT FROM (NEW."event_place") OR OLD."event_place_en" IS DISTINCT FROM (NEW."event_place_en") OR OLD."event_place_zh_hans" IS DISTINCT FROM (NEW."event_place_zh_hans") OR OLD."event_place_zh_hant" IS DISTINCT FROM (NEW."event_place_zh_hant") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."in_store" IS DISTINCT FROM (NEW."in_store") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."least_tier_id" IS DISTINCT FROM (NEW."least_tier_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."name_en" IS DISTINCT FROM (NEW."name_en") OR OLD."name_zh_hans" IS DISTINCT FROM (NEW."name_zh_hans") OR OLD."name_zh_hant" IS DISTINCT FROM (NEW."name_zh_hant") OR OLD."partner_id" IS DISTINCT FROM (NEW."partner_id") OR OLD."per_member_limit" IS DISTINCT FROM (NEW."per_member_limit") OR OLD."period" IS DISTINCT FROM (NEW."period") OR OLD."period_limit" IS DISTINCT FROM (NEW."period_limit") OR OLD."prepare_days" IS DISTINCT FROM (NEW."prepare_days") OR OLD."price_points" IS DISTINCT FROM (NEW."price_points") OR OLD."project_id" IS DISTINCT FROM (NEW."project_id") OR OLD."public_id" IS DISTINCT FROM (NEW."public_id") OR OLD."segment_id" IS DISTINCT FROM (NEW."segment_id") OR OLD."sort_order" IS DISTINCT FROM (NEW."sort_order") OR OLD."store_ids" IS DISTINCT FROM (NEW."store_ids") OR OLD."template_id" IS DISTINCT FROM (NEW."template_id") OR OLD."valid_from" IS DISTINCT FROM (NEW."valid_from") OR OLD."valid_to" IS DISTINCT FROM (NEW."valid_to"))',
                    func='INSERT INTO "rewards_rewardevent" ("active_days", "by_post", "cancel_hours", "cash_amount", "category_id", "cost_amount", "description", "description_en", "description_zh_hans", "description_zh_hant", "event_at", "event_place", "event_place_en", "event_place_zh_hans", "event_place_zh_hant", "id", "in_store", "kind", "least_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "partner_id", "per_member_limit", "period", "period_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prepare_days", "price_points", "project_id", "public_id", "segment_id", "sort_order", "stock", "store_ids", "template_id", "valid_from", "valid_to") VALUES (NEW."active_days", NEW."by_post", NEW."cancel_hours", NEW."cash_amount", NEW."category_id", NEW."cost_amount", NEW."description", NEW."description_en", NEW."description_zh_hans", NEW."description_zh_hant", NEW."event_at", NEW."event_place", NEW."event_place_en", NEW."event_place_zh_hans", NEW."event_place_zh_hant", NEW."id", NEW."in_store", NEW."kind", NEW."least_tier_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."partner_id", NEW."per_member_limit", NEW."period", NEW."period_limit", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."prepare_days", NEW."price_points", NEW."project_id", NEW."public_id", NEW."segment_id", NEW."sort_order", NEW."stock", NEW."store_ids", NEW."template_id", NEW."valid_from", NEW."valid_to"); RETURN NULL;',
                    hash="e564236d83285b57979f6909fd05a3a292a265c1",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_85d74",
                    table="rewards_reward",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reward",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardevent" ("active_days", "by_post", "cancel_hours", "cash_amount", "category_id", "cost_amount", "description", "description_en", "description_zh_hans", "description_zh_hant", "event_at", "event_place", "event_place_en", "event_place_zh_hans", "event_place_zh_hant", "id", "in_store", "kind", "least_tier_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "partner_id", "per_member_limit", "period", "period_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prepare_days", "price_points", "project_id", "public_id", "segment_id", "sort_order", "stock", "store_ids", "template_id", "valid_from", "valid_to") VALUES (OLD."active_days", OLD."by_post", OLD."cancel_hours", OLD."cash_amount", OLD."category_id", OLD."cost_amount", OLD."description", OLD."description_en", OLD."description_zh_hans", OLD."description_zh_hant", OLD."event_at", OLD."event_place", OLD."event_place_en", OLD."event_place_zh_hans", OLD."event_place_zh_hant", OLD."id", OLD."in_store", OLD."kind", OLD."least_tier_id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."partner_id", OLD."per_member_limit", OLD."period", OLD."period_limit", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."prepare_days", OLD."price_points", OLD."project_id", OLD."public_id", OLD."segment_id", OLD."sort_order", OLD."stock", OLD."store_ids", OLD."template_id", OLD."valid_from", OLD."valid_to"); RETURN NULL;',
                    hash="ce48f4da46eeeff3a061f63c07c9e42a4e139f6a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_58d34",
                    table="rewards_reward",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardcategory",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardcategoryevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sort_order") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."sort_order"); RETURN NULL;',
                    hash="e5ac9935db242968bd3fde7cd9c88283d6fc1a08",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_dc996",
                    table="rewards_rewardcategory",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardcategory",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_rewardcategoryevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sort_order") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."sort_order"); RETURN NULL;',
                    hash="8ca8ae61cc358b605d80bdd599367795ab5d6778",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_da67c",
                    table="rewards_rewardcategory",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardcategory",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardcategoryevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sort_order") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."sort_order"); RETURN NULL;',
                    hash="ff9e90fbeb6bb403c700880ef07991d6a25fd17f",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_b4f46",
                    table="rewards_rewardcategory",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="flashsale",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_flashsaleevent" ("cash_amount", "ends_at", "id", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reward_id", "starts_at", "stock") VALUES (NEW."cash_amount", NEW."ends_at", NEW."id", NEW."per_member_limit", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."price_points", NEW."reward_id", NEW."starts_at", NEW."stock"); RETURN NULL;',
                    hash="c072e918468ba59f12e70b775c37bc133787813f",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_a4e9d",
                    table="rewards_flashsale",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="flashsale",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."cash_amount" IS DISTINCT FROM (NEW."cash_amount") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."per_member_limit" IS DISTINCT FROM (NEW."per_member_limit") OR OLD."price_points" IS DISTINCT FROM (NEW."price_points") OR OLD."reward_id" IS DISTINCT FROM (NEW."reward_id") OR OLD."starts_at" IS DISTINCT FROM (NEW."starts_at"))',
                    func='INSERT INTO "rewards_flashsaleevent" ("cash_amount", "ends_at", "id", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reward_id", "starts_at", "stock") VALUES (NEW."cash_amount", NEW."ends_at", NEW."id", NEW."per_member_limit", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."price_points", NEW."reward_id", NEW."starts_at", NEW."stock"); RETURN NULL;',
                    hash="85dd21c4a63abfa0b77ab35ee990eada84e37331",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_a90c5",
                    table="rewards_flashsale",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="flashsale",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_flashsaleevent" ("cash_amount", "ends_at", "id", "per_member_limit", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reward_id", "starts_at", "stock") VALUES (OLD."cash_amount", OLD."ends_at", OLD."id", OLD."per_member_limit", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."price_points", OLD."reward_id", OLD."starts_at", OLD."stock"); RETURN NULL;',
                    hash="9175a15eacba8375f0ee8ab5ff77bab0b9154cd7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_1cd38",
                    table="rewards_flashsale",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardimage",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardimageevent" ("alt", "alt_en", "alt_zh_hans", "alt_zh_hant", "colour", "id", "large_id", "medium_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reward_id", "small_id", "sort_order") VALUES (NEW."alt", NEW."alt_en", NEW."alt_zh_hans", NEW."alt_zh_hant", NEW."colour", NEW."id", NEW."large_id", NEW."medium_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."reward_id", NEW."small_id", NEW."sort_order"); RETURN NULL;',
                    hash="b31634123403dfacea15f28dabfeea6812964582",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_1ba03",
                    table="rewards_rewardimage",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardimage",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_rewardimageevent" ("alt", "alt_en", "alt_zh_hans", "alt_zh_hant", "colour", "id", "large_id", "medium_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reward_id", "small_id", "sort_order") VALUES (NEW."alt", NEW."alt_en", NEW."alt_zh_hans", NEW."alt_zh_hant", NEW."colour", NEW."id", NEW."large_id", NEW."medium_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."reward_id", NEW."small_id", NEW."sort_order"); RETURN NULL;',
                    hash="b0df60a7804c5ab7cfb37f48665f845e07276e18",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_02cd7",
                    table="rewards_rewardimage",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardimage",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardimageevent" ("alt", "alt_en", "alt_zh_hans", "alt_zh_hant", "colour", "id", "large_id", "medium_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reward_id", "small_id", "sort_order") VALUES (OLD."alt", OLD."alt_en", OLD."alt_zh_hans", OLD."alt_zh_hant", OLD."colour", OLD."id", OLD."large_id", OLD."medium_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."reward_id", OLD."small_id", OLD."sort_order"); RETURN NULL;',
                    hash="c365660ec68d6e25b46cd75389ba43c665ca6df3",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_760a5",
                    table="rewards_rewardimage",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardprice",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardpriceevent" ("announced_at", "cash_amount", "honoured_until", "id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reason", "reward_id", "valid_from", "withdrawn_at") VALUES (NEW."announced_at", NEW."cash_amount", NEW."honoured_until", NEW."id", NEW."operator_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."price_points", NEW."reason", NEW."reward_id", NEW."valid_from", NEW."withdrawn_at"); RETURN NULL;',
                    hash="ce729b2752bb1872b9695ace527a8fedead07685",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_e10af",
                    table="rewards_rewardprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardprice",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_rewardpriceevent" ("announced_at", "cash_amount", "honoured_until", "id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reason", "reward_id", "valid_from", "withdrawn_at") VALUES (NEW."announced_at", NEW."cash_amount", NEW."honoured_until", NEW."id", NEW."operator_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."price_points", NEW."reason", NEW."reward_id", NEW."valid_from", NEW."withdrawn_at"); RETURN NULL;',
                    hash="58fa61f5a348944e82e6e1a53ad36e3b0e0148c7",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_0ff09",
                    table="rewards_rewardprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="rewardprice",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_rewardpriceevent" ("announced_at", "cash_amount", "honoured_until", "id", "operator_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "price_points", "reason", "reward_id", "valid_from", "withdrawn_at") VALUES (OLD."announced_at", OLD."cash_amount", OLD."honoured_until", OLD."id", OLD."operator_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."price_points", OLD."reason", OLD."reward_id", OLD."valid_from", OLD."withdrawn_at"); RETURN NULL;',
                    hash="6103f8b56f8198ff6df18492ff340c74d826a91a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_972c4",
                    table="rewards_rewardprice",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(REDEMPTION_IS_KEPT, REDEMPTION_IS_HISTORY),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
