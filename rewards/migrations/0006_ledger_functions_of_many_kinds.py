"""The posting functions for several currencies and all kinds of facts take the place of the first ones."""

from pathlib import Path

from django.db import migrations

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
FUNCTIONS = (Path(__file__).parent / "sql" / "ledger_0002.sql").read_text(encoding="utf-8")

DROP_FIRST = """
DROP FUNCTION ledger_post_batch();
DROP FUNCTION ledger_release_account(timestamptz, bigint);
DROP FUNCTION ledger_expire_accounts(timestamptz, bigint[]);
DROP FUNCTION ledger_take_back(bigint, smallint, bigint, text, text, timestamptz, text, text, text, bigint, text, jsonb);
DROP FUNCTION ledger_burn(bigint, smallint, bigint, text, text, timestamptz, text, bigint, text, jsonb);
DROP FUNCTION ledger_eat_lots(bigint, bigint, bigint, timestamptz, bigint);
DROP FUNCTION ledger_accrue(bigint, smallint, bigint, text, text, timestamptz, timestamptz, timestamptz, text, bigint, text, jsonb);
DROP FUNCTION ledger_write_entry(rewards_pointsaccount, bigint, smallint, text, text, bigint, bigint, bigint, bigint, smallint, timestamptz);
DROP FUNCTION ledger_open_transaction(smallint, text, text, bigint, bigint, text, bigint, text, timestamptz, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0005_ledger_of_many_kinds")]
    operations = [migrations.RunSQL(DROP_FIRST + FUNCTIONS)]
