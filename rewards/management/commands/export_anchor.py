"""Take the anchors of the ledger out of the database."""

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from members.actors import SYSTEM
from rewards.services.anchoring import export_anchors


class Command(BaseCommand):
    help = (
        "Write the daily anchors of the ledger, one to a line, to standard output or a file. Keep them where nobody who "
        "owns the database can change them: verify_ledger --anchor FILE holds the chain against them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", metavar="DAY", type=_day, help="Only anchors of this day (2026-11-22) and later."
        )
        parser.add_argument(
            "--output", metavar="FILE", help="The file to write; it must not exist. Without: standard output."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["output"] and Path(options["output"]).exists():
            raise CommandError(f"{options['output']} exists already; an anchor is never written over.")
        lines = export_anchors(since=options["since"], by=SYSTEM, at=timezone.now())
        if not lines:
            raise CommandError("There is no anchor yet: one is made each day once entries are sealed.")
        if options["output"]:
            with Path(options["output"]).open("x", encoding="utf-8") as target:
                target.write(lines)
        else:
            self.stdout.write(lines, ending="")


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)
