"""Placeholder."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0011_segments_and_tags")]
    operations: list = []
