"""The admin pages of members. Every module registers its pages."""

from members.admin import keys, operators, people, places, programme, relay, sentences

__all__ = ["keys", "operators", "people", "places", "programme", "relay", "sentences"]
