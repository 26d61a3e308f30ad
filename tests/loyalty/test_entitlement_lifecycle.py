"""What members are entitled to, merged, taken apart, copied out, erased; and given by staff."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from loyalty.models import BenefitBudget, Entitlement
from loyalty.services.benefit_proposals import FAMILY, UsesOutOfRange, propose_benefit
from loyalty.services.entitlement_lifecycle import erase, export, losses
from loyalty.services.entitlements import Use, use_benefit
from loyalty.services.granting import reserved_of
from loyalty.services.tier_benefits import follow_tiers
from members import proposals
from members.actors import SYSTEM, Actor
from members.facts import fact
from members.models import Member, MemberPerson, OperatorLimit, Proposal
from members.services.merging import merge_members, unmerge_members
from tests.factories.benefits import a_benefit, a_budget, an_entitlement, given_by, holding
from tests.factories.people import TILL, a_member
from tests.factories.portal import an_operator
from tests.factories.times import at

NOON = at("2026-03-11 12:00")
pytestmark = pytest.mark.django_db


def a_person(name: str) -> Member:
    """Return a member with a name who holds gold."""
    member = holding("gold", since=NOON - timedelta(days=9))
    MemberPerson.objects.create(member=member, full_name=name)
    return member


def states(member: Member) -> list[tuple[str, int, int, str]]:
    rows = Entitlement.objects.filter(member=member).select_related("benefit").order_by("pk")
    return [(row.benefit.code, row.quota, row.used, row.state) for row in rows]


def within_budget(most: int) -> bool:
    budget = BenefitBudget.objects.get()
    assert budget.reserved_units == sum(reserved_of(row) for row in Entitlement.objects.filter(budget=budget)) <= most
    return True


class TestMerging:
    """At a merge …"""

    def test_what_lives_moves_and_the_same_promise_stays_once_and_both_come_back(self) -> None:
        lounge, tea = a_benefit("lounge"), a_benefit("tea")
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_units=4)
        kept, other = (a_person(name) for name in ("张三丰", "李莫愁"))
        follow_tiers(member_ids=[kept.pk, other.pk], by=SYSTEM, at=NOON)
        an_entitlement(other, tea, at=NOON)
        use_benefit(use=Use(other.pk, "till", "1", "lounge"), by=TILL, at=NOON)
        merge = merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=NOON)
        assert states(kept) == [("lounge", 2, 0, "granted"), ("tea", 2, 0, "granted")]
        assert states(other) == [("lounge", 2, 1, "revoked")]
        assert within_budget(3)
        receipt = use_benefit(use=Use(other.pk, "till", "2", "tea"), by=TILL, at=NOON)
        assert receipt.entitlement.member_id == kept.pk
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=NOON + timedelta(hours=1))
        assert states(kept) == [("lounge", 2, 0, "granted")]
        assert states(other) == [("lounge", 2, 1, "granted"), ("tea", 2, 1, "granted")]
        assert within_budget(4)

    def test_that_is_taken_apart_gives_nothing_back_beyond_the_budget(self) -> None:
        lounge = a_benefit("lounge")
        given_by("gold", lounge)
        a_budget(lounge, at=NOON, total_units=4)
        kept, other = (a_person(name) for name in ("张三丰", "李莫愁"))
        follow_tiers(member_ids=[kept.pk, other.pk], by=SYSTEM, at=NOON)
        merge = merge_members(kept_id=kept.pk, merged_id=other.pk, reason="one person", by=SYSTEM, at=NOON)
        an_entitlement(a_member(), lounge, at=NOON, quota=1)
        unmerge_members(merge_id=merge.pk, reason="two people", by=SYSTEM, at=NOON + timedelta(hours=1))
        assert states(other) == [("lounge", 2, 0, "revoked")]
        assert within_budget(3)


class TestThePerson:
    """Of a person …"""

    def test_everything_given_and_used_is_in_the_copy(self) -> None:
        member = a_member()
        an_entitlement(member, a_benefit("lounge"), at=NOON)
        use_benefit(use=Use(member.pk, "till", "T-9", "lounge"), by=TILL, at=NOON)
        benefits, uses = export(member.pk, NOON)
        assert [row[4:6] for row in benefits.rows] == [[2, 1]]
        assert [row[-1] for row in uses.rows] == ["T-9"]

    def test_what_is_left_is_told_and_ends_at_the_erasure(self) -> None:
        member, lounge = a_member(), a_benefit("lounge")
        a_budget(lounge, at=NOON, total_units=9)
        for _ in range(2):
            an_entitlement(member, lounge, at=NOON, quota=2)
        assert [(line.kept, line.result) for line in losses(member.pk, NOON)] == [("4", "0")]
        assert erase(member.pk, SYSTEM, NOON) == {"entitlements": 2}
        assert {state for *_others, state in states(member)} == {"revoked"}
        assert within_budget(0)
        assert losses(member.pk, NOON) == []


class TestByStaff:
    """Staff give a benefit …"""

    def test_at_once_within_their_limit_and_after_approval_above_it(self) -> None:
        agent, chief = an_operator("service"), an_operator("service supervisor")
        member, cheap, dear = (
            a_member(),
            a_benefit("tea", unit_cost_amount=Decimal("9.50")),
            a_benefit("night", unit_cost_amount=Decimal(600)),
        )
        by = Actor("operator", agent.pk)
        done = propose_benefit(
            member_id=member.pk,
            benefit_id=cheap.pk,
            uses=2,
            days=7,
            reason="waited long",
            by=by,
            at=NOON,
            request_id="r1",
        )
        again = propose_benefit(
            member_id=member.pk,
            benefit_id=cheap.pk,
            uses=2,
            days=7,
            reason="waited long",
            by=by,
            at=NOON,
            request_id="r1",
        )
        assert done.carried_out
        assert again.proposal_id == done.proposal_id
        assert states(member) == [("tea", 2, 0, "granted")]
        assert Entitlement.objects.get().valid_to == at("2026-03-18")
        asked = propose_benefit(
            member_id=member.pk, benefit_id=dear.pk, uses=1, days=7, reason="waited long", by=by, at=NOON
        )
        assert asked.waiting
        assert len(states(member)) == 1
        proposals.approve(proposal_id=asked.proposal_id, by=Actor("operator", chief.pk), at=NOON)
        assert states(member)[1] == ("night", 1, 0, "granted")
        assert "night" not in proposals.sentence_of(Proposal.objects.get(pk=asked.proposal_id))  # by its name

    def test_not_without_a_limit_nor_beyond_what_is_given_by_hand(self) -> None:
        member, lounge, agent = a_member(), a_benefit(), an_operator("service")
        by = Actor("operator", agent.pk)
        OperatorLimit.objects.filter(family=FAMILY).delete()
        asked = propose_benefit(member_id=member.pk, benefit_id=lounge.pk, uses=1, days=1, reason="x y", by=by, at=NOON)
        assert asked.waiting
        with pytest.raises(UsesOutOfRange):
            propose_benefit(member_id=member.pk, benefit_id=lounge.pk, uses=1, days=0, reason="x y", by=by, at=NOON)
        assert not Entitlement.objects.exists()


class TestTheFact:
    """Uses left …"""

    def test_are_known_to_segments(self) -> None:
        member = a_member()
        an_entitlement(member, a_benefit("lounge"), at=NOON, quota=3)
        use_benefit(use=Use(member.pk, "till", "1", "lounge"), by=TILL, at=NOON)
        known = fact("loyalty.uses_left")
        sql = f"SELECT ({known.sql}) FROM members_member m WHERE m.id = %(id)s"
        later = NOON + timedelta(minutes=1)
        with connection.cursor() as cursor:
            for code, moment, left in (
                ("lounge", later, 2),
                ("tea", later, 0),
                ("lounge", NOON + timedelta(days=60), 0),
            ):
                cursor.execute(sql, {"id": member.pk, "benefit": code, "at": moment})
                assert cursor.fetchone()[0] == left
