"""Void an order: undo it as a whole on the day it was made, as if it had never been."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from loyalty.periods import business_date
from members import timeline
from members.actors import Actor
from members.identifiers import NotFound
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.queries import programme, survivor_id
from rewards import ledger
from rewards.events_till import order_voided
from rewards.models import OrderVoid, Purchase
from rewards.refusals import RewardsRefusal
from rewards.services.returns import Return, ReturnReceipt, receipt_of_return, record_return

_REASON_LENGTH: Final = 200


class VoidTooLate(RewardsRefusal):
    """The order is of another day."""

    code = "void_too_late"
    text = _("Order %(order_no)s is of another day. Please record a return instead.")


class OrderHasReturns(RewardsRefusal):
    """A part of the order came back before."""

    code = "order_has_returns"
    text = _("A part of order %(order_no)s came back before. Please return the rest instead.")


@dataclass(frozen=True, slots=True)
class VoidReceipt:
    """A void with the return that took everything back."""

    void: OrderVoid
    receipt: ReturnReceipt

    @property
    def already_recorded(self) -> bool:
        """Whether the order was voided before."""
        return self.receipt.already_recorded


def void_number(purchase: Purchase) -> str:
    """Return the number of the return that voids an order."""
    return f"void-{purchase.public_id.hex}"


@transaction.atomic
def void_order(*, purchase_id: int, by: Actor, at: datetime, reason: str = "") -> VoidReceipt:
    """Take back all that an order gave and give back all that paid it; told again, what was done is answered.

    Staff give a reason. Raises NotFound, VoidTooLate, OrderHasReturns, WordsNamePerson, OwnAccount; then nothing has changed.
    """
    known = _known(purchase_id)
    if known is not None:
        return known
    ledger.lock_purchases(purchase_ids=[purchase_id])
    purchase = Purchase.objects.filter(pk=purchase_id).first()
    if purchase is None:
        raise NotFound
    known = _known(purchase_id)  # while we waited
    if known is not None:
        return known
    zone = programme().tz
    if business_date(purchase.ordered_at, zone) != business_date(at, zone):
        raise VoidTooLate(order_no=purchase.external_order_no)
    if purchase.returns.exists():
        raise OrderHasReturns(order_no=purchase.external_order_no)
    if by.kind == "operator" and purchase.member_id is not None:
        refuse_own_account(by, [survivor_id(purchase.member_id)])
        refuse_personal_words(reason, member_ids=[purchase.member_id])
    # An order may be dated some minutes ahead; it does not come back before it was.
    receipt = record_return(ret=_return(purchase, max(at, purchase.ordered_at)), by=by, at=at)
    void = OrderVoid.objects.create(
        purchase=purchase, purchase_return_id=receipt.return_id, reason=" ".join(reason.split())[:_REASON_LENGTH],
        actor_kind=by.kind, actor_id=by.id, voided_at=max(at, purchase.ordered_at),
    )  # fmt: skip
    timeline.record([
        order_voided(
            purchase_id=purchase.pk, return_id=receipt.return_id, member_id=purchase.member_id, store_id=purchase.store_id,
            order_no=purchase.external_order_no, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return VoidReceipt(void, receipt)


def _known(purchase_id: int) -> VoidReceipt | None:
    found = OrderVoid.objects.select_related("purchase", "purchase_return__purchase").filter(pk=purchase_id).first()
    if found is None:
        return None
    return VoidReceipt(found, receipt_of_return(_return(found.purchase, found.voided_at), found.purchase_return))


def _return(purchase: Purchase, moment: datetime) -> Return:
    return Return(
        source=purchase.source,
        external_return_no=void_number(purchase),
        external_order_no=purchase.external_order_no,
        channel_id=purchase.channel_id,
        store_id=purchase.store_id,
        returned_at=moment,
    )
