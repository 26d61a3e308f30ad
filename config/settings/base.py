"""Settings shared by trial, tests and production. Everything that differs comes from the environment."""

from pathlib import Path

import environ
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from config.settings.api import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from config.settings.unfold import UNFOLD  # noqa: F401

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env("PERENNIAL_HOME", default=str(BASE_DIR / ".perennial")))

SECRET_KEY = env("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
# Derives voucher codes and look-up keys; never rotated together with SECRET_KEY, or printed codes would die.
CODE_SECRET = env("CODE_SECRET", default="")
# Signs the daily anchors of the ledger. To change it, put the new key before the old one, with a comma between them.
LEDGER_ANCHOR_KEY = env("LEDGER_ANCHOR_KEY", default="")
# Who signs cards for the wallet of the phone: paths of certificate, key and intermediate certificate (PEM or DER), and the
# names of the kind of pass and of the team. All of them or none; the password only for a key that has one.
WALLET_PASS_CERTIFICATE = env("WALLET_PASS_CERTIFICATE", default="")
WALLET_PASS_KEY = env("WALLET_PASS_KEY", default="")
WALLET_PASS_KEY_PASSWORD = env("WALLET_PASS_KEY_PASSWORD", default="")
WALLET_PASS_INTERMEDIATE = env("WALLET_PASS_INTERMEDIATE", default="")
WALLET_PASS_TYPE = env("WALLET_PASS_TYPE", default="")
WALLET_PASS_TEAM = env("WALLET_PASS_TEAM", default="")
DEBUG = False
DEMO = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "config.apps.RoofConfig",
    "modeltranslation",
    "unfold.apps.BasicAppConfig",  # the admin site is ours, below
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "config.apps.PortalConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_celery_beat",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "pghistory",
    # The floors, lowest first.
    "members",
    "loyalty",
    "rewards",
    "campaigns",
    "analytics",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.RequestIdMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "config.network.StaffNetworkMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.middleware.LanguageTagMiddleware",
    "config.middleware.MethodOverrideMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.StaffHistoryMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "members.Operator"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Limits of LEDGER.md §5: a web request never waits long for a lock; batch work asks for more itself.
_PG_OPTIONS = "-c lock_timeout=2s -c statement_timeout=20s -c idle_in_transaction_session_timeout=30s"


def database(url: str, *, pool: bool) -> dict:
    """Return Django's settings for a PostgreSQL URL: pooled for the web server, plain for commands and workers."""
    config = dict(env.db_url_config(url))
    options = dict(config.get("OPTIONS", {}))
    options.setdefault("options", _PG_OPTIONS)
    if pool:
        options["pool"] = {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=4), "timeout": 5}
    else:
        config["CONN_MAX_AGE"] = 60
    config["OPTIONS"] = options
    config["DISABLE_SERVER_SIDE_CURSORS"] = True  # transaction poolers stay possible
    return config


DATABASES = {
    "default": database(
        env("DATABASE_URL", default="postgres:///perennial"), pool=env.bool("DATABASE_POOL", default=False)
    )
}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 1800
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith("redis"):
    # Longest task plus a margin. The defaults would bring a lost task back only after an hour.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": CELERY_TASK_TIME_LIMIT + 60,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # Who sends a task gives up soon: beat does what a lost nudge would have done.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "socket_connect_timeout": 1,
    }

# --- Language and time --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("简体中文")), ("zh-hant", _("繁體中文")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
USE_I18N = True
USE_TZ = True
# The zone the pages are shown in. Business dates come from the programme's own zone (members.Programme).
TIME_ZONE = env("TIME_ZONE", default="Asia/Shanghai")
MODELTRANSLATION_LANGUAGES = ("zh-hans", "zh-hant", "en")
MODELTRANSLATION_DEFAULT_LANGUAGE = "zh-hans"
MODELTRANSLATION_FALLBACK_LANGUAGES = {"default": ("zh-hans", "en"), "zh-hant": ("zh-hans", "en"), "en": ("zh-hans",)}

# --- Static files -------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = env("MEDIA_ROOT", default=str(DATA_DIR / "media"))

# --- Security -----------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 10  # one working day
CSRF_COOKIE_SAMESITE = "Lax"
# Where staff sign in; an installation may choose its own.
ADMIN_PATH = env("ADMIN_PATH", default="admin/")
# The networks from which staff may work, such as 10.20.0.0/16; empty: from anywhere.
STAFF_NETWORKS: list[str] = env.list("STAFF_NETWORKS", default=[])
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # for who opens the sign-in page itself
# The admin theme runs inline scripts and Alpine expressions; nothing may come from another host.
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "object-src": [CSP.NONE],
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# The hosts that webhooks may go to, such as crm.example.com, or .example.com with all below it; empty: to any public host.
WEBHOOK_HOSTS: list[str] | None = env.list("WEBHOOK_HOSTS", default=[]) or None
# Whether they may go to this machine, over plain HTTP too: for trials and tests only.
WEBHOOK_LOOPBACK = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # the largest body of an API request

# --- API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.BoundedJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["members.api.permissions.DenyAll"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.PortalSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "config.rest.problem_details",
    "DEFAULT_VERSIONING_CLASS": None,
    "DEFAULT_METADATA_CLASS": None,
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# So many calls a minute, each: of a member, of a till's key, and of an address that shows neither. 0: as many as come.
API_CALLS_A_MINUTE: dict[str, int] = {
    "member": env.int("API_MEMBER_CALLS_A_MINUTE", default=300),
    "key": env.int("API_KEY_CALLS_A_MINUTE", default=3_000),
    "address": env.int("API_ADDRESS_CALLS_A_MINUTE", default=1_200),
}
# The mini-program, as WeChat knows it; both or none. WECHAT_OPEN_ACCOUNT names the open platform account that unionids are of.
WECHAT_APPID = env("WECHAT_APPID", default="")
WECHAT_SECRET = env("WECHAT_SECRET", default="")
WECHAT_API_BASE = env("WECHAT_API_BASE", default="https://api.weixin.qq.com")
WECHAT_OPEN_ACCOUNT = env("WECHAT_OPEN_ACCOUNT", default="wechat")

# --- Messages to members ------------------------------------------------------------------------------------------
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10  # seconds; a mail server that hangs must not hold a worker
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Perennial <no-reply@example.com>")

# The class that sends text messages, as a dotted path; empty: none are sent, and nobody signs in by one.
SMS_SENDER = env("SMS_SENDER", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.MaskingFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # Its lines hold whole addresses, and WeChat wants secrets in them.
    "loggers": {"urllib3": {"level": "INFO"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
