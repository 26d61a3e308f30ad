"""A workbook of one sheet, written in steps: each step makes finished rows, and the last one puts them together.

For long work that may be stopped between two steps and go on in another process; openpyxl begins anew each time. The rows
are plain SpreadsheetML, as ECMA-376 has it.
"""

import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

from members.sheets import safe_text

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PARTS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_TYPES: Final = (
    f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>"
)
_RELATIONS: Final = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_PARTS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_BOOK_RELATIONS: Final = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_PARTS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_PARTS}/styles" Target="styles.xml"/></Relationships>'
)
# Style 0 is plain, 1 is bold.
_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf xfId="0"/><xf fontId="1" applyFont="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def rows_part(rows: Iterable[Sequence[Any]], *, is_bold: bool = False) -> bytes:
    """Return finished rows: numbers as numbers, everything else as text that no spreadsheet takes for a formula."""
    style = ' s="1"' if is_bold else ""
    return "".join(f"<row>{''.join(_cell(value, style) for value in row)}</row>" for row in rows).encode()


def book(*, title: str, notes: Sequence[str], header: Sequence[object], parts: Iterable[bytes]) -> bytes:
    """Return an xlsx file: notes at its top and on each printed page, the header in bold, and the rows of all parts."""
    name = escape(re.sub(r"[\[\]:*?/\\]", " ", title)[:31].strip() or "1", {'"': "&quot;"})
    frozen = len(notes) + 1
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
        package.writestr("[Content_Types].xml", _TYPES)
        package.writestr("_rels/.rels", _RELATIONS)
        package.writestr("xl/_rels/workbook.xml.rels", _BOOK_RELATIONS)
        package.writestr("xl/styles.xml", _STYLES)
        package.writestr(
            "xl/workbook.xml",
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_PARTS}"><sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        with package.open("xl/worksheets/sheet1.xml", "w") as page:
            page.write(
                f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
                f'<pane ySplit="{frozen}" topLeftCell="A{frozen + 1}" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
                f'<cols><col min="1" max="{max(len(header), 1)}" width="18" customWidth="1"/></cols><sheetData>'.encode()
            )
            page.write(rows_part([[note] for note in notes]))
            page.write(rows_part([[str(name) for name in header]], is_bold=True))
            for part in parts:
                page.write(part)
            footer = escape(" ".join(notes)[:200].replace("&", "&&"))  # Excel takes 255 characters
            printed = f"<headerFooter><oddFooter>&amp;L{footer}</oddFooter></headerFooter>" if footer else ""
            page.write(f"</sheetData>{printed}</worksheet>".encode())
    return stream.getvalue()


def _cell(value: Any, style: str) -> str:
    if value is None or value == "":
        return f"<c{style}/>"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"<c{style}><v>{value}</v></c>"
    text = (
        value.isoformat(sep=" ")
        if isinstance(value, datetime)
        else value.isoformat()
        if isinstance(value, date)
        else str(value)
    )
    return f'<c{style} t="inlineStr"><is><t xml:space="preserve">{escape(safe_text(text))}</t></is></c>'
