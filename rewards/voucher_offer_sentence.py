"""A voucher offer in words: what is claimed, how, by whom, when and how often. In the active language."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.figures import grouped
from members.queries import programme
from members.wording import enumerated, together
from rewards.models import VoucherOffer
from rewards.voucher_sentence import VoucherNames, voucher_sentence


def offer_sentence(offer: VoucherOffer, names: VoucherNames | None = None) -> str:
    """Return an offer in words."""
    return together([voucher_sentence(offer.template, names), _how(offer), _who(offer), _how_many(offer), _when(offer)])


def _how(offer: VoucherOffer) -> str:
    ways = [
        _("by the button in the app") if offer.by_button else "",
        _("by scanning its code") if offer.by_scan else "",
        _("by its claim code") if offer.claim_code_hmac is not None else "",
    ]
    if not any(ways):
        return _("Nobody can claim it yet.")
    return _("Claimed %(ways)s.") % {"ways": enumerated(way for way in ways if way)}


def _who(offer: VoucherOffer) -> str:
    if offer.segment is not None and offer.min_tier is not None:
        words = _("For members of “%(segment)s” from %(tier)s up.")
    elif offer.segment is not None:
        words = _("For members of “%(segment)s”.")
    elif offer.min_tier is not None:
        words = _("For members from %(tier)s up.")
    else:
        words = _("For all members.")
    return words % {"segment": str(offer.segment or ""), "tier": str(offer.min_tier or "")}


def _how_many(offer: VoucherOffer) -> str:
    each = ngettext(
        "Each may have %(number)s.", "Each may have %(number)s.", offer.per_member_limit
    ) % {"number": grouped(offer.per_member_limit)}  # fmt: skip
    if offer.total_limit is None:
        return each
    total = ngettext(
        "There is %(number)s in all.", "There are %(number)s in all.", offer.total_limit
    ) % {"number": grouped(offer.total_limit)}  # fmt: skip
    return f"{each} {total}"


def _when(offer: VoucherOffer) -> str:
    begins = _moment(offer.begins_at)
    if offer.ends_at is None:
        return _("From %(begins)s on.") % {"begins": begins}
    return _("From %(begins)s until %(ends)s.") % {"begins": begins, "ends": _moment(offer.ends_at)}


def _moment(at: datetime) -> str:
    return date_format(localtime(at, programme().tz), "DATETIME_FORMAT")
