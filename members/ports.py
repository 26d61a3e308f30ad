"""What the ground floor needs from above: a message that goes out at once, outside of campaigns and of the timeline.

One-time codes and notices about the account itself are no campaign: no audience, no quiet hours, no consent to offers. Their
words exist only while they are being sent. Whoever knows channels registers a sender, once, from `AppConfig.ready()`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal


@dataclass(frozen=True, slots=True)
class UrgentMessage:
    """A text message that goes out now. `kind` and `params` are for providers that keep the words themselves, as templates."""

    phone: str
    kind: str
    language: str
    text: str
    params: Mapping[str, str] = field(default_factory=dict)


class NotSent(Exception):
    """The message did not go out. It says nothing of whom it was for."""


class Sender(Protocol):
    """Sends a message now, or raises `NotSent`. Called outside of any transaction."""

    def __call__(self, message: UrgentMessage) -> None: ...


class SmsUnavailable(MembersRefusal):
    """Text messages do not go out at the moment, or at all."""

    code = "sms_unavailable"
    text = _("Text messages can not be sent at the moment. Please try again later.")
    status = 503


_senders: list[Sender] = []


def register_sender(sender: Sender) -> None:
    """Register who sends text messages; the last one counts."""
    _senders[:] = [sender]


def send_now(message: UrgentMessage) -> None:
    """Send a text message. Raises `SmsUnavailable`."""
    try:
        if not _senders:
            raise NotSent
        _senders[0](message)
    except NotSent as failure:
        raise SmsUnavailable from failure
