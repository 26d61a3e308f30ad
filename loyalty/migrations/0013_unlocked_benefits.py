"""Benefits are given by tasks of stages, too: one more source."""

from django.db import migrations, models

SOURCES = [
    ("tier", "tier"),
    ("plan", "paid membership"),
    ("campaign", "campaign"),
    ("staff", "staff"),
    ("task", "task of a stage"),
]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0012_published_rules")]

    operations = [
        migrations.RemoveConstraint(model_name="entitlement", name="entitlement_source_is_known"),
        migrations.AlterField(
            model_name="entitlement",
            name="source",
            field=models.CharField(choices=SOURCES, max_length=8, verbose_name="given by"),
        ),
        migrations.AddConstraint(
            model_name="entitlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("source__in", ["tier", "plan", "campaign", "staff", "task"])),
                name="entitlement_source_is_known",
            ),
        ),
    ]
