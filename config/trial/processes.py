"""Child processes that end in order, and that never outlive their parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """An account of the operating system that a child runs as."""

    name: str
    uid: int
    gid: int


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def die_with_parent(signal_number: int, *, parent: int | None = None) -> Callable[[], None]:
    """Return a function for the child to call: the kernel then sends it `signal_number` when its parent dies.

    `parent` is the process that calls this, unless given. Only Linux knows this. Elsewhere nothing is arranged, and a
    kill -9 of the parent leaves the child running.
    """
    parent = parent or os.getpid()

    def arrange() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # the parent died before the arrangement was made
            os._exit(1)

    return arrange


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | str = "/",
    account: Account | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (the terminal's Ctrl-C does not reach it), its output going to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the callers' own commands
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509 - no threads run where this is called
            **as_account(account),
        )


def as_account(account: Account | None) -> _Identity:
    """Return the arguments that make `subprocess` run a child as `account`; none for the present account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


@dataclass
class Child:
    """A long-running child: how to end it, and where it wrote."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: int = signal.SIGTERM
    patience_seconds: float = 10.0

    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask the child to end, wait, and in the end kill what is left of its process group."""
        if self.is_running():
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout=self.patience_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._kill_group()

    def kill(self) -> None:
        self._kill_group()
        self.process.wait()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Nothing is left of the group (macOS says so with a refusal).
            return


def fresh_log(folder: Path, name: str) -> Path:
    """Return the path of a new log file; the log of the run before stays beside it as `NAME.log.old`."""
    log = folder / f"{name}.log"
    if log.exists():
        log.replace(folder / f"{name}.log.old")
    return log


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented for a message; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as source:
        source.seek(max(0, log.stat().st_size - 16_384))
        text = source.read().decode("utf-8", "replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
