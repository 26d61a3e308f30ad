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
            *("operatorlimit", "approvalrule", "ownmembership"),
        ):
            keep_history(self.get_model(name))
        keep_history(self.get_model("apikey"), without=["key_sha256"])
        import_module("members.own_facts").register()
