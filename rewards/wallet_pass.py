"""The membership card as a pass for the wallet of a phone: number and square code, tier and points as of now."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from loyalty.models import Tier
from loyalty.queries import standing_of, tiers
from members.electronic_card import ElectronicCard, electronic_card_of
from members.identifiers import MEMBER, public_ref
from members.models import Member, MemberPerson
from members.names import mask_name
from members.queries import programme
from members.wallet.credentials import credentials_at
from members.wallet.files import FOLDERS, pass_file
from rewards.queries import Balance, balance_of

_DARK_ENOUGH: Final = 140  # of 255: on darker grounds white is read, on lighter ones black
_WHITE: Final = "rgb(255, 255, 255)"
_BLACK: Final = "rgb(0, 0, 0)"
_INVISIBLE: Final = "\u200b"


def wallet_pass_of(member: Member, at: datetime) -> bytes:
    """Return the signed pass of a member with tier and points as of `at`. The same member's next pass takes its place.

    The name on it is masked: a pass is seen on locked phones and across the counter.
    Raises `WalletPassUnavailable`, `MemberIsClosed`.
    """
    credentials = credentials_at(at)
    card = electronic_card_of(member)
    held = standing_of(member.pk, at).tier
    tier = next(one for one in tiers() if one.code == held.code)
    name = MemberPerson.objects.filter(pk=member.pk).values_list("full_name", flat=True).first()
    balance = balance_of(member.pk, at)
    words = {language: _words(language, tier) for language in FOLDERS}
    own = _distinct(words, member.language if member.language in words else settings.LANGUAGE_CODE)
    about = {
        "serialNumber": public_ref(MEMBER, member.public_id),
        "organizationName": own["programme"],
        "logoText": own["programme"],
        "description": own["description"],
        "sharingProhibited": True,
        **_colours(tier.colour),
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": card.number,
                "messageEncoding": "iso-8859-1",
                "altText": card.number,
            }
        ],
        "storeCard": _fields(own, card, mask_name(name or ""), balance, at),
    }
    texts = {language: {own[key]: text for key, text in spoken.items()} for language, spoken in words.items()}
    return pass_file(about=about, texts=texts, credentials=credentials)


def _words(language: str, tier: Tier) -> dict[str, str]:
    """Return every text of the pass in a language, by what it says."""
    with override(language):
        current = programme()
        return {
            "programme": current.name,
            "description": _("Membership card of %(programme)s") % {"programme": current.name},
            "points": current.points_name,
            "tier": _("Tier"),
            "tier_name": tier.name,
            "name": _("Member"),
            "number": _("Member number"),
            "as_of": _("As of"),
            "about": _("About this card"),
            "note": _(
                "Tier and points are those of the moment at which this card was taken. What counts is what the till and the app show."
            ),
        }


def _distinct(words: Mapping[str, Mapping[str, str]], language: str) -> dict[str, str]:
    """Return the words of the pass itself, in the member's language.

    A wallet finds its translations by these words. Two that are alike here and differ elsewhere (a tier called “Member”)
    are told apart by a character that nobody sees.
    """
    found: dict[str, str] = {}
    said: dict[str, tuple[str, ...]] = {}
    for key in words[language]:
        everywhere = tuple(spoken[key] for spoken in words.values())
        found[key] = words[language][key]
        while said.setdefault(found[key], everywhere) != everywhere:
            found[key] += _INVISIBLE
    return found


def _fields(own: Mapping[str, str], card: ElectronicCard, name: str, balance: Balance, at: datetime) -> dict[str, Any]:
    who = [{"key": "name", "label": own["name"], "value": name}] if name else []
    as_of = {"dateStyle": "PKDateStyleMedium", "timeStyle": "PKDateStyleShort", "value": _to_the_second(at)}
    return {
        "headerFields": [{"key": "points", "label": own["points"], "value": balance.available}],
        "primaryFields": [{"key": "tier", "label": own["tier"], "value": own["tier_name"]}],
        "secondaryFields": [*who, {"key": "number", "label": own["number"], "value": card.member_no}],
        "auxiliaryFields": [{"key": "as_of", "label": own["as_of"], **as_of}],
        "backFields": [{"key": "note", "label": own["about"], "value": own["note"]}],
    }


def _to_the_second(at: datetime) -> str:
    return at.astimezone(programme().tz).replace(microsecond=0).isoformat()


def _colours(ground: str) -> dict[str, str]:
    red, green, blue = _channels(ground)
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < _DARK_ENOUGH
    ink = _WHITE if is_dark else _BLACK
    return {"backgroundColor": f"rgb({red}, {green}, {blue})", "foregroundColor": ink, "labelColor": ink}


def _channels(colour: str) -> Iterator[int]:
    return (int(colour[place : place + 2], 16) for place in (1, 3, 5))
