"""Points that another system gives and takes with a key: at once within the key's ceiling of the day, else staff decide.

A key without a ceiling does nothing alone, nor does any key what two people would have to approve. Lock order: the
account of the source, member, points account, the day of the key; then as every adjustment.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.limits import POINTS, approvals_for
from members.models import ApiKey, Member, Operator, Proposal
from members.queries import survivor_id
from members.services.key_accounts import account_of_source, name_of_source
from members.services.key_bounds import KeyCeilingReached, count_against_ceiling
from rewards import ledger
from rewards.refusals import RewardsRefusal
from rewards.services.adjustments import ADJUST, propose_adjustment
from rewards.services.orders import hold_active

PERMISSION: Final = "rewards.adjust_points"


class AdjustmentConflict(RewardsRefusal):
    """The number of the adjustment is known with another content."""

    code = "adjustment_conflict"
    text = _("Adjustment %(external_ref)s was told before with another content.")


@dataclass(frozen=True, slots=True)
class KeyAdjustment:
    """An adjustment of a key: its proposal, and whether it was told before."""

    proposal: Proposal
    already_told: bool


def adjust_by_key(
    *, key: ApiKey, external_ref: str, member_id: int, points: int, reason_code: str, note: str, at: datetime
) -> KeyAdjustment:
    """Give a member points, or take them (below 0), or let staff decide. `external_ref` is unique in the key's source for ever.

    Told again, it changes nothing and returns what became of it. Raises AdjustmentConflict, and as `propose_adjustment` does.
    """
    note = " ".join(note.split())
    with transaction.atomic():
        account = account_of_source(key.source, permission=PERMISSION)
        Operator.objects.select_for_update(no_key=True).get(
            pk=account.pk
        )  # one after the other: each sees what was told
        known = Proposal.objects.filter(maker=account, request_id=external_ref).first()
        if known is None:
            made = propose_adjustment(
                member_id=member_id, points=points, reason_code=reason_code, note=note, by=Actor("operator", account.pk), at=at,
                request_id=external_ref, alone=lambda amount: _fits(key, member_id, points, amount, at),
            )  # fmt: skip
            return KeyAdjustment(Proposal.objects.get(pk=made.proposal_id), already_told=False)
    said = (survivor_id(member_id), points, reason_code, note)
    if said != (
        survivor_id(known.params["member"]),
        known.params["points"],
        known.params["reason"],
        known.params["note"],
    ):
        raise AdjustmentConflict(external_ref=external_ref)
    return KeyAdjustment(known, already_told=True)


def adjustment_of_key(public_id: UUID, *, key: ApiKey) -> Proposal:
    """Return an adjustment that a key of this source told. Raises NotFound."""
    found = Proposal.objects.filter(
        public_id=public_id, kind=ADJUST, maker__username=name_of_source(key.source)
    ).first()
    if found is None:
        raise NotFound
    return found


def _fits(key: ApiKey, member_id: int, points: int, amount: int, at: datetime) -> bool:
    """Count an amount towards the key's ceiling, and return whether it may be moved alone. Raises MemberFrozen, MemberClosed."""
    hold_active(member_id, Member.Act.EARN if points > 0 else Member.Act.SPEND)
    if key.daily_points_ceiling is None or approvals_for(family=POINTS, amount=amount) > 1:
        return False
    ledger.lock_account(member_id=member_id)  # before the day of the key, as orders lock them
    try:
        with transaction.atomic():
            count_against_ceiling(key, points=amount, at=at)
    except KeyCeilingReached:
        return False
    return True
