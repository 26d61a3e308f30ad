"""What the till is told in words, in the active language: why points can not pay, how they pay, what a return does."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.figures import grouped, money
from members.queries import programme
from rewards import deductions
from rewards.deductions import PaymentRule, PointsPayable
from rewards.explanation import in_active_language, points_words
from rewards.models import OrderDeduction


def why_no_points(points: PointsPayable) -> str:
    """Return why points can not pay; empty where they can."""
    if not points.reason:
        return ""
    if points.reason == deductions.TOO_FEW:
        return _("At least %(points)s are needed to pay with.") % {"points": points_words(points.least)}
    return {
        deductions.NOT_HERE: _("Points do not pay in this store."),
        deductions.ORDER_TOO_SMALL: _("The order is too small to pay with points."),
        deductions.SWITCHED_OFF: _("Points do not pay at the moment."),
    }[points.reason]


def payment_sentence(rule: PaymentRule, name: str) -> str:
    """Return how points pay, in a sentence: what they are worth, in which steps, and of how much of an order."""
    figures = {
        "currency": name, "points": grouped(rule.step_points), "money": money(rule.worth(rule.step_points), programme().currency),
        "least": grouped(rule.min_points), "share": rule.max_share_percent,
    }  # fmt: skip
    if rule.max_share_percent < 100:
        said = _("%(currency)s: each %(points)s pay %(money)s, from %(least)s on, at most %(share)s %% of an order.")
    else:
        said = _("%(currency)s: each %(points)s pay %(money)s, from %(least)s on, up to the whole order.")
    tail = _("Postage can be paid with them.") if rule.pays_postage else _("Postage can not be paid with them.")
    return pgettext("between sentences", "%(first)s %(second)s") % {"first": said % figures, "second": tail}


def deduction_words(kind: str, names: Mapping[str, Any], figure: object) -> str:
    """Return what made an order cheaper: the name of the benefit or voucher, or the points that paid."""
    if kind == OrderDeduction.Kind.POINTS:
        return _("Paid with %(points)s") % {"points": points_words(int(str(figure or 0).partition(".")[0]))}
    return in_active_language(dict(names))


def return_sentence(receipt: Any) -> str:
    """Return what a return does, in one sentence: money, points taken back and given back, vouchers, benefits.

    "退 ¥125.08：收回积分 250（其中 100 已使用，转入待扣），退还抵现积分 392，优惠券不退".
    """
    parts = []
    if receipt.points:
        taken = _("%(points)s taken back") % {"points": points_words(receipt.points)}
        owed = receipt.points_to_arrears
        if owed:
            taken = _("%(taken)s (%(owed)s of them were spent and are owed)") % {"taken": taken, "owed": grouped(owed)}
        parts.append(taken)
    if receipt.points_back:
        parts.append(_("%(points)s that had paid come back") % {"points": points_words(receipt.points_back)})
    back = receipt.given_back
    if back.vouchers:
        parts.append(
            ngettext("%(count)s voucher comes back", "%(count)s vouchers come back", back.vouchers)
            % {"count": back.vouchers}
        )
    if back.vouchers_kept:
        parts.append(
            ngettext("%(count)s voucher stays used", "%(count)s vouchers stay used", back.vouchers_kept)
            % {"count": back.vouchers_kept}
        )
    if back.uses:
        parts.append(
            ngettext("%(count)s use of a benefit comes back", "%(count)s uses of benefits come back", back.uses)
            % {"count": back.uses}
        )
    figures = {"amount": money(receipt.amount, programme().currency)}
    if not parts:
        return _("Refund of %(amount)s: no points are touched.") % figures
    listed = pgettext("between parts of a sentence", ", ").join(parts)
    return _("Refund of %(amount)s: %(parts)s.") % {**figures, "parts": listed}
