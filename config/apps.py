"""The roof as Django apps: its commands, translations and static files, and the admin site that staff work in."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core.checks import register


class RoofConfig(AppConfig):
    name = "config"
    verbose_name = "Perennial"

    def ready(self) -> None:
        """Have the settings checked when a command starts."""
        checks = import_module("config.checks")
        for check in (checks.wallet_passes, checks.wechat_settings, checks.text_messages):
            register(check)


class PortalConfig(AdminConfig):
    default_site = "config.portal.PortalSite"
