"""The till: quotes held, paid and voided; batches that were taken offline."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0022_catalogue_and_fulfilment")]

    operations: list[migrations.operations.base.Operation] = []
