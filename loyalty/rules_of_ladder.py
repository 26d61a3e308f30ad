"""The ladder as the published page tells it, in the active language."""

from datetime import datetime
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.complexity import gives_grace
from loyalty.criteria import METRICS, Criteria, Metric
from loyalty.ladder import Ladder, Step
from loyalty.queries import ladder_book, tier_rows
from loyalty.rules_page import Block, Line, RulesPage, Section, registered_sections, registered_tier_rules
from loyalty.wording import METRIC_LABELS, criteria_sentence, listed
from members.figures import money
from members.models import ActivityKind
from members.queries import programme

_UNIT = Decimal(1)


def page_at(moment: datetime, ladder: Ladder | None = None) -> RulesPage:
    """Return the whole page as the rules are at a moment; under another ladder, if one is given. Raises NoLadder."""
    judged_by = ladder or ladder_book().at(moment)
    sections = [_tiers(judged_by, moment), _period(judged_by), _review(judged_by), _counting(judged_by)]
    added = [part.section(moment) for part in registered_sections()]
    return RulesPage(programme().name, tuple(section for section in [*sections, *added] if section is not None))


def moment_words(moment: datetime) -> str:
    """Return a moment as a day of the programme, with the time where it is not the beginning of the day."""
    local = moment.astimezone(programme().tz)
    at_midnight = (local.hour, local.minute) == (0, 0)
    return date_format(local, "DATE_FORMAT" if at_midnight else "DATETIME_FORMAT")


def _tiers(ladder: Ladder, moment: datetime) -> Section:
    rows = tier_rows()
    added = [part.lines(moment, ladder) for part in registered_tier_rules()]
    blocks = []
    for step in ladder.steps:
        lines = [*_step(step, ladder), *(line for lines in added for line in lines.get(step.code, ()))]
        blocks.append(Block(step.code, rows[step.tier_id].name, tuple(lines), rows[step.tier_id].colour))
    return Section("tiers", _("The tiers"), (), tuple(blocks))


def _step(step: Step, ladder: Ladder) -> list[Line]:
    multiplier = f"{step.points_multiplier:f}"
    words = {"times": f"{step.points_multiplier.normalize():f}"}
    if step.points_multiplier > _UNIT:
        points = Line("points", _("Purchases earn %(times)s times the base points.") % words, multiplier)
    else:
        points = Line("points", _("Purchases earn the base points."), multiplier)
    if step is ladder.lowest:
        return [Line("rise", _("Every member starts here."), "start"), points]
    return [
        Line("rise", _rise(step), _sense(step.rise)),
        Line("keep", _keep(step), _sense(step.keep)),
        points,
    ]


def _rise(step: Step) -> str:
    if not step.rise.thresholds:
        return _("This tier can not be reached by shopping: the programme invites to it.")
    return _("To rise: %(asked)s within the qualifying period.") % {"asked": criteria_sentence(step.rise)}


def _keep(step: Step) -> str:
    if not step.keep.thresholds:
        return _("Once reached, it is kept without a condition.")
    return _("To keep it at the review: %(asked)s.") % {"asked": criteria_sentence(step.keep)}


def _sense(criteria: Criteria) -> str:
    asked = " ".join(f"{metric}={needed.normalize():f}" for metric, needed in criteria)
    return f"{criteria.must} of {asked}" if asked else "none"


def _period(ladder: Ladder) -> Section:
    lines = [
        Line("window", _window(ladder), f"{ladder.window} {ladder.qualifying_months if _rolls(ladder) else ''}"),
        Line("rises", _rises(ladder), f"{ladder.window if not ladder.rises_at_once else 'at once'}"),
        Line("validity", _validity(ladder), f"{ladder.window} {ladder.validity_months if _rolls(ladder) else ''}"),
    ]
    zone = programme().zone
    words = _("Every day begins and ends at midnight in the time zone %(zone)s.") % {"zone": zone}
    return Section("period", _("Period and validity"), (*lines, Line("zone", words, zone)))


def _rolls(ladder: Ladder) -> bool:
    return ladder.window == "rolling"


def _window(ladder: Ladder) -> str:
    match ladder.window:
        case "rolling":
            months = ladder.qualifying_months
            words = ngettext(
                "The qualifying period is the last %(months)s month, up to the day.",
                "The qualifying period is the last %(months)s months, up to the day.",
                months,
            )
            return words % {"months": months}
        case "year":
            return _("The qualifying period is the calendar year.")
        case "quarter":
            return _("The qualifying period is the calendar quarter.")
        case "joined":
            return _("The qualifying period is a year, counted from the day on which the member joined.")
    return _("The qualifying period is a year, counted from the day on which the tier was reached.")


def _rises(ladder: Ladder) -> str:
    if ladder.rises_at_once:
        return _("Members rise at once, with the purchase that reaches what is asked.")
    if _rolls(ladder):
        return _("Members who have reached what is asked rise at the end of the month.")
    return _("Members who have reached what is asked rise at the end of the period.")


def _validity(ladder: Ladder) -> str:
    if _rolls(ladder):
        months = ladder.validity_months
        words = ngettext(
            "A tier is valid for %(months)s month, to the end of the month, and is then reviewed.",
            "A tier is valid for %(months)s months, to the end of the month, and is then reviewed.",
            months,
        )
        return words % {"months": months}
    if ladder.window == "tier":
        return _("A tier is valid for a year and is then reviewed.")
    return _("A tier is valid to the end of the period after the one in which it was reached, and is then reviewed.")


def _review(ladder: Ladder) -> Section:
    lines = [
        Line("kept", _("At the review, whoever has what keeping the tier takes keeps it for another term."), "kept"),
        Line("fall", _fall(ladder), "one step" if ladder.soft_landing else "as earned"),
    ]
    if gives_grace(ladder):
        words = ngettext(
            "Whoever lacks at most %(percent)s%% of it is given %(days)s more day, once, and is then reviewed again.",
            "Whoever lacks at most %(percent)s%% of it is given %(days)s more days, once, and is then reviewed again.",
            ladder.grace_days,
        ) % {"percent": ladder.grace_percent, "days": ladder.grace_days}
        lines.append(Line("grace", words, f"{ladder.grace_percent} {ladder.grace_days}"))
    if ladder.carries_over:
        words = _("Tier credits beyond what keeping the tier took count again in the next period, once.")
        lines.append(Line("carry_over", words, "carried"))
    return Section("review", _("At the review"), tuple(lines))


def _fall(ladder: Ladder) -> str:
    if ladder.soft_landing:
        return _("Whoever has less falls by one tier at most.")
    return _("Whoever has less falls to the highest tier for which it is enough.")


def _counting(ladder: Ladder) -> Section:
    asked = [metric for metric in METRICS if metric in ladder.metrics]
    lines = [line for metric in asked for line in _counted(metric, ladder)]
    if "score" in asked:
        lines.append(_score(ladder))
    lines.append(
        Line(
            "returns",
            _(
                "What is returned no longer counts. If the purchase that lifted a member is returned, the rise may be undone."
            ),
            "returns",
        )
    )
    lines.append(Line("spending", _("Spending points never lowers a tier."), "spending"))
    return Section("counting", _("What counts"), tuple(lines))


def _counted(metric: Metric, ladder: Ladder) -> list[Line]:
    match metric:
        case "credits":
            credits = ladder.credits_per_unit
            words = ngettext(
                "Each full %(unit)s spent counts %(credits)s tier credit.",
                "Each full %(unit)s spent counts %(credits)s tier credits.",
                credits,
            )
            unit = money(_UNIT, programme().currency)
            return [Line("credits", words % {"unit": unit, "credits": credits}, f"{credits} a {unit}")]
        case "spend":
            return [Line("spend", _("Spend is what was paid for purchases, less what was returned."), "spend")]
        case "orders":
            return [Line("orders", _("An order counts unless the whole of it is returned."), "orders")]
        case "active_days":
            words = _("An active day is a day with a purchase that was kept, or with an activity that counts.")
            return [Line("active_days", words, "active days")]
        case "activity":
            return _activities(ladder)
        case "tenure_months":
            words = _("Months of membership are full months since the member joined.")
            return [Line("tenure", words, "tenure")]
    return []


def _activities(ladder: Ladder) -> list[Line]:
    scores = ladder.activity_scores
    names = {kind.code: kind.name for kind in ActivityKind.objects.filter(code__in=scores)}
    return [
        Line(
            f"activity_{code}",
            ngettext(
                "%(activity)s counts %(score)s activity point each time.",
                "%(activity)s counts %(score)s activity points each time.",
                score,
            )
            % {"activity": names.get(code, code), "score": score},
            str(score),
        )
        for code, score in sorted(scores.items())
    ]


def _score(ladder: Ladder) -> Line:
    weights = next(step.rise.weights for step in ladder.steps)
    parts = [
        _("%(metric)s × %(weight)s") % {"metric": METRIC_LABELS[metric], "weight": f"{weight.normalize():f}"}
        for metric, weight in weights.items()
    ]
    sense = " ".join(f"{metric}={weight.normalize():f}" for metric, weight in weights.items())
    return Line("score", _("The score is the sum of: %(parts)s.") % {"parts": listed(parts)}, sense)
