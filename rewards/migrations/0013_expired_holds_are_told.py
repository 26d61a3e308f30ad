"""Whoever gives a hold back because its time was up, the timeline is told of it, once."""

from django.db import migrations, models

# Those that the timeline knows already are not told again.
TOLD_BEFORE = """
UPDATE rewards_hold h SET is_told = true
WHERE h.state = 4 AND EXISTS (
    SELECT FROM members_timelineentry e
    WHERE e.member_id = h.member_id AND e.kind = 'rewards.hold_given_back.v1' AND e.subject = 'hold:' || h.id
)
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0012_open_purchase")]
    operations = [
        migrations.AddField(
            "hold",
            "is_told",
            models.BooleanField(
                default=False, db_default=False, editable=False, verbose_name="told to the member's timeline"
            ),
        ),
        migrations.AddIndex(
            "hold",
            models.Index(fields=["id"], name="hold_expired_untold", condition=models.Q(state=4, is_told=False)),
        ),
        migrations.RunSQL(TOLD_BEFORE, migrations.RunSQL.noop),
    ]
