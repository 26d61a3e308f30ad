"""Why a tier changed, and what it takes next, in the active language, with the numbers."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.models import TierChange
from loyalty.periods import last_day_before
from loyalty.queries import TierProgress
from members.queries import programme


def change_sentence(change: TierChange) -> str:
    """Return one sentence that says why a change was made. Reads the names of its two tiers."""
    figures = {
        "tier": change.from_tier.name
        if change.reason == TierChange.Reason.FALLEN and not change.cause
        else change.to_tier.name,
        "credits": _number(change.credits),
        "needed": _number(change.needed_credits),
        "short": _number(max(0, change.needed_credits - change.credits)),
        "returned": _number(change.returned_credits),
    }
    if change.cause.startswith(("merge:", "unmerge:")):
        return _at_a_merge(change) % figures
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
    if progress.next_tier is None or progress.gap is None or progress.rise_needed is None:
        return _("%(tier)s is the highest tier.") % {"tier": progress.tier.name}
    text = _("%(credits)s of %(needed)s tier credits; %(gap)s more to %(next)s.")
    return text % {
        "credits": _number(progress.credits),
        "needed": _number(progress.rise_needed),
        "gap": _number(progress.gap),
        "next": progress.next_tier.name,
    }


def keep_sentence(progress: TierProgress) -> str:
    """Return what keeping the tier takes; empty for a tier that does not end."""
    if progress.valid_until is None or progress.keep_needed is None or progress.keep_gap is None:
        return ""
    if progress.keep_gap:
        text = ngettext(
            "%(tier)s is valid until %(date)s; keeping it takes %(gap)s more tier credit.",
            "%(tier)s is valid until %(date)s; keeping it takes %(gap)s more tier credits.",
            progress.keep_gap,
        )
    else:
        text = _("%(tier)s is valid until %(date)s; enough tier credits to keep it are there.")
    day = last_day_before(progress.valid_until, programme().tz)
    return text % {"tier": progress.tier.name, "date": date_format(day), "gap": _number(progress.keep_gap)}


def _number(value: int) -> str:
    return f"{value:,}"
