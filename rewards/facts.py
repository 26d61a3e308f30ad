"""What conditions may ask about a member's orders and points.

An order is kept as long as less has come back than was bought. Orders of nothing (0.00) do not count. Orders told of members
who were merged into another are that one's.
"""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from members.facts import Args, Fact, FactParam, register_fact
from members.figures import grouped

# Each kept order before the moment, with what is left of it after the returns until then.
_KEPT = """
    SELECT p.ordered_at, p.total_amount - r.returned_amount AS kept_amount
    FROM rewards_purchase p
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(b.total_amount), 0) AS returned_amount
        FROM rewards_purchasereturn b WHERE b.purchase_id = p.id AND b.returned_at < %(at)s
    ) r
    WHERE p.member_id = ANY (members_family(m.id)) AND p.ordered_at < %(at)s AND p.total_amount > r.returned_amount
"""
_KEPT_IN_DAYS = _KEPT + " AND p.ordered_at >= %(at)s - make_interval(days => %(days)s)"
# Points past their expiry are not spendable, also when they are not yet booked as expired.
_BALANCE = """
    coalesce(
        (
            SELECT a.available - (
                SELECT coalesce(sum(l.remaining), 0) FROM rewards_lot l
                WHERE l.account_id = a.id AND l.remaining > 0 AND l.state = 2 AND least(l.expires_at, a.deadline_at) <= %(at)s
            )
            FROM rewards_pointsaccount a
            JOIN rewards_pointscurrency c ON c.id = a.currency_id
            WHERE a.member_id = m.id AND c.code = 'points'
        ),
        0
    )::bigint
"""
# Orders and returns that come into view in a moment: a till's clock may be a little ahead.
_NEXT_ORDER = """
    SELECT least(
        (
            SELECT min(p.ordered_at) + interval '1 microsecond' FROM rewards_purchase p
            WHERE p.member_id = ANY (members_family(m.id)) AND p.ordered_at >= %(at)s
        ),
        (
            SELECT min(b.returned_at) + interval '1 microsecond' FROM rewards_purchasereturn b
            WHERE b.member_id = ANY (members_family(m.id)) AND b.returned_at >= %(at)s
        )
    )
"""
# And the oldest order within the days, which then falls out of them.
_NEXT_ORDER_IN_DAYS = f"""
    SELECT least(
        ({_NEXT_ORDER}),
        (
            SELECT min(p.ordered_at) + make_interval(days => %(days)s) + interval '1 microsecond' FROM rewards_purchase p
            WHERE p.member_id = ANY (members_family(m.id)) AND p.ordered_at >= %(at)s - make_interval(days => %(days)s)
        )
    )
"""  # noqa: S608 - constants of this module
_NEXT_EXPIRY = """
    SELECT min(least(l.expires_at, a.deadline_at))
    FROM rewards_pointsaccount a
    JOIN rewards_pointscurrency c ON c.id = a.currency_id
    JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0 AND l.state = 2
    WHERE a.member_id = m.id AND c.code = 'points' AND least(l.expires_at, a.deadline_at) > %(at)s
"""
_HERE = frozenset({"rewards"})


def _orders(number: int) -> str:
    return ngettext("%(number)s order", "%(number)s orders", number) % {"number": grouped(number)}


def _points(number: int) -> str:
    return ngettext("%(number)s point", "%(number)s points", number) % {"number": grouped(number)}


def _orders_in(args: Args) -> str:
    days = int(args["days"])
    return ngettext("orders in the last %(days)s day", "orders in the last %(days)s days", days) % {"days": days}


def _spend_in(args: Args) -> str:
    days = int(args["days"])
    return ngettext("spend in the last %(days)s day", "spend in the last %(days)s days", days) % {"days": days}


def register() -> None:
    """Register the facts of rewards. Called once, from `AppConfig.ready()`."""
    days = FactParam("days", _("in the last days"))
    for fact in (
        Fact(
            "rewards.orders",
            _("orders in the last days"),
            "count",
            f"SELECT count(*) FROM ({_KEPT_IN_DAYS}) k",  # noqa: S608 - a constant of this module
            unit=_("orders"),
            params=(days,),
            phrase=_orders_in,
            figure=_orders,
            changed_by=_HERE,
            next_change=_NEXT_ORDER_IN_DAYS,
        ),
        Fact(
            "rewards.spend",
            _("spend in the last days"),
            "money",
            f"SELECT coalesce(sum(k.kept_amount), 0) FROM ({_KEPT_IN_DAYS}) k",  # noqa: S608 - a constant of this module
            params=(days,),
            phrase=_spend_in,
            changed_by=_HERE,
            next_change=_NEXT_ORDER_IN_DAYS,
        ),
        Fact(
            "rewards.is_first_order",
            _("no order before"),
            "bool",
            f"NOT EXISTS ({_KEPT})",
            changed_by=_HERE,
            next_change=_NEXT_ORDER,
        ),
        Fact(
            "rewards.last_order_date",
            _("last order"),
            "date",
            f"SELECT (max(k.ordered_at) AT TIME ZONE %(zone)s)::date FROM ({_KEPT}) k",  # noqa: S608 - a constant of this module
            changed_by=_HERE,
            next_change=_NEXT_ORDER,
        ),
        Fact(
            "rewards.balance",
            _("points that can be spent"),
            "count",
            _BALANCE,
            unit=_("points"),
            figure=_points,
            changed_by=_HERE,
            next_change=_NEXT_EXPIRY,
        ),
    ):
        register_fact(fact)
