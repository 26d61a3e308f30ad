"""The admin pages of loyalty, and its parts of the member pages."""

from loyalty.admin import ladder, panels, rules, sentences, standing

__all__ = ["ladder", "panels", "rules", "sentences", "standing"]
