"""The operations of the API as its description has them: how to call one, and which fields of its answer are not described."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.test import Client
from django.utils import translation

from config.reference import published_schema
from tests.contracts.routes_of_the_api import ROUTES, Route
from tests.contracts.world_of_a_member import World
from tests.factories.api import API, Caller

WRITES = {"post", "put", "patch", "delete"}


class Operation:
    """An operation of the description with its entry."""

    def __init__(self, name: str, method: str, path: str, described: dict[str, Any]) -> None:
        self.name, self.method, self.path, self.described = name, method, path, described
        self.takes_body = "requestBody" in described
        self.headers = {
            one["name"] for one in described.get("parameters", []) if one["in"] == "header" and one.get("required")
        }

    @property
    def route(self) -> Route:
        return ROUTES[self.name]

    def call(self, caller: Caller | Client, world: World, *, more: dict[str, Any] | None = None) -> Any:
        """Ask for what the member of this world has; return the answer."""
        path = self.path
        for name, where in self.route.path:
            path = path.replace(f"{{{name}}}", where[1:] if where.startswith("=") else world[where])
        assert "{" not in path, f"{self.name}: {path} has a parameter without an entry"
        body = self.route.body(world) if self.route.body else {}
        raw = json.dumps(body | (more or {})).encode() if self.method in WRITES else b""
        headers = {"accept-language": "en"} | ({"idempotency-key": "walk"} if "Idempotency-Key" in self.headers else {})
        headers |= {"if-match": "*"} if "If-Match" in self.headers else {}
        headers |= self.route.headers(world, raw) if self.route.headers else {}
        client = caller if isinstance(caller, Client) else caller.client
        if isinstance(caller, Caller) and caller.secret:
            headers["authorization"] = f"Bearer {caller.secret}"
        sent = {"data": raw, "content_type": "application/json"} if self.method in WRITES else {}
        return getattr(client, self.method)(f"{API}{path}", **sent, headers=headers)

    def prepare(self, world: World) -> None:
        """Let that be so which the rightful caller needs."""
        if self.route.before:
            self.route.before(world)

    def names(self, world: World) -> str:
        """Return what the caller says himself, and may be told again."""
        body = json.dumps(self.route.body(world), ensure_ascii=False) if self.route.body else ""
        return body + "".join(where if where.startswith("=") else world[where] for _name, where in self.route.path)


@cache
def described() -> dict[str, Any]:
    with translation.override("en"):
        found: dict[str, Any] = json.loads(json.dumps(published_schema()))
    return found


@cache
def operations() -> list[Operation]:
    return [
        Operation(operation["operationId"], method, path, operation)
        for path, item in described()["paths"].items()
        for method, operation in item.items()
        if method in WRITES | {"get"}
    ]


def known() -> list[Operation]:
    """Return the operations that have an entry; that all have one is a test by itself."""
    return [operation for operation in operations() if operation.name in ROUTES]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = described()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def properties_of(operation: Operation) -> dict[str, Any]:
    """Return the fields of the body of an operation."""
    content = operation.described.get("requestBody", {}).get("content", {}).get("application/json", {})
    found: dict[str, Any] = _resolved(content.get("schema", {})).get("properties", {})
    return found


def undescribed(operation: Operation, answer: Any) -> list[str]:
    """Return the fields of an answer that the description does not name."""
    response = operation.described["responses"].get(str(answer.status_code), {})
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        is_empty = answer.status_code >= 400 or not answer.content or "content" in response
        return [] if is_empty else ["a body that is not described"]
    return list(_unnamed(answer.json(), schema, ""))


def _unnamed(value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
    schema = _resolved(schema)
    for form in ("allOf", "oneOf", "anyOf"):
        named = [_resolved(one) for one in schema.get(form, [])]
        if named:
            inner = next((one for one in named if "properties" in one or one.get("type") == "array"), None)
            if inner is not None:
                yield from _unnamed(value, inner, place)
            return
    if isinstance(value, list):
        for one in value:
            yield from _unnamed(one, schema.get("items", {}), f"{place}[]")
    elif isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        for name, one in value.items():
            if name in properties:
                yield from _unnamed(one, properties[name], f"{place}.{name}")
            elif not schema.get("additionalProperties"):
                yield f"{place}.{name}"
