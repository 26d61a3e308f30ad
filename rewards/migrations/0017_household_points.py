import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether members of one household may pay for one another: a policy of each points currency, off to begin with."""

    dependencies = [
        ("rewards", "0016_merge_kind"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="pointscurrency",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="pointscurrency",
            name="household_pays",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="What a member lacks for a reward is taken from those in the household who agreed to it, the points that expire first before others.",
                verbose_name="members of one household may pay for one another",
            ),
        ),
        migrations.AddField(
            model_name="pointscurrencyevent",
            name="household_pays",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="What a member lacks for a reward is taken from those in the household who agreed to it, the points that expire first before others.",
                verbose_name="members of one household may pay for one another",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "household_pays", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (NEW."arrears_limit_points", NEW."arrears_policy", NEW."code", NEW."exponent", NEW."hold_minutes", NEW."household_pays", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."restored_days_min", NEW."takes_other_lots"); RETURN NULL;',
                    hash="6fd3771881ea288ef2d480b5d59fd720c49887a8",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_04216",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "household_pays", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (NEW."arrears_limit_points", NEW."arrears_policy", NEW."code", NEW."exponent", NEW."hold_minutes", NEW."household_pays", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."restored_days_min", NEW."takes_other_lots"); RETURN NULL;',
                    hash="8e111b5ea676d0d2d00b5d88a319ba215e1ca40c",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_eebda",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pointscurrency",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "rewards_pointscurrencyevent" ("arrears_limit_points", "arrears_policy", "code", "exponent", "hold_minutes", "household_pays", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "restored_days_min", "takes_other_lots") VALUES (OLD."arrears_limit_points", OLD."arrears_policy", OLD."code", OLD."exponent", OLD."hold_minutes", OLD."household_pays", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."restored_days_min", OLD."takes_other_lots"); RETURN NULL;',
                    hash="8528acca93743ec91472fb48ca9ada564d9bf7cd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_995b6",
                    table="rewards_pointscurrency",
                    when="AFTER",
                ),
            ),
        ),
    ]
