"""The twenty digits: pure calculation."""

import base64
import random
from collections import Counter

import pyotp
import pytest

from members import member_code
from members.member_code import (
    LENGTH,
    MOST_MEMBERS,
    ParsedCode,
    code_at,
    digits_at,
    obscured,
    parsed,
    prefix_of,
    revealed,
    seed_days,
    step_of,
    step_shown,
    steps_around,
)

SECRET = b"a secret of thirty-two bytes....."
# RFC 6238, appendix B: seconds since 1970 → the eight digits of SHA-1; ours are the last six of them.
RFC = {
    59: "94287082",
    1_111_111_109: "07081804",
    1_111_111_111: "14050471",
    1_234_567_890: "89005924",
    2_000_000_000: "69279037",
    20_000_000_000: "65353130",
}


class TestDigits:
    @pytest.mark.parametrize(("seconds", "digits"), RFC.items())
    def test_are_those_of_the_standard(self, seconds: int, digits: str) -> None:
        assert digits_at(b"12345678901234567890", step_of(seconds)) == digits[-6:]

    def test_are_those_that_other_libraries_show(self) -> None:
        seed = base64.b32encode(b"12345678901234567890").decode()
        assert digits_at(b"12345678901234567890", step_of(1_700_000_000)) == pyotp.TOTP(seed).at(1_700_000_000)


class TestObscuring:
    def test_is_undone(self) -> None:
        some = [0, 1, 99_999, 100_000, MOST_MEMBERS - 1, *random.Random(6).sample(range(MOST_MEMBERS), 500)]
        for number in some:
            there = obscured(number, SECRET)
            assert 0 <= there < MOST_MEMBERS
            assert revealed(there, SECRET) == number

    def test_gives_each_its_own_and_spreads_neighbours(self) -> None:
        made = [obscured(number, SECRET) for number in range(1, 10_001)]
        assert len(set(made)) == len(made)
        # Chi-square over the first two digits of neighbours: 99 degrees of freedom, 1 in 10,000 lies beyond 161.
        expected = len(made) / 100
        shares = Counter(number // 10**7 for number in made)
        assert sum((shares[share] - expected) ** 2 / expected for share in range(100)) < 161
        lasts = Counter(number % 100 for number in made)
        assert sum((lasts[last] - expected) ** 2 / expected for last in range(100)) < 161

    def test_hangs_on_the_secret(self) -> None:
        assert obscured(7, SECRET) != obscured(7, b"another secret of thirty-two bytes")


class TestACode:
    prefix = prefix_of(obscured(12, SECRET), 3)
    seed = b"s" * 20

    def test_has_twenty_digits_and_is_read_back(self) -> None:
        code = code_at(self.prefix, self.seed, 58_000_000)
        assert len(code) == LENGTH
        assert int(code) % 97 == 1
        assert parsed(code) == ParsedCode(obscured(12, SECRET), 3, digits_at(self.seed, 58_000_000))

    def test_with_a_slip_of_the_scanner_is_none(self) -> None:
        code = code_at(self.prefix, self.seed, 58_000_000)
        for place in range(LENGTH):
            other = code[:place] + str((int(code[place]) + 1) % 10) + code[place + 1 :]
            assert parsed(other) is None, place
        swapped = [code[:place] + code[place + 1] + code[place] + code[place + 2 :] for place in range(LENGTH - 1)]
        assert all(parsed(other) is None for other in swapped if other != code)

    @pytest.mark.parametrize("text", ["", "1" * 19, "1" * 21, "１" * 20, "9" * 20, "10 0000000000000000", "x" * 20])
    def test_of_another_form_is_none(self, text: str) -> None:
        assert parsed(text) is None

    def test_can_not_hold_more_members_than_there_are_numbers(self) -> None:
        for owner, place in ((MOST_MEMBERS, 1), (-1, 1), (1, 10)):
            with pytest.raises(ValueError, match="no code"):
                prefix_of(owner, place)


class TestTheHalfMinute:
    step = 58_000_000
    seeds = {day: bytes([day % 250]) * 20 for day in range(step // 2880 - 3, step // 2880 + 3)}

    def shown(self, step: int, drift: int = 0, *, day: int | None = None) -> int | None:
        """Return when a code of a half minute counts as shown, now being `self.step`."""
        seed = self.seeds[seed_days(step)[0] if day is None else day]
        return step_shown(digits_at(seed, step), self.seeds, steps_around(self.step, drift))

    def test_may_be_one_off_and_no_more(self) -> None:
        assert [self.shown(self.step + off) for off in (-2, -1, 0, 1, 2)] == [
            None,
            self.step - 1,
            self.step,
            self.step + 1,
            None,
        ]

    def test_moves_with_a_clock_that_is_known_to_be_off(self) -> None:
        assert self.shown(self.step - 3, drift=-2) == self.step - 3
        assert self.shown(self.step + 2, drift=-2) is None
        assert self.shown(self.step - 4, drift=-2) is None

    def test_of_the_right_time_is_good_whatever_was_learned(self) -> None:
        for drift in range(-4, 5):
            assert [self.shown(self.step + off, drift=drift) for off in (-1, 0, 1)] == [
                self.step - 1, self.step, self.step + 1,
            ], drift  # fmt: skip
        assert steps_around(self.step, 0) == [self.step, self.step - 1, self.step + 1]

    def test_takes_the_seed_of_yesterday_and_no_older(self) -> None:
        today = seed_days(self.step)[0]
        assert self.shown(self.step, day=today - 1) == self.step
        assert self.shown(self.step, day=today - 2) is None
        assert self.shown(self.step, day=today + 1) is None

    def test_remembers_ten_minutes(self) -> None:
        remembered = member_code.steps_remembered(self.step)
        assert (min(remembered), max(remembered)) == (self.step - 20, self.step + 20)
