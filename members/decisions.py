"""Decisions: what was refused or quoted, and why, kept for a while.

Written by the edges in a transaction of their own: a refusal has rolled back everything else by then.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Decision
from members.refusals import Refusal

KEEP_DAYS: Final = 90
MOST_DAYS: Final = 366
MOST_BYTES: Final = 8_192
#: Who asks again and again leaves no more than this in a day.
MOST_A_DAY: Final = 100
_CODE = re.compile(r"^[a-z][a-z0-9_.]{0,59}$")
_LONGEST_TEXT = 200
_LATELY = timedelta(days=1)


def record_decision(
    *,
    kind: Literal["quote", "refusal"],
    member_id: int | None,
    subject: str,
    code: str,
    trace: Mapping[str, Any],
    by: Actor,
    at: datetime,
    keep_days: int = KEEP_DAYS,
) -> UUID:
    """Keep a decision for so many days (at most 366); return its public id, which a hold may name.

    Opens a transaction of its own, so it can not be called within another. The trace holds codes, ids and numbers; one
    of more than 8 kB has its longest lists and texts cut. Raises ValueError for a code that is none.
    """
    if not _CODE.match(code) or not 0 < keep_days <= MOST_DAYS:
        raise ValueError(f"{code} can not be kept for {keep_days} days")
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_decision
                (kind, member_id, subject, code, trace, actor_kind, actor_id, decided_at, expires_at)
            VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s) RETURNING public_id
            """,
            [
                kind, member_id, subject[:80], code, bounded(trace), by.kind, by.id, at, at + timedelta(days=keep_days),
            ],
        )  # fmt: skip
        return cursor.fetchone()[0]


def keep_refusal(
    refusal: Refusal,
    *,
    member_id: int | None,
    subject: str,
    by: Actor,
    at: datetime,
    request_ref: str = "",
    most: int = MOST_A_DAY,
) -> None:
    """Keep a refusal that explains itself and concerns a member, `most` a day at most; of others nothing is kept."""
    member_id = refusal.member_id or member_id
    if not refusal.explains or member_id is None or count_lately(member_id, at=at, most=most) >= most:
        return
    trace = {"v": 1, "params": refusal.stored_params(), "request": request_ref}
    record_decision(kind="refusal", member_id=member_id, subject=subject, code=refusal.code, trace=trace, by=by, at=at)


def count_lately(member_id: int, *, at: datetime, most: int) -> int:
    """Return how many decisions about a member were made in the last day, counted to `most`."""
    newest = Decision.objects.filter(member_id=member_id).order_by("-pk").values_list("decided_at", flat=True)[:most]
    return sum(decided_at > at - _LATELY for decided_at in newest)


def kept_decisions(member_id: int, *, at: datetime) -> QuerySet[Decision]:
    """Return a member's decisions that are still kept."""
    return Decision.objects.filter(member_id=member_id, expires_at__gt=at)


def decisions_of(member_id: int, *, at: datetime, limit: int = 25, before: int | None = None) -> list[Decision]:
    """Return a member's decisions, newest first: at most `limit` (to 100), older than the one with id `before`."""
    kept = kept_decisions(member_id, at=at)
    if before is not None:
        kept = kept.filter(pk__lt=before)
    return list(kept.order_by("-pk")[: min(limit, 100)])


def decision_by_public_id(public_id: UUID, *, at: datetime) -> Decision:
    """Return the decision with this public id. Raises `NotFound`, also when it is kept no longer."""
    found = Decision.objects.filter(public_id=public_id, expires_at__gt=at).first()
    if found is None:
        raise NotFound
    return found


def ensure_partitions(*, at: datetime) -> int:
    """Make the partitions of this month and of those in which a decision of today may expire; return how many were made."""
    return _call("members_ensure_decision_partitions", at)


def drop_expired(*, at: datetime) -> int:
    """Drop the months in which everything has expired; return how many."""
    return _call("members_drop_expired_decisions", at)


def bounded(trace: Mapping[str, Any]) -> str:
    """Return a trace as JSON of at most 8 kB: while it is longer, every text and then every list is cut further.

    A trace that was cut says so with `"cut": true`; one that can not be cut enough keeps nothing else.
    """
    text = _json(trace)
    if len(text.encode()) <= MOST_BYTES:
        return text
    longest = 256
    while longest >= 1:
        text = _json({**_shortened(trace, longest), "cut": True})
        if len(text.encode()) <= MOST_BYTES:
            return text
        longest //= 2
    return _json({"cut": True})


def _shortened(value: Any, longest: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name)[:60]: _shortened(inner, longest) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner, longest) for inner in value[:longest]]
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _call(function: str, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [at])
        return cursor.fetchone()[0]
