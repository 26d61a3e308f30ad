"""Rewards and the vouchers they give."""

from decimal import Decimal
from typing import Any

from rewards.models import Reward, VoucherTemplate
from tests.factories.times import at


def a_template(code: str = "five-off", **changes: Any) -> VoucherTemplate:
    """Return the template of a voucher of ¥5 off, valid for 30 days."""
    values = {"name": "5 off", "kind": VoucherTemplate.Kind.AMOUNT, "off_amount": Decimal(5), **changes}
    return VoucherTemplate.objects.get_or_create(code=code, defaults=values)[0]


def a_reward(price_points: int = 30, **changes: Any) -> Reward:
    """Return a reward that gives such a voucher: always on the shelf, without limit or end of stock unless told otherwise."""
    values: dict[str, Any] = {"name": "5 off", "price_points": price_points, "valid_from": at("2020-01-01"), **changes}
    if "template" not in values:
        values["template"] = a_template()
    return Reward.objects.create(**values)
