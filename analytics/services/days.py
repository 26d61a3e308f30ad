"""Adds what happened to the figures of days."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from django.db import connection

from analytics.projections import FIGURES, Day, Fold, Increment, fold
from members.models import TimelineEntry
from members.queries import programme
from rewards.ledger import currency_id

READER = "analytics.days"

_ADD_BUYERS = """
INSERT INTO analytics_memberday (date, member_id, store_id)
SELECT * FROM unnest(%s::date[], %s::bigint[], %s::bigint[])
ON CONFLICT DO NOTHING
RETURNING date, store_id
"""

_ARRAYS = ", ".join("%s::numeric[]" if name.endswith("_amount") else "%s::bigint[]" for name in FIGURES)
_SUMS = ", ".join(f"{name} = analytics_dayfigures.{name} + excluded.{name}" for name in FIGURES)
_ADD_FIGURES = f"""
INSERT INTO analytics_dayfigures (date, store_id, {", ".join(FIGURES)})
SELECT * FROM unnest(%s::date[], %s::bigint[], {_ARRAYS})
ON CONFLICT (date, store_id) DO UPDATE SET {_SUMS}
"""  # noqa: S608 (names of our own fields)


def add_to_days(*, entries: Sequence[TimelineEntry]) -> None:
    """Add entries, in reading order, to the figures of their days: two statements, however many entries there are.

    Each entry counts as often as it is given. It is given once, because the reader's cursor moves in this transaction.
    """
    found = fold(entries, programme().tz, default_currency=currency_id())
    for (day, store_id), number in _new_buyers(found).items():
        found.of(day, store_id).members_active += number
    _add(found.increments)


def _new_buyers(found: Fold) -> Mapping[Day, int]:
    """Note who bought on which day; return how many of them had not bought on it before, by day and store."""
    if not found.buyers:
        return {}
    rows = sorted(found.buyers.items(), key=lambda item: item[0])
    dates: list[date] = [day for (day, _member_id), _store_id in rows]
    member_ids = [member_id for (_day, member_id), _store_id in rows]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_BUYERS, [dates, member_ids, [store_id for _key, store_id in rows]])
        return Counter(cursor.fetchall())


def _add(increments: Mapping[Day, Increment]) -> None:
    if not increments:
        return
    # One order for all, so that nobody who adds to the same days waits in a circle.
    rows = sorted(increments.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    columns: list[list[object]] = [[day for (day, _), _ in rows], [store_id for (_, store_id), _ in rows]]
    columns += [[getattr(increment, name) for _, increment in rows] for name in FIGURES]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_FIGURES, columns)
