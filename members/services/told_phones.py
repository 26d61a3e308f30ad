"""The phone number that WeChat told for a code, kept while it may be asked for again: a code is good, and paid for, once.

It is encrypted under the binding token, which only the app holds: nobody who has our database and our settings reads it.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, Final

from cryptography.fernet import Fernet

from members import wechat
from members.services.idempotency import Answer, answer_once, fingerprint_of, kept_answer

ROUTE: Final = "wechat phone code"


def phone_told(*, code: str, binding_secret: str, at: datetime) -> str:
    """Return the phone number behind a code of the phone button; WeChat is asked once for a code and binding.

    So whoever was refused, because they had not agreed yet, may send the same code again. Raises what `wechat.phone_of` raises.
    """
    box = Fernet(base64.urlsafe_b64encode(hmac.digest(binding_secret.encode(), b"phone told", hashlib.sha256)))
    asked: dict[str, Any] = {
        "principal": principal_of(binding_secret), "route": ROUTE, "key": hashlib.sha256(code.encode()).hexdigest(),
        "fingerprint": fingerprint_of(code),
    }  # fmt: skip
    kept = kept_answer(**asked)
    if kept is None:
        phone = wechat.phone_of(code, at=at)
        kept = answer_once(**asked, effect=lambda: Answer(200, {"phone": box.encrypt(phone.encode()).decode()}), at=at)
    return box.decrypt(kept.body["phone"].encode()).decode()


def principal_of(binding_secret: str) -> str:
    """Return under which name the answers of a binding are kept."""
    return f"binding:{hashlib.sha256(binding_secret.encode()).hexdigest()[:32]}"
