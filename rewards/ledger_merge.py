"""The ledger's door for merges of members: points and arrears move from one to the other as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from rewards.ledger import compact
from rewards.refusals import RewardsRefusal


class PointsAreSetAside(RewardsRefusal):
    """Points lie in an open hold."""

    code = "points_are_set_aside"
    text = _("%(points)s points are set aside for an order; wait until that is paid or given back.")


@dataclass(frozen=True, slots=True)
class Moved:
    """What went from one member to the other in one currency: points that can be spent, pending ones, arrears."""

    transaction_id: int
    available: int
    pending: int
    debt: int


def lock_families(*, member_ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Lock all accounts of some members, in the order of all accounts; return (member, currency, account) of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, currency_id, id FROM rewards_pointsaccount WHERE member_id = ANY (%s) "
            "ORDER BY currency_id, id FOR NO KEY UPDATE",
            [list(member_ids)],
        )
        return cursor.fetchall()


def move(
    *, from_member_id: int, to_member_id: int, currency_id: int, owner_ids: Sequence[int] | None, debt: int | None, source: str,
    natural_key: str, at: datetime, by: Actor, reason: str, trace: dict[str, Any],
) -> Moved | None:  # fmt: skip
    """Move points of one currency, lot by lot with their expiry and origin, and arrears; None when there was nothing.

    `owner_ids`: only the lots that go with these members (None: all). `debt`: at most so much of the arrears (None: all).
    Raises PointsAreSetAside. A repeat moves nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT outcome, transaction_id, d_available, d_pending, d_debt FROM "
            "ledger_merge(%s, %s, %s::smallint, %s::bigint[], %s, %s, %s, %s, %s, %s, %s, %s::jsonb)",
            [
                from_member_id, to_member_id, currency_id, None if owner_ids is None else list(owner_ids), debt, source,
                natural_key, at, by.kind, by.id, reason, compact(trace),
            ],
        )  # fmt: skip
        outcome, transaction_id, available, pending, owed = cursor.fetchone()
    if outcome == "held":
        raise PointsAreSetAside(points=available)
    return Moved(transaction_id, available, pending, owed) if outcome == "posted" else None
