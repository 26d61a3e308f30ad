"""A tier as a badge: its name, with its picture or its colour beside it."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from loyalty.models import Tier


def tier_badge(tier: Tier) -> SafeString:
    """Return the badge of a tier in the active language."""
    if tier.image_id:
        return format_html(
            '<span class="pn-badge"><img class="pn-picture" src="{}" alt="" width="16" height="16">{}</span>',
            reverse("tier_image", args=[tier.image_id]), tier.name,
        )  # fmt: skip
    return format_html(
        '<span class="pn-badge"><span class="pn-dot" style="--pn-dot: {}"></span>{}</span>', tier.colour, tier.name
    )
