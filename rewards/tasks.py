"""Background work of rewards: bounded, repeatable, safe beside itself. Schedules stand in the database."""

import logging

from celery import shared_task
from django.utils import timezone

from members.actors import SYSTEM
from rewards.services import expiry, verification, vouchers

logger = logging.getLogger(__name__)


@shared_task(name="rewards.expire_due_lots")
def expire_due_lots() -> None:
    """Points past their expiry are booked as expired."""
    run = expiry.expire_due_lots(at=timezone.now(), by=SYSTEM)
    if run.lots:
        logger.info("expired %s points in %s lots of %s members", run.points, run.lots, run.members)


@shared_task(name="rewards.release_pending_lots")
def release_pending_lots() -> None:
    """Pending points whose time has come are available."""
    expiry.release_pending_lots(at=timezone.now(), by=SYSTEM)


@shared_task(name="rewards.expire_due_vouchers")
def expire_due_vouchers() -> None:
    """Vouchers past their end are closed."""
    at = timezone.now()
    for _ in range(500):
        if not vouchers.expire_due_vouchers(at=at, by=SYSTEM):
            break


@shared_task(name="rewards.verify_ledger")
def verify_ledger() -> None:
    """The ledger's invariants hold, or the log says loudly which row breaks one."""
    for finding in verification.verify(at=timezone.now()):
        logger.error("verify_ledger: %s", finding)
