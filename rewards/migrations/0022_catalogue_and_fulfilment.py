"""The catalogue of rewards, and orders of rewards on their way."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0021_voucher_issuing")]

    operations: list[migrations.operations.base.Operation] = []
