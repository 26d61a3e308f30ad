"""Webhooks: endpoints, deliveries, secrets."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0017_devices_and_codes")]

    operations: list[migrations.operations.base.Operation] = []
