"""The rows of promotions and messages. Import from here, not from the modules."""

from campaigns.models.messages import Message, MessageTemplate
from campaigns.models.promotions import Promotion, PromotionUse

__all__ = ["Message", "MessageTemplate", "Promotion", "PromotionUse"]
