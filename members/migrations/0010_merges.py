"""Merges of members, and pairs that look like one person."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# A member with all who were merged into it: what is read of one person is read of these. The cost keeps plans from asking
# it once for each order: where the planner has no statistics yet, it would rather read all orders for each member.
FAMILY = """
CREATE FUNCTION members_family(p_member bigint) RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT ARRAY(SELECT m.id FROM members_member m WHERE m.merged_into_id = p_member) || p_member
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("members", "0009_places_and_profiles")]
    operations = [
        migrations.CreateModel(
            name="Merge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kept",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merges",
                        to="members.member",
                        verbose_name="member kept",
                    ),
                ),
                (
                    "merged",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merged_by",
                        to="members.member",
                        verbose_name="member merged into it",
                    ),
                ),
                (
                    "side_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), verbose_name="members that came along"
                    ),
                ),
                (
                    "taken",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=30),
                        blank=True,
                        default=list,
                        verbose_name="details taken over",
                    ),
                ),
                ("memo", models.JSONField(default=dict, verbose_name="what was moved")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("merged_at", models.DateTimeField(verbose_name="merged at")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("unmerge_until", models.DateTimeField(verbose_name="can be taken apart until")),
                ("unmerged_at", models.DateTimeField(null=True, verbose_name="taken apart at")),
                (
                    "unmerged_reason",
                    models.CharField(blank=True, default="", max_length=200, verbose_name="reason for taking it apart"),
                ),
            ],
            options={
                "verbose_name": "merge",
                "verbose_name_plural": "merges",
                "permissions": [("merge_members", "Can merge members and take merges apart")],
                "indexes": [models.Index(fields=["-merged_at", "-id"], name="merge_newest_first")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kept", models.F("merged")), _negated=True), name="merge_is_of_two_members"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("unmerged_at__isnull", True)),
                        fields=("merged",),
                        name="member_is_merged_away_once_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("unmerge_until__gt", models.F("merged_at"))),
                        name="merge_can_be_taken_apart_for_a_while",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("unmerged_at__isnull", True), ("unmerged_at__gte", models.F("merged_at")), _connector="OR"
                        ),
                        name="merge_is_taken_apart_after_it_was_made",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DuplicatePair",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "first",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "second",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="other member",
                    ),
                ),
                ("score", models.PositiveSmallIntegerField(verbose_name="how likely (of 100)")),
                (
                    "evidence",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("unionid", "the same WeChat unionid"),
                                ("phone", "the same phone number in two forms"),
                                ("card", "a card number that the other is known by"),
                                ("identity", "the same id in another system"),
                                ("email", "the same mailbox in two spellings"),
                                ("name_birthday", "the same name and birthday"),
                                ("pinyin_birthday", "a name that sounds the same, and the same birthday"),
                                ("name_phone_end", "the same name, and the same last four digits of the phone"),
                            ],
                            max_length=20,
                        ),
                        verbose_name="what speaks for it",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "to be looked at"), ("dismissed", "two people"), ("merged", "merged")],
                        db_default="open",
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("found_at", models.DateTimeField(verbose_name="found at")),
                ("seen_at", models.DateTimeField(verbose_name="last found at")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided at")),
                (
                    "decided_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, db_default="", default="", max_length=200, verbose_name="reason"),
                ),
            ],
            options={
                "verbose_name": "possible duplicate",
                "verbose_name_plural": "possible duplicates",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["-score", "-id"],
                        name="open_pairs_likeliest_first",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("first", "second"), name="pair_of_members_stands_once"),
                    models.CheckConstraint(
                        condition=models.Q(("first__lt", models.F("second"))), name="pair_of_members_is_in_order"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("score__range", (1, 100))), name="score_of_a_pair_is_a_share"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "dismissed", "merged"])),
                        name="state_of_pair_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decided_at__isnull", True), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("decided_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="pair_is_open_until_decided",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FAMILY, "DROP FUNCTION members_family(bigint)"),
    ]
