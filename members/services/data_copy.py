"""The copy of everything that is kept of a member: one archive, with a file for machines and tables for people."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from members import lifecycle
from members.identifiers import NotFound
from members.jobs import JobKind, JobRun, register_kind
from members.models import PrivacyRequest
from members.queries import family_ids, programme
from members.sheets import safe_text
from members.timeline import NewEntry, record

COPY_JOB: Final = "members.data_copy"
RIGHT: Final = "members.handle_privacyrequest"
FORMAT_VERSION: Final = 1
#: How long the file of a copy can be fetched.
LINK_LIVES: Final = timedelta(hours=24)


def archive_of(member_ids: Sequence[int], *, at: datetime) -> bytes:
    """Return the archive for a member and the records merged into it: data.json, and a CSV for each part.

    The CSVs have headings in the active language, open in spreadsheets, and compute nothing there.
    """
    sections = [section for part in lifecycle.parts() for section in _joined(part, member_ids, at)]
    told = {
        "format": FORMAT_VERSION,
        "programme": programme().name,
        "made_at": at,
        "data": {
            section.name: [dict(zip(section.columns, row, strict=True)) for row in section.rows] for section in sections
        },
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1))
        for number, section in enumerate(sections, start=1):
            archive.writestr(f"{number:02d}-{section.name}.csv", _table(section))
    return stream.getvalue()


def register() -> None:
    """Register the job. Called once, from `AppConfig.ready()`."""
    register_kind(JobKind(COPY_JOB, _("Copy of my data"), run=_make, permission=RIGHT, files_kept=LINK_LIVES))


def _make(run: JobRun) -> None:
    """Write the archive in one step: read and kept in one transaction, so that its parts fit together."""
    if run.cursor:
        return
    with run.chunk() as at:
        wish = PrivacyRequest.objects.select_related("member").get(pk=run.params["request"])
        if wish.state != PrivacyRequest.State.WAITING:
            raise NotFound
        with override(wish.member.language):
            content = archive_of(family_ids(wish.member_id), at=at)
            name = gettext("my-data-%(day)s.zip") % {"day": at.astimezone(programme().tz).date().isoformat()}
        run.save_result(name=name, content=content, at=at)
        PrivacyRequest.objects.filter(pk=wish.pk).update(
            state=PrivacyRequest.State.DONE, ended_at=at, link_until=at + LINK_LIVES
        )
        record([NewEntry("members.copy_made.v1", wish.member_id, at, run.by, {"request": wish.pk})])
        run.advance(ok=1, cursor={"done": True})


def _joined(part: lifecycle.Part, member_ids: Sequence[int], at: datetime) -> list[lifecycle.Section]:
    """Return the sections of one part, each with the rows of all records of the person."""
    found: dict[str, lifecycle.Section] = {}
    for member_id in member_ids:
        for section in part.export(member_id, at):
            known = found.get(section.name)
            rows = [*known.rows, *section.rows] if known else section.rows
            found[section.name] = lifecycle.Section(section.name, section.title, section.columns, rows, section.labels)
    return list(found.values())


def _table(section: lifecycle.Section) -> str:
    stream = io.StringIO()
    stream.write("\ufeff")  # without it spreadsheets take the text for another encoding
    writer = csv.writer(stream)
    writer.writerow([safe_text(str(label)) for label in (section.labels or section.columns)])
    writer.writerows([_cell(value) for value in row] for row in section.rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(programme().tz).isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return safe_text("; ".join(map(str, value)))
    return safe_text(str(value))
