"""Who bought: members found by the keys of a file, and made where the mapping says so."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from members.actors import Actor
from members.models import Identity, Member, MemberPerson
from members.phones import InvalidPhone, parse_phone
from members.queries import region
from members.services.bulk_enrolment import NewMember, enrol_many
from rewards.services.imports.mapping import OrderMapping
from rewards.services.imports.orders import OrderDraft

_AT_ONCE = 5_000


def known_buyers(keys: Sequence[str], mapping: OrderMapping) -> dict[str, int]:
    """Return member ids by the keys of the file; two ways to write one phone number are one member."""
    kind = mapping.identity_kind
    if kind == "external":
        rows = Identity.objects.filter(issuer=mapping.identity_issuer, value__in=keys).values_list("value", "member_id")
        return dict(rows)
    if kind == "member_no":
        return dict(Member.objects.filter(member_no__in=keys).values_list("member_no", "pk"))
    phones = {key: phone for key in keys if (phone := _phone(key)) is not None}
    members = dict(MemberPerson.objects.filter(phone__in=set(phones.values())).values_list("phone", "member_id"))
    return {key: members[phone] for key, phone in phones.items() if phone in members}


def new_buyers(
    firsts: Mapping[str, OrderDraft], mapping: OrderMapping, *, channel_id: int, stores: Mapping[str, int]
) -> dict[str, NewMember]:
    """Return the members that can be made of these keys and their first orders.

    Member numbers are given by us, so none is made of one; neither of a phone number that does not exist.
    """
    made: dict[str, NewMember] = {}
    for key, draft in firsts.items():
        phone = _phone(key) if mapping.identity_kind == "phone" else None
        if mapping.identity_kind == "external" or phone is not None:
            made[key] = NewMember(
                joined_at=draft.ordered_at,
                channel_id=channel_id,
                home_store_id=stores.get(draft.store_code),
                phone=phone,
                identity=None if phone else (mapping.identity_issuer, key),
            )
    return made


def enrol_buyers(members: Iterable[NewMember], *, by: Actor, at: datetime) -> int:
    """Make members, one for each phone or identity, some thousands to a transaction; return how many."""
    wanted = list({member.phone or member.identity: member for member in reversed(list(members))}.values())[::-1]
    for start in range(0, len(wanted), _AT_ONCE):
        enrol_many(members=wanted[start : start + _AT_ONCE], by=by, at=at)
    return len(wanted)


def _phone(text: str) -> str | None:
    try:
        return parse_phone(text, region=region())
    except InvalidPhone:
        return None
