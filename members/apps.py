"""The app and what it registers with the floors below."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembersConfig(AppConfig):
    name = "members"
    verbose_name = _("members")

    def ready(self) -> None:
        """Keep the history of what staff configure; register the facts of members."""
        keep_history = import_module("members.history").keep_history
        for name in (
            *("programme", "brand", "channel", "store", "activitykind"),
            *("region", "recruitingsource", "closingreason", "memberattribute", "attributechoice", "onboardingtask"),
            *("operatorlimit", "approvalrule", "ownmembership", "riskrule"),
        ):
            keep_history(self.get_model(name))
        keep_history(self.get_model("tag"))
        keep_history(
            self.get_model("segment"), unwatched=["members_count", "sweep_from", "compared_at", "counted", "counted_at"]
        )
        keep_history(self.get_model("apikey"), without=["key_sha256"])
        keep_history(
            self.get_model("webhookendpoint"),
            without=["secret", "earlier_secret"],
            unwatched=["delivered_at", "failing_since", "failures", "served_at", "busy_until", "rest_until"],
        )
        import_module("members.own_facts").register()
        import_module("members.profile_facts").register()
        import_module("members.merging").register()
        import_module("members.consent_facts").register()
        import_module("members.lifecycle_own").register()
        import_module("members.services.data_copy").register()
        import_module("members.tag_facts").register()
        import_module("members.segment_templates").register()
        import_module("members.own_webhook_types").register()
        import_module("members.handlers").register()
        import_module("members.services.segment_jobs").register()
        import_module("members.services.segment_lifecycle").register()
        import_module("members.services.imports.checking").register()
        import_module("members.services.imports.deciding").register()
        import_module("members.services.exports").register()
        import_module("members.own_finders").register()
        import_module("members.services.guessing").register()
        import_module("members.services.tag_batches").register()
