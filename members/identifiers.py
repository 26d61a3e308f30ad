"""Public ids: a prefix that says what it is, and 128 random bits in Crockford's base 32, as in `mem_3w4v…`.

They say nothing about numbers or order, and can not be guessed. Member numbers, in contrast, are for people.
"""

from typing import Final
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from members.refusals import MembersRefusal

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH: Final = 26  # of 130 bits the first two are always zero

MEMBER: Final = "mem"
STORE: Final = "sto"
PURCHASE: Final = "ord"
RETURN: Final = "ret"
ENTRY: Final = "ent"
REWARD: Final = "rwd"
REDEMPTION: Final = "rdm"
VOUCHER: Final = "vch"
VOUCHER_OFFER: Final = "vof"
VOUCHER_GIFT: Final = "vgf"
JOB: Final = "job"
SEGMENT: Final = "seg"
ENTITLEMENT: Final = "etl"
SHOWN: Final = "shw"
CODE_DEVICE: Final = "mcd"
EVENT: Final = "evt"
SESSION: Final = "ses"
ONE_TIME_CODE: Final = "otc"
WEBHOOK: Final = "whk"
QUOTE: Final = "quo"
ORDER_HOLD: Final = "hol"
BATCH: Final = "bat"
PROPOSAL: Final = "prp"
TRANSFER: Final = "trf"
MESSAGE: Final = "msg"


class NotFound(MembersRefusal):
    """There is nothing of this name, or nothing that the caller may see."""

    code = "not_found"
    text = _("There is nothing at this address.")
    status = 404


def public_ref(prefix: str, public_id: UUID) -> str:
    """Return the public form of an id: the prefix, an underscore and 26 lower-case characters."""
    number = public_id.int
    characters = []
    for _digit in range(_LENGTH):
        number, value = divmod(number, 32)
        characters.append(_ALPHABET[value])
    return f"{prefix}_{''.join(reversed(characters))}"


def parse_ref(prefix: str, text: str) -> UUID:
    """Return the id behind a public form; capitals are read too. Raises `NotFound` for everything else."""
    kind, separator, body = text.lower().partition("_")
    if kind != prefix or not separator or len(body) != _LENGTH or not all(character in _VALUES for character in body):
        raise NotFound
    number = 0
    for character in body:
        number = number * 32 + _VALUES[character]
    if number >> 128:
        raise NotFound
    return UUID(int=number)
