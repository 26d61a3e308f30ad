"""What members redeemed, on its way to them: orders of rewards, their steps, digital codes and where parcels go."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member, Operator, Store
from rewards.models.catalog import FlashSale, Reward
from rewards.models.ledger import LedgerTransaction
from rewards.models.partners import PartnerConversion
from rewards.models.transfers import Donation
from rewards.models.vouchers import Voucher


class RedemptionState(models.TextChoices):
    """Where an order of a reward stands."""

    PLACED = "placed", pgettext_lazy("redemption", "placed")
    PREPARING = "preparing", pgettext_lazy("redemption", "being prepared")
    SHIPPED = "shipped", pgettext_lazy("redemption", "on its way")
    READY = "ready", pgettext_lazy("redemption", "ready for pick-up")
    DONE = "done", pgettext_lazy("redemption", "done")
    CANCELLED = "cancelled", pgettext_lazy("redemption", "cancelled")
    REFUNDED = "refunded", pgettext_lazy("redemption", "points given back")


class Redemption(models.Model):
    """A member's points for a reward: paid, taken from the stock and (a voucher, a code) given in one transaction.

    What was agreed is never changed; state, parcel, place of pick-up and what was given back are. The state is what its
    events say, and moved by guarded statements beside them. `number` counts all orders of one member and reward.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("tracking_no",)

    State = RedemptionState

    class Delivery(models.TextChoices):
        NONE = "none", pgettext_lazy("redemption", "nothing to hand over")
        POST = "post", pgettext_lazy("redemption", "sent by post")
        STORE = "store", pgettext_lazy("redemption", "handed over in a store")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("member"), db_index=False
    )
    request_id = models.CharField(_("request"), max_length=80, unique=True)
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("reward"))
    number = models.PositiveIntegerField(_("number"), help_text=_("1, 2, 3 … of this member and reward."))
    quantity = models.PositiveSmallIntegerField(_("pieces"), default=1, db_default=1)
    price_points = models.PositiveIntegerField(_("price (points)"))
    cash_amount = models.DecimalField(
        _("to be paid besides (money)"), max_digits=10, decimal_places=2, default=0, db_default=0
    )
    sale = models.ForeignKey(
        FlashSale,
        on_delete=models.PROTECT,
        null=True,
        related_name="redemptions",
        verbose_name=_("flash sale"),
        db_index=False,
    )
    quote_ref = models.UUIDField(_("quote"), null=True, editable=False)
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="redemption", verbose_name=_("paid by")
    )
    refund = models.OneToOneField(
        LedgerTransaction,
        on_delete=models.PROTECT,
        null=True,
        related_name="refunded_redemption",
        verbose_name=_("given back by"),
    )
    voucher = models.OneToOneField(
        Voucher, on_delete=models.PROTECT, null=True, related_name="redemption", verbose_name=_("voucher")
    )
    donation = models.OneToOneField(
        Donation, on_delete=models.PROTECT, null=True, related_name="redemption", verbose_name=_("donation")
    )
    conversion = models.OneToOneField(
        PartnerConversion, on_delete=models.PROTECT, null=True, related_name="redemption", verbose_name=_("conversion")
    )
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=RedemptionState,
        default=RedemptionState.DONE,
        db_default=RedemptionState.DONE.value,
    )
    state_at = models.DateTimeField(_("in this state since"), db_default=models.functions.Now())
    delivery = models.CharField(
        _("how it reaches the member"),
        max_length=5,
        choices=Delivery,
        default=Delivery.NONE,
        db_default=Delivery.NONE.value,
    )
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("store of pick-up")
    )
    pickup_hmac = models.BinaryField(
        _("look-up key of the pick-up code"), max_length=32, unique=True, null=True, editable=False
    )
    carrier = models.CharField(_("carrier"), max_length=40, blank=True, db_default="")
    tracking_no = models.CharField(_("number of the parcel"), max_length=60, blank=True, db_default="")
    due_at = models.DateTimeField(_("to be ready by"), null=True)
    redeemed_at = models.DateTimeField(_("redeemed at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        permissions = [
            ("fulfil_redemption", _("Can prepare, ship and hand over what members redeemed")),
            ("cancel_redemption", _("Can cancel redemptions and give the points back")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["member", "reward", "number"], name="redemptions_of_a_reward_are_numbered"),
            models.CheckConstraint(condition=Q(price_points__gt=0), name="redemption_costs_points"),
            models.CheckConstraint(condition=Q(quantity=1), name="redemption_is_of_one_piece"),
            models.CheckConstraint(condition=Q(cash_amount__gte=0), name="cash_of_a_redemption_is_not_negative"),
            models.CheckConstraint(
                condition=Q(state__in=["placed", "preparing", "shipped", "ready", "done", "cancelled", "refunded"]),
                name="redemption_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    delivery="none",
                    store=None,
                    pickup_hmac=None,
                    due_at=None,
                    state__in=["done", "cancelled", "refunded"],
                )
                | Q(delivery="post", store=None, pickup_hmac=None, due_at__isnull=False) & ~Q(state="ready")
                | Q(delivery="store", pickup_hmac__isnull=False) & ~Q(state="shipped"),
                name="redemption_reaches_the_member_as_it_says",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["cancelled", "refunded"], refund__isnull=False)
                | ~Q(state__in=["cancelled", "refunded"]) & Q(refund__isnull=True),
                name="cancelled_redemption_gave_its_points_back",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-redeemed_at"], name="redemptions_of_member"),
            models.Index(fields=["-redeemed_at", "-id"], name="redemption_newest_first"),
            models.Index(
                fields=["due_at", "id"],
                name="redemptions_to_be_fulfilled",
                condition=Q(state__in=["placed", "preparing"]),
            ),
            models.Index(
                fields=["store", "redeemed_at"], name="redemptions_to_be_picked_up", condition=Q(state="ready")
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RedemptionEvent(models.Model):
    """A step of an order of a reward, with who took it, where and why. The first one has no state before it."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="events", verbose_name=_("redemption")
    )
    from_state = models.CharField(_("from state"), max_length=10, blank=True)
    to_state = models.CharField(_("to state"), max_length=10, choices=RedemptionState)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("step of a redemption")
        verbose_name_plural = _("steps of redemptions")
        ordering = ["happened_at", "id"]

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.to_state}"


class RedemptionAddress(models.Model):
    """Where one parcel goes, encrypted: name, phone number and address. Deleted some time after it arrived, or with the person.

    A row of its own, so that it can be deleted while the order stays; no plain text of a person stands outside members.
    """

    personal_data: ClassVar[tuple[str, ...]] = ("ciphertext",)

    redemption = models.OneToOneField(
        Redemption, on_delete=models.PROTECT, primary_key=True, related_name="address", verbose_name=_("redemption")
    )
    ciphertext = models.BinaryField(_("encrypted address"))
    written_at = models.DateTimeField(_("written at"))

    class Meta:
        verbose_name = _("address of a redemption")
        verbose_name_plural = _("addresses of redemptions")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"#{self.pk}"


class DigitalCode(models.Model):
    """One code of a pool that staff uploaded, encrypted. Free until a redemption gives it away; void when it is not to be given.

    Only the member to whom it was given sees it. A code is uploaded once: a keyed hash tells that it is known.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        FREE = "free", pgettext_lazy("digital code", "free")
        GIVEN = "given", pgettext_lazy("digital code", "given to a member")
        VOID = "void", pgettext_lazy("digital code", "not to be given")

    reward = models.ForeignKey(
        Reward, on_delete=models.PROTECT, related_name="codes", verbose_name=_("reward"), db_index=False
    )
    ciphertext = models.BinaryField(_("encrypted code"))
    code_hmac = models.BinaryField(_("look-up key of the code"), max_length=32, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=5, choices=State, default=State.FREE)
    redemption = models.OneToOneField(
        Redemption, on_delete=models.PROTECT, null=True, related_name="digital_code", verbose_name=_("redemption")
    )
    expires_at = models.DateTimeField(_("can be used until"), null=True, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded at"))
    operator = models.ForeignKey(
        Operator, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("uploaded by"), db_index=False
    )
    given_at = models.DateTimeField(_("given at"), null=True)
    voided_at = models.DateTimeField(_("taken out at"), null=True)

    class Meta:
        verbose_name = _("digital code")
        verbose_name_plural = _("digital codes")
        default_permissions = ("view",)
        permissions = [("upload_digital_codes", _("Can upload and take out digital codes"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="free", redemption=None, given_at=None, voided_at=None)
                | Q(state="given", redemption__isnull=False, given_at__isnull=False, voided_at=None)
                | Q(state="void", voided_at__isnull=False),
                name="digital_code_is_free_or_given_or_void",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("uploaded_at")),
                name="digital_code_is_uploaded_before_its_end",
            ),
        ]
        indexes = [
            models.Index(fields=["reward", "id"], name="digital_codes_that_are_free", condition=Q(state="free")),
            models.Index(fields=["reward", "state"], name="digital_codes_by_state"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
