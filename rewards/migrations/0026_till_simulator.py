"""The right to play a till in a trial."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0025_transfers_by_members")]

    operations = [
        migrations.AlterModelOptions(
            name="orderhold",
            options={
                "permissions": [
                    ("give_back_orderhold", "Can give back what is set aside for orders"),
                    ("use_till_simulator", "Can use the till simulator of a trial"),
                ],
                "verbose_name": "order set aside",
                "verbose_name_plural": "orders set aside",
            },
        ),
    ]
