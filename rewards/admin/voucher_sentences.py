"""What rewards tells the timeline of vouchers that are taken back, extended, passed on and offered, as sentences."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from members.admin.timeline import Names, register_sentence
from members.queries import programme
from rewards import events_voucher_issuing as events
from rewards.admin.sentences import template_names, voucher_names
from rewards.models import VoucherOffer

Payload = Mapping[str, Any]


def offer_names(ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of voucher offers by id, in the active language."""
    return {offer.pk: offer.name for offer in VoucherOffer.objects.filter(pk__in=ids)}


def _voided(payload: Payload, names: Names) -> str:
    return _("The voucher %(voucher)s was made void.") % {"voucher": names["template"]}


def _restored(payload: Payload, names: Names) -> str:
    return _("The voucher %(voucher)s that was void can be used again.") % {"voucher": names["template"]}


def _extended(payload: Payload, names: Names) -> str:
    until = localtime(datetime.fromisoformat(payload["until"]), programme().tz)
    figures = {"voucher": names["template"], "until": date_format(until, "DATETIME_FORMAT")}
    return _("The voucher %(voucher)s ends at %(until)s now.") % figures


def _offered(payload: Payload, names: Names) -> str:
    return _("Offered the voucher %(voucher)s to a friend.") % {"voucher": names["voucher"]}


def _given(payload: Payload, names: Names) -> str:
    return _("A friend accepted the voucher %(voucher)s.") % {"voucher": names["voucher"]}


def _offer_changed(payload: Payload, names: Names) -> str:
    words = {
        "running": _("The voucher offer “%(offer)s” was started."),
        "paused": _("The voucher offer “%(offer)s” was paused."),
        "ended": _("The voucher offer “%(offer)s” was ended."),
        "code": _("The voucher offer “%(offer)s” has a new claim code."),
    }[payload["state"]]
    return words % {"offer": names["offer"]}


_TEMPLATE = {"template": template_names}
_VOUCHER = {"voucher": voucher_names}

register_sentence(events.VOUCHER_VOIDED, _voided, icon="block", names=_TEMPLATE)
register_sentence(events.VOUCHER_RESTORED, _restored, icon="undo", names=_TEMPLATE)
register_sentence(events.VOUCHER_EXTENDED, _extended, icon="more_time", names=_TEMPLATE)
register_sentence(events.VOUCHER_OFFERED, _offered, icon="redeem", names=_VOUCHER)
register_sentence(events.VOUCHER_GIVEN, _given, icon="card_giftcard", names=_VOUCHER)
register_sentence(events.VOUCHER_OFFER_CHANGED, _offer_changed, icon="campaign", names={"offer": offer_names})
