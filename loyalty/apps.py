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
        for name in ("tier", "ladderversion", "tierrule", "activityscore", "ladderpolicy", "reviewpolicy", "plan"):
            keep_history(self.get_model(name))
        keep_history(self.get_model("badge"), unwatched=("opened_at",))
        for name in ("stage", "stagetask", "benefit", "tierbenefit"):
            keep_history(self.get_model(name))
        moving = ["reserved_units", "reserved_amount", "stopped_at", "stop_reason", "warned_percent"]
        keep_history(self.get_model("benefitbudget"), without=moving)
        import_module("loyalty.facts").register()
        import_module("loyalty.plan_facts").register()
        import_module("loyalty.services.merging").register()
        import_module("loyalty.segment_templates").register()
        import_module("loyalty.services.privacy").register()
        import_module("loyalty.identity_facts").register()
        import_module("loyalty.services.identity_keeping").register()
        import_module("loyalty.services.identity_lifecycle").register()
        import_module("loyalty.benefit_facts").register()
        import_module("loyalty.benefit_hooks").register()
        import_module("loyalty.services.entitlement_lifecycle").register()
        import_module("loyalty.services.benefit_proposals").register()
        import_module("loyalty.handlers").register()
        import_module("loyalty.webhook_types").register()
        import_module("loyalty.services.plan_lifecycle").register()
        import_module("loyalty.services.tier_by_hand").register()
        import_module("loyalty.services.previews").register()
        import_module("loyalty.services.publishing").register()
        import_module("loyalty.services.review_runs").register()
        import_module("loyalty.services.grace").register()
