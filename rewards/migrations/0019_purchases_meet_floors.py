"""A purchase reads the floors of its member's tier together with the tier that was earned."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent / "sql"
# The connection takes a percent sign for a parameter when there are parameters; here there are none.
NOW = "DROP FUNCTION rewards_open_purchase;" + (SQL / "purchases_0003.sql").read_text(encoding="utf-8")
BEFORE = "DROP FUNCTION rewards_open_purchase;" + (SQL / "purchases_0002.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0008_floors_and_plans"), ("rewards", "0018_payers")]
    operations = [migrations.RunSQL(NOW, BEFORE)]
