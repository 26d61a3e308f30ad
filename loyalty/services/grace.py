"""Grace by hand: a member keeps a tier some days longer, or holds one again that fell at the last review.

Staff ask for it, a colleague approves. At its end the tier is reviewed over the period that fell short, and the days since.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalty.assessment import BY_STAFF, Change, Standing
from loyalty.ladder import LadderBook
from loyalty.models import TierChange
from loyalty.models.reviews import GRANT_GRACE
from loyalty.periods import business_date, last_day_before, midnight
from loyalty.queries import ladder_book, tier_rows
from loyalty.refusals import LoyaltyRefusal
from loyalty.sentences import change_sentence
from loyalty.services import rows
from loyalty.services.deciding import decide_due
from loyalty.services.standing import news_of
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.models import Member, Proposal
from members.queries import programme

GRACE: Final = "loyalty.give_grace"
MOST_DAYS: Final = 90
#: So long after a review a tier that fell can be given back for a time.
AFTER_FALL: Final = timedelta(days=90)


class NoTierForGrace(LoyaltyRefusal):
    """The member holds the lowest tier, and none fell lately."""

    code = "no_tier_for_grace"
    text = gettext_lazy(
        "The member has no tier that a review could take, and none that fell in the last %(days)s days."
    )


class GraceIsBounded(LoyaltyRefusal):
    """Grace is for some weeks."""

    code = "grace_is_bounded"
    text = gettext_lazy("Grace can be given for 1 to %(days)s days.")
    status = 422


@dataclass(frozen=True, slots=True)
class Grace:
    """The tier that is kept or given back, and until when."""

    tier_id: int
    until_at: datetime
    change: Change
    standing: Standing


def propose_grace(
    *, member_id: int, days: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Ask for grace for a member; a colleague decides. Raises NoTierForGrace, GraceIsBounded, and as `propose` does."""
    grace_for(member_id=member_id, days=days, at=at)
    member_no = Member.objects.values_list("member_no", flat=True).get(pk=member_id)
    params = {"member": member_id, "member_no": member_no, "days": days}
    return proposals.propose(kind=GRACE, params=params, reason=reason, by=by, at=at, request_id=request_id)


@transaction.atomic
def give_grace(*, member_id: int, days: int, by: Actor, at: datetime, cause: str = "") -> Grace:
    """Let a member keep its tier `days` longer, or hold again the one that fell lately; return it.

    Locks the standing, as reviews do. Raises NoTierForGrace, GraceIsBounded, NoLadder.
    """
    held = rows.lock_standings([member_id]).get(member_id)
    grace = _grace(ladder_book(), member_id, held, days, at, BY_STAFF + cause)
    rows.insert_changes([(member_id, grace.change)])
    rows.write_standings({member_id: grace.standing})
    timeline.record_many([news_of(member_id, grace.change, by=by, quiet=False)])
    timeline.nudge()
    return grace


def grace_for(*, member_id: int, days: int, at: datetime) -> Grace:
    """Return what grace would do now. Raises NoTierForGrace, GraceIsBounded, NoLadder."""
    held = rows.standings_of([member_id]).get(member_id)
    return _grace(ladder_book(), member_id, held, days, at, "")


def register() -> None:
    """Make grace known to those who approve. Called once, from `AppConfig.ready()`."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=GRACE,
            label=gettext_lazy("Grace for a tier"),
            permission=GRANT_GRACE,
            sentence=_sentence,
            effect=_effect,
            carry_out=_carry_out,
            always_waits=True,
            concerned=lambda params: [params["member"]],
        )
    )


def _grace(book: LadderBook, member_id: int, held: Standing | None, days: int, at: datetime, cause: str) -> Grace:
    if not 1 <= days <= MOST_DAYS:
        raise GraceIsBounded(days=MOST_DAYS)
    last = rows.last_changes([member_id], book).get(member_id)
    if last and last.reason == "fallen" and at - last.happened_at <= AFTER_FALL:
        return _given_back(book, held, last, days, at, cause)
    if held is None or held.valid_until is None:
        raise NoTierForGrace(days=AFTER_FALL.days)
    return _longer(book, member_id, held, held.valid_until, last, days, at, cause)


def _given_back(book: LadderBook, held: Standing | None, fall: Change, days: int, at: datetime, cause: str) -> Grace:
    until_at = _after(book, at, days)
    happened_at = max(at, fall.happened_at)
    change = replace(
        fall, number=fall.number + 1, reason="grace", from_tier_id=fall.to_tier_id, from_code=fall.to_code,
        to_tier_id=fall.from_tier_id, to_code=fall.from_code, valid_until=until_at, cause=cause, happened_at=happened_at,
    )  # fmt: skip
    standing = Standing(fall.from_tier_id, happened_at, until_at, held.rise_at if held else None)
    return Grace(fall.from_tier_id, until_at, change, standing)


def _longer(
    book: LadderBook, member_id: int, held: Standing, ends_at: datetime, last: Change | None, days: int, at: datetime, cause: str
) -> Grace:  # fmt: skip
    until_at = _after(book, max(ends_at, at), days)
    ahead = decide_due(book, {member_id: replace(held, rise_at=None)}, ends_at, until_now=at)
    [(_member_id, decided)] = ahead.changes
    change = replace(
        decided, reason="grace", to_tier_id=held.tier_id, to_code=book.codes[held.tier_id], valid_until=until_at, cause=cause,
        happened_at=max(at, last.happened_at) if last else at,
    )  # fmt: skip
    return Grace(held.tier_id, until_at, change, replace(held, valid_until=until_at))


def _after(book: LadderBook, moment: datetime, days: int) -> datetime:
    return midnight(business_date(moment, book.tz) + timedelta(days=days), book.tz)


def _sentence(params: Mapping[str, Any]) -> str:
    words = ngettext(
        "Give member %(member)s %(days)s day of grace for the tier.",
        "Give member %(member)s %(days)s days of grace for the tier.",
        params["days"],
    )
    return words % {"member": params["member_no"], "days": params["days"]}


def _effect(params: Mapping[str, Any], at: datetime) -> Effect:
    grace = grace_for(member_id=params["member"], days=params["days"], at=at)
    held = rows.standings_of([params["member"]]).get(params["member"])
    names = tier_rows()
    now = names[held.tier_id].name if held else names[grace.change.from_tier_id].name
    ends = _last_day(held.valid_until) if held and held.valid_until else ""
    lines = [
        EffectLine(_("Tier"), now, names[grace.tier_id].name),
        EffectLine(_("Last day"), ends, _last_day(grace.until_at), is_compared=bool(ends)),
    ]
    last = TierChange.objects.filter(member=params["member"]).select_related("from_tier", "to_tier")
    lines += [EffectLine(_("Last decision"), None, change_sentence(change)) for change in last.order_by("-number")[:1]]
    return Effect(lines)


def _carry_out(params: Mapping[str, Any], by: Actor, at: datetime, proposal: Proposal) -> str:
    grace = give_grace(
        member_id=params["member"], days=params["days"], by=by, at=at, cause=f"proposal:{proposal.pk}"
    )  # fmt: skip
    words = {"tier": tier_rows()[grace.tier_id].name, "until": _last_day(grace.until_at)}
    return _("%(tier)s until %(until)s.") % words


def _last_day(moment: datetime) -> str:
    return date_format(last_day_before(moment, programme().tz))
