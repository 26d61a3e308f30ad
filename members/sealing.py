"""Secrets that have to be read again are kept encrypted, under a key that stands outside the database."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet
from django.conf import settings


def seal(secret: str, *, purpose: str) -> bytes:
    """Return a secret as it may be kept. What was sealed for one purpose can not be opened for another."""
    return _box(purpose).encrypt(secret.encode())


def unseal(kept: bytes, *, purpose: str) -> str:
    """Return the secret again. Raises `cryptography.fernet.InvalidToken` when it was not sealed here for this purpose."""
    return _box(purpose).decrypt(bytes(kept)).decode()


def _box(purpose: str) -> Fernet:
    key = hmac.digest(settings.CODE_SECRET.encode(), b"sealing:" + purpose.encode(), hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
