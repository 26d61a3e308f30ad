"""verify_ledger over sealed blocks and anchors: what each of them finds, and what only a copy outside the database finds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from members.actors import SYSTEM
from rewards.models import LedgerAnchor, LedgerEntry, LedgerSeal
from rewards.services.anchoring import anchor_keys, anchor_ledger, as_anchor, export_anchors, key_id, signature
from rewards.services.sealing import seal_ledger
from rewards.services.verification import Finding, verify
from tests.factories.people import a_member
from tests.rewards.sealed import as_who_owns_the_server, earn, tamper

NOON = datetime(2026, 3, 15, 4, tzinfo=UTC)
CHAIN_CHECKS = {
    "block_holds_what_was_sealed",
    "block_hash",
    "block_follows_from_the_one_before",
    "anchors_agree_with_the_chain",
}
HASHED = """ledger_entry_hash(t.kind, t.source, t.natural_key, e.member_id, e.account_id, e.seq, e.d_available, e.d_pending, e.d_held,
    e.d_debt, e.available_after, e.pending_after, e.held_after, e.debt_after, e.contra, e.happened_at)"""


@pytest.fixture
def chain(committed_db: str) -> None:
    """Three blocks of four entries, and an anchor after the second and the third."""
    member = a_member()
    for block in range(3):
        earn(member.pk, range(block * 4, block * 4 + 4), at=NOON)
        seal_ledger(at=NOON)
        if block:
            anchor_ledger(at=NOON + timedelta(days=block))


def found(**options: object) -> list[Finding]:
    return list(verify(at=timezone.now(), **options))  # type: ignore[arg-type]


def rewrite_an_entry() -> LedgerEntry:
    """Change when an entry of the second block happened, with the right hash of the entry: no row of its own shows it."""
    entry = LedgerEntry.objects.order_by("id")[5]
    tamper("UPDATE rewards_ledgerentry SET happened_at = happened_at - interval '1 day' WHERE id = %s", entry.pk)
    tamper(
        f"UPDATE rewards_ledgerentry e SET hash = {HASHED} FROM rewards_ledgertransaction t WHERE t.id = e.transaction_id AND e.id = %s",
        entry.pk,
    )
    return entry


def rewrite_the_chain(*, with_anchors: bool) -> None:
    """Compute every block (and every anchor, with the installation's own key) again, as one would who owns everything."""
    for seal in LedgerSeal.objects.order_by("number"):
        before = LedgerSeal.objects.filter(number=seal.number - 1).first()
        tamper(
            """
            UPDATE rewards_ledgerseal s SET previous_hash = %s, root = b.root, hash = ledger_seal_hash(s.number, s.epoch_id, %s, b.root,
                s.entries, s.entries_before, s.first_xact, s.first_entry_id, s.last_xact, s.last_entry_id)
            FROM ledger_block_of(0, 9223372036854775807, %s, %s, %s, %s) AS b WHERE s.number = %s
            """,
            bytes(before.hash) if before else bytes(32), bytes(before.hash) if before else bytes(32),
            before.last_xact if before else -1, before.last_entry_id if before else 0, seal.last_xact, seal.last_entry_id, seal.number,
        )  # fmt: skip
    for row in LedgerAnchor.objects.select_related("seal") if with_anchors else ():
        key = anchor_keys()[0]
        with as_who_owns_the_server():
            LedgerAnchor.objects.filter(pk=row.pk).update(root=bytes(row.seal.hash))
            row.refresh_from_db()
            LedgerAnchor.objects.filter(pk=row.pk).update(
                signature=signature(as_anchor(row).content, key), key_id=key_id(key)
            )


# Each changes one row and returns the number of the block that its check must name.
def an_entry_that_looks_right() -> int:
    rewrite_an_entry()
    return 2


def an_entry_taken_out() -> int:
    tamper("DELETE FROM rewards_ledgerentry WHERE id = %s", LedgerEntry.objects.order_by("id")[9].pk)
    return 3


def an_entry_slipped_in() -> int:
    """A new entry that claims to have been posted long ago."""
    early = LedgerEntry.objects.earliest("id")
    earn(a_member().pk, range(50, 51), at=NOON)
    tamper("UPDATE rewards_ledgerentry SET xact = %s WHERE id = %s", early.xact, LedgerEntry.objects.latest("id").pk)
    return 2  # its id is higher than those of the first block, so it stands behind that


def entries_exchanged_between_blocks() -> int:
    first, last = LedgerEntry.objects.earliest("id"), LedgerEntry.objects.latest("id")
    tamper("UPDATE rewards_ledgerentry SET xact = %s WHERE id = %s", last.xact, first.pk)
    return 1


def the_figures_of_a_block() -> int:
    tamper("UPDATE rewards_ledgerseal SET sealed_at = sealed_at, first_entry_id = first_entry_id - 1 WHERE number = 2")
    return 2


def the_root_of_a_block() -> int:
    tamper("UPDATE rewards_ledgerseal SET root = sha256('another') WHERE number = 2")
    return 2


def a_block_with_a_new_hash() -> int:
    tamper(
        "UPDATE rewards_ledgerseal SET entries_before = 3, hash = ledger_seal_hash(number, epoch_id, previous_hash, root, entries, 3, "
        "first_xact, first_entry_id, last_xact, last_entry_id) WHERE number = 2"
    )
    return 2


def a_block_taken_out() -> int:
    tamper("DELETE FROM rewards_ledgerseal WHERE number = 1")
    return 2


CHANGES: list[tuple[str, Callable[[], int]]] = [
    ("block_holds_what_was_sealed", an_entry_that_looks_right),
    ("block_holds_what_was_sealed", an_entry_taken_out),
    ("block_holds_what_was_sealed", an_entry_slipped_in),
    ("block_holds_what_was_sealed", entries_exchanged_between_blocks),
    ("block_holds_what_was_sealed", the_root_of_a_block),
    ("block_hash", the_figures_of_a_block),
    ("block_follows_from_the_one_before", a_block_with_a_new_hash),
    ("block_follows_from_the_one_before", a_block_taken_out),
]


@pytest.mark.usefixtures("chain")
class TestTheChain:
    """Verification of the chain …"""

    def test_finds_nothing_where_nothing_was_changed(self) -> None:
        assert LedgerSeal.objects.count() == 3
        assert [str(finding) for finding in found()] == []

    @pytest.mark.parametrize(("check", "change"), CHANGES, ids=[change.__name__ for _, change in CHANGES])
    def test_names_the_block(self, check: str, change: Callable[[], int]) -> None:
        number = change()
        assert found(checks=[check])[0].row_id == number

    def test_names_only_the_block_where_the_entry_itself_looks_right(self) -> None:
        rewrite_an_entry()
        assert [(finding.check, finding.row_id) for finding in found()] == [("block_holds_what_was_sealed", 2)]


@pytest.mark.usefixtures("chain")
class TestAnchors:
    """Anchors …"""

    def test_in_the_database_show_that_the_chain_was_rewritten_without_them(self) -> None:
        rewrite_an_entry()
        rewrite_the_chain(with_anchors=False)
        assert {finding.check for finding in found()} == {"anchors_agree_with_the_chain"}

    def test_show_a_forged_signature(self) -> None:
        row = LedgerAnchor.objects.latest("date")
        tamper("UPDATE rewards_ledgeranchor SET signature = sha256('another') WHERE id = %s", row.pk)
        (finding,) = found()
        assert (finding.row_id, "not signed" in finding.detail) == (row.pk, True)

    def test_show_that_the_end_of_the_chain_was_cut_off(self) -> None:
        tamper("DELETE FROM rewards_ledgerseal WHERE number = 3")
        (finding,) = found()
        assert finding.check == "anchors_agree_with_the_chain"
        assert "ends with block 3, which is not there" in finding.detail

    def test_that_were_exported_are_all_that_shows_a_whole_chain_rewritten(self, tmp_path: Path) -> None:
        file = tmp_path / "anchors.txt"
        call_command("export_anchor", output=str(file))
        call_command("verify_ledger", anchor=[str(file)], stdout=StringIO())
        rewrite_an_entry()
        rewrite_the_chain(with_anchors=True)

        assert [str(finding) for finding in found()] == []
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("verify_ledger", anchor=[str(file)], stdout=out)
        assert (
            "the exported anchor of 2026-03-16 names another block 2: the chain was rewritten up to there"
            in out.getvalue()
        )
        assert out.getvalue().count("anchors_agree_with_the_chain") == 2

    def test_are_written_to_a_file_once(self, tmp_path: Path) -> None:
        file, out = tmp_path / "anchors.txt", StringIO()
        call_command("export_anchor", since=LedgerAnchor.objects.latest("date").date, output=str(file))
        assert file.read_text(encoding="utf-8").count("\n") == 1
        with pytest.raises(CommandError, match="exists already"):
            call_command("export_anchor", output=str(file))
        call_command("export_anchor", stdout=out)
        assert out.getvalue() == export_anchors(since=None, by=SYSTEM, at=NOON)

    def test_are_not_read_from_a_file_of_something_else(self, tmp_path: Path) -> None:
        file = tmp_path / "other.txt"
        file.write_text("# a note\n\nhello\n", encoding="utf-8")
        with pytest.raises(CommandError, match="no anchor: hello"):
            call_command("verify_ledger", anchor=[str(file)])
        with pytest.raises(CommandError, match="can not be read"):
            call_command("verify_ledger", anchor=[str(tmp_path / "missing")])
