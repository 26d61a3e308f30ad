"""Makes the figures of days anew."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from analytics.services.rebuild import rebuild_days


class Command(BaseCommand):
    help = (
        "Empty the figures of days and fold the whole timeline again, for instance after the programme's time zone changed. "
        "Pages show incomplete figures meanwhile. It may be repeated, and stopped: the ordinary relay goes on with it."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        folded = rebuild_days(at=timezone.now())
        self.stdout.write(f"{folded} timeline entries were folded into the figures of days")
