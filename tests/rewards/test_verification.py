"""verify_ledger: clean after every history, and one changed row is named. The chain of blocks: test_verification_chain."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from members.actors import SYSTEM, Actor
from rewards.models import LedgerEntry, LedgerVerification, PointsAccount
from rewards.services.checks import SWEEPS
from rewards.services.verification import CHECKS, Finding, run_verification, steps, verify, words_of
from tests.factories.histories import a_small_history, give_points
from tests.factories.people import a_member
from tests.rewards.sealed import tamper
from tests.rewards.tampering import CHANGES, a_full_history, arrears_of_an_account, points_of_an_entry
from tests.rewards.test_verification_chain import CHAIN_CHECKS

PROJECT = Path(__file__).parents[2]


def findings(*checks: str) -> list[Finding]:
    """Return what verify finds now."""
    return list(verify(at=timezone.now(), checks=checks))


@contextmanager
def in_ranges_of(rows: int) -> Iterator[None]:
    """Let every sweep go through its table a few rows at a time."""
    steps_before = [sweep.step for sweep in SWEEPS]
    try:
        for sweep in SWEEPS:
            object.__setattr__(sweep, "step", rows)
        yield
    finally:
        for sweep, step in zip(SWEEPS, steps_before, strict=True):
            object.__setattr__(sweep, "step", step)


@pytest.mark.django_db
class TestVerify:
    """Verification …"""

    def test_finds_nothing_in_a_sound_ledger(self) -> None:
        assert findings() == []
        a_full_history()
        assert [str(finding) for finding in findings()] == []

    @pytest.mark.parametrize(("check", "change"), CHANGES, ids=[change.__name__ for _, change in CHANGES])
    def test_names_the_row_that_was_changed(self, check: str, change: Callable[[], int]) -> None:
        a_full_history()
        row_id = change()
        (table,) = {known.table for known in CHECKS if known.name == check}
        assert {(finding.table, finding.row_id) for finding in findings(check)} == {(table, row_id)}

    def test_has_no_check_that_was_never_seen_to_fail(self) -> None:
        assert {check.name for check in CHECKS} == {check for check, _ in CHANGES} | CHAIN_CHECKS

    def test_says_in_words_what_each_check_found(self) -> None:
        assert all(str(words_of(check.name)).endswith((".", "。")) for check in CHECKS)

    def test_names_a_bounded_number_of_rows_for_each_check(self) -> None:
        a_small_history()
        assert LedgerEntry.objects.count() > 3
        tamper("UPDATE rewards_ledgerentry SET contra = contra % 4 + 1", rows=None)
        assert len(list(verify(at=timezone.now(), limit=3))) == 3

    def test_finds_the_same_in_small_ranges(self) -> None:
        a_full_history()
        changed = {points_of_an_entry(), arrears_of_an_account()}
        whole = {str(finding) for finding in findings()}
        assert len(changed) == 2
        with in_ranges_of(2):
            assert {str(finding) for finding in findings()} == whole

    def test_names_the_first_broken_rows_over_many_ranges(self) -> None:
        for _ in range(5):
            give_points(a_member(), 10, moment=timezone.now())
        tamper("UPDATE rewards_pointsaccount SET debt = 1", rows=5)
        with in_ranges_of(1):
            found = list(verify(at=timezone.now(), limit=3, checks=["balance_is_sum_of_entries"]))
        assert [finding.row_id for finding in found] == sorted(PointsAccount.objects.values_list("pk", flat=True))[:3]

    def test_counts_the_rows_of_each_range(self) -> None:
        a_small_history()
        swept = [step for step in steps(at=timezone.now()) if step.sweep == "entries"]
        assert [(step.rows, step.is_last) for step in swept] == [(LedgerEntry.objects.count(), True)]


@pytest.mark.django_db
class TestARecordedRun:
    """A run of the daily verification …"""

    def test_writes_down_that_all_was_sound(self) -> None:
        a_small_history()
        run = run_verification(by=SYSTEM, at=timezone.now())
        assert (run.findings_count, run.checks, run.entries) == (0, len(CHECKS), LedgerEntry.objects.count())
        assert run.rows > run.entries
        assert run.started_at <= run.finished_at < run.started_at + timedelta(minutes=5)
        assert LedgerVerification.objects.get() == run

    def test_writes_down_what_broke_and_for_whom(self) -> None:
        member, _ = a_small_history()
        row_id = arrears_of_an_account()
        run = run_verification(by=Actor("operator", 4), at=timezone.now())
        (found,) = run.findings.all()
        assert (found.check_name, found.row_id, found.member_id) == ("balance_is_sum_of_entries", row_id, member.pk)
        assert (run.findings_count, run.actor_id) == (1, 4)


@pytest.mark.django_db
class TestCommand:
    """manage.py verify_ledger …"""

    def test_says_that_the_ledger_is_sound_and_how_far_it_has_come(self) -> None:
        a_small_history()
        out = StringIO()
        call_command("verify_ledger", stdout=out)
        assert f"{len(CHECKS)} checks" in out.getvalue()
        assert f"entries: {LedgerEntry.objects.count()} rows, " in out.getvalue()

    def test_fails_and_names_the_row(self) -> None:
        a_small_history()
        row_id = points_of_an_entry()
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("verify_ledger", stdout=out)
        assert f"entry_hash: rewards_ledgerentry row {row_id}:" in out.getvalue()

    def test_runs_only_the_checks_asked_for(self) -> None:
        a_small_history()
        points_of_an_entry()
        out = StringIO()
        call_command("verify_ledger", check=["every_redemption_is_paid"], stdout=out)
        assert "1 checks, no finding" in out.getvalue()
        with pytest.raises(CommandError, match="no check nonsense"):
            call_command("verify_ledger", check=["nonsense"], stdout=out)

    def test_lists_its_checks(self) -> None:
        out = StringIO()
        call_command("verify_ledger", list=True, stdout=out)
        assert out.getvalue().split() == [check.name for check in CHECKS]


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
