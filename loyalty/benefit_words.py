"""Benefits in words, in the active language: figures, periods, what members read, what became of what they were given."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.models import Benefit, Entitlement
from loyalty.periods import last_day_before
from members.queries import programme

#: The kinds that have a figure, and for which it can not be left out.
FIGURED: Final = frozenset({Benefit.Kind.DISCOUNT, Benefit.Kind.MULTIPLIER, Benefit.Kind.EARLY, Benefit.Kind.RETURNS})
_HOLES: Final = ("figure", "quota")


def figure_unit(kind: str) -> str:
    """Return what stands behind the field of a figure; empty for kinds without one."""
    units = {
        Benefit.Kind.DISCOUNT: _("% off"),
        Benefit.Kind.MULTIPLIER: _("times the points"),
        Benefit.Kind.EARLY: _("hours ahead"),
        Benefit.Kind.RETURNS: _("days to return"),
    }
    return units.get(Benefit.Kind(kind), "")


def figure_words(kind: str, figure: Decimal | None) -> str:
    """Return what a tier gives as a figure with its unit; empty for kinds without one."""
    if figure is None:
        return ""
    number = f"{figure.normalize():f}"
    match kind:
        case Benefit.Kind.DISCOUNT:
            return _("%(number)s %% off") % {"number": number}
        case Benefit.Kind.MULTIPLIER:
            return _("%(number)s times the points") % {"number": number}
        case Benefit.Kind.EARLY:
            return ngettext("%(number)s hour ahead", "%(number)s hours ahead", int(figure)) % {"number": number}
        case Benefit.Kind.RETURNS:
            return ngettext("%(number)s day to return", "%(number)s days to return", int(figure)) % {"number": number}
    return number


def quota_words(period: str, quota: int | None) -> str:
    """Return how often in which period; empty without a quota."""
    if quota is None:
        return ""
    texts = {
        Benefit.Period.MONTH: ngettext("%(uses)s use a month", "%(uses)s uses a month", quota),
        Benefit.Period.QUARTER: ngettext("%(uses)s use a quarter", "%(uses)s uses a quarter", quota),
        Benefit.Period.YEAR: ngettext("%(uses)s use a year", "%(uses)s uses a year", quota),
        Benefit.Period.TIER: ngettext(
            "%(uses)s use in each validity of the tier", "%(uses)s uses in each validity of the tier", quota
        ),
    }
    return texts[Benefit.Period(period)] % {"uses": quota}


def cell_words(benefit: Benefit, figure: Decimal | None, quota: int | None) -> str:
    """Return what stands in a cell of the grid: the figure, the quota, or simply that it is given."""
    told = [words for words in (figure_words(benefit.kind, figure), quota_words(benefit.period, quota)) if words]
    return " · ".join(told) or _("yes")


def member_sentence(benefit: Benefit, figure: Decimal | None, quota: int | None) -> str:
    """Return what members read of a benefit: its sentence with the figures filled in, or its name and figures without one."""
    if not benefit.sentence:
        return cell_words(benefit, figure, quota) if figure is not None or quota is not None else benefit.name
    number = "" if figure is None else f"{figure.normalize():f}"
    values = dict(zip(_HOLES, (number, "" if quota is None else str(quota)), strict=True))
    return filled(benefit.sentence, values)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with {figure} and {quota} replaced. Nothing else in it is evaluated."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def lacks_translation(benefit: Benefit, language: str) -> bool:
    """Whether members who read a language would read the words of another one."""
    suffix = language.replace("-", "_")
    name, sentence = getattr(benefit, f"name_{suffix}"), getattr(benefit, f"sentence_{suffix}")
    has_sentence = any(getattr(benefit, f"sentence_{one}") for one in ("zh_hans", "zh_hant", "en"))
    return not name or (has_sentence and not sentence)


def missing_languages(benefit: Benefit) -> list[str]:
    """Return the languages that a benefit is not written in."""
    return [str(name) for code, name in settings.LANGUAGES if lacks_translation(benefit, code)]


def names_of(ids: object) -> Mapping[int, str]:
    """Return the names of benefits by id, in the active language."""
    return {row.pk: row.name for row in Benefit.objects.filter(pk__in=list(ids))}  # type: ignore[call-overload]


def until_words(row: Entitlement) -> str:
    """Return until when an entitlement can be used, as people say it: the last day."""
    return date_format(last_day_before(row.valid_to, programme().tz), "DATE_FORMAT")


def state_words(row: Entitlement, at: datetime) -> str:
    """Return how an entitlement stands, in one sentence with its numbers."""
    figures = {"used": row.used, "quota": row.quota, "left": row.left, "until": until_words(row)}
    if row.state == Entitlement.State.REVOKED:
        reason = {
            "tier_lowered": _("Taken back as the tier was lost; %(used)s of %(quota)s were used."),
            "merged": _("Ended at a merge: the other member had the same; %(used)s of %(quota)s were used."),
            "erased": _("Ended as the person asked to be erased; %(used)s of %(quota)s were used."),
        }.get(row.ended_because, _("Taken back by staff; %(used)s of %(quota)s were used."))
        return reason % figures
    if row.state == Entitlement.State.USED_UP:
        return _("All %(quota)s used.") % figures
    if row.state == Entitlement.State.EXPIRED or row.valid_to <= at:
        return _("Ended after %(until)s; %(used)s of %(quota)s were used.") % figures
    return _("%(left)s of %(quota)s left until %(until)s.") % figures


def source_words(row: Entitlement) -> str:
    """Return what gave it: the tier by its name, or the sort of source."""
    if row.source == Entitlement.Source.TIER and row.tier is not None:
        return row.tier.name
    return str(row.get_source_display())
