"""What rewards tells upward of points that were moved by hand. Ids and numbers only."""

from datetime import datetime
from typing import Any

from members.actors import Actor
from members.timeline import NewEntry
from rewards.events import of_currency

POINTS_ADJUSTED = "rewards.points_adjusted.v1"
POINTS_CORRECTED = "rewards.points_corrected.v1"
ARREARS_FORGIVEN = "rewards.arrears_forgiven.v1"
POINTS_SENT = "rewards.points_sent.v1"
POINTS_RECEIVED = "rewards.points_received.v1"
HOUSEHOLD_POINTS_GIVEN = "rewards.household_points_given.v1"
POINTS_DONATED = "rewards.points_donated.v1"
POINTS_CONVERTED = "rewards.points_converted.v1"
OPENING_POSTED = "rewards.opening_balance_posted.v1"


def points_adjusted(
    *,
    member_id: int,
    points: int,
    currency_id: int,
    reason_code: str,
    adjustment_id: int,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """Staff gave points, or took them (below 0)."""
    payload = {"points": points, "currency": currency_id, "reason_code": reason_code, "adjustment": adjustment_id}
    return NewEntry(POINTS_ADJUSTED, member_id, happened_at, by, payload, f"adjustment:{adjustment_id}")


def opening_posted(*, member_id: int, points: int, currency_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """A balance that a member brought along from another system was posted."""
    return NewEntry(OPENING_POSTED, member_id, happened_at, by, {"points": points, "currency": currency_id})


def points_corrected(
    *, member_id: int, points: int, currency_id: int, arrears: int, left: int, transaction_id: int | None, origin_id: int,
    happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """A wrong posting was taken back: `points` came (below 0: went), `arrears` of them are owed, `left` stayed spent."""
    payload = {
        "points": points, "currency": currency_id, "arrears": arrears, "left": left, "transaction": transaction_id, "origin": origin_id,
    }  # fmt: skip
    return NewEntry(POINTS_CORRECTED, member_id, happened_at, by, payload, f"ledger_transaction:{origin_id}")


def arrears_forgiven(*, member_id: int, points: int, currency_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """Arrears were written off."""
    return NewEntry(ARREARS_FORGIVEN, member_id, happened_at, by, {"points": points, "currency": currency_id})


def points_transferred(
    *, transfer_id: int, sender_id: int, receiver_id: int, points: int, happened_at: datetime, by: Actor,
    currency_id: int | None = None,
) -> list[NewEntry]:  # fmt: skip
    """Points went from one member to another: both are told."""
    subject, payload = f"transfer:{transfer_id}", {"points": points, "transfer": transfer_id} | of_currency(currency_id)
    return [
        NewEntry(POINTS_SENT, sender_id, happened_at, by, payload | {"receiver": receiver_id}, subject),
        NewEntry(POINTS_RECEIVED, receiver_id, happened_at, by, payload | {"sender": sender_id}, subject),
    ]


def household_points_given(
    *,
    redemption_id: int,
    reward_id: int,
    giver_id: int,
    receiver_id: int,
    points: int,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A member paid what another one of the household lacked for a reward: who gave is told."""
    payload = {"redemption": redemption_id, "reward": reward_id, "receiver": receiver_id, "points": points}
    return NewEntry(HOUSEHOLD_POINTS_GIVEN, giver_id, happened_at, by, payload, f"redemption:{redemption_id}")


def points_donated(
    *, donation_id: int, project_id: int, member_id: int, points: int, happened_at: datetime, by: Actor,
    currency_id: int | None = None,
) -> NewEntry:  # fmt: skip
    """A member gave points to a project."""
    payload = {"donation": donation_id, "project": project_id, "points": points} | of_currency(currency_id)
    return NewEntry(POINTS_DONATED, member_id, happened_at, by, payload, f"donation:{donation_id}")


def points_converted(
    *, conversion_id: int, partner_id: int, member_id: int, direction: str, points: int, units: int, state: str,
    happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """Points were exchanged with a partner, or what became of it (its state)."""
    payload: dict[str, Any] = {
        "conversion": conversion_id, "partner": partner_id, "direction": direction, "points": points, "units": units, "state": state,
    }  # fmt: skip
    return NewEntry(POINTS_CONVERTED, member_id, happened_at, by, payload, f"conversion:{conversion_id}")
