"""How the ground floor finds a member: number, phone, four digits and a surname, e-mail, card, name in another system, code."""

import re
from typing import Final

from django.db.models import F, Q
from django.db.models.functions import Lower, Right
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from members.finding import Finder, Found, Look, register_finder
from members.models import Card, Identity, Member, MemberPerson
from members.names import search_keys
from members.phones import InvalidPhone, parse_phone
from members.queries import region
from members.services.member_codes import member_of_code

MOST: Final = 10
_NUMBER: Final = re.compile(r"[0-9]{6,20}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{4,38}")
_CODE: Final = re.compile(r"([0-9] ?){20}")
_CARD: Final = re.compile(r"[0-9A-Za-z-]{4,40}")
_TAIL_AND_NAME: Final = (
    re.compile(r"(?P<tail>[0-9]{4})\s*(?P<name>[^0-9\s][^0-9]*)"),
    re.compile(r"(?P<name>[^0-9\s][^0-9]*?)\s*(?P<tail>[0-9]{4})"),
)


def register() -> None:
    """Register the look-ups of members."""
    for order, (name, label, find) in enumerate(
        (
            ("phone", _("phone"), _by_phone),
            ("tail", _("last four digits and surname"), _by_tail_and_name),
            ("number", _("member number"), _by_number),
            ("email", _("e-mail"), _by_email),
            ("card", _("card number"), _by_card),
            ("identity", _("id in another system"), _by_identity),
            ("code", _("code on the phone"), _by_code),
        )
    ):
        register_finder(Finder(f"members.{name}", label, find, order))


def _by_phone(look: Look) -> Found:
    if not _PHONE.fullmatch(look.text):
        return None
    try:
        number = parse_phone(look.text, region=region())
    except InvalidPhone:
        return None
    return list(MemberPerson.objects.filter(phone=number).values_list("pk", flat=True))


def _by_tail_and_name(look: Look) -> Found:
    """The surname may be written in characters or in Latin letters, before or after the digits."""
    read = next((match for form in _TAIL_AND_NAME if (match := form.fullmatch(look.text))), None)
    if read is None:
        return None
    name = read["name"].strip()
    pinyin = search_keys(name)[0] if name.isascii() else ""
    if name.isascii() and len(pinyin) < 2:
        return None
    wanted = Q(full_name__startswith=name)
    if pinyin:
        wanted |= Q(name_pinyin__startswith=pinyin) | Q(full_name__iendswith=f" {name}")
    tail = Exact(Right(F("phone"), 4), read["tail"])
    return list(
        MemberPerson.objects.filter(tail).filter(wanted).order_by("pk").values_list("pk", flat=True)[: MOST + 1]
    )


def _by_number(look: Look) -> Found:
    if not _NUMBER.fullmatch(look.text):
        return None
    return list(Member.objects.filter(member_no=look.text).values_list("pk", flat=True))


def _by_email(look: Look) -> Found:
    if "@" not in look.text:
        return None
    people = MemberPerson.objects.filter(Exact(Lower("email"), look.text.lower()))
    return list(people.values_list("pk", flat=True))


def _by_card(look: Look) -> Found:
    """Also cards that were lost or replaced: whoever has one in hand may be looking for its owner."""
    if not _CARD.fullmatch(look.text):
        return None
    cards = Card.objects.filter(number=look.text, member__isnull=False)
    return list(cards.values_list("member_id", flat=True))


def _by_code(look: Look) -> Found:
    """The code that the member's phone shows now."""
    if not _CODE.fullmatch(look.text):
        return None
    member_id = member_of_code(code=look.text, at=look.at)
    return [] if member_id is None else [member_id]


def _by_identity(look: Look) -> Found:
    """An openid, or a customer number of a shop; the same may be known in several shops."""
    if len(look.text) < 4 or " " in look.text or "@" in look.text:
        return None
    known = Identity.objects.filter(value=look.text).order_by("pk")
    return list(known.values_list("member_id", flat=True)[: MOST + 1])
