"""Value-moving calls: the key is required, and the first answer is the only one."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from members.api.base import caller_of
from members.refusals import MembersRefusal
from members.services.idempotency import (
    KEY_LENGTH,
    Answer,
    IdempotencyKeyReused,
    RequestInProgress,
    answer_once,
    fingerprint_of,
)
from members.timeline import nudge

_KEY = re.compile(rf"^[\x21-\x7e]{{1,{KEY_LENGTH}}}$")


class IdempotencyKeyMissing(MembersRefusal):
    """The call moves value and has no key."""

    code = "idempotency_key_missing"
    text = _("Send an Idempotency-Key header with this request.")
    status = 400


class IdempotencyKeyInvalid(MembersRefusal):
    """The key is too long or has characters that a header should not have."""

    code = "idempotency_key_invalid"
    text = _("An Idempotency-Key is 1 to %(length)s visible ASCII characters.")
    status = 400


#: What every keyed call may be refused with; for the `refusals` of views.
KEY_REFUSALS: tuple[type[MembersRefusal], ...] = (
    IdempotencyKeyMissing,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestInProgress,
)


def idempotency_key(request: Request) -> str:
    """Return the key of the request, written bare or in quotes. Raises `IdempotencyKeyMissing`, `IdempotencyKeyInvalid`."""
    header = request.headers.get("Idempotency-Key", "").strip()
    if len(header) > 1 and header[0] == header[-1] == '"':
        header = header[1:-1]
    if not header:
        raise IdempotencyKeyMissing
    if not _KEY.match(header):
        raise IdempotencyKeyInvalid(length=KEY_LENGTH)
    return header


def plain(data: Any) -> dict[str, Any]:
    """Return the data of a serializer as plain JSON values, as they are kept."""
    values: dict[str, Any] = json.loads(json.dumps(data, cls=JSONEncoder))
    return values


def respond_once(request: Request, *, route: str, effect: Callable[[], Answer], at: datetime) -> Response:
    """Answer a value-moving call once; repeats get the first answer with `Idempotency-Replayed: true`.

    The scope of the key is the caller and the route. What makes two calls the same is the address with its query,
    and the body as data, whatever its spacing and order of names.
    """
    answer = answer_once(
        principal=caller_of(request).principal,
        route=route,
        key=idempotency_key(request),
        fingerprint=fingerprint_of(request.get_full_path(), request.data),
        effect=effect,
        at=at,
    )
    nudge()
    headers = {"Idempotency-Replayed": "true"} if answer.is_replayed else None
    return Response(answer.body, status=answer.status, headers=headers)
