"""Ways to reach a member. One module for each; all of them look alike to the outbox."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from members.models import MemberPerson


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, ready to go: where to, and what it says. Lives only while it is being sent."""

    message_id: int
    address: str
    title: str
    body: str


class NotDelivered(Exception):
    """The other side did not take the letter. `lasting` says that trying again is in vain."""

    def __init__(self, *, lasting: bool) -> None:
        super().__init__("lasting" if lasting else "passing")
        self.lasting = lasting


class Channel(Protocol):
    """How one channel finds a member's address and hands a letter over."""

    missing_address: ClassVar[str]

    def address_of(self, person: MemberPerson | None) -> str:
        """Return where the member is reached, or an empty string when this channel can not reach the member."""

    def send(self, letter: Letter) -> None:
        """Hand the letter over, or raise NotDelivered. Called outside of any transaction."""
