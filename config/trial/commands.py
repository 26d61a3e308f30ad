"""`./run.sh manage`, `test` and `prove`: other commands in the environment of the trial."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path

from config.trial.folder import DataFolder, FolderInUse, TrialRefused
from config.trial.processes import die_with_parent
from config.trial.servers import PROJECT, Say, Servers, announced_servers, running_servers

# These change tables or rights, so they run as the owner of the tables.
_OWNER_COMMANDS = frozenset({"migrate", "prepare_database", "grant_roles", "flush", "pgtrigger"})
_PATIENCE_SECONDS = 180.0
_LONG_TESTS = ("tests/proofs", "tests/benchmarks")
PROPERTIES = "properties"


def manage(folder: DataFolder, arguments: Sequence[str], *, say: Say) -> int:
    """Run `manage.py` with `arguments` and return its exit status.

    Uses the servers of a portal that runs on the same data folder; else it starts its own and stops them afterwards.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with ExitStack() as stack:
            try:
                stack.enter_context(folder.owned())
            except FolderInUse:
                status = _as_guest(folder, arguments)
                if status is not None:
                    return status
            else:
                return _as_owner(folder, arguments, stack, say)
        time.sleep(0.3)
    raise TrialRefused(f"Another start uses {folder.path} and has not become ready.")


def test(arguments: Sequence[str]) -> int:
    """Run the tests of the fast profile, in parallel unless the arguments choose otherwise; return the exit status."""
    chosen = any(argument.startswith(("-n", "--numprocesses", "--pdb", "--co")) for argument in arguments)
    narrow = any("::" in argument or argument.endswith(".py") for argument in arguments)
    parallel = () if chosen or narrow else ("-n", str(_cores()))
    return _pytest([*parallel, *arguments])


def prove(arguments: Sequence[str]) -> int:
    """Run the long proofs and benchmarks, or those whose names are given; return the exit status.

    Names come first, options of pytest after them. Raises `TrialRefused` for an unknown name, with the names there are.
    """
    known = _proofs()
    wanted = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    options = list(arguments[len(wanted) :])
    unknown = [name for name in wanted if name not in known and name != PROPERTIES]
    if unknown:
        raise TrialRefused(f"There is no proof '{unknown[0]}'. There are: {', '.join([*sorted(known), PROPERTIES])}.")
    status = 0
    files = [str(path) for name, path in sorted(known.items()) if not wanted or name in wanted]
    if files:
        status = _pytest(["--prove", *options, *files])
    if not wanted or PROPERTIES in wanted:
        # The property tests of the fast profile, with thousands of examples each.
        status = _pytest(["--hypothesis-profile=prove", "-m", "hypothesis", *options]) or status
    return status


def _proofs() -> dict[str, Path]:
    """Return the files of the long tests by the name that `prove` takes: the file's, without `test_`."""
    return {
        path.stem.removeprefix("test_"): path.relative_to(PROJECT)
        for folder in _LONG_TESTS
        for path in sorted((PROJECT / folder).glob("test_*.py"))
    }


def _pytest(arguments: Sequence[str]) -> int:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return _foreground([sys.executable, "-m", "pytest", *arguments], environment, cwd=PROJECT)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _as_guest(folder: DataFolder, arguments: Sequence[str]) -> int | None:
    with folder.shared():
        servers = announced_servers(folder)
        return None if servers is None else _run(folder, servers, arguments)


def _as_owner(folder: DataFolder, arguments: Sequence[str], stack: ExitStack, say: Say) -> int:
    servers = stack.enter_context(running_servers(folder, say=say))
    if servers.is_new_database and arguments[:1] != ["migrate"]:
        say("Making the tables …")
        status = _run(folder, servers, ["prepare_database", "--role", servers.application_role])
        if status != 0:
            return status
    servers.announce(folder)
    status = _run(folder, servers, arguments)
    with folder.without_guests():
        folder.keep(servers=None)
    return status


def _run(folder: DataFolder, servers: Servers, arguments: Sequence[str]) -> int:
    """Run one command in the foreground of the terminal; after a migration give the application its rights."""
    as_owner = bool(arguments) and arguments[0] in _OWNER_COMMANDS
    environment = servers.owner_environment(folder) if as_owner else servers.environment(folder)
    if as_owner:
        folder.keep(prepared_for="")  # the next start looks at the tables again
    status = _foreground([sys.executable, str(PROJECT / "manage.py"), *arguments], environment)
    if status == 0 and servers.application_role and arguments and arguments[0] == "migrate":
        return _run(folder, servers, ["grant_roles", "--role", servers.application_role])
    return status


def _foreground(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> int:
    """Run a command that owns the terminal: Ctrl-C goes to it, and we wait for what it makes of it.

    It runs in the present folder, where its file arguments are found, unless another is given.
    """
    end_with_parent = die_with_parent(signal.SIGTERM)

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        end_with_parent()

    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(command, cwd=cwd, env=environment, preexec_fn=prepare)  # noqa: S603, PLW1509 - no threads
    terminate = signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
