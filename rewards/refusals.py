"""The expected noes of rewards."""

from members.refusals import Refusal


class RewardsRefusal(Refusal):
    """Root of the refusals of rewards."""
