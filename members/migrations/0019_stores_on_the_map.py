"""Where a store lies and when it is open; one-time codes for giving points away."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0018_webhooks"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="store",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="store",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="store",
            name="delete_delete",
        ),
        migrations.RemoveConstraint(
            model_name="onetimecode",
            name="purpose_of_a_code_is_known",
        ),
        migrations.AddField(
            model_name="store",
            name="latitude",
            field=models.DecimalField(
                blank=True,
                decimal_places=5,
                help_text="From the map, e.g. 31.23042.",
                max_digits=8,
                null=True,
                verbose_name="latitude",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="longitude",
            field=models.DecimalField(
                blank=True,
                decimal_places=5,
                help_text="From the map, e.g. 121.47370.",
                max_digits=8,
                null=True,
                verbose_name="longitude",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="opening_hours",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="opening_hours_en",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="opening_hours_zh_hans",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="opening_hours_zh_hant",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="street",
            field=models.CharField(blank=True, db_default="", max_length=200, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="store",
            name="street_en",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="store",
            name="street_zh_hans",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="store",
            name="street_zh_hant",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="latitude",
            field=models.DecimalField(
                blank=True,
                decimal_places=5,
                help_text="From the map, e.g. 31.23042.",
                max_digits=8,
                null=True,
                verbose_name="latitude",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="longitude",
            field=models.DecimalField(
                blank=True,
                decimal_places=5,
                help_text="From the map, e.g. 121.47370.",
                max_digits=8,
                null=True,
                verbose_name="longitude",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="opening_hours",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="opening_hours_en",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="opening_hours_zh_hans",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="opening_hours_zh_hant",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="As members read them.",
                max_length=120,
                null=True,
                verbose_name="opening hours",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="street",
            field=models.CharField(blank=True, db_default="", max_length=200, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="street_en",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="street_zh_hans",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="street_zh_hant",
            field=models.CharField(blank=True, db_default="", max_length=200, null=True, verbose_name="address"),
        ),
        migrations.AlterField(
            model_name="onetimecode",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("sign_in", "signing in"),
                    ("old_phone", "letting a phone number go"),
                    ("new_phone", "taking a phone number"),
                    ("till", "paying at a till"),
                    ("transfer", "giving points away"),
                ],
                max_length=10,
                verbose_name="purpose",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="store",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "latitude", "longitude", "name", "name_en", "name_zh_hans", "name_zh_hant", "opening_hours", "opening_hours_en", "opening_hours_zh_hans", "opening_hours_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id", "street", "street_en", "street_zh_hans", "street_zh_hant") VALUES (NEW."brand_id", NEW."city", NEW."code", NEW."id", NEW."is_open", NEW."latitude", NEW."longitude", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."opening_hours", NEW."opening_hours_en", NEW."opening_hours_zh_hans", NEW."opening_hours_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."region_id", NEW."street", NEW."street_en", NEW."street_zh_hans", NEW."street_zh_hant"); RETURN NULL;',
                    hash="989b66add3ed56a37acc1b68f4edab7923eacbbd",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_59728",
                    table="members_store",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="store",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "latitude", "longitude", "name", "name_en", "name_zh_hans", "name_zh_hant", "opening_hours", "opening_hours_en", "opening_hours_zh_hans", "opening_hours_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id", "street", "street_en", "street_zh_hans", "street_zh_hant") VALUES (NEW."brand_id", NEW."city", NEW."code", NEW."id", NEW."is_open", NEW."latitude", NEW."longitude", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."opening_hours", NEW."opening_hours_en", NEW."opening_hours_zh_hans", NEW."opening_hours_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."region_id", NEW."street", NEW."street_en", NEW."street_zh_hans", NEW."street_zh_hant"); RETURN NULL;',
                    hash="1d94f58e4bfc525d226ed2785feb3d5185d8b107",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_bb508",
                    table="members_store",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="store",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "latitude", "longitude", "name", "name_en", "name_zh_hans", "name_zh_hant", "opening_hours", "opening_hours_en", "opening_hours_zh_hans", "opening_hours_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id", "street", "street_en", "street_zh_hans", "street_zh_hant") VALUES (OLD."brand_id", OLD."city", OLD."code", OLD."id", OLD."is_open", OLD."latitude", OLD."longitude", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."opening_hours", OLD."opening_hours_en", OLD."opening_hours_zh_hans", OLD."opening_hours_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."region_id", OLD."street", OLD."street_en", OLD."street_zh_hans", OLD."street_zh_hant"); RETURN NULL;',
                    hash="bbf44a46089a0b0c8bc1b9387385180b19579987",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_85e20",
                    table="members_store",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="onetimecode",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose__in", ["sign_in", "old_phone", "new_phone", "till", "transfer"])),
                name="purpose_of_a_code_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="store",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("latitude__isnull", True), ("longitude__isnull", True)),
                    models.Q(
                        ("latitude__gte", -90),
                        ("latitude__isnull", False),
                        ("latitude__lte", 90),
                        ("longitude__gte", -180),
                        ("longitude__isnull", False),
                        ("longitude__lte", 180),
                    ),
                    _connector="OR",
                ),
                name="store_lies_on_the_map",
                violation_error_message="Give latitude (-90 to 90) and longitude (-180 to 180), or neither.",
            ),
        ),
    ]
