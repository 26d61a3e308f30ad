"""What a simulated till shows its cashier after each act, in the active language, read from the answer alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from members.figures import grouped, money, signed
from rewards.admin.simulator_calls import Call
from rewards.admin.simulator_walk import Step
from rewards.explanation import points_words

TITLES: Final[Mapping[str, str | Promise]] = {
    "find": gettext_lazy("Find the member"),
    "quote": gettext_lazy("What the cart costs"),
    "hold": gettext_lazy("Set aside"),
    "release": gettext_lazy("Give back what is set aside"),
    "order": gettext_lazy("Record the order"),
    "look": gettext_lazy("What happened to the order"),
    "dry": gettext_lazy("What the return would do"),
    "return": gettext_lazy("Take goods back"),
    "void": gettext_lazy("Void the order"),
}


@dataclass(slots=True)
class Row:
    """A line of the receipt, of the points, or of what was left out: words, a figure, and how it is drawn."""

    words: str
    figure: str = ""
    look: str = ""


@dataclass(slots=True)
class Screen:
    """What the till shows: a headline, sentences, the receipt, the points line by line, and what did not apply with its reason."""

    headline: str = ""
    tone: str = "yes"
    lines: list[str] = field(default_factory=list)
    receipt: list[Row] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    unused: list[Row] = field(default_factory=list)
    until: str = ""


def title_of(step: Step) -> str:
    """Return the heading of a step."""
    title = str(TITLES[step.act])
    return _("%(act)s, sent again") % {"act": title} if step.is_again else title


def screen_of(step: Step) -> Screen:
    """Return what the till shows after a step."""
    if step.is_lost:
        return Screen(
            headline=_("No answer came."),
            tone="lost",
            lines=[
                _("The till does not know whether the order is recorded. It sends the same again, with the same key.")
            ],
        )
    call = step.call
    if not call.is_done:
        return _refused(call)
    screen = _SCREENS[step.act](call)
    if call.is_replayed:
        screen.lines.insert(0, _("This is the first answer again: nothing was done a second time."))
    elif call.answer.get("already_processed"):
        screen.lines.insert(0, _("It was recorded before under this number: nothing was done a second time."))
    return screen


def _refused(call: Call) -> Screen:
    body = call.answer
    wrong = [str(one.get("detail", "")) for one in body.get("errors", ())]
    return Screen(
        headline=str(body.get("detail") or body.get("title") or _("The API did not answer.")), tone="no", lines=wrong
    )


def _found(call: Call) -> Screen:
    body = call.answer
    vouchers: int = body["vouchers_usable"]
    usable = ngettext("%(count)s voucher can be used here.", "%(count)s vouchers can be used here.", vouchers)
    lines = [
        _("%(points)s to spend.") % {"points": points_words(body["points_available"])},
        usable % {"count": grouped(vouchers)},
    ]
    if body["may_spend"]:
        lines.append(
            _("Points and vouchers may be used at this till until %(time)s.") % {"time": _clock(body["good_until"])}
        )
    else:
        lines.append(_("This customer earns. To spend, they show their card or the code on their phone."))
    return Screen(headline=body["greeting"], lines=lines)


def _quoted(call: Call) -> Screen:
    body, currency = call.answer, call.answer["currency"]
    earn, pay = body["earn"], body["points_payable"]
    lines = []
    if pay["max"] and not pay["applied"]:
        lines.append(_("Up to %(points)s can pay.") % {"points": points_words(pay["max"])})
    if pay["reason"]:
        lines.append(pay["reason"])
    if body["tier"]:
        lines.append(body["tier"]["sentence"])
    if body["needs_hold"]:
        lines.append(_("What it uses is set aside before the customer pays."))
    lines.append(_("The quote holds until %(time)s.") % {"time": _clock(body["expires_at"])})
    unused = [Row(one["label"], one["reason"]) for one in [*body["vouchers_not_used"], *earn["not_applied"]]]
    return Screen(
        headline=_("To pay: %(amount)s") % {"amount": _money(body["payable"], currency)},
        lines=lines,
        receipt=_receipt(call, body["deductions"], body["payable"], currency),
        points=_points(earn["explain"], earn["total"]),
        unused=unused,
    )


def _held(call: Call) -> Screen:
    body = call.answer
    parts = []
    if body["points"]:
        figures = {"points": points_words(body["points"]), "money": _money(body["points_worth"], body["currency"])}
        parts.append(_("%(points)s (%(money)s)") % figures)
    if body["vouchers"]:
        parts.append(_("vouchers: %(count)s") % {"count": grouped(body["vouchers"])})
    if body["benefit_uses"]:
        parts.append(_("uses of benefits: %(count)s") % {"count": grouped(body["benefit_uses"])})
    return Screen(
        headline=_("Set aside until %(time)s") % {"time": _clock(body["expires_at"])},
        lines=[", ".join(parts) or _("nothing"), _("Nobody else can use it meanwhile. Then all of it is the member's again by itself.")],
        until=body["expires_at"],
    )  # fmt: skip


def _released(call: Call) -> Screen:
    return Screen(headline=_("Everything is the member's again."))


def _ordered(call: Call) -> Screen:
    body = call.answer
    settled = body["settlement"] or {"deductions": []}
    figures = {"number": body["external_order_no"], "amount": _money(body["total_amount"], body["currency"])}
    lines = []
    if body["member_ref"]:
        lines.append(_("%(points)s to spend.") % {"points": points_words(body["points_available"])})
    if body["points_are_pending"]:
        lines.append(_("What was earned can be spent later."))
    if body["tier_change"]:
        lines.append(_("New tier: %(tier)s.") % {"tier": body["tier_change"]["to"]["label"]})
    return Screen(
        headline=_("Order %(number)s is recorded: %(amount)s paid.") % figures,
        lines=lines,
        receipt=_receipt(call, settled["deductions"], body["total_amount"], body["currency"]),
        points=_points(body["explain"], body["points_earned"]),
        unused=[Row(one["label"], one["reason"]) for one in body["not_applied"]],
    )


def _looked(call: Call) -> Screen:
    body, currency = call.answer, call.answer["currency"]
    figures = {"number": body["external_order_no"], "amount": _money(body["total_amount"], currency)}
    lines = []
    for one in body["returns"]:
        back = {
            "number": one["external_return_no"],
            "amount": _money(one["amount"], currency),
            "points": points_words(one["points"]),
        }
        lines.append(_("Return %(number)s: %(amount)s, %(points)s taken back.") % back)
    if body["voided_at"]:
        lines.append(_("It was voided at %(time)s.") % {"time": _clock(body["voided_at"])})
    goods = [
        Row(f"{line['name'] or line['sku']} × {_plain(line['quantity'])}", _money(line["amount"], currency))
        for line in body["lines"]
    ]
    return Screen(
        headline=_("Order %(number)s is recorded: %(amount)s paid.") % figures,
        lines=lines or [_("Nothing of it came back.")],
        receipt=goods,
        points=_points(body["explain"], body["points_earned"]),
    )  # fmt: skip


def _would_return(call: Call) -> Screen:
    return Screen(headline=call.answer["sentence"], tone="lost", lines=[_("So far nothing is changed.")])


def _returned(call: Call) -> Screen:
    return Screen(headline=call.answer["sentence"], lines=_fall(call.answer))


def _voided(call: Call) -> Screen:
    body = call.answer
    return Screen(headline=body["took_back"]["sentence"], lines=_fall(body["took_back"]))


def _fall(body: dict[str, Any]) -> list[str]:
    change = body["tier_change"]
    return [_("New tier: %(tier)s.") % {"tier": change["to"]["label"]}] if change else []


_SCREENS: Final[Mapping[str, Callable[[Call], Screen]]] = {
    "find": _found, "quote": _quoted, "hold": _held, "release": _released, "order": _ordered, "look": _looked, "dry": _would_return,
    "return": _returned, "void": _voided,
}  # fmt: skip


def _receipt(call: Call, deductions: list[dict[str, Any]], payable: str, currency: str) -> list[Row]:
    sent = call.body or {}
    goods = [
        Row(f"{line['name']} × {_plain(line['quantity'])}", _money(line["amount"], currency))
        for line in sent.get("lines", ())
    ]
    taken = [Row(one["label"], f"−{_money(one['amount'], currency)}", "pn-minus") for one in deductions]
    return [*goods, *taken, Row(_("To pay"), _money(payable, currency), "pn-strong")]


def _points(explained: list[dict[str, Any]], total: int) -> list[Row]:
    rows = [Row(one["label"], signed(one["points"])) for one in explained]
    return [*rows, Row(_("Points for this order"), grouped(total), "pn-strong")]


def _money(amount: str, currency: str) -> str:
    return money(Decimal(amount), currency)


def _plain(quantity: str) -> str:
    """Return a number of pieces without zeros at its end."""
    return f"{Decimal(quantity).normalize():f}"


def _clock(moment: str) -> str:
    return date_format(timezone.localtime(datetime.fromisoformat(moment)), "H:i:s")
