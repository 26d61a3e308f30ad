"""The admin pages of members. Every module registers its pages."""

from members.admin import (
    activities,
    decisions,
    jobs,
    keys,
    limits,
    operators,
    people,
    places,
    programme,
    proposals,
    relay,
    sentences,
)

__all__ = [
    "activities",
    "decisions",
    "jobs",
    "keys",
    "limits",
    "operators",
    "people",
    "places",
    "programme",
    "proposals",
    "relay",
    "sentences",
]
