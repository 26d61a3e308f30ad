"""The shelf: what staff change of a reward while members redeem it."""

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from rewards.models import Reward
from rewards.refusals import RewardsRefusal


class StockSoldMeanwhile(RewardsRefusal):
    """So much was redeemed while the form was open that the change would leave less than nothing."""

    code = "stock_sold_meanwhile"
    text = _("Meanwhile members redeemed so many that only %(left)s are left; the stock was not changed.")


def change_stock(*, reward_id: int, was: int | None, becomes: int | None) -> None:
    """Change a reward's stock from the figure that staff saw to the one they gave, without undoing what was redeemed meanwhile.

    From 50 to 60 adds 10 to whatever is left now. None is "without limit". Raises StockSoldMeanwhile.
    """
    rewards = Reward.objects.filter(pk=reward_id)
    if was is None or becomes is None:
        rewards.update(stock=becomes)
    elif not rewards.filter(stock__gte=was - becomes).update(stock=F("stock") + (becomes - was)):
        raise StockSoldMeanwhile(left=rewards.values_list("stock", flat=True).get())
