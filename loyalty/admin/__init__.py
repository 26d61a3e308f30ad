"""The admin pages of loyalty, and its parts of the member pages."""

from loyalty.admin import (
    benefit_budgets,
    benefit_sentences,
    benefits,
    entitlements,
    ladder,
    panels,
    sentences,
    standing,
)

__all__ = [
    "benefit_budgets",
    "benefit_sentences",
    "benefits",
    "entitlements",
    "ladder",
    "panels",
    "sentences",
    "standing",
]
