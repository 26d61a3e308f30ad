"""Terms of vouchers: kinds, validity, places, goods, stacking; holds.

Every voucher there is was valid from when it was issued, and came by a redemption or by a benefit.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

ORIGINS = [
    ("reward", "redeemed for points"),
    ("benefit", "benefit"),
    ("batch", "given to many"),
    ("offer", "claimed"),
    ("staff", "given by staff"),
    ("gift", "from a friend"),
    ("reissue", "in place of another"),
]

# Triggers of deferred constraints fire before the table changes again.
BACKFILL = """
UPDATE rewards_voucher v
SET valid_from = v.issued_at,
    origin = CASE WHEN EXISTS (SELECT 1 FROM rewards_redemption r WHERE r.voucher_id = v.id) THEN 'reward' ELSE 'benefit' END,
    used_at = used.happened_at, used_order_no = coalesce(used.external_order_no, '')
FROM rewards_voucher same
LEFT JOIN LATERAL (
    SELECT e.happened_at, e.external_order_no FROM rewards_voucherevent e
    WHERE e.voucher_id = same.id AND e.to_state = 'used' AND same.state = 'used' ORDER BY e.id DESC LIMIT 1) AS used ON true
WHERE same.id = v.id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0019_purchases_meet_floors")]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="vouchertemplate",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="vouchertemplate",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="vouchertemplate",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="voucher",
            name="voucher_state_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="voucher",
            name="voucher_ends_after_it_begins",
        ),
        migrations.RemoveConstraint(
            model_name="vouchertemplate",
            name="voucher_kind_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="vouchertemplate",
            name="only_money_off_vouchers_have_an_amount",
        ),
        migrations.RemoveConstraint(
            model_name="vouchertemplate",
            name="voucher_validity_is_positive",
        ),
        migrations.AddField(
            model_name="voucher",
            name="held_ref",
            field=models.UUIDField(editable=False, null=True, verbose_name="held for"),
        ),
        migrations.AddField(
            model_name="voucher",
            name="held_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="held until"),
        ),
        migrations.AddField(
            model_name="voucher",
            name="origin",
            field=models.CharField(max_length=8, null=True),
        ),
        migrations.AddField(
            model_name="voucher",
            name="origin_ref",
            field=models.CharField(blank=True, db_default="", default="", max_length=80, verbose_name="reference"),
        ),
        migrations.AddField(
            model_name="voucher",
            name="used_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="used at"),
        ),
        migrations.AddField(
            model_name="voucher",
            name="used_off_amount",
            field=models.DecimalField(
                decimal_places=2,
                editable=False,
                help_text="Empty: nobody said.",
                max_digits=10,
                null=True,
                verbose_name="taken off",
            ),
        ),
        migrations.AddField(
            model_name="voucher",
            name="used_order_no",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=80, verbose_name="order number"
            ),
        ),
        migrations.AddField(
            model_name="voucher",
            name="used_source",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=40, verbose_name="used by"
            ),
        ),
        migrations.AddField(
            model_name="voucher",
            name="valid_from",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="voucherevent",
            name="reason",
            field=models.CharField(blank=True, db_default="", default="", max_length=200, verbose_name="reason"),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="budget_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="What the vouchers issued may cost you together at most. Empty: no limit.",
                max_digits=14,
                null=True,
                verbose_name="budget",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="cap_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Empty: no limit.",
                max_digits=10,
                null=True,
                verbose_name="at most (money off)",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="category_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all goods.",
                verbose_name="categories",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="channel_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all channels.",
                verbose_name="channels",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="cost_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="For budgets, where the voucher itself does not say it: gifts, shipping, points, percent without a limit.",
                max_digits=10,
                null=True,
                verbose_name="what one costs you",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="gift",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="gift_en",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="gift_hours",
            field=models.PositiveSmallIntegerField(
                default=24, help_text="Then it is the giver's again.", verbose_name="hours to accept it"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="gift_zh_hans",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="gift_zh_hant",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="grace_days",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Given back past its end, it may be used so many days more. 0: it is gone.",
                verbose_name="days of grace",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="hour_from",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (hour)"),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="hour_to",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="22 to 6 passes midnight. The hour named here is over.",
                null=True,
                verbose_name="to (hour)",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="is_giftable",
            field=models.BooleanField(default=False, verbose_name="may be given to a friend"),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="is_given_back",
            field=models.BooleanField(
                default=True,
                help_text="When the whole order is voided or returned, the member has it again.",
                verbose_name="given back",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="is_retired",
            field=models.BooleanField(
                default=False, help_text="Those that members hold stay valid.", verbose_name="no more are issued"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="most_gifts",
            field=models.PositiveSmallIntegerField(default=1, verbose_name="how often it may be passed on"),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="most_held",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Unused ones. Empty: no limit.",
                null=True,
                verbose_name="most per member at a time",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="most_times",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="1: once. 3: again for each further full amount, three times at most.",
                verbose_name="how often in one order",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="most_used_per_day",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: no limit.", null=True, verbose_name="most used per member and day"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="multiplier",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="points times"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="off_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="20 takes 20 % off: the member pays 80 %.",
                max_digits=5,
                null=True,
                verbose_name="percent off",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="priority",
            field=models.SmallIntegerField(
                default=0,
                help_text="Of two that give the same, the one of higher priority is used.",
                verbose_name="priority",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="skus",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60),
                blank=True,
                default=list,
                help_text="Article numbers. None: all goods.",
                verbose_name="articles",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="stacking",
            field=models.CharField(
                choices=[
                    ("alone", "alone: no other voucher with it"),
                    ("class", "one of its group, beside vouchers of other groups"),
                    ("free", "beside any other that allows it"),
                ],
                default="alone",
                max_length=5,
                verbose_name="beside other vouchers",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="stacking_class",
            field=models.SlugField(
                blank=True,
                db_index=False,
                default="",
                help_text="Vouchers of the same group do not combine.",
                max_length=40,
                verbose_name="group",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="starts_after_days",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="0: at once.", verbose_name="starts after (days)"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
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
            model_name="vouchertemplate",
            name="valid_from",
            field=models.DateTimeField(
                blank=True, help_text="Empty: at once.", null=True, verbose_name="may be used from"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="valid_to",
            field=models.DateTimeField(blank=True, null=True, verbose_name="may be used until"),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="validity",
            field=models.CharField(
                choices=[("days", "a number of days from when it is issued"), ("dates", "between two fixed moments")],
                default="days",
                max_length=5,
                verbose_name="valid for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplate",
            name="weekdays",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: every day.",
                verbose_name="weekdays",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="budget_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="What the vouchers issued may cost you together at most. Empty: no limit.",
                max_digits=14,
                null=True,
                verbose_name="budget",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="cap_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Empty: no limit.",
                max_digits=10,
                null=True,
                verbose_name="at most (money off)",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="category_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all goods.",
                verbose_name="categories",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="channel_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: all channels.",
                verbose_name="channels",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="cost_amount",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="For budgets, where the voucher itself does not say it: gifts, shipping, points, percent without a limit.",
                max_digits=10,
                null=True,
                verbose_name="what one costs you",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="gift",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="gift_en",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="gift_hours",
            field=models.PositiveSmallIntegerField(
                default=24, help_text="Then it is the giver's again.", verbose_name="hours to accept it"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="gift_zh_hans",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="gift_zh_hant",
            field=models.CharField(
                blank=True,
                default="",
                help_text="As the till and members read it.",
                max_length=80,
                null=True,
                verbose_name="what it is exchanged for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="grace_days",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Given back past its end, it may be used so many days more. 0: it is gone.",
                verbose_name="days of grace",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="hour_from",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (hour)"),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="hour_to",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="22 to 6 passes midnight. The hour named here is over.",
                null=True,
                verbose_name="to (hour)",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="is_giftable",
            field=models.BooleanField(default=False, verbose_name="may be given to a friend"),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="is_given_back",
            field=models.BooleanField(
                default=True,
                help_text="When the whole order is voided or returned, the member has it again.",
                verbose_name="given back",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="is_retired",
            field=models.BooleanField(
                default=False, help_text="Those that members hold stay valid.", verbose_name="no more are issued"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="most_gifts",
            field=models.PositiveSmallIntegerField(default=1, verbose_name="how often it may be passed on"),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="most_held",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Unused ones. Empty: no limit.",
                null=True,
                verbose_name="most per member at a time",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="most_times",
            field=models.PositiveSmallIntegerField(
                default=1,
                help_text="1: once. 3: again for each further full amount, three times at most.",
                verbose_name="how often in one order",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="most_used_per_day",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="Empty: no limit.", null=True, verbose_name="most used per member and day"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="multiplier",
            field=models.DecimalField(
                blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="points times"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="off_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="20 takes 20 % off: the member pays 80 %.",
                max_digits=5,
                null=True,
                verbose_name="percent off",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="priority",
            field=models.SmallIntegerField(
                default=0,
                help_text="Of two that give the same, the one of higher priority is used.",
                verbose_name="priority",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="skus",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60),
                blank=True,
                default=list,
                help_text="Article numbers. None: all goods.",
                verbose_name="articles",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="stacking",
            field=models.CharField(
                choices=[
                    ("alone", "alone: no other voucher with it"),
                    ("class", "one of its group, beside vouchers of other groups"),
                    ("free", "beside any other that allows it"),
                ],
                default="alone",
                max_length=5,
                verbose_name="beside other vouchers",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="stacking_class",
            field=models.SlugField(
                blank=True,
                db_index=False,
                default="",
                help_text="Vouchers of the same group do not combine.",
                max_length=40,
                verbose_name="group",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="starts_after_days",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="0: at once.", verbose_name="starts after (days)"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
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
            model_name="vouchertemplateevent",
            name="valid_from",
            field=models.DateTimeField(
                blank=True, help_text="Empty: at once.", null=True, verbose_name="may be used from"
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="valid_to",
            field=models.DateTimeField(blank=True, null=True, verbose_name="may be used until"),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="validity",
            field=models.CharField(
                choices=[("days", "a number of days from when it is issued"), ("dates", "between two fixed moments")],
                default="days",
                max_length=5,
                verbose_name="valid for",
            ),
        ),
        migrations.AddField(
            model_name="vouchertemplateevent",
            name="weekdays",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                blank=True,
                default=list,
                help_text="None chosen: every day.",
                verbose_name="weekdays",
            ),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="voucher",
            name="origin",
            field=models.CharField(choices=ORIGINS, max_length=8, verbose_name="came by"),
        ),
        migrations.AlterField(
            model_name="voucher",
            name="valid_from",
            field=models.DateTimeField(verbose_name="may be used from"),
        ),
        migrations.AlterField(
            model_name="voucher",
            name="state",
            field=models.CharField(
                choices=[
                    ("issued", "ready to use"),
                    ("offered", "offered to a friend"),
                    ("held", "held for an order"),
                    ("used", "used"),
                    ("expired", "expired"),
                    ("voided", "voided"),
                ],
                default="issued",
                max_length=8,
                verbose_name="state",
            ),
        ),
        migrations.AlterField(
            model_name="voucher",
            name="template",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="vouchers",
                to="rewards.vouchertemplate",
                verbose_name="voucher template",
            ),
        ),
        migrations.AlterField(
            model_name="voucherevent",
            name="to_state",
            field=models.CharField(
                choices=[
                    ("issued", "ready to use"),
                    ("offered", "offered to a friend"),
                    ("held", "held for an order"),
                    ("used", "used"),
                    ("expired", "expired"),
                    ("voided", "voided"),
                ],
                max_length=8,
                verbose_name="to state",
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplate",
            name="kind",
            field=models.CharField(
                choices=[
                    ("amount", "money off"),
                    ("percent", "percent off"),
                    ("threshold", "money off for each full amount spent"),
                    ("exchange", "exchange voucher"),
                    ("shipping", "free shipping"),
                    ("multiplier", "more points"),
                ],
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplate",
            name="min_spend_amount",
            field=models.DecimalField(
                decimal_places=2,
                default=0,
                help_text="On the goods it is for, before any voucher.",
                max_digits=10,
                verbose_name="from a spend of",
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplate",
            name="validity_days",
            field=models.PositiveSmallIntegerField(
                blank=True, default=30, help_text="From its first day.", null=True, verbose_name="validity (days)"
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplateevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("amount", "money off"),
                    ("percent", "percent off"),
                    ("threshold", "money off for each full amount spent"),
                    ("exchange", "exchange voucher"),
                    ("shipping", "free shipping"),
                    ("multiplier", "more points"),
                ],
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplateevent",
            name="min_spend_amount",
            field=models.DecimalField(
                decimal_places=2,
                default=0,
                help_text="On the goods it is for, before any voucher.",
                max_digits=10,
                verbose_name="from a spend of",
            ),
        ),
        migrations.AlterField(
            model_name="vouchertemplateevent",
            name="validity_days",
            field=models.PositiveSmallIntegerField(
                blank=True, default=30, help_text="From its first day.", null=True, verbose_name="validity (days)"
            ),
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(fields=["template", "member", "used_at"], name="vouchers_of_template_by_member"),
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(
                condition=models.Q(("origin_ref", ""), _negated=True),
                fields=["origin", "origin_ref", "id"],
                name="vouchers_by_origin",
            ),
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(
                condition=models.Q(("held_until__isnull", False)), fields=["held_until"], name="voucher_held_until"
            ),
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(
                condition=models.Q(("held_ref__isnull", False)), fields=["held_ref"], name="vouchers_of_hold"
            ),
        ),
        migrations.AddIndex(
            model_name="voucher",
            index=models.Index(
                condition=models.Q(("state", "used")), fields=["used_order_no", "used_source"], name="vouchers_of_order"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vouchertemplate",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_vouchertemplateevent" ("budget_amount", "cap_amount", "category_ids", "channel_ids", "code", "cost_amount", "gift", "gift_en", "gift_hours", "gift_zh_hans", "gift_zh_hant", "grace_days", "hour_from", "hour_to", "id", "is_giftable", "is_given_back", "is_retired", "kind", "min_spend_amount", "most_gifts", "most_held", "most_times", "most_used_per_day", "multiplier", "name", "name_en", "name_zh_hans", "name_zh_hant", "off_amount", "off_percent", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "priority", "skus", "stacking", "stacking_class", "starts_after_days", "store_ids", "terms", "terms_en", "terms_zh_hans", "terms_zh_hant", "valid_from", "valid_to", "validity", "validity_days", "weekdays") VALUES (NEW."budget_amount", NEW."cap_amount", NEW."category_ids", NEW."channel_ids", NEW."code", NEW."cost_amount", NEW."gift", NEW."gift_en", NEW."gift_hours", NEW."gift_zh_hans", NEW."gift_zh_hant", NEW."grace_days", NEW."hour_from", NEW."hour_to", NEW."id", NEW."is_giftable", NEW."is_given_back", NEW."is_retired", NEW."kind", NEW."min_spend_amount", NEW."most_gifts", NEW."most_held", NEW."most_times", NEW."most_used_per_day", NEW."multiplier", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."off_amount", NEW."off_percent", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."priority", NEW."skus", NEW."stacking", NEW."stacking_class", NEW."starts_after_days", NEW."store_ids", NEW."terms", NEW."terms_en", NEW."terms_zh_hans", NEW."terms_zh_hant", NEW."valid_from", NEW."valid_to", NEW."validity", NEW."validity_days", NEW."weekdays"); RETURN NULL;',
                    hash="55e861d037f1238b777985d65cb18392802b9135",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_f76d1",
                    table="rewards_vouchertemplate",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vouchertemplate",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_vouchertemplateevent" ("budget_amount", "cap_amount", "category_ids", "channel_ids", "code", "cost_amount", "gift", "gift_en", "gift_hours", "gift_zh_hans", "gift_zh_hant", "grace_days", "hour_from", "hour_to", "id", "is_giftable", "is_given_back", "is_retired", "kind", "min_spend_amount", "most_gifts", "most_held", "most_times", "most_used_per_day", "multiplier", "name", "name_en", "name_zh_hans", "name_zh_hant", "off_amount", "off_percent", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "priority", "skus", "stacking", "stacking_class", "starts_after_days", "store_ids", "terms", "terms_en", "terms_zh_hans", "terms_zh_hant", "valid_from", "valid_to", "validity", "validity_days", "weekdays") VALUES (NEW."budget_amount", NEW."cap_amount", NEW."category_ids", NEW."channel_ids", NEW."code", NEW."cost_amount", NEW."gift", NEW."gift_en", NEW."gift_hours", NEW."gift_zh_hans", NEW."gift_zh_hant", NEW."grace_days", NEW."hour_from", NEW."hour_to", NEW."id", NEW."is_giftable", NEW."is_given_back", NEW."is_retired", NEW."kind", NEW."min_spend_amount", NEW."most_gifts", NEW."most_held", NEW."most_times", NEW."most_used_per_day", NEW."multiplier", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."off_amount", NEW."off_percent", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."priority", NEW."skus", NEW."stacking", NEW."stacking_class", NEW."starts_after_days", NEW."store_ids", NEW."terms", NEW."terms_en", NEW."terms_zh_hans", NEW."terms_zh_hant", NEW."valid_from", NEW."valid_to", NEW."validity", NEW."validity_days", NEW."weekdays"); RETURN NULL;',
                    hash="82cc326d7079df04b61c3f9d448c13ba1716a9ca",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_96781",
                    table="rewards_vouchertemplate",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vouchertemplate",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_vouchertemplateevent" ("budget_amount", "cap_amount", "category_ids", "channel_ids", "code", "cost_amount", "gift", "gift_en", "gift_hours", "gift_zh_hans", "gift_zh_hant", "grace_days", "hour_from", "hour_to", "id", "is_giftable", "is_given_back", "is_retired", "kind", "min_spend_amount", "most_gifts", "most_held", "most_times", "most_used_per_day", "multiplier", "name", "name_en", "name_zh_hans", "name_zh_hant", "off_amount", "off_percent", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "priority", "skus", "stacking", "stacking_class", "starts_after_days", "store_ids", "terms", "terms_en", "terms_zh_hans", "terms_zh_hant", "valid_from", "valid_to", "validity", "validity_days", "weekdays") VALUES (OLD."budget_amount", OLD."cap_amount", OLD."category_ids", OLD."channel_ids", OLD."code", OLD."cost_amount", OLD."gift", OLD."gift_en", OLD."gift_hours", OLD."gift_zh_hans", OLD."gift_zh_hant", OLD."grace_days", OLD."hour_from", OLD."hour_to", OLD."id", OLD."is_giftable", OLD."is_given_back", OLD."is_retired", OLD."kind", OLD."min_spend_amount", OLD."most_gifts", OLD."most_held", OLD."most_times", OLD."most_used_per_day", OLD."multiplier", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."off_amount", OLD."off_percent", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."priority", OLD."skus", OLD."stacking", OLD."stacking_class", OLD."starts_after_days", OLD."store_ids", OLD."terms", OLD."terms_en", OLD."terms_zh_hans", OLD."terms_zh_hant", OLD."valid_from", OLD."valid_to", OLD."validity", OLD."validity_days", OLD."weekdays"); RETURN NULL;',
                    hash="a724abf7c8d24548a2978ed14ef5b652fcc39d82",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_1fd86",
                    table="rewards_vouchertemplate",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["issued", "offered", "held", "used", "expired", "voided"])),
                name="voucher_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__in", ["reward", "benefit", "batch", "offer", "staff", "gift", "reissue"])),
                name="voucher_origin_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__gt", models.F("valid_from")), ("valid_from__gte", models.F("issued_at"))
                ),
                name="voucher_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("held_ref__isnull", False), ("held_until__isnull", False), ("state", "held")),
                    models.Q(("held_ref__isnull", True), ("held_until__isnull", False), ("state", "offered")),
                    models.Q(
                        models.Q(("state__in", ["held", "offered"]), _negated=True),
                        ("held_ref__isnull", True),
                        ("held_until__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="held_voucher_names_its_order_and_its_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "used"), ("used_at__isnull", False)),
                    models.Q(
                        models.Q(("state", "used"), _negated=True),
                        ("used_at__isnull", True),
                        ("used_off_amount__isnull", True),
                        ("used_order_no", ""),
                        ("used_source", ""),
                    ),
                    _connector="OR",
                ),
                name="only_used_vouchers_say_where_they_were_used",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=models.Q(("used_off_amount__isnull", True), ("used_off_amount__gte", 0), _connector="OR"),
                name="used_voucher_takes_nothing_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["amount", "percent", "threshold", "exchange", "shipping", "multiplier"])
                ),
                name="voucher_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ["amount", "threshold"]), ("off_amount__gt", 0), ("off_amount__isnull", False)
                    ),
                    models.Q(
                        models.Q(("kind__in", ["amount", "threshold"]), _negated=True), ("off_amount__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="only_money_off_vouchers_have_an_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "percent"),
                        ("off_percent__gt", 0),
                        ("off_percent__isnull", False),
                        ("off_percent__lte", 100),
                    ),
                    models.Q(models.Q(("kind", "percent"), _negated=True), ("off_percent__isnull", True)),
                    _connector="OR",
                ),
                name="only_percent_vouchers_have_a_percentage",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cap_amount__isnull", True), models.Q(("cap_amount__gt", 0), ("kind", "percent")), _connector="OR"
                ),
                name="only_percent_vouchers_have_a_cap",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "threshold"), _negated=True),
                    models.Q(("min_spend_amount__gt", 0), ("off_amount__lte", models.F("min_spend_amount"))),
                    _connector="OR",
                ),
                name="threshold_voucher_takes_no_more_than_its_threshold",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("most_times", 1), models.Q(("kind", "threshold"), ("most_times__gt", 1)), _connector="OR"
                ),
                name="only_threshold_vouchers_count_again",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "multiplier"),
                        ("multiplier__gt", 1),
                        ("multiplier__isnull", False),
                        ("multiplier__lte", 20),
                    ),
                    models.Q(models.Q(("kind", "multiplier"), _negated=True), ("multiplier__isnull", True)),
                    _connector="OR",
                ),
                name="only_multiplier_vouchers_multiply_points",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "exchange"), ("gift", ""), _connector="OR"),
                name="only_exchange_vouchers_name_a_gift",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("valid_from__isnull", True),
                        ("valid_to__isnull", True),
                        ("validity", "days"),
                        ("validity_days__gt", 0),
                        ("validity_days__isnull", False),
                    ),
                    models.Q(
                        ("starts_after_days", 0),
                        ("valid_to__isnull", False),
                        ("validity", "dates"),
                        ("validity_days__isnull", True),
                        models.Q(
                            ("valid_from__isnull", True), ("valid_from__lt", models.F("valid_to")), _connector="OR"
                        ),
                    ),
                    _connector="OR",
                ),
                name="voucher_is_valid_for_days_or_between_dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekdays__contained_by", [0, 1, 2, 3, 4, 5, 6])),
                name="voucher_weekdays_are_monday_to_sunday",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("hour_from__isnull", True), ("hour_to__isnull", True)),
                    models.Q(
                        ("hour_from__isnull", False),
                        ("hour_from__lte", 23),
                        ("hour_to__gte", 1),
                        ("hour_to__isnull", False),
                        ("hour_to__lte", 24),
                        models.Q(("hour_from", models.F("hour_to")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="voucher_hours_are_a_span_of_a_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("stacking__in", ["alone", "free"]), ("stacking_class", "")),
                    models.Q(("stacking", "class"), models.Q(("stacking_class", ""), _negated=True)),
                    _connector="OR",
                ),
                name="voucher_of_a_group_names_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_given_back", True), ("grace_days", 0), _connector="OR"),
                name="grace_is_for_what_is_given_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("gift_hours__gt", 0), ("most_gifts__gt", 0)),
                name="gifts_of_vouchers_can_be_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cost_amount__isnull", True), ("cost_amount__gt", 0), _connector="OR"),
                    models.Q(("budget_amount__isnull", True), ("budget_amount__gt", 0), _connector="OR"),
                    models.Q(("most_held__isnull", True), ("most_held__gt", 0), _connector="OR"),
                    models.Q(("most_used_per_day__isnull", True), ("most_used_per_day__gt", 0), _connector="OR"),
                ),
                name="voucher_limits_are_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="vouchertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("budget_amount__isnull", True),
                    ("kind__in", ["amount", "threshold"]),
                    ("cap_amount__isnull", False),
                    ("cost_amount__isnull", False),
                    _connector="OR",
                ),
                name="voucher_with_a_budget_says_what_it_costs",
            ),
        ),
    ]
