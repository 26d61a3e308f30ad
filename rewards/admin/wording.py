"""Rules, postings and vouchers in words."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.figures import grouped, money
from members.queries import programme
from rewards.models import EarnRule, VoucherTemplate


def rule_sentence(rule: EarnRule) -> str:
    """Return an earn rule as one sentence."""
    earned = ngettext(
        "%(points)s point for each %(step)s spent", "%(points)s points for each %(step)s spent", rule.points_per_step
    ) % {
        "points": grouped(rule.points_per_step),
        "step": money(rule.step_amount, programme().currency),
    }
    spendable = (
        ngettext("spendable after %(days)s day", "spendable after %(days)s days", rule.pending_days)
        % {"days": rule.pending_days}
        if rule.pending_days
        else _("spendable at once")
    )
    lasting = ngettext(
        "expiring at the end of the month, %(months)s month later",
        "expiring at the end of the month, %(months)s months later",
        rule.expiry_months,
    ) % {"months": rule.expiry_months}
    return _("%(earned)s, %(spendable)s, %(lasting)s.") % {"earned": earned, "spendable": spendable, "lasting": lasting}


def template_sentence(template: VoucherTemplate) -> str:
    """Return what a voucher is worth as one sentence."""
    currency = programme().currency
    if template.kind == VoucherTemplate.Kind.AMOUNT and template.off_amount is not None:
        worth = _("%(amount)s off") % {"amount": money(template.off_amount, currency)}
    else:
        worth = _("in exchange for the goods it names")
    spend = (
        _("on orders of %(amount)s or more") % {"amount": money(template.min_spend_amount, currency)}
        if template.min_spend_amount
        else _("on every order")
    )
    days = ngettext("%(days)s day", "%(days)s days", template.validity_days) % {"days": template.validity_days}
    return _("%(worth)s, %(spend)s, valid for %(days)s.") % {"worth": worth, "spend": spend, "days": days}
