"""Who is erased is not brought in: the rows of imports still to be loaded that mean a person become refused rows."""

from collections import defaultdict
from typing import Any, Final

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from members.jobs import plain_reason
from members.models import Job, JobErrorRow, MemberImport, MemberImportRow

ERASED: Final = _("The person of this row asked to be erased.")
State = MemberImportRow.State

# By what recognises a person, as at the load. A name does not: somebody else may have it.
_MEANT: Final = """
    SELECT r.id, r.member_import_id, r.number, r.state, r.points FROM members_memberimportrow r
    WHERE r.state IN ('new', 'known') AND r.id IN (
        SELECT x.id FROM members_memberimportrow x WHERE x.member_id = %(member)s
        UNION
        SELECT x.id FROM members_memberperson p JOIN members_memberimportrow x ON x.phone = p.phone
        WHERE p.member_id = %(member)s AND x.member_import_id = ANY (%(imports)s)
        UNION
        SELECT x.id FROM members_memberperson p JOIN members_memberimportrow x ON lower(x.email) = lower(p.email)
        WHERE p.member_id = %(member)s AND x.member_import_id = ANY (%(imports)s)
        UNION
        SELECT x.id FROM members_identity n
        JOIN members_memberimport i ON i.issuer = n.issuer AND i.id = ANY (%(imports)s)
        JOIN members_memberimportrow x ON x.member_import_id = i.id AND x.external_id = n.value
        WHERE n.member_id = %(member)s AND n.kind = 'external')
    ORDER BY r.id FOR NO KEY UPDATE OF r"""
_REFUSE: Final = """
    UPDATE members_memberimportrow SET state = 'bad', member_id = NULL, external_id = NULL, full_name = '', phone = NULL,
        email = NULL, birthday = NULL, points = 0, cells = '[]', before = NULL
    WHERE id = ANY (%s)"""


def lock_open_imports() -> None:
    """Keep imports that are still to be loaded as they are until the end of the transaction."""
    list(_open_imports().select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk"))


def refuse_rows_of(member_id: int) -> int:
    """Refuse the rows still to be loaded that mean a member, whose personal data stands yet; return how many.

    Nothing of the person stays in them, the figures of their imports no longer count them, and the report says why.
    """
    imports = {one.pk: one for one in _open_imports()}
    if not imports:
        return 0
    with connection.cursor() as cursor:
        # Without figures of a table that has just grown, the planner would read all of it.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(_MEANT, {"member": member_id, "imports": list(imports)})
        meant = cursor.fetchall()
        cursor.execute("SET LOCAL enable_seqscan = on")
        cursor.execute(_REFUSE, [[row[0] for row in meant]])
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    for _row_id, import_id, *told in meant:
        rows[import_id].append(told)
    for import_id, told in rows.items():
        _tell(imports[import_id], told)
    return len(meant)


def _open_imports() -> QuerySet[MemberImport]:
    return MemberImport.objects.filter(Q(job__isnull=True) | ~Q(job__state=Job.State.DONE), checked_at__isnull=False)


def _tell(member_import: MemberImport, rows: list[Any]) -> None:
    """Take rows (number, state, points) off the figures of an import, and tell of them among those that were refused."""
    known = sum(state == State.KNOWN for _number, state, _points in rows)
    counts_known = member_import.on_known != MemberImport.OnKnown.SKIP
    points = sum(points for _number, state, points in rows if state == State.NEW or counts_known)
    # A row whose person joined since was counted as a new one.
    off_known = min(known, member_import.rows_known)
    member_import.rows_known -= off_known
    member_import.rows_new = max(member_import.rows_new - (len(rows) - off_known), 0)
    most_bad = member_import.rows_total - member_import.rows_new - member_import.rows_known
    member_import.rows_bad = min(member_import.rows_bad + len(rows), most_bad)
    member_import.points_total = max(member_import.points_total - points, 0)
    member_import.save(update_fields=["rows_known", "rows_new", "rows_bad", "points_total"])
    if member_import.job_id is not None:  # it was stopped, and has so many fewer to load
        job = Job.objects.filter(pk=member_import.job_id, total__gt=0)
        job.update(total=Greatest(F("total") - len(rows), F("done"), 1))
    if member_import.check_job_id is not None:
        words, params = plain_reason(ERASED)
        JobErrorRow.objects.bulk_create(
            [
                JobErrorRow(
                    job_id=member_import.check_job_id, number=number, cells=[], reason=words, reason_params=params
                )
                for number, _state, _points in rows
            ],
            ignore_conflicts=True,
        )
