"""What rewards tells upward: facts for the timeline. Ids and numbers only; money as decimal strings."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from members.actors import Actor
from members.timeline import NewEntry

RETURN_RECORDED = "rewards.return_recorded.v1"
POINTS_EXPIRING = "rewards.points_expiring.v1"


def of_currency(currency_id: int | None) -> dict[str, int]:
    """Return the part of a payload that names a points currency. None: the default one, which goes without saying."""
    return {} if currency_id is None else {"currency": currency_id}


def purchase_recorded(
    *, purchase_id: int, member_id: int | None, store_id: int | None, channel_id: int, amount: Decimal, points: int,
    pending: bool, credits: int, order_no: str, happened_at: datetime, by: Actor, quiet: bool = False,
) -> NewEntry:  # fmt: skip
    """A purchase was recorded, with what it earned (0 for people who are not members)."""
    payload = {
        "purchase": purchase_id, "store": store_id, "channel": channel_id, "amount": str(amount), "points": points,
        "pending": pending, "credits": credits, "order_no": order_no,
    }  # fmt: skip
    return _entry("rewards.purchase_recorded.v1", member_id, happened_at, by, payload, quiet, f"purchase:{purchase_id}")


def return_recorded(
    *, return_id: int, purchase_id: int | None, member_id: int | None, store_id: int | None, amount: Decimal, points: int,
    arrears: int, credits: int, return_no: str, happened_at: datetime, by: Actor, quiet: bool = False, points_back: int = 0,
) -> NewEntry:  # fmt: skip
    """Goods came back. `points` is how much less the member has in all; `arrears` the part of it that is owed.

    `points_back` are points that had paid the order and came back beside it.
    """
    payload = {
        "return": return_id, "purchase": purchase_id, "store": store_id, "amount": str(amount), "points": points,
        "arrears": arrears, "credits": credits, "return_no": return_no,
    }  # fmt: skip
    if points_back:
        payload["points_back"] = points_back
    return _entry(RETURN_RECORDED, member_id, happened_at, by, payload, quiet, f"return:{return_id}")


def points_expired(
    *, member_id: int, points: int, currency_id: int, lots: int, happened_at: datetime, by: Actor
) -> NewEntry:
    """Lots of a member expired."""
    return _entry(
        "rewards.points_expired.v1",
        member_id,
        happened_at,
        by,
        {"points": points, "currency": currency_id, "lots": lots},
    )


def points_expiring(
    *, member_id: int, warning_id: int, currency_id: int, points: int, expires_date: date, days: int,
    happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """Points of a member expire at the end of a day: to be told so many days ahead. `warning` is what a receipt names."""
    payload = {
        "points": points, "expires_on": expires_date.isoformat(), "days": days, "warning": warning_id, "currency": currency_id,
    }  # fmt: skip
    return _entry(POINTS_EXPIRING, member_id, happened_at, by, payload, subject=f"expiry_warning:{warning_id}")


def points_extended(
    *, member_id: int, points: int, currency_id: int | None = None, lots: int, last_date: date, unreached: bool,
    happened_at: datetime, by: Actor,
) -> NewEntry:  # fmt: skip
    """Points of a member live longer, through a day: staff extended them, or nobody could be reached by the warnings."""
    payload = {"points": points, "lots": lots, "until": last_date.isoformat()} | (
        {"unreached": True} if unreached else {}
    )
    return _entry("rewards.points_extended.v1", member_id, happened_at, by, payload | of_currency(currency_id))


def points_held(
    *, member_id: int, hold_id: int, points: int, until: datetime, happened_at: datetime, by: Actor,
    currency_id: int | None = None,
) -> NewEntry:  # fmt: skip
    """Points were set aside until a moment."""
    payload = {"hold": hold_id, "points": points, "until": until.isoformat()} | of_currency(currency_id)
    return _entry("rewards.points_held.v1", member_id, happened_at, by, payload, subject=f"hold:{hold_id}")


def points_spent(
    *, member_id: int, points: int, currency_id: int, order_no: str, happened_at: datetime, by: Actor
) -> NewEntry:
    """Points were spent on an order."""
    return _entry(
        "rewards.points_spent.v1",
        member_id,
        happened_at,
        by,
        {"points": points, "currency": currency_id, "order_no": order_no},
    )


def hold_given_back(
    *, member_id: int, hold_id: int, points: int, expired: bool, happened_at: datetime, by: Actor,
    currency_id: int | None = None,
) -> NewEntry:  # fmt: skip
    """Points that were set aside went back to the member; `expired`: because the hold had reached its end."""
    payload = {"hold": hold_id, "points": points, "expired": expired} | of_currency(currency_id)
    return _entry("rewards.hold_given_back.v1", member_id, happened_at, by, payload, subject=f"hold:{hold_id}")


def points_released(
    *, member_id: int, points: int, happened_at: datetime, by: Actor, currency_id: int | None = None
) -> NewEntry:
    """Pending points became available."""
    payload = {"points": points} | of_currency(currency_id)
    return _entry("rewards.points_released.v1", member_id, happened_at, by, payload)


def reward_redeemed(
    *,
    redemption_id: int,
    reward_id: int,
    voucher_id: int | None,
    member_id: int,
    points: int,
    happened_at: datetime,
    by: Actor,
    from_household: int = 0,
) -> NewEntry:
    """A member redeemed points for a reward; some of them may have come from others of the household."""
    payload = {"redemption": redemption_id, "reward": reward_id, "points": points}
    if voucher_id is not None:
        payload["voucher"] = voucher_id
    if from_household:
        payload["from_household"] = from_household
    return _entry(
        "rewards.reward_redeemed.v1", member_id, happened_at, by, payload, subject=f"redemption:{redemption_id}"
    )


def voucher_used(
    *,
    voucher_id: int,
    template_id: int,
    member_id: int,
    store_id: int | None,
    order_no: str,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A voucher was used at a till."""
    payload = {"voucher": voucher_id, "store": store_id, "order_no": order_no, "template": template_id}
    return _entry("rewards.voucher_used.v1", member_id, happened_at, by, payload, subject=f"voucher:{voucher_id}")


def voucher_expired(*, voucher_id: int, member_id: int, happened_at: datetime, by: Actor) -> NewEntry:
    """A voucher reached its end unused."""
    return _entry(
        "rewards.voucher_expired.v1",
        member_id,
        happened_at,
        by,
        {"voucher": voucher_id},
        subject=f"voucher:{voucher_id}",
    )


def activity_rewarded(
    *,
    member_id: int,
    activity_id: int | None,
    kind: str,
    points: int,
    currency_id: int,
    happened_at: datetime,
    by: Actor,
) -> NewEntry:
    """A behaviour (or, without an activity, a birthday) earned points of a currency."""
    payload = {"activity": activity_id, "kind": kind, "points": points, "currency": currency_id}
    subject = f"activity:{activity_id}" if activity_id is not None else ""
    return _entry("rewards.activity_rewarded.v1", member_id, happened_at, by, payload, subject=subject)


def activity_not_rewarded(
    *, member_id: int, activity_id: int, kind: str, code: str, happened_at: datetime, by: Actor
) -> NewEntry:
    """A behaviour for which there is a rule earned nothing; `code` says why."""
    payload = {"activity": activity_id, "kind": kind, "code": code}
    return _entry(
        "rewards.activity_not_rewarded.v1", member_id, happened_at, by, payload, subject=f"activity:{activity_id}"
    )


def month_locked(
    *, close_id: int, currency: str, month: str, points: int, amount: Decimal, reason: str, happened_at: datetime, by: Actor
) -> NewEntry:  # fmt: skip
    """A month of the points books was locked, with its closing balance (points) and the liability (money)."""
    payload = {
        "close": close_id,
        "currency": currency,
        "month": month,
        "points": points,
        "amount": str(amount),
        "reason": reason,
    }
    return _entry("rewards.month_locked.v1", None, happened_at, by, payload, subject=f"close:{currency}-{month}")


def earn_rule_changed(
    *, verb: str, rule_id: int, number: int, reason: str = "", happened_at: datetime, by: Actor
) -> NewEntry:
    """A version of an earn rule was published, ended or withdrawn (`verb`)."""
    payload = {"rule": rule_id, "version": number} | ({"reason": reason} if reason else {})
    return _entry(f"rewards.earn_rule_{verb}.v1", None, happened_at, by, payload, subject=f"earn_rule:{rule_id}")


def programme_cap_set(
    *, currency_id: int, day_points: int | None, month_points: int | None, reason: str = "", happened_at: datetime, by: Actor
) -> NewEntry:  # fmt: skip
    """The limit on what a member earns by all rules together was set, or taken away (both None)."""
    payload: dict[str, Any] = {"currency": currency_id, "day_points": day_points, "month_points": month_points}
    payload |= {"reason": reason} if reason else {}
    return _entry("rewards.programme_cap_set.v1", None, happened_at, by, payload, subject=f"currency:{currency_id}")


def _entry(
    kind: str,
    member_id: int | None,
    happened_at: datetime,
    by: Actor,
    payload: dict[str, Any],
    quiet: bool = False,
    subject: str = "",
) -> NewEntry:
    if quiet:
        payload["quiet"] = True
    return NewEntry(kind, member_id, happened_at, by, payload, subject)
