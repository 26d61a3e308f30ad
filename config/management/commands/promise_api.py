"""Add what the API gives by now to what it promises."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.promises import PROMISED, broken, promises_of
from config.reference import published_schema


class Command(BaseCommand):
    help = "Write what the API gives, takes and needs by now into config/openapi.promises.txt. Refuses what breaks a promise: what was deprecated may go after its day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--break", action="store_true", dest="breaks", help="also when a promise is broken by it")

    def handle(self, *args: Any, **options: Any) -> None:
        now = promises_of(published_schema())
        before = PROMISED.read_text(encoding="utf-8").splitlines() if PROMISED.exists() else []
        faults = broken(before, now, on=timezone.now().date())
        if faults and not options["breaks"]:
            raise CommandError("\n".join(["This breaks what callers count on:", *faults]))
        PROMISED.write_text("\n".join([*now, ""]), encoding="utf-8")
        self.stdout.write(f"{len(now)} lines, {len(set(now) - set(before))} of them new.")
