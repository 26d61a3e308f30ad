"""Offers of vouchers: who may claim, by which way, how often, and never more than there are."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from members.actors import Actor
from members.models import Member, RiskFinding, TimelineEntry
from members.services.risk import run_rules
from members.services.status import ReasonMissing
from members.timeline import subscribers
from rewards.handlers import look_for_hoarders
from rewards.models import Voucher, VoucherBudget, VoucherClaim, VoucherOffer
from rewards.refusals import RewardsRefusal
from rewards.services.orders import MemberClosed, MemberFrozen
from rewards.services.voucher_budgets import VoucherBudgetExhausted, budget_left
from rewards.services.voucher_claims import (
    ClaimCodeWrong,
    ClaimReceipt,
    OfferNotForMember,
    OfferNotRunning,
    OfferUsedUp,
    claim_at_till,
    claim_by_code,
    claim_offer,
    offers_for,
)
from rewards.services.voucher_issue import VoucherNotIssued
from rewards.services.voucher_offers import (
    VoucherOfferHasNoWay,
    VoucherOfferState,
    end_offer,
    new_claim_code,
    pause_offer,
    scan_code,
    start_offer,
)
from rewards.vouchers_held import MostVouchersHeld
from tests.factories.catalogue import a_template
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member, a_store
from tests.factories.plans import a_tier
from tests.harness.threads import together
from tests.rewards.test_races import outcome_of
from tests.rewards.voucher_given import a_list_of, a_voucher, an_offer, issuer, stand


def claim(offer: VoucherOffer, member: Member, request: str = "", *, hours: float = 0) -> ClaimReceipt:
    """Claim by the button, some hours after noon."""
    by = Actor("member", member.pk)
    return claim_offer(
        member_id=member.pk, offer_ref=offer.public_id, request_id=request or uuid4().hex, by=by,
        at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def staff() -> Actor:
    return Actor("operator", issuer().pk)


@pytest.mark.django_db
class TestClaim:
    """A claim …"""

    def test_gives_a_voucher_with_the_terms_of_the_template(self) -> None:
        offer, member = an_offer(total_limit=2), a_member()
        receipt = claim(offer, member)
        voucher = receipt.voucher
        assert (receipt.already_claimed, receipt.claim.way, receipt.claim.number) == (False, "button", 1)
        assert (voucher.member_id, voucher.origin, voucher.origin_ref) == (member.pk, "offer", str(offer.pk))
        assert voucher.expires_at == NOON + timedelta(days=30)
        offer.refresh_from_db()
        assert offer.claimed == 1

    def test_by_a_repeated_request_is_the_same_one(self) -> None:
        offer, member = an_offer(per_member_limit=3), a_member()
        first, second = claim(offer, member, "wish"), claim(offer, member, "wish", hours=1)
        assert (first.voucher, first.claim) == (second.voucher, second.claim)
        assert VoucherClaim.objects.count() == Voucher.objects.count() == 1

    def test_beyond_the_limit_of_a_member_returns_the_last_voucher(self) -> None:
        offer, member = an_offer(per_member_limit=2), a_member()
        claims = [claim(offer, member) for _ in range(3)]
        assert [receipt.already_claimed for receipt in claims] == [False, False, True]
        assert claims[2].voucher == claims[1].voucher
        assert [receipt.claim.number for receipt in claims[:2]] == [1, 2]

    def test_of_a_merged_member_counts_for_the_survivor(self) -> None:
        offer, kept, merged = an_offer(), a_member(), a_member()
        first = claim(offer, merged)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status=Member.Status.CLOSED)
        assert claim(offer, kept).voucher == claim(offer, merged).voucher == first.voucher

    def test_is_numbered_anew_after_a_merge_that_was_undone(self) -> None:
        offer, kept, merged = an_offer(per_member_limit=9), a_member(), a_member()
        claim(offer, kept)
        claim(offer, merged)
        Member.objects.filter(pk=merged.pk).update(merged_into=kept, status=Member.Status.CLOSED)
        both = claim(offer, merged)
        Member.objects.filter(pk=merged.pk).update(merged_into=None, status=Member.Status.ACTIVE)
        alone = claim(offer, kept)
        assert (both.claim.member, alone.already_claimed) == (kept, False)
        assert len({one.voucher for one in (both, alone)}) == 2
        assert [claim(offer, merged).claim.number, alone.claim.number] == [2, 3]

    def test_says_how_long_it_took(self) -> None:
        offer, member = an_offer(), a_member()
        receipt = claim_by_code(
            member_id=member.pk, code=scan_code(offer), request_id="r", took_ms=1_800, by=TILL, at=NOON
        )
        assert (receipt.claim.way, receipt.claim.took_ms) == ("scan", 1_800)

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"state": "paused"}, OfferNotRunning),
            ({"state": "ended", "ended_at": NOON}, OfferNotRunning),
            ({"begins_at": NOON + timedelta(hours=1)}, OfferNotRunning),
            ({"ends_at": NOON}, OfferNotRunning),
            ({"total_limit": 0}, OfferUsedUp),
        ],
    )
    def test_is_refused_outside_its_terms_and_changes_nothing(
        self, changes: dict[str, Any], refusal: type[RewardsRefusal]
    ) -> None:
        offer, member = an_offer(**changes), a_member()
        before = stand()
        with pytest.raises(refusal):
            claim(offer, member)
        assert stand() == before

    def test_is_refused_to_others_than_it_is_for(self) -> None:
        inside, outside = a_member(), a_member()
        offer = an_offer(segment=a_list_of([inside]))
        for_gold = an_offer(name="Gold", min_tier=a_tier("gold"))
        claim(offer, inside)
        before = stand()
        for wanted in (offer, for_gold):
            with pytest.raises(OfferNotForMember):
                claim(wanted, outside)
        assert stand() == before

    @pytest.mark.parametrize(("status", "refusal"), [("frozen", MemberFrozen), ("closed", MemberClosed)])
    def test_is_refused_to_members_who_may_not(self, status: str, refusal: type[RewardsRefusal]) -> None:
        offer, member = an_offer(), a_member(status=status)
        with pytest.raises(refusal):
            claim(offer, member)

    def test_is_refused_to_who_holds_as_many_as_one_may(self) -> None:
        template, member = a_template(most_held=1), a_member()
        a_voucher(member, template)
        offer = an_offer(template)
        before = stand()
        with pytest.raises(MostVouchersHeld):
            claim(offer, member)
        assert stand() == before

    def test_is_refused_when_the_budget_is_used_up(self) -> None:
        template = a_template(budget_amount=Decimal(10))
        offer = an_offer(template)
        for _ in range(2):
            claim(offer, a_member())
        before, member = stand(), a_member()
        with pytest.raises(VoucherBudgetExhausted):
            claim(offer, member)
        assert stand() == before
        assert (VoucherBudget.objects.get().used_amount, budget_left(template)) == (Decimal(10), Decimal(0))


@pytest.mark.django_db
class TestCode:
    """A code …"""

    def test_that_is_wrong_is_refused_alike_whatever_is_wrong(self) -> None:
        member, hidden, drafted = a_member(), an_offer(by_scan=False), an_offer(name="Draft", state="draft")
        told = set()
        for code in ("AAAA-BBBB-CCCC-DDDD", "", scan_code(hidden), scan_code(drafted), str(hidden.public_id)):
            with pytest.raises(ClaimCodeWrong) as refused:
                claim_by_code(member_id=member.pk, code=code, request_id=uuid4().hex, by=TILL, at=NOON)
            told.add(refused.value.sentence())
        assert len(told) == 1

    def test_is_typed_in_any_usual_way_and_replaced_by_a_new_one(self) -> None:
        offer, by = an_offer(per_member_limit=2), staff()
        old = new_claim_code(offer_id=offer.pk, by=by, at=NOON)
        new = new_claim_code(offer_id=offer.pk, by=by, at=NOON)
        member = a_member()
        with pytest.raises(ClaimCodeWrong):
            claim_by_code(member_id=member.pk, code=old, request_id="1", by=TILL, at=NOON)
        typed = new.lower().replace("-", " ")
        receipt = claim_by_code(member_id=member.pk, code=typed, request_id="2", by=TILL, at=NOON)
        assert receipt.claim.way == "code"
        assert new.replace("-", "") not in str(list(VoucherOffer.objects.values()))

    def test_at_a_till_names_the_store(self) -> None:
        offer, member, store = an_offer(), a_member(), a_store()
        receipt = claim_at_till(
            member_id=member.pk, code=scan_code(offer), store_id=store.pk, request_id="t", by=TILL, at=NOON
        )
        assert (receipt.claim.way, receipt.claim.store_id) == ("till", store.pk)


@pytest.mark.django_db
class TestList:
    """The list of offers …"""

    def test_shows_what_runs_and_is_claimed_by_the_button(self) -> None:
        shown = an_offer(name="Shown")
        an_offer(name="Only by code", by_button=False)
        an_offer(name="Over", ends_at=NOON)
        an_offer(name="Paused", state="paused")
        an_offer(name="For some", segment=a_list_of([]))
        assert [(one.offer, one.claimed_by_me, one.can_claim) for one in offers_for(None, at=NOON)] == [
            (shown, None, None)
        ]

    def test_says_to_a_member_what_can_be_claimed_and_why_not(self) -> None:
        member = a_member()
        claimed, gone = an_offer(name="Claimed"), an_offer(name="Gone", total_limit=0)
        gold, mine = an_offer(name="Gold", min_tier=a_tier("gold")), an_offer(name="Mine", segment=a_list_of([member]))
        claim(claimed, member)
        seen = {one.offer: (one.can_claim, one.why_not) for one in offers_for(member.pk, at=NOON)}
        assert seen == {
            claimed: (False, "already_claimed"), gone: (False, "out_of_stock"), gold: (False, "offer_not_for_member"),
            mine: (True, ""),
        }  # fmt: skip


@pytest.mark.django_db
class TestOffer:
    """An offer …"""

    def test_is_started_paused_and_ended_for_good(self) -> None:
        offer, by = an_offer(state="draft"), staff()
        start_offer(offer_id=offer.pk, by=by, at=NOON)
        pause_offer(offer_id=offer.pk, reason="The leaflet is wrong", by=by, at=NOON)
        start_offer(offer_id=offer.pk, by=by, at=NOON)
        end_offer(offer_id=offer.pk, reason="Over", by=by, at=NOON)
        with pytest.raises(VoucherOfferState):
            start_offer(offer_id=offer.pk, by=by, at=NOON)
        with pytest.raises(VoucherOfferState):
            new_claim_code(offer_id=offer.pk, by=by, at=NOON)
        told = TimelineEntry.objects.filter(kind="rewards.voucher_offer_changed.v1").order_by("pk")
        assert [entry.payload["state"] for entry in told] == ["running", "paused", "running", "ended"]

    def test_is_not_started_without_a_way_to_claim_nor_for_a_retired_template(self) -> None:
        by = staff()
        dumb = an_offer(state="draft", by_button=False, by_scan=False)
        retired = an_offer(a_template("old", is_retired=True), name="Old", state="draft")
        before = stand()
        with pytest.raises(VoucherOfferHasNoWay):
            start_offer(offer_id=dumb.pk, by=by, at=NOON)
        with pytest.raises(VoucherNotIssued):
            start_offer(offer_id=retired.pk, by=by, at=NOON)
        with pytest.raises(ReasonMissing):
            end_offer(offer_id=dumb.pk, reason=" ", by=by, at=NOON)
        assert stand() == before


@pytest.mark.django_db
class TestHoarding:
    """The rules about hoarding …"""

    def test_find_who_holds_more_than_one_may_and_who_claims_too_often(self) -> None:
        template, member, modest = a_template(most_held=2), a_member(), a_member()
        for holder, number in ((member, 3), (modest, 2)):
            for _ in range(number):
                a_voucher(holder, template)
        offer = an_offer(a_template("often"), per_member_limit=20)
        for _ in range(11):
            claim(offer, member)
        run_rules(at=NOON + timedelta(hours=1))
        found = Counter(RiskFinding.objects.values_list("member_id", "rule"))
        assert found == {(member.pk, "vouchers_hoarded"): 1, (member.pk, "vouchers_claimed_in_a_day"): 1}

    def test_are_asked_when_a_voucher_is_claimed_and_not_when_staff_issue_many(self) -> None:
        member = a_member()
        offer = an_offer(per_member_limit=20)
        for _ in range(11):
            claim(offer, member)
        a_voucher(member)
        issued = list(TimelineEntry.objects.filter(kind="rewards.voucher_issued.v1"))
        for entry in issued:
            entry.recorded_at = NOON
        look_for_hoarders([entry for entry in issued if entry.payload["origin"] != "offer"])
        assert not RiskFinding.objects.exists()
        look_for_hoarders(issued)
        assert RiskFinding.objects.filter(rule="vouchers_claimed_in_a_day").count() == 1
        assert "rewards.voucher_risk" in subscribers()


class TestRaces:
    """Claims at the same moment …"""

    def test_never_pass_the_total_nor_the_limit_of_a_member(self, committed_db: str) -> None:
        offer, other = an_offer(total_limit=5), an_offer(name="Other", total_limit=50)
        members, one = [a_member() for _ in range(11)], a_member()
        jobs = [lambda member=member: outcome_of(lambda: claim(offer, member)) for member in members]
        outcomes = Counter(together(jobs + [lambda: claim(other, one).voucher.pk for _ in range(5)]))
        offer.refresh_from_db()
        other.refresh_from_db()
        assert (outcomes["done"], outcomes["out_of_stock"], offer.claimed) == (5, 6, 5)
        assert (other.claimed, VoucherClaim.objects.filter(offer=other).count()) == (1, 1)
        assert Voucher.objects.filter(origin_ref=str(offer.pk)).count() == 5
