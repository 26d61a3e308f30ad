"""Keeping live segments up: those whom something happened to are asked again, and those for whom time has changed something.

Whoever changes stays holds the lock of the clock, takes its snapshot after that, and compares what is with what should
be; so a stay is never decided by older data than the one before it. Nothing is ever emptied and filled again.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json import loads
from typing import Any, Final

from django.db import connection, transaction

from members.actors import SYSTEM
from members.conditions import (
    ConditionInvalid,
    Node,
    Together,
    changes_with_time,
    is_foreseeable,
    parse,
    tests_of,
    together,
)
from members.models import Segment, TimelineEntry
from members.queries import programme
from members.rule_owners import RuleNews, tell_owners
from members.timeline import NewEntry, nudge, record_many

logger = logging.getLogger(__name__)

TAG_ADDED: Final = "members.tag_added.v1"
TAG_REMOVED: Final = "members.tag_removed.v1"
#: Entries of our own after which only some facts may be others; after all the other ones everything may.
_PARTIAL: Final = frozenset({TAG_ADDED, TAG_REMOVED, "members.activity_recorded.v1", "members.behaviours_recorded.v1"})
#: Entries after which nothing is another.
NO_NEWS: Final = frozenset({"members.personal_data_viewed.v1"})
#: What sets off a question when no entry does; stays name it as their cause.
BY_TIME: Final = "time"
BY_FILLING: Final = "published"
BY_COMPARING: Final = "compared"
MEMBERS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment that is kept up, with its condition as it was read."""

    id: int
    number: int
    condition: str
    is_of_tag: bool

    @property
    def node(self) -> Node:
        """The condition."""
        return _node(self.condition)

    def may_change_after(self, kinds: Iterable[str]) -> bool:
        """Whether an answer may be another after entries of these kinds."""
        return any(_concerns(self.condition, kind) for kind in kinds)


@dataclass(slots=True)
class Changed:
    """How many stays began and ended."""

    entered: int = 0
    left: int = 0


def live_segments() -> list[LiveSegment]:
    """Return the segments that are kept up. One whose condition can not be read any more keeps its members as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, number, condition::text, is_of_tag FROM members_segment
            WHERE kind = 'live' AND state IN ('filling', 'ready') ORDER BY id
            """
        )
        found = [LiveSegment(*row) for row in cursor.fetchall()]
    return [segment for segment in found if _is_readable(segment)]


def follow_entries(*, entries: Sequence[TimelineEntry], at: datetime) -> Changed:
    """Ask again about the members to whom something happened, in the segments that may answer otherwise."""
    news = [entry for entry in entries if entry.member_id is not None and entry.kind not in NO_NEWS]
    kinds = {entry.kind for entry in news}
    causes = {entry.member_id: entry.kind for entry in news if entry.member_id is not None}  # the last one counts
    segments = [one for one in live_segments() if one.may_change_after(kinds)] if news else []
    changed = Changed()
    members = sorted(causes)
    for start in range(0, len(members) if segments else 0, MEMBERS_AT_ONCE):
        ids = members[start : start + MEMBERS_AT_ONCE]
        asked = {"members": ids, "causes": [causes[member] for member in ids]}
        with transaction.atomic():
            _add(changed, _ask(segments, _LISTED, asked, _set_clock(at), _SOON))
    return changed


def follow_time(*, at: datetime, limit: int = MEMBERS_AT_ONCE) -> int:
    """Ask again about up to `limit` members for whom time may have changed an answer; return how many they were."""
    with transaction.atomic():
        moment = _set_clock(at)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT member_id FROM members_segmentdue WHERE due_at <= %s ORDER BY due_at LIMIT %s", [moment, limit]
            )
            members = [row[0] for row in cursor.fetchall()]
        if not members:
            return 0
        segments = [one for one in live_segments() if changes_with_time(one.node)]
        if segments:
            asked = {"members": members, "causes": [BY_TIME] * len(members)}
            _ask(segments, _LISTED, asked, moment, _DUE_OF_ALL)
        else:
            _forget_due(members)
    return len(members)


def compare_range(
    *,
    segment_ids: Sequence[int],
    after: int,
    limit: int,
    cause: str,
    at: datetime,
    version: int | None = None,
    is_quiet: bool = True,
) -> tuple[int, int]:
    """Ask about the next `limit` members after an id, in these segments; return the last id and how many they were.

    Both are 0 when there are none. For filling a segment, and for comparing one with the truth. In the caller's
    transaction. With `version`, a segment that was written anew, perhaps while we waited for the lock, is not asked.
    `is_quiet`: nobody is written to for a tag that comes or goes.
    """
    moment = _set_clock(at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id), count(*) FROM (SELECT id FROM members_member WHERE id > %s ORDER BY id LIMIT %s) r",
            [after, limit],
        )
        last, number = cursor.fetchone()
    segments = [one for one in live_segments() if one.id in set(segment_ids) and version in (None, one.number)]
    if last is None:
        return 0, 0
    if segments:
        asked = {"after": after, "last": last, "cause": cause}
        _ask(segments, _RANGE, asked, moment, _DUE_OF_SOME, is_quiet=is_quiet)
    return last, number


def begin_comparing(*, at: datetime) -> int:
    """Mark the segments that are to be compared with the truth tonight; return how many.

    Those of which time can not be foreseen, every night; of the others, a seventh each night, so that whatever the
    timeline was not told of lasts a week at most.
    """
    live = live_segments()
    blind = [one.id for one in live if not is_foreseeable(one.node)]
    weekday = at.astimezone(programme().tz).weekday()
    tonight = blind + [one.id for one in live if one.id % 7 == weekday]
    return Segment.objects.filter(pk__in=tonight, state=Segment.State.READY, sweep_from__isnull=True).update(
        sweep_from=0
    )


def go_on_comparing(*, at: datetime, limit: int = MEMBERS_AT_ONCE) -> int:
    """Compare the next `limit` members of the segments that are being compared; return how many members that were."""
    with transaction.atomic():
        first = (
            Segment.objects.filter(sweep_from__isnull=False, state=Segment.State.READY)
            .order_by("sweep_from")
            .values_list("sweep_from", flat=True)
            .first()
        )
        if first is None:
            return 0
        ids = list(Segment.objects.filter(sweep_from=first, state=Segment.State.READY).values_list("pk", flat=True))
        last, number = compare_range(
            segment_ids=ids, after=first, limit=limit, cause=BY_COMPARING, at=at, is_quiet=False
        )
        done = {"sweep_from": last} if number == limit else {"sweep_from": None, "compared_at": at}
        Segment.objects.filter(pk__in=ids).update(**done)
    return number


# --- Asking ------------------------------------------------------------------------------------------------------------
_LISTED: Final = "SELECT * FROM unnest(%(members)s::bigint[], %(causes)s::text[]) AS a (member_id, cause)"
_RANGE: Final = """
    SELECT id AS member_id, %(cause)s::text AS cause FROM members_member WHERE id > %(after)s AND id <= %(last)s
"""
_COMPARE: Final = """
    , numbers AS (SELECT * FROM unnest(%(askers)s::bigint[], %(numbers)s::smallint[]) AS n (asker, number))
    , gone AS (
        UPDATE members_segmentspan s
        SET left_at = greatest(%(c_at)s::timestamptz, s.entered_at), left_cause = a.cause, left_tests = a.tests,
            left_number = n.number
        FROM answer a JOIN numbers n ON n.asker = a.asker
        WHERE s.member_id = a.member_id AND s.segment_id = a.asker AND s.left_at IS NULL AND NOT a.met
        RETURNING s.segment_id, s.member_id
    ), come AS (
        INSERT INTO members_segmentspan
            (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
        SELECT a.asker, a.member_id, %(c_at)s::timestamptz, a.cause, n.number, a.tests
        FROM answer a JOIN numbers n ON n.asker = a.asker
        WHERE a.met AND NOT EXISTS (
            SELECT 1 FROM members_segmentspan s
            WHERE s.member_id = a.member_id AND s.segment_id = a.asker AND s.left_at IS NULL
        )
        RETURNING segment_id, member_id
    )
    {due}
    SELECT c.segment_id, c.is_in, count(*),
        coalesce(array_agg(c.member_id) FILTER (WHERE c.segment_id = ANY (%(tag_rules)s::bigint[])), '{{}}')
    FROM (
        SELECT segment_id, member_id, TRUE AS is_in FROM come
        UNION ALL SELECT segment_id, member_id, FALSE FROM gone
    ) c
    GROUP BY c.segment_id, c.is_in
"""
# All segments that time may change were asked: the moment is known anew. Or some: it is at least as early as they say.
# Or something happened: it is worked out with that of many others, within a minute, so that an event does not wait for it.
_DUE_OF_ALL: Final = """
    , forgotten AS (
        DELETE FROM members_segmentdue d USING due WHERE d.member_id = due.member_id AND due.due_at IS NULL
    ), noted AS (
        INSERT INTO members_segmentdue (member_id, due_at)
        SELECT due.member_id, due.due_at FROM due WHERE due.due_at IS NOT NULL
        ON CONFLICT (member_id) DO UPDATE SET due_at = excluded.due_at
    )
"""
_DUE_OF_SOME: Final = """
    , noted AS (
        INSERT INTO members_segmentdue AS d (member_id, due_at)
        SELECT due.member_id, due.due_at FROM due WHERE due.due_at IS NOT NULL
        ON CONFLICT (member_id) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at
    )
"""
_SOON: Final = """
    , noted AS (
        INSERT INTO members_segmentdue AS d (member_id, due_at)
        SELECT asked.member_id, %(c_at)s::timestamptz FROM asked
        WHERE EXISTS (SELECT 1 FROM members_member m WHERE m.id = asked.member_id)
        ON CONFLICT (member_id) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at
    )
"""


def _ask(
    segments: Sequence[LiveSegment],
    asked: str,
    members: Mapping[str, Any],
    moment: datetime,
    due: str,
    *,
    is_quiet: bool = False,
) -> Changed:
    """Ask the segments about the members, write what is different now, and note when time will be next."""
    question = _question(tuple((one.id, one.condition) for one in segments), asked, due != _SOON)
    if due == _SOON and not any(changes_with_time(one.node) for one in segments):
        due = ""
    statement = question.answers_sql + _COMPARE.format(due=due)
    tag_rules = [one.id for one in segments if one.is_of_tag]
    params = {
        **question.params, **members, "c_at": moment, "c_zone": programme().zone, "askers": [one.id for one in segments],
        "numbers": [one.number for one in segments], "tag_rules": tag_rules,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    changed = Changed()
    tagged: list[tuple[int, bool, list[int]]] = []
    by_segment: dict[int, int] = {}
    for segment_id, is_in, number, who in rows:
        by_segment[segment_id] = by_segment.get(segment_id, 0) + (number if is_in else -number)
        changed.entered += number if is_in else 0
        changed.left += 0 if is_in else number
        if segment_id in tag_rules:
            tagged.append((segment_id, is_in, who))
    _count({segment_id: difference for segment_id, difference in by_segment.items() if difference})
    if tagged:
        _tell_rules(tagged, moment, is_quiet)
    return changed


def _count(differences: Mapping[int, int]) -> None:
    """Add to the counts of segments. Nobody else does meanwhile, except at merges and erasures, in the same order."""
    if not differences:
        return
    ids = sorted(differences)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM members_segment WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE", [ids])
        cursor.execute(
            "UPDATE members_segment s SET members_count = s.members_count + d.more"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS d (id, more) WHERE s.id = d.id",
            [ids, [differences[segment_id] for segment_id in ids]],
        )


def _tell_rules(changed: Sequence[tuple[int, bool, list[int]]], moment: datetime, is_quiet: bool) -> None:
    """Tell whose rules they are: tags on the timeline, the owners of all other rules themselves."""
    rules = [rule for rule, _is_in, _who in changed]
    tags = dict(Segment.objects.filter(pk__in=rules, tag__isnull=False).values_list("pk", "tag__pk"))
    quiet = {"quiet": True} if is_quiet else {}
    record_many(
        NewEntry(
            TAG_ADDED if is_in else TAG_REMOVED, member, moment, SYSTEM, {"tag": tags[rule], "automatic": True, **quiet}
        )
        for rule, is_in, who in changed
        if rule in tags
        for member in who
    )
    others = [RuleNews(rule, is_in, who) for rule, is_in, who in changed if rule not in tags]
    if others:
        tell_owners(others, moment, is_quiet)
    nudge()


def hold_clock(*, at: datetime) -> datetime:
    """Wait, in the caller's transaction, until nobody else changes stays; return the moment that holds for them then.

    For those who compare what they own with the stays in their rules.
    """
    return _set_clock(at)


def _set_clock(at: datetime) -> datetime:
    """Wait until nobody else changes stays; return the moment to ask for: never before one that was asked for already."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE members_segmentclock SET at = greatest(at, %s) WHERE id = 1 RETURNING at", [at])
        return cursor.fetchone()[0]


def _forget_due(members: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM members_segmentdue WHERE member_id = ANY (%s)", [list(members)])


def _add(total: Changed, more: Changed) -> None:
    total.entered += more.entered
    total.left += more.left


def _is_readable(segment: LiveSegment) -> bool:
    try:
        segment.node  # noqa: B018 - reading it is the question
    except ConditionInvalid:
        logger.warning("the condition of segment %s can not be read any more", segment.id)
        return False
    return True


# Texts of conditions are kept, not their numbers: what a text says does not change.
@lru_cache(maxsize=1_000)
def _node(condition: str) -> Node:
    return parse(loads(condition))


@lru_cache(maxsize=5_000)
def _concerns(condition: str, kind: str) -> bool:
    floor = kind.partition(".")[0]
    if floor == "members" and kind not in _PARTIAL:
        return True
    told_by = {kind} if kind in _PARTIAL else {kind, floor}
    changed_by = [test.use.fact.changed_by for test in tests_of(_node(condition))]
    return any(one is None or told_by & one for one in changed_by)


@lru_cache(maxsize=100)
def _question(segments: tuple[tuple[int, str], ...], asked: str, with_due: bool) -> Together:
    nodes = [(segment_id, _node(condition)) for segment_id, condition in segments]
    return together(nodes, asked=asked, with_due=with_due)
