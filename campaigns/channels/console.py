"""The trial's channel: a line in the log instead of a letter."""

import logging
from typing import ClassVar

from campaigns.channels import Letter
from members.models import MemberPerson

logger = logging.getLogger(__name__)


class ConsoleChannel:
    """Writes that a message went out, by number. Neither the words nor the member are written: logs are kept and copied."""

    missing_address: ClassVar[str] = "no_address"

    def address_of(self, person: MemberPerson | None) -> str:
        """Return the log's name: it reaches everybody."""
        return "console"

    def send(self, letter: Letter) -> None:
        """Write one line."""
        logger.info("message %s delivered to the console (%s characters)", letter.message_id, len(letter.body))
