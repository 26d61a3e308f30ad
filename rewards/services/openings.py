"""Balances that members bring along from another system: earned once, as lots whose origin is the opening balance."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members import timeline
from members.actors import Actor
from members.figures import grouped
from members.models import Proposal
from members.opening_balances import Opening, OpeningBalances, register_opening_balances
from rewards import ledger
from rewards.ending import money_per_point, worth
from rewards.events_adjustments import OPENING_POSTED, opening_posted
from rewards.explanation import register_note
from rewards.ledger_batch import BatchFact, post_batch
from rewards.models import LedgerTransaction, Lot
from rewards.services.corrections import LEAVE, CorrectedAlready, correct
from rewards.services.corrections import SOURCE as CORRECTION
from rewards.services.orders import MemberClosed
from rewards.services.quoting import expiry_of

SOURCE: Final = "opening"
#: How long points brought along live where no policy of expiry is in force.
MONTHS_WITHOUT_POLICY: Final = 12


def post_openings(issuer: str, openings: Sequence[Opening], by: Actor, at: datetime) -> None:
    """Post balances brought along from another system, in the caller's transaction. What was posted before changes nothing."""
    currency = ledger.currency_id()
    expires_at = expiry_of(currency, Lot.Origin.OPENING, at, MONTHS_WITHOUT_POLICY)
    facts = [
        BatchFact(
            "earn", opening.member_id, SOURCE, _key(issuer, opening.key), at,
            {"v": 2, "kind": "opening", "points": opening.points, "from": issuer},
            lots=(ledger.NewLot(opening.points, Lot.Origin.OPENING, at, expires_at),),
        )
        for opening in openings
    ]  # fmt: skip
    results = post_batch(facts, by=by)
    timeline.record_many(
        opening_posted(member_id=opening.member_id, points=opening.points, currency_id=currency, happened_at=at, by=by)
        for opening, result in zip(openings, results, strict=True)
        if not result.repeated
    )


def members_with_opening(issuer: str, member_ids: Collection[int]) -> set[int]:
    """Return those of the members whose balance from this system stands: posted, and not taken back."""
    posted = LedgerTransaction.objects.filter(
        member_id__in=member_ids, kind=LedgerTransaction.Kind.EARN, source=SOURCE, natural_key__startswith=f"{issuer}:"
    )
    taken_back = LedgerTransaction.objects.filter(reverses__in=posted, source=CORRECTION)
    return set(posted.exclude(pk__in=taken_back.values("reverses")).values_list("member_id", flat=True))


def take_openings_back(issuer: str, keys: Collection[str], by: Actor, at: datetime, proposal: Proposal) -> int:
    """Take balances back as far as they are left, in the caller's transaction; return the points that stay spent."""
    posted = LedgerTransaction.objects.filter(
        kind=LedgerTransaction.Kind.EARN, source=SOURCE, natural_key__in=[_key(issuer, key) for key in keys],
        currency=ledger.currency_id(),
    )  # fmt: skip
    spent = 0
    for found in posted.order_by("member_id", "pk"):
        try:
            posting = correct(transaction_id=found.pk, choice=LEAVE, by=by, at=at, reason=SOURCE, proposal=proposal)
        except (CorrectedAlready, MemberClosed):  # who has left since keeps what was posted
            continue
        spent += posting.given_up
    return spent


def _key(issuer: str, key: str) -> str:
    return f"{issuer}:{key}"


def _worth(points: int, at: datetime) -> Decimal | None:
    return worth(points, money_per_point(ledger.currency_id(), at))


def _note(trace: dict[str, Any]) -> list[str]:
    return [_("Balance brought along from another system: %(points)s points.") % {"points": grouped(trace["points"])}]


def register() -> None:
    """Let imports of members post balances."""
    register_note("opening", _note)
    register_opening_balances(
        OpeningBalances(
            label=gettext_lazy("opening balance"), post=post_openings, standing=members_with_opening,
            take_back=take_openings_back, worth=_worth, told_as=OPENING_POSTED,
        )
    )  # fmt: skip
