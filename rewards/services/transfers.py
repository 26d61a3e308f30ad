"""Points that go from one member to another, by staff, within the limits of the policy.

The limits are checked and counted under the lock of the sender's account, so that many at once never pass them.
What members give away themselves (`own_transfers`) counts together with it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty.periods import business_date, end_of_day
from members import proposals, timeline
from members.actors import Actor
from members.effects import Effect, EffectLine
from members.figures import grouped
from members.models import Member, Proposal, TimelineEntry
from members.queries import MemberNotFound, cooling_until, member_by_number, member_by_phone, programme, status_sql
from rewards import ledger
from rewards.events_adjustments import points_transferred
from rewards.explanation import points_words, register_note
from rewards.models import PointsTransfer, TransferPolicy
from rewards.policies import unless_default
from rewards.refusals import RewardsRefusal
from rewards.services.by_hand import (
    NotAWholeNumber,
    Params,
    balance_effect,
    default_currency,
    member_no_of,
    posted_id,
)
from rewards.services.orders import check_active

TRANSFER: Final = "rewards.transfer_points"
SOURCE: Final = "transfer"
#: How long a new phone number makes a member wait where no policy says so.
DEFAULT_COOLDOWN_HOURS: Final = 24
PROFILE_CHANGED: Final = "members.profile_changed.v1"


class TransfersNotPossible(RewardsRefusal):
    """The policy of these points lets nobody give them away."""

    code = "transfers_not_possible"
    text = gettext_lazy("These points can not be given to other members.")


class TransferToSelf(RewardsRefusal):
    """Points are given to somebody else."""

    code = "transfer_to_self"
    status = 422
    text = gettext_lazy("Points are given to another member, not to the same one.")


class TransferTooSmall(RewardsRefusal):
    """Fewer than the policy allows each time."""

    code = "transfer_too_small"
    status = 422
    text = gettext_lazy("At least %(least)s points can be given at a time.")


class TransferTooLarge(RewardsRefusal):
    """More than the policy allows each time."""

    code = "transfer_limit"
    text = gettext_lazy("At most %(most)s points can be given at a time.")


class TransferDayLimit(RewardsRefusal):
    """The member's limit of the day is reached."""

    code = "transfer_limit"
    text = gettext_lazy(
        "A member can give at most %(most)s points on one day (number of transfers: %(times)s at most). Given today: %(used)s points (transfers: %(used_times)s)."
    )


class TransferMonthLimit(RewardsRefusal):
    """The member's limit of the month is reached."""

    code = "transfer_limit"
    text = gettext_lazy(
        "A member can give at most %(most)s points in one month (number of transfers: %(times)s at most). Given this month: %(used)s points (transfers: %(used_times)s)."
    )


class TransferTooSoon(RewardsRefusal):
    """The sender's phone number is new: whoever took it over must not empty the account."""

    code = "transfer_too_soon"
    text = gettext_lazy("The phone number was changed lately; points can be given again from %(moment)s on.")


@dataclass(frozen=True, slots=True)
class TransferUse:
    """What a member has given on a day and in its month: points and times."""

    day_points: int
    day_times: int
    month_points: int
    month_times: int


def transfer_policy(currency_id: int | None = None) -> TransferPolicy:
    """Return the policy of a currency. Raises TransfersNotPossible when there is none, or it lets nobody give points."""
    policy = TransferPolicy.objects.filter(currency_id=default_currency(currency_id)).first()
    if policy is None or not policy.is_enabled:
        raise TransfersNotPossible
    return policy


def transfer_use(*, member_id: int, currency_id: int, at: datetime) -> TransferUse:
    """Return what a member has given so far: an index look-up over the rows of one month."""
    tz = programme().tz
    today = business_date(at, tz)
    day_start, month_start = (end_of_day(day - timedelta(days=1), tz) for day in (today, today.replace(day=1)))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(points) FILTER (WHERE happened_at >= %(day)s), 0)::bigint, count(*) FILTER (WHERE happened_at >= %(day)s),
                coalesce(sum(points), 0)::bigint, count(*)
            FROM rewards_pointstransfer WHERE sender_id = ANY (members_family(%(member)s)) AND currency_id = %(currency)s AND happened_at >= %(month)s
            """,
            {"member": member_id, "currency": currency_id, "day": day_start, "month": month_start},
        )
        return TransferUse(*cursor.fetchone())


def find_receiver(text: str) -> Member:
    """Return the member with exactly this number or phone. Raises MemberNotFound."""
    found = member_by_number(text) or member_by_phone(text)
    if found is None:
        raise MemberNotFound
    return found


def propose_transfer(
    *, sender_id: int, receiver_id: int, points: int, reason: str, by: Actor, at: datetime, currency_id: int | None = None,
    request_id: str = "",
) -> proposals.ProposalOutcome:  # fmt: skip
    """Give points of a member to another within the operator's limits, else let a colleague decide.

    Raises TransfersNotPossible, TransferToSelf, TransferTooSmall, TransferTooLarge, TransferDayLimit, TransferMonthLimit,
    TransferTooSoon, MemberFrozen, MemberClosed, InsufficientPoints, and as `members.proposals.propose` does.
    """
    currency = default_currency(currency_id)
    said = {"sender": sender_id, "receiver": receiver_id, "currency": currency, "points": points}
    if (earlier := proposals.made_before(kinds=[TRANSFER], said=said, by=by, request_id=request_id)) is not None:
        return earlier
    if sender_id == receiver_id:
        raise TransferToSelf
    check_transfer(sender_id=sender_id, points=points, currency_id=currency, at=at)
    params = {**said, "sender_no": member_no_of(sender_id), "receiver_no": member_no_of(receiver_id)}
    return proposals.propose(kind=TRANSFER, params=params, reason=reason, by=by, at=at, request_id=request_id)


def check_transfer(*, sender_id: int, points: int, currency_id: int, at: datetime) -> None:
    """Refuse what the policy does not allow now. Exact only under the lock of the sender's account."""
    policy = transfer_policy(currency_id)
    if points < 1:
        raise NotAWholeNumber
    if points < policy.min_points:
        raise TransferTooSmall(least=grouped(policy.min_points))
    if points > policy.max_points:
        raise TransferTooLarge(limit="each_time", most=grouped(policy.max_points))
    use = transfer_use(member_id=sender_id, currency_id=currency_id, at=at)
    if use.day_points + points > policy.day_points or use.day_times >= policy.day_times:
        raise TransferDayLimit(
            limit="day",
            most=grouped(policy.day_points),
            times=policy.day_times,
            used=grouped(use.day_points),
            used_times=use.day_times,
        )
    if use.month_points + points > policy.month_points or use.month_times >= policy.month_times:
        raise TransferMonthLimit(
            limit="month", most=grouped(policy.month_points), times=policy.month_times, used=grouped(use.month_points),
            used_times=use.month_times,
        )  # fmt: skip
    check_cooldown(member_id=sender_id, currency_id=currency_id, at=at)


def check_cooldown(*, member_id: int, currency_id: int, at: datetime) -> None:
    """Refuse to let points leave an account whose phone number was changed lately: by transfer, donation or exchange."""
    policy = TransferPolicy.objects.filter(currency_id=currency_id).first()
    hours = policy.cooldown_hours if policy else DEFAULT_COOLDOWN_HOURS
    ends = (cooldown_ends(member_id=member_id, hours=hours, at=at), cooling_until(member_id, at))
    free_from = max((end for end in ends if end is not None), default=None)
    if free_from is not None:
        raise TransferTooSoon(moment=date_format(free_from.astimezone(programme().tz), "DATETIME_FORMAT"))


def cooldown_ends(*, member_id: int, hours: int, at: datetime) -> datetime | None:
    """Return until when a member whose phone number was changed must wait; None when there is nothing to wait for."""
    if not hours:
        return None
    since = at - timedelta(hours=hours)
    changed = (
        TimelineEntry.objects.filter(
            member_id=member_id, kind=PROFILE_CHANGED, happened_at__gt=since, payload__fields__contains="phone"
        )
        .order_by("-happened_at")
        .values_list("happened_at", flat=True)
        .first()
    )
    return changed + timedelta(hours=hours) if changed else None


def _carry_out(params: Params, by: Actor, at: datetime, proposal: Proposal) -> str:
    sender_id, receiver_id, currency_id, points = (params[key] for key in ("sender", "receiver", "currency", "points"))
    _hold_active(sender_id, receiver_id)
    ledger.lock_accounts(member_ids=sorted((sender_id, receiver_id)), currency=currency_id)
    check_transfer(sender_id=sender_id, points=points, currency_id=currency_id, at=at)
    posting = ledger.transfer(
        from_member_id=sender_id, to_member_id=receiver_id, points=points, currency_id=currency_id, source=SOURCE,
        natural_key=f"proposal {proposal.pk}", at=at, by=by, reason=proposal.reason[:200],
        trace={"v": 2, "kind": "transfer", "points": points, "from": params["sender_no"], "to": params["receiver_no"]},
    )  # fmt: skip
    made = PointsTransfer.objects.create(
        sender_id=sender_id, receiver_id=receiver_id, currency_id=currency_id, points=points, maker_id=proposal.maker_id,
        proposal=proposal, transaction_id=posted_id(posting), happened_at=at,
    )  # fmt: skip
    timeline.record(
        points_transferred(
            transfer_id=made.pk, sender_id=sender_id, receiver_id=receiver_id, points=points,
            currency_id=unless_default(currency_id), happened_at=at, by=by,
        )
    )  # fmt: skip
    figures = {"points": points_words(points), "sender": params["sender_no"], "receiver": params["receiver_no"]}
    return _("%(points)s moved from member %(sender)s to member %(receiver)s.") % figures


def _hold_active(sender_id: int, receiver_id: int) -> None:
    """Refuse unless the one may spend and the other earn, and keep it so until the end of the transaction."""
    spending, earning = status_sql(Member.Act.SPEND), status_sql(Member.Act.EARN)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT member_no, CASE WHEN id = %s THEN {spending} ELSE {earning} END
            FROM members_member WHERE id IN (%s, %s) ORDER BY id FOR SHARE
            """,  # noqa: S608
            [sender_id, sender_id, receiver_id],
        )
        for member_no, status in cursor.fetchall():
            check_active(member_no, status)


def _sentence(params: Params) -> str:
    figures = {
        "points": points_words(params["points"]),
        "sender": params["sender_no"],
        "receiver": params["receiver_no"],
    }
    return _("Move %(points)s from member %(sender)s to member %(receiver)s.") % figures


def _effect(params: Params, at: datetime) -> Effect:
    lines = (EffectLine(_("Moved (points)"), "–", params["points"]),)
    return balance_effect(
        member_id=params["sender"],
        currency_id=params["currency"],
        change=-params["points"],
        points=0,
        at=at,
        lines=lines,
    )


def _note(trace: dict[str, Any]) -> list[str]:
    return [_("Points given by one member to another: %(points)s.") % {"points": grouped(trace["points"])}]


def _members_of(params: Params) -> Collection[int]:
    return [params["sender"], params["receiver"]]


def register() -> None:
    """Make transfers known to those who approve, and put their explanation into words."""
    proposals.register_kind(
        proposals.ProposalKind(
            code=TRANSFER, label=gettext_lazy("Transfer of points"), permission="rewards.transfer_points", sentence=_sentence,
            effect=_effect, carry_out=_carry_out, amount=lambda params: params["points"], concerned=_members_of,
        )
    )  # fmt: skip
    register_note("transfer", _note)
