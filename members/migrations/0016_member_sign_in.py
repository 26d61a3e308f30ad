"""How members sign in: sessions with rotating tokens, one-time codes, WeChat; counters of rate limits."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0015_household_points")]

    operations: list[migrations.operations.base.Operation] = []
