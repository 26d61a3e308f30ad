"""From the timeline to the figures of days. Pure: a batch of entries becomes increments, whatever came before.

A day is the business date of `happened_at` in the programme's zone. Increments of batches add up: folding entries in
one batch or in many gives the same figures.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from loyalty.events import TIER_LOWERED, TIER_RAISED
from loyalty.periods import business_date
from rewards.events_vouchers import VOUCHER_GIVEN_BACK, VOUCHER_USE_UNDONE

Day = tuple[date, int | None]
"""A business date and a store; without one: online and unknown."""


class Entry(Protocol):
    """What is looked at in a timeline entry."""

    kind: str
    member_id: int | None
    happened_at: datetime
    payload: dict[str, Any]


@dataclass(slots=True)
class Increment:
    """How much entries add to the figures of one day and store. The names are those of DayFigures."""

    members_joined: int = 0
    members_active: int = 0
    member_orders: int = 0
    guest_orders: int = 0
    member_sales_amount: Decimal = Decimal(0)
    guest_sales_amount: Decimal = Decimal(0)
    points_issued: int = 0
    points_redeemed: int = 0
    points_expired: int = 0
    points_taken_back: int = 0
    points_adjusted: int = 0
    redemptions: int = 0
    vouchers_used: int = 0
    tiers_raised: int = 0
    tiers_lowered: int = 0


FIGURES = tuple(each.name for each in fields(Increment))


@dataclass(slots=True)
class Fold:
    """What a batch adds, by day and store, and the members who bought on a day with the store they were first seen in.

    Whether a buyer is new on that day is known only to the read model, so `members_active` stays 0 here.
    """

    default_currency: int = 0
    increments: dict[Day, Increment] = field(default_factory=dict)
    buyers: dict[tuple[date, int], int | None] = field(default_factory=dict)

    def of(self, day: date, store_id: int | None) -> Increment:
        """Return the increment of a day and store, made if need be."""
        return self.increments.setdefault((day, store_id), Increment())


def fold(entries: Iterable[Entry], zone: ZoneInfo, *, default_currency: int) -> Fold:
    """Return what entries, in reading order, add to the figures of their days. Points of other currencies are not counted."""
    result = Fold(default_currency)
    for entry in entries:
        _FOLDS[entry.kind](result, entry, business_date(entry.happened_at, zone))
    return result


def _enrolled(result: Fold, entry: Entry, day: date) -> None:
    result.of(day, entry.payload.get("store")).members_joined += 1


def _bought(result: Fold, entry: Entry, day: date) -> None:
    store_id = entry.payload.get("store")
    increment = result.of(day, store_id)
    amount = Decimal(entry.payload["amount"])
    if entry.member_id is None:
        increment.guest_orders += 1
        increment.guest_sales_amount += amount
        return
    increment.member_orders += 1
    increment.member_sales_amount += amount
    increment.points_issued += entry.payload["points"]
    result.buyers.setdefault((day, entry.member_id), store_id)


def _returned(result: Fold, entry: Entry, day: date) -> None:
    increment = result.of(day, entry.payload.get("store"))
    amount = Decimal(entry.payload["amount"])
    if entry.member_id is None:
        increment.guest_sales_amount -= amount
    else:
        increment.member_sales_amount -= amount
        increment.points_taken_back += entry.payload["points"]
        increment.points_redeemed -= entry.payload.get("points_back", 0)


def _spent(result: Fold, entry: Entry, day: date) -> None:
    if _is_default(result, entry):
        result.of(day, None).points_redeemed += entry.payload["points"]


def _rewarded(result: Fold, entry: Entry, day: date) -> None:
    if _is_default(result, entry):
        result.of(day, None).points_issued += entry.payload["points"]


def _adjusted(result: Fold, entry: Entry, day: date) -> None:
    if _is_default(result, entry):
        result.of(day, None).points_adjusted += entry.payload["points"]


def _given_away(result: Fold, entry: Entry, day: date) -> None:
    if _is_default(result, entry):
        result.of(day, None).points_adjusted -= entry.payload["points"]


def _converted(result: Fold, entry: Entry, day: date) -> None:
    """A conversion out takes the points when it is asked for, and gives them back when the partner rejects it."""
    told = entry.payload
    change = {("out", "pending"): -1, ("out", "rejected"): 1, ("in", "confirmed"): 1}.get(
        (told.get("direction", ""), told.get("state", "")), 0
    )
    if _is_default(result, entry):
        result.of(day, None).points_adjusted += change * told["points"]


def _is_default(result: Fold, entry: Entry) -> bool:
    """Whether the points are those of the default currency."""
    return entry.payload.get("currency", result.default_currency) == result.default_currency


def _expired(result: Fold, entry: Entry, day: date) -> None:
    if _is_default(result, entry):
        result.of(day, None).points_expired += entry.payload["points"]


def _redeemed(result: Fold, entry: Entry, day: date) -> None:
    increment = result.of(day, None)
    increment.redemptions += 1
    increment.points_redeemed += entry.payload["points"]


def _voucher_used(result: Fold, entry: Entry, day: date) -> None:
    result.of(day, entry.payload.get("store")).vouchers_used += 1


def _voucher_use_undone(result: Fold, entry: Entry, day: date) -> None:
    """A use that the till took back, or that came back with its order: counted off on that day, as returns are."""
    result.of(day, entry.payload.get("store")).vouchers_used -= 1


def _raised(result: Fold, entry: Entry, day: date) -> None:
    result.of(day, None).tiers_raised += 1


def _lowered(result: Fold, entry: Entry, day: date) -> None:
    result.of(day, None).tiers_lowered += 1


_FOLDS: Mapping[str, Callable[[Fold, Entry, date], None]] = {
    "members.enrolled.v1": _enrolled,
    "rewards.purchase_recorded.v1": _bought,
    "rewards.return_recorded.v1": _returned,
    "rewards.points_expired.v1": _expired,
    "rewards.points_spent.v1": _spent,
    "rewards.activity_rewarded.v1": _rewarded,
    "rewards.opening_balance_posted.v1": _rewarded,
    "rewards.points_adjusted.v1": _adjusted,
    "rewards.points_corrected.v1": _adjusted,
    "rewards.arrears_forgiven.v1": _adjusted,
    "rewards.points_donated.v1": _given_away,
    "rewards.points_converted.v1": _converted,
    "rewards.reward_redeemed.v1": _redeemed,
    "rewards.voucher_used.v1": _voucher_used,
    VOUCHER_USE_UNDONE: _voucher_use_undone,
    VOUCHER_GIVEN_BACK: _voucher_use_undone,
    TIER_RAISED: _raised,
    TIER_LOWERED: _lowered,
}
KINDS = tuple(_FOLDS)
