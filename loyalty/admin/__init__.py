"""The admin pages of loyalty, and its parts of the member pages."""

from loyalty.admin import floors, given_sentences, ladder, panels, plans, sentences, standing

__all__ = ["floors", "given_sentences", "ladder", "panels", "plans", "sentences", "standing"]
