from django.db import migrations, models


class Migration(migrations.Migration):
    """Members of a household may agree to pay for the others with points, each for themselves."""

    dependencies = [("members", "0014_risk_and_access")]

    operations = [
        migrations.AddField(
            "householdmember",
            "points_shared_at",
            models.DateTimeField(null=True, verbose_name="agreed to pay for the others at"),
        ),
        migrations.AddConstraint(
            "householdmember",
            models.CheckConstraint(
                condition=models.Q(
                    ("points_shared_at__isnull", True),
                    models.Q(("points_shared_at__gte", models.F("agreed_at")), ("role__in", ["head", "adult"])),
                    _connector="OR",
                ),
                name="points_are_shared_by_grown_ups_who_agreed",
            ),
        ),
    ]
