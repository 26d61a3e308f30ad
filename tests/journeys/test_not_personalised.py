"""Whoever switches off offers chosen for them is left out of what is chosen, and is no worse off in what holds for all."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from campaigns.models import Promotion
from loyalty.queries import standing_of
from members.actors import SYSTEM
from members.consents import is_allowed, reach
from members.models import ConsentEntry, Member
from members.services.consents import give_consent, text_in_force, withdraw_consent
from rewards.queries import balance_of
from rewards.services.purchases import record_purchase
from tests.factories.orders import an_order
from tests.factories.portal import a_named_member
from tests.factories.segments import a_live_segment

pytestmark = pytest.mark.django_db


def buys(member: Member) -> None:
    at = timezone.now()
    for number in (1, 2):
        order = an_order(member, "900.00", number=f"{member.pk}-{number}", ordered_at=at - timedelta(hours=number))
        record_purchase(order=order, by=SYSTEM, at=at)


def agrees_to_offers(member: Member) -> None:
    at = timezone.now()
    text = text_in_force("marketing", at)
    assert text is not None
    give_consent(
        member_id=member.pk, purpose="marketing", channels=["sms"], version=text.version, way=ConsentEntry.Way.SELF, by=SYSTEM, at=at
    )  # fmt: skip


def switches_off(member: Member) -> None:
    withdraw_consent(
        member_id=member.pk, purpose="personalisation", channels=(), way=ConsentEntry.Way.SELF, by=SYSTEM, at=timezone.now()
    )  # fmt: skip


class TestWhoSwitchedItOff:
    def test_gets_the_same_points_the_same_promotion_and_the_same_tier_as_everybody(self) -> None:
        at = timezone.now()
        Promotion.objects.create(
            name_en="Double points", name_zh_hans="双倍积分", state=Promotion.State.LIVE, factor=Decimal(2),
            starts_at=at - timedelta(days=1), ends_at=at + timedelta(days=1),
        )  # fmt: skip
        one, other = a_named_member(), a_named_member()
        switches_off(other)
        for member in (one, other):
            buys(member)
        gained = [balance_of(member.pk, timezone.now()) for member in (one, other)]
        assert gained[0].available + gained[0].pending == gained[1].available + gained[1].pending > 1800
        tiers = [standing_of(member.pk, timezone.now()).tier for member in (one, other)]
        assert tiers[0] == tiers[1]

    def test_is_not_reached_by_what_is_sent_to_those_who_were_chosen(self) -> None:
        one, other = a_named_member(), a_named_member()
        for member in (one, other):
            buys(member)
            agrees_to_offers(member)
        condition = {"all": [{"fact": "rewards.orders?days=90", "op": "gte", "value": 2}]}
        segment = a_live_segment(condition, at=timezone.now())

        def reached() -> int:
            asked = "SELECT member_id FROM members_segmentspan WHERE segment_id = %(segment)s AND left_at IS NULL"
            at = timezone.now()
            found = reach(asked, {"segment": segment.pk}, purpose="marketing", at=at, channels=["sms"], are_chosen=True)
            return found["sms"]

        assert reached() == 2
        switches_off(other)
        assert reached() == 1
        assert is_allowed(other.pk, "marketing", "sms", at=timezone.now()), "what is sent to all may still be sent"
