"""What staff want to know of members beyond the fixed fields: typed details with a purpose, and what members prefer."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.consents import ContactChannel
from members.models.people import Member


class MemberAttribute(models.Model):
    """A detail that staff defined: its type, what it is kept for, and how sensitive it is. Code and type are for ever.

    Switched off it is not asked for or shown any more; what was told stays until the person is erased.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        TEXT = "text", pgettext_lazy("attribute", "text")
        NUMBER = "number", pgettext_lazy("attribute", "number")
        DATE = "date", pgettext_lazy("attribute", "date")
        YES_NO = "yes_no", pgettext_lazy("attribute", "yes or no")
        CHOICE = "choice", pgettext_lazy("attribute", "one of a list")
        CHOICES = "choices", pgettext_lazy("attribute", "several of a list")

    class Sensitivity(models.TextChoices):
        ORDINARY = "ordinary", pgettext_lazy("attribute", "ordinary")
        SENSITIVE = "sensitive", pgettext_lazy("attribute", "sensitive: only with the member's own agreement")

    code = models.SlugField(
        _("code"), max_length=30, unique=True, help_text=_("How apps and shops name it. It can not be changed later.")
    )
    name = models.CharField(_("detail"), max_length=60)
    purpose = models.CharField(
        _("what it is kept for"),
        max_length=200,
        help_text=_("Members read this. A detail without a purpose is not kept."),
    )
    kind = models.CharField(_("type"), max_length=10, choices=Kind, help_text=_("It can not be changed later."))
    unit = models.CharField(_("unit"), max_length=20, blank=True, help_text=_("Of a number, for example cm."))
    sensitivity = models.CharField(
        _("sensitivity"),
        max_length=10,
        choices=Sensitivity,
        default=Sensitivity.ORDINARY,
        help_text=_("Health, religion, finances and everything about children is sensitive."),
    )
    is_open_to_members = models.BooleanField(
        _("members may change it"), default=True, help_text=_("Off: only staff and shops tell it.")
    )
    counts = models.BooleanField(
        _("belongs to a complete profile"), default=False, help_text=_("On: the completeness of profiles counts it.")
    )
    is_on = models.BooleanField(_("in use"), default=True)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=0)

    class Meta:
        verbose_name = _("detail of members")
        verbose_name_plural = _("details of members")
        ordering = ["order", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z][a-z0-9_]*$"), name="attribute_code_is_a_word"),
            models.CheckConstraint(
                condition=Q(kind__in=["text", "number", "date", "yes_no", "choice", "choices"]),
                name="attribute_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(sensitivity__in=["ordinary", "sensitive"]), name="attribute_sensitivity_is_known"
            ),
            models.CheckConstraint(condition=~Q(purpose=""), name="attribute_has_a_purpose"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_sensitive(self) -> bool:
        """Whether the member's own agreement is needed."""
        return self.sensitivity == self.Sensitivity.SENSITIVE


class AttributeChoice(models.Model):
    """One answer that a detail of the kinds with a list offers. Switched off, never deleted: profiles name it by code."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    attribute = models.ForeignKey(
        MemberAttribute, on_delete=models.PROTECT, related_name="choices", verbose_name=_("detail")
    )
    code = models.SlugField(_("code"), max_length=30)
    name = models.CharField(_("answer"), max_length=60)
    is_on = models.BooleanField(_("offered"), default=True)
    order = models.PositiveSmallIntegerField(_("place in the list"), default=0)

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        ordering = ["order", "code"]
        constraints = [
            models.UniqueConstraint(fields=["attribute", "code"], name="answer_code_is_used_once"),
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z0-9][a-z0-9_]*$"), name="answer_code_is_a_word"),
        ]

    def __str__(self) -> str:
        return self.name


class AttributeValue(models.Model):
    """What is known of one member for one detail, in the column of its type. Personal: deleted with the person.

    `agreed_at` says when the member agreed that a sensitive one is kept.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("text", "number", "date", "flag", "codes")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="attribute_values", verbose_name=_("member"), db_index=False
    )
    attribute = models.ForeignKey(
        MemberAttribute, on_delete=models.PROTECT, related_name="values", verbose_name=_("detail"), db_index=False
    )
    text = models.CharField(_("text"), max_length=200, null=True)
    number = models.DecimalField(_("number"), max_digits=14, decimal_places=2, null=True)
    date = models.DateField(_("date"), null=True)
    flag = models.BooleanField(_("yes or no"), null=True)
    codes = ArrayField(models.CharField(max_length=30), verbose_name=_("answers"), null=True)
    agreed_at = models.DateTimeField(_("agreed at"), null=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("detail of a member")
        verbose_name_plural = _("details of a member")
        constraints = [
            models.UniqueConstraint(fields=["member", "attribute"], name="member_has_one_value_of_an_attribute"),
            models.CheckConstraint(
                condition=Q(text__isnull=False, number=None, date=None, flag=None, codes=None)
                | Q(text=None, number__isnull=False, date=None, flag=None, codes=None)
                | Q(text=None, number=None, date__isnull=False, flag=None, codes=None)
                | Q(text=None, number=None, date=None, flag__isnull=False, codes=None)
                | Q(text=None, number=None, date=None, flag=None, codes__isnull=False),
                name="attribute_value_has_one_type",
            ),
            models.CheckConstraint(condition=~Q(text="") & ~Q(codes__len=0), name="attribute_value_says_something"),
        ]
        indexes = [models.Index(fields=["attribute", "member"], name="attribute_values_of_a_detail")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberPreference(models.Model):
    """How a member wants to be spoken to: by which channels, and not at which hours. No row: nothing was said.

    What a member prefers allows nothing by itself; whether a message may go out is a matter of consent.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("channels", "quiet_from", "quiet_to")

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="preference", verbose_name=_("member")
    )
    channels = ArrayField(
        models.CharField(max_length=10, choices=ContactChannel),
        verbose_name=_("channels, the dearest first"),
        default=list,
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [
            models.CheckConstraint(
                condition=Q(channels__contained_by=["email", "sms", "wechat", "app", "phone", "post"]),
                name="preferred_channels_are_known",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=models.F("quiet_to")),
                name="quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
