"""Two records of one person: pairs that look like it, and the merges that were made of them."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.operators import Operator
from members.models.people import Member


class Merge(models.Model):
    """One merge: `merged` points at `kept` until it is taken apart again. Never deleted; both keep their own history.

    `side_ids` are `merged` and the members that had been merged into it before: what came with them goes back with them.
    `memo` holds, by app, what that app needs to give back: ids and figures. Taken apart, it stays as what happened.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    kept = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="merges", verbose_name=_("member kept"))
    merged = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="merged_by", verbose_name=_("member merged into it")
    )
    side_ids: models.Field = ArrayField(models.BigIntegerField(), verbose_name=_("members that came along"))
    taken: models.Field = ArrayField(
        models.CharField(max_length=30), default=list, blank=True, verbose_name=_("details taken over")
    )
    memo = models.JSONField(_("what was moved"), default=dict)
    reason = models.CharField(_("reason"), max_length=200)
    merged_at = models.DateTimeField(_("merged at"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    unmerge_until = models.DateTimeField(_("can be taken apart until"))
    unmerged_at = models.DateTimeField(_("taken apart at"), null=True)
    unmerged_reason = models.CharField(_("reason for taking it apart"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        constraints = [
            models.CheckConstraint(condition=~Q(kept=F("merged")), name="merge_is_of_two_members"),
            models.UniqueConstraint(
                fields=["merged"], condition=Q(unmerged_at__isnull=True), name="member_is_merged_away_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(unmerge_until__gt=F("merged_at")), name="merge_can_be_taken_apart_for_a_while"
            ),
            models.CheckConstraint(
                condition=Q(unmerged_at__isnull=True) | Q(unmerged_at__gte=F("merged_at")),
                name="merge_is_taken_apart_after_it_was_made",
            ),
        ]
        indexes = [models.Index(fields=["-merged_at", "-id"], name="merge_newest_first")]
        permissions = [("merge_members", _("Can merge members and take merges apart"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DuplicatePair(models.Model):
    """Two members who look like one person, with what speaks for it. Open until somebody merges them or says no.

    A search finds all of them anew: open pairs for which nothing speaks any more are deleted, decided ones stay decided.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("pair of members", "to be looked at")
        DISMISSED = "dismissed", _("two people")
        MERGED = "merged", pgettext_lazy("pair of members", "merged")

    class Evidence(models.TextChoices):
        UNIONID = "unionid", _("the same WeChat unionid")
        PHONE = "phone", _("the same phone number in two forms")
        CARD = "card", _("a card number that the other is known by")
        IDENTITY = "identity", _("the same id in another system")
        EMAIL = "email", _("the same mailbox in two spellings")
        NAME_BIRTHDAY = "name_birthday", _("the same name and birthday")
        PINYIN_BIRTHDAY = "pinyin_birthday", _("a name that sounds the same, and the same birthday")
        NAME_PHONE_END = "name_phone_end", _("the same name, and the same last four digits of the phone")

    first = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    second = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("other member"))
    score = models.PositiveSmallIntegerField(_("how likely (of 100)"))
    evidence: models.Field = ArrayField(
        models.CharField(max_length=20, choices=Evidence), verbose_name=_("what speaks for it")
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN, db_default=State.OPEN.value)
    found_at = models.DateTimeField(_("found at"))
    seen_at = models.DateTimeField(_("last found at"))
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("decided by"), db_index=False
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="pair_of_members_stands_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="pair_of_members_is_in_order"),
            models.CheckConstraint(condition=Q(score__range=(1, 100)), name="score_of_a_pair_is_a_share"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "dismissed", "merged"]), name="state_of_pair_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | ~Q(state="open") & Q(decided_at__isnull=False),
                name="pair_is_open_until_decided",
            ),
        ]
        indexes = [models.Index(fields=["-score", "-id"], condition=Q(state="open"), name="open_pairs_likeliest_first")]

    def __str__(self) -> str:
        return f"#{self.pk}"
