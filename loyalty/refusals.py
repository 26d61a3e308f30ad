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
