"""Behaviours in passing: in batches, once each, only with consent, for a set time."""

from datetime import timedelta

import pytest

from members.actors import SYSTEM
from members.facts import values_for
from members.models import ActivityKind, Behaviour, Member, TimelineEntry
from members.services.activities import ActivityKindUnknown, record_activity
from members.services.behaviours import (
    BEHAVIOURS_RECORDED,
    BehaviourResult,
    NewBehaviour,
    forget_expired,
    record_behaviours,
)
from members.services.consents import withdraw_consent
from members.services.segment_keeping import follow_entries, follow_time
from tests.factories.people import a_member
from tests.factories.segments import a_live_segment, agrees_to_be_observed, members_in
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
VIEWS = "members.activities?kind=view&days=30"


def an_observed_member() -> Member:
    member = a_member()
    agrees_to_be_observed(member, at=NOON - timedelta(days=1))
    return member


def told(member: Member, *behaviours: NewBehaviour) -> list[BehaviourResult]:
    return record_behaviours(member_id=member.pk, behaviours=behaviours, by=SYSTEM, at=NOON)


def a_view(ref: str, **details: object) -> NewBehaviour:
    return NewBehaviour(**{"external_ref": ref, "kind": "view", "happened_at": NOON, **details})  # type: ignore[arg-type]


@pytest.mark.django_db
class TestABatch:
    def test_is_recorded_and_told_once(self) -> None:
        member = an_observed_member()
        results = told(member, a_view("1", subject="LATTE"), a_view("2"), a_view("s", kind="search"))
        assert [one.result for one in results] == ["recorded"] * 3
        entry = TimelineEntry.objects.get(kind=BEHAVIOURS_RECORDED)
        assert entry.payload == {"kinds": {"view": 2, "search": 1}}
        assert "LATTE" not in str(entry.payload)
        row = Behaviour.objects.get(external_ref="1")
        assert (row.subject, row.expires_at) == ("LATTE", NOON + timedelta(days=90))

    def test_knows_what_it_was_told_before(self) -> None:
        member, other = an_observed_member(), an_observed_member()
        told(member, a_view("1"))
        results = told(member, a_view("1", happened_at=NOON - timedelta(days=3)), a_view("2"), a_view("2"))
        assert [one.result for one in results] == ["known", "recorded", "recorded"]
        assert Behaviour.objects.filter(member_id=member.pk).count() == 2
        assert told(other, a_view("1"))[0].result == "recorded"  # ids of one app do not meet another's

    def test_is_refused_without_consent(self) -> None:
        member = a_member()
        [result] = told(member, a_view("1"))
        assert result.refusal is not None
        assert result.refusal.code == "behaviour_not_consented"
        assert not Behaviour.objects.exists()
        assert not TimelineEntry.objects.filter(kind=BEHAVIOURS_RECORDED).exists()

    def test_is_refused_as_soon_as_consent_is_taken_back(self) -> None:
        member = an_observed_member()
        withdraw_consent(member_id=member.pk, purpose="behaviour", way="self", by=SYSTEM, at=NOON)
        assert told(member, a_view("1"))[0].result == "refused"

    @pytest.mark.parametrize(
        ("behaviour", "code"),
        [
            (a_view("1", kind="dance"), "activity_kind_unknown"),
            (a_view("1", kind="review"), "activity_kind_unknown"),
            (a_view("1", happened_at=NOON + timedelta(minutes=11)), "activity_in_future"),
            (a_view("1", happened_at=NOON - timedelta(days=90)), "behaviour_too_old"),
            (a_view("1", subject="my wife's birthday"), "activity_kind_unknown"),
        ],
    )
    def test_says_what_is_wrong_with_each(self, behaviour: NewBehaviour, code: str) -> None:
        member = an_observed_member()
        good, bad = told(member, a_view("good"), behaviour)
        assert good.result == "recorded"
        assert bad.refusal is not None
        assert bad.refusal.code == code
        assert Behaviour.objects.count() == 1

    def test_is_not_taken_for_an_activity_that_earns(self) -> None:
        member = an_observed_member()
        with pytest.raises(ActivityKindUnknown):
            record_activity(
                member_id=member.pk, kind="view", source="till", external_ref="1", happened_at=NOON, by=SYSTEM, at=NOON
            )  # fmt: skip


@pytest.mark.django_db
class TestWhatIsKept:
    def test_is_a_fact_as_long_as_it_is_kept(self) -> None:
        ActivityKind.objects.filter(code="view").update(kept_days=10)
        member = an_observed_member()
        segment = a_live_segment({"all": [{"fact": VIEWS, "op": "gte", "value": 1}]}, at=NOON)
        told(member, a_view("1"))
        follow_entries(entries=[TimelineEntry.objects.get(kind=BEHAVIOURS_RECORDED)], at=NOON + timedelta(seconds=1))
        assert members_in(segment) == {member.pk}
        end = NOON + timedelta(days=10)
        assert values_for(member.pk, [VIEWS], end - timedelta(seconds=1))[VIEWS] == 1
        assert values_for(member.pk, [VIEWS], end)[VIEWS] == 0
        assert follow_time(at=NOON + timedelta(minutes=1)) == 1
        assert follow_time(at=end - timedelta(seconds=1)) == 0
        assert follow_time(at=end) == 1
        assert members_in(segment) == set()

    def test_is_deleted_when_its_time_is_over(self) -> None:
        member = an_observed_member()
        told(member, a_view("1"), a_view("2", happened_at=NOON - timedelta(days=5)))
        assert forget_expired(at=NOON + timedelta(days=85)) == 1
        assert list(Behaviour.objects.values_list("external_ref", flat=True)) == ["1"]
        assert forget_expired(at=NOON + timedelta(days=90)) == 1
