"""Which rows of an import mean members that we know, and which mean a person whom an earlier row means already.

Set-based, over the rows of one chunk: a phone, an e-mail address or a number in the other system recognises a person.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.models import MemberImport

REPEATED: Final[dict[str, Promise]] = {
    "phone": _("Row %(row)s has the same phone already."),
    "email": _("Row %(row)s has the same e-mail address already."),
    "external_id": _("Row %(row)s has the same number in the other system already."),
    "member": _("Row %(row)s means the same member already."),
}
DISAGREES: Final = _("Phone, e-mail address and number of this row belong to different members here: %(members)s.")
HAS_LEFT: Final = _("Member %(member)s, whom this row means, has left.")

_KNOWN = """
    WITH asked AS (
        SELECT id, phone, lower(email) AS email, external_id FROM members_memberimportrow
        WHERE member_import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s AND state = 'new'
    ), found AS (
        SELECT a.id, p.member_id FROM asked a JOIN members_memberperson p ON p.phone = a.phone
        UNION SELECT a.id, p.member_id FROM asked a JOIN members_memberperson p ON lower(p.email) = a.email
        UNION SELECT a.id, i.member_id FROM asked a
            JOIN members_identity i ON i.kind = 'external' AND i.issuer = %(issuer)s AND i.value = a.external_id
    ), meant AS (
        SELECT f.id, min(m.id) AS member_id, count(DISTINCT m.id) AS members, bool_or(m.status = 'closed') AS has_left,
            string_agg(DISTINCT m.member_no, ', ' ORDER BY m.member_no) AS numbers
        FROM found f
        JOIN members_member o ON o.id = f.member_id
        JOIN members_member m ON m.id = coalesce(o.merged_into_id, o.id)
        GROUP BY f.id
    )
    UPDATE members_memberimportrow r
    SET state = CASE WHEN x.members > 1 OR x.has_left THEN 'bad' ELSE 'known' END,
        member_id = CASE WHEN x.members > 1 OR x.has_left THEN NULL ELSE x.member_id END
    FROM meant x WHERE x.id = r.id
    RETURNING r.number, r.state, x.members, x.numbers, r.cells"""

_REPEATED = """
    WITH asked AS (
        SELECT id, number, phone, lower(email) AS email, external_id, member_id FROM members_memberimportrow
        WHERE member_import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s AND state <> 'bad'
    ), earlier AS (
        SELECT a.id, 1 AS rank, 'phone' AS what, min(e.number) AS number FROM asked a
            JOIN members_memberimportrow e ON e.member_import_id = %(import)s AND e.phone = a.phone AND e.number < a.number GROUP BY a.id
        UNION ALL SELECT a.id, 2, 'email', min(e.number) FROM asked a
            JOIN members_memberimportrow e ON e.member_import_id = %(import)s AND lower(e.email) = a.email AND e.email IS NOT NULL
                AND e.number < a.number GROUP BY a.id
        UNION ALL SELECT a.id, 3, 'external_id', min(e.number) FROM asked a
            JOIN members_memberimportrow e ON e.member_import_id = %(import)s AND e.external_id = a.external_id
                AND e.number < a.number GROUP BY a.id
        UNION ALL SELECT a.id, 4, 'member', min(e.number) FROM asked a
            JOIN members_memberimportrow e ON e.member_import_id = %(import)s AND e.member_id = a.member_id
                AND e.number < a.number GROUP BY a.id
    ), one AS (
        SELECT DISTINCT ON (id) id, what, number FROM earlier ORDER BY id, rank
    )
    UPDATE members_memberimportrow r SET state = 'bad', member_id = NULL FROM one o WHERE o.id = r.id
    RETURNING r.number, o.what, o.number, r.cells"""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that was good by itself and can not be used nevertheless: its cells, and why."""

    number: int
    cells: list[str]
    reason: Promise
    params: dict[str, Any]


def recognise(member_import: MemberImport, first: int, last: int) -> list[Unusable]:
    """Mark those new rows of a span whose person we know; return those that can not be used, which are marked bad."""
    unusable = []
    for number, state, members, numbers, cells in _rows(_KNOWN, member_import, first, last):
        if state == "bad" and members > 1:
            unusable.append(Unusable(number, _cells(cells), DISAGREES, {"members": numbers}))
        elif state == "bad":
            unusable.append(Unusable(number, _cells(cells), HAS_LEFT, {"member": numbers}))
    return unusable


def refuse_repeated(member_import: MemberImport, first: int, last: int) -> list[Unusable]:
    """Mark those rows of a span bad that mean a person of an earlier row; return them. The first row stands."""
    rows = _rows(_REPEATED, member_import, first, last)
    return [Unusable(number, _cells(cells), REPEATED[what], {"row": earlier}) for number, what, earlier, cells in rows]


def _rows(statement: str, member_import: MemberImport, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    params = {"import": member_import.pk, "first": first, "last": last, "issuer": member_import.issuer}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        yield from cursor.fetchall()


def _cells(stored: Any) -> list[str]:
    return json.loads(stored) if isinstance(stored, str) else stored
