"""Segments to begin with that ask about tiers."""

from django.utils.translation import gettext_lazy as _

from members.segment_templates import Template, register_template


def register() -> None:
    """Register the templates of loyalty. Called once, from `AppConfig.ready()`."""
    active = {"fact": "members.status", "op": "in", "value": ["active"]}
    register_template(
        Template(
            "tier_ends_soon",
            _("Tier ends soon"),
            _("A reminder of what is missing to keep the tier, 30 days ahead."),
            {"all": [active, {"fact": "loyalty.tier_until", "op": "within_next_days", "value": 30}]},
        )
    )
