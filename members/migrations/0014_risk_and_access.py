"""Placeholder."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0013_imports_and_exports")]
    operations: list = []
