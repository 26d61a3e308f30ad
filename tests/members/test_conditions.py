"""Conditions over facts: read strictly, asked of one member and of a set with the same answer, said in words."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from members import conditions
from members.actors import SYSTEM
from members.conditions import ConditionInvalid, FailedTest, compile, evaluate, fact_keys, failed_words, parse, sentence
from members.facts import TODAY, FactValues, facts, use, values_for
from members.models import Member, MemberPerson
from members.services.activities import record_activity
from tests.factories.people import a_channel, a_member, a_store
from tests.factories.times import at
from tests.harness.generated import examples

NOON = at("2026-03-15 12:00")
REVIEWS = "members.activities?kind=review&days=30"


def test(fact: str, op: object, value: object) -> dict[str, object]:
    return {"fact": fact, "op": op, "value": value}


test.__test__ = False  # type: ignore[attr-defined]

ACTIVE = test("members.status", "in", ["active"])
OLD = test("members.joined_days", "gte", 30)
KEEN = test(REVIEWS, "gte", 2)


def values(**changes: Any) -> FactValues:
    known: dict[str, Any] = {
        TODAY: date(2026, 3, 15), "members.status": "active", "members.joined_days": 40, REVIEWS: 0,
        "members.joined_date": date(2026, 2, 3), "members.is_birthday": False, "members.home_store": None,
    }  # fmt: skip
    return known | {f"members.{name}": value for name, value in changes.items()}


def met(tests: object, **changes: Any) -> bool:
    return evaluate(parse({"all": [tests]}), values(**changes)).met


def matching(data: object) -> set[int]:
    """Return the ids of the members whom the compiled condition meets."""
    compiled = compile(parse(data), at=NOON)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM members_member m WHERE {compiled.sql}", compiled.params)
        return {row[0] for row in cursor.fetchall()}


class TestReading:
    @pytest.mark.parametrize(
        "data",
        [
            {"all": []},
            {"all": [ACTIVE, OLD]},
            {"any": [ACTIVE, {"all": [OLD, KEEN]}]},
            {"all": [test("members.joined_days", "between", [1, 9]), {"any": [ACTIVE]}]},
            {"all": [test("members.joined_date", "before", "2026-02-28")]},
            {"all": [test("members.joined_date", "month_in", [2, 12])]},
            {"all": [test("members.is_birthday", "is", True)]},
        ],
    )
    def test_keeps_what_it_reads(self, data: dict[str, Any]) -> None:
        assert conditions.stored(parse(data)) == data
        assert parse(conditions.stored(parse(data))) == parse(data)

    def test_takes_nothing_for_no_condition(self) -> None:
        assert parse(None) == parse({}) == parse({"all": []})

    @pytest.mark.parametrize(
        ("data", "part"),
        [
            ([], "·"),
            ("all", "·"),
            ({"none": []}, "·"),
            ({"all": [], "any": []}, "·"),
            ({"any": []}, "any"),
            ({"all": {}}, "all"),
            ({"all": [{"any": []}]}, "all.1.any"),
            ({"all": [{"all": [ACTIVE]}]}, "all.1.all"),
            ({"all": [ACTIVE, {"any": [{"all": [ACTIVE]}]}]}, "all.2.any.1"),
            ({"all": [ACTIVE | {"more": 1}]}, "all.1"),
            ({"all": [test("members.nothing", "gte", 1)]}, "all.1.fact"),
            ({"all": [test("members.status", "gte", 1)]}, "all.1.op"),
            ({"all": [test("members.status", ["in"], "active")]}, "all.1.op"),
            ({"all": [test("members.status", "in", "active")]}, "all.1.value"),
            ({"all": [test("members.status", "in", [])]}, "all.1.value"),
            ({"all": [test("members.status", "in", ["x"] * 201)]}, "all.1.value"),
            ({"all": [test("members.status", "in", ["x" * 61])]}, "all.1.value"),
            ({"all": [test("members.status", "in", ["a\x00"])]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", True)]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", "many")]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", "NaN")]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", 1.5)]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", "1.5")]}, "all.1.value"),
            ({"all": [test("members.joined_days", "gte", 10**13)]}, "all.1.value"),
            ({"all": [test("members.joined_days", "between", [9, 1])]}, "all.1.value"),
            ({"all": [test("members.joined_days", "between", [9])]}, "all.1.value"),
            ({"all": [test("members.joined_date", "before", "2026-02-30")]}, "all.1.value"),
            ({"all": [test("members.joined_date", "before", "20260228")]}, "all.1.value"),
            ({"all": [test("members.joined_date", "within_last_days", -1)]}, "all.1.value"),
            ({"all": [test("members.joined_date", "within_last_days", 3_661)]}, "all.1.value"),
            ({"all": [test("members.joined_date", "month_in", [13])]}, "all.1.value"),
            ({"all": [test("members.is_birthday", "is", 1)]}, "all.1.value"),
            ({"all": [ACTIVE] * 31}, "all"),
            ({"all": [*([ACTIVE] * 16), {"any": [ACTIVE] * 15}]}, "all"),
        ],
    )  # fmt: skip
    def test_refuses_what_it_can_not_read_and_says_where(self, data: object, part: str) -> None:
        with pytest.raises(ConditionInvalid) as refusal:
            parse(data)
        assert refusal.value.params["part"] == part
        assert part in refusal.value.sentence()

    def test_names_each_fact_once(self) -> None:
        assert fact_keys(parse({"any": [OLD, {"all": [KEEN, OLD, ACTIVE]}]})) == (
            "members.joined_days", REVIEWS, "members.status",
        )  # fmt: skip


class TestOneMember:
    @pytest.mark.parametrize(
        ("op", "value", "is_met"),
        [
            ("gte", 40, True), ("gte", 41, False), ("lte", 40, True), ("lte", 39, False), ("eq", 40, True),
            ("eq", 41, False), ("between", [40, 41], True), ("between", [39, 40], True), ("between", [41, 50], False),
        ],
    )  # fmt: skip
    def test_is_compared_by_numbers(self, op: str, value: object, is_met: bool) -> None:
        assert met(test("members.joined_days", op, value)) is is_met

    @pytest.mark.parametrize(
        ("op", "value", "joined", "is_met"),
        [
            ("within_last_days", 0, "2026-03-15", True), ("within_last_days", 0, "2026-03-14", False),
            ("within_last_days", 7, "2026-03-08", True), ("within_last_days", 7, "2026-03-07", False),
            ("within_last_days", 7, "2026-03-16", False), ("within_next_days", 1, "2026-03-16", True),
            ("within_next_days", 1, "2026-03-17", False), ("within_next_days", 1, "2026-03-14", False),
            ("before", "2026-03-15", "2026-03-14", True), ("before", "2026-03-15", "2026-03-15", False),
            ("after", "2026-03-15", "2026-03-16", True), ("after", "2026-03-15", "2026-03-15", False),
            ("month_in", [3, 7], "1999-03-31", True), ("month_in", [4], "1999-03-31", False),
        ],
    )  # fmt: skip
    def test_is_compared_by_dates(self, op: str, value: object, joined: str, is_met: bool) -> None:
        assert met(test("members.joined_date", op, value), joined_date=date.fromisoformat(joined)) is is_met

    def test_is_compared_by_choice_and_truth(self) -> None:
        assert met(ACTIVE)
        assert not met(test("members.status", "not_in", ["active", "frozen"]))
        assert met(test("members.is_birthday", "is", False))
        assert not met(test("members.is_birthday", "is", True))

    @pytest.mark.parametrize("op", ["in", "not_in"])
    def test_meets_no_test_of_what_is_not_known(self, op: str) -> None:
        assert not met(test("members.home_store", op, ["S01"]))

    def test_is_told_what_stood_in_the_way(self) -> None:
        node = parse({"all": [ACTIVE, OLD, {"any": [KEEN, test("members.is_birthday", "is", True)]}]})
        outcome = evaluate(node, values(joined_days=3))
        assert not outcome.met
        assert outcome.failed == (
            FailedTest("members.joined_days", "gte", 30, 3),
            FailedTest(REVIEWS, "gte", 2, 0, 3, 1),
            FailedTest("members.is_birthday", "is", True, None, 3, 2),  # what is personal is not kept
        )
        assert [FailedTest.from_stored(row.stored()) for row in outcome.failed] == list(outcome.failed)

    def test_is_told_the_first_of_many_choices(self) -> None:
        codes = [f"S{number}" for number in range(100)]
        (failed,) = evaluate(parse({"all": [test("members.home_store", "in", codes)]}), values()).failed
        assert failed.expected == [*codes[:12], "…"]

    def test_is_told_nothing_when_one_way_was_enough(self) -> None:
        outcome = evaluate(parse({"any": [KEEN, {"all": [ACTIVE, OLD]}]}), values())
        assert outcome.met
        assert outcome.failed == ()

    def test_meets_an_empty_condition(self) -> None:
        assert evaluate(parse(None), {}).met

    def test_must_be_known_for_every_fact_asked(self) -> None:
        with pytest.raises(KeyError):
            evaluate(parse({"all": [ACTIVE]}), {TODAY: date(2026, 3, 15)})


@pytest.mark.django_db
class TestWords:
    def said(self, data: object, language: str = "en") -> str:
        with translation.override(language):
            return sentence(parse(data))

    def test_say_a_condition(self) -> None:
        a_store("S07")
        data = {
            "all": [
                test("members.status", "in", ["active", "frozen"]),
                test("members.home_store", "not_in", ["S07", "gone"]),
                {"any": [KEEN, test("members.joined_days", "between", [1, 1200])]},
                test("members.is_birthday", "is", True),
                test("members.joined_date", "within_last_days", 1),
                test("members.joined_date", "month_in", [2, 3]),
                test("members.joined_date", "before", "2026-02-01"),
            ]
        }
        assert self.said(data) == (
            "status: active, or frozen, and home store: not Store S07, or gone, and (“Review” in the last 30 days: at least 2 times, "
            "or days since joining: from 1 day to 1,200 days), and birthday today: yes, and joined: in the last 1 day, and "
            "joined: February, or March, and joined: before Feb. 1, 2026"
        )  # fmt: skip

    def test_say_that_there_is_no_condition(self) -> None:
        assert self.said(None) == "everybody"

    def test_say_what_stood_in_the_way(self) -> None:
        node = parse({"all": [OLD, {"any": [KEEN, test("members.is_birthday", "is", True)]}]})
        with translation.override("en"):
            assert failed_words(evaluate(node, values(joined_days=3)).failed) == [
                "needed: days since joining: at least 30 days; found: 3 days",
                "needed: “Review” in the last 30 days: at least 2 times; found: 0 times, or needed: birthday today: yes",
            ]

    def test_speak_of_facts_that_exist_no_longer(self) -> None:
        with translation.override("en"):
            assert failed_words([FailedTest("games.plays?days=3", "gte", 3, 1)]) == [
                "needed: games.plays?days=3; found: 1"
            ]

    def test_exist_for_every_comparison_of_every_fact(self) -> None:
        for fact in facts():
            key = use(fact.key, **{param.name: param.default or "some_code" for param in fact.params}).key
            for op in conditions.OPERATORS[fact.kind]:
                said = self.said({"all": [test(key, op, SAMPLES[op])]})
                assert key not in said
                assert "%(" not in said


SAMPLES: dict[str, object] = {
    "gte": 1, "lte": 2, "eq": 3, "between": [1, 2], "in": ["a"], "not_in": ["a"], "is": True, "within_last_days": 3,
    "within_next_days": 3, "before": "2026-01-01", "after": "2026-01-01", "month_in": [1],
}  # fmt: skip


@pytest.mark.django_db
class TestASet:
    def test_is_everybody_without_a_condition(self) -> None:
        everybody = {a_member().pk, a_member().pk}
        assert matching(None) == everybody

    def test_leaves_out_those_of_whom_nothing_is_known(self) -> None:
        member = a_member()
        assert matching({"all": [test("members.home_store", "not_in", ["S01"])]}) == set()
        Member.objects.filter(pk=member.pk).update(home_store=a_store("S02"))
        assert matching({"all": [test("members.home_store", "not_in", ["S01"])]}) == {member.pk}

    def test_takes_values_as_values(self) -> None:
        a_member()
        assert matching({"all": [test("members.status", "in", ["') OR TRUE --", "%(x)s", "100%"])]}) == set()


def _expected(kind: str, op: str) -> st.SearchStrategy[Any]:
    if kind == "money":
        number: st.SearchStrategy[Any] = st.decimals(0, 300, places=2).map(str)
    else:
        number = st.integers(-1, 40)
    match op:
        case "between":
            return st.tuples(number, number).map(lambda pair: sorted(pair, key=Decimal))
        case "in" | "not_in":
            codes = ["active", "frozen", "closed", "S01", "S02", "till", "app", "zh-hans", "en", "1", "2", "3", "basic"]
            return st.lists(st.sampled_from(codes), min_size=1, max_size=5, unique=True)
        case "is":
            return st.booleans()
        case "month_in":
            return st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True)
        case "before" | "after":
            return st.dates(date(2025, 12, 1), date(2026, 4, 1)).map(date.isoformat)
        case "within_last_days" | "within_next_days":
            return st.integers(0, 60)
    return number


@st.composite
def some_tests(draw: st.DrawFn) -> dict[str, object]:
    fact = draw(st.sampled_from(facts()))
    args: dict[str, int | str] = {}
    for param in fact.params:
        args[param.name] = draw(st.sampled_from(["review", "share"])) if param.choices else draw(st.integers(1, 40))
    op = draw(st.sampled_from(conditions.OPERATORS[fact.kind]))
    return test(use(fact.key, **args).key, op, draw(_expected(fact.kind, op)))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, object]:
    mode = draw(st.sampled_from(["all", "any"]))
    inner = "any" if mode == "all" else "all"
    group = st.lists(some_tests(), min_size=1, max_size=3).map(lambda parts: {inner: parts})
    return {mode: draw(st.lists(some_tests() | group, min_size=1, max_size=5))}


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "status": draw(st.sampled_from(list(Member.Status))),
        "joined_at": NOON - timedelta(hours=draw(st.integers(-48, 24 * 60))),
        "store": draw(st.sampled_from([None, "S01", "S02"])),
        "channel": draw(st.sampled_from(["till", "app"])),
        "language": draw(st.sampled_from(["zh-hans", "zh-hant", "en"])),
        "birthday": draw(st.none() | st.dates(date(1980, 1, 1), date(2004, 12, 31))),
        "known": draw(st.booleans()),
        "activities": draw(st.lists(st.tuples(st.sampled_from(["review", "share"]), st.integers(0, 40)), max_size=4)),
    }


def made(person: dict[str, Any]) -> Member:
    member = a_member(joined_at=person["joined_at"])
    if person["known"]:
        MemberPerson.objects.create(member=member, birthday=person["birthday"])
    for number, (kind, days) in enumerate(person["activities"]):
        record_activity(
            member_id=member.pk, kind=kind, source="shop", external_ref=f"{member.pk}-{number}",
            happened_at=NOON - timedelta(days=days), by=SYSTEM, at=NOON,
        )  # fmt: skip
    member.home_store = a_store(person["store"]) if person["store"] else None
    member.channel = a_channel(person["channel"])
    member.language = person["language"]
    member.status = person["status"]
    member.save()
    return member


@pytest.mark.django_db
class TestBothWaysOfAsking:
    @settings(max_examples=examples(60))
    @given(everybody=st.lists(people(), min_size=1, max_size=4), asked=st.lists(trees(), min_size=1, max_size=8))
    def test_give_the_same_answer(self, everybody: list[dict[str, Any]], asked: list[dict[str, object]]) -> None:
        members = [made(person) for person in everybody]
        for data in asked:
            node = parse(data)
            one_by_one = {
                member.pk for member in members if evaluate(node, values_for(member.pk, fact_keys(node), NOON)).met
            }
            assert matching(data) & {member.pk for member in members} == one_by_one
