"""SQL of the standing services: one statement each, whoever calls. Transactions and decisions are the callers'."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact
from loyalty.ladder import LadderBook, Sums, Window
from loyalty.memory import KeptFact
from loyalty.models import TierChange, TierStanding
from loyalty.queries import change_of, standing_of_row
from members.copying import copy_rows
from members.models import Member
from members.statements import Row, Statement

MemberChange = tuple[int, Change]

_CHANGE_COLUMNS = (
    "member_id, number, reason, from_tier_id, to_tier_id, ladder_id, window_from, credits, needed_credits, "
    "returned_credits, valid_until, cause, happened_at, figures, must, takes_back"
)
# A run that was not begun within a week after its day is no longer waited for.
_NOT_PLANNED = """
    AND NOT EXISTS (
        SELECT 1 FROM loyalty_reviewrun r
        WHERE r.closed_at IS NULL AND r.before_at > %(at)s - interval '7 days'
            AND least(s.valid_until, s.rise_at) >= r.from_at AND least(s.valid_until, s.rise_at) < r.before_at
    )
"""


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
        "SELECT * FROM loyalty_count_fact(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            fact.member_id, fact.kind, fact.source, fact.source_ref, fact.credits, fact.spend_amount, fact.orders,
            fact.activity, fact.active_on, fact.happened_at, window.from_at, window.before_at,
        ],
        _inserted,
    )  # fmt: skip


def _inserted(found: list[Row]) -> Inserted:
    [(is_new, tier_id, since_at, valid_until, rise_at, latest_at, credits, returned)] = found
    standing = Standing(tier_id, since_at, valid_until, rise_at) if tier_id is not None else None
    return Inserted(is_new, standing, latest_at, Sums(credits, returned))


def lock_standings(member_ids: Sequence[int]) -> dict[int, Standing]:
    """Lock the standings of members, ascending, and return those there are."""
    rows = TierStanding.objects.select_for_update(no_key=True).filter(member_id__in=member_ids).order_by("member_id")
    return {row.member_id: standing_of_row(row) for row in rows}


def standings_of(member_ids: Sequence[int]) -> dict[int, Standing]:
    """Return the standings of members there are. Locks nothing."""
    found = TierStanding.objects.filter(member_id__in=member_ids)
    return {row.member_id: standing_of_row(row) for row in found}


def lock_due_standings(
    at: datetime, after_member_id: int, limit: int, *, but_planned: bool = False
) -> dict[int, Standing]:
    """Lock the next standings beyond a member about which something is due, ascending; those just decided are passed over.

    `but_planned` leaves those that a run of reviews is planned for.
    """
    return _due_standings(at, after_member_id, limit, _NOT_PLANNED if but_planned else "", "FOR NO KEY UPDATE")


def due_standings(at: datetime, after_member_id: int, limit: int) -> dict[int, Standing]:
    """Return the next standings beyond a member about which something is due until `at`, ascending. Locks nothing."""
    return _due_standings(at, after_member_id, limit, "", "")


def _due_standings(at: datetime, after_member_id: int, limit: int, also: str, lock: str) -> dict[int, Standing]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.member_id, s.tier_id, s.since_at, s.valid_until, s.rise_at FROM loyalty_tierstanding s
            WHERE (s.valid_until <= %(at)s OR s.rise_at <= %(at)s) AND s.member_id > %(after)s {also}
            ORDER BY s.member_id LIMIT %(limit)s {lock}
            """,  # noqa: S608 - constants of this module
            {"at": at, "after": after_member_id, "limit": limit},
        )
        return {row[0]: Standing(*row[1:]) for row in cursor.fetchall()}


def last_changes(member_ids: Sequence[int], book: LadderBook) -> dict[int, Change]:
    """Return the newest change of each member that has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(f"c.{column}" for column in _CHANGE_COLUMNS.split(", "))} FROM unnest(%s::bigint[]) AS m (id)
            CROSS JOIN LATERAL (
                SELECT * FROM loyalty_tierchange WHERE member_id = m.id ORDER BY number DESC LIMIT 1
            ) c
            """,  # noqa: S608 - constants of this module
            [list(member_ids)],
        )
        return {row[0]: _change_of_columns(row, book) for row in cursor.fetchall()}


def changes_taken(spans: Sequence[tuple[int, int, int]], book: LadderBook) -> dict[int, list[Change]]:
    """Return the changes of members from one number to another, in order."""
    changes: dict[int, list[Change]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(f"c.{column}" for column in _CHANGE_COLUMNS.split(", "))}
            FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS m (id, first, last)
            JOIN loyalty_tierchange c ON c.member_id = m.id AND c.number BETWEEN m.first AND m.last
            ORDER BY c.member_id, c.number
            """,  # noqa: S608 - constants of this module
            [[span[place] for span in spans] for place in range(3)],
        )
        for row in cursor.fetchall():
            changes.setdefault(row[0], []).append(_change_of_columns(row, book))
    return changes


def _change_of_columns(row: Row, book: LadderBook) -> Change:
    (
        _member_id, number, reason, from_tier_id, to_tier_id, ladder_id, window_from, credits, needed, returned, valid_until,
        cause, happened_at, figures, must, takes_back,
    ) = row  # fmt: skip
    told = json.loads(figures) if isinstance(figures, str) else figures
    return Change(
        number, reason, from_tier_id, to_tier_id, book.codes[from_tier_id], book.codes[to_tier_id], ladder_id, window_from,
        credits, needed, returned, valid_until, cause, happened_at, tuple(tuple(figure) for figure in told), must, takes_back,
    )  # fmt: skip


def changes_of(member_ids: Sequence[int], book: LadderBook) -> dict[int, list[Change]]:
    """Return all changes of members, in order."""
    changes: dict[int, list[Change]] = {}
    for row in TierChange.objects.filter(member_id__in=member_ids).order_by("member_id", "number"):
        changes.setdefault(row.member_id, []).append(change_of(row, book))
    return changes


def insert_changes(changes: Iterable[MemberChange]) -> None:
    """Write changes in the order given, by COPY."""
    rows = [_row_of_change(*change) for change in changes]
    if rows:
        copy_rows(f"loyalty_tierchange ({_CHANGE_COLUMNS})", rows)


def _row_of_change(member_id: int, change: Change) -> tuple[Any, ...]:
    return (
        member_id, change.number, change.reason, change.from_tier_id, change.to_tier_id, change.ladder_id, change.window_from,
        change.credits, change.needed_credits, change.returned_credits, change.valid_until, change.cause, change.happened_at,
        json.dumps(change.figures) if change.figures else "[]", change.must, change.takes_back,
    )  # fmt: skip


def write_standings(standings: dict[int, Standing | None]) -> None:
    """Write where members stand now; a member with None is back where everybody starts and needs no row."""
    held = [(member_id, standing) for member_id, standing in sorted(standings.items(), key=_member) if standing]
    gone = [member_id for member_id, standing in standings.items() if standing is None]
    with connection.cursor() as cursor:
        if held:
            cursor.execute(
                """
                INSERT INTO loyalty_tierstanding (member_id, tier_id, since_at, valid_until, rise_at)
                SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
                ON CONFLICT (member_id) DO UPDATE SET tier_id = excluded.tier_id, since_at = excluded.since_at,
                    valid_until = excluded.valid_until, rise_at = excluded.rise_at
                """,
                [
                    [member_id for member_id, _ in held], [one.tier_id for _, one in held], [one.since_at for _, one in held],
                    [one.valid_until for _, one in held], [one.rise_at for _, one in held],
                ],
            )  # fmt: skip
        if gone:
            cursor.execute("DELETE FROM loyalty_tierstanding WHERE member_id = ANY (%s)", [gone])


def _member(item: tuple[int, Standing | None]) -> int:
    return item[0]


def copy_facts(facts: Iterable[CountedFact]) -> None:
    """Write facts by COPY. Raises IntegrityError when one is there already."""
    columns = "member_id, kind, source, source_ref, credits, spend_amount, orders, activity, active_on, happened_at"
    copy_rows(f"loyalty_qualificationentry ({columns})", (_row(fact) for fact in facts))


def _row(fact: CountedFact) -> tuple[Any, ...]:
    return (
        fact.member_id, fact.kind, fact.source, fact.source_ref,
        fact.credits, fact.spend_amount, fact.orders, fact.activity, fact.active_on, fact.happened_at,
    )  # fmt: skip


def facts_since(froms: dict[int, datetime]) -> dict[int, list[KeptFact]]:
    """Return for members their facts since a moment of each, in order of time."""
    facts: dict[int, list[KeptFact]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, q.happened_at, q.kind, q.credits, q.spend_amount, q.orders, q.activity, q.active_on
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS m (id, from_at)
            CROSS JOIN LATERAL (
                SELECT * FROM loyalty_qualificationentry
                WHERE member_id = m.id AND happened_at >= m.from_at ORDER BY happened_at
            ) q
            """,
            [list(froms), list(froms.values())],
        )
        for member_id, *fact in cursor:
            facts.setdefault(member_id, []).append(KeptFact(*fact))
    return facts


def joined_at_of(member_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when members joined."""
    return dict(Member.objects.filter(pk__in=member_ids).values_list("pk", "joined_at"))
