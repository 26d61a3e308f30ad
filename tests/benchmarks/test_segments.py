"""A million members with ten million entries: each figure beside that of the hand-written SQL for the same question."""

import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.actors import SYSTEM
from members.conditions import parse
from members.jobs import InputFile
from members.models import Channel, Job, Segment, TimelineEntry
from members.segment_estimates import look
from members.segment_templates import templates
from members.services.finding import find_members
from members.services.jobs import run_job
from members.services.segment_keeping import follow_entries
from members.services.segments import make_list, make_segment, publish_segment
from tests.factories.portal import an_operator
from tests.harness.million import make_members, phone_of
from tests.harness.million_histories import make_histories
from tests.harness.results import Figures
from tests.harness.segment_bench import NUMBER, fifty_segments

MEMBERS = 1_000_000
ENTRIES_EACH = 10
LISTED = 200_000
ROUNDS = 15
ESTIMATE_SECONDS = 1.0
EVENT_SECONDS = 0.020
FIND_SECONDS = 0.050
PAGE_SECONDS = 0.400
LIST_SECONDS = 10.0

# How many of a member's orders are kept in each of seven windows, and the same for visits: what fifty segments ask.
BY_HAND_EVENT = """
SELECT m.status, m.joined_at,
    count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '7 days'), count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '14 days'),
    count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '30 days'), count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '60 days'),
    count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '90 days'), count(p.id) FILTER (WHERE p.ordered_at >= now() - interval '180 days'),
    count(p.id), sum(p.total_amount),
    (SELECT count(*) FROM members_activity a WHERE a.member_id = m.id AND a.happened_at >= now() - interval '365 days'),
    (SELECT s.tier_id FROM loyalty_tierstanding s WHERE s.member_id = m.id),
    (SELECT sum(a.available) FROM rewards_pointsaccount a WHERE a.member_id = m.id),
    (SELECT p.birthday FROM members_memberperson p WHERE p.member_id = m.id),
    (SELECT count(*) FROM members_segmentspan s WHERE s.member_id = m.id AND s.left_at IS NULL)
FROM members_member m LEFT JOIN rewards_purchase p ON p.member_id = m.id AND p.ordered_at >= now() - interval '365 days'
WHERE m.id = %s GROUP BY m.id
"""
BY_HAND_ESTIMATE = """
SELECT count(*) FROM members_member m TABLESAMPLE SYSTEM (0.5)
WHERE m.status = 'active' AND EXISTS (SELECT 1 FROM rewards_purchase p WHERE p.member_id = m.id)
    AND NOT EXISTS (SELECT 1 FROM rewards_purchase p WHERE p.member_id = m.id AND p.ordered_at >= now() - interval '90 days')
"""
BY_HAND_PAGE = """
SELECT (SELECT row(m.member_no, m.status, m.joined_at, p.full_name, p.phone, p.email) FROM members_memberperson p WHERE p.member_id = m.id)::text,
    (SELECT s.tier_id FROM loyalty_tierstanding s WHERE s.member_id = m.id),
    (SELECT sum(a.available) FROM rewards_pointsaccount a WHERE a.member_id = m.id),
    (SELECT array_agg(e::text) FROM (
        SELECT * FROM members_timelineentry e WHERE e.member_id = m.id ORDER BY happened_at DESC, id DESC LIMIT 25) AS e)
FROM members_member m WHERE m.id = %s
"""
BY_HAND_FIND = "SELECT member_id FROM members_memberperson WHERE phone = %s"
BY_HAND_LIST = """
INSERT INTO members_segmentspan (segment_id, member_id, entered_at, entered_cause, entered_number, entered_tests)
SELECT %s, id, now(), 'hand', 0, 0 FROM members_member WHERE id <= 200000
"""


def seconds(act: Callable[[], Any], times: int) -> float:
    """Return the median of how long an act takes."""
    act()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def sql(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        if cursor.description:
            cursor.fetchall()


def bought(member_id: int) -> TimelineEntry:
    return TimelineEntry(kind="rewards.purchase_recorded.v1", member_id=member_id)


def finished(job: Job) -> float:
    """Do a job's work; return the seconds it takes."""
    began = time.perf_counter()
    assert run_job(job_id=job.pk, worker="benchmark", clock=timezone.now) == "done"
    return time.perf_counter() - began


def test_segments_at_a_million(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    make_members(MEMBERS)
    make_histories(MEMBERS, entries=ENTRIES_EACH, channel_id=Channel.objects.get(code="till").pk)
    chance = random.Random(7)
    figures: dict[str, object] = {"members": f"{MEMBERS:,}", "timeline entries": f"{MEMBERS * ENTRIES_EACH:,}"}

    found, painted = finding_and_reading(figures)
    estimates = {}
    for template in templates():
        node = parse(template.condition)
        estimates[template.code] = seconds(lambda node=node: look(node, at=timezone.now()), 5)  # type: ignore[misc]
        figures[f"estimate: {template.code}"] = f"{1000 * estimates[template.code]:.0f} ms"
    by_hand = seconds(lambda: sql(BY_HAND_ESTIMATE), 5)
    figures["estimate to hand-written SQL over half a percent (dormant)"] = f"{estimates['dormant'] / by_hand:.1f}"

    fifty_segments(timezone.now())

    # They come into their segments first; then something happens to one of them after the other.
    asked = [chance.randrange(1, MEMBERS) for _ in range(200)]
    follow_entries(entries=[bought(member) for member in asked], at=timezone.now())

    def an_event() -> None:
        follow_entries(entries=[bought(chance.choice(asked))], at=timezone.now())

    event = seconds(an_event, ROUNDS)
    by_hand = seconds(lambda: sql(BY_HAND_EVENT, chance.randrange(1, MEMBERS)), ROUNDS)
    figures[f"one event, {NUMBER} live segments"] = f"{1000 * event:.1f} ms"
    figures["one event to hand-written SQL for the same facts"] = f"{event / by_hand:.1f}"

    numbers = "\n".join(member_numbers())
    listed, job = make_list(name="Listed", file=InputFile("list.csv", numbers.encode()), by=SYSTEM, at=timezone.now())
    took = finished(job)
    listed.refresh_from_db()
    assert listed.members_count == LISTED
    figures[f"fixed list of {LISTED:,} from numbers"] = f"{took:.1f} s"
    other = make_segment(name="By hand", kind=Segment.Kind.STATIC, condition=None, by=SYSTEM, at=timezone.now())
    began = time.perf_counter()
    sql(BY_HAND_LIST, other.pk)
    figures["fixed list to one hand-written INSERT"] = f"{took / (time.perf_counter() - began):.1f}"
    tier = {"all": [{"fact": "loyalty.tier", "op": "in", "value": ["silver", "gold", "diamond"]}]}
    segment = make_segment(name="Tiers", kind=Segment.Kind.STATIC, condition=tier, by=SYSTEM, at=timezone.now())
    by_condition = finished(publish_segment(segment_id=segment.pk, by=SYSTEM, at=timezone.now()))
    segment.refresh_from_db()
    figures[f"fixed list of {segment.members_count:,} by condition, over all members"] = f"{by_condition:.1f} s"
    figures["load average of the machine"] = f"{os.getloadavg()[0]:.1f}"
    record_result("Segments at a million members", figures)

    assert found <= FIND_SECONDS
    assert painted <= PAGE_SECONDS
    assert max(estimates.values()) <= ESTIMATE_SECONDS
    assert event <= EVENT_SECONDS
    assert took <= LIST_SECONDS


def finding_and_reading(figures: dict[str, object]) -> tuple[float, float]:
    """Find a member by phone, and open the member's page, as staff do; return the seconds of both, on the server."""
    operator = an_operator("service supervisor")
    client = Client()
    client.force_login(operator)
    minutes = count()

    def find() -> None:
        at = timezone.now() + next(minutes) * timedelta(minutes=1)  # sixty look-ups in one minute are the most
        assert find_members(text=phone_of(654_321), stores=None, by=operator, at=at).hits

    def open_page() -> None:
        assert client.get(reverse("admin:members_member_change", args=[654_321])).status_code == 200

    finding, reading = seconds(find, ROUNDS), seconds(open_page, ROUNDS)
    for name, took, by_hand in (
        ("find by phone", finding, seconds(lambda: sql(BY_HAND_FIND, f"+86{phone_of(654_321)}"), ROUNDS)),
        ("first paint of the member's page", reading, seconds(lambda: sql(BY_HAND_PAGE, 654_321), ROUNDS)),
    ):
        figures[name] = (
            f"{1000 * took:.1f} ms, {took / by_hand:.0f} times the hand-written SQL ({1000 * by_hand:.1f} ms)"
        )
    return finding, reading


def member_numbers() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_no FROM members_member WHERE id <= %s", [LISTED])
        return [row[0] for row in cursor.fetchall()]
