"""The published description of the API: OpenAPI 3.1, made from the views, with every problem they may answer."""

from collections import defaultdict
from typing import Any

from django.utils import translation
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from config.problems import TITLES
from config.promises import SUNSET
from config.rest import PROBLEM
from members.api.authentication import BearerAuthentication, MemberAuthentication, TillAuthentication
from members.api.deprecation import HEADERS, Deprecation
from members.api.once import IdempotencyKeyMissing
from members.api.permissions import Public
from members.api.security import MemberTokenScheme, TillKeyScheme  # noqa: F401 - registers them
from members.refusals import Refusal
from members.services.idempotency import KEY_LENGTH
from members.services.key_bounds import NetworkNotAllowed
from members.services.rates import RateLimited
from members.services.tokens import MemberIsFrozen, TokenExpired


class ProblemErrorSerializer(serializers.Serializer):
    """One thing that is wrong in a request."""

    pointer = serializers.CharField(required=False, help_text="JSON pointer into the body, such as `#/lines/0/amount`.")
    parameter = serializers.CharField(required=False, help_text="Name of the parameter of the address.")
    code = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_field({"type": "string", "format": "uri-reference"})
class _UriReference(serializers.CharField):
    """An address that may be relative (RFC 9457, 3.1.1)."""


class ProblemSerializer(serializers.Serializer):
    """A problem (RFC 9457). Some carry figures of the case beside these, such as `required` and `available`."""

    type = _UriReference(help_text="Address of this kind of problem, relative to this server.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened, in words that can be shown to people.")
    instance = serializers.CharField(help_text="Path of the request.")
    code = serializers.CharField(help_text="Stable name of this kind of problem.")
    request_id = serializers.CharField()
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]


#: An idempotency key as `members.api.once` reads it, but that a key of quotes alone, which it refuses, is not ruled out.
_KEY_FORM = rf"^[\x21-\x7e]{{1,{KEY_LENGTH}}}$"


class _Ellipses(dict[str, str]):
    """Fills every placeholder of a sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


class PortalSchema(AutoSchema):
    """Adds to each operation what all of them have in common: problems, languages, idempotency, ETags."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None:
            return None
        responses = operation["responses"]
        if getattr(self.view, "is_cacheable", False):
            responses["304"] = {"description": "Not modified: what the caller has is current."}
            responses["200"]["headers"] = {
                **responses["200"].get("headers", {}),
                "ETag": {"schema": {"type": "string"}, "description": "For `If-None-Match`."},
            }
        if self._is_keyed():
            replayed = {"schema": {"type": "string", "enum": ["true"]}, "description": "Present on a repeated answer."}
            for status in list(responses):
                responses[status]["headers"] = {"Idempotency-Replayed": replayed}
        going: Deprecation | None = getattr(self.view, "deprecations", {}).get(method.lower())
        if going is not None:
            operation |= going_as_described(going, operation.get("description", ""))
            for status in list(responses):
                responses[status]["headers"] = {**responses[status].get("headers", {}), **HEADERS}
        for status, examples in sorted(self._problems(operation).items()):
            responses[str(status)] = self._problem_response(", ".join(examples), examples)
        if not any(status.startswith("4") for status in responses):
            responses["406"] = self._problem_response("not_acceptable", {"not_acceptable": "Only JSON is spoken here."})
        operation.setdefault("security", [])
        responses["default"] = self._problem_response("Any other problem", {})
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        """Return the schema of a serializer, in which the fields that go are marked."""
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        for name, going in getattr(serializer, "deprecated_fields", {}).items():
            inner = schema["properties"].get(name)
            if inner is not None:  # not one that is for the other direction alone
                schema["properties"][name] = inner | going_as_described(going, inner.get("description", ""))
        return schema

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        """Return the schema of a field; of a list of objects with how many there may be, which is not said otherwise."""
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if schema and schema.get("type") == "array" and isinstance(field, serializers.ListSerializer):
            bounds = vars(field)
            if bounds["max_length"] is not None:
                schema["maxItems"] = bounds["max_length"]
            if not bounds["allow_empty"]:
                schema["minItems"] = max(bounds["min_length"] or 0, 1)
        return schema

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        language = "Language of labels and details: zh-Hans (the default), zh-Hant, en."
        parameters.append(OpenApiParameter("Accept-Language", str, OpenApiParameter.HEADER, description=language))
        if self._is_keyed():
            about = "Names this wish, bare or in quotes; a repeat with the same key gets the same answer."
            form = {"type": "string", "pattern": _KEY_FORM}
            parameters.append(
                OpenApiParameter("Idempotency-Key", form, OpenApiParameter.HEADER, required=True, description=about)
            )
        if getattr(self.view, "is_cacheable", False):
            about = "The ETag of an earlier answer."
            parameters.append(OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description=about))
        return parameters

    def _refusals(self) -> tuple[type[Refusal], ...]:
        return tuple(getattr(self.view, "refusals", {}).get(self.method.lower(), ()))

    def _is_keyed(self) -> bool:
        return IdempotencyKeyMissing in self._refusals()

    def _problems(self, operation: dict[str, Any]) -> dict[int, dict[str, str]]:
        """Return status → code → detail for everything that this operation is known to refuse."""
        found: dict[int, dict[str, str]] = defaultdict(dict)
        with translation.override("en"):
            if "requestBody" in operation or any(p["in"] == "query" for p in operation.get("parameters", ())):
                found[400]["validation_error"] = "Please check what was sent."
            authenticators = self.view.get_authenticators()
            is_signed = any(isinstance(one, BearerAuthentication) for one in authenticators)
            if is_signed and Public not in self.view.permission_classes:
                found[401]["authentication_required"] = "Authentication credentials were not provided."
                found[403]["insufficient_scope"] = "This key does not have the scope that is needed."
            if any(isinstance(one, MemberAuthentication) for one in authenticators):
                found[401]["token_expired"] = str(TokenExpired.text)
                found[403][MemberIsFrozen.code] = str(MemberIsFrozen.text)
            if any(isinstance(one, TillAuthentication) for one in authenticators):
                found[403][NetworkNotAllowed.code] = str(NetworkNotAllowed.text)
            found[RateLimited.status][RateLimited.code] = str(RateLimited.text) % _Ellipses()
            if "{" in self.path:
                found[404]["not_found"] = "There is nothing at this address."
            for refusal in self._refusals():
                found[refusal.status][refusal.code] = str(refusal.text) % _Ellipses()
        return found

    def _problem_response(self, description: str, examples: dict[str, str]) -> dict[str, Any]:
        schema = self.resolve_serializer(ProblemSerializer, "response").ref
        content: dict[str, Any] = {"schema": schema}
        if examples:
            status = _status_of(examples, self._refusals())
            content["examples"] = {
                code: {"value": _example(self.path, code, detail, status)} for code, detail in examples.items()
            }
        return {"description": description, "content": {PROBLEM: content}}


_STATUS_OF = {
    "validation_error": 400, "token_expired": 401, "authentication_required": 401, "insufficient_scope": 403, "not_found": 404,
    "not_acceptable": 406, "rate_limited": 429,
}  # fmt: skip


def _status_of(examples: dict[str, str], refusals: tuple[type[Refusal], ...]) -> int:
    known = (
        _STATUS_OF
        | {MemberIsFrozen.code: MemberIsFrozen.status, NetworkNotAllowed.code: NetworkNotAllowed.status}
        | {refusal.code: refusal.status for refusal in refusals}
    )
    return known[next(iter(examples))]


def _example(path: str, code: str, detail: str, status: int) -> dict[str, Any]:
    with translation.override("en"):
        example: dict[str, Any] = {
            "type": f"https://loyalty.example.com/api/v1/problems/{code}",
            "title": str(TITLES[code]),
            "status": status,
            "detail": detail,
            "instance": path,
            "code": code,
            "request_id": "req_5f2b9c0e7a3d4c1e8f6a2b4c6d8e0f1a",
        }
    if code == "validation_error":
        example["errors"] = [{"pointer": "#/name", "code": "required", "detail": "This field is required."}]
    return example


def going_as_described(going: Deprecation, about: str) -> dict[str, Any]:
    """Return how the description says of an operation or a field that it goes. `config.promises` reads the date."""
    words = f"{about} {going.sentence}".strip()
    return {"deprecated": True, "description": words, SUNSET: going.sunset.isoformat()}


def closed_requests(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """Say of what callers send that it has no other fields: one that is not known is refused by name."""
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request") and component.get("type") == "object":
            component.setdefault("additionalProperties", False)
    return result
