"""Expiry and release: in chunks, repeatable, safe beside themselves and beside live traffic."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from rewards import ledger
from rewards.ledger import InsufficientPoints, currency_id
from rewards.models import LedgerEntry, LedgerTransaction, Lot, PointsAccount, PointsCurrency
from rewards.queries import balance_of
from rewards.services.expiry import ExpiryRun, RunIncomplete, expire_due_lots, release_pending_lots
from rewards.services.redemptions import redeem_reward
from rewards.services.verification import verify
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points, with_points
from tests.factories.people import TILL, a_member
from tests.harness.database import TestServer
from tests.harness.dumps import dump
from tests.harness.threads import together

START = datetime(2026, 1, 1, tzinfo=UTC)
DUE = START + timedelta(days=30)


def members_with_due_points(count: int, points: int = 10) -> list[Member]:
    """Return members with two lots each: one that is due, of so many points, and one that never expires."""
    members = [with_points(points, moment=START, expires_at=DUE) for _ in range(count)]
    for member in members:
        give_points(member, 5, moment=START)
    return members


def expire(*, chunk: int = 1000, chunks: int = 10_000, at: datetime = DUE) -> ExpiryRun:
    """Expire what is due."""
    return expire_due_lots(at=at, by=SYSTEM, chunk=chunk, chunks=chunks)


def pending(member: Member, points: int, *, days: int, currency: int | None = None) -> None:
    """Give a member points that are pending for some days."""
    with transaction.atomic():
        ledger.accrue(
            member_id=member.pk, source="gift", natural_key=f"{member.pk}:{days}", at=START, by=SYSTEM, trace={}, currency_id=currency,
            lots=[ledger.NewLot(points, ledger.Origin.ADJUSTMENT, START + timedelta(days=days), None)],
        )  # fmt: skip


@pytest.mark.django_db
class TestExpiry:
    """Expiry …"""

    def test_takes_what_is_due_and_leaves_the_rest(self) -> None:
        (member,) = members_with_due_points(1)
        assert expire() == ExpiryRun(members=1, lots=1, points=10)
        assert balance_of(member.pk, DUE).available == 5
        assert [str(finding) for finding in verify(at=DUE)] == []

    def test_of_an_account_that_is_broken_holds_nobody_up_and_is_told(self) -> None:
        broken, *others = members_with_due_points(4)
        PointsAccount.objects.filter(member=broken).update(
            available=3
        )  # less than its lots: booking them breaks a constraint

        with pytest.raises(RunIncomplete, match="1 account"):
            expire(chunk=2)

        assert [balance_of(member.pk, DUE).available for member in others] == [5, 5, 5]
        assert not LedgerEntry.objects.filter(
            member_id=broken.pk, transaction__kind=LedgerTransaction.Kind.EXPIRE
        ).exists()

    def test_takes_nothing_a_moment_before(self) -> None:
        members_with_due_points(1)
        assert expire(at=DUE - timedelta(microseconds=1)) == ExpiryRun(0, 0, 0)

    def test_takes_nothing_the_second_time(self) -> None:
        members_with_due_points(3)
        expire()
        before = dump()
        assert expire(at=DUE + timedelta(days=1)) == ExpiryRun(0, 0, 0)
        assert dump() == before

    @pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
    def test_gives_the_same_in_chunks_of_any_size(self, chunk: int) -> None:
        members = members_with_due_points(5)
        assert expire(chunk=chunk) == ExpiryRun(members=5, lots=5, points=50)
        assert {balance_of(member.pk, DUE).available for member in members} == {5}

    def test_stops_after_the_chunks_it_may_do_and_goes_on_later(self) -> None:
        members_with_due_points(5)
        assert expire(chunk=2, chunks=1).members == 2
        assert Lot.objects.filter(remaining__gt=0, expires_at=DUE).count() == 3
        assert expire(chunk=2).members == 3

    def test_tells_each_member_once_for_all_lots_of_a_run(self) -> None:
        (member,) = members_with_due_points(1)
        give_points(member, 7, moment=START + timedelta(days=1), expires_at=DUE - timedelta(days=3))
        assert expire() == ExpiryRun(members=1, lots=2, points=17)
        (entry,) = TimelineEntry.objects.filter(member=member, kind="rewards.points_expired.v1")
        assert entry.payload == {"points": 17, "lots": 2, "currency": currency_id()}

    def test_is_one_transaction_and_one_entry_for_each_lot(self) -> None:
        (member,) = members_with_due_points(1)
        give_points(member, 7, moment=START + timedelta(days=1), expires_at=DUE - timedelta(days=3))
        expire()
        posted = LedgerEntry.objects.filter(transaction__kind=LedgerTransaction.Kind.EXPIRE).order_by("seq")
        assert list(posted.values_list("d_available", flat=True)) == [-7, -10]  # earliest expiry first

    def test_costs_the_same_number_of_statements_for_many_members(self) -> None:
        def statements() -> int:
            with CaptureQueriesContext(connection) as captured:
                expire()
            return len(captured)

        members_with_due_points(1)
        of_one = statements()
        members_with_due_points(9)
        assert statements() == of_one


@pytest.mark.django_db
class TestRelease:
    """Release …"""

    def test_makes_points_available_whose_time_has_come(self) -> None:
        member = a_member()
        pending(member, 10, days=7)
        pending(member, 20, days=14)
        assert release_pending_lots(at=START + timedelta(days=7), by=SYSTEM) == 10
        balance = balance_of(member.pk, START)
        assert (balance.available, balance.pending) == (10, 20)
        (entry,) = TimelineEntry.objects.filter(kind="rewards.points_released.v1")
        assert (entry.member_id, entry.payload) == (member.pk, {"points": 10})

    def test_names_the_currency_when_it_is_not_the_default_one(self) -> None:
        coins = PointsCurrency.objects.create(code="coins", name="Coins").pk
        pending(a_member(), 10, days=7, currency=coins)
        release_pending_lots(at=START + timedelta(days=7), by=SYSTEM)
        (entry,) = TimelineEntry.objects.filter(kind="rewards.points_released.v1")
        assert entry.payload == {"points": 10, "currency": coins}

    def test_does_nothing_the_second_time(self) -> None:
        pending(a_member(), 10, days=7)
        release_pending_lots(at=START + timedelta(days=7), by=SYSTEM)
        before = dump()
        assert release_pending_lots(at=START + timedelta(days=8), by=SYSTEM) == 0
        assert dump() == before

    def test_stops_at_its_limit_and_goes_on_later(self) -> None:
        for _ in range(3):
            pending(a_member(), 10, days=7)
        late = START + timedelta(days=7)
        assert [release_pending_lots(at=late, by=SYSTEM, limit=2) for _ in range(3)] == [20, 10, 0]


class TestBesideItself:
    """Two at once …"""

    def test_expire_each_lot_once(self, committed_db: str) -> None:
        members = members_with_due_points(60)
        runs = together([lambda: expire(chunk=3)] * 3)
        assert sum(run.points for run in runs) == 600
        assert sum(run.lots for run in runs) == 60
        assert {balance_of(member.pk, DUE).available for member in members} == {5}
        assert TimelineEntry.objects.filter(kind="rewards.points_expired.v1").count() == 60
        assert [str(finding) for finding in verify(at=DUE)] == []

    def test_release_each_lot_once(self, committed_db: str) -> None:
        for _ in range(30):
            pending(a_member(), 10, days=7)
        late = START + timedelta(days=7)
        assert sum(together([lambda: release_pending_lots(at=late, by=SYSTEM)] * 3)) == 300
        assert TimelineEntry.objects.filter(kind="rewards.points_released.v1").count() == 30
        assert [str(finding) for finding in verify(at=late)] == []


class TestBesideRedemptions:
    """Expiry of a lot that is being redeemed …"""

    def test_leaves_one_of_the_two_and_sums_that_are_exact(self, committed_db: str) -> None:
        members = [with_points(10, moment=START, expires_at=DUE) for _ in range(24)]
        reward = a_reward(10)

        def redeem() -> int:
            """Redeem all points of each member, a moment before they expire; return how many succeeded."""
            return sum(self._redeem(member, reward.pk) for member in members)

        redeemed, expired = together([redeem, lambda: expire(chunk=4).lots])
        assert redeemed + expired == len(members)
        assert set(PointsAccount.objects.values_list("available", flat=True)) == {0}
        assert [str(finding) for finding in verify(at=DUE)] == []

    def _redeem(self, member: Member, reward_id: int) -> bool:
        try:
            redeem_reward(
                member_id=member.pk,
                reward_id=reward_id,
                request_id=f"of {member.pk}",
                by=TILL,
                at=DUE - timedelta(seconds=1),
            )
        except InsufficientPoints:
            return False
        return True


class TestServerGone:
    """A server that is gone …"""

    @pytest.mark.parametrize("run", [expire_due_lots, release_pending_lots])
    def test_ends_the_run_at_once(
        self, committed_db: str, database_server: TestServer, run: Callable[..., object]
    ) -> None:
        for member in members_with_due_points(3):
            pending(member, 7, days=3)
        asked = []

        def end(**_given: object) -> list[tuple[int, int, int, int]]:
            asked.append(1)
            with database_server.connect() as admin:
                name = sql.Identifier(committed_db.rpartition("/")[2])
                admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return []

        with (
            patch("rewards.ledger.expire_accounts", end),
            patch("rewards.ledger.release_account", end),
            pytest.raises(OperationalError),
        ):
            run(at=DUE, by=SYSTEM)
        assert len(asked) == 1
