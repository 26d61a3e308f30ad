"""The job that checks a file of members: every row read, compared with those before it and with the members we know."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import batched, dropwhile
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.actors import Actor
from members.copying import copy_rows
from members.identifiers import NotFound
from members.jobs import JobKind, JobRun, register_kind, start_job
from members.models import Job, MemberImport, MemberImportRow, Proposal
from members.personal_words import lasting_file_name
from members.queries import programme
from members.services.imports.fields import checked_fields, remember
from members.services.imports.files import opened
from members.services.imports.matching import Unusable, recognise, refuse_repeated
from members.services.imports.refusals import ImportFileGone, ImportIsUnderWay, ImportTooLong, SystemNameInvalid
from members.services.imports.values import BadRow, GoodRow, RowReader

CHECK: Final = "members.check_import"
PERMISSION: Final = "members.import_members"
MOST_ROWS: Final = 1_500_000
_CHUNK: Final = 2_000
_CLEARED_AT_ONCE: Final = 20_000
_ISSUER: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,29}")
_STAGED: Final = (
    "members_memberimportrow (member_import_id, number, state, external_id, full_name, phone, email, birthday, language, "
    "home_store_id, joined_at, points, cells)"
)

__all__ = ["CHECK", "PERMISSION", "Choices", "check_import", "register", "run_check"]


@dataclass(frozen=True, slots=True)
class Choices:
    """What whoever imports chooses besides the columns."""

    on_known: MemberImport.OnKnown
    issuer: str
    channel_id: int
    home_store_id: int | None
    joined_date: date
    is_quiet: bool = True

    def stored(self) -> dict[str, Any]:
        """Return what is worth remembering for the next such file."""
        return {
            "on_known": str(self.on_known), "issuer": self.issuer, "channel": self.channel_id, "home_store": self.home_store_id,
        }  # fmt: skip


def check_import(*, import_id: int, fields: Mapping[str, str], choices: Choices, by: Actor, at: datetime) -> Job:
    """Keep what the columns of an import mean, and let a job check its rows. May be repeated until it is proposed.

    Raises `NotFound`, `ImportIsUnderWay`, `ImportFileGone`, `SystemNameInvalid`, and as `checked_fields` does.
    """
    if not _ISSUER.fullmatch(choices.issuer):
        raise SystemNameInvalid
    with transaction.atomic():
        member_import = locked_import(import_id)
        if is_under_way(member_import):
            raise ImportIsUnderWay
        if not member_import.parts.exists():
            raise ImportFileGone
        chosen = checked_fields(member_import.columns, fields)
        if by.id is not None:
            remember(columns=member_import.columns, fields=chosen, choices=choices.stored(), operator_id=by.id, at=at)
        params = {"import": member_import.pk, "file": lasting_name(member_import)}
        job = start_job(kind=CHECK, title_params=params, params={"import": member_import.pk}, total=0, by=by, at=at)
        MemberImport.objects.filter(pk=member_import.pk).update(
            fields=chosen, on_known=choices.on_known, issuer=choices.issuer, channel=choices.channel_id,
            home_store=choices.home_store_id, joined_date=choices.joined_date, is_quiet=choices.is_quiet, check_job=job,
            proposal=None, checked_at=None, rows_total=0, rows_new=0, rows_known=0, rows_bad=0, points_total=0,
        )  # fmt: skip
    return job


def locked_import(import_id: int) -> MemberImport:
    """Return an import, locked until the end of the transaction. Raises `NotFound`."""
    found = MemberImport.objects.select_for_update(no_key=True).filter(pk=import_id).first()
    if found is None:
        raise NotFound
    return found


def lasting_name(member_import: MemberImport) -> str:
    """Return what the file is called where words are kept for ever: its own name may be a person's."""
    return lasting_file_name(member_import.file_name, member_import.created_at.astimezone(programme().tz))


def is_under_way(member_import: MemberImport) -> bool:
    """Whether it is being checked, waits for approval, or was carried out."""
    is_proposed = member_import.proposal is not None and member_import.proposal.state == Proposal.State.WAITING
    is_checking = member_import.check_job is not None and member_import.check_job.is_active
    return is_checking or is_proposed or member_import.job_id is not None


def run_check(run: JobRun) -> None:
    """Read every row, keep the good ones as they will be written, and tell of the others why not."""
    member_import = MemberImport.objects.get(pk=run.params["import"])
    if member_import.check_job_id != run.job.pk:
        raise ImportIsUnderWay  # another check has taken the place of this one
    if not run.cursor:
        _clear(run, member_import)
    reader = RowReader(member_import, run.job.created_at)
    done_to = run.cursor.get("row", 0)
    with opened(member_import) as rows:
        if not run.cursor.get("row") and rows.likely_rows:
            with run.chunk():
                run.set_total(rows.likely_rows)
        ahead = dropwhile(lambda row: row[0] <= done_to, rows)
        for chunk in batched(ahead, _CHUNK):
            if run.job.done + len(chunk) > MOST_ROWS:
                raise ImportTooLong(most=MOST_ROWS)
            read = [reader.read(number, cells) for number, cells in chunk]
            with run.chunk():
                _stage(run, member_import, read)
    with run.chunk() as at:
        run.set_total(run.job.done)
        MemberImport.objects.filter(pk=member_import.pk).update(checked_at=at)


def _clear(run: JobRun, member_import: MemberImport) -> None:
    """Remove the rows of an earlier check, some at a time."""
    rows = MemberImportRow.objects.filter(member_import=member_import)
    while ids := list(rows.values_list("pk", flat=True)[:_CLEARED_AT_ONCE]):
        with run.chunk():
            MemberImportRow.objects.filter(pk__in=ids).delete()


def _stage(run: JobRun, member_import: MemberImport, read: Sequence[GoodRow | BadRow]) -> None:
    good = [row for row in read if isinstance(row, GoodRow)]
    bad = [row for row in read if isinstance(row, BadRow)]
    first, last = read[0].number, read[-1].number
    copy_rows(_STAGED, (_staged(member_import.pk, row) for row in good))
    _known, unusable = recognise(member_import, first, last)
    unusable += refuse_repeated(member_import, first, last)
    for row in bad:
        run.error_row(row.cells, row.reason, number=row.number, **row.params)
    tell_unusable(run, member_import, unusable)
    failed = len(bad) + len(unusable)
    gone = {row.number for row in unusable}
    known = MemberImportRow.objects.filter(
        member_import=member_import, number__range=(first, last), state=MemberImportRow.State.KNOWN
    )
    points_of_known = 0
    known_rows = dict(known.values_list("number", "points"))
    if member_import.on_known != MemberImport.OnKnown.SKIP:
        points_of_known = sum(known_rows.values())
    points = sum(row.points for row in good if row.number not in gone and row.number not in known_rows)
    MemberImport.objects.filter(pk=member_import.pk).update(
        rows_total=F("rows_total") + len(read), rows_bad=F("rows_bad") + failed, rows_known=F("rows_known") + len(known_rows),
        rows_new=F("rows_new") + len(read) - failed - len(known_rows), points_total=F("points_total") + points + points_of_known,
    )  # fmt: skip
    if run.total and run.job.done + len(read) > run.total:
        run.set_total(run.job.done + len(read))
    run.advance(ok=len(read) - failed, failed=failed, cursor={"row": last})


def tell_unusable(run: JobRun, member_import: MemberImport, unusable: Sequence[Unusable]) -> None:
    """Keep rows that can not be used with the refused rows of the job."""
    for row in unusable:
        cells = dict(zip(member_import.columns, row.cells, strict=False))
        run.error_row(cells, row.reason, number=row.number, **row.params)


def _staged(import_id: int, row: GoodRow) -> tuple[Any, ...]:
    return (
        import_id, row.number, "new", row.external_id, row.full_name, row.phone, row.email, row.birthday, row.language,
        row.home_store_id, row.joined_at, row.points, json.dumps(row.cells, ensure_ascii=False),
    )  # fmt: skip


def _title(params: Mapping[str, Any]) -> str:
    return _("Check the members of “%(file)s”") % {"file": params["file"]}


def register() -> None:
    """Let workers check imports."""
    register_kind(
        JobKind(
            code=CHECK, label=gettext_lazy("Check of a file of members"), run=run_check, title=_title, permission=PERMISSION
        )
    )  # fmt: skip
