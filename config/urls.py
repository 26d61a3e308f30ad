"""All addresses of the portal."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health, reward_pictures, rules_page, tier_images

handler400 = "config.rest.bad_request"
handler404 = "config.rest.not_found"
handler500 = "config.rest.server_error"

urlpatterns = [
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("api/v1/", include("config.api_urls")),
    path("rules/", rules_page.choose_language, name="rules"),
    path("rules/<slug:language>/", rules_page.rules, name="rules_in"),
    path("tiers/<slug:digest>.png", tier_images.tier_image, name="tier_image"),
    path("rewards/pictures/<slug:digest>.webp", reward_pictures.reward_picture, name="reward_picture"),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path(settings.ADMIN_PATH, admin.site.urls),
]
