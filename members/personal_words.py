"""The words that say who a member is: looked for where staff write freely, and wherever a person is to be erased."""

import io
import re
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import phonenumbers
from django.db import connection
from django.utils.translation import gettext_lazy as _

from members.identifiers import MEMBER, public_ref
from members.models import Card, Identity, Member, MemberPerson
from members.refusals import MembersRefusal

_SHORTEST: Final = 2  # characters of a name; one would be found everywhere
_SHORTEST_NUMBER: Final = 6
_MANY: Final = 200
_ENCODINGS: Final = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
_MOST_UNPACKED: Final = 512 * 1024 * 1024
_BLOCK: Final = 8 * 1024 * 1024
_BETWEEN_DIGITS: Final = re.compile(r"(?<=[0-9])[ \u00a0()./-]+(?=[0-9])")
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+\.\w")
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,5}")
_LONG_NUMBER: Final = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])|\+[1-9][0-9]{7,14}(?![0-9])")


class WordsNamePerson(MembersRefusal):
    """A text that is kept for ever must not say who somebody is."""

    code = "words_name_person"
    text = _(
        "Please leave out names, phone numbers and e-mail addresses: this text is kept even when the person asks to be erased."
    )
    status = 422


@dataclass(frozen=True, slots=True)
class Traces:
    """What leads to a person: names, which others may have as well; what is theirs alone; our own names of the membership.

    In small letters. `at` is the moment of the search.
    """

    names: frozenset[str]
    certain: frozenset[str]
    references: frozenset[str]
    at: datetime

    @property
    def words(self) -> frozenset[str]:
        """What says who the person is, to others also."""
        return self.names | self.certain

    def __or__(self, other: "Traces") -> "Traces":
        """Return what leads to a person by either."""
        return Traces(
            self.names | other.names, self.certain | other.certain, self.references | other.references, other.at
        )


def traces_of(member_ids: Collection[int], at: datetime) -> Traces:
    """Return what leads to these members now."""
    names, certain = _words_of(member_ids)
    references: set[str] = set()
    for public_id, member_no in Member.objects.filter(pk__in=member_ids).values_list("public_id", "member_no"):
        references |= {public_ref(MEMBER, public_id).lower(), member_no.lower()}
    return Traces(names, certain, frozenset(references), at)


def personal_words(member_ids: Collection[int]) -> frozenset[str]:
    """Return what names these members: name, phone in each way of writing, e-mail, identities, card numbers.

    In small letters, phone numbers as bare digits with and without the code of the country.
    """
    names, certain = _words_of(member_ids)
    return names | certain


def lasting_file_name(file_name: str, moment: datetime) -> str:
    """Return what a file is called where words are kept for ever: by the moment it was read; people name files after people."""
    suffix = Path(file_name).suffix
    return f"{moment:%Y-%m-%d %H:%M}{suffix.lower() if _SUFFIX.fullmatch(suffix) else ''}"


def _words_of(member_ids: Collection[int]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of members, and what is theirs alone: phones, addresses, identities, card numbers."""
    names: set[str] = set()
    certain: set[str] = set()
    for person in MemberPerson.objects.filter(pk__in=member_ids):
        names |= {"".join(person.full_name.split()), person.full_name, person.name_pinyin}
        certain.add(person.email or "")
        if person.phone:
            certain |= {person.phone.removeprefix("+"), _national(person.phone)}
    certain |= set(Identity.objects.filter(member__in=member_ids).values_list("value", flat=True))
    certain |= set(Card.objects.filter(member__in=member_ids).values_list("number", flat=True))
    return _long_enough(names), _long_enough(certain)


def _long_enough(words: Collection[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words if len(word) >= (_SHORTEST_NUMBER if word.isascii() else _SHORTEST))


def refuse_personal_words(*texts: str, member_ids: Collection[int] = ()) -> None:
    """Raise `WordsNamePerson` where a text has a phone number or an e-mail address, or names one of the members."""
    joined = "\n".join(texts)
    plain = _BETWEEN_DIGITS.sub("", joined)
    if _ADDRESS.search(joined) or _LONG_NUMBER.search(plain):
        raise WordsNamePerson
    if not member_ids or not joined.strip():
        return
    if len(member_ids) > _MANY:
        if _names_one_of(joined, member_ids):
            raise WordsNamePerson
    elif mentions_in_text(joined, personal_words(member_ids)):
        raise WordsNamePerson


def _names_one_of(text: str, member_ids: Collection[int]) -> bool:
    """Return whether a text has the name of one of very many members."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM members_memberperson WHERE member_id = ANY (%s) AND length(full_name) >= %s "
            "AND position(lower(full_name) IN %s) > 0)",
            [list(member_ids), _SHORTEST, text.lower()],
        )
        return bool(cursor.fetchone()[0])


def names_person(text: str, person: MemberPerson | None) -> bool:
    """Return whether a text has a phone number, an e-mail address, or the name of this person."""
    if _ADDRESS.search(text) or _LONG_NUMBER.search(_BETWEEN_DIGITS.sub("", text)):
        return True
    return person is not None and len(person.full_name) >= _SHORTEST and person.full_name.lower() in text.lower()


def mentions_in_text(text: str, words: Collection[str]) -> bool:
    """Return whether a text has one of the words, in capitals or small letters, digits written in any way."""
    plain = _BETWEEN_DIGITS.sub("", text.lower())
    return any(word in plain for word in words)


def mentions_in_file(content: bytes, words: Collection[str]) -> bool:
    """Return whether a file has one of the words: a text in any usual encoding, or an archive such as xlsx of such files.

    Reads what is packed in blocks, at most half a gigabyte; an archive that is larger, or that can not be read, counts as
    one that has them.
    """
    if not content.startswith(b"PK"):
        return _in_bytes(content, words)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(_in_bytes(block, words) for block in _blocks(archive, max(map(_bytes_of, words), default=0)))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError):
        return True


def _bytes_of(word: str) -> int:
    return 4 * len(word)


def _blocks(archive: zipfile.ZipFile, overlap: int) -> Iterator[bytes]:
    """Yield what is packed, in blocks that overlap by a little more than a word, so that none is cut in two."""
    left = _MOST_UNPACKED
    for info in archive.infolist():
        with archive.open(info) as file:
            end = b""
            while block := file.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise zipfile.LargeZipFile
                yield end + block
                end = block[-(overlap + 64) :]


def _in_bytes(content: bytes, words: Collection[str]) -> bool:
    for encoding in _ENCODINGS:
        wanted = {word.encode(encoding, "ignore") for word in words}
        text = content.decode(encoding, "ignore").lower() if encoding == "utf-8" else ""
        if encoding == "utf-8" and mentions_in_text(text, words):
            return True
        if any(word and word in content for word in wanted):
            return True
    return False


def _national(phone: str) -> str:
    return phonenumbers.national_significant_number(phonenumbers.parse(phone))
