"""Why a tier changed, and what it takes next, in the active language, with the numbers."""

from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.criteria import Figure
from loyalty.models import TierChange
from loyalty.periods import last_day_before
from loyalty.progress import Outlook, TierProgress
from loyalty.wording import figures_words
from members.queries import programme


def change_sentence(change: TierChange) -> str:
    """Return one sentence that says why a change was made. Reads the names of its two tiers."""
    if change.cause.startswith(("merge:", "unmerge:")):
        return _at_a_merge(change) % _numbers(change)
    if change.reason == TierChange.Reason.RESTORED:
        return _restored(change)
    if change.reason == TierChange.Reason.GRACE:
        return _grace(change)
    if change.figures:
        return _by_figures(change)
    return _by_credits(change)


def _numbers(change: TierChange) -> dict[str, str]:
    is_of_the_old = change.reason == TierChange.Reason.FALLEN and not change.cause
    return {
        "tier": change.from_tier.name if is_of_the_old else change.to_tier.name,
        "credits": _number(change.credits),
        "needed": _number(change.needed_credits),
        "short": _number(max(0, change.needed_credits - change.credits)),
        "returned": _number(change.returned_credits),
    }


def _by_credits(change: TierChange) -> str:
    figures = _numbers(change)
    match change.reason:
        case TierChange.Reason.RISEN:
            text = _("Tier credits in the qualifying period: %(credits)s; rising to %(tier)s needs %(needed)s.")
        case TierChange.Reason.KEPT:
            text = _("Tier credits in the qualifying period: %(credits)s; keeping %(tier)s needs %(needed)s.")
        case TierChange.Reason.FALLEN if change.returned_credits:
            text = _(
                "Tier credits in the qualifying period: %(credits)s; keeping %(tier)s needs %(needed)s; "
                "%(short)s short (%(returned)s were taken back by returns)."
            )
        case TierChange.Reason.FALLEN:
            text = _(
                "Tier credits in the qualifying period: %(credits)s; keeping %(tier)s needs %(needed)s; "
                "%(short)s short."
            )
        case _undone:
            figures["tier"] = change.from_tier.name
            text = _(
                "The purchase that lifted the member to %(tier)s was returned: %(credits)s tier credits are left in "
                "its qualifying period; %(tier)s needs %(needed)s."
            )
    return text % figures


def _by_figures(change: TierChange) -> str:
    words = {"figures": _figures_of(change), "tier": _numbers(change)["tier"]}
    match change.reason:
        case TierChange.Reason.RISEN:
            text = _("In the qualifying period: %(figures)s. That is enough to rise to %(tier)s.")
        case TierChange.Reason.KEPT:
            text = _("In the qualifying period: %(figures)s. That is enough to keep %(tier)s.")
        case TierChange.Reason.FALLEN:
            text = _("In the qualifying period: %(figures)s. That is not enough to keep %(tier)s.")
        case _undone:
            words["tier"] = change.from_tier.name
            text = _(
                "The purchase that lifted the member to %(tier)s was returned. Left in its qualifying period: %(figures)s."
            )
    return text % words


def _grace(change: TierChange) -> str:
    """Return why a tier was given grace, and until when."""
    until = date_format(last_day_before(change.valid_until, programme().tz)) if change.valid_until else ""
    figures = {**_numbers(change), "tier": change.to_tier.name, "until": until, "figures": _figures_of(change)}
    if change.cause.startswith("staff:"):
        text = _(
            "Grace was granted: %(tier)s until %(until)s. Tier credits in the qualifying period: %(credits)s of %(needed)s."
        )
        if change.figures:
            text = _("Grace was granted: %(tier)s until %(until)s. In the qualifying period: %(figures)s.")
    elif change.figures:
        text = _("In the qualifying period: %(figures)s. %(tier)s is near: grace until %(until)s.")
    elif change.returned_credits:
        text = _(
            "Tier credits in the qualifying period: %(credits)s; keeping %(tier)s needs %(needed)s; "
            "%(short)s short (%(returned)s were taken back by returns); grace until %(until)s."
        )
    else:
        text = _(
            "Tier credits in the qualifying period: %(credits)s; keeping %(tier)s needs %(needed)s; "
            "%(short)s short; grace until %(until)s."
        )
    return text % figures


def _restored(change: TierChange) -> str:
    """Return that a review was undone, and when the tier is reviewed again."""
    words = {"tier": change.to_tier.name}
    if change.valid_until is None:
        return _("The reviews of that day were undone: %(tier)s as before.") % words
    words["until"] = date_format(last_day_before(change.valid_until, programme().tz))
    return _("The reviews of that day were undone: %(tier)s as before, valid until %(until)s.") % words


def _figures_of(change: TierChange) -> str:
    told = [
        Figure(metric, Decimal(have), Decimal(needed), Decimal(returned))
        for metric, have, needed, returned in change.figures
    ]
    return figures_words(told, change.must)


def _at_a_merge(change: TierChange) -> str:
    if change.cause.startswith("unmerge:"):
        return _("A merge with another member was taken apart: %(tier)s by what this member did alone.")
    if change.credits >= change.needed_credits and change.reason == TierChange.Reason.RISEN:
        return _(
            "Merged with another member: both together have %(credits)s tier credits; rising to %(tier)s needs %(needed)s."
        )
    return _("Merged with another member who held %(tier)s.")


def rise_sentence(progress: TierProgress) -> str:
    """Return how far it is to the next tier, or that there is none."""
    if progress.next_tier is None:
        return _("%(tier)s is the highest tier.") % {"tier": progress.tier.name}
    words = {"next": progress.next_tier.name}
    if not progress.rise:
        return _("%(next)s, the next tier, is only given by hand.") % words
    if progress.rise_at is not None:
        day = date_format(last_day_before(progress.rise_at, programme().tz))
        return _("Enough for the next tier is there; it is decided after %(date)s.") % {"date": day}
    if progress.gap is None or progress.rise_needed is None or len(progress.rise) > 1:
        figures = figures_words(progress.rise, progress.rise_must)
        return _("To %(next)s: %(figures)s.") % {**words, "figures": figures}
    text = _("%(credits)s of %(needed)s tier credits; %(gap)s more to %(next)s.")
    return text % {
        **words,
        "credits": _number(progress.credits),
        "needed": _number(progress.rise_needed),
        "gap": _number(progress.gap),
    }


def what_if_sentence(progress: TierProgress) -> str:
    """Return where a supposed purchase would lead: the tier it lifts to, else how far it is then to the next one."""
    if progress.risen is None:
        return rise_sentence(progress)
    return _("This purchase would lift to %(tier)s.") % {"tier": progress.risen.name}


def keep_sentence(progress: TierProgress) -> str:
    """Return what keeping the tier takes; empty for a tier that does not end."""
    if progress.valid_until is None:
        return ""
    day = date_format(last_day_before(progress.valid_until, programme().tz))
    words = {"tier": progress.tier.name, "date": day}
    if progress.keep_gap is None or len(progress.keep) > 1:
        if not progress.keep:
            return _("%(tier)s is valid until %(date)s and is kept without a condition.") % words
        figures = figures_words(progress.keep, progress.keep_must)
        return _("%(tier)s is valid until %(date)s. To keep it: %(figures)s.") % {**words, "figures": figures}
    if progress.keep_gap:
        text = ngettext(
            "%(tier)s is valid until %(date)s; keeping it takes %(gap)s more tier credit.",
            "%(tier)s is valid until %(date)s; keeping it takes %(gap)s more tier credits.",
            progress.keep_gap,
        )
    else:
        text = _("%(tier)s is valid until %(date)s; enough tier credits to keep it are there.")
    return text % {**words, "gap": _number(progress.keep_gap)}


def outlook_sentence(outlook: Outlook) -> str:
    """Return what the next review decides if nothing else comes."""
    day = date_format(last_day_before(outlook.review_at, programme().tz))
    words = {"tier": outlook.tier.name, "date": day}
    match outlook.reason:
        case "kept":
            return _("If nothing else comes, %(tier)s is kept after %(date)s.") % words
        case "grace":
            return _("If nothing else comes, %(tier)s is given grace after %(date)s.") % words
    return _("If nothing else comes, the tier falls to %(tier)s after %(date)s.") % words


def _number(value: int) -> str:
    return f"{value:,}"
