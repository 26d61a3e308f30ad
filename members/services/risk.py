"""Risk reviews: rules open them, at night for everybody and at once for whom something happened; staff decide once."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import SYSTEM, Actor
from members.identifiers import NotFound
from members.models import Member, RiskReview, RiskRule
from members.own_accounts import refuse_own_account
from members.queries import survivors_of
from members.refusals import MembersRefusal
from members.risk import Found, Question, signals
from members.services.status import EVERYTHING, freeze_member, words_of_reason
from members.timeline import NewEntry, nudge, record

OPENED: Final = "members.risk_review_opened.v1"
RELEASED: Final = "members.risk_review_released.v1"

# What was found before, and members who have left, open nothing.
_OPEN = """
WITH found AS (
    SELECT * FROM unnest(%(members)s::bigint[], %(keys)s::text[]) AS one(member_id, natural_key)
)
INSERT INTO members_riskreview (member_id, state, opened_at)
SELECT DISTINCT found.member_id, 'waiting', %(at)s::timestamptz
FROM found JOIN members_member member ON member.id = found.member_id AND member.status <> 'closed'
WHERE NOT EXISTS (
    SELECT FROM members_riskfinding known
    WHERE known.member_id = found.member_id AND known.rule = %(rule)s AND known.natural_key = found.natural_key)
ORDER BY found.member_id
ON CONFLICT (member_id) WHERE state = 'waiting' DO NOTHING
RETURNING member_id
"""
_KEEP = """
INSERT INTO members_riskfinding (review_id, member_id, rule, natural_key, figures, found_at)
SELECT review.id, one.member_id, %(rule)s, one.natural_key, one.figures::jsonb, %(at)s
FROM unnest(%(members)s::bigint[], %(keys)s::text[], %(figures)s::text[]) AS one(member_id, natural_key, figures)
JOIN members_riskreview review ON review.member_id = one.member_id AND review.state = 'waiting'
ON CONFLICT (member_id, rule, natural_key) DO NOTHING
"""


class ReviewIsDecided(MembersRefusal):
    """Somebody decided it before."""

    code = "review_is_decided"
    text = _("A colleague has decided this review already.")


def run_rules(*, at: datetime, member_ids: Collection[int] | None = None) -> int:
    """Ask every rule that is in use, about everybody or about some members; return how many reviews were opened.

    Each rule is one question to the database and one transaction: a rule that fails holds nobody up.
    """
    limits = dict(RiskRule.objects.filter(is_on=True).values_list("code", "most"))
    about = None if member_ids is None else sorted(set(survivors_of(member_ids).values()))
    if about == []:
        return 0
    opened = 0
    for signal in signals():
        if signal.code not in limits:
            continue
        found = signal.find(Question(at, limits[signal.code], about))
        opened += open_reviews(rule=signal.code, found=found, by=SYSTEM, at=at)
    return opened


def open_reviews(*, rule: str, found: Sequence[Found], by: Actor, at: datetime) -> int:
    """Open a review for each member about whom a rule found something new; return how many were opened.

    Where a review waits already, the finding is added to it.
    """
    if not found:
        return 0
    figures: dict[str, Any] = {
        "rule": rule,
        "members": [one.member_id for one in found],
        "keys": [one.natural_key for one in found],
        "figures": [json.dumps(one.figures, ensure_ascii=False) for one in found],
        "at": at,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OPEN, figures)
        opened = [member_id for (member_id,) in cursor.fetchall()]
        cursor.execute(_KEEP, figures)
        record([NewEntry(OPENED, member_id, at, by, {"rule": rule}) for member_id in opened])
        if opened:
            nudge()
    return len(opened)


def release_review(*, review_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Find nothing wrong. Raises `ReviewIsDecided`, `OwnAccount`, `ReasonMissing`, `WordsNamePerson`, `NotFound`."""
    words = words_of_reason(reason)
    with transaction.atomic():
        review = _locked(review_id, by)
        _decide(review, RiskReview.State.RELEASED, words, by, at)
        record([NewEntry(RELEASED, review.member_id, at, by, {"reason": words})])
        nudge()


def freeze_under_review(
    *,
    review_id: int,
    reason: str,
    release_at: datetime,
    acts: Collection[Member.Act] = EVERYTHING,
    by: Actor,
    at: datetime,
) -> None:
    """Freeze the member until a moment, and close the review with it.

    Raises what `freeze_member` raises (`AlreadyFrozen`, …), `ReviewIsDecided`, `OwnAccount`, `NotFound`.
    """
    words = words_of_reason(reason)
    with transaction.atomic():
        review = _locked(review_id, by)
        review.freeze = freeze_member(
            member_id=review.member_id, reason=words, release_at=release_at, acts=acts, by=by, at=at
        )
        _decide(review, RiskReview.State.FROZEN, words, by, at)


def _locked(review_id: int, by: Actor) -> RiskReview:
    review = RiskReview.objects.select_for_update(no_key=True).filter(pk=review_id).first()
    if review is None:
        raise NotFound
    if review.state != RiskReview.State.WAITING:
        raise ReviewIsDecided
    refuse_own_account(by, [review.member_id])
    return review


def _decide(review: RiskReview, state: RiskReview.State, words: str, by: Actor, at: datetime) -> None:
    review.state = state
    review.reason = words
    review.decided_at = at
    review.decided_by_id = by.id
    review.save(update_fields=["state", "reason", "decided_at", "decided_by", "freeze"])
