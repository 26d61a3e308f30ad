"""The points ledger. Written only by the database functions that `rewards/ledger.py` calls.

Transactions, entries, moves and events are history; accounts, lots and holds are projections of them.
All points are whole numbers in the currency's minor unit (exponent 0 for points).
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models import Member


class PointsCurrency(models.Model):
    """A kind of points that members hold: 积分 by default; a brand may add coins or stars."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    id = models.SmallAutoField(primary_key=True)
    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("points name"), max_length=30)
    exponent = models.PositiveSmallIntegerField(_("decimal places"), default=0)

    class Meta:
        verbose_name = _("points currency")
        verbose_name_plural = _("points currencies")
        constraints = [models.CheckConstraint(condition=Q(exponent__lte=4), name="points_exponent_is_small")]

    def __str__(self) -> str:
        return self.name


class PointsAccount(models.Model):
    """A member's balance in one currency: what is available, pending, held and owed. The lock of every posting."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="accounts", verbose_name=_("member"), db_index=False
    )
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("currency"), db_index=False
    )
    available = models.BigIntegerField(_("available points"), db_default=0)
    pending = models.BigIntegerField(_("pending points"), db_default=0)
    held = models.BigIntegerField(_("held points"), db_default=0)
    debt = models.BigIntegerField(_("arrears"), db_default=0)
    seq = models.BigIntegerField(_("number of entries"), db_default=0)

    class Meta:
        verbose_name = _("points account")
        verbose_name_plural = _("points accounts")
        constraints = [
            models.UniqueConstraint(fields=["member", "currency"], name="member_has_one_account_per_currency"),
            models.CheckConstraint(
                condition=Q(available__gte=0, pending__gte=0, held__gte=0, debt__gte=0, seq__gte=0),
                name="balances_are_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}/{self.currency_id}"


class LedgerTransaction(models.Model):
    """One business fact in the ledger. `(kind, source, natural_key)` is unique for ever: a duplicate dies here.

    `trace` holds compactly why the points are what they are (rule versions, facts, amounts, what did not apply).
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.IntegerChoices):
        EARN = 1, _("earned")
        RELEASE = 2, _("became available")
        REDEEM = 3, _("redeemed")
        RETURN = 4, _("taken back after a return")
        EXPIRE = 5, _("expired")

    kind = models.SmallIntegerField(_("kind"), choices=Kind)
    source = models.CharField(_("source"), max_length=40)
    natural_key = models.CharField(_("natural key"), max_length=80)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    reverses = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="reversed_by",
        verbose_name=_("takes back"),
        db_index=False,
    )
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    reason = models.CharField(_("reason"), max_length=200, db_default="", blank=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    trace = models.JSONField(_("explanation"), null=True)

    class Meta:
        verbose_name = _("ledger transaction")
        verbose_name_plural = _("ledger transactions")
        constraints = [
            models.UniqueConstraint(fields=["kind", "source", "natural_key"], name="ledger_fact_is_posted_once"),
            models.CheckConstraint(condition=Q(kind__in=[1, 2, 3, 4, 5]), name="ledger_kind_is_known"),
        ]
        indexes = [
            models.Index(fields=["reverses"], name="reversals_of_transaction", condition=Q(reverses__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}/{self.natural_key}"


class LedgerEntry(models.Model):
    """What one transaction did to one account: four deltas, the four balances after, and a hash of all of it.

    Entries of an account are numbered without gaps. `contra` names the other side, which is summed off-line.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Contra(models.IntegerChoices):
        ISSUANCE = 1, _("issuance")
        REDEMPTION = 2, _("redemption")
        BREAKAGE = 3, _("breakage")
        INTERNAL = 4, _("within the account")

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries", verbose_name=_("transaction")
    )
    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="entries", verbose_name=_("account"), db_index=False
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("member"),
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField(_("number in the account"))
    d_available = models.BigIntegerField(_("change of available"))
    d_pending = models.BigIntegerField(_("change of pending"))
    d_held = models.BigIntegerField(_("change of held"))
    d_debt = models.BigIntegerField(_("change of arrears"))
    available_after = models.BigIntegerField(_("available after"))
    pending_after = models.BigIntegerField(_("pending after"))
    held_after = models.BigIntegerField(_("held after"))
    debt_after = models.BigIntegerField(_("arrears after"))
    contra = models.SmallIntegerField(_("other side"), choices=Contra)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=models.functions.Now(), editable=False)
    hash = models.BinaryField(_("hash"), max_length=32)

    class Meta:
        verbose_name = _("points entry")
        verbose_name_plural = _("points entries")
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="entries_of_an_account_are_numbered"),
            models.CheckConstraint(
                condition=~Q(d_available=0, d_pending=0, d_held=0, d_debt=0), name="entry_changes_something"
            ),
            models.CheckConstraint(
                condition=Q(available_after__gte=0, pending_after__gte=0, held_after__gte=0, debt_after__gte=0),
                name="balances_after_are_not_negative",
            ),
            models.CheckConstraint(condition=Q(contra__in=[1, 2, 3, 4]), name="other_side_is_known"),
        ]
        indexes = [models.Index(fields=["-happened_at", "-id"], name="entry_newest_first")]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.seq}"


class Lot(models.Model):
    """Points earned together, which expire together. Eaten earliest expiry first."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.IntegerChoices):
        PENDING = 1, _("pending")
        LIVE = 2, _("available")
        CLOSED = 3, _("used up")

    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="lots", verbose_name=_("account"), db_index=False
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("member"),
        db_index=False,
        db_constraint=False,
    )
    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="lots", verbose_name=_("earned by")
    )
    origin_lot = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("came from lot"), db_index=False
    )
    amount = models.BigIntegerField(_("points earned"))
    remaining = models.BigIntegerField(_("points left"))
    held = models.BigIntegerField(_("points held"), db_default=0)
    state = models.SmallIntegerField(_("state"), choices=State)
    available_at = models.DateTimeField(_("available from"))
    expires_at = models.DateTimeField(_("expires at"), null=True)

    class Meta:
        verbose_name = _("points lot")
        verbose_name_plural = _("points lots")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="lot_has_points"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, held__gte=0) & Q(amount__gte=F("remaining") + F("held")),
                name="lot_is_not_overdrawn",
            ),
            models.CheckConstraint(condition=Q(state__in=[1, 2, 3]), name="lot_state_is_known"),
            models.CheckConstraint(condition=~Q(state=3) | Q(remaining=0, held=0), name="closed_lot_is_empty"),
        ]
        indexes = [
            models.Index(fields=["account", "expires_at", "id"], name="lot_open", condition=Q(remaining__gt=0)),
            models.Index(
                fields=["expires_at", "account"], name="lot_due", condition=Q(remaining__gt=0, expires_at__isnull=False)
            ),
            models.Index(fields=["available_at", "account"], name="lot_pending", condition=Q(state=1)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}: {self.remaining}/{self.amount}"


class LotMove(models.Model):
    """What one entry did to one lot."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    pk = models.CompositePrimaryKey("entry_id", "lot_id")
    entry = models.ForeignKey(
        LedgerEntry, on_delete=models.PROTECT, related_name="moves", verbose_name=_("entry"), db_index=False
    )
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="moves", verbose_name=_("lot"))
    d_remaining = models.BigIntegerField(_("change of points left"))
    d_held = models.BigIntegerField(_("change of points held"), db_default=0)

    class Meta:
        verbose_name = _("lot move")
        verbose_name_plural = _("lot moves")
        constraints = [models.CheckConstraint(condition=~Q(d_remaining=0, d_held=0), name="lot_move_moves_something")]

    def __str__(self) -> str:
        return f"{self.entry_id}/{self.lot_id}: {self.d_remaining}"


class LotEvent(models.Model):
    """What happened to a lot without moving points: released from pending, expiry changed, a return met expired points."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Kind(models.IntegerChoices):
        RELEASED = 1, _("became available")
        EXPIRY_CHANGED = 2, _("expiry changed")
        RETURN_MET_EXPIRED = 3, _("returned after it had expired")

    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="events", verbose_name=_("lot"))
    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="+", verbose_name=_("transaction"), db_index=False
    )
    kind = models.SmallIntegerField(_("kind"), choices=Kind)
    points = models.BigIntegerField(_("points"), db_default=0)
    old_expires_at = models.DateTimeField(_("old expiry"), null=True)
    new_expires_at = models.DateTimeField(_("new expiry"), null=True)
    reason = models.CharField(_("reason"), max_length=200, db_default="", blank=True)
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("lot event")
        verbose_name_plural = _("lot events")
        constraints = [
            models.UniqueConstraint(fields=["lot", "transaction", "kind"], name="lot_event_is_recorded_once"),
            models.CheckConstraint(condition=Q(kind__in=[1, 2, 3]), name="lot_event_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}: {self.kind}"


class Hold(models.Model):
    """Points set aside for a while. Open until captured, released, or past its end."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.IntegerChoices):
        OPEN = 1, pgettext_lazy("hold", "open")
        CAPTURED = 2, _("captured")
        RELEASED = 3, _("released")
        EXPIRED = 4, _("expired")

    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="holds", verbose_name=_("account")
    )
    points = models.BigIntegerField(_("points"))
    state = models.SmallIntegerField(_("state"), choices=State, default=State.OPEN)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="hold_has_points"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="hold_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(state__in=[1, 2, 3, 4]), name="hold_state_is_known"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="hold_open_by_end", condition=Q(state=1))]

    def __str__(self) -> str:
        return f"#{self.pk}: {self.points}"


class HoldLot(models.Model):
    """How much of a hold lies on which lot."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    hold = models.ForeignKey(
        Hold, on_delete=models.PROTECT, related_name="lots", verbose_name=_("hold"), db_index=False
    )
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="+", verbose_name=_("lot"))
    points = models.BigIntegerField(_("points"))

    class Meta:
        verbose_name = _("held lot")
        verbose_name_plural = _("held lots")
        constraints = [
            models.UniqueConstraint(fields=["hold", "lot"], name="hold_names_a_lot_once"),
            models.CheckConstraint(condition=Q(points__gt=0), name="held_lot_has_points"),
        ]

    def __str__(self) -> str:
        return f"{self.hold_id}/{self.lot_id}: {self.points}"
