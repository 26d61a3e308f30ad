"""Warnings before reviews, and grace that staff ask for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection
from django.utils.translation import override

from loyalty.admin.sentences import at_risk_words
from loyalty.models import LadderVersion, ReviewPolicy, TierChange, TierStanding, TierWarning
from loyalty.progress import progress_of
from loyalty.queries import forget_ladder_book
from loyalty.sentences import change_sentence
from loyalty.services.grace import GRACE, GraceIsBounded, NoTierForGrace, give_grace, propose_grace
from loyalty.services.review_warnings import warn_of_reviews
from members.actors import SYSTEM, Actor
from members.models import Member, Proposal, TimelineEntry
from members.proposals import MakerCanNotDecide, NotAllowed, approve
from tests.factories.portal import an_operator
from tests.loyalty.stories import local, make_member, path_of, purchase, review, tell
from tests.loyalty.test_review_runs import MARCH, silver

AHEAD_30 = local("2026-03-02 09:00")  # the last day is 31 March


@pytest.mark.django_db
class TestWarnings:
    def test_tell_the_exact_gap_once_for_each_distance(self) -> None:
        member = silver()
        tell(purchase(member.pk, "some", 120, local("2025-12-01")))
        assert warn_of_reviews(at=local("2026-02-28 09:00"), by=SYSTEM) == 0
        assert warn_of_reviews(at=AHEAD_30, by=SYSTEM) == 1
        assert warn_of_reviews(at=local("2026-03-10 09:00"), by=SYSTEM) == 0
        assert warn_of_reviews(at=local("2026-03-24 09:00"), by=SYSTEM) == 1
        assert warn_of_reviews(at=local("2026-03-25 09:00"), by=SYSTEM) == 0
        told = TimelineEntry.objects.filter(kind="loyalty.tier_at_risk.v1").order_by("id").first()
        assert told is not None
        assert told.payload == {
            "review_date": "2026-03-31", "days": 30, "from": "silver", "to": "member", "outlook": "fallen", "credits": 120,
            "needed": 400, "short": 280,
        }  # fmt: skip
        with override("en"):
            words = at_risk_words(told.payload, {"from": "Silver", "to": "Member"})
        assert "280 more tier credits (120 of 400)" in words
        assert list(TierWarning.objects.order_by("pk").values_list("days", "review_date")) == [
            (30, date(2026, 3, 31)), (7, date(2026, 3, 31)),
        ]  # fmt: skip

    def test_are_not_for_whoever_keeps_the_tier(self) -> None:
        silver(kept=True)
        assert warn_of_reviews(at=AHEAD_30, by=SYSTEM) == 0
        assert not TierWarning.objects.exists()

    def test_are_for_whoever_no_longer_keeps_it(self) -> None:
        member = silver(kept=True)
        warn_of_reviews(at=AHEAD_30, by=SYSTEM)
        tell(purchase(member.pk, "taken", -100, local("2026-03-05")))
        assert warn_of_reviews(at=local("2026-03-06 09:00"), by=SYSTEM) == 1

    def test_are_not_for_those_who_have_left(self) -> None:
        Member.objects.filter(pk=silver().pk).update(status=Member.Status.CLOSED)
        assert warn_of_reviews(at=AHEAD_30, by=SYSTEM) == 0

    def test_go_by_what_staff_set(self) -> None:
        silver()
        ReviewPolicy.objects.update(warn_days=[60])
        assert warn_of_reviews(at=local("2026-02-01 09:00"), by=SYSTEM) == 1
        ReviewPolicy.objects.update(warn_days=[])
        assert warn_of_reviews(at=local("2026-03-01 09:00"), by=SYSTEM) == 0

    def test_have_all_figures_where_more_than_credits_decides(self) -> None:
        rule = LadderVersion.objects.get(number=1).rules.get(tier__code="silver")
        rule.keep_orders = rule.rise_orders = 1
        rule.keep_orders = 1
        rule.save()
        forget_ladder_book()
        silver()
        assert warn_of_reviews(at=AHEAD_30, by=SYSTEM) == 1
        warning = TierWarning.objects.get()
        assert ([figure[0] for figure in warning.figures], warning.must) == (["credits", "orders"], 2)

    def test_go_chunk_by_chunk(self) -> None:
        for _ in range(5):
            silver()
        assert warn_of_reviews(at=AHEAD_30, by=SYSTEM, chunk=2) == 5


class TestTwoWarners:
    def test_beside_each_other_warn_once(self, committed_db: str) -> None:
        for _ in range(20):
            silver()
        barrier = threading.Barrier(2)

        def warn() -> int:
            barrier.wait()
            try:
                return warn_of_reviews(at=AHEAD_30, by=SYSTEM, chunk=3)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sum(one.result() for one in [pool.submit(warn), pool.submit(warn)]) == 20
        assert TimelineEntry.objects.filter(kind="loyalty.tier_at_risk.v1").count() == 20


@pytest.mark.django_db
class TestGrace:
    def test_keeps_a_tier_longer_and_is_reviewed_over_the_same_period(self) -> None:
        member = silver()
        grace = give_grace(member_id=member.pk, days=30, by=SYSTEM, at=local("2026-03-20"))
        assert grace.until_at == local("2026-05-01 00:00")
        progress = progress_of(member.pk, local("2026-04-19"))
        assert (progress.is_in_grace, progress.keep_from, progress.keep_gap) == (True, local("2025-04-01 00:00"), 400)
        tell(purchase(member.pk, "made-up", 400, local("2026-04-20")))
        review(local("2026-05-01 01:00"))
        assert [line.split(" until")[0] for line in path_of(member.pk)][1:] == [
            "grace silver>silver 2026-03-20 0/400", "kept silver>silver 2026-05-01 400/400",
        ]  # fmt: skip
        assert TierChange.objects.get(number=3).window_from == local("2025-04-01 00:00")

    @pytest.mark.parametrize("day", ["2026-01-10", "2026-03-20", "2026-04-10"])
    def test_moves_no_later_review_however_early_or_late_it_is_given(self, day: str) -> None:
        member = silver()
        review(local(day))
        give_grace(member_id=member.pk, days=30, by=SYSTEM, at=local(day))
        tell(purchase(member.pk, "made-up", 400, local("2026-04-20")))
        review(local("2026-05-15 01:00"))
        assert path_of(member.pk)[-1].endswith("400/400 until 2027-04-01")

    def test_of_a_calendar_year_does_not_end_in_the_past(self) -> None:
        LadderVersion.objects.update(window="year")
        forget_ladder_book()
        member = make_member()
        tell(purchase(member.pk, "a", 500, MARCH))  # to the end of 2026
        give_grace(member_id=member.pk, days=30, by=SYSTEM, at=local("2026-11-22"))
        tell(purchase(member.pk, "b", 400, local("2027-01-10")))
        review(local("2027-02-01 01:00"))
        standing = TierStanding.objects.get(member=member)
        assert (standing.tier.code, standing.valid_until) == ("silver", local("2028-01-01 00:00"))

    def test_gives_a_tier_back_that_fell_lately(self) -> None:
        member = silver()
        review(local("2026-04-01 01:00"))
        give_grace(member_id=member.pk, days=20, by=SYSTEM, at=local("2026-04-10"))
        standing = TierStanding.objects.get(member=member)
        assert (standing.tier.code, standing.valid_until) == ("silver", local("2026-04-30 00:00"))
        with override("en"):
            assert change_sentence(TierChange.objects.get(number=3)).startswith("Grace was granted: ")
        review(local("2026-04-30 01:00"))
        assert path_of(member.pk)[-1] == "fallen silver>member 2026-04-30 0/400"

    def test_is_refused_where_there_is_no_tier_and_for_too_long(self) -> None:
        member = make_member()
        with pytest.raises(NoTierForGrace):
            give_grace(member_id=member.pk, days=30, by=SYSTEM, at=local("2026-03-20"))
        with pytest.raises(GraceIsBounded):
            give_grace(member_id=silver().pk, days=91, by=SYSTEM, at=local("2026-03-20"))
        assert not TierChange.objects.filter(reason="grace").exists()

    def test_waits_for_a_second_person(self) -> None:
        member = silver()
        agent = Actor("operator", an_operator("service").pk)
        at = local("2026-03-20")
        outcome = propose_grace(member_id=member.pk, days=30, reason="kind guest", by=agent, at=at, request_id="r1")
        assert outcome.waiting
        assert Proposal.objects.get().kind == GRACE
        assert not TierChange.objects.filter(reason="grace").exists()
        with pytest.raises((MakerCanNotDecide, NotAllowed)):
            approve(proposal_id=outcome.proposal_id, by=agent, at=at)
        boss = Actor("operator", an_operator("service supervisor").pk)
        assert approve(proposal_id=outcome.proposal_id, by=boss, at=at).carried_out
        change = TierChange.objects.get(reason="grace")
        assert change.cause == f"staff:proposal:{outcome.proposal_id}"
