"""The Celery application of the trial, whose embedded beat ends with the worker it belongs to, whatever ends that."""

import os
import signal

from celery.signals import beat_embedded_init

from config.celery import app
from config.trial.processes import die_with_parent

__all__ = ["app"]


@beat_embedded_init.connect
def end_with_the_worker(**_: object) -> None:
    """Run in beat's own process when it starts."""
    die_with_parent(signal.SIGKILL, parent=os.getppid())()
