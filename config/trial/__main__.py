"""The Python side of `run.sh`, which has found a Python and made its environment."""

import argparse
import os
import sys
from pathlib import Path

from config.trial import commands
from config.trial.folder import DataFolder, TrialRefused
from config.trial.servers import PROJECT
from config.trial.supervisor import Supervisor, say


def main(arguments: list[str]) -> int:
    """Carry out one form of `run.sh` and return the exit status."""
    form, rest = arguments[0], arguments[1:]
    try:
        if form == "test":
            return commands.test(rest)
        if form == "prove":
            return commands.prove(rest)
        if form == "manage":
            return commands.manage(_data_folder(), rest, say=lambda sentence: print(sentence, file=sys.stderr))
        return _run(rest)
    except TrialRefused as refusal:
        print(f"run.sh: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run.sh", add_help=False)
    parser.add_argument("--reset", action="store_true")
    parser.add_argument("--members", type=_number_of_members, default=5000)
    options = parser.parse_args(arguments)
    folder = _data_folder()
    if options.reset:
        with folder.owned():
            folder.clear()
        say("The data folder is empty again.")
    port = _port(os.environ.get("PORT") or "8000")
    host = os.environ.get("HOST") or "127.0.0.1"
    return Supervisor(folder, host=host, port=port, members=options.members).run()


def _data_folder() -> DataFolder:
    return DataFolder(Path(os.environ.get("PERENNIAL_HOME") or PROJECT / ".perennial"))


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise TrialRefused(f"PORT is '{text}', which is no port number (1 to 65535).")
    return int(text)


def _number_of_members(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least one member")
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
