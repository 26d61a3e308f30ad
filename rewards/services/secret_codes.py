"""Codes that nobody can guess: derived from a secret, so that they are stored nowhere; a keyed hash finds what they stand for."""

import hashlib
import hmac
import secrets
from typing import Final
from uuid import UUID

from django.conf import settings

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})
_BITS: Final = 80


def derived_code(what: str, public_id: UUID) -> str:
    """Return the code of a thing, for its owner's eyes: 80 bits, four groups of four. `what` sets sorts of codes apart."""
    return _in_groups(int.from_bytes(keyed(what.encode() + b":" + public_id.bytes)[: _BITS // 8]))


def random_code() -> str:
    """Return a code that was drawn by lot, as long as a derived one."""
    return _in_groups(secrets.randbits(_BITS))


def lookup_key(what: str, code: str) -> bytes:
    """Return the key under which a code is found; spaces, hyphens, case and easily misread letters do not matter."""
    return keyed(what.encode() + b":" + code.upper().translate(_MISREAD).encode())


def derived_id(what: str, *parts: int) -> UUID:
    """Return the public id of what is made once for these parts: told again it is the same, and nobody can guess it."""
    return UUID(bytes=keyed(":".join([what, *map(str, parts)]).encode())[:16], version=4)


def keyed(message: bytes) -> bytes:
    """Return the keyed hash (32 bytes) of a message, which begins with the sort of thing it is about."""
    return hmac.digest(settings.CODE_SECRET.encode(), message, hashlib.sha256)


def _in_groups(number: int) -> str:
    code = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(_BITS - 5, -1, -5))
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))
