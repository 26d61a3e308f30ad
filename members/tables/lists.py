"""Short lists that staff upload: columns found under the names people give them, rows with their cells by ours.

A list is read whole, up to a number of rows; imports of any length go through `members.services.imports`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal
from members.tables.refused import READING_REASONS, TableError, UnreadableRow
from members.tables.rows import read_rows
from members.tables.workbooks import RoundedNumber
from members.wording import enumerated

MOST_CELL: Final = 200
_ROUNDED: Final = _(
    "“%(value)s” is a number of more digits than Excel keeps. Format the column as text and put the number in again."
)


class ListTooLong(MembersRefusal):
    """More rows than are read at once."""

    code = "list_too_long"
    status = 422
    text = _("The list has more than %(rows)s rows. Please divide it.")


class ListColumnMissing(MembersRefusal):
    """A column that is needed is not there."""

    code = "list_column_missing"
    status = 422
    text = _("The list has no column for: %(missing)s.")


@dataclass(slots=True)
class ListRow:
    """A row: its number in the file, its cells by our names of the columns, and what made it unreadable, if anything did."""

    number: int
    cells: dict[str, str]
    problem: str | Promise = ""
    params: dict[str, str] = field(default_factory=dict)

    def text(self, column: str) -> str:
        """Return a cell without blanks around and doubled within; empty where there is none."""
        return " ".join(self.cells.get(column, "").split())


def read_list(
    *, name: str, content: bytes, columns: Mapping[str, Sequence[str]], needed: Collection[str], most_rows: int,
    most_cell: int = MOST_CELL,
) -> list[ListRow]:  # fmt: skip
    """Return the rows of an uploaded list. `columns`: the names, in small letters, that people give each of ours.

    Of a cell at most `most_cell` characters are kept. A number that Excel has rounded is a problem of its row.
    Raises TableError, ListTooLong, ListColumnMissing.
    """
    found: list[ListRow] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"list{Path(name).suffix.lower() or '.csv'}"
        path.write_bytes(content)
        try:
            with read_rows(path) as rows:
                ours = _our_columns(rows.columns, columns, needed)
                for number, cells in rows:
                    found.append(_row(number, cells, ours, most_cell))
                    if len(found) > most_rows:
                        raise ListTooLong(rows=most_rows)
        except TableError as error:
            raise TableError(error.problem, str(error).replace(path.name, Path(name).name)) from error
    return found


def _our_columns(found: Sequence[str], columns: Mapping[str, Sequence[str]], needed: Collection[str]) -> dict[str, str]:
    ours: dict[str, str] = {}
    for column in found:
        plain = column.strip().lower()
        for key, names in columns.items():
            if plain in names and key not in ours.values():
                ours[column] = key
    missing = [key for key in columns if key in needed and key not in ours.values()]
    if missing:
        raise ListColumnMissing(missing=enumerated([columns[key][0] for key in missing]))
    return ours


def _row(number: int, cells: dict[str, str], ours: Mapping[str, str], most_cell: int) -> ListRow:
    kept = {ours[key]: value[:most_cell] for key, value in cells.items() if key in ours}
    if isinstance(cells, UnreadableRow):
        params = {name: str(value)[:MOST_CELL] for name, value in cells.params.items()}
        return ListRow(number, kept, READING_REASONS[cells.code], params)
    rounded = next((value for key, value in cells.items() if key in ours and isinstance(value, RoundedNumber)), None)
    if rounded is not None:
        return ListRow(number, kept, _ROUNDED, {"value": rounded[:MOST_CELL]})
    return ListRow(number, kept)
