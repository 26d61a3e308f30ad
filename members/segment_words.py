"""Why somebody came into a segment or went out of it, in words of the active language."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.conditions import ConditionInvalid, Group, Node, parse, sentence, tests_of
from members.models import SegmentSpan

_CAUSES: Mapping[str, Promise] = {
    "time": gettext_lazy("time has passed"),
    "published": gettext_lazy("the segment was filled"),
    "compared": gettext_lazy("found when members were compared at night"),
    "listed": gettext_lazy("named in the list"),
    "merged": gettext_lazy("two records of one person were merged"),
    "unmerged": gettext_lazy("a merge was taken back"),
}
_FLOORS: Mapping[str, Promise] = {
    "members": gettext_lazy("something about the member or what they did was recorded"),
    "loyalty": gettext_lazy("the tier changed"),
    "rewards": gettext_lazy("orders, points or vouchers changed"),
    "campaigns": gettext_lazy("a campaign did something"),
}


def cause_words(cause: str) -> str:
    """Return what set off a coming or going."""
    words = _CAUSES.get(cause) or _FLOORS.get(cause.partition(".")[0])
    return str(words) if words else _("something was recorded")


def why_entered(span: SegmentSpan, conditions: Mapping[tuple[int, int], object]) -> str:
    """Return why somebody came in: what set it off, and the tests that were met then."""
    return _said(span.entered_cause, _tests(span, span.entered_number, span.entered_tests, conditions, met=True))


def why_left(span: SegmentSpan, conditions: Mapping[tuple[int, int], object]) -> str:
    """Return why somebody went out: what set it off, and the tests that were not met any more; "" for those who are in."""
    if span.left_at is None:
        return ""
    return _said(span.left_cause, _tests(span, span.left_number, span.left_tests, conditions, met=False))


def _said(cause: str, tests: str) -> str:
    words = {"cause": cause_words(cause), "tests": tests}
    return _("%(cause)s – %(tests)s") % words if tests else words["cause"]


def _tests(
    span: SegmentSpan,
    number: int | None,
    bits: int | None,
    conditions: Mapping[tuple[int, int], object],
    *,
    met: bool,
) -> str:
    node = _read(conditions.get((span.segment_id, number or 0)))
    if node is None or bits is None:
        return ""
    wanted = [test for place, test in enumerate(tests_of(node)) if bool(bits >> place & 1) is met]
    if not wanted:
        return ""
    said = sentence(Group("all", tuple(wanted)))
    return _("met: %(tests)s") % {"tests": said} if met else _("no longer met: %(tests)s") % {"tests": said}


def _read(stored: object) -> Node | None:
    if stored is None:
        return None
    try:
        return parse(stored)
    except ConditionInvalid:
        return None
