"""Why a badge came or went, why a stage changed and how a task was done, in the active language, with the figures."""

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from loyalty.met_figures import figures_words
from loyalty.models import BadgeAward, Stage, StageChange, StageTaskDone


def award_words(award: BadgeAward) -> str:
    """Return why a badge came to a member or was taken back. Reads the name of its task."""
    figures = figures_words(award.why)
    match award.cause:
        case BadgeAward.Cause.HAND:
            return award.reason
        case BadgeAward.Cause.TASK:
            return _("For the task “%(task)s”") % {"task": award.task.name if award.task else ""}
        case BadgeAward.Cause.MERGE:
            return _("At a merge with another member")
    if award.kind == BadgeAward.Kind.TAKEN_BACK:
        return _("No longer met: %(figures)s") % {"figures": figures} if figures else _("Its rule is no longer met")
    return capfirst(figures) or _("Its rule is met")


def change_words(change: StageChange, first: Stage | None) -> str:
    """Return one sentence on a change of stage, with the figures. `first` is the stage in which everybody begins.

    Reads the names of its stages.
    """
    names = {"from": _stage(change.from_stage, first), "to": _stage(change.to_stage, first)}
    if change.cause == StageChange.Cause.MERGE:
        return _("From %(from)s to %(to)s: merged with another member.") % names
    if change.cause == StageChange.Cause.RETIRED:
        return _("From %(from)s to %(to)s: %(from)s is not used any more.") % names
    unmet, met = figures_words(change.unmet), figures_words(change.met)
    if unmet and met:
        text = _("From %(from)s to %(to)s. No longer met: %(unmet)s. Met: %(met)s.")
    elif unmet:
        text = _("From %(from)s to %(to)s. No longer met: %(unmet)s.")
    elif met:
        text = _("From %(from)s to %(to)s: %(met)s.")
    else:
        text = _("From %(from)s to %(to)s.")
    return text % {**names, "unmet": unmet, "met": met}


def done_words(done: StageTaskDone) -> str:
    """Return the figures by which a task was done."""
    return capfirst(figures_words(done.why))


def _stage(stage: Stage | None, first: Stage | None) -> str:
    found = stage or first
    return found.name if found else _("no stage")
