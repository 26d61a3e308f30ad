"""What benefits of tiers may name of rewards: vouchers that they issue, and categories of goods that they are for."""

from loyalty.offered_choices import register_choices
from rewards.models import Category, VoucherTemplate


def _vouchers() -> list[tuple[str, str]]:
    return [(row.code, row.name) for row in VoucherTemplate.objects.order_by("code")]


def _categories() -> list[tuple[str, str]]:
    return [(row.code, row.name) for row in Category.objects.order_by("code")]


def register() -> None:
    """Offer them in the forms of loyalty."""
    register_choices("vouchers", _vouchers)
    register_choices("categories", _categories)
