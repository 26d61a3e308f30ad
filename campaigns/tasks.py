"""Work of campaigns in the background."""

from celery import shared_task
from django.utils import timezone

from campaigns.services import messages


@shared_task(name="campaigns.deliver_due_messages")
def deliver_due_messages(limit: int = 200) -> None:
    """Messages that were due are sent, at most `limit`."""
    messages.deliver_due_messages(at=timezone.now(), limit=limit)
