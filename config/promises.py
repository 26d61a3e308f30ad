"""What v1 of the API promises its callers, line by line, so that a change that would break one of them is noticed.

A line that begins with `gives` or `takes` may be added and must stay; one that begins with `needs` may go and must not be added.
One that begins with `until` says of a deprecated operation or field on which day it may go at the earliest: it may be added
and may go, but come no sooner. What it names, with all that is in it, may go after that day.
The lines are kept in `config/openapi.promises.txt`; the description they come from is `config/openapi.yaml`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

PROMISED: Final = Path(__file__).with_name("openapi.promises.txt")
SUNSET: Final = "x-sunset"  # in the description, beside `deprecated`
_METHODS: Final = ("get", "put", "post", "delete", "patch")
_DEEPEST: Final = 12


def promises_of(description: Mapping[str, Any]) -> list[str]:
    """Return what a description of the API gives, takes and needs: sorted lines, each once."""
    found: set[str] = set()
    for path, item in description["paths"].items():
        for method in (name for name in _METHODS if name in item):
            found.update(_of_operation(f"{method.upper()} {path}", item[method], description))
    return sorted(found)


def broken(promised: Iterable[str], now: Iterable[str], *, on: date) -> list[str]:
    """Return what a caller who counts on the promised lines would miss on a day, or be asked for besides; empty when all is well."""
    before, after = set(promised), set(now)
    known = {line.partition(" ")[2].partition(": ")[0] for line in before}
    ends, ends_now = _ends(before), _ends(after)
    over = [place for place, day in ends.items() if day < on]
    gone = [
        f"is gone: {line}"
        for line in sorted(before - after)
        if line.startswith(("gives ", "takes ")) and not any(_is_within(line, place) for place in over)
    ]
    sooner = [
        f"goes sooner than was said: {place}: {ends_now[place]}, not {day}"
        for place, day in sorted(ends.items())
        if place in ends_now and ends_now[place] < day
    ]
    asked = [
        f"is asked now: {line}"
        for line in sorted(after - before)
        if line.startswith("needs ") and _whole(line) in known
    ]
    return gone + sooner + asked


def _ends(lines: Iterable[str]) -> dict[str, date]:
    """Return by place the day on which what is deprecated may go."""
    said = (line.removeprefix("until ").rpartition(": ") for line in lines if line.startswith("until "))
    return {place: date.fromisoformat(day) for place, _colon, day in said}


def _is_within(line: str, place: str) -> bool:
    """Whether a line is about a place or something in it."""
    rest = line.partition(" ")[2]
    behind = ("", " ", "/", ":") if " body" in place else ("", " ")  # `/me/points` is not in `/me`
    return rest.startswith(place) and rest[len(place) :][:1] in behind


def _whole(need: str) -> str:
    """Return that of which a needed thing is a part: a value above it, or the operation."""
    place = need.removeprefix("needs ")
    above, slash, _name = place.rpartition("/")
    return above if slash and " body" in above else " ".join(place.split(" ", 2)[:2])


def _of_operation(name: str, operation: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    yield f"gives {name}"
    yield from _of_end(name, operation)
    for parameter in operation.get("parameters", ()):
        place = f"{name} {parameter['in']} {parameter['name']}"
        yield from _of_schema("takes", place, parameter["schema"], root, 0)
        if parameter.get("required"):
            yield f"needs {place}"
    body = operation.get("requestBody", {})
    for kind, content in body.get("content", {}).items():
        yield from _of_schema("takes", f"{name} {kind} body", content["schema"], root, 0)
        if body.get("required"):
            yield f"needs {name} {kind} body"
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield f"gives {name} {status}"
            for kind, content in response.get("content", {}).items():
                yield from _of_schema("gives", f"{name} {status} {kind} body", content.get("schema", {}), root, 0)


def _of_schema(verb: str, place: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield the lines of a value and of what is in it."""
    schema = {**_resolved(schema, root), **({SUNSET: schema[SUNSET]} if SUNSET in schema else {})}
    if depth > _DEEPEST:
        return
    yield f"{verb} {place}: {_kind(schema, root)}"
    yield from _of_end(place, schema)
    if verb == "takes":
        for value in (value for value in schema.get("enum", ()) if value is not None):
            yield f"takes {place} = {value}"
    for part in (part for word in ("allOf", "oneOf", "anyOf") for part in schema.get(word, ())):
        if _resolved(part, root).get("properties"):
            yield from _of_properties(verb, place, _resolved(part, root), root, depth)
    yield from _of_properties(verb, place, schema, root, depth)
    if isinstance(schema.get("items"), Mapping):
        yield from _of_schema(verb, f"{place}/*", schema["items"], root, depth + 1)


def _of_end(place: str, part: Mapping[str, Any]) -> Iterator[str]:
    if SUNSET in part:
        yield f"until {place}: {part[SUNSET]}"


def _of_properties(
    verb: str, place: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield from _of_schema(verb, f"{place}/{name}", inner, root, depth + 1)
        if verb == "takes" and name in schema.get("required", ()):
            yield f"needs {place}/{name}"


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Mapping[str, Any] = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    kinds = schema.get("type", [])
    names = {kinds} if isinstance(kinds, str) else set(kinds)
    for part in (part for word in ("allOf", "oneOf", "anyOf") for part in schema.get(word, ())):
        names |= set(_kind(_resolved(part, root), root).split(" or "))
    if schema.get("enum") and not names:
        names = {"string"}
    return " or ".join(sorted(names)) or "anything"
