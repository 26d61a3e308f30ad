"""Uses and grants at once: real threads, real connections, real commits."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from loyalty.models import BenefitBudget, Entitlement, EntitlementUse
from loyalty.services.entitlements import BenefitExhausted, Use, UseReceipt, use_benefit
from loyalty.services.granting import BenefitBudgetUsedUp, reserved_of
from loyalty.services.tier_benefits import follow_tiers, grant_due
from members.actors import SYSTEM
from members.models import TimelineEntry
from members.refusals import Refusal
from tests.factories.benefits import a_benefit, a_budget, an_entitlement, given_by, holding
from tests.factories.people import TILL, a_member
from tests.factories.times import at
from tests.harness.threads import spread, together

NOON = at("2026-03-11 12:00")
SINCE = NOON - timedelta(days=60)
THREADS = 8


def outcome_of(job: Callable[[], object]) -> str:
    """Do a job; return "done", or the code of the refusal."""
    try:
        job()
    except Refusal as refusal:
        return refusal.code
    return "done"


class TestUses:
    """Uses at once …"""

    def test_two_hundred_of_one_entitlement_with_two_give_exactly_two(self, committed_db: str) -> None:
        member, benefit = a_member(), a_benefit()
        row = an_entitlement(member, benefit, at=NOON, quota=2)

        def use(number: int) -> str:
            by_code = Use(member.pk, "till", str(number), benefit.code)
            by_id = Use(member.pk, "app", str(number), entitlement=row.public_id)
            return outcome_of(lambda: use_benefit(use=by_id if number % 2 else by_code, by=TILL, at=NOON))

        outcomes = Counter(spread(use, times=200, threads=THREADS))
        assert outcomes == {"done": 2, BenefitExhausted.code: 198}
        row.refresh_from_db()
        assert (row.used, row.state, EntitlementUse.objects.count()) == (2, "used_up", 2)
        assert TimelineEntry.objects.filter(kind="loyalty.entitlement_used.v1").count() == 2

    def test_under_one_reference_are_one_with_equal_answers(self, committed_db: str) -> None:
        member, benefit = a_member(), a_benefit()
        an_entitlement(member, benefit, at=NOON, quota=9)
        receipts: list[UseReceipt] = spread(
            lambda _: use_benefit(use=Use(member.pk, "till", "one", benefit.code), by=TILL, at=NOON), times=40, threads=THREADS
        )  # fmt: skip
        assert len({(receipt.use.pk, receipt.left) for receipt in receipts}) == 1
        assert sum(not receipt.already_recorded for receipt in receipts) == 1
        assert Entitlement.objects.get().used == 1

    def test_under_one_reference_by_two_members_are_one_and_a_conflict(self, committed_db: str) -> None:
        benefit, members = a_benefit(), [a_member() for _ in range(THREADS)]
        for member in members:
            an_entitlement(member, benefit, at=NOON)
        jobs = [
            lambda member=member: outcome_of(
                lambda: use_benefit(use=Use(member.pk, "till", "one", benefit.code), by=TILL, at=NOON)
            )
            for member in members
        ]
        assert Counter(together(jobs)) == {"done": 1, "use_conflict": THREADS - 1}
        assert sum(Entitlement.objects.values_list("used", flat=True)) == 1


class TestGrants:
    """Grants at once …"""

    def test_never_pass_a_budget_by_one_unit(self, committed_db: str) -> None:
        benefit, members = a_benefit(), [a_member() for _ in range(40)]
        a_budget(benefit, at=NOON, total_units=25, total_amount=Decimal(10_000))

        def give(number: int) -> str:
            return outcome_of(lambda: an_entitlement(members[number], benefit, at=NOON, quota=2, ref=str(number)))

        outcomes = Counter(spread(give, times=40, threads=THREADS))
        assert outcomes == {"done": 12, BenefitBudgetUsedUp.code: 28}
        budget = BenefitBudget.objects.get()
        assert (budget.reserved_units, budget.reserved_amount, Entitlement.objects.count()) == (24, 720, 12)

    def test_by_beat_by_rises_and_beside_uses_give_each_member_one_and_stay_within_the_budget(
        self, committed_db: str
    ) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        given_by("silver", lounge, quota=1)
        a_budget(lounge, at=NOON, total_units=61)
        a_budget(lounge, at=NOON, total_units=31, tier="gold")
        ids = [holding("gold" if number % 2 else "silver", since=SINCE).pk for number in range(60)]

        def use(member_id: int) -> str:
            return outcome_of(
                lambda: use_benefit(use=Use(member_id, "till", f"{member_id}", "lounge"), by=TILL, at=NOON)
            )

        together([
            lambda: grant_due(at=NOON, by=SYSTEM, chunk=7),
            lambda: grant_due(at=NOON, by=SYSTEM, chunk=11),
            lambda: follow_tiers(member_ids=ids, by=SYSTEM, at=NOON),
            lambda: follow_tiers(member_ids=ids[::-1], by=SYSTEM, at=NOON),
            lambda: [use(member_id) for member_id in ids],
            lambda: [use(member_id) for member_id in ids[::-1]],
        ])  # fmt: skip
        grant_due(at=NOON, by=SYSTEM)
        rows = list(Entitlement.objects.all())
        assert len({row.member_id for row in rows}) == len(rows)
        by_tier = {budget.tier_id: budget for budget in BenefitBudget.objects.all()}
        gold = next(tier_id for tier_id in by_tier if tier_id)
        assert by_tier[None].reserved_units == sum(reserved_of(row) for row in rows) <= 61
        assert by_tier[gold].reserved_units == sum(reserved_of(row) for row in rows if row.tier_id == gold) == 30
        assert sum(row.used for row in rows) == EntitlementUse.objects.count()
