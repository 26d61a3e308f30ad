"""How templates of the portal write numbers."""

from decimal import Decimal

from django import template

from members import figures
from members.queries import programme

register = template.Library()


@register.filter
def grouped(number: int | Decimal | None) -> str:
    """Write a whole number with its thousands set apart; a dash where there is none."""
    return "–" if number is None else figures.grouped(number)


@register.filter
def signed(number: int | Decimal) -> str:
    """Write a change with its sign."""
    return figures.signed(number)


@register.filter
def unit_value(amount: Decimal) -> str:
    """Write what one of something is worth in the programme's currency."""
    return figures.unit_value(amount, programme().currency)


@register.filter
def money(amount: Decimal | None) -> str:
    """Write an amount in the programme's currency; a dash where there is none."""
    return "–" if amount is None else figures.money(amount, programme().currency)
