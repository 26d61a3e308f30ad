"""Bodies of requests that change something."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class Body(serializers.Serializer):
    """A body that refuses fields it does not know, by name: `member` instead of `member_ref` must not lose the points."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                words = _("This field is not known here.")
                raise serializers.ValidationError(
                    {_writable(name): [ErrorDetail(words, code="unknown_field")] for name in unknown[:20]}
                )
        return super().to_internal_value(data)


def _writable(name: object) -> str:
    """Return a name of the caller's making as it can be said back: short, and without halves of characters."""
    return str(name)[:80].encode("utf-8", "replace").decode()
