"""The Chromium of the system, which the browser tests drive."""

import os
import shutil

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No request leaves the machine, and no desktop is needed.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Return the path of a Chromium, `PERENNIAL_CHROMIUM` first; None when there is none."""
    named = os.environ.get("PERENNIAL_CHROMIUM")
    if named:
        return named if os.access(named, os.X_OK) else None
    return next((path for path in map(shutil.which, _PROGRAMS) if path), None)
