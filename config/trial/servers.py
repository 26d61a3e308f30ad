"""The servers behind a trial: the embedded ones, or those that the environment names."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from config.trial.folder import DataFolder
from config.trial.postgres import Cluster, drop_database, ensure_database, ensure_role
from config.trial.processes import Child, fresh_log
from config.trial.valkey import Valkey

PROJECT = Path(__file__).resolve().parents[2]
DATABASE = "perennial"
OWNER_ROLE = "perennial_owner"
APP_ROLE = "perennial_app"
# Of a mini-program that exists on this machine only.
DEMO_APPID = "wx0000000000demo00"
DEMO_APP_SECRET = "known-to-everybody-and-good-for-nothing"  # noqa: S105
# Migrations may take long, and wait longer for a lock than a web request would.
_OWNER_OPTIONS = "?options=-c%20lock_timeout%3D30s%20-c%20statement_timeout%3D0"

Say = Callable[[str], None]


@dataclass
class Servers:
    """The servers of a trial while they run: their addresses for the commands, and the children among them.

    The database is new when it was made just now, kept when it is the embedded one and was there before; one that the
    environment names is neither, since others may change it.
    """

    database_url: str
    database_owner_url: str
    broker_url: str
    children: list[Child] = field(default_factory=list)
    is_new_database: bool = False
    is_kept_database: bool = False

    @property
    def application_role(self) -> str:
        """The database role of the application; empty when it is the one that owns the tables."""
        application, owner = urlsplit(self.database_url).username, urlsplit(self.database_owner_url).username
        return "" if application == owner else unquote(application or "")

    def environment(self, folder: DataFolder) -> dict[str, str]:
        """Return the environment in which every command of the trial runs, as the application's database role."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.trial",
            "PYTHONPATH": str(PROJECT),
            "PYTHONUNBUFFERED": "1",
            "PERENNIAL_HOME": str(folder.path),
            "SECRET_KEY": os.environ.get("SECRET_KEY") or folder.notes["secret_key"],
            "CODE_SECRET": os.environ.get("CODE_SECRET") or folder.notes["code_secret"],
            "LEDGER_ANCHOR_KEY": os.environ.get("LEDGER_ANCHOR_KEY") or folder.notes["anchor_key"],
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "CELERY_BROKER_URL": self.broker_url,
            **stand_in_of_wechat(folder),
        }

    def owner_environment(self, folder: DataFolder) -> dict[str, str]:
        """Return the environment of the commands that change tables and rights."""
        return {**self.environment(folder), "DATABASE_URL": self.database_owner_url}

    def announce(self, folder: DataFolder) -> None:
        """Tell other processes with the same data folder that these servers can be used."""
        folder.keep(
            servers={
                "database_url": self.database_url,
                "database_owner_url": self.database_owner_url,
                "broker_url": self.broker_url,
            }
        )


def stand_in_of_wechat(folder: DataFolder) -> dict[str, str]:
    """Return the settings of the trial's own WeChat server; none where the environment names a mini-program, or before it runs."""
    port = folder.notes.get("wechat_port")
    if os.environ.get("WECHAT_APPID") or not port:
        return {}
    return {
        "WECHAT_APPID": DEMO_APPID,
        "WECHAT_SECRET": DEMO_APP_SECRET,
        "WECHAT_API_BASE": f"http://127.0.0.1:{port}",
    }


def announced_servers(folder: DataFolder) -> Servers | None:
    """Return the servers that another process runs for this folder; None while it is starting or stopping them."""
    folder.reread()
    addresses = folder.notes.get("servers")
    return Servers(**addresses) if addresses else None


@contextmanager
def running_servers(folder: DataFolder, *, say: Say) -> Iterator[Servers]:
    """Start what is embedded, and stop it at the end in the reverse order. The caller owns the folder."""
    folder.make_secrets()
    folder.keep(servers=None)
    database_url = os.environ.get("DATABASE_URL", "")
    servers = Servers(
        database_url=database_url,
        database_owner_url=os.environ.get("DATABASE_OWNER_URL") or database_url,
        broker_url=os.environ.get("CELERY_BROKER_URL", ""),
    )
    with ExitStack() as stack:
        if not servers.database_url:
            _start_database(folder, servers, stack, say)
        if not servers.broker_url:
            _start_broker(folder, servers, stack)
        stack.callback(folder.keep, servers=None)
        yield servers


def _start_database(folder: DataFolder, servers: Servers, stack: ExitStack, say: Say) -> None:
    cluster = Cluster(
        folder.path / "postgres",
        log=fresh_log(folder.logs, "postgres"),
        password=folder.notes["superuser_password"],
        port=folder.port("postgres"),
    )
    if cluster.account is not None and cluster.folder != folder.path / "postgres":
        say(
            f"PostgreSQL runs as the account '{cluster.account.name}', which can not reach {folder.path} "
            f"(a folder above it is closed to others). Its data lies in {cluster.folder} instead."
        )
        folder.keep(postgres_place=str(cluster.folder))
    stack.callback(cluster.stop)
    cluster.start()
    servers.children.append(cluster.child)
    folder.keep(postgres_port=cluster.port)
    servers.is_new_database = _prepare_database(folder, cluster, say)
    servers.is_kept_database = not servers.is_new_database
    servers.database_url = cluster.url(DATABASE, user=APP_ROLE, password=folder.notes["app_password"])
    owner_url = cluster.url(DATABASE, user=OWNER_ROLE, password=folder.notes["owner_password"])
    servers.database_owner_url = owner_url + _OWNER_OPTIONS


def _start_broker(folder: DataFolder, servers: Servers, stack: ExitStack) -> None:
    broker = Valkey(
        folder.path / "valkey",
        log=fresh_log(folder.logs, "valkey"),
        password=folder.notes["broker_password"],
        port=folder.port("valkey"),
    )
    stack.callback(broker.stop)
    broker.start()
    servers.children.append(broker.child)
    folder.keep(valkey_port=broker.port)
    servers.broker_url = broker.url


def _prepare_database(folder: DataFolder, cluster: Cluster, say: Say) -> bool:
    """Make the two roles and the database; return True when the database is new.

    A database whose demo data was left half-written (the last start was stopped meanwhile) is made anew: nobody has
    worked in it yet.
    """
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        ensure_role(connection, OWNER_ROLE, folder.notes["owner_password"])
        ensure_role(connection, APP_ROLE, folder.notes["app_password"])
        if folder.notes.get("demo_data") == "writing":
            say("The last start was stopped while it wrote the demo data: the database is made anew.")
            drop_database(connection, DATABASE)
            folder.keep(demo_data="", accounts={})
        return ensure_database(connection, DATABASE, OWNER_ROLE)
