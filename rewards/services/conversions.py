"""Points exchanged with partners, both ways, at the rate in force when it was asked for."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.periods import business_date, end_of_day
from loyalty.queries import tier_at
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.models import Member, Proposal
from members.queries import programme
from rewards import ledger
from rewards.events_adjustments import points_converted
from rewards.explanation import in_active_language, points_words, register_note
from rewards.models import Direction, Partner, PartnerConversion, PartnerRate
from rewards.queries import labels_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import NotAWholeNumber, Params, balance_effect, label_in, member_no_of
from rewards.services.orders import hold_active
from rewards.services.transfers import check_cooldown

CONVERT: Final = "rewards.convert_points"
SOURCE: Final = "conversion"
State = PartnerConversion.State
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{2,39}")


class PartnerNotActive(RewardsRefusal):
    """Nothing is exchanged with the partner, or no rate is in force."""

    code = "partner_not_active"
    text = gettext_lazy("Points are not exchanged with %(partner)s now.")


class ConversionTooSmall(RewardsRefusal):
    """Fewer than the partner takes, or not in its steps."""

    code = "conversion_too_small"
    status = 422
    text = gettext_lazy("Points are exchanged from %(least)s on, in steps of %(step)s.")


class ConversionDayLimit(RewardsRefusal):
    """The member's limit of the day is reached."""

    code = "conversion_day_limit"
    text = gettext_lazy("At most %(most)s points can be exchanged on one day; %(used)s were exchanged today.")


class PartnerAccountInvalid(RewardsRefusal):
    """The number at the partner is missing or no such number."""

    code = "partner_account_invalid"
    status = 422
    text = gettext_lazy("Please give the member's number at the partner: letters, digits and hyphens.")


@dataclass(frozen=True, slots=True)
class ConversionQuote:
    """What points are exchanged for, at which rate."""

    points: int
    units: int
    rate: PartnerRate


def rate_at(*, partner: Partner, direction: str, at: datetime) -> PartnerRate:
    """Return the rate in force. Raises PartnerNotActive without one."""
    rate = (
        PartnerRate.objects.filter(partner=partner, direction=direction, valid_from__lte=at)
        .order_by("-valid_from")
        .first()
    )
    if rate is None or not partner.is_active:
        raise PartnerNotActive(partner=partner.name)
    return rate


def quote_out(*, partner: Partner, points: int, at: datetime) -> ConversionQuote:
    """Return what points of a member are exchanged for. Raises PartnerNotActive, ConversionTooSmall, NotAWholeNumber."""
    if points < 1:
        raise NotAWholeNumber
    rate = rate_at(partner=partner, direction=Direction.OUT, at=at)
    units = points * rate.units // rate.points
    if points < partner.min_points or points % partner.step_points or not units:
        raise ConversionTooSmall(least=grouped(partner.min_points), step=grouped(partner.step_points))
    return ConversionQuote(points, units, rate)


def propose_conversion(
    *, member_id: int, partner_id: int, points: int, partner_account: str, reason: str, by: Actor, at: datetime,
    request_id: str = "",
) -> proposals.ProposalOutcome:  # fmt: skip
    """Exchange points of a member for units of a partner within the operator's limits, else let a colleague decide.

    The rate is that of now. Raises PartnerNotActive, ConversionTooSmall, ConversionDayLimit, PartnerAccountInvalid,
    TransferTooSoon, InsufficientPoints, MemberFrozen, MemberClosed, and as `members.proposals.propose` does.
    """
    account = checked_account(partner_account)
    partner = Partner.objects.get(pk=partner_id)
    with transaction.atomic():
        asked = PartnerConversion.objects.filter(request_id=request_id).first() if request_id else None
        if asked is None:
            quote = quote_out(partner=partner, points=points, at=at)
            asked = PartnerConversion(
                partner=partner, member_id=member_id, direction=Direction.OUT, points=points, units=quote.units, rate=quote.rate,
                partner_account=account, request_id=request_id, state=State.ASKED, happened_at=at,
            )  # fmt: skip
            asked.line_ref = asked.public_id.hex
            _check_day(partner, member_id, points, at)
            check_cooldown(member_id=member_id, currency_id=ledger.currency_id(), at=at)
            asked = _saved(asked)
        params = {
            "conversion": asked.pk, "member": member_id, "member_no": member_no_of(member_id), "partner": partner.pk,
            "label": labels_of(partner, "name"), "unit": labels_of(partner, "unit_name"), "currency": ledger.currency_id(),
            "points": points, "units": asked.units,
        }  # fmt: skip
        outcome = proposals.propose(kind=CONVERT, params=params, reason=reason, by=by, at=at, request_id=request_id)
        PartnerConversion.objects.filter(pk=asked.pk, proposal=None).update(proposal_id=outcome.proposal_id)
    return outcome


def checked_account(partner_account: str) -> str:
    """Return a number at a partner as it is kept. Raises PartnerAccountInvalid."""
    account = partner_account.strip()
    if not _ACCOUNT.fullmatch(account):
        raise PartnerAccountInvalid
    return account


def _saved(asked: PartnerConversion) -> PartnerConversion:
    """Return the conversion, saved; or that which the same request has made meanwhile."""
    try:
        with transaction.atomic():
            asked.save()
    except IntegrityError:
        return PartnerConversion.objects.exclude(request_id="").get(request_id=asked.request_id)
    return asked


def converted_today(*, partner: Partner, member_id: int, at: datetime) -> int:
    """Return how many points a member has exchanged with a partner today, less what came back."""
    tz = programme().tz
    start = end_of_day(business_date(at, tz) - timedelta(days=1), tz)
    counted = PartnerConversion.objects.filter(
        member_id=member_id, partner=partner, happened_at__gte=start, direction=Direction.OUT,
        state__in=(State.PENDING, State.EXPORTED, State.CONFIRMED),
    )  # fmt: skip
    return counted.aggregate(points=Sum("points"))["points"] or 0


def _check_day(partner: Partner, member_id: int, points: int, at: datetime) -> None:
    used = converted_today(partner=partner, member_id=member_id, at=at)
    if used + points > partner.day_limit_points:
        raise ConversionDayLimit(most=grouped(partner.day_limit_points), used=grouped(used))


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    member_id, points = params["member"], params["points"]
    hold_active(member_id, Member.Act.SPEND)
    ledger.lock_account(member_id=member_id, currency=params["currency"])
    asked = PartnerConversion.objects.select_related("partner").get(pk=params["conversion"])
    if not asked.partner.is_active:
        raise PartnerNotActive(partner=asked.partner.name)
    _check_day(asked.partner, member_id, points, at)
    posting = _post(
        asked, currency_id=params["currency"], source=SOURCE, natural_key=asked.line_ref, reason=proposal.reason[:200], by=by, at=at
    )  # fmt: skip
    PartnerConversion.objects.filter(pk=asked.pk, state=State.ASKED).update(
        state=State.PENDING, transaction_id=posting.transaction_id, proposal=proposal, happened_at=at
    )
    tell(asked, State.PENDING, by, at)
    figures = {"points": points_words(points), "units": grouped(asked.units), "unit": asked.partner.unit_name}
    return _("%(points)s exchanged for %(units)s %(unit)s; they go with the next file.") % figures


def _post(
    asked: PartnerConversion, *, currency_id: int, source: str, natural_key: str, reason: str, by: Actor, at: datetime
) -> ledger.Posting:  # fmt: skip
    return ledger.debit(
        kind=ledger.Kind.CONVERT_OUT, contra=ledger.Contra.PARTNER, member_id=asked.member_id, currency_id=currency_id,
        points=asked.points, source=source, natural_key=natural_key, at=at, by=by, reason=reason,
        tier_code=tier_at(asked.member_id, at).code, trace=trace_of(asked),
    )  # fmt: skip


def send_to_partner(
    *, member_id: int, partner: Partner, points: int, partner_account: str, source: str, natural_key: str, by: Actor, at: datetime
) -> tuple[ledger.Posting, PartnerConversion | None]:  # fmt: skip
    """Exchange points at a member's own wish, in the caller's transaction, which holds the member; they go with the next file.

    Returns the posting and the conversion; told again the posting is repeated and there is no new conversion. Raises
    PartnerNotActive, ConversionTooSmall, ConversionDayLimit, PartnerAccountInvalid, TransferTooSoon, InsufficientPoints.
    """
    account = checked_account(partner_account)
    currency = ledger.currency_id()
    check_cooldown(member_id=member_id, currency_id=currency, at=at)
    quote = quote_out(partner=partner, points=points, at=at)
    ledger.lock_account(member_id=member_id, currency=currency)
    sent = PartnerConversion(
        partner=partner, member_id=member_id, direction=Direction.OUT, points=points, units=quote.units, rate=quote.rate,
        partner_account=account, state=State.PENDING, happened_at=at,
    )  # fmt: skip
    sent.line_ref = sent.public_id.hex
    posting = _post(sent, currency_id=currency, source=source, natural_key=natural_key, reason="", by=by, at=at)
    if posting.repeated:
        return posting, None
    _check_day(partner, member_id, points, at)
    sent.transaction_id = posting.transaction_id
    sent.save()
    tell(sent, State.PENDING, by, at)
    return posting, sent


def trace_of(conversion: PartnerConversion) -> dict[str, Any]:
    """Return the explanation of a conversion as it is stored with its posting."""
    return {
        "v": 2, "kind": "convert", "way": conversion.direction, "points": conversion.points, "units": conversion.units,
        "text": labels_of(conversion.partner, "name"), "unit": labels_of(conversion.partner, "unit_name"),
        "rate": [conversion.rate.points, conversion.rate.units],
    }  # fmt: skip


def tell(conversion: PartnerConversion, state: str, by: Actor, at: datetime) -> None:
    """Tell the member's timeline what became of a conversion."""
    timeline.record([
        points_converted(
            conversion_id=conversion.pk, partner_id=conversion.partner_id, member_id=conversion.member_id,
            direction=conversion.direction, points=conversion.points, units=conversion.units, state=str(state), happened_at=at, by=by,
        )
    ])  # fmt: skip


def _sentence(params: Params) -> str:
    figures = {
        "points": points_words(params["points"]), "units": grouped(params["units"]), "unit": label_in(params, "unit"),
        "partner": label_in(params), "member": params["member_no"],
    }  # fmt: skip
    return _("Exchange %(points)s of member %(member)s for %(units)s %(unit)s of %(partner)s.") % figures


def _effect(params: Params, at: datetime) -> Effect:
    lines = (EffectLine(label_in(params, "unit"), "–", params["units"]),)
    return balance_effect(
        member_id=params["member"],
        currency_id=params["currency"],
        change=-params["points"],
        points=0,
        at=at,
        lines=lines,
    )


def _note(trace: dict[str, Any]) -> list[str]:
    figures = {
        "points": grouped(trace["points"]), "units": grouped(trace["units"]), "unit": in_active_language(trace["unit"]),
        "partner": in_active_language(trace["text"]),
    }  # fmt: skip
    if trace["way"] == Direction.OUT:
        return [_("Exchanged %(points)s points for %(units)s %(unit)s of %(partner)s.") % figures]
    return [_("Exchanged %(units)s %(unit)s of %(partner)s for %(points)s points.") % figures]


def _rejected_note(trace: dict[str, Any]) -> list[str]:
    return [_("The partner rejected the exchange; the points came back.")]


def register() -> None:
    """Make conversions known to those who approve, and put their explanations into words."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=CONVERT, label=gettext_lazy("Exchange with a partner"), permission="rewards.convert_points", sentence=_sentence,
            effect=_effect, carry_out=_carry_out, amount=lambda params: params["points"],
            concerned=lambda params: [params["member"]],
        )
    )  # fmt: skip
    register_note("convert", _note)
    register_note("convert_rejected", _rejected_note)
