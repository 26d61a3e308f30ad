"""Floors and plans as sentences, the same for staff and members."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from loyalty.models import Plan, PlanMembership, TierFloor
from loyalty.periods import last_day_before
from members.figures import money
from members.queries import programme


def floor_sentence(floor: TierFloor) -> str:
    """Return what gives a tier and until when; of staff with the reason."""
    figures = {"tier": floor.tier.name, "date": "", "reason": floor.reason}
    if floor.valid_until is not None:
        figures["date"] = date_format(last_day_before(floor.valid_until, programme().tz))
    if floor.source == TierFloor.Source.PLAN:
        return _("%(tier)s by a paid membership, until the end of %(date)s.") % figures
    if floor.source == TierFloor.Source.CAMPAIGN:
        dated = _("%(tier)s by a campaign, until the end of %(date)s: %(reason)s")
        return (dated if figures["date"] else _("%(tier)s by a campaign: %(reason)s")) % figures
    dated = _("%(tier)s set by hand, until the end of %(date)s: %(reason)s")
    return (dated if figures["date"] else _("%(tier)s set by hand, until that is ended: %(reason)s")) % figures


def plan_sentence(membership: PlanMembership) -> str:
    """Return which plan runs until when, and whether the member means to go on."""
    figures = {
        "plan": membership.plan.name,
        "date": date_format(last_day_before(membership.valid_until, programme().tz)),
    }
    if membership.state == PlanMembership.State.TRIAL:
        return _("%(plan)s: free trial until the end of %(date)s. Without a payment it ends then.") % figures
    if membership.renews_intended:
        return _("%(plan)s: paid until the end of %(date)s. The member means to renew.") % figures
    return _("%(plan)s: paid until the end of %(date)s, and ends then.") % figures


def price_sentence(plan: Plan) -> str:
    """Return what a plan costs for how long."""
    figures = {"price": money(plan.price_amount, programme().currency), "months": plan.period_months}
    if plan.period_months == 12:
        return _("%(price)s a year") % figures
    return (
        _("%(price)s a month") % figures if plan.period_months == 1 else _("%(price)s for %(months)s months") % figures
    )
