"""A programme of a million members, made by the database itself: persons, balances and tiers, without a history before them."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from members.actors import SYSTEM
from members.models import Brand, Channel, Store
from members.names import search_keys
from rewards import ledger
from rewards.ledger_batch import post_batch

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
GIVEN = "伟芳娜秀敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰萍红梅鑫波浩宇轩欣怡佳琪雨桐子涵"
STORES = 12
BEGAN = datetime(2019, 1, 1, tzinfo=UTC)
PHONE_BASE = 13_000_000_000

_MEMBERS = """
INSERT INTO members_member (id, joined_at, channel_id, home_store_id, status)
SELECT n, %(began)s::timestamptz + (n * interval '3 minutes 51 seconds'), %(channel)s, %(store)s + n %% %(stores)s,
       CASE WHEN n %% 200 = 0 THEN 'frozen' WHEN n %% 330 = 0 THEN 'closed' ELSE 'active' END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""

# The number of a member scattered over the names: neighbours in time are no neighbours by name.
_PERSONS = """
INSERT INTO members_memberperson (member_id, full_name, name_pinyin, name_initials, phone, email, birthday)
SELECT n, s.sign || a.sign || coalesce(b.sign, ''), s.pinyin || a.pinyin || coalesce(b.pinyin, ''),
       left(s.pinyin, 1) || left(a.pinyin, 1) || coalesce(left(b.pinyin, 1), ''),
       '+86' || (%(phones)s + n * 7919 %% 9000000000), 'member' || n || '@example.com', DATE '1960-01-01' + (n * 31 %% 17000)::int
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
CROSS JOIN LATERAL (SELECT (n * 2654435761 %% 4294967296)::bigint AS h) AS scattered
JOIN signs s ON s.kind = 's' AND s.place = h %% %(surnames)s
JOIN signs a ON a.kind = 'g' AND a.place = h / 31 %% %(given)s
LEFT JOIN signs b ON b.kind = 'g' AND b.place = h / 1009 %% %(given)s AND n %% 3 <> 0
"""

_STANDINGS = """
INSERT INTO loyalty_tierstanding (member_id, tier_id, since_at, valid_until)
SELECT n, t.id, now() - (n %% 300) * interval '1 day', date_trunc('month', now()) + (1 + n %% 12) * interval '1 month'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN loyalty_tier t ON t.rank = CASE WHEN n %% 50 = 0 THEN 3 WHEN n %% 12 = 0 THEN 2 WHEN n %% 4 = 0 THEN 1 END
"""

_OPENING = """
INSERT INTO ledger_batch (ord, kind, member_id, currency_id, points, source, natural_key, happened_at, actor_kind, reason, tier_code, trace)
SELECT n, 1, n, %(currency)s, 0, 'opening', n::text, now() - (n %% 300) * interval '1 day', 'system', '', '', '{"v":1}'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""

_LOTS = """
INSERT INTO ledger_batch_lot (ord, n, points, origin, available_at, expires_at)
SELECT n, 0, 1 + n * 37 %% 5000, 7, now() - (n %% 300) * interval '1 day', now() + (30 + n %% 365) * interval '1 day'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""


def make_members(count: int, *, chunk: int = 50_000) -> None:
    """Make so many members in an empty database, each with a name, a phone, an opening balance and most with a tier.

    The figures follow from a member's number, so every run makes the same; `phone_of` tells a member's phone.
    """
    brand = Brand.objects.create(code="house", name="House")
    stores = [
        Store.objects.create(code=f"S{place:02}", name=f"{place} 店", city="上海", brand=brand)
        for place in range(STORES)
    ]
    values: dict[str, Any] = {
        "channel": Channel.objects.get(code="till").pk, "store": stores[0].pk, "stores": STORES, "began": BEGAN, "phones": PHONE_BASE,
        "surnames": len(SURNAMES), "given": len(GIVEN), "currency": ledger.currency_id(),
    }  # fmt: skip
    _make_signs()
    for first in range(1, count + 1, chunk):
        _make_chunk(values | {"first": first, "last": min(first + chunk - 1, count)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('members_member', 'id'), %s)", [count])
        cursor.execute("DROP TABLE signs")
        cursor.execute("VACUUM (ANALYZE)")


def phone_of(number: int) -> str:
    """Return the phone of the member with this id, without the country code."""
    return str(PHONE_BASE + number * 7919 % 9_000_000_000)


def _make_signs() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE signs (kind text, place bigint, sign text, pinyin text, PRIMARY KEY (kind, place))"
        )
        for kind, signs in (("s", SURNAMES), ("g", GIVEN)):
            rows = [(kind, place, sign, search_keys(sign)[0]) for place, sign in enumerate(signs)]
            cursor.executemany("INSERT INTO signs VALUES (%s, %s, %s, %s)", rows)
        cursor.execute("ANALYZE signs")


@transaction.atomic
def _make_chunk(values: dict[str, Any]) -> None:
    post_batch([], by=SYSTEM)  # makes the tables that the posting function reads
    with connection.cursor() as cursor:
        # Every row refers to rows of the same chunk; fifteen million look-ups of foreign keys would show nothing new.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")  # a chunk is large, and others may use the machine
        for statement in (_MEMBERS, _PERSONS, _STANDINGS, _OPENING, _LOTS):
            cursor.execute(statement, values)
        cursor.execute("ANALYZE ledger_batch, ledger_batch_lot")
        cursor.execute("SELECT count(*) FROM ledger_post_batch()")
