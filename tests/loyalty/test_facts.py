"""Facts about tiers say the same as the queries of loyalty."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.models import QualificationEntry
from loyalty.queries import standing_of
from members.actors import SYSTEM
from members.facts import values_for
from members.models import Member
from rewards.services.purchases import record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import a_return, an_order
from tests.factories.people import a_member
from tests.factories.times import at

JOINED = at("2025-01-01")


def tier_of(member: Member, moment: datetime) -> tuple[object, object]:
    found = values_for(member.pk, ["loyalty.tier", "loyalty.tier_rank"], moment)
    return found["loyalty.tier"], found["loyalty.tier_rank"]


@pytest.mark.django_db
class TestTheTier:
    def test_is_the_lowest_of_somebody_who_never_bought(self) -> None:
        member = a_member()
        lowest = standing_of(member.pk, at("2026-03-15")).tier
        assert tier_of(member, at("2026-03-15")) == (lowest.code, lowest.rank)
        assert tier_of(member, at("1990-03-15")) == (lowest.code, lowest.rank)

    def test_is_that_of_the_queries_at_every_moment(self) -> None:
        member = a_member()
        spent = [("2026-01-10 12:00", "1200.00"), ("2026-02-10 12:00", "9000.00"), ("2026-03-10 12:00", "30000.00")]
        orders = []
        for day, amount in spent:
            order = an_order(member, amount, ordered_at=at(day))
            record_purchase(order=order, by=SYSTEM, at=at(day))
            orders.append(order)
        back = a_return(orders[-1], returned_at=at("2026-03-20 12:00"))
        record_return(ret=back, by=SYSTEM, at=at("2026-03-20 12:00"))
        seen = set()
        for days in range(100):
            moment = at("2026-01-01 12:00") + timedelta(days=days)
            now = standing_of(member.pk, moment).tier
            assert tier_of(member, moment) == (now.code, now.rank), moment
            seen.add(now.code)
        assert len(seen) >= 2, "the story has no rise in it"


@pytest.mark.django_db
class TestTierCredits:
    def test_are_those_of_the_days_before_the_moment(self) -> None:
        member, noon = a_member(), at("2026-03-15 12:00")
        moments = [noon - timedelta(days=30), noon - timedelta(days=30, seconds=1), noon - timedelta(days=1), noon]
        for number, moment in enumerate(moments):
            QualificationEntry.objects.create(
                member=member, kind="purchase", source="shop", source_ref=f"Q-{number}", credits=10**number,
                spend_amount=Decimal(1), orders=1, happened_at=moment,
            )  # fmt: skip
        assert values_for(member.pk, ["loyalty.credits?days=30"], noon)["loyalty.credits?days=30"] == 101
