"""Orders, behaviour and timeline for a programme of many members, made by the database itself, as plain rows."""

from typing import Any

from django.db import connection, transaction

# Three in ten members bought in the year, most of them lately; amounts and days follow from the member's number.
_PURCHASES = """
INSERT INTO rewards_purchase (source, external_order_no, fingerprint, member_id, channel_id, ordered_at, total_amount, eligible_amount)
SELECT 'made', n || '-' || o, decode(md5(n || '-' || o), 'hex'), n, %(channel)s,
    now() - ((n * 7919 + o * 104729) %% 31536000) * interval '1 second', 20 + (n * 31 + o * 17) %% 400, 20 + (n * 31 + o * 17) %% 400
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL generate_series(1, CASE WHEN n %% 10 < 3 THEN 1 + (n %% 9)::int ELSE 0 END) o
"""
_ACTIVITIES = """
INSERT INTO members_activity (member_id, kind, source, external_ref, happened_at)
SELECT n, CASE WHEN o %% 2 = 0 THEN 'check_in' ELSE 'review' END, 'made', n || '-' || o,
    now() - ((n * 6271 + o * 15485863) %% 15768000) * interval '1 second'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL generate_series(1, CASE WHEN n %% 7 = 0 THEN 6 ELSE 0 END) o
"""
_TIMELINE = """
INSERT INTO members_timelineentry (kind, member_id, happened_at, actor_kind, payload)
SELECT 'members.enrolled.v1', n, now() - (n %% 300) * interval '1 day' - o * interval '1 hour', 'system', '{}'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n CROSS JOIN generate_series(1, %(entries)s) o
"""


def make_histories(members: int, *, entries: int, channel_id: int, chunk: int = 50_000) -> None:
    """Give the members 1 to `members` orders and behaviour, and each so many entries on the timeline."""
    for first in range(1, members + 1, chunk):
        values: dict[str, Any] = {
            "first": first, "last": min(first + chunk - 1, members), "channel": channel_id, "entries": entries,
        }  # fmt: skip
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in (_PURCHASES, _ACTIVITIES, _TIMELINE):
                cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
