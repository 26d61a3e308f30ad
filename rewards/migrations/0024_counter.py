"""The right to stand at a counter: to use members' vouchers and hand over what they redeemed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0023_till_flow")]

    operations = [
        migrations.AlterModelOptions(
            name="voucher",
            options={
                "permissions": [("serve_at_counter", "Can use vouchers and hand over rewards at a counter")],
                "verbose_name": "voucher",
                "verbose_name_plural": "vouchers",
            },
        ),
    ]
