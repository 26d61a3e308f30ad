"""Money for plans: confirmed from outside or by staff, and paid back. Nobody is charged here.

A payment is known by its source and its number there, for ever: told again, it gives the first answer; told with other
contents, it is refused.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from loyalty import events
from loyalty.models import PlanMembership, PlanOrder, PlanPayment, PlanPeriod
from loyalty.periods import add_months, business_date, day_bounds
from loyalty.plan_queries import RUNNING, refund_figure
from loyalty.services.plan_refusals import (
    AmountDiffers,
    NoPlanRunning,
    NoSuchOrder,
    OrderIsPaid,
    OrderOvertaken,
    PaymentIsAnother,
    PaymentNumberMissing,
    PlanIsRunning,
    RefundChanged,
)
from loyalty.services.plans import Span, begin, give_periods, hold_member, order_plan, running_locked, stop
from members import timeline
from members.actors import Actor
from members.figures import money
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.queries import programme
from members.services.status import ReasonMissing
from members.timeline import NewEntry

#: Where payments come from that staff confirm. No till can take this name: names of tills have no dot.
STAFF: Final = "staff.plans"
#: What is settled by what was paid before.
NOTHING_DUE: Final = "nothing.due"


@dataclass(frozen=True, slots=True)
class PlanReceipt:
    """What a payment did: itself, the plan as it runs now, and whether it had been told before."""

    payment: PlanPayment
    membership: PlanMembership
    is_repeated: bool


def confirm_payment(
    *, order: UUID, source: str, external_ref: str, amount: Decimal, currency: str, paid_at: datetime, by: Actor, at: datetime,
    reason: str = "",
) -> PlanReceipt:  # fmt: skip
    """Confirm that an order of a plan was paid, and let the plan begin or go on. Return what it did.

    The same payment again changes nothing. One that comes after its order lapsed is taken while the order still fits.
    Raises `NoSuchOrder`, `PaymentIsAnother`, `OrderIsPaid`, `OrderOvertaken`, `AmountDiffers`, `PlanIsRunning`,
    `MembershipClosed`, `PaymentNumberMissing`.
    """
    if not external_ref:
        raise PaymentNumberMissing
    fingerprint = _fingerprint(order.hex, amount, currency)
    with transaction.atomic():
        found = PlanOrder.objects.filter(public_id=order).first()
        if found is None:
            raise NoSuchOrder
        known = _known(source, external_ref, fingerprint)
        if known is not None:
            return known
        member_id = hold_member(found.member_id)
        locked = (
            PlanOrder.objects.select_for_update(of=("self",), no_key=True).select_related("plan__tier").get(pk=found.pk)
        )
        known = _known(source, external_ref, fingerprint)  # whoever was faster held the order until it was told
        if known is not None:
            return known
        if locked.state == PlanOrder.State.PAID:
            raise OrderIsPaid
        if (amount, currency) != (locked.amount, locked.currency):
            raise AmountDiffers(expected=money(locked.amount, locked.currency), amount=money(amount, currency))
        membership, spans = _EFFECTS[PlanOrder.Kind(locked.kind)](locked, member_id, by, at)
        payment = _write(
            PlanPayment(
                kind=locked.kind, member_id=member_id, membership=membership, order=locked, amount=amount, currency=currency,
                source=source, external_ref=external_ref, fingerprint=fingerprint, reason=reason, paid_at=paid_at,
                actor_kind=by.kind, actor_id=by.id,
            )
        )  # fmt: skip
        give_periods(membership, spans, payment, by=by, at=at)
        PlanOrder.objects.filter(pk=locked.pk).update(state=PlanOrder.State.PAID)
        told = {
            "plan": locked.plan.code, "kind": locked.kind, "amount": str(amount), "currency": currency, "payment": payment.pk,
            "until": membership.valid_until.isoformat(),
        }  # fmt: skip
        timeline.record([NewEntry(events.PLAN_PAID, member_id, at, by, told)])
    return PlanReceipt(payment, membership, is_repeated=False)


def order_for_member(*, member_id: int, plan_code: str, renews_intended: bool, by: Actor, at: datetime) -> PlanOrder:
    """Order a plan and return what is to be paid; where that is nothing, it is done at once. Raises as `order_plan` does."""
    with transaction.atomic():
        order = order_plan(member_id=member_id, plan_code=plan_code, renews_intended=renews_intended, by=by, at=at)
        if not order.amount:
            confirm_payment(
                order=order.public_id, source=NOTHING_DUE, external_ref=order.public_id.hex, amount=order.amount,
                currency=order.currency, paid_at=at, by=by, at=at,
            )  # fmt: skip
            order.state = PlanOrder.State.PAID
    return order


def sell_plan(
    *, member_id: int, plan_code: str, receipt_no: str, renews_intended: bool, reason: str, by: Actor, at: datetime
) -> PlanReceipt:
    """Sell a plan over the counter: order it and confirm by staff that it was paid, with the number of the receipt.

    The same receipt for the same plan again changes nothing. Raises as `order_plan` and `confirm_payment` do, `ReasonMissing`,
    `WordsNamePerson`.
    """
    words, number = _words(reason, member_id), clean_name(receipt_no)
    refuse_personal_words(number, member_ids=[member_id])
    if not number:
        raise PaymentNumberMissing
    refuse_own_account(by, [member_id])
    with transaction.atomic():
        hold_member(member_id)
        earlier = PlanPayment.objects.filter(source=STAFF, external_ref=number).select_related("order__plan").first()
        if earlier is not None:
            if earlier.order is None or earlier.order.plan.code != plan_code or earlier.member_id != member_id:
                raise PaymentIsAnother(number=number)
            return PlanReceipt(earlier, earlier.membership, is_repeated=True)
        order = order_plan(member_id=member_id, plan_code=plan_code, renews_intended=renews_intended, by=by, at=at)
        return confirm_payment(
            order=order.public_id, source=STAFF, external_ref=number, amount=order.amount, currency=order.currency, paid_at=at,
            by=by, at=at, reason=words,
        )  # fmt: skip


def refund_plan(
    *, membership_id: int, receipt_no: str, shown_amount: Decimal, reason: str, by: Actor, at: datetime
) -> PlanReceipt:
    """End a plan now and note what is paid back: what is left of its price less the benefits used. Return the payment.

    `shown_amount` is what whoever decides has seen. Raises `NoPlanRunning`, `RefundChanged`, `PaymentIsAnother`, `ReasonMissing`,
    `PaymentNumberMissing`, `OwnAccount`, `WordsNamePerson`.
    """
    member_id = PlanMembership.objects.values_list("member_id", flat=True).filter(pk=membership_id).first()
    if member_id is None:
        raise NoPlanRunning
    words, number = _words(reason, member_id), clean_name(receipt_no)
    refuse_personal_words(number, member_ids=[member_id])
    if not number:
        raise PaymentNumberMissing
    refuse_own_account(by, [member_id])
    with transaction.atomic():
        hold_member(member_id, may_have_left=True)
        known = PlanPayment.objects.filter(source=STAFF, external_ref=number).first()
        if known is not None:
            if known.kind != PlanPayment.Kind.REFUND or known.membership_id != membership_id:
                raise PaymentIsAnother(number=number)
            return PlanReceipt(known, known.membership, is_repeated=True)
        membership = (
            PlanMembership.objects.select_for_update(of=("self",), no_key=True)
            .select_related("plan")
            .get(pk=membership_id)
        )
        if membership.state not in RUNNING or membership.valid_until <= at:
            raise NoPlanRunning
        figure = refund_figure(membership, at)
        if figure.amount != shown_amount:
            raise RefundChanged(
                amount=money(figure.amount, figure.currency), shown=money(shown_amount, figure.currency)
            )
        stop(membership, PlanMembership.State.REFUNDED, reason="refunded", words=words, by=by, at=at)
        left = figure.left
        payment = _write(
            PlanPayment(
                kind=PlanPayment.Kind.REFUND, member_id=membership.member_id, membership=membership, amount=figure.amount,
                currency=figure.currency, source=STAFF, external_ref=number, reason=words, paid_at=at, actor_kind=by.kind,
                fingerprint=_fingerprint(membership.public_id.hex, figure.amount, figure.currency), actor_id=by.id,
                figures={
                    "paid": str(left.paid), "used": str(left.used), "left": str(left.left), "days": left.days,
                    "days_left": left.days_left, "benefits_used": str(figure.benefits_used),
                },
            )
        )  # fmt: skip
        told = {
            "plan": membership.plan.code, "amount": str(figure.amount), "currency": figure.currency, "payment": payment.pk,
            "reason": words,
        }  # fmt: skip
        timeline.record([NewEntry(events.PLAN_REFUNDED, membership.member_id, at, by, told)])
    return PlanReceipt(payment, membership, is_repeated=False)


def _purchase(order: PlanOrder, member_id: int, by: Actor, at: datetime) -> tuple[PlanMembership, list[Span]]:
    """The first paid period begins now, or after the days of the trial that are left."""
    running = running_locked(member_id, at)
    if running is not None and running.state != PlanMembership.State.TRIAL:
        raise PlanIsRunning
    tz = programme().tz
    if running is not None and running.plan_id == order.plan_id:
        start = running.valid_until
        running.state = PlanMembership.State.ACTIVE
        running.renews_intended = order.renews_intended
        return _go_on(running, order, start)
    if running is not None:
        stop(running, PlanMembership.State.ENDED, reason="changed", by=by, at=at)
    first = business_date(at, tz)
    until = day_bounds(add_months(first, order.plan.period_months), tz)[0]
    made = PlanMembership(
        member_id=member_id, plan=order.plan, state=PlanMembership.State.ACTIVE, valid_from=at, valid_until=until,
        anchor_date=first, months_given=order.plan.period_months, renews_intended=order.renews_intended,
    )  # fmt: skip
    begin(made)
    return made, [Span(PlanPeriod.Kind.PAID, at, until, order.amount)]


def _renewal(order: PlanOrder, member_id: int, by: Actor, at: datetime) -> tuple[PlanMembership, list[Span]]:
    """Another period follows the last one; where that has ended meanwhile, the plan begins anew."""
    running = running_locked(member_id, at)
    if running is None:
        return _purchase(order, member_id, by, at)
    if running.pk != order.membership_id:
        raise OrderOvertaken
    running.renews_intended = order.renews_intended
    return _go_on(running, order, running.valid_until)


def _upgrade(order: PlanOrder, member_id: int, by: Actor, at: datetime) -> tuple[PlanMembership, list[Span]]:
    """The higher plan takes over for the days that are left, at the shares of the price that were ordered."""
    running = running_locked(member_id, at)
    tz = programme().tz
    days = [
        (date.fromisoformat(first), date.fromisoformat(until), Decimal(amount)) for first, until, amount in order.spans
    ]
    if running is None or running.pk != order.membership_id or business_date(running.valid_until, tz) != days[-1][1]:
        raise OrderOvertaken
    spans = [
        Span(PlanPeriod.Kind.PAID, max(at, day_bounds(first, tz)[0]), day_bounds(until, tz)[0], amount)
        for first, until, amount in days
    ]
    if any(span.valid_until <= span.valid_from for span in spans):
        raise OrderOvertaken
    stop(running, PlanMembership.State.UPGRADED, reason="upgraded", by=by, at=at)
    made = PlanMembership(
        member_id=member_id, plan=order.plan, state=PlanMembership.State.ACTIVE, valid_from=at, valid_until=running.valid_until,
        anchor_date=running.anchor_date, months_given=running.months_given, renews_intended=order.renews_intended,
    )  # fmt: skip
    begin(made)
    return made, spans


_EFFECTS: Final = {
    PlanOrder.Kind.PURCHASE: _purchase,
    PlanOrder.Kind.RENEWAL: _renewal,
    PlanOrder.Kind.UPGRADE: _upgrade,
}


def _go_on(running: PlanMembership, order: PlanOrder, start: datetime) -> tuple[PlanMembership, list[Span]]:
    """Let a locked plan go on for a period; counted from its first paid day, so that ends of months do not drift."""
    running.months_given += order.plan.period_months
    running.valid_until = day_bounds(add_months(running.anchor_date, running.months_given), programme().tz)[0]
    running.save(update_fields=["state", "renews_intended", "months_given", "valid_until"])
    return running, [Span(PlanPeriod.Kind.PAID, start, running.valid_until, order.amount)]


def _write(payment: PlanPayment) -> PlanPayment:
    """Write a payment and return it. Raises `PaymentIsAnother` where its number was told for something else at this moment."""
    PlanPayment.objects.bulk_create([payment], ignore_conflicts=True)
    written = PlanPayment.objects.filter(source=payment.source, external_ref=payment.external_ref).first()
    if (
        written is None
        or written.membership_id != payment.membership_id
        or bytes(written.fingerprint) != payment.fingerprint
    ):
        raise PaymentIsAnother(number=payment.external_ref)
    return written


def _known(source: str, external_ref: str, fingerprint: bytes) -> PlanReceipt | None:
    payment = PlanPayment.objects.filter(source=source, external_ref=external_ref).select_related("membership").first()
    if payment is None:
        return None
    if bytes(payment.fingerprint) != fingerprint:
        raise PaymentIsAnother(number=external_ref)
    return PlanReceipt(payment, payment.membership, is_repeated=True)


def _fingerprint(*parts: Any) -> bytes:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).digest()


def _words(reason: str, member_id: int) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words, member_ids=[member_id])
    return words
