"""Uses of what members are entitled to."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty import events
from loyalty.models import Benefit, BenefitBudget, Entitlement, EntitlementUse
from loyalty.services.entitlements import (
    BenefitExhausted,
    BenefitNotHeld,
    EntitlementHasEnded,
    NotInWindow,
    NotUsedInApp,
    Use,
    UseConflict,
    UseReceipt,
    VouchersWereIssued,
    expire_due_entitlements,
    revoke_entitlement,
    undo_use,
    use_benefit,
)
from loyalty.services.granting import BenefitBudgetUsedUp, BenefitNotOffered, GrantConflict, give_benefit
from loyalty.services.holding import MemberClosed, MemberFrozen
from members.actors import SYSTEM, Actor
from members.models import Member, OwnMembership, TimelineEntry
from members.personal_words import WordsNamePerson
from members.refusals import Refusal
from members.services.status import ReasonMissing
from tests.factories.benefits import a_benefit, a_budget, an_entitlement
from tests.factories.people import TILL, a_member, a_store
from tests.factories.portal import a_named_member, an_operator
from tests.factories.times import at

NOON = at("2026-03-11 12:00")  # a Wednesday
pytestmark = pytest.mark.django_db


def wish(member: Member, benefit: Benefit, ref: str = "r1", **more: object) -> Use:
    return Use(member.pk, "till", ref, benefit.code, **more)  # type: ignore[arg-type]


def use(member: Member, benefit: Benefit, ref: str = "r1", **more: object) -> UseReceipt:
    return use_benefit(use=wish(member, benefit, ref, **more), by=TILL, at=NOON)


def everything() -> list[object]:
    """What a refusal must leave as it is."""
    return [
        list(Entitlement.objects.order_by("pk").values()),
        list(EntitlementUse.objects.order_by("pk").values()),
        list(BenefitBudget.objects.order_by("pk").values()),
        TimelineEntry.objects.count(),
    ]


class TestAUse:
    """A use …"""

    def test_takes_one_and_says_what_is_left(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, quota=2)
        first, second = use(member, benefit, "r1"), use(member, benefit, "r2", store_id=a_store().pk)
        assert (first.left, second.left) == (1, 0)
        row = Entitlement.objects.get()
        assert (row.used, row.state) == (2, Entitlement.State.USED_UP)
        assert [one.cost_amount for one in EntitlementUse.objects.order_by("pk")] == [Decimal("30.00")] * 2
        told = TimelineEntry.objects.filter(kind=events.ENTITLEMENT_USED).order_by("pk")
        assert [one.payload["left"] for one in told] == [1, 0]

    def test_told_again_gets_the_first_answer_for_ever(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, quota=2, days=1)
        first = use(member, benefit, "r1")
        use(member, benefit, "r2")
        before = everything()
        again = use_benefit(use=wish(member, benefit, "r1"), by=TILL, at=NOON + timedelta(days=400))
        assert (again.use, again.left, again.already_recorded) == (first.use, 1, True)
        assert everything() == before

    def test_under_a_known_reference_with_another_content_is_refused(self) -> None:
        member, other, benefit, second = a_member(), a_member(), a_benefit(), a_benefit()
        for one in (benefit, second):
            an_entitlement(member, one, at=NOON, quota=5)
        an_entitlement(other, benefit, at=NOON)
        use(member, benefit, "r1")
        before = everything()
        for attempt in (
            wish(other, benefit, "r1"), wish(member, second, "r1"), wish(member, benefit, "r1", units=2),
            wish(member, benefit, "r1", store_id=a_store().pk),
        ):  # fmt: skip
            with pytest.raises(UseConflict):
                use_benefit(use=attempt, by=TILL, at=NOON)
        assert everything() == before

    def test_takes_from_what_ends_first(self) -> None:
        member, benefit = a_member(), a_benefit()
        late = an_entitlement(member, benefit, at=NOON, days=90)
        soon = an_entitlement(member, benefit, at=NOON, days=10)
        assert use(member, benefit, "r1").entitlement == soon
        assert use(member, benefit, "r2", units=2).entitlement == late

    def test_of_one_entitlement_leaves_the_others(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, days=10)
        late = an_entitlement(member, benefit, at=NOON, days=90)
        receipt = use_benefit(use=Use(member.pk, "app", "k1", entitlement=late.public_id), by=TILL, at=NOON)
        assert receipt.entitlement == late

    @pytest.mark.parametrize(
        ("case", "refusal"),
        [
            ("none", BenefitNotHeld), ("ended", BenefitNotHeld), ("not yet", BenefitNotHeld), ("used up", BenefitExhausted),
            ("too many", BenefitExhausted), ("weekday", NotInWindow), ("hour", NotInWindow), ("store", NotInWindow),
            ("in app", NotUsedInApp), ("frozen", MemberFrozen), ("closed", MemberClosed),
        ],
    )  # fmt: skip
    def test_that_is_refused_changes_nothing(self, case: str, refusal: type[Refusal]) -> None:
        windows: dict[str, Any] = {
            "weekday": {"weekdays": [0, 1]},
            "hour": {"hours_from": time(14), "hours_to": time(17)},
        }
        member, benefit = a_member(), a_benefit(**windows.get(case, {}))
        moment = {"ended": NOON - timedelta(days=30), "not yet": NOON + timedelta(days=1)}.get(case, NOON)
        if case != "none":
            an_entitlement(member, benefit, at=moment, quota=1 if case == "used up" else 2)
        if case == "used up":
            use(member, benefit, "first")
        if case == "store":
            benefit.stores.add(a_store("S01"))
        if case in ("frozen", "closed"):
            Member.objects.filter(pk=member.pk).update(status=case)
        before = everything()
        asked = wish(
            member, benefit, units=3 if case == "too many" else 1, in_app=case == "in app",
            store_id=a_store("S02").pk if case == "store" else None,
        )  # fmt: skip
        with pytest.raises(refusal):
            use_benefit(use=asked, by=TILL, at=NOON)
        assert everything() == before

    def test_within_weekdays_hours_and_stores_is_let_through(self) -> None:
        member, store = a_member(), a_store("S01")
        benefit = a_benefit(weekdays=[2], hours_from=time(12), hours_to=time(13))
        benefit.stores.add(store)
        an_entitlement(member, benefit, at=NOON)
        assert use(member, benefit, store_id=store.pk).left == 1

    def test_of_ones_own_account_is_left_to_colleagues(self) -> None:
        member, benefit, operator = a_member(), a_benefit(), an_operator("service")
        OwnMembership.objects.create(operator=operator, member=member)
        an_entitlement(member, benefit, at=NOON)
        before = everything()
        with pytest.raises(Refusal) as refused:
            use_benefit(use=wish(member, benefit), by=Actor("operator", operator.pk), at=NOON)
        assert refused.value.code == "own_account"
        assert everything() == before


class TestUndoing:
    """Taking a use back …"""

    def test_opens_the_entitlement_again_by_an_opposite_row(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, quota=1)
        receipt = use(member, benefit)
        undone = undo_use(use_id=receipt.use.pk, reason="wrong member", by=SYSTEM, at=NOON)
        again = undo_use(use_id=receipt.use.pk, reason="wrong member", by=SYSTEM, at=NOON)
        assert (undone.left, undone.already_recorded, again.already_recorded) == (1, False, True)
        assert undone.use == again.use
        assert [one.units for one in EntitlementUse.objects.order_by("pk")] == [1, -1]
        assert sum(one.cost_amount or 0 for one in EntitlementUse.objects.all()) == 0
        assert Entitlement.objects.get().state == Entitlement.State.GRANTED
        assert use(member, benefit, "r2").left == 0

    def test_asks_why(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON)
        receipt = use(member, benefit)
        before = everything()
        with pytest.raises(ReasonMissing):
            undo_use(use_id=receipt.use.pk, reason="  ", by=SYSTEM, at=NOON)
        assert everything() == before

    def test_asks_of_staff_alone_to_name_nobody(self) -> None:
        member, benefit = a_named_member("Holder"), a_benefit()
        an_entitlement(member, benefit, at=NOON)
        receipt = use(member, benefit)
        before = everything()
        with pytest.raises(WordsNamePerson):
            undo_use(use_id=receipt.use.pk, reason="Holder", by=Actor("operator", an_operator("service").pk), at=NOON)
        assert everything() == before
        # What the programme says of itself names nobody, whatever a member is called.
        assert undo_use(use_id=receipt.use.pk, reason="Holder", by=SYSTEM, at=NOON).left == 2

    def test_after_its_end_opens_nothing_and_frees_the_budget(self) -> None:
        member, benefit = a_member(), a_benefit()
        a_budget(benefit, at=NOON, total_units=10)
        an_entitlement(member, benefit, at=NOON, quota=1, days=1)
        receipt = use(member, benefit)
        later = NOON + timedelta(days=2)
        undo_use(use_id=receipt.use.pk, reason="late", by=SYSTEM, at=later)
        assert Entitlement.objects.get().state == Entitlement.State.EXPIRED
        assert BenefitBudget.objects.get().reserved_units == 0

    def test_is_refused_where_a_voucher_was_issued(self) -> None:
        member, benefit = a_member(), a_benefit(voucher_template_code="coffee", is_given_at_once=False)
        an_entitlement(member, benefit, at=NOON)
        receipt = use(member, benefit)
        before = everything()
        with pytest.raises(VouchersWereIssued):
            undo_use(use_id=receipt.use.pk, reason="oops", by=SYSTEM, at=NOON)
        assert everything() == before


class TestTheEnd:
    """What is left of an entitlement …"""

    def test_expires_once_with_its_span_and_leaves_the_budget(self) -> None:
        member, benefit = a_member(), a_benefit()
        a_budget(benefit, at=NOON, total_units=10)
        an_entitlement(member, benefit, at=NOON, quota=5, days=1)
        use(member, benefit)
        assert expire_due_entitlements(at=NOON, by=SYSTEM) == 0
        later = NOON + timedelta(days=1)
        assert [expire_due_entitlements(at=later, by=SYSTEM) for _ in range(2)] == [1, 0]
        row, budget = Entitlement.objects.get(), BenefitBudget.objects.get()
        assert (row.state, row.used, budget.reserved_units, budget.reserved_amount) == ("expired", 1, 1, 30)
        assert TimelineEntry.objects.get(kind=events.ENTITLEMENT_EXPIRED).payload["left"] == 4

    def test_is_taken_back_by_staff_with_a_reason_once(self) -> None:
        member, benefit = a_member(), a_benefit()
        a_budget(benefit, at=NOON, total_units=10)
        row = an_entitlement(member, benefit, at=NOON, quota=5)
        with pytest.raises(ReasonMissing):
            revoke_entitlement(entitlement_id=row.pk, reason="", by=SYSTEM, at=NOON)
        revoke_entitlement(entitlement_id=row.pk, reason="given by mistake", by=SYSTEM, at=NOON)
        before = everything()
        with pytest.raises(EntitlementHasEnded):
            revoke_entitlement(entitlement_id=row.pk, reason="again", by=SYSTEM, at=NOON)
        assert everything() == before
        assert BenefitBudget.objects.get().reserved_units == 0
        with pytest.raises(BenefitNotHeld):
            use(member, benefit)


class TestGiving:
    """Giving a benefit …"""

    def test_twice_gives_one(self) -> None:
        member, benefit = a_member(), a_benefit()
        rows = [an_entitlement(member, benefit, at=NOON, ref="plan 7") for _ in range(2)]
        assert rows[0] == rows[1]
        assert Entitlement.objects.count() == TimelineEntry.objects.filter(kind=events.ENTITLEMENT_GRANTED).count() == 1

    def test_twice_with_another_content_is_refused(self) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, ref="plan 7")
        before = everything()
        with pytest.raises(GrantConflict):
            an_entitlement(member, benefit, at=NOON, ref="plan 7", quota=3)
        assert everything() == before

    def test_beyond_the_budget_is_refused(self) -> None:
        benefit = a_benefit()
        a_budget(benefit, at=NOON, total_amount=Decimal(100))
        an_entitlement(a_member(), benefit, at=NOON, quota=2)  # 60 of 100
        before = everything()
        with pytest.raises(BenefitBudgetUsedUp):
            an_entitlement(a_member(), benefit, at=NOON, quota=2)
        assert everything() == before
        an_entitlement(a_member(), benefit, at=NOON, quota=1)
        assert BenefitBudget.objects.get().reserved_amount == 90

    def test_what_costs_an_unknown_amount_fits_no_budget_in_money(self) -> None:
        benefit = a_benefit(unit_cost_amount=None)
        a_budget(benefit, at=NOON, total_amount=Decimal(100))
        with pytest.raises(BenefitBudgetUsedUp):
            an_entitlement(a_member(), benefit, at=NOON, quota=1)
        assert not Entitlement.objects.exists()

    def test_out_of_use_or_to_who_left_is_refused(self) -> None:
        with pytest.raises(BenefitNotOffered):
            an_entitlement(a_member(), a_benefit(is_on=False), at=NOON)
        with pytest.raises(MemberClosed):
            an_entitlement(a_member(status="closed"), a_benefit(), at=NOON)
        assert not Entitlement.objects.exists()

    def test_whose_vouchers_are_issued_at_once_is_used_with_that(self) -> None:
        member = a_member()
        benefit = a_benefit(kind=Benefit.Kind.VOUCHERS, voucher_template_code="coffee", period=Benefit.Period.MONTH)
        row = give_benefit(
            member_id=member.pk, benefit_id=benefit.pk, source="plan", source_ref="7", period_key="2026-03", quota=3,
            valid_from=NOON, valid_to=NOON + timedelta(days=20), by=SYSTEM, at=NOON,
        )  # fmt: skip
        assert (row.used, row.state) == (3, Entitlement.State.USED_UP)
        assert (EntitlementUse.objects.get().units, EntitlementUse.objects.get().cost_amount) == (3, 90)
        told = TimelineEntry.objects.get(kind=events.ENTITLEMENT_GRANTED)
        assert told.payload["vouchers"] == {"template": "coffee", "first": 1, "count": 3}
