"""SQL of the standing services: one statement each, whoever calls. Transactions and decisions are the callers'."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from loyalty.assessment import Change, Standing
from loyalty.course import CountedFact
from loyalty.ladder import LadderBook, Sums, Window
from loyalty.memory import KeptFact
from loyalty.models import TierChange, TierStanding
from loyalty.periods import business_date
from loyalty.queries import change_of, standing_of_row
from loyalty.sums import BESIDE_A_FACT, sums_of_row
from members.copying import copy_rows
from members.models import Member
from members.statements import Row, Statement, run_together

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
    """What the statement of a fact found: whether the fact was new, the member's state without it, the sums with it."""

    is_new: bool
    standing: Standing | None
    latest_at: datetime | None
    sums: Sums


_COUNT = "loyalty_count_fact(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def fact_statement(fact: CountedFact, window: Window, *, everything_in: ZoneInfo | None = None) -> Statement[Inserted]:
    """Return what inserts a fact unless it is there, locks the member's standing, and sums a window with the fact in it.

    Tier credits alone; or, with a zone for its days, all that the member did.
    """
    counted = [
        fact.member_id, fact.kind, fact.source, fact.source_ref, fact.credits, fact.spend_amount, fact.orders,
        fact.activity, fact.active_on, fact.happened_at, window.from_at, window.before_at,
    ]  # fmt: skip
    if everything_in is None:
        return Statement(f"SELECT * FROM {_COUNT}", counted, lambda found: _inserted(found, fact))  # noqa: S608
    tz = everything_in
    day = fact.active_on or business_date(fact.happened_at, tz)

    def read(found: list[Row]) -> Inserted:
        [(joined_at, *row)] = found
        sums, acts = sums_of_row(row[:10], window, joined_at, tz), int(row[9])
        return replace(_inserted([tuple(row[10:])], fact), sums=_with(sums, fact, acts))

    # What a statement reads it reads as it was before it: the sums are those without the fact, whatever runs first.
    return Statement(
        f"SELECT m.joined_at, s.*, f.* FROM {BESIDE_A_FACT} CROSS JOIN LATERAL {_COUNT} f",  # noqa: S608
        [fact.member_id, window.from_at, window.before_at, day, tz.key, *counted],
        read,
    )


def _inserted(found: list[Row], fact: CountedFact) -> Inserted:
    [(is_new, tier_id, since_at, valid_until, rise_at, latest_at, credits, returned)] = found
    standing = Standing(tier_id, since_at, valid_until, rise_at) if tier_id is not None else None
    return Inserted(is_new, standing, latest_at, _with(Sums(credits, returned), fact, 0))


def _with(sums: Sums, fact: CountedFact, acts: int) -> Sums:
    """Return sums with a fact in them, on a day of which so many acts were known."""
    after = acts + fact.orders + (fact.activity > 0) - (fact.activity < 0)
    return replace(
        sums,
        credits=sums.credits + fact.credits,
        returned=sums.returned + max(0, -fact.credits),
        spend=sums.spend + fact.spend_amount,
        returned_spend=sums.returned_spend + max(Decimal(0), -fact.spend_amount),
        orders=sums.orders + fact.orders,
        returned_orders=sums.returned_orders + max(0, -fact.orders),
        active_days=sums.active_days + (after > 0) - (acts > 0),
        activity=sums.activity + fact.activity,
    )


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
    """Write where members stand now; a member with None is back where everybody starts and needs no row.

    What is beside the earned tier (floors) stays as it is, and whoever has or had a floor keeps a row.
    """
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
            cursor.execute(_BACK_TO_THE_BEGINNING, [TierStanding.NEVER_RISEN, gone, gone])


def _member(item: tuple[int, Standing | None]) -> int:
    return item[0]


_OF_ONE = (
    "number", "reason", "from_tier_id", "to_tier_id", "ladder_id", "window_from", "credits", "needed_credits",
    "returned_credits", "valid_until", "cause", "happened_at", "must", "takes_back",
)  # fmt: skip
_TYPES_OF_ONE = (
    "int", "text", "bigint", "bigint", "bigint", "timestamptz", "int", "int", "int", "timestamptz", "text", "timestamptz", "int",
    "int",
)  # fmt: skip
_INSERT_CHANGES = f"""
    INSERT INTO loyalty_tierchange (member_id, figures, {", ".join(_OF_ONE)})
    SELECT %s, c.figures::jsonb, {", ".join(f"c.{name}" for name in _OF_ONE)}
    FROM unnest(%s::text[], {", ".join(f"%s::{name}[]" for name in _TYPES_OF_ONE)})
        WITH ORDINALITY AS c (figures, {", ".join(_OF_ONE)}, n) ORDER BY c.n
    RETURNING 1
"""  # noqa: S608 - constants of this module
_UPSERT_STANDING = """
    INSERT INTO loyalty_tierstanding (member_id, tier_id, since_at, valid_until, rise_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (member_id) DO UPDATE SET tier_id = excluded.tier_id, since_at = excluded.since_at,
        valid_until = excluded.valid_until, rise_at = excluded.rise_at
    RETURNING 1
"""

_BACK_TO_THE_BEGINNING = """
    WITH beside_floors AS (
        UPDATE loyalty_tierstanding
        SET tier_id = (SELECT id FROM loyalty_tier ORDER BY rank LIMIT 1), since_at = %s, valid_until = NULL, rise_at = NULL
        WHERE member_id = ANY (%s) AND (floor_from IS NOT NULL OR floor_until IS NOT NULL)
        RETURNING 1
    )
    DELETE FROM loyalty_tierstanding WHERE member_id = ANY (%s) AND floor_from IS NULL AND floor_until IS NULL RETURNING 1
"""


def write_decisions(member_id: int, changes: Sequence[Change], standing: Standing | None, *, is_moved: bool) -> None:
    """Write one member's changes, and the standing they left if it is another one, in one round trip."""
    statements = []
    if changes:
        columns = [[getattr(change, name) for change in changes] for name in _OF_ONE]
        figures = [json.dumps(change.figures) for change in changes]
        statements.append(Statement(_INSERT_CHANGES, [member_id, figures, *columns], _nothing))
    if is_moved and standing is None:
        statements.append(
            Statement(_BACK_TO_THE_BEGINNING, [TierStanding.NEVER_RISEN, [member_id], [member_id]], _nothing)
        )
    elif is_moved and standing is not None:
        values = [member_id, standing.tier_id, standing.since_at, standing.valid_until, standing.rise_at]
        statements.append(Statement(_UPSERT_STANDING, values, _nothing))
    if statements:
        run_together(statements)


def _nothing(_rows: list[Row]) -> None:
    return None


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
