"""The data folder of a trial: its secrets, ports, logs and locks. Everything the trial writes lies in it."""

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

NOTES = "trial.json"
DEMO_PASSWORD = "demo-password"  # noqa: S105 - the name of a file
_OWN_FOLDERS = ("postgres", "valkey", "logs", "media")
_OWN_FILES = (DEMO_PASSWORD, NOTES)
_LOCKS = ("owner.lock", "guests.lock")
_SECRETS = (
    "secret_key",
    "code_secret",
    "anchor_key",
    "superuser_password",
    "owner_password",
    "app_password",
    "broker_password",
)


class TrialRefused(Exception):
    """The trial can not start, for a reason that its user can mend. The message is a whole sentence."""


class FolderInUse(TrialRefused):
    """Another process owns the data folder."""


class DataFolder:
    """One data folder (`PERENNIAL_HOME`), made at the first use.

    `notes` holds what must stay the same from start to start: secrets, ports, how far the set-up came. It is kept in
    `trial.json`, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._prepare()
        self.notes: dict[str, Any] = self._read_notes()

    def _prepare(self) -> None:
        try:
            if self.path.exists():
                foreign = {entry.name for entry in self.path.iterdir()} - {*_LOCKS, *_OWN_FOLDERS, *_OWN_FILES}
                if foreign and not (self.path / NOTES).exists():
                    raise TrialRefused(
                        f"{self.path} holds files that are not Perennial's. Set PERENNIAL_HOME to an empty folder."
                    )
            self.path.mkdir(parents=True, exist_ok=True)
            # As root, PostgreSQL runs as another account, which must be able to pass through.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self.logs.mkdir(exist_ok=True)
            self.logs.chmod(0o700)
        except PermissionError as error:
            raise TrialRefused(
                f"The data folder {self.path} can not be written ({error.strerror}). "
                "It may belong to another account; set PERENNIAL_HOME to a folder of your own."
            ) from error

    def _read_notes(self) -> dict[str, Any]:
        file = self.path / NOTES
        if not file.exists():
            return {}
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except PermissionError as error:
            raise TrialRefused(
                f"{file} belongs to another account; set PERENNIAL_HOME to a folder of yours."
            ) from error

    def reread(self) -> None:
        """Read the notes again: another process may have written them since."""
        self.notes = self._read_notes()

    def keep(self, **notes: object) -> None:
        """Write `notes` beside those already kept, so that a crash leaves the old file or the new one."""
        self._write_notes({**self._read_notes(), **notes})

    def _write_notes(self, notes: dict[str, Any]) -> None:
        self.notes = notes
        file = self.path / NOTES
        draft = file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            json.dump(self.notes, target, indent=1)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(file)

    def make_secrets(self) -> None:
        """Make the secrets that are still missing, and keep them."""
        missing = {name: secrets.token_hex(32) for name in _SECRETS if name not in self.notes}
        if missing:
            self.keep(**missing)

    def demo_password(self, chosen: str | None) -> str:
        """Return the password of the demo accounts: the chosen one, else the kept one, else a new one, which is kept."""
        file = self.path / DEMO_PASSWORD
        if chosen is None and file.exists():
            return file.read_text(encoding="utf-8").strip()
        password = chosen or "-".join(secrets.token_hex(2) for _ in range(4))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.write(password + "\n")
        return password

    def port(self, name: str) -> int:
        """Return the kept port of a server, or a new one when none is kept or somebody else has taken it."""
        kept = self.notes.get(f"{name}_port")
        if isinstance(kept, int) and port_is_free(kept):
            return kept
        port = free_port()
        self.keep(**{f"{name}_port": port})
        return port

    def clear(self) -> None:
        """Remove what the trial made here, and nothing else."""
        place = self.notes.get("postgres_place")
        for folder in (*(self.path / name for name in _OWN_FOLDERS), *([Path(place)] if place else [])):
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                raise TrialRefused(f"{folder} could not be removed. It may belong to another account.")
        (self.path / DEMO_PASSWORD).unlink(missing_ok=True)
        self._write_notes({})  # the empty notes still say that the folder is ours
        self._prepare()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the servers of this folder. Raises `FolderInUse` when another process does."""
        with self._open_lock("owner.lock") as owner:
            if not _try_lock(owner, fcntl.LOCK_EX):
                raise FolderInUse(
                    f"The data folder {self.path} is already in use by another start of Perennial. "
                    "Stop that one first, or set PERENNIAL_HOME and PORT for a second copy."
                )
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Use the servers of another process. They are not stopped under a guest, unless by Ctrl-C."""
        with self._open_lock("guests.lock") as guests:
            fcntl.flock(guests, fcntl.LOCK_SH)
            yield

    @contextmanager
    def without_guests(self) -> Iterator[None]:
        """Wait until the last guest has left, and let no new one in."""
        with self._open_lock("guests.lock") as guests:
            fcntl.flock(guests, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _open_lock(self, name: str) -> Iterator[IO[bytes]]:
        # The file stays: to remove it would let two processes lock two files of the same name.
        with (self.path / name).open("ab") as file:
            yield file


def _try_lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on `host`:`port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
