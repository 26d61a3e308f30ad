"""Rewards and the vouchers they give."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from members.actors import SYSTEM
from rewards.models import Reward, Voucher, VoucherTemplate
from rewards.services.voucher_issue import issue_vouchers
from tests.factories.times import at


def a_template(code: str = "five-off", **changes: Any) -> VoucherTemplate:
    """Return the template of a voucher of ¥5 off, valid for 30 days."""
    values = {"name": "5 off", "kind": VoucherTemplate.Kind.AMOUNT, "off_amount": Decimal(5), **changes}
    return VoucherTemplate.objects.get_or_create(code=code, defaults=values)[0]


def a_voucher(member_id: int, template: VoucherTemplate | None = None, *, issued_at: datetime) -> Voucher:
    """Return a voucher that a member was given at a moment, by a benefit."""
    (voucher_id,) = issue_vouchers(
        template=template or a_template(),
        rows=[(member_id, uuid4())],
        origin=Voucher.Origin.BENEFIT,
        by=SYSTEM,
        at=issued_at,
    )
    return Voucher.objects.select_related("template").get(pk=voucher_id)


def a_reward(price_points: int = 30, **changes: Any) -> Reward:
    """Return a reward that gives such a voucher: always on the shelf, without limit or end of stock unless told otherwise."""
    values: dict[str, Any] = {"name": "5 off", "price_points": price_points, "valid_from": at("2020-01-01"), **changes}
    if "template" not in values:
        values["template"] = a_template()
    return Reward.objects.create(**values)
