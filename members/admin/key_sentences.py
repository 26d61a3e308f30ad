"""What happened to till keys, as sentences: on the page of the key, as no member is concerned."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.admin.days import local_day
from members.admin.timeline import Names, register_sentence, store_names
from members.figures import grouped
from members.services.keys import SCOPES
from members.wording import enumerated

Payload = Mapping[str, Any]


def _reason(payload: Payload) -> str:
    return str(payload.get("reason", ""))


def _day(payload: Payload) -> str:
    return local_day(datetime.fromisoformat(payload["until"]))


def _scopes(codes: list[str]) -> str:
    return enumerated(SCOPES.get(code, code) for code in codes)


def _issued(payload: Payload, names: Names) -> str:
    return _("Issued for %(store)s: it may %(scopes)s.") % {
        "store": names["store"], "scopes": _scopes(payload.get("scopes", [])),
    }  # fmt: skip


def _rotated(payload: Payload, names: Names) -> str:
    return _("Another key takes its place; this one ends on %(day)s: %(reason)s") % {
        "day": _day(payload), "reason": _reason(payload),
    }  # fmt: skip


def _signing_rotated(payload: Payload, names: Names) -> str:
    return _("Got another secret to sign with; the one before is good until %(day)s: %(reason)s") % {
        "day": _day(payload), "reason": _reason(payload),
    }  # fmt: skip


def _scopes_changed(payload: Payload, names: Names) -> str:
    return _("May from then on %(scopes)s: %(reason)s") % {
        "scopes": _scopes(payload.get("scopes", [])), "reason": _reason(payload),
    }  # fmt: skip


def _bounds_changed(payload: Payload, names: Names) -> str:
    ceiling = payload.get("ceiling")
    said = [
        _("%(points)s points a day at most") % {"points": grouped(ceiling)} if ceiling else _("no limit of points"),
        _("from %(networks)s only") % {"networks": enumerated(payload["networks"])}
        if payload.get("networks")
        else _("from any network"),
        _("ends on %(day)s") % {"day": _day(payload)} if payload.get("until") else _("without an end"),
    ]
    return _("Its bounds were changed to: %(bounds)s. %(reason)s") % {
        "bounds": enumerated(said), "reason": _reason(payload),
    }  # fmt: skip


def _revoked(payload: Payload, names: Names) -> str:
    return _("Revoked: %(reason)s") % {"reason": _reason(payload)} if _reason(payload) else _("Revoked.")


def _activation_made(payload: Payload, names: Names) -> str:
    return _("A code to activate a till in %(store)s was made: %(reason)s") % {
        "store": names["store"], "reason": _reason(payload),
    }  # fmt: skip


def _activated(payload: Payload, names: Names) -> str:
    return _("The till was activated in %(store)s.") % {"store": names["store"]}


for _kind, _sentence, _icon in (
    ("members.key_issued.v1", _issued, "vpn_key"),
    ("members.key_rotated.v1", _rotated, "autorenew"),
    ("members.key_signing_rotated.v1", _signing_rotated, "draw"),
    ("members.key_scopes_changed.v1", _scopes_changed, "tune"),
    ("members.key_bounds_changed.v1", _bounds_changed, "fence"),
    ("members.key_revoked.v1", _revoked, "block"),
    ("members.till_activation_made.v1", _activation_made, "qr_code_2"),
    ("members.till_activated.v1", _activated, "point_of_sale"),
):
    register_sentence(_kind, _sentence, icon=_icon, names={"store": store_names})
