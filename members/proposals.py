"""Changes that may need a second person: kinds of proposals, and what becomes of one.

The floor that owns a kind registers it. `propose` carries a change out at once where the maker's limits allow it, and
otherwise lets it wait for a colleague; whoever carries it out does so in the transaction that says it was done, so that
two approvals at the same moment do it once. A proposal shows what it would change; when that has changed meanwhile, the
approver sees it first.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.actors import SYSTEM, Actor
from members.effects import Effect, ShownEffect, digest_of, shown_against, shown_as_stored, stored_effect
from members.identifiers import NotFound
from members.limits import POINTS, LimitNow, approvals_for, count_towards_limit, limit_for
from members.models import Operator, Proposal
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.refusals import MembersRefusal
from members.timeline import NewEntry, nudge, record

#: How long a proposal waits for a decision.
LIFETIME: Final = timedelta(hours=72)
REASON_LENGTH: Final = 500
APPROVE: Final = "members.approve_proposal"
#: What is told of a proposal, under the subject `proposal:<id>`; found by a partial index over just these kinds.
MILESTONES: Final = tuple(
    f"members.proposal_{what}.v1"
    for what in ("proposed", "approved", "carried_out", "refused", "sent_back", "withdrawn", "expired")
)
_MOST_EXPIRED = 500
_MOST_TOUCHED = 100


class ProposalReasonMissing(MembersRefusal):
    """Whoever proposes, refuses or sends back says why."""

    code = "reason_missing"
    text = _("Please say why.")
    status = 422


class ProposalIsDecided(MembersRefusal):
    """Somebody was faster, or it was withdrawn."""

    code = "proposal_is_decided"
    text = _("This proposal is no longer waiting: %(state)s.")


class ProposalExpired(MembersRefusal):
    """It waited too long; who still wants it asks again."""

    code = "proposal_expired"
    text = _("This proposal has expired: nobody decided within %(hours)s hours. It has to be made again.")


class MakerCanNotDecide(MembersRefusal):
    """Nobody decides what they proposed themselves."""

    code = "maker_can_not_decide"
    text = _("You proposed this yourself; somebody else has to decide.")
    status = 403


class ApprovedAlready(MembersRefusal):
    """The two who approve are two people."""

    code = "approved_already"
    text = _("You have approved this already; a second person has to approve it too.")


class NotAllowed(MembersRefusal):
    """The role does not allow this change."""

    code = "not_allowed"
    text = _("Your role does not allow this.")
    status = 403


class OnlyTheMakerWithdraws(MembersRefusal):
    """A proposal is withdrawn by whoever made it; others refuse it."""

    code = "only_the_maker_withdraws"
    text = _("Only whoever made the proposal can withdraw it.")
    status = 403


class EffectChanged(MembersRefusal):
    """What it would change is no longer what the approver saw."""

    code = "effect_changed"
    text = _("What this would change is different now. Please look at it again before you decide.")


class RequestUsedAgain(MembersRefusal):
    """One request stands for one proposal."""

    code = "request_used_again"
    text = _("This form was sent before with other contents. Please open it anew.")
    status = 422


def _uncounted(params: Mapping[str, Any]) -> int:
    return 0


def _nobody(params: Mapping[str, Any]) -> Collection[int]:
    return ()


def _nothing_else(params: Mapping[str, Any]) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class ProposalKind:
    """A sort of change that may need a second person.

    `permission` lets an operator propose it; who approves needs it too (or `approve_permission`, where that is another),
    beside the right to approve proposals. `sentence(params)` says what is to be done without asking the database.
    `effect(params, at)` is what it would change now. `carry_out(params, by, at, proposal)` does it in the caller's
    transaction and returns one sentence about what was done; its refusals reach whoever proposed or approved.
    `amount(params)` is counted towards the limits of the family, never negative. `always_waits` is for changes that no
    limit allows alone. `concerned(params)` names the members whose accounts it touches, `touches(params)` what else two
    proposals may have in common ("segment:5"); what waits and touches the same is shown beside each other.
    """

    code: str
    label: str | Promise
    permission: str
    sentence: Callable[[Mapping[str, Any]], str]
    effect: Callable[[Mapping[str, Any], datetime], Effect]
    carry_out: Callable[[Mapping[str, Any], Actor, datetime, Proposal], str]
    amount: Callable[[Mapping[str, Any]], int] = _uncounted
    family: str = POINTS
    always_waits: bool = False
    approve_permission: str = ""
    concerned: Callable[[Mapping[str, Any]], Collection[int]] = _nobody
    touches: Callable[[Mapping[str, Any]], Collection[str]] = _nothing_else


@dataclass(frozen=True, slots=True)
class ProposalOutcome:
    """What became of a proposal: carried out (with what was done), or waiting for so many people."""

    proposal_id: int
    state: Proposal.State
    result: str = ""
    approvals_missing: int = 0

    @property
    def carried_out(self) -> bool:
        """Whether it was done."""
        return self.state == Proposal.State.CARRIED_OUT

    @property
    def waiting(self) -> bool:
        """Whether somebody has to approve it (still)."""
        return self.state == Proposal.State.WAITING


_kinds: dict[str, ProposalKind] = {}


def register_kind(kind: ProposalKind) -> None:
    """Make a kind known. Called once per process, from the module of the kind or from `AppConfig.ready()`."""
    _kinds[kind.code] = kind


def kind_of(proposal: Proposal) -> ProposalKind | None:
    """Return the kind of a proposal; None where the installation no longer knows it."""
    return _kinds.get(proposal.kind)


def kinds() -> list[ProposalKind]:
    """Return all kinds, by code."""
    return [_kinds[code] for code in sorted(_kinds)]


def sentence_of(proposal: Proposal) -> str:
    """Return what a proposal asks for, as a sentence in the active language."""
    kind = kind_of(proposal)
    return kind.sentence(proposal.params) if kind else gettext("A change of a kind that is no longer known")


def my_limit(*, operator: Operator, kind: str, at: datetime) -> LimitNow:
    """Return what the operator may do alone of a kind now, to be said before the form is sent."""
    return limit_for(operator_id=operator.pk, family=_kinds[kind].family, at=at)


def propose(
    *,
    kind: str,
    params: Mapping[str, Any],
    reason: str,
    by: Actor,
    at: datetime,
    request_id: str = "",
    alone: Callable[[int], bool] | None = None,
) -> ProposalOutcome:
    """Carry a change out where the maker's limits allow it, else let it wait for a colleague; return what became of it.

    `params` are ids and figures as JSON writes them, no personal data. The same `request_id` of the same maker gives the
    first outcome again. `alone(amount)` counts the amount towards other limits than those of the maker's roles (the bounds of
    a key), within the transaction, and says whether it fits. Raises `ProposalReasonMissing`, `NotAllowed`, `OwnAccount`, `RequestUsedAgain`, and what carrying
    it out refuses; KeyError where the kind is unknown.
    """
    known = _kinds[kind]
    words = _words(reason)
    maker = _operator(by, known.permission)
    try:
        with transaction.atomic():
            earlier = Proposal.objects.filter(maker=maker, request_id=request_id).first() if request_id else None
            if earlier is not None:
                return _repeat(earlier, known, params)
            refuse_own_account(by, known.concerned(params))
            note = params.get("note")
            refuse_personal_words(words, note if isinstance(note, str) else "", member_ids=known.concerned(params))
            amount = known.amount(params)
            is_alone = not known.always_waits and (
                alone(amount)
                if alone
                else count_towards_limit(operator_id=maker.pk, family=known.family, amount=amount, at=at)
            )
            proposal = Proposal.objects.create(
                kind=kind, params=dict(params), maker=maker, reason=words, request_id=request_id, family=known.family,
                amount=amount, approvals_needed=0 if is_alone else approvals_for(family=known.family, amount=amount),
                effect=stored_effect(lambda: known.effect(params, at)), created_at=at, expires_at=at + LIFETIME,
                touches=_touched(known, params),
            )  # fmt: skip
            if is_alone:
                return _carry_out(proposal, known, by, at)
            _tell(proposal, "proposed", by, at, words)
            return _outcome(proposal)
    except IntegrityError:
        # The same request over another connection was faster: what was counted and done here is gone, its answer stands.
        earlier = Proposal.objects.filter(maker=maker, request_id=request_id).first() if request_id else None
        if earlier is None:
            raise
        return _repeat(earlier, known, params)


def made_before(
    *, kinds: Collection[str], said: Mapping[str, Any], by: Actor, request_id: str
) -> ProposalOutcome | None:
    """Return the first outcome of a request that has made its proposal already; None for a new one, or without a request.

    For what is checked before `propose`: once the change is done, the check may well say no. `said` are those parameters
    that the request named. Raises `RequestUsedAgain` where it named others.
    """
    if not request_id or by.kind != "operator":
        return None
    earlier = Proposal.objects.filter(maker=by.id, request_id=request_id).first()
    if earlier is None:
        return None
    if earlier.kind not in kinds or any(earlier.params.get(name) != value for name, value in said.items()):
        raise RequestUsedAgain
    return _outcome(earlier)


def approve(*, proposal_id: int, by: Actor, at: datetime, reason: str = "", seen: str = "") -> ProposalOutcome:
    """Approve a proposal; the last approval it needs carries it out in the same transaction. Return what became of it.

    `seen` is the digest of the effect that the approver saw (`effect_now`); without it, the effect must be the one of
    the proposal. Raises `NotFound`, `ProposalIsDecided`, `ProposalExpired`, `NotAllowed`, `MakerCanNotDecide`,
    `ApprovedAlready`, `OwnAccount`, `EffectChanged`, and what carrying it out refuses; nothing is changed then.
    """
    with transaction.atomic():
        proposal, kind, checker = _to_decide(proposal_id, by, at)
        if proposal.first_checker_id == checker.pk:
            raise ApprovedAlready
        if digest_of(lambda: kind.effect(proposal.params, at)) != (seen or proposal.effect["digest"]):
            raise EffectChanged
        if proposal.first_checker_id is None:
            proposal.first_checker, proposal.first_checked_at = checker, at
        else:
            proposal.second_checker, proposal.second_checked_at = checker, at
        proposal.decision_reason = clean_name(reason)[:REASON_LENGTH] or proposal.decision_reason
        if _missing(proposal):
            proposal.save(update_fields=["first_checker", "first_checked_at", "decision_reason"])
            _tell(proposal, "approved", by, at, proposal.decision_reason)
            return _outcome(proposal)
        return _carry_out(proposal, kind, by, at)


def refuse(*, proposal_id: int, by: Actor, at: datetime, reason: str) -> None:
    """Refuse a proposal for good. Raises `ProposalReasonMissing`, and as `approve` does."""
    _turn_down(proposal_id, by, at, reason, Proposal.State.REFUSED)


def send_back(*, proposal_id: int, by: Actor, at: datetime, reason: str) -> None:
    """Give a proposal back to its maker, who may propose something better. Raises as `refuse` does."""
    _turn_down(proposal_id, by, at, reason, Proposal.State.SENT_BACK)


def withdraw(*, proposal_id: int, by: Actor, at: datetime, reason: str = "") -> None:
    """Take back what one proposed. Raises `NotFound`, `OnlyTheMakerWithdraws`, `ProposalIsDecided`."""
    with transaction.atomic():
        proposal = _locked(proposal_id)
        if by != Actor("operator", proposal.maker_id):
            raise OnlyTheMakerWithdraws
        _require_waiting(proposal)
        _decide(proposal, Proposal.State.WITHDRAWN, by, at, clean_name(reason)[:REASON_LENGTH])


def expire_proposals(*, at: datetime) -> int:
    """End what nobody decided in time; return how many. Bounded: the rest next time."""
    with transaction.atomic():
        due = Proposal.objects.filter(state=Proposal.State.WAITING, expires_at__lte=at).order_by("expires_at")
        proposals = list(due.select_for_update(skip_locked=True, no_key=True)[:_MOST_EXPIRED])
        ids = [proposal.pk for proposal in proposals]
        Proposal.objects.filter(pk__in=ids).update(state=Proposal.State.EXPIRED, decided_at=at)
        for proposal in proposals:
            _tell(proposal, "expired", SYSTEM, at)
    return len(proposals)


def may_decide(proposal: Proposal, operator: Operator) -> bool:
    """Whether this operator may approve or refuse it, as far as roles say."""
    kind = kind_of(proposal)
    return bool(
        kind
        and proposal.maker_id != operator.pk
        and operator.has_perm(APPROVE)
        and operator.has_perm(kind.approve_permission or kind.permission)
    )


def effect_now(*, proposal: Proposal, at: datetime) -> ShownEffect:
    """Return what a waiting proposal would change now, set against when it was made; of a decided one what was shown then."""
    kind = kind_of(proposal)
    if kind is None or proposal.state != Proposal.State.WAITING:
        return shown_as_stored(proposal.effect)
    return shown_against(proposal.effect, lambda: kind.effect(proposal.params, at))


def _words(reason: str) -> str:
    words = clean_name(reason)[:REASON_LENGTH]
    if not words:
        raise ProposalReasonMissing
    return words


def _operator(by: Actor, *permissions: str) -> Operator:
    """Return the operator who acts. Raises `NotAllowed` for all others, and without one of the permissions."""
    known = by.kind == "operator" and by.id is not None
    operator = Operator.objects.filter(pk=by.id or 0, is_active=True).first() if known else None
    if operator is None or not operator.has_perms(permissions):
        raise NotAllowed
    return operator


def _touched(kind: ProposalKind, params: Mapping[str, Any]) -> list[str]:
    """Return what a proposal touches; of very many things the first ones."""
    members = [f"member:{member_id}" for member_id in sorted(kind.concerned(params))]
    return [*kind.touches(params), *members][:_MOST_TOUCHED]


def _repeat(earlier: Proposal, kind: ProposalKind, params: Mapping[str, Any]) -> ProposalOutcome:
    if earlier.kind != kind.code or json.dumps(earlier.params, sort_keys=True) != json.dumps(params, sort_keys=True):
        raise RequestUsedAgain
    return _outcome(earlier)


def _locked(proposal_id: int) -> Proposal:
    proposal = Proposal.objects.select_for_update(no_key=True).filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound
    return proposal


def _require_waiting(proposal: Proposal) -> None:
    if proposal.state != Proposal.State.WAITING:
        raise ProposalIsDecided(state=proposal.get_state_display())


def _to_decide(proposal_id: int, by: Actor, at: datetime) -> tuple[Proposal, ProposalKind, Operator]:
    """Return the proposal, locked and waiting, with its kind and whoever may decide it. Raises as `approve` says."""
    proposal = _locked(proposal_id)
    _require_waiting(proposal)
    if proposal.expires_at <= at:
        raise ProposalExpired(hours=round(LIFETIME.total_seconds() / 3600))
    kind = kind_of(proposal)
    if kind is None:
        raise NotFound
    checker = _operator(by, APPROVE, kind.approve_permission or kind.permission)
    if checker.pk == proposal.maker_id:
        raise MakerCanNotDecide
    refuse_own_account(by, kind.concerned(proposal.params))
    return proposal, kind, checker


def _missing(proposal: Proposal) -> int:
    given = (proposal.first_checker_id is not None) + (proposal.second_checker_id is not None)
    return max(proposal.approvals_needed - given, 0)


def _outcome(proposal: Proposal) -> ProposalOutcome:
    missing = _missing(proposal) if proposal.state == Proposal.State.WAITING else 0
    return ProposalOutcome(proposal.pk, Proposal.State(proposal.state), proposal.result, missing)


def _carry_out(proposal: Proposal, kind: ProposalKind, by: Actor, at: datetime) -> ProposalOutcome:
    result = kind.carry_out(proposal.params, by, at, proposal)
    proposal.state = Proposal.State.CARRIED_OUT
    proposal.decided_by_id, proposal.decided_at, proposal.result = by.id, at, result[:500]
    proposal.save(update_fields=[
        "first_checker", "first_checked_at", "second_checker", "second_checked_at", "decision_reason",
        "state", "decided_by", "decided_at", "result",
    ])  # fmt: skip
    _tell(proposal, "carried_out", by, at, proposal.decision_reason)
    return _outcome(proposal)


def _turn_down(proposal_id: int, by: Actor, at: datetime, reason: str, state: Proposal.State) -> None:
    words = _words(reason)
    with transaction.atomic():
        proposal, _kind, _checker = _to_decide(proposal_id, by, at)
        _decide(proposal, state, by, at, words)


def _decide(proposal: Proposal, state: Proposal.State, by: Actor, at: datetime, reason: str) -> None:
    proposal.state, proposal.decided_by_id, proposal.decided_at = state, by.id, at
    proposal.decision_reason = reason
    proposal.save(update_fields=["state", "decided_by", "decided_at", "decision_reason"])
    _tell(proposal, str(state), by, at, reason)


def _tell(proposal: Proposal, what: str, by: Actor, at: datetime, reason: str = "") -> None:
    if reason:
        concerned = [
            int(touched.removeprefix("member:")) for touched in proposal.touches if touched.startswith("member:")
        ]
        refuse_personal_words(reason, member_ids=concerned)
    figures = {"proposal": proposal.pk, "kind": proposal.kind, "amount": proposal.amount, "reason": reason}
    record([NewEntry(f"members.proposal_{what}.v1", None, at, by, figures, f"proposal:{proposal.pk}")])
    nudge()
