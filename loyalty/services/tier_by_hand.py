"""A tier set by hand: one step over what is earned by whoever may, above that by two people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from modeltranslation.utils import build_localized_fieldname

from loyalty.ladder import TierNow
from loyalty.models import Tier, TierFloor
from loyalty.periods import last_day_before
from loyalty.queries import ladder_book, standing_of
from loyalty.refusals import LoyaltyRefusal
from loyalty.services.floors import FloorHasNoTime, end_floor, grant_floor
from loyalty.services.plans import hold_member
from members import proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.models import Member, Proposal
from members.own_accounts import refuse_own_account
from members.proposals import ProposalKind, ProposalOutcome
from members.queries import programme

NEAR: Final = "loyalty.set_tier"
FAR: Final = "loyalty.set_tier_far"
RIGHT: Final = "loyalty.set_tier"
#: How many steps over the earned tier one person may go alone.
STEPS_ALONE: Final = 1


class TierBelowEarned(LoyaltyRefusal):
    """Setting it would change nothing."""

    code = "tier_below_earned"
    text = gettext_lazy("The member has earned a higher tier than this one.")
    status = 422


class TierTooFar(LoyaltyRefusal):
    """What was one step is more by now."""

    code = "tier_too_far"
    text = gettext_lazy(
        "The member has fallen meanwhile: this is more than one step over what is earned and needs a colleague's approval."
    )


def register() -> None:
    """Register the proposals of tiers by hand. Called once, from `AppConfig.ready()`."""
    for code, label, always_waits in (
        (NEAR, gettext_lazy("Set a tier by hand"), False),
        (FAR, gettext_lazy("Set a tier by hand, several steps up"), True),
    ):
        proposals.register_kind(
            ProposalKind(
                code, label, permission=RIGHT, sentence=_sentence, effect=_effect, carry_out=_carry_out,
                always_waits=always_waits, concerned=lambda params: [params["member"]],
            )
        )  # fmt: skip


def propose_tier(
    *, member_id: int, tier_id: int, until: datetime | None, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> ProposalOutcome:
    """Set the least tier of a member until a moment (None: until it is ended); return what became of it.

    More than one step over what is earned waits for a second person. Raises `TierBelowEarned`, `FloorHasNoTime`, what
    `propose` raises, `MembershipClosed`.
    """
    tier = Tier.objects.get(pk=tier_id)
    if until is not None and until <= at:
        raise FloorHasNoTime
    earned = standing_of(member_id, at).earned
    if tier.rank < earned.rank:
        raise TierBelowEarned
    params = {
        "member": member_id, "member_no": Member.objects.values_list("member_no", flat=True).get(pk=member_id),
        "tier": tier.pk, "names": _names(tier), "until": until.isoformat() if until else None,
    }  # fmt: skip
    kind = FAR if steps_over(earned, tier, at) > STEPS_ALONE else NEAR
    return proposals.propose(kind=kind, params=params, reason=reason, by=by, at=at, request_id=request_id)


def end_tier_by_hand(*, floor_id: int, reason: str, by: Actor, at: datetime) -> None:
    """End a tier that was set by hand, now. Raises as `end_floor` does, `OwnAccount`."""
    floor = TierFloor.objects.filter(pk=floor_id, source=TierFloor.Source.STAFF).first()
    refuse_own_account(by, [floor.member_id] if floor else [])
    end_floor(
        source=TierFloor.Source.STAFF, source_ref=floor.source_ref if floor else "", ended_at=at, reason=reason, by=by, at=at
    )  # fmt: skip


def steps_over(earned: TierNow, tier: Tier, at: datetime) -> int:
    """Return how many steps of the ladder a tier lies over an earned one."""
    return sum(1 for step in ladder_book().at(at).steps if earned.rank < step.rank <= tier.rank)


def _carry_out(params: Mapping[str, Any], by: Actor, at: datetime, proposal: Proposal) -> str:
    until = _until(params)
    member_id = hold_member(params["member"])
    if proposal.kind == NEAR:
        tier = Tier.objects.get(pk=params["tier"])
        if steps_over(standing_of(member_id, at).earned, tier, at) > STEPS_ALONE:
            raise TierTooFar
    grant_floor(
        member_id=member_id, tier_id=params["tier"], valid_from=at, valid_until=until, source=TierFloor.Source.STAFF,
        source_ref=f"proposal:{proposal.pk}", reason=proposal.reason, by=Actor("operator", proposal.maker_id), at=at,
    )  # fmt: skip
    return _sentence(params)


def _sentence(params: Mapping[str, Any]) -> str:
    figures = {"member": params["member_no"], "tier": _name(params), "date": _day(params)}
    if params["until"] is None:
        return _("Member %(member)s holds at least %(tier)s until that is ended.") % figures
    return _("Member %(member)s holds at least %(tier)s until the end of %(date)s.") % figures


def _effect(params: Mapping[str, Any], at: datetime) -> Effect:
    held = standing_of(params["member"], at)
    names = {tier.pk: tier.name for tier in Tier.objects.all()}
    ranks = ladder_book().ranks
    after = params["tier"] if ranks[params["tier"]] > held.tier.rank else held.tier.tier_id
    return Effect((
        EffectLine(_("Tier"), names[held.tier.tier_id], names[after]),
        EffectLine(_("Tier earned"), names[held.earned.tier_id], names[held.earned.tier_id]),
    ))  # fmt: skip


def _until(params: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(params["until"]) if params["until"] else None


def _day(params: Mapping[str, Any]) -> str:
    until = _until(params)
    return date_format(last_day_before(until, programme().tz)) if until else ""


def _names(tier: Tier) -> dict[str, str]:
    """Return the names of a tier by language, kept with the proposal so that it can be told for ever."""
    return {
        code: getattr(tier, build_localized_fieldname("name", code), "") or tier.name
        for code, _name in settings.LANGUAGES
    }


def _name(params: Mapping[str, Any]) -> str:
    names = params["names"]
    return names.get(get_language() or "") or next(iter(names.values()))
