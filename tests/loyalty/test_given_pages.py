"""A tier by hand and paid plans in the portal: dialogs, who may what, what is shown."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from loyalty.models import PlanMembership, PlanPayment, TierFloor
from loyalty.queries import tier_at
from loyalty.services.floors import FloorHasNoTime
from loyalty.services.plans import start_trial
from loyalty.services.tier_by_hand import TierBelowEarned, TierTooFar, propose_tier
from members.actors import SYSTEM, Actor
from members.models import Member, Operator, OwnMembership, Proposal
from members.own_accounts import OwnAccount
from members.proposals import NotAllowed, approve, kind_of
from tests.factories.plans import a_floor, a_plan, a_tier
from tests.factories.portal import a_named_member, an_operator, signed_in
from tests.loyalty.stories import goods_back, purchase, tell

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def page(name: str, *args: int) -> str:
    return reverse(f"admin:loyalty_{name}", args=args)


def tab(client: Client, member: Member) -> str:
    return client.get(reverse("admin:members_member_change", args=[member.pk]) + "?tab=tier").text


def send(client: Client, where: str, **values: object) -> Any:
    return client.post(where, {"_form_submitted": "on", **values}, headers={"hx-request": "true"})


@pytest.fixture
def member() -> Member:
    """A member with a name."""
    return a_named_member()


class TestSettingATier:
    def ask(self, member: Member, code: str, operator: Operator, *, days: int | None = 30) -> Any:
        now = timezone.now()
        return propose_tier(
            member_id=member.pk, tier_id=a_tier(code).pk, until=now + days * DAY if days else None,
            reason="made up for a long wait", by=Actor("operator", operator.pk), at=now,
        )  # fmt: skip

    def test_one_step_up_is_done_at_once_and_names_its_maker(self, member: Member) -> None:
        operator = an_operator("service")
        assert self.ask(member, "silver", operator).carried_out
        floor = TierFloor.objects.get()
        assert (floor.actor_kind, floor.actor_id, floor.source, floor.reason) == (
            "operator", operator.pk, "staff", "made up for a long wait",
        )  # fmt: skip
        assert tier_at(member.pk, timezone.now()).code == "silver"

    def test_further_up_waits_for_a_second_person(self, member: Member) -> None:
        maker, checker = an_operator("service supervisor"), an_operator("service supervisor")
        outcome = self.ask(member, "gold", maker)
        assert (outcome.waiting, outcome.approvals_missing) == (True, 1)
        assert not TierFloor.objects.exists()
        approve(proposal_id=outcome.proposal_id, by=Actor("operator", checker.pk), at=timezone.now())
        floor = TierFloor.objects.get()
        assert (floor.tier.code, floor.actor_id) == ("gold", maker.pk)

    def test_is_counted_from_what_is_earned_not_from_other_floors(self, member: Member) -> None:
        now = timezone.now()
        a_floor(member.pk, "gold", now, None)
        assert self.ask(member, "diamond", an_operator("service")).waiting
        tell(purchase(member.pk, "a", 1600, now))
        assert self.ask(member, "diamond", an_operator("service")).carried_out

    def test_that_became_several_steps_is_not_carried_out(self, member: Member) -> None:
        operator, now = an_operator("service"), timezone.now()
        tell(purchase(member.pk, "a", 600, now - DAY))
        outcome = self.ask(member, "gold", operator)
        proposal = Proposal.objects.get(pk=outcome.proposal_id)
        tell(goods_back(member.pk, "b", 600, now, "a"))
        kind = kind_of(proposal)  # its own act, as a race would meet it
        assert kind is not None
        with pytest.raises(TierTooFar):
            kind.carry_out(proposal.params, SYSTEM, now, proposal)

    def test_below_what_is_earned_or_into_the_past_is_refused(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 1600, timezone.now()))
        with pytest.raises(TierBelowEarned):
            self.ask(member, "silver", an_operator("service"))
        with pytest.raises(FloorHasNoTime):
            self.ask(member, "diamond", an_operator("service"), days=-1)
        assert not Proposal.objects.exists()

    def test_needs_the_right_and_is_not_for_the_own_account(self, member: Member) -> None:
        with pytest.raises(NotAllowed):
            self.ask(member, "silver", an_operator("marketing"))
        operator = an_operator("service")
        OwnMembership.objects.create(operator=operator, member=member)
        with pytest.raises(OwnAccount):
            self.ask(member, "silver", operator)
        assert not TierFloor.objects.exists()


class TestTheTab:
    def test_leads_through_setting_and_ending(self, member: Member) -> None:
        client = signed_in("service")
        where = page("tierfloor_set", member.pk)
        assert where in tab(client, member)
        dialog = client.get(where).text
        assert "Silver" in dialog
        assert 'name="request_id"' in dialog
        day = (timezone.now() + 9 * DAY).date().isoformat()
        values = {"tier": a_tier("silver").pk, "last_day": day, "reason": "long wait", "request_id": "r1"}
        for _twice in range(2):
            assert send(client, where, **values).headers["HX-Redirect"].endswith("?tab=tier")
        floor = TierFloor.objects.get()
        shown = tab(client, member)
        assert "Silver set by hand, until the end of" in shown
        assert "long wait" in shown
        assert "Earned: Member" in shown
        end = page("tierfloor_end", floor.pk)
        assert end in shown
        send(client, end, reason="")
        assert TierFloor.objects.get().ended_at is None
        send(client, end, reason="agreed otherwise")
        assert TierFloor.objects.get().ended_reason == "agreed otherwise"
        assert "Silver set by hand, until" not in tab(client, member)

    def test_tells_in_the_timeline_what_happened(self, member: Member) -> None:
        now = timezone.now()
        a_plan(trial_days=7)
        a_floor(member.pk, "gold", now, None)
        start_trial(member_id=member.pk, plan_code="gold_year", by=SYSTEM, at=now)
        shown = signed_in("service").get(reverse("admin:members_member_change", args=[member.pk])).text
        for words in (
            "Tier set by hand: at least Gold until that is ended. Reason: made up for a long wait",
            "Began the trial of the plan Gold Year, until the end of", "Holds at least Gold by a paid membership, until the end of",
        ):  # fmt: skip
            assert words in shown

    def test_refuses_days_that_are_over(self, member: Member) -> None:
        client = signed_in("service")
        values = {"tier": a_tier("silver").pk, "last_day": "2020-01-01", "reason": "long wait"}
        assert "Choose today or a later day" in send(client, page("tierfloor_set", member.pk), **values).text
        assert not TierFloor.objects.exists()

    def test_offers_nothing_to_who_may_not(self, member: Member) -> None:
        now = timezone.now()
        plan = a_plan(trial_days=7)
        floor = a_floor(member.pk, "gold", now, None)
        found = start_trial(member_id=member.pk, plan_code=plan.code, by=SYSTEM, at=now)
        client = signed_in("marketing")
        shown = tab(client, member)
        for where in (
            page("tierfloor_set", member.pk), page("tierfloor_end", floor.pk), page("planmembership_sell", member.pk),
            page("planmembership_renewal", member.pk), page("planmembership_refund", found.pk),
        ):  # fmt: skip
            assert where not in shown
            assert client.get(where).status_code == 403
            assert send(client, where).status_code == 403


class TestPlansInTheTab:
    def test_are_sold_with_a_receipt(self, member: Member) -> None:
        a_plan()
        client = signed_in("service")
        where = page("planmembership_sell", member.pk)
        assert where in tab(client, member)
        assert "Gold Year · ¥365.00 a year" in client.get(where).text
        send(client, where, plan="gold_year", receipt_no="", reason="paid")
        assert not PlanPayment.objects.exists()
        send(client, where, plan="gold_year", receipt_no="R-1", reason="paid in cash", renews="on")
        payment = PlanPayment.objects.get()
        assert (payment.external_ref, payment.amount, payment.reason) == ("R-1", Decimal("365.00"), "paid in cash")
        shown = tab(client, member)
        assert "The member means to renew." in shown
        assert "Gold by a paid membership" in shown

    def test_go_on_or_not_as_the_member_wishes(self, member: Member) -> None:
        a_plan(trial_days=7)
        start_trial(member_id=member.pk, plan_code="gold_year", by=SYSTEM, at=timezone.now())
        client = signed_in("service")
        where = page("planmembership_renewal", member.pk)
        send(client, where, renews="on")
        assert PlanMembership.objects.get().renews_intended
        send(client, where)
        assert not PlanMembership.objects.get().renews_intended

    def test_are_paid_back_as_shown(self, member: Member) -> None:
        a_plan()
        client = signed_in("service supervisor")
        send(client, page("planmembership_sell", member.pk), plan="gold_year", receipt_no="R-1", reason="paid")
        found = PlanMembership.objects.get()
        where = page("planmembership_refund", found.pk)
        dialog = client.get(where).text
        assert "¥364.00" in dialog
        assert 'name="shown_amount" value="364.00"' in dialog
        send(client, where, receipt_no="B-1", reason="asked for it", shown_amount="365.00")
        send(client, where, receipt_no="B-1", reason="asked for it")
        send(client, where, receipt_no="B-1", reason="asked for it", shown_amount="NaN")
        assert PlanMembership.objects.get().state == "active"
        send(client, where, receipt_no="B-1", reason="asked for it", shown_amount="364.00")
        found.refresh_from_db()
        assert (found.state, found.end_reason) == ("refunded", "asked for it")
        payments = client.get(page("planpayment_changelist")).text
        assert "B-1" in payments
        refund = PlanPayment.objects.get(kind="refund")
        assert "Paid ¥365.00" in client.get(page("planpayment_change", refund.pk)).text

    def test_and_their_list_says_how_many_go_on(self, member: Member) -> None:
        a_plan()
        shown = signed_in("marketing").get(page("planmembership_changelist")).text
        assert "Renewal rate" in shown
        assert "followed by another paid one of the same member within 30 days" in shown


class TestTheListOfMembers:
    def test_shows_and_finds_the_tier_that_counts(self) -> None:
        now = timezone.now()
        given, earned, over, plain = (a_named_member() for _ in range(4))
        a_floor(given.pk, "gold", now - DAY, None, ref="a")
        tell(purchase(earned.pk, "a", 1600, now - DAY))
        a_floor(earned.pk, "silver", now - DAY, None, ref="b")
        tell(purchase(over.pk, "b", 600, now - 9 * DAY))
        a_floor(over.pk, "gold", now - 9 * DAY, now - DAY, ref="c", at=now - 9 * DAY)
        client = signed_in("service")
        address = reverse("admin:members_member_changelist")
        found = {
            code: {member.member_no for member in (given, earned, over, plain) if member.member_no in text}
            for code in ("gold", "silver", "member")
            for text in [client.get(address, {"tier": code}).text]
        }
        assert found == {
            "gold": {given.member_no, earned.member_no}, "silver": {over.member_no}, "member": {plain.member_no},
        }  # fmt: skip


class TestPlansThatAreSold:
    def test_keep_their_tier_and_length(self) -> None:
        plan = a_plan()
        shown = signed_in("marketing").get(page("plan_change", plan.pk)).text
        assert 'name="price_amount"' in shown
        assert 'name="period_months"' not in shown
        assert 'name="tier"' not in shown
