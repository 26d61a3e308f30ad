"""verify_ledger: clean after every history, and one changed row is named."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from rewards.models import (
    Hold,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    LotMove,
    PointsAccount,
    Purchase,
    PurchaseReturn,
    Redemption,
)
from rewards.services.verification import CHECKS, Finding, verify
from tests.factories.histories import a_small_history

PROJECT = Path(__file__).parents[2]


def findings() -> list[Finding]:
    """Return what verify finds now."""
    return list(verify(at=timezone.now()))


def tamper(sql: str, *params: str | int | datetime) -> None:
    """Change rows as one would who owns the server: no trigger and no foreign key is asked."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql, params)
        assert cursor.rowcount == 1, sql
        cursor.execute("SET session_replication_role = DEFAULT")


def an_entry(**which: object) -> LedgerEntry:
    return LedgerEntry.objects.filter(**which).earliest("id")


# Each changes one row and returns the id of the row that its check must name.
def moment_of_an_entry() -> int:
    entry = an_entry()
    tamper("UPDATE rewards_ledgerentry SET happened_at = happened_at + interval '1 second' WHERE id = %s", entry.pk)
    return entry.pk


def points_of_an_entry() -> int:
    entry = an_entry(d_available__gt=0)
    tamper("UPDATE rewards_ledgerentry SET d_available = d_available + 1 WHERE id = %s", entry.pk)
    return entry.pk


def key_of_a_transaction() -> int:
    entry = an_entry(transaction__kind=LedgerTransaction.Kind.REDEEM)
    tamper("UPDATE rewards_ledgertransaction SET natural_key = 'other' WHERE id = %s", entry.transaction_id)
    return entry.pk


def arrears_of_an_account() -> int:
    account = PointsAccount.objects.get()
    tamper("UPDATE rewards_pointsaccount SET debt = debt + 5 WHERE id = %s", account.pk)
    return account.pk


def state_of_a_lot() -> int:
    lot = Lot.objects.filter(state=Lot.State.LIVE).earliest("id")
    tamper("UPDATE rewards_lot SET state = 1 WHERE id = %s", lot.pk)
    return lot.account_id


def number_of_an_account() -> int:
    account = PointsAccount.objects.get()
    tamper("UPDATE rewards_pointsaccount SET seq = seq + 1 WHERE id = %s", account.pk)
    return account.pk


def last_entry_deleted() -> int:
    entry = LedgerEntry.objects.latest("id")
    tamper("DELETE FROM rewards_ledgerentry WHERE id = %s", entry.pk)
    return entry.account_id


def balance_after_an_entry_with_a_new_hash() -> int:
    """The one who changes the balance knows how the hash is made, too."""
    entry = LedgerEntry.objects.latest("id")
    tamper(
        """
        UPDATE rewards_ledgerentry e SET available_after = available_after + 1, hash = ledger_entry_hash(
            t.kind, t.source, t.natural_key, e.member_id, e.account_id, e.seq, e.d_available, e.d_pending, e.d_held, e.d_debt,
            e.available_after + 1, e.pending_after, e.held_after, e.debt_after, e.contra, e.happened_at)
        FROM rewards_ledgertransaction t WHERE t.id = e.transaction_id AND e.id = %s
        """,
        entry.pk,
    )
    return entry.pk


def points_left_in_a_lot() -> int:
    lot = Lot.objects.filter(remaining__gt=1).earliest("id")
    tamper("UPDATE rewards_lot SET remaining = remaining - 1 WHERE id = %s", lot.pk)
    return lot.pk


def points_of_a_move() -> int:
    move = LotMove.objects.filter(d_remaining__lt=-1).earliest("entry_id")
    tamper(
        "UPDATE rewards_lotmove SET d_remaining = d_remaining + 1 WHERE entry_id = %s AND lot_id = %s",
        move.entry_id,
        move.lot_id,
    )
    return move.entry_id


def a_move_deleted() -> int:
    move = LotMove.objects.earliest("entry_id")
    tamper("DELETE FROM rewards_lotmove WHERE entry_id = %s AND lot_id = %s", move.entry_id, move.lot_id)
    return move.lot_id


def points_that_a_lot_had() -> int:
    sale = PurchaseReturn.objects.earliest("id").purchase
    assert sale is not None
    lot = Lot.objects.get(transaction__kind=1, transaction__natural_key=sale.external_order_no)
    tamper("UPDATE rewards_lot SET amount = 1 WHERE id = %s", lot.pk)
    return lot.transaction_id


def a_hold_on_no_lot() -> int:
    now = timezone.now()
    account = PointsAccount.objects.get()
    tamper(
        "INSERT INTO rewards_hold (account_id, points, state, created_at, expires_at) VALUES (%s, 3, 1, %s, %s + interval '1 day')",
        account.pk, now, now,
    )  # fmt: skip
    return Hold.objects.get().pk


def a_purchase_without_its_posting() -> int:
    sale = Purchase.objects.earliest("id")
    tamper(
        "UPDATE rewards_ledgertransaction SET natural_key = 'other' WHERE kind = 1 AND natural_key = %s",
        sale.external_order_no,
    )
    return sale.pk


def a_posting_for_another_member() -> int:
    sale = Purchase.objects.earliest("id")
    tamper(
        "UPDATE rewards_ledgertransaction SET member_id = member_id + 1 WHERE kind = 1 AND natural_key = %s",
        sale.external_order_no,
    )
    return sale.pk


def price_of_a_redemption() -> int:
    redemption = Redemption.objects.get()
    tamper("UPDATE rewards_redemption SET price_points = price_points - 1 WHERE id = %s", redemption.pk)
    return redemption.pk


def end_of_a_lot() -> int:
    lot = Lot.objects.filter(remaining__gt=0, expires_at__isnull=False).earliest("id")
    tamper("UPDATE rewards_lot SET expires_at = now() - interval '27 hours' WHERE id = %s", lot.pk)
    return lot.pk


CHANGES: list[tuple[str, Callable[[], int]]] = [
    ("entry_hash", moment_of_an_entry),
    ("entry_hash", points_of_an_entry),
    ("entry_hash", key_of_a_transaction),
    ("balance_is_sum_of_entries", arrears_of_an_account),
    ("balance_is_sum_of_lots", state_of_a_lot),
    ("entries_are_numbered_without_gaps", number_of_an_account),
    ("entries_are_numbered_without_gaps", last_entry_deleted),
    ("balance_after_follows_from_the_entry_before", balance_after_an_entry_with_a_new_hash),
    ("lot_is_sum_of_moves", points_left_in_a_lot),
    ("lot_is_sum_of_moves", a_move_deleted),
    ("entry_is_sum_of_moves", points_of_a_move),
    ("return_takes_no_more_than_was_earned", points_that_a_lot_had),
    ("hold_is_sum_of_its_lots", a_hold_on_no_lot),
    ("every_member_purchase_is_posted", a_purchase_without_its_posting),
    ("every_member_purchase_is_posted", a_posting_for_another_member),
    ("every_redemption_is_paid", price_of_a_redemption),
    ("due_lots_are_expired", end_of_a_lot),
]


@pytest.mark.django_db
class TestVerify:
    """Verification …"""

    def test_finds_nothing_in_a_sound_ledger(self) -> None:
        assert findings() == []
        a_small_history()
        assert findings() == []

    @pytest.mark.parametrize(("check", "change"), CHANGES, ids=[change.__name__ for _, change in CHANGES])
    def test_names_the_row_that_was_changed(self, check: str, change: Callable[[], int]) -> None:
        a_small_history()
        row_id = change()
        (table,) = {known.table for known in CHECKS if known.name == check}
        found = [(finding.table, finding.row_id) for finding in findings() if finding.check == check]
        assert found == [(table, row_id)]

    def test_has_no_check_that_was_never_seen_to_fail(self) -> None:
        assert {check.name for check in CHECKS} == {check for check, _ in CHANGES}

    def test_names_a_bounded_number_of_rows_for_each_check(self) -> None:
        a_small_history()
        entries = LedgerEntry.objects.count()
        assert entries > 3
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE rewards_ledgerentry SET contra = contra % 4 + 1")
            cursor.execute("SET session_replication_role = DEFAULT")
        assert len(list(verify(at=timezone.now(), limit=3))) == 3


@pytest.mark.django_db
class TestCommand:
    """manage.py verify_ledger …"""

    def test_says_that_the_ledger_is_sound(self) -> None:
        a_small_history()
        out = StringIO()
        call_command("verify_ledger", stdout=out)
        assert f"{len(CHECKS)} checks" in out.getvalue()

    def test_fails_and_names_the_row(self) -> None:
        a_small_history()
        row_id = points_of_an_entry()
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("verify_ledger", stdout=out)
        assert f"entry_hash: rewards_ledgerentry row {row_id}:" in out.getvalue()


class TestCommandLine:
    """manage.py verify_ledger as its own process …"""

    def test_ends_with_1_and_names_the_row(self, committed_db: str) -> None:
        a_small_history()
        row_id = points_of_an_entry()
        broken = self._run(committed_db)
        assert broken.returncode == 1
        assert f"rewards_ledgerentry row {row_id}:" in broken.stdout

    def _run(self, url: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
        command = [sys.executable, "manage.py", "verify_ledger"]
        return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=120)
