"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = _("analytics")

    def ready(self) -> None:
        """Subscribe to the timeline."""
        import_module("analytics.handlers").register()
