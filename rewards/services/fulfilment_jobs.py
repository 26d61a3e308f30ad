"""Many orders at once: few are done while one waits, more by a job; numbers of parcels from a file always by a job.

Each order is done or refused by itself. What somebody did meanwhile is not done again: the job says why for each.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from members import jobs
from members.actors import Actor
from members.figures import grouped
from members.models import Job
from members.personal_words import refuse_personal_words
from members.refusals import Refusal
from rewards.models import Redemption, RedemptionState
from rewards.order_numbers import order_no
from rewards.refusals import RewardsRefusal
from rewards.services.fulfilment import move_redemption, refund_out_of_stock
from rewards.services.redemption_steps import locked
from rewards.services.tracking_files import LABELS, Shipment

FULFIL: Final = "rewards.fulfil"
SHIP: Final = "rewards.ship"
PERMISSION: Final = "rewards.fulfil_redemption"
REFUND_PERMISSION: Final = "rewards.cancel_redemption"
#: So many orders are done while one waits; more are done by a job.
AT_ONCE: Final = 25
MOST: Final = 5_000
_CHUNK: Final = 50

PREPARE: Final = "prepare"
READY: Final = "ready"
REFUND: Final = "refund"


class NothingToDo(RewardsRefusal):
    """No order was chosen, or none that this can be done with."""

    code = "nothing_to_do"
    status = 422
    text = gettext_lazy("None of these orders can be changed like this.")


class TooManyOrders(RewardsRefusal):
    """More than one job does."""

    code = "too_many_orders"
    status = 422
    text = gettext_lazy("These are %(orders)s orders; at most %(most)s can be changed at once.")


class SentAsAnotherParcel(RewardsRefusal):
    """Somebody sent it off meanwhile."""

    code = "sent_as_another_parcel"
    text = gettext_lazy("This order is on its way already, as %(number)s.")


@dataclass(frozen=True, slots=True)
class ManyDone:
    """What became of several orders: how many were done, why others were not (order number, reason), or the job that does it."""

    done: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    job: Job | None = None


def act_on_many(*, act: str, redemption_ids: Sequence[int], by: Actor, at: datetime, reason: str = "") -> ManyDone:
    """Start preparing, make ready, or give the points back for several orders. Up to 25 at once, more by a job.

    Raises NothingToDo, TooManyOrders, WordsNamePerson. An order that can not be done is told, and the others are done.
    """
    ids = sorted(set(redemption_ids))
    if not ids:
        raise NothingToDo
    if len(ids) > MOST:
        raise TooManyOrders(orders=len(ids), most=MOST)
    refuse_personal_words(reason, member_ids=_members_of(ids) if reason.strip() else ())
    if len(ids) > AT_ONCE:
        params = {"act": act, "orders": len(ids)}
        job = jobs.start_job(
            kind=FULFIL, title_params=params, params={**params, "ids": ids, "reason": reason[:200]}, total=len(ids), by=by, at=at
        )  # fmt: skip
        return ManyDone(job=job)
    refused = []
    for redemption_id in ids:
        try:
            _ACTS[act](redemption_id, reason, by, at)
        except Refusal as refusal:
            refused.append((order_no(redemption_id), refusal.sentence()))
    return ManyDone(len(ids) - len(refused), tuple(refused))


def _members_of(redemption_ids: Sequence[int]) -> set[int]:
    return set(Redemption.objects.filter(pk__in=redemption_ids).values_list("member_id", flat=True))


def ship_many(*, shipments: Sequence[Shipment], by: Actor, at: datetime) -> Job:
    """Start the job that sends orders off with the numbers of their parcels. Raises NothingToDo, TooManyOrders."""
    if not shipments:
        raise NothingToDo
    if len(shipments) > MOST:
        raise TooManyOrders(orders=len(shipments), most=MOST)
    rows = [[row.number, row.redemption_id, row.carrier, row.tracking_no] for row in shipments]
    file = jobs.InputFile("parcels.json", json.dumps(rows, ensure_ascii=False).encode(), holds_personal_data=False)
    params = {"orders": len(rows)}
    return jobs.start_job(kind=SHIP, title_params=params, params=params, total=len(rows), by=by, at=at, file=file)


def run_acts(run: jobs.JobRun) -> None:
    """Do the orders of a job. Points are given back one order at a time, since each locks accounts and stock of its own."""
    ids, act = run.params["ids"], run.params["act"]
    step = 1 if act == REFUND else _CHUNK
    while (begin := run.cursor.get("row", 0)) < len(ids):
        with run.chunk() as at:
            some = ids[begin : begin + step]
            failed = 0
            for number, redemption_id in enumerate(some, begin + 1):
                try:
                    with transaction.atomic():
                        _ACTS[act](redemption_id, run.params["reason"], run.by, at)
                except Refusal as refusal:
                    failed += 1
                    run.error_row({"order": order_no(redemption_id)}, refusal, number=number)
            run.advance(ok=len(some) - failed, failed=failed, cursor={"row": begin + len(some)})


def run_shipments(run: jobs.JobRun) -> None:
    """Send the orders of a file off, some at a time."""
    rows = json.loads(run.input())
    while (begin := run.cursor.get("row", 0)) < len(rows):
        with run.chunk() as at:
            some = rows[begin : begin + _CHUNK]
            failed = 0
            for number, redemption_id, carrier, tracking_no in sorted(some, key=lambda row: row[1]):
                try:
                    with transaction.atomic():
                        _ship(redemption_id, carrier, tracking_no, run.by, at)
                except Refusal as refusal:
                    failed += 1
                    cells = dict(zip(LABELS, (order_no(redemption_id), carrier, tracking_no), strict=True))
                    run.error_row(cells, refusal, number=number)
            run.advance(ok=len(some) - failed, failed=failed, cursor={"row": begin + len(some)})


def _ship(redemption_id: int, carrier: str, tracking_no: str, by: Actor, at: datetime) -> None:
    """Send one order off, unless it went as another parcel since the file was looked at."""
    order, _bearer_id = locked(redemption_id)
    if order.state == RedemptionState.SHIPPED and order.tracking_no != tracking_no:
        raise SentAsAnotherParcel(number=order.tracking_no or "–")
    move_redemption(
        redemption_id=redemption_id,
        to_state=RedemptionState.SHIPPED,
        by=by,
        at=at,
        carrier=carrier,
        tracking_no=tracking_no,
    )


def _prepare(redemption_id: int, reason: str, by: Actor, at: datetime) -> None:
    move_redemption(redemption_id=redemption_id, to_state=RedemptionState.PREPARING, by=by, at=at)


def _make_ready(redemption_id: int, reason: str, by: Actor, at: datetime) -> None:
    move_redemption(redemption_id=redemption_id, to_state=RedemptionState.READY, by=by, at=at)


def _refund(redemption_id: int, reason: str, by: Actor, at: datetime) -> None:
    refund_out_of_stock(redemption_id=redemption_id, by=by, at=at, reason=reason)


_ACTS: Final[Mapping[str, Callable[[int, str, Actor, datetime], None]]] = {
    PREPARE: _prepare, READY: _make_ready, REFUND: _refund,
}  # fmt: skip
_TITLES: Final[Mapping[str, Any]] = {
    PREPARE: ngettext_lazy("Start preparing %(orders)s order", "Start preparing %(orders)s orders", "number"),
    READY: ngettext_lazy(
        "Make %(orders)s order ready for pick-up", "Make %(orders)s orders ready for pick-up", "number"
    ),
    REFUND: ngettext_lazy(
        "Give the points back for %(orders)s order, out of stock",
        "Give the points back for %(orders)s orders, out of stock",
        "number",
    ),
}


def title_of_acts(params: Mapping[str, Any]) -> str:
    """Return what a job does, in the active language."""
    words: str = _TITLES[params["act"]] % {"number": params["orders"], "orders": grouped(params["orders"])}
    return words


def _title_of_shipments(params: Mapping[str, Any]) -> str:
    words = ngettext(
        "Send %(orders)s order off with its tracking number",
        "Send %(orders)s orders off with their tracking numbers",
        params["orders"],
    )
    return words % {"orders": grouped(params["orders"])}


def register() -> None:
    """Make the jobs known to the workers."""
    label: str | Promise = gettext_lazy("Orders of rewards")
    jobs.register_kind(jobs.JobKind(code=FULFIL, label=label, run=run_acts, title=title_of_acts, permission=PERMISSION))
    jobs.register_kind(
        jobs.JobKind(code=SHIP, label=label, run=run_shipments, title=_title_of_shipments, permission=PERMISSION)
    )
