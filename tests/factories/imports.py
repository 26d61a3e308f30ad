"""Files of members of another system, and imports of them at each stage."""

import csv
from collections.abc import Sequence
from datetime import date, datetime
from io import BytesIO, StringIO
from typing import Any

from openpyxl import Workbook

from members.models import Channel, Job, MemberImport, Operator
from members.proposals import approve
from members.services.imports.checking import Choices, check_import
from members.services.imports.deciding import propose_import
from members.services.imports.fields import guess
from members.services.imports.files import take_in
from members.services.jobs import run_job
from tests.factories.portal import an_operator
from tests.factories.work import Clock, actor, an_approver

HEADER = ("会员号", "姓名", "手机", "邮箱", "生日", "入会日期", "积分")


def may(operator: Operator, *permissions: str) -> Operator:
    """Give an operator permissions, whatever the roles have."""
    for name in permissions:
        app, codename = name.split(".")
        found = operator.user_permissions.model.objects.get(content_type__app_label=app, codename=codename)
        operator.user_permissions.add(found)
    return Operator.objects.get(pk=operator.pk)  # permissions are kept per object


def an_importer() -> Operator:
    """Return somebody who may import members."""
    return may(an_operator("administrator"), "members.import_members")


def an_import_approver() -> Operator:
    """Return a colleague who may approve imports."""
    return may(an_approver("administrator"), "members.import_members")


def csv_of(rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER, encoding: str = "utf-8") -> bytes:
    """Return a csv file of rows."""
    stream = StringIO()
    csv.writer(stream, lineterminator="\n").writerows((header, *rows))
    return stream.getvalue().encode(encoding)


def book_of(rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER, merge: str = "") -> bytes:
    """Return an xlsx file of rows; `merge` is a range of cells that are merged."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(list(header))
    for row in rows:
        page.append(list(row))
    if merge:
        page.merge_cells(merge)
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def an_import(content: bytes, *, at: datetime, name: str = "members.csv", by: Operator | None = None) -> MemberImport:
    """Take a file in."""
    return take_in(name=name, pieces=[content], by=actor(by or an_importer()), at=at)


def choices(**wanted: Any) -> Choices:
    """Return what is chosen besides the columns."""
    usual: dict[str, Any] = {
        "on_known": MemberImport.OnKnown.SKIP, "issuer": "old-pos", "channel_id": Channel.objects.get(code="import").pk,
        "home_store_id": None, "joined_date": date(2026, 1, 1),
    }  # fmt: skip
    return Choices(**{**usual, **wanted})


def checked(
    member_import: MemberImport, *, at: datetime, fields: dict[str, str] | None = None, **wanted: Any
) -> MemberImport:
    """Check an import by its job, and return it as it is then."""
    job = check_import(
        import_id=member_import.pk, fields=fields or guess(member_import.columns), choices=choices(**wanted),
        by=actor(Operator.objects.get(pk=member_import.maker_id)), at=at,
    )  # fmt: skip
    work(job, at)
    return MemberImport.objects.get(pk=member_import.pk)


def approved(member_import: MemberImport, *, at: datetime) -> Job:
    """Propose an import and have it approved; return its job, which waits."""
    maker = Operator.objects.get(pk=member_import.maker_id)
    outcome = propose_import(import_id=member_import.pk, reason="New members", by=actor(maker), at=at)
    while outcome.waiting:  # large balances need two people
        outcome = approve(proposal_id=outcome.proposal_id, by=actor(an_import_approver()), at=at)
    job = MemberImport.objects.select_related("job").get(pk=member_import.pk).job
    assert job is not None
    return job


def loaded(content: bytes, *, at: datetime, name: str = "members.csv", **wanted: Any) -> MemberImport:
    """Bring a file in, from the file to the end of the job."""
    member_import = checked(an_import(content, at=at, name=name), at=at, **wanted)
    work(approved(member_import, at=at), at)
    return MemberImport.objects.select_related("job", "check_job").get(pk=member_import.pk)


def work(job: Job, at: datetime) -> str:
    """Let a worker work at a job; return its state then."""
    return run_job(job_id=job.pk, worker="one", clock=Clock(at))
