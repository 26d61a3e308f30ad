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
