"""Tags: words that staff, or a rule, hang on members."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.people import Member
from members.models.segments import Segment


class Tag(models.Model):
    """A word for members. With a rule it is automatic: it hangs on whoever meets the condition, as long as it is met.

    Switched off when it is no longer used, never deleted. The code is for ever: conditions name it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Colour(models.TextChoices):
        GREY = "info", pgettext_lazy("colour", "grey")
        GREEN = "success", pgettext_lazy("colour", "green")
        ORANGE = "warning", pgettext_lazy("colour", "orange")
        RED = "danger", pgettext_lazy("colour", "red")

    code = models.SlugField(
        _("code"), max_length=40, unique=True, help_text=_("A word of small letters. It can not be changed later.")
    )
    name = models.CharField(_("tag name"), max_length=40)
    note = models.CharField(_("note"), max_length=200, blank=True, help_text=_("What it means. For colleagues."))
    colour = models.CharField(_("colour"), max_length=8, choices=Colour, default=Colour.GREY)
    keep_days = models.PositiveSmallIntegerField(
        _("falls off after"), null=True, blank=True, help_text=_("Days. Empty: it stays until it is taken off.")
    )
    rule = models.OneToOneField(
        Segment, on_delete=models.PROTECT, null=True, editable=False, related_name="tag", verbose_name=_("rule")
    )
    is_on = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z][a-z0-9_]*$"), name="tag_code_is_a_word"),
            models.CheckConstraint(
                condition=Q(keep_days__isnull=True) | Q(keep_days__range=(1, 3_660)),
                name="tag_falls_off_within_ten_years",
            ),
            models.CheckConstraint(
                condition=Q(rule__isnull=True) | Q(keep_days__isnull=True), name="automatic_tag_follows_its_rule"
            ),
        ]
        permissions = [("put_tags", _("Can put tags on members and take them off"))]

    def __str__(self) -> str:
        return self.name


class MemberTag(models.Model):
    """A tag on a member by somebody's hand, from `since_at` until before `ended_at`, with why. Ended once, never deleted.

    `expires_at` is when it falls off by itself; from then on it counts no more, also before that is written down.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class End(models.TextChoices):
        TAKEN_OFF = "taken_off", _("taken off")
        EXPIRED = "expired", _("fell off")

    tag = models.ForeignKey(
        Tag, on_delete=models.PROTECT, related_name="on_members", verbose_name=_("tag"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="tags", verbose_name=_("member"), db_index=False
    )
    since_at = models.DateTimeField(_("since"))
    expires_at = models.DateTimeField(_("falls off at"), null=True)
    reason = models.CharField(_("why"), max_length=200)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    ended_at = models.DateTimeField(_("until"), null=True)
    end = models.CharField(_("how it ended"), max_length=10, choices=End, blank=True, db_default="")

    class Meta:
        verbose_name = _("tag on a member")
        verbose_name_plural = _("tags on members")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "tag"], condition=Q(ended_at__isnull=True), name="member_has_a_tag_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end="")
                | Q(ended_at__gte=F("since_at"), end__in=["taken_off", "expired"]),
                name="tag_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("since_at")),
                name="tag_falls_off_after_it_began",
            ),
        ]
        indexes = [
            models.Index(fields=["tag", "-id"], name="members_with_a_tag"),
            models.Index(fields=["member", "-id"], name="tags_of_member"),
            models.Index(
                fields=["expires_at"],
                name="tags_that_fall_off",
                condition=Q(ended_at__isnull=True, expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tag_id}:{self.member_id}"
