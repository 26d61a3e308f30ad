"""How vouchers come to members: offers, batches, gifts, budgets."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0020_voucher_terms")]

    operations: list[migrations.operations.base.Operation] = []
