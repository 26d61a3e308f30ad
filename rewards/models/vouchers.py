"""Vouchers (券): templates, and the single ones that members hold."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models import Member, Store


class VoucherTemplate(models.Model):
    """What a voucher is worth and how long it lasts."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("money off")
        EXCHANGE = "exchange", _("exchange voucher")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("voucher name"), max_length=80)
    terms = models.TextField(_("terms"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    off_amount = models.DecimalField(_("money off"), max_digits=10, decimal_places=2, null=True, blank=True)
    min_spend_amount = models.DecimalField(_("from a spend of"), max_digits=10, decimal_places=2, default=0)
    validity_days = models.PositiveSmallIntegerField(
        _("validity (days)"), default=30, help_text=_("From the day it is issued.")
    )

    class Meta:
        verbose_name = _("voucher template")
        verbose_name_plural = _("voucher templates")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["amount", "exchange"]), name="voucher_kind_is_known"),
            models.CheckConstraint(
                condition=Q(kind="amount", off_amount__gt=0) | (~Q(kind="amount") & Q(off_amount__isnull=True)),
                name="only_money_off_vouchers_have_an_amount",
            ),
            models.CheckConstraint(condition=Q(min_spend_amount__gte=0), name="voucher_min_spend_is_not_negative"),
            models.CheckConstraint(condition=Q(validity_days__gt=0), name="voucher_validity_is_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class Voucher(models.Model):
    """One voucher of one member. Its code is derived from a secret and `public_id`; only a keyed hash is kept for look-up."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        ISSUED = "issued", _("ready to use")
        USED = "used", _("used")
        EXPIRED = "expired", _("expired")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("member"), db_index=False
    )
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("voucher template")
    )
    code_hmac = models.BinaryField(_("look-up key of the code"), max_length=32, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ISSUED)
    issued_at = models.DateTimeField(_("issued at"))
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["issued", "used", "expired"]), name="voucher_state_is_known"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="voucher_ends_after_it_begins"),
        ]
        indexes = [
            models.Index(fields=["member", "-issued_at"], name="vouchers_of_member"),
            models.Index(fields=["-issued_at", "-id"], name="voucher_newest_first"),
            models.Index(fields=["expires_at"], name="voucher_due", condition=Q(state="issued")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherEvent(models.Model):
    """A change of a voucher's state, with who did it, where, and for which order."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="events", verbose_name=_("voucher"))
    from_state = models.CharField(_("from state"), max_length=8, blank=True)
    to_state = models.CharField(_("to state"), max_length=8, choices=Voucher.State)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    external_order_no = models.CharField(_("order number"), max_length=80, blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("voucher event")
        verbose_name_plural = _("voucher events")
        ordering = ["happened_at", "id"]
        indexes = [models.Index(fields=["happened_at"], name="voucher_event_by_moment")]

    def __str__(self) -> str:
        return f"{self.voucher_id}: {self.to_state}"
