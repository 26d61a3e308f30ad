"""Which rows of an import mean members that we know, and which mean a person whom an earlier row means already.

Set-based, over the rows of one chunk: a phone, an e-mail address or a number in the other system recognises a person.
Each is looked up by the list of values of the chunk, which takes its index however little the planner knows of a table
that has just begun to grow.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.models import Member, MemberImport, MemberImportRow

REPEATED: Final[dict[str, Promise]] = {
    "phone": _("Row %(earlier)s has the same phone already."),
    "email": _("Row %(earlier)s has the same e-mail address already."),
    "external_id": _("Row %(earlier)s has the same number in the other system already."),
    "member": _("Row %(earlier)s means the same member already."),
}
DISAGREES: Final = _("Phone, e-mail address and number of this row belong to different members here: %(members)s.")
HAS_LEFT: Final = _("Member %(member)s, whom this row means, has left.")
TAKEN: Final = _("Phone, e-mail address or number of this row belong to another member now: %(members)s.")

State = MemberImportRow.State

_BY_VALUE: Final[Mapping[str, str]] = {
    "phone": "SELECT phone, member_id FROM members_memberperson WHERE phone = ANY (%(values)s)",
    "email": "SELECT lower(email), member_id FROM members_memberperson WHERE lower(email) = ANY (%(values)s)",
    "external_id": "SELECT value, member_id FROM members_identity WHERE kind = 'external' AND issuer = %(issuer)s AND value = ANY (%(values)s)",
}  # fmt: skip
_EARLIEST: Final[Mapping[str, str]] = {
    "phone": "SELECT phone, min(number) FROM members_memberimportrow WHERE member_import_id = %(import)s AND phone = ANY (%(values)s) GROUP BY phone",
    "email": "SELECT lower(email), min(number) FROM members_memberimportrow WHERE member_import_id = %(import)s AND email IS NOT NULL AND lower(email) = ANY (%(values)s) GROUP BY lower(email)",
    "external_id": "SELECT external_id, min(number) FROM members_memberimportrow WHERE member_import_id = %(import)s AND external_id = ANY (%(values)s) GROUP BY external_id",
    "member": "SELECT member_id, min(number) FROM members_memberimportrow WHERE member_import_id = %(import)s AND member_id = ANY (%(values)s::bigint[]) GROUP BY member_id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that was good by itself and can not be used nevertheless: its cells, and why."""

    number: int
    cells: list[str]
    reason: Promise
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Row:
    """A good row of the span: its place, and what recognises its person."""

    id: int
    number: int
    names: Mapping[str, Any]


def recognise(member_import: MemberImport, first: int, last: int) -> tuple[int, list[Unusable]]:
    """Look whom the rows of a span mean now; return how many mean another one than before, and those that can not be used.

    New rows whose person we know become known. Known rows go on meaning whom they meant (of a merged one the survivor),
    even if nothing names that member any more; where something names somebody else by now, they are bad.
    """
    rows = _span(member_import, first, last, [State.NEW, State.KNOWN])
    before = {row.id: row.names["member"] for row in rows if row.names["member"] is not None}
    found: dict[int, set[int]] = {}
    for what, statement in _BY_VALUE.items():
        members: dict[Any, set[int]] = {}
        for value, member_id in _asked(statement, member_import, [row.names[what] for row in rows]):
            members.setdefault(value, set()).add(member_id)
        for row in rows:
            if ids := members.get(row.names[what]):
                found.setdefault(row.id, set()).update(ids)
    for row_id, member_id in before.items():
        found.setdefault(row_id, set()).add(member_id)
    people = _survivors({member_id for ids in found.values() for member_id in ids})
    known: dict[int, int] = {}
    reasons: dict[int, tuple[Promise, dict[str, Any]]] = {}
    for row_id, ids in found.items():
        meant = {people[member_id] for member_id in ids}
        if len(meant) > 1:
            others = meant - {people[before[row_id]]} if row_id in before else meant
            numbers = ", ".join(sorted(member.member_no for member in others))
            reasons[row_id] = (TAKEN if row_id in before else DISAGREES, {"members": numbers})
            continue
        member = meant.pop()
        if member.status == Member.Status.CLOSED:
            reasons[row_id] = (HAS_LEFT, {"member": member.member_no})
        elif member.pk != before.get(row_id):
            known[row_id] = member.pk
    if known:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE members_memberimportrow r SET state = 'known', member_id = x.member_id "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS x (id, member_id) WHERE r.id = x.id",
                [list(known), list(known.values())],
            )
    return len(known), _marked_bad(reasons)


def refuse_repeated(member_import: MemberImport, first: int, last: int) -> list[Unusable]:
    """Mark those rows of a span bad that mean a person of an earlier row; return them. The first row stands."""
    rows = _span(member_import, first, last, [State.NEW, State.KNOWN])
    reasons: dict[int, tuple[Promise, dict[str, Any]]] = {}
    for what, statement in _EARLIEST.items():
        earliest = dict(_asked(statement, member_import, [row.names[what] for row in rows]))
        for row in rows:
            earlier = earliest.get(row.names[what], row.number)
            if earlier < row.number and row.id not in reasons:
                reasons[row.id] = (REPEATED[what], {"earlier": earlier})
    return _marked_bad(reasons)


def owners_of(member_import: MemberImport, values: Iterable[str]) -> dict[str, Member]:
    """Return whose these phones and e-mail addresses are now, by value; addresses in small letters."""
    wanted = {value.lower() for value in values}
    found = [pair for what in ("phone", "email") for pair in _asked(_BY_VALUE[what], member_import, wanted)]
    members = Member.objects.in_bulk([member_id for _value, member_id in found])
    return {value: members[member_id] for value, member_id in found}


def _span(member_import: MemberImport, first: int, last: int, states: Collection[str]) -> list[_Row]:
    rows = MemberImportRow.objects.filter(member_import=member_import, number__range=(first, last), state__in=states)
    told = rows.order_by("number").values_list("id", "number", "phone", "email", "external_id", "member_id")
    return [
        _Row(
            row_id,
            number,
            {"phone": phone, "email": email and email.lower(), "external_id": external_id, "member": member_id},
        )
        for row_id, number, phone, email, external_id, member_id in told
    ]


def _asked(statement: str, member_import: MemberImport, values: Iterable[Any]) -> list[tuple[Any, int]]:
    """Return what a statement finds for values, of which those that are missing are left out."""
    wanted = [value for value in set(values) if value is not None]
    if not wanted:
        return []
    with connection.cursor() as cursor:
        # Without figures of a new table, the planner would read all of it, chunk after chunk.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(statement, {"values": wanted, "issuer": member_import.issuer, "import": member_import.pk})
        found = cursor.fetchall()
        cursor.execute("SET LOCAL enable_seqscan = on")
    return found


def _survivors(member_ids: Collection[int]) -> dict[int, Member]:
    """Return members by id; of one who was merged into another, that other."""
    members = Member.objects.select_related("merged_into").in_bulk(member_ids)
    return {member_id: member.merged_into or member for member_id, member in members.items()}


def _marked_bad(reasons: Mapping[int, tuple[Promise, dict[str, Any]]]) -> list[Unusable]:
    rows = MemberImportRow.objects.filter(pk__in=reasons).order_by("number")
    unusable = [Unusable(row.number, row.cells, *reasons[row.pk]) for row in rows.only("number", "cells")]
    if reasons:
        rows.update(state=State.BAD, member=None)
    return unusable
