"""What the ground floor erases of a person: every row that says who it was. Files and refused rows: see `sweeping`."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.lifecycle import Obstacle
from members.models import Job, JobFile, MemberImport, PrivacyRequest
from members.services.data_copy import COPY_JOB
from members.services.exports import EXPORT
from members.services.imports.checking import CHECK
from members.services.imports.deciding import IMPORT
from members.services.imports.forgetting import lock_open_imports, refuse_rows_of
from members.services.segment_jobs import LIST
from members.services.sweeping import CHECKED_WITHIN

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
    ("members_membersession", "member_id"),  # after all that points at it
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
#: The jobs that write into files or refused rows who somebody is.
WRITES_PERSONS: Final = (EXPORT, CHECK, IMPORT, COPY_JOB, LIST)

#: The models of the ground floor with personal data of members, all of which the lines above take care of.
ERASES: Final = (
    "members.MemberPerson",
    "members.Identity",
    "members.AttributeValue",
    "members.MemberPreference",
    "members.Card",
    "members.Behaviour",
    "members.MemberSession",
    "members.WeChatBinding",
    "members.JobFile",
    "members.JobErrorRow",
    "members.MemberExportPart",
    "members.MemberImportPart",
    "members.MemberImportRow",
)


def erase_obstacles(member_id: int, at: datetime) -> list[Obstacle]:
    """Return what keeps the erasure waiting: work under way that may be writing the person into a file or bringing one in."""
    return [*work_in_the_way(WRITES_PERSONS), *_files_to_be_checked(at)]


def hold_work() -> None:
    """Keep work on files and imports from beginning until the end of the transaction.

    Imports that are still to be loaded first, then jobs: as whoever approves an import locks them.
    """
    lock_open_imports()
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE members_job IN SHARE ROW EXCLUSIVE MODE")


def work_in_the_way(kinds: Collection[str]) -> list[Obstacle]:
    """Return the obstacle that jobs of these kinds are while one of them waits or is worked at."""
    if not Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING], kind__in=kinds).exists():
        return []
    return [
        Obstacle("file_being_made", _("An export or an import is under way; it goes on as soon as that has ended."))
    ]


def _files_to_be_checked(at: datetime) -> list[Obstacle]:
    """Return the obstacle that a file is which was read and not checked yet; one that is left lying is searched."""
    lately = MemberImport.objects.filter(created_at__gt=at - CHECKED_WITHIN, checked_at__isnull=True)
    if not lately.filter(parts__isnull=False).exists():
        return []
    words = _("A file of members waits to be checked; it goes on as soon as that is done, after a day in any case.")
    return [Obstacle("file_to_be_checked", words)]


def erase(member_id: int, by: Actor, at: datetime) -> dict[str, int]:
    """Delete who the member is, and give the row that stays new names; return how many rows of which kind went."""
    counts: Counter[str] = Counter()
    counts["memberimportrow"] = refuse_rows_of(member_id)
    with connection.cursor() as cursor:
        # What was answered to the member; answers to others that name the member are searched for.
        cursor.execute("DELETE FROM members_idempotentanswer WHERE principal = %s", [f"member:{member_id}"])
        counts["answers"] = cursor.rowcount
        cursor.execute("UPDATE members_membercodedevice SET session_id = NULL WHERE member_id = %s", [member_id])
        cursor.execute(
            "DELETE FROM members_refreshtoken r USING members_membersession s "
            "WHERE s.id = r.session_id AND s.member_id = %s",
            [member_id],
        )
        cursor.execute(
            "DELETE FROM members_wechatbinding b USING members_identity i "
            "WHERE i.member_id = %s AND i.kind = 'wechat_openid' AND i.issuer = b.appid AND i.value = b.openid",
            [member_id],
        )
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
