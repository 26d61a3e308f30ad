"""The posting functions of the ledger, and the triggers that keep its history as it was written."""

from pathlib import Path

from django.db import migrations

from members.history import refuse_changes_sql

HISTORY = [
    "rewards_ledgertransaction",
    "rewards_ledgerentry",
    "rewards_lotmove",
    "rewards_lotevent",
    "rewards_purchase",
    "rewards_purchaseline",
    "rewards_purchasereturn",
    "rewards_returnline",
    "rewards_redemption",
    "rewards_voucherevent",
]

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
FUNCTIONS = (Path(__file__).parent / "sql" / "ledger_0001.sql").read_text(encoding="utf-8")

UNDO = """
DROP FUNCTION ledger_post_batch();
DROP FUNCTION ledger_release_account(timestamptz, bigint);
DROP FUNCTION ledger_expire_accounts(timestamptz, bigint[]);
DROP FUNCTION ledger_take_back(bigint, smallint, bigint, text, text, timestamptz, text, text, text, bigint, text, jsonb);
DROP FUNCTION ledger_burn(bigint, smallint, bigint, text, text, timestamptz, text, bigint, text, jsonb);
DROP FUNCTION ledger_eat_lots(bigint, bigint, bigint, timestamptz, bigint);
DROP FUNCTION ledger_accrue(bigint, smallint, bigint, text, text, timestamptz, timestamptz, timestamptz, text, bigint, text, jsonb);
DROP FUNCTION ledger_write_entry(rewards_pointsaccount, bigint, smallint, text, text, bigint, bigint, bigint, bigint, smallint, timestamptz);
DROP FUNCTION ledger_open_transaction(smallint, text, text, bigint, bigint, text, bigint, text, timestamptz, jsonb);
DROP FUNCTION ledger_lock_purchases(bigint[]);
DROP FUNCTION ledger_lock_account(bigint, smallint);
DROP FUNCTION ledger_entry_hash(
    smallint, text, text, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, smallint, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0001_ledger_purchases_rewards")]
    operations = [
        migrations.RunSQL(FUNCTIONS, UNDO),
        migrations.RunSQL("".join(refuse_changes_sql(table) for table in HISTORY), migrations.RunSQL.noop),
    ]
