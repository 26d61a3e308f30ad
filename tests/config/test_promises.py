"""What callers of v1 count on stays: a change that takes it away, or asks for more, is noticed."""

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from config.promises import PROMISED, broken, promises_of
from config.reference import published_schema

DESCRIPTION: dict[str, Any] = {
    "paths": {
        "/me": {
            "post": {
                "parameters": [{"in": "query", "name": "on", "schema": {"type": "string"}}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "kind": {"type": "string", "enum": ["a", "b"]},
                                    "home": {"type": "object", "properties": {"street": {"type": "string"}}},
                                },
                            }
                        }
                    },
                },
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Me"}}}}
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Me": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "cards": {"type": "array", "items": {"type": "object", "properties": {"no": {"type": "string"}}}},
                },
            }
        }
    },
}
OPERATION = DESCRIPTION["paths"]["/me"]["post"]


def changed() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a copy of the description with its operation, the body that it takes, and what it answers."""
    copy = deepcopy(DESCRIPTION)
    operation = copy["paths"]["/me"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    return copy, operation, body, copy["components"]["schemas"]["Me"]


TODAY = date(2026, 7, 5)


def faults(copy: dict[str, Any], before: dict[str, Any] = DESCRIPTION, *, on: date = TODAY) -> list[str]:
    return broken(promises_of(before), promises_of(copy), on=on)


class TestABreach:
    def test_is_an_address_that_is_gone(self) -> None:
        copy, *_parts = changed()
        copy["paths"]["/you"] = copy["paths"].pop("/me")
        assert "is gone: gives POST /me" in faults(copy)

    def test_is_a_field_of_an_answer_that_is_gone_or_of_another_kind(self) -> None:
        copy, _operation, _body, me = changed()
        del me["properties"]["cards"]["items"]["properties"]["no"]
        me["properties"]["id"] = {"type": ["string", "null"]}
        assert faults(copy) == [
            "is gone: gives POST /me 200 application/json body/cards/*/no: string",
            "is gone: gives POST /me 200 application/json body/id: string",
        ]

    def test_is_a_value_or_a_parameter_that_is_no_longer_taken(self) -> None:
        copy, operation, body, _me = changed()
        body["properties"]["kind"]["enum"] = ["a"]
        operation["parameters"] = []
        assert faults(copy) == [
            "is gone: takes POST /me application/json body/kind = b",
            "is gone: takes POST /me query on: string",
        ]

    @pytest.mark.parametrize("name", ["kind", "other"])
    def test_is_a_field_that_is_needed_now(self, name: str) -> None:
        copy, _operation, body, _me = changed()
        body["properties"].setdefault(name, {"type": "string"})
        body["required"] = ["name", name]
        assert faults(copy) == [f"is asked now: needs POST /me application/json body/{name}"]

    def test_is_a_parameter_that_is_needed_now(self) -> None:
        copy, operation, _body, _me = changed()
        operation["parameters"].append(
            {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}}
        )
        assert faults(copy) == ["is asked now: needs POST /me header If-Match"]


class TestGrowth:
    def test_is_no_breach(self) -> None:
        copy, operation, body, me = changed()
        copy["paths"]["/new"] = {"post": deepcopy(OPERATION)}
        me["properties"]["more"] = {"type": "integer"}
        body["properties"]["kind"]["enum"].append("c")
        body["properties"]["age"] = {
            "type": "object",
            "required": ["years"],
            "properties": {"years": {"type": "integer"}},
        }
        body["required"] = []
        operation["parameters"].append({"in": "query", "name": "to", "schema": {"type": "string"}})
        assert faults(copy) == []


class TestWhatIsDeprecated:
    GOES = {"deprecated": True, "x-sunset": "2027-07-05"}

    def test_may_go_after_its_day_and_no_sooner(self) -> None:
        before, operation, *_parts = changed()
        operation |= self.GOES
        before["paths"]["/me/cards"] = {"post": deepcopy(OPERATION)}
        copy = deepcopy(before)
        del copy["paths"]["/me"]
        assert "is gone: gives POST /me" in faults(copy, before, on=date(2027, 7, 5))
        assert faults(copy, before, on=date(2027, 7, 6)) == []
        del copy["paths"]["/me/cards"]  # an address below it was not deprecated with it
        assert "is gone: gives POST /me/cards" in faults(copy, before, on=date(2027, 7, 6))

    def test_takes_a_field_with_what_is_in_it_and_not_its_neighbours(self) -> None:
        before, _operation, body, me = changed()
        body["properties"]["home"] |= self.GOES
        me["properties"]["id"] |= self.GOES
        me["properties"]["id_of_old"] = {"type": "string"}
        copy = deepcopy(before)
        del copy["paths"]["/me"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["home"]
        mine = copy["components"]["schemas"]["Me"]["properties"]
        del mine["id"]
        assert len(faults(copy, before)) == 3
        assert faults(copy, before, on=date(2027, 7, 6)) == []
        del mine["id_of_old"]
        assert faults(copy, before, on=date(2027, 7, 6)) == [
            "is gone: gives POST /me 200 application/json body/id_of_old: string"
        ]

    def test_goes_no_sooner_than_was_said_once_and_may_stay(self) -> None:
        before, operation, *_parts = changed()
        operation |= self.GOES
        sooner, later = deepcopy(before), deepcopy(before)
        sooner["paths"]["/me"]["post"]["x-sunset"] = "2027-07-04"
        later["paths"]["/me"]["post"]["x-sunset"] = "2028-07-05"
        assert faults(sooner, before) == ["goes sooner than was said: POST /me: 2027-07-04, not 2027-07-05"]
        assert faults(later, before) == []
        assert faults(DESCRIPTION, before) == []
        assert faults(before) == []


class TestThePromises:
    def test_are_kept_and_complete(self) -> None:
        promised, now = PROMISED.read_text(encoding="utf-8").splitlines(), promises_of(published_schema())
        assert broken(promised, now, on=TODAY) == []
        assert promised == now, "add them: ./run.sh manage promise_api"
