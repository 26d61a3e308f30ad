"""A voucher for a friend: offered with a token for some hours, taken back, or accepted, when the friend gets one of their own.

The giver's code would still be known, so the friend gets a new voucher with the same end, and the giver's is void. An
offer that has run out counts as returned at once; a task notes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member
from members.queries import family_ids
from members.services.phone_change import refuse_cooling
from rewards.events_voucher_issuing import voucher_given, voucher_offered
from rewards.events_vouchers import voucher_released
from rewards.models import Voucher, VoucherEvent, VoucherGift
from rewards.refusals import RewardsRefusal
from rewards.services.orders import hold_active, hold_bearers, hold_bearers_alone
from rewards.services.secret_codes import derived_code, derived_id, lookup_key
from rewards.services.voucher_budgets import give_back_budget
from rewards.services.voucher_issue import issue_vouchers
from rewards.vouchers_held import MostVouchersHeld, held_by

_SORT: Final = "voucher-gift-token"
_LOOKUP: Final = "voucher-gift-lookup"
_GIVEN: Final = "given_to_a_friend"

State = VoucherGift.State


class VoucherNotGiftable(RewardsRefusal):
    """The voucher can not be passed on (any more), or not now."""

    code = "voucher_not_giftable"
    explains = True
    text = _("This voucher can not be given away.")


class GiftNotOpen(RewardsRefusal):
    """No gift that is open has this token. One answer for every wrong token."""

    code = "gift_not_open"
    status = 410
    text = _("This gift is no longer there.")


class GiftToOneself(RewardsRefusal):
    """The voucher is the member's own."""

    code = "gift_to_oneself"
    text = _("This is a voucher of your own; a friend can accept it.")


@dataclass(frozen=True, slots=True)
class AcceptedGift:
    """A gift that a friend accepted, with the friend's voucher; `already_accepted` where that was so before."""

    gift: VoucherGift
    voucher: Voucher
    already_accepted: bool


def gift_token(gift: VoucherGift) -> str:
    """Return the token of a gift, for the giver's eyes: whoever shows it gets the voucher."""
    return derived_code(_SORT, gift.public_id)


@transaction.atomic
def offer_gift(*, member_id: int, voucher_id: int, by: Actor, at: datetime) -> VoucherGift:
    """Offer a voucher to whoever shows the token, for as long as its template says; its owner can not use it meanwhile.

    Raises VoucherNotGiftable, CoolingDown, MemberFrozen, MemberClosed, NotFound.
    """
    bearer = hold_bearers([member_id])[member_id]
    hold_active(bearer, Member.Act.SPEND)
    refuse_cooling(member_id=bearer, at=at)
    voucher = _own_voucher(bearer, voucher_id)
    template = voucher.template
    if voucher.state_at(at) != Voucher.State.ISSUED or not template.is_giftable or _was_passed_on(voucher):
        raise VoucherNotGiftable().about(bearer)
    if (
        voucher.held_until is not None and voucher.state == Voucher.State.OFFERED
    ):  # nobody took it, which is not noted yet
        _return(voucher, by, voucher.held_until, expired=True)
    _close_lapsed(voucher.pk)
    until = min(at + timedelta(hours=template.gift_hours), voucher.expires_at)
    gift = VoucherGift(voucher=voucher, giver_id=bearer, public_id=uuid4(), offered_at=at, expires_at=until)
    gift.token_hmac = lookup_key(_LOOKUP, gift_token(gift))
    gift.save()
    _move(voucher, Voucher.State.OFFERED, by, at, held_until=until)
    timeline.record([
        voucher_offered(voucher_id=voucher.pk, gift_id=gift.pk, member_id=voucher.member_id, happened_at=at, by=by)
    ])  # fmt: skip
    return gift


@transaction.atomic
def cancel_gift(*, member_id: int, voucher_id: int, by: Actor, at: datetime) -> VoucherGift:
    """Take the last offer of a voucher back; one that is closed already stays as it is. Return it.

    Raises VoucherNotGiftable where a friend has accepted it, NotFound where it was never offered.
    """
    bearer = hold_bearers([member_id])[member_id]
    voucher = _own_voucher(bearer, voucher_id)
    gift = voucher.gifts.select_for_update(no_key=True).order_by("-pk").first()
    if gift is None:
        raise NotFound
    if gift.state == State.ACCEPTED:
        raise VoucherNotGiftable().about(bearer)
    if gift.state == State.OFFERED:
        lapsed = gift.expires_at <= at
        _close(gift, State.EXPIRED if lapsed else State.CANCELLED, gift.expires_at if lapsed else at)
        _return(voucher, by, gift.closed_at or at, expired=lapsed)
    return gift


@transaction.atomic
def accept_gift(*, member_id: int, token: str, by: Actor, at: datetime) -> AcceptedGift:
    """Give the friend who shows the token a voucher with the same end; the giver's is void. Told again it is the same answer.

    Raises GiftNotOpen, GiftToOneself, MostVouchersHeld, MemberFrozen, MemberClosed.
    """
    offered = VoucherGift.objects.filter(token_hmac=lookup_key(_LOOKUP, token))
    found = offered.values_list("pk", "giver_id", "voucher__template__most_held").first()
    if found is None:
        raise GiftNotOpen
    gift_id, giver_id, limit = found
    hold = hold_bearers if limit is None else hold_bearers_alone
    bearers = hold({member_id, giver_id})
    friend, giver = bearers[member_id], bearers[giver_id]
    hold_active(friend, Member.Act.EARN)
    voucher = _locked_voucher(VoucherGift.objects.values_list("voucher_id", flat=True).get(pk=gift_id))
    gift = VoucherGift.objects.select_for_update(no_key=True).get(pk=gift_id)
    if gift.state == State.ACCEPTED and gift.receiver_id in family_ids(friend) and gift.received_id is not None:
        return AcceptedGift(gift, _voucher(gift.received_id), True)
    if friend == giver:
        raise GiftToOneself
    is_held = voucher.state == Voucher.State.OFFERED and voucher.is_held(at)
    gives = Member.objects.get(pk=giver).status_to(Member.Act.SPEND) == Member.Status.ACTIVE
    if gift.state != State.OFFERED or gift.expires_at <= at or not is_held or not gives:
        raise GiftNotOpen
    most = voucher.template.most_held
    if most is not None and held_by(voucher.template, [friend], at=at).get(friend, 0) >= most:
        raise MostVouchersHeld(most=most).about(friend)
    received = _pass_on(gift, voucher, friend, by, at)
    return AcceptedGift(gift, received, False)


def return_due_gifts(*, at: datetime, by: Actor, limit: int = 1_000) -> int:
    """Close at most `limit` offers that nobody accepted in time; return how many. Safe beside itself and beside a till."""
    due = VoucherGift.objects.filter(state=State.OFFERED, expires_at__lte=at).order_by("expires_at", "pk")
    returned = 0
    for gift_id, voucher_id in list(due.values_list("pk", "voucher_id")[:limit]):
        with transaction.atomic():
            voucher = _locked_voucher(voucher_id)
            gift = VoucherGift.objects.select_for_update(no_key=True).get(pk=gift_id)
            if gift.state == State.OFFERED:
                _close(gift, State.EXPIRED, gift.expires_at)
                _return(voucher, by, gift.expires_at, expired=True)
                returned += 1
    return returned


def _own_voucher(bearer: int, voucher_id: int) -> Voucher:
    """Return a voucher of a member, locked. Raises NotFound for those of others."""
    voucher = _locked(voucher_id)
    if voucher is None or voucher.member_id not in family_ids(bearer):
        raise NotFound
    return voucher


def _locked_voucher(voucher_id: int) -> Voucher:
    voucher = _locked(voucher_id)
    if voucher is None:
        raise NotFound
    return voucher


def _locked(voucher_id: int) -> Voucher | None:
    vouchers = Voucher.objects.select_for_update(no_key=True, of=("self",)).select_related("template")
    return vouchers.filter(pk=voucher_id).first()


def _voucher(voucher_id: int) -> Voucher:
    return Voucher.objects.select_related("template").get(pk=voucher_id)


def _was_passed_on(voucher: Voucher) -> bool:
    """Whether it has been given from friend to friend as often as its template allows."""
    passed, at_voucher = 0, voucher.pk
    while passed < voucher.template.most_gifts:
        origin = VoucherGift.objects.filter(received=at_voucher).values_list("voucher_id", flat=True).first()
        if origin is None:
            return False
        passed, at_voucher = passed + 1, origin
    return True


def _pass_on(gift: VoucherGift, voucher: Voucher, friend: int, by: Actor, at: datetime) -> Voucher:
    """Void the giver's voucher, then issue the friend's: the budget has room for it by then."""
    _move(voucher, Voucher.State.VOIDED, by, at, reason=_GIVEN)
    give_back_budget(vouchers_by_template={voucher.template_id: 1})
    (received_id,) = issue_vouchers(
        template=voucher.template, rows=[(friend, derived_id("voucher-gift", gift.pk))], origin=Voucher.Origin.GIFT,
        origin_ref=str(gift.pk), by=by, at=at, span=(max(voucher.valid_from, at), voucher.expires_at),
    )  # fmt: skip
    gift.receiver_id, gift.received_id = friend, received_id
    _close(gift, State.ACCEPTED, at)
    timeline.record([
        voucher_given(
            voucher_id=voucher.pk, gift_id=gift.pk, received_id=received_id, member_id=voucher.member_id, happened_at=at, by=by
        )
    ])  # fmt: skip
    return _voucher(received_id)


def _close_lapsed(voucher_id: int) -> None:
    """Close an offer that has run out, and was not noted yet."""
    VoucherGift.objects.filter(voucher=voucher_id, state=State.OFFERED).update(
        state=State.EXPIRED, closed_at=F("expires_at")
    )


def _close(gift: VoucherGift, state: VoucherGift.State, at: datetime) -> None:
    gift.state, gift.closed_at = state, at
    gift.save(update_fields=["state", "closed_at", "receiver", "received"])


def _return(voucher: Voucher, by: Actor, at: datetime, *, expired: bool) -> None:
    """Let the owner use the voucher again; where that was noted before, or it was given up meanwhile, nothing happens."""
    if voucher.state != Voucher.State.OFFERED:
        return
    _move(voucher, Voucher.State.ISSUED, by, at)
    timeline.record([
        voucher_released(voucher_id=voucher.pk, member_id=voucher.member_id, expired=expired, happened_at=at, by=by)
    ])  # fmt: skip


def _move(
    voucher: Voucher,
    state: Voucher.State,
    by: Actor,
    at: datetime,
    *,
    held_until: datetime | None = None,
    reason: str = "",
) -> None:
    """Change the state of a locked voucher, with its event."""
    VoucherEvent.objects.create(
        voucher=voucher, from_state=voucher.state, to_state=state, reason=reason, actor_kind=by.kind, actor_id=by.id, happened_at=at
    )  # fmt: skip
    voucher.state, voucher.held_until, voucher.held_ref = state, held_until, None
    voucher.save(update_fields=["state", "held_until", "held_ref"])
