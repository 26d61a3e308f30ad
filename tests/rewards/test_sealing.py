"""Sealing: every committed entry in exactly one block, in order, chained; and the anchors that leave the house."""

import hashlib
import struct
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction

from members.actors import Actor
from members.models import Member
from rewards import tasks
from rewards.models import (
    AnchorExport,
    LedgerAnchor,
    LedgerEntry,
    LedgerEpoch,
    LedgerSeal,
    LedgerVerification,
)
from rewards.services.anchoring import (
    Anchor,
    NotAnAnchor,
    anchor_keys,
    anchor_ledger,
    as_anchor,
    export_anchors,
    parse_anchor,
    read_anchors,
)
from rewards.services.sealing import SealLag, SealRun, alarm_of_lag, last_seal, seal_lag, seal_ledger
from tests.factories.people import a_member
from tests.harness.threads import spread, together
from tests.rewards.sealed import earn, tamper

NOON = datetime(2026, 3, 15, 4, tzinfo=UTC)
ZEROS = bytes(32)


def in_order() -> list[tuple[int, bytes]]:
    """Return (id, hash) of every entry in the order in which entries are sealed."""
    rows = LedgerEntry.objects.values_list("xact", "pk", "hash")
    return [(pk, bytes(entry_hash)) for _xact, pk, entry_hash in sorted((x or 0, pk, h) for x, pk, h in rows)]


def hash_of(seal: LedgerSeal) -> bytes:
    """Return what a block's hash must be, told without the database."""
    figures = struct.pack(">qh", seal.number, seal.epoch_id) + bytes(seal.previous_hash) + bytes(seal.root)
    figures += struct.pack(">iq", seal.entries, seal.entries_before)
    figures += struct.pack(">qqqq", seal.first_xact, seal.first_entry_id, seal.last_xact, seal.last_entry_id)
    return hashlib.sha256(figures).digest()


def check_chain(entries: list[tuple[int, bytes]] | None = None) -> None:
    """Show that the blocks hold these entries (all of them), each once and in order, and that each follows from the one before."""
    entries = in_order() if entries is None else entries
    previous, place = ZEROS, 0
    for number, seal in enumerate(LedgerSeal.objects.order_by("number"), start=1):
        inside = entries[place : place + seal.entries]
        assert (seal.number, seal.entries_before, bytes(seal.previous_hash)) == (number, place, previous)
        assert (seal.first_entry_id, seal.last_entry_id) == (inside[0][0], inside[-1][0])
        assert seal.highest_entry_id == max(pk for pk, _ in inside)
        assert bytes(seal.root) == hashlib.sha256(b"".join(entry_hash for _, entry_hash in inside)).digest()
        assert bytes(seal.hash) == hash_of(seal)
        previous, place = bytes(seal.hash), place + seal.entries
    assert place == len(entries)


def move_to_another_server(*, ahead: int) -> None:
    """Make the database look as if its rows had come from a server that counts transactions far ahead of this one."""
    tamper("UPDATE rewards_ledgerentry SET xact = xact + %s", ahead, rows=None)
    tamper(
        "UPDATE rewards_ledgerseal SET first_xact = first_xact + %s, last_xact = last_xact + %s",
        ahead,
        ahead,
        rows=None,
    )
    tamper("UPDATE rewards_ledgerepoch SET cluster = 'another'", rows=None)


@pytest.mark.usefixtures("committed_db")  # what a running transaction posts is not sealed
class TestSealing:
    """The sealer …"""

    def test_does_nothing_in_an_empty_ledger(self) -> None:
        assert seal_ledger(at=NOON) == SealRun(0, 0)
        assert last_seal() is None

    def test_puts_every_entry_into_a_chain_of_blocks_of_at_most_a_thousand(self) -> None:
        earn(a_member().pk, range(2_345), at=NOON)
        assert seal_ledger(at=NOON) == SealRun(3, 2_345)
        assert list(LedgerSeal.objects.order_by("number").values_list("entries", flat=True)) == [1000, 1000, 345]
        check_chain()

    def test_goes_on_where_it_stopped_and_a_second_run_finds_nothing(self) -> None:
        member = a_member()
        for numbers in (range(5), range(5, 9)):
            earn(member.pk, numbers, at=NOON)
            assert seal_ledger(at=NOON) == SealRun(1, len(numbers))
            assert seal_ledger(at=NOON) == SealRun(0, 0)
        check_chain()

    def test_stops_at_the_bound_of_a_run(self) -> None:
        earn(a_member().pk, range(2_100), at=NOON)
        assert seal_ledger(at=NOON, blocks=1) == SealRun(1, 1000)
        assert seal_lag().entries == 1_100
        assert seal_ledger(at=NOON) == SealRun(2, 1_100)
        check_chain()

    def test_takes_entries_from_before_transactions_were_noted_first(self) -> None:
        member = a_member()
        earn(member.pk, range(3), at=NOON)
        newer = LedgerEntry.objects.earliest("pk").pk
        tamper("UPDATE rewards_ledgerentry SET xact = NULL WHERE id > %s", newer, rows=2)
        seal_ledger(at=NOON)
        seal = last_seal()
        assert seal is not None
        assert (seal.first_xact, seal.first_entry_id, seal.last_entry_id) == (0, newer + 1, newer)
        check_chain()

    def test_writes_blocks_that_nobody_changes(self) -> None:
        earn(a_member().pk, range(1), at=NOON)
        seal_ledger(at=NOON)
        for change in (
            "UPDATE rewards_ledgerseal SET entries = 2",
            "DELETE FROM rewards_ledgerseal",
            "TRUNCATE rewards_ledgerseal CASCADE",
        ):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(change)


class TestSealingBesideOthers:
    """Beside running transactions and other sealers, the sealer …"""

    def test_waits_for_a_transaction_that_began_before(self, committed_db: str) -> None:
        slow, quick = a_member(), a_member()
        with psycopg.connect(committed_db) as late:
            earn(slow.pk, range(1), at=NOON, through=late)
            earn(quick.pk, range(1, 4), at=NOON)
            assert LedgerEntry.objects.count() == 3
            assert seal_ledger(at=NOON) == SealRun(0, 0)
            assert seal_lag().entries == 3
            late.commit()
        assert seal_ledger(at=NOON) == SealRun(1, 4)
        seal = last_seal()
        assert seal is not None
        assert seal.first_entry_id == LedgerEntry.objects.get(member=slow).pk
        check_chain()

    def test_does_not_wait_for_what_only_reads_or_was_rolled_back(self, committed_db: str) -> None:
        member = a_member()
        with psycopg.connect(committed_db) as reader, psycopg.connect(committed_db) as undone:
            reader.execute("SELECT count(*) FROM rewards_ledgerentry")
            earn(member.pk, range(5), at=NOON, through=undone)
            undone.rollback()
            earn(member.pk, range(2), at=NOON)
            assert seal_ledger(at=NOON) == SealRun(1, 2)
        check_chain()

    def test_loses_and_doubles_nothing_under_posting_threads_and_two_sealers(self, committed_db: str) -> None:
        members = [a_member() for _ in range(4)]
        runs: list[SealRun] = []

        def post(place: int) -> None:
            for number in range(40):
                earn(members[place].pk, range(place * 1000 + number * 10, place * 1000 + number * 10 + 7), at=NOON)

        def seal() -> None:
            runs.extend(seal_ledger(at=NOON) for _ in range(60))

        together([*(lambda place=place: post(place) for place in range(4)), seal, seal])
        runs.append(seal_ledger(at=NOON))
        assert sum(run.entries for run in runs) == LedgerEntry.objects.count() == 4 * 40 * 7
        assert sum(run.blocks for run in runs) == LedgerSeal.objects.count()
        check_chain()

    def test_steps_back_while_another_one_works(self, committed_db: str) -> None:
        earn(a_member().pk, range(2), at=NOON)
        with psycopg.connect(committed_db) as other:
            other.execute("SELECT ledger_seal(now(), 5)")
            assert seal_ledger(at=NOON) == SealRun(0, 0, is_busy=True)
            other.rollback()
        assert seal_ledger(at=NOON) == SealRun(1, 2)

    def test_begins_again_at_whole_blocks_after_being_killed(self, committed_db: str) -> None:
        earn(a_member().pk, range(1_500), at=NOON)
        seal_ledger(at=NOON, blocks=1)
        with psycopg.connect(committed_db) as doomed, connection.cursor() as cursor:
            doomed.execute("SELECT ledger_seal(now(), 20)")
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [doomed.info.backend_pid])
            with pytest.raises(psycopg.OperationalError):
                doomed.commit()
        assert LedgerSeal.objects.count() == 1
        assert sum(run.entries for run in spread(lambda _: seal_ledger(at=NOON), times=4, threads=2)) == 500
        check_chain()

    def test_works_with_the_rights_of_the_application(self, committed_db: str, application_url: str) -> None:
        earn(a_member().pk, range(3), at=NOON)
        with psycopg.connect(application_url) as role:
            assert role.execute("SELECT blocks, entries FROM ledger_seal(now(), 5)").fetchone() == (1, 3)
            for change in ("UPDATE rewards_ledgerseal SET entries = 2", "DELETE FROM rewards_ledgeranchor"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), role.transaction():
                    role.execute(change)
        check_chain()


class TestAMovedDatabase:
    """On another server, where transactions are counted anew, the sealer …"""

    def test_begins_a_new_epoch_and_passes_no_entry_over(self, committed_db: str) -> None:
        member = a_member()
        earn(member.pk, range(3), at=NOON)
        seal_ledger(at=NOON)
        earn(member.pk, range(3, 5), at=NOON)  # committed before the copy was made, not sealed yet
        move_to_another_server(ahead=10_000_000)
        before = in_order()
        earn(member.pk, range(5, 9), at=NOON)  # posted on the new server before its sealer ran
        assert sum(seal_ledger(at=NOON).entries for _ in range(2)) == 6
        assert list(LedgerEpoch.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
        assert seal_lag() == SealLag(0, None)
        earn(member.pk, range(9, 12), at=NOON)
        assert seal_ledger(at=NOON) == SealRun(1, 3)
        sealed = set(LedgerSeal.objects.order_by("number").values_list("first_entry_id", "last_entry_id", "entries"))
        assert sum(entries for _first, _last, entries in sealed) == LedgerEntry.objects.count() == 12
        assert (before[0][0], before[2][0], 3) in sealed

    def test_begins_no_epoch_where_it_did_not_move(self, committed_db: str) -> None:
        earn(a_member().pk, range(3), at=NOON)
        for _ in range(3):
            seal_ledger(at=NOON)
        assert LedgerEpoch.objects.count() == 1


@pytest.mark.usefixtures("committed_db")
class TestTheLag:
    """What waits to be sealed …"""

    def test_is_nothing_once_all_is_sealed(self) -> None:
        earn(a_member().pk, range(3), at=NOON)
        seal_ledger(at=NOON)
        assert seal_lag() == SealLag(0, None)

    def test_is_counted_and_alarmed_after_five_minutes(self, caplog: pytest.LogCaptureFixture) -> None:
        earn(a_member().pk, range(3), at=NOON)
        recorded = LedgerEntry.objects.earliest("pk").recorded_at
        lag = alarm_of_lag(at=recorded + timedelta(minutes=5))
        assert lag == SealLag(3, recorded)
        assert caplog.records == []
        assert alarm_of_lag(at=recorded + timedelta(minutes=5, seconds=1)).is_late(recorded + timedelta(minutes=6))
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "3 entries" in caplog.text


@pytest.fixture
def sealed(committed_db: str) -> Member:
    """A member with three sealed entries."""
    member = a_member()
    earn(member.pk, range(3), at=NOON)
    seal_ledger(at=NOON)
    return member


@pytest.mark.usefixtures("committed_db")
class TestAnchors:
    """An anchor …"""

    def test_is_not_made_before_anything_is_sealed(self) -> None:
        assert anchor_ledger(at=NOON) is None

    def test_signs_the_end_of_the_chain_for_the_day_of_the_programme(self, sealed: Member) -> None:
        late_in_the_day = datetime(2026, 3, 15, 16, 5, tzinfo=UTC)  # five past midnight in Shanghai
        row = anchor_ledger(at=late_in_the_day)
        seal = last_seal()
        assert row is not None
        assert seal is not None
        anchor = as_anchor(row)
        assert anchor == Anchor(date(2026, 3, 16), 1, 3, bytes(seal.hash), anchor.key_id, anchor.signature)
        assert anchor.is_signed_with(anchor_keys())

    def test_is_made_once_a_day(self, sealed: Member) -> None:
        first = anchor_ledger(at=NOON)
        earn(sealed.pk, range(3, 5), at=NOON)
        seal_ledger(at=NOON)
        assert anchor_ledger(at=NOON + timedelta(hours=1)) == first
        second = anchor_ledger(at=NOON + timedelta(days=1))
        assert second is not None
        assert (second.entries, LedgerAnchor.objects.count()) == (5, 2)

    def test_is_not_signed_by_another_key_or_for_other_figures(self, sealed: Member) -> None:
        row = anchor_ledger(at=NOON)
        assert row is not None
        anchor = as_anchor(row)
        assert not anchor.is_signed_with([b"another"])
        altered = parse_anchor(anchor.line.replace(" entries 3 ", " entries 4 "))
        assert not altered.is_signed_with(anchor_keys())

    def test_needs_a_key(self, sealed: Member, settings: object) -> None:
        settings.LEDGER_ANCHOR_KEY = ""  # type: ignore[attr-defined]
        with pytest.raises(ImproperlyConfigured):
            anchor_ledger(at=NOON)
        assert not LedgerAnchor.objects.exists()

    def test_stays_proven_by_the_old_key_after_a_new_one_came(self, sealed: Member, settings: object) -> None:
        row = anchor_ledger(at=NOON)
        assert row is not None
        settings.LEDGER_ANCHOR_KEY = f"new,{settings.LEDGER_ANCHOR_KEY}"  # type: ignore[attr-defined]
        newer = anchor_ledger(at=NOON + timedelta(days=1))
        assert newer is not None
        assert newer.key_id != row.key_id
        assert as_anchor(row).is_signed_with(anchor_keys())
        assert as_anchor(newer).is_signed_with(anchor_keys())

    def test_leaves_the_house_on_a_line_that_reads_back(self, sealed: Member) -> None:
        rows = [anchor_ledger(at=NOON + timedelta(days=day)) for day in range(3)]
        text = export_anchors(since=None, by=Actor("operator", 5), at=NOON)
        assert [anchor.date.day for anchor in read_anchors(["# a note", "", *text.splitlines()])] == [15, 16, 17]
        assert list(read_anchors(text.splitlines())) == [as_anchor(row) for row in rows if row]
        export = AnchorExport.objects.get()
        assert (export.until_date, export.anchors, export.actor_id) == (date(2026, 3, 17), 3, 5)
        since = export_anchors(since=date(2026, 3, 17), by=Actor("operator", 5), at=NOON)
        assert since == text.splitlines(keepends=True)[-1]

    def test_is_told_from_other_lines(self, sealed: Member) -> None:
        row = anchor_ledger(at=NOON)
        assert row is not None
        line = as_anchor(row).line
        for wrong in ("hello", line[:-1], line + "0", line.replace("2026-03-15", "2026-13-15")):
            with pytest.raises(NotAnAnchor):
                parse_anchor(wrong)

    def test_no_export_is_noted_when_there_is_nothing_to_take(self) -> None:
        assert export_anchors(since=None, by=Actor("system"), at=NOON) == ""
        assert not AnchorExport.objects.exists()


class TestTasks:
    """What runs by itself …"""

    def test_seals_anchors_and_verifies(self, committed_db: str, caplog: pytest.LogCaptureFixture) -> None:
        member = a_member()
        earn(member.pk, range(3), at=NOON)
        tasks.seal_ledger()
        assert seal_lag().entries == 0
        earn(member.pk, range(3, 4), at=NOON)
        with caplog.at_level("INFO"):
            tasks.anchor_ledger()
        row = LedgerAnchor.objects.get()
        assert row.entries == 4  # what came since the last minute is sealed first
        assert as_anchor(row).line in caplog.text
        caplog.clear()
        tasks.verify_ledger()
        assert LedgerVerification.objects.get().findings_count == 0
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    def test_says_loudly_what_is_wrong(self, committed_db: str, caplog: pytest.LogCaptureFixture) -> None:
        earn(a_member().pk, range(3), at=NOON)
        tasks.seal_ledger()
        tamper("UPDATE rewards_ledgerseal SET root = sha256('another')")
        tasks.verify_ledger()
        assert "block_holds_what_was_sealed: rewards_ledgerseal row 1:" in caplog.text
        assert LedgerVerification.objects.get().findings_count > 0
