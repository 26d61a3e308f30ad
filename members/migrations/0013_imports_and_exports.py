"""Placeholder."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0012_consents_and_privacy")]
    operations: list = []
