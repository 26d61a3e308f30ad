"""Placeholder."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0009_places_and_profiles")]
    operations: list = []
