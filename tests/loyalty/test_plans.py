"""Paid membership: ordered, paid, gone on with, changed, ended, paid back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from loyalty import benefit_costs, tasks
from loyalty.models import Plan, PlanMembership, PlanOrder, PlanPayment, PlanPeriod, PlanTrial, TierFloor
from loyalty.plan_queries import Rate, refund_figure, renewal_rate, running_plan, trial_conversion, waiting_order
from loyalty.queries import tier_at
from loyalty.services.floors import refresh_floors
from loyalty.services.plan_payments import (
    NOTHING_DUE,
    STAFF,
    PlanReceipt,
    confirm_payment,
    order_for_member,
    refund_plan,
    sell_plan,
)
from loyalty.services.plan_refusals import (
    AmountDiffers,
    MembershipClosed,
    NoPlanRunning,
    NoSuchOrder,
    NoTrial,
    OrderIsPaid,
    OrderOvertaken,
    PaymentIsAnother,
    PaymentNumberMissing,
    PlanIsRunning,
    PlanNotOnSale,
    RefundChanged,
    RenewalNotOffered,
    RenewedAlready,
    TrialTaken,
)
from loyalty.services.plan_upkeep import end_due_plans, lapse_orders, remind_of_ends
from loyalty.services.plans import order_plan, start_trial, wish_renewal
from members.actors import SYSTEM, Actor
from members.facts import values_for
from members.models import Member, OwnMembership, TimelineEntry
from members.own_accounts import OwnAccount
from members.services.status import ReasonMissing
from tests.factories.plans import a_plan
from tests.factories.portal import an_operator
from tests.loyalty.stories import local, make_member, purchase, tell

MARCH = local("2026-03-05")  # at noon
DAY = timedelta(days=1)
STATES = PlanMembership.State


def order(member: Member, code: str = "gold_year", *, at: datetime = MARCH, renews: bool = False) -> PlanOrder:
    return order_plan(member_id=member.pk, plan_code=code, renews_intended=renews, by=Actor("member", member.pk), at=at)


def pay(
    one: PlanOrder, ref: str = "", *, at: datetime = MARCH, amount: str | None = None, currency: str = "CNY"
) -> PlanReceipt:
    return confirm_payment(
        order=one.public_id, source="shop", external_ref=ref or f"P-{one.pk}", currency=currency, paid_at=at, at=at,
        amount=one.amount if amount is None else Decimal(amount), by=Actor("device", 7),
    )  # fmt: skip


def bought(member: Member, code: str = "gold_year", *, at: datetime = MARCH) -> PlanMembership:
    return pay(order(member, code, at=at), at=at).membership


def values() -> tuple[int, ...]:
    """How many rows there are of everything that has worth."""
    models = (PlanMembership, PlanPeriod, PlanPayment, TierFloor, PlanTrial)
    return tuple(model.objects.count() for model in models)


def told(member: Member) -> list[str]:
    entries = TimelineEntry.objects.filter(member=member, kind__startswith="loyalty.plan_").order_by("id")
    return [entry.kind.removeprefix("loyalty.plan_").removesuffix(".v1") for entry in entries]


@pytest.fixture
def gold(db: None) -> Plan:
    """A year of gold for 365.00."""
    return a_plan()


@pytest.fixture
def diamond(db: None) -> Plan:
    """A year of diamond for 730.00."""
    return a_plan("diamond_year", tier="diamond", price="730.00")


class TestOrdering:
    def test_says_what_is_to_be_paid_and_gives_nothing_yet(self, member: Member, gold: Plan) -> None:
        wanted = order(member)
        assert (wanted.kind, wanted.amount, wanted.currency, wanted.state) == (
            "purchase", Decimal("365.00"), "CNY", "pending",
        )  # fmt: skip
        assert waiting_order(member.pk, MARCH) == wanted
        assert values() == (0, 0, 0, 0, 0)
        assert tier_at(member.pk, MARCH).code == "member"

    def test_the_same_again_gives_the_order_that_waits_and_another_choice_takes_its_place(
        self, member: Member, gold: Plan, diamond: Plan
    ) -> None:
        first = order(member)
        assert order(member, at=MARCH + DAY) == first
        other = order(member, "diamond_year")
        assert other != first
        assert dict(PlanOrder.objects.values_list("pk", "state")) == {first.pk: "lapsed", other.pk: "pending"}

    def test_is_refused_when_it_is_not_sold(self, member: Member, gold: Plan) -> None:
        for change in (
            {"state": Plan.State.DRAFT}, {"sale_from": MARCH + DAY}, {"sale_until": MARCH}, {"state": Plan.State.WITHDRAWN},
        ):  # fmt: skip
            Plan.objects.update(**{"state": "on_sale", "sale_from": MARCH - DAY, "sale_until": None, **change})
            with pytest.raises(PlanNotOnSale):
                order(member)
        with pytest.raises(PlanNotOnSale):
            order(member, "unknown")
        assert not PlanOrder.objects.exists()

    def test_is_refused_to_who_has_left_and_about_the_own_account(self, member: Member, gold: Plan) -> None:
        operator = an_operator()
        OwnMembership.objects.create(operator=operator, member=member)
        with pytest.raises(OwnAccount):
            order_plan(
                member_id=member.pk,
                plan_code="gold_year",
                renews_intended=False,
                by=Actor("operator", operator.pk),
                at=MARCH,
            )
        Member.objects.update(status=Member.Status.CLOSED)
        with pytest.raises(MembershipClosed):
            order(member)

    def test_in_the_name_of_a_merged_member_is_the_survivors(self, member: Member, gold: Plan) -> None:
        other = make_member()
        Member.objects.filter(pk=other.pk).update(merged_into=member)
        assert order(other).member_id == member.pk

    def test_without_renewal_takes_no_such_wish(self, member: Member) -> None:
        a_plan("once", can_renew=False)
        with pytest.raises(RenewalNotOffered):
            order(member, "once", renews=True)

    def test_that_nobody_pays_lapses_and_is_taken_when_the_money_comes_late(self, member: Member, gold: Plan) -> None:
        wanted = order(member)
        late = MARCH + 7 * DAY
        assert (lapse_orders(at=late - timedelta(seconds=1)), lapse_orders(at=late), lapse_orders(at=late)) == (0, 1, 0)
        assert waiting_order(member.pk, late) is None
        assert pay(wanted, at=late).membership.state == STATES.ACTIVE


class TestAPayment:
    def test_lets_the_plan_begin_and_lifts_the_tier_to_the_anniversary(self, member: Member, gold: Plan) -> None:
        receipt = pay(order(member, renews=True))
        found = receipt.membership
        assert (found.state, found.valid_from, found.valid_until) == ("active", MARCH, local("2027-03-05 00:00"))
        assert found.renews_intended
        assert not receipt.is_repeated
        assert PlanOrder.objects.get().state == "paid"
        moments = [MARCH - DAY, MARCH, local("2027-03-04 23:59"), local("2027-03-05 00:00")]
        assert [tier_at(member.pk, moment).code for moment in moments] == ["member", "gold", "gold", "member"]
        assert told(member) == ["ordered", "paid"]

    def test_over_a_higher_tier_that_was_earned_leaves_the_higher(self, member: Member, gold: Plan) -> None:
        tell(purchase(member.pk, "a", 6000, MARCH))
        bought(member)
        assert tier_at(member.pk, MARCH + DAY).code == "diamond"

    def test_told_again_gives_the_first_answer_for_ever(self, member: Member, gold: Plan) -> None:
        wanted = order(member)
        first, before = pay(wanted, "P-1"), values()
        again = pay(wanted, "P-1", at=MARCH + 400 * DAY)
        assert (again.payment, again.is_repeated) == (first.payment, True)
        assert values() == before

    def test_with_other_contents_is_refused(self, member: Member, gold: Plan) -> None:
        wanted = order(member)
        pay(wanted, "P-1")
        other = order(make_member())
        before = values()
        with pytest.raises(PaymentIsAnother):
            pay(other, "P-1")
        with pytest.raises(PaymentIsAnother):
            pay(wanted, "P-1", amount="1.00")
        with pytest.raises(OrderIsPaid):
            pay(wanted, "P-2")
        assert values() == before

    @pytest.mark.parametrize(("amount", "currency"), [("364.99", "CNY"), ("365.00", "USD"), ("400.00", "CNY")])
    def test_of_another_amount_is_refused(self, member: Member, gold: Plan, amount: str, currency: str) -> None:
        with pytest.raises(AmountDiffers):
            pay(order(member), amount=amount, currency=currency)
        assert values() == (0, 0, 0, 0, 0)

    def test_of_no_order_or_without_a_number_is_refused(self, member: Member, gold: Plan) -> None:
        asked: dict[str, Any] = {
            "amount": Decimal(1), "currency": "CNY", "source": "shop", "paid_at": MARCH, "by": SYSTEM, "at": MARCH,
        }  # fmt: skip
        with pytest.raises(NoSuchOrder):
            confirm_payment(order=uuid4(), external_ref="x", **asked)
        with pytest.raises(PaymentNumberMissing):
            confirm_payment(order=uuid4(), external_ref="", **asked)

    def test_beside_a_plan_that_began_meanwhile_is_refused(self, member: Member, gold: Plan, diamond: Plan) -> None:
        wanted = order(member)
        bought(member, "diamond_year")
        before = values()
        with pytest.raises(PlanIsRunning):
            pay(wanted)
        assert values() == before


class TestATrial:
    @pytest.fixture(autouse=True)
    def plans(self, db: None) -> None:
        """A plan with a week's trial, and another one."""
        a_plan("silver_month", tier="silver", price="30.00", months=1, trial_days=7)
        a_plan("gold_year", trial_days=14)

    def begin(self, member: Member, code: str = "silver_month", *, at: datetime = MARCH) -> PlanMembership:
        return start_trial(member_id=member.pk, plan_code=code, by=Actor("member", member.pk), at=at)

    def test_gives_the_tier_for_its_days_and_ends_by_itself(self, member: Member) -> None:
        found = self.begin(member)
        assert (found.state, found.valid_until) == ("trial", local("2026-03-12 00:00"))
        moments = [MARCH, local("2026-03-11 23:59"), local("2026-03-12 00:00")]
        assert [tier_at(member.pk, moment).code for moment in moments] == ["silver", "silver", "member"]
        assert end_due_plans(at=MARCH + 10 * DAY) == 1
        found.refresh_from_db()
        assert (found.state, found.ended_at) == ("ended", local("2026-03-12 00:00"))
        assert told(member) == ["trial_began", "ended"]

    def test_is_had_once_whatever_the_plan(self, member: Member) -> None:
        self.begin(member)
        before = values()
        for code, at in (("silver_month", MARCH + 30 * DAY), ("gold_year", MARCH + 30 * DAY)):
            with pytest.raises(TrialTaken):
                self.begin(member, code, at=at)
        assert values() == before

    def test_is_not_had_beside_a_plan_nor_of_one_without(self, member: Member) -> None:
        a_plan("plain")
        with pytest.raises(NoTrial):
            self.begin(member, "plain")
        bought(member, "plain")
        with pytest.raises(PlanIsRunning):
            self.begin(member)
        assert not PlanTrial.objects.exists()

    def test_paid_for_goes_on_after_its_days(self, member: Member) -> None:
        trial = self.begin(member)
        paid = bought(member, "silver_month", at=MARCH + 2 * DAY)
        assert paid == trial
        assert (paid.state, paid.valid_until) == ("active", local("2026-04-12 00:00"))
        periods = [(one.kind, one.valid_from, one.amount) for one in paid.periods.order_by("number")]
        assert periods == [
            ("trial", MARCH, Decimal("0.00")), ("paid", local("2026-03-12 00:00"), Decimal("30.00")),
        ]  # fmt: skip
        refresh_floors(at=MARCH + 10 * DAY)
        moments = [MARCH, MARCH + 10 * DAY, local("2026-04-12 00:00")]
        assert [tier_at(member.pk, moment).code for moment in moments] == ["silver", "silver", "member"]

    def test_left_for_another_plan_ends_with_its_payment(self, member: Member) -> None:
        trial = self.begin(member)
        paid = bought(member, "gold_year", at=MARCH + 2 * DAY)
        trial.refresh_from_db()
        assert (trial.state, trial.ended_at) == ("ended", MARCH + 2 * DAY)
        assert (paid.state, paid.valid_from) == ("active", MARCH + 2 * DAY)
        assert tier_at(member.pk, MARCH + 3 * DAY).code == "gold"
        assert TierFloor.objects.filter(ended_at__isnull=False).count() == 1


class TestGoingOn:
    def test_adds_a_period_after_the_last_one_without_drifting(self, member: Member) -> None:
        a_plan("gold_month", price="31.00", months=1)
        start = local("2026-01-31")
        found = bought(member, "gold_month", at=start)
        for at in ("2026-02-20", "2026-03-20", "2026-04-20"):
            assert order(member, "gold_month", at=local(at)).kind == "renewal"
            pay(order(member, "gold_month", at=local(at)), at=local(at))
        found.refresh_from_db()
        ends = [f"{one.valid_until.astimezone(start.tzinfo):%m-%d}" for one in found.periods.order_by("number")]
        assert ends == ["02-28", "03-31", "04-30", "05-31"]
        assert PlanMembership.objects.count() == 1
        assert [tier_at(member.pk, local(day)).code for day in ("2026-02-27", "2026-03-30", "2026-05-30", "2026-05-31")] == [
            "gold", "gold", "gold", "member",
        ]  # fmt: skip

    def test_is_paid_one_period_ahead_at_most(self, member: Member, gold: Plan) -> None:
        bought(member)
        pay(order(member, at=MARCH + DAY), at=MARCH + DAY)
        with pytest.raises(RenewedAlready):
            order(member, at=MARCH + 2 * DAY)

    def test_paid_after_the_end_begins_anew(self, member: Member, gold: Plan) -> None:
        found = bought(member)
        wanted = order(member, at=local("2027-03-04"))
        receipt = pay(wanted, at=local("2027-03-06"))
        found.refresh_from_db()
        assert (found.state, receipt.membership.valid_from) == ("ended", local("2027-03-06"))
        assert receipt.membership != found

    def test_can_be_wished_and_no_longer(self, member: Member, gold: Plan) -> None:
        bought(member)
        by = Actor("member", member.pk)
        assert wish_renewal(member_id=member.pk, renews=True, by=by, at=MARCH).renews_intended
        wish_renewal(member_id=member.pk, renews=True, by=by, at=MARCH)
        assert not wish_renewal(member_id=member.pk, renews=False, by=by, at=MARCH).renews_intended
        assert told(member)[2:] == ["renewal_wished", "renewal_wished"]
        assert running_plan(member.pk, MARCH + 300 * DAY) is not None  # it ends with its period, not before
        with pytest.raises(NoPlanRunning):
            wish_renewal(member_id=make_member().pk, renews=True, by=by, at=MARCH)


class TestAnUpgrade:
    ON = local("2026-06-13")

    def test_takes_the_difference_for_the_days_left_and_keeps_the_end(
        self, member: Member, gold: Plan, diamond: Plan
    ) -> None:
        old = bought(member)
        wanted = order(member, "diamond_year", at=self.ON)
        assert (wanted.kind, wanted.amount, wanted.expires_at) == (
            "upgrade", Decimal("265.00"), local("2026-06-14 00:00"),
        )  # fmt: skip
        new = pay(wanted, at=self.ON).membership
        old.refresh_from_db()
        assert (old.state, old.ended_at) == ("upgraded", self.ON)
        assert (new.state, new.valid_from, new.valid_until) == ("active", self.ON, old.valid_until)
        assert [tier_at(member.pk, one).code for one in (self.ON - DAY, self.ON, new.valid_until)] == [
            "gold", "diamond", "member",
        ]  # fmt: skip
        # As the money closes: 100 days at 1.00 are used, 265 days at 2.00 are paid for; on the day itself one of them.
        figure = refund_figure(new, self.ON)
        assert (figure.left.paid, figure.left.used, figure.amount) == (
            Decimal("530.00"),
            Decimal("2.00"),
            Decimal("528.00"),
        )

    def test_is_only_upwards(self, member: Member, gold: Plan, diamond: Plan) -> None:
        bought(member, "diamond_year")
        with pytest.raises(PlanIsRunning):
            order(member, "gold_year")

    def test_that_costs_nothing_is_done_at_once(self, member: Member, gold: Plan) -> None:
        a_plan("cheap_diamond", tier="diamond", price="100.00")
        bought(member)
        wanted = order_for_member(
            member_id=member.pk,
            plan_code="cheap_diamond",
            renews_intended=False,
            by=Actor("member", member.pk),
            at=self.ON,
        )
        assert (wanted.amount, wanted.state) == (Decimal("0.00"), "paid")
        assert tier_at(member.pk, self.ON).code == "diamond"
        assert PlanPayment.objects.get(source=NOTHING_DUE).amount == 0

    def test_of_what_changed_since_is_refused(self, member: Member, gold: Plan, diamond: Plan) -> None:
        bought(member)
        wanted = order(member, "diamond_year", at=self.ON)
        pay(order(member, at=self.ON), at=self.ON)  # renewed instead
        before = values()
        with pytest.raises(OrderOvertaken):
            pay(wanted, at=self.ON)
        assert values() == before


class TestPayingBack:
    ON = local("2026-03-14")

    @pytest.fixture
    def staff(self, db: None) -> Actor:
        """Somebody at the counter."""
        return Actor("operator", an_operator("service supervisor").pk)

    @pytest.fixture
    def used(self) -> Iterator[list[Decimal]]:
        """What benefits are said to have cost."""
        said = [Decimal(0)]

        def cost(member_id: int, membership: UUID, from_at: datetime, until: datetime) -> Decimal:
            return said[0]

        benefit_costs.register_benefit_cost("tests", cost)
        yield said
        benefit_costs._costs.pop("tests")

    def back(self, found: PlanMembership, staff: Actor, amount: str, *, receipt: str = "B-1", reason: str = "asked for it", at: datetime = ON) -> PlanReceipt:  # fmt: skip
        return refund_plan(
            membership_id=found.pk, receipt_no=receipt, shown_amount=Decimal(amount), reason=reason, by=staff, at=at
        )

    def test_gives_what_is_left_and_ends_the_tier_at_once(self, member: Member, gold: Plan, staff: Actor) -> None:
        found = bought(member)
        receipt = self.back(found, staff, "355.00")
        assert (receipt.payment.kind, receipt.payment.amount, receipt.payment.source) == (
            "refund",
            Decimal("355.00"),
            STAFF,
        )
        assert receipt.payment.figures == {
            "paid": "365.00", "used": "10.00", "left": "355.00", "days": 365, "days_left": 355, "benefits_used": "0.00",
        }  # fmt: skip
        found.refresh_from_db()
        assert (found.state, found.ended_at, found.end_reason) == ("refunded", self.ON, "asked for it")
        assert [tier_at(member.pk, one).code for one in (self.ON - DAY, self.ON)] == ["gold", "member"]
        assert told(member)[-1] == "refunded"

    def test_takes_off_the_benefits_used(self, member: Member, gold: Plan, staff: Actor, used: list[Decimal]) -> None:
        found = bought(member)
        used[0] = Decimal("55.00")
        assert self.back(found, staff, "300.00").payment.amount == Decimal("300.00")

    def test_again_with_the_same_receipt_changes_nothing(self, member: Member, gold: Plan, staff: Actor) -> None:
        found = bought(member)
        first, before = self.back(found, staff, "355.00"), values()
        again = self.back(found, staff, "355.00", at=self.ON + DAY)
        assert (again.payment, again.is_repeated) == (first.payment, True)
        with pytest.raises(NoPlanRunning):
            self.back(found, staff, "355.00", receipt="B-2")
        assert values() == before

    def test_of_another_figure_than_was_shown_is_refused(self, member: Member, gold: Plan, staff: Actor) -> None:
        found = bought(member)
        for amount, error in (("356.00", RefundChanged),):
            with pytest.raises(error):
                self.back(found, staff, amount)
        with pytest.raises(ReasonMissing):
            self.back(found, staff, "355.00", reason=" ")
        with pytest.raises(PaymentNumberMissing):
            self.back(found, staff, "355.00", receipt=" ")
        found.refresh_from_db()
        assert found.state == "active"

    def test_of_a_trial_gives_nothing_and_ends_it(self, member: Member, staff: Actor) -> None:
        a_plan("silver_month", tier="silver", price="30.00", months=1, trial_days=30)
        found = start_trial(member_id=member.pk, plan_code="silver_month", by=staff, at=MARCH)
        assert self.back(found, staff, "0.00").payment.amount == 0
        assert tier_at(member.pk, self.ON).code == "member"

    def test_of_periods_ahead_gives_them_back_whole(self, member: Member, gold: Plan, staff: Actor) -> None:
        found = bought(member)
        pay(order(member, at=MARCH + DAY), at=MARCH + DAY)
        assert self.back(found, staff, "720.00").payment.amount == Decimal("720.00")
        refresh_floors(at=local("2027-06-01"))
        assert tier_at(member.pk, local("2027-06-01")).code == "member"


class TestSellingOverTheCounter:
    def sell(self, member: Member, receipt: str = "R-7", *, reason: str = "paid in cash", code: str = "gold_year", at: datetime = MARCH) -> PlanReceipt:  # fmt: skip
        return sell_plan(
            member_id=member.pk,
            plan_code=code,
            receipt_no=receipt,
            renews_intended=False,
            reason=reason,
            by=SYSTEM,
            at=at,
        )

    def test_orders_and_confirms_in_one(self, member: Member, gold: Plan) -> None:
        receipt = self.sell(member)
        assert (receipt.payment.source, receipt.payment.external_ref, receipt.payment.reason) == (
            STAFF,
            "R-7",
            "paid in cash",
        )
        assert tier_at(member.pk, MARCH).code == "gold"

    def test_with_the_same_receipt_again_is_the_same_sale(self, member: Member, gold: Plan) -> None:
        self.sell(member)
        before = values()
        assert self.sell(member, at=MARCH + DAY).is_repeated
        for other in (make_member(),):
            with pytest.raises(PaymentIsAnother):
                self.sell(other)
        with pytest.raises(ReasonMissing):
            self.sell(member, "R-8", reason="")
        with pytest.raises(PaymentNumberMissing):
            self.sell(member, " ")
        assert values() == before


class TestReminders:
    def reminded(self, member: Member) -> list[int]:
        entries = TimelineEntry.objects.filter(member=member, kind="loyalty.plan_ends_soon.v1").order_by("id")
        return [entry.payload["days"] for entry in entries]

    def test_are_told_30_7_and_1_days_before_once_each(self, member: Member, gold: Plan) -> None:
        end = bought(member).valid_until
        for days in (31, 30, 29, 8, 7, 6, 2, 1, 0):
            remind_of_ends(at=end - days * DAY)
            remind_of_ends(at=end - days * DAY)
        assert self.reminded(member) == [30, 7, 1]

    def test_that_come_late_are_told_as_the_nearest_one_only(self, member: Member, gold: Plan) -> None:
        end = bought(member).valid_until
        remind_of_ends(at=end - 5 * DAY)
        assert self.reminded(member) == [7]

    def test_begin_anew_with_another_period(self, member: Member, gold: Plan) -> None:
        found = bought(member)
        remind_of_ends(at=found.valid_until - 20 * DAY)
        pay(order(member, at=found.valid_until - 10 * DAY), at=found.valid_until - 10 * DAY)
        assert remind_of_ends(at=found.valid_until - DAY) == 0
        found.refresh_from_db()
        assert remind_of_ends(at=found.valid_until - 20 * DAY) == 1
        assert self.reminded(member) == [30, 30]

    def test_leave_the_first_half_of_a_short_period_alone(self, member: Member) -> None:
        a_plan("week", tier="silver", trial_days=7)
        end = start_trial(member_id=member.pk, plan_code="week", by=SYSTEM, at=MARCH).valid_until
        for days in (6, 3, 1):
            remind_of_ends(at=end - days * DAY)
        assert self.reminded(member) == [1]


class TestRates:
    def test_say_who_went_on_and_who_paid_after_a_trial(self, db: None) -> None:
        a_plan("month", price="30.00", months=1, trial_days=7)
        stays, leaves, returns, refunded = (make_member() for _ in range(4))
        for one in (stays, leaves, returns, refunded):
            start_trial(member_id=one.pk, plan_code="month", by=SYSTEM, at=local("2026-01-01"))
        tries = make_member()
        start_trial(member_id=tries.pk, plan_code="month", by=SYSTEM, at=local("2026-01-01"))
        for one in (stays, leaves, returns, refunded):
            bought(one, "month", at=local("2026-01-05"))  # from 8 January to 7 February
        found = PlanMembership.objects.get(member=refunded)
        figure = refund_figure(found, local("2026-01-20"))
        refund_plan(
            membership_id=found.pk,
            receipt_no="B",
            shown_amount=figure.amount,
            reason="asked",
            by=SYSTEM,
            at=local("2026-01-20"),
        )
        bought(stays, "month", at=local("2026-02-01"))
        bought(returns, "month", at=local("2026-02-20"))
        january = {"from_at": local("2026-01-01 00:00"), "until": local("2026-02-01 00:00")}
        february = {"from_at": local("2026-02-01 00:00"), "until": local("2026-03-01 00:00")}
        assert trial_conversion(**january) == Rate(4, 5)
        assert renewal_rate(**february) == Rate(2, 3)
        assert (renewal_rate(**february).percent, renewal_rate(**january).percent) == (67, None)


class TestFacts:
    def test_say_which_plan_runs_until_when_at_any_moment(self, member: Member, gold: Plan, diamond: Plan) -> None:
        bought(member)
        upgraded_at = MARCH + 10 * DAY
        pay(order(member, "diamond_year", at=upgraded_at), at=upgraded_at)

        def asked(moment: datetime) -> tuple[object, object]:
            found = values_for(member.pk, ["loyalty.plan", "loyalty.plan_until"], moment)
            return found["loyalty.plan"], found["loyalty.plan_until"]

        end = local("2027-03-05 00:00")
        assert asked(MARCH - DAY) == asked(end) == (None, None)
        assert asked(upgraded_at - DAY) == ("gold_year", end.date())
        assert asked(upgraded_at) == asked(end - DAY) == ("diamond_year", end.date())


@pytest.mark.django_db
def test_the_task_keeps_plans(member: Member) -> None:
    a_plan()
    bought(member, at=local("2024-03-05"))
    tasks.keep_plans()
    assert PlanMembership.objects.get().state == STATES.ENDED
    assert told(member) == ["ordered", "paid", "ended"]
