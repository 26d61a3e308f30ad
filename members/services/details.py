"""Recording the details that staff defined, each in the column of its type."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.models import AttributeChoice, AttributeValue, MemberAttribute
from members.names import clean_name
from members.refusals import MembersRefusal

#: What is given for a detail: its value as its type says (a date as 2026-07-05), or None to forget it.
Given = Mapping[str, Any]
TYPED_COLUMNS: Final = ("text", "number", "date", "flag", "codes")
_LARGEST = Decimal(10) ** 12
_MOST_ANSWERS = 50


class DetailUnknown(MembersRefusal):
    """There is no such detail, it is switched off, or the one who tells it may not."""

    code = "detail_unknown"
    text = _("“%(detail)s” is no detail that can be told here.")
    status = 422


class DetailInvalid(MembersRefusal):
    """The value does not have the type of the detail."""

    code = "detail_invalid"
    text = _("“%(detail)s” can not have this value.")
    status = 422


class ConsentRequired(MembersRefusal):
    """A sensitive detail without the member's own agreement."""

    code = "consent_required"
    text = _("“%(detail)s” is sensitive. It is kept only when the member agreed to it.")
    status = 422


def write_details(*, member_id: int, given: Given, agreed: Collection[str], by: Actor, at: datetime) -> list[int]:
    """Record details by code, inside the caller's transaction and under its lock of the member; return which changed.

    `agreed` names the sensitive ones that the member agreed to be kept. Raises `DetailUnknown`, `DetailInvalid`,
    `ConsentRequired`.
    """
    if not given:
        return []
    known = _attributes(given.keys())
    current = {
        value.attribute_id: value
        for value in AttributeValue.objects.filter(member_id=member_id, attribute__code__in=given.keys())
    }
    changed: list[int] = []
    for code, raw in given.items():
        attribute = known.get(code)
        if attribute is None or (by.kind == "member" and not attribute.is_open_to_members):
            raise DetailUnknown(detail=clean_name(code)[:40])
        before = current.get(attribute.pk)
        if raw is None or raw == "" or raw == []:
            if before is not None:
                before.delete()
                changed.append(attribute.pk)
            continue
        column, value = typed(attribute, raw, kept=(before.codes if before else None) or ())
        if before is not None and getattr(before, column) == value:
            continue
        if attribute.is_sensitive and code not in agreed:
            raise ConsentRequired(detail=attribute.name)
        columns = {name: value if name == column else None for name in TYPED_COLUMNS}
        AttributeValue.objects.update_or_create(
            member_id=member_id,
            attribute=attribute,
            defaults={**columns, "agreed_at": at if attribute.is_sensitive else None, "changed_at": at},
        )
        changed.append(attribute.pk)
    return changed


def typed(attribute: MemberAttribute, raw: Any, *, kept: Collection[str] = ()) -> tuple[str, Any]:
    """Return the column of the attribute's type and the value for it. Raises `DetailInvalid`.

    `kept` are the answers that the member has: they may stay when they are not offered any more.
    """
    kind = attribute.kind
    column: str = ""
    value: Any = None
    if kind == MemberAttribute.Kind.TEXT and isinstance(raw, str):
        column, value = "text", clean_name(raw)[:200] or None
    elif kind == MemberAttribute.Kind.NUMBER:
        column, value = "number", _number(raw)
    elif kind == MemberAttribute.Kind.DATE:
        column, value = "date", _date(raw)
    elif kind == MemberAttribute.Kind.YES_NO and isinstance(raw, bool):
        column, value = "flag", raw
    elif kind == MemberAttribute.Kind.CHOICE and isinstance(raw, str):
        column, value = "codes", _codes(attribute, [raw], kept)
    elif kind == MemberAttribute.Kind.CHOICES and isinstance(raw, list | tuple):
        column, value = "codes", _codes(attribute, raw, kept)
    if value is None:
        raise DetailInvalid(detail=attribute.name)
    return column, value


def _attributes(codes: Collection[str]) -> dict[str, MemberAttribute]:
    return {attribute.code: attribute for attribute in MemberAttribute.objects.filter(code__in=codes, is_on=True)}


def _number(raw: Any) -> Decimal | None:
    if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal) or len(str(raw)) > 20:
        return None
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= _LARGEST or number != number.quantize(Decimal("0.01")):
        return None
    return number


def _date(raw: Any) -> date | None:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    try:
        return date.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        return None


def _codes(attribute: MemberAttribute, raw: Collection[Any], kept: Collection[str]) -> list[str] | None:
    """Return the codes in the order of the list, or None when one of them is not offered."""
    if not raw or len(raw) > _MOST_ANSWERS or not all(isinstance(code, str) for code in raw):
        return None
    offered = AttributeChoice.objects.filter(Q(is_on=True) | Q(code__in=kept), attribute=attribute, code__in=raw)
    codes = list(offered.values_list("code", flat=True))
    return codes if set(codes) == set(raw) else None
