"""Joining the programme."""

from datetime import date, datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from psycopg import errors

from members.actors import Actor
from members.models import Identity, Member, MemberPerson, Store
from members.names import clean_name, search_keys
from members.phones import parse_phone
from members.queries import member_by_identity, programme, region
from members.refusals import MembersRefusal
from members.timeline import NewEntry, nudge, record

_FIRST_BIRTHDAY = date(1900, 1, 1)
_PHONE_IS_TAKEN = "phone_belongs_to_one_member"
_EMAIL_IS_TAKEN = "email_belongs_to_one_member"
IDENTITY_IS_TAKEN = "identity_belongs_to_one_member"


class PhoneInUse(MembersRefusal):
    """Another member has this phone number."""

    code = "phone_in_use"
    text = _("Another member has this phone number.")


class EmailInUse(MembersRefusal):
    """Another member has this e-mail address."""

    code = "email_in_use"
    text = _("Another member has this e-mail address.")


class InvalidBirthday(MembersRefusal):
    """Nobody alive was born on this day."""

    code = "invalid_birthday"
    text = _("This can not be a birthday.")
    status = 422


class InviterUnknown(MembersRefusal):
    """Nobody is known by what was given as the inviter, or they have left."""

    code = "inviter_unknown"
    text = _("The member who invited is not known.")
    status = 422


class InvalidEmail(MembersRefusal):
    """The text is no e-mail address."""

    code = "invalid_email"
    text = _("This is no valid e-mail address.")
    status = 422


def enrol_member(
    *,
    channel_id: int,
    home_store_id: int | None = None,
    full_name: str = "",
    phone: str | None = None,
    email: str | None = None,
    birthday: date | None = None,
    language: str = "zh-hans",
    identity: tuple[str, str] | None = None,
    joined_store_id: int | None = None,
    home_region_id: int | None = None,
    recruiting_source_id: int | None = None,
    inviter_id: int | None = None,
    by: Actor,
    at: datetime,
    joined_at: datetime | None = None,
) -> Member:
    """Make a member and return it; tell it to the timeline.

    `identity` is (issuer, value): the name under which another system knows the person. Where a member with this
    identity exists already, that member is returned unchanged. `joined_at` is for those who joined before `at`. Where nothing
    else is said, the store of joining is the home store, and the home store's region is the home region.

    Raises `PhoneInUse`, `EmailInUse`, `InvalidPhone`, `InvalidEmail`, `InvalidBirthday`, `InviterUnknown`.
    """
    if identity is not None:
        known = member_by_identity(*identity)
        if known is not None:
            return known
    check_birthday(birthday, at)
    if inviter_id is not None:
        _check_inviter(inviter_id)
    if home_region_id is None and home_store_id is not None:
        home_region_id = Store.objects.filter(pk=home_store_id).values_list("region_id", flat=True).first()
    name = clean_name(full_name)
    pinyin, initials = search_keys(name)
    person = MemberPerson(
        full_name=name,
        name_pinyin=pinyin,
        name_initials=initials,
        phone=parse_phone(phone, region=region()) if phone else None,
        email=clean_email(email) if email else None,
        birthday=birthday,
    )
    member = Member(
        channel_id=channel_id,
        home_store_id=home_store_id,
        joined_store_id=joined_store_id or home_store_id,
        home_region_id=home_region_id,
        recruiting_source_id=recruiting_source_id,
        inviter_id=inviter_id,
        language=_known_language(language),
        joined_at=joined_at or at,
    )
    try:
        with transaction.atomic():
            _insert(member, person, identity, at)
            _tell(member, by)
    except IntegrityError as error:
        if identity is not None and broken_constraint(error) == IDENTITY_IS_TAKEN:
            other = member_by_identity(*identity)  # enrolled beside us, and committed by now
            if other is not None:
                return other
        raise_if_taken(error)
        raise
    return member


def clean_email(email: str) -> str:
    """Return an address as it is kept. Raises `InvalidEmail`."""
    name, _at, domain = email.strip().rpartition("@")
    address = f"{name}@{domain.lower()}"
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidEmail from error
    return address


def check_birthday(birthday: date | None, at: datetime) -> None:
    """Raise `InvalidBirthday` for a day to come, or one on which nobody who lives was born."""
    if birthday is not None and not _FIRST_BIRTHDAY <= birthday <= at.astimezone(programme().tz).date():
        raise InvalidBirthday


def _check_inviter(inviter_id: int) -> None:
    inviters = Member.objects.filter(pk=inviter_id).exclude(status=Member.Status.CLOSED)
    if not inviters.exists():
        raise InviterUnknown


def raise_if_taken(error: IntegrityError) -> None:
    """Raise `PhoneInUse` or `EmailInUse` when that is what the database objects to."""
    constraint = broken_constraint(error)
    if constraint == _PHONE_IS_TAKEN:
        raise PhoneInUse from error
    if constraint == _EMAIL_IS_TAKEN:
        raise EmailInUse from error


def broken_constraint(error: IntegrityError) -> str:
    """Return the name of the unique constraint that an insert met, or an empty text."""
    cause = error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, errors.UniqueViolation) else ""


def _insert(member: Member, person: MemberPerson, identity: tuple[str, str] | None, at: datetime) -> None:
    member.save(force_insert=True)
    person.member = member
    person.save(force_insert=True)
    if identity is not None:
        issuer, value = identity
        Identity.objects.create(member=member, issuer=issuer, value=value, linked_at=at)


def _tell(member: Member, by: Actor) -> None:
    payload: dict[str, int | bool | None] = {"channel": member.channel_id, "store": member.joined_store_id}
    if member.recruiting_source_id is not None:
        payload["source"] = member.recruiting_source_id
    if member.inviter_id is not None:
        payload["inviter"] = member.inviter_id
    if by.kind == "import":
        payload["quiet"] = True  # history of another system: nobody is greeted for it
    record([NewEntry("members.enrolled.v1", member.pk, member.joined_at, by, payload)])
    nudge()


def _known_language(language: str) -> str:
    if language not in dict(settings.LANGUAGES):
        raise ValueError(f"{language} is no language of this portal")
    return language
