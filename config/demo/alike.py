"""Members of the demo who look like one person: each pair for another reason, one of them merged already."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from config.demo.people import Person
from members.actors import Actor
from members.models import Card, Identity
from members.services.cards import bind_card
from members.services.duplicates import find_duplicates
from members.services.identities import link_identity
from members.services.merging import MergeInTheWay, merge_members

#: So many members are needed for the pairs.
LEAST_PEOPLE: Final = 60
_SAME_NAME, _SAME_SOUND, _PHONE, _UNIONID, _CARD, _MERGED = range(6)
_SOUNDS_ALIKE: Final = ("李晓雨", "李小雨")
_UNION: Final = "oU7kMaitianDemo00000000000001"


def make_alike(people: Sequence[Person]) -> None:
    """Let some who join late have the names and birthdays of some who joined before."""
    if len(people) < LEAST_PEOPLE:
        return
    for number in (_SAME_NAME, _PHONE, _CARD, _MERGED):
        early, late = _pair(people, number)
        late.name = early.name
        if number in (_SAME_NAME, _MERGED):
            late.birthday = early.birthday = early.birthday or late.birthday or _some_birthday(people)
    early, late = _pair(people, _SAME_SOUND)
    early.name, late.name = _SOUNDS_ALIKE
    early.birthday = late.birthday = early.birthday or late.birthday or _some_birthday(people)


def tell_alike(people: Sequence[Person], *, by: Actor, at: datetime) -> None:
    """Let other systems tell of them, find all pairs, and merge one."""
    if len(people) < LEAST_PEOPLE:
        return
    early, late = _pair(people, _PHONE)
    phone = early.phone.removeprefix("+86")
    _link(late, Identity.Kind.EXTERNAL, "旧收银系统", f"0086 {phone[:3]} {phone[3:7]} {phone[7:]}", at)
    for person, app in zip(_pair(people, _UNIONID), ("麦田开放平台", "麦田商城"), strict=True):
        _link(person, Identity.Kind.WECHAT_UNIONID, app, _UNION, at)
    early, late = _pair(people, _CARD)
    card = Card.objects.filter(member_id=early.member_id, state=Card.State.IN_USE).first()
    stock = Card.objects.filter(state=Card.State.IN_STOCK).order_by("pk").first()
    if card is None and stock is not None:
        card = bind_card(member_id=early.member_id, number=stock.number, by=by, at=at)
    if card is not None:
        _link(late, Identity.Kind.EXTERNAL, "旧收银系统", card.number, at)
    find_duplicates(at=at)
    early, late = _pair(people, _MERGED)
    try:
        merge_members(
            kept_id=early.member_id, merged_id=late.member_id, reason="会员换了手机号，重复入会", by=by, at=at
        )
    except MergeInTheWay:
        return  # something is open; staff would wait


def those_alike(people: Sequence[Person]) -> frozenset[int]:
    """Return the ids of all who have a double."""
    if len(people) < LEAST_PEOPLE:
        return frozenset()
    return frozenset(person.member_id for number in range(_MERGED + 1) for person in _pair(people, number))


def _pair(people: Sequence[Person], number: int) -> tuple[Person, Person]:
    """Return an early and a late member; each number has its own two."""
    return people[len(people) // 2 + number], people[-(8 + number)]


def _some_birthday(people: Sequence[Person]) -> date | None:
    return next(person.birthday for person in people if person.birthday is not None)


def _link(person: Person, kind: Identity.Kind, issuer: str, value: str, at: datetime) -> None:
    link_identity(
        member_id=person.member_id, kind=kind, issuer=issuer, value=value, by=Actor("member", person.member_id), at=at
    )
