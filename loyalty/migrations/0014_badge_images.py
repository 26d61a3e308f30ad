"""Pictures of tiers: their table, which is history, and the picture of each tier with its own history."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from members.history import refuse_changes_sql


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0013_unlocked_benefits"),
    ]

    operations = [
        migrations.CreateModel(
            name="TierImage",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="digest")),
                ("content", models.BinaryField(verbose_name="content")),
                ("made_at", models.DateTimeField(verbose_name="made at")),
            ],
            options={
                "verbose_name": "picture of a tier",
                "verbose_name_plural": "pictures of tiers",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tier",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tier",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="tier",
            name="delete_delete",
        ),
        migrations.AddConstraint(
            model_name="tierimage",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="picture_of_a_tier_has_a_digest"
            ),
        ),
        migrations.AddField(
            model_name="tier",
            name="image",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="loyalty.tierimage",
                verbose_name="badge picture",
            ),
        ),
        migrations.AddField(
            model_name="tierevent",
            name="image",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="loyalty.tierimage",
                verbose_name="badge picture",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tier",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierevent" ("code", "colour", "id", "image_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rank") VALUES (NEW."code", NEW."colour", NEW."id", NEW."image_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."rank"); RETURN NULL;',
                    hash="f59d8b5f8798f58c0f19e57b21f6acf6e09216de",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_2a5b0",
                    table="loyalty_tier",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tier",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "loyalty_tierevent" ("code", "colour", "id", "image_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rank") VALUES (NEW."code", NEW."colour", NEW."id", NEW."image_id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."rank"); RETURN NULL;',
                    hash="cfcc23b4a6fbc2f941aaa77fedc7c64667a7ec45",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_96856",
                    table="loyalty_tier",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tier",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "loyalty_tierevent" ("code", "colour", "id", "image_id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rank") VALUES (OLD."code", OLD."colour", OLD."id", OLD."image_id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."rank"); RETURN NULL;',
                    hash="5ff27dfe9ed4d873e56ea243349cc97ed7a80b31",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_5ef47",
                    table="loyalty_tier",
                    when="AFTER",
                ),
            ),
        ),
        migrations.RunSQL(refuse_changes_sql("loyalty_tierimage"), migrations.RunSQL.noop),
    ]
