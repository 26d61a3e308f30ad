"""Brings a database up to date in one process: what `./run.sh` does at every start."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from members.models import Member

EMPTY = "no member yet"


class Command(BaseCommand):
    help = "Migrate, grant the application's role its rights, and say whether there are members."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", help="The application's database role, where it is not the owner of the tables.")

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=options["verbosity"], interactive=False, stdout=self.stdout)
        if options["role"]:
            call_command("grant_roles", role=options["role"], stdout=self.stdout)
        self.stdout.write("there are members" if Member.objects.exists() else EMPTY)
