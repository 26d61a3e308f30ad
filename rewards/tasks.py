"""Background work of rewards: bounded, repeatable, safe beside itself. Schedules stand in the database."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from loyalty.periods import business_date
from members.actors import SYSTEM
from members.queries import programme
from rewards.services import (
    addresses,
    adjustment_files,
    anchoring,
    behaviours,
    caps,
    close,
    deadlines,
    expiry,
    expiry_warnings,
    extensions,
    flash_sales,
    holds,
    offline_batches,
    payers,
    privacy,
    sealing,
    till_holds,
    verification,
    voucher_gifts,
    voucher_holds,
    vouchers,
)

logger = logging.getLogger(__name__)

_DAY_COUNTERS_KEPT = timedelta(days=400)


@shared_task(name="rewards.expire_due_lots")
def expire_due_lots() -> None:
    """Points past their expiry are booked as expired."""
    run = expiry.expire_due_lots(at=timezone.now(), by=SYSTEM)
    if run.lots:
        logger.info("expired %s points in %s lots of %s members", run.points, run.lots, run.members)


@shared_task(name="rewards.warn_of_expiry")
def warn_of_expiry() -> None:
    """Members are to be told of points that expire soon."""
    run = expiry_warnings.warn_of_expiry(at=timezone.now(), by=SYSTEM)
    if run.warnings:
        logger.info("warned %s members of %s points in %s warnings", run.members, run.points, run.warnings)


@shared_task(name="rewards.extend_unreached")
def extend_unreached() -> None:
    """Points that end today live on where no warning could be delivered and the policy says so."""
    points = extensions.extend_unreached(at=timezone.now(), by=SYSTEM)
    if points:
        logger.info("extended %s points of members who could not be reached", points)


@shared_task(name="rewards.follow_expiry_policies")
def follow_expiry_policies() -> None:
    """Accounts have the inactivity deadlines that the policies in force give them."""
    changed = deadlines.follow_policies(at=timezone.now())
    if changed:
        logger.info("%s inactivity deadlines follow the policies", changed)


@shared_task(name="rewards.release_pending_lots")
def release_pending_lots() -> None:
    """Pending points whose time has come are available."""
    expiry.release_pending_lots(at=timezone.now(), by=SYSTEM)


@shared_task(name="rewards.rebalance_budgets")
def rebalance_budgets() -> None:
    """What is left of shared budgets lies evenly on their slices."""
    caps.rebalance_budgets(at=timezone.now())


@shared_task(name="rewards.forget_day_counters")
def forget_day_counters() -> None:
    """Counters of days long past, which no return can free any more, are gone."""
    before_date = business_date(timezone.now(), programme().tz) - _DAY_COUNTERS_KEPT
    for _ in range(1_000):
        if not caps.forget_day_counters(before_date=before_date):
            break


@shared_task(name="rewards.release_due_holds")
def release_due_holds() -> None:
    """Points set aside, and vouchers held for an order, past their end are the member's again; what flash sales left, the shelf's."""
    at = timezone.now()
    till_holds.release_due_order_holds(at=at)  # whole orders first, then what is left by itself
    holds.release_due_holds(at=at)
    for _ in range(50):
        if not voucher_holds.release_lapsed_vouchers(at=at, by=SYSTEM):
            break
    flash_sales.return_unsold(at=at)


@shared_task(name="rewards.work_off_batches")
def work_off_batches() -> None:
    """Batches of tills that broke off go on."""
    offline_batches.work_off_batches(at=timezone.now())


@shared_task(name="rewards.expire_due_vouchers")
def expire_due_vouchers() -> None:
    """Vouchers past their end are closed."""
    at = timezone.now()
    for _ in range(500):
        if not vouchers.expire_due_vouchers(at=at, by=SYSTEM):
            break


@shared_task(name="rewards.return_due_gifts")
def return_due_gifts() -> None:
    """Vouchers that no friend accepted in time are their owners' again."""
    at = timezone.now()
    for _ in range(50):
        if not voucher_gifts.return_due_gifts(at=at, by=SYSTEM):
            break


@shared_task(name="rewards.verify_ledger")
def verify_ledger() -> None:
    """The ledger's invariants hold, or the log says loudly which row breaks one."""
    found = verification.run_verification(by=SYSTEM, at=timezone.now())
    for finding in found.findings.order_by("id"):
        logger.error("verify_ledger: %s", finding)


@shared_task(name="rewards.seal_ledger")
def seal_ledger() -> None:
    """Committed entries stand in sealed blocks; an entry that waits too long is an error in the log."""
    at = timezone.now()
    sealing.seal_ledger(at=at)
    sealing.alarm_of_lag(at=at)


@shared_task(name="rewards.anchor_ledger")
def anchor_ledger() -> None:
    """The day's anchor is signed, and stands in the log too, which leaves the house by itself where logs are shipped."""
    at = timezone.now()
    sealing.seal_ledger(at=at)
    anchor = anchoring.anchor_ledger(at=at)
    if anchor is not None:
        logger.info("anchor of the ledger: %s", anchoring.as_line(anchor))


@shared_task(name="rewards.work_out_open_months")
def work_out_open_months() -> None:
    """The draft of the open month shows figures of this night."""
    close.refresh_drafts(at=timezone.now())


@shared_task(name="rewards.award_birthdays")
def award_birthdays() -> None:
    """Members whose birthday it is have what the rules promise for it."""
    rewarded = behaviours.award_birthdays(at=timezone.now(), by=SYSTEM)
    if rewarded:
        logger.info("rewarded %s birthdays", rewarded)


@shared_task(name="rewards.forget_batch_errors")
def forget_batch_errors() -> None:
    """What stood in bad rows of lists of adjustments is kept no longer than it was promised."""
    deleted = adjustment_files.forget_batch_errors(at=timezone.now())
    if deleted:
        logger.info("forgot %s bad rows of lists of adjustments", deleted)


@shared_task(name="rewards.forget_payers")
def forget_payers() -> None:
    """Who paid for orders is kept no longer than the rule that compares them needs."""
    at = timezone.now()
    for _ in range(1_000):
        if not payers.forget_payers(at=at):
            break


@shared_task(name="rewards.settle_erased")
def settle_erased() -> None:
    """What came in for persons who were erased meanwhile is given up."""
    settled = privacy.settle_erased(at=timezone.now())
    if settled:
        logger.info("settled %s members who were erased", settled)


@shared_task(name="rewards.forget_addresses")
def forget_addresses() -> None:
    """Where parcels went is kept no longer than questions about them come."""
    at = timezone.now()
    for _ in range(1_000):
        if not addresses.forget_addresses(at=at):
            break
