"""Tier changes and tier progress in words, with their numbers."""

from django.utils.translation import gettext as _

from loyalty.models import TierChange
from loyalty.queries import TierProgress
from members.admin.days import last_day, local_day
from members.figures import grouped


def change_sentence(change: TierChange) -> str:
    """Return one change as a sentence with the figures it was decided on."""
    figures = {
        "from": change.from_tier.name,
        "to": change.to_tier.name,
        "credits": grouped(change.credits),
        "needed": grouped(change.needed_credits),
        "short": grouped(max(0, change.needed_credits - change.credits)),
        "returned": grouped(change.returned_credits),
        "since": local_day(change.window_from),
    }
    if change.reason == TierChange.Reason.RISEN:
        told = _("Rose from %(from)s to %(to)s: %(credits)s tier credits since %(since)s, %(needed)s needed.") % figures
    elif change.reason == TierChange.Reason.KEPT:
        told = _("Kept %(to)s at the review: %(credits)s tier credits since %(since)s, %(needed)s needed.") % figures
    elif change.reason == TierChange.Reason.FALLEN:
        told = _("Fell from %(from)s to %(to)s at the review: %(credits)s tier credits since %(since)s, %(needed)s needed, %(short)s short.") % figures
    else:
        told = _("Back from %(from)s to %(to)s: the order that had lifted the tier was returned.") % figures
    if change.returned_credits:
        told = _("%(told)s Returns had taken back %(returned)s.") % {"told": told, **figures}
    return told


def rise_sentence(progress: TierProgress) -> str:
    """Return how far it is to the next tier."""
    if progress.next_tier is None:
        return _("This is the highest tier.")
    figures = {
        "credits": grouped(progress.credits), "needed": grouped(progress.rise_needed or 0), "gap": grouped(progress.gap or 0),
        "tier": progress.next_tier.name, "since": local_day(progress.window_from),
    }  # fmt: skip
    return _("%(credits)s of %(needed)s tier credits since %(since)s; %(gap)s more to %(tier)s.") % figures


def keep_sentence(progress: TierProgress) -> str:
    """Return how far it is to keeping the present tier; empty when it does not end."""
    if progress.valid_until is None or progress.keep_from is None:
        return ""
    figures = {
        "credits": grouped(progress.keep_credits or 0), "needed": grouped(progress.keep_needed or 0), "gap": grouped(progress.keep_gap or 0),
        "tier": progress.tier.name, "until": last_day(progress.valid_until), "since": local_day(progress.keep_from),
    }  # fmt: skip
    if progress.keep_gap:
        return _("%(tier)s until %(until)s. To keep it: %(credits)s of %(needed)s tier credits since %(since)s; %(gap)s more.") % figures
    return _("%(tier)s until %(until)s. It will be kept: %(credits)s of %(needed)s tier credits since %(since)s.") % figures
