"""Numbers of parcels from a file of the carrier: read, every row set against its order, and reported. Nothing is moved here.

Columns: order number, carrier, number of the parcel. What can be carried out goes into a job (`shipping_jobs`).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.sheets import sheet
from members.tables.lists import ListRow, read_list
from rewards.models import Redemption, RedemptionState
from rewards.order_numbers import order_no, redemption_id_of
from rewards.refusals import RewardsRefusal

MOST_ROWS: Final = 5_000
MOST_BYTES: Final = 2 * 1_048_576
LONGEST_CARRIER: Final = 40
LONGEST_NUMBER: Final = 60
_AT_ONCE: Final = 1_000
# Names of the columns as people write them; the first ones stand in the file that is handed out.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "order": ("order number", "order", "order no", "order no.", "兑换单号", "订单号", "单号", "兌換單號", "訂單號", "訂單編號"),
    "carrier": ("carrier", "courier", "快递公司", "承运商", "物流公司", "快遞公司", "物流商"),
    "tracking": (
        "tracking number", "tracking", "tracking no", "tracking no.", "parcel", "快递单号", "运单号", "物流单号", "快遞單號",
        "運單號", "物流單號", "貨運單號",
    ),
}  # fmt: skip
LABELS: Final[Mapping[str, str | Promise]] = {
    "order": _("order number"), "carrier": _("carrier"), "tracking": _("tracking number"),
}  # fmt: skip
#: What may be sent off. What is on its way already keeps its number.
OPEN: Final = (RedemptionState.PLACED, RedemptionState.PREPARING)
_PARCEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{3,59}")

NO_ORDER = _("There is no order number.")
WRONG_ORDER = _("“%(value)s” is no order number; it looks like %(example)s.")
UNKNOWN_ORDER = _("There is no order of this number.")
NOT_BY_POST = _("This order is not sent by post.")
CANCELLED = _("This order was cancelled; nothing is to be sent.")
ARRIVED = _("This order has arrived already.")
OTHER_NUMBER = _("This order is on its way already, as %(number)s.")
NO_CARRIER = _("There is no carrier.")
LONG_CARRIER = _("The name of the carrier has more than %(most)s characters.")
NO_NUMBER = _("There is no tracking number.")
WRONG_NUMBER = _("“%(value)s” is no tracking number: 4 to 60 letters, digits and hyphens.")
TWICE = _("This order stands in row %(row)s already.")
OTHERS_PARCEL = _("Row %(row)s has the same tracking number for another member.")


class TrackingFileEmpty(RewardsRefusal):
    """No rows."""

    code = "tracking_file_empty"
    status = 422
    text = _("The file has no rows.")


class TrackingFileTooLarge(RewardsRefusal):
    """More than is read at once."""

    code = "tracking_file_too_large"
    status = 422
    text = _("At most %(megabytes)s MB can be read at once.")


@dataclass(frozen=True, slots=True)
class Shipment:
    """One row that can be carried out: which order is on its way with whom, under which number."""

    number: int
    redemption_id: int
    carrier: str
    tracking_no: str

    @property
    def order_no(self) -> str:
        """The number of the order, as people read it."""
        return order_no(self.redemption_id)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that can not be carried out: its cells, in which column the trouble is, and why (see `label` and `why`).

    `said`: the column as it was called when the row was told, where only that is known.
    """

    number: int
    cells: Mapping[str, str]
    column: str
    reason: str | Promise
    params: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def label(self) -> str:
        """The column, in the active language; empty where the whole row can not be read."""
        return str(LABELS[self.column]) if self.column else self.said

    def why(self) -> str:
        """The reason in the active language."""
        return str(self.reason) % self.params if self.params else str(self.reason)


@dataclass(frozen=True, slots=True)
class TrackingReport:
    """What a file would do: orders to be sent off, rows that say what is known already, and rows that are refused."""

    shipments: tuple[Shipment, ...]
    known: int
    refused: tuple[RefusedRow, ...]

    @property
    def total(self) -> int:
        """All rows of the file."""
        return len(self.shipments) + self.known + len(self.refused)


@dataclass(slots=True)
class _Checked:
    row: ListRow
    redemption_id: int | None = None
    column: str = ""
    reason: str | Promise = ""
    params: dict[str, Any] = field(default_factory=dict)
    is_known: bool = False

    def refuse(self, column: str, reason: str | Promise, **params: Any) -> None:
        self.column, self.reason, self.params = column, reason, params

    @property
    def carrier(self) -> str:
        return plain(self.row.text("carrier"))

    @property
    def tracking_no(self) -> str:
        return _joined(self.row.text("tracking"))


def read_tracking(*, name: str, content: bytes) -> TrackingReport:
    """Return what a file of numbers of parcels would do; nothing is changed.

    Raises TrackingFileTooLarge, TrackingFileEmpty, TableError, ListTooLong, ListColumnMissing.
    """
    if len(content) > MOST_BYTES:
        raise TrackingFileTooLarge(megabytes=MOST_BYTES // 1_048_576)
    listed = read_list(name=name, content=content, columns=_names(), needed=tuple(_COLUMNS), most_rows=MOST_ROWS)
    if not listed:
        raise TrackingFileEmpty
    rows = [_Checked(row) for row in listed]
    for row in rows:
        _check_cells(row)
    orders = _orders([row.redemption_id for row in rows if row.redemption_id])
    seen: dict[int, int] = {}
    parcels: dict[str, tuple[int, int]] = {}
    for row in rows:
        if not row.reason:
            _check_order(row, orders, seen, parcels)
    return _report(rows)


def _names() -> dict[str, tuple[str, ...]]:
    """Return what people call the columns, and what the file that is handed out calls them in each language."""
    names = dict(_COLUMNS)
    for language, _name in settings.LANGUAGES:
        with override(language):
            names = {key: (*known, str(LABELS[key]).lower()) for key, known in names.items()}
    return names


def plain(text: str) -> str:
    """Return text with letters and digits of full width, as Chinese keyboards write them, made plain."""
    return unicodedata.normalize("NFKC", text).strip()


def parcel_number(text: str) -> str | None:
    """Return a tracking number as it is kept, without blanks and in capitals; None where it is none."""
    number = _joined(text)
    return number if _PARCEL.fullmatch(number) else None


def _joined(text: str) -> str:
    return plain(text).replace(" ", "").upper()


def _check_cells(row: _Checked) -> None:
    """Refuse what is wrong with a row whatever orders there are; else remember which order it means."""
    if row.row.problem:
        row.refuse("", row.row.problem, **row.row.params)
        return
    named = plain(row.row.text("order"))
    row.redemption_id = redemption_id_of(named)
    if not named:
        row.refuse("order", NO_ORDER)
    elif row.redemption_id is None:
        row.refuse("order", WRONG_ORDER, value=named[:40], example=order_no(123))
    elif not row.carrier:
        row.refuse("carrier", NO_CARRIER)
    elif len(row.carrier) > LONGEST_CARRIER:
        row.refuse("carrier", LONG_CARRIER, most=LONGEST_CARRIER)
    elif not row.tracking_no:
        row.refuse("tracking", NO_NUMBER)
    elif parcel_number(row.tracking_no) is None:
        row.refuse("tracking", WRONG_NUMBER, value=row.tracking_no[:LONGEST_NUMBER])


def _orders(ids: Sequence[int]) -> dict[int, Redemption]:
    """Return the orders of these ids: one query for each thousand."""
    found: dict[int, Redemption] = {}
    fields = ("state", "delivery", "member_id", "carrier", "tracking_no")
    for start in range(0, len(ids), _AT_ONCE):
        found |= Redemption.objects.only(*fields).in_bulk(ids[start : start + _AT_ONCE])
    return found


def _check_order(
    row: _Checked, orders: Mapping[int, Redemption], seen: dict[int, int], parcels: dict[str, tuple[int, int]]
) -> None:
    order = orders.get(row.redemption_id or 0)
    if order is None:
        row.refuse("order", UNKNOWN_ORDER)
    elif (first := seen.setdefault(order.pk, row.row.number)) != row.row.number:
        row.refuse("order", TWICE, row=first)
    elif order.delivery != Redemption.Delivery.POST:
        row.refuse("order", NOT_BY_POST)
    elif order.state in (RedemptionState.CANCELLED, RedemptionState.REFUNDED):
        row.refuse("order", CANCELLED)
    elif order.state in (RedemptionState.SHIPPED, RedemptionState.DONE) and order.tracking_no == row.tracking_no:
        row.is_known = True
    elif order.state == RedemptionState.DONE:
        row.refuse("order", ARRIVED)
    elif order.state == RedemptionState.SHIPPED:
        row.refuse("tracking", OTHER_NUMBER, number=order.tracking_no or "–")
    else:
        whose, first = parcels.setdefault(row.tracking_no, (order.member_id, row.row.number))
        if whose != order.member_id:
            row.refuse("tracking", OTHERS_PARCEL, row=first)


def _report(rows: Sequence[_Checked]) -> TrackingReport:
    return TrackingReport(
        shipments=tuple(
            Shipment(row.row.number, row.redemption_id, row.carrier, row.tracking_no)
            for row in rows
            if not row.reason and not row.is_known and row.redemption_id is not None
        ),
        known=sum(row.is_known for row in rows),
        refused=tuple(
            RefusedRow(row.row.number, dict(row.row.cells), row.column, row.reason, row.params) for row in rows if row.reason
        ),
    )  # fmt: skip


def refused_sheet(report: TrackingReport) -> bytes:
    """Return the rows that can not be carried out as a workbook, as they came, with the column and the reason beside."""
    header = (_now("Row"), *LABELS.values(), _now("Column"), _now("Why not"))
    rows = ((row.number, *(row.cells.get(key, "") for key in _COLUMNS), row.label, row.why()) for row in report.refused)
    return sheet(title=_now("Refused rows"), header=header, rows=rows)


def form_sheet(orders: Sequence[tuple[int, str]]) -> bytes:
    """Return a workbook to be filled in: a row for each order (id, reward), with room for carrier and tracking number."""
    header = (*LABELS.values(), _now("Reward"))
    return sheet(title=_now("Parcels"), header=header, rows=((order_no(pk), "", "", reward) for pk, reward in orders))
