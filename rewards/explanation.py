"""为什么？ A stored trace put into words, in the active language, years later too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from members.conditions import failed_words
from members.figures import grouped
from members.wording import listed
from rewards.earning import Label, matching

Words = Callable[[dict[str, Any]], str]
NoteWords = Callable[[dict[str, Any]], list[str]]

# Why an offer did not apply. Registered from above with the codes that its quotes give.
_reasons: dict[str, Words] = {}
# What is said of postings that earn nothing, by the kind of their trace. Registered by those who post them.
_notes: dict[str, NoteWords] = {}


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One line of points with its reason."""

    kind: str
    label: str
    points: int


@dataclass(frozen=True, slots=True)
class UnusedOffer:
    """A rule or offer that gave nothing, and the reason in words."""

    label: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a posting has the points it has."""

    lines: list[ExplainedLine]
    not_applied: list[UnusedOffer]
    notes: list[str]


def register_reason(code: str, words: Words) -> None:
    """Register what puts the figures of a code, with which offers answer, into words of the active language."""
    _reasons[code] = words


def register_note(kind: str, words: NoteWords) -> None:
    """Register what says, in sentences of the active language, what a posting with a trace of this kind did."""
    _notes[kind] = words


def in_active_language(label: Label) -> str:
    """Return the text for the active language, else zh-Hans, else English, else any."""
    for language in (get_language() or "", "zh-hans", "en"):
        if label.get(language):
            return label[language]
    return next(iter(label.values()), "")


def explain(trace: dict[str, Any] | None) -> Explanation:
    """Return the explanation of a stored trace; an empty one when there is none."""
    if not trace or not trace.get("v"):
        return Explanation([], [], [])
    lines = [_line(trace, *line) for line in trace.get("lines", [])]
    unused = [
        UnusedOffer(in_active_language(label), code, _reason(code, params))
        for _ref, label, code, params in trace.get("not", [])
    ]
    return Explanation(lines, unused, [*_notes_of(trace), *_limits_hit(trace), *_left_out(trace)])


def _reason(code: str, params: dict[str, Any]) -> str:
    words = _reasons.get(code)
    return words(params) if words else _("It did not apply.")


# --- Lines --------------------------------------------------------------------------------------------------------
def _line(
    trace: dict[str, Any], kind: str, _ref: str, points: int, label: Label, figures: dict[str, Any] | None = None
) -> ExplainedLine:
    if figures is not None and kind == "benefit":
        words = _("%(name)s: ×%(multiplier)s on %(points)s") % {
            "name": in_active_language(label), "multiplier": plain(Decimal(figures["x"])), "points": points_words(figures["of"]),
        }  # fmt: skip
    elif figures is not None:
        words = _rule_words(kind, label, figures)
    elif kind == "base":
        words = _("%(name)s: %(points)s for each %(step)s of %(amount)s") % {
            "name": in_active_language(label), "points": trace["step"][0], "step": trace["step"][1], "amount": trace["amount"],
        }  # fmt: skip
    elif kind == "tier":
        words = _("Tier multiplier ×%(multiplier)s") % {"multiplier": trace["tier"][1]}
    else:
        words = in_active_language(label)
    return ExplainedLine(kind, words, points)


def _rule_words(kind: str, label: Label, figures: dict[str, Any]) -> str:
    """Return how a rule came to its points, and what limits took off."""
    name = in_active_language(label)
    if "fixed" in figures:
        words = _("%(name)s: %(points)s points") % {"name": name, "points": figures["fixed"]}
        words = name if kind == "activity" else words
    else:
        values = {"name": name, "points": figures["step"][0], "step": figures["step"][1], "amount": figures["amount"]}
        if figures.get("per_line"):
            words = _("%(name)s: %(points)s for each %(step)s of each line, %(amount)s in all") % values
        else:
            words = _("%(name)s: %(points)s for each %(step)s of %(amount)s") % values
    if "wanted" in figures:
        return _("%(line)s (%(wanted)s before limits)") % {"line": words, "wanted": figures["wanted"]}
    return words


# --- Notes --------------------------------------------------------------------------------------------------------
def _notes_of(trace: dict[str, Any]) -> list[str]:
    words = _notes.get(trace.get("kind", ""))
    if words is not None:
        return words(trace)
    if trace.get("no_rule") or ("rule" in trace and not trace["rule"]):
        return [_("No earn rule was in force on that day.")]
    return []


def _return_note(trace: dict[str, Any]) -> list[str]:
    figures = {"amount": trace["amount"], "points": trace["points"]}
    if trace.get("unlinked"):
        return [_("Return without a known sale, %(amount)s: base points only, %(points)s.") % figures]
    return [_("Return of %(amount)s: its share of the points of the purchase, %(points)s.") % figures]


def _redemption_note(trace: dict[str, Any]) -> list[str]:
    said = [_("Redeemed for %(name)s.") % {"name": in_active_language(trace["label"])}]
    if trace.get("household"):
        figures = {"points": points_words(trace["household"])}
        said.append(_("What was missing came from others of the household: %(points)s.") % figures)
    return said


def _hold_note(_trace: dict[str, Any]) -> list[str]:
    return [_("Set aside for a payment. What is not paid with comes back by itself.")]


def _hold_release_note(_trace: dict[str, Any]) -> list[str]:
    return [_("What was set aside for a payment came back.")]


def _payment_note(trace: dict[str, Any]) -> list[str]:
    return [_("Paid on order %(number)s.") % {"number": trace["order"]}]


def _payment_back_note(trace: dict[str, Any]) -> list[str]:
    return [_("Goods of order %(number)s came back; so do the points that paid for them.") % {"number": trace["order"]}]


def _limits_hit(trace: dict[str, Any]) -> list[str]:
    """Return a sentence for each cap and budget that took points off."""
    said = []
    for what, _ref, label, limit, used, cut in trace.get("caps", []):
        figures = {
            "name": in_active_language(label),
            "limit": cap_words(what, limit),
            "used": grouped(used),
            "cut": grouped(cut),
        }
        text = (
            _("%(name)s gives %(limit)s; %(used)s were used up before, so %(cut)s fewer were given.")
            if label
            else _("All rules together give %(limit)s; %(used)s were used up before, so %(cut)s fewer were given.")
        )
        said.append(text % figures)
    names = {ref: in_active_language(label) for _kind, ref, _points, label, *rest in trace.get("lines", []) if rest}
    said += [
        _("The budget of %(name)s was nearly used up: it gave %(granted)s of %(wished)s points.")
        % {"name": names.get(ref, ""), "granted": grouped(granted), "wished": grouped(wished)}
        for _budget, ref, wished, granted in trace.get("budgets", [])
        if granted < wished
    ]
    return said


def cap_words(what: str, limit: int) -> str:
    """Return a limit in words: at most 100 points a day."""
    text = {
        "order": _("at most %(limit)s an order"),
        "day": _("at most %(limit)s a day"),
        "month": _("at most %(limit)s a month"),
        "life": _("at most %(limit)s in all"),
        "day_times": _("points at most %(limit)s a day"),
        "month_times": _("points at most %(limit)s a month"),
        "programme_day": _("at most %(limit)s a day"),
        "programme_month": _("at most %(limit)s a month"),
    }[what]
    return text % {"limit": times_words(limit) if what.endswith("_times") else points_words(limit)}


def points_words(points: int) -> str:
    """Return points with their unit in the active language."""
    return ngettext("%(points)s point", "%(points)s points", points) % {"points": grouped(points)}


def times_words(times: int) -> str:
    """Return how often, in the active language."""
    return ngettext("%(times)s time", "%(times)s times", times) % {"times": grouped(times)}


def _left_out(trace: dict[str, Any]) -> list[str]:
    more = trace.get("more", 0)
    if not more:
        return []
    return [
        ngettext("%(count)s more rule did not apply.", "%(count)s more rules did not apply.", more)
        % {"count": grouped(more)}
    ]


# --- Why a rule gave nothing ----------------------------------------------------------------------------------------
def _too_few_orders(params: dict[str, Any]) -> str:
    text = ngettext(
        "%(orders)s order within %(days)s days; %(needed)s are needed",
        "%(orders)s orders within %(days)s days; %(needed)s are needed",
        params["orders"],
    )
    return text % params


def _cap_reached(params: dict[str, Any]) -> str:
    figures = {"limit": cap_words(params["what"], params["limit"]), "used": grouped(params["used"])}
    return _("it gives %(limit)s, and %(used)s were used up before") % figures


def _condition_not_met(params: dict[str, Any]) -> str:
    return pgettext("between sentences", "; ").join(failed_words(matching.failed_tests(params)))


_RULE_REASONS: dict[str, Words] = {
    matching.OTHER_CHANNEL: lambda _params: _("not by this channel"),
    matching.OTHER_STORE: lambda _params: _("not in this store"),
    matching.OTHER_WEEKDAY: lambda params: _("only on %(weekdays)s") % {"weekdays": weekday_names(params["weekdays"])},
    matching.OTHER_HOUR: lambda params: _("only from %(from)s:00 to %(to)s:00") % params,
    matching.NOT_FIRST_ORDER: lambda _params: _("only on the first order"),
    matching.TOO_FEW_ORDERS: _too_few_orders,
    matching.CONDITION_NOT_MET: _condition_not_met,
    matching.NO_SUCH_GOODS: lambda _params: _("nothing that it counts was bought"),
    matching.GOODS_EARN_ELSEWHERE: lambda _params: _("what it counts earned by another base rule"),
    matching.TOO_LITTLE_SPENT: lambda params: _("%(amount)s spent on what it counts; from %(needed)s on") % params,
    matching.BELOW_ONE_STEP: lambda params: _("%(amount)s is less than one step of %(step)s") % params,
    matching.CAP_REACHED: _cap_reached,
    matching.BUDGET_EMPTY: lambda _params: _("its budget is used up"),
    matching.OTHER_TIME: lambda params: _("only from %(from)s to %(to)s") % params,
    matching.TOO_FEW_POINTS: lambda _params: _("what it counts earned too few points to give one more"),
}


def weekday_names(weekdays: Sequence[int]) -> str:
    """Return weekdays (Monday is 0) as words: "Saturday and Sunday"."""
    return listed([str(WEEKDAYS[day]) for day in sorted(weekdays)])


def plain(number: Decimal) -> str:
    """Return a number without trailing zeros: 2 for 2.00, 1.5 for 1.50."""
    return f"{number.normalize():f}"


register_note("return", _return_note)
register_note("redemption", _redemption_note)
register_note("hold", _hold_note)
register_note("hold_release", _hold_release_note)
register_note("payment", _payment_note)
register_note("payment_back", _payment_back_note)
for _code, _words in _RULE_REASONS.items():
    register_reason(_code, _words)
