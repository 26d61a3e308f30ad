"""Those whose story the demo tells: the same comes of it on whichever day it is told."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from config.demo.business import VALID_MONTHS
from config.demo.people import make_people
from config.demo.regulars import (
    BELOW_THE_DRAFT,
    ENDS,
    GRACED,
    KEEPS,
    LANDS,
    LEAST_PEOPLE,
    LOCKED,
    PAYS,
    REFUNDED,
    WARNED,
    ToldOrder,
    make_regulars,
    month_reviewed,
    those_told,
    told_orders,
)
from loyalty.course import CountedFact
from loyalty.models import LadderVersion
from loyalty.periods import add_months, business_date, midnight
from loyalty.queries import forget_ladder_book, ladder_book
from loyalty.replay import MemberReplay
from tests.factories.times import SHANGHAI, at

RISEN, RISEN_AGAIN = "risen member>silver", "risen silver>gold"
COURSES = {
    LANDS: [RISEN, "kept silver>silver", RISEN_AGAIN, "fallen gold>silver"],
    GRACED: [RISEN, RISEN_AGAIN, "fallen gold>silver"],
    WARNED: [RISEN],
    KEEPS: [RISEN, RISEN_AGAIN, "kept gold>gold"],
    LOCKED: [],
    PAYS: [RISEN],
    ENDS: [],
    REFUNDED: [],
    BELOW_THE_DRAFT: [RISEN, "kept silver>silver"],
}
FIGURES = {LANDS: 238, GRACED: 1_134, BELOW_THE_DRAFT: 406}
#: A leap year, each day at another hour.
MOMENTS = [at("2027-12-25 00:05") + timedelta(days=number, hours=number % 24) for number in range(380)]


def orders_told_on(now: datetime) -> list[ToldOrder]:
    start = midnight(add_months(business_date(now, SHANGHAI).replace(day=1), -18), SHANGHAI)
    people = make_people(LEAST_PEOPLE, start, now, [1], Random(1), SHANGHAI)
    make_regulars(people, start)
    assert people == sorted(people, key=lambda one: one.joined_at)
    assert set(those_told(people)) == set(COURSES)
    orders = sorted(told_orders(people, now=now, tz=SHANGHAI), key=lambda one: one.moment)
    assert all(one.person.joined_at < one.moment < now for one in orders)
    assert all(8 <= one.moment.astimezone(SHANGHAI).hour < 22 for one in orders)
    return orders


def fact(order: ToldOrder, *, back: bool = False) -> CountedFact:
    money = sum((amount for _article, _count, amount in order.goods), Decimal(0))
    bought = CountedFact(0, "purchase", "till", str(order.moment), int(money), money, 1, order.moment)
    if not back:
        return bought
    moment = order.moment + timedelta(days=8)
    return CountedFact(0, "return", "till", "back", -int(money), -money, -1, moment, cause=bought.name)


@pytest.mark.django_db
def test_comes_to_the_same_on_every_day() -> None:
    LadderVersion.objects.filter(number=1).update(validity_months=VALID_MONTHS)
    forget_ladder_book()
    book = ladder_book()
    for now in MOMENTS:
        replays = {place: MemberReplay(place, book) for place in COURSES}
        orders = orders_told_on(now)
        facts = [(one.person.index, fact(one)) for one in orders]
        facts += [(one.person.index, fact(one, back=True)) for one in orders if one.comes_back]
        for place, told in sorted(facts, key=lambda one: one[1].happened_at):
            replays[place].count(told)
        for place, replay in replays.items():
            replay.tier_for_fact(now)
            course = [f"{one.reason} {one.from_code}>{one.to_code}" for one in replay.new_changes]
            assert course == COURSES[place], (now, place)
            if place in FIGURES:
                assert replay.new_changes[-1].credits == FIGURES[place], (now, place)
                assert replay.new_changes[-1].happened_at == month_reviewed(now, SHANGHAI)
        ahead = replays[WARNED].standing
        assert ahead is not None
        assert ahead.valid_until is not None
        assert business_date(now, SHANGHAI) < business_date(ahead.valid_until, SHANGHAI)
        assert business_date(ahead.valid_until, SHANGHAI) - business_date(now, SHANGHAI) <= timedelta(days=31)
