"""How members sign in: sessions with rotating tokens, one-time codes, WeChat; counters of rate limits."""

import django.contrib.postgres.functions
import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Opens a review at so many locks of one member in a row.
RULE, MOST = "guessing", 1
TASK = "清理登录痕迹 · Forget traces of sign-ins"


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("members", "RiskRule").objects.get_or_create(code=RULE, defaults={"most": MOST})
    crontab = apps.get_model("django_celery_beat", "CrontabSchedule")
    when = {
        "minute": "15", "hour": "*", "day_of_week": "*", "day_of_month": "*", "month_of_year": "*",
        "timezone": "Asia/Shanghai",
    }  # fmt: skip
    clock = crontab.objects.filter(**when).first() or crontab.objects.create(**when)
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=TASK, defaults={"task": "members.forget_sign_ins", "crontab": clock}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("members", "0015_household_points"),
    ]

    operations = [
        # They live for two hours and belong to no session; only the demo could give any.
        migrations.RunSQL("DELETE FROM members_membertoken", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="GuessingAlarm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.SlugField(db_index=False, max_length=30, verbose_name="what was guessed")),
                ("axis", models.SlugField(db_index=False, max_length=12, verbose_name="counted by")),
                ("hour_at", models.DateTimeField(verbose_name="hour")),
                ("first_at", models.DateTimeField(verbose_name="first")),
                ("last_at", models.DateTimeField(verbose_name="last")),
                ("locks", models.PositiveIntegerField(default=0, verbose_name="locks")),
                (
                    "most_in_a_minute",
                    models.PositiveIntegerField(default=0, verbose_name="most wrong tries in a minute"),
                ),
                ("seen_at", models.DateTimeField(null=True, verbose_name="looked at")),
                ("reason", models.CharField(blank=True, db_default="", max_length=200, verbose_name="what was found")),
            ],
            options={
                "verbose_name": "guessing alarm",
                "verbose_name_plural": "guessing alarms",
                "permissions": [("settle_guessingalarm", "Can note what was found behind an alarm")],
            },
        ),
        migrations.CreateModel(
            name="MemberSession",
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
                    "way",
                    models.CharField(
                        choices=[("wechat", "WeChat"), ("sms", "code by text message"), ("demo", "demo")],
                        max_length=10,
                        verbose_name="signed in with",
                    ),
                ),
                ("device", models.CharField(blank=True, max_length=80, verbose_name="device")),
                (
                    "begun_by",
                    models.CharField(
                        blank=True, editable=False, max_length=16, verbose_name="mark of the binding it began with"
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="signed in at")),
                ("last_used_at", models.DateTimeField(verbose_name="last used at")),
                ("expires_at", models.DateTimeField(verbose_name="ends at the latest")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                (
                    "end",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("logout", "signed out"),
                            ("member", "ended by the member from another device"),
                            ("staff", "ended by staff"),
                            ("reuse", "an old token was used again"),
                            ("phone", "the phone number was changed"),
                            ("standing", "the membership was frozen, closed or merged"),
                            ("repeated", "the answer was lost; the sign-in was repeated"),
                            ("crowded", "too many sessions at a time"),
                        ],
                        max_length=10,
                        verbose_name="why it ended",
                    ),
                ),
            ],
            options={
                "verbose_name": "session of a member",
                "verbose_name_plural": "sessions of members",
                "permissions": [("end_membersession", "Can sign members out")],
            },
        ),
        migrations.CreateModel(
            name="OneTimeCode",
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
                    "purpose",
                    models.CharField(
                        choices=[
                            ("sign_in", "signing in"),
                            ("old_phone", "letting a phone number go"),
                            ("new_phone", "taking a phone number"),
                            ("till", "paying at a till"),
                        ],
                        max_length=10,
                        verbose_name="purpose",
                    ),
                ),
                ("recipient_hash", models.BinaryField(max_length=32, verbose_name="hash of the phone")),
                ("caller_hash", models.BinaryField(max_length=32, verbose_name="hash of who asked for it")),
                ("code_hash", models.BinaryField(max_length=32, verbose_name="hash of the code")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used at")),
            ],
            options={
                "verbose_name": "one-time code",
                "verbose_name_plural": "one-time codes",
            },
        ),
        migrations.CreateModel(
            name="RateCounter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("limit", models.CharField(max_length=40, verbose_name="limit")),
                ("partition", models.BinaryField(max_length=32, verbose_name="hash of what is counted")),
                ("window_at", models.DateTimeField(verbose_name="window since")),
                ("ends_at", models.DateTimeField(verbose_name="window ends")),
                ("used", models.PositiveIntegerField(verbose_name="used")),
                ("granted", models.PositiveIntegerField(verbose_name="granted to the last who asked")),
            ],
            options={
                "verbose_name": "counter of calls",
                "verbose_name_plural": "counters of calls",
            },
        ),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_sha256", models.BinaryField(max_length=32, unique=True, verbose_name="hash of the token")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used at")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked at")),
            ],
            options={
                "verbose_name": "refresh token",
                "verbose_name_plural": "refresh tokens",
            },
        ),
        migrations.CreateModel(
            name="WeChatBinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_sha256", models.BinaryField(max_length=32, unique=True, verbose_name="hash of the token")),
                ("appid", models.CharField(max_length=40, verbose_name="appid")),
                ("openid", models.CharField(max_length=64, verbose_name="openid")),
                ("unionid", models.CharField(blank=True, max_length=64, verbose_name="unionid")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
            ],
            options={
                "verbose_name": "WeChat account without a member",
                "verbose_name_plural": "WeChat accounts without a member",
            },
        ),
        migrations.CreateModel(
            name="WrongTries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.SlugField(db_index=False, max_length=30, verbose_name="what was guessed")),
                ("axis", models.SlugField(db_index=False, max_length=12, verbose_name="counted by")),
                ("partition", models.BinaryField(max_length=32, verbose_name="hash of what is counted")),
                ("tries", models.PositiveIntegerField(verbose_name="tries")),
                ("locks", models.PositiveSmallIntegerField(default=0, verbose_name="locks in a row")),
                ("since_at", models.DateTimeField(verbose_name="counted since")),
                ("last_at", models.DateTimeField(verbose_name="last try")),
                ("locked_until", models.DateTimeField(null=True, verbose_name="locked until")),
            ],
            options={
                "verbose_name": "wrong tries",
                "verbose_name_plural": "wrong tries",
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
                    ("change_phone", "Can give members another phone number after proofs"),
                ],
                "verbose_name": "member",
                "verbose_name_plural": "members",
            },
        ),
        migrations.RemoveField(
            model_name="membertoken",
            name="device",
        ),
        migrations.AddField(
            model_name="member",
            name="cooling_until",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="points stay until"),
        ),
        migrations.AddField(
            model_name="guessingalarm",
            name="seen_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="looked at by",
            ),
        ),
        migrations.AddField(
            model_name="membersession",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sessions",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="membertoken",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tokens",
                to="members.membersession",
                verbose_name="session",
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="onetimecode",
            index=models.Index(fields=["expires_at"], name="one_time_codes_by_end"),
        ),
        migrations.AddConstraint(
            model_name="onetimecode",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose__in", ["sign_in", "old_phone", "new_phone", "till"])),
                name="purpose_of_a_code_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="onetimecode",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))),
                name="one_time_code_ends_after_it_begins",
            ),
        ),
        migrations.AddIndex(
            model_name="ratecounter",
            index=models.Index(fields=["ends_at"], name="call_counters_by_end"),
        ),
        migrations.AddConstraint(
            model_name="ratecounter",
            constraint=models.UniqueConstraint(fields=("limit", "partition"), name="calls_are_counted_in_one_place"),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="session",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refresh_tokens",
                to="members.membersession",
                verbose_name="session",
            ),
        ),
        migrations.AddIndex(
            model_name="wechatbinding",
            index=models.Index(fields=["expires_at"], name="bindings_by_end"),
        ),
        migrations.AddConstraint(
            model_name="wechatbinding",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="binding_ends_after_it_begins"
            ),
        ),
        migrations.AddIndex(
            model_name="wrongtries",
            index=models.Index(fields=["last_at"], name="wrong_tries_by_age"),
        ),
        migrations.AddConstraint(
            model_name="wrongtries",
            constraint=models.UniqueConstraint(
                fields=("kind", "axis", "partition"), name="wrong_tries_are_counted_in_one_place"
            ),
        ),
        migrations.AddIndex(
            model_name="guessingalarm",
            index=models.Index(fields=["-hour_at", "-id"], name="guessing_newest_first"),
        ),
        migrations.AddIndex(
            model_name="guessingalarm",
            index=models.Index(
                condition=models.Q(("seen_at__isnull", True)), fields=["hour_at", "id"], name="guessing_not_looked_at"
            ),
        ),
        migrations.AddConstraint(
            model_name="guessingalarm",
            constraint=models.UniqueConstraint(
                fields=("kind", "axis", "hour_at"), name="guessing_is_told_once_an_hour"
            ),
        ),
        migrations.AddConstraint(
            model_name="guessingalarm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("seen_at__isnull", True), ("seen_by__isnull", True)),
                    models.Q(("seen_at__isnull", False), ("seen_by__isnull", False)),
                    _connector="OR",
                ),
                name="alarm_says_who_looked_at_it",
            ),
        ),
        migrations.AddIndex(
            model_name="membersession",
            index=models.Index(fields=["member", "-last_used_at"], name="sessions_of_a_member"),
        ),
        migrations.AddIndex(
            model_name="membersession",
            index=models.Index(fields=["expires_at"], name="sessions_by_end"),
        ),
        migrations.AddConstraint(
            model_name="membersession",
            constraint=models.CheckConstraint(
                condition=models.Q(("way__in", ["wechat", "sms", "demo"])), name="way_of_signing_in_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="membersession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("end", ""), ("ended_at__isnull", True)),
                    models.Q(("ended_at__isnull", False), models.Q(("end", ""), _negated=True)),
                    _connector="OR",
                ),
                name="session_that_ended_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="membersession",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="session_ends_after_it_begins"
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))),
                name="refresh_token_ends_after_it_begins",
            ),
        ),
        migrations.RunSQL("ALTER TABLE members_ratecounter SET UNLOGGED", "ALTER TABLE members_ratecounter SET LOGGED"),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
