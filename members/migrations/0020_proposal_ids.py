"""Proposals have an id that may be told to those who made them with a key."""

import django.contrib.postgres.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0019_stores_on_the_map"),
    ]

    operations = [
        migrations.AddField(
            model_name="proposal",
            name="public_id",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                editable=False,
                unique=True,
                verbose_name="public id",
            ),
        ),
    ]
