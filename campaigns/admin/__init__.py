"""The admin pages of campaigns, and its sentences on the timeline."""

from campaigns.admin import messages, promotions, sentences

__all__ = ["messages", "promotions", "sentences"]
