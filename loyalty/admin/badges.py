"""A tier as a badge: its name, with its colour beside it."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from loyalty.models import Tier


def tier_badge(tier: Tier) -> SafeString:
    """Return the badge of a tier in the active language."""
    return format_html(
        '<span class="pn-badge"><span class="pn-dot" style="--pn-dot: {}"></span>{}</span>', tier.colour, tier.name
    )
