"""Why a reward can not be redeemed now, in words. The same are told with the catalogue, with a quote and as refusals."""

from django.utils.translation import gettext_lazy as _

from rewards.refusals import RewardsRefusal


class OutOfStock(RewardsRefusal):
    """The last piece is gone."""

    code = "out_of_stock"
    explains = True
    text = _("%(reward)s is out of stock.")


class RewardNotAvailable(RewardsRefusal):
    """The reward is not on the shelf now."""

    code = "not_available"
    status = 404
    explains = True
    text = _("This reward is not available now.")


class RewardLimitReached(RewardsRefusal):
    """The member has had as many as one member may have."""

    code = "cap_reached"
    explains = True
    text = _("Each member can redeem %(reward)s at most %(limit)s times.")


class RewardPeriodLimitReached(RewardsRefusal):
    """The member has had as many as one member may have in a day, week, month or year."""

    code = "period_cap_reached"
    explains = True
    text = _("Each member can redeem %(reward)s at most %(limit)s times in one %(period)s.")


class SaleLimitReached(RewardsRefusal):
    """The member has had as many as one member may have in the flash sale."""

    code = "sale_cap_reached"
    explains = True
    text = _("Each member can redeem %(reward)s at most %(limit)s times in this sale.")


class TierTooLow(RewardsRefusal):
    """The reward is for a higher tier."""

    code = "tier_too_low"
    explains = True
    text = _("This reward is for members from tier %(tier)s on.")


class NotForThisMember(RewardsRefusal):
    """The reward is for some members only."""

    code = "not_for_member"
    explains = True
    text = _("This reward is for invited members only.")


class NotActiveEnough(RewardsRefusal):
    """The reward is for those who bought something lately."""

    code = "not_active_enough"
    explains = True
    text = _("This reward is for members who bought something within the last %(days)s days.")


class EventIsOver(RewardsRefusal):
    """The event has begun."""

    code = "event_is_over"
    explains = True
    text = _("This event has begun.")


class DeliveryMissing(RewardsRefusal):
    """It is not said how the reward is to reach the member, or in a way that it does not."""

    code = "delivery_missing"
    status = 422
    text = _("Please choose how to get it: by post, or in a store that has it.")


class PartnerAccountMissing(RewardsRefusal):
    """Points of a partner need the member's number there."""

    code = "partner_account_missing"
    status = 422
    text = _("Please give your number at the partner: letters, digits and hyphens.")


class PriceChanged(RewardsRefusal):
    """The reward does not cost what was quoted."""

    code = "price_changed"
    explains = True
    text = _("The price has changed: it is %(price_points)s points now.")


class RequestConflict(RewardsRefusal):
    """The request was used for another redemption."""

    code = "idempotency_key_reused"
    status = 422
    text = _("This request was used for another redemption before.")
