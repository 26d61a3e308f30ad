"""Many postings at once: facts into temporary tables by COPY, posted by one database function."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from members.actors import Actor
from members.copying import copy_rows
from rewards.ledger import Kind, NewLot, compact, currency_id


@dataclass(frozen=True, slots=True)
class BatchFact:
    """One fact for `post_batch`: lots earned, or `points` taken back after a return (`origin` names the purchase)."""

    kind: Literal["earn", "return"]
    member_id: int
    source: str
    natural_key: str
    happened_at: datetime
    trace: dict[str, Any]
    lots: tuple[NewLot, ...] = ()
    points: int = 0
    origin: tuple[str, str] | None = None
    from_others: bool = True
    debt_limit: int | None = None
    currency_id: int | None = None
    store_id: int | None = None
    tier_code: str = ""
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What `post_batch` did for one fact, as in Posting."""

    repeated: bool
    d_available: int
    d_pending: int
    d_debt: int
    forgiven: int
    given_up: int
    expired: int


_BATCH_TABLES = """
    CREATE TEMP TABLE IF NOT EXISTS ledger_batch (
        ord int, kind smallint, member_id bigint, currency_id smallint, points bigint, source text, natural_key text,
        happened_at timestamptz, origin_source text, origin_key text, from_others boolean, debt_limit bigint,
        deadline_at timestamptz, actor_kind text, actor_id bigint, reason text, store_id bigint, tier_code text, trace jsonb
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS ledger_batch_lot (
        ord int, n int, points bigint, origin smallint, available_at timestamptz, expires_at timestamptz
    ) ON COMMIT DELETE ROWS;
    TRUNCATE ledger_batch, ledger_batch_lot;
"""


def post_batch(facts: Sequence[BatchFact], *, by: Actor) -> list[BatchResult]:
    """Post many facts, in the order given within each member, set-based where that is possible; return their results in order.

    Same results as posting each one; the test tests/rewards/test_bulk.py holds the two equal.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BATCH_TABLES)
        default = currency_id()  # before the COPY, during which the connection can ask nothing
        rows = (_batch_row(place, fact, fact.currency_id or default, by) for place, fact in enumerate(facts))
        if not copy_rows("ledger_batch", rows):
            return []
        copy_rows("ledger_batch_lot", _batch_lots(facts))
        cursor.execute("ANALYZE ledger_batch, ledger_batch_lot")
        cursor.execute(
            "SELECT outcome, d_available, d_pending, d_debt, forgiven, given_up, expired FROM ledger_post_batch() ORDER BY ord"
        )
        return [BatchResult(outcome == "repeated", *figures) for outcome, *figures in cursor.fetchall()]


def _batch_row(place: int, fact: BatchFact, currency: int, by: Actor) -> tuple[Any, ...]:
    return (
        place, Kind.EARN.value if fact.kind == "earn" else Kind.RETURN.value, fact.member_id, currency,
        fact.points, fact.source, fact.natural_key, fact.happened_at, *(fact.origin or (None, None)), fact.from_others,
        fact.debt_limit, fact.deadline_at, by.kind, by.id, "", fact.store_id, fact.tier_code, compact(fact.trace),
    )  # fmt: skip


def _batch_lots(facts: Iterable[BatchFact]) -> Iterable[tuple[Any, ...]]:
    for place, fact in enumerate(facts):
        for number, lot in enumerate(fact.lots):
            yield place, number, lot.points, int(lot.origin), lot.available_at, lot.expires_at
