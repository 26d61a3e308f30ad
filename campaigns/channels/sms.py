"""Text messages that go out at once: codes and notices about the account. The words are neither kept nor logged.

`SMS_SENDER` names the class that hands them to a provider: `send(message)` returns, or raises `NotSent`. Two stand here, for
trials and for tests; a check refuses them outside of the demo.
"""

import logging
import os
from pathlib import Path
from typing import ClassVar, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from members.ports import NotSent, UrgentMessage, register_sender

logger = logging.getLogger(__name__)

_MOST_KEPT = 200


class SmsSender(Protocol):
    """One who hands text messages to a provider."""

    def send(self, message: UrgentMessage) -> None:
        """Hand a message over, or raise `NotSent`. At most some seconds; called outside of any transaction."""


class FileSms:
    """The trial's provider: a file in the data folder, which only its owner can read."""

    def send(self, message: UrgentMessage) -> None:
        """Write one line."""
        try:
            folder = Path(settings.DATA_DIR)
            folder.mkdir(parents=True, exist_ok=True)
            line = f"{message.phone}\t{message.kind}\t{message.text}\n"
            descriptor = os.open(folder / "text-messages.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise NotSent from error


class MemorySms:
    """The tests' provider: the last messages, in memory."""

    sent: ClassVar[list[UrgentMessage]] = []

    def send(self, message: UrgentMessage) -> None:
        """Remember it."""
        self.sent.append(message)
        del self.sent[:-_MOST_KEPT]


def send(message: UrgentMessage) -> None:
    """Send a message by the provider of the settings. Raises `NotSent`: none is set, or it does not take the message."""
    if not settings.SMS_SENDER:
        raise NotSent
    sender: SmsSender = import_string(settings.SMS_SENDER)()
    try:
        sender.send(message)
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a provider's own code raises, the message did not go out
        logger.error("the sender of text messages failed: %s", type(error).__name__)  # its words may name the phone
        raise NotSent from None


def register() -> None:
    """Offer text messages to the ground floor. Called once, from `AppConfig.ready()`."""
    register_sender(send)
