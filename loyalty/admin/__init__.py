"""The admin pages of loyalty, and its parts of the member pages."""

from loyalty.admin import ladder, panels, sentences, standing, versions

__all__ = ["ladder", "panels", "sentences", "standing", "versions"]
