"""The roof as Django apps: its commands, translations and static files, and the admin site that staff work in."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class RoofConfig(AppConfig):
    name = "config"
    verbose_name = "Perennial"


class PortalConfig(AdminConfig):
    default_site = "config.portal.PortalSite"
