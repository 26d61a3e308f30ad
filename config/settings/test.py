"""Tests: fast password hashes, no broker, messages kept in memory. The database is a real PostgreSQL (tests/conftest.py)."""

import os

os.environ.setdefault("SECRET_KEY", "tests-only-secret-key-that-guards-nothing-at-all-0123456789")
os.environ.setdefault("CODE_SECRET", "tests-only-code-secret-that-guards-nothing-at-all-0123456789")
os.environ.setdefault("LEDGER_ANCHOR_KEY", "tests-only-anchor-key-that-guards-nothing-at-all-0123456789")

from config.settings.base import *
from config.settings.base import STORAGES

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DEMO = True
WEBHOOK_LOOPBACK = True
SMS_SENDER = "campaigns.channels.sms.MemorySms"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_URL = "memory://"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
LOGGING_CONFIG = None
STATIC_ROOT = None  # files are served from where the apps keep them
