"""Servers and workers that a proof may kill with -9, and the moment to do so: in the middle of a transaction that has written."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from config.trial.folder import free_port
from config.trial.postgres import Cluster, drop_database
from tests.harness.database import django_on

PROJECT = Path(__file__).resolve().parents[2]
_victims: list["Victim"] = []
_PATIENCE_SECONDS = 120.0
_ON_ITS_WAY_SECONDS = 0.03  # so long a statement that was sent before may take to reach the server


@contextmanager
def killable_server(folder: Path) -> Iterator[Cluster]:
    """Yield a durable PostgreSQL of this test's own, with a migrated database `proof`; Django's connection reaches it."""
    folder.chmod(0o711)
    cluster = Cluster(folder / "postgres", log=folder / "log", password="only-for-tests", port=free_port())
    cluster.start()
    try:
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE proof")
        with django_on(cluster.url("proof")):
            call_command("migrate", verbosity=0, interactive=False)
            yield cluster
            connections.close_all()
    finally:
        for victim in _victims:
            if not victim.has_ended:  # a test that failed may have left it standing still
                victim.kill()
        _victims.clear()
        cluster.stop()


def copy_database(cluster: Cluster, source: str, target: str) -> None:
    """Make a copy of a database that nobody is connected to."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(target), sql.Identifier(source)))


def drop_databases(cluster: Cluster, *names: str) -> None:
    """Drop databases that a test is done with: a server that was killed looks through all of its files first."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        for name in names:
            drop_database(admin, name)


def kill_postgres(cluster: Cluster) -> float:
    """kill -9 the server with all of its processes at once; start it again; return the seconds until it answered."""
    port = cluster.port
    postmaster = cluster.child.process.pid
    os.kill(postmaster, signal.SIGSTOP)  # else it would begin to recover when its children die
    for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split():
        os.kill(int(child), signal.SIGKILL)
    cluster.child.kill()
    connections.close_all()
    began = time.monotonic()
    cluster.start()
    assert cluster.port == port, "the server came back on another port"
    return time.monotonic() - began


@dataclass(frozen=True)
class Middle:
    """Processes that stand still in the middle of transactions that have written: their numbers."""

    xids: tuple[str, ...]


class Fork:
    """A child of this process that does one thing, on another database; it has all modules already."""

    def __init__(self, act: Callable[[], None], *, url: str, name: str, log: Path) -> None:
        connections.close_all()  # the child must not share a connection
        self._process = multiprocessing.get_context("fork").Process(target=_in_child, args=(act, url, name, log))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        assert self._process.exitcode is not None, "it does not end"
        return self._process.exitcode


def _in_child(act: Callable[[], None], url: str, name: str, log: Path) -> None:
    with suppress(PermissionError):
        os.setpgid(0, 0)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ["PGAPPNAME"] = name
    with django_on(url):
        act()


class Victim:
    """Processes of the application (a group of their own), which are stopped where it hurts and killed there."""

    def __init__(self, cluster: Cluster, process: "subprocess.Popen[bytes] | Fork", name: str) -> None:
        self.cluster = cluster
        self.process = process
        self.name = name
        _victims.append(self)

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def stop_in_the_middle(
        self, *, chance: random.Random, skip: int = 0, wanted: Callable[[], bool] = lambda: True
    ) -> Middle | None:
        """Stop the processes once they have written within a transaction and have not asked for its commit.

        Lets the first `skip` transactions that are seen pass, and those that are not `wanted`. None: the processes ended
        before. They stand still when this returns: nothing but what is done to them next can end these transactions.
        """
        seen: set[str] = set()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as admin:
            while not self.has_ended:
                assert time.monotonic() < deadline, f"{self.name} writes nothing"
                self.signal(signal.SIGSTOP)
                open_now = self._open_transactions(admin)
                if open_now - seen and len(seen) >= skip and wanted():
                    time.sleep(_ON_ITS_WAY_SECONDS)
                    still = open_now & self._open_transactions(admin)
                    if still - seen:
                        return Middle(tuple(sorted(still)))
                seen |= open_now
                self.signal(signal.SIGCONT)
                time.sleep(chance.uniform(0.0, 0.004))
        return None

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def go_on(self) -> None:
        """Let stopped processes run again."""
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def _open_transactions(self, admin: psycopg.Connection) -> set[str]:
        """Return the transactions that have written, of more than one statement, whose last statement is no commit."""
        rows = admin.execute(
            """
            SELECT backend_xid::text FROM pg_stat_activity
            WHERE application_name = %s AND backend_xid IS NOT NULL AND query_start > xact_start AND query NOT ILIKE 'commit%%'
            """,
            [self.name],
        )
        return {row[0] for row in rows}


def was_cut_short(cluster: Cluster, middle: Middle) -> bool:
    """Say whether nothing is left of a transaction, of one at least; waits until none of them is running any more.

    On a busy machine a commit may have been on its way to the server when everything stood still: then it was no middle.

    A server that was killed forgets the numbers that had not reached the disk, and gives them again: ask before it works.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        while True:
            found = {_outcome(admin, xid) for xid in middle.xids}
            if "in progress" not in found:
                return "aborted" in found
            assert time.monotonic() < deadline, "a transaction outlives its process"
            time.sleep(0.02)


def _outcome(admin: psycopg.Connection, xid: str) -> str:
    try:
        row = admin.execute("SELECT pg_xact_status(%s::xid8)", [xid]).fetchone()
    except psycopg.errors.InvalidParameterValue:
        return "aborted"  # a recovered server has never heard of it: nothing of it had reached the disk
    assert row is not None
    return str(row[0])


def start(command: list[str], *, url: str, name: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a process of the application in a group of its own, on a database, under a name that the server shows."""
    environment = os.environ | {
        "DATABASE_URL": url, "DATABASE_POOL": "1" if "granian" in command else "0", "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PGAPPNAME": name,
    }  # fmt: skip
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
