"""The shelf: what staff change of a reward while members redeem it."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from rewards.models import FlashSale, Reward
from rewards.refusals import RewardsRefusal


class StockSoldMeanwhile(RewardsRefusal):
    """So much was redeemed while the form was open that the change would leave less than nothing."""

    code = "stock_sold_meanwhile"
    text = _("Meanwhile members redeemed so many that only %(left)s are left; the stock was not changed.")


class StockWhileOnSale(RewardsRefusal):
    """The pieces of a flash sale were never counted: what it leaves would come on top of the stock."""

    code = "stock_while_on_sale"
    text = _(
        "A flash sale of this reward has pieces of its own that no stock was counted for. Set the stock a few minutes after "
        "the sale is over."
    )


@transaction.atomic
def change_stock(*, reward_id: int, was: int | None, becomes: int | None, at: datetime) -> None:
    """Change a reward's stock from the figure that staff saw to the one they gave, without undoing what was redeemed meanwhile.

    From 50 to 60 adds 10 to whatever is left now. None is "without limit". Where the stock was not
    counted, it waits for the flash sales with pieces of their own. Raises StockSoldMeanwhile, StockWhileOnSale.
    """
    rewards = Reward.objects.filter(pk=reward_id)
    left = rewards.select_for_update(no_key=True).values_list("stock", flat=True).first()
    unsettled = FlashSale.objects.filter(Q(ends_at__gt=at) | Q(stock__gt=0), reward=reward_id, stock__isnull=False)
    if left is None and becomes is not None and unsettled.exists():
        raise StockWhileOnSale
    if was is None or becomes is None:
        rewards.update(stock=becomes)
    elif not rewards.filter(stock__gte=was - becomes).update(stock=F("stock") + (becomes - was)):
        raise StockSoldMeanwhile(left=rewards.values_list("stock", flat=True).get())
