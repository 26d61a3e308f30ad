"""What conditions may ask about a member: facts, registered by the floor that owns them.

A fact is one scalar SQL expression over the alias `m` (a row of members_member). The value of one member and the test
of a whole set come from the same expression, so they can not differ. A fact may have parameters ("orders in the last
30 days"); a use of it is written as one string, `rewards.orders?days=30`, which is the key of its value everywhere.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from members.queries import MemberNotFound, programme
from members.refusals import MembersRefusal

FactKind = Literal["number", "money", "choice", "date", "bool", "count"]
FactValue = int | Decimal | str | date | bool | None
FactValues = Mapping[str, FactValue]
Args = Mapping[str, int | str]
#: Returns labels by code in the active language: of the codes asked for, or of all (None).
Choices = Callable[[Collection[str] | None], Mapping[str, str]]

#: The key under which the values of facts hold the business date of their moment.
TODAY: Final = "today"
MOST_FACTS: Final = 60

_KEY = re.compile(r"^[a-z]+\.[a-z][a-z0-9_]*$")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_RESERVED = frozenset({"at", "zone"})


class FactUnknown(MembersRefusal):
    """There is no such fact, or not with these parameters."""

    code = "fact_unknown"
    text = _("There is no fact “%(fact)s”.")
    status = 422


@dataclass(frozen=True, slots=True)
class FactParam:
    """What a fact must be told: a whole number between two bounds, or (with `choices`) a code out of a list."""

    name: str
    label: Promise | str
    least: int = 1
    most: int = 1_098
    default: int | str = 30
    choices: Choices | None = None

    def read(self, text: str) -> int | str | None:
        """Return the value that a text stands for, or None when it is none. Codes are not looked up."""
        if self.choices is not None:
            return text if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text) else None
        if not re.fullmatch(r"[0-9]{1,6}", text):
            return None
        number = int(text)
        return number if self.least <= number <= self.most else None


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of a member.

    `sql` is a scalar expression over the alias m; it may use `%(at)s` (the moment), `%(zone)s` (the programme's zone)
    and `%(name)s` of its own parameters, and may not use the alias `asked`. It looks at what happened before the moment, never at it or later, and yields
    NULL where nothing is known. `label` names the fact in lists; `phrase` says it with its parameters; `unit` is what
    stands after a figure in forms; `figure` writes a figure with its unit in the right plural. The value of a fact that
    `is_personal` is never stored with what it decided.

    What keeps live segments up: `changed_by` are the floors, or the kinds, of the timeline entries after which the value may
    be another (None: after any entry of the member). A value that depends on `%(at)s` also changes with time alone: `next_change` is a scalar
    expression for a later moment until which that does not happen (NULL: never), with the same placeholders;
    `grows_daily` says that it is one more at each local midnight. Without either it is compared for everybody every night.
    """

    key: str
    label: Promise | str
    kind: FactKind
    sql: str
    unit: Promise | str = ""
    choices: Choices | None = None
    params: tuple[FactParam, ...] = ()
    phrase: Callable[[Args], str] | None = None
    figure: Callable[[int], str] | None = None
    is_personal: bool = False
    changed_by: frozenset[str] | None = None
    next_change: str = ""
    grows_daily: bool = False

    @property
    def is_still(self) -> bool:
        """Whether the value never changes with time alone."""
        return "%(at)s" not in self.sql


@dataclass(frozen=True, slots=True)
class FactUse:
    """A fact with its parameters filled in."""

    fact: Fact
    args: tuple[tuple[str, int | str], ...] = ()

    @property
    def key(self) -> str:
        """The one way to write this use: `rewards.orders?days=30`."""
        return f"{self.fact.key}?{urlencode(self.args)}" if self.args else self.fact.key

    def words(self) -> str:
        """Return what the fact is, in the active language."""
        return self.fact.phrase(dict(self.args)) if self.fact.phrase else str(self.fact.label)

    def sql(self, prefix: str, *, at: str = "%(at)s", zone: str = "%(zone)s") -> tuple[str, dict[str, Any]]:
        """Return the expression with its placeholders made unique by `prefix`, and their values.

        `at` and `zone` are the SQL that stands for the moment and for the zone: a placeholder, or a column.
        """
        return self._filled(self.fact.sql, prefix, at, zone)

    def next_change_sql(
        self, prefix: str, *, at: str = "%(at)s", zone: str = "%(zone)s"
    ) -> tuple[str, dict[str, Any]] | None:
        """Return, likewise, until when the value can not change with time alone; None where the fact does not say."""
        return self._filled(self.fact.next_change, prefix, at, zone) if self.fact.next_change else None

    def _filled(self, sql: str, prefix: str, at: str, zone: str) -> tuple[str, dict[str, Any]]:
        names = {name: f"{prefix}_{name}" for name, _value in self.args}
        shared = {"at": f"{at}::timestamptz", "zone": f"{zone}::text"}
        text = _PLACEHOLDER.sub(lambda found: shared.get(found[1]) or f"%({names[found[1]]})s", sql)
        return f"({text})", {names[name]: value for name, value in self.args}


_facts: dict[str, Fact] = {}


def register_fact(fact: Fact) -> None:
    """Register a fact, once, from `AppConfig.ready()`. Raises ValueError for a key that is malformed or taken."""
    names = {param.name for param in fact.params}
    used = set(_PLACEHOLDER.findall(fact.sql)) - _RESERVED
    used_later = set(_PLACEHOLDER.findall(fact.next_change)) - _RESERVED
    if not _KEY.match(fact.key) or names & _RESERVED or used != names or not used_later <= names:
        raise ValueError(f"{fact.key} is no well-formed fact")
    if _facts.setdefault(fact.key, fact) is not fact:
        raise ValueError(f"{fact.key} is registered twice")


def facts() -> list[Fact]:
    """Return all facts, those of lower floors first, in the order of their registration."""
    return list(_facts.values())


def fact(key: str) -> Fact:
    """Return the fact with this key (without parameters). Raises `FactUnknown`."""
    found = _facts.get(key)
    if found is None:
        raise FactUnknown(fact=key)
    return found


def use_of(key: str) -> FactUse:
    """Return the use that a key with its parameters names. Raises `FactUnknown`, also for a parameter that does not fit."""
    name, _mark, query = key.partition("?")
    known = fact(name)
    given = parse_qsl(query, keep_blank_values=True)
    if len(given) != len(known.params) or {arg for arg, _text in given} != {param.name for param in known.params}:
        raise FactUnknown(fact=key[:120])
    texts = dict(given)
    values = [(param.name, param.read(texts[param.name])) for param in known.params]
    args = tuple((arg, value) for arg, value in values if value is not None)
    if len(args) != len(values):
        raise FactUnknown(fact=key[:120])
    return FactUse(known, args)


def use(key: str, **args: int | str) -> FactUse:
    """Return the use of a fact with these parameters. Raises `FactUnknown`."""
    return use_of(f"{key}?{urlencode(args)}" if args else key)


_remembered: ContextVar[dict[Choices, Mapping[str, str]] | None] = ContextVar("remembered choices", default=None)


@contextmanager
def choices_remembered() -> Iterator[None]:
    """Within it, what there is to choose from is looked up once, for pages with many conditions in words."""
    token = _remembered.set({})
    try:
        yield
    finally:
        _remembered.reset(token)


def labels(choices: Choices, codes: Collection[str]) -> Mapping[str, str]:
    """Return the labels of codes in the active language; those that are gone are missing."""
    known = _remembered.get()
    if known is None:
        return choices(codes)
    if choices not in known:
        known[choices] = choices(None)
    return known[choices]


def values_for(member_id: int, keys: Iterable[str], at: datetime) -> dict[str, FactValue]:
    """Return the values of facts of one member at a moment by key, in one statement; and the business date as TODAY.

    Without keys nothing is asked of the database. Raises `FactUnknown`, `MemberNotFound`.
    """
    found = values_for_many(keys, [(member_id, at)])[0]
    if found is None:
        raise MemberNotFound
    return found


def values_for_many(keys: Iterable[str], members: Sequence[tuple[int, datetime]]) -> list[dict[str, FactValue] | None]:
    """Return the values of facts of many (member, moment) in the order asked, in one statement; None for nobody.

    For pages of rows: the caller bounds how many. Raises `FactUnknown`.
    """
    tz = programme().tz
    today = [moment.astimezone(tz).date() for _member_id, moment in members]
    uses = [use_of(key) for key in dict.fromkeys(keys)]
    if len(uses) > MOST_FACTS:
        raise ValueError(f"{len(uses)} facts at once are more than {MOST_FACTS}")
    if not uses or not members:
        return [{TODAY: day} for day in today]
    params: dict[str, Any] = {
        "zone": tz.key,
        "members": [member_id for member_id, _moment in members],
        "moments": [moment for _member_id, moment in members],
    }
    columns = []
    for number, one in enumerate(uses):
        text, more = one.sql(f"f{number}", at="asked.moment")
        columns.append(text)
        params |= more
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id IS NOT NULL, {", ".join(columns)}
            FROM unnest(%(members)s::bigint[], %(moments)s::timestamptz[]) WITH ORDINALITY AS asked (member_id, moment, n)
            LEFT JOIN members_member m ON m.id = asked.member_id
            ORDER BY asked.n
            """,  # noqa: S608 - the expressions are those of registered facts
            params,
        )
        rows = cursor.fetchall()
    return [
        {TODAY: day, **{one.key: value for one, value in zip(uses, row[1:], strict=True)}} if row[0] else None
        for day, row in zip(today, rows, strict=True)
    ]
