"""What expires in a month, as a workbook."""

from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO

from django.utils.translation import gettext as _
from openpyxl import Workbook

from rewards.ending import Ending, worth


def month_workbook(endings: Sequence[Ending], *, currency: str, rate: Decimal | None, money: str) -> bytes:
    """Return an xlsx file with a row for each day, and a sum. Without a value of a point there are no amounts."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_("What expires"))
    sheet.column_dimensions["A"].width = 14
    sheet.append([_("Last day"), _("Members"), _("Lots"), f"{_('Points')} ({currency})", f"{_('Worth')} ({money})"])
    for ending in endings:
        sheet.append([ending.date, ending.members, ending.lots, ending.points, worth(ending.points, rate)])
    points = sum(ending.points for ending in endings)
    # Members are not summed: the same one may have points ending on several days.
    sheet.append([_("In all"), None, sum(ending.lots for ending in endings), points, worth(points, rate)])
    content = BytesIO()
    book.save(content)
    return content.getvalue()
