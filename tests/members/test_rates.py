"""Calls are counted exactly, by whoever serves them; wrong tries lock, and are told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from members.addresses import address_of, place_of
from members.models import GuessingAlarm, RateCounter, RiskFinding, RiskRule, TimelineEntry, WrongTries
from members.risk import signal
from members.services.guessing import (
    ALARM,
    Bound,
    GuessKind,
    TooManyTries,
    forget_wrong_tries,
    guess_label,
    refuse_if_locked,
    register_guessing,
    right_try,
    wrong_try,
)
from members.services.rates import Leases, Limit, RateLimited, forget_counters, take
from tests.factories.api import Caller, make_member, make_store, make_till, problem_of, sign_in
from tests.factories.people import a_member
from tests.factories.times import at
from tests.harness.threads import together

AT = at("2026-07-05 12:00")
TEN = Limit("ten", 10, 60)
KIND = "test_codes"
register_guessing(
    GuessKind(
        KIND,
        "test codes",
        {"member": Bound(3, timedelta(hours=1), timedelta(minutes=10)), "address": Bound(50)},
        alarm_in_a_minute=20,
    )
)


def passes(limit: Limit, partition: str, *, leases: Leases | None = None, moment: object = AT) -> bool:
    try:
        (leases or Leases()).take(limit=limit, partition=partition, at=moment)  # type: ignore[arg-type]
    except RateLimited:
        return False
    return True


class TestManyAtOnce:
    def test_pass_exactly_as_many_as_the_limit_says(self, committed_db: str) -> None:
        jobs = [lambda: sum(passes(TEN, "somebody") for _call in range(10)) for _thread in range(10)]
        assert sum(together(jobs)) == 10
        wide = Limit("wide", 500, 60)  # leased in blocks of ten, by eight processes
        processes = [Leases() for _process in range(8)]
        jobs = [lambda own=own: sum(passes(wide, "x", leases=own) for _call in range(80)) for own in processes]  # type: ignore[misc]
        passed = sum(together(jobs))
        assert 500 - 8 * (wide.block - 1) <= passed <= 500


@pytest.mark.django_db
class TestALimit:
    def test_says_when_to_come_again_and_begins_anew_then(self) -> None:
        for call in range(10):
            taken = take(limit=TEN, partition="a", at=AT + timedelta(seconds=call))
            assert (taken.count, taken.remaining) == (call + 1, 9 - call)
        with pytest.raises(RateLimited) as refused:
            take(limit=TEN, partition="a", at=AT + timedelta(seconds=20))
        assert refused.value.params == {"retry_after_seconds": 40}
        assert take(limit=TEN, partition="b", at=AT + timedelta(seconds=20)).remaining == 9
        assert take(limit=TEN, partition="a", at=AT + timedelta(seconds=60)).remaining == 9

    def test_costs_a_statement_for_many_calls_where_it_is_wide(self) -> None:
        wide = Limit("wide", 3_000, 60)
        with CaptureQueriesContext(connection) as captured:
            assert all(passes(wide, "till", leases=leases) for leases in [Leases()] for _call in range(120))
        assert len(captured) == 2

    def test_costs_nothing_where_it_has_refused(self) -> None:
        leases = Leases()
        assert sum(passes(TEN, "flood", leases=leases) for _call in range(11)) == 10
        with CaptureQueriesContext(connection) as captured:
            assert not passes(TEN, "flood", leases=leases)
        assert len(captured) == 0

    def test_keeps_no_name_in_the_clear_and_is_forgotten_when_it_is_over(self) -> None:
        take(limit=TEN, partition="+8613800138000", at=AT)
        assert b"13800138000" not in bytes(RateCounter.objects.get().partition)
        assert forget_counters(at=AT + timedelta(seconds=59)) == 0
        assert forget_counters(at=AT + timedelta(seconds=60)) == 1

    def test_stands_in_a_table_without_a_log(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'members_ratecounter'")
            assert cursor.fetchone()[0] == "u"


@pytest.mark.django_db
class TestTheApi:
    def test_tells_the_limit_and_refuses_what_is_more(self) -> None:
        me = sign_in(make_member())
        with override_settings(API_CALLS_A_MINUTE={"member": 3, "key": 2, "address": 2}):
            answers = [me.get("/me/preferences") for _call in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[0].headers["RateLimit-Policy"] == '"member";q=3;w=60'
            assert answers[0].headers["RateLimit"].startswith('"member";r=2;t=')
            assert problem_of(answers[3]) == (429, "rate_limited")
            assert 0 < int(answers[3].headers["Retry-After"]) <= 60
            assert sign_in(make_member()).get("/me/preferences").status_code == 200  # another member
            till = make_till(make_store())
            assert [till.get("/pos/orders/X").status_code for _call in range(3)] == [404, 404, 429]

    def test_is_not_taken_in_by_a_forged_address(self) -> None:
        visitor = Caller()
        with override_settings(API_CALLS_A_MINUTE={**settings.API_CALLS_A_MINUTE, "address": 2}):
            answers = [visitor.get("/program", x_forwarded_for=f"10.0.0.{call}") for call in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]

    def test_believes_its_own_proxy_alone(self) -> None:
        request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR="1.2.3.4, 5.6.7.8")
        assert address_of(request) == "10.0.0.9"
        with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
            assert address_of(request) == "5.6.7.8"
        assert place_of(RequestFactory().get("/", REMOTE_ADDR="2001:db8::1")) == place_of(
            RequestFactory().get("/", REMOTE_ADDR="2001:db8::2")
        )


def tries(number: int, moment: object = AT, **whose: str) -> None:
    for _try in range(number):
        wrong_try(kind=KIND, partitions=whose or {"member": "1"}, at=moment)  # type: ignore[arg-type]


@pytest.mark.django_db
class TestGuessing:
    def test_locks_for_a_time_and_the_next_time_for_longer(self) -> None:
        tries(2)
        refuse_if_locked(kind=KIND, partitions={"member": "1"}, at=AT)
        tries(1)
        with pytest.raises(TooManyTries) as refused:
            refuse_if_locked(kind=KIND, partitions={"member": "1", "address": "x"}, at=AT)
        assert refused.value.params == {"retry_after_seconds": 600}
        refuse_if_locked(kind=KIND, partitions={"member": "2"}, at=AT)
        later = AT + timedelta(minutes=10)
        refuse_if_locked(kind=KIND, partitions={"member": "1"}, at=later)
        tries(3, later)
        refused_until = later + timedelta(minutes=20)
        with pytest.raises(TooManyTries):
            refuse_if_locked(kind=KIND, partitions={"member": "1"}, at=refused_until - timedelta(seconds=1))
        refuse_if_locked(kind=KIND, partitions={"member": "1"}, at=refused_until)

    def test_is_forgotten_by_what_was_right_and_by_time(self) -> None:
        tries(2)
        right_try(kind=KIND, partitions={"member": "1"})
        tries(2)
        tries(2, AT + timedelta(hours=1))
        refuse_if_locked(kind=KIND, partitions={"member": "1"}, at=AT + timedelta(hours=1))
        assert forget_wrong_tries(at=AT + timedelta(hours=20)) == 0
        assert forget_wrong_tries(at=AT + timedelta(hours=26)) == 2
        assert not WrongTries.objects.exists()

    def test_opens_a_review_of_the_member_under_whose_name_it_is(self) -> None:
        member = a_member()
        for _try in range(4):
            wrong_try(kind=KIND, partitions={"member": str(member.pk)}, at=AT, member_id=member.pk)
        finding = RiskFinding.objects.get(member=member)
        rule = signal(finding.rule)
        assert rule is not None
        assert guess_label(KIND) in rule.words(finding.figures)
        RiskRule.objects.filter(code="guessing").update(is_on=False)
        other = a_member()
        for _try in range(3):
            wrong_try(kind=KIND, partitions={"member": str(other.pk)}, at=AT, member_id=other.pk)
        assert not RiskFinding.objects.filter(member=other).exists()

    def test_by_many_together_raises_the_alarm_within_the_minute(self) -> None:
        for number in range(19):
            wrong_try(kind=KIND, partitions={"member": f"m{number}"}, at=AT + timedelta(seconds=number))
        assert not GuessingAlarm.objects.exists()
        tries(5, AT + timedelta(seconds=40), member="another")
        alarms = {alarm.axis: alarm for alarm in GuessingAlarm.objects.all()}
        assert alarms["everybody"].most_in_a_minute == 20
        assert alarms["member"].locks == 1
        assert TimelineEntry.objects.filter(kind=ALARM).count() == 1

    def test_at_once_is_counted_in_full(self, django_assert_max_num_queries: Callable[..., Any]) -> None:
        with django_assert_max_num_queries(3):
            wrong_try(kind=KIND, partitions={"member": "1", "address": "10.0.0.1"}, at=AT)
