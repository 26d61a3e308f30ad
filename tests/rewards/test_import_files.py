"""Reading order files of every kind, good and bad, and writing the file of rejected rows."""

import codecs
import csv
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from members.tables.refused import TableError, UnreadableRow
from members.tables.rows import TableRows, check_columns, read_rows
from rewards.services.imports.refused import Rejected, write_rejected

SIMPLIFIED = "订单号,商品,数量,金额\nA1,美式咖啡,2,36.00\nA2,全麦面包,1,18.50\nA3,拿铁咖啡大杯,1,32.00\n"
TRADITIONAL = "訂單編號,商品,數量,金額\nA1,美式咖啡,2,36.00\nA2,全麥麵包,1,18.50\nA3,鮮奶茶大杯,1,32.00\n"
WESTERN = "Nº,Artículo,Menge,Größe\nA1,Café crème,2,groß\nA2,Brötchen für Åse,1,£5 à part\n"


# What readers stumble over, to be put together at random.
PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"a",
    b" ",
    b"\x00",
    b"\xff",
    b"\xe5\x92\x96",
    b"{",
    b"}",
    b'"a":',
    b"1",
    b";",
    b"\t",
]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def written(tmp_path: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def book(tmp_path: Path, *rows: list[Any], name: str = "orders.xlsx") -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    workbook.save(tmp_path / name)
    return tmp_path / name


def faults(rows: TableRows) -> dict[int, str]:
    return {row_no: cells.code for row_no, cells in rows if isinstance(cells, UnreadableRow)}


class TestReadRowsOfText:
    def test_yields_stripped_cells_by_column_with_the_row_number_a_person_sees(self, tmp_path: Path) -> None:
        rows = list(read_rows(written(tmp_path, " a ,b\n 1 ,x\n\n2,\u3000y \n")))
        assert rows == [(2, {"a": "1", "b": "x"}), (4, {"a": "2", "b": "y"})]

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_takes_every_kind_of_line_end(self, tmp_path: Path, newline: str) -> None:
        rows = list(read_rows(written(tmp_path, newline.join(["a,b", "1,2", '3,"4', '5"', "6,7"]))))
        assert [row_no for row_no, _cells in rows] == [2, 3, 4]
        assert rows[1][1] == {"a": "3", "b": f"4{newline}5"}

    @pytest.mark.parametrize(
        ("content", "encoding", "found"),
        [
            (SIMPLIFIED, "utf-8", "utf-8"),
            (SIMPLIFIED, "utf-8-sig", "utf-8-sig"),
            (SIMPLIFIED, "utf-16", "utf-16"),
            (SIMPLIFIED, "gb18030", "gb18030"),
            (SIMPLIFIED + "A4,𠮷野家牛肉饭,1,30\n", "gb18030", "gb18030"),
            (TRADITIONAL, "big5", "big5hkscs"),
            (TRADITIONAL + "A4,裏脊肉飯,1,30\n", "cp950", "big5hkscs"),
            (TRADITIONAL, "utf-8", "utf-8"),
            (WESTERN, "cp1252", "cp1252"),
            (WESTERN, "utf-8", "utf-8"),
        ],
    )
    def test_finds_the_encoding(self, tmp_path: Path, content: str, encoding: str, found: str) -> None:
        rows = read_rows(written(tmp_path, content.encode(encoding)))
        assert rows.encoding == found
        assert [",".join(rows.columns), *(",".join(cells.values()) for _row_no, cells in rows)] == content.splitlines()

    def test_finds_the_encoding_of_a_file_whose_first_megabytes_are_ascii(self, tmp_path: Path) -> None:
        content = "a,b\n" + "1,latte\n" * 300_000 + "2,美式咖啡大杯\n"
        rows = read_rows(written(tmp_path, content.encode("gb18030")))
        assert rows.encoding == "gb18030"
        assert list(rows)[-1] == (300_002, {"a": "2", "b": "美式咖啡大杯"})

    def test_reads_a_utf8_file_with_one_broken_row_and_refuses_only_that(self, tmp_path: Path) -> None:
        lines = [f"{number},咖啡".encode() for number in range(10)]
        lines[4] = b"4,\xe5\x92"
        rows = list(read_rows(written(tmp_path, b"\n".join([b"a,b", *lines]))))
        assert len(rows) == 10
        assert [(row_no, cells.code) for row_no, cells in rows if isinstance(cells, UnreadableRow)] == [
            (6, "bad_bytes")
        ]
        broken = rows[4][1]
        assert isinstance(broken, UnreadableRow)
        assert broken == {"a": "4", "b": "\ufffd"}
        assert broken.reason() == "Column “b” holds bytes that are not valid utf-8: “\ufffd”."

    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5", "cp1252", "utf-16-le", "shift_jis"])
    def test_refuses_what_a_named_encoding_can_not_decode(self, tmp_path: Path, encoding: str) -> None:
        content = (
            "a,b\n1,x\n".encode(encoding) + "2,".encode(encoding) + b"\x81\x8d\xff\xff\n" + "\n3,y\n".encode(encoding)
        )
        rows = dict(read_rows(written(tmp_path, content), encoding=encoding))
        assert rows[2] == {"a": "1", "b": "x"}
        assert any(isinstance(cells, UnreadableRow) for cells in rows.values())

    @given(st.binary(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
    def test_never_fails_on_any_bytes_but_with_an_order_file_error(self, tmp_path: Path, content: bytes) -> None:
        for name in ("any.csv", "any.tsv", "any.jsonl", "any.xlsx"):
            path = written(tmp_path, content, name)
            with suppress(TableError):
                for row_no, cells in read_rows(path):
                    assert row_no > 0
                    assert all(isinstance(text, str) for text in cells.values())

    @given(
        st.lists(
            st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)] * 3), max_size=8
        )
    )
    def test_gives_back_what_was_written(self, tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
        path = tmp_path / "orders.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([("a", "b", "c"), *rows])
        read = [tuple(cells.values()) for _row_no, cells in read_rows(path, delimiter=",")]
        stripped = [tuple(cell.strip() for cell in row) for row in rows]
        assert read == [row for row in stripped if any(row)]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_finds_the_delimiter(self, tmp_path: Path, delimiter: str) -> None:
        lines = [["no", "what", "price"], ["1", "a,b;c|d", "1,5"], ["2", "e;f", "2,5"]]
        path = tmp_path / "orders.csv"
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows(lines)
        rows = read_rows(path)
        assert rows.delimiter == delimiter
        assert [list(cells.values()) for _row_no, cells in rows] == lines[1:]

    @pytest.mark.parametrize(("name", "character"), [("tab", "\t"), ("\\t", "\t"), (";", ";")])
    def test_uses_a_named_delimiter(self, tmp_path: Path, name: str, character: str) -> None:
        rows = read_rows(written(tmp_path, f"a,x{character}b\n1,y{character}2\n"), delimiter=name)
        assert list(rows) == [(2, {"a,x": "1,y", "b": "2"})]

    def test_reads_a_file_of_one_column(self, tmp_path: Path) -> None:
        assert list(read_rows(written(tmp_path, "a\n1\n"))) == [(2, {"a": "1"})]

    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ("1,2", "too_few_cells"),
            ("1,2,3,4", "too_many_cells"),
            ("1,2,3,", "too_many_cells"),
            ("1,2,x\x00y", "bad_character"),
            ('1,2,"x', "bad_quotes"),
            ('1,2,"x"y', "bad_quotes"),
            ('1,"2 3,x', "bad_quotes"),
            (f"1,2,{'x' * 1_100_000}", "cell_too_long"),
            (f"1,2,{'x' * 200_000}", "cell_too_long"),
            (f'1,2,"{"x" * 1_100_000}"', "cell_too_long"),
        ],
    )
    def test_refuses_a_bad_row_and_reads_the_rows_around_it(self, tmp_path: Path, row: str, code: str) -> None:
        rows = list(read_rows(written(tmp_path, f"a,b,c\n4,5,6\n{row}\n7,8,9\n")))
        assert [list(cells.values()) for _row_no, cells in (rows[0], rows[2])] == [["4", "5", "6"], ["7", "8", "9"]]
        assert [row_no for row_no, _cells in rows] == [2, 3, 4]
        bad = rows[1][1]
        assert isinstance(bad, UnreadableRow)
        assert bad.code == code
        assert bad.reason()
        assert all(len(text) <= 1_001 for text in bad.values())

    def test_loses_no_row_between_two_stray_quotation_marks(self, tmp_path: Path) -> None:
        content = 'no,what,n\n1,"6 inch,1\n2,cup,1\n3,tea,1\n4,"pot",1\n5,"jar,1\n6,mug,1\n'
        rows = list(read_rows(written(tmp_path, content)))
        assert [cells["no"] for _row_no, cells in rows] == ["1", "2", "3", "4", "5", "6"]
        assert [cells["no"] for _row_no, cells in rows if isinstance(cells, UnreadableRow)] == ["1", "5"]

    def test_keeps_a_quoted_cell_of_several_lines(self, tmp_path: Path) -> None:
        rows = list(read_rows(written(tmp_path, 'a,b\n1,"x\ny ""z"""\n2,w\n')))
        assert rows == [(2, {"a": "1", "b": 'x\ny "z"'}), (3, {"a": "2", "b": "w"})]

    def test_refuses_a_row_that_is_one_endless_quoted_cell_and_reads_the_next(self, tmp_path: Path) -> None:
        filler = "\n".join(["x" * 1000, "y,z"] * 1_100)
        rows = list(read_rows(written(tmp_path, f'a,b\n1,"{filler}\n2,w\n')))
        assert rows[0][0] == 2
        assert isinstance(rows[0][1], UnreadableRow)
        assert rows[-1][1] == {"a": "2", "b": "w"}

    def test_reads_a_hundred_columns_in_their_order(self, tmp_path: Path) -> None:
        names = [f"column {number}" for number in range(100)]
        rows = read_rows(written(tmp_path, ",".join(names) + "\n" + ",".join(map(str, range(100))) + "\n"))
        assert rows.columns == tuple(names)
        assert list(rows) == [(2, {name: str(number) for number, name in enumerate(names)})]

    def test_ignores_blank_columns_at_the_end_but_not_text_in_them(self, tmp_path: Path) -> None:
        rows = dict(read_rows(written(tmp_path, "a,b,,\n1,2,,\n3,4,x,\n")))
        assert rows[2] == {"a": "1", "b": "2"}
        assert isinstance(rows[3], UnreadableRow)
        assert rows[3].code == "cell_without_column"

    @pytest.mark.parametrize(
        ("content", "problem", "words"),
        [
            (b"", "no_header", "first row is empty"),
            (b"\n1,2\n", "no_header", "first row is empty"),
            (codecs.BOM_UTF8, "no_header", "first row is empty"),
            (b"a,b,a,b,c\n", "duplicate_columns", "“a”, “b”"),
            (b"a,,c\n1,2,3\n", "unnamed_column", "Column 2"),
            (b"\xe5\x92,b\n\xe5\x92\x96,2\n", "bad_header", "decoded"),
            (b'"a,b\n1,2\n', "bad_header", "quotation mark"),
            (",".join(f"c{number}" for number in range(1_001)).encode(), "too_many_columns", "1001"),
            (b"PK\x03\x04 and so on", "disguised_workbook", "Name it .xlsx"),
        ],
    )
    def test_says_why_a_file_is_useless(self, tmp_path: Path, content: bytes, problem: str, words: str) -> None:
        with pytest.raises(TableError) as caught:
            read_rows(written(tmp_path, content))
        assert caught.value.problem == problem
        assert words in str(caught.value)

    def test_takes_a_header_without_rows(self, tmp_path: Path) -> None:
        rows = read_rows(written(tmp_path, "a,b"))
        assert rows.columns == ("a", "b")
        assert list(rows) == []

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"encoding": "klingon"}, "unknown_encoding"),
            ({"encoding": "base64"}, "unknown_encoding"),
            ({"delimiter": "::"}, "bad_delimiter"),
            ({"delimiter": '"'}, "bad_delimiter"),
        ],
    )
    def test_refuses_options_that_can_not_be(self, tmp_path: Path, options: dict[str, str], problem: str) -> None:
        with pytest.raises(TableError) as caught:
            read_rows(written(tmp_path, "a,b\n1,2\n"), **options)
        assert caught.value.problem == problem

    @pytest.mark.parametrize(("name", "problem"), [("none.csv", "not_opened"), ("orders.pdf", "unknown_kind")])
    def test_refuses_a_file_that_is_not_there_or_of_no_known_kind(
        self, tmp_path: Path, name: str, problem: str
    ) -> None:
        with pytest.raises(TableError) as caught:
            read_rows(tmp_path / name)
        assert caught.value.problem == problem

    def test_can_be_left_before_the_end(self, tmp_path: Path) -> None:
        with read_rows(written(tmp_path, "a\n1\n2\n")) as rows:
            assert next(rows) == (2, {"a": "1"})
        with pytest.raises(ValueError, match="closed file"):
            list(rows)


class TestReadRowsOfWorkbooks:
    def test_gives_text_for_every_kind_of_cell(self, tmp_path: Path) -> None:
        path = book(
            tmp_path,
            ["no", "at", "day", "count", "price", "sum", "tiny", "flag", "note"],
            [
                123456,
                datetime.fromisoformat("2024-01-02T03:04:05"),
                date(2024, 1, 2),
                3,
                2.5,
                0.1 + 0.2,
                1e-7,
                True,
                " 咖啡 ",
            ],
            ["007", None, None, -1, 18.0, 1234567.89, None, False, None],
        )
        rows = read_rows(path)
        assert rows.sheet == "Sheet"
        assert [list(cells.values()) for _row_no, cells in rows] == [
            ["123456", "2024-01-02 03:04:05", "2024-01-02", "3", "2.5", "0.3", "0.0000001", "true", "咖啡"],
            ["007", "", "", "-1", "18", "1234567.89", "", "false", ""],
        ]

    def test_counts_rows_as_the_sheet_does_and_skips_empty_ones(self, tmp_path: Path) -> None:
        path = book(tmp_path, ["a", "b"], [1, 2], [], [None, ""], [3, 4])
        assert list(read_rows(path)) == [(2, {"a": "1", "b": "2"}), (5, {"a": "3", "b": "4"})]

    def test_reads_the_sheet_that_is_named_and_else_the_first_visible(self, tmp_path: Path) -> None:
        workbook = openpyxl.Workbook()
        assert workbook.active is not None
        workbook.active.title = "hidden"
        workbook.active.sheet_state = "hidden"
        for title in ("first", "second"):
            sheet = workbook.create_sheet(title)
            sheet.append(["a"])
            sheet.append([title])
        workbook.save(tmp_path / "orders.xlsx")
        assert list(read_rows(tmp_path / "orders.xlsx")) == [(2, {"a": "first"})]
        assert list(read_rows(tmp_path / "orders.xlsx", sheet="second")) == [(2, {"a": "second"})]
        with pytest.raises(TableError, match="first, second"):
            read_rows(tmp_path / "orders.xlsx", sheet="third")

    def test_gives_an_empty_cell_for_a_formula_that_was_never_worked_out(self, tmp_path: Path) -> None:
        assert list(read_rows(book(tmp_path, ["a", "b"], ["x", "=1+1"]))) == [(2, {"a": "x", "b": ""})]

    def test_refuses_text_under_no_name_and_cells_that_are_too_long(self, tmp_path: Path) -> None:
        path = book(tmp_path, ["a", "b"], [1, 2], [1, 2, "stray"])
        assert faults(read_rows(path)) == {3: "cell_without_column"}

    def test_says_that_header_cells_are_merged(self, tmp_path: Path) -> None:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        sheet.append(["a", None, "c"])
        sheet.merge_cells("A1:B1")
        workbook.save(tmp_path / "orders.xlsx")
        with pytest.raises(TableError, match="merged"):
            read_rows(tmp_path / "orders.xlsx")

    def test_says_which_header_cell_is_blank(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="Column 2 has no name"):
            read_rows(book(tmp_path, ["a", None, "c"], [1, 2, 3]))

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"", "no_workbook"),
            (b"a,b\n1,2\n", "no_workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "no_workbook"),
            (b"PK\x03\x04 broken", "damaged_workbook"),
        ],
    )
    def test_refuses_what_is_no_workbook(self, tmp_path: Path, content: bytes, problem: str) -> None:
        with pytest.raises(TableError) as caught:
            read_rows(written(tmp_path, content, "orders.xlsx"))
        assert caught.value.problem == problem

    def test_refuses_an_empty_sheet(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="first row is empty"):
            read_rows(book(tmp_path))

    def test_refuses_a_sheet_with_a_cell_at_its_far_end(self, tmp_path: Path) -> None:
        path = self._with_sheet(book(tmp_path, ["a"], [1]), lambda xml: xml.replace(b'r="A2"', b"r = 'XFD1048576'"))
        with pytest.raises(TableError, match="column 16384"):
            read_rows(path)

    @pytest.mark.parametrize("tag", [b"<c ", b"<row r ", b"<x:c a=1 "])
    def test_looks_at_tags_that_are_never_closed_once(self, tmp_path: Path, tag: bytes) -> None:
        path = self._with_sheet(book(tmp_path, ["a"], [1]), lambda xml: tag * (200_000 // len(tag)))
        began = time.process_time()
        with suppress(TableError):
            list(read_rows(path))
        assert time.process_time() - began < 2

    def test_refuses_a_workbook_that_unpacks_to_more_than_it_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("members.tables.workbooks.MAX_UNPACKED_BYTES", 3_000_000)
        path = self._with_sheet(book(tmp_path, ["a"], [1]), lambda xml: xml + b" " * 4_000_000)
        content = path.read_bytes()
        with zipfile.ZipFile(path) as parts:
            size = parts.getinfo("xl/worksheets/sheet1.xml").file_size
        # The size is stated before the part and in the directory at the end; both lie now.
        path.write_bytes(content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
        with pytest.raises(TableError, match="unpacks to more"):
            read_rows(path)

    @staticmethod
    def _with_sheet(path: Path, change: Any) -> Path:
        changed = path.with_name("changed.xlsx")
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
            for part in old.infolist():
                content = old.read(part)
                new.writestr(part.filename, change(content) if part.filename.endswith("sheet1.xml") else content)
        return changed


class TestReadRowsOfJsonLines:
    def test_names_nested_values_with_dots_and_keeps_the_digits_of_numbers(self, tmp_path: Path) -> None:
        line = '{"who": " x ", "value": {"amount": 10.10, "offer id": null}, "ok": true, "n": 3, "list": ["a", 1.50]}'
        rows = list(read_rows(written(tmp_path, f"{line}\n\n{{}}\n{line}\n", "orders.jsonl")))
        assert [row_no for row_no, _cells in rows] == [1, 4]
        assert rows[0][1] == {
            "who": "x", "value.amount": "10.10", "value.offer id": "", "ok": "true", "n": "3", "list": '["a", "1.50"]',
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (b"{", "bad_json"),
            (b"3", "bad_json"),
            (b'"x"', "bad_json"),
            (b"[1]", "bad_json"),
            (b'{"a.b": 1, "a": {"b": 2}}', "bad_json"),
            (b'{"a":' * 100_000, "bad_json"),
            (b'{"a":' * 20 + b"1" + b"}" * 20, "bad_json"),
            (b'{"a": "\\u0000"}', "bad_character"),
            (b'{"a": "\\ud83d"}', "bad_character"),
            (b'{"a": "\xff"}', "bad_bytes"),
            (b'{"a": "' + b"x" * 200_000 + b'"}', "cell_too_long"),
            (b'{"a": "' + b"x" * 1_200_000 + b'"}', "cell_too_long"),
        ],
    )
    def test_refuses_a_bad_line_and_reads_the_next(self, tmp_path: Path, line: bytes, code: str) -> None:
        rows = list(read_rows(written(tmp_path, b'{"a": 1}\n' + line + b'\n{"a": 2}\n', "orders.json")))
        assert (rows[0], rows[2]) == ((1, {"a": "1"}), (3, {"a": "2"}))
        bad = rows[1][1]
        assert isinstance(bad, UnreadableRow)
        assert bad.code == code
        assert bad.reason()

    def test_takes_numbers_of_any_length_as_text(self, tmp_path: Path) -> None:
        digits = "9" * 5_000
        rows = list(read_rows(written(tmp_path, f'{{"a": {digits}, "b": NaN}}\n', "orders.jsonl")))
        assert rows == [(1, {"a": digits, "b": "NaN"})]

    def test_says_that_a_list_is_not_what_is_wanted(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="one object on each line"):
            read_rows(written(tmp_path, json.dumps([{"a": 1}]), "orders.json"))


class TestCheckColumns:
    def test_names_what_is_missing_and_what_is_there(self) -> None:
        with pytest.raises(TableError) as caught:
            check_columns(["No", "When"], ["No", "Sum", "Who"])
        assert str(caught.value) == "The file has no column “Sum”, “Who”. Columns found: “No”, “When”."

    def test_is_content_when_all_are_there(self) -> None:
        check_columns(["No", "When", "Sum"], ["Sum", "No"])


class TestWriteRejected:
    def test_writes_rows_that_spreadsheets_do_not_run(self, tmp_path: Path) -> None:
        dangerous = ["=1+1", "+cmd", "-cmd", "@x", "\tx", "\rx", "＝1", "-5", "+3.50", "-1,234.5", "x=1", ""]
        header = [f"c{number}" for number in range(len(dangerous))]
        rejected = Rejected(
            7, dict(zip(header, dangerous, strict=True)), "in_future", {"field": "ordered_at", "value": "x"}
        )
        assert write_rejected(tmp_path / "out.csv", [rejected], header) == 1
        assert (tmp_path / "out.csv").read_bytes().startswith(codecs.BOM_UTF8)
        with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
            names, cells = list(csv.reader(file))
        assert names == [*header, "row", "reason"]
        assert cells == [
            "'=1+1", "'+cmd", "'-cmd", "'@x", "'\tx", "'\rx", "'＝1", "-5", "+3.50", "-1,234.5", "x=1", "",
            "7", "Order time: “x” lies in the future.",
        ]  # fmt: skip

    def test_keeps_cells_beyond_the_header_and_columns_named_like_its_own(self, tmp_path: Path) -> None:
        path = written(tmp_path, "reason,row\n1,2,3\n")
        rows = read_rows(path)
        header = rows.columns
        rejected = [
            Rejected(no, dict(cells), cells.code, cells.params)
            for no, cells in rows
            if isinstance(cells, UnreadableRow)
        ]
        write_rejected(tmp_path / "out.csv", rejected, header)
        again = list(read_rows(tmp_path / "out.csv"))
        assert again[0][1] == {
            "reason": "1", "row": "2", "+1": "3", "row 2": "2",
            "reason 2": "The row has 3 cells, the header only 2.",
        }  # fmt: skip

    def test_can_be_read_in_again_whatever_the_cells_hold(self, tmp_path: Path) -> None:
        cells = {"a": 'x "y"\nz', "b": "NUL \x00 and \udcff", "c": "咖啡,茶"}
        write_rejected(tmp_path / "out.csv", [Rejected(3, cells, "mixed_signs")], list(cells))
        ((_row_no, again),) = read_rows(tmp_path / "out.csv")
        assert again["a"] == cells["a"]
        assert again["b"] == "NUL \ufffd and \ufffd"
        assert again["c"] == cells["c"]
        assert again["row"] == "3"
