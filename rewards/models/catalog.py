"""What points buy."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models import Member
from rewards.models.vouchers import Voucher, VoucherTemplate


class Reward(models.Model):
    """Something in the catalogue that points can be redeemed for: here, a voucher made from a template."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    name = models.CharField(_("reward name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    price_points = models.PositiveIntegerField(_("price (points)"))
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="rewards", verbose_name=_("voucher template")
    )
    stock = models.PositiveIntegerField(_("stock left"), null=True, blank=True, help_text=_("Empty: without limit."))
    per_member_limit = models.PositiveSmallIntegerField(
        _("limit per member"), null=True, blank=True, help_text=_("Empty: without limit.")
    )
    valid_from = models.DateTimeField(_("on the shelf from"))
    valid_to = models.DateTimeField(_("on the shelf until"), null=True, blank=True)
    sort_order = models.PositiveSmallIntegerField(_("order on the shelf"), default=100)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["sort_order", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(price_points__gt=0), name="reward_has_a_price"),
            models.CheckConstraint(condition=Q(stock__isnull=True) | Q(stock__gte=0), name="stock_is_not_negative"),
            models.CheckConstraint(
                condition=Q(per_member_limit__isnull=True) | Q(per_member_limit__gt=0), name="reward_limit_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="reward_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Redemption(models.Model):
    """A member's points for a reward, done at once: points gone, stock taken, voucher issued, in one transaction."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("member"), db_index=False
    )
    request_id = models.CharField(_("request"), max_length=80, unique=True)
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("reward"))
    number = models.PositiveIntegerField(_("number"), help_text=_("1, 2, 3 … of this member and reward."))
    price_points = models.PositiveIntegerField(_("price (points)"))
    voucher = models.OneToOneField(
        Voucher, on_delete=models.PROTECT, related_name="redemption", verbose_name=_("voucher")
    )
    redeemed_at = models.DateTimeField(_("redeemed at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints = [
            models.UniqueConstraint(fields=["member", "reward", "number"], name="redemptions_of_a_reward_are_numbered"),
            models.CheckConstraint(condition=Q(price_points__gt=0), name="redemption_costs_points"),
        ]
        indexes = [
            models.Index(fields=["member", "-redeemed_at"], name="redemptions_of_member"),
            models.Index(fields=["-redeemed_at", "-id"], name="redemption_newest_first"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
