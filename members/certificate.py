"""The certificate of an erasure: one page that says what was erased, when, what is kept, and why.

It names nobody. Who holds it was told its number when the erasure was asked for, and proves by that whose it is. It is
drawn anew from the record each time, so nothing of it has to be kept.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from members.figures import grouped
from members.models import PrivacyRequest
from members.papers import LATIN, font_of_language
from members.queries import programme

CONTENT_TYPE: Final = "application/pdf"
# What was erased, by what the parts count; several kinds of rows may be one thing to the reader.
_ERASED: Final[tuple[tuple[Promise, tuple[str, ...]], ...]] = (
    (_("name, phone number, e-mail address and birthday"), ("memberperson",)),
    (_("ids in other systems"), ("identity", "partner_accounts")),
    (_("cards"), ("card",)),
    (_("details of the profile and preferences"), ("attributevalue", "memberpreference")),
    (_("tags"), ("membertag",)),
    (_("records of what was looked at"), ("behaviour",)),
    (_("sign-ins and devices"), ("membertoken",)),
    (_("files, refused rows and kept answers that named the person"), (
        "files", "answers", "joberrorrow", "job", "memberimportrow", "memberimport", "adjustmentbatcherror", "orderimport",
        "parkedentry", "texts",
    )),
)  # fmt: skip
#: What stays, and why. Shown before an erasure, and on its certificate.
KEPT: Final[tuple[tuple[Promise, Promise], ...]] = (
    (
        _("Orders, returns and the points ledger, under a random number that leads to nobody"),
        _("Accounts have to be kept by law, and sums that were closed must stay provable."),
    ),
    (
        _("The proofs of consent, under the same number"),
        _("Whoever processes data must be able to prove that it was allowed."),
    ),
    (_("This erasure itself: when it was asked for, when it was done, and counts"), _("So that it can be proved.")),
    (
        _("Backups, for as long as they are kept"),
        _("They are not opened for single persons; they grow old and are deleted by schedule."),
    ),
)


def certificate_of(wish: PrivacyRequest) -> bytes:
    """Return the certificate of an erasure that took place, as PDF in the active language."""
    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=24 * mm, rightMargin=24 * mm, topMargin=26 * mm, bottomMargin=20 * mm,
        title=gettext("Certificate of erasure %(number)s") % {"number": wish.number}, author=programme().name,
    )  # fmt: skip
    document.build(list(_story(wish)))
    return stream.getvalue()


def erased_words(wish: PrivacyRequest) -> list[tuple[str, str]]:
    """Return what was erased and how many records of it, in the active language; nothing for what there was none of."""
    counted = ((label, sum(wish.counts.get(kind, 0) for kind in kinds)) for label, kinds in _ERASED)
    return [
        (str(label), ngettext("%(number)s record", "%(number)s records", number) % {"number": grouped(number)})
        for label, number in counted
        if number
    ]


def _story(wish: PrivacyRequest) -> Iterator[Flowable]:
    font = font_of_language()
    plain = ParagraphStyle("plain", fontName=font, fontSize=10, leading=15, wordWrap="CJK" if font != LATIN else None)
    small = ParagraphStyle("small", parent=plain, fontSize=8.5, leading=12.5, textColor="#555555")
    head = ParagraphStyle("head", parent=plain, fontSize=19, leading=26)
    title = ParagraphStyle("title", parent=plain, fontSize=12, leading=18, spaceBefore=6 * mm)
    yield Paragraph(escape(programme().name), small)
    yield Paragraph(escape(gettext("Certificate of erasure")), head)
    yield Spacer(1, 4 * mm)
    yield _table([
        (gettext("Number"), wish.number),
        (gettext("Asked for"), _moment(wish.asked_at)),
        (gettext("Carried out"), _moment(wish.ended_at)),
    ], plain, small)  # fmt: skip
    yield Paragraph(escape(gettext("What was erased for good")), title)
    yield _table(erased_words(wish) or [(gettext("Nothing was known of the person any more."), "")], plain, small)
    given_up = [
        (gettext("points given up"), wish.counts.get("points", 0)),
        (gettext("vouchers ended"), wish.counts.get("vouchers", 0)),
    ]
    lines = [(label, grouped(number)) for label, number in given_up if number]
    if lines:
        yield Paragraph(escape(gettext("What was given up with it")), title)
        yield _table(lines, plain, small)
    yield Paragraph(escape(gettext("What is kept, and why")), title)
    for what, why in KEPT:
        yield Paragraph(escape(str(what)), plain)
        yield Paragraph(escape(str(why)), small)
        yield Spacer(1, 2 * mm)
    yield Spacer(1, 6 * mm)
    yield Paragraph(
        escape(
            gettext("This certificate names nobody. Its number was told to the person when the erasure was asked for.")
        ),
        small,
    )


def _table(rows: Sequence[tuple[str, str]], plain: ParagraphStyle, small: ParagraphStyle) -> Table:
    cells = [[Paragraph(escape(label), plain), Paragraph(escape(value), plain)] for label, value in rows]
    table = Table(cells, colWidths=[105 * mm, 57 * mm], hAlign="LEFT")
    table.setStyle([
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#cccccc"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ])  # fmt: skip
    return table


def _moment(moment: object) -> str:
    return date_format(localtime(moment, programme().tz), "DATETIME_FORMAT") if moment else "–"  # type: ignore[arg-type]
