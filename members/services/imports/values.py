"""One row of a file of members as values that can be written, or the sentence that says why it can not be."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.figures import grouped
from members.models import MemberImport, Store
from members.names import clean_name
from members.phones import InvalidPhone, parse_phone
from members.queries import programme, region
from members.services.enrolment import InvalidEmail, clean_email
from members.services.imports.fields import EXTERNAL_ID, POINTS
from members.tables.refused import READING_REASONS, UNWRITABLE, UnreadableRow, shorten

MOST_POINTS: Final = 10_000_000
_LONGEST_NAME = 80
_LONGEST_ID = 120
_LONGEST_EMAIL = 254
_KEPT_CELL = 200
_EARLIEST: Final = date(1900, 1, 1)

NOBODY_NAMED: Final = _("The row has no phone, no e-mail address and no number in the other system.")
BAD_PHONE: Final = _("“%(value)s” in column “%(column)s” is no valid phone number.")
BAD_EMAIL: Final = _("“%(value)s” in column “%(column)s” is no valid e-mail address.")
BAD_DATE: Final = _("“%(value)s” in column “%(column)s” is no date.")
DATE_TOO_EARLY: Final = _("“%(value)s” in column “%(column)s” lies before the year 1900.")
DATE_AHEAD: Final = _("“%(value)s” in column “%(column)s” lies in the future.")
BAD_POINTS: Final = _("“%(value)s” in column “%(column)s” is no whole number of points from 0 to %(most)s.")
UNKNOWN_STORE: Final = _("There is no store “%(value)s” (column “%(column)s”).")
UNKNOWN_LANGUAGE: Final = _("“%(value)s” in column “%(column)s” is none of the languages: %(languages)s.")
TOO_LONG: Final = _("“%(value)s” in column “%(column)s” is longer than %(most)s characters.")

_ISO = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_LANGUAGES: Final[Mapping[str, str]] = {
    "zh-hans": "zh-hans", "zh": "zh-hans", "zh-cn": "zh-hans", "zh-sg": "zh-hans", "简体": "zh-hans", "简体中文": "zh-hans", "中文": "zh-hans",
    "zh-hant": "zh-hant", "zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant", "繁体": "zh-hant", "繁體": "zh-hant", "繁體中文": "zh-hant",
    "en": "en", "en-us": "en", "en-gb": "en", "english": "en", "英文": "en", "英语": "en", "英語": "en",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GoodRow:
    """A row as it will be written."""

    number: int
    cells: Sequence[str]
    external_id: str | None = None
    full_name: str = ""
    phone: str | None = None
    email: str | None = None
    birthday: date | None = None
    language: str = ""
    home_store_id: int | None = None
    joined_at: datetime | None = None
    points: int = 0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can not be written: its cells by column, and a translatable sentence with what fills it."""

    number: int
    cells: Mapping[str, str]
    reason: Promise
    params: Mapping[str, Any] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(self, reason: Promise, **params: Any) -> None:
        super().__init__()
        self.reason = reason
        self.params = params


class RowReader:
    """Reads rows by the mapping of an import. Stores are looked up once."""

    def __init__(self, member_import: MemberImport, at: datetime) -> None:
        self._columns = list(member_import.columns)
        self._column_of = {meaning: column for column, meaning in member_import.fields.items()}
        self._tz = programme().tz
        self._region = region()
        self._today = at.astimezone(self._tz).date()
        self._stores = _stores() if "home_store" in self._column_of else {}

    def read(self, number: int, cells: Mapping[str, str]) -> GoodRow | BadRow:
        """Return what a row says."""
        if isinstance(cells, UnreadableRow):
            kept = {name: shorten(text, _KEPT_CELL) for name, text in cells.items()}
            params = {name: shorten(str(value)) for name, value in cells.params.items()}
            return BadRow(number, kept, READING_REASONS[cells.code], params)
        try:
            return self._good(number, cells)
        except _Refused as refused:
            kept = {name: shorten(text, _KEPT_CELL) for name, text in cells.items()}
            return BadRow(number, kept, refused.reason, refused.params)

    def _good(self, number: int, cells: Mapping[str, str]) -> GoodRow:
        def text(meaning: str) -> str:
            return cells.get(self._column_of.get(meaning, ""), "").strip()

        external_id, phone, email = text(EXTERNAL_ID), text("phone"), text("email")
        if not (external_id or phone or email):
            raise _Refused(NOBODY_NAMED)
        born, joined = text("birthday"), text("joined_at")
        return GoodRow(
            number,
            [cells.get(column, "") for column in self._columns],
            external_id=self._short(EXTERNAL_ID, external_id, _LONGEST_ID) or None,
            full_name=self._short("full_name", clean_name(text("full_name")), _LONGEST_NAME),
            phone=self._phone(phone) if phone else None,
            email=self._email(email) if email else None,
            birthday=self._day("birthday", born) if born else None,
            language=self._language(text("language")),
            home_store_id=self._store(text("home_store")),
            joined_at=datetime.combine(self._day("joined_at", joined), time(), self._tz) if joined else None,
            points=self._points(text(POINTS)),
        )

    def _refused(self, reason: Promise, meaning: str, value: str, **params: Any) -> _Refused:
        shown = UNWRITABLE.sub("\ufffd", shorten(value))
        return _Refused(reason, value=shown, column=self._column_of[meaning], **params)

    def _short(self, meaning: str, text: str, most: int) -> str:
        if len(text) > most:
            raise self._refused(TOO_LONG, meaning, text, most=most)
        return text

    def _phone(self, text: str) -> str:
        try:
            return parse_phone(unicodedata.normalize("NFKC", text), region=self._region)
        except InvalidPhone:
            raise self._refused(BAD_PHONE, "phone", text) from None

    def _email(self, text: str) -> str:
        try:
            return clean_email(self._short("email", text, _LONGEST_EMAIL))
        except InvalidEmail:
            raise self._refused(BAD_EMAIL, "email", text) from None

    def _day(self, meaning: str, text: str) -> date:
        found = _ISO.fullmatch(text) or _COMPACT.fullmatch(text)
        try:
            day = date(*(int(part) for part in found.groups())) if found else None
        except ValueError:
            day = None
        if day is None:
            raise self._refused(BAD_DATE, meaning, text)
        if day < _EARLIEST:
            raise self._refused(DATE_TOO_EARLY, meaning, text)
        if day > self._today:
            raise self._refused(DATE_AHEAD, meaning, text)
        return day

    def _language(self, text: str) -> str:
        if not text:
            return ""
        known = _LANGUAGES.get(text.lower().replace("_", "-"))
        if known is None:
            languages = ", ".join(code for code, _name in settings.LANGUAGES)
            raise self._refused(UNKNOWN_LANGUAGE, "language", text, languages=languages)
        return known

    def _store(self, text: str) -> int | None:
        if not text:
            return None
        if text.casefold() not in self._stores:
            raise self._refused(UNKNOWN_STORE, "home_store", text)
        return self._stores[text.casefold()]

    def _points(self, text: str) -> int:
        if not text:
            return 0
        plain = unicodedata.normalize("NFKC", text).replace(",", "")
        whole, _mark, rest = plain.partition(".")
        if not (whole.isascii() and whole.isdigit() and not rest.strip("0")) or len(whole) > len(str(MOST_POINTS)):
            raise self._refused(BAD_POINTS, POINTS, text, most=grouped(MOST_POINTS))
        if int(whole) > MOST_POINTS:
            raise self._refused(BAD_POINTS, POINTS, text, most=grouped(MOST_POINTS))
        return int(whole)


def _stores() -> dict[str, int]:
    """Return stores by code and by name, in small letters; a name that two stores share names neither."""
    rows = list(Store.objects.order_by("pk"))
    names: dict[str, list[int]] = {}
    for store in rows:
        for tag, _name in settings.LANGUAGES:
            name = getattr(store, f"name_{tag.replace('-', '_')}", None)
            if name:
                names.setdefault(name.casefold(), []).append(store.pk)
    shared = {name: ids[0] for name, ids in names.items() if len(set(ids)) == 1}
    return shared | {store.code.casefold(): store.pk for store in rows}
