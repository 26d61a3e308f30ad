"""The editor of conditions: what staff write in chips becomes the condition that is kept, and back."""

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation import override

from members import conditions
from members.admin.condition_chips import changed, sentence_of, stored_of, written_in, written_of
from members.admin.condition_editor import ConditionField, condition_fragment, rendered
from members.conditions.tree import OPERATORS
from members.facts import facts
from tests.harness.forms import form_on

WHERE = "/condition/"
pytestmark = pytest.mark.django_db

VALUES: dict[str, Any] = {
    "gte": 3, "lte": 3, "eq": 3, "between": [2, 5], "in": ["a", "b"], "not_in": ["a"], "is": True, "within_last_days": 7,
    "within_next_days": 7, "before": "2026-01-31", "after": "2026-01-31", "month_in": [1, 12],
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_english() -> None:
    translation.activate("en")


def every_test() -> list[Any]:
    """One test for each fact with each comparison that it allows."""
    found = []
    for fact in facts():
        query = "&".join(f"{param.name}={param.default or 'some-code'}" for param in fact.params)
        key = f"{fact.key}?{query}" if query else fact.key
        found += [
            pytest.param({"fact": key, "op": op, "value": VALUES[op]}, id=f"{key} {op}") for op in OPERATORS[fact.kind]
        ]
    return found


def sent_back(stored: Any) -> Any:
    """What a browser that was shown a condition sends, read again."""
    page = f"<form>{rendered(written_of(stored), name='condition', address=WHERE)}</form>"
    return stored_of(read(form_on(page, "condition-mode")))


def read(fields: dict[str, Any], *, is_final: bool = True) -> Any:
    data = QueryDict(mutable=True)
    for name, value in fields.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return written_in(data, "condition", is_final=is_final)


def chip(key: str, fact: str, op: str, *values: str, **args: str) -> dict[str, Any]:
    start = f"condition-{key}-"
    return {
        f"{start}fact": fact,
        f"{start}op": op,
        f"{start}value": list(values),
        **{f"{start}arg-{name}": value for name, value in args.items()},
    }


def top(*keys: str, mode: str = "all") -> dict[str, Any]:
    return {"condition-mode": mode, "condition-part": list(keys)}


def complaint(**fields: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        stored_of(read(fields))
    return " ".join(raised.value.messages)


class TestRoundTrip:
    """What is shown …"""

    @pytest.mark.parametrize("test", every_test())
    def test_is_sent_back_as_it_was_kept(self, test: dict[str, Any]) -> None:
        assert sent_back({"all": [test]}) == {"all": [test]}

    @pytest.mark.parametrize("mode", ["all", "any"])
    def test_keeps_groups_and_their_order(self, mode: str) -> None:
        other = "any" if mode == "all" else "all"
        first, second, third = ({"fact": "members.joined_days", "op": "gte", "value": number} for number in (1, 2, 3))
        stored = {mode: [{other: [first, second]}, third, {other: [second]}]}
        assert sent_back(stored) == stored

    def test_of_no_condition_is_no_condition(self) -> None:
        assert sent_back(None) is None

    def test_of_money_keeps_the_cents(self) -> None:
        stored = {"all": [{"fact": "rewards.spend?days=90", "op": "between", "value": ["0.5", 1200]}]}
        assert sent_back(stored) == stored

    def test_of_what_can_not_be_read_any_more_says_so(self) -> None:
        page = rendered(
            written_of({"all": [{"fact": "gone.fact", "op": "is", "value": True}]}), name="c", address=WHERE
        )
        assert "can not be read any more" in page


class TestReading:
    """A form …"""

    def test_says_the_same_sentence_as_what_is_kept(self) -> None:
        written = read({**top("c1", "c2", mode="any"), **chip("c1", "members.joined_days", "lte", "1,000"),
                        **chip("c2", "rewards.orders", "gte", "3", days="60")})  # fmt: skip
        kept = stored_of(written)
        assert kept == {
            "any": [
                {"fact": "members.joined_days", "op": "lte", "value": 1000},
                {"fact": "rewards.orders?days=60", "op": "gte", "value": 3},
            ]
        }
        assert sentence_of(written) == conditions.sentence(conditions.parse(kept))

    @pytest.mark.parametrize(
        ("written", "words"),
        [
            (chip("c1", "", ""), "Choose what is asked"),
            (chip("c1", "members.joined_days", "gte", ""), "Write a number"),
            (chip("c1", "members.joined_days", "gte", "1.5"), "Write a whole number"),
            (chip("c1", "members.joined_days", "gte", "NaN"), "is no number"),
            (chip("c1", "members.joined_days", "between", "5"), "Write both numbers"),
            (chip("c1", "members.joined_days", "between", "5", "2"), "The first number is above the second"),
            (chip("c1", "rewards.spend", "gte", "1.234", days="30"), "At most two decimal places"),
            (chip("c1", "rewards.spend", "gte", "1", days="0"), "a whole number from 1"),
            (chip("c1", "members.activities", "gte", "1", days="30", kind="<b>"), "Behaviour: choose one"),
            (chip("c1", "members.status", "in"), "Choose at least one"),
            (chip("c1", "members.is_birthday", "is", "perhaps"), "Choose yes or no"),
            (chip("c1", "members.joined_date", "within_last_days", "-1"), "Write whole days"),
            (chip("c1", "members.joined_date", "before", ""), "Choose a day"),
            (chip("c1", "members.joined_date", "before", "2026-02-31"), "does not fit"),
            (chip("c1", "members.joined_date", "month_in", "13"), "does not fit"),
        ],
    )
    def test_that_is_wrong_names_the_chip(self, written: dict[str, Any], words: str) -> None:
        right = chip("c9", "members.joined_days", "gte", "1")
        text = complaint(**top("c9", "c1"), **right, **written)
        assert text.startswith("Condition 2 (")
        assert words in text
        page = rendered(read({**top("c9", "c1"), **right, **written}), name="condition", address=WHERE)
        assert page.count('role="alert"') == 1

    def test_with_another_fact_forgets_the_value_of_the_one_before(self) -> None:
        written = read({**top("c1"), **chip("c1", "members.status", "gte", "5")}, is_final=False)
        assert (written.parts[0].op, written.parts[0].values) == ("in", [])

    def test_with_too_many_chips_is_refused(self) -> None:
        keys = [f"c{number}" for number in range(1, 32)]
        many = {name: value for key in keys for name, value in chip(key, "members.joined_days", "gte", "1").items()}
        assert "At most 30 conditions" in complaint(**top(*keys), **many)

    def test_can_not_bring_markup_onto_the_page(self) -> None:
        evil = "<script>alert(1)</script>"
        written = read({**top("c1"), **chip("c1", "members.joined_days", "gte", evil)})
        assert "<script>" not in rendered(written, name="condition", address=WHERE)

    def test_leaves_parts_with_strange_names_out(self) -> None:
        assert stored_of(read({"condition-mode": "all", "condition-part": ["x1", "c1-fact", "g99999"]})) is None


class TestButtons:
    """A button …"""

    def test_adds_a_chip_and_keeps_what_was_written(self) -> None:
        written = changed(read({**top("c1"), **chip("c1", "members.joined_days", "gte", "12")}, is_final=False), "add")
        chips = list(written.chips())
        assert [(one.key, one.fact_key) for one in chips] == [("c1", "members.joined_days"), ("c2", "")]
        assert chips[0].values == ["12"]

    def test_adds_a_group_and_a_chip_in_it(self) -> None:
        written = changed(changed(read(top()), "group"), "add:g1")
        assert ([part.key for part in written.parts], [one.key for one in written.chips()]) == (["g1"], ["c1", "c2"])

    def test_removes_a_chip_and_the_group_that_it_leaves_empty(self) -> None:
        written = changed(changed(read(top()), "group"), "remove:c1")
        assert written.parts == []

    def test_answers_with_the_editor_or_its_sentence(self, rf: RequestFactory) -> None:
        fields = {**top("c1"), **chip("c1", "members.joined_days", "gte", "12")}
        whole = condition_fragment(rf.post(WHERE, {**fields, "condition-do": "add"}), name="condition", address=WHERE)
        assert whole.content.decode().count('class="pn-chip"') == 2
        words = condition_fragment(
            rf.post(WHERE, {**fields, "condition-do": "sentence"}), name="condition", address=WHERE
        )
        assert "at least 12 days" in words.content.decode()
        assert condition_fragment(rf.get(WHERE), name="condition", address=WHERE).status_code == 405

    def test_does_not_complain_of_a_chip_nobody_has_filled_in_yet(self, rf: RequestFactory) -> None:
        answer = condition_fragment(rf.post(WHERE, {**top(), "condition-do": "add"}), name="condition", address=WHERE)
        assert "pn-wrong" not in answer.content.decode()


class TestPage:
    """The editor …"""

    def test_groups_facts_by_what_they_are_about_and_shows_no_code(self) -> None:
        with override("en"):
            page = rendered(
                written_of({"all": [{"fact": "loyalty.tier", "op": "in", "value": ["gold"]}]}), name="c", address=WHERE
            )
        assert page.count("<optgroup") >= 3
        assert "{&quot;" not in page

    def test_has_a_name_for_every_control(self) -> None:
        stored = {"all": [{"fact": "members.activities?kind=check_in&days=30", "op": "between", "value": [1, 2]}]}
        page = rendered(written_of(stored), name="c", address=WHERE)
        for tag in page.split("<select")[2:]:
            head = tag.split(">")[0]
            assert "aria-label" in head or "arg-" in head or "id_c_mode" in head, head

    def test_is_a_form_field(self) -> None:
        class Asked(forms.Form):
            condition = ConditionField(address=WHERE)

        data = QueryDict(mutable=True)
        for name, value in {**top("c1"), **chip("c1", "members.joined_days", "gte", "12")}.items():
            data.setlist(name, value if isinstance(value, list) else [value])
        form = Asked(data)
        assert form.is_valid()
        assert form.cleaned_data["condition"] == {"all": [{"fact": "members.joined_days", "op": "gte", "value": 12}]}
        assert Asked({}).is_valid()
        assert "12" in str(Asked(initial={"condition": form.cleaned_data["condition"]})["condition"])
