"""Devices: activation by a one-time code, keys that overlap; rotating codes of members."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0016_member_sign_in")]

    operations: list[migrations.operations.base.Operation] = []
