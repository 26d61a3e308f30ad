"""The electronic card: every member has one, whether or not a printed card was given out.

Its number is that of the card in use, otherwise the member number. Tills read both, and the length says which it is.
"""

import io
from dataclasses import dataclass
from typing import Final

import segno

from members.models import Card, Member
from members.services.tokens import MemberIsClosed

#: How wide the picture of the square code is, in dots for each of its cells.
_PICTURE_SCALE: Final = 12


@dataclass(frozen=True, slots=True)
class ElectronicCard:
    """What stands on the electronic card of a member. `card_no` is that of the card in use; None without one."""

    member_no: str
    card_no: str | None

    @property
    def number(self) -> str:
        """What the till reads."""
        return self.card_no or self.member_no

    @property
    def svg(self) -> str:
        """The square code as an SVG document that takes any size."""
        return svg_of(self.number)

    @property
    def picture(self) -> str:
        """The square code as the address of a PNG picture (`data:`), to be sent on."""
        return _square(self.number).png_data_uri(scale=_PICTURE_SCALE)


def svg_of(text: str) -> str:
    """Return the square code of a text as an SVG document that takes any size."""
    stream = io.BytesIO()
    _square(text).save(
        stream, kind="svg", xmldecl=False, omitsize=True, nl=False, light="#fff", svgclass=None, lineclass=None
    )
    return stream.getvalue().decode()


def _square(text: str) -> segno.QRCode:
    """Return a code of the usual size, as tills seldom read the tiny forms; a quarter of it may be hidden."""
    return segno.make_qr(text, error="q")


def electronic_card_of(member: Member) -> ElectronicCard:
    """Return the electronic card of a member. Raises `MemberIsClosed`: who has left, or was merged, has none."""
    if member.status == Member.Status.CLOSED:
        raise MemberIsClosed
    in_use = Card.objects.filter(member=member, state=Card.State.IN_USE)
    return ElectronicCard(member.member_no, in_use.values_list("number", flat=True).first())
