"""Who took what about members out of the portal, and for what."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.access import ApiKey
from members.models.operators import Operator
from members.models.people import Member
from members.models.proposals import Proposal
from members.models.segments import Segment
from members.models.work import Job


class MemberExport(models.Model):
    """One export of data of members: who asked, for what purpose, whom and which fields it holds. Never deleted.

    Asked for by an operator (a proposal and a job carry it out), by a server with a key, or by a member for the own
    data. What stands in the file is not kept here; the file itself ends after 24 hours.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        LIST = "list", pgettext_lazy("export", "list of members")
        SEGMENT = "segment", pgettext_lazy("export", "segment, over the API")
        COPY = "copy", pgettext_lazy("export", "copy of one member's own data")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.LIST)
    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("asked for by"), related_name="+"
    )
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, verbose_name=_("key"), related_name="+")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, verbose_name=_("member"), related_name="+")
    purpose = models.CharField(_("purpose"), max_length=300)
    condition = models.JSONField(_("who is in it"), null=True)
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, null=True, verbose_name=_("only of the segment"), related_name="+"
    )
    sentence = models.JSONField(_("who is in it, in words"), default=dict, help_text=_("A sentence for each language."))
    fields = models.JSONField(_("fields"), default=list)
    is_unmasked = models.BooleanField(_("unmasked"), default=False)
    holds_phones = models.BooleanField(_("holds phone numbers in full"), default=False)
    rows = models.PositiveIntegerField(_("rows"), help_text=_("As counted when it was asked for, then as written."))
    created_at = models.DateTimeField(_("asked for at"))
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, verbose_name=_("proposal"), related_name="+"
    )
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, verbose_name=_("job"), related_name="export")

    class Meta:
        verbose_name = _("export of members")
        verbose_name_plural = _("exports of members")
        permissions = [
            ("export_members", _("Can export members, masked")),
            ("export_unmasked", _("Can export members unmasked, and approve that")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["list", "segment", "copy"]), name="export_kind_is_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(operator__isnull=True, api_key__isnull=True, member__isnull=True),
                name="export_says_who_asked",
            ),
            models.CheckConstraint(condition=~models.Q(purpose=""), name="export_has_a_purpose"),
            models.CheckConstraint(
                condition=models.Q(holds_phones=False) | models.Q(is_unmasked=True),
                name="masked_export_holds_no_phone_in_full",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="export_newest_first"),
            models.Index(fields=["-created_at"], name="exports_with_phones", condition=models.Q(holds_phones=True)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberExportPart(models.Model):
    """The finished rows of one step of an export, until the file is put together. Deleted with the job's files."""

    personal_data: ClassVar[tuple[str, ...]] = ("content",)

    member_export = models.ForeignKey(
        MemberExport, on_delete=models.PROTECT, related_name="parts", verbose_name=_("export")
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("part of an export")
        verbose_name_plural = _("parts of exports")
        constraints = [
            models.UniqueConstraint(fields=["member_export", "number"], name="part_of_an_export_is_written_once")
        ]

    def __str__(self) -> str:
        return f"#{self.member_export_id}:{self.number}"


class FileTaken(models.Model):
    """Somebody took a file of a job away: who, when, from which address. Kept for ever."""

    personal_data: ClassVar[tuple[str, ...]] = ("ip_address",)
    append_only: ClassVar[bool] = True

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="takings", verbose_name=_("job"))
    role = models.CharField(_("file"), max_length=10)
    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("taken by"), related_name="+", db_index=False
    )
    ip_address = models.GenericIPAddressField(_("address"), null=True)
    taken_at = models.DateTimeField(_("taken at"))

    class Meta:
        verbose_name = _("file that was taken")
        verbose_name_plural = _("files that were taken")

    def __str__(self) -> str:
        return f"#{self.job_id} {self.role}"
