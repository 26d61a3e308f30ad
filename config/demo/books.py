"""The finance side of the demo: months locked in order, entries sealed, a verification, warnings of what expires."""

from datetime import datetime, timedelta

from loyalty.periods import add_months, day_bounds
from members.actors import Actor
from members.queries import programme
from members.services.jobs import run_job
from rewards.models import PointsCurrency
from rewards.services.anchoring import anchor_keys, anchor_ledger, export_anchors
from rewards.services.close import lock_close, month_open, refresh_drafts
from rewards.services.expiry_warnings import warn_of_expiry
from rewards.services.sealing import seal_ledger
from rewards.services.verification_jobs import start_verification

#: Finance locks a month on the morning of its third day.
LOCKED_AFTER = timedelta(days=2, hours=10)
REASON = "月结核对无误"


def lock_past_months(*, begun: datetime, now: datetime, by: Actor) -> int:
    """Lock every month of every points currency that is over when a month begins; return how many.

    Nothing of the new month is recorded yet, so that nothing comes late.
    """
    locked = 0
    for currency in PointsCurrency.objects.order_by("pk"):
        month = month_open(currency_id=currency.pk, at=begun)
        while day_bounds(add_months(month, 1), programme().tz)[0] <= begun:
            lock_close(
                currency_id=currency.pk, month=month, by=by, at=min(begun + LOCKED_AFTER, now), reason=f"{month:%Y-%m} {REASON}"
            )  # fmt: skip
            month = add_months(month, 1)
            locked += 1
    return locked


def bring_up_to_date(*, now: datetime, finance: Actor, system: Actor) -> None:
    """Do what beat did last night: warn, seal, anchor, verify, work out the open months.

    The warnings are sent like all others, by the workers, once the timeline has been read: members without an e-mail
    address can not be reached.
    """
    warn_of_expiry(at=now, by=system)
    seal_ledger(at=now)
    if anchor_keys():
        anchor_ledger(at=now)
        export_anchors(since=None, by=finance, at=now)
    job = start_verification(by=finance, at=now)
    run_job(job_id=job.pk, worker="demo", clock=lambda: now)
    refresh_drafts(at=now)
