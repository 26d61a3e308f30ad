"""What rewards tells the timeline of vouchers that are issued, held for an order, and given back, as sentences."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.admin.timeline import Names, register_sentence, store_names
from members.queries import programme
from rewards import events_vouchers as events
from rewards.admin.sentences import template_names, voucher_names
from rewards.models import Voucher

Payload = Mapping[str, Any]


def _issued(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["template"], "origin": Voucher.Origin(payload["origin"]).label}
    return _("Got the voucher %(voucher)s (%(origin)s).") % figures


def _held(payload: Payload, names: Names) -> str:
    until = localtime(datetime.fromisoformat(payload["until"]), programme().tz)
    figures = {"voucher": names["voucher"], "until": date_format(until, "TIME_FORMAT")}
    return _("The voucher %(voucher)s is held for an order until %(until)s.") % figures


def _released(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["voucher"]}
    if payload["expired"]:
        return _("The voucher %(voucher)s that was held came back: the time was up.") % figures
    return _("The voucher %(voucher)s that was held came back.") % figures


def _undone(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["template"], "store": names["store"], "number": payload["order_no"]}
    if names["store"]:
        return _("The till at %(store)s took back the use of the voucher %(voucher)s (order %(number)s).") % figures
    return _("The till took back the use of the voucher %(voucher)s (order %(number)s).") % figures


def _given_back(payload: Payload, names: Names) -> str:
    figures = {"voucher": names["template"], "number": payload["order_no"]}
    return _("The voucher %(voucher)s came back with order %(number)s.") % figures


def _left_out(payload: Payload, names: Names) -> str:
    count = payload["vouchers"]
    words = ngettext(
        "A benefit promised %(count)s more voucher %(voucher)s; it was left out: at most %(most)s unused ones can be held.",
        "A benefit promised %(count)s more vouchers %(voucher)s; they were left out: at most %(most)s unused ones can be held.",
        count,
    )
    return words % {"count": count, "voucher": names["template"], "most": payload["most"]}


_TEMPLATE = {"template": template_names}
_VOUCHER = {"voucher": voucher_names}

register_sentence(events.VOUCHER_ISSUED, _issued, icon="local_activity", names=_TEMPLATE)
register_sentence(events.VOUCHER_HELD, _held, icon="lock_clock", names=_VOUCHER)
register_sentence(events.VOUCHER_RELEASED, _released, icon="lock_open", names=_VOUCHER)
register_sentence(events.VOUCHER_USE_UNDONE, _undone, icon="undo", names={**_TEMPLATE, "store": store_names})
register_sentence(events.VOUCHER_GIVEN_BACK, _given_back, icon="settings_backup_restore", names=_TEMPLATE)
register_sentence(events.VOUCHERS_LEFT_OUT, _left_out, icon="do_not_disturb_on", names=_TEMPLATE)
