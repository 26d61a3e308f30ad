"""The log of events: in order, exact under late commits, by types, and over all that is registered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from members import event_log
from members.actors import SYSTEM
from members.event_log import CursorUnknown, latest_cursor, read_events
from members.identifiers import MEMBER, REDEMPTION, REWARD, VOUCHER, public_ref
from members.models import TimelineEntry
from members.timeline import NewEntry, record
from members.webhook_types import event_types, events_of
from rewards.events_redemptions import redemption_moved
from rewards.events_voucher_issuing import voucher_given, voucher_voided
from rewards.webhook_types import REWARD_REDEEMED
from tests.factories.catalogue import a_voucher
from tests.factories.fulfilment import an_order
from tests.factories.people import a_member
from tests.harness.threads import together

UNFROZEN, CLOSED = "members.unfrozen.v1", "members.closed.v1"


def tell(member_id: int, *kinds: str) -> list[int]:
    now = datetime.now(UTC)
    return record([NewEntry(kind, member_id, now, SYSTEM) for kind in kinds])


def read_all(after: str, *, limit: int = 3, types: list[str] | None = None) -> tuple[list[int], str]:
    """Return the entries of all events after a cursor, page by page, and the last cursor."""
    found: list[int] = []
    while True:
        page = read_events(after=after, types=types, limit=limit)
        assert len(page.events) <= limit
        found += [event.entry_id for event in page.events]
        after = page.cursor
        if not page.has_more:
            return found, after


def test_is_exact_in_order_under_late_commits_and_by_types(committed_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "SCANNED", 7)
    member = a_member()
    start = latest_cursor().cursor
    seen: list[int] = []
    after = start

    def write(first: int) -> list[int]:
        told = []
        for number in range(6):
            with transaction.atomic():
                told += tell(member.pk, UNFROZEN, CLOSED)
                with connection.cursor() as cursor:  # some commit late: others come between
                    cursor.execute("SELECT pg_sleep(%s)", [0.004 * ((first + number) % 4)])
        return told

    def follow() -> list[int]:
        nonlocal after
        for _turn in range(60):
            more, after = read_all(after)
            seen.extend(more)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.002)")
        return []

    written = together([*[lambda first=first: write(first) for first in range(6)], follow])
    more, after = read_all(after)
    seen += more
    expected = sorted(pk for some in written for pk in some)
    assert sorted(seen) == expected
    assert len(seen) == len(set(seen)) == 72
    again, _cursor = read_all(start, limit=100)
    assert again == seen  # the same order whenever it is read
    closed, _cursor = read_all(start, types=["member.closed"])
    kinds = dict(TimelineEntry.objects.filter(pk__in=expected).values_list("pk", "kind"))
    assert closed == [pk for pk in seen if kinds[pk] == CLOSED]

    # A running transaction holds back what came after it began, and nothing is passed over.
    def late() -> list[int]:
        with transaction.atomic():
            held = tell(member.pk, UNFROZEN)
            early = together([lambda: tell(member.pk, CLOSED)])[0]
            [(read_meanwhile, _cursor)] = together([lambda: read_all(after)])
            assert read_meanwhile == []
        return held + early

    told = late()
    assert read_all(after)[0] == told

    # A restored backup begins a new epoch, whose transactions count from lower numbers.
    _all, after = read_all(after)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_timelineentry (epoch, xact, kind, member_id, happened_at, actor_kind)"
            " VALUES (2, 5, %s, %s, now(), 'system'), (3, 1, 'members.nothing.v1', NULL, now(), 'system') RETURNING id",
            [CLOSED, member.pk],
        )
        restored = cursor.fetchone()[0]
    page = read_events(after=after, types=None, limit=10)
    assert [event.entry_id for event in page.events] == [restored]
    assert page.epoch >= 2


@pytest.mark.django_db
class TestACursor:
    def test_of_somebody_elses_making_is_unknown(self) -> None:
        for cursor in ("1", "ü", "gAAAAAB", "WzEsMSwxLCIiXQ"):
            with pytest.raises(CursorUnknown):
                read_events(after=cursor, types=None, limit=5)


@pytest.mark.django_db
class TestEveryType:
    def test_is_documented_as_it_is_built(self, db: None) -> None:
        """Whatever the demo of a test leaves on the timeline is built with just the parts that are published."""
        for event_type in event_types():
            assert event_type.parts or event_type.about_member
            assert str(event_type.label)
            example = event_type.example()
            assert list(example["data"]) == [part.name for part in event_type.all_parts()]

    def test_says_the_type_of_points_that_an_entry_is_about(self) -> None:
        """A correction gives or takes; a household's gift is told of whoever gave."""
        now = datetime.now(UTC)
        member = a_member()
        told: list[tuple[str, dict[str, Any]]] = [
            ("rewards.points_adjusted.v1", {"points": 50}),
            ("rewards.points_adjusted.v1", {"points": -20}),
            ("rewards.points_corrected.v1", {"points": -7}),
            ("rewards.points_spent.v1", {"points": 9}),
            ("rewards.purchase_recorded.v1", {"points": 0, "purchase": 1}),
            ("rewards.points_expired.v1", {"points": 3}),
            ("rewards.points_converted.v1", {"points": 4, "direction": "out", "state": "pending"}),
            ("rewards.points_converted.v1", {"points": 4, "direction": "out", "state": "exported"}),
            ("rewards.points_converted.v1", {"points": 5, "direction": "in", "state": "confirmed"}),
        ]
        ids = record([NewEntry(kind, member.pk, now - timedelta(1), SYSTEM, payload) for kind, payload in told])
        found = events_of(list(TimelineEntry.objects.filter(pk__in=ids).order_by("pk")))
        assert [(event.type, event.data["points"]) for event in found] == [
            ("points.earned", 50),
            ("points.reversed", 20),
            ("points.reversed", 7),
            ("points.spent", 9),
            ("points.expired", 3),
            ("points.spent", 4),
            ("points.earned", 5),
        ]

    def test_tells_what_became_of_vouchers_and_redemptions(self) -> None:
        now, member = datetime.now(UTC), a_member()
        voucher, order = a_voucher(member.pk, issued_at=now), an_order(at=now, member=member)
        issued = TimelineEntry.objects.latest("pk").pk
        about: dict[str, Any] = {"member_id": member.pk, "happened_at": now, "by": SYSTEM}
        moved: dict[str, Any] = {"redemption_id": order.pk, "reward_id": order.reward_id, **about}
        entries = [
            voucher_voided(voucher_id=voucher.pk, template_id=voucher.template_id, **about),
            voucher_given(voucher_id=voucher.pk, gift_id=1, received_id=2, **about),
            redemption_moved(to_state="preparing", **moved),
            redemption_moved(to_state="shipped", **moved),
            redemption_moved(to_state="cancelled", points=30, **moved),
            redemption_moved(to_state="refunded", **moved),
        ]
        found = events_of(list(TimelineEntry.objects.filter(pk__in=[issued, *record(entries)]).order_by("pk")))
        its = {"voucher_id": public_ref(VOUCHER, voucher.public_id)}
        of = {
            "redemption_id": public_ref(REDEMPTION, order.public_id),
            "reward_id": public_ref(REWARD, order.reward.public_id),
        }
        whose = {"member_ref": public_ref(MEMBER, member.public_id)}
        assert [(event.type, event.data) for event in found] == [
            ("voucher.issued", whose | its | {"origin": "benefit"}),
            ("voucher.voided", whose | its),
            ("voucher.voided", whose | its),
            ("redemption.shipped", whose | of),
            ("redemption.cancelled", whose | of | {"points": 30, "is_out_of_stock": False}),
            ("redemption.cancelled", whose | of | {"points": 0, "is_out_of_stock": True}),
        ]

    def test_of_one_entry_has_an_id_of_its_own(self) -> None:
        by_code = {one.code: one for one in event_types()}
        assert REWARD_REDEEMED in by_code["points.spent"].kinds
        assert REWARD_REDEEMED in by_code["redemption.created"].kinds
