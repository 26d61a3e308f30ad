"""Trial on one machine, with demo data: what `./run.sh` serves. The same code paths as production, over plain HTTP."""

from config.settings.base import *
from config.settings.base import ALLOWED_HOSTS, STORAGES, env

DEMO = True
WEBHOOK_LOOPBACK = True
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", "[::1]"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
STATIC_ROOT = None  # files are served from where the apps keep them
# Text messages stand in a file of the data folder instead of going out: the codes in them can be read there.
SMS_SENDER = env("SMS_SENDER", default="campaigns.channels.sms.FileSms")
