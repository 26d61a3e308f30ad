"""Earning and spending frozen apart: what is frozen is refused and changes nothing, what is not goes on."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from members.actors import SYSTEM
from members.models import Member
from members.services.status import freeze_member, release_freezes
from rewards.queries import balance_of
from rewards.services.holds import hold_points
from rewards.services.orders import MemberFrozen
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from tests.factories.orders import an_order
from tests.factories.portal import a_named_member, a_reward

pytestmark = pytest.mark.django_db
Act = Member.Act


@pytest.fixture
def member() -> Member:
    found = a_named_member()
    buy(found, "O-1")
    return found


def buy(member: Member, number: str) -> None:
    at = timezone.now()
    order = an_order(member, "600.00", number=number, ordered_at=at - timedelta(hours=1))
    record_purchase(order=order, by=SYSTEM, at=at)


def spend(member: Member, number: str) -> None:
    at = timezone.now()
    redeem_reward(member_id=member.pk, reward_id=a_reward(30).pk, request_id=number, by=SYSTEM, at=at)


def freeze(member: Member, *acts: Member.Act) -> None:
    at = timezone.now()
    freeze_member(member_id=member.pk, reason="checked", acts=acts, release_at=at + timedelta(days=1), by=SYSTEM, at=at)


def points_of(member: Member) -> Decimal | int:
    return balance_of(member.pk, timezone.now()).available


class TestAFreezeOfSpending:
    def test_lets_the_member_earn(self, member: Member) -> None:
        before = points_of(member)
        freeze(member, Act.SPEND)
        buy(member, "O-2")
        assert points_of(member) > before

    def test_refuses_to_spend_and_changes_nothing(self, member: Member) -> None:
        before = points_of(member)
        freeze(member, Act.SPEND)
        with pytest.raises(MemberFrozen):
            spend(member, "R-1")
        with pytest.raises(MemberFrozen):
            hold_points(member_id=member.pk, points=1, source="test", external_ref="H-1", by=SYSTEM, at=timezone.now())
        assert points_of(member) == before

    def test_is_over_when_it_ends_by_itself(self, member: Member) -> None:
        before = points_of(member)
        freeze(member, Act.SPEND)
        assert release_freezes(at=timezone.now() + timedelta(days=1, seconds=1)) == 1
        spend(member, "R-1")
        assert points_of(member) < before


class TestAFreezeOfEarning:
    def test_lets_the_member_spend(self, member: Member) -> None:
        before = points_of(member)
        freeze(member, Act.EARN)
        spend(member, "R-1")
        assert points_of(member) < before

    def test_refuses_to_earn_and_changes_nothing(self, member: Member) -> None:
        before = points_of(member)
        freeze(member, Act.EARN, Act.SIGN_IN)
        with pytest.raises(MemberFrozen):
            buy(member, "O-2")
        assert points_of(member) == before


class TestAFreezeOfSigningIn:
    def test_lets_the_till_earn_and_spend(self, member: Member) -> None:
        freeze(member, Act.SIGN_IN)
        buy(member, "O-2")
        spend(member, "R-1")
