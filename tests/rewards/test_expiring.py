"""Expiry policies: worked examples, by hand with a calendar, and what holds for all of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loyalty.periods import business_date, end_of_month_after, last_day_before
from rewards.expiring import (
    PURCHASE,
    REDEMPTION,
    Policy,
    PolicyKind,
    activity_event,
    deadline_after,
    lot_expiry,
    policy_for,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
BEIRUT = ZoneInfo("Asia/Beirut")  # its clocks skip the midnight at which summer begins
ALWAYS = datetime(1990, 1, 1, tzinfo=UTC)
BOUGHT, PROMOTED, ADJUSTED = 1, 2, 4  # Lot.Origin

moments = st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def a_policy(kind: str, number: int = 0, **changes: Any) -> Policy:
    """Return a policy for all sources that has always been in force."""
    return Policy(
        **{"id": 1, "origin": None, "kind": PolicyKind(kind), "valid_from": ALWAYS, "number": number, **changes}
    )


def last_day(policy: Policy, earned: str, zone: ZoneInfo = SHANGHAI) -> str:
    """Return the last day on which points earned at a local time can be spent."""
    ends = lot_expiry([policy], BOUGHT, datetime.fromisoformat(earned).replace(tzinfo=zone), zone)
    return str(last_day_before(ends, zone)) if ends else "never"


class TestWorkedExamples:
    """Points … can be spent through …"""

    @pytest.mark.parametrize(
        ("kind", "number", "grace", "earned", "through"),
        [
            # Rolling months: the same day of a later month, or its last.
            ("rolling_months", 12, 0, "2026-03-15 10:00", "2027-03-15"),
            ("rolling_months", 12, 0, "2026-03-15 00:00", "2027-03-15"),
            ("rolling_months", 12, 0, "2026-03-15 23:59:59.999999", "2027-03-15"),
            ("rolling_months", 1, 0, "2026-01-31 12:00", "2026-02-28"),
            ("rolling_months", 1, 0, "2024-01-31 12:00", "2024-02-29"),
            ("rolling_months", 1, 0, "2026-01-28 12:00", "2026-02-28"),
            ("rolling_months", 12, 0, "2024-02-29 12:00", "2025-02-28"),
            ("rolling_months", 48, 0, "2024-02-29 12:00", "2028-02-29"),
            ("rolling_months", 6, 0, "2026-08-31 12:00", "2027-02-28"),
            ("rolling_months", 1, 0, "2026-12-31 23:30", "2027-01-31"),
            ("rolling_months", 12, 10, "2026-03-25 10:00", "2027-04-04"),
            # The end of a month.
            ("end_of_month", 12, 0, "2026-03-15 10:00", "2027-03-31"),
            ("end_of_month", 12, 0, "2026-03-31 23:59", "2027-03-31"),
            ("end_of_month", 12, 0, "2026-04-01 00:00", "2027-04-30"),
            ("end_of_month", 0, 0, "2026-02-01 00:00", "2026-02-28"),
            ("end_of_month", 0, 0, "2024-02-29 23:59", "2024-02-29"),
            ("end_of_month", 1, 0, "2026-12-31 23:59", "2027-01-31"),
            ("end_of_month", 1, 0, "2025-01-31 12:00", "2025-02-28"),
            ("end_of_month", 12, 15, "2026-03-15 10:00", "2027-04-15"),
            # The end of a year: this one, the next one, the one after.
            ("end_of_year", 0, 0, "2026-01-01 00:00", "2026-12-31"),
            ("end_of_year", 0, 0, "2026-12-31 23:59", "2026-12-31"),
            ("end_of_year", 1, 0, "2026-12-31 23:59", "2027-12-31"),
            ("end_of_year", 1, 0, "2027-01-01 00:00", "2028-12-31"),
            ("end_of_year", 2, 0, "2024-02-29 12:00", "2026-12-31"),
            ("end_of_year", 1, 31, "2026-06-30 12:00", "2028-01-31"),
            ("never", 0, 0, "2026-03-15 10:00", "never"),
            ("never", 0, 30, "2026-03-15 10:00", "never"),
        ],
    )
    def test_of_months_and_years(self, kind: str, number: int, grace: int, earned: str, through: str) -> None:
        assert last_day(a_policy(kind, number, grace_days=grace), earned) == through

    @pytest.mark.parametrize(
        ("fixed", "at_least", "grace", "earned", "through"),
        [
            ("2027-03-31", 0, 0, "2026-05-01 10:00", "2027-03-31"),
            ("2027-03-31", 0, 0, "2027-03-31 23:59", "2027-03-31"),
            ("2027-03-31", 0, 0, "2027-04-01 00:00", "2028-03-31"),
            ("2027-03-31", 0, 0, "2030-01-01 00:00", "2030-03-31"),
            ("2027-03-31", 6, 0, "2026-09-30 10:00", "2027-03-31"),
            ("2027-03-31", 6, 0, "2026-10-01 10:00", "2028-03-31"),
            ("2028-02-29", 0, 0, "2027-01-01 10:00", "2028-02-29"),
            ("2028-02-29", 0, 0, "2028-03-01 10:00", "2029-02-28"),
            ("2028-02-29", 0, 0, "2031-06-01 10:00", "2032-02-29"),
            ("2026-12-31", 0, 5, "2026-12-31 10:00", "2027-01-05"),
            ("2026-12-31", 0, 5, "2027-01-01 10:00", "2028-01-05"),
        ],
    )
    def test_of_a_fixed_date(self, fixed: str, at_least: int, grace: int, earned: str, through: str) -> None:
        policy = a_policy("fixed_date", at_least, fixed_date=date.fromisoformat(fixed), grace_days=grace)
        assert last_day(policy, earned) == through

    @pytest.mark.parametrize(
        ("earned", "zone", "ends"),
        [
            # 16:00 UTC is midnight in Shanghai: a microsecond decides the month.
            ("2026-03-31T15:59:59.999999", SHANGHAI, "2027-03-31T16:00:00"),
            ("2026-03-31T16:00:00", SHANGHAI, "2027-04-30T16:00:00"),
            ("2026-12-31T15:59:59.999999", SHANGHAI, "2027-12-31T16:00:00"),
            ("2026-12-31T20:00:00", SHANGHAI, "2028-01-31T16:00:00"),
            # New York: midnight is 5:00 UTC in winter and 4:00 UTC in summer.
            ("2026-02-01T04:59:59", NEW_YORK, "2027-02-01T05:00:00"),
            ("2026-02-01T05:00:00", NEW_YORK, "2027-03-01T05:00:00"),
            ("2026-06-30T12:00:00", NEW_YORK, "2027-07-01T04:00:00"),
            ("2026-03-08T12:00:00", NEW_YORK, "2027-04-01T04:00:00"),
        ],
    )
    def test_end_at_midnight_of_the_zone(self, earned: str, zone: ZoneInfo, ends: str) -> None:
        at = datetime.fromisoformat(earned).replace(tzinfo=UTC)
        expected = datetime.fromisoformat(ends).replace(tzinfo=UTC)
        assert lot_expiry([a_policy("end_of_month", 12)], BOUGHT, at, zone) == expected

    def test_end_when_the_clocks_jump_where_they_skip_midnight(self) -> None:
        # Beirut, 29 March 2026: 0:00 does not exist; the 28th ends as the clocks jump to 1:00.
        at = datetime(2026, 2, 28, 12, tzinfo=BEIRUT)
        ends = lot_expiry([a_policy("rolling_months", 1)], BOUGHT, at, BEIRUT)
        assert ends is not None
        assert ends.astimezone(BEIRUT).isoformat() == "2026-03-29T01:00:00+03:00"


class TestWhichPolicy:
    """The policy of a lot …"""

    GENERAL = a_policy("end_of_month", 12)
    OF_PROMOTIONS = a_policy("rolling_months", 3, id=2, origin=PROMOTED)

    def test_is_that_of_its_source_else_the_general_one(self) -> None:
        at = datetime(2026, 3, 15, 4, tzinfo=UTC)
        for policies in ([self.GENERAL, self.OF_PROMOTIONS], [self.OF_PROMOTIONS, self.GENERAL]):
            assert policy_for(policies, PROMOTED, at) is self.OF_PROMOTIONS
            assert policy_for(policies, ADJUSTED, at) is self.GENERAL
        assert policy_for([self.OF_PROMOTIONS], BOUGHT, at) is None
        assert lot_expiry([self.OF_PROMOTIONS], BOUGHT, at, SHANGHAI) is None

    def test_is_the_one_in_force_when_the_points_were_earned(self) -> None:
        change = datetime(2026, 6, 30, 16, tzinfo=UTC)  # 1 July in Shanghai
        old = a_policy("end_of_month", 12, valid_to=change)
        new = a_policy("end_of_year", 1, id=2, valid_from=change)
        day = timedelta(microseconds=1)
        assert lot_expiry([old, new], BOUGHT, change - day, SHANGHAI) == datetime(2027, 6, 30, 16, tzinfo=UTC)
        assert lot_expiry([old, new], BOUGHT, change, SHANGHAI) == datetime(2027, 12, 31, 16, tzinfo=UTC)

    def test_of_a_source_that_never_expires_wins_over_the_general_one(self) -> None:
        bought = a_policy("never", id=3, origin=ADJUSTED)
        at = datetime(2026, 3, 15, 4, tzinfo=UTC)
        assert lot_expiry([self.GENERAL, bought], ADJUSTED, at, SHANGHAI) is None
        assert lot_expiry([self.GENERAL, bought], BOUGHT, at, SHANGHAI) is not None


class TestInactivity:
    """A deadline …"""

    POLICY = a_policy("inactivity", 12, events=frozenset({PURCHASE, activity_event("review")}))

    @pytest.mark.parametrize(
        ("active", "grace", "through"),
        [
            ("2026-03-15 10:00", 0, "2027-03-15"),
            ("2024-02-29 10:00", 0, "2025-02-28"),
            ("2026-12-31 23:59", 0, "2027-12-31"),
            ("2026-12-31 23:59", 30, "2028-01-30"),
        ],
    )
    def test_is_so_many_months_after_the_event(self, active: str, grace: int, through: str) -> None:
        policy = a_policy("inactivity", 12, events=frozenset({PURCHASE}), grace_days=grace)
        at = datetime.fromisoformat(active).replace(tzinfo=SHANGHAI)
        deadline = deadline_after([policy], PURCHASE, at, SHANGHAI)
        assert deadline is not None
        assert str(last_day_before(deadline, SHANGHAI)) == through

    def test_is_moved_by_the_chosen_events_only(self) -> None:
        at = datetime(2026, 3, 15, 4, tzinfo=UTC)
        moved = [PURCHASE, REDEMPTION, activity_event("review"), activity_event("share")]
        assert [deadline_after([self.POLICY], event, at, SHANGHAI) is not None for event in moved] == [
            True,
            False,
            True,
            False,
        ]

    def test_leaves_the_lots_themselves_without_an_end(self) -> None:
        assert lot_expiry([self.POLICY], BOUGHT, datetime(2026, 3, 15, tzinfo=UTC), SHANGHAI) is None

    def test_is_there_beside_an_end_that_a_source_has_of_its_own(self) -> None:
        policies = [self.POLICY, a_policy("rolling_months", 3, id=2, origin=PROMOTED)]
        at = datetime(2026, 3, 15, 4, tzinfo=UTC)
        assert lot_expiry(policies, PROMOTED, at, SHANGHAI) == datetime(2026, 6, 15, 16, tzinfo=UTC)
        assert deadline_after(policies, PURCHASE, at, SHANGHAI) == datetime(2027, 3, 15, 16, tzinfo=UTC)

    def test_is_not_there_before_its_policy_and_after_it(self) -> None:
        begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        policy = a_policy("inactivity", 12, events=frozenset({PURCHASE}), valid_from=begin, valid_to=end)
        moment = timedelta(microseconds=1)
        at = [begin - moment, begin, end - moment, end]
        assert [deadline_after([policy], PURCHASE, each, SHANGHAI) is not None for each in at] == [
            False,
            True,
            True,
            False,
        ]


kinds = st.one_of(
    st.builds(a_policy, st.just("rolling_months"), st.integers(1, 60), grace_days=st.integers(0, 60)),
    st.builds(a_policy, st.just("end_of_month"), st.integers(0, 60), grace_days=st.integers(0, 60)),
    st.builds(a_policy, st.just("end_of_year"), st.integers(0, 5), grace_days=st.integers(0, 60)),
    st.builds(
        a_policy, st.just("fixed_date"), st.integers(0, 24), grace_days=st.integers(0, 60),
        fixed_date=st.dates(date(2000, 1, 1), date(2050, 12, 31)),
    ),
)  # fmt: skip
zones = st.sampled_from([SHANGHAI, NEW_YORK, BEIRUT, ZoneInfo("Pacific/Chatham"), ZoneInfo("UTC")])


class TestEveryPolicy:
    @given(policy=kinds, at=moments, zone=zones)
    def test_lets_points_live_through_the_day_they_were_earned(
        self, policy: Policy, at: datetime, zone: ZoneInfo
    ) -> None:
        ends = lot_expiry([policy], BOUGHT, at, zone)
        assert ends is not None
        assert ends > at
        assert last_day_before(ends, zone) >= business_date(at, zone)

    @given(policy=kinds, first=moments, second=moments, zone=zones)
    def test_never_ends_later_points_earlier(
        self, policy: Policy, first: datetime, second: datetime, zone: ZoneInfo
    ) -> None:
        earlier, later = sorted((first, second))
        ends = [lot_expiry([policy], BOUGHT, at, zone) for at in (earlier, later)]
        assert ends == sorted(ends, key=lambda end: end or ALWAYS)

    @given(policy=kinds, at=moments, zone=zones)
    def test_adds_exactly_its_grace(self, policy: Policy, at: datetime, zone: ZoneInfo) -> None:
        assume(policy.grace_days)
        bare = Policy(**{name: getattr(policy, name) for name in Policy.__slots__} | {"grace_days": 0})
        with_grace, without = (lot_expiry([each], BOUGHT, at, zone) for each in (policy, bare))
        assert with_grace is not None
        assert without is not None
        days = last_day_before(with_grace, zone) - last_day_before(without, zone)
        assert days == timedelta(days=policy.grace_days)

    @given(months=st.integers(0, 40), at=moments, zone=zones)
    def test_of_the_end_of_a_month_is_what_points_had_before_there_were_policies(
        self, months: int, at: datetime, zone: ZoneInfo
    ) -> None:
        assert lot_expiry([a_policy("end_of_month", months)], BOUGHT, at, zone) == end_of_month_after(at, months, zone)
