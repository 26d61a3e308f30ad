"""Small texts that must be read again but not lie open in the database: encrypted under keys derived from a secret.

Fernet (AES-128-CBC with HMAC-SHA256). Each sort of text has a key of its own, so that none can be taken for another.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet
from django.conf import settings


def encrypted(what: str, text: str) -> bytes:
    """Return a text as it is stored. `what` sets sorts of texts apart."""
    return _key(settings.CODE_SECRET, what).encrypt(text.encode())


def decrypted(what: str, content: bytes) -> str:
    """Return the text again. Raises cryptography.fernet.InvalidToken for what was not encrypted as this sort, by us."""
    return _key(settings.CODE_SECRET, what).decrypt(bytes(content)).decode()


@lru_cache(maxsize=16)
def _key(secret: str, what: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(secret.encode(), f"encrypt:{what}".encode(), hashlib.sha256)))
