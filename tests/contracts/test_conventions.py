"""What every operation of the API has in common: headers, sizes, and addresses in which nothing secret stands."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.conf import settings

from tests.contracts.calls_of_the_api import WRITES, Operation, described, known
from tests.contracts.routes_of_the_api import Route
from tests.contracts.test_every_route import taken_back, world
from tests.contracts.world_of_a_member import World
from tests.factories.api import Caller, problem_of

__all__ = ["world"]

#: What stands in an address though its name sounds like a secret, and why it may.
IN_ADDRESSES: Final = {
    ("GET /jobs/{job}/result", "key"): "the address is the right to the file: signed, for one job, ends with it",
    ("POST /pos/pickups/{code}/complete", "code"): "good once, for one gift, and only with the key of the store",
    ("GET /problems/{code}", "code"): "names a kind of problem",
}
SECRET: Final = re.compile(
    r"token|secret|password|phone|mobile|mail|name|openid|seed|^key$|^code$|otp|birthday|address"
)
TOO_LARGE: Final = "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def faults_of(answer: Any, route: Route, *, is_signed_in: bool) -> list[str]:
    """Return what is amiss with the headers of an answer."""
    headers, found = answer.headers, []
    kept = headers.get("Cache-Control", "")
    may_be_kept = route.who in ("public", "known") and not is_signed_in and answer.status_code in (200, 304)
    if kept != "no-store" and not (may_be_kept and re.fullmatch(r"public, max-age=\d+", kept)):
        found.append(f"Cache-Control: {kept}")
    if is_signed_in and "Authorization" not in headers.get("Vary", "") and kept != "no-store":
        found.append("may be kept for somebody else")
    if headers.get("Content-Language") not in dict(settings.LANGUAGES):
        found.append(f"Content-Language: {headers.get('Content-Language')}")
    if "Accept-Language" not in headers.get("Vary", ""):
        found.append(f"Vary: {headers.get('Vary')}")
    if not headers.get("X-Request-Id") or headers.get("X-Content-Type-Options") != "nosniff":
        found.append("no X-Request-Id, or no nosniff")
    if answer.cookies:
        found.append(f"cookies: {list(answer.cookies)}")
    return found


def parts_of(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a described value and all that is in it, each with its place."""
    while "$ref" in schema:
        schema = described()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts_of(inner, f"{at}/{name}")
    if isinstance(schema.get("items"), dict):
        yield from parts_of(schema["items"], f"{at}/*")
    for inner in (part for word in ("allOf", "oneOf", "anyOf") for part in schema.get(word, ())):
        yield from parts_of(inner, at)


def by_right(operation: Operation, world: World, *, more: dict[str, Any] | None = None) -> Any:
    """Call as whoever may."""
    caller = {"member": world.me, "known": world.me, "till": world.till, "public": Caller()}[operation.route.who]
    return operation.call(caller, world, more=more)


def body_of(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = operation.described["requestBody"]["content"]["application/json"]["schema"]
    return found


@pytest.mark.django_db
class TestEveryAnswer:
    def test_of_whatever_outcome_has_the_headers_of_the_house(self, world: World) -> None:
        wrong = []
        for operation in known():
            is_read = operation.method == "get"  # what is changed by right is asked for in test_every_route.py
            answers = [
                (by_right(operation, world, more=None if is_read else {"unknown": 1}), operation.route.who != "public"),
                (operation.call(Caller(), world, more=None if is_read else {"unknown": 1}), False),
            ]
            for answer, is_signed_in in answers:
                faults = faults_of(answer, operation.route, is_signed_in=is_signed_in)
                wrong += [(operation.name, answer.status_code, fault) for fault in faults]
        assert wrong == []


@pytest.mark.django_db
class TestSizes:
    def test_of_bodies_are_bounded(self, world: World) -> None:
        wrong = []
        for operation in known():
            if operation.takes_body:
                with taken_back():
                    answer = by_right(operation, world, more={"more": TOO_LARGE})
                if problem_of(answer)[0] != 413:
                    wrong.append((operation.name, problem_of(answer)))
        assert wrong == []

    def test_of_lists_that_are_sent_are_bounded(self) -> None:
        unbounded = {
            (operation.name, place)
            for operation in known()
            if operation.takes_body
            for place, schema in parts_of(body_of(operation))
            if schema.get("type") == "array" and "maxItems" not in schema
        }
        assert unbounded == set()

    def test_of_pages_are_a_hundred_at_most(self, world: World) -> None:
        pages = [
            (operation, one["schema"])
            for operation in known()
            for one in operation.described.get("parameters", [])
            if (one["in"], one["name"]) == ("query", "limit")
        ]
        assert len(pages) > 5
        assert {operation.name: schema["maximum"] for operation, schema in pages if schema["maximum"] > 100} == {}
        for operation, _schema in pages:
            for limit in ("101", "1000000", "0", "-1", "x"):
                asked = Operation(
                    operation.name, operation.method, f"{operation.path}?limit={limit}", operation.described
                )
                answer = by_right(asked, world)
                assert problem_of(answer) == (400, "validation_error"), (operation.name, limit)
                assert [one["parameter"] for one in answer.json()["errors"]] == ["limit"]

    def test_of_whatever_goes_on_is_a_page(self) -> None:
        goes_on = {
            operation.name
            for operation in known()
            for status, response in operation.described["responses"].items()
            if status == "200"
            for content in response.get("content", {}).values()
            if {"next", "previous"} <= next(parts_of(content["schema"]))[1].get("properties", {}).keys()
        }
        paged = {
            operation.name
            for operation in known()
            if "limit" in {one["name"] for one in operation.described.get("parameters", [])}
        }
        assert len(goes_on) > 5
        assert goes_on <= paged


class TestAddresses:
    def test_hold_nothing_secret_and_nothing_personal(self) -> None:
        found = {
            (f"{operation.method.upper()} {operation.path}", one["name"])
            for operation in known()
            for one in operation.described.get("parameters", [])
            if one["in"] in ("path", "query") and SECRET.search(one["name"])
        }
        assert found == IN_ADDRESSES.keys()

    def test_of_what_changes_something_say_at_most_how(self) -> None:
        asked = {
            (operation.name, one["name"])
            for operation in known()
            if operation.method in WRITES
            for one in operation.described.get("parameters", [])
            if one["in"] == "query"
        }
        assert asked == {("record_return", "dry_run"), ("quote_cart", "at")}

    @pytest.mark.django_db
    def test_with_a_character_that_no_text_can_hold_are_refused(self, world: World) -> None:
        answer = world.me.get("/me/points/entries?currency=a%00b")
        assert problem_of(answer) == (400, "validation_error")
        assert [one["parameter"] for one in answer.json()["errors"]] == ["currency"]
