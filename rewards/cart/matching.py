"""Whether a voucher may be used in a cart by itself, and if not, the first thing in the way: a code with its figures."""

from datetime import datetime
from decimal import Decimal

from rewards.cart.values import NOTHING, Cart, CartLine, VoucherTerms
from rewards.earning.matching import holds_hour

EXPIRED = "expired"
HELD = "held"
NOT_YET_VALID = "not_yet_valid"
WRONG_STORE = "wrong_store"
WRONG_CHANNEL = "wrong_channel"
NOT_TODAY = "not_today"
NOT_THIS_HOUR = "not_this_hour"
NO_GOODS = "no_goods"
MIN_SPEND = "min_spend"
DAY_LIMIT = "day_limit"
NOT_COMBINED = "not_combined"
WORTH_LESS = "worth_less"
NOTHING_LEFT = "nothing_left"

Obstacle = tuple[str, dict[str, object]]


def counts(terms: VoucherTerms, line: CartLine) -> bool:
    """Whether a voucher is for the goods of a line."""
    if not line.is_discountable:
        return False
    if not terms.category_ids and not terms.skus:
        return True
    return line.sku in terms.skus or not set(terms.category_ids).isdisjoint(line.category_ids)


def obstacle(terms: VoucherTerms, cart: Cart, at: datetime) -> Obstacle | None:
    """Return what keeps a voucher from being used in a cart at a moment, or None."""
    return (
        untimely(terms, at)
        or elsewhere(terms, cart.store_id, cart.channel_id, cart.local)
        or too_little(terms, cart.lines)
    )


def untimely(terms: VoucherTerms, at: datetime) -> Obstacle | None:
    """Return whether its time has not come, is over, or another order holds it."""
    if terms.held_until is not None and at < terms.held_until:
        return HELD, {"until": terms.held_until.isoformat()}
    if terms.expires_at <= at:
        return EXPIRED, {"at": terms.expires_at.isoformat()}
    if at < terms.valid_from:
        return NOT_YET_VALID, {"from": terms.valid_from.isoformat()}
    if terms.left_today == 0:
        return DAY_LIMIT, {"limit": terms.day_limit}
    return None


def elsewhere(terms: VoucherTerms, store_id: int | None, channel_id: int | None, local: datetime) -> Obstacle | None:
    """Return what is in the way in where and when; `channel_id` None: nobody knows the channel, so it is not asked."""
    if terms.store_ids and store_id not in terms.store_ids:
        return WRONG_STORE, {"store_ids": list(terms.store_ids)}
    if terms.channel_ids and channel_id is not None and channel_id not in terms.channel_ids:
        return WRONG_CHANNEL, {"channel_ids": list(terms.channel_ids)}
    if terms.weekdays and local.weekday() not in terms.weekdays:
        return NOT_TODAY, {"weekdays": sorted(terms.weekdays)}
    hours_from, hours_to = terms.hours_from, terms.hours_to
    if hours_from is not None and hours_to is not None and not holds_hour((hours_from, hours_to), local.hour):
        return NOT_THIS_HOUR, {"from": hours_from, "to": hours_to}
    return None


def too_little(terms: VoucherTerms, lines: tuple[CartLine, ...]) -> Obstacle | None:
    """Return what is in the way in the goods: none that it is for, or too little spent on them."""
    counted = [line.amount for line in lines if counts(terms, line)]
    if not counted:
        return NO_GOODS, {}
    return below(terms, sum(counted, NOTHING))


def below(terms: VoucherTerms, spend_amount: Decimal) -> Obstacle | None:
    """Return by how much an amount misses the least spend, or None."""
    required = terms.min_spend_amount
    if spend_amount >= required:
        return None
    missing = required - spend_amount
    return MIN_SPEND, {"required": str(required), "missing": str(missing), "spend": str(spend_amount)}
