"""What each number means: label, unit and definition, for hover texts. Pure; the value is read from a DaySummary.

Common to all: a day is a business day of the programme's zone; the unit of analysis is the member; a return counts on
the day of the return.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from analytics.queries import DaySummary


class Unit(StrEnum):
    """What a number counts; tells a page how to write it."""

    MEMBERS = "members"
    ORDERS = "orders"
    MONEY = "money"
    POINTS = "points"
    VOUCHERS = "vouchers"
    TIMES = "times"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with its meaning. `value` gives it for a day; None where it is not defined."""

    key: str
    label: str | Promise
    unit: Unit
    definition: str | Promise
    value: Callable[[DaySummary], int | Decimal | None]


def _metric(key: str, label: str | Promise, unit: Unit, definition: str | Promise) -> Metric:
    return Metric(key, label, unit, definition, attrgetter(key))


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        _metric("members_joined", _("New members"), Unit.MEMBERS, _("Members who joined on this day.")),
        _metric(
            "members_active",
            _("Members who bought"),
            Unit.MEMBERS,
            _("Members with at least one purchase on this day; each counts once."),
        ),
        _metric(
            "member_orders",
            _("Orders of members"),
            Unit.ORDERS,
            _("Purchases with a member; those returned later stay counted."),
        ),
        _metric(
            "guest_orders",
            _("Orders of others"),
            Unit.ORDERS,
            _("Purchases without a member; those returned later stay counted."),
        ),
        _metric("orders", _("Orders"), Unit.ORDERS, _("All purchases of the day, of members and of others.")),
        _metric(
            "member_sales_amount",
            _("Sales to members"),
            Unit.MONEY,
            _("Purchases of members less what members returned on this day."),
        ),
        _metric(
            "guest_sales_amount",
            _("Sales to others"),
            Unit.MONEY,
            _("Purchases without a member less returns without a member on this day."),
        ),
        _metric("sales_amount", _("Sales"), Unit.MONEY, _("All purchases of the day less all returns of the day.")),
        _metric(
            "member_share",
            _("Members' share of sales"),
            Unit.SHARE,
            _("Sales to members divided by all sales, both net of returns. A dash where returns outweigh purchases."),
        ),
        _metric(
            "average_order_amount",
            _("Average order of members"),
            Unit.MONEY,
            _("Sales to members, net of returns, divided by the orders of members."),
        ),
        _metric(
            "points_issued",
            _("Points issued"),
            Unit.POINTS,
            _("Points that purchases and activities of this day earned, also those that are still pending."),
        ),
        _metric(
            "points_redeemed",
            _("Points redeemed"),
            Unit.POINTS,
            _(
                "Points that members gave for rewards and paid on orders on this day, less those that came back with returned goods."
            ),
        ),
        _metric(
            "points_expired", _("Points expired"), Unit.POINTS, _("Points that reached their end unused on this day.")
        ),
        _metric(
            "points_taken_back",
            _("Points taken back"),
            Unit.POINTS,
            _("Points that returns of this day took back, also those that became arrears."),
        ),
        _metric(
            "points_adjusted",
            _("Points adjusted"),
            Unit.POINTS,
            _("Points that staff gave less those they took back, that members donated or converted on this day."),
        ),
        _metric(
            "redemptions",
            _("Redemptions"),
            Unit.TIMES,
            _("How often members redeemed points for a reward on this day."),
        ),
        _metric(
            "vouchers_used",
            _("Vouchers used"),
            Unit.VOUCHERS,
            _("Vouchers used on this day, less those that came back on it: their use or their order was undone."),
        ),
        _metric(
            "tiers_raised",
            _("Upgrades"),
            Unit.MEMBERS,
            _("How often a member rose to a higher tier; a rise undone by a return stays counted."),
        ),
        _metric("tiers_lowered", _("Downgrades"), Unit.MEMBERS, _("How often a tier review lowered a member's tier.")),
    )
}

POINTS_OUTSTANDING = (
    _("Points outstanding"),
    _(
        "Points issued less those redeemed, expired and taken back, and adjusted, since the beginning: what members hold, pending included, less arrears."
    ),
)
