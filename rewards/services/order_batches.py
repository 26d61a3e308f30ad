"""Orders and returns that a server tells many at a time: recorded by a job, each as if it were told alone, and answered each.

One line is one chunk of the job: its effect, its answer and the place in the work commit together, so that a worker that
is killed doubles nothing, and a line is answered as it happened. Lock order of a line: as every purchase and return.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import jobs
from members.actors import Actor
from members.figures import grouped
from members.identifiers import PURCHASE, RETURN, NotFound, public_ref
from members.models import ApiKey, Job, JobErrorRow, JobFile
from members.refusals import Refusal
from members.services.jobs import JobFileGone
from members.services.key_bounds import act_for_store, count_against_ceiling, store_ids_of
from members.services.keys import KeyIsRevoked
from rewards.models import Purchase, PurchaseReturn
from rewards.queries import earnings_of, points_in_trace
from rewards.refusals import RewardsRefusal
from rewards.services.offline_batches import order_as_stored
from rewards.services.purchases import PurchaseReceipt, record_purchase_within
from rewards.services.returns import PurchaseNotFound, Return, ReturnItem, record_return
from rewards.services.till_holds import hold_of_till
from rewards.services.till_orders import QuotedOrder, confirm_order

KIND: Final = "rewards.tell_orders"
MOST_LINES: Final = 1_000
PERMISSION: Final = "rewards.view_purchase"
ORDER, RETURNED = "order", "return"

#: What became of a line; in the cursor of the job each stands by its letter.
ACCEPTED, KNOWN, CONFLICT, REFUSED = "accepted", "already_processed", "order_conflict", "refused"
OUTCOMES: Final = (ACCEPTED, KNOWN, CONFLICT, REFUSED)
_LETTERS: Final = {"a": ACCEPTED, "k": KNOWN, "c": CONFLICT, "r": REFUSED}
_LETTER_OF: Final = {outcome: letter for letter, outcome in _LETTERS.items()}
#: Where the code of a refusal is kept beside its figures.
_CODE: Final = "problem_code"
INVALID: Final = "validation_error"
_NOT_VALID: Final = gettext_lazy("Not valid: %(fields)s")


class StoreNotOfKey(RewardsRefusal):
    """A line names a store for which the key does not act."""

    code = "wrong_store"
    text = gettext_lazy("This key does not act for this store.")
    status = 403


@dataclass(frozen=True, slots=True)
class ToldLine:
    """An order or a return as a server tells it, as plain JSON values; without `said` its `fields` are not valid."""

    kind: str
    number: str
    said: Mapping[str, Any] | None = None
    fields: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a line: the points it earned (or took back), or the code of its refusal and the words for it."""

    kind: str
    position: int
    number: str
    outcome: str
    ref: str | None
    points: int
    code: str
    reason: str
    fields: list[str]


def tell_orders(*, key: ApiKey, lines: Sequence[ToldLine], at: datetime) -> Job:
    """Queue the job that records lines one after the other, in the caller's transaction; return it."""
    orders = sum(line.kind == ORDER for line in lines)
    content = json.dumps([asdict(line) for line in lines], ensure_ascii=False, separators=(",", ":"))
    return jobs.start_job(
        kind=KIND, title_params={"orders": orders, "returns": len(lines) - orders}, params={}, total=len(lines),
        by=Actor("device", key.pk), at=at, file=jobs.InputFile("orders.json", content.encode()),
    )  # fmt: skip


def run_batch(run: jobs.JobRun) -> None:
    """Record what is left of the lines, each in a transaction of its own."""
    lines = json.loads(run.input())
    while (place := run.cursor.get("next", 0)) < len(lines):
        with run.chunk() as at:
            outcome = _outcome_of(run, ToldLine(**lines[place]), place + 1, at)
            is_ok = outcome in (ACCEPTED, KNOWN)
            told = run.cursor.get("outcomes", "") + _LETTER_OF[outcome]
            run.advance(ok=int(is_ok), failed=int(not is_ok), cursor={"next": place + 1, "outcomes": told})


def answers_of(job: Job, *, at: datetime) -> list[Answered]:
    """Return what became of the lines of a job so far. Raises JobFileGone when they are no longer kept."""
    file = JobFile.objects.filter(job=job, role=JobFile.Role.INPUT).first()
    if file is None or (not job.is_active and job.files_expire_at <= at):
        raise JobFileGone(until=job.files_expire_at)
    outcomes = [_LETTERS[letter] for letter in job.cursor.get("outcomes", "")]
    lines = [ToldLine(**line) for line in json.loads(bytes(file.content))[: len(outcomes)]]
    source = ApiKey.objects.values_list("source", flat=True).get(pk=job.api_key_id or 0)
    found = _recorded(source, lines)
    refused = {row.number: row for row in JobErrorRow.objects.filter(job=job)}
    return [
        _answered(line, place, outcome, found.get((line.kind, line.number)), refused.get(place))
        for place, (line, outcome) in enumerate(zip(lines, outcomes, strict=True), 1)
    ]


def batch_of_key(public_id: UUID, *, key: ApiKey) -> Job:
    """Return a job that this key, or one whose place it took, asked for. Raises NotFound."""
    job = Job.objects.filter(public_id=public_id, kind=KIND, api_key__family=key.family).first()
    if job is None:
        raise NotFound
    return job


def _outcome_of(run: jobs.JobRun, line: ToldLine, number: int, at: datetime) -> str:
    """Record a line within the chunk; a refusal undoes the line alone and is kept with its code."""
    cells = {_("Order number") if line.kind == ORDER else _("Return number"): line.number}
    if line.said is None:
        run.error_row(cells, _NOT_VALID, number=number, fields=", ".join(line.fields), **{_CODE: INVALID})
        return REFUSED
    try:
        with transaction.atomic():
            key = ApiKey.objects.select_related("store").get(pk=run.job.api_key_id or 0)
            if key.revoked_at is not None:
                raise KeyIsRevoked
            if not act_for_store(key, code=line.said["store"]):
                raise StoreNotOfKey
            is_known = (_record if line.kind == ORDER else _give_back)(key, line, at)
    except Refusal as refusal:
        run.error_row(cells, refusal, number=number, **{_CODE: refusal.code})
        return CONFLICT if refusal.code == CONFLICT else REFUSED
    return KNOWN if is_known else ACCEPTED


def _record(key: ApiKey, line: ToldLine, at: datetime) -> bool:
    """Record an order as `POST /pos/orders` does; return whether it was known."""
    said, by = line.said or {}, Actor("device", key.pk)
    order = order_as_stored(said, key=key, store_id=key.store_id)
    receipt: PurchaseReceipt
    if said["quote"] or said["hold"]:
        hold = hold_of_till(UUID(said["hold"]), source=key.source, store_id=key.store_id) if said["hold"] else None
        quote = UUID(said["quote"]) if said["quote"] else None
        receipt = confirm_order(told=QuotedOrder(order, Decimal(said["shipping"]), quote, hold), by=by, at=at)
    else:
        receipt = record_purchase_within(order=order, by=by, at=at)
    if not receipt.already_recorded:
        count_against_ceiling(key, points=receipt.points_in_all, at=at)
    return receipt.already_recorded


def _give_back(key: ApiKey, line: ToldLine, at: datetime) -> bool:
    """Record a return as `POST /pos/orders/{no}/returns` does; return whether it was known. Raises PurchaseNotFound."""
    said = line.said or {}
    known = Purchase.objects.filter(source=key.source, external_order_no=said["order"])
    if not known.filter(store_id__in=store_ids_of(key)).exists():
        raise PurchaseNotFound(order_no=said["order"])
    ret = Return(
        source=key.source,
        external_return_no=line.number,
        external_order_no=said["order"],
        channel_id=key.channel_id,
        store_id=key.store_id,
        returned_at=datetime.fromisoformat(said["at"]),
        items=tuple(
            ReturnItem(line_no, Decimal(quantity), None if amount is None else Decimal(amount))
            for line_no, quantity, amount in said["lines"]
        ),
        amount=None if said["amount"] is None else Decimal(said["amount"]),
    )
    return record_return(ret=ret, by=Actor("device", key.pk), at=at).already_recorded


def _recorded(source: str, lines: Sequence[ToldLine]) -> dict[tuple[str, str], tuple[str, int]]:
    """Return by kind and number of what is recorded its public id and its points."""
    numbers = {kind: [line.number for line in lines if line.kind == kind] for kind in (ORDER, RETURNED)}
    orders = list(Purchase.objects.filter(source=source, external_order_no__in=numbers[ORDER]))
    earned = earnings_of(orders) if orders else {}
    found = {
        (ORDER, one.external_order_no): (
            public_ref(PURCHASE, one.public_id),
            points_in_trace(next(iter(earned.get(one.pk, ())), None)),
        )
        for one in orders
    }
    for ret in PurchaseReturn.objects.filter(source=source, external_return_no__in=numbers[RETURNED]):
        found[RETURNED, ret.external_return_no] = public_ref(RETURN, ret.public_id), ret.points
    return found


def _answered(
    line: ToldLine, place: int, outcome: str, found: tuple[str, int] | None, row: JobErrorRow | None
) -> Answered:
    ref, points = found if found and outcome in (ACCEPTED, KNOWN) else (None, 0)
    code = str(row.reason_params.get(_CODE, "")) if row else ""
    reason = jobs.words_of(row.reason, row.reason_params) if row else ""
    return Answered(line.kind, place, line.number, outcome, ref, points, code, reason, line.fields)


def _title(params: Mapping[str, Any]) -> str:
    figures = {"orders": grouped(params["orders"]), "returns": grouped(params["returns"])}
    return _("Orders of another system: %(orders)s, returns: %(returns)s") % figures


def register() -> None:
    """Make the work known to those who do it."""
    label = gettext_lazy("Orders and returns of another system")
    jobs.register_kind(jobs.JobKind(code=KIND, label=label, run=run_batch, title=_title, permission=PERMISSION))
