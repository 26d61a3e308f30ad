"""The roof. Loading it makes the Celery application the current one in every process, also where tasks are only sent."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
