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


class NotADraft(LoyaltyRefusal):
    """A version that was published, or thrown away, is not written any more."""

    code = "ladder_is_no_draft"
    text = _("Version %(number)s is no draft. To change the ladder, copy it into a new version.")


class DraftIsWaiting(LoyaltyRefusal):
    """What colleagues are asked to approve stays as it is."""

    code = "ladder_draft_is_waiting"
    text = _("Version %(number)s waits for approval. Take the proposal back first.")


class DraftHasErrors(LoyaltyRefusal):
    """The rules contradict themselves."""

    code = "ladder_draft_has_errors"
    text = _("Version %(number)s can not be published yet: %(error)s")
    status = 422


class DraftChanged(LoyaltyRefusal):
    """The rules are others than those that were proposed."""

    code = "ladder_draft_changed"
    text = _("The rules of version %(number)s are no longer those that were proposed.")


class BeginningMissing(LoyaltyRefusal):
    """A version begins with a day that is still to come."""

    code = "ladder_beginning_missing"
    text = _("Please say from which day on version %(number)s is to be in force; tomorrow at the earliest.")
    status = 422


class NoticeTooShort(LoyaltyRefusal):
    """Members are told long enough before."""

    code = "ladder_notice_too_short"
    text = _(
        "Members would be told %(days)s days before version %(number)s begins; the policy asks for %(needed)s. "
        "Choose a later day, or say why it can not wait."
    )
    status = 422


class PreviewMissing(LoyaltyRefusal):
    """Nobody publishes what they have not seen the effect of."""

    code = "ladder_preview_missing"
    text = _("There is no preview of version %(number)s as it is now, or it is too old. Please have it made first.")


class MomentIsTaken(LoyaltyRefusal):
    """Another version begins at that moment."""

    code = "ladder_moment_is_taken"
    text = _("Version %(other)s begins on that day already. Withdraw it first, or choose another day.")


class NotScheduled(LoyaltyRefusal):
    """Only what has not begun is withdrawn."""

    code = "ladder_is_not_scheduled"
    text = _("Version %(number)s is not scheduled; what has begun can not be withdrawn.")


class TierCodeTaken(LoyaltyRefusal):
    """Each tier has a code of its own."""

    code = "tier_code_taken"
    text = _("There is a tier with the code %(code)s already.")
    status = 422
