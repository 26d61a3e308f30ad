"""How the admin looks: brand, colours, and where its parts come from. The menu and the home page are in config/portal.py."""

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Perennial 常青",
    "SITE_HEADER": "Perennial 常青",
    "SITE_SUBHEADER": _("Loyalty portal"),
    "SITE_URL": None,  # there is no public site to go back to
    "SITE_ICON": "config.portal.icon",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.portal.favicon"}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "config.portal.environment_badge",
    "DASHBOARD_CALLBACK": "config.home.home_context",
    "STYLES": ["config.portal.stylesheet"],
    "SCRIPTS": ["config.portal.script"],
    "LOGIN": {"image": "config.portal.login_picture"},
    # Members are looked up in the find box (members/admin/find.py); what is typed there never stands in an address.
    "COMMAND": {"search_models": False, "show_history": False},
    "ACCOUNT": {
        "navigation": [
            {"title": _("Second step at sign-in"), "link": reverse_lazy("admin:second_step")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ]
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": "config.portal.sidebar"},
    "COLORS": {
        "base": {
            "50": "oklch(98.4% .003 160)",
            "100": "oklch(96.4% .004 160)",
            "200": "oklch(92.4% .006 160)",
            "300": "oklch(86.8% .009 160)",
            "400": "oklch(70.4% .016 165)",
            "500": "oklch(55% .02 168)",
            "600": "oklch(44.4% .022 170)",
            "700": "oklch(37% .024 170)",
            "800": "oklch(27.6% .024 172)",
            "900": "oklch(20.8% .022 174)",
            "950": "oklch(13.4% .018 176)",
        },
        "primary": {
            "50": "oklch(97.6% .013 160)",
            "100": "oklch(94.4% .03 160)",
            "200": "oklch(88.6% .058 160)",
            "300": "oklch(80% .09 160)",
            "400": "oklch(68.6% .112 160)",
            "500": "oklch(57.4% .11 160)",
            "600": "oklch(46.6% .095 160)",
            "700": "oklch(39.6% .08 161)",
            "800": "oklch(33.4% .066 162)",
            "900": "oklch(28.4% .054 163)",
            "950": "oklch(20.4% .04 164)",
        },
    },
}
