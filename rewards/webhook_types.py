"""What other systems may be told of points, vouchers and redemptions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from members.identifiers import PURCHASE, REDEMPTION, RETURN, REWARD, STORE, VOUCHER
from members.models import Store, TimelineEntry
from members.webhook_types import day, flag, number, ref, refs_of, register_event_type, text
from rewards import events_adjustments as by_hand
from rewards.events import POINTS_EXPIRING, RETURN_RECORDED
from rewards.events_redemptions import REDEMPTION_CANCELLED, REDEMPTION_REFUNDED, REDEMPTION_SHIPPED
from rewards.events_voucher_issuing import VOUCHER_GIVEN, VOUCHER_VOIDED
from rewards.events_vouchers import VOUCHER_ISSUED
from rewards.ledger import currency_id as default_currency_id
from rewards.models import (
    PartnerConversion,
    PointsCurrency,
    Purchase,
    PurchaseReturn,
    Redemption,
    Reward,
    Voucher,
)
from rewards.models.partners import Direction

Entries = Sequence[TimelineEntry]
Built = dict[int, dict[str, Any]]
PURCHASE_RECORDED = "rewards.purchase_recorded.v1"
ACTIVITY_REWARDED = "rewards.activity_rewarded.v1"
POINTS_SPENT = "rewards.points_spent.v1"
POINTS_EXPIRED = "rewards.points_expired.v1"
REWARD_REDEEMED = "rewards.reward_redeemed.v1"
VOUCHER_USED = "rewards.voucher_used.v1"
VOUCHER_EXPIRED = "rewards.voucher_expired.v1"

#: By which sort of fact points came or went, as events say it.
_SOURCES = {
    PURCHASE_RECORDED: "purchase",
    ACTIVITY_REWARDED: "activity",
    by_hand.POINTS_ADJUSTED: "adjustment",
    by_hand.POINTS_CORRECTED: "correction",
    by_hand.POINTS_RECEIVED: "transfer",
    by_hand.POINTS_SENT: "transfer",
    by_hand.OPENING_POSTED: "opening_balance",
    by_hand.POINTS_CONVERTED: "conversion",
    by_hand.POINTS_DONATED: "donation",
    by_hand.HOUSEHOLD_POINTS_GIVEN: "household",
    POINTS_SPENT: "purchase",
    REWARD_REDEEMED: "redemption",
    RETURN_RECORDED: "return",
}
_EARNED = (
    PURCHASE_RECORDED,
    ACTIVITY_REWARDED,
    by_hand.POINTS_ADJUSTED,
    by_hand.POINTS_RECEIVED,
    by_hand.OPENING_POSTED,
    by_hand.POINTS_CONVERTED,
)
_SPENT = (
    POINTS_SPENT,
    REWARD_REDEEMED,
    by_hand.POINTS_SENT,
    by_hand.POINTS_DONATED,
    by_hand.POINTS_CONVERTED,
    by_hand.HOUSEHOLD_POINTS_GIVEN,
)
#: When a conversion moves points: (direction, state).
_CAME_IN = (Direction.IN, PartnerConversion.State.CONFIRMED)
_WENT_OUT = (Direction.OUT, PartnerConversion.State.PENDING)
_REVERSED = (RETURN_RECORDED, by_hand.POINTS_CORRECTED, by_hand.POINTS_ADJUSTED)


def _earned(entry: TimelineEntry) -> int:
    """Return the points that came by an entry; 0 for none."""
    told = entry.payload
    if entry.kind == by_hand.POINTS_CONVERTED and (told["direction"], told["state"]) != _CAME_IN:
        return 0
    return int(told["points"])


def _spent(entry: TimelineEntry) -> int:
    """Return the points that the member gave for something; 0 for none."""
    told = entry.payload
    if entry.kind == by_hand.POINTS_CONVERTED and (told["direction"], told["state"]) != _WENT_OUT:
        return 0
    # What others of the household gave, their own entries say.
    return int(told["points"]) - int(told.get("from_household", 0))


def _reversed(entry: TimelineEntry) -> int:
    """Return the points that were taken back; 0 for none."""
    points = int(entry.payload["points"])
    return points if entry.kind == RETURN_RECORDED else -points


def _moved(points_of: Callable[[TimelineEntry], int]) -> Callable[[Entries], Built]:
    def build(entries: Entries) -> Built:
        moved = {entry.pk: points for entry in entries if (points := points_of(entry)) > 0}
        told = [entry for entry in entries if entry.pk in moved]
        codes = _currencies(told)
        orders = refs_of(Purchase, PURCHASE, (entry.payload.get("purchase") for entry in told))
        returns = refs_of(PurchaseReturn, RETURN, (entry.payload.get("return") for entry in told))
        return {
            entry.pk: {
                "points": moved[entry.pk],
                "points_currency": codes[entry.payload.get("currency")],
                "source": _SOURCES[entry.kind],
                "order_id": orders.get(entry.payload.get("purchase") or 0),
                "return_id": returns.get(entry.payload.get("return") or 0),
            }
            for entry in told
        }

    return build


def _currencies(entries: Entries) -> Mapping[int | None, str]:
    """Return the codes of the currencies that entries name; None stands for the default one."""
    if not entries:
        return {}
    codes: dict[int | None, str] = dict(PointsCurrency.objects.values_list("pk", "code"))
    return codes | {None: codes[default_currency_id()]}


def _expiring(entries: Entries) -> Built:
    codes = _currencies(entries)
    return {
        entry.pk: {
            "points": entry.payload["points"],
            "points_currency": codes[entry.payload.get("currency")],
            "expires_on": entry.payload["expires_on"],
        }
        for entry in entries
    }


def _expired(entries: Entries) -> Built:
    codes = _currencies(entries)
    return {
        entry.pk: {"points": entry.payload["points"], "points_currency": codes[entry.payload.get("currency")]}
        for entry in entries
    }


def _voucher_used(entries: Entries) -> Built:
    vouchers = refs_of(Voucher, VOUCHER, (entry.payload["voucher"] for entry in entries))
    stores = refs_of(Store, STORE, (entry.payload.get("store") for entry in entries))
    return {
        entry.pk: {
            "voucher_id": vouchers[entry.payload["voucher"]],
            "store_id": stores.get(entry.payload.get("store") or 0),
        }
        for entry in entries
    }


def _voucher(entries: Entries) -> Built:
    vouchers = refs_of(Voucher, VOUCHER, (entry.payload["voucher"] for entry in entries))
    return {entry.pk: {"voucher_id": vouchers[entry.payload["voucher"]]} for entry in entries}


def _voucher_issued(entries: Entries) -> Built:
    told = _voucher(entries)
    return {entry.pk: told[entry.pk] | {"origin": entry.payload["origin"]} for entry in entries}


def _redemption(entries: Entries) -> Built:
    redemptions = refs_of(Redemption, REDEMPTION, (entry.payload["redemption"] for entry in entries))
    rewards = refs_of(Reward, REWARD, (entry.payload["reward"] for entry in entries))
    return {
        entry.pk: {
            "redemption_id": redemptions[entry.payload["redemption"]],
            "reward_id": rewards[entry.payload["reward"]],
        }
        for entry in entries
    }


def _redeemed(entries: Entries) -> Built:
    told = _redemption(entries)
    return {entry.pk: told[entry.pk] | {"points": entry.payload["points"]} for entry in entries}


def _taken_back(entries: Entries) -> Built:
    told = _redemption(entries)
    return {
        entry.pk: told[entry.pk]
        | {"points": entry.payload.get("points", 0), "is_out_of_stock": entry.kind == REDEMPTION_REFUNDED}
        for entry in entries
    }


def register() -> None:
    """Register the types of this floor."""
    points = number("points", "How many points.", 120)
    currency = text("points_currency", "Code of the points currency.", "points")
    moved = [
        points,
        currency,
        text("source", "By what.", "purchase", choices=sorted(set(_SOURCES.values()))),
        ref("order_id", PURCHASE, "The purchase, where it is about one.", or_none=True),
        ref("return_id", RETURN, "The return, where it is about one.", or_none=True),
    ]
    register_event_type(
        "points.earned", kinds=_EARNED, label=_("points were earned"), parts=moved, build=_moved(_earned)
    )
    register_event_type("points.spent", kinds=_SPENT, label=_("points were spent"), parts=moved, build=_moved(_spent))
    register_event_type(
        "points.reversed", kinds=_REVERSED, label=_("points were taken back"), parts=moved, build=_moved(_reversed)
    )
    register_event_type(
        "points.expiring",
        kinds=[POINTS_EXPIRING],
        label=_("points will expire soon"),
        parts=[points, currency, day("expires_on", "Last day on which they are good.")],
        build=_expiring,
    )
    register_event_type(
        "points.expired", kinds=[POINTS_EXPIRED], label=_("points expired"), parts=[points, currency], build=_expired
    )
    voucher = ref("voucher_id", VOUCHER, "The voucher.")
    register_event_type(
        "voucher.issued",
        kinds=[VOUCHER_ISSUED],
        label=_("a member got a voucher"),
        parts=[voucher, text("origin", "By what.", "offer", choices=sorted(Voucher.Origin.values))],
        build=_voucher_issued,
    )
    register_event_type(
        "voucher.voided",
        kinds=[VOUCHER_VOIDED, VOUCHER_GIVEN],
        label=_("a voucher was made void, or passed on to a friend"),
        parts=[voucher],
        build=_voucher,
    )
    register_event_type(
        "voucher.used",
        kinds=[VOUCHER_USED],
        label=_("a voucher was used"),
        parts=[voucher, ref("store_id", STORE, "Where; null without a store.", or_none=True)],
        build=_voucher_used,
    )
    register_event_type(
        "voucher.expired", kinds=[VOUCHER_EXPIRED], label=_("a voucher expired"), parts=[voucher], build=_voucher
    )
    redemption = [ref("redemption_id", REDEMPTION, "The redemption."), ref("reward_id", REWARD, "What was redeemed.")]
    register_event_type(
        "redemption.created",
        kinds=[REWARD_REDEEMED],
        label=_("a reward was redeemed"),
        parts=[*redemption, points],
        build=_redeemed,
    )
    register_event_type(
        "redemption.shipped",
        kinds=[REDEMPTION_SHIPPED],
        label=_("a redeemed reward was sent off"),
        parts=redemption,
        build=_redemption,
    )
    register_event_type(
        "redemption.cancelled",
        kinds=[REDEMPTION_CANCELLED, REDEMPTION_REFUNDED],
        label=_("a redemption was cancelled"),
        parts=[
            *redemption,
            number("points", "How many points came back.", 120),
            flag(
                "is_out_of_stock", "Whether the programme took it back, because there was nothing left.", example=False
            ),
        ],
        build=_taken_back,
    )
