"""Numbers of orders, files of tracking numbers and picking lists: what is read, what is refused, what is on the paper."""

import re
from io import BytesIO

import pytest
from django.utils.translation import override
from openpyxl import load_workbook
from reportlab import rl_config

from members.tables.lists import ListColumnMissing, ListTooLong
from members.tables.refused import TableError
from rewards.models import Redemption, RedemptionEvent
from rewards.order_numbers import order_no, redemption_id_of
from rewards.services import tracking_files
from rewards.services.picking import PickedOrder, picking_list, pieces_by_reward
from rewards.services.tracking_files import (
    TrackingFileEmpty,
    TrackingReport,
    form_sheet,
    parcel_number,
    read_tracking,
    refused_sheet,
)
from tests.factories.fulfilment import a_pickup, an_order
from tests.factories.orders import NOON
from tests.factories.people import a_member, a_store

HEADER = "order number,carrier,tracking number"


def read(*lines: str, header: str = HEADER, name: str = "list.csv") -> TrackingReport:
    return read_tracking(name=name, content="\n".join([header, *lines]).encode())


def why(report: TrackingReport) -> list[tuple[int, str, str]]:
    with override("en"):
        return [(row.number, row.label, row.why()) for row in report.refused]


class TestAnOrderNumber:
    @pytest.mark.parametrize("number", [1, 42, 123_456, 9_999_999_999])
    def test_is_read_back_however_it_was_typed(self, number: int) -> None:
        text = order_no(number)
        for typed in (text, text.lower(), text.replace("-", ""), text.replace("-", " "), text.replace("-", "－")):
            assert redemption_id_of(typed) == number

    @pytest.mark.parametrize(
        "text", ["", "R", "R-000123-1", "R-000132-0", "123", "X-000123-0", "R" + "9" * 40, "R-000000-0"]
    )
    def test_that_was_typed_wrongly_is_none(self, text: str) -> None:
        assert redemption_id_of(text) is None

    @pytest.mark.parametrize(
        ("typed", "kept"), [(" sf 123-4 ", "SF123-4"), ("ＳＦ１２３４", "SF1234"), ("1.2E+14", None), ("a", None)]
    )
    def test_of_a_parcel_is_kept_plain(self, typed: str, kept: str | None) -> None:
        assert parcel_number(typed) == kept


@pytest.mark.django_db
class TestAFileOfTrackingNumbers:
    def test_names_row_column_and_reason_of_what_it_refuses_and_changes_nothing(self) -> None:
        store, member = a_store(), a_member()
        new, twin = an_order(at=NOON, member=member), an_order(at=NOON, member=member)
        sent = an_order(at=NOON, state="shipped", carrier="SF", tracking_no="SF1")
        done = an_order(at=NOON, state="done", carrier="SF", tracking_no="SF2")
        pickup, other = a_pickup(store, at=NOON), an_order(at=NOON)
        steps = RedemptionEvent.objects.count()

        report = read(
            f"{order_no(new.pk)},SF Express,sf 1000-1",
            f"{order_no(twin.pk)},SF Express,SF1000-1",
            f"{order_no(new.pk)},SF Express,SF1002",
            f"{order_no(999_999)},SF,SF1003",
            "R-000001-1,SF,SF1004",
            f"{order_no(pickup.pk)},SF,SF1005",
            f"{order_no(sent.pk)},SF,SF9999",
            f"{order_no(done.pk)},SF,SF9999",
            f"{order_no(other.pk)},,SF1006",
            f"{order_no(other.pk)},SF,1.2E+14",
            f"{order_no(other.pk)},SF,SF1000-1",
            ",SF,SF1",
        )

        assert [(row.redemption_id, row.carrier, row.tracking_no) for row in report.shipments] == [
            (new.pk, "SF Express", "SF1000-1"), (twin.pk, "SF Express", "SF1000-1"),
        ]  # fmt: skip
        assert why(report) == [
            (4, "order number", "This order stands in row 2 already."),
            (5, "order number", "There is no order of this number."),
            (6, "order number", "“R-000001-1” is no order number; it looks like R-000123-0."),
            (7, "order number", "This order is not sent by post."),
            (8, "tracking number", "This order is on its way already, as SF1."),
            (9, "order number", "This order has arrived already."),
            (10, "carrier", "There is no carrier."),
            (11, "tracking number", "“1.2E+14” is no tracking number: 4 to 60 letters, digits and hyphens."),
            (12, "tracking number", "Row 2 has the same tracking number for another member."),
            (13, "order number", "There is no order number."),
        ]
        assert report.total == 12
        assert RedemptionEvent.objects.count() == steps
        assert set(Redemption.objects.filter(pk__in=[new.pk, twin.pk]).values_list("state", flat=True)) == {"placed"}

    def test_does_not_mind_what_it_says_again(self) -> None:
        sent = an_order(at=NOON, state="shipped", carrier="SF", tracking_no="SF1001")
        report = read(f"{order_no(sent.pk)},SF,sf1001")
        assert (report.shipments, report.known, report.refused) == ((), 1, ())

    def test_gives_refused_rows_back_with_the_reason_and_no_formula(self) -> None:
        report = read("=1+1,SF,SF1000")
        with override("en"):
            rows = list(load_workbook(BytesIO(refused_sheet(report))).active.iter_rows(values_only=True))
        assert rows[0] == ("Row", "order number", "carrier", "tracking number", "Column", "Why not")
        assert rows[1][:4] == (2, "'=1+1", "SF", "SF1000")
        assert "is no order number" in str(rows[1][5])

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_reads_the_form_that_was_handed_out_in_each_language(self, language: str) -> None:
        order = an_order(at=NOON)
        with override(language):
            book = load_workbook(BytesIO(form_sheet([(order.pk, "Cup")])))
        page = book.active
        assert page is not None
        page["B2"], page["C2"] = "SF", "SF1001"
        stream = BytesIO()
        book.save(stream)

        report = read_tracking(name="parcels.xlsx", content=stream.getvalue())

        assert [(row.redemption_id, row.tracking_no) for row in report.shipments] == [(order.pk, "SF1001")]

    def test_is_refused_as_a_whole_where_it_is_no_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracking_files, "MOST_ROWS", 1)
        with pytest.raises(TrackingFileEmpty):
            read()
        with pytest.raises(ListColumnMissing) as refused:
            read("a", header="order number")
        assert "carrier" in refused.value.sentence()
        with pytest.raises(ListTooLong):
            read("a,b,c", "a,b,c")
        with pytest.raises(TableError):
            read("a,b,c", name="list.pdf")


def words_of(paper: bytes) -> str:
    """Return what is written on a PDF that was made without packing: the fonts of Chinese take two bytes a character."""
    found = []
    for text in re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", paper, re.DOTALL):
        plain = re.sub(rb"\\([0-7]{3}|.)", lambda one: bytes([int(one[1], 8)]) if len(one[1]) == 3 else one[1], text)
        found.append(plain.decode("utf-16-be", "replace"))
    return "".join(found)


@pytest.mark.django_db
class TestAPickingList:
    ORDERS = (
        PickedOrder("R-000001-8", NOON, "保温杯", 1, "8800001", "张*丰"),
        PickedOrder(
            "R-000002-6", NOON, "帆布包", 2, "8800002", "李*", ("138 0013 8000", "上海市南京东路1号"), is_late=True
        ),
        PickedOrder("R-000003-4", NOON, "保温杯", 1, "8800003", place="West Lake"),
    )

    def test_sums_what_is_to_be_taken_from_the_shelf(self) -> None:
        assert pieces_by_reward(self.ORDERS) == [("保温杯", 2, 2), ("帆布包", 2, 1)]

    @pytest.mark.parametrize("language", ["en", "zh-hans", "zh-hant"])
    def test_is_a_paper_in_chinese_fonts_whatever_the_language(
        self, language: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rl_config, "pageCompression", 0)
        monkeypatch.setattr(rl_config, "useA85", 0)
        with override(language):
            paper = picking_list(self.ORDERS, at=NOON, left=3)
        assert paper.startswith(b"%PDF-")
        assert (b"MSung-Light" if language == "zh-hant" else b"STSong-Light") in paper
        words = words_of(paper)
        for said in ("保温杯", "R-000002-6", "张*丰", "上海市南京东路1号", "138 0013 8000", "West Lake"):
            assert said in words

    def test_goes_on_over_pages(self) -> None:
        paper = picking_list(self.ORDERS * 60, at=NOON)
        assert paper.count(b"/Type /Page\n") > 2
