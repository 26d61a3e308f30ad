"""Transfers that members make themselves: no operator, no proposal, a request of their own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0019_stores_on_the_map"),
        ("rewards", "0024_counter"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="pointstransfer",
            name="request_id",
            field=models.CharField(
                editable=False, max_length=80, null=True, unique=True, verbose_name="request of the member"
            ),
        ),
        migrations.AlterField(
            model_name="pointstransfer",
            name="maker",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="asked for by",
            ),
        ),
        migrations.AlterField(
            model_name="pointstransfer",
            name="proposal",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.proposal",
                verbose_name="proposal",
            ),
        ),
        migrations.AddConstraint(
            model_name="pointstransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("maker__isnull", False), ("proposal__isnull", False), ("request_id__isnull", True)),
                    models.Q(("maker__isnull", True), ("proposal__isnull", True), ("request_id__isnull", False)),
                    _connector="OR",
                ),
                name="transfer_is_by_staff_or_by_the_member",
            ),
        ),
    ]
