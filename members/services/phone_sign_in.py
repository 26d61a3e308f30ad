"""Signing in by WeChat and by a code to the phone: who is known is signed in, who is not joins.

Possession of the number is what has been shown when these are called, nothing else. A number that somebody has gets the
WeChat account attached, and is told so; two records are never merged by it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.actors import SYSTEM, Actor
from members.models import Channel, ConsentEntry, Identity, Member, MemberPerson, MemberSession, WeChatBinding
from members.phones import parse_phone
from members.queries import member_by_phone, programme, region
from members.refusals import MembersRefusal
from members.services.consents import give_consent
from members.services.enrolment import PhoneInUse, enrol_member
from members.services.identities import IdentityInUse, link_identity
from members.services.joining import NEEDED, JoiningNeedsConsent, SaidYes
from members.services.member_sessions import sign_in
from members.services.one_time_codes import notify, use_code
from members.services.tokens import IssuedToken, TokenExpired, end_sessions, hash_of, refuse_inactive
from members.wechat import WeChatAccount

BINDING_PREFIX: Final = "bt_"
BINDING_LIFETIME: Final = timedelta(minutes=10)
_SECRET_BYTES = 32
Kind = Identity.Kind


class PhoneReplaced(MembersRefusal):
    """The number is that of a record which was merged into a member with another number."""

    code = "phone_replaced"
    text = _("This membership has another phone number now. Please sign in with that one, or ask our staff.")


@dataclass(frozen=True, slots=True)
class IssuedBinding:
    """What an app holds whose WeChat account belongs to nobody yet: with it, it may bind a phone number."""

    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Bound:
    """Whose a WeChat account is now: `is_new` who joined with it, `is_attached` who was a member before and got it now."""

    member: Member
    is_new: bool
    is_attached: bool


@dataclass(frozen=True, slots=True)
class Joining:
    """What somebody unknown joins with: language and consents; `channel` is the kind of channel they come by."""

    channel: str
    language: str
    said: Sequence[SaidYes] = ()


def member_of_account(account: WeChatAccount, *, at: datetime) -> Member | None:
    """Return the member whom a WeChat account belongs to, or None.

    One who is known by the unionid, from another app of the business, is from now on known by the openid, too.
    """
    by_openid = _member_by(Kind.WECHAT_OPENID, account.appid, account.openid)
    if by_openid is not None:
        return by_openid
    by_unionid = _member_by(Kind.WECHAT_UNIONID, _issuer_of_unionids(), account.unionid) if account.unionid else None
    if by_unionid is not None:
        refuse_inactive(by_unionid)
        _attach(by_unionid.pk, account, at)
    return by_unionid


def begin_binding(account: WeChatAccount, *, at: datetime) -> IssuedBinding:
    """Give an account without a member a token with which it may bind a phone number."""
    secret = BINDING_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    expires_at = at + BINDING_LIFETIME
    WeChatBinding.objects.create(
        token_sha256=hash_of(secret),
        appid=account.appid,
        openid=account.openid,
        unionid=account.unionid,
        created_at=at,
        expires_at=expires_at,
    )
    return IssuedBinding(secret, expires_at)


def binding_of(secret: str, *, at: datetime) -> WeChatBinding:
    """Return the binding that a token belongs to. Raises `TokenExpired`."""
    found = WeChatBinding.objects.filter(token_sha256=hash_of(secret), expires_at__gt=at).first()
    if found is None:
        raise TokenExpired
    return found


def bind_phone(*, binding: WeChatBinding, phone: str, joining: Joining, at: datetime) -> Bound:
    """Let a WeChat account belong to whoever has a phone number, or to a new member; return whose it is.

    Inside the caller's transaction; who got it attached is told by `announce_attached` afterwards. Raises
    `JoiningNeedsConsent`, `PhoneReplaced`, `MemberIsFrozen`, `MemberIsClosed`, `IdentityInUse`, and what `enrol_member` and
    `give_consent` raise.
    """
    account = WeChatAccount(binding.appid, binding.openid, binding.unionid)
    WeChatBinding.objects.select_for_update().filter(pk=binding.pk).first()  # one after the other
    known = member_of_account(account, at=at)
    if known is not None:  # bound meanwhile, by a call beside this one
        return Bound(known, is_new=False, is_attached=False)
    member, is_new = find_or_join(phone=phone, joining=joining, at=at)
    _attach(member.pk, account, at)
    return Bound(member, is_new, is_attached=not is_new)


def announce_attached(member: Member) -> bool:
    """Tell a member, after the commit, that a WeChat account signs in as them from now on; return whether it went out."""
    phone = MemberPerson.objects.filter(pk=member.pk).values_list("phone", flat=True).first()
    if not phone:
        return False
    with override(member.language):
        words = _now(
            "%(programme)s: a WeChat account can now sign in to your membership. If this was not you, please call us now."
        ) % {"programme": programme().name}
    return notify(phone=phone, kind="wechat_attached", language=member.language, words=words)


def find_or_join(*, phone: str, joining: Joining, at: datetime) -> tuple[Member, bool]:
    """Return the member who has a phone number, or a new one, and whether they are new. Inside the caller's transaction.

    What somebody known says yes to is not written down here: their consents have a page of their own. Raises
    `JoiningNeedsConsent`, `PhoneReplaced`, `MemberIsFrozen`, `MemberIsClosed`, and what `enrol_member` and `give_consent`
    raise.
    """
    member = member_by_phone(phone)
    if member is None:
        try:
            return _join(phone, joining, at), True
        except PhoneInUse:  # joined beside us
            member = member_by_phone(phone)
            if member is None:
                raise
    _refuse_replaced(member, phone)
    refuse_inactive(member)
    return member, False


def sign_in_by_code(
    *, code_id: int, phone: str, joining: Joining, device: str, at: datetime
) -> tuple[IssuedToken, Member, bool]:
    """Sign in whoever has brought the right code of their phone; they join where they are unknown.

    Returns the tokens, the member, and whether they are new. A refusal leaves the code good. Raises what `find_or_join`
    raises, and `CodeOver`.
    """
    with transaction.atomic():
        use_code(code_id=code_id, at=at)
        member, is_new = find_or_join(phone=phone, joining=joining, at=at)
        issued = sign_in(member_id=member.pk, way=MemberSession.Way.SMS, device=device, at=at)
    return issued, member, is_new


def sign_in_bound(*, member_id: int, binding_secret: str, is_repeat: bool, device: str, at: datetime) -> IssuedToken:
    """Sign in whoever bound a phone; a repeat ends what was begun for the binding before, since its answer was lost.

    Raises `MemberIsFrozen`, `MemberIsClosed`.
    """
    mark = hash_of(binding_secret).hex()[:16]
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).get(pk=member_id)
        if is_repeat:
            before = MemberSession.objects.filter(member_id=member_id, begun_by=mark, ended_at__isnull=True)
            end_sessions(list(before.values_list("pk", flat=True)), end=MemberSession.End.REPEATED, at=at)
        issued = sign_in(member_id=member_id, way=MemberSession.Way.WECHAT, device=device, at=at)
        MemberSession.objects.filter(pk=issued.session.pk).update(begun_by=mark)
    return issued


def _join(phone: str, joining: Joining, at: datetime) -> Member:
    if NEEDED not in {one.purpose for one in joining.said}:
        raise JoiningNeedsConsent(purpose=NEEDED.value, purpose_label=NEEDED.label)
    channel = Channel.objects.filter(kind=joining.channel).order_by("pk").first()
    assert channel is not None  # noqa: S101 - the first migration makes one of each kind
    with transaction.atomic():
        member = enrol_member(channel_id=channel.pk, phone=phone, language=joining.language, by=SYSTEM, at=at)
        actor = Actor("member", member.pk)
        for one in joining.said:
            give_consent(
                member_id=member.pk,
                purpose=one.purpose,
                channels=one.channels,
                version=one.version,
                way=ConsentEntry.Way.SELF,
                by_guardian=one.by_guardian,
                by=actor,
                at=at,
            )
    return member


def _refuse_replaced(member: Member, phone: str) -> None:
    """Raise `PhoneReplaced` for a number that only a record merged into the member has, who has another one.

    It finds the member at the till, but they see it nowhere and can not change it: whoever gets it from the phone company
    one day would sign in as them.
    """
    person = getattr(member, "person", None)
    if person is not None and person.phone not in (None, parse_phone(phone, region=region())):
        raise PhoneReplaced


def _attach(member_id: int, account: WeChatAccount, at: datetime) -> None:
    """Let a member be known by an account. Who has another of the same open platform account keeps both."""
    by = Actor("member", member_id)
    link_identity(
        member_id=member_id, kind=Kind.WECHAT_OPENID, issuer=account.appid, value=account.openid, by=by, at=at
    )
    if not account.unionid:
        return
    other = _member_by(Kind.WECHAT_UNIONID, _issuer_of_unionids(), account.unionid)
    if other is None:
        link_identity(
            member_id=member_id,
            kind=Kind.WECHAT_UNIONID,
            issuer=_issuer_of_unionids(),
            value=account.unionid,
            by=by,
            at=at,
        )
    elif other.pk != member_id:
        raise IdentityInUse


def _member_by(kind: str, issuer: str, value: str) -> Member | None:
    found = Identity.objects.select_related("member__merged_into").filter(kind=kind, issuer=issuer, value=value).first()
    return (found.member.merged_into or found.member) if found else None


def _issuer_of_unionids() -> str:
    return str(settings.WECHAT_OPEN_ACCOUNT)
