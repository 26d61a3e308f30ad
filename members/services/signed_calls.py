"""Signed calls are accepted once: the nonce of each is kept until its moment would be refused anyway."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from members.models import ApiKey, SignedCall

#: How far the moment of a signature may lie from ours, in seconds.
TOLERANCE_SECONDS: Final = 300
KEPT: Final = timedelta(seconds=4 * TOLERANCE_SECONDS)
_FORGOTTEN_AT_ONCE: Final = 100_000

_USE = """
INSERT INTO members_signedcall (key_id, nonce_sha256, signed_at) VALUES (%s, %s, %s)
ON CONFLICT (key_id, nonce_sha256) DO NOTHING RETURNING id
"""


def use_nonce(*, key: ApiKey, nonce: bytes, signed_at: datetime) -> bool:
    """Use up what makes a signed call the same call; return whether it was new. Beside each other, one call gets it."""
    with connection.cursor() as cursor:
        cursor.execute(_USE, [key.pk, hashlib.sha256(nonce).digest(), signed_at])
        return cursor.fetchone() is not None


def forget_signed_calls(*, at: datetime) -> int:
    """Delete the nonces of calls whose moment is long refused, at most 100,000; return how many."""
    old = SignedCall.objects.filter(signed_at__lte=at - KEPT).order_by("signed_at").values("pk")[:_FORGOTTEN_AT_ONCE]
    return SignedCall.objects.filter(pk__in=old).delete()[0]
