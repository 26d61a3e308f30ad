"""Vouchers of one member by hand: given, extended, reissued, voided, and each taken back as long as nothing was used.

What it may cost counts towards the operator's limit; above it, and past so many days more, a colleague decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.periods import business_date, day_bounds
from members import proposals, timeline
from members.actors import Actor
from members.identifiers import NotFound
from members.models import Proposal
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.personal_words import refuse_personal_words
from members.queries import programme, survivor_id
from members.services.status import ReasonMissing
from rewards.events_voucher_issuing import voucher_extended, voucher_restored
from rewards.models import Voucher, VoucherEvent, VoucherGoodwill, VoucherTemplate
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import Params, hold_member, member_no_of, operator_id
from rewards.services.secret_codes import derived_id
from rewards.services.voucher_batches import counted
from rewards.services.voucher_budgets import give_back_budget, take_budget
from rewards.services.voucher_issue import check_may_issue, issue_vouchers
from rewards.services.voucher_voiding import void_vouchers
from rewards.vouchers_held import MostVouchersHeld, held_by

GIVE: Final = "rewards.give_voucher"
EXTEND: Final = "rewards.extend_voucher"
EXTEND_LONG: Final = "rewards.extend_voucher_long"
REISSUE: Final = "rewards.reissue_voucher"
MAY_GIVE: Final = "rewards.give_voucher"
MAY_EXTEND: Final = "rewards.extend_voucher"
MAY_VOID: Final = "rewards.void_voucher"
#: So many days more may be given without a colleague.
DAYS_ALONE: Final = 30
MOST_DAYS: Final = 366

What = VoucherGoodwill.What
State = Voucher.State
_NOTHING: Final = Decimal(0)


class VoucherCanNotBe(RewardsRefusal):
    """The voucher's state does not allow it."""

    code = "voucher_state"
    text = gettext_lazy("This voucher is %(state)s; this can not be done with it.")


class VoucherEndsNoLater(RewardsRefusal):
    """The new end is no extension, or too far."""

    code = "voucher_ends_no_later"
    status = 422
    text = gettext_lazy("The new end must be later than the old one and than now, by at most %(days)s days.")


class GoodwillCanNotBeUndone(RewardsRefusal):
    """It was taken back, or the voucher was used since."""

    code = "goodwill_can_not_be_undone"
    text = gettext_lazy("This can not be taken back any more.")


@dataclass(frozen=True, slots=True)
class GoodwillUsed:
    """What an operator has done for members' vouchers in this month, in the programme's zone: vouchers, cost at most."""

    vouchers: int
    cost_amount: Decimal


def goodwill_of_month(*, operator_id: int, at: datetime) -> GoodwillUsed:
    """Return what an operator has used of goodwill this month; what was taken back does not count."""
    tz = programme().tz
    since = day_bounds(business_date(at, tz).replace(day=1), tz)[0]
    rows = VoucherGoodwill.objects.filter(
        maker=operator_id, happened_at__gte=since, what__in=(What.GIVE, What.EXTEND, What.REISSUE), undone_by__isnull=True
    )  # fmt: skip
    return GoodwillUsed(rows.count(), rows.aggregate(cost=Sum("cost_amount"))["cost"] or _NOTHING)


# --- Asking ------------------------------------------------------------------------------------------------------------
def propose_give(
    *, member_id: int, template_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Give a member a voucher, within the operator's limit, else let a colleague decide.

    Raises VoucherNotIssued, NotFound, and as `members.proposals.propose` and carrying it out do: MostVouchersHeld,
    VoucherBudgetExhausted, MemberClosed.
    """
    template = VoucherTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise NotFound
    check_may_issue(template, at)
    member = survivor_id(member_id)
    params = {"member": member, "member_no": member_no_of(member), "template": template.pk, **_worth(template, True)}
    return proposals.propose(kind=GIVE, params=params, reason=reason, by=by, at=at, request_id=request_id)


def propose_extension(
    *, voucher_id: int, until: datetime, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Let a voucher that is ready to use, or has just expired, end later: up to 30 days more within the operator's limit.

    More than that always waits for a colleague. Raises VoucherCanNotBe, VoucherEndsNoLater, NotFound, and as
    `members.proposals.propose` does.
    """
    said = {"voucher": voucher_id, "until": until.isoformat()}
    earlier = proposals.made_before(kinds=[EXTEND, EXTEND_LONG], said=said, by=by, request_id=request_id)
    if earlier is not None:
        return earlier
    voucher = _voucher(voucher_id)
    _check_extension(voucher, until, at)
    more = until - max(voucher.expires_at, at)
    params = {**_about(voucher), **said, "old": voucher.expires_at.isoformat(), **_worth(voucher.template, True)}
    kind = EXTEND if more <= timedelta(days=DAYS_ALONE) else EXTEND_LONG
    return proposals.propose(kind=kind, params=params, reason=reason, by=by, at=at, request_id=request_id)


def propose_reissue(
    *, voucher_id: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Give a member a new voucher in place of one: of one that is ready to use with its end, else with days of its own.

    The first costs nothing more, as the old one is made void; else as `propose_give`. Raises VoucherCanNotBe where it is
    held or was replaced already, NotFound, and as `members.proposals.propose` does.
    """
    earlier = proposals.made_before(kinds=[REISSUE], said={"voucher": voucher_id}, by=by, request_id=request_id)
    if earlier is not None:
        return earlier
    voucher = _voucher(voucher_id)
    _check_reissue(voucher, at)
    lives = voucher.state_at(at) == State.ISSUED
    params = {**_about(voucher), "voucher": voucher_id, "lives": lives, **_worth(voucher.template, not lives)}
    return proposals.propose(kind=REISSUE, params=params, reason=reason, by=by, at=at, request_id=request_id)


def void_voucher(*, voucher_id: int, reason: str, by: Actor, at: datetime) -> VoucherGoodwill:
    """Make a member's voucher void. Raises VoucherCanNotBe, ReasonMissing, WordsNamePerson, OwnAccount, NotFound."""
    with transaction.atomic():
        voucher = _voucher(voucher_id)
        words = _words(reason, voucher.member_id)
        maker = operator_id(by)
        refuse_own_account(by, [voucher.member_id])
        state = voucher.state_at(at)
        if not void_vouchers(voucher_ids=[voucher.pk], by=by, at=at, reason=words):
            raise VoucherCanNotBe(state=State(state).label)
        return _keep(What.VOID, voucher, maker, at, from_state=State.ISSUED)


# --- Taking back -------------------------------------------------------------------------------------------------------
@transaction.atomic
def undo_goodwill(*, goodwill_id: int, reason: str, by: Actor, at: datetime) -> VoucherGoodwill:
    """Take back what was done by hand, as long as the voucher was not used; return the row that says so.

    Raises GoodwillCanNotBeUndone, ReasonMissing, WordsNamePerson, OwnAccount, NotAllowed, VoucherBudgetExhausted, NotFound.
    """
    done = VoucherGoodwill.objects.filter(pk=goodwill_id).exclude(what=What.UNDO).first()
    if done is None:
        raise NotFound
    words = _words(reason, done.member_id)
    maker = operator_id(by)
    refuse_own_account(by, [done.member_id])
    ids = [done.voucher_id] if done.replaces_id is None else [done.voucher_id, done.replaces_id]
    vouchers = {one.pk: one for one in _locked(ids)}
    voucher = vouchers[done.voucher_id]
    if VoucherGoodwill.objects.filter(undoes=done).exists():
        raise GoodwillCanNotBeUndone
    if done.what == What.VOID:
        _restore(voucher, by, at, words)
    elif done.what == What.EXTEND and done.old_expires_at is not None:
        if voucher.expires_at != done.new_expires_at:  # it was extended further; that is taken back first
            raise GoodwillCanNotBeUndone
        _shorten(voucher, done.old_expires_at, by, at, words)
    else:
        if not void_vouchers(voucher_ids=[voucher.pk], by=by, at=at, reason=words):
            raise GoodwillCanNotBeUndone
        if done.replaces_id is not None and done.from_state == State.ISSUED:
            _restore(vouchers[done.replaces_id], by, at, words)
    return _keep(What.UNDO, voucher, maker, at, undoes=done)


def _restore(voucher: Voucher, by: Actor, at: datetime, words: str) -> None:
    if voucher.state != State.VOIDED or voucher.expires_at <= at:
        raise GoodwillCanNotBeUndone
    _move(voucher, State.ISSUED, by, at, words)
    take_budget(template=voucher.template, vouchers=1)
    timeline.record([
        voucher_restored(
            voucher_id=voucher.pk, template_id=voucher.template_id, member_id=voucher.member_id, happened_at=at, by=by
        )
    ])  # fmt: skip


def _shorten(voucher: Voucher, old: datetime, by: Actor, at: datetime, words: str) -> None:
    if voucher.state_at(at) != State.ISSUED:
        raise GoodwillCanNotBeUndone
    voucher.expires_at = old
    _move(voucher, State.ISSUED if old > at else State.EXPIRED, by, at, words)
    if old <= at:
        give_back_budget(vouchers_by_template={voucher.template_id: 1})
    timeline.record([_told(voucher, by, at)])


# --- Carrying out ------------------------------------------------------------------------------------------------------
def give(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    """Carry a proposal to give a voucher out; return what was done."""
    template = VoucherTemplate.objects.get(pk=params["template"])
    hold_member(params["member"], alone=template.most_held is not None)
    _refuse_too_many(template, params["member"], at)
    (voucher_id,) = issue_vouchers(
        template=template, rows=[(params["member"], derived_id("voucher-staff", proposal.pk))], origin=Voucher.Origin.STAFF,
        origin_ref=str(proposal.pk), by=by, at=at,
    )  # fmt: skip
    voucher = Voucher.objects.get(pk=voucher_id)
    _keep(
        What.GIVE, voucher, proposal.maker_id, at, proposal=proposal, new_expires_at=voucher.expires_at, cost_amount=_cost(params)
    )  # fmt: skip
    return _("Given to member %(member)s.") % {"member": params["member_no"]}


def extend(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    """Carry a proposal to extend a voucher out; return what was done."""
    hold_member(params["member"])
    voucher, until = _locked([params["voucher"]])[0], datetime.fromisoformat(params["until"])
    _check_extension(voucher, until, at)
    before, old = voucher.state_at(at), voucher.expires_at
    voucher.expires_at = until
    # One that was held for a while that is over, or had ended without that being noted, is ready to use from here on.
    noted_end = voucher.state == State.EXPIRED
    _move(voucher, State.ISSUED, by, at, proposal.reason[:200])
    if noted_end:
        take_budget(template=voucher.template, vouchers=1)
    _keep(
        What.EXTEND, voucher, proposal.maker_id, at, proposal=proposal, from_state=before, old_expires_at=old,
        new_expires_at=until, cost_amount=_cost(params),
    )  # fmt: skip
    timeline.record([_told(voucher, by, at)])
    return _("The voucher of member %(member)s ends later.") % {"member": params["member_no"]}


def reissue(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    """Carry a proposal to reissue a voucher out; return what was done."""
    hold_member(params["member"])
    old = _locked([params["voucher"]])[0]
    _check_reissue(old, at)
    before = old.state_at(at)
    if (before == State.ISSUED) != params["lives"]:
        raise VoucherCanNotBe(state=before.label)
    span = (max(old.valid_from, at), old.expires_at) if before == State.ISSUED else None
    if span is not None:
        void_vouchers(voucher_ids=[old.pk], by=by, at=at, reason=proposal.reason)
    (voucher_id,) = issue_vouchers(
        template=old.template, rows=[(survivor_id(old.member_id), derived_id("voucher-reissue", proposal.pk))],
        origin=Voucher.Origin.REISSUE, origin_ref=str(old.pk), by=by, at=at, span=span,
    )  # fmt: skip
    voucher = Voucher.objects.get(pk=voucher_id)
    _keep(
        What.REISSUE, voucher, proposal.maker_id, at, proposal=proposal, replaces=old, from_state=before,
        old_expires_at=old.expires_at, new_expires_at=voucher.expires_at, cost_amount=_cost(params),
    )  # fmt: skip
    return _("Member %(member)s has a new voucher in place of the old one.") % {"member": params["member_no"]}


# --- Parts -------------------------------------------------------------------------------------------------------------
def _voucher(voucher_id: int) -> Voucher:
    voucher = Voucher.objects.select_related("template", "member").filter(pk=voucher_id).first()
    if voucher is None:
        raise NotFound
    return voucher


def _locked(voucher_ids: list[int]) -> list[Voucher]:
    """Return vouchers, locked ascending."""
    vouchers = Voucher.objects.select_for_update(no_key=True, of=("self",)).select_related("template")
    found = list(vouchers.filter(pk__in=voucher_ids).order_by("pk"))
    if len(found) != len(set(voucher_ids)):
        raise NotFound
    return found


def _check_extension(voucher: Voucher, until: datetime, at: datetime) -> None:
    state = voucher.state_at(at)
    if state not in (State.ISSUED, State.EXPIRED):
        raise VoucherCanNotBe(state=state.label)
    begins = max(voucher.expires_at, at)
    if not begins < until <= begins + timedelta(days=MOST_DAYS):
        raise VoucherEndsNoLater(days=MOST_DAYS)


def _check_reissue(voucher: Voucher, at: datetime) -> None:
    state = voucher.state_at(at)
    replaced = voucher.replaced_by.filter(undone_by__isnull=True).exists()
    if replaced or state in (State.HELD, State.OFFERED):
        raise VoucherCanNotBe(state=_("replaced already") if replaced else state.label)


def _refuse_too_many(template: VoucherTemplate, member_id: int, at: datetime) -> None:
    most = template.most_held
    if most is not None and held_by(template, [member_id], at=at).get(member_id, 0) >= most:
        raise MostVouchersHeld(most=most)


def _words(reason: str, member_id: int) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words, member_ids=[member_id])
    return words


def _worth(template: VoucherTemplate, costs: bool) -> dict[str, Any]:
    """Return what a proposal keeps of a template: its names, what one costs at most, and what counts towards limits."""
    cost = template.most_cost_amount if costs else _NOTHING
    return {"names": labels_of(template, "name"), "cost": str(cost), "amount": counted(cost, 1) if costs else 0}


def _about(voucher: Voucher) -> dict[str, Any]:
    member = survivor_id(voucher.member_id)
    return {"member": member, "member_no": member_no_of(member)}


def _cost(params: Mapping[str, Any]) -> Decimal:
    return Decimal(params["cost"])


def _told(voucher: Voucher, by: Actor, at: datetime) -> timeline.NewEntry:
    return voucher_extended(
        voucher_id=voucher.pk, template_id=voucher.template_id, member_id=voucher.member_id, until=voucher.expires_at,
        happened_at=at, by=by,
    )  # fmt: skip


def _move(voucher: Voucher, state: Voucher.State, by: Actor, at: datetime, reason: str) -> None:
    VoucherEvent.objects.create(
        voucher=voucher, from_state=voucher.state, to_state=state, reason=reason, actor_kind=by.kind, actor_id=by.id, happened_at=at
    )  # fmt: skip
    voucher.state, voucher.held_until, voucher.held_ref = state, None, None
    voucher.save(update_fields=["state", "held_until", "held_ref", "expires_at"])


def _keep(what: VoucherGoodwill.What, voucher: Voucher, maker_id: int, at: datetime, **told: Any) -> VoucherGoodwill:
    return VoucherGoodwill.objects.create(
        what=what, member_id=voucher.member_id, voucher=voucher, maker_id=maker_id, happened_at=at, **told
    )
