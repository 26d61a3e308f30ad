"""A million entries sealed and proven: in what time, in how much memory, and through sealers that are killed."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection, transaction

from members.actors import SYSTEM
from members.models import Channel
from rewards import ledger_batch
from rewards.ledger import currency_id
from rewards.models import LedgerEntry, LedgerSeal
from rewards.services.sealing import seal_lag, seal_ledger
from rewards.services.verification import verify
from tests.harness.results import Figures
from tests.rewards.sealed import tamper

PROJECT = Path(__file__).resolve().parents[2]
MEMBERS = 50_000
ROUNDS = 18
PARTS = 10
REDEMPTIONS = 100_000
ENTRIES = MEMBERS * ROUNDS + REDEMPTIONS
QUARTER = 4
LEAST_HASHES_PER_SECOND = 100_000  # with the joins to transaction and account, on a core that is shared
LEAST_SEALED_PER_SECOND = 300_000
MOST_MEMORY_GROWTH = 64 * 1024  # kB
KILLS = 12

_MEMBERS = """
INSERT INTO members_member (joined_at, channel_id, status)
SELECT '2025-01-01', %s, 'active' FROM generate_series(1, %s)
"""
_FACTS = """
INSERT INTO ledger_batch (ord, kind, member_id, currency_id, points, source, natural_key, happened_at, from_others,
    actor_kind, reason, tier_code, trace)
SELECT row_number() OVER (ORDER BY id), 1, id, %(currency)s, 0, 'shop', %(round)s || ':' || id,
    now() - (%(round)s * interval '3 days'), true, 'import', '', '', '{"v":2,"kind":"proof"}' FROM members_member WHERE id %% %(parts)s = %(part)s
"""
_LOTS = """
INSERT INTO ledger_batch_lot (ord, n, points, origin, available_at, expires_at)
SELECT ord, 0, 100, 1, happened_at, happened_at + interval '400 days' FROM ledger_batch
"""
_REDEEM = """
SELECT (ledger_debit(3::smallint, 2::smallint, id, %s::smallint, 130, 'test', %s || ':' || id, now(), 'system', NULL, '', NULL,
    '', '{"v":2,"kind":"proof"}')).outcome FROM (SELECT id FROM members_member ORDER BY id LIMIT %s OFFSET %s) AS m
"""


def make_members() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [Channel.objects.get(code="till").pk, MEMBERS])


def earn_once_each(number: int) -> None:
    """Post one purchase of each member, set-based, a few thousand to a transaction."""
    for part in range(PARTS):
        with transaction.atomic(), connection.cursor() as cursor:
            ledger_batch.post_batch([], by=SYSTEM)  # makes the tables that the posting function reads
            cursor.execute(_FACTS, {"round": number, "currency": currency_id(), "parts": PARTS, "part": part})
            cursor.execute(_LOTS)
            cursor.execute("ANALYZE ledger_batch, ledger_batch_lot")
            cursor.execute("SELECT count(*) FROM ledger_post_batch()")
            assert cursor.fetchone()[0] == MEMBERS // PARTS


def redeem(count: int, name: str) -> None:
    """Post redemptions one by one, each of which eats two lots; a few thousand to a transaction."""
    with connection.cursor() as cursor:
        for start in range(0, count, 2_000):
            cursor.execute(_REDEEM, [currency_id(), name, 2_000, start])
            assert {outcome for (outcome,) in cursor.fetchall()} == {"posted"}


def settled() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def core_seconds() -> float:
    """Return the seconds that this connection's server process has had a core: others may use the cores, too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        figures = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")


def seal_all() -> float:
    """Seal what there is; return the seconds of a core it took."""
    began = core_seconds()
    while seal_ledger(at=datetime.now(UTC)).blocks:
        pass
    return core_seconds() - began


def verified() -> tuple[float, dict[str, tuple[int, float]], list[str]]:
    """Verify everything; return the seconds of a core in all, rows and such seconds by sweep, and what was found."""
    sweeps: dict[str, tuple[int, float]] = {}
    began = last = core_seconds()

    def note(sweep: str, rows: int, _seconds: float) -> None:
        nonlocal last
        now = core_seconds()
        sweeps[sweep] = (rows, now - last)
        last = now

    found = [str(finding) for finding in verify(at=datetime.now(UTC), progress=note)]
    return core_seconds() - began, sweeps, found


@pytest.mark.usefixtures("committed_db")
def test_a_million_entries(record_result: Callable[[str, Figures], None]) -> None:
    make_members()
    for number in range(ROUNDS // QUARTER):
        earn_once_each(number)
    settled()
    seal_all()
    few = LedgerEntry.objects.count()
    seconds_for_few, _, found = verified()
    assert found == []
    for number in range(ROUNDS // QUARTER, ROUNDS):
        earn_once_each(number)
    redeem(REDEMPTIONS // 2, "a")
    redeem(REDEMPTIONS // 2, "b")
    settled()
    waiting = ENTRIES - few
    sealing = seal_all()
    assert LedgerEntry.objects.count() == ENTRIES
    assert seal_lag().entries == 0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, sweeps, found = verified()
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert found == []
    hashes, blocks = ENTRIES / sweeps["entries"][1], ENTRIES / sweeps["sealed blocks"][1]
    record_result(
        "Sealing and verifying a million entries",
        {
            "entries": f"{ENTRIES:,} of {MEMBERS:,} members, {LedgerSeal.objects.count():,} blocks",
            "seconds are those of one core of the server": "",
            "sealed a second": f"{waiting / sealing:,.0f}",
            "verify_ledger, all checks": f"{seconds:.1f} s, {ENTRIES / seconds:,.0f} entries a second",
            "of these: entries against their hashes": f"{hashes:,.0f} a second",
            "of these: blocks computed again": f"{blocks:,.0f} entries a second",
            **{
                f"sweep: {name}": f"{rows:,} rows in {each:.1f} s"
                for name, (rows, each) in sweeps.items()
                if each >= 0.1
            },
            "verify_ledger at a quarter of it": f"{seconds_for_few:.1f} s for {few:,} entries",
            "memory of the command grew by": f"{growth / 1024:.1f} MB",
            "load average of the machine": f"{os.getloadavg()[0]:.1f}",
        },
    )
    assert growth <= MOST_MEMORY_GROWTH
    assert seconds / ENTRIES <= 1.6 * seconds_for_few / few  # no more than linear
    assert hashes >= LEAST_HASHES_PER_SECOND
    assert waiting / sealing >= LEAST_SEALED_PER_SECOND

    row = LedgerEntry.objects.order_by("id")[ENTRIES // 2]
    tamper("UPDATE rewards_ledgerentry SET happened_at = happened_at + interval '1 second' WHERE id = %s", row.pk)
    assert [each.split(":")[0] for each in verified()[2]] == ["entry_hash"]


def test_sealers_that_are_killed_lose_and_double_nothing(
    committed_db: str, record_result: Callable[[str, Figures], None]
) -> None:
    """Real processes, killed with SIGKILL while they seal and others post."""
    make_members()
    code = (
        "import django; django.setup()\n"
        "from datetime import UTC, datetime\n"
        "from rewards.services.sealing import seal_ledger\n"
        "print('ready', flush=True)\n"
        "while True: seal_ledger(at=datetime.now(UTC), blocks=7)\n"
    )
    environment = {
        **os.environ,
        "DATABASE_URL": committed_db,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(PROJECT),
    }
    chance = random.Random(7)
    for number in range(KILLS):
        sealers = [
            subprocess.Popen(
                [sys.executable, "-c", code], env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for sealer in sealers:
            assert sealer.stdout is not None
            assert sealer.stdout.readline() == "ready\n"
        earn_once_each(number)
        time.sleep(chance.uniform(0.0, 0.4))
        for sealer in sealers:
            sealer.send_signal(signal.SIGKILL)
            sealer.wait()
    with (
        connection.cursor() as cursor
    ):  # a killed client's statement ends by itself, at the latest when its answer is due
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%ledger_seal(%' AND pid <> pg_backend_pid() AND datname = current_database()"
        )
    seal_all()
    entries, sealed = LedgerEntry.objects.count(), sum(LedgerSeal.objects.values_list("entries", flat=True))
    assert entries == sealed == KILLS * MEMBERS
    assert [str(finding) for finding in verify(at=datetime.now(UTC))] == []
    record_result("Sealers killed", f"{2 * KILLS} sealers killed at work; {entries:,} entries sealed once each.")
