"""Policies at work: what a purchase earns ends when the pure function says, and not a moment before."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty.periods import last_day_before
from members.actors import SYSTEM
from rewards.expiring import lot_expiry
from rewards.expiry_book import as_value, expiry_book, forget_expiry_book
from rewards.ledger import InsufficientPoints, currency_id
from rewards.models import ExpiryPolicy, Lot, PointsAccount
from rewards.queries import balance_of
from rewards.services.expiry import expire_due_lots
from rewards.services.expiry_policies import PolicyBeginsInThePast, PolicyIsPlannedAlready, store_policy
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from tests.factories.catalogue import a_reward
from tests.factories.orders import an_order
from tests.factories.people import TILL, a_member
from tests.factories.times import SHANGHAI, at
from tests.harness.dumps import dump
from tests.rewards.expiry_given import a_policy

pytestmark = pytest.mark.django_db

MOMENT = timedelta(microseconds=1)


class TestAPurchase:
    """Points of a purchase …"""

    @pytest.mark.parametrize(
        ("kind", "figures", "bought", "through"),
        [
            ("end_of_month", {"months": 12}, "2024-02-29 12:00", "2025-02-28"),
            ("end_of_month", {"months": 1, "grace_days": 10}, "2026-12-31 23:59", "2027-02-10"),
            ("rolling_months", {"months": 1}, "2026-01-31 00:00", "2026-02-28"),
            ("rolling_months", {"months": 12}, "2024-02-29 23:59", "2025-02-28"),
            ("end_of_year", {"years": 1}, "2025-12-31 23:59", "2026-12-31"),
            ("end_of_year", {"years": 0, "grace_days": 31}, "2026-01-01 00:00", "2027-01-31"),
            ("fixed_date", {"months": 0, "fixed_date": date(2026, 3, 31)}, "2026-04-01 00:00", "2027-03-31"),
            ("fixed_date", {"months": 0, "fixed_date": date(2024, 2, 29)}, "2025-01-10 00:00", "2025-02-28"),
        ],
    )
    def test_can_be_spent_through_the_last_day_of_their_policy_and_not_longer(
        self, kind: str, figures: dict[str, Any], bought: str, through: str
    ) -> None:
        policy = a_policy(kind, **figures)
        first, second = a_member(joined_at=at("2023-01-01")), a_member(joined_at=at("2023-01-01"))
        moment = at(bought)
        for member in (first, second):
            record_purchase(order=an_order(member, "50.00", ordered_at=moment), by=TILL, at=moment)
        ends = Lot.objects.filter(member=first).get().expires_at
        assert ends == lot_expiry([as_value(policy)], Lot.Origin.PURCHASE, moment, SHANGHAI)
        assert ends is not None
        assert str(last_day_before(ends, SHANGHAI)) == through
        reward = a_reward(30)
        redeem_reward(member_id=first.pk, reward_id=reward.pk, request_id="1", by=TILL, at=ends - MOMENT)
        with pytest.raises(InsufficientPoints):
            redeem_reward(member_id=second.pk, reward_id=reward.pk, request_id="2", by=TILL, at=ends)
        assert expire_due_lots(at=ends - MOMENT, by=SYSTEM).points == 0
        assert expire_due_lots(at=ends, by=SYSTEM).points == 70
        assert [balance_of(member.pk, ends).available for member in (first, second)] == [0, 0]

    @pytest.mark.parametrize(
        ("kind", "figures"), [("never", {}), ("inactivity", {"months": 3, "activities": ["purchase"]})]
    )
    def test_have_no_end_of_their_own_where_they_never_expire_or_by_inactivity(
        self, kind: str, figures: dict[str, Any]
    ) -> None:
        a_policy(kind, **figures)
        member = a_member()
        moment = at("2026-03-15 12:00")
        record_purchase(order=an_order(member, "50.00", ordered_at=moment), by=TILL, at=moment)
        assert Lot.objects.get(member=member).expires_at is None
        deadline = PointsAccount.objects.get(member=member).deadline_at
        assert deadline == (at("2026-06-16") if kind == "inactivity" else None)

    def test_that_come_from_one_installation_to_policies_expire_as_before(self) -> None:
        (policy,) = expiry_book().of(currency_id())
        assert (policy.kind, policy.number, policy.grace_days, policy.valid_to) == ("end_of_month", 12, 0, None)
        assert policy.valid_from <= at("1990-01-01 08:00")


class TestVersions:
    """A version …"""

    def new(self, begin: str, **changes: Any) -> ExpiryPolicy:
        values = {"currency_id": currency_id(), "kind": "end_of_year", "years": 1, "valid_from": at(begin), **changes}
        return store_policy(policy=ExpiryPolicy(**values), at=at("2026-03-20"))

    def test_takes_over_where_it_begins_and_changes_nothing_earned_before(self) -> None:
        member = a_member()
        before, after = at("2026-06-30 23:59"), at("2026-07-01")
        self.new("2026-07-01")
        forget_expiry_book()
        for moment in (before, after):
            record_purchase(order=an_order(member, "50.00", ordered_at=moment), by=TILL, at=moment)
        ends = list(Lot.objects.filter(member=member).order_by("id").values_list("expires_at", flat=True))
        assert ends == [at("2027-07-01"), at("2028-01-01")]

    def test_of_one_source_leaves_the_general_one_in_force(self) -> None:
        self.new("2026-07-01", origin=Lot.Origin.PROMOTION)
        assert ExpiryPolicy.objects.get(origin=None).valid_to is None

    @pytest.mark.parametrize(
        ("begin", "refusal"), [("2026-03-19", PolicyBeginsInThePast), ("2026-06-01", PolicyIsPlannedAlready)]
    )
    def test_that_is_refused_changes_nothing(self, begin: str, refusal: type[Exception]) -> None:
        self.new("2026-07-01")
        stored, before = list(ExpiryPolicy.objects.order_by("id").values()), dump()
        with pytest.raises(refusal):
            self.new(begin)
        assert list(ExpiryPolicy.objects.order_by("id").values()) == stored
        assert dump() == before

    def test_may_fill_the_time_before_the_next(self) -> None:
        self.new("2026-07-01")
        self.new("2026-05-01", kind="never", years=None, valid_to=at("2026-07-01"))
        spans = ExpiryPolicy.objects.order_by("valid_from").values_list("kind", "valid_to")
        assert list(spans) == [("end_of_month", at("2026-05-01")), ("never", at("2026-07-01")), ("end_of_year", None)]
