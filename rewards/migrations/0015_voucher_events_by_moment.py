"""A month close reads the voucher events of its days: an index by moment, made while members go on using vouchers."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("rewards", "0014_close_settlement")]
    operations = [
        AddIndexConcurrently(
            model_name="voucherevent",
            index=models.Index(fields=["happened_at"], name="voucher_event_by_moment"),
        ),
    ]
