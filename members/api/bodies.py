"""Bodies of requests that change something, and of the answers to them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class Body(serializers.Serializer):
    """A body that refuses fields it does not know, by name: `member` instead of `member_ref` must not lose the points."""

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """Return the validated values of a request's data. Raises ValidationError."""
        values: dict[str, Any] = _shared(cls).run_validation(data)
        return values

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                words = _("This field is not known here.")
                raise serializers.ValidationError(
                    {_writable(name): [ErrorDetail(words, code="unknown_field")] for name in unknown[:20]}
                )
        return super().to_internal_value(data)


def written(serializer: type[serializers.Serializer], answer: object) -> Mapping[str, Any]:
    """Return an answer as a serializer writes it: for serializers that look at nothing but the answer."""
    values: Mapping[str, Any] = _shared(serializer).to_representation(answer)
    return values


@cache
def _shared[S: serializers.Serializer](serializer: type[S]) -> S:
    """Return the one instance that serves all requests: making one copies each of its fields, and using it changes nothing."""
    return serializer()


def _writable(name: object) -> str:
    """Return a name of the caller's making as it can be said back: short, and without halves of characters."""
    return str(name)[:80].encode("utf-8", "replace").decode()
