"""Inactivity: what keeps points alive, and how a policy reaches accounts that exist."""

from datetime import timedelta

import pytest

from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from members.services.activities import record_activity
from rewards.expiry_book import forget_expiry_book
from rewards.handlers import keep_points_alive
from rewards.models import PointsAccount
from rewards.queries import balance_of
from rewards.services.deadlines import follow_policies
from rewards.services.expiry import ExpiryRun, expire_due_lots
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.verification import verify
from tests.factories.catalogue import a_reward
from tests.factories.orders import an_order
from tests.factories.people import TILL
from tests.factories.times import at
from tests.harness.dumps import dump
from tests.rewards.expiry_given import a_policy, deadline_of, holder, inactivity, more_points, set_deadline

pytestmark = pytest.mark.django_db


def buy(member: Member, day: str) -> None:
    """Buy something at noon of a day."""
    moment = at(f"{day} 12:00")
    record_purchase(order=an_order(member, "50.00", ordered_at=moment), by=TILL, at=moment)


def read_timeline() -> None:
    """Give the handler all there is to read."""
    entries = TimelineEntry.objects.filter(kind__in=("members.activity_recorded.v1", "rewards.reward_redeemed.v1"))
    keep_points_alive(list(entries.order_by("id")))


class TestWhatKeepsPointsAlive:
    """A deadline …"""

    def test_is_pushed_by_a_purchase_in_its_own_posting(self) -> None:
        inactivity()
        member = holder(10, earned="2026-01-10")
        buy(member, "2026-03-15")
        assert deadline_of(member) == at("2027-03-16")

    def test_is_pushed_by_a_redemption_and_never_back(self) -> None:
        inactivity()
        member = holder(100)
        set_deadline(member, at("2026-12-01"))
        redeem_reward(
            member_id=member.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=at("2026-03-15 12:00")
        )
        read_timeline()
        assert deadline_of(member) == at("2027-03-16")
        set_deadline(member, at("2028-01-01"))
        read_timeline()
        assert deadline_of(member) == at("2028-01-01")

    def test_is_pushed_by_activities_of_the_chosen_kinds_only(self) -> None:
        inactivity(6, "activity:review")
        member = holder(100)
        set_deadline(member, at("2026-12-01"))
        for kind, day in (("share", "2026-11-01"), ("review", "2026-07-01")):
            record_activity(
                member_id=member.pk, kind=kind, source="app", external_ref=kind, happened_at=at(f"{day} 12:00"), by=TILL,
                at=at(f"{day} 12:00"),
            )  # fmt: skip
        read_timeline()
        assert deadline_of(member) == at("2027-01-02")

    def test_is_not_pushed_where_points_need_no_activity(self) -> None:
        a_policy("end_of_month", months=12)
        member = holder(10)
        buy(member, "2026-03-15")
        read_timeline()
        assert deadline_of(member) is None


class TestExpiry:
    def test_takes_all_points_of_an_account_at_its_deadline(self) -> None:
        inactivity()
        member = holder(100)
        more_points(member, 20, earned="2026-01-11", until="2027-06-30")
        set_deadline(member, at("2027-01-11"))
        moment = at("2027-01-11")
        assert expire_due_lots(at=moment - timedelta(microseconds=1), by=SYSTEM) == ExpiryRun(0, 0, 0)
        assert expire_due_lots(at=moment, by=SYSTEM) == ExpiryRun(members=1, lots=2, points=120)
        assert (balance_of(member.pk, moment).available, deadline_of(member)) == (0, None)
        before = dump()
        assert expire_due_lots(at=moment + timedelta(days=1), by=SYSTEM) == ExpiryRun(0, 0, 0)
        assert dump() == before
        assert [str(finding) for finding in verify(at=moment)] == []

    def test_ends_a_deadline_that_finds_no_points(self) -> None:
        member = holder(100)
        redeem_reward(
            member_id=member.pk, reward_id=a_reward(100).pk, request_id="1", by=TILL, at=at("2026-03-15 12:00")
        )
        set_deadline(member, at("2027-01-11"))
        assert expire_due_lots(at=at("2027-01-12"), by=SYSTEM) == ExpiryRun(0, 0, 0)
        assert deadline_of(member) is None


class TestFollowingThePolicies:
    """A policy of inactivity …"""

    def test_that_begins_reaches_accounts_by_their_last_activity(self) -> None:
        active, idle = holder(100, earned="2025-06-01"), holder(100, earned="2025-06-01")
        buy(active, "2026-10-20")
        inactivity(valid_from=at("2026-11-01"))
        assert follow_policies(at=at("2026-11-01 01:10")) == 2
        assert deadline_of(active) == at("2027-10-21")
        # A year after the last posting would be over: thirty days of notice.
        assert deadline_of(idle) == at("2026-12-02")

    def test_gives_notice_to_whom_it_would_take_points_at_once(self) -> None:
        member = holder(100, earned="2020-06-01")
        inactivity(valid_from=at("2026-11-01"))
        follow_policies(at=at("2026-11-05 01:10"))
        assert deadline_of(member) == at("2026-12-06")

    def test_is_applied_once(self) -> None:
        member = holder(100, earned="2020-06-01")
        policy = inactivity(valid_from=at("2026-11-01"))
        follow_policies(at=at("2026-11-05 01:10"))
        policy.refresh_from_db()
        assert policy.applied_at == at("2026-11-05 01:10")
        assert follow_policies(at=at("2026-11-20 01:10")) == 0
        assert deadline_of(member) == at("2026-12-06")

    def test_gives_a_deadline_to_accounts_that_got_points_without_activity(self) -> None:
        inactivity(valid_from=at("2026-01-01"))
        follow_policies(at=at("2026-01-02"))
        member = holder(100, earned="2026-03-15")
        assert follow_policies(at=at("2026-03-16 01:10")) == 1
        assert deadline_of(member) == at("2027-03-16")

    def test_that_has_not_begun_does_nothing(self) -> None:
        holder(100)
        inactivity(valid_from=at("2026-11-01"))
        assert follow_policies(at=at("2026-10-31 23:59")) == 0

    def test_that_is_over_takes_its_deadlines_with_it(self) -> None:
        inactivity(valid_to=at("2026-11-01"))
        member, late = holder(100), holder(100)
        set_deadline(member, at("2027-01-11"))
        set_deadline(late, at("2026-10-31"))  # has come, and waits to be booked
        assert follow_policies(at=at("2026-11-01"), chunk=1) == 1
        assert deadline_of(member) is None
        assert deadline_of(late) == at("2026-10-31")

    def test_of_a_new_version_counts_anew(self) -> None:
        member = holder(100, earned="2026-03-15")
        old = inactivity(24, valid_from=at("2026-01-01"))
        follow_policies(at=at("2026-03-16"))
        assert deadline_of(member) == at("2028-03-16")
        type(old).objects.filter(pk=old.pk).update(valid_to=at("2026-06-01"))
        type(old).objects.create(
            currency=old.currency, kind="inactivity", months=12, activities=["purchase"], valid_from=at("2026-06-01")
        )
        forget_expiry_book()
        follow_policies(at=at("2026-06-01 01:10"))
        assert deadline_of(member) == at("2027-03-16")

    @pytest.mark.parametrize("chunk", [1, 2, 1000])
    def test_reaches_all_accounts_in_chunks_of_any_size(self, chunk: int) -> None:
        for _ in range(5):
            holder(10, earned="2026-03-15")
        inactivity(valid_from=at("2026-01-01"))
        assert follow_policies(at=at("2026-03-20"), chunk=chunk) == 5
        assert set(PointsAccount.objects.values_list("deadline_at", flat=True)) == {at("2027-03-16")}
