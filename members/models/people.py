"""Members, and the one table that holds what is personal about them."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Lower, Right
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.places import Channel, RecruitingSource, Region, Store


class NextMemberNo(models.Func):
    """The database's next member number: a running number with a Luhn check digit."""

    function = "members_next_member_no"
    output_field = models.CharField()


class Member(models.Model):
    """One person in the programme, without anything that says who. Never deleted: ledgers point here.

    What is personal stands in MemberPerson and can be erased while this row, and all sums, stay. A frozen member may do
    nothing but what the three `frozen_but_…` allow; they say what the freeze in force says (`MemberFreeze`). Until
    `cooling_until` nothing leaves the account: the phone number is new, and whoever took it over must not empty it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("member", "active")
        FROZEN = "frozen", _("frozen")
        CLOSED = "closed", pgettext_lazy("member", "closed")

    class Act(models.TextChoices):
        EARN = "earn", pgettext_lazy("act", "earn points")
        SPEND = "spend", pgettext_lazy("act", "spend points and vouchers")
        SIGN_IN = "sign_in", pgettext_lazy("act", "sign in")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member_no = models.CharField(
        _("member number"), max_length=20, unique=True, editable=False, db_default=NextMemberNo()
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.ACTIVE, db_default=Status.ACTIVE.value
    )
    frozen_but_earns = models.BooleanField(_("earns while frozen"), default=False, db_default=False, editable=False)
    frozen_but_spends = models.BooleanField(_("spends while frozen"), default=False, db_default=False, editable=False)
    frozen_but_signs_in = models.BooleanField(
        _("signs in while frozen"), default=False, db_default=False, editable=False
    )
    joined_at = models.DateTimeField(_("joined at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, verbose_name=_("joined through"), related_name="+")
    home_store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("home store"), related_name="+"
    )
    joined_store = models.ForeignKey(
        Store,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("joined in store"),
        related_name="+",
        db_index=False,
    )
    home_region = models.ForeignKey(
        Region, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("home region"), related_name="+"
    )
    recruiting_source = models.ForeignKey(
        RecruitingSource,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("recruiting source"),
        related_name="+",
        db_index=False,
    )
    inviter = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("invited by"), related_name="invitees"
    )
    language = models.CharField(_("language"), max_length=10, default="zh-hans", db_default="zh-hans")
    profile_version = models.PositiveIntegerField(_("version of the profile"), default=1, db_default=1, editable=False)
    cooling_until = models.DateTimeField(_("points stay until"), null=True, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("merged into"),
        related_name="+",
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "frozen", "closed"]), name="member_status_is_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(merged_into=models.F("id")), name="member_is_not_merged_into_itself"
            ),
            models.CheckConstraint(condition=~models.Q(inviter=models.F("id")), name="member_is_not_invited_by_itself"),
            models.CheckConstraint(
                condition=models.Q(status="frozen")
                | models.Q(frozen_but_earns=False, frozen_but_spends=False, frozen_but_signs_in=False),
                name="only_a_freeze_leaves_something_open",
            ),
            models.CheckConstraint(
                condition=~models.Q(frozen_but_earns=True, frozen_but_spends=True, frozen_but_signs_in=True),
                name="freeze_of_a_member_forbids_something",
            ),
        ]
        indexes = [models.Index(fields=["-joined_at", "-id"], name="member_newest_first")]
        permissions = [
            ("view_personal_data", _("Can see personal data unmasked")),
            ("view_sensitive_attributes", _("Can see and record sensitive details of members")),
            ("correct_birthday", _("Can change a birthday more than once a year")),
            ("close_member", _("Can close memberships and take it back")),
            ("change_phone", _("Can give members another phone number after proofs")),
        ]

    def __str__(self) -> str:
        return self.member_no

    def status_to(self, act: "Member.Act") -> str:
        """Return the status that counts for an act: active, also for a frozen member whose freeze leaves the act open."""
        left_open = {
            Member.Act.EARN: self.frozen_but_earns,
            Member.Act.SPEND: self.frozen_but_spends,
            Member.Act.SIGN_IN: self.frozen_but_signs_in,
        }
        return Member.Status.ACTIVE if self.status == Member.Status.FROZEN and left_open[act] else self.status


class MemberPerson(models.Model):
    """Who a member is, in plain text: the one deletable table of personal data, with its search keys."""

    personal_data: ClassVar[tuple[str, ...]] = (
        "full_name",
        "name_pinyin",
        "name_initials",
        "phone",
        "email",
        "birthday",
        "birthday_changed_at",
    )

    member = models.OneToOneField(Member, on_delete=models.PROTECT, primary_key=True, related_name="person")
    full_name = models.CharField(_("name"), max_length=80, blank=True)
    name_pinyin = models.CharField(_("pinyin of the name"), max_length=120, blank=True, editable=False)
    name_initials = models.CharField(_("initials of the name"), max_length=20, blank=True, editable=False)
    phone = models.CharField(
        _("phone"), max_length=16, null=True, blank=True, help_text=_("With country code, for example +8613800138000.")
    )
    email = models.EmailField(_("e-mail"), null=True, blank=True)
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    birthday_changed_at = models.DateTimeField(_("birthday changed at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("personal data")
        verbose_name_plural = _("personal data")
        constraints = [
            models.UniqueConstraint(fields=["phone"], name="phone_belongs_to_one_member"),
            models.UniqueConstraint(Lower("email"), name="email_belongs_to_one_member"),
            models.CheckConstraint(condition=models.Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"), name="phone_is_e164"),
            models.CheckConstraint(condition=~models.Q(email=""), name="email_is_absent_or_filled"),
        ]
        indexes = [
            models.Index(fields=["full_name"], name="person_name_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["name_pinyin"], name="person_pinyin_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["name_initials"], name="person_initials_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["phone"], name="person_phone_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(Right("phone", 4), name="person_phone_tail"),
        ]

    def __str__(self) -> str:
        return self.full_name


class Identity(models.Model):
    """A name under which another system knows a member: a shop's customer id, a WeChat openid in one app.

    `issuer` is the space in which the value is unique: the shop, the appid, the WeChat open platform account. Unlinked by
    deletion (the timeline keeps that it was there, not the value); deleted with the person. Cards are not here: they exist
    before they belong to anybody.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("value",)

    class Kind(models.TextChoices):
        EXTERNAL = "external", _("id of another system")
        WECHAT_OPENID = "wechat_openid", _("WeChat openid of an app")
        WECHAT_UNIONID = "wechat_unionid", _("WeChat unionid")
        APP_USER = "app_user", _("user of an app")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="identities", verbose_name=_("member"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.EXTERNAL)
    issuer = models.CharField(_("issued by"), max_length=40)
    value = models.CharField(_("identity"), max_length=120)
    linked_at = models.DateTimeField(_("linked at"))

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            models.UniqueConstraint(fields=["kind", "issuer", "value"], name="identity_belongs_to_one_member"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["external", "wechat_openid", "wechat_unionid", "app_user"]),
                name="identity_kind_is_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(issuer="") & ~models.Q(value=""), name="identity_is_not_an_empty_text"
            ),
            models.CheckConstraint(
                condition=~models.Q(kind__in=["wechat_openid", "wechat_unionid"])
                | models.Q(value__regex=r"^[A-Za-z0-9_-]{20,64}$"),
                name="identity_of_wechat_has_its_form",
            ),
        ]
        indexes = [models.Index(fields=["value"], name="identities_by_value")]

    def __str__(self) -> str:
        return f"{self.issuer}: {self.value}"
