"""Calls that a server signs besides bearing its key: over the very body, with a moment, as Standard Webhooks are signed.

Each is accepted once. While a secret is being changed, signatures with the one before are good as well.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from members.models import ApiKey
from members.refusals import MembersRefusal
from members.services.keys import SIGNING_PREFIX, signing_secrets
from members.services.signed_calls import TOLERANCE_SECONDS, use_nonce

#: The largest body that is signed.
MOST_BYTES: Final = 256 * 1024


class SignatureInvalid(MembersRefusal):
    """No signature, or none of this key over this body."""

    code = "signature_invalid"
    text = _("The signature is missing or does not belong to this key and body.")
    status = 401


class SignatureOutOfTime(MembersRefusal):
    """It was signed too long ago, or in the future."""

    code = "signature_out_of_time"
    text = _("The signature is more than %(seconds)s seconds away from our clock.")
    status = 401


class SignedBodyTooLarge(MembersRefusal):
    """More than such a call needs."""

    code = "payload_too_large"
    text = _("The body of the request is too large.")
    status = 413


class SignedCallRepeated(MembersRefusal):
    """The very same call was accepted before."""

    code = "signature_replayed"
    text = _("This signed call was received already. Sign it again, with the moment of now, to repeat it.")
    status = 409


#: What every signed call may be refused with; for the `refusals` of views.
SIGNATURE_REFUSALS: Final = (SignatureInvalid, SignatureOutOfTime, SignedCallRepeated, SignedBodyTooLarge)
#: The headers of a signed call, for the published description.
SIGNATURE_HEADERS: Final = [
    OpenApiParameter("webhook-id", str, OpenApiParameter.HEADER, required=True, description="Names the message, 1 to 120 visible characters."),
    OpenApiParameter("webhook-timestamp", str, OpenApiParameter.HEADER, required=True, description="When it was signed: seconds since 1970."),
    OpenApiParameter(
        "webhook-signature", str, OpenApiParameter.HEADER, required=True,
        description="`v1,` and base64 of the HMAC-SHA256 of `id.timestamp.body`; several with spaces between.",
    ),
]  # fmt: skip


#: The same, where only those calls are signed whose key was given a secret for it.
OPTIONAL_SIGNATURE_HEADERS: Final = [
    OpenApiParameter(one.name, str, OpenApiParameter.HEADER, required=False, description=one.description)
    for one in SIGNATURE_HEADERS
]


def require_signature(
    request: Request, *, key: ApiKey, at: datetime, with_address: bool = False, most_bytes: int = MOST_BYTES
) -> None:
    """Refuse a call whose body was not signed just now with a signing secret of its key, or that was accepted before.

    Before the body is parsed. `with_address` asks for the method and the address in what is signed. Raises
    `SignatureInvalid`, `SignatureOutOfTime`, `SignedCallRepeated`, `SignedBodyTooLarge`.
    """
    body: bytes = request.body
    if len(body) > most_bytes:
        raise SignedBodyTooLarge
    message_id, stamp = (request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp"))
    if not (
        0 < len(message_id) <= 120
        and message_id.isascii()
        and 0 < len(stamp) <= 12
        and stamp.isascii()
        and stamp.isdigit()
    ):
        raise SignatureInvalid
    address = f"{request.method} {request.get_full_path()}" if with_address else ""
    content = _content(message_id, stamp, address, body)
    expected = [_digest(secret, content) for secret in signing_secrets(key, at)]
    if not any(hmac.compare_digest(good, given) for given in _given(request) for good in expected):
        raise SignatureInvalid
    if abs(at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureOutOfTime(seconds=TOLERANCE_SECONDS)
    if not use_nonce(key=key, nonce=content, signed_at=datetime.fromtimestamp(int(stamp), UTC)):
        raise SignedCallRepeated


def signature_of(secret: str, *, message_id: str, stamp: int, body: bytes, address: str = "") -> str:
    """Return the header that signs a body: what the other side computes as well.

    `address` is the method and the address with its query (`POST /api/v1/…`), where the call asks for it.
    """
    digest = _digest(secret, _content(message_id, str(stamp), address, body))
    return "v1," + base64.b64encode(digest).decode()


def _content(message_id: str, stamp: str, address: str, body: bytes) -> bytes:
    return f"{message_id}.{stamp}.{f'{address}.' if address else ''}".encode() + body


def _digest(secret: str, content: bytes) -> bytes:
    return hmac.digest(base64.b64decode(secret.removeprefix(SIGNING_PREFIX)), content, hashlib.sha256)


def _given(request: Request) -> list[bytes]:
    """Return the signatures of version 1 that were sent, a few at most; several while a secret is being changed."""
    found = []
    for part in request.headers.get("webhook-signature", "").split(" ")[:5]:
        version, _comma, text = part.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
