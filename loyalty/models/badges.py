"""Badges: what they are, who got them when and why, and the title that a member wears."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member, Segment


class Badge(models.Model):
    """A sign that members carry for what they did. With a rule everybody gets it who meets the condition.

    The rule is a live segment of its own, kept up by what happens and by time. One that can be lost goes again when its
    rule is no longer met; all others stay for good. Switched off nobody sees or gets it; never deleted. The code is for
    ever: conditions and apps name it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Icon(models.TextChoices):
        MEDAL = "workspace_premium", pgettext_lazy("icon", "medal")
        STAR = "star", pgettext_lazy("icon", "star")
        HEART = "favorite", pgettext_lazy("icon", "heart")
        BAG = "shopping_bag", pgettext_lazy("icon", "shopping bag")
        CUP = "local_cafe", pgettext_lazy("icon", "cup")
        CAKE = "cake", pgettext_lazy("icon", "cake")
        LEAF = "eco", pgettext_lazy("icon", "leaf")
        FLAME = "local_fire_department", pgettext_lazy("icon", "flame")
        TROPHY = "emoji_events", pgettext_lazy("icon", "trophy")
        DIAMOND = "diamond", pgettext_lazy("icon", "diamond")
        CALENDAR = "event", pgettext_lazy("icon", "calendar")
        PEN = "rate_review", pgettext_lazy("icon", "pen")

    code = models.SlugField(_("code"), max_length=40, unique=True, editable=False)
    name = models.CharField(_("badge name"), max_length=40)
    text = models.CharField(_("what members read beneath"), max_length=120, blank=True)
    title = models.CharField(
        pgettext_lazy("badge", "title"),
        max_length=20,
        blank=True,
        help_text=_("Shown beside the member's name. Empty: it carries no title."),
    )
    icon = models.CharField(_("sign"), max_length=30, choices=Icon, default=Icon.MEDAL)
    colour = models.CharField(_("colour"), max_length=7, default="#c9a227", help_text=_("Like #c9a227."))
    rule = models.OneToOneField(
        Segment, on_delete=models.PROTECT, null=True, editable=False, related_name="badge", verbose_name=_("rule")
    )
    is_losable = models.BooleanField(
        _("can be lost again"), default=False, help_text=_("It goes when its rule is no longer met.")
    )
    is_on = models.BooleanField(
        _("in use"), default=True, help_text=_("Switched off, nobody gets it, and members do not see it.")
    )
    valid_from = models.DateTimeField(
        _("can be earned from"), null=True, blank=True, help_text=_("Empty: at once.")
    )  # fmt: skip
    valid_until = models.DateTimeField(
        _("can be earned until"), null=True, blank=True, help_text=_("Empty: always. Who has it keeps it.")
    )
    opened_at = models.DateTimeField(_("given since"), null=True, editable=False)

    class Meta:
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-fA-F]{6}$"), name="badge_colour_is_six_hex_digits"
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="badge_ends_after_it_begins",
            ),
        ]
        permissions = [("award_badge", _("Can give badges to members and take them back"))]

    def __str__(self) -> str:
        return self.name


class BadgeAward(models.Model):
    """A badge came to a member, or was taken back by an opposite row. Numbered for each member and badge; the newest says how it is.

    `why` are the figures of the rule's tests at that moment, as (fact, comparison, expected, found): those that were
    met, or, where it was lost, those that were not. By hand a reason stands instead.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        AWARDED = "awarded", pgettext_lazy("badge", "given")
        TAKEN_BACK = "taken_back", pgettext_lazy("badge", "taken back")

    class Cause(models.TextChoices):
        RULE = "rule", _("by its rule")
        TASK = "task", _("for a task")
        HAND = "hand", _("by staff")
        MERGE = "merge", _("at a merge")

    badge = models.ForeignKey(
        Badge, on_delete=models.PROTECT, related_name="awards", verbose_name=_("badge"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="badge_awards", verbose_name=_("member"), db_index=False
    )
    number = models.PositiveSmallIntegerField(_("number"))
    kind = models.CharField(_("what happened"), max_length=10, choices=Kind)
    cause = models.CharField(_("how"), max_length=8, choices=Cause)
    why = models.JSONField(_("figures"), default=list)
    task = models.ForeignKey(
        "loyalty.StageTask",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("task"),
        db_index=False,
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="")
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("badge of a member")
        verbose_name_plural = _("badges of members")
        constraints = [
            models.UniqueConstraint(fields=["member", "badge", "number"], name="awards_of_a_badge_are_numbered"),
            models.CheckConstraint(
                condition=Q(kind__in=["awarded", "taken_back"]) & Q(cause__in=["rule", "task", "hand", "merge"]),
                name="badge_award_kind_is_known",
            ),
            models.CheckConstraint(condition=~Q(cause="hand") | ~Q(reason=""), name="badge_by_hand_has_a_reason"),
            models.CheckConstraint(condition=Q(task__isnull=True) | Q(cause="task"), name="badge_for_a_task_names_it"),
        ]
        indexes = [models.Index(fields=["badge", "-id"], name="awards_of_badge_newest_first")]

    def __str__(self) -> str:
        return f"{self.member_id} {self.badge_id} #{self.number}: {self.kind}"


class MemberTitle(models.Model):
    """Which badge's title a member chose to wear; without a badge: none. Without a row the newest title is worn."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, primary_key=True, related_name="+", verbose_name=_("member")
    )
    badge = models.ForeignKey(
        Badge, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("badge"), db_index=False
    )
    chosen_at = models.DateTimeField(_("chosen at"))

    class Meta:
        verbose_name = _("title chosen by a member")
        verbose_name_plural = _("titles chosen by members")

    def __str__(self) -> str:
        return f"{self.member_id}: {self.badge_id}"
