"""Members of another system on their way in: the file, what its columns mean, and its rows until they are settled."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.operators import Operator
from members.models.people import Member
from members.models.places import Channel, Store
from members.models.proposals import Proposal
from members.models.work import Job

#: How much of a file one part holds, in bytes.
PART_BYTES = 1024 * 1024


class ImportMapping(models.Model):
    """What the columns of a kind of file mean, remembered by their names, so that the next such file is understood at once.

    Written anew whenever somebody maps such a file; never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    columns_sha256 = models.BinaryField(_("fingerprint of the columns"), max_length=32, unique=True)
    fields = models.JSONField(_("what each column means"), default=dict)
    choices = models.JSONField(_("what was chosen besides"), default=dict)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, verbose_name=_("mapped by"), related_name="+")
    used_at = models.DateTimeField(_("used at"))

    class Meta:
        verbose_name = _("remembered mapping")
        verbose_name_plural = _("remembered mappings")

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberImport(models.Model):
    """One file of members: read, mapped, checked by a job, approved, carried out by another job, taken back within 7 days.

    The row stays for ever; its file, and its rows with what is personal, are deleted at `expires_at`.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class OnKnown(models.TextChoices):
        SKIP = "skip", _("leave them as they are")
        UPDATE = "update", _("the file wins: overwrite what it fills")
        MERGE = "merge", _("we win: fill in only what is missing here")

    file_name = models.CharField(_("file"), max_length=200)
    file_sha256 = models.BinaryField(_("fingerprint of the file"), max_length=32)
    file_bytes = models.PositiveBigIntegerField(_("size (bytes)"))
    columns = models.JSONField(_("columns of the file"), default=list)
    fields = models.JSONField(_("what each column means"), default=dict)
    on_known = models.CharField(_("members we know already"), max_length=10, choices=OnKnown, default=OnKnown.SKIP)
    issuer = models.CharField(_("system they come from"), max_length=40)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, verbose_name=_("joined through"), related_name="+")
    home_store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("home store"), related_name="+"
    )
    joined_date = models.DateField(_("joined on, where the file does not say"))
    is_quiet = models.BooleanField(_("nobody is written to"), default=True)
    maker = models.ForeignKey(Operator, on_delete=models.PROTECT, verbose_name=_("read by"), related_name="+")
    created_at = models.DateTimeField(_("read at"))
    expires_at = models.DateTimeField(_("file and rows are kept until"))
    check_job = models.OneToOneField(
        Job, on_delete=models.PROTECT, null=True, verbose_name=_("job that checks it"), related_name="+"
    )
    job = models.OneToOneField(
        Job, on_delete=models.PROTECT, null=True, verbose_name=_("job that carries it out"), related_name="+"
    )
    proposal = models.ForeignKey(
        Proposal, on_delete=models.PROTECT, null=True, verbose_name=_("proposal"), related_name="+"
    )
    checked_at = models.DateTimeField(_("checked at"), null=True)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_new = models.PositiveIntegerField(_("new members"), default=0)
    rows_known = models.PositiveIntegerField(_("members we know"), default=0)
    rows_bad = models.PositiveIntegerField(_("bad rows"), default=0)
    points_total = models.PositiveBigIntegerField(_("opening balances (points)"), default=0)

    class Meta:
        verbose_name = _("import of members")
        verbose_name_plural = _("imports of members")
        permissions = [("import_members", _("Can import members, and approve imports"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(on_known__in=["skip", "update", "merge"]),
                name="import_says_what_happens_to_the_known",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    rows_total__gte=models.F("rows_new") + models.F("rows_known") + models.F("rows_bad")
                ),
                name="import_counts_no_row_twice",
            ),
            models.CheckConstraint(
                condition=models.Q(job__isnull=True) | models.Q(proposal__isnull=False),
                name="import_is_carried_out_after_a_proposal",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="import_newest_first"),
            models.Index(fields=["expires_at"], name="imports_by_expiry"),
        ]

    def __str__(self) -> str:
        return self.file_name


class MemberImportPart(models.Model):
    """A piece of the file of an import, of at most 1 MiB, so that no file has to be held in memory. Deleted with the rows."""

    personal_data: ClassVar[tuple[str, ...]] = ("content",)

    member_import = models.ForeignKey(
        MemberImport, on_delete=models.PROTECT, related_name="parts", verbose_name=_("import")
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("part of an imported file")
        verbose_name_plural = _("parts of imported files")
        constraints = [models.UniqueConstraint(fields=["member_import", "number"], name="part_of_a_file_is_kept_once")]

    def __str__(self) -> str:
        return f"#{self.member_import_id}:{self.number}"


class MemberImportRow(models.Model):
    """A good row of an import, with its values as they will be written, and what became of it.

    A row of a known member keeps what the member had before, so that the import can be taken back. Deleted 7 days after
    the import ended; rows that can not be read are refused rows of the job that checks.
    """

    personal_data: ClassVar[tuple[str, ...]] = (
        "external_id",
        "full_name",
        "phone",
        "email",
        "birthday",
        "cells",
        "before",
    )

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("imported row", "new member")
        KNOWN = "known", pgettext_lazy("imported row", "known member")
        BAD = "bad", pgettext_lazy("imported row", "refused")
        MADE = "made", pgettext_lazy("imported row", "member made")
        CHANGED = "changed", pgettext_lazy("imported row", "member changed")
        LEFT = "left", pgettext_lazy("imported row", "left as it is")
        TAKEN_BACK = "taken_back", pgettext_lazy("imported row", "taken back")

    member_import = models.ForeignKey(
        MemberImport, on_delete=models.PROTECT, related_name="rows", verbose_name=_("import"), db_index=False
    )
    number = models.PositiveIntegerField(_("row"))
    state = models.CharField(_("state"), max_length=10, choices=State)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("member"))
    external_id = models.CharField(_("number in the other system"), max_length=120, null=True)
    full_name = models.CharField(_("name"), max_length=80, blank=True)
    phone = models.CharField(_("phone"), max_length=16, null=True)
    email = models.CharField(_("e-mail"), max_length=254, null=True)
    birthday = models.DateField(_("birthday"), null=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    home_store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("home store"), db_index=False
    )
    joined_at = models.DateTimeField(_("joined at"), null=True)
    points = models.PositiveBigIntegerField(_("opening balance (points)"), default=0)
    cells = models.JSONField(_("cells as they came"), default=list, help_text=_("In the order of the columns."))
    before = models.JSONField(_("what the member had before"), null=True)

    class Meta:
        verbose_name = _("row of an import of members")
        verbose_name_plural = _("rows of imports of members")
        indexes = [
            models.Index(fields=["member_import", "phone"], name="imported_phone", condition=Q(phone__isnull=False)),
            models.Index("member_import", Lower("email"), name="imported_email", condition=Q(email__isnull=False)),
            models.Index(
                fields=["member_import", "external_id"], name="imported_id", condition=Q(external_id__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["member_import", "number"], name="row_of_an_import_stands_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["new", "known", "bad", "made", "changed", "left", "taken_back"]),
                name="imported_row_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["new", "bad"], member__isnull=True)
                | models.Q(state__in=["known", "made", "changed", "left", "taken_back"], member__isnull=False),
                name="imported_row_names_its_member",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.member_import_id}:{self.number}"
