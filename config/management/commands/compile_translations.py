"""Compiles the translations that changed since they were last compiled."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.translations import compile_catalogues


class Command(BaseCommand):
    help = "Compile the translations that changed since they were last compiled."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        compiled = compile_catalogues(settings.LOCALE_PATHS)
        self.stdout.write(f"{len(compiled)} catalogues compiled")
