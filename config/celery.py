"""The Celery application: tasks of every app, schedules in the database (django-celery-beat)."""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("perennial")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_like_the_portal(**_options: Any) -> None:
    """Workers log through the formatter of the settings, which hides people; Celery's own would not."""
    dictConfig(settings.LOGGING)
