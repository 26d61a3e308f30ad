"""`./run.sh` as a newcomer meets it: start, second start, Ctrl-C, kill -9, two copies, and what goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config.trial.folder import free_port
from tests.harness.load import busy

PROJECT = Path(__file__).resolve().parents[2]
MEMBERS = 60
FIRST_START_SECONDS = 180.0
SECOND_START_SECONDS = 15.0


class Copy:
    """One copy of the portal: its data folder, its port, and the `run.sh` that runs it now."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.output = home.with_suffix(".out")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "run.sh was not started"
        return self._process

    @property
    def notes(self) -> dict[str, object]:
        return dict(json.loads((self.home / "trial.json").read_text(encoding="utf-8")))

    def environment(self) -> dict[str, str]:
        own = {"PERENNIAL_HOME": str(self.home), "PORT": str(self.port), "PERENNIAL_VENV": sys.prefix}
        foreign = (
            "DATABASE_URL",
            "CELERY_BROKER_URL",
            "TEST_DATABASE_URL",
            "DJANGO_SETTINGS_MODULE",
            "PERENNIAL_TEST_RUN",
        )
        return {key: value for key, value in os.environ.items() if key not in foreign} | own

    def start(self, *arguments: str) -> None:
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [PROJECT / "run.sh", *arguments, "--members", str(MEMBERS)],
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start_and_wait(self, *arguments: str, within: float) -> float:
        """Start and return the seconds until READY; `within` are seconds on a machine that is ours."""
        within *= busy()
        began = time.monotonic()
        self.start(*arguments)
        while f"READY http://127.0.0.1:{self.port}" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() - began < within, f"not READY within {within} s: {self.said()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROJECT / "run.sh"), "manage", *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120, check=False)

    def get(self, path: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return answer.status, answer.read()

    def count_members(self) -> int:
        addresses = self.notes["servers"]
        assert isinstance(addresses, dict)
        with psycopg.connect(addresses["database_url"]) as connection:
            row = connection.execute("SELECT count(*) FROM members_member").fetchone()
        assert row is not None
        return int(row[0])

    def left_processes(self) -> list[int]:
        """Return the processes that belong to this data folder: by command line, environment or working folder."""
        numbers = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [int(entry.name) for entry in numbers if int(entry.name) != os.getpid() and self._owns(entry)]

    def _owns(self, entry: Path) -> bool:
        mark = str(self.home).encode()
        try:
            texts = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
            return any(mark in text for text in texts) or str(self.home) in os.readlink(entry / "cwd")
        except OSError:  # it has just ended
            return False

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def kill_everything(self) -> None:
        for number in self.left_processes():
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(timeout=10)

    def wait_until_nothing_is_left(self, *, within: float) -> float:
        began = time.monotonic()
        while self.left_processes():
            assert time.monotonic() - began < within, f"still there: {self.left_processes()}"
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture
def new_copy() -> Iterator[Callable[[str], Copy]]:
    copies: list[Copy] = []
    # Not tmp_path: its folders are closed to the account that PostgreSQL runs as when we are root.
    folder = Path(tempfile.mkdtemp(prefix="perennial-proof-"))
    folder.chmod(0o711)

    def make(name: str) -> Copy:
        copies.append(Copy(folder / name))
        return copies[-1]

    yield make
    for copy in copies:
        if copy.left_processes():
            copy.kill_everything()
    shutil.rmtree(folder, ignore_errors=True)


class TestRunSh:
    def test_a_trial_from_its_first_start_to_its_reset(
        self, new_copy: Callable[[str], Copy], record_result: Callable[[str, object], None]
    ) -> None:
        portal = new_copy("first")
        first = portal.start_and_wait(within=FIRST_START_SECONDS)
        password = (portal.home / "demo-password").read_text(encoding="utf-8").strip()
        assert password in portal.said()
        assert portal.get("/admin/login/")[0] == 200
        members = portal.count_members()
        assert members >= MEMBERS

        # A command beside the running portal uses its servers; a second start is refused.
        assert portal.manage("check").returncode == 0
        second = subprocess.run(
            [PROJECT / "run.sh"], env=portal.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 1
        assert "already in use" in second.stderr
        assert portal.get("/admin/login/")[0] == 200

        began = time.monotonic()
        assert portal.interrupt() == 0
        stop = time.monotonic() - began
        assert portal.left_processes() == []

        # The second start keeps the data.
        again = portal.start_and_wait(within=SECOND_START_SECONDS)
        assert portal.count_members() == members
        assert (portal.home / "demo-password").read_text(encoding="utf-8").strip() == password

        # kill -9 of the whole tree is survived.
        portal.kill_everything()
        after_kill = portal.start_and_wait(within=SECOND_START_SECONDS)
        assert portal.count_members() == members

        # kill -9 of the parent alone takes every child with it.
        portal.process.kill()
        portal.process.wait(timeout=10)
        orphans = portal.wait_until_nothing_is_left(within=15)

        # A command without the portal starts what it needs, and stops it.
        assert portal.manage("showmigrations", "members").returncode == 0
        assert portal.left_processes() == []

        # Afresh: other secrets, demo data again, and nothing but the data folder was touched.
        (portal.home / "mine.txt").write_text("keep", encoding="utf-8")
        old_secret = portal.notes["secret_key"]
        portal.start_and_wait("--reset", within=FIRST_START_SECONDS)
        assert portal.notes["secret_key"] != old_secret
        assert (portal.home / "mine.txt").exists()
        assert portal.interrupt() == 0
        record_result(
            "run.sh",
            {
                f"first start, {MEMBERS} members": f"{first:.1f} s",
                "second start": f"{again:.1f} s",
                "start after kill -9 of everything": f"{after_kill:.1f} s",
                "Ctrl-C until all is gone": f"{stop:.1f} s",
                "kill -9 of the parent until all is gone": f"{orphans:.1f} s",
                "load average of the machine": f"{os.getloadavg()[0]:.1f}",
            },
        )

    def test_two_copies_run_side_by_side(self, new_copy: Callable[[str], Copy]) -> None:
        one, other = new_copy("one"), new_copy("other")
        one.start_and_wait(within=FIRST_START_SECONDS)
        other.start_and_wait(within=FIRST_START_SECONDS)
        assert one.get("/admin/login/")[0] == other.get("/admin/login/")[0] == 200
        assert one.interrupt() == 0
        assert other.get("/admin/login/")[0] == 200
        assert other.interrupt() == 0

    def test_stops_everything_when_a_child_dies(self, new_copy: Callable[[str], Copy]) -> None:
        portal = new_copy("dying")
        portal.start_and_wait(within=FIRST_START_SECONDS)
        workers = [
            number for number in portal.left_processes() if b"celery" in Path(f"/proc/{number}/cmdline").read_bytes()
        ]
        os.kill(min(workers), signal.SIGKILL)
        assert portal.process.wait(timeout=60) == 1
        assert "The worker ended by itself" in portal.said()
        assert portal.left_processes() == []

    def test_starts_the_demo_data_again_when_it_was_stopped_halfway(self, new_copy: Callable[[str], Copy]) -> None:
        portal = new_copy("halfway")
        portal.start()
        deadline = time.monotonic() + FIRST_START_SECONDS * busy()
        while "Writing demo data" not in portal.said():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1.5)
        assert portal.interrupt() == 0
        assert portal.left_processes() == []
        assert portal.notes["demo_data"] == "writing"
        portal.start_and_wait(within=FIRST_START_SECONDS)
        assert "made anew" in portal.said()
        assert portal.count_members() >= MEMBERS

    def test_says_when_the_port_is_taken(self, new_copy: Callable[[str], Copy]) -> None:
        one, other = new_copy("first"), new_copy("late")
        one.start_and_wait(within=FIRST_START_SECONDS)
        other.port = one.port
        other.start()
        assert other.process.wait(timeout=60) == 1
        assert f"Port {one.port} is in use" in other.said()
        assert other.left_processes() == []
