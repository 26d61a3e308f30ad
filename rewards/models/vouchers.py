"""Vouchers (券) that members hold, and what became of each."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member, Store
from rewards.models.voucher_templates import VoucherTemplate

__all__ = ["Voucher", "VoucherEvent", "VoucherTemplate"]


class Voucher(models.Model):
    """One voucher of one member. Its code is derived from a secret and `public_id`; only a keyed hash is kept for look-up.

    Held for an order, or offered to a friend, it can not be used until `held_until`; from then on it counts as ready to
    use everywhere, whether or not its row says so already.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        ISSUED = "issued", _("ready to use")
        OFFERED = "offered", _("offered to a friend")
        HELD = "held", pgettext_lazy("voucher", "held for an order")
        USED = "used", _("used")
        EXPIRED = "expired", _("expired")
        VOIDED = "voided", pgettext_lazy("voucher", "voided")

    class Origin(models.TextChoices):
        REWARD = "reward", _("redeemed for points")
        BENEFIT = "benefit", _("benefit")
        BATCH = "batch", _("given to many")
        OFFER = "offer", _("claimed")
        STAFF = "staff", _("given by staff")
        GIFT = "gift", _("from a friend")
        REISSUE = "reissue", _("in place of another")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("member"), db_index=False
    )
    template = models.ForeignKey(
        VoucherTemplate,
        on_delete=models.PROTECT,
        related_name="vouchers",
        verbose_name=_("voucher template"),
        db_index=False,
    )
    code_hmac = models.BinaryField(_("look-up key of the code"), max_length=32, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ISSUED)
    origin = models.CharField(_("came by"), max_length=8, choices=Origin)
    origin_ref = models.CharField(_("reference"), max_length=80, blank=True, db_default="", default="")
    issued_at = models.DateTimeField(_("issued at"))
    valid_from = models.DateTimeField(_("may be used from"))
    expires_at = models.DateTimeField(_("expires at"))
    held_until = models.DateTimeField(_("held until"), null=True, editable=False)
    held_ref = models.UUIDField(_("held for"), null=True, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True, editable=False)
    used_source = models.CharField(_("used by"), max_length=40, blank=True, db_default="", default="", editable=False)
    used_order_no = models.CharField(
        _("order number"), max_length=80, blank=True, db_default="", default="", editable=False
    )
    used_off_amount = models.DecimalField(
        _("taken off"), max_digits=10, decimal_places=2, null=True, editable=False, help_text=_("Empty: nobody said.")
    )

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        permissions = [("serve_at_counter", _("Can use vouchers and hand over rewards at a counter"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["issued", "offered", "held", "used", "expired", "voided"]),
                name="voucher_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(origin__in=["reward", "benefit", "batch", "offer", "staff", "gift", "reissue"]),
                name="voucher_origin_is_known",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("valid_from"), valid_from__gte=F("issued_at")),
                name="voucher_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(state="held", held_until__isnull=False, held_ref__isnull=False)
                | Q(state="offered", held_until__isnull=False, held_ref__isnull=True)
                | (~Q(state__in=["held", "offered"]) & Q(held_until__isnull=True, held_ref__isnull=True)),
                name="held_voucher_names_its_order_and_its_end",
            ),
            models.CheckConstraint(
                condition=Q(state="used", used_at__isnull=False)
                | (
                    ~Q(state="used")
                    & Q(used_at__isnull=True, used_source="", used_order_no="", used_off_amount__isnull=True)
                ),
                name="only_used_vouchers_say_where_they_were_used",
            ),
            models.CheckConstraint(
                condition=Q(used_off_amount__isnull=True) | Q(used_off_amount__gte=0),
                name="used_voucher_takes_nothing_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-issued_at"], name="vouchers_of_member"),
            models.Index(fields=["-issued_at", "-id"], name="voucher_newest_first"),
            models.Index(fields=["expires_at"], name="voucher_due", condition=Q(state="issued")),
            models.Index(fields=["template", "member", "used_at"], name="vouchers_of_template_by_member"),
            models.Index(fields=["origin", "origin_ref", "id"], name="vouchers_by_origin", condition=~Q(origin_ref="")),
            models.Index(fields=["held_until"], name="voucher_held_until", condition=Q(held_until__isnull=False)),
            models.Index(fields=["held_ref"], name="vouchers_of_hold", condition=Q(held_ref__isnull=False)),
            models.Index(fields=["used_order_no", "used_source"], name="vouchers_of_order", condition=Q(state="used")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    def is_held(self, at: datetime) -> bool:
        """Whether an order or an offer to a friend holds it at a moment."""
        return self.held_until is not None and at < self.held_until

    def state_at(self, at: datetime) -> State:
        """Return its state at a moment: a hold that has run out, and an end that has come, count before they are noted."""
        if self.state not in (self.State.ISSUED, self.State.HELD, self.State.OFFERED) or self.is_held(at):
            return self.State(self.state)
        return self.State.EXPIRED if self.expires_at <= at else self.State.ISSUED


class VoucherEvent(models.Model):
    """A change of a voucher's state, with who did it, where, for which order, and why."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="events", verbose_name=_("voucher"))
    from_state = models.CharField(_("from state"), max_length=8, blank=True)
    to_state = models.CharField(_("to state"), max_length=8, choices=Voucher.State)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    external_order_no = models.CharField(_("order number"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="", default="")
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
