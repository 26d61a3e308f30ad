"""Members fetch vouchers from offers: by the button, by scanning, by a claim code, at the till. Never more than there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from loyalty.queries import tier_at
from members.actors import Actor
from members.identifiers import NotFound
from members.models import Member, SegmentSpan
from members.queries import family_ids, status_sql, survivor_id
from rewards.models import Voucher, VoucherClaim, VoucherOffer
from rewards.refusals import RewardsRefusal
from rewards.services.orders import check_active
from rewards.services.secret_codes import derived_id
from rewards.services.voucher_issue import issue_vouchers
from rewards.services.voucher_offers import offer_key
from rewards.vouchers_held import MostVouchersHeld, held_by

Way = VoucherClaim.Way
_MOST_LISTED: Final = 100


class ClaimCodeWrong(RewardsRefusal):
    """No offer that can be claimed has this code. One answer for every wrong code."""

    code = "claim_code_invalid"
    status = 404
    text = _("This code can not be used.")


class OfferNotRunning(RewardsRefusal):
    """The offer has not begun, is paused, or is over."""

    code = "campaign_not_active"
    text = _("This offer can not be claimed now.")


class OfferNotForMember(RewardsRefusal):
    """The offer is for others: a segment, or higher tiers."""

    code = "offer_not_for_member"
    explains = True
    text = _("This offer is not for this membership.")


class OfferUsedUp(RewardsRefusal):
    """The last voucher of the offer is gone."""

    code = "out_of_stock"
    status = 410
    text = _("All vouchers of this offer are taken.")


@dataclass(frozen=True, slots=True)
class ClaimReceipt:
    """A claim with its voucher; `already_claimed` where it was fetched before, and nothing was issued now."""

    claim: VoucherClaim
    already_claimed: bool

    @property
    def voucher(self) -> Voucher:
        """The voucher."""
        return self.claim.voucher


@dataclass(frozen=True, slots=True)
class OfferNow:
    """An offer as a member, or nobody in particular, sees it now; `why_not` is a code where it can not be claimed (any more)."""

    offer: VoucherOffer
    claimed_by_me: int | None
    why_not: str

    @property
    def can_claim(self) -> bool | None:
        """Whether the member may claim it now; None where nobody is signed in."""
        return None if self.claimed_by_me is None else not self.why_not


def claim_offer(
    *, member_id: int, offer_ref: UUID, request_id: str, took_ms: int | None = None, by: Actor, at: datetime
) -> ClaimReceipt:
    """Fetch a voucher by the button. Raises NotFound, and as `_claim` says."""
    offer = VoucherOffer.objects.exclude(state=VoucherOffer.State.DRAFT).filter(public_id=offer_ref).first()
    if offer is None or not offer.by_button:
        raise NotFound
    return _claim(member_id, offer, Way.BUTTON, None, request_id, took_ms, by, at)


def claim_by_code(
    *, member_id: int, code: str, request_id: str, took_ms: int | None = None, by: Actor, at: datetime
) -> ClaimReceipt:
    """Fetch a voucher by the code that was scanned or typed. Raises ClaimCodeWrong, and as `_claim` says."""
    offer, way = _offer_of(code)
    return _claim(member_id, offer, way, None, request_id, took_ms, by, at)


def claim_at_till(
    *, member_id: int, code: str, store_id: int | None, request_id: str, by: Actor, at: datetime
) -> ClaimReceipt:
    """Fetch a voucher for a member at a till, where the offer's code is scanned. Raises as `claim_by_code` does."""
    offer, _way = _offer_of(code)
    return _claim(member_id, offer, Way.TILL, store_id, request_id, None, by, at)


def offers_for(member_id: int | None, *, at: datetime) -> list[OfferNow]:
    """Return the offers that are claimed by the button and run now: those of everybody, and those of the member's segments."""
    running = VoucherOffer.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at), state=VoucherOffer.State.RUNNING, by_button=True, begins_at__lte=at
    )
    if member_id is None:
        return [OfferNow(one, None, _nothing_left(one)) for one in _listed(running.filter(segment__isnull=True))]
    family = family_ids(member_id)
    inside = SegmentSpan.objects.filter(member__in=family, left_at__isnull=True).values("segment")
    offers = _listed(running.filter(Q(segment__isnull=True) | Q(segment__in=inside)))
    claims = VoucherClaim.objects.filter(member__in=family, offer__in=offers).values_list("offer")
    claimed = dict(claims.annotate(number=Count("pk")))
    rank = tier_at(member_id, at).rank
    return [_as_seen(offer, claimed.get(offer.pk, 0), rank) for offer in offers]


def _listed(offers: QuerySet[VoucherOffer]) -> Sequence[VoucherOffer]:
    return list(offers.select_related("template", "min_tier").order_by("-begins_at", "-pk")[:_MOST_LISTED])


def _as_seen(offer: VoucherOffer, claimed: int, rank: int) -> OfferNow:
    if claimed >= offer.per_member_limit:
        return OfferNow(offer, claimed, "already_claimed")
    if offer.min_tier is not None and rank < offer.min_tier.rank:
        return OfferNow(offer, claimed, OfferNotForMember.code)
    return OfferNow(offer, claimed, _nothing_left(offer))


def _nothing_left(offer: VoucherOffer) -> str:
    return OfferUsedUp.code if offer.total_limit is not None and offer.claimed >= offer.total_limit else ""


def _offer_of(code: str) -> tuple[VoucherOffer, VoucherClaim.Way]:
    """Return the offer that a code stands for, and whether it was to be scanned or typed.

    The one place where a wrong try is known; it is told as nothing but wrong. Raises ClaimCodeWrong.
    """
    key = offer_key(code)
    offers = VoucherOffer.objects.exclude(state=VoucherOffer.State.DRAFT)
    offer = offers.filter(Q(scan_hmac=key, by_scan=True) | Q(claim_code_hmac=key)).first()
    if offer is None:
        raise ClaimCodeWrong
    return offer, Way.SCAN if bytes(offer.scan_hmac) == key else Way.CODE


def _claim(
    member_id: int, offer: VoucherOffer, way: VoucherClaim.Way, store_id: int | None, request_id: str, took_ms: int | None,
    by: Actor, at: datetime,
) -> ClaimReceipt:  # fmt: skip
    """Issue one voucher of an offer; who has as many as one may gets the last one again, and a repeated request its own.

    Raises OfferNotRunning, OfferNotForMember, MostVouchersHeld, OfferUsedUp, VoucherBudgetExhausted, VoucherNotIssued,
    MemberFrozen, MemberClosed; nothing is changed then.
    """
    with transaction.atomic():
        bearer = _hold_claimant(member_id)
        family = family_ids(bearer)
        mine = VoucherClaim.objects.filter(member__in=family).select_related("offer", "voucher__template")
        if (earlier := mine.filter(request_id=request_id).first()) is not None:
            return ClaimReceipt(earlier, False)
        claims = list(mine.filter(offer=offer).order_by("pk"))
        if len(claims) >= offer.per_member_limit:
            return ClaimReceipt(claims[-1], True)
        _check(offer, bearer, family, at)
        # Not how many there are: a merge brings claims of others, and when it is undone they go, while the numbers stay.
        number = max((one.number for one in claims), default=0) + 1
        public_id = derived_id("voucher-offer", offer.pk, bearer, number)
        (voucher_id,) = issue_vouchers(
            template=offer.template, rows=[(bearer, public_id)], origin=Voucher.Origin.OFFER, origin_ref=str(offer.pk), by=by, at=at
        )  # fmt: skip
        claim = VoucherClaim.objects.create(
            offer=offer, member_id=bearer, number=number, voucher_id=voucher_id, way=way, store_id=store_id,
            request_id=request_id, took_ms=took_ms, claimed_at=at,
        )  # fmt: skip
        _count(offer)
    return ClaimReceipt(mine.get(pk=claim.pk), False)


def _hold_claimant(member_id: int) -> int:
    """Lock whoever claims, so that claims of one member come after each other; return the id, of a merged member the survivor's.

    Raises MemberFrozen, MemberClosed.
    """
    bearer = survivor_id(member_id)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT member_no, {status_sql(Member.Act.EARN)}, merged_into_id FROM members_member WHERE id = %s FOR NO KEY UPDATE",  # noqa: S608
            [bearer],
        )
        member_no, status, merged_into = cursor.fetchone()
    if merged_into is not None:  # merged while we waited
        return _hold_claimant(bearer)
    check_active(member_no, status)
    return bearer


def _check(offer: VoucherOffer, bearer: int, family: Sequence[int], at: datetime) -> None:
    is_over = offer.ends_at is not None and offer.ends_at <= at
    if offer.state != VoucherOffer.State.RUNNING or at < offer.begins_at or is_over:
        raise OfferNotRunning().about(bearer)
    inside = SegmentSpan.objects.filter(segment=offer.segment_id, member__in=family, left_at__isnull=True)
    if offer.segment_id is not None and not inside.exists():
        raise OfferNotForMember().about(bearer)
    if offer.min_tier is not None and tier_at(bearer, at).rank < offer.min_tier.rank:
        raise OfferNotForMember().about(bearer)
    if _nothing_left(offer):
        raise OfferUsedUp
    most = offer.template.most_held
    if most is not None and held_by(offer.template, [bearer], at=at).get(bearer, 0) >= most:
        raise MostVouchersHeld(most=most).about(bearer)


def _count(offer: VoucherOffer) -> None:
    """Count one more, while the offer runs and there is one left; last of all, as everybody who claims waits here."""
    room = Q(total_limit__isnull=True) | Q(claimed__lt=F("total_limit"))
    running = VoucherOffer.objects.filter(room, pk=offer.pk, state=VoucherOffer.State.RUNNING)
    if not running.update(claimed=F("claimed") + 1):
        if VoucherOffer.objects.filter(pk=offer.pk, state=VoucherOffer.State.RUNNING).exists():
            raise OfferUsedUp
        raise OfferNotRunning
