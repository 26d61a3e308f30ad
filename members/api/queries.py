"""Parameters of addresses: read strictly, refused by name."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


class BadQuery(ValidationError):
    """A parameter of the address that can not be read; the problem names it as `parameter`."""

    def __init__(self, parameter: str, detail: Any, code: str = "invalid") -> None:
        super().__init__({parameter: [detail]}, code)


def query_values(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """Return the parameters that the serializer knows, checked; others are ignored. Raises `BadQuery`."""
    reader = serializer(data=request.query_params.dict())
    if not reader.is_valid():
        problem = BadQuery("", "")
        problem.detail = reader.errors
        raise problem
    return dict(reader.validated_data)
