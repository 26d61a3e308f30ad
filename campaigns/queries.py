"""Reads of promotions and messages."""

from campaigns.models import Message, Promotion
from campaigns.promotions import Terms, sentence
from members.queries import programme


def promotion_sentence(promotion: Promotion) -> str:
    """Say a saved promotion in the active language (three small reads at most)."""
    house = programme()
    return sentence(
        Terms(
            factor=promotion.factor,
            starts_at=promotion.starts_at,
            ends_at=promotion.ends_at,
            zone=house.tz,
            currency=house.currency,
            min_spend_amount=promotion.min_spend_amount,
            weekdays=promotion.weekdays,
            store_names=[store.name for store in promotion.stores.all()],
            tier_name=promotion.min_tier.name if promotion.min_tier else "",
        )
    )


def failed_messages() -> int:
    """Return how many messages were given up and wait for somebody to look."""
    return Message.objects.filter(state=Message.State.FAILED).count()
