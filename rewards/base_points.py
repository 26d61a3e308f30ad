"""What members earned before any multiplier of their tier: for previews of the ladder, which multiply it anew."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from loyalty.services.previews import register_base_points
from rewards.queries import currency_id

# Of each credit the lines that its tier multiplied, less the share of the credit that returns took back meanwhile. Lines
# stored before rules had versions were all multiplied.
_BASE: Final = """
    SELECT asked.member_id, sum(round(told.base * (1 - least(1, taken.points / told.points))))::bigint
    FROM unnest(%(members)s::bigint[]) AS asked (member_id)
    CROSS JOIN LATERAL unnest(members_family(asked.member_id)) AS one (id)
    JOIN rewards_pointsaccount a ON a.member_id = one.id AND a.currency_id = %(currency)s
    JOIN rewards_ledgerentry e ON e.account_id = a.id AND e.happened_at >= %(from_at)s AND e.happened_at < %(before_at)s
    JOIN rewards_ledgertransaction t ON t.id = e.transaction_id AND t.kind = 1
    CROSS JOIN LATERAL (
        SELECT sum((line ->> 2)::numeric) AS points, sum((line ->> 2)::numeric) FILTER (
            WHERE line ->> 0 IN ('base', 'extra', 'activity') AND coalesce(v.gets_tier_multiplier, line ->> 0 = 'base')
        ) AS base
        FROM jsonb_array_elements(t.trace -> 'lines') AS line
        LEFT JOIN rewards_earnruleversion v ON v.number = (line -> 4 ->> 'n')::int
            AND v.rule_id = CASE WHEN line -> 4 ->> 'n' IS NOT NULL THEN (line ->> 1)::bigint END
    ) told
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.d_debt - r.d_available - r.d_pending - r.d_held), 0)::numeric AS points
        FROM rewards_ledgertransaction b JOIN rewards_ledgerentry r ON r.transaction_id = b.id
        WHERE b.reverses_id = t.id AND b.kind IN (4, 15) AND b.happened_at < %(before_at)s
    ) taken
    WHERE told.points > 0 AND told.base > 0
    GROUP BY asked.member_id"""


def base_points_of(member_ids: Sequence[int], from_at: datetime, before_at: datetime) -> Mapping[int, int]:
    """Return how many points (in units of the currency's smallest) tiers multiplied for members in [from_at, before_at).

    Before the multiplication, in the programme's default currency, less what was returned until then; of who was merged
    into a member, too. Members who earned none are left out. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _BASE,
            {"members": list(member_ids), "currency": currency_id(), "from_at": from_at, "before_at": before_at},
        )
        return dict(cursor.fetchall())


def register() -> None:
    """Let previews of the ladder say what other multipliers cost."""
    register_base_points(base_points_of)
