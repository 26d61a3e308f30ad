"""冲正: a wrong posting is taken back by an opposite one that names it, never by changing it.

Points that were given are taken back as far as they are left; what is spent is let go, or taken from other points, or owed.
Points that were taken come back to the very lots they came from.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.queries import tier_at
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.identifiers import NotFound
from members.models import Proposal
from members.queries import survivor_id
from rewards import ledger
from rewards.events_adjustments import points_corrected
from rewards.explanation import points_words, register_note
from rewards.models import (
    Donation,
    LedgerEntry,
    LedgerTransaction,
    Lot,
    LotEvent,
    PartnerConversion,
    PointsCurrency,
    Purchase,
)
from rewards.policies import ledger_policy
from rewards.queries import balance_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import Params, balance_effect, hold_member, member_no_of, posted_id
from rewards.services.caps import give_back
from rewards.services.orders import hold_bearer
from rewards.services.redemption_steps import note_refund

CORRECT: Final = "rewards.correct_points"
CORRECT_INTO_ARREARS: Final = "rewards.correct_points_into_arrears"
SOURCE: Final = "correction"
#: What becomes of points that are spent already.
LEAVE, OTHERS, ARREARS, RESTORE = "leave", "others", "arrears", "restore"
#: How long expired points live that are given back, unless the currency's policy says longer.
DAYS_AFTER_EXPIRY: Final = 30

Kind = LedgerTransaction.Kind
_CONTRA = {
    Kind.EARN: ledger.Contra.ISSUANCE, Kind.ADJUST: ledger.Contra.ADJUSTMENT, Kind.CONVERT_IN: ledger.Contra.PARTNER,
}  # fmt: skip
_RESTORED = (Kind.ADJUST, Kind.DONATE, Kind.CONVERT_OUT, Kind.EXPIRE)


class PurchaseNeedsReturn(RewardsRefusal):
    """Points of an order are taken back by a return, so that tier credits, caps and promotions follow."""

    code = "purchase_needs_return"
    text = gettext_lazy(
        "These are the points of order %(order_no)s. Record a return of the order: it takes them back with all that depends on them."
    )


class RedemptionNeedsCancelling(RewardsRefusal):
    """Points of a redemption come back with the redemption, not alone."""

    code = "redemption_needs_cancelling"
    text = gettext_lazy("These points paid for something. They come back when that is cancelled, not alone.")


class PostingNotCorrectable(RewardsRefusal):
    """Nobody takes such a posting back by hand."""

    code = "posting_not_correctable"
    text = gettext_lazy("This posting can not be taken back by hand: %(kind)s.")


class CorrectedAlready(RewardsRefusal):
    """The posting was taken back before."""

    code = "corrected_already"
    text = gettext_lazy("This posting was taken back already.")


class ConversionIsSent(RewardsRefusal):
    """The partner has the conversion; only the partner's answer brings the points back."""

    code = "conversion_is_sent"
    text = gettext_lazy("The partner has this conversion already. Its points come back when the partner rejects it.")


class ChoiceNotPossible(RewardsRefusal):
    """The policy of the points, or the kind of the posting, does not allow what was chosen."""

    code = "choice_not_possible"
    status = 422
    text = gettext_lazy("This way of taking it back is not possible here.")


@dataclass(frozen=True, slots=True)
class Correction:
    """What taking a posting back would do, in points.

    A credit: `points` are still to be taken back, `own` of them are left where they came in, `expired` have expired (they are
    forgiven), `spent` are spent or set aside; `others` could be taken from other points. A debit: `points` come back.
    """

    transaction: LedgerTransaction
    is_credit: bool
    points: int
    own: int = 0
    expired: int = 0
    others: int = 0
    choices: tuple[str, ...] = ()

    @property
    def spent(self) -> int:
        """Points that are not where they came in any more."""
        return self.points - self.own - self.expired if self.is_credit else 0

    def owed(self, choice: str) -> int:
        """Return how many points would be owed under a choice, at most."""
        return max(self.spent - self.others, 0) if choice == ARREARS else 0

    def left(self, choice: str) -> int:
        """Return how many points stay spent under a choice."""
        if choice == LEAVE:
            return self.spent
        return max(self.spent - self.others, 0) if choice == OTHERS else 0


def correction_of(*, transaction_id: int, at: datetime) -> Correction:
    """Return what taking a posting back would do now.

    Raises PurchaseNeedsReturn, RedemptionNeedsCancelling, PostingNotCorrectable, CorrectedAlready, ConversionIsSent, NotFound.
    """
    posted = LedgerTransaction.objects.filter(pk=transaction_id).first()
    if posted is None:
        raise NotFound
    if LedgerTransaction.objects.filter(reverses=posted, source=SOURCE).exists():
        raise CorrectedAlready
    is_credit = _is_credit(posted)
    _refuse_others(posted, is_credit=is_credit)
    return _of_credit(posted, at) if is_credit else _of_debit(posted)


def may_be_corrected(posted: LedgerTransaction) -> bool:
    """Whether the kind of a posting is one that staff take back; says nothing of what became of it. No query."""
    return posted.kind in _CONTRA or posted.kind in _RESTORED


def taken_back_at(transaction_ids: Collection[int]) -> dict[int, datetime]:
    """Return when postings were taken back, by their id; those that were not are missing. One query."""
    opposite = LedgerTransaction.objects.filter(reverses__in=transaction_ids, kind__in=(Kind.CORRECT, Kind.RESTORE))
    return dict(opposite.order_by("-pk").values_list("reverses_id", "happened_at"))


def propose_correction(
    *, transaction_id: int, choice: str, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Take a posting back within the operator's limits, else let a colleague decide; into arrears only with a colleague.

    Raises as `correction_of` does, ChoiceNotPossible, and as `members.proposals.propose`.
    """
    said = {"transaction": transaction_id, "choice": choice}
    kinds = (CORRECT, CORRECT_INTO_ARREARS)
    if (earlier := proposals.made_before(kinds=kinds, said=said, by=by, request_id=request_id)) is not None:
        return earlier
    found = correction_of(transaction_id=transaction_id, at=at)
    if choice not in found.choices:
        raise ChoiceNotPossible
    posted = found.transaction
    params = {
        "transaction": posted.pk, "kind": posted.kind, "member": posted.member_id, "member_no": member_no_of(posted.member_id),
        "currency": posted.currency_id, "choice": choice, "points": found.points, "given": found.is_credit,
    }  # fmt: skip
    kind = CORRECT_INTO_ARREARS if found.owed(choice) else CORRECT
    return proposals.propose(kind=kind, params=params, reason=reason, by=by, at=at, request_id=request_id)


def correct(
    *, transaction_id: int, choice: str, by: Actor, at: datetime, reason: str, proposal: Proposal
) -> ledger.Posting:
    """Take a posting back, in the caller's transaction, and tell the timeline. Once for each posting.

    Raises as `correction_of` does, ChoiceNotPossible, MemberClosed.
    """
    origin = LedgerTransaction.objects.filter(pk=transaction_id).first()
    if origin is None:
        raise NotFound
    bearer_id = hold_bearer(origin.member_id)
    hold_member(bearer_id)
    ledger.lock_account(member_id=bearer_id, currency=origin.currency_id)
    found = correction_of(transaction_id=transaction_id, at=at)
    if choice not in found.choices:
        raise ChoiceNotPossible
    posting = (
        _take_back(found, bearer_id, choice, by, at, reason)
        if found.is_credit
        else _give_back(found, by, at, reason, proposal)
    )
    timeline.record([
        points_corrected(
            member_id=bearer_id, currency_id=origin.currency_id, points=posting.d_available + posting.d_pending - posting.d_debt, arrears=max(posting.d_debt, 0),
            left=posting.given_up, transaction_id=posting.transaction_id, origin_id=origin.pk, happened_at=at, by=by,
        )
    ])  # fmt: skip
    return posting


def _take_back(found: Correction, bearer_id: int, choice: str, by: Actor, at: datetime, reason: str) -> ledger.Posting:
    origin = found.transaction
    tier_code = tier_at(bearer_id, at).code
    posting = ledger.claw_back(
        kind=Kind.CORRECT, contra=_CONTRA[Kind(origin.kind)], member_id=bearer_id, currency_id=origin.currency_id,
        points=found.points, origin_transaction_id=origin.pk, from_others=choice != LEAVE,
        debt_limit=ledger_policy(origin.currency_id).debt_limit(tier_code) if choice == ARREARS else 0,
        source=SOURCE, natural_key=str(origin.pk), at=at, by=by, reason=reason[:200], tier_code=tier_code,
        trace={"v": 2, "kind": "correct", "points": found.points, "of": origin.kind, "on": origin.happened_at.isoformat()},
    )  # fmt: skip
    if origin.kind == Kind.EARN:
        give_back(member_id=bearer_id, traces=[origin.trace], part=lambda whole: whole)
    return posting


def _give_back(found: Correction, by: Actor, at: datetime, reason: str, proposal: Proposal) -> ledger.Posting:
    origin = found.transaction
    days = ledger_policy(origin.currency_id).restored_days_min
    if origin.kind == Kind.EXPIRE:
        days = max(days, DAYS_AFTER_EXPIRY)
    posting = ledger.restore(
        origin_transaction_id=origin.pk, points=found.points, days_min=days, source=SOURCE, natural_key=str(origin.pk), at=at, by=by,
        reason=reason[:200], tier_code=tier_at(origin.member_id, at).code,
        trace={"v": 2, "kind": "restored", "points": found.points, "of": origin.kind, "on": origin.happened_at.isoformat()},
    )  # fmt: skip
    if origin.kind == Kind.DONATE:
        _take_back_donation(origin, posting, proposal, at)
    if origin.kind == Kind.CONVERT_OUT:
        held = PartnerConversion.objects.filter(transaction=origin, state=PartnerConversion.State.PENDING)
        if not held.update(state=PartnerConversion.State.CANCELLED, settled_at=at):
            raise ConversionIsSent
    note_refund(
        transaction_id=origin.pk, refund_id=posted_id(posting), points=found.points, by=by, at=at, reason=reason
    )
    return posting


def _take_back_donation(origin: LedgerTransaction, posting: ledger.Posting, proposal: Proposal, at: datetime) -> None:
    donation = Donation.objects.get(transaction=origin)
    Donation.objects.create(
        project_id=donation.project_id, member_id=donation.member_id, points=-donation.points, takes_back=donation,
        proposal=proposal, transaction_id=posted_id(posting), happened_at=at,
    )  # fmt: skip


def _is_credit(posted: LedgerTransaction) -> bool:
    if posted.kind != Kind.ADJUST:
        return posted.kind in _CONTRA
    return Lot.objects.filter(transaction=posted).exists()


def _refuse_others(posted: LedgerTransaction, *, is_credit: bool) -> None:
    if posted.kind in (Kind.REDEEM, Kind.CAPTURE):
        raise RedemptionNeedsCancelling
    if not may_be_corrected(posted):
        raise PostingNotCorrectable(kind=posted.get_kind_display())
    if is_credit and posted.kind == Kind.EARN:
        order = Purchase.objects.filter(source=posted.source, external_order_no=posted.natural_key).first()
        if order is not None:
            raise PurchaseNeedsReturn(order_no=order.external_order_no)
    if posted.kind == Kind.CONVERT_OUT:
        state = PartnerConversion.objects.filter(transaction=posted).values_list("state", flat=True).first()
        if state != PartnerConversion.State.PENDING:
            raise ConversionIsSent


def _of_credit(posted: LedgerTransaction, at: datetime) -> Correction:
    # A merge moved what was left on, as lots that name the credit.
    lots = list(Lot.objects.filter(Q(transaction=posted, member_id=posted.member_id) | Q(credit=posted)))
    ids = [lot.pk for lot in lots]
    gone = LotEvent.objects.filter(lot__in=ids, kind__in=(LotEvent.Kind.RETURN_MET_EXPIRED, LotEvent.Kind.GIVEN_UP))
    taken = _net_of(posted, (Kind.RETURN, Kind.CORRECT)) + (gone.aggregate(points=Sum("points"))["points"] or 0)
    points = sum(lot.amount for lot in lots if lot.transaction_id == posted.pk) - taken
    if points <= 0:
        raise CorrectedAlready
    own = min(sum(lot.remaining for lot in lots), points)
    expired = min(_expired_of(ids), points - own)
    others = max(
        balance_of(survivor_id(posted.member_id), at, currency=posted.currency_id).available
        - sum(lot.remaining for lot in lots if lot.state == Lot.State.LIVE),
        0,
    )
    policy = ledger_policy(posted.currency_id)
    choices = [LEAVE]
    if points > own + expired:
        choices.append(OTHERS)
        if policy.arrears != PointsCurrency.Arrears.NONE:
            choices.append(ARREARS)
    return Correction(posted, True, points, own, expired, others, tuple(choices))


def _of_debit(posted: LedgerTransaction) -> Correction:
    entry = LedgerEntry.objects.filter(transaction=posted).first()
    points = entry.points_spent - _given_back(posted) if entry else 0
    if points <= 0:
        raise CorrectedAlready
    return Correction(posted, False, points, choices=(RESTORE,))


def _net_of(posted: LedgerTransaction, kinds: tuple[int, ...]) -> int:
    """Return how many points reversals of these kinds took of a credit."""
    entries = LedgerEntry.objects.filter(transaction__reverses=posted, transaction__kind__in=kinds)
    sums = entries.aggregate(a=Sum("d_available"), p=Sum("d_pending"), d=Sum("d_debt"))
    return (sums["d"] or 0) - (sums["a"] or 0) - (sums["p"] or 0)


def _given_back(posted: LedgerTransaction) -> int:
    sums = LedgerEntry.objects.filter(transaction__reverses=posted, transaction__kind=Kind.RESTORE).aggregate(
        a=Sum("d_available"), d=Sum("d_debt")
    )
    return (sums["a"] or 0) - (sums["d"] or 0)


def _expired_of(lot_ids: list[int]) -> int:
    """Return how many points of these lots are booked as expired, less what came back, or met a return, of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(ledger_expired_of(id)), 0) FROM unnest(%s::bigint[]) AS lot (id)", [lot_ids]
        )
        return int(cursor.fetchone()[0])


# --- Proposals ----------------------------------------------------------------------------------------------------------
def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    posting = correct(
        transaction_id=params["transaction"], choice=params["choice"], by=by, at=at, reason=proposal.reason, proposal=proposal
    )  # fmt: skip
    if not params["given"]:
        return _("%(points)s came back.") % {"points": points_words(posting.d_available - posting.d_debt)}
    taken = -(posting.d_available + posting.d_pending)
    owed, left = grouped(max(posting.d_debt, 0)), grouped(posting.given_up)
    figures = {"points": points_words(taken), "arrears": owed, "left": left}
    return _("%(points)s taken back, %(arrears)s owed, %(left)s let go.") % figures


def _sentence(params: Params) -> str:
    figures = {
        "points": points_words(params["points"]), "member": params["member_no"], "kind": str(Kind(params["kind"]).label),
    }  # fmt: skip
    if not params["given"]:
        return _("Give %(points)s back to member %(member)s (%(kind)s).") % figures
    return {
        LEAVE: _("Take back what is left of %(points)s of member %(member)s (%(kind)s)."),
        OTHERS: _("Take back %(points)s of member %(member)s (%(kind)s), spent ones from other points."),
        ARREARS: _("Take back %(points)s of member %(member)s (%(kind)s), spent ones from other points or as arrears."),
    }[params["choice"]] % figures


def _effect(params: Params, at: datetime) -> Effect:
    found = correction_of(transaction_id=params["transaction"], at=at)
    choice = params["choice"]
    if not found.is_credit:
        return balance_effect(
            member_id=params["member"], currency_id=params["currency"], change=found.points, points=found.points, at=at
        )
    now = found.own + (min(found.others, found.spent) if choice != LEAVE else 0)
    lines = (
        EffectLine(_("Taken back (points)"), "–", now, is_compared=False),
        EffectLine(_("Arrears (points)"), "–", found.owed(choice)),
        EffectLine(_("Let go (points)"), "–", found.left(choice) + found.expired, is_compared=False),
    )
    return balance_effect(
        member_id=params["member"], currency_id=params["currency"], change=-now, points=-found.points, at=at, lines=lines
    )  # fmt: skip


def _correct_note(trace: dict[str, Any]) -> list[str]:
    figures = {"points": grouped(trace["points"]), "day": trace["on"][:10], "kind": str(Kind(trace["of"]).label)}
    return [_("Takes back %(points)s points of %(day)s (%(kind)s), which were given in error.") % figures]


def _restored_note(trace: dict[str, Any]) -> list[str]:
    figures = {"points": grouped(trace["points"]), "day": trace["on"][:10], "kind": str(Kind(trace["of"]).label)}
    return [_("Gives back %(points)s points of %(day)s (%(kind)s).") % figures]


def _members_of(params: Params) -> list[int]:
    return [params["member"]]


def register() -> None:
    """Make corrections known to those who approve, and put their explanations into words."""
    for code, always_waits in ((CORRECT, False), (CORRECT_INTO_ARREARS, True)):
        proposals.register_kind(
            proposals.ProposalKind(
                code=code, label=gettext_lazy("Posting taken back"), permission="rewards.correct_points", sentence=_sentence,
                effect=_effect, carry_out=_carry_out, amount=lambda params: params["points"], concerned=_members_of,
                always_waits=always_waits,
            )
        )  # fmt: skip
    register_note("correct", _correct_note)
    register_note("restored", _restored_note)
