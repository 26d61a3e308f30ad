"""Prove the ledger."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rewards.services.anchoring import Anchor, NotAnAnchor, read_anchors
from rewards.services.verification import CHECKS, verify


class Command(BaseCommand):
    help = (
        "Derive every balance, lot, hold, hash and block from history again; name each row that breaks an invariant; exit 1 "
        "if one does. Works in ranges beside a running shop. With --anchor the chain is held against anchors that were "
        "exported before, which also finds a chain that was rewritten as a whole."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=20, help="How many rows to name for each check (20).")
        parser.add_argument(
            "--check",
            action="append",
            default=[],
            metavar="NAME",
            help="Only this check; may be repeated. --list names them.",
        )
        parser.add_argument("--list", action="store_true", help="Name all checks and end.")
        parser.add_argument(
            "--anchor", action="append", default=[], metavar="FILE", help="A file of anchors that export_anchor wrote."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = [check.name for check in CHECKS]
        if options["list"]:
            self.stdout.write("\n".join(names))
            return
        unknown = sorted(set(options["check"]) - set(names))
        if unknown:
            raise CommandError(f"There is no check {', '.join(unknown)}. --list names all.")
        findings = 0
        for finding in verify(
            at=timezone.now(),
            limit=max(options["limit"], 1),
            checks=options["check"],
            anchors=_anchors_in(options["anchor"]),
            progress=self._say_progress if options["verbosity"] > 0 else None,
        ):
            findings += 1
            self.stdout.write(self.style.ERROR(str(finding)))
        if findings:
            raise CommandError(f"The ledger is not sound: {findings} finding(s) above.")
        self.stdout.write(
            self.style.SUCCESS(f"The ledger is sound: {len(options['check'] or names)} checks, no finding.")
        )

    def _say_progress(self, sweep: str, rows: int, seconds: float) -> None:
        counted = f"{rows:,} rows, " if rows else ""
        self.stdout.write(f"{sweep}: {counted}{seconds:.1f} s")


def _anchors_in(files: list[str]) -> list[Anchor]:
    """Return the anchors of these files. Raises CommandError where one can not be read or holds other lines."""
    anchors: list[Anchor] = []
    for name in files:
        try:
            anchors += read_anchors(Path(name).read_text(encoding="utf-8").splitlines())
        except NotAnAnchor as error:
            raise CommandError(f"{name} holds a line that is no anchor: {error}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{name} can not be read: {error}") from error
    return anchors
