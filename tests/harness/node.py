"""Node, which runs the mini-program of the tests, and packages for it from the registry that npm knows here."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_LONGEST_SECONDS = 120
_INSTALL = ("install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


def has_node() -> bool:
    """Tell whether Node and npm are here."""
    return bool(shutil.which("node") and shutil.which("npm"))


def install(folder: Path, packages: Sequence[str]) -> None:
    """Install packages, each with its version, into a folder. Raises `AssertionError` with npm's words when it can not."""
    run(["npm", *_INSTALL, "--prefix", str(folder), *packages], folder)


def run(command: Sequence[str], folder: Path) -> None:
    """Run a command in a folder. Raises `AssertionError` with all it said unless it ends well."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def lines_of(command: Sequence[str], folder: Path, asked: Mapping[str, Callable[[], None]]) -> Iterator[dict[str, Any]]:
    """Run a program that prints lines of JSON; yield them.

    A line with `asks` is not yielded: what it names is done, and the program told to go on. Raises `AssertionError` with
    what it said unless it ends well, in two minutes.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as program:
        assert program.stdin
        assert program.stdout
        watch = threading.Timer(_LONGEST_SECONDS, program.kill)
        watch.start()
        try:
            for line in program.stdout:
                assert line.startswith("{"), line + program.stdout.read()
                told = json.loads(line)
                if "asks" not in told:
                    yield told
                    continue
                asked[told["asks"]]()
                print(file=program.stdin, flush=True)
            assert program.wait() == 0, f"ended with {program.returncode}"
        finally:
            watch.cancel()
            program.kill()
