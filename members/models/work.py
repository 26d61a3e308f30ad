"""Long work and its files: jobs that survive a crash, what went in, what came out, and the rows that were refused."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.access import ApiKey
from members.models.operators import Operator
from members.models.people import Member

#: The largest file that a job takes or makes, in bytes.
MOST_FILE_BYTES = 32 * 1024 * 1024


class Job(models.Model):
    """One piece of long work: queued, run in chunks under a lease, and finished or stopped. Never deleted.

    A chunk and its progress (`cursor`, counts) commit together, so that a killed worker loses and doubles nothing:
    when its lease has ended another one goes on from the cursor. Parameters hold ids and figures, no personal data.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        QUEUED = "queued", pgettext_lazy("job", "waiting")
        RUNNING = "running", pgettext_lazy("job", "running")
        CANCELLED = "cancelled", pgettext_lazy("job", "stopped")
        FAILED = "failed", pgettext_lazy("job", "failed")
        DONE = "done", pgettext_lazy("job", "done")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    kind = models.CharField(_("kind of work"), max_length=60)
    title_params = models.JSONField(_("figures of the title"), default=dict)
    params = models.JSONField(_("what is to be done"), default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    owner = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, verbose_name=_("started by"), related_name="jobs"
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, verbose_name=_("asked for by the member"), related_name="+"
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, verbose_name=_("asked for with the key"), related_name="+"
    )
    language = models.CharField(_("language"), max_length=10)
    undoes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, verbose_name=_("takes back"), related_name="undone_by"
    )
    total = models.PositiveIntegerField(_("rows in all"), default=0, help_text=_("0: not known yet."))
    done = models.PositiveIntegerField(_("rows done"), default=0)
    ok = models.PositiveIntegerField(_("rows that went well"), default=0)
    failed = models.PositiveIntegerField(_("rows that were refused"), default=0)
    cursor = models.JSONField(_("place in the work"), default=dict)
    ran_ms = models.PositiveBigIntegerField(_("time worked, in milliseconds"), default=0)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    lease_token = models.UUIDField(_("lease"), null=True)
    lease_until = models.DateTimeField(_("lease ends at"), null=True)
    stalls = models.PositiveSmallIntegerField(
        _("stops without progress"), default=0, help_text=_("How often a worker was lost at the same place.")
    )
    cancel_asked_at = models.DateTimeField(_("asked to stop at"), null=True)
    created_at = models.DateTimeField(_("asked for at"))
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    files_expire_at = models.DateTimeField(_("files are kept until"))
    message = models.CharField(_("why it failed"), max_length=500, blank=True)
    message_params = models.JSONField(_("figures of the reason"), default=dict)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "running", "cancelled", "failed", "done"]),
                name="job_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(done__gte=models.F("ok") + models.F("failed")), name="job_counts_no_row_twice"
            ),
            models.CheckConstraint(
                condition=models.Q(total=0) | models.Q(done__lte=models.F("total")),
                name="job_does_not_do_more_than_all",
            ),
            models.CheckConstraint(
                condition=models.Q(state="running", lease_token__isnull=False, lease_until__isnull=False)
                | (~models.Q(state="running") & models.Q(lease_token__isnull=True, lease_until__isnull=True)),
                name="running_job_has_a_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "running"], finished_at__isnull=True)
                | models.Q(state__in=["cancelled", "failed", "done"], finished_at__isnull=False),
                name="ended_job_says_when",
            ),
            models.CheckConstraint(condition=~models.Q(undoes=models.F("id")), name="job_does_not_undo_itself"),
            models.CheckConstraint(
                condition=models.Q(owner__isnull=True, member__isnull=True)
                | models.Q(owner__isnull=True, api_key__isnull=True)
                | models.Q(member__isnull=True, api_key__isnull=True),
                name="job_is_asked_for_by_one",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="jobs_that_are_not_ended",
                condition=models.Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["owner", "-created_at"], name="jobs_of_an_operator"),
            models.Index(fields=["-created_at", "-id"], name="job_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def is_active(self) -> bool:
        """Whether it is still to be worked on."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class JobFile(models.Model):
    """A file that went into a job or came out of it. Kept in the database; deleted when the job's files expire."""

    personal_data: ClassVar[tuple[str, ...]] = ("content",)

    class Role(models.TextChoices):
        INPUT = "input", pgettext_lazy("file", "given")
        RESULT = "result", pgettext_lazy("file", "result")

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="files", verbose_name=_("job"))
    role = models.CharField(_("role"), max_length=10, choices=Role)
    name = models.CharField(_("file name"), max_length=200)
    content = models.BinaryField(_("content"))
    holds_personal_data = models.BooleanField(_("holds personal data"), default=True)
    created_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("file of a job")
        verbose_name_plural = _("files of jobs")
        constraints = [
            models.UniqueConstraint(fields=["job", "role"], name="job_has_one_file_of_each_role"),
            models.CheckConstraint(condition=models.Q(role__in=["input", "result"]), name="job_file_role_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class JobErrorRow(models.Model):
    """A row that a job refused, as it came, with the reason as a sentence to be translated. Expires with the job's files."""

    personal_data: ClassVar[tuple[str, ...]] = ("cells",)

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="error_rows", verbose_name=_("job"))
    number = models.PositiveIntegerField(_("row"))
    cells = models.JSONField(_("cells"), help_text=_("Column and value, in the order of the file."))
    reason = models.CharField(_("reason"), max_length=500)
    reason_params = models.JSONField(_("figures of the reason"), default=dict)

    class Meta:
        verbose_name = _("refused row of a job")
        verbose_name_plural = _("refused rows of jobs")
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="row_is_refused_once_in_a_job")]

    def __str__(self) -> str:
        return f"#{self.job_id}:{self.number}"
