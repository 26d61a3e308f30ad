"""Points that staff give and take: within the operator's limits at once, above them after a second person approved."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.queries import tier_at
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped, signed
from members.models import Member, Proposal
from rewards import ledger
from rewards.events_adjustments import arrears_forgiven, points_adjusted
from rewards.explanation import in_active_language, points_words, register_note
from rewards.models import Adjustment, Lot, PointsAccount, ReasonCode
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import (
    NOTE_LENGTH,
    NotAWholeNumber,
    Params,
    balance_effect,
    default_currency,
    hold_member,
    label_in,
    member_no_of,
    posted_id,
)
from rewards.services.missing_points import MissingPoints, missing_points
from rewards.services.orders import hold_active
from rewards.services.quoting import expiry_of

ADJUST = "rewards.adjust_points"
WRITE_OFF = "rewards.write_off_arrears"
SOURCE = "adjustment"
#: How long points given by hand live where no policy of expiry is in force.
MONTHS_WITHOUT_POLICY = 12


class ReasonNotOffered(RewardsRefusal):
    """There is no such reason, or it is no longer offered."""

    code = "reason_not_offered"
    status = 422
    text = gettext_lazy("This reason is not offered (any more).")


class ReasonDoesNotFit(RewardsRefusal):
    """The reason explains points given, not points taken, or the other way round."""

    code = "reason_does_not_fit"
    status = 422
    text = gettext_lazy("“%(reason)s” does not explain points that are given or taken like this.")


class NoteMissing(RewardsRefusal):
    """This reason needs a note."""

    code = "note_missing"
    status = 422
    text = gettext_lazy("“%(reason)s” needs a note for colleagues.")


class MissingPointsChanged(RewardsRefusal):
    """What is missing of the order is another figure now."""

    code = "missing_points_changed"
    text = gettext_lazy(
        "%(points)s points are missing of order %(order_no)s now, not %(asked)s. Please work it out again."
    )


@dataclass(frozen=True, slots=True)
class Why:
    """Why points are adjusted: a reason from the list, and a note for colleagues."""

    reason: ReasonCode
    note: str = ""

    def trace(self, points: int) -> dict[str, Any]:
        """Return the explanation as it is stored with the posting. The note is not part of it: members read explanations."""
        told = labels_of(self.reason, "member_text") or labels_of(self.reason, "label")
        return {"v": 2, "kind": "adjust", "points": points, "reason": self.reason.code, "text": told}


def why(*, reason_code: str, note: str, points: int) -> Why:
    """Return a reason that explains so many points. Raises ReasonNotOffered, ReasonDoesNotFit, NoteMissing, NotAWholeNumber."""
    reason = ReasonCode.objects.filter(code=reason_code, is_active=True).first()
    if reason is None:
        raise ReasonNotOffered
    if points == 0:
        raise NotAWholeNumber
    if not reason.allows(points):
        raise ReasonDoesNotFit(reason=reason.label)
    note = " ".join(note.split())[:NOTE_LENGTH]
    if reason.needs_note and not note:
        raise NoteMissing(reason=reason.label)
    return Why(reason, note)


def propose_adjustment(
    *, member_id: int, points: int, reason_code: str, note: str, by: Actor, at: datetime, currency_id: int | None = None,
    request_id: str = "", alone: Callable[[int], bool] | None = None,
) -> proposals.ProposalOutcome:  # fmt: skip
    """Give a member points, or take them (below 0), within the operator's limits; else let a colleague decide.

    `alone` is that of `members.proposals.propose`. Raises as `why` and `members.proposals.propose` do, InsufficientPoints, MemberFrozen, MemberClosed.
    """
    asked = why(reason_code=reason_code, note=note, points=points)
    return _propose(asked, member_id, points, default_currency(currency_id), None, by, at, request_id, alone)


def propose_missing_points(
    *,
    member_id: int,
    order_no: str,
    points: int,
    reason_code: str,
    note: str,
    by: Actor,
    at: datetime,
    request_id: str = "",
) -> proposals.ProposalOutcome:
    """Credit what is missing of an order, the figure that `missing_points` proposed. Raises as that and `propose_adjustment`.

    Raises MissingPointsChanged when the figure is another one.
    """
    said = {"member": member_id, "order": order_no, "points": points, "reason": reason_code}
    if (earlier := proposals.made_before(kinds=[ADJUST], said=said, by=by, request_id=request_id)) is not None:
        return earlier
    asked = why(reason_code=reason_code, note=note, points=points)
    missing = _still_missing(member_id, order_no, points)
    return _propose(asked, member_id, points, ledger.currency_id(), missing, by, at, request_id)


def _propose(
    asked: Why, member_id: int, points: int, currency_id: int, missing: MissingPoints | None, by: Actor, at: datetime,
    request_id: str, alone: Callable[[int], bool] | None = None,
) -> proposals.ProposalOutcome:  # fmt: skip
    params = {
        "member": member_id, "member_no": member_no_of(member_id), "currency": currency_id, "points": points,
        "reason": asked.reason.code, "label": labels_of(asked.reason, "label"), "note": asked.note,
        "order": missing.purchase.external_order_no if missing else "",
    }  # fmt: skip
    return proposals.propose(
        kind=ADJUST,
        params=params,
        reason=asked.note or asked.reason.label,
        by=by,
        at=at,
        request_id=request_id,
        alone=alone,
    )


def _still_missing(member_id: int, order_no: str, points: int) -> MissingPoints:
    missing = missing_points(member_id=member_id, order_no=order_no)
    if missing.points != points:
        raise MissingPointsChanged(order_no=order_no, points=missing.points, asked=points)
    return missing


def post_adjustment(
    *, member_id: int, currency_id: int, points: int, asked: Why, natural_key: str, proposal: Proposal, by: Actor, at: datetime,
    missing: MissingPoints | None = None, batch_row_id: int | None = None, source: str = SOURCE,
) -> ledger.Posting:  # fmt: skip
    """Post one adjustment, keep its record and tell the timeline, in the caller's transaction. A repeat changes nothing.

    The caller has made sure that the member is active. Raises InsufficientPoints.
    """
    trace = asked.trace(points) | (missing.stored() if missing else {})
    tier_code = tier_at(member_id, at).code
    if points > 0:
        lot = ledger.NewLot(
            points, Lot.Origin.ADJUSTMENT, at, expiry_of(currency_id, Lot.Origin.ADJUSTMENT, at, MONTHS_WITHOUT_POLICY)
        )
        posting = ledger.credit(
            kind=ledger.Kind.ADJUST, contra=ledger.Contra.ADJUSTMENT, member_id=member_id, currency_id=currency_id, lots=[lot],
            source=source, natural_key=natural_key, at=at, by=by, trace=trace, reason=asked.reason.code, tier_code=tier_code,
        )  # fmt: skip
    else:
        posting = ledger.debit(
            kind=ledger.Kind.ADJUST, contra=ledger.Contra.ADJUSTMENT, member_id=member_id, currency_id=currency_id, points=-points,
            source=source, natural_key=natural_key, at=at, by=by, trace=trace, reason=asked.reason.code, tier_code=tier_code,
        )  # fmt: skip
    if posting.repeated:
        return posting
    adjustment = Adjustment.objects.create(
        member_id=member_id, currency_id=currency_id, points=points, reason_code=asked.reason, note=asked.note,
        purchase=missing.purchase if missing else None, maker_id=proposal.maker_id, proposal=proposal, batch_row_id=batch_row_id,
        transaction_id=posted_id(posting), happened_at=at,
    )  # fmt: skip
    timeline.record([
        points_adjusted(
            member_id=member_id, points=points, currency_id=currency_id, reason_code=asked.reason.code, adjustment_id=adjustment.pk, happened_at=at, by=by
        )
    ])  # fmt: skip
    return posting


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    member_id, points = params["member"], params["points"]
    reason = ReasonCode.objects.get(code=params["reason"])
    missing = None
    if params["order"]:
        # Locked first, so that the same order is not credited twice, nor returned meanwhile.
        found = missing_points(member_id=member_id, order_no=params["order"])
        ledger.lock_purchases(purchase_ids=[found.purchase.pk])
        hold_active(member_id, Member.Act.EARN)
        ledger.lock_account(member_id=member_id, currency=params["currency"])
        missing = _still_missing(member_id, params["order"], points)
    else:
        hold_active(member_id, Member.Act.EARN if points > 0 else Member.Act.SPEND)
    post_adjustment(
        member_id=member_id, currency_id=params["currency"], points=points, asked=Why(reason, params["note"]), missing=missing,
        natural_key=f"proposal {proposal.pk}", proposal=proposal, by=by, at=at,
    )  # fmt: skip
    given = _("%(points)s given to member %(member)s.")
    taken = _("%(points)s taken from member %(member)s.")
    return (given if points > 0 else taken) % {"points": points_words(abs(points)), "member": params["member_no"]}


def _sentence(params: Params) -> str:
    points = params["points"]
    figures = {"points": points_words(abs(points)), "member": params["member_no"], "reason": label_in(params)}
    if params["order"]:
        figures["order"] = params["order"]
        return _("Give member %(member)s %(points)s that are missing of order %(order)s (%(reason)s).") % figures
    if points > 0:
        return _("Give member %(member)s %(points)s (%(reason)s).") % figures
    return _("Take %(points)s from member %(member)s (%(reason)s).") % figures


def _effect(params: Params, at: datetime) -> Effect:
    points = params["points"]
    lines = (EffectLine(_("Points of the adjustment"), "–", signed(points)),)
    return balance_effect(
        member_id=params["member"], currency_id=params["currency"], change=points, points=points, at=at, lines=lines
    )


# --- Arrears ----------------------------------------------------------------------------------------------------------
def propose_write_off(
    *,
    member_id: int,
    points: int,
    reason: str,
    by: Actor,
    at: datetime,
    currency_id: int | None = None,
    request_id: str = "",
) -> proposals.ProposalOutcome:
    """Ask a colleague to forgive arrears of a member. Raises ArrearsTooSmall, and as `members.proposals.propose` does."""
    if points < 1:
        raise NotAWholeNumber
    currency = default_currency(currency_id)
    said = {"member": member_id, "currency": currency, "points": points}
    if (earlier := proposals.made_before(kinds=[WRITE_OFF], said=said, by=by, request_id=request_id)) is not None:
        return earlier
    owed = arrears_of(member_id, currency)
    if points > owed:
        raise ledger.ArrearsTooSmall(required=points, owed=owed)
    params = {**said, "member_no": member_no_of(member_id)}
    return proposals.propose(kind=WRITE_OFF, params=params, reason=reason, by=by, at=at, request_id=request_id)


def arrears_of(member_id: int, currency_id: int | None = None) -> int:
    """Return what a member owes, in points."""
    account = PointsAccount.objects.filter(member_id=member_id, currency_id=default_currency(currency_id)).first()
    return account.debt if account else 0


def _write_off(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    member_id, points = params["member"], params["points"]
    hold_member(member_id)
    ledger.write_off(
        member_id=member_id, currency_id=params["currency"], points=points, source=SOURCE, natural_key=f"proposal {proposal.pk}",
        at=at, by=by, reason=proposal.reason[:200], trace={"v": 2, "kind": "write_off", "points": points},
    )  # fmt: skip
    timeline.record(
        [arrears_forgiven(member_id=member_id, points=points, currency_id=params["currency"], happened_at=at, by=by)]
    )
    return _("Arrears of %(points)s forgiven.") % {"points": points_words(points)}


def _write_off_sentence(params: Params) -> str:
    figures = {"points": points_words(params["points"]), "member": params["member_no"]}
    return _("Forgive member %(member)s arrears of %(points)s.") % figures


def _write_off_effect(params: Params, at: datetime) -> Effect:
    owed = arrears_of(params["member"], params["currency"])
    lines = (EffectLine(_("Arrears (points)"), owed, max(owed - params["points"], 0)),)
    return balance_effect(
        member_id=params["member"],
        currency_id=params["currency"],
        change=0,
        points=params["points"],
        at=at,
        lines=lines,
    )


# --- Words ------------------------------------------------------------------------------------------------------------
def _adjust_note(trace: dict[str, Any]) -> list[str]:
    words = [_("Adjusted by staff: %(reason)s.") % {"reason": in_active_language(trace.get("text") or {})}]
    if trace.get("order"):
        figures = {"order": trace["order"], "due": grouped(trace["due"]), "posted": grouped(trace["posted"])}
        words.append(
            _("The rules of that day give %(due)s points for order %(order)s; %(posted)s were credited before.")
            % figures
        )
        if trace.get("back"):
            words.append(_("%(points)s fewer, as goods came back.") % {"points": grouped(trace["back"])})
    return words


def _write_off_note(trace: dict[str, Any]) -> list[str]:
    return [_("Points that were owed were forgiven: %(points)s.") % {"points": grouped(trace["points"])}]


def _members_of(params: Params) -> list[int]:
    return [params["member"]]


def register() -> None:
    """Make adjustments known to those who approve, and put their explanations into words."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=ADJUST, label=gettext_lazy("Points adjustment"), permission="rewards.adjust_points", sentence=_sentence,
            effect=_effect, carry_out=_carry_out, amount=lambda params: abs(params["points"]), concerned=_members_of,
        )
    )  # fmt: skip
    proposals.register_kind(
        proposals.ProposalKind(
            code=WRITE_OFF, label=gettext_lazy("Arrears forgiven"), permission="rewards.write_off_arrears", always_waits=True,
            sentence=_write_off_sentence, effect=_write_off_effect, carry_out=_write_off, amount=lambda params: params["points"],
            concerned=_members_of,
        )
    )  # fmt: skip
    register_note("adjust", _adjust_note)
    register_note("write_off", _write_off_note)


def reasons(*, giving: bool | None = None) -> list[ReasonCode]:
    """Return the reasons that are offered; with `giving`, those that explain points given (or taken)."""
    offered = ReasonCode.objects.filter(is_active=True).order_by("code")
    if giving is None:
        return list(offered)
    return [reason for reason in offered if reason.allows(1 if giving else -1)]
