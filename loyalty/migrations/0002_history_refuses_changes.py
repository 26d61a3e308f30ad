"""What counted towards tiers, and every decision about them, can only be added to."""

from django.db import migrations

from members.history import refuse_changes_sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_ladder_and_standing")]
    operations = [
        migrations.RunSQL(refuse_changes_sql(table), migrations.RunSQL.noop)
        for table in ("loyalty_qualificationentry", "loyalty_tierchange")
    ]
