"""What a version of the ladder says, in sentences; and in what two versions differ, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.criteria import METRICS, WEIGHED, Criteria
from loyalty.ladder import Ladder, Step
from loyalty.models import LadderVersion
from loyalty.queries import tier_rows
from loyalty.wording import criteria_sentence, listed


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two versions say differently, in words. `field` is where it stands in the form of a version."""

    field: str
    label: str
    before: str
    after: str


def window_sentence(ladder: Ladder) -> str:
    """Return which doings count."""
    match ladder.window:
        case "rolling":
            text = ngettext(
                "What members did in the last %(number)s month counts.",
                "What members did in the last %(number)s months counts.",
                ladder.qualifying_months,
            )
            return text % {"number": ladder.qualifying_months}
        case "year":
            return _("What members did in the calendar year counts; with each year it begins anew.")
        case "quarter":
            return _("What members did in the calendar quarter counts; with each quarter it begins anew.")
        case "joined":
            return _("What members did in their own year counts, which begins on the day they joined.")
    return _("What members did counts for a year from the day on which they reached their tier.")


def term_sentences(ladder: Ladder) -> list[str]:
    """Return the terms of a version, one sentence each."""
    said = [window_sentence(ladder)]
    if ladder.rises_at_once:
        said.append(_("Whoever has enough rises at once."))
    elif ladder.window == "rolling":
        said.append(_("Whoever has enough rises at the end of the month."))
    else:
        said.append(_("Whoever has enough rises at the end of the period."))
    if ladder.window == "rolling":
        text = ngettext(
            "A tier is held for %(number)s month, to the end of the month, and then reviewed.",
            "A tier is held for %(number)s months, to the end of the month, and then reviewed.",
            ladder.validity_months,
        )
        said.append(text % {"number": ladder.validity_months})
    else:
        said.append(_("A tier is held to the end of the period after it was reached, and then reviewed."))
    if ladder.soft_landing:
        said.append(_("Whoever does not keep a tier falls by one step only."))
    else:
        said.append(_("Whoever does not keep a tier falls to the one that was earned."))
    if ladder.grace_days:
        text = _("Whoever lacks at most %(percent)s%% of what keeping takes is given %(days)s more days, once.")
        said.append(text % {"percent": ladder.grace_percent, "days": ladder.grace_days})
    if ladder.carries_over:
        said.append(_("Tier credits beyond what keeping took count again in the next period, once."))
    return said


def step_sentence(step: Step, *, is_lowest: bool = False) -> str:
    """Return what one tier takes and gives."""
    name = tier_name(step.tier_id)
    gives = _("points ×%(multiplier)s") % {"multiplier": _plain(step.points_multiplier)}
    if is_lowest:
        return _("%(tier)s: everybody starts here; %(gives)s.") % {"tier": name, "gives": gives}
    words = {
        "tier": name, "gives": gives, "rise": criteria_sentence(step.rise),
        "keep": criteria_sentence(step.keep) if step.keep.thresholds else _("nothing"),
    }  # fmt: skip
    if not step.rise.thresholds:
        return _("%(tier)s: only given by hand; to keep it: %(keep)s; %(gives)s.") % words
    return _("%(tier)s: to rise: %(rise)s; to keep it: %(keep)s; %(gives)s.") % words


def ladder_sentences(ladder: Ladder) -> list[str]:
    """Return what each tier takes and gives, lowest first."""
    return [step_sentence(step, is_lowest=step == ladder.lowest) for step in ladder.steps]


def tier_name(tier_id: int) -> str:
    """Return the name of a tier in the active language."""
    found = tier_rows().get(tier_id)
    return str(found) if found else "–"


def differences(old: Ladder | None, new: Ladder) -> list[Difference]:
    """Return in what a version differs from another one (None: from none at all, then nothing)."""
    if old is None:
        return []
    return [*_of_terms(old, new), *_of_steps(old, new)]


def _of_terms(old: Ladder, new: Ladder) -> Iterator[Difference]:
    pairs = (
        ("window", old.window, new.window), ("qualifying_months", old.qualifying_months, new.qualifying_months),
        ("validity_months", old.validity_months, new.validity_months),
        ("rises", "at_once" if old.rises_at_once else "waiting", "at_once" if new.rises_at_once else "waiting"),
        ("soft_landing", old.soft_landing, new.soft_landing), ("grace_percent", old.grace_percent, new.grace_percent),
        ("grace_days", old.grace_days, new.grace_days), ("carries_over", old.carries_over, new.carries_over),
        ("credits_per_unit", old.credits_per_unit, new.credits_per_unit),
        *(
            (f"weight_{metric}", _weights(old).get(metric, Decimal(0)), _weights(new).get(metric, Decimal(0)))
            for metric in WEIGHED
        ),
    )  # fmt: skip
    for field, before, after in pairs:
        if before != after:
            yield Difference(field, _label(field), _said(field, before), _said(field, after))
    if old.activity_scores != new.activity_scores:
        label = _("Activity points")
        yield Difference("scores", label, _scores(old), _scores(new))


def _of_steps(old: Ladder, new: Ladder) -> Iterator[Difference]:
    before, after = ({step.tier_id: step for step in ladder.steps} for ladder in (old, new))
    for tier_id in dict.fromkeys([*before, *after]):
        one, other = before.get(tier_id), after.get(tier_id)
        name = tier_name(tier_id)
        if one is None or other is None:
            words = (_("not on the ladder"), _("on the ladder"))
            yield Difference(f"t{tier_id}", name, words[one is not None], words[other is not None])
            continue
        for purpose, label in (("rise", _("%(tier)s, to rise")), ("keep", _("%(tier)s, to keep"))):
            was, now = getattr(one, purpose), getattr(other, purpose)
            if _asked(was) != _asked(now):
                said = (criteria_sentence(was), criteria_sentence(now))
                yield Difference(f"t{tier_id}_{purpose}", label % {"tier": name}, *said)
        if one.points_multiplier != other.points_multiplier:
            label = _("%(tier)s, points multiplier") % {"tier": name}
            figures = (f"×{_plain(one.points_multiplier)}", f"×{_plain(other.points_multiplier)}")
            yield Difference(f"t{tier_id}_points_multiplier", label, *figures)


def changed_fields(old: Ladder | None, new: Ladder) -> set[str]:
    """Return the fields of the form of a version in which it differs from another one."""
    found = {one.field for one in differences(old, new)}
    if old is None:
        return found
    before = {step.tier_id: step for step in old.steps}
    for step in new.steps:
        was = before.get(step.tier_id)
        for purpose in ("rise", "keep"):
            now_of, was_of = dict(getattr(step, purpose)), dict(getattr(was, purpose)) if was else {}
            found |= {f"t{step.tier_id}_{purpose}_{m}" for m in METRICS if now_of.get(m) != was_of.get(m)}
            if was and getattr(step, purpose).least != getattr(was, purpose).least:
                found.add(f"t{step.tier_id}_{purpose}_least")
    return found


def _asked(criteria: Criteria) -> tuple[object, ...]:
    return (criteria.thresholds, criteria.must)


def _weights(ladder: Ladder) -> dict[str, Decimal]:
    return dict(ladder.lowest.rise.weights) if ladder.steps else {}  # type: ignore[arg-type]


def _label(field: str) -> str:
    return str(capfirst(LadderVersion._meta.get_field(field).verbose_name))  # type: ignore[union-attr]


def _said(field: str, value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field == "window":
        return str(LadderVersion.Window(str(value)).label)
    if field == "rises":
        return str(LadderVersion.Rises(str(value)).label)
    return _plain(value) if isinstance(value, Decimal) else str(value)


def _scores(ladder: Ladder) -> str:
    return listed([f"{kind} {score}" for kind, score in sorted(ladder.activity_scores.items())]) or "–"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
