"""Benefits that staff give by hand: at once within the operator's limit of what they may cost, else after a colleague approved."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING
from typing import Any, Final

from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from loyalty.models import Benefit, Entitlement
from loyalty.periods import business_date, end_of_day
from loyalty.refusals import LoyaltyRefusal
from loyalty.services.granting import BenefitNotOffered, give_benefit
from members import proposals
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.limits import register_family
from members.models import Member, Proposal
from members.queries import programme

GIVE: Final = "loyalty.give_benefit"
PERMISSION: Final = "loyalty.give_benefit"
#: What limits by role are counted in: whole units of the programme's currency.
FAMILY: Final = "benefit_cost"
MOST_USES: Final = 99
MOST_DAYS: Final = 366
Params = Mapping[str, Any]


class UsesOutOfRange(LoyaltyRefusal):
    """So many uses, or for so long, are not given by hand."""

    code = "uses_out_of_range"
    text = gettext_lazy("Give 1 to %(uses)s uses, for 1 to %(days)s days.")
    status = 422


def propose_benefit(
    *, member_id: int, benefit_id: int, uses: int, days: int, reason: str, by: Actor, at: datetime, request_id: str = ""
) -> proposals.ProposalOutcome:
    """Give a member a benefit for some days, within the operator's limit, else let a colleague decide.

    The days end with the last one, in the programme's zone. Raises UsesOutOfRange, BenefitNotOffered, and as
    `members.proposals.propose` and `give_benefit` do.
    """
    if not (0 < uses <= MOST_USES and 0 < days <= MOST_DAYS):
        raise UsesOutOfRange(uses=MOST_USES, days=MOST_DAYS)
    benefit = Benefit.objects.get(pk=benefit_id)
    if not benefit.is_on:
        raise BenefitNotOffered(benefit=benefit.name)
    cost = None if benefit.unit_cost_amount is None else benefit.unit_cost_amount * uses
    params = {
        "member": member_id, "member_no": Member.objects.values_list("member_no", flat=True).get(pk=member_id),
        "benefit": benefit.pk, "names": _names(benefit), "uses": uses, "days": days,
        "cost": None if cost is None else int(cost.to_integral_value(ROUND_CEILING)),
    }  # fmt: skip
    return proposals.propose(kind=GIVE, params=params, reason=reason, by=by, at=at, request_id=request_id)


def _names(benefit: Benefit) -> dict[str, str]:
    columns = {"zh-hans": "name_zh_hans", "zh-hant": "name_zh_hant", "en": "name_en"}
    return {language: getattr(benefit, column) or benefit.name for language, column in columns.items()}


def _name(params: Params) -> str:
    names: Mapping[str, str] = params["names"]
    return names.get(get_language() or "") or names["zh-hans"]


def _uses_of(params: Params) -> str:
    words = ngettext("%(uses)s use of “%(benefit)s”", "%(uses)s uses of “%(benefit)s”", params["uses"])
    return words % {"uses": params["uses"], "benefit": _name(params)}


def _sentence(params: Params) -> str:
    words = ngettext(
        "Give member %(member)s %(uses)s for %(days)s day.", "Give member %(member)s %(uses)s for %(days)s days.", params["days"]
    )  # fmt: skip
    return words % {"member": params["member_no"], "uses": _uses_of(params), "days": params["days"]}


def _effect(params: Params, at: datetime) -> Effect:
    benefit = Benefit.objects.get(pk=params["benefit"])
    rows = Entitlement.objects.filter(
        member_id=params["member"], benefit=benefit, state=Entitlement.State.GRANTED, valid_to__gt=at
    )
    left = sum(row.left for row in rows)
    label = _("Uses left of “%(benefit)s”") % {"benefit": benefit.name}
    cost = None if benefit.unit_cost_amount is None else benefit.unit_cost_amount * params["uses"]
    return Effect((EffectLine(label, left, left + params["uses"], is_compared=False),), cost_amount=cost)


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    tz = programme().tz
    last = business_date(at, tz) + timedelta(days=params["days"] - 1)
    give_benefit(
        member_id=params["member"], benefit_id=params["benefit"], source=Entitlement.Source.STAFF,
        source_ref=f"proposal {proposal.pk}", quota=params["uses"], valid_from=at, valid_to=end_of_day(last, tz), by=by, at=at,
    )  # fmt: skip
    return _("%(uses)s given to member %(member)s.") % {"uses": _uses_of(params), "member": params["member_no"]}


def _members_of(params: Params) -> list[int]:
    return [params["member"]]


def _amount(params: Params) -> int:
    return params["cost"] or 0


def register() -> None:
    """Make benefits by hand known to those who approve, with their limit."""
    register_family(FAMILY, gettext_lazy("what benefits given by hand cost (whole units of the currency)"))
    proposals.register_kind(
        proposals.ProposalKind(
            code=GIVE, label=gettext_lazy("Benefit given by hand"), permission=PERMISSION, sentence=_sentence, effect=_effect,
            carry_out=_carry_out, amount=_amount, family=FAMILY, concerned=_members_of,
        )
    )  # fmt: skip
