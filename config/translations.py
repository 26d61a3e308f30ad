"""Compiles the translations (.po to .mo) without GNU gettext."""

import os
from collections.abc import Iterable
from pathlib import Path

import polib

CATALOGUES = Path(__file__).resolve().parent / "locale"


def compile_catalogues(folders: Iterable[Path | str]) -> list[Path]:
    """Compile every catalogue under `folders` whose .mo is missing or older than its .po; return the .po files compiled.

    The .mo appears whole or not at all, so that several processes may do this at once.
    """
    compiled = []
    for folder in folders:
        for source in sorted(Path(folder).glob("*/LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            draft = target.with_name(f"{target.name}.{os.getpid()}")
            polib.pofile(str(source)).save_as_mofile(str(draft))
            draft.replace(target)
            compiled.append(source)
    return compiled
