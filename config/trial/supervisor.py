"""`./run.sh`: the parent of everything that a trial of the portal needs, started and stopped in order."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import FrameType

from config.translations import CATALOGUES, compile_catalogues
from config.trial.folder import DataFolder, TrialRefused, port_is_free
from config.trial.processes import Child, die_with_parent, fresh_log, spawn, tail
from config.trial.servers import DEMO_APP_SECRET, DEMO_APPID, PROJECT, Servers, running_servers

_POLL_SECONDS = 0.2
_READY_PATIENCE_SECONDS = 90.0
_WORKER_IS_UP = " ready."
_WECHAT = "The stand-in of WeChat"
# Never through a proxy that the environment names: the address is this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked the trial to stop."""


class ChildDied(TrialRefused):
    """A child that must keep running has ended."""


class Supervisor:
    """Runs one trial of the portal over one data folder, until it is asked to stop or a child dies."""

    def __init__(self, folder: DataFolder, *, host: str, port: int, members: int) -> None:
        self._folder = folder
        self._host = host
        self._port = port
        self._members = members
        self._asked_to_stop = False
        self._children: list[Child] = []

    def run(self) -> int:
        """Start all, say READY, and stay until asked to stop; return the exit status."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._ask_to_stop)
        try:
            with self._folder.owned(), running_servers(self._folder, say=say) as servers:
                self._children.extend(servers.children)
                try:
                    self._serve(servers)
                finally:
                    say("Stopping …")
                    self._stop_web_and_worker()
        except Stopped:
            say("Stopped. The data is kept.")
            return 0
        return 1

    def _serve(self, servers: Servers) -> None:
        self._check_port()
        say(f"Servers are up: {', '.join(child.name for child in self._children) or 'those of the environment'}.")
        is_empty = self._prepare(servers)
        servers.announce(self._folder)
        if is_empty:
            self._write_demo_data(servers)
        self._start_wechat(servers)
        self._start_web(servers)
        self._start_worker(servers)
        accounts = self._demo_accounts(servers)
        self._wait_until_ready()
        self._welcome(accounts)
        while True:
            self._stay()
            time.sleep(_POLL_SECONDS)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        # Only a mark: an exception here could lose a child that was just being started.
        self._asked_to_stop = True

    def _stay(self) -> None:
        """Raise `Stopped` when asked to stop, and `ChildDied` with the end of its log when a child has ended."""
        if self._asked_to_stop:
            raise Stopped
        for child in self._children:
            if not child.is_running():
                raise ChildDied(
                    f"{child.name} ended by itself (status {child.process.returncode}), so everything is stopped. "
                    f"The end of {child.log}:\n{tail(child.log)}"
                )

    def _check_port(self) -> None:
        if not port_is_free(self._port, self._host):
            raise TrialRefused(
                f"Port {self._port} is in use on {self._host}. Choose another one, for example: PORT=8123 ./run.sh"
            )

    def _prepare(self, servers: Servers) -> bool:
        """Bring tables, rights and translations up to date; return True when the database holds no member yet."""
        _compile_translations()
        fingerprint = _fingerprint_of_the_code()
        kept = self._folder.notes
        if servers.is_kept_database and kept.get("prepared_for") == fingerprint and kept.get("demo_data") == "written":
            say("Tables and rights are those of the last start: the code has not changed.")
            return False
        role = servers.application_role
        preparing = self._manage(
            ["prepare_database", *(["--role", role] if role else [])],
            servers.owner_environment(self._folder),
            name="migrate",
        )
        self._finish(preparing, "The tables could not be made")
        self._folder.keep(prepared_for=fingerprint)
        say("Tables, rights and translations are up to date.")
        return preparing.log.read_text(encoding="utf-8").rstrip().endswith("no member yet")

    def _write_demo_data(self, servers: Servers) -> None:
        say(f"Writing demo data of {self._members:,} members …")
        self._folder.keep(demo_data="writing")
        environment = self._with_demo_password(servers)
        command = self._command("seed_demo", "--members", str(self._members))
        # The progress bar needs the terminal, so this one child writes to it.
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=PROJECT,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no threads run here
        )
        self._finish(
            Child("seed_demo", process, self._folder.logs / "seed_demo.log"), "The demo data could not be written"
        )
        self._folder.keep(demo_data="written")

    def _start_wechat(self, servers: Servers) -> None:
        """Start what stands in for WeChat, unless the environment names a mini-program of its own."""
        if os.environ.get("WECHAT_APPID"):
            return
        port = self._folder.port("wechat")
        log = fresh_log(self._folder.logs, "wechat")
        command = [sys.executable, "-m", "config.wechat_fake", str(port), DEMO_APPID, DEMO_APP_SECRET]
        self._add(Child(_WECHAT, spawn(command, log=log, env=servers.environment(self._folder), cwd=PROJECT), log))

    def _start_web(self, servers: Servers) -> None:
        log = fresh_log(self._folder.logs, "web")
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
        command += ["--host", self._host, "--port", str(self._port)]
        command += ["--workers", "2", "--blocking-threads", "1", "--no-ws"]
        environment = {**servers.environment(self._folder), "DATABASE_POOL": "1"}
        self._add(Child("The web server", spawn(command, log=log, env=environment, cwd=PROJECT), log))

    def _start_worker(self, servers: Servers) -> None:
        log = fresh_log(self._folder.logs, "worker")
        command = [sys.executable, "-m", "celery", "--skip-checks", "-A", "config.trial.worker", "worker"]
        command += ["-B", "-c", "2", "-l", "info", "--without-mingle", "--without-gossip"]  # it is the only worker
        process = spawn(
            command,
            log=log,
            env=servers.environment(self._folder),
            cwd=PROJECT,
            death_signal=signal.SIGKILL,  # the servers go too, and a worker that looks for them would linger
        )
        self._add(Child("The worker", process, log, patience_seconds=20.0))

    def _add(self, child: Child) -> None:
        self._children.append(child)

    def _demo_accounts(self, servers: Servers) -> str:
        """Return a table of the demo accounts, made or given the present password where that is not yet done."""
        password = self._demo_password()
        made_for = hashlib.sha256(f"{password} {servers.database_url}".encode()).hexdigest()
        kept = self._folder.notes.get("accounts", {})
        if kept.get("made_for") != made_for:
            listing = self._manage(["seed_demo", "--accounts-only"], self._with_demo_password(servers), name="accounts")
            self._finish(listing, "The demo accounts could not be made")
            kept = {"made_for": made_for, "table": listing.log.read_text(encoding="utf-8").strip("\n")}
            self._folder.keep(accounts=kept)
        return str(kept["table"])

    def _wait_until_ready(self) -> None:
        worker_log = next(child.log for child in self._children if child.name == "The worker")
        deadline = time.monotonic() + _READY_PATIENCE_SECONDS
        while not (_WORKER_IS_UP in worker_log.read_text(encoding="utf-8", errors="replace") and self._page_answers()):
            self._stay()
            if time.monotonic() > deadline:
                raise TrialRefused(
                    f"The portal did not answer within {_READY_PATIENCE_SECONDS:.0f} s. "
                    f"The logs are in {self._folder.logs}; web.log ends:\n{tail(self._folder.logs / 'web.log')}"
                )
            time.sleep(_POLL_SECONDS)

    def _page_answers(self) -> bool:
        """Say whether the portal answers. Raises `TrialRefused` when it answers that it failed."""
        try:
            with _DIRECT.open(self._url(), timeout=20) as answer:
                return bool(answer.status < 400)
        except urllib.error.HTTPError as failure:
            raise TrialRefused(
                f"The portal answers {failure.code} on {failure.url}. "
                f"web.log ends:\n{tail(self._folder.logs / 'web.log', lines=40)}"
            ) from failure
        except OSError:
            return False

    def _welcome(self, accounts: str) -> None:
        home = self._folder.path
        say(
            f"""
Demo accounts (password: {self._demo_password()})
{accounts}

What to look at:
  {self._url("/")}                 the portal: today's numbers, members, points, rewards (languages: top right)
  {self._url("/api/v1/docs/")}     the API, with a page to try it
  ./run.sh manage verify_ledger             proves that the points add up
  ./run.sh manage import_orders --help      loads your own orders (csv, xlsx)
  {home}/text-messages.txt   the codes that members would get by text message
Data: {home} (password in demo-password, logs in logs/). Ctrl-C stops everything; the data stays.
READY {self._url("/")}"""
        )

    def _url(self, path: str = "/") -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}{path}"

    def _with_demo_password(self, servers: Servers) -> Mapping[str, str]:
        return {**servers.environment(self._folder), "PERENNIAL_DEMO_PASSWORD": self._demo_password()}

    def _demo_password(self) -> str:
        return self._folder.demo_password(os.environ.get("PERENNIAL_DEMO_PASSWORD"))

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(PROJECT / "manage.py"), *arguments]

    def _manage(self, arguments: list[str], environment: Mapping[str, str], *, name: str) -> Child:
        """Start a management command whose output goes to a log."""
        log = fresh_log(self._folder.logs, name)
        return Child(name, spawn(self._command(*arguments), log=log, env=environment, cwd=PROJECT), log)

    def _finish(self, child: Child, complaint: str) -> None:
        """Wait for a command to end well. Raises `TrialRefused` with its output, or `Stopped`."""
        try:
            while child.is_running():
                self._stay()
                time.sleep(_POLL_SECONDS / 4)
        finally:
            child.stop()
        if child.process.returncode != 0:
            raise TrialRefused(f"{complaint} (status {child.process.returncode}).\n{tail(child.log, lines=25)}")

    def _stop_web_and_worker(self) -> None:
        for child in reversed(self._children):
            if child.name in {"The web server", "The worker", _WECHAT}:
                child.stop()


def _fingerprint_of_the_code() -> str:
    """Return a hash of everything that tables, rights and permissions are made from."""
    digest = hashlib.sha256((PROJECT / "requirements.lock").read_bytes())
    for app in sorted(path.parent for path in PROJECT.glob("*/apps.py")):
        for source in sorted([*app.rglob("*.py"), *app.rglob("*.sql")]):
            digest.update(str(source.relative_to(PROJECT)).encode() + source.read_bytes())
    return digest.hexdigest()


def _compile_translations() -> None:
    try:
        compile_catalogues([CATALOGUES])
    except OSError as error:
        raise TrialRefused(f"The translations could not be compiled: {error}") from error


def say(sentence: str) -> None:
    """Print a line at once; a terminal that has gone away is no reason to stop stopping."""
    try:
        print(sentence, flush=True)
    except OSError:
        return
