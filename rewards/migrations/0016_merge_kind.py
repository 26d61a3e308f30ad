"""Points of members who are merged: lots that name what had credited them, and the functions that know of it."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
SQL = Path(__file__).parent / "sql"
LEDGER = (SQL / "ledger_0003.sql").read_text(encoding="utf-8")
PURCHASES = "DROP FUNCTION rewards_open_purchase;" + (SQL / "purchases_0002.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("members", "0010_merges"), ("rewards", "0015_voucher_events_by_moment")]
    operations = [
        migrations.RemoveConstraint("ledgertransaction", "ledger_kind_is_known"),
        migrations.AddConstraint(
            "ledgertransaction",
            models.CheckConstraint(
                condition=models.Q(kind__in=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]),
                name="ledger_kind_is_known",
            ),
        ),
        migrations.AlterField(
            "ledgertransaction",
            "kind",
            models.SmallIntegerField(
                choices=[
                    (1, "earned"),
                    (2, "became available"),
                    (3, "redeemed"),
                    (4, "taken back after a return"),
                    (5, "expired"),
                    (6, "set aside"),
                    (7, "redeemed from a hold"),
                    (8, "hold given back"),
                    (9, "given back"),
                    (10, "adjusted by staff"),
                    (11, "transferred"),
                    (12, "donated"),
                    (13, "converted to a partner"),
                    (14, "converted from a partner"),
                    (15, "wrong credit taken back"),
                    (16, "arrears forgiven"),
                    (17, "moved at a merge"),
                    (18, "expiry extended"),
                ],
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            "lot",
            "credit",
            models.ForeignKey(
                db_index=False,
                help_text="Of points that a merge brought: what had credited them.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.ledgertransaction",
                verbose_name="first credited by",
            ),
        ),
        migrations.AddField(
            "lot",
            "owner",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Of points that a merge brought: the member whose they are when it is taken apart.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
                verbose_name="goes with",
            ),
        ),
        migrations.AddIndex(
            "lot",
            models.Index(condition=models.Q(("credit__isnull", False)), fields=["credit"], name="lot_brought_by_merge"),
        ),
        migrations.RunSQL(LEDGER),
        migrations.RunSQL(PURCHASES),
    ]
