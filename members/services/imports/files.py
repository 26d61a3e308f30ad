"""Files of members: taken in piece by piece, kept in parts, and read again by whoever works on them."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from members.actors import Actor
from members.models import Channel, MemberImport, MemberImportPart, MemberImportRow
from members.models.imports import PART_BYTES
from members.queries import programme
from members.services.imports.refusals import ImportFileGone, ImportHasTooManyColumns, ImportTooLarge
from members.tables.refused import TableError, UnreadableRow
from members.tables.rows import BOOK_SUFFIXES, TEXT_SUFFIXES, TableRows, read_rows

MOST_BYTES: Final = 256 * 1_048_576
MOST_COLUMNS: Final = 200
SAMPLES: Final = 3
#: How long a file waits to be carried out; from then on 7 days count from the end of its job.
KEPT: Final = timedelta(days=14)
DEFAULT_ISSUER: Final = "old-system"
_SAMPLE_PART: Final = 0  # parts of the file are numbered from 1
_LONGEST_SAMPLE = 60
_LONGEST_NAME = 200
_MOST_DELETED = 20_000


def take_in(*, name: str, pieces: Iterable[bytes], by: Actor, at: datetime) -> MemberImport:
    """Keep a file of members, read its header and first rows, and return the import, to be mapped next.

    The file is never held in memory as a whole. Raises `ImportTooLarge`, `ImportHasTooManyColumns`, and `TableError` for
    what is no table: then nothing is kept.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / _plain_name(name)
        size, digest = _written(path, pieces)
        with _under_its_own_name(path, name), read_rows(path) as rows:
            columns = list(rows.columns)
            if len(columns) > MOST_COLUMNS:
                raise ImportHasTooManyColumns(found=len(columns), most=MOST_COLUMNS)
            if any(len(column) > _LONGEST_NAME for column in columns):
                message = _("The name of a column has more than %(most)s characters.") % {"most": _LONGEST_NAME}
                raise TableError("bad_header", message)
            samples = _samples(rows)
        with transaction.atomic():
            made = MemberImport.objects.create(
                file_name=Path(name).name[:200], file_sha256=digest, file_bytes=size, columns=columns, issuer=DEFAULT_ISSUER,
                channel=_first_channel(), joined_date=at.astimezone(programme().tz).date(), maker_id=by.id or 0, created_at=at,
                expires_at=at + KEPT,
            )  # fmt: skip
            first = json.dumps(samples, ensure_ascii=False).encode()
            MemberImportPart.objects.create(member_import=made, number=_SAMPLE_PART, content=first)
            with path.open("rb") as file:
                for number, piece in enumerate(iter(lambda: file.read(PART_BYTES), b""), 1):
                    MemberImportPart.objects.create(member_import=made, number=number, content=piece)
    return made


def samples_of(member_import: MemberImport) -> list[dict[str, str]]:
    """Return the first rows of a file, as they stand there, shortened. They are personal data."""
    part = MemberImportPart.objects.filter(member_import=member_import, number=_SAMPLE_PART).first()
    rows = json.loads(bytes(part.content)) if part else []
    return [dict(zip(member_import.columns, cells, strict=True)) for cells in rows]


@contextmanager
def opened(member_import: MemberImport) -> Iterator[TableRows]:
    """Give the rows of the file of an import, put together in a temporary folder. Raises `ImportFileGone`, `TableError`."""
    numbers = MemberImportPart.objects.filter(member_import=member_import, number__gt=_SAMPLE_PART)
    known = list(numbers.order_by("number").values_list("number", flat=True))
    if not known:
        raise ImportFileGone
    with TemporaryDirectory() as folder:
        path = Path(folder) / _plain_name(member_import.file_name)
        with path.open("wb") as file:
            for number in known:  # one at a time: a file may be larger than what a worker may hold
                file.write(numbers.values_list("content", flat=True).get(number=number))
        with read_rows(path) as rows:
            yield rows


def earlier_import_of(member_import: MemberImport) -> MemberImport | None:
    """Return an import that brought in the very same file before, None where there is none."""
    same = MemberImport.objects.filter(file_sha256=bytes(member_import.file_sha256), job__isnull=False)
    return same.exclude(pk=member_import.pk).select_related("maker").order_by("-created_at").first()


def forget_imports(*, at: datetime, limit: int = 5) -> int:
    """Delete the files and rows of up to `limit` imports whose time is over; return of how many. The rest next time."""
    over = MemberImport.objects.filter(expires_at__lte=at)
    holding = list(over.filter(parts__isnull=False).order_by().values_list("pk", flat=True).distinct()[:limit])
    holding += list(over.filter(rows__isnull=False).order_by().values_list("pk", flat=True).distinct()[:limit])
    for import_id in dict.fromkeys(holding):
        MemberImportPart.objects.filter(member_import_id=import_id).delete()
        rows = MemberImportRow.objects.filter(member_import_id=import_id).values("pk")[:_MOST_DELETED]
        while MemberImportRow.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).delete()[0]:
            pass
    return len(set(holding))


def _plain_name(name: str) -> str:
    """Return a name for the disk. Raises `TableError` for what is neither text nor a workbook."""
    suffix = Path(name).suffix.lower()
    if suffix not in TEXT_SUFFIXES + BOOK_SUFFIXES:
        kinds = ", ".join(BOOK_SUFFIXES + TEXT_SUFFIXES)
        message = _("%(name)s is not of a known kind (%(kinds)s).") % {"name": Path(name).name, "kinds": kinds}
        raise TableError("unknown_kind", message)
    return f"members{suffix}"


def _written(path: Path, pieces: Iterable[bytes]) -> tuple[int, bytes]:
    """Write pieces to a file; return its size and fingerprint. Raises `ImportTooLarge` as soon as it is too large."""
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > MOST_BYTES:
                raise ImportTooLarge(megabytes=-(-size // 1_048_576), most=MOST_BYTES // 1_048_576)
            digest.update(piece)
            file.write(piece)
    return size, digest.digest()


def _samples(rows: TableRows) -> list[list[str]]:
    readable = (cells for _number, cells in islice(rows, 20) if not isinstance(cells, UnreadableRow))
    return [[cells[name][:_LONGEST_SAMPLE] for name in rows.columns] for cells in islice(readable, SAMPLES)]


def _first_channel() -> Channel:
    found = Channel.objects.filter(kind=Channel.Kind.IMPORT).order_by("pk").first()
    return found or Channel.objects.order_by("pk")[0]


@contextmanager
def _under_its_own_name(path: Path, name: str) -> Iterator[None]:
    """Let what can not be read be told under the name that its owner knows."""
    try:
        yield
    except TableError as error:
        raise TableError(error.problem, str(error).replace(path.name, Path(name).name)) from error
