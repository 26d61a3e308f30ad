"""Terms of vouchers: kinds, validity, places, goods, stacking; holds."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0019_purchases_meet_floors")]

    operations: list[migrations.operations.base.Operation] = []
