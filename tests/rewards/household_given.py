"""Households whose people pay for one another, and what shows that nothing went wrong."""

from datetime import datetime, timedelta

from django.db.models import F, Sum

from members.actors import SYSTEM
from members.models import HouseholdMember, Member
from members.services.households import join_household, share_points
from rewards.models import PointsAccount, PointsCurrency, Reward
from rewards.queries import balance_of
from rewards.services.redemptions import RedemptionReceipt, redeem_reward
from rewards.services.verification import verify
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member

DAY = timedelta(days=1)
BEFORE = NOON - DAY


def pays(is_on: bool = True) -> None:
    """Switch the policy of the default points."""
    assert PointsCurrency.objects.filter(code="points").update(household_pays=is_on) == 1


def a_household(*points: int, agree: bool = True) -> list[Member]:
    """Return the people of a household with so many points each that end in 90 days; all pay for one another."""
    people = [a_member() for _ in points]
    for member, number in zip(people, points, strict=True):
        if number:
            give_points(member, number, moment=BEFORE, expires_at=NOON + 90 * DAY)
    for newcomer in people[1:]:
        join(people[0], newcomer)
    if agree:
        for member in people:
            agrees(member)
    return people


def join(
    member: Member, newcomer: Member, role: HouseholdMember.Role = HouseholdMember.Role.ADULT, at: datetime = BEFORE
) -> None:
    """Let somebody into a member's household."""
    join_household(member_id=member.pk, newcomer_id=newcomer.pk, role=role, both_agreed=True, by=SYSTEM, at=at)


def agrees(member: Member, says_yes: bool = True, at: datetime = BEFORE) -> None:
    """Let a member agree to pay for the others, or take it back."""
    share_points(member_id=member.pk, agrees=says_yes, by=SYSTEM, at=at)


def redeem(member: Member, reward: Reward, request_id: str = "wish", at: datetime = NOON) -> RedemptionReceipt:
    """Redeem a reward."""
    return redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id=request_id, by=TILL, at=at)


def has(*people: Member, at: datetime = NOON) -> list[int]:
    """Return what each can spend."""
    return [balance_of(member.pk, at).available for member in people]


def all_points() -> int:
    """Return all points there are, less those owed."""
    net = F("available") + F("pending") + F("held") - F("debt")
    return int(PointsAccount.objects.aggregate(all=Sum(net))["all"] or 0)


def findings(at: datetime = NOON) -> list[str]:
    """Return what the proof of the ledger finds; nothing when it is sound."""
    return [str(finding) for finding in verify(at=at)]
