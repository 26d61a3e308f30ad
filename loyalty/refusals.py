"""The expected noes of loyalty."""

from django.utils.translation import gettext_lazy as _

from members.refusals import Refusal


class LoyaltyRefusal(Refusal):
    """Root of the refusals of loyalty."""


class NoLadder(LoyaltyRefusal):
    """There is no version of the tier ladder, so nothing can be said about tiers."""

    code = "no_ladder"
    text = _("No tier ladder has been published yet.")


class FactFromFuture(LoyaltyRefusal):
    """A fact claims to be from long after now."""

    code = "fact_from_future"
    text = _("The moment %(moment)s lies in the future and can not count towards a tier.")
    status = 422


class RuleAsksForIdentity(LoyaltyRefusal):
    """Rules that follow each other would never come to rest."""

    code = "rule_asks_for_identity"
    text = _("A rule of a badge, stage or task can not ask for tags, badges or stages.")
    status = 422


class StageNeedsRule(LoyaltyRefusal):
    """There is a stage already in which everybody begins."""

    code = "stage_needs_rule"
    text = _("Everybody begins in “%(stage)s”, so this stage needs a rule.")
    status = 422


class StagePlaceTaken(LoyaltyRefusal):
    """Another stage has this place."""

    code = "stage_place_taken"
    text = _("“%(stage)s” has the place %(place)s already.")


class StageIsRetired(LoyaltyRefusal):
    """A stage, or a task, that is not used any more does not come back."""

    code = "stage_is_retired"
    text = _("“%(name)s” is not used any more.")


class TaskNeedsRule(LoyaltyRefusal):
    """Something must tell that a task is done."""

    code = "task_needs_rule"
    text = _("Say when the task is done.")
    status = 422


class BadgeIsOff(LoyaltyRefusal):
    """The badge is not in use."""

    code = "badge_is_off"
    text = _("The badge “%(badge)s” is not in use.")


class BadgeHeld(LoyaltyRefusal):
    """The member has the badge already."""

    code = "badge_held"
    text = _("The member has the badge “%(badge)s” already.")


class BadgeNotHeld(LoyaltyRefusal):
    """The member does not have the badge."""

    code = "badge_not_held"
    text = _("The member does not have the badge “%(badge)s”.")


class TitleNotHeld(LoyaltyRefusal):
    """The member has no badge of this code that carries a title."""

    code = "title_not_held"
    text = _("You have no badge with this title.")
    status = 422
