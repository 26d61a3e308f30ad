"""How many members a condition means, within a second however many there are: by sampled blocks, with an interval.

A sample is of whole blocks of the table, which costs as little as reading them; members of one block joined about the same
time and are alike, so the interval is worked out from the differences between blocks, not between members.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg.errors import QueryCanceled

from members import consents
from members.conditions import Compiled, Node, compile
from members.figures import grouped
from members.models import Purpose

#: Up to so many members everybody is asked.
EXACT_UP_TO: Final = 10_000
#: What one estimate may take in the database.
MOST_SECONDS: Final = 0.6
SAMPLES: Final = 10
_FIRST_MEMBERS: Final = 400
_MOST_MEMBERS: Final = 20_000
_SEED: Final = 20_240_601  # the same blocks each time: a figure does not change because it is looked at again
_SURE: Final = 1.96  # of twenty such intervals, nineteen hold the truth
_NOBODY_SEEN: Final = 3.0  # with nobody among n, fewer than 3/n of all, as surely


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many members meet something: the likely figure, and between which it lies in nineteen of twenty cases."""

    likely: int
    low: int
    high: int
    asked: int
    members: int

    @property
    def is_exact(self) -> bool:
        """Whether everybody was asked."""
        return self.asked == self.members

    def sentence(self) -> str:
        """Return the figure in words."""
        if self.is_exact:
            words = ngettext("%(number)s member", "%(number)s members", self.likely)
            return words % {"number": grouped(self.likely)}
        if not self.likely:
            return _("fewer than %(most)s members, perhaps nobody") % {"most": grouped(_rounded(self.high))}
        return _("about %(likely)s members (between %(low)s and %(high)s)") % {
            "likely": grouped(_rounded(self.likely)), "low": grouped(_rounded(self.low)), "high": grouped(_rounded(self.high)),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at some members says: how many meet the condition, how many of those may be written to, and some of them."""

    matched: Estimate
    reach: Mapping[str, Estimate] = field(default_factory=dict)
    sample: tuple[int, ...] = ()


@dataclass(slots=True)
class _Sums:
    """Sums over blocks of members: of n, of y, and of their squares and products, to tell how much blocks differ."""

    blocks: int = 0
    n: int = 0
    y: int = 0
    nn: int = 0
    ny: int = 0
    yy: int = 0

    def add(self, n: int, y: int) -> None:
        """Count a block of n members of whom y meet it."""
        self.blocks += 1
        self.n += n
        self.y += y
        self.nn += n * n
        self.ny += n * y
        self.yy += y * y


def look(node: Node, *, at: datetime, channels: Sequence[str] = (), purpose: str = Purpose.MARKETING) -> Findings:
    """Return about how many members meet a condition at a moment, how many of them allow the purpose in each channel (and
    to be chosen for it), and up to ten of them.

    Everybody is asked where they are few; else a sample as large as the time allows.
    """
    condition = compile(node, at=at)
    questions = [condition.sql] + [f"{condition.sql} AND {_allowed(number)}" for number in range(len(channels))]
    params = dict(condition.params)
    for number, channel in enumerate(channels):
        params |= {f"k{number}_{name}": value for name, value in consents.params(purpose, channel, at).items()}
    members = _members()
    if members <= EXACT_UP_TO:
        return _findings(_asked(questions, params, "", members, condition), channels, is_all=True)
    blocks_percent = 100.0 * _FIRST_MEMBERS / members
    began = time.monotonic()
    found = _asked(questions, params, _sampled(blocks_percent), members, condition)
    took = max(time.monotonic() - began, 0.005)
    wanted = min(_MOST_MEMBERS, int(found.asked * MOST_SECONDS / took))
    if wanted > 2 * found.asked:
        try:
            found = _in_time(questions, params, _sampled(100.0 * wanted / members), members, condition)
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            # The machine was slower the second time: the first look is what there is.
    return _findings(found, channels, is_all=False)


def few_of(compiled: Compiled, *, limit: int = SAMPLES) -> list[int]:
    """Return some members who meet a condition, for when a sample met nobody; nobody when it takes long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 300")
            cursor.execute(
                "SELECT m.id FROM members_member m"  # noqa: S608 - the expressions are those of registered facts
                f" WHERE m.merged_into_id IS NULL AND {compiled.sql} LIMIT {limit:d}",
                compiled.params,
            )
            return [row[0] for row in cursor.fetchall()]
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return []


# --- Asking ------------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Asked:
    members: int
    asked: int
    sums: list[_Sums]
    sample: list[int]


def _allowed(number: int) -> str:
    sql = consents.ALLOWED_SQL
    for name in ("purpose", "channel", "at", "zone"):
        sql = sql.replace(f"%({name})s", f"%(k{number}_{name})s")
    return f"({sql} AND {consents.LETS_CHOOSE_SQL})"


def _sampled(percent: float) -> str:
    return f"TABLESAMPLE SYSTEM ({min(percent, 100.0):.6f}) REPEATABLE ({_SEED})"


def _members() -> int:
    """Return how many members there are: exactly where they are few, else as the statistics of the table say."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM members_member LIMIT %s) few),"
            " (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'members_member'::regclass)",
            [EXACT_UP_TO + 1],
        )
        few, statistics = cursor.fetchone()
    return few if few <= EXACT_UP_TO else max(few, statistics)


def _in_time(
    questions: Sequence[str], params: Mapping[str, Any], sampled: str, members: int, condition: Compiled
) -> _Asked:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(1000 * MOST_SECONDS * 2)}")
        found = _asked(questions, params, sampled, members, condition)
        cursor.execute("SET LOCAL statement_timeout = DEFAULT")
        return found


def _asked(
    questions: Sequence[str], params: Mapping[str, Any], sampled: str, members: int, condition: Compiled
) -> _Asked:
    columns = ", ".join(f"count(*) FILTER (WHERE s.y{number})" for number in range(len(questions)))
    # Of whom the condition is not met, the channels are not asked.
    inner = [f"{questions[0]} AS y0"]
    inner += [
        f"CASE WHEN {condition.sql} THEN {_allowed(number)} ELSE FALSE END AS y{number + 1}"
        for number in range(len(questions) - 1)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.block, count(*), {columns}, (array_agg(s.id) FILTER (WHERE s.y0))[1:{SAMPLES}]
            FROM (
                SELECT m.id, (m.ctid::text::point)[0]::bigint AS block, {", ".join(inner)}
                FROM members_member m {sampled} WHERE m.merged_into_id IS NULL
                OFFSET 0
            ) s
            GROUP BY s.block
            """,  # noqa: S608 - the expressions are those of registered facts
            params,
        )
        rows = cursor.fetchall()
    sums = [_Sums() for _question in questions]
    sample: list[int] = []
    for row in rows:
        for number, one in enumerate(sums):
            one.add(row[1], row[2 + number])
        sample += row[-1] or []
    return _Asked(members, sums[0].n, sums, sample)


def _findings(found: _Asked, channels: Sequence[str], *, is_all: bool) -> Findings:
    estimates = [_estimate(sums, found.members, is_all=is_all) for sums in found.sums]
    return Findings(estimates[0], dict(zip(channels, estimates[1:], strict=True)), _spread(found.sample))


def _spread(sample: Sequence[int]) -> tuple[int, ...]:
    """Return up to ten of the members, from everywhere among them."""
    step = max(len(sample) / SAMPLES, 1)
    return tuple(sample[int(place * step)] for place in range(min(SAMPLES, len(sample))))


def _estimate(sums: _Sums, members: int, *, is_all: bool) -> Estimate:
    """Return the ratio estimate over blocks as clusters, with its interval."""
    if is_all or not sums.n:
        return Estimate(sums.y, sums.y, sums.y, sums.n, sums.n if is_all else members)
    share = sums.y / sums.n
    if not sums.y or sums.y == sums.n:
        margin = math.ceil(members * min(1.0, _NOBODY_SEEN / sums.n))
        likely = members if sums.y else 0
        return Estimate(likely, max(0, likely - margin), min(members, likely + margin), sums.n, members)
    if sums.blocks < 2:
        return Estimate(round(members * share), 0, members, sums.n, members)
    squares = sums.yy - 2 * share * sums.ny + share * share * sums.nn
    unseen = max(0.0, 1 - sums.n / members)
    variance = unseen * sums.blocks / (sums.blocks - 1) * max(squares, 0.0) / sums.n**2
    # Blocks that happen to be alike would claim more than so many members can say.
    variance = max(variance, unseen * share * (1 - share) / sums.n)
    spread = _SURE * math.sqrt(variance) * members
    likely = round(members * share)
    return Estimate(
        likely, max(sums.y, math.floor(likely - spread)), min(members, math.ceil(likely + spread)), sums.n, members
    )


def _rounded(number: int) -> int:
    """Return the figure with three digits that count: more would claim to know more."""
    size = 10 ** max(0, len(str(number)) - 3)
    return round(number / size) * size
