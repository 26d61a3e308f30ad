"""Placeholder."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0008_decisions")]
    operations: list = []
