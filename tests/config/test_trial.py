"""The pieces behind `./run.sh`; the whole of it is proven by tests/proofs/test_run_sh.py."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import polib
import psycopg
import pytest

from config.translations import compile_catalogues
from config.trial import commands, environment
from config.trial.folder import DataFolder, FolderInUse, TrialRefused, free_port, port_is_free
from config.trial.postgres import Cluster, ensure_database, ensure_role, place_for
from config.trial.valkey import Valkey

RUN = Path(__file__).resolve().parents[2] / "run.sh"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "home")


class TestDataFolder:
    def test_keeps_its_secrets_from_start_to_start(self, folder: DataFolder) -> None:
        folder.make_secrets()
        again = DataFolder(folder.path)
        again.make_secrets()
        assert again.notes == folder.notes
        assert len({again.notes[name] for name in ("secret_key", "code_secret", "app_password", "owner_password")}) == 4

    def test_shows_its_secrets_to_nobody_else(self, folder: DataFolder) -> None:
        folder.make_secrets()
        folder.demo_password(None)
        modes = {name: (folder.path / name).stat().st_mode & 0o777 for name in ("trial.json", "demo-password")}
        assert modes == {"trial.json": 0o600, "demo-password": 0o600}

    def test_keeps_the_demo_password_and_takes_a_chosen_one(self, folder: DataFolder) -> None:
        generated = folder.demo_password(None)
        assert len(generated) >= 16
        assert folder.demo_password(None) == generated
        assert folder.demo_password("chosen-by-the-user") == "chosen-by-the-user"
        assert folder.demo_password(None) == "chosen-by-the-user"

    def test_keeps_a_port_until_somebody_else_takes_it(self, folder: DataFolder) -> None:
        port = folder.port("postgres")
        assert DataFolder(folder.path).port("postgres") == port
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            assert not port_is_free(port)
            assert folder.port("postgres") != port

    def test_refuses_a_second_owner_in_another_process(self, folder: DataFolder) -> None:
        attempt = textwrap.dedent(
            f"""
            from pathlib import Path
            from config.trial.folder import DataFolder
            with DataFolder(Path({str(folder.path)!r})).owned():
                print("owned")
            """
        )
        command = [sys.executable, "-c", attempt]
        with folder.owned():
            refused = subprocess.run(command, cwd=RUN.parent, capture_output=True, text=True, check=False)
        allowed = subprocess.run(command, cwd=RUN.parent, capture_output=True, text=True, check=False)
        assert "FolderInUse" in refused.stderr
        assert "already in use" in refused.stderr
        assert allowed.stdout == "owned\n"

    def test_can_be_owned_again_after_its_owner_has_left(self, folder: DataFolder) -> None:
        with folder.owned():
            pass
        with folder.owned(), pytest.raises(FolderInUse), DataFolder(folder.path).owned():
            pass

    def test_refuses_a_folder_with_files_of_others(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").touch()
        with pytest.raises(TrialRefused, match="not Perennial's"):
            DataFolder(tmp_path)

    def test_removes_what_it_made_and_nothing_else(self, folder: DataFolder) -> None:
        folder.make_secrets()
        (folder.path / "valkey").mkdir()
        (folder.path / "mine.txt").touch()
        folder.clear()
        assert {entry.name for entry in folder.path.iterdir()} == {"trial.json", "logs", "mine.txt"}
        assert DataFolder(folder.path).notes == {}


class TestEnvironment:
    @pytest.fixture
    def venv(self, tmp_path: Path) -> Path:
        venv = tmp_path / "venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)
        (venv / environment.BEGUN).touch()
        return venv

    def test_is_complete_with_the_mark_of_the_present_lock(self, venv: Path) -> None:
        assert not environment.is_complete(venv)
        (venv / environment.COMPLETE).write_text(environment.wanted_mark(), encoding="ascii")
        assert environment.is_complete(venv)

    def test_is_not_complete_for_another_lock(self, venv: Path) -> None:
        (venv / environment.COMPLETE).write_text("0" * 64, encoding="ascii")
        assert not environment.is_complete(venv)

    def test_is_not_complete_when_its_python_is_gone(self, venv: Path) -> None:
        (venv / environment.COMPLETE).write_text(environment.wanted_mark(), encoding="ascii")
        (venv / "bin" / "python").unlink()
        (venv / "bin" / "python").symlink_to("/nonexistent/python")
        assert not environment.is_complete(venv)

    def test_leaves_an_environment_that_somebody_else_made(self, venv: Path) -> None:
        assert not environment.is_foreign(venv)
        (venv / environment.BEGUN).unlink()
        assert environment.is_foreign(venv)
        assert environment.main(venv) == 0
        assert not (venv / environment.COMPLETE).exists()

    def test_refuses_to_remove_files_of_others(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "thesis.txt").touch()
        assert environment.main(tmp_path) == 1
        assert "not Perennial's" in capsys.readouterr().err
        assert (tmp_path / "thesis.txt").exists()


class TestFindingPython:
    """`run.sh` with nothing on PATH but what is put there; each Python is a script that says its name."""

    SPEAKS = '#!/bin/sh\ncase "$*" in *environment.py*) echo "chosen $0" ;; esac\n'
    SHIM = "#!/bin/sh\nexit 127\n"
    WITHOUT_VENV = '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\n'

    @pytest.fixture
    def machine(self, tmp_path: Path) -> Path:
        (tmp_path / "bin").mkdir()
        for program in ("dirname", "cat"):
            found = shutil.which(program)
            assert found is not None
            (tmp_path / "bin" / program).symlink_to(found)
        return tmp_path

    def put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(0o755)

    def setup(self, machine: Path) -> subprocess.CompletedProcess[str]:
        own = {"PATH": str(machine / "bin"), "HOME": str(machine), "PERENNIAL_VENV": str(machine / "venv")}
        return subprocess.run([RUN, "setup"], env=own, capture_output=True, text=True, check=False)

    def test_takes_the_newest_on_the_path(self, machine: Path) -> None:
        self.put(machine / "bin" / "python3.12", self.SPEAKS)
        self.put(machine / "bin" / "python3.13", self.SPEAKS)
        assert self.setup(machine).stdout == f"chosen {machine}/bin/python3.13\n"

    def test_passes_by_shims_that_do_not_run(self, machine: Path) -> None:
        self.put(machine / "bin" / "python3.13", self.SHIM)
        self.put(machine / "bin" / "python3.12", self.SHIM)
        self.put(machine / ".pyenv" / "versions" / "3.12.1" / "bin" / "python", self.SPEAKS)
        assert self.setup(machine).stdout == f"chosen {machine}/.pyenv/versions/3.12.1/bin/python\n"

    def test_says_what_is_missing_when_there_is_none(self, machine: Path) -> None:
        done = self.setup(machine)
        assert done.returncode == 1
        assert "Python 3.12 or 3.13 is needed" in done.stderr

    def test_says_when_python_can_not_make_environments(self, machine: Path) -> None:
        self.put(machine / "bin" / "python3.12", self.WITHOUT_VENV)
        done = self.setup(machine)
        assert done.returncode == 1
        assert "apt-get install python3.12-venv" in done.stderr

    def test_tells_its_usage_without_any_python(self, machine: Path) -> None:
        done = subprocess.run(
            [RUN, "--help"], env={"PATH": str(machine / "bin")}, capture_output=True, text=True, check=True
        )
        for word in (
            "test",
            "prove",
            "manage",
            "--reset",
            "--members",
            "PORT",
            "PERENNIAL_HOME",
            "PERENNIAL_DEMO_PASSWORD",
        ):
            assert word in done.stdout


class TestTestCommand:
    @pytest.fixture
    def called(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        calls: list[list[str]] = []

        def remember(command: list[str], _environment: dict[str, str], **_: object) -> int:
            calls.append(command[3:])
            return 0

        monkeypatch.setattr("config.trial.commands._foreground", remember)
        monkeypatch.setattr("config.trial.commands._cores", lambda: 2)
        return calls

    @pytest.mark.parametrize(
        ("given", "passed"),
        [
            ([], ["-n", "2"]),
            (["-k", "expiry"], ["-n", "2", "-k", "expiry"]),
            (["-n", "4"], ["-n", "4"]),
            (["tests/config/test_trial.py"], ["tests/config/test_trial.py"]),
            (["tests/a/test_b.py::TestC::test_d"], ["tests/a/test_b.py::TestC::test_d"]),
        ],
    )
    def test_runs_in_parallel_unless_told_otherwise(
        self, called: list[list[str]], given: list[str], passed: list[str]
    ) -> None:
        assert commands.test(given) == 0
        assert called == [passed]

    def test_proves_one_by_its_name(self, called: list[list[str]]) -> None:
        assert commands.prove(["run_sh"]) == 0
        assert called == [["--prove", "tests/proofs/test_run_sh.py"]]

    def test_proves_everything_long_when_no_name_is_given(self, called: list[list[str]]) -> None:
        assert commands.prove([]) == 0
        assert "tests/proofs/test_run_sh.py" in called[0]
        assert called[1] == ["--hypothesis-profile=prove", "-m", "hypothesis"]

    def test_names_the_proofs_there_are(self, called: list[list[str]]) -> None:
        with pytest.raises(TrialRefused, match=r"run_sh.*properties"):
            commands.prove(["unheard_of"])
        assert called == []


class TestCompilingTranslations:
    def test_compiles_what_changed_and_only_that(self, tmp_path: Path) -> None:
        source = tmp_path / "zh_Hans" / "LC_MESSAGES" / "django.po"
        source.parent.mkdir(parents=True)
        catalogue = polib.POFile()
        catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
        catalogue.append(polib.POEntry(msgid="member", msgstr="会员"))
        catalogue.save(str(source))
        assert compile_catalogues([tmp_path]) == [source]
        assert polib.mofile(str(source.with_suffix(".mo")))[0].msgstr == "会员"
        assert compile_catalogues([tmp_path]) == []
        later = source.with_suffix(".mo").stat().st_mtime + 10
        os.utime(source, (later, later))
        assert compile_catalogues([tmp_path]) == [source]


class TestCluster:
    @pytest.fixture
    def cluster(self) -> Iterator[Cluster]:
        # Not tmp_path: its folders are closed to the account that PostgreSQL runs as when we are root.
        folder = Path(tempfile.mkdtemp(prefix="perennial-test-"))
        folder.chmod(0o711)
        cluster = Cluster(folder / "postgres", log=folder / "log", password="secret", port=free_port())
        yield cluster
        cluster.stop()
        shutil.rmtree(folder)

    def test_lies_where_its_account_can_not_go_but_by_another_way(self, cluster: Cluster, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        place = place_for(closed / "postgres", cluster.account)
        if cluster.account is None:
            assert place == closed / "postgres"
        else:
            assert place.parent.parent == Path("/var/tmp")
            place.parent.rmdir()
        assert place_for(cluster.folder, cluster.account) == cluster.folder

    def test_comes_back_with_its_rows_after_kill_9(self, cluster: Cluster) -> None:
        cluster.start()
        with psycopg.connect(cluster.url("postgres")) as client:
            client.execute("CREATE TABLE kept AS SELECT 1 AS one")
        cluster.child.process.send_signal(signal.SIGKILL)
        cluster.start()
        with psycopg.connect(cluster.url("postgres")) as client:
            assert client.execute("SELECT one FROM kept").fetchone() == (1,)

    def test_takes_another_port_when_its_own_is_taken(self, cluster: Cluster) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", cluster.port))
            other.listen()
            taken = cluster.port
            cluster.start()
        assert cluster.port != taken
        psycopg.connect(cluster.url("postgres")).close()

    def test_lets_nobody_in_without_the_password_of_a_role(self, cluster: Cluster) -> None:
        cluster.start()
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
            ensure_role(admin, "owner", "of-owner")
            ensure_role(admin, "stranger", "of-stranger")
            assert ensure_database(admin, "house", "owner")
            assert not ensure_database(admin, "house", "owner")
        psycopg.connect(cluster.url("house", user="owner", password="of-owner")).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(cluster.url("house", user="owner", password="guessed"))
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(cluster.url("house", user="stranger", password="of-stranger"))


class TestValkey:
    def test_keeps_what_was_queued_through_kill_9(self, folder: DataFolder) -> None:
        broker = Valkey(folder.path / "valkey", log=folder.logs / "valkey.log", password="secret", port=free_port())
        try:
            broker.start()
            assert _ask(broker, "LPUSH queue task") == ":1"
            broker.child.process.send_signal(signal.SIGKILL)
            broker.child.process.wait()
            broker.start()
            assert _ask(broker, "LLEN queue") == ":1"
        finally:
            broker.stop()

    def test_lets_nobody_in_without_its_password(self, folder: DataFolder) -> None:
        broker = Valkey(folder.path / "valkey", log=folder.logs / "valkey.log", password="secret", port=free_port())
        try:
            broker.start()
            with socket.create_connection(("127.0.0.1", broker.port)) as conversation:
                conversation.sendall(b"LLEN queue\r\n")
                assert conversation.recv(100).startswith(b"-NOAUTH")
        finally:
            broker.stop()


def _ask(broker: Valkey, question: str) -> str:
    """Return the broker's one-line answer."""
    with socket.create_connection(("127.0.0.1", broker.port)) as conversation:
        conversation.sendall(f"AUTH secret\r\n{question}\r\n".encode())
        answer = conversation.makefile("r")
        assert answer.readline() == "+OK\n"
        return answer.readline().strip()
