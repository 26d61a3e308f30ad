"""The proof of the ledger: blocks, anchors, what verifications found; the functions that seal; the index of the sealing order."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from members.history import refuse_changes_sql

HISTORY = [
    "rewards_ledgerepoch",
    "rewards_ledgerseal",
    "rewards_ledgeranchor",
    "rewards_anchorexport",
    "rewards_ledgerverification",
    "rewards_verificationfinding",
]

# The history of two models of 0005 came without guards; verify_ledger asks for them.
GUARDED_LATE = "".join(refuse_changes_sql(table) for table in ("rewards_arrearslimitevent", "rewards_pointsrateevent"))

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
FUNCTIONS = (Path(__file__).parent / "sql" / "seals_0001.sql").read_text(encoding="utf-8")

UNDO = """
DROP FUNCTION ledger_unsealed(int);
DROP FUNCTION ledger_seal(timestamptz, int);
DROP FUNCTION ledger_horizon();
DROP FUNCTION ledger_current_epoch(timestamptz);
DROP FUNCTION ledger_block_of(bigint, bigint, bigint, bigint, bigint, bigint);
DROP FUNCTION ledger_seal_hash(bigint, smallint, bytea, bytea, int, bigint, bigint, bigint, bigint, bigint);
"""

# Entries from before their transaction was noted come first.
INDEX = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS entry_in_sealing_order ON rewards_ledgerentry ((coalesce(xact, 0)), id)
"""


class Migration(migrations.Migration):
    # The index is made beside a running shop, which no transaction could do.
    atomic = False
    dependencies = [("rewards", "0010_month_close")]
    operations = [
        migrations.CreateModel(
            name="LedgerEpoch",
            fields=[
                ("number", models.SmallIntegerField(primary_key=True, serialize=False, verbose_name="number")),
                ("after_entry_id", models.BigIntegerField(verbose_name="begins after the entry")),
                ("cluster", models.CharField(max_length=20, verbose_name="server")),
                ("began_at", models.DateTimeField(verbose_name="began at")),
            ],
            options={
                "verbose_name": "ledger epoch",
                "verbose_name_plural": "ledger epochs",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="epochs_are_numbered_from_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerSeal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="number")),
                (
                    "epoch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seals",
                        to="rewards.ledgerepoch",
                        verbose_name="ledger epoch",
                    ),
                ),
                ("first_xact", models.BigIntegerField(verbose_name="first transaction of the database")),
                ("first_entry_id", models.BigIntegerField(verbose_name="first entry")),
                ("last_xact", models.BigIntegerField(verbose_name="last transaction of the database")),
                ("last_entry_id", models.BigIntegerField(verbose_name="last entry")),
                ("highest_entry_id", models.BigIntegerField(verbose_name="highest entry")),
                ("entries", models.PositiveIntegerField(verbose_name="entries")),
                ("entries_before", models.PositiveBigIntegerField(verbose_name="entries in the blocks before")),
                ("previous_hash", models.BinaryField(max_length=32, verbose_name="hash of the block before")),
                ("root", models.BinaryField(max_length=32, verbose_name="hash of the entries")),
                ("hash", models.BinaryField(max_length=32, verbose_name="hash of the block")),
                ("sealed_at", models.DateTimeField(verbose_name="sealed at")),
            ],
            options={
                "verbose_name": "sealed block",
                "verbose_name_plural": "sealed blocks",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="blocks_are_numbered_from_one"),
                    models.CheckConstraint(
                        condition=models.Q(("entries__range", (1, 1000))), name="block_holds_1_to_1000_entries"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("last_xact__gt", models.F("first_xact")),
                            models.Q(
                                ("last_entry_id__gte", models.F("first_entry_id")),
                                ("last_xact", models.F("first_xact")),
                            ),
                            _connector="OR",
                        ),
                        name="block_ends_after_it_begins",
                    ),
                    models.UniqueConstraint(fields=("previous_hash",), name="block_has_one_successor"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerAnchor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField(unique=True, verbose_name="day")),
                (
                    "seal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="anchors",
                        to="rewards.ledgerseal",
                        verbose_name="sealed block",
                    ),
                ),
                ("entries", models.PositiveBigIntegerField(verbose_name="entries")),
                ("root", models.BinaryField(max_length=32, verbose_name="hash of the chain")),
                ("key_id", models.CharField(max_length=8, verbose_name="signed with key")),
                ("signature", models.BinaryField(max_length=32, verbose_name="signature")),
                ("anchored_at", models.DateTimeField(verbose_name="signed at")),
            ],
            options={
                "verbose_name": "ledger anchor",
                "verbose_name_plural": "ledger anchors",
                "permissions": [("export_ledgeranchor", "Can download ledger anchors")],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="AnchorExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until_date", models.DateField(verbose_name="up to the day")),
                ("anchors", models.PositiveIntegerField(verbose_name="anchors")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("exported_at", models.DateTimeField(verbose_name="taken out at")),
            ],
            options={
                "verbose_name": "export of anchors",
                "verbose_name_plural": "exports of anchors",
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="LedgerVerification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("finished_at", models.DateTimeField(verbose_name="finished at")),
                ("checks", models.PositiveSmallIntegerField(verbose_name="checks")),
                ("rows", models.PositiveBigIntegerField(verbose_name="rows checked")),
                ("entries", models.PositiveBigIntegerField(verbose_name="points entries")),
                ("findings_count", models.PositiveIntegerField(verbose_name="findings")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
            ],
            options={
                "verbose_name": "verification of the ledger",
                "verbose_name_plural": "Ledger proof",
                "permissions": [("run_ledgerverification", "Can start a verification of the ledger")],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="VerificationFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "verification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="findings",
                        to="rewards.ledgerverification",
                        verbose_name="verification",
                    ),
                ),
                ("check_name", models.CharField(max_length=60, verbose_name="check")),
                ("row_table", models.CharField(max_length=60, verbose_name="table")),
                ("row_id", models.BigIntegerField(verbose_name="row")),
                (
                    "member",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("detail", models.CharField(max_length=400, verbose_name="detail")),
            ],
            options={
                "verbose_name": "finding",
                "verbose_name_plural": "findings",
                "constraints": [],
            },
        ),
        migrations.RunSQL(FUNCTIONS, UNDO),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
        migrations.RunSQL(GUARDED_LATE.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER"), migrations.RunSQL.noop),
        migrations.RunSQL(INDEX, "DROP INDEX CONCURRENTLY IF EXISTS entry_in_sealing_order"),
    ]
