"""The ledger's door for members who pay for one another: what of their points ends first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# An account in arrears pays for nobody. What ends first is taken first, wherever it lies; within an account that is the
# order in which a posting eats lots.
_IN_ORDER = """
    WITH live AS (
        SELECT a.id AS account_id, a.member_id, l.id AS lot_id, l.remaining, l.expires_at,
            least(l.expires_at, a.deadline_at) AS ends_at
        FROM rewards_pointsaccount a JOIN rewards_lot l ON l.account_id = a.id
        WHERE a.member_id = ANY (%(members)s) AND a.currency_id = %(currency)s AND a.debt = 0
            AND l.remaining > 0 AND l.state = 2 AND (l.expires_at IS NULL OR l.expires_at > %(at)s)
            AND (a.deadline_at IS NULL OR a.deadline_at > %(at)s)
    ), in_order AS (
        SELECT account_id, member_id, remaining,
            sum(remaining) OVER (ORDER BY ends_at NULLS LAST, account_id, expires_at NULLS LAST, lot_id) - remaining AS before
        FROM live
    )"""


@dataclass(frozen=True, slots=True)
class Share:
    """So many points of one member."""

    member_id: int
    points: int


def spendable(*, member_ids: Sequence[int], currency_id: int, at: datetime) -> int:
    """Return what these members together could pay for somebody else now, in points: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_IN_ORDER} SELECT coalesce(sum(remaining), 0)::bigint FROM in_order",  # noqa: S608
            {"members": list(member_ids), "currency": currency_id, "at": at},
        )
        return int(cursor.fetchone()[0])


def ending_first(*, member_ids: Sequence[int], currency_id: int, points: int, at: datetime) -> list[Share]:
    """Return whose points make up so many, those that end first before others, by account; all there are where they are fewer.

    To be asked under the locks of the accounts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""{_IN_ORDER}
            SELECT member_id, sum(least(remaining, %(points)s - before))::bigint FROM in_order
            WHERE before < %(points)s GROUP BY account_id, member_id ORDER BY account_id""",  # noqa: S608
            {"members": list(member_ids), "currency": currency_id, "at": at, "points": points},
        )
        return [Share(*row) for row in cursor.fetchall()]
