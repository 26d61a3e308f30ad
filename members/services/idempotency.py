"""Repeated calls: the first answer is kept with its effect, and given again.

Lock order: the row of the key comes first, before any row of the effect (natural key, account, lots …).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _
from psycopg import errors

from members.models import IdempotentAnswer
from members.refusals import MembersRefusal

KEPT: Final = timedelta(days=7)
KEY_LENGTH: Final = 120


class IdempotencyKeyReused(MembersRefusal):
    """The key came with another request before."""

    code = "idempotency_key_reused"
    text = _("This idempotency key was used for another request.")
    status = 422


class RequestInProgress(MembersRefusal):
    """The first call with this key has not ended within the time a call waits."""

    code = "request_in_progress"
    text = _("The first request with this key is still being worked on. Please repeat it in a moment.")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status with its body, fresh or kept."""

    status: int
    body: dict[str, Any]
    is_replayed: bool = False


def fingerprint_of(*parts: object) -> bytes:
    """Return a hash of what makes two requests the same: values that JSON can write, in any order of keys."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()


def answer_once(
    *, principal: str, route: str, key: str, fingerprint: bytes, effect: Callable[[], Answer], at: datetime
) -> Answer:
    """Return the answer of `effect`, run once for this principal, route and key; a repeat gets the first answer.

    A repeat in flight waits for the first. The effect and its kept answer commit together; when the effect raises,
    nothing is kept and the key may be used again. The body must hold nothing secret, because it is stored.

    Raises `IdempotencyKeyReused` (the fingerprint differs), `RequestInProgress` (waited for `lock_timeout`), and
    whatever the effect raises.
    """
    with transaction.atomic():
        row_id = _claim(principal, route, key, fingerprint, at)
        if row_id is None:
            # Committed before our statement began, so it can be read; the tidying task may have removed it since.
            kept = IdempotentAnswer.objects.filter(principal=principal, route=route, key=key).first()
            if kept is None:
                raise RequestInProgress
            if bytes(kept.body_sha256) != fingerprint:
                raise IdempotencyKeyReused
            return Answer(kept.status, kept.answer or {}, is_replayed=True)
        answer = effect()
        _keep(row_id, answer)
        return answer


def kept_answer(*, principal: str, route: str, key: str, fingerprint: bytes) -> Answer | None:
    """Return the answer that is kept for a repeat, or None: for what must not be asked of others twice.

    Raises `IdempotencyKeyReused`.
    """
    kept = IdempotentAnswer.objects.filter(principal=principal, route=route, key=key).first()
    if kept is None or not kept.status:
        return None
    if bytes(kept.body_sha256) != fingerprint:
        raise IdempotencyKeyReused
    return Answer(kept.status, kept.answer or {}, is_replayed=True)


def forget_answers(*, before: datetime, limit: int = 5_000) -> int:
    """Delete up to `limit` kept answers from before a moment; return how many."""
    old = IdempotentAnswer.objects.filter(created_at__lt=before).order_by("created_at").values("pk")[:limit]
    deleted, _by_model = IdempotentAnswer.objects.filter(pk__in=old).delete()
    return deleted


def _keep(row_id: int, answer: Answer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_idempotentanswer SET status = %s, answer = %s::jsonb WHERE id = %s",
            [answer.status, json.dumps(answer.body, separators=(",", ":"), ensure_ascii=False), row_id],
        )


def _claim(principal: str, route: str, key: str, fingerprint: bytes, at: datetime) -> int | None:
    """Insert the row of the key and return its id, or None when it is there. Waits for another who is inserting it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO members_idempotentanswer (principal, route, key, body_sha256, status, created_at)
                VALUES (%s, %s, %s, %s, 0, %s)
                ON CONFLICT (principal, route, key) DO NOTHING RETURNING id
                """,
                [principal, route, key, fingerprint, at],
            )
            found = cursor.fetchone()
            return found[0] if found else None
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise RequestInProgress from error
        raise
