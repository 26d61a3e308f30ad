"""The admin pages of loyalty, and its parts of the member pages."""

from loyalty.admin import (
    badge_pages,
    benefit_budgets,
    benefit_sentences,
    benefits,
    entitlements,
    identity_panels,
    identity_sentences,
    ladder,
    panels,
    sentences,
    stage_pages,
    standing,
)

__all__ = [
    "badge_pages",
    "benefit_budgets",
    "benefit_sentences",
    "benefits",
    "entitlements",
    "identity_panels",
    "identity_sentences",
    "ladder",
    "panels",
    "sentences",
    "stage_pages",
    "standing",
]
