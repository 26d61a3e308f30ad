"""Fill an empty portal with the demo's business."""

import os
import secrets
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone
from tqdm import tqdm

from config.demo.staff import make_accounts, make_till_key
from config.demo.story import MONTHS, Story
from members import timeline
from members.actors import SYSTEM
from members.models import Member

MEMBERS_PER_SECOND = 68  # measured by ./run.sh prove demo on two cores (tests/proofs/RESULTS.md)


class Command(BaseCommand):
    help = (
        "Make a coffee-and-bakery chain with eighteen months of history, and one account for each role. Demo mode only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--members", type=int, default=5_000)
        parser.add_argument(
            "--accounts-only", action="store_true", help="set the passwords of the demo accounts and list them"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo data and demo accounts exist in demo mode only.")
        password = os.environ.get("PERENNIAL_DEMO_PASSWORD") or secrets.token_urlsafe(12)
        if options["accounts_only"]:
            accounts, key = make_accounts(password), make_till_key(at=timezone.now())
        else:
            accounts, key = self._tell(options["members"], password)
        for role, username in accounts:
            self.stdout.write(f"  {username:<12} {role}")
        if key:
            self.stdout.write(f"  till key     {key}")

    def _tell(self, members: int, password: str) -> tuple[list[tuple[str, str]], str]:
        """Tell the story; return the accounts of staff, and the till's key. Both act in it."""
        if Member.objects.exists():
            raise CommandError("There are members already; the demo is told to an empty portal only.")
        seconds = members / MEMBERS_PER_SECOND
        self.stdout.write(
            f"Telling {MONTHS} months of {members} members: about {max(1, round(seconds / 60))} min.", ending="\n"
        )
        self.stdout.flush()
        with connection.cursor() as cursor:
            # A demo that breaks off is told anew, so its commits need not wait for the disk.
            cursor.execute("SET synchronous_commit TO off")
        begun = time.monotonic()
        now = timezone.now()
        story = Story(members=members, now=now, by=SYSTEM)
        accounts, key = make_accounts(password), make_till_key(at=now)
        with tqdm(total=(now - story.start).days, desc="demo", unit=" days", disable=None) as bar:
            story.tell(bar.update)
        self.stdout.write("Counting the days for the home page …")
        while timeline.relay(at=timezone.now()):
            pass
        self.stdout.write(f"{story.joined} members, {story.orders} orders, told in {time.monotonic() - begun:.0f} s.")
        return accounts, key
