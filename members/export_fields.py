"""What a list of members may hold, field by field: how it is read, and how it looks masked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.facts import Fact, facts
from members.names import mask_name
from members.phones import display_phone, mask_phone
from members.queries import region

PHONE: Final = "phone"
_FACT: Final = "fact:"
_NOT_OFFERED: Final = frozenset({"members.status", "members.home_store", "members.joined_date", "members.language"})


@dataclass(frozen=True, slots=True)
class ExportField:
    """One column: its SQL over m (member), p (person) and s (home store), its words, and what masking leaves of it."""

    key: str
    label: str | Promise
    sql: str
    show: Callable[[Any], Any]
    mask: Callable[[Any], Any] | None = None

    @property
    def is_personal(self) -> bool:
        """Whether it says who somebody is, so that it is masked unless somebody approved otherwise."""
        return self.mask is not None


def _same(value: Any) -> Any:
    return value


def _mask_email(value: str) -> str:
    name, _at, domain = value.partition("@")
    return f"{name[:1]}***@{domain}"


def _mask_birthday(value: date) -> str:
    return f"{value.month:02}-{value.day:02}"


def _phone(value: str) -> str:
    return display_phone(value, region=region()).replace(" ", "")


def _own_fields() -> list[ExportField]:
    return [
        ExportField("member_no", gettext_lazy("member number"), "m.member_no", _same),
        ExportField("full_name", gettext_lazy("name"), "p.full_name", _same, mask_name),
        ExportField(PHONE, gettext_lazy("phone"), "p.phone", _phone, lambda value: mask_phone(value, region=region())),
        ExportField("email", gettext_lazy("e-mail"), "p.email", _same, _mask_email),
        ExportField("birthday", gettext_lazy("birthday"), "p.birthday", _same, _mask_birthday),
        ExportField("status", gettext_lazy("status"), "m.status", _status),
        ExportField("joined_at", gettext_lazy("joined on"), "(m.joined_at AT TIME ZONE %(c_zone)s)::date", _same),
        ExportField("home_store", gettext_lazy("home store"), "s.code", _same),
        ExportField("language", gettext_lazy("language"), "m.language", _same),
    ]


def _status(value: str) -> str:
    names = {"active": _("active"), "frozen": _("frozen"), "closed": _("closed")}
    return names.get(value, value)


def export_fields() -> dict[str, ExportField]:
    """Return all fields by key: those of the person, and every fact that needs no parameters and says nothing personal."""
    found = {field.key: field for field in _own_fields()}
    for fact in facts():
        if fact.params or fact.is_personal or fact.key in _NOT_OFFERED:
            continue
        found[_FACT + fact.key] = ExportField(_FACT + fact.key, fact.label, fact.sql, _shower(fact))
    return found


def fact_sql(field: ExportField) -> str:
    """Return the expression of a field with the placeholders of a compiled condition for its moment and zone."""
    if not field.key.startswith(_FACT):
        return field.sql
    return f"({field.sql})".replace("%(at)s", "%(c_at)s::timestamptz").replace("%(zone)s", "%(c_zone)s::text")


def _shower(fact: Fact) -> Callable[[Any], Any]:
    labels: dict[str, str] = {}  # each looked up once for a whole export

    def show(value: Any) -> Any:
        if fact.kind == "bool":
            return _("yes") if value else _("no")
        if fact.choices is None:
            return value
        code = str(value)
        if code not in labels:
            labels[code] = str(fact.choices([code]).get(code, code))
        return labels[code]

    return show


def shown(fields: Sequence[ExportField], values: Sequence[Any], *, is_unmasked: bool) -> list[Any]:
    """Return one row of a file from the values of its fields."""
    row: list[Any] = []
    for field, value in zip(fields, values, strict=True):
        if value is None or value == "":
            row.append(None)
        elif field.mask is not None and not is_unmasked:
            row.append(field.mask(value))
        else:
            row.append(field.show(value))
    return row
