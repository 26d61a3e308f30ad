"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = _("loyalty")

    def ready(self) -> None:
        """Keep the history of what staff configure; register the facts of tiers."""
        keep_history = import_module("members.history").keep_history
        for name in ("tier", "ladderversion", "tierrule", "activityscore", "reviewpolicy"):
            keep_history(self.get_model(name))
        import_module("loyalty.facts").register()
        import_module("loyalty.services.merging").register()
        import_module("loyalty.segment_templates").register()
        import_module("loyalty.services.privacy").register()
        import_module("loyalty.services.review_runs").register()
        import_module("loyalty.services.grace").register()
