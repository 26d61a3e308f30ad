"""Who is who: the programme, and members by what names them."""

import re
import time
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _
from phonenumbers import country_code_for_region

from members.identifiers import MEMBER, NotFound, parse_ref
from members.models import Card, Identity, Member, MemberPerson, Programme
from members.phones import InvalidPhone, home_region, parse_phone
from members.plain_rows import PlainRows

_PROGRAMME_SECONDS = 5.0
_programme: tuple[float, Programme] | None = None

_BY_PUBLIC_ID = PlainRows(Member, "WHERE public_id = %s")
_MOST_BY_DIGITS = 200
_FEW_BY_NAME = 10_000
_MOST_COUNTED = 100_000
_LATIN_KEY = re.compile(r"^[a-z0-9 .'·-]+$")
_PHONE_LIKE = re.compile(r"^\+?[0-9][0-9 ()-]*$")


class MemberNotFound(NotFound):
    """Nobody is known by what was given."""

    text = _("No member is known by this.")


def programme() -> Programme:
    """Return the one programme, to be read only. Each process reads it anew every five seconds."""
    global _programme
    now = time.monotonic()
    if _programme is None or now - _programme[0] > _PROGRAMME_SECONDS:
        _programme = (now, Programme.objects.get(pk=1))
    return _programme[1]


def forget_programme() -> None:
    """Read the programme anew at the next call. For the page that changes it."""
    global _programme
    _programme = None


def status_sql(act: Member.Act, *, alias: str = "members_member") -> str:
    """Return SQL for the status that counts for an act: active, also where a freeze leaves the act open."""
    column = {
        Member.Act.EARN: "frozen_but_earns",
        Member.Act.SPEND: "frozen_but_spends",
        Member.Act.SIGN_IN: "frozen_but_signs_in",
    }[act]
    return f"CASE WHEN {alias}.status = 'frozen' AND {alias}.{column} THEN 'active' ELSE {alias}.status END"


def region() -> str:
    """Return the region that phone numbers without a country code belong to."""
    return home_region(programme().currency)


def member_by_phone(phone: str) -> Member | None:
    """Return the member who has this number, written in any usual way; None when it is nobody's or no number."""
    try:
        number = parse_phone(phone, region=region())
    except InvalidPhone:
        return None
    return _survivor(Member.objects.select_related("person").filter(person__phone=number).first())


def member_by_number(member_no: str) -> Member | None:
    """Return the member with this member number, or None."""
    return _survivor(Member.objects.select_related("person").filter(member_no=member_no.strip()).first())


def member_by_email(email: str) -> Member | None:
    """Return the member with this address in any spelling of capitals, or None."""
    wanted = Exact(Lower("person__email"), email.strip().lower())
    return _survivor(Member.objects.select_related("person").filter(wanted).first())


def member_by_identity(issuer: str, value: str) -> Member | None:
    """Return the member whom another system knows under this name, or None."""
    identity = (
        Identity.objects.select_related("member")
        .filter(kind=Identity.Kind.EXTERNAL, issuer=issuer, value=value)
        .first()
    )
    return _survivor(identity.member) if identity else None


def survivor_id(member_id: int) -> int:
    """Return the member into whom this one was merged, or the member itself."""
    return survivors_of([member_id]).get(member_id, member_id)


def survivors_of(member_ids: Collection[int]) -> dict[int, int]:
    """Return for each member the one into whom it was merged, or itself; members that do not exist are missing."""
    rows = Member.objects.filter(pk__in=member_ids).order_by().values_list("pk", "merged_into_id")
    return {pk: merged_into_id or pk for pk, merged_into_id in rows}


def full_name_of(member: Member) -> str:
    """Return the full name of a member; empty when none is known, or the person was erased."""
    if Member.person.is_cached(member):
        return getattr(getattr(member, "person", None), "full_name", "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT full_name FROM members_memberperson WHERE member_id = %s", [member.pk])
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def family_ids(member_id: int) -> list[int]:
    """Return the ids of a member and of all who were merged into it: what is read of one person is read of these."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_member WHERE merged_into_id = %s ORDER BY id", [member_id])
        return [member_id, *(merged for (merged,) in cursor.fetchall())]


def cooling_until(member_id: int, at: datetime) -> datetime | None:
    """Return until when nothing may leave a member's account, because the phone number is new; None when it may."""
    cooling = Member.objects.filter(pk=member_id, cooling_until__gt=at)
    return cooling.values_list("cooling_until", flat=True).first()


def _survivor(member: Member | None) -> Member | None:
    """Return the member into whom this one was merged: an old number, phone or address leads to it."""
    if member is None or member.merged_into_id is None:
        return member
    return Member.objects.select_related("person").get(pk=member.merged_into_id)


def member_by_card(number: str) -> Member | None:
    """Return the member who has the card with this number in use, or None: lost and ended cards open nothing."""
    card = Card.objects.select_related("member__person").filter(number=number.strip(), state=Card.State.IN_USE).first()
    return _survivor(card.member) if card else None


def member_by_ref(ref: str) -> Member:
    """Return the member behind a public id (`mem_…`). Raises `NotFound`."""
    return member_by_public_id(parse_ref(MEMBER, ref))


def member_by_public_id(public_id: UUID) -> Member:
    """Return the member with this public id, also one that was merged into another. Raises `MemberNotFound`.

    What is told about a merged member is recorded as told; the services post it to the survivor.
    """
    member = _BY_PUBLIC_ID.first(public_id)
    if member is None:
        raise MemberNotFound
    return member


def member_id_by_public_id(public_id: UUID) -> int:
    """Return the id of the member with this public id, for those who need no more of the member. Raises `MemberNotFound`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_member WHERE public_id = %s", [public_id])
        found = cursor.fetchone()
    if found is None:
        raise MemberNotFound
    return int(found[0])


def members_matching(text: str) -> QuerySet[Member]:
    """Return the members whose phone, number, name, pinyin, initials or e-mail begins with what staff typed.

    Each branch uses a prefix index, so that a million members do not slow it down; a name takes one query to count first.
    Digits give at most 200 by phone and 200 by number. Empty text gives nobody.
    """
    words = " ".join(text.split())
    people = MemberPerson.objects.order_by().values("pk")
    if not words:
        return Member.objects.none()
    if _PHONE_LIKE.match(words):
        digits = re.sub(r"[^0-9]", "", words)
        phones = Q(phone__startswith=f"+{digits}")
        if not words.startswith("+"):
            phones |= Q(phone__startswith=f"+{country_code_for_region(region())}{digits.lstrip('0') or digits}")
        numbers = Member.objects.order_by().filter(member_no__startswith=digits).values("pk")
        # A few digits may begin a million numbers; nobody looks through more than the first of them.
        return Member.objects.filter(pk__in=people.filter(phones)[:_MOST_BY_DIGITS].union(numbers[:_MOST_BY_DIGITS]))
    if "@" in words:
        return Member.objects.filter(pk__in=people.filter(Exact(Lower("email"), words.lower())))
    names = Q(full_name__startswith=words)
    key = re.sub(r"[^a-z0-9]", "", words.lower()) if _LATIN_KEY.match(words.lower()) else ""
    if key:
        names |= Q(name_pinyin__startswith=key) | Q(name_initials__startswith=key)
    # The planner guesses badly how many have a name, and then looks for a few in the order of joining. So they are counted
    # first, by the prefix index; a limit keeps a few from being looked up in any other way.
    named = people.filter(names)[:_MOST_COUNTED]
    return Member.objects.filter(pk__in=named if named.count() <= _FEW_BY_NAME else people.filter(names))
