"""Orders of rewards on their way: prepared, sent or put aside, handed over; or cancelled, with the very points back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from loyalty.queries import tier_at
from members.actors import Actor
from members.figures import grouped
from members.identifiers import NotFound
from members.personal_words import refuse_personal_words
from members.services.status import ReasonMissing
from rewards import ledger
from rewards.explanation import in_active_language, register_note
from rewards.models import Redemption, RedemptionState, Reward
from rewards.policies import ledger_policy
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.digital_codes import void_given_code
from rewards.services.household_points import Share, give_shares_back, givers_of
from rewards.services.orders import hold_bearers
from rewards.services.redemption_steps import RedemptionStateConflict, locked, put_back, take_step
from rewards.services.secret_codes import lookup_key
from rewards.services.voucher_voiding import void_vouchers

SOURCE: Final = "redemption_back"
PICKUP_LOOKUP: Final = "pickup-lookup"
State = RedemptionState
#: From where to where staff move an order, by how it reaches the member. Handing over is `complete_pickup`.
_STEPS: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    Redemption.Delivery.POST: {
        State.PLACED: (State.PREPARING, State.SHIPPED),
        State.PREPARING: (State.SHIPPED,),
        State.SHIPPED: (State.DONE,),
    },
    Redemption.Delivery.STORE: {State.PLACED: (State.PREPARING, State.READY), State.PREPARING: (State.READY,)},
    Redemption.Delivery.NONE: {},
}
_UNDER_WAY: Final = (State.PLACED, State.PREPARING, State.READY)


class RedemptionNotCancellable(RewardsRefusal):
    """It is under way, handed over, used, or too old."""

    code = "not_cancellable"
    explains = True
    text = _("This order can not be cancelled any more.")


class PickupNotFound(RewardsRefusal):
    """No order that waits for its member has this code. One answer for every wrong code."""

    code = "pickup_not_found"
    status = 404
    explains = True
    text = _("No order waits under this pick-up code.")


class PickupElsewhere(RewardsRefusal):
    """It lies in another store."""

    code = "wrong_store"
    explains = True
    text = _("This order is not handed over in this store.")


class PickupNotReady(RewardsRefusal):
    """It is not put aside yet."""

    code = "pickup_not_ready"
    explains = True
    text = _("This order is not ready to be picked up yet.")


@transaction.atomic
def move_redemption(
    *, redemption_id: int, to_state: RedemptionState, by: Actor, at: datetime, tracking_no: str = "", carrier: str = "",
    reason: str = "",
) -> Redemption:  # fmt: skip
    """Move an order on: preparing, shipped (with its parcel), ready, done. Told again, or with the same parcel: nothing.

    A parcel that was sent may be given another number. Raises RedemptionStateConflict, NotFound.
    """
    redemption, _bearer_id = _found(redemption_id)
    parcel = (
        {"carrier": carrier.strip()[:40], "tracking_no": tracking_no.strip()[:60]} if to_state == State.SHIPPED else {}
    )
    if redemption.state == to_state:
        if parcel and any(value and getattr(redemption, name) != value for name, value in parcel.items()):
            take_step(redemption, to_state, by=by, at=at, reason=reason, columns=parcel)
        return redemption
    if to_state not in _STEPS[redemption.delivery].get(redemption.state, ()):
        raise RedemptionStateConflict(redemption)
    take_step(redemption, to_state, by=by, at=at, reason=reason, store_id=redemption.store_id, columns=parcel)
    return redemption


@transaction.atomic
def cancel_redemption(*, redemption_id: int, by: Actor, at: datetime, reason: str = "") -> Redemption:
    """Cancel an order before it is under way: the very points come back to who paid, the piece to the stock.

    A voucher is made void where it can still be used. A member may within the hours that the reward says, staff at any
    time. Cancelled twice is cancelled. Raises RedemptionNotCancellable, WordsNamePerson, NotFound.
    """
    redemption, bearer_id = _found(redemption_id)
    if redemption.state == State.CANCELLED:
        return redemption
    _check_words(redemption, bearer_id, by, reason)
    if not may_be_cancelled(redemption, by=by, at=at):
        raise RedemptionNotCancellable
    _give_back(redemption, bearer_id, State.CANCELLED, by, at, reason)
    return redemption


@transaction.atomic
def refund_out_of_stock(*, redemption_id: int, by: Actor, at: datetime, reason: str = "") -> Redemption:
    """Give the points back for what can not be delivered after all; the member is told. The piece is not put back.

    For what was sent, a reason is needed. Told again: nothing. Raises RedemptionStateConflict, ReasonMissing,
    WordsNamePerson, NotFound.
    """
    redemption, bearer_id = _found(redemption_id)
    if redemption.state == State.REFUNDED:
        return redemption
    if not may_be_refunded(redemption):
        raise RedemptionStateConflict(redemption)
    if redemption.state == State.SHIPPED and not reason.strip():
        raise ReasonMissing
    _check_words(redemption, bearer_id, by, reason)
    _give_back(redemption, bearer_id, State.REFUNDED, by, at, reason)
    return redemption


@transaction.atomic
def complete_pickup(*, code: str, store_id: int | None, by: Actor, at: datetime) -> tuple[Redemption, bool]:
    """Hand an order over in a store by its pick-up code; return it, and whether it had been handed over there before.

    Raises PickupNotFound, PickupElsewhere, PickupNotReady.
    """
    key = lookup_key(PICKUP_LOOKUP, code)
    redemption_id = Redemption.objects.filter(pickup_hmac=key).values_list("pk", flat=True).first()
    if redemption_id is None:
        raise PickupNotFound
    redemption, _bearer_id = locked(redemption_id)
    if redemption.state == State.DONE and redemption.events.filter(to_state=State.DONE, store=store_id).exists():
        return redemption, True
    if redemption.state in (State.DONE, State.CANCELLED, State.REFUNDED):
        raise PickupNotFound
    allowed = [redemption.store_id] if redemption.store_id else redemption.reward.store_ids
    if store_id is None or (allowed and store_id not in allowed):
        raise PickupElsewhere
    if redemption.state != State.READY:
        raise PickupNotReady
    take_step(redemption, State.DONE, by=by, at=at, store_id=store_id)
    return redemption, False


def may_be_cancelled(redemption: Redemption, *, by: Actor, at: datetime) -> bool:
    """Whether an order may be cancelled now, by a member or by staff. Its reward is loaded."""
    reward = redemption.reward
    if by.kind == "member" and at >= redemption.redeemed_at + timedelta(hours=reward.cancel_hours):
        return False
    if reward.event_at is not None and at >= reward.event_at:
        return False
    if redemption.state in _UNDER_WAY:
        return True
    if redemption.state != State.DONE or redemption.voucher is None:
        return False
    return redemption.voucher.state_at(at) == redemption.voucher.State.ISSUED


def may_be_refunded(redemption: Redemption) -> bool:
    """Whether the points of an order may be given back because it can not be delivered after all. Its reward is loaded.

    What was sent may be lost, or was marked so by mistake; a digital code that was given may not work.
    """
    if redemption.state == State.DONE:
        return redemption.reward.kind == Reward.Kind.DIGITAL
    return redemption.state in (*_UNDER_WAY, State.SHIPPED)


def _check_words(redemption: Redemption, bearer_id: int, by: Actor, reason: str) -> None:
    """Raise WordsNamePerson where staff name the member in a reason, which is kept for ever."""
    if by.kind == "operator":
        refuse_personal_words(reason, member_ids={redemption.member_id, bearer_id})


def _found(redemption_id: int) -> tuple[Redemption, int]:
    try:
        return locked(redemption_id)
    except Redemption.DoesNotExist:
        raise NotFound from None


def _give_back(
    redemption: Redemption, bearer_id: int, to_state: RedemptionState, by: Actor, at: datetime, reason: str
) -> None:
    """Give the points back to the lots they came from, and to the household what it gave. Accounts before all else."""
    paid = redemption.transaction
    if paid is None:
        raise RedemptionNotCancellable
    givers = _bearers_of(givers_of(paid))
    ledger.lock_accounts(member_ids=sorted({redemption.member_id, bearer_id, *(share.member_id for share in givers)}))
    posting = ledger.restore(
        origin_transaction_id=paid.pk, points=None, days_min=ledger_policy(paid.currency_id).restored_days_min, source=SOURCE,
        natural_key=str(redemption.pk), at=at, by=by, tier_code=tier_at(bearer_id, at).code,
        trace={
            "v": 2, "kind": "redemption_back", "points": redemption.price_points, "label": labels_of(redemption.reward, "name"),
        },
    )  # fmt: skip
    shared = give_shares_back(
        from_member_id=bearer_id, shares=givers, most=posting.d_available, redemption_id=redemption.pk, by=by, at=at,
        label=labels_of(redemption.reward, "name"),
    )  # fmt: skip
    if redemption.voucher_id is not None and not void_vouchers(
        voucher_ids=[redemption.voucher_id], by=by, at=at, reason=reason
    ):
        raise RedemptionNotCancellable  # used or held a moment ago
    void_given_code(redemption_id=redemption.pk, at=at)
    take_step(
        redemption, to_state, by=by, at=at, reason=reason, points=redemption.price_points, household=shared,
        columns={"refund_id": posting.transaction_id},
    )  # fmt: skip
    if to_state == State.CANCELLED:
        put_back(redemption, at)


def _bearers_of(givers: Sequence[Share]) -> list[Share]:
    """Return to whom the shares of those who gave belong now, one for each: who was merged with another giver gets both."""
    bearers = hold_bearers(share.member_id for share in givers) if givers else {}
    points: Counter[int] = Counter()
    for share in givers:
        points[bearers[share.member_id]] += share.points
    return [Share(bearer_id, together) for bearer_id, together in points.items()]


def _note(trace: dict[str, Any]) -> list[str]:
    figures = {"points": grouped(trace["points"]), "name": in_active_language(trace["label"])}
    return [
        _now("%(points)s points came back: the order of %(name)s was cancelled or could not be delivered.") % figures
    ]


def register() -> None:
    """Put the explanation of points that came back into words."""
    register_note("redemption_back", _note)
