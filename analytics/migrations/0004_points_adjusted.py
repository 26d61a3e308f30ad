"""Days count what staff, donations and partners changed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0003_staff_roles")]
    operations = [
        migrations.AddField(
            "dayfigures",
            "points_adjusted",
            models.BigIntegerField(db_default=0, default=0, verbose_name="points adjusted, net"),
        )
    ]
