"""The book of what the long proofs and benchmarks found: tests/proofs/RESULTS.md."""

import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1] / "proofs" / "RESULTS.md"

Figures = str | Mapping[str, object]


def append_result(name: str, figures: Figures, *, command: str, at: datetime, book: Path = BOOK) -> None:
    """Append one result to the book: its name, when, by which command, on what machine, and the figures.

    `figures` is a sentence, or names with values, which become a table.
    """
    if isinstance(figures, str):
        body = figures
    else:
        body = "\n".join(["| figure | value |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in figures.items())])
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    machine = f"{cores} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    with book.open("a", encoding="utf-8") as target:
        target.write(f"\n## {name}\n{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC · `{command}` · {machine}\n\n{body}\n")


def command_for(test_file: Path, arguments: list[str]) -> str:
    """Return the command that repeats a long test."""
    own = [argument for argument in arguments if argument != "--prove" and not argument.endswith(".py")]
    return " ".join(["./run.sh prove", test_file.stem.removeprefix("test_"), *map(shlex.quote, own)])
