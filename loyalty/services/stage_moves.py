"""Stages and tasks of members, brought to what the stays in their rules say: for some members at once, set-based.

Whoever calls holds the lock of the clock of segments, so nothing changes meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from typing import Any, Final

from django.db import connection

from loyalty.identity_events import StageChanged, StageTaskDoneTold
from loyalty.met_figures import figures_of
from loyalty.models import BadgeAward, Stage, StageChange, StageTask
from loyalty.services.badge_awards import Award, award
from members.conditions import ConditionInvalid, Node, fact_keys, parse
from members.facts import values_for_many
from members.timeline import nudge, record_many

_AT_ONCE: Final = 2_000
# Who is in another stage than the furthest one whose rule is met. Without a stage: that in which everybody begins.
_MOVED: Final = """
    SELECT asked.member_id, s.stage_id, furthest.id
    FROM unnest(%s::bigint[]) AS asked (member_id)
    JOIN members_member m ON m.id = asked.member_id AND m.merged_into_id IS NULL
    LEFT JOIN loyalty_memberstage s ON s.member_id = asked.member_id
    LEFT JOIN LATERAL (
        SELECT g.id FROM loyalty_stage g
        JOIN members_segmentspan p ON p.segment_id = g.rule_id AND p.member_id = asked.member_id AND p.left_at IS NULL
        WHERE g.is_on ORDER BY g.position DESC LIMIT 1
    ) furthest ON TRUE
    WHERE s.stage_id IS DISTINCT FROM furthest.id
    ORDER BY asked.member_id
"""
_MOVE: Final = """
    WITH moved AS (
        SELECT * FROM unnest(
            %(members)s::bigint[], %(froms)s::bigint[], %(tos)s::bigint[], %(met)s::jsonb[], %(unmet)s::jsonb[]
        ) AS moved (member_id, from_id, to_id, met, unmet)
    ), now AS (
        INSERT INTO loyalty_memberstage (member_id, stage_id, since_at) SELECT member_id, to_id, %(at)s FROM moved
        ON CONFLICT (member_id) DO UPDATE SET stage_id = excluded.stage_id, since_at = excluded.since_at
    )
    INSERT INTO loyalty_stagechange (member_id, number, from_stage_id, to_stage_id, cause, met, unmet, happened_at)
    SELECT moved.member_id, coalesce(
        (SELECT max(c.number) FROM loyalty_stagechange c WHERE c.member_id = moved.member_id), 0
    ) + 1, moved.from_id, moved.to_id, %(cause)s, moved.met, moved.unmet, %(at)s
    FROM moved
"""
# Tasks whose rule is met by members who are, or were until now, in the task's stage or beyond, and that they never did.
_NEWLY_DONE: Final = """
    SELECT t.id, array_agg(asked.member_id ORDER BY asked.member_id)
    FROM unnest(%s::bigint[], %s::int[]) AS asked (member_id, place_left)
    JOIN members_member m ON m.id = asked.member_id AND m.merged_into_id IS NULL
    LEFT JOIN loyalty_memberstage s ON s.member_id = asked.member_id
    LEFT JOIN loyalty_stage now ON now.id = s.stage_id
    JOIN members_segmentspan p ON p.member_id = asked.member_id AND p.left_at IS NULL
    JOIN loyalty_stagetask t ON t.rule_id = p.segment_id AND t.is_on
    JOIN loyalty_stage g ON g.id = t.stage_id AND g.is_on
        AND g.position <= greatest(asked.place_left, coalesce(now.position, %s))
    WHERE NOT EXISTS (SELECT 1 FROM loyalty_stagetaskdone d WHERE d.member_id = asked.member_id AND d.task_id = t.id)
    GROUP BY t.id ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class _Move:
    member_id: int
    from_id: int | None
    to_id: int | None


def settle(member_ids: Iterable[int], *, cause: StageChange.Cause, at: datetime, is_quiet: bool) -> int:
    """Bring members to their stage, and write down which tasks they have done; return how many came to another stage."""
    stages = {stage.pk: stage for stage in Stage.objects.select_related("rule")}
    ids = sorted(set(member_ids))
    moved = 0
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        moves = _moves(part)
        _write_moves(moves, stages, cause, at, is_quiet)
        _settle_tasks(part, moves, stages, at, is_quiet)
        moved += len(moves)
    return moved


def whys_of(node: Node | None, member_ids: Sequence[int], at: datetime, *, met: bool) -> dict[int, list[Any]]:
    """Return the figures of the tests that are met, or are not, for each of these members at a moment; bounded statements."""
    found: dict[int, list[Any]] = {}
    for start in range(0, len(member_ids), _AT_ONCE):
        part = member_ids[start : start + _AT_ONCE]
        if node is None:
            found |= {member: [] for member in part}
            continue
        values = values_for_many(fact_keys(node), [(member, at) for member in part])
        for member, known in zip(part, values, strict=True):
            found[member] = [] if known is None else figures_of(node, known, met=met)
    return found


def node_of(condition: object) -> Node | None:
    """Return a stored condition; None for none, or one that can not be read any more."""
    try:
        return parse(condition) if condition else None
    except ConditionInvalid:
        return None


def _moves(member_ids: Sequence[int]) -> list[_Move]:
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [list(member_ids)])
        return [_Move(*row) for row in cursor.fetchall()]


def _write_moves(
    moves: Sequence[_Move], stages: Mapping[int, Stage], cause: StageChange.Cause, at: datetime, is_quiet: bool
) -> None:
    if not moves:
        return
    met: dict[int, list[Any]] = {}
    unmet: dict[int, list[Any]] = {}
    for to_id in {move.to_id for move in moves}:
        who = [move.member_id for move in moves if move.to_id == to_id]
        met |= whys_of(_node(stages, to_id), who, at, met=True)
    for from_id in {move.from_id for move in moves}:
        who = [move.member_id for move in moves if move.from_id == from_id and _is_back(stages, move)]
        unmet |= whys_of(_node(stages, from_id), who, at, met=False)
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "members": [move.member_id for move in moves], "froms": [move.from_id for move in moves],
                "tos": [move.to_id for move in moves], "met": [dumps(met[move.member_id]) for move in moves],
                "unmet": [dumps(unmet.get(move.member_id, [])) for move in moves], "cause": cause, "at": at,
            },
        )  # fmt: skip
    codes: dict[int | None, str] = {pk: stage.code for pk, stage in stages.items()}
    codes[None] = _first_code(stages)
    record_many(
        StageChanged(move.member_id, codes[move.from_id], codes[move.to_id], at).entry(quiet=is_quiet) for move in moves
    )
    nudge()


def _is_back(stages: Mapping[int, Stage], move: _Move) -> bool:
    """Whether it leads back, so that the old stage's rule is no longer met."""
    return move.from_id is not None and _place(stages, move.from_id) > _place(stages, move.to_id)


def _node(stages: Mapping[int, Stage], stage_id: int | None) -> Node | None:
    rule = stages[stage_id].rule if stage_id is not None else None
    return node_of(rule.condition) if rule else None


def _first(stages: Mapping[int, Stage]) -> Stage | None:
    return next((stage for stage in stages.values() if stage.is_on and stage.rule_id is None), None)


def _first_code(stages: Mapping[int, Stage]) -> str:
    first = _first(stages)
    return first.code if first else ""


def _place(stages: Mapping[int, Stage], stage_id: int | None) -> int:
    """Return the place of a stage; of none, that in which everybody begins; -1 where there is none."""
    stage = stages[stage_id] if stage_id is not None else _first(stages)
    return stage.position if stage else -1


# --- Tasks -------------------------------------------------------------------------------------------------------------
def _settle_tasks(
    member_ids: Sequence[int], moves: Sequence[_Move], stages: Mapping[int, Stage], at: datetime, is_quiet: bool
) -> None:
    """A task counts from the stage it belongs to on, and still at the moment in which a member falls back from there."""
    left = {move.member_id: _place(stages, move.from_id) for move in moves}
    with connection.cursor() as cursor:
        places = [left.get(member, -1) for member in member_ids]
        cursor.execute(_NEWLY_DONE, [list(member_ids), places, _place(stages, None)])
        done: dict[int, list[int]] = dict(cursor.fetchall())
    tasks = StageTask.objects.filter(pk__in=done).select_related("rule", "badge", "stage")
    for task in tasks:
        _write_done(task, done[task.pk], at, is_quiet)


def _write_done(task: StageTask, member_ids: Sequence[int], at: datetime, is_quiet: bool) -> None:
    whys = whys_of(node_of(task.rule.condition if task.rule else None), member_ids, at, met=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO loyalty_stagetaskdone (task_id, member_id, why, happened_at)
            SELECT %s, done.member_id, done.why, %s FROM unnest(%s::bigint[], %s::jsonb[]) AS done (member_id, why)
            ON CONFLICT (member_id, task_id) DO NOTHING RETURNING member_id
            """,
            [task.pk, at, list(member_ids), [dumps(whys[member]) for member in member_ids]],
        )
        wrote = [row[0] for row in cursor.fetchall()]
        # What somebody who was merged into them did before has unlocked it already.
        cursor.execute(
            "SELECT x.merged_into_id FROM members_member x JOIN loyalty_stagetaskdone d ON d.member_id = x.id AND d.task_id = %s"
            " WHERE x.merged_into_id = ANY (%s::bigint[])",
            [task.pk, wrote],
        )
        did_before = {row[0] for row in cursor.fetchall()}
    news = [member for member in wrote if member not in did_before]
    badge = task.badge.code if task.badge else ""
    record_many(
        StageTaskDoneTold(member, task.code, task.stage.code, badge, task.benefit_code, at).entry(quiet=is_quiet)
        for member in news
    )
    if task.badge and task.badge.is_on and news:
        said = Award(BadgeAward.Cause.TASK, at, task=task, is_quiet=is_quiet)
        award(task.badge, {member: [] for member in news}, said)
    nudge()
