"""Fields of requests and answers: ids, moments, money and text as the API writes them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from members.identifiers import NotFound, parse_ref, public_ref

_ONE_LINE = RegexValidator(r"\A[^\x00-\x1f\x7f-\x9f]*\Z", _("Control characters are not allowed."))
_IN_ADDRESSES = RegexValidator(
    r"\A[^/\x00-\x1f\x7f-\x9f]+\Z", _("Slashes and control characters are not allowed here.")
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class Ref(serializers.Field):
    """A public id (`mem_…`). Reads to a UUID, writes from one."""

    default_error_messages = {"invalid_ref": _("This is no valid id.")}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)
        self._spectacular_annotation = {
            "field": {
                "type": "string",
                "pattern": f"^{prefix}_[0-9a-z]{{26}}$",
                "examples": [f"{prefix}_{'7' + 'k3m9p2x4w8' * 3}"[:30]],
            }
        }

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return parse_ref(self.prefix, data if isinstance(data, str) else "")
        except NotFound:
            self.fail("invalid_ref")

    def to_representation(self, value: UUID) -> str:
        return public_ref(self.prefix, value)


class Instant(serializers.DateTimeField):
    """A moment: RFC 3339, written in UTC. Read only with an offset, and only within this century."""

    default_error_messages = {
        "naive": _("Give the offset from UTC, for example 2026-07-05T14:10:00+08:00."),
        "out_of_range": _("This moment is too far away."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            self.fail("out_of_range")
        if not EARLIEST <= moment < LATEST:
            self.fail("out_of_range")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Money(serializers.DecimalField):
    """An amount of money as a decimal string; its currency stands beside it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs = {"max_digits": 14, "decimal_places": 2, "coerce_to_string": True, **kwargs}
        super().__init__(**kwargs)


class Text(serializers.CharField):
    """One line of text without control characters."""

    allowed = _ONE_LINE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(self.allowed)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class OrderNumber(Text):
    """A number that a till or a shop gave: up to 80 characters, no slash, because it stands in addresses."""

    allowed = _IN_ADDRESSES

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=80, **kwargs)
