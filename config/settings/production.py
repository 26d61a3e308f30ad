"""Production: secrets must be given, cookies travel over TLS only."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *
from config.settings.base import (
    ALLOWED_HOSTS,
    CODE_SECRET,
    EMAIL_CONFIG,
    LEDGER_ANCHOR_KEY,
    SECRET_KEY,
    WEBHOOK_HOSTS,
    WECHAT_API_BASE,
    WECHAT_APPID,
    env,
)

# Without EMAIL_URL letters to members would go to the log.
_REQUIRED = {
    "SECRET_KEY": SECRET_KEY,
    "CODE_SECRET": CODE_SECRET,
    "LEDGER_ANCHOR_KEY": LEDGER_ANCHOR_KEY,
    "ALLOWED_HOSTS": ALLOWED_HOSTS,
    "EMAIL_URL": env("EMAIL_URL", default=""),
    "DATABASE_URL": env("DATABASE_URL", default=""),
    "CELERY_BROKER_URL": env("CELERY_BROKER_URL", default=""),
}
for _name, _value in _REQUIRED.items():
    if not _value:
        raise ImproperlyConfigured(f"Set {_name} in the environment (README, Configuration).")

# Where data may go: to the mail server, to WeChat, and to the webhooks of other systems.
if env.bool("DATA_STAYS_IN_REGION", default=False):
    _inside: list[str] = env.list("OUTBOUND_HOSTS", default=[])
    _outside = {EMAIL_CONFIG.get("EMAIL_HOST") or ""} - {"", "localhost", *_inside}
    if _outside:
        raise ImproperlyConfigured(
            f"DATA_STAYS_IN_REGION is set, and EMAIL_URL names {', '.join(_outside)}, which OUTBOUND_HOSTS does not list."
        )
    _wechat = urlsplit(WECHAT_API_BASE).hostname or ""
    if WECHAT_APPID and _wechat not in _inside:
        raise ImproperlyConfigured(
            f"DATA_STAYS_IN_REGION is set, and WECHAT_API_BASE names {_wechat}, which OUTBOUND_HOSTS does not list."
        )
    WEBHOOK_HOSTS = _inside if WEBHOOK_HOSTS is None else WEBHOOK_HOSTS
    _outside = {*WEBHOOK_HOSTS} - {*_inside}
    if _outside:
        raise ImproperlyConfigured(
            f"DATA_STAYS_IN_REGION is set, and WEBHOOK_HOSTS names {', '.join(_outside)}, which OUTBOUND_HOSTS does not list."
        )

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
