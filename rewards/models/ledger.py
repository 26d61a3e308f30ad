"""The points ledger. Written only by the database functions that `rewards/ledger.py` calls.

Transactions, entries, moves and events are history; accounts, lots and holds are projections of them.
All points are whole numbers in the currency's minor unit (exponent 0 for points).
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models import Tier
from members.models import Member, Store
from members.models.timeline import CurrentTransactionId


class PointsCurrency(models.Model):
    """A kind of points that members hold, and the policies of its ledger: 积分 by default; a brand may add coins or stars."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Arrears(models.TextChoices):
        NONE = "none", _("is given up")
        LIMIT = "limit", _("becomes arrears up to a limit, the rest is given up")
        FUTURE = "future", _("becomes arrears, repaid from later earnings")

    id = models.SmallAutoField(primary_key=True)
    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("points name"), max_length=30)
    exponent = models.PositiveSmallIntegerField(_("decimal places"), default=0)
    arrears_policy = models.CharField(
        _("what can not be taken back"),
        max_length=10,
        choices=Arrears,
        default=Arrears.FUTURE,
        db_default=Arrears.FUTURE.value,
        help_text=_("When goods come back and the points they earned are spent already."),
    )
    arrears_limit_points = models.PositiveBigIntegerField(
        _("limit of arrears (points)"),
        default=0,
        db_default=0,
        help_text=_("For members of tiers without a limit of their own."),
    )
    takes_other_lots = models.BooleanField(
        _("takes back from other points"),
        default=True,
        db_default=True,
        help_text=_(
            "When the points of the returned purchase are spent, take other points of the member before arrears."
        ),
    )
    restored_days_min = models.PositiveSmallIntegerField(
        _("restored points live at least (days)"),
        default=0,
        db_default=0,
        help_text=_("Points that come back after a cancelled redemption. 0: they keep the expiry they had."),
    )
    hold_minutes = models.PositiveIntegerField(
        _("a hold lasts (minutes)"),
        default=15,
        db_default=15,
        help_text=_("Points set aside while an order is paid come back by themselves after this time."),
    )
    household_pays = models.BooleanField(
        _("members of one household may pay for one another"),
        default=False,
        db_default=False,
        help_text=_(
            "What a member lacks for a reward is taken from those in the household who agreed to it, the points that expire first before others."
        ),
    )

    class Meta:
        verbose_name = _("points currency")
        verbose_name_plural = _("points currencies")
        constraints = [
            models.CheckConstraint(condition=Q(exponent__lte=4), name="points_exponent_is_small"),
            models.CheckConstraint(
                condition=Q(arrears_policy__in=["none", "limit", "future"]), name="arrears_policy_is_known"
            ),
            models.CheckConstraint(condition=Q(hold_minutes__gte=1), name="hold_lasts_at_least_a_minute"),
        ]

    def __str__(self) -> str:
        return self.name


class ArrearsLimit(models.Model):
    """How far members of one tier may fall into arrears in one currency, when its policy has limits."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="arrears_limits", verbose_name=_("points currency")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    limit_points = models.PositiveBigIntegerField(_("limit of arrears (points)"))

    class Meta:
        verbose_name = _("limit of arrears")
        verbose_name_plural = _("limits of arrears")
        constraints = [
            models.UniqueConstraint(fields=["currency", "tier"], name="tier_has_one_arrears_limit_per_currency")
        ]

    def __str__(self) -> str:
        return f"{self.currency_id}/{self.tier_id}: {self.limit_points}"


class PointsRate(models.Model):
    """What one point of a currency is worth from a moment on, in the programme's money. Never changed: a change is a new row."""

    personal_data: ClassVar[tuple[str, ...]] = ()

    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="rates", verbose_name=_("points currency")
    )
    valid_from = models.DateTimeField(_("in force from"))
    money_per_point = models.DecimalField(
        _("value of one point (money)"),
        max_digits=12,
        decimal_places=6,
        help_text=_("In the programme's currency, for example 0.010000 when 100 points are worth 1.00."),
    )

    class Meta:
        verbose_name = _("value of a point")
        verbose_name_plural = _("values of a point")
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "valid_from"], name="point_has_one_value_at_a_time"),
            models.CheckConstraint(condition=Q(money_per_point__gte=0), name="value_of_a_point_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.money_per_point}"


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
    deadline_at = models.DateTimeField(
        _("expires without activity at"),
        null=True,
        help_text=_("Points expire at this moment or at their lot's, whichever is earlier."),
    )

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
        # Without a condition on the balances: it would make every posting touch the index.
        indexes = [
            models.Index(fields=["deadline_at", "id"], name="account_deadline", condition=Q(deadline_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.member_id}/{self.currency_id}"


class LedgerTransaction(models.Model):
    """One business fact in the ledger. `(kind, source, natural_key, currency)` is unique for ever: a duplicate dies here.

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
        HOLD = 6, _("set aside")
        CAPTURE = 7, _("redeemed from a hold")
        HOLD_RELEASE = 8, _("hold given back")
        RESTORE = 9, _("given back")
        ADJUST = 10, _("adjusted by staff")
        TRANSFER = 11, _("transferred")
        DONATE = 12, _("donated")
        CONVERT_OUT = 13, _("converted to a partner")
        CONVERT_IN = 14, _("converted from a partner")
        CORRECT = 15, _("wrong credit taken back")
        WRITE_OFF = 16, _("arrears forgiven")
        MERGE = 17, _("moved at a merge")
        EXTEND = 18, _("expiry extended")

    kind = models.SmallIntegerField(_("kind"), choices=Kind)
    source = models.CharField(_("source"), max_length=40)
    natural_key = models.CharField(_("natural key"), max_length=80)
    currency = models.ForeignKey(
        PointsCurrency, on_delete=models.PROTECT, related_name="+", verbose_name=_("points currency"), db_index=False
    )
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
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    tier_code = models.CharField(_("tier"), max_length=30, db_default="", blank=True)
    trace = models.JSONField(_("explanation"), null=True)

    class Meta:
        verbose_name = _("ledger transaction")
        verbose_name_plural = _("ledger transactions")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "source", "natural_key", "currency"], name="ledger_fact_is_posted_once_per_currency"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]),
                name="ledger_kind_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["reverses"], name="reversals_of_transaction", condition=Q(reverses__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}/{self.natural_key}"

    @property
    def number_on_paper(self) -> str:
        """The number of the order or the return as it stands on the receipt; nothing for what has no paper."""
        is_of_a_shop = self.source not in ("activity", "birthday", "gift", "opening", "redemption")
        kinds = (self.Kind.EARN, self.Kind.RETURN, self.Kind.REDEEM, self.Kind.CAPTURE)
        return self.natural_key if self.kind in kinds and is_of_a_shop else ""


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
        ADJUSTMENT = 5, _("adjustment")
        TRANSFER = 6, _("other member")
        CHARITY = 7, _("charity")
        PARTNER = 8, pgettext_lazy("ledger", "partner")
        WRITE_OFF = 9, _("write-off")

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
    xact = models.BigIntegerField(
        _("posting transaction of the database"), null=True, editable=False, db_default=CurrentTransactionId()
    )

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
            models.CheckConstraint(condition=Q(contra__range=(1, 9)), name="other_side_is_known"),
        ]
        indexes = [models.Index(fields=["-happened_at", "-id"], name="entry_newest_first")]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.seq}"

    @property
    def points_spent(self) -> int:
        """Points that a debit took for good; what a partly used hold gave back for arrears is not among them."""
        return self.d_debt - (self.d_available + self.d_pending + self.d_held)


class Lot(models.Model):
    """Points earned together, which expire together. Eaten earliest expiry first.

    A merge moves what is left of a lot into a new one of the survivor, with the same expiry and origin, which names the
    lot it came from, the transaction that had credited the points, and whose they are.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.IntegerChoices):
        PENDING = 1, _("pending")
        LIVE = 2, _("available")
        CLOSED = 3, _("used up")

    class Origin(models.IntegerChoices):
        PURCHASE = 1, _("purchase")
        PROMOTION = 2, _("promotion")
        BEHAVIOUR = 3, _("activity")
        ADJUSTMENT = 4, _("adjustment")
        TRANSFER = 5, _("transfer")
        PARTNER = 6, pgettext_lazy("ledger", "partner")
        OPENING = 7, _("opening balance")

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
    credit = models.ForeignKey(
        LedgerTransaction,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("first credited by"),
        db_index=False,
        help_text=_("Of points that a merge brought: what had credited them."),
    )
    owner = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("goes with"),
        db_index=False,
        db_constraint=False,
        help_text=_("Of points that a merge brought: the member whose they are when it is taken apart."),
    )
    amount = models.BigIntegerField(_("points earned"))
    remaining = models.BigIntegerField(_("points left"))
    held = models.BigIntegerField(_("points held"), db_default=0)
    state = models.SmallIntegerField(_("state"), choices=State)
    available_at = models.DateTimeField(_("available from"))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    origin = models.SmallIntegerField(_("origin"), choices=Origin, default=Origin.PURCHASE, db_default=1)
    expiries = models.SmallIntegerField(_("times expired"), db_default=0)

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
            models.CheckConstraint(condition=Q(origin__range=(1, 7)), name="lot_origin_is_known"),
            models.CheckConstraint(condition=~Q(state=3) | Q(remaining=0, held=0), name="closed_lot_is_empty"),
        ]
        indexes = [
            models.Index(fields=["account", "expires_at", "id"], name="lot_open", condition=Q(remaining__gt=0)),
            models.Index(
                fields=["expires_at", "account"], name="lot_due", condition=Q(remaining__gt=0, expires_at__isnull=False)
            ),
            models.Index(fields=["available_at", "account"], name="lot_pending", condition=Q(state=1)),
            models.Index(fields=["credit"], name="lot_brought_by_merge", condition=Q(credit__isnull=False)),
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
        GIVEN_UP = 4, _("could not be taken back")

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
            models.CheckConstraint(condition=Q(kind__range=(1, 4)), name="lot_event_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}: {self.kind}"


class Hold(models.Model):
    """Points set aside for a while. Open until captured, released, or past its end.

    One that is past its end is given back by the beat or by the account's next posting; `is_told`: the timeline knows of it.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.IntegerChoices):
        OPEN = 1, pgettext_lazy("hold", "open")
        CAPTURED = 2, _("captured")
        RELEASED = 3, _("released")
        EXPIRED = 4, _("expired")

    account = models.ForeignKey(
        PointsAccount, on_delete=models.PROTECT, related_name="holds", verbose_name=_("account"), db_index=False
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("member"),
        db_index=False,
        db_constraint=False,
    )
    transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, related_name="hold", verbose_name=_("set aside by")
    )
    closed_by = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="closed_hold", verbose_name=_("closed by")
    )
    points = models.BigIntegerField(_("points"))
    state = models.SmallIntegerField(_("state"), choices=State, default=State.OPEN)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    is_told = models.BooleanField(_("told to the member's timeline"), default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("points set aside")
        verbose_name_plural = _("points set aside")
        permissions = [("give_back_hold", _("Can give points that are set aside back"))]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="hold_has_points"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="hold_ends_after_it_begins"),
            models.CheckConstraint(condition=Q(state__in=[1, 2, 3, 4]), name="hold_state_is_known"),
            models.CheckConstraint(
                condition=Q(state=1, closed_by__isnull=True) | ~Q(state=1) & Q(closed_by__isnull=False),
                name="hold_is_closed_by_a_transaction",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="hold_open_by_end", condition=Q(state=1)),
            models.Index(fields=["account", "expires_at"], name="hold_open_of_account", condition=Q(state=1)),
            models.Index(fields=["account", "-id"], name="hold_newest_of_account"),
            models.Index(fields=["id"], name="hold_expired_untold", condition=Q(state=4, is_told=False)),
        ]

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
