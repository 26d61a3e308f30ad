"""Regions, recruiting sources, cards, details that staff define, preferences, freezes with an end, leaving with a reason."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

# Two changes at once could close a ring that neither sees: they wait for each other.
REGIONS_ARE_A_TREE = """
CREATE FUNCTION members_refuse_region_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.parent_id IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('members_region'));
    IF EXISTS (
        WITH RECURSIVE above AS (
            SELECT NEW.parent_id AS id
            UNION
            SELECT r.parent_id FROM members_region r JOIN above a ON r.id = a.id WHERE r.parent_id IS NOT NULL
        )
        SELECT 1 FROM above WHERE id = NEW.id
    ) THEN
        RAISE EXCEPTION 'a region can not lie within itself'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'regions_are_a_tree', TABLE = 'members_region';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER members_region_is_a_tree BEFORE INSERT OR UPDATE OF parent_id ON members_region
    FOR EACH ROW EXECUTE FUNCTION members_refuse_region_ring();
"""
DROP_TREE = """
DROP TRIGGER members_region_is_a_tree ON members_region;
DROP FUNCTION members_refuse_region_ring();
"""

# code, whether members may choose it, zh-Hans, zh-Hant, English
CLOSING_REASONS = [
    ("no_benefit", True, "权益吸引力不足", "權益吸引力不足", "The benefits are not worth it"),
    ("too_many_messages", True, "消息太多", "訊息太多", "Too many messages"),
    ("privacy", True, "担心个人信息", "擔心個人資料", "Worries about personal data"),
    ("poor_service", True, "服务体验不佳", "服務體驗不佳", "Poor service"),
    ("moved_away", True, "附近没有门店", "附近沒有門市", "No store nearby"),
    ("other", True, "其他", "其他", "Another reason"),
    ("abuse", False, "违规使用", "違規使用", "Abuse of the programme"),
]

# code, zh-Hans, zh-Hant, English
RECRUITING_SOURCES = [
    ("walk_in", "到店自然客流", "到店自然客流", "Walk-in"),
    ("staff", "店员推荐", "店員推薦", "Asked by staff"),
    ("friend", "好友推荐", "好友推薦", "A friend"),
    ("poster", "海报或物料扫码", "海報或文宣掃碼", "Poster or leaflet"),
    ("social_media", "社交媒体", "社群媒體", "Social media"),
    ("advertising", "广告投放", "廣告投放", "Advertising"),
]

# code (which is the part of the profile that is told), zh-Hans, zh-Hant, English
FIRST_TASKS = [
    ("phone", "绑定手机号", "綁定手機號碼", "Tell us your phone number"),
    ("birthday", "填写生日", "填寫生日", "Tell us your birthday"),
]


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    reasons = apps.get_model("members", "ClosingReason").objects
    for order, (code, is_open, hans, hant, english) in enumerate(CLOSING_REASONS, 1):
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        reasons.get_or_create(code=code, defaults={"is_open_to_members": is_open, "order": order, **names})
    tasks = apps.get_model("members", "OnboardingTask").objects
    for order, (code, hans, hant, english) in enumerate(FIRST_TASKS, 1):
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        known = {"fact": f"members.knows?part={code}", "op": "is", "value": True}
        tasks.get_or_create(code=code, defaults={"condition": {"all": [known]}, "order": order, **names})
    sources = apps.get_model("members", "RecruitingSource").objects
    for code, hans, hant, english in RECRUITING_SOURCES:
        names = {"name": hans, "name_zh_hans": hans, "name_zh_hant": hant, "name_en": english}
        sources.get_or_create(code=code, defaults=names)


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0008_decisions"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttributeChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="answer")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("is_on", models.BooleanField(default=True, verbose_name="offered")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "verbose_name": "answer",
                "verbose_name_plural": "answers",
                "ordering": ["order", "code"],
            },
        ),
        migrations.CreateModel(
            name="AttributeChoiceEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="answer")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="answer")),
                ("is_on", models.BooleanField(default=True, verbose_name="offered")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="AttributeValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=200, null=True, verbose_name="text")),
                ("number", models.DecimalField(decimal_places=2, max_digits=14, null=True, verbose_name="number")),
                ("date", models.DateField(null=True, verbose_name="date")),
                ("flag", models.BooleanField(null=True, verbose_name="yes or no")),
                (
                    "codes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=30), null=True, verbose_name="answers"
                    ),
                ),
                ("agreed_at", models.DateTimeField(null=True, verbose_name="agreed at")),
                ("changed_at", models.DateTimeField(verbose_name="changed at")),
            ],
            options={
                "verbose_name": "detail of a member",
                "verbose_name_plural": "details of a member",
            },
        ),
        migrations.CreateModel(
            name="Card",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=17, unique=True, verbose_name="card number")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("in_stock", "in stock"),
                            ("in_use", "in use"),
                            ("lost", "lost"),
                            ("replaced", "replaced"),
                            ("returned", "given back"),
                        ],
                        db_default="in_stock",
                        default="in_stock",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("bound_at", models.DateTimeField(null=True, verbose_name="given out at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
            ],
            options={
                "verbose_name": "card",
                "verbose_name_plural": "cards",
            },
        ),
        migrations.CreateModel(
            name="CardBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, verbose_name="name of the batch")),
                (
                    "prefix",
                    models.CharField(
                        help_text="Four to eight digits with which every number of the batch begins. The first one is not 0.",
                        max_length=8,
                        verbose_name="first digits",
                    ),
                ),
                ("first_running", models.PositiveIntegerField(editable=False, verbose_name="first running number")),
                (
                    "quantity",
                    models.PositiveIntegerField(
                        help_text="At most 100,000; print more in several batches.", verbose_name="number of cards"
                    ),
                ),
                ("made_at", models.DateTimeField(editable=False, verbose_name="made at")),
            ],
            options={
                "verbose_name": "batch of cards",
                "verbose_name_plural": "batches of cards",
            },
        ),
        migrations.CreateModel(
            name="ClosingReason",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SlugField(
                        help_text="How apps name it. It can not be changed later.",
                        max_length=30,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="reason for leaving")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it is not offered any more.", verbose_name="in use"
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=True,
                        help_text="Off: only staff use it, such as for abuse.",
                        verbose_name="members may choose it",
                    ),
                ),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "verbose_name": "reason for leaving",
                "verbose_name_plural": "reasons for leaving",
                "ordering": ["order", "code"],
            },
        ),
        migrations.CreateModel(
            name="ClosingReasonEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False,
                        help_text="How apps name it. It can not be changed later.",
                        max_length=30,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="reason for leaving")),
                ("name_zh_hans", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                ("name_zh_hant", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                ("name_en", models.CharField(max_length=80, null=True, verbose_name="reason for leaving")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it is not offered any more.", verbose_name="in use"
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=True,
                        help_text="Off: only staff use it, such as for abuse.",
                        verbose_name="members may choose it",
                    ),
                ),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Closure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("asked", "asked for"), ("closed", "in effect"), ("taken_back", "taken back")],
                        default="asked",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("asked_at", models.DateTimeField(verbose_name="asked for at")),
                ("effective_at", models.DateTimeField(verbose_name="takes effect at")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                ("taken_back_at", models.DateTimeField(null=True, verbose_name="taken back at")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
            ],
            options={
                "verbose_name": "member who leaves",
                "verbose_name_plural": "members who leave",
            },
        ),
        migrations.CreateModel(
            name="MemberAttribute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SlugField(
                        help_text="How apps and shops name it. It can not be changed later.",
                        max_length=30,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="detail")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="detail")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="detail")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="detail")),
                (
                    "purpose",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_zh_hans",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_zh_hant",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_en",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("text", "text"),
                            ("number", "number"),
                            ("date", "date"),
                            ("yes_no", "yes or no"),
                            ("choice", "one of a list"),
                            ("choices", "several of a list"),
                        ],
                        help_text="It can not be changed later.",
                        max_length=10,
                        verbose_name="type",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="Of a number, for example cm.", max_length=20, verbose_name="unit"
                    ),
                ),
                (
                    "unit_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "unit_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "unit_en",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "sensitivity",
                    models.CharField(
                        choices=[
                            ("ordinary", "ordinary"),
                            ("sensitive", "sensitive: only with the member's own agreement"),
                        ],
                        default="ordinary",
                        help_text="Health, religion, finances and everything about children is sensitive.",
                        max_length=10,
                        verbose_name="sensitivity",
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=True,
                        help_text="Off: only staff and shops tell it.",
                        verbose_name="members may change it",
                    ),
                ),
                (
                    "counts",
                    models.BooleanField(
                        default=False,
                        help_text="On: the completeness of profiles counts it.",
                        verbose_name="belongs to a complete profile",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "verbose_name": "detail of members",
                "verbose_name_plural": "details of members",
                "ordering": ["order", "code"],
            },
        ),
        migrations.CreateModel(
            name="MemberAttributeEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False,
                        help_text="How apps and shops name it. It can not be changed later.",
                        max_length=30,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="detail")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="detail")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="detail")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="detail")),
                (
                    "purpose",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_zh_hans",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_zh_hant",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "purpose_en",
                    models.CharField(
                        help_text="Members read this. A detail without a purpose is not kept.",
                        max_length=200,
                        null=True,
                        verbose_name="what it is kept for",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("text", "text"),
                            ("number", "number"),
                            ("date", "date"),
                            ("yes_no", "yes or no"),
                            ("choice", "one of a list"),
                            ("choices", "several of a list"),
                        ],
                        help_text="It can not be changed later.",
                        max_length=10,
                        verbose_name="type",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="Of a number, for example cm.", max_length=20, verbose_name="unit"
                    ),
                ),
                (
                    "unit_zh_hans",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "unit_zh_hant",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "unit_en",
                    models.CharField(
                        blank=True,
                        help_text="Of a number, for example cm.",
                        max_length=20,
                        null=True,
                        verbose_name="unit",
                    ),
                ),
                (
                    "sensitivity",
                    models.CharField(
                        choices=[
                            ("ordinary", "ordinary"),
                            ("sensitive", "sensitive: only with the member's own agreement"),
                        ],
                        default="ordinary",
                        help_text="Health, religion, finances and everything about children is sensitive.",
                        max_length=10,
                        verbose_name="sensitivity",
                    ),
                ),
                (
                    "is_open_to_members",
                    models.BooleanField(
                        default=True,
                        help_text="Off: only staff and shops tell it.",
                        verbose_name="members may change it",
                    ),
                ),
                (
                    "counts",
                    models.BooleanField(
                        default=False,
                        help_text="On: the completeness of profiles counts it.",
                        verbose_name="belongs to a complete profile",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MemberFreeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stops_earning", models.BooleanField(verbose_name="earning is frozen")),
                ("stops_spending", models.BooleanField(verbose_name="spending is frozen")),
                ("stops_sign_in", models.BooleanField(verbose_name="sign-in is frozen")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("frozen_at", models.DateTimeField(verbose_name="frozen at")),
                ("release_at", models.DateTimeField(verbose_name="ends by itself at")),
                ("released_at", models.DateTimeField(null=True, verbose_name="released at")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
            ],
            options={
                "verbose_name": "freeze",
                "verbose_name_plural": "freezes",
            },
        ),
        migrations.CreateModel(
            name="MemberPreference",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="preference",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("email", "e-mail"),
                                ("sms", "text message"),
                                ("wechat", "WeChat"),
                                ("app", "app"),
                                ("phone", "phone call"),
                                ("post", "letter"),
                            ],
                            max_length=10,
                        ),
                        default=list,
                        verbose_name="channels, the dearest first",
                    ),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="quiet from")),
                ("quiet_to", models.TimeField(blank=True, null=True, verbose_name="quiet until")),
                ("changed_at", models.DateTimeField(verbose_name="changed at")),
            ],
            options={
                "verbose_name": "preference",
                "verbose_name_plural": "preferences",
            },
        ),
        migrations.CreateModel(
            name="RecruitingSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=30, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="recruiting source")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it is not offered any more.", verbose_name="in use"
                    ),
                ),
            ],
            options={
                "verbose_name": "recruiting source",
                "verbose_name_plural": "recruiting sources",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="RecruitingSourceEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="recruiting source")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="recruiting source")),
                (
                    "is_on",
                    models.BooleanField(
                        default=True, help_text="Off: it is not offered any more.", verbose_name="in use"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Region",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=30, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="region name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="region name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="region name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="region name")),
            ],
            options={
                "verbose_name": "region",
                "verbose_name_plural": "regions",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="RegionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("code", models.SlugField(db_index=False, max_length=30, verbose_name="code")),
                ("name", models.CharField(max_length=60, verbose_name="region name")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="region name")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="region name")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="region name")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AlterModelOptions(
            name="member",
            options={
                "permissions": [
                    ("view_personal_data", "Can see personal data unmasked"),
                    ("view_sensitive_attributes", "Can see and record sensitive details of members"),
                    ("correct_birthday", "Can change a birthday more than once a year"),
                    ("close_member", "Can close memberships and take it back"),
                ],
                "verbose_name": "member",
                "verbose_name_plural": "members",
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="programme",
            name="delete_delete",
        ),
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
            model_name="identity",
            name="identity_kind_is_known",
        ),
        migrations.AddField(
            model_name="member",
            name="frozen_but_earns",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="earns while frozen"
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="frozen_but_signs_in",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="signs in while frozen"
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="frozen_but_spends",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="spends while frozen"
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="inviter",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invitees",
                to="members.member",
                verbose_name="invited by",
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="joined_store",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="joined in store",
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="profile_version",
            field=models.PositiveIntegerField(
                db_default=1, default=1, editable=False, verbose_name="version of the profile"
            ),
        ),
        migrations.AddField(
            model_name="memberperson",
            name="birthday_changed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="birthday changed at"),
        ),
        migrations.AddField(
            model_name="programme",
            name="closing_days",
            field=models.PositiveSmallIntegerField(
                db_default=7,
                default=7,
                help_text="So many days after a member asks to leave, the membership ends. Until then it can be taken back.",
                verbose_name="days to think a leave over",
            ),
        ),
        migrations.AddField(
            model_name="programmeevent",
            name="closing_days",
            field=models.PositiveSmallIntegerField(
                db_default=7,
                default=7,
                help_text="So many days after a member asks to leave, the membership ends. Until then it can be taken back.",
                verbose_name="days to think a leave over",
            ),
        ),
        migrations.AlterField(
            model_name="identity",
            name="kind",
            field=models.CharField(
                choices=[
                    ("external", "id of another system"),
                    ("wechat_openid", "WeChat openid of an app"),
                    ("wechat_unionid", "WeChat unionid"),
                    ("app_user", "user of an app"),
                ],
                default="external",
                max_length=20,
                verbose_name="kind",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "zone") VALUES (NEW."closing_days", NEW."currency", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."points_name", NEW."points_name_en", NEW."points_name_zh_hans", NEW."points_name_zh_hant", NEW."zone"); RETURN NULL;',
                    hash="3914bbda3929a916405699eed995e5d2285a5f74",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_67c19",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "zone") VALUES (NEW."closing_days", NEW."currency", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."points_name", NEW."points_name_en", NEW."points_name_zh_hans", NEW."points_name_zh_hant", NEW."zone"); RETURN NULL;',
                    hash="7d534b7f86b383bca7f39e699981934b8bd0b55e",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_8cf4c",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="programme",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_programmeevent" ("closing_days", "currency", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "points_name", "points_name_en", "points_name_zh_hans", "points_name_zh_hant", "zone") VALUES (OLD."closing_days", OLD."currency", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."points_name", OLD."points_name_en", OLD."points_name_zh_hans", OLD."points_name_zh_hant", OLD."zone"); RETURN NULL;',
                    hash="7184f6ce04076516931b924168f71c1c7dfb8438",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a974e",
                    table="members_programme",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="store",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id") VALUES (NEW."brand_id", NEW."city", NEW."code", NEW."id", NEW."is_open", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."public_id", NEW."region_id"); RETURN NULL;',
                    hash="ab846470e6c74174918952c93eccc37ec8b33c20",
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
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id") VALUES (NEW."brand_id", NEW."city", NEW."code", NEW."id", NEW."is_open", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."public_id", NEW."region_id"); RETURN NULL;',
                    hash="b9b805db9fb95c58c0b61c4f9289be8a9622f935",
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
                    func='INSERT INTO "members_storeevent" ("brand_id", "city", "code", "id", "is_open", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "public_id", "region_id") VALUES (OLD."brand_id", OLD."city", OLD."code", OLD."id", OLD."is_open", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."public_id", OLD."region_id"); RETURN NULL;',
                    hash="ef0626fe0bde2c237587331c444b741619184a8d",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_85e20",
                    table="members_store",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="identity",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["external", "wechat_openid", "wechat_unionid", "app_user"])),
                name="identity_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="identity",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("issuer", ""), _negated=True), models.Q(("value", ""), _negated=True)),
                name="identity_is_not_an_empty_text",
            ),
        ),
        migrations.AddConstraint(
            model_name="identity",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ["wechat_openid", "wechat_unionid"]), _negated=True),
                    ("value__regex", "^[A-Za-z0-9_-]{20,64}$"),
                    _connector="OR",
                ),
                name="identity_of_wechat_has_its_form",
            ),
        ),
        migrations.AddConstraint(
            model_name="programme",
            constraint=models.CheckConstraint(
                condition=models.Q(("closing_days__lte", 90)), name="programme_lets_members_leave"
            ),
        ),
        migrations.AddField(
            model_name="attributechoiceevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="attributechoiceevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.attributechoice",
            ),
        ),
        migrations.AddField(
            model_name="attributevalue",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attribute_values",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="card",
            name="member",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cards",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="card",
            name="replaced_by",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaces",
                to="members.card",
                verbose_name="replaced by",
            ),
        ),
        migrations.AddField(
            model_name="cardbatch",
            name="store",
            field=models.ForeignKey(
                blank=True,
                help_text="Where the cards are given out. Empty: everywhere.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.store",
                verbose_name="store",
            ),
        ),
        migrations.AddField(
            model_name="card",
            name="batch",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cards",
                to="members.cardbatch",
                verbose_name="batch",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingreason",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_closingreasonevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="0bffad4e1799e8a696a08004b2369b16a970e985",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_2f81b",
                    table="members_closingreason",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingreason",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_closingreasonevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="c8f265d91ebb252c6170f565ba935bbee94ff620",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_f5baa",
                    table="members_closingreason",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="closingreason",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_closingreasonevent" ("code", "id", "is_on", "is_open_to_members", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."is_open_to_members", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."order", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="0614bccffd3cb959e0de973224d2b9a7d97034fd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d59f6",
                    table="members_closingreason",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="closingreasonevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="closingreasonevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.closingreason",
            ),
        ),
        migrations.AddField(
            model_name="closure",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="closures",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="closure",
            name="reason",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="closures",
                to="members.closingreason",
                verbose_name="reason for leaving",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattribute",
            constraint=models.CheckConstraint(
                condition=models.Q(("code__regex", "^[a-z][a-z0-9_]*$")), name="attribute_code_is_a_word"
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattribute",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["text", "number", "date", "yes_no", "choice", "choices"])),
                name="attribute_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattribute",
            constraint=models.CheckConstraint(
                condition=models.Q(("sensitivity__in", ["ordinary", "sensitive"])),
                name="attribute_sensitivity_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberattribute",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose", ""), _negated=True), name="attribute_has_a_purpose"
            ),
        ),
        migrations.AddField(
            model_name="attributevalue",
            name="attribute",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="values",
                to="members.memberattribute",
                verbose_name="detail",
            ),
        ),
        migrations.AddField(
            model_name="attributechoiceevent",
            name="attribute",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.memberattribute",
                verbose_name="detail",
            ),
        ),
        migrations.AddField(
            model_name="attributechoice",
            name="attribute",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="choices",
                to="members.memberattribute",
                verbose_name="detail",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberattribute",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_memberattributeevent" ("code", "counts", "id", "is_on", "is_open_to_members", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose", "purpose_en", "purpose_zh_hans", "purpose_zh_hant", "sensitivity", "unit", "unit_en", "unit_zh_hans", "unit_zh_hant") VALUES (NEW."code", NEW."counts", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."purpose", NEW."purpose_en", NEW."purpose_zh_hans", NEW."purpose_zh_hant", NEW."sensitivity", NEW."unit", NEW."unit_en", NEW."unit_zh_hans", NEW."unit_zh_hant"); RETURN NULL;',
                    hash="8322734afd99d5d57699c2dc3d3596710d225765",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_4817a",
                    table="members_memberattribute",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberattribute",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_memberattributeevent" ("code", "counts", "id", "is_on", "is_open_to_members", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose", "purpose_en", "purpose_zh_hans", "purpose_zh_hant", "sensitivity", "unit", "unit_en", "unit_zh_hans", "unit_zh_hant") VALUES (NEW."code", NEW."counts", NEW."id", NEW."is_on", NEW."is_open_to_members", NEW."kind", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."purpose", NEW."purpose_en", NEW."purpose_zh_hans", NEW."purpose_zh_hant", NEW."sensitivity", NEW."unit", NEW."unit_en", NEW."unit_zh_hans", NEW."unit_zh_hant"); RETURN NULL;',
                    hash="fb6c45b6edd5be17e7dbf6f93b8fdce157575d3d",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_ae307",
                    table="members_memberattribute",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="memberattribute",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_memberattributeevent" ("code", "counts", "id", "is_on", "is_open_to_members", "kind", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "purpose", "purpose_en", "purpose_zh_hans", "purpose_zh_hant", "sensitivity", "unit", "unit_en", "unit_zh_hans", "unit_zh_hant") VALUES (OLD."code", OLD."counts", OLD."id", OLD."is_on", OLD."is_open_to_members", OLD."kind", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."order", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."purpose", OLD."purpose_en", OLD."purpose_zh_hans", OLD."purpose_zh_hant", OLD."sensitivity", OLD."unit", OLD."unit_en", OLD."unit_zh_hans", OLD."unit_zh_hant"); RETURN NULL;',
                    hash="e9e50116df67729704a2be95f9ba22a6da2fbe75",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_70c29",
                    table="members_memberattribute",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="memberattributeevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="memberattributeevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.memberattribute",
            ),
        ),
        migrations.AddField(
            model_name="memberfreeze",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="freezes",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberpreference",
            constraint=models.CheckConstraint(
                condition=models.Q(("channels__contained_by", ["email", "sms", "wechat", "app", "phone", "post"])),
                name="preferred_channels_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberpreference",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_from__isnull", True), ("quiet_to__isnull", True)),
                    models.Q(
                        ("quiet_from__isnull", False),
                        ("quiet_to__isnull", False),
                        models.Q(("quiet_from", models.F("quiet_to")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="quiet_hours_have_two_ends",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recruitingsource",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_recruitingsourceevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="f3c6ecbf00bfbc9aa14ee096b99a5eedab69d1c9",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_7c967",
                    table="members_recruitingsource",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recruitingsource",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_recruitingsourceevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="0c69c148fd8c9aea78e0e82bd10cf340f6af1717",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_d95ef",
                    table="members_recruitingsource",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="recruitingsource",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_recruitingsourceevent" ("code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="4f8c69266846000c90f108137c3c765cd549ba57",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_16767",
                    table="members_recruitingsource",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="recruiting_source",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.recruitingsource",
                verbose_name="recruiting source",
            ),
        ),
        migrations.AddField(
            model_name="recruitingsourceevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="recruitingsourceevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.recruitingsource",
            ),
        ),
        migrations.AddField(
            model_name="region",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="parts",
                to="members.region",
                verbose_name="part of",
            ),
        ),
        migrations.AddField(
            model_name="member",
            name="home_region",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.region",
                verbose_name="home region",
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="region",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stores",
                to="members.region",
                verbose_name="region",
            ),
        ),
        migrations.AddField(
            model_name="storeevent",
            name="region",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.region",
                verbose_name="region",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("inviter", models.F("id")), _negated=True), name="member_is_not_invited_by_itself"
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status", "frozen"),
                    models.Q(("frozen_but_earns", False), ("frozen_but_signs_in", False), ("frozen_but_spends", False)),
                    _connector="OR",
                ),
                name="only_a_freeze_leaves_something_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("frozen_but_earns", True),
                    ("frozen_but_signs_in", True),
                    ("frozen_but_spends", True),
                    _negated=True,
                ),
                name="freeze_of_a_member_forbids_something",
            ),
        ),
        migrations.AddField(
            model_name="regionevent",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="members.region",
                verbose_name="part of",
            ),
        ),
        migrations.AddField(
            model_name="regionevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="regionevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.region",
            ),
        ),
        migrations.AddIndex(
            model_name="cardbatch",
            index=models.Index(fields=["-made_at", "-id"], name="card_batch_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="cardbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("prefix__regex", "^[1-9][0-9]{3,7}$")), name="card_prefix_is_digits"
            ),
        ),
        migrations.AddConstraint(
            model_name="cardbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gte", 1), ("quantity__lte", 100000)),
                name="card_batch_has_a_sensible_size",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "first_running__lte",
                        django.db.models.expressions.CombinedExpression(
                            models.Value(100000000), "-", models.F("quantity")
                        ),
                    )
                ),
                name="card_numbers_keep_their_length",
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__regex", "^[1-9][0-9]{12,16}$")), name="card_number_is_digits"
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bound_at__isnull", True),
                        ("ended_at__isnull", True),
                        ("member__isnull", True),
                        ("state", "in_stock"),
                    ),
                    models.Q(
                        ("bound_at__isnull", False),
                        ("ended_at__isnull", True),
                        ("member__isnull", False),
                        ("state", "in_use"),
                    ),
                    models.Q(
                        ("ended_at__isnull", False),
                        ("member__isnull", False),
                        ("state__in", ["lost", "replaced", "returned"]),
                    ),
                    _connector="OR",
                ),
                name="card_state_fits_its_dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "in_use")), fields=("member",), name="member_has_one_card_in_use"
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.CheckConstraint(
                condition=models.Q(("replaced_by__isnull", True), ("state__in", ["lost", "replaced"]), _connector="OR"),
                name="card_in_use_has_no_successor",
            ),
        ),
        migrations.AddIndex(
            model_name="closure",
            index=models.Index(
                condition=models.Q(("state", "asked")), fields=["effective_at"], name="closures_by_effect"
            ),
        ),
        migrations.AddIndex(
            model_name="closure",
            index=models.Index(fields=["-asked_at", "-id"], name="closure_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["asked", "closed", "taken_back"])), name="closure_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["asked", "closed"])),
                fields=("member",),
                name="member_leaves_once_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.CheckConstraint(
                condition=models.Q(("effective_at__gte", models.F("asked_at"))), name="closure_is_not_backdated"
            ),
        ),
        migrations.AddConstraint(
            model_name="closure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state", "asked"), ("taken_back_at__isnull", True)),
                    models.Q(("closed_at__isnull", False), ("state", "closed"), ("taken_back_at__isnull", True)),
                    models.Q(("state", "taken_back"), ("taken_back_at__isnull", False)),
                    _connector="OR",
                ),
                name="closure_says_when_it_changed",
            ),
        ),
        migrations.AddIndex(
            model_name="attributevalue",
            index=models.Index(fields=["attribute", "member"], name="attribute_values_of_a_detail"),
        ),
        migrations.AddConstraint(
            model_name="attributevalue",
            constraint=models.UniqueConstraint(
                fields=("member", "attribute"), name="member_has_one_value_of_an_attribute"
            ),
        ),
        migrations.AddConstraint(
            model_name="attributevalue",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("codes", None), ("date", None), ("flag", None), ("number", None), ("text__isnull", False)
                    ),
                    models.Q(
                        ("codes", None), ("date", None), ("flag", None), ("number__isnull", False), ("text", None)
                    ),
                    models.Q(
                        ("codes", None), ("date__isnull", False), ("flag", None), ("number", None), ("text", None)
                    ),
                    models.Q(
                        ("codes", None), ("date", None), ("flag__isnull", False), ("number", None), ("text", None)
                    ),
                    models.Q(
                        ("codes__isnull", False), ("date", None), ("flag", None), ("number", None), ("text", None)
                    ),
                    _connector="OR",
                ),
                name="attribute_value_has_one_type",
            ),
        ),
        migrations.AddConstraint(
            model_name="attributevalue",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("text", ""), _negated=True), models.Q(("codes__len", 0), _negated=True)),
                name="attribute_value_says_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="attributechoice",
            constraint=models.UniqueConstraint(fields=("attribute", "code"), name="answer_code_is_used_once"),
        ),
        migrations.AddConstraint(
            model_name="attributechoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("code__regex", "^[a-z0-9][a-z0-9_]*$")), name="answer_code_is_a_word"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="attributechoice",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_attributechoiceevent" ("attribute_id", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."attribute_id", NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="f575df66e87498fb86bc1662a6a9cdb5bb81e0ea",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c4f6b",
                    table="members_attributechoice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="attributechoice",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_attributechoiceevent" ("attribute_id", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."attribute_id", NEW."code", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="e44e0f56d9eeee0dfa367b07fb3208872117962b",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_a577f",
                    table="members_attributechoice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="attributechoice",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_attributechoiceevent" ("attribute_id", "code", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."attribute_id", OLD."code", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."order", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="4924e6078730b4760554002e4caacfb789ec6af2",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_7d76f",
                    table="members_attributechoice",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="memberfreeze",
            index=models.Index(
                condition=models.Q(("released_at__isnull", True)), fields=["release_at"], name="freezes_by_release"
            ),
        ),
        migrations.AddIndex(
            model_name="memberfreeze",
            index=models.Index(fields=["-frozen_at", "-id"], name="freeze_newest_first"),
        ),
        migrations.AddConstraint(
            model_name="memberfreeze",
            constraint=models.UniqueConstraint(
                condition=models.Q(("released_at__isnull", True)),
                fields=("member",),
                name="member_has_one_freeze_in_force",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberfreeze",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("stops_earning", True), ("stops_spending", True), ("stops_sign_in", True), _connector="OR"
                ),
                name="freeze_stops_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="memberfreeze",
            constraint=models.CheckConstraint(
                condition=models.Q(("release_at__gt", models.F("frozen_at"))), name="freeze_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="region",
            constraint=models.CheckConstraint(
                condition=models.Q(("parent", models.F("id")), _negated=True), name="region_is_no_part_of_itself"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="region",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_regionevent" ("code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "parent_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."parent_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="bf780156fee1e441bca45ea7ce45e77c9625d99e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_cd52a",
                    table="members_region",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="region",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_regionevent" ("code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "parent_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."id", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."parent_id", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="64ea221e00a66ee3958bac7dd4726cb36cfc4988",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_78c49",
                    table="members_region",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="region",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_regionevent" ("code", "id", "name", "name_en", "name_zh_hans", "name_zh_hant", "parent_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."id", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."parent_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="90f65b754d3adb0f06dffec961f524d5e00eb1dc",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a9ee6",
                    table="members_region",
                    when="AFTER",
                ),
            ),
        ),
        migrations.CreateModel(
            name="OnboardingTaskEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.SlugField(
                        db_index=False,
                        help_text="How apps name it. It can not be changed later.",
                        max_length=30,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="task")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("hint", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "hint_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "hint_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "hint_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                ("condition", models.JSONField(verbose_name="done when")),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="So many days after joining it is on the list.",
                        verbose_name="shown for (days)",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Household",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "shares_benefits",
                    models.BooleanField(
                        default=False,
                        help_text="What one is entitled to, the others may use as well.",
                        verbose_name="benefits are shared",
                    ),
                ),
                (
                    "shares_vouchers",
                    models.BooleanField(
                        default=False,
                        help_text="The vouchers of one may be used by the others.",
                        verbose_name="vouchers are shared",
                    ),
                ),
                ("made_at", models.DateTimeField(verbose_name="made at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
            ],
            options={
                "verbose_name": "household",
                "verbose_name_plural": "households",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at__isnull", True), ("ended_at__gte", models.F("made_at")), _connector="OR"
                        ),
                        name="household_ends_after_it_begins",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HouseholdMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("head", "head"), ("adult", "adult"), ("child", "child")],
                        max_length=8,
                        verbose_name="role",
                    ),
                ),
                ("agreed_at", models.DateTimeField(verbose_name="agreed at")),
                ("left_at", models.DateTimeField(null=True, verbose_name="left at")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                (
                    "household",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="people",
                        to="members.household",
                        verbose_name="household",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="households",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "member of a household",
                "verbose_name_plural": "members of households",
            },
        ),
        migrations.CreateModel(
            name="OnboardingTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.SlugField(
                        help_text="How apps name it. It can not be changed later.",
                        max_length=30,
                        unique=True,
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="task")),
                ("name_zh_hans", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_zh_hant", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("name_en", models.CharField(max_length=60, null=True, verbose_name="task")),
                ("hint", models.CharField(blank=True, max_length=120, verbose_name="what members read beneath")),
                (
                    "hint_zh_hans",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "hint_zh_hant",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                (
                    "hint_en",
                    models.CharField(blank=True, max_length=120, null=True, verbose_name="what members read beneath"),
                ),
                ("condition", models.JSONField(verbose_name="done when")),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="So many days after joining it is on the list.",
                        verbose_name="shown for (days)",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                ("order", models.PositiveSmallIntegerField(default=0, verbose_name="place in the list")),
            ],
            options={
                "verbose_name": "task of new members",
                "verbose_name_plural": "tasks of new members",
                "ordering": ["order", "code"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("days__gte", 1), ("days__lte", 366)),
                        name="onboarding_task_is_shown_for_a_while",
                    )
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="onboardingtask",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_onboardingtaskevent" ("code", "condition", "days", "hint", "hint_en", "hint_zh_hans", "hint_zh_hant", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."condition", NEW."days", NEW."hint", NEW."hint_en", NEW."hint_zh_hans", NEW."hint_zh_hant", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'insert\', NEW."id"); RETURN NULL;',
                    hash="a85b24ebcf27fd8a59e7136b81deb44ecb9c8efd",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_4e5c1",
                    table="members_onboardingtask",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="onboardingtask",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "members_onboardingtaskevent" ("code", "condition", "days", "hint", "hint_en", "hint_zh_hans", "hint_zh_hant", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."condition", NEW."days", NEW."hint", NEW."hint_en", NEW."hint_zh_hans", NEW."hint_zh_hant", NEW."id", NEW."is_on", NEW."name", NEW."name_en", NEW."name_zh_hans", NEW."name_zh_hant", NEW."order", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;',
                    hash="cca78279f64b452e8d6bdc970add58777e1b6c16",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_c6841",
                    table="members_onboardingtask",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="onboardingtask",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "members_onboardingtaskevent" ("code", "condition", "days", "hint", "hint_en", "hint_zh_hans", "hint_zh_hant", "id", "is_on", "name", "name_en", "name_zh_hans", "name_zh_hant", "order", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (OLD."code", OLD."condition", OLD."days", OLD."hint", OLD."hint_en", OLD."hint_zh_hans", OLD."hint_zh_hant", OLD."id", OLD."is_on", OLD."name", OLD."name_en", OLD."name_zh_hans", OLD."name_zh_hant", OLD."order", _pgh_attach_context(), NOW(), \'delete\', OLD."id"); RETURN NULL;',
                    hash="f18271c0db6b052a93429780fe7cde33ad339510",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_f5147",
                    table="members_onboardingtask",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddField(
            model_name="onboardingtaskevent",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="pghistory.context",
            ),
        ),
        migrations.AddField(
            model_name="onboardingtaskevent",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="members.onboardingtask",
            ),
        ),
        migrations.AddConstraint(
            model_name="householdmember",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["head", "adult", "child"])), name="household_role_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="householdmember",
            constraint=models.UniqueConstraint(
                condition=models.Q(("left_at__isnull", True)), fields=("member",), name="member_lives_in_one_household"
            ),
        ),
        migrations.AddConstraint(
            model_name="householdmember",
            constraint=models.UniqueConstraint(
                condition=models.Q(("left_at__isnull", True), ("role", "head")),
                fields=("household",),
                name="household_has_one_head",
            ),
        ),
        migrations.RunSQL(REGIONS_ARE_A_TREE, DROP_TREE),
        migrations.RunSQL(
            "".join(
                refuse_changes_sql(f"members_{name}event")
                for name in (
                    "region",
                    "recruitingsource",
                    "closingreason",
                    "memberattribute",
                    "attributechoice",
                    "onboardingtask",
                )
            ),
            migrations.RunSQL.noop,
        ),
        migrations.RunPython(make, migrations.RunPython.noop),
    ]
