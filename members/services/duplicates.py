"""Finding members who look like one person: all pairs at once, from what is the same between two records.

A key that many share (a placeholder for a birthday, the phone of a store) says nothing of two of them, so groups of more
than ten are passed over. What speaks for a pair adds up to its score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from members.models import DuplicatePair

Evidence = DuplicatePair.Evidence

#: What each piece of evidence is worth.
WEIGHTS: Final[Mapping[str, int]] = {
    Evidence.UNIONID: 90,
    Evidence.PHONE: 80,
    Evidence.CARD: 70,
    Evidence.EMAIL: 60,
    Evidence.IDENTITY: 55,
    Evidence.PINYIN_BIRTHDAY: 45,
    Evidence.NAME_PHONE_END: 45,
    Evidence.NAME_BIRTHDAY: 20,  # beside the sound of the name, which is then the same too
}
LEAST_SCORE: Final = 45
_LARGEST_GROUP: Final = 10
_SECONDS: Final = 300

_FIND = """
    WITH person AS (
        SELECT p.* FROM members_memberperson p JOIN members_member m ON m.id = p.member_id WHERE m.status <> 'closed'
    ), identity AS (
        SELECT i.kind, i.value, i.member_id FROM members_identity i JOIN members_member m ON m.id = i.member_id
        WHERE m.status <> 'closed'
    ), mailbox AS (
        -- What stands after a plus sign, and dots in the mailboxes of Google, do not tell mailboxes apart.
        SELECT member_id, split_part(lower(email), '@', 2) AS host, split_part(split_part(lower(email), '@', 1), '+', 1) AS name
        FROM person WHERE email IS NOT NULL
    ), keyed (evidence, key, member_id) AS (
        SELECT 'name_birthday', full_name || '|' || birthday, member_id FROM person WHERE full_name <> '' AND birthday IS NOT NULL
        UNION ALL SELECT 'pinyin_birthday', name_pinyin || '|' || birthday, member_id FROM person
            WHERE name_pinyin <> '' AND birthday IS NOT NULL
        UNION ALL SELECT 'name_phone_end', full_name || '|' || right(phone, 4), member_id FROM person
            WHERE full_name <> '' AND phone IS NOT NULL
        -- With and without a country code, or with a wrong one: the last ten digits are the same.
        UNION ALL SELECT 'phone', right(phone, 10), member_id FROM person WHERE length(phone) > 10
        UNION ALL SELECT 'phone', right(regexp_replace(value, '[^0-9]', '', 'g'), 10), member_id FROM identity
            WHERE kind = 'external' AND value ~ '^[+]?[0-9][0-9 ()-]{9,18}$'
        UNION ALL SELECT 'email', CASE WHEN host IN ('gmail.com', 'googlemail.com') THEN replace(name, '.', '') || '@gmail.com'
            ELSE name || '@' || host END, member_id FROM mailbox
        UNION ALL SELECT 'unionid', value, member_id FROM identity WHERE kind = 'wechat_unionid'
        UNION ALL SELECT 'identity', kind || '|' || lower(value), member_id FROM identity
            WHERE kind <> 'wechat_unionid' AND length(value) >= 6
        UNION ALL SELECT 'card', value, member_id FROM identity WHERE kind = 'external' AND value ~ '^[1-9][0-9]{12,16}$'
        UNION ALL SELECT 'card', c.number, c.member_id FROM members_card c JOIN members_member m ON m.id = c.member_id
            WHERE m.status <> 'closed'
    ), likeness AS (
        SELECT evidence, array_agg(DISTINCT member_id ORDER BY member_id) AS ids FROM keyed GROUP BY evidence, key
        HAVING count(DISTINCT member_id) BETWEEN 2 AND %(most)s
    ), pair AS (
        SELECT DISTINCT a.id AS first_id, b.id AS second_id, l.evidence
        FROM likeness l CROSS JOIN LATERAL unnest(l.ids) AS a (id) CROSS JOIN LATERAL unnest(l.ids) AS b (id) WHERE a.id < b.id
    ), weight AS (
        SELECT * FROM unnest(%(evidence)s::text[], %(weights)s::int[]) AS w (evidence, points)
    ), scored AS (
        SELECT first_id, second_id, least(sum(points), 100) AS score, array_agg(evidence ORDER BY points DESC, evidence) AS evidence
        FROM pair JOIN weight USING (evidence) GROUP BY first_id, second_id HAVING sum(points) >= %(least)s
    ), written AS (
        INSERT INTO members_duplicatepair AS d (first_id, second_id, score, evidence, state, found_at, seen_at, reason)
        SELECT first_id, second_id, score, evidence, 'open', %(at)s, %(at)s, '' FROM scored ORDER BY first_id, second_id
        ON CONFLICT (first_id, second_id) DO UPDATE SET
            score = excluded.score, evidence = excluded.evidence, seen_at = excluded.seen_at,
            -- Taken apart since it was merged: it is a question again.
            state = CASE WHEN d.state = 'merged' THEN 'open' ELSE d.state END,
            decided_at = CASE WHEN d.state = 'merged' THEN NULL ELSE d.decided_at END,
            decided_by_id = CASE WHEN d.state = 'merged' THEN NULL ELSE d.decided_by_id END
        RETURNING d.found_at = %(at)s AS is_new
    ), gone AS (
        DELETE FROM members_duplicatepair d
        WHERE d.state = 'open' AND NOT EXISTS (SELECT 1 FROM scored s WHERE s.first_id = d.first_id AND s.second_id = d.second_id)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM written WHERE is_new), (SELECT count(*) FROM gone)"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: pairs in all (decided ones among them), new ones, and open ones that are gone."""

    pairs: int
    new: int
    gone: int


@transaction.atomic
def find_duplicates(*, at: datetime) -> Found:
    """Find all pairs of members who look like one person, in one statement, and bring the queue in line with them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('members_duplicatepair'))")  # one search at a time
        cursor.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
        cursor.execute(
            _FIND,
            {
                "at": at, "most": _LARGEST_GROUP, "least": LEAST_SCORE, "evidence": [str(key) for key in WEIGHTS],
                "weights": list(WEIGHTS.values()),
            },
        )  # fmt: skip
        return Found(*cursor.fetchone())
