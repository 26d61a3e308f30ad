"""Counting facts and reviewing tiers, as the rows show it."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from loyalty import tasks
from loyalty.memory import FactsInMemory
from loyalty.models import LadderVersion, QualificationEntry, TierChange, TierRule
from loyalty.queries import forget_ladder_book, ladder_book, tier_at
from loyalty.refusals import FactFromFuture, NoLadder
from loyalty.replay import load_replays, save_replays
from loyalty.services.standing import count_fact, review_due_tiers, tier_for_fact
from members.actors import SYSTEM, Actor
from members.models import Member, TimelineEntry
from tests.loyalty.stories import goods_back, local, make_member, path_of, purchase, review, state_of, tell

MARCH = local("2025-03-15")
DUE = local("2026-04-01 00:00")


def make_silver(spent: int = 500) -> Member:
    """Make a member who rose to silver on 15 March 2025, to be reviewed on 1 April 2026."""
    member = make_member()
    tell(purchase(member.pk, f"rise-{member.pk}", spent, MARCH))
    return member


class TestCountFact:
    def test_tells_the_tier_before_and_what_changed(self, member: Member) -> None:
        counted = count_fact(fact=purchase(member.pk, "a", 1600, MARCH), by=Actor("device", 7), at=MARCH)
        assert (counted.tier.code, counted.changed_to, counted.is_new) == ("member", "gold", True)
        [news] = counted.news
        assert (news.kind, news.member_id, news.happened_at, news.by) == (
            "loyalty.tier_raised.v1", member.pk, MARCH, Actor("device", 7),
        )  # fmt: skip
        assert news.payload == {
            "change": 1, "from": "member", "to": "gold", "credits": 1600, "needed": 1500,
            "valid_until": "2026-03-31T16:00:00+00:00",
        }  # fmt: skip

    def test_marks_history_as_quiet(self, member: Member) -> None:
        counted = count_fact(fact=purchase(member.pk, "a", 500, MARCH), by=SYSTEM, at=MARCH, quiet=True)
        assert counted.news[0].payload["quiet"] is True

    def test_names_the_purchase_as_the_cause_of_a_rise(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        assert TierChange.objects.get().cause == "till:a"

    def test_keeps_the_figures_of_the_fact(self, member: Member) -> None:
        tell(goods_back(member.pk, "r", 30, MARCH, "a"))
        entry = QualificationEntry.objects.get()
        assert (entry.kind, entry.credits, entry.spend_amount, entry.orders) == ("return", -30, Decimal(-30), 0)

    def test_counts_a_fact_once(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 300, MARCH))
        before = state_of(member.pk)
        again = tell(purchase(member.pk, "a", 300, MARCH))
        assert (again.is_new, again.changes, again.news) == (False, [], [])
        assert state_of(member.pk) == before

    def test_tells_a_purchase_from_a_return_of_the_same_number(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 300, MARCH))
        assert tell(goods_back(member.pk, "a", 300, MARCH, "a")).is_new

    def test_refuses_the_future_and_changes_nothing(self, member: Member) -> None:
        fact = purchase(member.pk, "a", 600, MARCH + timedelta(days=1, seconds=1))
        with pytest.raises(FactFromFuture) as refusal:
            count_fact(fact=fact, by=SYSTEM, at=MARCH)
        assert refusal.value.code == "fact_from_future"
        assert "2025-03-16" in refusal.value.sentence()
        assert state_of(member.pk).entries == []
        with pytest.raises(FactFromFuture):
            tier_for_fact(member_id=member.pk, moment=fact.happened_at, by=SYSTEM, at=MARCH)

    def test_refuses_when_there_is_no_ladder(self, member: Member) -> None:
        TierRule.objects.all().delete()
        forget_ladder_book()
        with pytest.raises(NoLadder):
            count_fact(fact=purchase(member.pk, "a", 600, MARCH), by=SYSTEM, at=MARCH)
        assert state_of(member.pk).entries == []

    def test_a_first_rise_undone_leaves_no_standing(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        counted = tell(goods_back(member.pk, "r", 500, local("2025-03-20"), "a"))
        assert counted.news[0].kind == "loyalty.tier_rise_undone.v1"
        assert counted.changed_to == "member"
        assert state_of(member.pk).standing is None
        assert TierChange.objects.get(number=2).returned_credits == 500

    def test_an_undone_rise_gives_back_since_when_the_tier_was_held(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        for ref, day in (("b", "2025-05-01"), ("c", "2025-06-01")):
            tell(purchase(member.pk, ref, 1000, local(day)))
            tell(goods_back(member.pk, f"r{ref}", 1000, local(day) + timedelta(days=3), ref))
        assert state_of(member.pk).standing == ("silver", MARCH, DUE, None)

    def test_a_return_of_nothing_undoes_nothing(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 500, MARCH))
        assert tell(goods_back(member.pk, "r", 0, local("2025-03-20"), "a")).changes == []


class TestCostOfCounting:
    def test_is_one_statement_each_when_nothing_changes(
        self, member: Member, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tell(purchase(member.pk, "a", 10, MARCH))
        with django_assert_num_queries(1):
            tier_for_fact(member_id=member.pk, moment=MARCH, by=SYSTEM, at=MARCH)
        with django_assert_num_queries(1):
            count_fact(fact=purchase(member.pk, "b", 10, MARCH), by=SYSTEM, at=MARCH)

    def test_is_the_same_for_a_member_with_a_tier(
        self, db: None, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        member = make_silver()
        later = local("2025-06-01")
        with django_assert_num_queries(2):
            tell(purchase(member.pk, "b", 10, later))

    def test_is_one_more_for_a_late_fact(
        self, member: Member, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tell(purchase(member.pk, "a", 10, MARCH))
        with django_assert_num_queries(2):
            count_fact(fact=purchase(member.pk, "b", 10, local("2025-03-01")), by=SYSTEM, at=MARCH)

    def test_is_two_more_when_the_tier_rises(
        self, member: Member, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ladder_book()
        with django_assert_num_queries(3):
            count_fact(fact=purchase(member.pk, "a", 500, MARCH), by=SYSTEM, at=MARCH)

    def test_reads_the_index_of_the_window_only(self, member: Member) -> None:
        """Of the function's own text: each of its reads of the facts, as the planner takes it."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'loyalty_count_fact'")
            [(text,)] = cursor.fetchall()
            reads = re.findall(r"(SELECT [^;]*?) INTO [a-z_, ]+(\s+FROM loyalty_qualificationentry[^;]*);", text)
            assert len(reads) == 2
            cursor.execute("SET LOCAL enable_seqscan = off")
            for what, where in reads:
                read = (what + where).replace("p_member", str(member.pk))
                for bound in ("p_from_at", "p_before_at"):
                    read = read.replace(bound, f"'{MARCH.isoformat()}'")
                cursor.execute(f"EXPLAIN {read}")
                assert "Index Only Scan" in (plan := "\n".join(row[0] for row in cursor.fetchall())), plan
                assert "qualification_of_member" in plan
        assert "Seq Scan" not in plan


class TestTierForFact:
    def test_is_the_lowest_for_a_new_member(self, member: Member) -> None:
        tier = tier_for_fact(member_id=member.pk, moment=MARCH, by=SYSTEM, at=MARCH).tier
        assert (tier.code, tier.rank, tier.points_multiplier) == ("member", 0, Decimal("1.00"))

    def test_does_an_overdue_review_first(self, db: None) -> None:
        member = make_silver()
        held = tier_for_fact(member_id=member.pk, moment=local("2026-04-02"), by=SYSTEM, at=local("2026-04-02"))
        assert held.tier.code == "member"
        assert [entry.kind for entry in held.news] == ["loyalty.tier_lowered.v1"]

    def test_knows_the_tier_of_an_earlier_day(self, db: None) -> None:
        member = make_silver()
        tell(purchase(member.pk, "b", 1000, local("2025-05-01")))

        def tier_on(day: str) -> str:
            at = local("2025-06-01")
            code = tier_for_fact(member_id=member.pk, moment=local(day), by=SYSTEM, at=at).tier.code
            assert tier_at(member.pk, local(day)).code == code
            return code

        days = ["2025-03-14", "2025-03-15 12:00", "2025-04-30", "2025-05-01 12:00"]
        assert [tier_on(day) for day in days] == ["member", "silver", "silver", "gold"]

    def test_takes_a_rise_that_was_undone_as_never_been(self, db: None) -> None:
        member = make_silver()
        tell(purchase(member.pk, "b", 1000, local("2025-05-01")))
        tell(goods_back(member.pk, "rb", 1000, local("2025-05-10"), "b"))
        assert tier_at(member.pk, local("2025-05-05")).code == "silver"
        tell(purchase(member.pk, "c", 6000, local("2025-06-01")))
        assert tier_at(member.pk, local("2025-05-05")).code == "silver"


class TestReviewDueTiers:
    def test_tells_the_timeline(self, db: None) -> None:
        falling, keeping = make_silver(), make_silver()
        tell(purchase(keeping.pk, "more", 400, local("2025-06-01")))
        assert review(DUE) == (1, 1)
        told = TimelineEntry.objects.order_by("id").values_list("kind", "member_id", "happened_at", "payload__to")
        assert set(told) == {
            ("loyalty.tier_lowered.v1", falling.pk, DUE, "member"),
            ("loyalty.tier_kept.v1", keeping.pk, DUE, "silver"),
        }

    def test_leaves_the_same_history_however_late_and_often_it_runs(self, db: None) -> None:
        member = make_silver(1500)
        with transaction.atomic():
            review(DUE)
            on_time = state_of(member.pk)
            transaction.set_rollback(True)
        for days in (200, 210, 210):
            review(DUE + timedelta(days=days))
        assert state_of(member.pk) == on_time
        assert [change[1] for change in on_time.changes] == ["risen", "fallen"]

    def test_goes_on_from_the_last_member_of_a_chunk(self, db: None) -> None:
        members = [make_silver() for _ in range(5)]
        first = review_due_tiers(at=DUE, by=SYSTEM, limit=2)
        assert (first.last_member_id, first.fallen, first.done) == (members[1].pk, 2, False)
        rest = review_due_tiers(at=DUE, by=SYSTEM, after_member_id=first.last_member_id, limit=10)
        assert (rest.last_member_id, rest.fallen, rest.done) == (members[4].pk, 3, True)
        assert review_due_tiers(at=DUE, by=SYSTEM).done

    def test_takes_as_many_statements_for_many_members_as_for_one(self, db: None) -> None:
        costs = []
        for count in (1, 12):
            for _ in range(count):
                make_silver()
            with CaptureQueriesContext(connection) as captured:
                review_due_tiers(at=DUE, by=SYSTEM)
            costs.append(len(captured))
        assert costs[0] == costs[1]

    def test_is_run_by_the_task_chunk_by_chunk(self, db: None) -> None:
        members = [make_silver() for _ in range(5)]
        tasks.review_due_tiers(chunk_size=2)
        assert {path_of(member.pk)[-1] for member in members} == {"fallen silver>member 2026-04-01 0/400"}

    def test_judges_by_the_ladder_in_force_when_it_was_due(self, db: None) -> None:
        member = make_silver()
        old = LadderVersion.objects.get()
        old.valid_to = DUE - timedelta(days=10)
        old.save()
        easier = LadderVersion.objects.create(number=2, valid_from=old.valid_to, qualifying_months=24)
        for rule in TierRule.objects.filter(ladder=old):
            TierRule.objects.create(ladder=easier, tier=rule.tier, rise_credits=rule.rise_credits, keep_credits=0)
        forget_ladder_book()
        review(DUE)
        assert path_of(member.pk)[-1] == "kept silver>silver 2026-04-01 500/0 until 2027-04-01"
        assert TierChange.objects.latest("number").ladder == easier


class TestHistory:
    @pytest.mark.parametrize("table", ["loyalty_tierchange", "loyalty_qualificationentry"])
    @pytest.mark.parametrize("change", ["UPDATE {} SET credits = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_refuses_to_be_changed(self, db: None, table: str, change: str) -> None:
        member = make_silver()
        before = state_of(member.pk)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change.format(table))
        assert state_of(member.pk) == before


class TestReplay:
    def test_refuses_to_count_a_fact_that_the_database_has(self, member: Member) -> None:
        tell(purchase(member.pk, "a", 300, MARCH))
        before = state_of(member.pk)
        replays = load_replays([member.pk], earliest_at=MARCH)
        replays[member.pk].count(purchase(member.pk, "a", 300, MARCH))
        with pytest.raises(IntegrityError), transaction.atomic():
            save_replays(replays, by=SYSTEM, at=MARCH, quiet=True)
        assert state_of(member.pk) == before

    def test_counts_a_fact_once_and_goes_on_after_saving(self, member: Member) -> None:
        replays = load_replays([member.pk], earliest_at=MARCH)
        one = replays[member.pk]
        assert one.count(purchase(member.pk, "a", 300, MARCH)).is_new
        assert not one.count(purchase(member.pk, "a", 300, MARCH)).is_new
        assert save_replays(replays, by=SYSTEM, at=MARCH, quiet=True) == []
        assert one.count(purchase(member.pk, "b", 200, MARCH)).changed_to == "silver"
        [news] = save_replays(replays, by=SYSTEM, at=MARCH, quiet=True)
        assert (news.kind, news.payload["quiet"]) == ("loyalty.tier_raised.v1", True)
        assert state_of(member.pk).standing == ("silver", MARCH, DUE, None)

    def test_refuses_the_future_and_writes_nothing(self, member: Member) -> None:
        replays = load_replays([member.pk], earliest_at=MARCH)
        replays[member.pk].count(purchase(member.pk, "a", 300, MARCH + timedelta(days=3)))
        with pytest.raises(FactFromFuture):
            save_replays(replays, by=SYSTEM, at=MARCH, quiet=True)
        assert state_of(member.pk).entries == []

    def test_reads_a_fixed_number_of_statements(self, db: None) -> None:
        members = [make_silver() for _ in range(6)]
        costs = []
        for some in (members[:1], members):
            with CaptureQueriesContext(connection) as captured:
                load_replays([member.pk for member in some], earliest_at=DUE)
            costs.append(len(captured))
        assert costs == [4, 4]

    def test_adds_one_total_for_a_fact_behind_many(self, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        replay = load_replays([member.pk], earliest_at=MARCH)[member.pk]
        for n in range(500):
            replay.count(purchase(member.pk, str(n), 1, MARCH + timedelta(hours=n)))
        added: list[int] = []
        total_from = FactsInMemory._total_from

        def counting(credits: FactsInMemory, place: int) -> None:
            added.append(len(credits.facts) - place)
            total_from(credits, place)

        monkeypatch.setattr(FactsInMemory, "_total_from", counting)
        replay.count(purchase(member.pk, "next", 1, MARCH + timedelta(hours=500)))
        assert added == [1]


class TestBesideEachOther:
    def test_reviews_decide_each_tier_once(self, committed_db: str) -> None:
        members = [make_silver() for _ in range(30)]
        _run_beside(4, lambda: review(DUE))
        assert TierChange.objects.filter(reason="fallen").count() == 30
        assert {len(path_of(member.pk)) for member in members} == {2}
        assert TimelineEntry.objects.filter(kind="loyalty.tier_lowered.v1").count() == 30

    def test_a_review_and_purchases_after_it_leave_one_history(self, committed_db: str) -> None:
        members = [make_silver() for _ in range(10)]
        numbers = iter(range(10_000))

        def buy() -> None:
            for member in members:
                with transaction.atomic():
                    # The caller's lock on the member, which rewards takes on the account.
                    Member.objects.select_for_update(no_key=True).get(pk=member.pk)
                    tell(purchase(member.pk, f"beside-{next(numbers)}", 300, local("2026-04-02")))

        _run_beside(4, buy, lambda: review(local("2026-04-02")))
        for member in members:
            [_first, fallen, risen] = path_of(member.pk)
            assert fallen == "fallen silver>member 2026-04-01 0/400"
            assert risen == "risen member>silver 2026-04-02 600/500 until 2027-05-01"


def _run_beside(threads: int, *works: Callable[[], object]) -> None:
    """Run each work in so many threads at the same time; raise what one of them raised."""
    start = threading.Barrier(threads * len(works))

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads * len(works)) as pool:
        running = [pool.submit(run, work) for work in works for _ in range(threads)]
    for future in running:
        future.result()
