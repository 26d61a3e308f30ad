"""Members of one household who pay for one another: what one lacks for a reward comes from those who agreed to it.

Points stay each member's own until then. They move as in any transfer, lot by lot with their expiry, in the transaction of
the redemption, and under keys that follow from it. Limits of gifts do not count: nobody can take the points away.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.actors import Actor
from members.models import Member
from members.services.households import hold_household, payers_for, sharing_points
from rewards import ledger
from rewards.explanation import in_active_language, points_words, register_note
from rewards.ledger_household import Share, ending_first, spendable
from rewards.models import LedgerTransaction, PointsAccount, PointsCurrency
from rewards.services.transfers import TransferTooSoon, check_cooldown

SOURCE: Final = "household"


class HouseholdLacksPoints(ledger.InsufficientPoints):
    """The member and those who would pay for them have too few together."""

    text = gettext_lazy(
        "%(required)s points are needed, %(available)s are available; the household would add %(household)s."
    )


@dataclass(frozen=True, slots=True)
class Purse:
    """Who may pay for a member, with everything that could change it locked until the end of the transaction."""

    member_id: int
    currency_id: int
    payer_ids: Sequence[int]


def is_possible(member_id: int, currency_id: int) -> Exists:
    """Return a condition, for any query: the policy is on, and somebody in the member's household agreed to pay.

    Nothing in it depends on the row it is asked of, so the database works it out once.
    """
    paying = PointsCurrency.objects.filter(pk=currency_id, household_pays=True)
    return Exists(paying.filter(Exists(sharing_points(member_id))))


def household_would_add(*, member_id: int, currency_id: int, at: datetime) -> int:
    """Return what the household would add now to the points of a member who lacks some for a reward. The policy is on."""
    payers = _payers(member_id, currency_id, at)
    if not payers or _owes(member_id, currency_id):
        return 0
    return spendable(member_ids=payers, currency_id=currency_id, at=at)


def open_purse(*, member_id: int, currency_id: int, at: datetime) -> Purse:
    """Lock the household and the accounts of those who may pay, members before accounts and each ascending.

    The caller holds no lock of theirs. All are locked against whatever is told of them, so that nobody who holds the key of
    a redemption waits for an account that we hold.
    """
    among = hold_household(member_id=member_id)
    payers = _payers(member_id, currency_id, at, among=among)
    ledger.lock_accounts(member_ids=sorted([member_id, *payers]), currency=currency_id)
    return Purse(member_id, currency_id, payers)


def pay_together(
    *, purse: Purse, short: ledger.InsufficientPoints, request_id: str, label: dict[str, str], by: Actor, at: datetime
) -> list[Share]:
    """Move what a member lacks for a reward from those who may pay; return who gave how much.

    `short` says what is missing, told under the locks of the purse. Raises InsufficientPoints, HouseholdLacksPoints.
    """
    missing = short.params["required"] - short.params["available"]
    if not purse.payer_ids or _owes(purse.member_id, purse.currency_id):
        raise short
    shares = ending_first(member_ids=purse.payer_ids, currency_id=purse.currency_id, points=missing, at=at)
    together = sum(share.points for share in shares)
    if together < missing:
        raise HouseholdLacksPoints(**short.params, household=together)
    for share in shares:
        ledger.transfer(
            from_member_id=share.member_id, to_member_id=purse.member_id, points=share.points,
            currency_id=purse.currency_id, source=SOURCE, natural_key=_key(request_id, share.member_id), at=at, by=by,
            trace={"v": 2, "kind": "household", "points": share.points, "label": label},
        )  # fmt: skip
    return shares


def givers_of(paid: LedgerTransaction) -> list[Share]:
    """Return who of the household gave how much for what was redeemed with this posting."""
    shares = (paid.trace or {}).get("givers")
    if shares is None and (paid.trace or {}).get("household"):  # posted before the givers stood in the trace
        moved = LedgerTransaction.objects.filter(
            kind=ledger.Kind.TRANSFER, source=SOURCE, natural_key__startswith=_key(paid.natural_key, "")
        )
        return [
            Share(row.member_id, row.trace["points"]) for row in moved.order_by("pk") if row.trace and row.member_id
        ]
    return [Share(member_id, points) for member_id, points in shares or []]


def give_shares_back(
    *, from_member_id: int, shares: Sequence[Share], most: int, redemption_id: int, label: dict[str, str], by: Actor, at: datetime
) -> int:  # fmt: skip
    """Give what others of the household had given for an order back to them, at most what came back; return how many points.

    The accounts are locked. Who has left the programme, or is the member by now, gets nothing: it stays with the member.
    """
    left = Member.objects.filter(pk__in=[share.member_id for share in shares], status=Member.Status.CLOSED)
    gone = {from_member_id, *left.values_list("pk", flat=True)}
    given = 0
    for share in shares:
        points = min(share.points, most - given)
        if share.member_id in gone or points <= 0:
            continue
        ledger.transfer(
            from_member_id=from_member_id, to_member_id=share.member_id, points=points, source=SOURCE,
            natural_key=f"back:{redemption_id}:{share.member_id}", at=at, by=by,
            trace={"v": 2, "kind": "household_back", "points": points, "label": label},
        )  # fmt: skip
        given += points
    return given


def _key(request_id: str, giver_id: int | str) -> str:
    """Return the natural key of what one member gives for one redemption; a request is as long as a key may be."""
    return f"{hashlib.sha256(request_id.encode()).hexdigest()[:40]}:{giver_id}"


def _payers(member_id: int, currency_id: int, at: datetime, *, among: Collection[int] | None = None) -> list[int]:
    """Return who may pay for a member now, ascending; nobody for a member whose phone number is new."""
    found = payers_for(member_id, at).filter(member__accounts__currency_id=currency_id)
    payers = sorted(payer for payer in found.values_list("member_id", flat=True) if among is None or payer in among)
    try:
        if payers:
            check_cooldown(member_id=member_id, currency_id=currency_id, at=at)
    except TransferTooSoon:  # whoever took over a phone number must not empty the accounts of others
        return []
    return payers


def _owes(member_id: int, currency_id: int) -> bool:
    """Whether what a member is given would repay arrears, which is not what the others agreed to."""
    return PointsAccount.objects.filter(member_id=member_id, currency_id=currency_id, debt__gt=0).exists()


def _note(trace: dict[str, Any]) -> list[str]:
    figures = {"points": points_words(trace["points"]), "name": in_active_language(trace["label"])}
    return [_("%(points)s of one member of the household, for what another lacked for %(name)s.") % figures]


def _back_note(trace: dict[str, Any]) -> list[str]:
    figures = {"points": points_words(trace["points"]), "name": in_active_language(trace["label"])}
    return [_("%(points)s went back within the household: the order of %(name)s was cancelled.") % figures]


def register() -> None:
    """Put the explanation of what was given, and of what went back, into words."""
    register_note("household", _note)
    register_note("household_back", _back_note)
