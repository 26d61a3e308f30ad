"""Offers of vouchers as staff run them: drafted, started, paused, ended for good; their codes."""

from datetime import datetime
from typing import Final
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.identifiers import NotFound
from members.names import clean_name
from members.personal_words import refuse_personal_words
from members.services.status import ReasonMissing
from rewards.events_voucher_issuing import voucher_offer_changed
from rewards.models import VoucherOffer
from rewards.refusals import RewardsRefusal
from rewards.services.secret_codes import derived_code, lookup_key, random_code
from rewards.services.voucher_issue import check_may_issue

#: Sorts of codes, apart from each other and from those of vouchers.
_SCAN: Final = "voucher-offer-scan"
_LOOKUP: Final = "voucher-offer-lookup"

State = VoucherOffer.State
_MAY_BECOME: Final = {
    State.RUNNING: (State.DRAFT, State.PAUSED),
    State.PAUSED: (State.RUNNING,),
    State.ENDED: (State.DRAFT, State.RUNNING, State.PAUSED),
}


class VoucherOfferState(RewardsRefusal):
    """The offer can not go from its state to that one."""

    code = "voucher_offer_state"
    text = _("This offer is %(state)s.")


class VoucherOfferHasNoWay(RewardsRefusal):
    """Nobody could claim a voucher."""

    code = "voucher_offer_has_no_way"
    status = 422
    text = _("Say first how members claim it: by the button, by scanning, or by a claim code.")


def begin_draft(offer: VoucherOffer, *, at: datetime) -> None:
    """Give a new offer its public id and its code to scan, before it is written."""
    offer.public_id = uuid4()
    offer.scan_hmac = offer_key(scan_code(offer))
    offer.created_at = at


def scan_code(offer: VoucherOffer) -> str:
    """Return the code that posters and tills show of an offer."""
    return derived_code(_SCAN, offer.public_id)


def offer_key(code: str) -> bytes:
    """Return the key under which an offer's codes are found."""
    return lookup_key(_LOOKUP, code)


def new_claim_code(*, offer_id: int, by: Actor, at: datetime) -> str:
    """Give an offer a claim code that members type, in place of the one it had; return it: it is shown this once.

    Raises VoucherOfferState, NotFound.
    """
    with transaction.atomic():
        offer = _locked(offer_id)
        if offer.state == State.ENDED:
            raise VoucherOfferState(state=offer.get_state_display())
        code = random_code()
        VoucherOffer.objects.filter(pk=offer.pk).update(claim_code_hmac=offer_key(code))
        timeline.record([
            voucher_offer_changed(offer_id=offer.pk, state="code", reason="", happened_at=at, by=by)
        ])  # fmt: skip
    return code


def start_offer(*, offer_id: int, by: Actor, at: datetime) -> None:
    """Let members claim, from the offer's first moment on. Raises VoucherOfferHasNoWay, VoucherOfferState, VoucherNotIssued, NotFound."""
    _move(offer_id, State.RUNNING, "", by, at)


def pause_offer(*, offer_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Let nobody claim for a while. Raises ReasonMissing, VoucherOfferState, WordsNamePerson, NotFound."""
    _move(offer_id, State.PAUSED, _words(reason), by, at)


def end_offer(*, offer_id: int, reason: str, by: Actor, at: datetime) -> None:
    """End an offer for good; vouchers that were claimed stay. Raises as `pause_offer` does."""
    _move(offer_id, State.ENDED, _words(reason), by, at)


def _words(reason: str) -> str:
    words = clean_name(reason)[:200]
    if not words:
        raise ReasonMissing
    refuse_personal_words(words)
    return words


def _move(offer_id: int, state: VoucherOffer.State, reason: str, by: Actor, at: datetime) -> None:
    """Raises VoucherOfferState, VoucherOfferHasNoWay, VoucherNotIssued, NotFound."""
    with transaction.atomic():
        offer = _locked(offer_id)
        if offer.state not in _MAY_BECOME[state]:
            raise VoucherOfferState(state=offer.get_state_display())
        if state == State.RUNNING:
            if not (offer.by_button or offer.by_scan or offer.claim_code_hmac):
                raise VoucherOfferHasNoWay
            check_may_issue(offer.template, at)
        offer.state, offer.ended_at = state, at if state == State.ENDED else None
        offer.save(update_fields=["state", "ended_at"])
        timeline.record([
            voucher_offer_changed(offer_id=offer.pk, state=str(state), reason=reason, happened_at=at, by=by)
        ])  # fmt: skip


def _locked(offer_id: int) -> VoucherOffer:
    offer = VoucherOffer.objects.select_for_update(no_key=True, of=("self",)).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    return offer
