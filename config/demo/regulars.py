"""Guests of the demo whose story is told and not drawn, so that at any size one lands softly, one is given grace, and so on.

What they bought is told in months before a review, so that on whichever day the story is told, the same comes of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from config.demo.business import MENU
from config.demo.people import Goods, Person
from loyalty.periods import add_months, business_date, midnight

#: So many members are needed for some of them to be told.
LEAST_PEOPLE: Final = 60
LANDS, GRACED, WARNED, KEEPS, LOCKED, PAYS, ENDS, REFUNDED, BELOW_THE_DRAFT = range(9)
_BEANS, _LATTE = (next(one for one in MENU if one.sku == sku) for sku in ("R-BEA", "C-LAT"))


@dataclass(frozen=True, slots=True)
class _Told:
    """Who it is, and what was bought: months before the review → bags of beans (98) and lattes (28).

    `comes_back` is the month whose order was returned. The review is the one of this month, or the next one.
    """

    name: str
    bought: dict[int, tuple[int, int]]
    comes_back: int = 0
    is_ahead: bool = False


def _monthly(first: int, last: int, goods: tuple[int, int]) -> dict[int, tuple[int, int]]:
    return dict.fromkeys(range(first, last - 1, -1), goods)


# Rising to silver takes 500 in twelve months, to gold 1,500; keeping takes 400 and 1,200. Valid for six months.
_TOLD: Final = {
    # 1,568 lift to gold seven months before the review, which finds 238: one step down, though 400 are not reached either.
    LANDS: _Told("叶晚秋", {16: (6, 0), 15: (4, 0), 14: (3, 0), 13: (2, 0), 7: (1, 0), 6: (0, 2), 5: (1, 0), 4: (0, 1), 2: (0, 2)}, 5),
    # The same, but 1,134 of 1,200 are there.
    GRACED: _Told("顾长宁", {14: (5, 0), 13: (4, 0), 11: (2, 0), 10: (2, 0), 9: (1, 0), 7: (2, 0), 5: (2, 0), 3: (2, 0), 1: (0, 2)}),
    # Silver since seven months before the next review, which would find 294 of 400.
    WARNED: _Told("何小满", {14: (3, 0), 13: (1, 0), 7: (0, 4), 5: (1, 0), 3: (0, 3)}, is_ahead=True),
    KEEPS: _Told("陆时雨", _monthly(16, 1, (1, 2))),
    LOCKED: _Told("韩霁月", _monthly(12, 1, (0, 1))),
    PAYS: _Told("沈一舟", _monthly(10, 1, (0, 3))),
    ENDS: _Told("宋知夏", _monthly(8, 1, (0, 2))),
    REFUNDED: _Told("白露生", _monthly(9, 2, (0, 2))),
    # 406 keep silver today; next year's draft asks for 480.
    BELOW_THE_DRAFT: _Told("江听澜", {14: (1, 0), 13: (1, 0), 10: (1, 0), 8: (1, 0), 7: (0, 4), 4: (1, 0)}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """An order that is told."""

    person: Person
    moment: datetime
    goods: Goods
    comes_back: bool


def make_regulars(people: list[Person], start: datetime) -> None:
    """Let the first members be those who are told, joining in the first days; keeps the order of joining."""
    if len(people) < LEAST_PEOPLE:
        return
    for place, told in _TOLD.items():
        person = people[place]
        person.name, person.language = told.name, "zh-hans"
        person.joined_at = start + timedelta(days=2 * place, hours=10 + place % 8, minutes=7 * place)
        person.lapses_at = person.joined_at  # what they buy is told
    people.sort(key=lambda one: one.joined_at)


def those_told(people: Sequence[Person]) -> dict[int, Person]:
    """Return who is told, by place."""
    return {one.index: one for one in people if one.index in _TOLD} if len(people) >= LEAST_PEOPLE else {}


def month_reviewed(now: datetime, tz: ZoneInfo) -> datetime:
    """Return the first moment of the month whose reviews were run: of the month of the day before yesterday."""
    return midnight(business_date(now - timedelta(days=2), tz).replace(day=1), tz)


def told_orders(people: Sequence[Person], *, now: datetime, tz: ZoneInfo) -> Iterator[ToldOrder]:
    """Yield all orders of those who are told, in no order of time; they lie in [the story's start, now)."""
    reviewed = business_date(month_reviewed(now, tz), tz)
    ahead = add_months(business_date(now, tz).replace(day=1), 1)
    for place, person in those_told(people).items():
        told = _TOLD[place]
        for months, counts in told.bought.items():
            day = add_months(ahead if told.is_ahead else reviewed, -months).replace(day=12 + place)
            goods = [
                (article, count, article.price * count)
                for article, count in zip((_BEANS, _LATTE), counts, strict=True)
                if count
            ]
            moment = midnight(day, tz) + timedelta(hours=10 + months % 8, minutes=3 * place)
            yield ToldOrder(person, moment, goods, months == told.comes_back)
