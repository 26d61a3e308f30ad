"""Imports of legacy members, exports, who took which file; to whom a job belongs; what a proposal touches."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from members.history import refuse_changes_sql


# What a proposal touches was said when it was made, like the rest of it.
TOUCHES_ARE_KEPT = """
CREATE FUNCTION members_keep_touches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.touches IS DISTINCT FROM OLD.touches THEN
        RAISE EXCEPTION 'what was proposed does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER members_proposal_touches_are_kept BEFORE UPDATE ON members_proposal
    FOR EACH ROW WHEN (NEW.touches IS DISTINCT FROM OLD.touches) EXECUTE FUNCTION members_keep_touches();
"""
UNDO_TOUCHES_ARE_KEPT = (
    "DROP TRIGGER members_proposal_touches_are_kept ON members_proposal; DROP FUNCTION members_keep_touches();"
)

PARTS_ARE_BOUNDED = """
ALTER TABLE members_memberimportpart ADD CONSTRAINT part_of_a_file_is_bounded CHECK (octet_length(content) <= 1048576);
"""
UNDO_PARTS_ARE_BOUNDED = "ALTER TABLE members_memberimportpart DROP CONSTRAINT part_of_a_file_is_bounded;"


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0012_consents_and_privacy"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="public_id",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                editable=False,
                unique=True,
                verbose_name="public id",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="member",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.member",
                verbose_name="asked for by the member",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="api_key",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.apikey",
                verbose_name="asked for with the key",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("member__isnull", True), ("owner__isnull", True)),
                    models.Q(("api_key__isnull", True), ("owner__isnull", True)),
                    models.Q(("api_key__isnull", True), ("member__isnull", True)),
                    _connector="OR",
                ),
                name="job_is_asked_for_by_one",
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="touches",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60),
                default=list,
                help_text="Two proposals that touch the same thing are shown with each other.",
                verbose_name="what it touches",
            ),
        ),
        migrations.AddIndex(
            model_name="proposal",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("state", "waiting")), fields=["touches"], name="proposals_that_touch"
            ),
        ),
        migrations.CreateModel(
            name="ImportMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "columns_sha256",
                    models.BinaryField(max_length=32, unique=True, verbose_name="fingerprint of the columns"),
                ),
                ("fields", models.JSONField(default=dict, verbose_name="what each column means")),
                ("choices", models.JSONField(default=dict, verbose_name="what was chosen besides")),
                (
                    "operator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="mapped by",
                    ),
                ),
                ("used_at", models.DateTimeField(verbose_name="used at")),
            ],
            options={
                "verbose_name": "remembered mapping",
                "verbose_name_plural": "remembered mappings",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="MemberImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file_name", models.CharField(max_length=200, verbose_name="file")),
                ("file_sha256", models.BinaryField(max_length=32, verbose_name="fingerprint of the file")),
                ("file_bytes", models.PositiveBigIntegerField(verbose_name="size (bytes)")),
                ("columns", models.JSONField(default=list, verbose_name="columns of the file")),
                ("fields", models.JSONField(default=dict, verbose_name="what each column means")),
                (
                    "on_known",
                    models.CharField(
                        choices=[
                            ("skip", "leave them as they are"),
                            ("update", "the file wins: overwrite what it fills"),
                            ("merge", "we win: fill in only what is missing here"),
                        ],
                        default="skip",
                        max_length=10,
                        verbose_name="members we know already",
                    ),
                ),
                ("issuer", models.CharField(max_length=40, verbose_name="system they come from")),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.channel",
                        verbose_name="joined through",
                    ),
                ),
                (
                    "home_store",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.store",
                        verbose_name="home store",
                    ),
                ),
                ("joined_date", models.DateField(verbose_name="joined on, where the file does not say")),
                ("is_quiet", models.BooleanField(default=True, verbose_name="nobody is written to")),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="read by",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="read at")),
                ("expires_at", models.DateTimeField(verbose_name="file and rows are kept until")),
                (
                    "check_job",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.job",
                        verbose_name="job that checks it",
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.job",
                        verbose_name="job that carries it out",
                    ),
                ),
                (
                    "proposal",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                ("checked_at", models.DateTimeField(null=True, verbose_name="checked at")),
                ("rows_total", models.PositiveIntegerField(default=0, verbose_name="rows")),
                ("rows_new", models.PositiveIntegerField(default=0, verbose_name="new members")),
                ("rows_known", models.PositiveIntegerField(default=0, verbose_name="members we know")),
                ("rows_bad", models.PositiveIntegerField(default=0, verbose_name="bad rows")),
                ("points_total", models.PositiveBigIntegerField(default=0, verbose_name="opening balances (points)")),
            ],
            options={
                "verbose_name": "import of members",
                "verbose_name_plural": "imports of members",
                "permissions": [("import_members", "Can import members, and approve imports")],
                "indexes": [
                    models.Index(fields=["-created_at", "-id"], name="import_newest_first"),
                    models.Index(fields=["expires_at"], name="imports_by_expiry"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("on_known__in", ["skip", "update", "merge"])),
                        name="import_says_what_happens_to_the_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "rows_total__gte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("rows_new"), "+", models.F("rows_known")
                                    ),
                                    "+",
                                    models.F("rows_bad"),
                                ),
                            )
                        ),
                        name="import_counts_no_row_twice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("job__isnull", True), ("proposal__isnull", False), _connector="OR"),
                        name="import_is_carried_out_after_a_proposal",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberImportPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member_import",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="members.memberimport",
                        verbose_name="import",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("content", models.BinaryField(verbose_name="content")),
            ],
            options={
                "verbose_name": "part of an imported file",
                "verbose_name_plural": "parts of imported files",
                "constraints": [
                    models.UniqueConstraint(fields=("member_import", "number"), name="part_of_a_file_is_kept_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="MemberImportRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member_import",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="members.memberimport",
                        verbose_name="import",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="row")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "new member"),
                            ("known", "known member"),
                            ("bad", "refused"),
                            ("made", "member made"),
                            ("changed", "member changed"),
                            ("left", "left as it is"),
                            ("taken_back", "taken back"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("external_id", models.CharField(max_length=120, null=True, verbose_name="number in the other system")),
                ("full_name", models.CharField(blank=True, max_length=80, verbose_name="name")),
                ("phone", models.CharField(max_length=16, null=True, verbose_name="phone")),
                ("email", models.CharField(max_length=254, null=True, verbose_name="e-mail")),
                ("birthday", models.DateField(null=True, verbose_name="birthday")),
                ("language", models.CharField(blank=True, max_length=10, verbose_name="language")),
                (
                    "home_store",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.store",
                        verbose_name="home store",
                    ),
                ),
                ("joined_at", models.DateTimeField(null=True, verbose_name="joined at")),
                ("points", models.PositiveBigIntegerField(default=0, verbose_name="opening balance (points)")),
                (
                    "cells",
                    models.JSONField(
                        default=list, help_text="In the order of the columns.", verbose_name="cells as they came"
                    ),
                ),
                ("before", models.JSONField(null=True, verbose_name="what the member had before")),
            ],
            options={
                "verbose_name": "row of an import of members",
                "verbose_name_plural": "rows of imports of members",
                "indexes": [
                    models.Index(
                        condition=models.Q(("phone__isnull", False)),
                        fields=["member_import", "phone"],
                        name="imported_phone",
                    ),
                    models.Index(
                        models.F("member_import"),
                        django.db.models.functions.text.Lower("email"),
                        condition=models.Q(("email__isnull", False)),
                        name="imported_email",
                    ),
                    models.Index(
                        condition=models.Q(("external_id__isnull", False)),
                        fields=["member_import", "external_id"],
                        name="imported_id",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("member_import", "number"), name="row_of_an_import_stands_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["new", "known", "bad", "made", "changed", "left", "taken_back"])
                        ),
                        name="imported_row_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("member__isnull", True), ("state__in", ["new", "bad"])),
                            models.Q(
                                ("member__isnull", False),
                                ("state__in", ["known", "made", "changed", "left", "taken_back"]),
                            ),
                            _connector="OR",
                        ),
                        name="imported_row_names_its_member",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("list", "list of members"),
                            ("segment", "segment, over the API"),
                            ("copy", "copy of one member's own data"),
                        ],
                        default="list",
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked for by",
                    ),
                ),
                (
                    "api_key",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.apikey",
                        verbose_name="key",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("purpose", models.CharField(max_length=300, verbose_name="purpose")),
                ("condition", models.JSONField(null=True, verbose_name="who is in it")),
                (
                    "segment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.segment",
                        verbose_name="only of the segment",
                    ),
                ),
                (
                    "sentence",
                    models.JSONField(
                        default=dict, help_text="A sentence for each language.", verbose_name="who is in it, in words"
                    ),
                ),
                ("fields", models.JSONField(default=list, verbose_name="fields")),
                ("is_unmasked", models.BooleanField(default=False, verbose_name="unmasked")),
                ("holds_phones", models.BooleanField(default=False, verbose_name="holds phone numbers in full")),
                (
                    "rows",
                    models.PositiveIntegerField(
                        help_text="As counted when it was asked for, then as written.", verbose_name="rows"
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="asked for at")),
                (
                    "proposal",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.proposal",
                        verbose_name="proposal",
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="export",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "verbose_name": "export of members",
                "verbose_name_plural": "exports of members",
                "permissions": [
                    ("export_members", "Can export members, masked"),
                    ("export_unmasked", "Can export members unmasked, and approve that"),
                ],
                "indexes": [
                    models.Index(fields=["-created_at", "-id"], name="export_newest_first"),
                    models.Index(
                        condition=models.Q(("holds_phones", True)), fields=["-created_at"], name="exports_with_phones"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["list", "segment", "copy"])), name="export_kind_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("api_key__isnull", True),
                            ("member__isnull", True),
                            ("operator__isnull", True),
                            _negated=True,
                        ),
                        name="export_says_who_asked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("purpose", ""), _negated=True), name="export_has_a_purpose"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("holds_phones", False), ("is_unmasked", True), _connector="OR"),
                        name="masked_export_holds_no_phone_in_full",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberExportPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member_export",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="members.memberexport",
                        verbose_name="export",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("content", models.BinaryField(verbose_name="content")),
            ],
            options={
                "verbose_name": "part of an export",
                "verbose_name_plural": "parts of exports",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("member_export", "number"), name="part_of_an_export_is_written_once"
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="FileTaken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="takings",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
                ("role", models.CharField(max_length=10, verbose_name="file")),
                (
                    "operator",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="taken by",
                    ),
                ),
                ("ip_address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("taken_at", models.DateTimeField(verbose_name="taken at")),
            ],
            options={
                "verbose_name": "file that was taken",
                "verbose_name_plural": "files that were taken",
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.RunSQL(TOUCHES_ARE_KEPT, UNDO_TOUCHES_ARE_KEPT),
        migrations.RunSQL(PARTS_ARE_BOUNDED, UNDO_PARTS_ARE_BOUNDED),
        migrations.RunSQL(refuse_changes_sql("members_filetaken"), migrations.RunSQL.noop),
    ]
