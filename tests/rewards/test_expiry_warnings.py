"""Warnings ahead of expiry: once for each day and lead, whoever runs them and however often."""

from datetime import date, timedelta

import pytest

from members.actors import SYSTEM
from members.models import TimelineEntry
from rewards.models import ExpiryWarning, WarningReceipt
from rewards.services.expiry import expire_due_lots
from rewards.services.expiry_warnings import WarningRun, record_warning_receipt, warn_of_expiry
from rewards.services.redemptions import redeem_reward
from tests.factories.catalogue import a_reward
from tests.factories.people import TILL
from tests.factories.times import at
from tests.harness.threads import together
from tests.rewards.expiry_given import a_policy, holder, inactivity, more_points, set_deadline


def warn(day: str, **bounds: int) -> WarningRun:
    """Write the warnings of nine in the morning of a day."""
    return warn_of_expiry(at=at(f"{day} 09:00"), by=SYSTEM, **bounds)


def warned() -> list[tuple[date, int, int]]:
    """Return (last day, lead, points) of all warnings, in order."""
    return list(ExpiryWarning.objects.order_by("id").values_list("expires_date", "days", "points"))


@pytest.mark.django_db
class TestWarnings:
    """A warning …"""

    @pytest.mark.parametrize(
        ("today", "leads"),
        [
            ("2026-02-28", []),  # 31 days ahead
            ("2026-03-01", [30]),
            ("2026-03-23", [30]),  # 8 days ahead; a run that was missed is made up for
            ("2026-03-24", [7]),
            ("2026-03-29", [7]),
            ("2026-03-30", [1]),
            ("2026-03-31", [1]),  # the last day itself
            ("2026-04-01", []),  # over
        ],
    )
    def test_is_due_so_many_days_before_the_last_day(self, today: str, leads: list[int]) -> None:
        holder(100, until="2026-03-31")
        warn(today)
        assert warned() == [(date(2026, 3, 31), lead, 100) for lead in leads]

    def test_is_written_once_for_each_lead_though_a_run_comes_every_day(self) -> None:
        holder(100, until="2026-03-31")
        for day in range(25, 31):
            warn(f"2026-01-{day}")
        for day in range(1, 32):
            warn(f"2026-03-{day:02}")
        assert warned() == [(date(2026, 3, 31), lead, 100) for lead in (30, 7, 1)]

    def test_tells_the_timeline_with_what_a_receipt_names(self) -> None:
        member = holder(100, until="2026-03-31")
        more_points(member, 20, earned="2026-01-11", until="2026-03-31")
        assert warn("2026-03-24") == WarningRun(members=1, warnings=1, points=120)
        (warning,) = ExpiryWarning.objects.all()
        (entry,) = TimelineEntry.objects.filter(member=member, kind="rewards.points_expiring.v1")
        assert entry.payload == {
            "points": 120, "expires_on": "2026-03-31", "days": 7, "warning": warning.pk, "currency": warning.currency_id,
        }  # fmt: skip

    def test_is_one_for_each_day_on_which_points_end(self) -> None:
        member = holder(100, until="2026-03-31")
        more_points(member, 20, earned="2026-01-11", until="2026-03-28")
        more_points(member, 7, earned="2026-01-12")
        warn("2026-03-24")
        assert warned() == [(date(2026, 3, 28), 7, 20), (date(2026, 3, 31), 7, 100)]

    def test_counts_what_is_left(self) -> None:
        member = holder(100, until="2026-03-31")
        redeem_reward(
            member_id=member.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=at("2026-03-02 12:00")
        )
        warn("2026-03-24")
        assert warned() == [(date(2026, 3, 31), 7, 70)]

    def test_is_not_written_where_nothing_is_left_or_all_has_expired(self) -> None:
        member = holder(30, until="2026-03-31")
        redeem_reward(
            member_id=member.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=at("2026-03-02 12:00")
        )
        holder(50, until="2026-03-23")
        expire_due_lots(at=at("2026-03-24 00:05"), by=SYSTEM)
        assert warn("2026-03-24") == WarningRun(0, 0, 0)

    def test_goes_by_the_policy_of_the_source_in_force_now(self) -> None:
        holder(100, until="2026-03-31")  # an adjustment
        a_policy("end_of_month", months=12, origin=4, warn_days=[14])
        warn("2026-03-01")
        assert warned() == []
        warn("2026-03-17")
        assert warned() == [(date(2026, 3, 31), 14, 100)]

    def test_is_not_written_where_the_policy_wants_none(self) -> None:
        a_policy("end_of_month", months=12, warn_days=[])
        holder(100, until="2026-03-31")
        assert warn("2026-03-30") == WarningRun(0, 0, 0)

    def test_names_the_day_of_inactivity_where_that_is_earlier(self) -> None:
        inactivity()
        member = holder(100, until="2026-03-31")
        more_points(member, 20, earned="2026-01-11", until="2026-03-20")
        more_points(member, 7, earned="2026-01-12")
        set_deadline(member, at("2026-03-26"))  # the 25th is the last day
        warn("2026-03-24")
        assert warned() == [(date(2026, 3, 25), 1, 107)]

    @pytest.mark.parametrize("chunk", [1, 2, 1000])
    def test_is_the_same_in_chunks_of_any_size(self, chunk: int) -> None:
        for _ in range(5):
            holder(10, until="2026-03-31")
        assert warn("2026-03-24", chunk=chunk) == WarningRun(members=5, warnings=5, points=50)

    def test_of_a_run_that_was_stopped_is_written_by_the_next(self) -> None:
        for _ in range(5):
            holder(10, until="2026-03-31")
        assert warn("2026-03-24", chunk=2, chunks=1).members == 2
        assert warn("2026-03-24", chunk=2).members == 3


class TestBesideItself:
    def test_two_runs_at_once_write_each_warning_once(self, committed_db: str) -> None:
        for _ in range(40):
            holder(10, until="2026-03-31")
        runs = together([lambda: warn("2026-03-24", chunk=3)] * 3)
        assert sum(run.warnings for run in runs) == 40
        assert ExpiryWarning.objects.count() == 40
        assert TimelineEntry.objects.filter(kind="rewards.points_expiring.v1").count() == 40


@pytest.mark.django_db
class TestReceipts:
    """A receipt …"""

    def test_says_once_what_became_of_a_warning(self) -> None:
        holder(100, until="2026-03-31")
        warn("2026-03-24")
        (warning,) = ExpiryWarning.objects.all()
        sent = at("2026-03-24 09:01")
        again = [
            record_warning_receipt(warning_ids=[warning.pk, warning.pk], delivered=True, by=SYSTEM, at=sent + minutes)
            for minutes in (timedelta(0), timedelta(minutes=1))
        ]
        assert again == [1, 0]
        (receipt,) = WarningReceipt.objects.all()
        assert (receipt.outcome, receipt.happened_at) == ("delivered", sent)

    def test_of_delivery_may_follow_one_of_failure(self) -> None:
        holder(100, until="2026-03-31")
        warn("2026-03-24")
        (warning,) = ExpiryWarning.objects.all()
        for delivered in (False, True, False):
            record_warning_receipt(warning_ids=[warning.pk], delivered=delivered, by=SYSTEM, at=at("2026-03-25"))
        outcomes = WarningReceipt.objects.order_by("id").values_list("outcome", flat=True)
        assert list(outcomes) == ["unreachable", "delivered"]
