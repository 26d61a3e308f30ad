"""What the ground floor erases of a person: every row that says who it was, and every file and refused row that names them."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import MEMBER, public_ref
from members.lifecycle import Obstacle
from members.models import Job, JobFile, Member, PrivacyRequest
from members.personal_words import mentions_in_file, personal_words

# What is deleted, and the column that names the member.
_DELETED: Final = (
    ("members_memberperson", "member_id"),
    ("members_identity", "member_id"),
    ("members_attributevalue", "member_id"),
    ("members_memberpreference", "member_id"),
    ("members_membertoken", "member_id"),
    ("members_membertag", "member_id"),
    ("members_behaviour", "member_id"),
    ("members_ownmembership", "member_id"),
)
# What staff wrote freely, in rows that stay.
_BLANKED: Final = (
    ("members_memberfreeze", "reason", "member_id"),
    ("members_closure", "note", "member_id"),
    ("members_duplicatepair", "reason", "first_id"),
    ("members_duplicatepair", "reason", "second_id"),
    ("members_merge", "reason", "kept_id"),
    ("members_merge", "reason", "merged_id"),
    ("members_merge", "unmerged_reason", "kept_id"),
    ("members_merge", "unmerged_reason", "merged_id"),
)
# Refused rows and texts in which a person may stand, and what is done where they do.
_SEARCHED: Final = (
    ("members_joberrorrow", ("cells", "reason_params"), "DELETE FROM members_joberrorrow r"),
    ("members_parkedentry", ("error",), "UPDATE members_parkedentry r SET error = '…'"),
    ("members_job", ("message_params",), "UPDATE members_job r SET message_params = '{}', message = ''"),
    (
        "members_memberimportrow",
        ("external_id", "full_name", "phone", "email", "cells", "before"),
        "UPDATE members_memberimportrow r SET external_id = NULL, full_name = '', phone = NULL, email = NULL, "
        "birthday = NULL, cells = '[]', before = NULL",
    ),
    ("members_memberimport", ("columns", "file_name"), "UPDATE members_memberimport r SET columns = '[]', file_name = '…'"),
)  # fmt: skip
# Files in pieces: their table, and what the pieces of one file have in common.
_PIECES: Final = (("members_memberexportpart", "member_export_id"), ("members_memberimportpart", "member_import_id"))
_MOST_FILES: Final = 2_000

#: The models of the ground floor with personal data of members, all of which the lines above take care of.
ERASES: Final = (
    "members.MemberPerson",
    "members.Identity",
    "members.AttributeValue",
    "members.MemberPreference",
    "members.Card",
    "members.Behaviour",
    "members.JobFile",
    "members.JobErrorRow",
    "members.MemberExportPart",
    "members.MemberImportPart",
    "members.MemberImportRow",
)


def erase_obstacles(member_id: int, at: datetime) -> list[Obstacle]:
    """Return what keeps the erasure waiting: work under way that may be writing the person into a file."""
    active = Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    if active.filter(kind__in=("members.export", "members.check_import", "members.import", "members.data_copy")).exists():
        return [
            Obstacle("file_being_made", _("An export or an import is under way; it goes on as soon as that has ended."))
        ]
    return []


def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Delete who the member is, and give the row that stays new names; return how many rows of which kind went."""
    counts: Counter[str] = Counter()
    words = personal_words([member_id])
    member = Member.objects.get(pk=member_id)
    with connection.cursor() as cursor:
        counts["answers"] = _forget_answers(cursor, member, words)
        for table, column in _DELETED:
            cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [member_id])  # noqa: S608 - constants
            counts[table.removeprefix("members_")] += cursor.rowcount
        # A printed number that was in a person's hands is not given out again, so its row can go.
        cursor.execute("DELETE FROM members_card WHERE member_id = %s", [member_id])
        counts["card"] += cursor.rowcount
        for table, column, owner in _BLANKED:
            cursor.execute(f"UPDATE {table} SET {column} = '' WHERE {owner} = %s AND {column} <> ''", [member_id])  # noqa: S608
            counts["texts"] += cursor.rowcount
        cursor.execute(
            "UPDATE members_memberimportrow SET external_id = NULL, full_name = '', phone = NULL, email = NULL, "
            "birthday = NULL, cells = '[]', before = NULL WHERE member_id = %s",
            [member_id],
        )
        counts["memberimportrow"] += cursor.rowcount
        _end_membership(cursor, member_id, at)
    return dict(counts)


def sweep(words: Collection[str]) -> dict[str, int]:
    """Delete files and refused rows that name a person by one of the words; return how many. Outside any transaction.

    One short statement for each table, and one file in memory at a time.
    """
    counts: Counter[str] = Counter()
    for table, columns, change in _SEARCHED:
        counts[table.removeprefix("members_")] += change_where_named(table, columns, change, words)
    counts["files"] += _sweep_job_files(words)
    for table, owner in _PIECES:
        counts["files"] += _sweep_pieces(table, owner, words)
    return dict(counts)


def change_where_named(table: str, columns: Sequence[str], change: str, words: Collection[str]) -> int:
    """Run a DELETE or UPDATE of rows `r` of a table that name one of the words in these columns; return how many rows.

    Digits are compared without what stands between them, letters without regard to capitals.
    """
    text = " || ' ' || ".join(f"coalesce(r.{column}::text, '')" for column in columns)
    plain = rf"regexp_replace(lower({text}), '([0-9])[ ()./-]+(?=[0-9])', '\1', 'g')"
    named = f"EXISTS (SELECT 1 FROM unnest(%s::text[]) w WHERE position(w IN {plain}) > 0)"  # noqa: S608 - constants
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{change} WHERE {named}", [sorted(words)])
        return cursor.rowcount


def _forget_answers(cursor: Any, member: Member, words: Collection[str]) -> int:
    """Delete kept answers to the member, and those to tills that name the member. What was done keeps its own number."""
    cursor.execute(
        "DELETE FROM members_idempotentanswer a WHERE a.principal = %s OR EXISTS ("
        "SELECT 1 FROM unnest(%s::text[]) w WHERE position(w IN lower(a.answer::text || ' ' || a.key)) > 0)",
        [f"member:{member.pk}", [*sorted(words), public_ref(MEMBER, member.public_id), member.member_no]],
    )
    return int(cursor.rowcount)


def _end_membership(cursor: Any, member_id: int, at: datetime) -> None:
    """Close the membership, and cut what leads to it from outside: it gets another number and another public id."""
    cursor.execute(
        "UPDATE members_memberfreeze SET released_at = %s WHERE member_id = %s AND released_at IS NULL", [at, member_id]
    )
    cursor.execute(
        "UPDATE members_closure SET state = 'closed', closed_at = %s WHERE member_id = %s AND state = 'asked'",
        [at, member_id],
    )
    cursor.execute(
        "UPDATE members_member SET public_id = gen_random_uuid(), member_no = members_next_member_no(), status = 'closed', "
        "frozen_but_earns = false, frozen_but_spends = false, frozen_but_signs_in = false, home_region_id = NULL, "
        "profile_version = profile_version + 1 WHERE id = %s",
        [member_id],
    )
    PrivacyRequest.objects.filter(member=member_id, kind=PrivacyRequest.Kind.COPY).update(link_until=at)
    # Copies of the member's own data, whatever stands in them.
    copies = PrivacyRequest.objects.filter(member=member_id, kind=PrivacyRequest.Kind.COPY, job__isnull=False)
    JobFile.objects.filter(job__in=copies.values("job")).delete()


def _sweep_job_files(words: Collection[str]) -> int:
    gone = 0
    ids = JobFile.objects.order_by("pk").values_list("pk", flat=True)[:_MOST_FILES]
    for pk in list(ids):
        file = JobFile.objects.filter(pk=pk).first()
        if file is None:
            continue
        if mentions_in_file(file.name.encode(), words) or mentions_in_file(bytes(file.content), words):
            gone += JobFile.objects.filter(pk=pk).delete()[0]
    return gone


def _sweep_pieces(table: str, owner: str, words: Collection[str]) -> int:
    """Put the pieces of each file together, and delete them where the file names somebody."""
    gone = 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {owner} FROM {table} ORDER BY 1 LIMIT %s", [_MOST_FILES])  # noqa: S608
        for (file_id,) in cursor.fetchall():
            cursor.execute(f"SELECT content FROM {table} WHERE {owner} = %s ORDER BY number", [file_id])  # noqa: S608
            if mentions_in_file(b"".join(bytes(row[0]) for row in cursor.fetchall()), words):
                cursor.execute(f"DELETE FROM {table} WHERE {owner} = %s", [file_id])  # noqa: S608
                gone += 1
    return gone
