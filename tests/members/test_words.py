"""Ids, phones and names: pure functions."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.identifiers import MEMBER, NotFound, parse_ref, public_ref
from members.names import clean_name, mask_name, search_keys
from members.phones import InvalidPhone, display_phone, home_region, mask_phone, parse_phone


class TestPublicIds:
    def test_are_a_prefix_and_26_characters(self) -> None:
        assert public_ref(MEMBER, UUID(int=0)) == "mem_" + "0" * 26
        assert public_ref(MEMBER, UUID(int=2**128 - 1)) == "mem_7" + "z" * 25

    @given(st.uuids())
    def test_read_back_to_what_they_were_written_from(self, public_id: UUID) -> None:
        ref = public_ref(MEMBER, public_id)
        assert parse_ref(MEMBER, ref) == public_id
        assert parse_ref(MEMBER, ref.upper()) == public_id

    @pytest.mark.parametrize(
        "text",
        ["", "mem", "mem_", "mem_0", "ord_" + "0" * 26, "mem_8" + "0" * 25, "mem_" + "u" * 26, "mem-" + "0" * 26],
    )
    def test_all_else_is_not_found(self, text: str) -> None:
        with pytest.raises(NotFound):
            parse_ref(MEMBER, text)

    @given(st.text(max_size=40))
    def test_no_text_breaks_the_reader(self, text: str) -> None:
        try:
            parse_ref(MEMBER, text)
        except NotFound:
            return


class TestPhones:
    @pytest.mark.parametrize(
        "text", ["13800138000", "138 0013 8000", "+86 138-0013-8000", "0086 13800138000", "+8613800138000"]
    )
    def test_are_kept_in_one_form(self, text: str) -> None:
        assert parse_phone(text) == "+8613800138000"

    def test_follow_the_region(self) -> None:
        assert parse_phone("61234567", region="HK") == "+85261234567"
        assert home_region("TWD") == "TW"
        assert home_region("EUR") == "CN"

    @pytest.mark.parametrize("text", ["", "x", "123", "+86", "1" * 41, "1380013800", "+8623800138000", "1380013800O"])
    def test_that_can_not_exist_are_refused(self, text: str) -> None:
        with pytest.raises(InvalidPhone):
            parse_phone(text)

    def test_are_shown_whole_or_masked(self) -> None:
        assert display_phone("+8613800138000") == "138 0013 8000"
        assert display_phone("+85261234567") == "+852 6123 4567"
        assert mask_phone("+8613800138000") == "138****8000"
        assert mask_phone("+85261234567") == "+852 61****67"


class TestNames:
    @pytest.mark.parametrize(
        ("name", "masked"),
        [
            ("张小丰", "张*丰"), ("张丰", "张*"), ("欧阳娜娜", "欧**娜"), ("张", "张*"), ("张 小丰", "张*丰"),
            ("John Smith", "J*** S***"), ("José", "J***"), ("", ""),
        ],
    )  # fmt: skip
    def test_are_masked_so_that_their_owner_recognises_them(self, name: str, masked: str) -> None:
        assert mask_name(name) == masked

    @pytest.mark.parametrize(
        ("name", "keys"),
        [
            ("张小丰", ("zhangxiaofeng", "zxf")), ("单于谦", ("shanyuqian", "syq")), ("曾国藩", ("zengguofan", "zgf")),
            ("尉迟恭", ("yuchigong", "ycg")), ("John Smith", ("johnsmith", "js")), ("José", ("jose", "j")),
            ("張小豐", ("zhangxiaofeng", "zxf")), ("Anna 王", ("annawang", "aw")), ("", ("", "")), ("😀", ("", "")),
        ],
    )  # fmt: skip
    def test_are_found_by_pinyin_and_initials(self, name: str, keys: tuple[str, str]) -> None:
        assert search_keys(name) == keys

    def test_are_cleaned_of_what_can_not_be_seen(self) -> None:
        assert clean_name("  张\u200b小\x00丰\n ") == "张 小 丰"

    @given(st.text(max_size=200))
    def test_no_name_breaks_the_keys(self, name: str) -> None:
        pinyin, initials = search_keys(clean_name(name)[:80])
        assert len(pinyin) <= 120
        assert len(initials) <= 20
        mask_name(clean_name(name))
