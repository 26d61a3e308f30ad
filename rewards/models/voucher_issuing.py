"""How vouchers come to members: budgets, batches, offers and their claims, gifts to friends, goodwill of staff."""

from typing import ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.models import Tier
from members.models import Job, Member, Operator, Proposal, Segment, Store
from rewards.models.vouchers import Voucher, VoucherTemplate


class VoucherBudget(models.Model):
    """What the vouchers of a template cost at most: of all that were issued, less those that ended unused.

    Made when the first voucher is issued under a budget, and kept up from then on; the template says what the budget is.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    template = models.OneToOneField(
        VoucherTemplate, on_delete=models.PROTECT, primary_key=True, related_name="budget", verbose_name=_("voucher template")
    )  # fmt: skip
    used_amount = models.DecimalField(_("used of the budget (money)"), max_digits=14, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("budget of a voucher template")
        verbose_name_plural = _("budgets of voucher templates")
        constraints = [
            models.CheckConstraint(condition=Q(used_amount__gte=0), name="voucher_budget_is_not_used_below_zero")
        ]

    def __str__(self) -> str:
        return f"#{self.template_id}"


class VoucherBatch(models.Model):
    """Vouchers of one template for everybody who is in a segment when the job begins. Never deleted.

    Drawn up with what it would cost; carried out by a job, after approval where it is above the maker's limit. Who gets
    one is who was in the segment at `began_at`.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class Duplicates(models.TextChoices):
        SKIP = "skip", pgettext_lazy("voucher batch", "leave out who has one that can be used")
        AGAIN = "again", pgettext_lazy("voucher batch", "give one more")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="batches", verbose_name=_("voucher template")
    )
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+", verbose_name=_("segment"))
    duplicates = models.CharField(_("who has one already"), max_length=5, choices=Duplicates, default=Duplicates.SKIP)
    maker = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="+", verbose_name=_("drawn up by"))
    created_at = models.DateTimeField(_("drawn up at"))
    planned_people = models.PositiveIntegerField(_("members as proposed"), default=0)
    planned_amount = models.DecimalField(_("cost at most as proposed"), max_digits=14, decimal_places=2, default=0)
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    began_at = models.DateTimeField(_("members as they were at"), null=True)
    issued = models.PositiveIntegerField(_("vouchers issued"), default=0)

    class Meta:
        verbose_name = _("batch of vouchers")
        verbose_name_plural = _("batches of vouchers")
        permissions = [("issue_batch", _("Can issue vouchers to many members"))]
        constraints = [
            models.CheckConstraint(condition=Q(duplicates__in=["skip", "again"]), name="voucher_batch_treats_duplicates"),
            models.CheckConstraint(
                condition=Q(job__isnull=True) | Q(proposal__isnull=False), name="voucher_batch_is_carried_out_by_a_proposal"
            ),
            models.CheckConstraint(
                condition=Q(began_at__isnull=True) | Q(job__isnull=False), name="voucher_batch_begins_with_its_job"
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["-created_at", "-id"], name="voucher_batch_newest_first")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherOffer(models.Model):
    """Vouchers that members fetch for themselves, in a window of time, up to a total. Draft, running, paused, ended for good.

    Its code to scan is derived from a secret and `public_id`; of that and of the claim code only keyed hashes are kept.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("voucher offer", "draft")
        RUNNING = "running", pgettext_lazy("voucher offer", "running")
        PAUSED = "paused", pgettext_lazy("voucher offer", "paused")
        ENDED = "ended", pgettext_lazy("voucher offer", "ended")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    name = models.CharField(_("offer name"), max_length=80)
    template = models.ForeignKey(
        VoucherTemplate, on_delete=models.PROTECT, related_name="offers", verbose_name=_("voucher template")
    )
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.DRAFT, editable=False)
    begins_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True, help_text=_("Empty: until it is ended."))
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only who is in"),
        help_text=_("Empty: all members."),
    )  # fmt: skip
    min_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from tier"),
        help_text=_("Empty: all tiers."),
    )  # fmt: skip
    per_member_limit = models.PositiveSmallIntegerField(_("limit per member"), default=1)
    total_limit = models.PositiveIntegerField(
        _("vouchers in all"), null=True, blank=True, help_text=_("Empty: without limit.")
    )
    claimed = models.PositiveIntegerField(_("vouchers claimed"), default=0, editable=False)
    by_button = models.BooleanField(_("claimed by a button in the app"), default=True)
    by_scan = models.BooleanField(_("claimed by scanning its code"), default=False)
    scan_hmac = models.BinaryField(_("look-up key of the code to scan"), max_length=32, unique=True, editable=False)
    claim_code_hmac = models.BinaryField(
        _("look-up key of the claim code"), max_length=32, unique=True, null=True, editable=False
    )
    created_at = models.DateTimeField(_("made at"), editable=False)
    ended_at = models.DateTimeField(_("ended at"), null=True, editable=False)

    class Meta:
        verbose_name = _("voucher offer")
        verbose_name_plural = _("voucher offers")
        permissions = [("run_voucheroffer", _("Can start, pause and end voucher offers"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "running", "paused", "ended"]), name="voucher_offer_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("begins_at")), name="voucher_offer_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=Q(per_member_limit__gt=0), name="voucher_offer_gives_each_member_something"),
            models.CheckConstraint(
                condition=Q(total_limit__isnull=True) | Q(claimed__lte=F("total_limit")),
                name="voucher_offer_is_not_claimed_over_its_total",
            ),
            models.CheckConstraint(
                condition=Q(state="ended", ended_at__isnull=False) | (~Q(state="ended") & Q(ended_at__isnull=True)),
                name="ended_voucher_offer_says_since_when",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["begins_at"], name="voucher_offers_that_run", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return self.name


class VoucherClaim(models.Model):
    """One voucher that a member fetched from an offer, by which way, and how long it took. Written once."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class Way(models.TextChoices):
        BUTTON = "button", pgettext_lazy("claim", "by the button in the app")
        SCAN = "scan", pgettext_lazy("claim", "by scanning")
        CODE = "code", pgettext_lazy("claim", "by the claim code")
        TILL = "till", pgettext_lazy("claim", "at the till")

    offer = models.ForeignKey(
        VoucherOffer, on_delete=models.PROTECT, related_name="claims", verbose_name=_("offer"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="voucher_claims", verbose_name=_("member"), db_index=False
    )
    number = models.PositiveSmallIntegerField(_("number"), help_text=_("1, 2, 3 … of this member and offer."))
    voucher = models.OneToOneField(Voucher, on_delete=models.PROTECT, related_name="claim", verbose_name=_("voucher"))
    way = models.CharField(_("way"), max_length=6, choices=Way)
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("store"), db_index=False
    )
    request_id = models.CharField(_("request"), max_length=80, unique=True)
    took_ms = models.PositiveIntegerField(_("time from scan to voucher (milliseconds)"), null=True)
    claimed_at = models.DateTimeField(_("claimed at"))

    class Meta:
        verbose_name = _("claim of a voucher")
        verbose_name_plural = _("claims of vouchers")
        constraints = [
            models.UniqueConstraint(fields=["offer", "member", "number"], name="claims_of_an_offer_are_numbered"),
            models.CheckConstraint(condition=Q(way__in=["button", "scan", "code", "till"]), name="claim_way_is_known"),
        ]
        indexes = [
            models.Index(fields=["member", "-claimed_at"], name="voucher_claims_of_member"),
            models.Index(fields=["claimed_at"], name="voucher_claims_by_moment"),
            models.Index(fields=["offer", "-id"], name="voucher_claims_of_offer"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherGift(models.Model):
    """A voucher that its owner offers to a friend: open for a while, then accepted, taken back, or returned by itself.

    Whoever shows the token gets a voucher of their own; of the token only a keyed hash is kept. Once open means that the
    giver can not use the voucher. Closed once, never deleted.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()

    class State(models.TextChoices):
        OFFERED = "offered", pgettext_lazy("gift", "waiting for the friend")
        ACCEPTED = "accepted", pgettext_lazy("gift", "accepted")
        CANCELLED = "cancelled", pgettext_lazy("gift", "taken back")
        EXPIRED = "expired", pgettext_lazy("gift", "returned, nobody took it")

    public_id = models.UUIDField(_("public id"), unique=True, editable=False, db_default=RandomUUID())
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="gifts", verbose_name=_("voucher"))
    giver = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("given by"))
    token_hmac = models.BinaryField(_("look-up key of the token"), max_length=32, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.OFFERED)
    offered_at = models.DateTimeField(_("offered at"))
    expires_at = models.DateTimeField(_("open until"))
    receiver = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("accepted by")
    )
    received = models.OneToOneField(
        Voucher, on_delete=models.PROTECT, null=True, related_name="came_by_gift", verbose_name=_("voucher of the friend")
    )  # fmt: skip
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        verbose_name = _("gift of a voucher")
        verbose_name_plural = _("gifts of vouchers")
        constraints = [
            models.UniqueConstraint(
                fields=["voucher"], condition=Q(state="offered"), name="voucher_is_offered_to_one_friend_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["offered", "accepted", "cancelled", "expired"]), name="gift_state_is_known"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("offered_at")), name="gift_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(state="offered", closed_at__isnull=True) | (~Q(state="offered") & Q(closed_at__isnull=False)),
                name="closed_gift_says_when",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", receiver__isnull=False, received__isnull=False)
                | (~Q(state="accepted") & Q(receiver__isnull=True, received__isnull=True)),
                name="accepted_gift_says_by_whom",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["expires_at"], name="gifts_that_are_open", condition=Q(state="offered"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherGoodwill(models.Model):
    """What a colleague did with one member's voucher by hand, and what it may cost. Written once; taking back is a row too."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    class What(models.TextChoices):
        GIVE = "give", pgettext_lazy("voucher by hand", "given")
        EXTEND = "extend", pgettext_lazy("voucher by hand", "extended")
        REISSUE = "reissue", pgettext_lazy("voucher by hand", "reissued")
        VOID = "void", pgettext_lazy("voucher by hand", "voided")
        UNDO = "undo", pgettext_lazy("voucher by hand", "taken back")

    what = models.CharField(_("what was done"), max_length=7, choices=What)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="goodwill", verbose_name=_("voucher"))
    replaces = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, null=True, related_name="replaced_by", verbose_name=_("in place of")
    )
    from_state = models.CharField(_("state before"), max_length=8, blank=True)
    old_expires_at = models.DateTimeField(_("end before"), null=True)
    new_expires_at = models.DateTimeField(_("end after"), null=True)
    cost_amount = models.DecimalField(_("cost at most (money)"), max_digits=12, decimal_places=2, default=0)
    maker = models.ForeignKey(
        Operator, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked for by"), db_index=False
    )
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("proposal")
    )
    undoes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="undone_by", verbose_name=_("takes back")
    )
    happened_at = models.DateTimeField(_("happened at"))

    class Meta:
        verbose_name = _("voucher by hand")
        verbose_name_plural = _("vouchers by hand")
        permissions = [
            ("give_voucher", _("Can give a voucher to a member")),
            ("extend_voucher", _("Can extend and reissue vouchers of members")),
            ("void_voucher", _("Can void vouchers of members")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(what__in=["give", "extend", "reissue", "void", "undo"]), name="voucher_by_hand_is_known"
            ),
            models.CheckConstraint(condition=Q(cost_amount__gte=0), name="voucher_by_hand_costs_nothing_or_more"),
            models.CheckConstraint(
                condition=Q(what="undo", undoes__isnull=False) | (~Q(what="undo") & Q(undoes__isnull=True)),
                name="taking_back_names_what_it_takes_back",
            ),
        ]
        indexes = [models.Index(fields=["maker", "happened_at"], name="vouchers_by_hand_of_operator")]

    def __str__(self) -> str:
        return f"#{self.pk}"
