"""Counting a fact is one call of the database."""

from pathlib import Path

from django.db import migrations

# The connection takes a percent sign for a parameter when there are parameters; here there are none.
FUNCTION = (Path(__file__).parent / "sql" / "standing_0001.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_configuration_history")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION loyalty_count_fact")]
