"""Deciding about what waits: what gets in each other's way, and alike proposals approved in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.limits import limit_for
from members.models import Proposal
from members.proposals import ProposalOutcome, approve
from members.refusals import MembersRefusal, Refusal

#: How many proposals are approved in one go at most.
MOST_TOGETHER: Final = 50


class NotAlike(MembersRefusal):
    """Only proposals of one kind are approved in one go."""

    code = "proposals_not_alike"
    status = 422
    text = _("Only proposals of one kind can be approved in one go.")


class NothingChosen(MembersRefusal):
    """No proposal was chosen."""

    code = "no_proposal_chosen"
    status = 422
    text = _("Choose the proposals that you approve.")


class TooManyTogether(MembersRefusal):
    """More than anybody looks through."""

    code = "too_many_proposals_together"
    status = 422
    text = _("At most %(most)s proposals can be approved in one go; %(number)s were chosen.")


class NeedsTwoPeople(MembersRefusal):
    """What needs two people is looked at one by one."""

    code = "needs_two_people"
    status = 422
    text = _("A proposal that needs the approval of two people can not be approved together with others.")


class TooMuchTogether(MembersRefusal):
    """Together they go beyond what the approver could do on one day."""

    code = "too_much_together"
    status = 422
    text = _(
        "Together these proposals move %(points)s points. In one go you can approve as much as you may do alone on one "
        "day: %(most)s points. Please look at them one by one."
    )


@dataclass(frozen=True, slots=True)
class Together:
    """What became of proposals that were approved in one go: those carried out, and those left with the reason."""

    done: tuple[ProposalOutcome, ...]
    left: tuple[tuple[int, Refusal], ...]


def conflicts_of(proposal: Proposal, *, most: int = 10) -> list[Proposal]:
    """Return other proposals that wait and touch the same as this one, oldest first."""
    if proposal.state != Proposal.State.WAITING or not proposal.touches:
        return []
    others = Proposal.objects.filter(state=Proposal.State.WAITING, touches__overlap=proposal.touches)
    return list(others.exclude(pk=proposal.pk).select_related("maker").order_by("created_at", "pk")[:most])


def approve_together(*, proposal_ids: Sequence[int], by: Actor, at: datetime, reason: str = "") -> Together:
    """Approve alike proposals in one go, each in a transaction of its own; return which were carried out.

    For proposals of one kind that one approval carries out, and that together stay within what the approver may do alone
    on one day. One whose effect is no longer what its maker saw, or that can not be carried out any more, is left with
    its reason. Raises `NothingChosen`, `TooManyTogether`, `NotAlike`, `NeedsTwoPeople`, `TooMuchTogether`.
    """
    wanted = sorted(set(proposal_ids))
    if len(wanted) > MOST_TOGETHER:
        raise TooManyTogether(most=MOST_TOGETHER, number=len(wanted))
    found = list(Proposal.objects.filter(pk__in=wanted).order_by("created_at", "pk"))
    if not found:
        raise NothingChosen
    if len({proposal.kind for proposal in found}) > 1:
        raise NotAlike
    if any(proposal.approvals_needed > 1 for proposal in found):
        raise NeedsTwoPeople
    _refuse_too_much(found, by, at)
    done: list[ProposalOutcome] = []
    left: list[tuple[int, Refusal]] = []
    for proposal in found:
        try:
            done.append(approve(proposal_id=proposal.pk, by=by, at=at, reason=reason))
        except Refusal as refusal:
            left.append((proposal.pk, refusal))
    return Together(tuple(done), tuple(left))


def _refuse_too_much(proposals: Sequence[Proposal], by: Actor, at: datetime) -> None:
    points = sum(proposal.amount for proposal in proposals)
    if not points:
        return
    most = limit_for(operator_id=by.id or 0, family=proposals[0].family, at=at).per_day
    if points > most:
        raise TooMuchTogether(points=points, most=most)
