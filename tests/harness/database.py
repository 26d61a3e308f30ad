"""The PostgreSQL server of a test run: one server, one migrated template, a clone for whoever needs a database."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

from config.trial.folder import free_port
from config.trial.postgres import Cluster, drop_database

SERVER_VARIABLE = "TEST_DATABASE_URL"
RUN_VARIABLE = "PERENNIAL_TEST_RUN"
_ROOM_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class TestServer:
    """A server on which the tests make databases: `url` names a database of it and a role that may create others.

    `run` tells the databases of this run from those of another one on the same server.
    """

    __test__ = False

    url: str
    run: str

    @property
    def template(self) -> str:
        return f"perennial_test_{self.run}_template"

    def url_of(self, database: str, *, user: str | None = None, password: str = "") -> str:
        """Return the URL of one of the server's databases, as another role when one is named."""
        parts = urlsplit(self.url)
        if user is None:
            return urlunsplit(parts._replace(path=f"/{database}"))
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(path=f"/{database}", netloc=f"{user}:{password}@{address}"))

    def connect(self, database: str | None = None) -> psycopg.Connection:
        """Return a new connection that commits each statement, for work beside Django's own connection."""
        return psycopg.connect(self.url_of(database) if database else self.url, autocommit=True)

    def ensure_template(self) -> None:
        """Migrate the template, unless another worker of this run has done so; wait while it does."""
        with self.connect() as admin:
            admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [self.template])
            ready = "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate"
            if admin.execute(ready, [self.template]).fetchone():
                return
            name = sql.Identifier(self.template)
            drop_database(admin, self.template)
            admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
            with django_on(self.url_of(self.template)):
                call_command("migrate", verbosity=0, interactive=False)
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))

    @contextmanager
    def clone(self, label: str) -> Iterator[str]:
        """Make a copy of the template, yield its URL, and drop it with every connection to it."""
        name = f"perennial_test_{self.run}_{label}"
        with self.connect() as admin:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(self.template)))
        try:
            yield self.url_of(name)
        finally:
            with self.connect() as admin:
                drop_database(admin, name)

    def drop_template(self) -> None:
        """Remove the template, for a server that outlives the run."""
        with self.connect() as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.template]).fetchone():
                admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(self.template)))
                drop_database(admin, self.template)


@contextmanager
def server_for_run(*, durable: bool) -> Iterator[TestServer]:
    """Yield the server of this run, started here unless TEST_DATABASE_URL names one.

    Processes started meanwhile (the workers of a parallel run) find the same server through the environment.
    """
    inherited = os.environ.get(RUN_VARIABLE)
    if inherited:
        yield TestServer(os.environ[SERVER_VARIABLE], inherited)
        return
    run = secrets.token_hex(4)
    given = os.environ.get(SERVER_VARIABLE)
    os.environ[RUN_VARIABLE] = run
    try:
        if given:
            server = TestServer(given, run)
            yield server
            server.drop_template()
        else:
            with _embedded_server(durable=durable) as url:
                os.environ[SERVER_VARIABLE] = url
                yield TestServer(url, run)
    finally:
        del os.environ[RUN_VARIABLE]
        if not given:
            os.environ.pop(SERVER_VARIABLE, None)


@contextmanager
def _embedded_server(*, durable: bool) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="perennial-test-", dir=None if durable else _memory()))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account
    password = secrets.token_hex(16)
    cluster = Cluster(folder / "postgres", log=folder / "log", password=password, port=free_port(), durable=durable)
    try:
        cluster.start()
        yield cluster.url("postgres")
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> str | None:
    """Return a folder that is held in memory and has room for a run's databases; None where there is none.

    Each clone makes and removes thousands of small files, for which disks take seconds.
    """
    place = "/dev/shm"  # the folder made in it has a name that nobody can guess
    has_room = os.access(place, os.W_OK) and shutil.disk_usage(place).free >= _ROOM_BYTES
    return place if has_room else None


@contextmanager
def django_on(url: str) -> Iterator[None]:
    """Let Django's default connection, in this thread and those started meanwhile, reach another database."""
    # Every thread's connection reads this one dictionary when it connects.
    shared = connections.settings["default"]
    parts = urlsplit(url)
    there = {
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
    }
    before = {key: shared[key] for key in there}
    _disconnect()
    shared.update(there)
    try:
        yield
    finally:
        _disconnect()
        shared.update(before)


def _disconnect() -> None:
    connection = connections["default"]
    connection.close()
    if isinstance(connection, DatabaseWrapper) and connection.settings_dict["OPTIONS"].get("pool"):
        connection.close_pool()
