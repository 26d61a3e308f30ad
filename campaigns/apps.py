"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("campaigns")

    def ready(self) -> None:
        """Subscribe to the timeline, and add the lines of promotions to what purchases earn."""
        import_module("campaigns.handlers").register()
        import_module("campaigns.services.promotions").register()
        import_module("campaigns.services.privacy").register()
        import_module("campaigns.channels.sms").register()
        keep_history = import_module("members.history").keep_history
        for name in ("promotion", "messagetemplate"):
            keep_history(self.get_model(name))
