"""Lifts the lock-out of an operator, for when nobody can sign in to do it on the page."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from members.models import Operator
from members.services.sign_in_tries import lift_account, lift_places


class Command(BaseCommand):
    help = (
        "Let the operator of this user name try to sign in again at once, at every place and with the second step. Make "
        "sure who is asking: colleagues who can sign in do this on the operator's page, which keeps why."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="The name that the operator signs in with.")
        parser.add_argument(
            "--places", action="store_true", help="Lift the locks of all network addresses too, whoever failed there."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        operator = Operator.objects.filter(username=options["username"]).first()
        lifted = lift_account(name=options["username"], operator_id=operator.pk if operator else None)
        if operator is None:
            self.stderr.write(
                f"There is no operator {options['username']}; what was counted under the name is forgotten."
            )
        places = lift_places(at=timezone.now()) if options["places"] else 0
        self.stdout.write(f"{lifted} counts of the account forgotten, {places} addresses unlocked")
