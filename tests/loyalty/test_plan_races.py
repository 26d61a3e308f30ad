"""Paid membership under storm: real threads, real commits."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from loyalty.models import PlanMembership, PlanOrder, PlanPayment, PlanPeriod, PlanTrial, TierFloor
from loyalty.services.plan_payments import confirm_payment, refund_plan
from loyalty.services.plan_upkeep import end_due_plans, remind_of_ends
from loyalty.services.plans import order_plan, start_trial
from members.actors import SYSTEM, Actor
from members.models import TimelineEntry
from members.refusals import Refusal
from tests.factories.plans import a_plan
from tests.harness.threads import spread, together
from tests.loyalty.stories import local, make_member

MARCH = local("2026-03-05")


def outcome_of(job: Callable[[], object]) -> str:
    try:
        job()
    except Refusal as refusal:
        return refusal.code
    return "done"


def an_order_of(member_id: int) -> PlanOrder:
    return order_plan(
        member_id=member_id, plan_code="gold_year", renews_intended=False, by=Actor("member", member_id), at=MARCH
    )


def confirm(order: PlanOrder, ref: str) -> bool:
    receipt = confirm_payment(
        order=order.public_id, source="shop", external_ref=ref, amount=order.amount, currency="CNY", paid_at=MARCH, by=SYSTEM,
        at=MARCH,
    )  # fmt: skip
    return receipt.is_repeated


class TestAtOnce:
    def test_the_same_confirmation_twenty_times_is_one_payment(self, committed_db: str) -> None:
        a_plan()
        order = an_order_of(make_member().pk)
        repeated = spread(lambda _: confirm(order, "P-1"), times=20, threads=10)
        assert Counter(repeated) == {True: 19, False: 1}
        counts = [model.objects.count() for model in (PlanPayment, PlanMembership, PlanPeriod, TierFloor)]
        assert counts == [1, 1, 1, 1]
        assert TimelineEntry.objects.filter(kind="loyalty.plan_paid.v1").count() == 1

    def test_two_payments_of_one_order_are_one_payment_and_a_refusal(self, committed_db: str) -> None:
        a_plan()
        order = an_order_of(make_member().pk)
        outcomes = together([lambda ref=ref: outcome_of(lambda: confirm(order, ref)) for ref in ("P-1", "P-2")])  # type: ignore[misc]
        assert Counter(outcomes) == {"done": 1, "plan_order_is_paid": 1}

    def test_one_number_for_two_orders_is_one_payment_and_a_refusal(self, committed_db: str) -> None:
        a_plan()
        orders = [an_order_of(make_member().pk) for _ in range(2)]
        outcomes = together([lambda one=one: outcome_of(lambda: confirm(one, "P-1")) for one in orders])  # type: ignore[misc]
        assert Counter(outcomes) == {"done": 1, "payment_conflict": 1}
        assert [model.objects.count() for model in (PlanPayment, PlanMembership, TierFloor)] == [1, 1, 1]

    def test_the_trial_from_eight_devices_is_had_once(self, committed_db: str) -> None:
        a_plan(trial_days=7)
        member = make_member()
        outcomes = spread(
            lambda _: outcome_of(lambda: start_trial(member_id=member.pk, plan_code="gold_year", by=SYSTEM, at=MARCH)),
            times=8, threads=8,
        )  # fmt: skip
        assert Counter(outcomes)["done"] == 1
        assert [model.objects.count() for model in (PlanTrial, PlanMembership, TierFloor)] == [1, 1, 1]

    def test_trial_and_payment_leave_one_plan_that_runs(self, committed_db: str) -> None:
        a_plan(trial_days=7)
        for number in range(5):
            member_id = make_member().pk
            order = an_order_of(member_id)
            trial = partial(start_trial, member_id=member_id, plan_code="gold_year", by=SYSTEM, at=MARCH)
            payment = partial(confirm, order, f"P-{number}")
            together([partial(outcome_of, trial), partial(outcome_of, payment)])
            running = PlanMembership.objects.filter(member=member_id, state__in=["trial", "active"])
            assert running.count() == 1
            outcome_of(payment)
            assert running.get().state == "active"

    def test_orders_from_eight_devices_are_one_order(self, committed_db: str) -> None:
        a_plan()
        member = make_member()
        outcomes = spread(lambda _: outcome_of(lambda: an_order_of(member.pk)), times=8, threads=8)
        assert set(outcomes) <= {"done", "plan_order_waits"}
        assert PlanOrder.objects.filter(state="pending").count() == 1

    def test_a_refund_is_paid_once(self, committed_db: str) -> None:
        a_plan()
        order = an_order_of(make_member().pk)
        confirm(order, "P-1")
        found = PlanMembership.objects.get()
        outcomes = spread(
            lambda number: outcome_of(
                lambda: refund_plan(
                    membership_id=found.pk, receipt_no=f"B-{number}", shown_amount=Decimal("364.00"), reason="asked", by=SYSTEM,
                    at=MARCH,
                )
            ),
            times=6, threads=6,
        )  # fmt: skip
        assert Counter(outcomes) == {"done": 1, "no_plan_running": 5}
        assert PlanPayment.objects.filter(kind="refund").count() == 1

    def test_the_beat_beside_itself_ends_and_reminds_once(self, committed_db: str) -> None:
        a_plan(price="30.00", months=2)
        for number in range(20):
            confirm(an_order_of(make_member().pk), f"P-{number}")
        end = PlanMembership.objects.values_list("valid_until", flat=True)[0]
        assert sum(spread(lambda _: remind_of_ends(at=end - (end - MARCH) / 20, limit=4), times=24, threads=6)) == 20
        assert sum(spread(lambda _: end_due_plans(at=end, limit=4), times=24, threads=6)) == 20
        assert TimelineEntry.objects.filter(kind="loyalty.plan_ended.v1").count() == 20
