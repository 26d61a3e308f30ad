"""Prove the ledger."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from rewards.services.verification import CHECKS, verify


class Command(BaseCommand):
    help = "Derive every balance, lot and hash from history again; name each row that breaks an invariant; exit 1 if one does."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = 0
        for finding in verify(at=timezone.now()):
            findings += 1
            self.stdout.write(self.style.ERROR(str(finding)))
        if findings:
            raise CommandError(f"The ledger is not sound: {findings} finding(s) above.")
        self.stdout.write(self.style.SUCCESS(f"The ledger is sound: {len(CHECKS)} checks, no finding."))
