"""The proof of the ledger: sealed blocks of entries, the daily anchor that leaves the house, and what verifications found."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.models import Member

BLOCK_ENTRIES = 1_000


class LedgerEpoch(models.Model):
    """A stretch of entries, by id, whose transaction numbers can be compared with each other.

    The first begins with the ledger. A database that was moved to another server by copying its rows counts its
    transactions anew, so the sealer begins a new epoch there. Never changed.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    number = models.SmallIntegerField(_("number"), primary_key=True)
    after_entry_id = models.BigIntegerField(_("begins after the entry"))
    cluster = models.CharField(_("server"), max_length=20)
    began_at = models.DateTimeField(_("began at"))

    class Meta:
        verbose_name = _("ledger epoch")
        verbose_name_plural = _("ledger epochs")
        constraints = [models.CheckConstraint(condition=Q(number__gte=1), name="epochs_are_numbered_from_one")]

    def __str__(self) -> str:
        return str(self.number)


class LedgerSeal(models.Model):
    """A block of at most 1,000 committed entries in the order (transaction number, id), chained to the block before it.

    `root` is the SHA-256 over the entries' hashes, `hash` over the block's own content and the hash before. Positions
    name the first and the last entry; between two blocks of an epoch lies no entry. Never changed.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    number = models.BigIntegerField(_("number"), primary_key=True)
    epoch = models.ForeignKey(
        LedgerEpoch, on_delete=models.PROTECT, related_name="seals", verbose_name=_("ledger epoch"), db_index=False
    )
    first_xact = models.BigIntegerField(_("first transaction of the database"))
    first_entry_id = models.BigIntegerField(_("first entry"))
    last_xact = models.BigIntegerField(_("last transaction of the database"))
    last_entry_id = models.BigIntegerField(_("last entry"))
    highest_entry_id = models.BigIntegerField(_("highest entry"))
    entries = models.PositiveIntegerField(_("entries"))
    entries_before = models.PositiveBigIntegerField(_("entries in the blocks before"))
    previous_hash = models.BinaryField(_("hash of the block before"), max_length=32)
    root = models.BinaryField(_("hash of the entries"), max_length=32)
    hash = models.BinaryField(_("hash of the block"), max_length=32)
    sealed_at = models.DateTimeField(_("sealed at"))

    class Meta:
        verbose_name = _("sealed block")
        verbose_name_plural = _("sealed blocks")
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1), name="blocks_are_numbered_from_one"),
            models.CheckConstraint(
                condition=Q(entries__range=(1, BLOCK_ENTRIES)), name="block_holds_1_to_1000_entries"
            ),
            models.CheckConstraint(
                condition=Q(last_xact__gt=F("first_xact"))
                | Q(last_xact=F("first_xact"), last_entry_id__gte=F("first_entry_id")),
                name="block_ends_after_it_begins",
            ),
            models.UniqueConstraint(fields=["previous_hash"], name="block_has_one_successor"),
        ]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def entries_so_far(self) -> int:
        """How many entries are sealed up to and with this block."""
        return self.entries_before + self.entries


class LedgerAnchor(models.Model):
    """The state of the chain of blocks on one day, signed: what a copy outside the database proves the chain with.

    `signature` is the HMAC-SHA256 of the anchor's line under the installation's anchor key, `key_id` says which key.
    Never changed.
    """

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    date = models.DateField(_("day"), unique=True)
    seal = models.ForeignKey(
        LedgerSeal, on_delete=models.PROTECT, related_name="anchors", verbose_name=_("sealed block"), db_index=False
    )
    entries = models.PositiveBigIntegerField(_("entries"))
    root = models.BinaryField(_("hash of the chain"), max_length=32)
    key_id = models.CharField(_("signed with key"), max_length=8)
    signature = models.BinaryField(_("signature"), max_length=32)
    anchored_at = models.DateTimeField(_("signed at"))

    class Meta:
        verbose_name = _("ledger anchor")
        verbose_name_plural = _("ledger anchors")
        permissions = [("export_ledgeranchor", "Can download ledger anchors")]

    def __str__(self) -> str:
        return self.date.isoformat()


class AnchorExport(models.Model):
    """Anchors were taken out of the database: by whom, when, and up to which day. Never changed."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    until_date = models.DateField(_("up to the day"))
    anchors = models.PositiveIntegerField(_("anchors"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    exported_at = models.DateTimeField(_("taken out at"))

    class Meta:
        verbose_name = _("export of anchors")
        verbose_name_plural = _("exports of anchors")

    def __str__(self) -> str:
        return self.until_date.isoformat()


class LedgerVerification(models.Model):
    """One run of all checks over the whole ledger, written when it ended. Never changed."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"))
    checks = models.PositiveSmallIntegerField(_("checks"))
    rows = models.PositiveBigIntegerField(_("rows checked"))
    entries = models.PositiveBigIntegerField(_("points entries"))
    findings_count = models.PositiveIntegerField(_("findings"))
    actor_kind = models.CharField(_("kind of actor"), max_length=12)
    actor_id = models.BigIntegerField(_("actor"), null=True)

    class Meta:
        verbose_name = _("verification of the ledger")
        verbose_name_plural = _("Ledger proof")
        permissions = [("run_ledgerverification", "Can start a verification of the ledger")]

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M}: {self.findings_count}"


class VerificationFinding(models.Model):
    """One row that broke an invariant when a verification looked. Never changed; the next run shows whether it is mended."""

    personal_data: ClassVar[tuple[str, ...]] = ()
    append_only: ClassVar[bool] = True

    verification = models.ForeignKey(
        LedgerVerification, on_delete=models.PROTECT, related_name="findings", verbose_name=_("verification")
    )
    check_name = models.CharField(_("check"), max_length=60)
    row_table = models.CharField(_("table"), max_length=60)
    row_id = models.BigIntegerField(_("row"))
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("member"), db_index=False,
        db_constraint=False,
    )  # fmt: skip
    detail = models.CharField(_("detail"), max_length=400)

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")

    def __str__(self) -> str:
        return f"{self.check_name}: {self.row_table} row {self.row_id}: {self.detail}"
