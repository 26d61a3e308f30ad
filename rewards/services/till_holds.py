"""Orders set aside by a till: points, vouchers and uses of benefits under one end. Past it, everything is given back.

Lock order: the row of the hold, member, points account, vouchers ascending, entitlements ascending.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from loyalty.services.entitlements import Use, undo_use, use_benefit
from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import Member
from members.personal_words import refuse_personal_words
from members.queries import survivor_id
from members.refusals import Refusal
from members.services.member_codes import spend_allowed
from members.services.phone_change import refuse_cooling
from rewards import ledger
from rewards.models import Hold, OrderHold
from rewards.refusals import RewardsRefusal
from rewards.services.holds import give_hold_back, hold_points
from rewards.services.orders import hold_active, hold_bearer
from rewards.services.till_terms import KeptQuote, QuoteDiffers, Terms, kept_quote
from rewards.services.voucher_holds import hold_vouchers, release_held_vouchers

logger = logging.getLogger(__name__)

#: The name under which a hold sets points and uses of benefits aside.
SOURCE: Final = "till_hold"
SHORTEST, LONGEST, USUAL = 2, 30, 10
_AT_ONCE: Final = 1_000


class NothingToHold(RewardsRefusal):
    """The quote is of a guest: nothing of it can be set aside."""

    code = "nothing_to_hold"
    text = _("This quote is for nobody in particular, so there is nothing to set aside.")
    status = 422


class SpendingNotShown(RewardsRefusal):
    """The member has not shown this till that they may spend: a number or a phone says only who they are."""

    code = "spending_not_shown"
    text = _(
        "To use points or vouchers the member shows their code or card, or reads out the code that is sent to them."
    )
    status = 403


class HoldConflict(RewardsRefusal):
    """The quote was set aside before, with other contents."""

    code = "order_conflict"
    text = _("This quote was set aside before with other contents.")


class HoldExpired(RewardsRefusal):
    """The hold is past its end, or was given back."""

    code = "hold_expired"
    text = _("What was set aside for this order was given back. Please ask for a new quote.")


class HoldCaptured(RewardsRefusal):
    """The order was recorded with it."""

    code = "hold_captured"
    text = _("The order for which this was set aside is recorded.")


@dataclass(frozen=True, slots=True)
class OrderHoldReceipt:
    """A hold as it stands; `already_recorded`: the quote was set aside before."""

    hold: OrderHold
    already_recorded: bool


@transaction.atomic
def hold_order(
    *, quote_ref: UUID, source: str, store_id: int | None, key_id: int | None, points: int | None,
    voucher_refs: Sequence[UUID] | None, minutes: int, by: Actor, at: datetime,
) -> OrderHoldReceipt:  # fmt: skip
    """Set aside what a quote uses, for so many minutes (2 to 30). A quote is held once: told again, the same hold is answered.

    `points` None: those that the quote applied; `voucher_refs` None: its vouchers, which is all that can be named.
    At a till (`key_id`) points and vouchers are set aside only for a member who has just shown there that they may spend.
    Raises NotFound, QuoteExpired, QuoteDiffers, NothingToHold, HoldConflict, SpendingNotShown, InsufficientPoints, CoolingDown,
    VoucherHeld and its kin, BenefitExhausted and its kin, MemberFrozen, MemberClosed. After a refusal nothing is set aside.
    """
    known = _known(quote_ref, source, store_id)
    told = _fingerprint(points, voucher_refs, minutes)
    if known is not None:
        return _repeat(known, told)
    quote = kept_quote(quote_ref, source=source, store_id=store_id, at=at)
    wanted = quote.points if points is None else points
    worth = quote.terms.worth(wanted)
    _check_vouchers(quote.terms, voucher_refs)
    if quote.member_id is None:
        raise NothingToHold
    hold_id = _insert(quote, told, key_id, minutes, by, at)
    if hold_id is None:
        return _repeat(cast(OrderHold, _known(quote_ref, source, store_id)), told)
    hold = OrderHold.objects.get(pk=hold_id)
    bearer = hold_bearer(quote.member_id)
    hold_active(bearer, Member.Act.SPEND)
    if wanted or quote.terms.voucher_ids:
        refuse_cooling(member_id=bearer, at=at)
        if key_id is not None:
            _refuse_unshown(bearer, key_id, at)
    ledger.lock_account(member_id=bearer)
    _release_due_of(quote.member_id, at)
    if wanted:
        held = hold_points(
            member_id=bearer, points=wanted, source=SOURCE, external_ref=str(hold.public_id), minutes=minutes, by=by, at=at,
            store_id=store_id,
        )  # fmt: skip
        hold.points, hold.points_amount, hold.points_hold_id = wanted, worth, held.hold_id
    if quote.terms.voucher_ids:
        hold_vouchers(
            member_id=bearer,
            voucher_ids=quote.terms.voucher_ids,
            ref=hold.public_id,
            until=hold.expires_at,
            by=by,
            at=at,
        )
    uses = _use_benefits(hold, quote.terms, bearer, by, at)
    hold.vouchers, hold.uses = len(quote.terms.voucher_ids), len(uses)
    hold.terms = {**quote.terms.stored(), "uses": uses}
    hold.save(update_fields=["points", "points_amount", "points_hold", "vouchers", "uses", "terms"])
    return OrderHoldReceipt(hold, False)


@transaction.atomic
def release_order_hold(*, hold_id: int, by: Actor, at: datetime, reason: str = "") -> OrderHold:
    """Give back what is set aside; told again, the hold is answered as it is. `reason` is asked of staff.

    Raises HoldCaptured when the order is recorded, NotFound, PersonalWords.
    """
    hold = lock_hold(hold_id)
    if hold.state == OrderHold.State.CAPTURED:
        raise HoldCaptured
    if by.kind == "operator":
        refuse_personal_words(reason, member_ids=[hold.member_id])
    if hold.state == OrderHold.State.OPEN:
        give_back(hold, expired=at >= hold.expires_at, by=by, at=at, reason=reason)
    return hold


def hold_of_till(public_id: UUID, *, source: str, store_id: int | None) -> OrderHold:
    """Return a hold of this till's store. Raises NotFound."""
    found = OrderHold.objects.filter(public_id=public_id, source=source).first()
    if found is None or found.store_id != store_id:
        raise NotFound
    return found


def lock_hold(hold_id: int) -> OrderHold:
    """Return a hold, locked until the end of the transaction. Raises NotFound."""
    found = OrderHold.objects.select_for_update(no_key=True, of=("self",)).filter(pk=hold_id).first()
    if found is None:
        raise NotFound
    return found


def release_due_order_holds(*, at: datetime, limit: int = _AT_ONCE) -> int:
    """Give back what is set aside past its end, each order by itself; return how many. One that fails holds nobody up."""
    due = OrderHold.objects.filter(state=OrderHold.State.OPEN, expires_at__lte=at).order_by("expires_at", "pk")
    done = 0
    for hold_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '10s'")
                hold = lock_hold(hold_id)
                if hold.state == OrderHold.State.OPEN:
                    give_back(hold, expired=True, by=SYSTEM, at=at)
                    done += 1
        except (DatabaseError, Refusal):
            if not connection.is_usable():  # the server is gone, not the hold wrong
                raise
            logger.exception("order hold %s could not be given back", hold_id)
    return done


def give_back(hold: OrderHold, *, expired: bool, by: Actor, at: datetime, reason: str = "") -> None:
    """Give back all of a locked, open hold in the caller's transaction, and close it."""
    ended_by = SYSTEM if expired else by
    points = Hold.objects.get(pk=hold.points_hold_id) if hold.points_hold_id is not None else None
    # Also without points: a new hold gives back what is due of the member, and then takes vouchers, under this lock.
    ledger.lock_accounts(member_ids=sorted({survivor_id(hold.member_id), *([points.member_id] if points else ())}))
    if points is not None:
        points.refresh_from_db(fields=["state"])
        if points.state == Hold.State.OPEN and expired:
            ledger.release_hold(hold_id=points.pk, expired=True, by=SYSTEM, at=at)  # told by the beat
        elif points.state == Hold.State.OPEN:
            give_hold_back(hold_id=points.pk, by=by, at=at, reason=reason)
    if hold.vouchers:
        release_held_vouchers(ref=hold.public_id, by=ended_by, at=at, reason=reason)
    for use_id, _entitlement in sorted(hold.terms.get("uses", ()), key=lambda use: use[1]):
        undo_use(use_id=use_id, reason=reason or "hold", by=ended_by, at=at)
    hold.state = OrderHold.State.EXPIRED if expired else OrderHold.State.RELEASED
    hold.closed_at, hold.closed_reason = at, reason
    hold.save(update_fields=["state", "closed_at", "closed_reason"])


def _refuse_unshown(member_id: int, key_id: int, at: datetime) -> None:
    if not spend_allowed(member_id=member_id, key_id=key_id, at=at):
        raise SpendingNotShown


def _release_due_of(member_id: int, at: datetime) -> None:
    """Give back a member's own holds that are past their end, before new ones are made. The account is locked."""
    due = OrderHold.objects.filter(member_id=member_id, state=OrderHold.State.OPEN, expires_at__lte=at).order_by("pk")
    for hold in due.select_for_update(no_key=True, skip_locked=True, of=("self",))[:20]:
        give_back(hold, expired=True, by=SYSTEM, at=at)


def _known(quote_ref: UUID, source: str, store_id: int | None) -> OrderHold | None:
    known = OrderHold.objects.filter(quote_ref=quote_ref).first()
    if known is not None and (known.source, known.store_id) != (source, store_id):
        raise NotFound
    return known


def _repeat(known: OrderHold, told: bytes) -> OrderHoldReceipt:
    if bytes(known.fingerprint) != told:
        raise HoldConflict
    return OrderHoldReceipt(known, True)


def _fingerprint(points: int | None, voucher_refs: Sequence[UUID] | None, minutes: int) -> bytes:
    vouchers = None if voucher_refs is None else sorted(ref.hex for ref in voucher_refs)
    return hashlib.sha256(f"{points}\x1f{vouchers}\x1f{minutes}".encode()).digest()


def _check_vouchers(terms: Terms, refs: Sequence[UUID] | None) -> None:
    """Raise QuoteDiffers unless exactly the vouchers of the quote are named."""
    quoted = {UUID(one.ref) for one in terms.deductions if one.voucher_id is not None}
    if refs is not None and set(refs) != quoted:
        raise QuoteDiffers


def _insert(quote: KeptQuote, told: bytes, key_id: int | None, minutes: int, by: Actor, at: datetime) -> int | None:
    """Insert the hold; None when its quote is held, after one in flight."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO rewards_orderhold
                (quote_ref, fingerprint, member_id, key_id, source, store_id, points, points_amount, vouchers, uses, terms, state,
                 external_order_no, created_at, expires_at, closed_reason, actor_kind, actor_id)
            VALUES (%s, %s, %s, %s, %s, %s, 0, 0, 0, 0, '{}', 'open', '', %s, %s, '', %s, %s)
            ON CONFLICT (quote_ref) DO NOTHING RETURNING id
            """,
            [
                quote.ref, told, quote.member_id, key_id, quote.source, quote.store_id, at, at + timedelta(minutes=minutes),
                by.kind, by.id,
            ],
        )  # fmt: skip
        found = cursor.fetchone()
    return found[0] if found else None


def _use_benefits(hold: OrderHold, terms: Terms, bearer: int, by: Actor, at: datetime) -> list[list[int]]:
    """Take the uses of counted benefits; return (use, entitlement) of each, entitlements ascending."""
    uses = []
    for one in sorted(terms.counted, key=lambda one: one.entitlement_id or 0):
        receipt = use_benefit(
            use=Use(bearer, SOURCE, f"{hold.public_id}:{one.ref}", benefit_code=one.ref, store_id=hold.store_id),
            by=by,
            at=at,
        )
        uses.append([receipt.use.pk, receipt.entitlement.pk])
    return uses
