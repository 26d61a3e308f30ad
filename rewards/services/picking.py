"""The picking list: what to take from the shelf, and which order it is for, on paper with boxes to tick.

It holds names and addresses only where its caller hands them in: `fulfilment_lists` decides who may see them, and writes
down that they were seen.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from members.figures import grouped
from members.papers import font_of_names
from members.queries import programme

CONTENT_TYPE: Final = "application/pdf"
_TICK: Final = 4 * mm
_LINE: Final = "#bbbbbb"


@dataclass(frozen=True, slots=True)
class PickedOrder:
    """One order on the list: its number, when it was placed, what and how many, for whom, and where it goes.

    `name` is masked unless the caller may see names; `address` are the lines of the label, empty where they may not be seen.
    """

    order_no: str
    placed_at: datetime
    reward: str
    quantity: int
    member_no: str
    name: str = ""
    address: tuple[str, ...] = ()
    place: str = ""
    is_late: bool = False


class _Tick(Flowable):
    """A box to tick."""

    def __init__(self) -> None:
        super().__init__()
        self.width = self.height = _TICK

    def draw(self) -> None:
        """Draw it."""
        self.canv.setLineWidth(0.8)
        self.canv.rect(0, 0, _TICK, _TICK)


def pieces_by_reward(orders: Sequence[PickedOrder]) -> list[tuple[str, int, int]]:
    """Return (reward, pieces, orders) of a list, the most pieces first."""
    counted: dict[str, list[int]] = {}
    for order in orders:
        sums = counted.setdefault(order.reward, [0, 0])
        sums[0] += order.quantity
        sums[1] += 1
    rows = [(reward, pieces, number) for reward, (pieces, number) in counted.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def picking_list(orders: Sequence[PickedOrder], *, at: datetime, left: int = 0) -> bytes:
    """Return a list as PDF in the active language: first by reward, then by order. `left`: orders that did not fit on it."""
    stream = io.BytesIO()
    title = _("Picking list of %(moment)s") % {"moment": _moment(at)}
    document = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=16 * mm, rightMargin=16 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        title=title, author=programme().name,
    )  # fmt: skip
    document.build(list(_story(orders, title, left)), onFirstPage=_foot, onLaterPages=_foot)
    return stream.getvalue()


def _foot(canvas: Canvas, document: BaseDocTemplate) -> None:
    canvas.setFont(font_of_names(), 8)
    canvas.drawRightString(A4[0] - 16 * mm, 10 * mm, _("Page %(number)s") % {"number": document.page})


def _story(orders: Sequence[PickedOrder], title: str, left: int) -> Iterator[Flowable]:
    plain = ParagraphStyle("plain", fontName=font_of_names(), fontSize=9.5, leading=13, wordWrap="CJK")
    small = ParagraphStyle("small", parent=plain, fontSize=8, leading=11, textColor="#555555")
    head = ParagraphStyle("head", parent=plain, fontSize=16, leading=22)
    part = ParagraphStyle("part", parent=plain, fontSize=11.5, leading=17, spaceBefore=5 * mm, spaceAfter=1 * mm)
    yield Paragraph(escape(programme().name), small)
    yield Paragraph(escape(title), head)
    pieces = sum(order.quantity for order in orders)
    yield Paragraph(escape(_summary(len(orders), pieces)), plain)
    if left:
        words = ngettext(
            "%(orders)s more order waits and is not on this list.",
            "%(orders)s more orders wait and are not on this list.",
            left,
        )
        yield Paragraph(escape(words % {"orders": grouped(left)}), plain)
    yield Paragraph(escape(_("To take from the shelf")), part)
    by_reward = [
        [_Tick(), _cell(reward, plain), _cell(grouped(count), plain), _cell(grouped(number), plain)]
        for reward, count, number in pieces_by_reward(orders)
    ]
    yield _table(["", _("Reward"), _("Pieces"), _("Orders")], by_reward, [9 * mm, 117 * mm, 26 * mm, 26 * mm], small)
    yield Paragraph(escape(_("Order by order")), part)
    by_order = [_order_row(order, plain, small) for order in orders]
    yield _table(["", _("Order"), _("What"), _("For whom")], by_order, [9 * mm, 44 * mm, 58 * mm, 67 * mm], small)
    yield Spacer(1, 4 * mm)
    yield Paragraph(escape(_("Destroy this paper once the parcels are on their way: it names people.")), small)


def _summary(orders: int, pieces: int) -> str:
    words = ngettext("%(orders)s order, pieces: %(pieces)s.", "%(orders)s orders, pieces: %(pieces)s.", orders)
    return words % {"orders": grouped(orders), "pieces": grouped(pieces)}


def _order_row(order: PickedOrder, plain: ParagraphStyle, small: ParagraphStyle) -> list[object]:
    placed = _("placed %(day)s") % {"day": date_format(localtime(order.placed_at, programme().tz), "DATE_FORMAT")}
    if order.is_late:
        placed = _("%(placed)s, late") % {"placed": placed}
    whom = [_cell(" ".join(filter(None, (order.member_no, order.name))), plain)]
    whom += [_cell(line, plain) for line in (*order.address, order.place) if line]
    what = _("%(pieces)s × %(reward)s") % {"pieces": grouped(order.quantity), "reward": order.reward}
    return [_Tick(), [_cell(order.order_no, plain), _cell(placed, small)], _cell(what, plain), whom]


def _table(header: Sequence[str], rows: list[list[object]], widths: Sequence[float], small: ParagraphStyle) -> Table:
    cells: list[list[object]] = [[_cell(name, small) for name in header], *rows]
    table = Table(cells, colWidths=list(widths), hAlign="LEFT", repeatRows=1)
    table.setStyle([
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ])  # fmt: skip
    return table


def _cell(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text), style)


def _moment(moment: datetime) -> str:
    return date_format(localtime(moment, programme().tz), "DATETIME_FORMAT")
