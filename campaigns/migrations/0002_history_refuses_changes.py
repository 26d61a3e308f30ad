"""What promotions gave is history: the table refuses changes."""

from django.db import migrations

from members.history import refuse_changes_sql

UNDO = """
DROP TRIGGER campaigns_promotionuse_is_history ON campaigns_promotionuse;
DROP TRIGGER campaigns_promotionuse_is_not_emptied ON campaigns_promotionuse;
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_promotions_and_messages")]
    operations = [migrations.RunSQL(refuse_changes_sql("campaigns_promotionuse"), UNDO)]
