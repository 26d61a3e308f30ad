"""The expected noes of using a voucher. Each names the limit that stands in the way."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from rewards.refusals import RewardsRefusal
from rewards.voucher_words import TEXTS, figures_in_words


class VoucherNotUsable(RewardsRefusal):
    """No voucher that could be used has this code. One answer for every wrong code."""

    code = "voucher_not_usable"
    explains = True
    text = _("This voucher code can not be used.")


class VoucherUsed(RewardsRefusal):
    """The voucher was used before."""

    code = "voucher_used"
    explains = True
    text = TEXTS["used"]


class VoucherExpired(RewardsRefusal):
    """The voucher is past its end."""

    code = "voucher_expired"
    explains = True
    text = TEXTS["expired"]


class VoucherVoided(RewardsRefusal):
    """The voucher was made void."""

    code = "voucher_voided"
    explains = True
    text = _("This voucher was made void.")


class VoucherHeld(RewardsRefusal):
    """Another order holds the voucher, or it is being given to a friend."""

    code = "voucher_held"
    explains = True
    text = TEXTS["held"]


class VoucherOffered(RewardsRefusal):
    """The voucher is being given to a friend."""

    code = "voucher_held"
    explains = True
    text = _("This voucher is being given to a friend.")


class MinSpendNotReached(RewardsRefusal):
    """The order is too small for the voucher."""

    code = "min_spend"
    explains = True
    text = TEXTS["min_spend"]


class VoucherNotYetValid(RewardsRefusal):
    """The first moment of the voucher has not come."""

    code = "not_yet_valid"
    explains = True
    text = TEXTS["not_yet_valid"]


class VoucherNotForStore(RewardsRefusal):
    """The voucher is for other stores."""

    code = "voucher_wrong_store"
    explains = True
    text = TEXTS["wrong_store"]


class VoucherNotForChannel(RewardsRefusal):
    """The voucher is for other channels."""

    code = "voucher_wrong_channel"
    explains = True
    text = TEXTS["wrong_channel"]


class VoucherNotToday(RewardsRefusal):
    """The voucher is for other weekdays."""

    code = "voucher_not_today"
    explains = True
    text = TEXTS["not_today"]


class VoucherNotThisHour(RewardsRefusal):
    """The voucher is for other hours of the day."""

    code = "voucher_not_this_hour"
    explains = True
    text = TEXTS["not_this_hour"]


class VoucherNotForGoods(RewardsRefusal):
    """Nothing in the order is among the goods of the voucher, or nothing of them is left to pay."""

    code = "voucher_no_goods"
    explains = True
    text = TEXTS["no_goods"]


class VoucherDayLimit(RewardsRefusal):
    """The member has used as many of these vouchers today as one member may."""

    code = "voucher_day_limit"
    explains = True
    text = TEXTS["day_limit"]


class VoucherNotUsedHere(RewardsRefusal):
    """There is no use of the voucher for this order in this store that could be taken back."""

    code = "voucher_not_used_here"
    text = _("This voucher was not used for this order in this store.")


class VoucherUndoTooLate(RewardsRefusal):
    """A use can be taken back for some minutes only."""

    code = "voucher_undo_too_late"
    text = _("A voucher can be taken back for %(minutes)s minutes. Void or return the order instead.")


class VoucherOfOrder(RewardsRefusal):
    """The voucher was used with an order that the till quoted and confirmed."""

    code = "voucher_of_order"
    text = _("This voucher was paid with in order %(order_no)s. Void or return the order instead.")


#: Noes of using a voucher, as till and order raise them.
USE_REFUSALS: Final = (
    VoucherNotUsable, VoucherUsed, VoucherExpired, VoucherVoided, VoucherHeld, VoucherOffered, MinSpendNotReached,
    VoucherNotYetValid, VoucherNotForStore, VoucherNotForChannel, VoucherNotToday, VoucherNotThisHour, VoucherNotForGoods,
    VoucherDayLimit,
)  # fmt: skip
_BY_CODE: Final[Mapping[str, type[RewardsRefusal]]] = {
    "expired": VoucherExpired,
    "held": VoucherHeld,
    "not_yet_valid": VoucherNotYetValid,
    "wrong_store": VoucherNotForStore,
    "wrong_channel": VoucherNotForChannel,
    "not_today": VoucherNotToday,
    "not_this_hour": VoucherNotThisHour,
    "no_goods": VoucherNotForGoods,
    "nothing_left": VoucherNotForGoods,
    "day_limit": VoucherDayLimit,
}
_FIGURES: Final[Mapping[str, str]] = {
    "until": "held_until",
    "from": "begins",
    "to": "ends",
    "weekdays": "weekday_numbers",
}


def refusal_of(code: str, params: Mapping[str, Any], member_id: int) -> RewardsRefusal:
    """Return the refusal of a reason: its words in the active language, beside them moments and days as figures."""
    if code == "min_spend":
        return MinSpendNotReached(required=params["required"], spend=params["spend"]).about(member_id)
    words = figures_in_words(code, params)
    figures = {figure: params[key] for key, figure in _FIGURES.items() if key in params}
    return _BY_CODE[code](**words | figures).about(member_id, **words)
