"""SQL of the standing services: one statement each, whoever calls. Transactions and decisions are the callers'."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact
from loyalty.ladder import LadderBook, Sums, Window
from loyalty.models import Tier, TierChange, TierStanding
from members.copying import copy_rows
from members.statements import Row, Statement

MemberChange = tuple[int, Change]


@dataclass(frozen=True, slots=True)
class Inserted:
    """What the statement of a fact found: whether the fact was new, and the member's state without it."""

    is_new: bool
    standing: Standing | None
    latest_at: datetime | None
    sums: Sums


def fact_statement(fact: CountedFact, window: Window) -> Statement[Inserted]:
    """Return what inserts a fact unless it is there, locks the member's standing, and sums a window as it was before the fact."""
    return Statement(
        "SELECT * FROM loyalty_count_fact(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            fact.member_id, fact.kind, fact.source, fact.source_ref, fact.credits, fact.spend_amount, fact.orders,
            fact.happened_at, window.from_at, window.before_at,
        ],
        _inserted,
    )  # fmt: skip


def _inserted(found: list[Row]) -> Inserted:
    [(is_new, tier_id, since_at, valid_until, latest_at, credits, returned)] = found
    standing = Standing(tier_id, since_at, valid_until) if tier_id is not None else None
    return Inserted(is_new, standing, latest_at, Sums(credits, returned))


def lock_standings(member_ids: Sequence[int]) -> dict[int, Standing]:
    """Lock the standings of members, ascending, and return those there are."""
    rows = TierStanding.objects.select_for_update(no_key=True).filter(member_id__in=member_ids).order_by("member_id")
    return {row.member_id: Standing(row.tier_id, row.since_at, row.valid_until) for row in rows}


def lock_due_standings(at: datetime, after_member_id: int, limit: int) -> dict[int, Standing]:
    """Lock the next standings beyond a member whose review is due, ascending; those just decided are passed over."""
    due = TierStanding.objects.select_for_update(no_key=True).filter(valid_until__lte=at, member_id__gt=after_member_id)
    rows = due.order_by("member_id")[:limit]
    return {row.member_id: Standing(row.tier_id, row.since_at, row.valid_until) for row in rows}


def last_changes(member_ids: Sequence[int], book: LadderBook) -> dict[int, Change]:
    """Return the newest change of each member that has one."""
    found = TierChange.objects.raw(
        """
        SELECT c.* FROM unnest(%s::bigint[]) AS m (id)
        CROSS JOIN LATERAL (
            SELECT * FROM loyalty_tierchange WHERE member_id = m.id ORDER BY number DESC LIMIT 1
        ) c
        """,
        [list(member_ids)],
    )
    return {row.member_id: change_of(row, book) for row in found}


def changes_of(member_ids: Sequence[int], book: LadderBook) -> dict[int, list[Change]]:
    """Return all changes of members, in order."""
    changes: dict[int, list[Change]] = {}
    for row in TierChange.objects.filter(member_id__in=member_ids).order_by("member_id", "number"):
        changes.setdefault(row.member_id, []).append(change_of(row, book))
    return changes


def change_of(row: TierChange, book: LadderBook) -> Change:
    """Return the plain value of a row."""
    return Change(
        number=row.number,
        reason=row.reason,  # type: ignore[arg-type]  # the constraint allows these four only
        from_tier_id=row.from_tier_id,
        to_tier_id=row.to_tier_id,
        from_code=book.codes[row.from_tier_id],
        to_code=book.codes[row.to_tier_id],
        ladder_id=row.ladder_id,
        window_from=row.window_from,
        credits=row.credits,
        needed_credits=row.needed_credits,
        returned_credits=row.returned_credits,
        valid_until=row.valid_until,
        cause=row.cause,
        happened_at=row.happened_at,
    )


def insert_changes(changes: Iterable[MemberChange]) -> None:
    """Write changes in the order given."""
    rows = [
        TierChange(
            member_id=member_id,
            number=change.number,
            reason=change.reason,
            from_tier_id=change.from_tier_id,
            to_tier_id=change.to_tier_id,
            ladder_id=change.ladder_id,
            window_from=change.window_from,
            credits=change.credits,
            needed_credits=change.needed_credits,
            returned_credits=change.returned_credits,
            valid_until=change.valid_until,
            cause=change.cause,
            happened_at=change.happened_at,
        )
        for member_id, change in changes
    ]
    TierChange.objects.bulk_create(rows, batch_size=2000)


def write_standings(standings: dict[int, Standing | None]) -> None:
    """Write where members stand now; a member with None is back where everybody starts and needs no row.

    What is beside the earned tier (floors) stays as it is, and whoever has or had a floor keeps a row.
    """
    rows = [
        TierStanding(
            member_id=member_id, tier_id=standing.tier_id, since_at=standing.since_at, valid_until=standing.valid_until
        )
        for member_id, standing in sorted(standings.items())
        if standing
    ]
    if rows:
        TierStanding.objects.bulk_create(
            rows,
            batch_size=5000,
            update_conflicts=True,
            unique_fields=["member"],
            update_fields=["tier", "since_at", "valid_until"],
        )
    gone = [member_id for member_id, standing in standings.items() if standing is None]
    if gone:
        rows_gone = TierStanding.objects.filter(member_id__in=gone)
        without_floors = Q(floor_from__isnull=True, floor_until__isnull=True)
        rows_gone.exclude(without_floors).update(
            tier=Tier.objects.order_by("rank").values("pk")[:1], since_at=TierStanding.NEVER_RISEN, valid_until=None
        )
        rows_gone.filter(without_floors).delete()


def copy_facts(facts: Iterable[CountedFact]) -> None:
    """Write facts by COPY. Raises IntegrityError when one is there already."""
    columns = "member_id, kind, source, source_ref, credits, spend_amount, orders, happened_at"
    copy_rows(f"loyalty_qualificationentry ({columns})", (_row(fact) for fact in facts))


def _row(fact: CountedFact) -> tuple[Any, ...]:
    return (
        fact.member_id, fact.kind, fact.source, fact.source_ref,
        fact.credits, fact.spend_amount, fact.orders, fact.happened_at,
    )  # fmt: skip


def facts_since(froms: dict[int, datetime]) -> dict[int, list[tuple[datetime, int]]]:
    """Return for members the (happened_at, credits) of their facts since a moment of each, in order of time."""
    facts: dict[int, list[tuple[datetime, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, q.happened_at, q.credits FROM unnest(%s::bigint[], %s::timestamptz[]) AS m (id, from_at)
            CROSS JOIN LATERAL (
                SELECT happened_at, credits FROM loyalty_qualificationentry
                WHERE member_id = m.id AND happened_at >= m.from_at ORDER BY happened_at
            ) q
            """,
            [list(froms), list(froms.values())],
        )
        for member_id, happened_at, credits in cursor:
            facts.setdefault(member_id, []).append((happened_at, credits))
    return facts
