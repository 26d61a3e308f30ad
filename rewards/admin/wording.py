"""Vouchers in words."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.figures import money
from members.queries import programme
from rewards.models import VoucherTemplate


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
