"""Segments to begin with that ask about orders. The amounts and days are a beginning, to be changed."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from members.segment_templates import Template, register_template

_ACTIVE: dict[str, Any] = {"fact": "members.status", "op": "in", "value": ["active"]}


def _orders(days: int, op: str, value: int) -> dict[str, Any]:
    return {"fact": f"rewards.orders?days={days}", "op": op, "value": value}


def _spend(days: int, op: str, value: int) -> dict[str, Any]:
    return {"fact": f"rewards.spend?days={days}", "op": op, "value": value}


def register() -> None:
    """Register the templates of rewards. Called once, from `AppConfig.ready()`."""
    has_bought = {"fact": "rewards.is_first_order", "op": "is", "value": False}
    for template in (
        Template(
            "dormant",
            _("Dormant for 90 days"),
            _("Bought before, but not in the last 90 days: bring them back."),
            {"all": [_ACTIVE, has_bought, _orders(90, "eq", 0)]},
        ),
        Template(
            "valuable_lost",
            _("Valuable and lost"),
            _("Spent a lot in the year, and nothing in the last 90 days."),
            {"all": [_ACTIVE, _spend(365, "gte", 2000), _orders(90, "eq", 0)]},
        ),
        Template(
            "valuable_soon",
            _("Likely to become valuable"),
            _("Large orders lately, but few of them yet."),
            {"all": [_ACTIVE, _spend(30, "gte", 500), _orders(365, "lte", 3)]},
        ),
        Template(
            "new_without_order",
            _("New, without a first order"),
            _("Joined in the last 30 days and has not bought yet."),
            {
                "all": [
                    _ACTIVE,
                    {"fact": "members.joined_days", "op": "lte", "value": 30},
                    {"fact": "rewards.is_first_order", "op": "is", "value": True},
                ]
            },
        ),
    ):
        register_template(template)
