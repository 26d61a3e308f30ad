"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("points and vouchers")

    def ready(self) -> None:
        """Keep the history of what staff configure."""
        keep_history = import_module("members.history").keep_history
        for name in ("pointscurrency", "earnrule", "category", "vouchertemplate"):
            keep_history(self.get_model(name))
        keep_history(self.get_model("reward"), unwatched=["stock"])
