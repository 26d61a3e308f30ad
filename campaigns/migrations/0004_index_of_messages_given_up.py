"""Messages that were given up are counted on the home page: an index of just those."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_congratulation_template")]
    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["id"], name="message_given_up", condition=models.Q(state="failed")),
        ),
    ]
