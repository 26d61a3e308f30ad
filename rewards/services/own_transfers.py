"""Points that a member gives to a friend: with a code to the own phone, within the limits of the policy.

Whoever gives names a phone or a member number, and must not learn from a no whose it is. So all that lies with the giver
is asked first, in the same order and under the same locks, whether or not anybody was found; only then is one and the
same refusal given for a number that is nobody's, and for a member who is frozen, has left, or was merged away meanwhile. Each
number takes a code of its own (it is bound to the friend and the points, so a stolen one moves nothing else), and wrong
ones are counted: a list can not be tried out.

The giver's own points only: a household gives nothing to friends.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members import timeline
from members.actors import Actor
from members.models import Member
from members.queries import MemberNotFound, status_sql
from members.services.idempotency import fingerprint_of
from members.services.one_time_codes import Caller, CodeOver, Purpose, SentCode, check_code, send_code, use_code
from members.services.phone_change import phone_of_member
from rewards import ledger
from rewards.events_adjustments import points_transferred
from rewards.ledger import InsufficientPoints
from rewards.models import PointsTransfer
from rewards.policies import unless_default
from rewards.queries import balance_of
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import posted_id
from rewards.services.orders import check_active
from rewards.services.transfers import SOURCE, TransferToSelf, check_transfer, find_receiver

_DIGEST: Final = 32


class RecipientNotFound(RewardsRefusal):
    """Nobody who can be given points is known by this. One answer, whatever the reason."""

    code = "recipient_not_found"
    status = 422
    text = _("Points can not be given to this phone or member number. Please check it with your friend.")


class PhoneMissing(RewardsRefusal):
    """There is no phone to which a code could go."""

    code = "phone_missing"
    text = _("This needs a code to your phone, and no phone number is known of you. Please add one first.")


@dataclass(frozen=True, slots=True)
class Gift:
    """What a member wants to give: to a phone or member number as it was typed, how many points, of which currency."""

    to: str
    points: int
    currency_id: int


@dataclass(frozen=True, slots=True)
class Brought:
    """A one-time code that was brought: its id, as it was told when it was sent, and the digits."""

    public_id: UUID
    digits: str


def send_transfer_code(*, member: Member, gift: Gift, principal: str, place: str, at: datetime) -> SentCode:
    """Send the member a code for this gift and no other. Says nothing of the friend, who is not looked up. Outside of a transaction.

    What lies with the giver is refused here, before a message is paid for. Raises PhoneMissing, MemberFrozen, MemberClosed,
    InsufficientPoints, what `check_transfer` raises, `RateLimited`, `TooManyTries`, `SmsUnavailable`.
    """
    phone = phone_of_member(member.pk)
    if phone is None:
        raise PhoneMissing
    with transaction.atomic():
        _hold(member.pk, None)
        _check_giver(member.pk, gift, at)
    caller = _caller(principal, place, gift)
    return send_code(phone=phone, purpose=Purpose.TRANSFER, caller=caller, language=member.language, at=at)


def check_transfer_code(
    *, member_id: int, gift: Gift, brought: Brought, principal: str, place: str, at: datetime
) -> int:
    """Look at the code that was brought for a gift; return its row's id for `give_points`. Outside of a transaction.

    Raises PhoneMissing, `CodeWrong` (also for another friend or other points), `CodeOver`, `TooManyTries`.
    """
    phone = phone_of_member(member_id)
    if phone is None:
        raise PhoneMissing
    return check_code(
        public_id=brought.public_id,
        phone=phone,
        code=brought.digits,
        purpose=Purpose.TRANSFER,
        caller=_caller(principal, place, gift),
        at=at,
        member_id=member_id,
    )


def request_of(*, member_id: int, key: str, gift: Gift) -> str:
    """Return the natural key of a gift: the member, the key of the request and what is given."""
    return f"api:{member_id}:{fingerprint_of(key, gift.to, gift.points, gift.currency_id).hex()[:40]}"


def given_before(*, request_id: str) -> PointsTransfer | None:
    """Return what was given under a request, for ever; None for a new one."""
    return PointsTransfer.objects.select_related("receiver", "currency").filter(request_id=request_id).first()


@transaction.atomic
def give_points(
    *, sender_id: int, gift: Gift, code_id: int | None, request_id: str, by: Actor, at: datetime
) -> tuple[PointsTransfer, bool]:
    """Give points of a member to a friend, using the code up; return the transfer, and whether it had been made before.

    Raises TransferToSelf, MemberFrozen, MemberClosed, `CodeOver`, what `check_transfer` raises, InsufficientPoints, and after all
    of these RecipientNotFound. Without a code (`code_id` None) only what was given before is answered, else `CodeOver`.
    """
    if (known := given_before(request_id=request_id)) is not None:
        return known, True
    receiver_id = _receiver(gift.to)
    if receiver_id == sender_id:
        raise TransferToSelf
    may_receive = _hold(sender_id, receiver_id)
    members = [sender_id] if receiver_id is None else sorted((sender_id, receiver_id))
    ledger.lock_accounts(member_ids=members, currency=gift.currency_id)
    if (known := given_before(request_id=request_id)) is not None:  # by one who had the lock before us
        return known, True
    if code_id is None:
        raise CodeOver
    use_code(code_id=code_id, at=at)
    _check_giver(sender_id, gift, at)
    if receiver_id is None or not may_receive:
        raise RecipientNotFound
    return _post(sender_id, receiver_id, gift, request_id, by, at), False


def _post(sender_id: int, receiver_id: int, gift: Gift, request_id: str, by: Actor, at: datetime) -> PointsTransfer:
    numbers = dict(Member.objects.filter(pk__in=[sender_id, receiver_id]).values_list("pk", "member_no"))
    posting = ledger.transfer(
        from_member_id=sender_id, to_member_id=receiver_id, points=gift.points, currency_id=gift.currency_id, source=SOURCE,
        natural_key=f"request {request_id}", at=at, by=by,
        trace={
            "v": 2, "kind": "transfer", "points": gift.points, "from": numbers[sender_id], "to": numbers[receiver_id],
        },
    )  # fmt: skip
    made = PointsTransfer.objects.create(
        sender_id=sender_id, receiver_id=receiver_id, currency_id=gift.currency_id, points=gift.points, request_id=request_id,
        transaction_id=posted_id(posting), happened_at=at,
    )  # fmt: skip
    timeline.record(
        points_transferred(
            transfer_id=made.pk, sender_id=sender_id, receiver_id=receiver_id, points=gift.points,
            currency_id=unless_default(gift.currency_id), happened_at=at, by=by,
        )
    )  # fmt: skip
    return made


def _check_giver(sender_id: int, gift: Gift, at: datetime) -> None:
    """Refuse what lies with the giver. Exact only under the lock of the giver's account."""
    check_transfer(sender_id=sender_id, points=gift.points, currency_id=gift.currency_id, at=at)
    available = balance_of(sender_id, at, currency=gift.currency_id).available
    if available < gift.points:
        raise InsufficientPoints(required=gift.points, available=available)


def _receiver(text: str) -> int | None:
    """Return who has this phone or member number; None for nobody, and for what is neither."""
    try:
        return find_receiver(text).pk
    except MemberNotFound:
        return None


def _hold(sender_id: int, receiver_id: int | None) -> bool:
    """Keep both as they are until the end of the transaction; return whether the receiver may get points.

    Raises MemberFrozen, MemberClosed for the sender.
    """
    spending, earning = status_sql(Member.Act.SPEND), status_sql(Member.Act.EARN)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, member_no, CASE WHEN id = %s THEN {spending} ELSE {earning} END
            FROM members_member WHERE id IN (%s, %s) ORDER BY id FOR SHARE
            """,  # noqa: S608
            [sender_id, sender_id, receiver_id],
        )
        found = {member_id: (member_no, status) for member_id, member_no, status in cursor.fetchall()}
    check_active(*found[sender_id])
    return receiver_id is not None and found[receiver_id][1] == Member.Status.ACTIVE


def _caller(principal: str, place: str, gift: Gift) -> Caller:
    """Return for whom a code is: this member, for this gift."""
    digest = fingerprint_of(gift.to, gift.points, gift.currency_id).hex()[:_DIGEST]
    return Caller(f"{principal} gives {digest}", place)
