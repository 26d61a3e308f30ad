"""Makes the virtual environment that everything else runs in. Run as a file, by any fitting Python, before it exists.

    python -I config/trial/environment.py FOLDER

Only the standard library is at hand here.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LOCK = PROJECT / "requirements.lock"
BEGUN = "perennial-began"
COMPLETE = "perennial-complete"


class EnvironmentRefused(Exception):
    """The environment can not be made. The message is a whole sentence."""


def wanted_mark() -> str:
    """Return what a complete environment carries: the hash of the locked packages."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def is_complete(folder: Path) -> bool:
    """Say whether the environment holds what the lock asks for, and its Python still runs."""
    mark = folder / COMPLETE
    if not mark.exists() or mark.read_text(encoding="ascii") != wanted_mark():
        return False
    try:
        return subprocess.run([folder / "bin" / "python", "-c", ""], check=False).returncode == 0  # noqa: S603
    except OSError:  # the Python it was made from is gone
        return False


def is_foreign(folder: Path) -> bool:
    """Say whether somebody else made this environment: then it is used as it is, and never removed."""
    return (folder / "bin" / "python").exists() and not (folder / BEGUN).exists()


def make(folder: Path) -> None:
    """Make the environment anew. The mark of completeness is written last, so an interrupted making is made again."""
    if (folder / BEGUN).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise EnvironmentRefused(f"{folder} holds files that are not Perennial's. Move them, or set PERENNIAL_VENV.")
    (folder / BEGUN).touch()
    began = time.monotonic()
    version = ".".join(str(part) for part in sys.version_info[:3])
    print(f"Installing the packages into {folder} (Python {version}, about a minute) …", flush=True)
    # Not the environment's own Python, which has just been removed when the environment is made again.
    _do(
        [getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(folder)],
        "Python could not make a virtual environment",
    )
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "-r", str(LOCK)]
    install += ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    _do(install, "pip could not install requirements.lock")
    (folder / COMPLETE).write_text(wanted_mark(), encoding="ascii")
    print(f"Packages installed ({time.monotonic() - began:.0f} s).", flush=True)


def _do(command: list[str], complaint: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise EnvironmentRefused(f"{complaint}:\n{done.stdout[-4000:]}")


def main(folder: Path) -> int:
    """Make the environment unless it is complete; return the exit status."""
    if is_complete(folder) or is_foreign(folder):
        return 0
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Two starts at once make one environment: the second waits and finds it complete.
        with folder.with_name(folder.name + ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_complete(folder):
                make(folder)
    except OSError as error:
        print(f"run.sh: {error.filename}: {error.strerror}. Set PERENNIAL_VENV to a folder of yours.", file=sys.stderr)
        return 1
    except EnvironmentRefused as refusal:
        print(f"run.sh: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start makes the packages anew.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
