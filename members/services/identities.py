"""Under which names other systems know a member: shops, WeChat, apps."""

import re
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from members.actors import Actor
from members.identifiers import NotFound
from members.models import Identity, Member
from members.names import clean_name
from members.own_accounts import refuse_own_account
from members.refusals import MembersRefusal
from members.services.enrolment import IDENTITY_IS_TAKEN, broken_constraint
from members.services.status import words_of_reason
from members.services.tokens import MemberIsClosed
from members.timeline import NewEntry, nudge, record

MOST_IDENTITIES: Final = 30
_WECHAT = re.compile(r"^[A-Za-z0-9_-]{20,64}$")


class IdentityInUse(MembersRefusal):
    """The name is another member's. It does not say whose."""

    code = "identity_in_use"
    text = _("Another member is known under this name.")


class InvalidIdentity(MembersRefusal):
    """The name does not have the form of its kind."""

    code = "invalid_identity"
    text = _("This is no valid identity of its kind.")
    status = 422


class TooManyIdentities(MembersRefusal):
    """A member has a bounded number of names."""

    code = "too_many_identities"
    text = _("A member is known under at most %(most)s names.")


def link_identity(
    *, member_id: int, kind: Identity.Kind, issuer: str, value: str, by: Actor, at: datetime
) -> tuple[Identity, bool]:
    """Let a member be known under a name; return it, and whether it was known as theirs before.

    The caller has made sure that the name is the member's. What is told in it is worth points to whoever has it. Raises
    `OwnAccount`, `IdentityInUse`, `InvalidIdentity`, `TooManyIdentities`, `MemberIsClosed`, `NotFound`.
    """
    issuer, value = clean_name(issuer), value.strip()
    check_identity(kind, issuer, value)
    try:
        with transaction.atomic():
            member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
            if member is None:
                raise NotFound
            refuse_own_account(by, [member.pk])
            if member.status == Member.Status.CLOSED:
                raise MemberIsClosed
            known = list(Identity.objects.filter(member=member))
            for one in known:
                if (one.kind, one.issuer, one.value) == (kind, issuer, value):
                    return one, True
            if len(known) >= MOST_IDENTITIES:
                raise TooManyIdentities(most=MOST_IDENTITIES)
            made = Identity.objects.create(member=member, kind=kind, issuer=issuer, value=value, linked_at=at)
            payload = {"identity_kind": str(kind), "issuer": issuer}
            record([NewEntry("members.identity_linked.v1", member.pk, at, by, payload)])
            nudge()
    except IntegrityError as error:
        if broken_constraint(error) == IDENTITY_IS_TAKEN:
            raise IdentityInUse from error
        raise
    return made, False


def unlink_identity(*, member_id: int, identity_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Forget a name of a member. Raises `NotFound`, `ReasonMissing`."""
    words = words_of_reason(reason)
    with transaction.atomic():
        identity = Identity.objects.select_for_update().filter(pk=identity_id, member_id=member_id).first()
        if identity is None:
            raise NotFound
        payload = {"identity_kind": identity.kind, "issuer": identity.issuer, "reason": words}
        identity.delete()
        record([NewEntry("members.identity_unlinked.v1", member_id, at, by, payload)])
        nudge()


def check_identity(kind: Identity.Kind, issuer: str, value: str) -> None:
    """Raise `InvalidIdentity` unless the texts have the form of the kind."""
    is_wechat = kind in (Identity.Kind.WECHAT_OPENID, Identity.Kind.WECHAT_UNIONID)
    fits = 0 < len(issuer) <= 40 and 0 < len(value) <= 120 and value == clean_name(value)
    if not fits or (is_wechat and not _WECHAT.match(value)):
        raise InvalidIdentity
