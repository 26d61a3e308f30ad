"""Segments: groups of members, by a condition that is kept up or by a list, with who was in when and why."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member


class Segment(models.Model):
    """A group of members. A live one follows its condition; a static one is a list that stays as it was made.

    Written as a draft, filled by a job when it is published, and retired when nobody needs it; never deleted, and then
    its stays are left as they were. The rule of an automatic tag is a live segment, too, which only its tag shows; so are rules of floors above
    (`members.rule_owners`), which bear `is_of_tag` as well. `members_count` is kept up with the spans.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        LIVE = "live", pgettext_lazy("segment", "kept up to date")
        STATIC = "static", pgettext_lazy("segment", "fixed list")

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("segment", "draft")
        FILLING = "filling", pgettext_lazy("segment", "being filled")
        READY = "ready", pgettext_lazy("segment", "in use")
        RETIRED = "retired", pgettext_lazy("segment", "retired")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    name = models.CharField(_("segment name"), max_length=80)
    note = models.CharField(_("note"), max_length=200, blank=True, help_text=_("What it is for. For colleagues."))
    kind = models.CharField(_("sort of segment"), max_length=8, choices=Kind, default=Kind.LIVE)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.DRAFT)
    condition = models.JSONField(_("condition"), null=True, blank=True)
    number = models.PositiveSmallIntegerField(_("version of the condition"), default=0)
    is_of_tag = models.BooleanField(_("rule of a tag"), default=False)
    members_count = models.PositiveBigIntegerField(_("members"), default=0)
    sweep_from = models.BigIntegerField(_("compared up to this member"), null=True)
    compared_at = models.DateTimeField(_("last compared in full at"), null=True)
    counted = models.PositiveBigIntegerField(_("members counted"), null=True)
    counted_at = models.DateTimeField(_("counted at"), null=True)
    created_at = models.DateTimeField(_("made at"))
    retired_at = models.DateTimeField(_("retired at"), null=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=~Q(state="retired") & Q(is_of_tag=False), name="segment_name_is_used_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=["live", "static"]), name="segment_kind_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "filling", "ready", "retired"]), name="segment_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="static")
                | Q(state__in=["draft", "retired"])
                | Q(condition__isnull=False, number__gte=1),
                name="live_segment_has_a_condition",
            ),
            models.CheckConstraint(
                condition=Q(is_of_tag=False) | Q(kind="live"), name="rule_of_a_tag_is_kept_up_to_date"
            ),
            models.CheckConstraint(
                condition=Q(state="retired", retired_at__isnull=False)
                | (~Q(state="retired") & Q(retired_at__isnull=True)),
                name="retired_segment_says_since_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="segments_that_are_kept_up",
                condition=Q(kind="live", state__in=["filling", "ready"]),
            )
        ]
        permissions = [
            ("publish_segment", _("Can publish and retire segments")),
            ("list_segment_members", _("Can see who is in a segment")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_kept_up(self) -> bool:
        """Whether it follows its condition now."""
        return self.kind == self.Kind.LIVE and self.state in (self.State.FILLING, self.State.READY)


class SegmentVersion(models.Model):
    """What the condition of a live segment said from a moment on. Spans name the version that they were decided by."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="versions", verbose_name=_("segment"), db_index=False
    )
    number = models.PositiveSmallIntegerField(_("number"))
    condition = models.JSONField(_("condition"))
    from_at = models.DateTimeField(_("in force from"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("version of a segment")
        verbose_name_plural = _("versions of segments")
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="segment_version_has_a_number")]

    def __str__(self) -> str:
        return f"{self.segment_id}:{self.number}"


class SegmentSpan(models.Model):
    """One stay of a member in a segment, from `entered_at` until before `left_at` (empty: still in), with the reason.

    The reason is what set off the question (the kind of a timeline entry, or a word of ours), the version of the
    condition, and which of its tests were met then: bit n for test n, counted from 0. Closed once, otherwise never changed.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="spans", verbose_name=_("segment"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="segment_spans", verbose_name=_("member"), db_index=False
    )
    entered_at = models.DateTimeField(_("in since"))
    entered_cause = models.CharField(_("came in because of"), max_length=60)
    entered_number = models.PositiveSmallIntegerField(_("version when coming in"))
    entered_tests = models.IntegerField(_("tests met when coming in"))
    left_at = models.DateTimeField(_("out since"), null=True)
    left_cause = models.CharField(_("went out because of"), max_length=60, blank=True, db_default="")
    left_number = models.PositiveSmallIntegerField(_("version when going out"), null=True)
    left_tests = models.IntegerField(_("tests met when going out"), null=True)

    class Meta:
        verbose_name = _("stay in a segment")
        verbose_name_plural = _("stays in segments")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "segment"], condition=Q(left_at__isnull=True), name="member_is_in_a_segment_once"
            ),
            models.CheckConstraint(
                condition=Q(left_at__isnull=True) | Q(left_at__gte=F("entered_at")), name="stay_ends_after_it_began"
            ),
        ]
        indexes = [
            models.Index(fields=["segment", "id"], name="members_in_a_segment", condition=Q(left_at__isnull=True)),
            models.Index(fields=["segment", "entered_at"], name="stays_by_their_beginning"),
            models.Index(fields=["segment", "left_at"], name="stays_by_their_end", condition=Q(left_at__isnull=False)),
            models.Index(fields=["member", "-id"], name="stays_of_member"),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id}:{self.member_id}"


class SegmentClock(models.Model):
    """Up to which moment segments have followed the passing of time. One row (id 1), locked by whoever changes stays.

    Its lock puts all who change stays in a row, so that nobody writes an answer that is older than another's; its moment
    never goes back.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    id = models.SmallAutoField(primary_key=True)
    at = models.DateTimeField(_("followed until"))

    class Meta:
        verbose_name = _("clock of segments")
        verbose_name_plural = _("clock of segments")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="segment_clock_is_a_single_row")]

    def __str__(self) -> str:
        return self.at.isoformat()


class SegmentDue(models.Model):
    """When time alone may next change an answer about a member, whichever live segment asks. Not later than the truth.

    A projection: it may be emptied and is written again as members are asked about.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("member")
    )
    due_at = models.DateTimeField(_("to be asked again at"))

    class Meta:
        verbose_name = _("member to be asked again")
        verbose_name_plural = _("members to be asked again")
        indexes = [models.Index(fields=["due_at", "member"], name="segment_due_in_order")]

    def __str__(self) -> str:
        return f"{self.member_id}"
