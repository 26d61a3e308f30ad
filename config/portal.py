"""The admin site that staff work in: its menu and its home page."""

from unfold.sites import UnfoldAdminSite


class PortalSite(UnfoldAdminSite):
    """The staff portal."""
