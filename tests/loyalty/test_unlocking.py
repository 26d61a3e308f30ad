"""Benefits that tasks of stages unlock."""

from datetime import timedelta

import pytest
from django.utils.translation import override

from loyalty.admin.identity_sentences import _done
from loyalty.handlers import give_what_tasks_unlock
from loyalty.identity_events import STAGE_TASK_DONE
from loyalty.models import Benefit, Entitlement, StageTask
from loyalty.services.unlocking import Unlocked, give_unlocked
from loyalty.unlocks import benefit_names
from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from members.timeline import subscribers
from tests.factories.benefits import a_benefit, a_budget
from tests.factories.identity import a_stage, a_task, did, does
from tests.factories.people import a_member
from tests.factories.times import at

NOON = at("2026-03-15 12:00")
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def told() -> list[TimelineEntry]:
    return list(TimelineEntry.objects.filter(kind=STAGE_TASK_DONE).order_by("pk"))


def hear() -> None:
    """Let loyalty read what was told as soon as it was, as the reader of the timeline does; again and again, as it may."""
    for _ in range(2):
        entries = told()
        for entry in entries:
            entry.recorded_at = entry.happened_at
        give_what_tasks_unlock(entries)


def unlocks(benefit: str) -> StageTask:
    """Return a task, done by a review, that unlocks a benefit."""
    return a_task(a_stage(10, at=NOON, name="New"), did("review", 1), at=NOON, name="Review", benefit_code=benefit)


def unlocked(member: Member, *, benefit: str = "lounge", task: str = "review") -> int:
    return give_unlocked(unlocked=[Unlocked(member.pk, task, benefit, NOON)], by=SYSTEM, at=NOON)


class TestATask:
    """A task that is done …"""

    def test_gives_its_benefit_once(self) -> None:
        a_benefit("lounge", quota=3, period=Benefit.Period.MONTH)
        task, member = unlocks("lounge"), a_member()
        does(member, "review", NOON)
        hear()
        row = Entitlement.objects.get()
        assert (row.member_id, row.source, row.source_ref, row.quota, row.state) == (
            member.pk, "task", task.code, 3, "granted",
        )  # fmt: skip
        assert (row.valid_from, row.valid_to) == (told()[0].happened_at, at("2026-04-16"))
        assert "loyalty.unlocks" in subscribers()

    def test_gives_nothing_that_is_out_of_use_and_says_nothing_of_it(self) -> None:
        lounge = a_benefit("lounge", name="Lounge", name_en="Lounge")
        task, member = unlocks("lounge"), a_member()
        assert benefit_names({"lounge"}) == {"lounge": "Lounge"}
        Benefit.objects.update(is_on=False)
        does(member, "review", NOON)
        hear()
        assert not Entitlement.objects.exists()
        assert (benefit_names({"lounge"}), benefit_names()) == ({}, {})
        with override("en"):
            said = _done(told()[0].payload, {"task": task.name, "stage": "New", "benefit": ""})
        assert said == "Did the task “Review” of the stage “New”."
        assert lounge.pk

    def test_unlocks_what_is_counted_only(self) -> None:
        a_benefit("lounge", name="Lounge", name_en="Lounge")
        a_benefit("off", kind="discount", quota=None)
        assert benefit_names() == {"lounge": "Lounge"}
        assert unlocked(a_member(), benefit="off") == unlocked(a_member(), benefit="gone") == 0

    def test_gives_as_much_as_the_budget_holds(self) -> None:
        lounge = a_benefit("lounge", quota=1)
        budget = a_budget(lounge, at=NOON, total_units=1)
        first, second = a_member(), a_member()
        assert (unlocked(first), unlocked(second)) == (1, 0)
        assert Entitlement.objects.get().member_id == first.pk
        budget.refresh_from_db()
        assert budget.reserved_units == 1

    def test_gives_what_the_budget_says_instead_and_not_the_first_one_later(self) -> None:
        lounge, tea = a_benefit("lounge", quota=1), a_benefit("tea", quota=5)
        budget = a_budget(lounge, at=NOON, total_units=1, when_full="swap", swap_benefit=tea)
        unlocked(a_member())
        member = a_member()
        assert unlocked(member) == 1
        budget.total_units = 9
        budget.save()
        assert unlocked(member) == 0
        rows = Entitlement.objects.filter(member=member)
        assert [(row.benefit_id, row.quota) for row in rows] == [(tea.pk, 5)]

    def test_is_the_survivors_and_also_who_is_frozen_has_it(self) -> None:
        a_benefit("lounge")
        frozen, kept = a_member(status=Member.Status.FROZEN), a_member()
        merged = a_member()
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status=Member.Status.CLOSED)
        closed = a_member(status=Member.Status.CLOSED)
        assert [unlocked(one) for one in (frozen, merged, closed)] == [1, 1, 0]
        assert set(Entitlement.objects.values_list("member_id", flat=True)) == {frozen.pk, kept.pk}

    def test_that_was_done_too_long_ago_gives_nothing(self) -> None:
        a_benefit("lounge", period=Benefit.Period.MONTH)
        long_ago = Unlocked(a_member().pk, "review", "lounge", NOON - 40 * DAY)
        assert give_unlocked(unlocked=[long_ago], by=SYSTEM, at=NOON) == 0
        assert not Entitlement.objects.exists()

    def test_done_by_many_costs_the_same_statements(self, django_assert_max_num_queries: object) -> None:
        a_benefit("lounge")
        many = [Unlocked(a_member().pk, "review", "lounge", NOON) for _ in range(12)]
        with django_assert_max_num_queries(22):  # type: ignore[operator]
            assert give_unlocked(unlocked=many, by=SYSTEM, at=NOON) == 12
