"""Facts of members: registered once, asked in one statement, the same for one member and for many."""

from datetime import date, datetime
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.actors import SYSTEM
from members.facts import (
    TODAY,
    Fact,
    FactParam,
    FactUnknown,
    facts,
    register_fact,
    use,
    use_of,
    values_for,
    values_for_many,
)
from members.models import Member, MemberPerson
from members.queries import MemberNotFound
from members.services.activities import record_activity
from tests.factories.people import a_channel, a_member, a_store
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
_numbers = count(1)


def value_of(member: Member, key: str, moment: datetime = NOON) -> object:
    return values_for(member.pk, [key], moment)[key]


def born(day: str) -> Member:
    member = a_member()
    MemberPerson.objects.create(member=member, birthday=date.fromisoformat(day))
    return member


def did(member: Member, kind: str, happened_at: datetime) -> None:
    record_activity(
        member_id=member.pk, kind=kind, source="shop", external_ref=f"F-{next(_numbers)}", happened_at=happened_at,
        by=SYSTEM, at=max(happened_at, NOON),
    )  # fmt: skip


class TestTheRegister:
    def test_refuses_a_key_that_is_taken(self) -> None:
        with pytest.raises(ValueError, match="twice"):
            register_fact(Fact("members.status", "x", "choice", "m.status"))

    @pytest.mark.parametrize(
        "fact",
        [
            Fact("nofloor", "x", "count", "1"),
            Fact("members.Upper", "x", "count", "1"),
            Fact("members.missing_param", "x", "count", "SELECT %(days)s"),
            Fact("members.unused_param", "x", "count", "1", params=(FactParam("days", "days"),)),
            Fact("members.reserved_param", "x", "count", "SELECT %(at)s", params=(FactParam("at", "at"),)),
        ],
    )
    def test_refuses_a_fact_that_is_not_well_formed(self, fact: Fact) -> None:
        before = facts()
        with pytest.raises(ValueError, match="well-formed"):
            register_fact(fact)
        assert facts() == before

    def test_knows_a_use_by_its_parameters_in_any_order(self) -> None:
        assert use("members.activities", days=30, kind="review").key == "members.activities?kind=review&days=30"
        assert use_of("members.activities?days=30&kind=review") == use("members.activities", kind="review", days=30)

    @pytest.mark.parametrize(
        "key",
        [
            "members.nothing", "", "members.activities", "members.activities?kind=review", "members.status?days=3",
            "members.activities?kind=review&days=0", "members.activities?kind=review&days=99999",
            "members.activities?kind=review&days=30&days=30", "members.activities?kind=%27%3B--&days=30",
            "members.activities?kind=review&days=3.5",
        ],
    )  # fmt: skip
    def test_refuses_unknown_facts_and_parameters(self, key: str) -> None:
        with pytest.raises(FactUnknown):
            use_of(key)

    @pytest.mark.django_db
    def test_says_each_fact_in_words(self) -> None:
        with translation.override("en"):
            assert use("members.activities", kind="review", days=30).words() == "“Review” in the last 30 days"
            assert use("members.activities", kind="review", days=1).words() == "“Review” in the last 1 day"
            assert use("members.status").words() == "status"


@pytest.mark.django_db
class TestTheFactsOfMembers:
    def test_say_how_and_where_somebody_joined(self) -> None:
        member = a_member(joined_at=at("2026-03-01 00:30"))
        member.home_store = a_store("S07")
        member.channel = a_channel("till")
        member.language = "zh-hant"
        member.save()
        asked = [
            "members.status", "members.joined_date", "members.joined_days", "members.channel", "members.home_store",
            "members.language",
        ]  # fmt: skip
        assert values_for(member.pk, asked, NOON) == {
            TODAY: date(2026, 3, 15),
            "members.status": "active",
            "members.joined_date": date(2026, 3, 1),
            "members.joined_days": 14,
            "members.channel": "till",
            "members.home_store": "S07",
            "members.language": "zh-hant",
        }

    def test_leave_open_what_is_not_known(self) -> None:
        member = a_member()
        assert value_of(member, "members.home_store") is None
        assert value_of(member, "members.is_birthday") is None
        MemberPerson.objects.create(member=member)
        assert value_of(member, "members.is_birthday") is None
        assert value_of(member, "members.birthday_month") is None

    @pytest.mark.parametrize(
        ("birthday", "moment", "is_today"),
        [
            ("1990-03-15", "2026-03-15 00:00", True),
            ("1990-03-15", "2026-03-14 23:59", False),
            ("1990-03-15", "2026-03-15 23:59", True),
            ("1990-03-15", "2026-03-16 00:00", False),
            ("1992-02-29", "2026-02-28 12:00", True),
            ("1992-02-29", "2026-03-01 12:00", False),
            ("1992-02-29", "2028-02-28 12:00", False),
            ("1992-02-29", "2028-02-29 12:00", True),
            ("1990-02-28", "2026-02-28 12:00", True),
            ("1990-02-28", "2028-02-29 12:00", False),
        ],
    )
    def test_keep_birthdays_in_the_zone_of_the_programme(self, birthday: str, moment: str, is_today: bool) -> None:
        assert value_of(born(birthday), "members.is_birthday", at(moment)) is is_today

    def test_know_the_month_of_a_birthday(self) -> None:
        member = born("1990-03-31")
        assert value_of(member, "members.birthday_month") == "3"
        assert value_of(member, "members.is_birthday_month", at("2026-03-01 00:00")) is True
        assert value_of(member, "members.is_birthday_month", at("2026-04-01 00:00")) is False

    def test_count_a_behaviour_before_the_moment(self) -> None:
        member, other = a_member(), a_member()
        for moment in ("2026-03-08 12:00", "2026-03-08 11:59:59", "2026-03-15 11:59", "2026-03-15 12:00"):
            did(member, "review", at(moment))
        did(member, "share", at("2026-03-15 11:00"))
        did(other, "review", at("2026-03-15 11:00"))
        assert value_of(member, "members.activities?kind=review&days=7") == 2
        assert value_of(member, "members.activities?kind=review&days=30") == 3
        assert value_of(member, "members.activities?kind=survey&days=30") == 0


@pytest.mark.django_db
class TestValues:
    def test_of_one_member_come_from_one_statement(self) -> None:
        member = a_member()
        keys = [fact.key for fact in facts() if not fact.params] + ["members.activities?kind=review&days=7"]
        values_for(member.pk, [], NOON)  # reads the programme
        with CaptureQueriesContext(
            connection,
        ) as statements:
            values = values_for(member.pk, keys, NOON)
        assert len(statements) == 1
        assert values.keys() == {TODAY, *keys}

    def test_of_no_facts_ask_nothing(self) -> None:
        values_for(1, [], NOON)
        with CaptureQueriesContext(connection) as statements:
            assert values_for(1, [], NOON) == {TODAY: date(2026, 3, 15)}
        assert len(statements) == 0

    def test_of_nobody_are_refused(self) -> None:
        with pytest.raises(MemberNotFound):
            values_for(999_999_999, ["members.status"], NOON)

    def test_of_many_stand_in_the_order_asked_each_at_its_moment(self) -> None:
        member = a_member(joined_at=at("2026-03-01"))
        found = values_for_many(
            ["members.joined_days"],
            [(member.pk, at("2026-03-03 09:00")), (999_999_999, NOON), (member.pk, at("2026-03-02 09:00"))],
        )
        assert found == [
            {TODAY: date(2026, 3, 3), "members.joined_days": 2},
            None,
            {TODAY: date(2026, 3, 2), "members.joined_days": 1},
        ]

    def test_have_the_type_of_their_kind(self) -> None:
        member = born("1990-03-15")
        types = {"count": int, "money": Decimal, "number": int | Decimal, "choice": str, "bool": bool, "date": date}
        for fact in facts():
            args = {param.name: param.default or "some-code" for param in fact.params}
            value = value_of(member, use(fact.key, **args).key)
            assert value is None or isinstance(value, types[fact.kind]), fact.key
