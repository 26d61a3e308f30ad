"""The expected noes of campaigns."""

from members.refusals import Refusal


class CampaignsRefusal(Refusal):
    """Root of the refusals of campaigns."""
