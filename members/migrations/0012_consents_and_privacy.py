"""Consent as a ledger with its texts, what is in force of it, and wishes about personal data."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
from datetime import UTC, datetime

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from members.history import refuse_changes_sql

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

# purpose: zh-Hans, zh-Hant, English. The first words of every installation; staff publish their own.
TEXTS = {
    "contact": (
        "您可以与我联系。具体用途和方式由我另行逐项选择。",
        "您可以與我聯絡。具體用途和方式由我另行逐項選擇。",
        "You may contact me. For what, and how, I choose separately.",
    ),
    "service": (
        "请将与我的会员资格有关的通知发送给我，例如等级变动和即将过期的积分。",
        "請將與我的會員資格有關的通知傳送給我，例如等級變動和即將到期的積分。",
        "Send me notices about my own membership, such as a change of tier or points that are about to expire.",
    ),
    "marketing": (
        "我同意通过我选择的渠道接收优惠与新品信息。我可以随时撤回，撤回后立即停止发送。",
        "我同意透過我選擇的管道接收優惠與新品資訊。我可以隨時撤回，撤回後立即停止傳送。",
        "I agree to receive offers and news through the channels that I choose. I can withdraw at any time; sending stops at once.",
    ),
    "research": (
        "我同意受邀参加问卷和访谈，是否参加由我自己决定。",
        "我同意受邀參加問卷和訪談，是否參加由我自己決定。",
        "I agree to be invited to surveys and interviews. Whether I take part is up to me.",
    ),
    "personalisation": (
        "您可以根据我的消费记录为我挑选优惠。关闭后，我只会收到与他人相同的优惠。",
        "您可以根據我的消費紀錄為我挑選優惠。關閉後，我只會收到與他人相同的優惠。",
        "You may choose offers for me by what I bought. Switched off, I get the same offers as everybody.",
    ),
    "behaviour": (
        "我同意在一段时间内记录我在应用中浏览、搜索和分享的内容。",
        "我同意在一段時間內記錄我在應用程式中瀏覽、搜尋和分享的內容。",
        "I agree that what I view, search for and share in the app is recorded for a limited time.",
    ),
    "sensitive": (
        "我单独同意保存我自愿填写的敏感个人信息，仅用于所列用途。",
        "我單獨同意保存我自願填寫的敏感個人資料，僅用於所列用途。",
        "I agree separately that the sensitive details I give are kept, for nothing but the purposes named with them.",
    ),
    "sharing": (
        "我同意将兑换所需的信息提供给我选择的合作伙伴。",
        "我同意將兌換所需的資訊提供給我選擇的合作夥伴。",
        "I agree that the partners I choose get what they need to exchange my points.",
    ),
}

# Who looked at personal data: by the one who looked, and by the member who was looked at.
LOOKS = """
CREATE INDEX timeline_of_looks ON members_timelineentry (actor_id, happened_at)
    WHERE kind = 'members.personal_data_viewed.v1';
CREATE INDEX timeline_of_what_was_seen ON members_timelineentry (member_id, id)
    WHERE kind IN ('members.personal_data_viewed.v1', 'members.copy_asked.v1', 'members.copy_taken.v1');
"""
UNDO_LOOKS = "DROP INDEX timeline_of_looks; DROP INDEX timeline_of_what_was_seen;"


def make(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    texts = apps.get_model("members", "ConsentText").objects
    for purpose, (hans, hant, english) in TEXTS.items():
        words = {"body": hans, "body_zh_hans": hans, "body_zh_hant": hant, "body_en": english}
        texts.get_or_create(purpose=purpose, version=1, defaults={"valid_from": LONG_AGO, **words})


class Migration(migrations.Migration):
    dependencies = [("members", "0011_segments_and_tags")]

    operations = [
        migrations.CreateModel(
            name="ConsentText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("contact", "being contacted at all"),
                            ("service", "notices about one's own membership"),
                            ("marketing", "offers and news"),
                            ("research", "surveys and interviews"),
                            ("personalisation", "offers chosen by what one did"),
                            ("behaviour", "recording of what one looks at"),
                            ("sensitive", "sensitive details of the profile"),
                            ("sharing", "passing on to partners"),
                        ],
                        max_length=20,
                        verbose_name="purpose",
                    ),
                ),
                ("version", models.PositiveSmallIntegerField(verbose_name="version")),
                ("body", models.TextField(max_length=2000, verbose_name="text")),
                ("body_zh_hans", models.TextField(max_length=2000, null=True, verbose_name="text")),
                ("body_zh_hant", models.TextField(max_length=2000, null=True, verbose_name="text")),
                ("body_en", models.TextField(max_length=2000, null=True, verbose_name="text")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
            ],
            options={
                "verbose_name": "text of a consent",
                "verbose_name_plural": "texts of consents",
                "permissions": [("publish_consenttext", "Can publish the words that members agree to")],
                "ordering": ["purpose", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("purpose", "version"), name="versions_of_a_consent_are_numbered"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "purpose__in",
                                [
                                    "contact",
                                    "service",
                                    "marketing",
                                    "research",
                                    "personalisation",
                                    "behaviour",
                                    "sensitive",
                                    "sharing",
                                ],
                            )
                        ),
                        name="purpose_of_text_is_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("version__gt", 0)), name="consent_texts_begin_with_one"),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ConsentEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consents",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("contact", "being contacted at all"),
                            ("service", "notices about one's own membership"),
                            ("marketing", "offers and news"),
                            ("research", "surveys and interviews"),
                            ("personalisation", "offers chosen by what one did"),
                            ("behaviour", "recording of what one looks at"),
                            ("sensitive", "sensitive details of the profile"),
                            ("sharing", "passing on to partners"),
                        ],
                        max_length=20,
                        verbose_name="purpose",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("wechat", "WeChat"),
                            ("app", "app"),
                            ("phone", "phone call"),
                            ("post", "letter"),
                        ],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                (
                    "decision",
                    models.CharField(
                        choices=[("given", "given"), ("withdrawn", "withdrawn"), ("cleared", "as if never asked")],
                        max_length=10,
                        verbose_name="decision",
                    ),
                ),
                (
                    "text",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.consenttext",
                        verbose_name="text that was seen",
                    ),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("self", "by the member in an app"),
                            ("call", "on the phone"),
                            ("store", "in a store"),
                            ("paper", "on paper"),
                            ("message", "by answering a message"),
                            ("import", "from another system"),
                            ("merge", "when two records were merged"),
                        ],
                        max_length=10,
                        verbose_name="how it was said",
                    ),
                ),
                ("by_guardian", models.BooleanField(default=False, verbose_name="said by a parent or guardian")),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                (
                    "recorded_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="recorded at"
                    ),
                ),
            ],
            options={
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
                "permissions": [("record_consent", "Can record what members agree to, and stop all contact")],
                "indexes": [
                    models.Index(
                        fields=["member", "purpose", "channel", "-happened_at", "-id"], name="consents_of_member"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "purpose__in",
                                [
                                    "contact",
                                    "service",
                                    "marketing",
                                    "research",
                                    "personalisation",
                                    "behaviour",
                                    "sensitive",
                                    "sharing",
                                ],
                            )
                        ),
                        name="purpose_of_consent_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel__in", ["", "email", "sms", "wechat", "app", "phone", "post"])),
                        name="channel_of_consent_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("decision__in", ["given", "withdrawn", "cleared"])),
                        name="decision_of_consent_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("decision", "given"), _negated=True), ("text__isnull", False), _connector="OR"
                        ),
                        name="consent_given_names_its_text",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsentState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consent_states",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("contact", "being contacted at all"),
                            ("service", "notices about one's own membership"),
                            ("marketing", "offers and news"),
                            ("research", "surveys and interviews"),
                            ("personalisation", "offers chosen by what one did"),
                            ("behaviour", "recording of what one looks at"),
                            ("sensitive", "sensitive details of the profile"),
                            ("sharing", "passing on to partners"),
                        ],
                        max_length=20,
                        verbose_name="purpose",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("wechat", "WeChat"),
                            ("app", "app"),
                            ("phone", "phone call"),
                            ("post", "letter"),
                        ],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("is_given", models.BooleanField(verbose_name="given")),
                ("by_guardian", models.BooleanField(default=False, verbose_name="said by a parent or guardian")),
                ("since_at", models.DateTimeField(verbose_name="since")),
                (
                    "entry",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.consententry",
                        verbose_name="consent",
                    ),
                ),
            ],
            options={
                "verbose_name": "consent in force",
                "verbose_name_plural": "consents in force",
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_given", False), ("purpose", "contact")),
                        fields=["member"],
                        name="members_not_to_be_contacted",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("member", "purpose", "channel"), name="consent_has_one_state")
                ],
            },
        ),
        migrations.CreateModel(
            name="PrivacyRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        editable=False,
                        unique=True,
                        verbose_name="public id",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("copy", "copy of the data"), ("erasure", "erasure")],
                        max_length=10,
                        verbose_name="what is asked for",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("done", "done"),
                            ("withdrawn", "taken back"),
                            ("failed", "failed"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="privacy_requests",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("self", "by the member in an app"),
                            ("call", "on the phone"),
                            ("store", "in a store"),
                            ("paper", "on paper"),
                            ("message", "by answering a message"),
                            ("import", "from another system"),
                            ("merge", "when two records were merged"),
                        ],
                        max_length=10,
                        verbose_name="how it was said",
                    ),
                ),
                ("actor_kind", models.CharField(max_length=12, verbose_name="kind of actor")),
                ("actor_id", models.BigIntegerField(null=True, verbose_name="actor")),
                ("asked_at", models.DateTimeField(verbose_name="asked for at")),
                ("due_at", models.DateTimeField(null=True, verbose_name="due at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "job",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="members.job",
                        verbose_name="job",
                    ),
                ),
                ("link_until", models.DateTimeField(null=True, verbose_name="can be fetched until")),
                ("counts", models.JSONField(default=dict, help_text="Rows by kind.", verbose_name="what was erased")),
                (
                    "settled",
                    models.JSONField(default=list, help_text="Kind and figure.", verbose_name="what was given up"),
                ),
            ],
            options={
                "verbose_name": "wish about personal data",
                "verbose_name_plural": "wishes about personal data",
                "permissions": [("handle_privacyrequest", "Can copy and erase what is kept of a member")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("kind", "erasure"), ("state", "waiting")),
                        fields=["due_at"],
                        name="erasures_due",
                    ),
                    models.Index(fields=["-asked_at", "-id"], name="privacy_request_newest_first"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["copy", "erasure"])), name="privacy_request_kind_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "done", "withdrawn", "failed"])),
                        name="privacy_request_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("due_at__isnull", True), ("kind", "copy")),
                            models.Q(("due_at__gt", models.F("asked_at")), ("kind", "erasure")),
                            _connector="OR",
                        ),
                        name="erasure_waits_before_it_is_due",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state", "waiting")),
                            models.Q(models.Q(("state", "waiting"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="ended_privacy_request_says_when",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("member", "kind"),
                        name="member_waits_for_one_of_a_kind",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            "".join(refuse_changes_sql(table) for table in ("members_consenttext", "members_consententry")),
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(LOOKS, UNDO_LOOKS),
        migrations.RunPython(make, migrations.RunPython.noop),
    ]
