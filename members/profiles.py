"""What is known of a member beyond the fixed fields, as it is read; and how complete that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.models import AttributeChoice, AttributeValue, Member, MemberAttribute

Value = str | Decimal | date | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class Detail:
    """A detail in use, with what is known of a member: the plain value, and its answers by code where it has a list."""

    attribute: MemberAttribute
    answers: Mapping[str, str]
    value: Value

    @property
    def words(self) -> str:
        """The value in the active language, with its unit; empty when nothing is known."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return _("yes") if self.value else _("no")
        if isinstance(self.value, list):
            return _(", ").join(self.answers.get(code, code) for code in self.value)
        if isinstance(self.value, Decimal):
            figure = f"{self.value.normalize():f}"
            return f"{figure} {self.attribute.unit}" if self.attribute.unit else figure
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of a complete profile is known: in percent, and the names of what is missing."""

    percent: int
    missing: Sequence[str | Promise]


_FIXED: Final[Mapping[str, Promise]] = {
    "full_name": gettext_lazy("name"),
    "phone": gettext_lazy("phone"),
    "email": gettext_lazy("e-mail"),
    "birthday": gettext_lazy("birthday"),
}


def details_of(member_id: int) -> list[Detail]:
    """Return all details in use in their order, with what is known of a member: three queries."""
    attributes = list(MemberAttribute.objects.filter(is_on=True))
    known = {
        value.attribute_id: value
        for value in AttributeValue.objects.filter(member_id=member_id, attribute__in=attributes)
    }
    answers: dict[int, dict[str, str]] = {attribute.pk: {} for attribute in attributes}
    for choice in AttributeChoice.objects.filter(attribute__in=attributes):
        answers[choice.attribute_id][choice.code] = choice.name
    return [Detail(one, answers[one.pk], _value(known.get(one.pk), one)) for one in attributes]


def completeness_of(member: Member, details: Sequence[Detail]) -> Completeness:
    """Return how complete a profile is: name, phone, e-mail, birthday, home store, and the details that staff count."""
    person = getattr(member, "person", None)
    wanted: list[tuple[str | Promise, bool]] = [
        (label, bool(getattr(person, name, None))) for name, label in _FIXED.items()
    ]
    wanted.append((gettext_lazy("home store"), member.home_store_id is not None))
    wanted += [(one.attribute.name, one.value is not None) for one in details if one.attribute.counts]
    missing = [label for label, is_known in wanted if not is_known]
    return Completeness(100 * (len(wanted) - len(missing)) // len(wanted), missing)


def regions_within(region_id: int) -> list[int]:
    """Return the ids of a region and of all its parts, to any depth."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE within AS (
                SELECT %s::bigint AS id
                UNION
                SELECT r.id FROM members_region r JOIN within w ON r.parent_id = w.id
            )
            SELECT id FROM within ORDER BY id
            """,
            [region_id],
        )
        return [row[0] for row in cursor.fetchall()]


def _value(value: AttributeValue | None, attribute: MemberAttribute) -> Value:
    if value is None:
        return None
    columns: dict[str, Any] = {
        MemberAttribute.Kind.TEXT: value.text,
        MemberAttribute.Kind.NUMBER: value.number,
        MemberAttribute.Kind.DATE: value.date,
        MemberAttribute.Kind.YES_NO: value.flag,
        MemberAttribute.Kind.CHOICE: value.codes,
        MemberAttribute.Kind.CHOICES: value.codes,
    }
    found: Value = columns[attribute.kind]
    return found
