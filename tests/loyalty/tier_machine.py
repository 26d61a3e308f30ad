"""A machine that makes random histories of members on a ladder: purchases, returns, time, locks, graces, runs, new versions.

Each member lives three times (`Trio`): reviewed together with others, alone, and replayed in memory. After each step all
of them stand alike, the tier that counts is the higher one of what is earned and the floors, and each change has a reason
that can be told.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.course import CountedFact
from loyalty.models import LadderVersion, ReviewRun, ReviewRunMember, Tier, TierChange, TierFloor, TierStanding
from loyalty.periods import midnight
from loyalty.queries import forget_ladder_book, held_tier_ids, standing_of
from loyalty.review_queries import matrix
from loyalty.services.floors import end_floor, refresh_floors
from loyalty.services.grace import AFTER_FALL, NoTierForGrace, give_grace
from loyalty.services.publishing import withdraw_version
from loyalty.services.review_runs import (
    NothingToReview,
    close_run,
    continue_run,
    plan_run,
    start_forecast,
    start_run,
    undo_run,
)
from loyalty.services.review_undo import UNDO_WITHIN
from loyalty.services.tier_by_hand import end_tier_by_hand
from members.actors import SYSTEM, Actor
from members.models import Job
from members.services.jobs import run_job
from tests.factories.portal import an_operator
from tests.factories.work import Clock
from tests.loyalty.stories import SHANGHAI, activity, goods_back, local, purchase
from tests.loyalty.test_same_decisions import BEGIN, Terms, _publish, terms
from tests.loyalty.tier_floors import by_campaign, by_hand
from tests.loyalty.tier_reasons import assert_history, assert_reason
from tests.loyalty.tier_trios import Floor, Sale, Trio, make_trios, review_sets, seen_of
from tests.loyalty.tier_versions import publish

NOBODY = 0
JOINED = [local("2024-01-01"), local("2024-02-29"), local("2022-11-30")]
AHEAD = timedelta(days=395)
LEFT_TO_A_RUN = timedelta(days=7)  # so long after its day a run keeps the daily reviews off it
MOST_VERSIONS, MOST_GRACES, MOST_FLOORS = 4, 2, 3  # of the ladder; of each member

places = st.integers(0, 20)
credits_ = st.one_of(st.sampled_from([0, 100, 400, 499, 500, 1200, 1500, 5000]), st.integers(1, 3000))
late = st.sampled_from([0, 0, 0, 0, 1, 20, 200, 400])
gaps = st.sampled_from([0, 0, 1, 9, 31, 100, 200])
waits = st.sampled_from([0, 1, 31, 92, 190, 365, 430])
limits = st.sampled_from([0, 1, 1, 2, 3])  # of a chunk of reviews; 0: nothing is reviewed
beyond = st.sampled_from(
    [timedelta(0), timedelta(0), timedelta(microseconds=-1), timedelta(hours=3), timedelta(days=6)]
)
#: Tiers that can be reached: at most one threshold beside tier credits where all have to be reached.
ladders = terms.map(lambda drawn: drawn if drawn.least == 1 else replace(drawn, asks=drawn.asks[:1]))


def day(moment: datetime) -> datetime:
    """Return when the day of a moment begins."""
    return midnight(moment.astimezone(SHANGHAI).date(), SHANGHAI)


class TierMachine(RuleBasedStateMachine):
    """One history. `planned` is the open run of reviews (0: none), `is_as_seen` whether nothing came since its dry run."""

    first_window = ""  # of the first version of the ladder, where it is not drawn

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.now = BEGIN + timedelta(hours=2)
        self.number = self.facts = self.seen_change = 0
        self.trios: list[Trio] = []
        self.standings: dict[int, TierStanding] = {}
        self.fell: dict[int, datetime] = {}
        self.touched: set[int] = set()
        self.planned = 0
        self.is_as_seen = False
        self.undoable: tuple[int, datetime] | None = None
        self.versions: dict[int, datetime] = {}

    def teardown(self) -> None:
        try:
            for trio in self.trios:
                trio.replay(self.now)
                assert_history(trio.in_set)
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
            forget_ladder_book()

    @initialize(ladder=ladders, people=st.lists(st.tuples(st.sampled_from(JOINED), credits_), min_size=1, max_size=3))
    def begins(self, ladder: Terms, people: list[tuple[datetime, int]]) -> None:
        _publish(replace(ladder, window=self.first_window or ladder.window))
        self.versions = {one.pk: one.valid_from for one in LadderVersion.objects.all() if one.valid_from}
        self.maker, self.checker = (Actor("operator", an_operator("service supervisor").pk) for _ in range(2))
        self.trios = make_trios([joined_at for joined_at, _credits in people])
        for place, (_joined_at, credits) in enumerate(people):
            self.buys(place, [(credits, 0)], 0, 0)

    # What members do.

    @rule(who=places, bought=st.lists(st.tuples(credits_, gaps), min_size=1, max_size=4), days=late, limit=limits)
    def buys(self, who: int, bought: list[tuple[int, int]], days: int, limit: int) -> None:
        """Some purchases with days between, on which reviews may be run; told late by so many days."""
        trio = self.chosen(self.trios, who)
        for credits, gap in bought:
            if gap:
                self.now += timedelta(days=gap)
                self.look()
                self.review(limit)
            fact = purchase(NOBODY, self.name("p"), credits, self.now - timedelta(days=days))
            trio.sales.append(Sale(fact, credits))
            self.tell(trio, fact)

    @precondition(lambda self: self.sellers())
    @rule(who=places, place=st.integers(-3, 3), percent=st.sampled_from([20, 50, 100, 100]), days=late)
    def brings_back(self, who: int, place: int, percent: int, days: int) -> None:
        trio = self.chosen(self.sellers(), who)
        sale = self.chosen([sale for sale in trio.sales if sale.left], place)
        taken = max(1, sale.left * percent // 100)
        sale.left -= taken
        whole_on = None if sale.left else sale.fact.happened_at.astimezone(SHANGHAI).date()
        moment = self.now - timedelta(days=days)
        self.tell(trio, goods_back(NOBODY, self.name("r"), taken, moment, sale.fact.source_ref, whole_on=whole_on))

    @rule(who=places, points=st.integers(0, 6), days=late)
    def acts(self, who: int, points: int, days: int) -> None:
        trio = self.chosen(self.trios, who)
        self.tell(trio, activity(NOBODY, self.name("a"), points, self.now - timedelta(days=days)))

    @precondition(lambda self: any(trio.told for trio in self.trios))
    @rule(who=places, place=places, imported=st.booleans())
    def is_told_again(self, who: int, place: int, imported: bool) -> None:
        trio = self.chosen([trio for trio in self.trios if trio.told], who)
        trio.tell_again(self.chosen(trio.told, place), self.now)
        if imported:
            trio.replay(self.now)
        self.disturb(self.trios.index(trio))

    # Time, and what it brings.

    @rule(days=waits, hours=st.integers(0, 23), limit=limits, followed=st.booleans())
    def time_passes(self, days: int, hours: int, limit: int, followed: bool) -> None:
        self.now += timedelta(days=days, hours=hours)
        self.review(limit)
        if followed:
            refresh_floors(at=self.now)

    @precondition(lambda self: self.moments_ahead())
    @rule(place=places, beyond=beyond, chunks=st.lists(limits, min_size=2, max_size=5))
    def decisions_come(self, place: int, beyond: timedelta, chunks: list[int]) -> None:
        """It is the day of a decision, and then of the next one, and so on."""
        for limit in chunks:
            moments = self.moments_ahead()
            if moments:
                self.now = max(self.now, self.chosen(moments, place) + beyond)
                self.review(limit)
                self.look()

    def review(self, limit: int) -> None:
        """Do what the beat does every day, in chunks of `limit`; doing it again decides nothing."""
        if not limit:
            return
        due = [place for place, moment in self.dues().items() if moment <= self.now and not self.is_left(moment)]
        review_sets(self.trios, self.now, limit=limit)
        assert review_sets(self.trios, self.now, limit=limit) == 0
        for place in due:
            self.trios[place].review_alone(self.now, self.now)
        self.disturb(*due)

    # Runs of reviews.

    @precondition(lambda self: not self.planned and self.moments_ahead())
    @rule(place=places, runs=st.booleans(), is_apart=st.booleans())
    def a_run_is_planned(self, place: int, runs: bool, is_apart: bool) -> None:
        """It is planned for a day on which something is decided, and looked at; maybe nothing comes before it runs."""
        moment = self.chosen(self.moments_ahead(), place)
        self.replay_all()
        run = plan_run(day=moment.astimezone(SHANGHAI).date(), by=SYSTEM, at=self.now)
        self.work(start_forecast(run_id=run.pk, by=SYSTEM, at=self.now).forecast_job)
        self.planned, self.is_as_seen = run.pk, True
        if runs:
            self.the_run_runs(0, is_apart, False)

    @precondition(lambda self: self.planned)
    @rule(days=st.sampled_from([0, 0, 2, 9]), is_apart=st.booleans(), pauses=st.booleans())
    def the_run_runs(self, days: int, is_apart: bool, pauses: bool) -> None:
        """It decides about all three, or (apart) about those of the sets while the others are decided about alone."""
        run = ReviewRun.objects.get(pk=self.planned)
        self.now = max(self.now, run.from_at + timedelta(hours=9)) + timedelta(days=days)
        until = min(self.now, run.until_at)
        due = [place for place, moment in self.dues().items() if moment <= until]
        for place in due if is_apart else []:
            self.trios[place].review_alone(until, self.now)
        self.replay_all(compared=not is_apart)
        expected = matrix(run.forecast) if self.is_as_seen else None
        self.planned = 0
        self.disturb(*due)
        try:
            run = start_run(run_id=run.pk, pauses=pauses, by=SYSTEM, at=self.now)
        except NothingToReview:
            assert not due
            assert not expected
            close_run(run_id=run.pk, at=self.now)
            return
        while self.work(run.job) != "done":
            continue_run(run_id=run.pk, pauses=pauses, by=SYSTEM, at=self.now)
        run.refresh_from_db()
        if expected is not None:
            times = 3 if is_apart else 1
            assert {key: number * times for key, number in matrix(run.counts).items()} == expected
        self.replay_all()
        if not is_apart and ReviewRunMember.objects.filter(run=run).exists():
            self.undoable = run.pk, self.now

    @precondition(lambda self: self.undoable and self.now < self.undoable[1] + UNDO_WITHIN)
    @rule()
    def the_run_is_undone(self) -> None:
        assert self.undoable
        self.replay_all()
        undo_run(run_id=self.undoable[0], by=SYSTEM, at=self.now)
        run = ReviewRun.objects.get(pk=self.undoable[0])
        assert self.work(Job.objects.get(undoes=run.job)) == "done"
        self.undoable = None
        self.disturb(*range(len(self.trios)))

    # What staff and campaigns do.

    @precondition(lambda self: self.spoilt())
    @rule(place=places, days=st.sampled_from([1, 30, 90]))
    def is_given_grace(self, place: int, days: int) -> None:
        place = self.chosen(self.spoilt(), place)
        trio = self.trios[place]
        trio.graces += 1
        trio.replay(self.now)
        given: set[datetime | None] = set()
        for member_id in trio.member_ids:
            try:
                given.add(give_grace(member_id=member_id, days=days, by=self.maker, at=self.now).until_at)
            except NoTierForGrace:
                given.add(None)
        assert len(given) == 1
        self.disturb(place)

    @precondition(lambda self: self.without_floors())
    @rule(who=places, tier=places, wait=st.sampled_from([None, None, 0, 40]), days=st.sampled_from([None, 1, 45, 400]))
    def a_tier_is_given(self, who: int, tier: int, wait: int | None, days: int | None) -> None:
        """It is set by hand, or given by a campaign that begins at once or later."""
        trio = self.chosen(self.without_floors(), who)
        tier_id = self.chosen(list(Tier.objects.filter(rank__gt=0).order_by("rank").values_list("pk", flat=True)), tier)
        until = day(self.now + timedelta(days=days + (wait or 0))) if days else None
        trio.replay(self.now)
        if wait is None:
            by_hand(trio, tier_id, until, maker=self.maker, checker=self.checker, at=self.now)
        else:
            begin = self.now + timedelta(days=wait)
            by_campaign(trio, tier_id, begin, until, name=self.name("c"), at=self.now)

    @precondition(lambda self: self.floors_to_end())
    @rule(place=places)
    def a_floor_is_ended(self, place: int) -> None:
        trio, floor = self.chosen(self.floors_to_end(), place)
        trio.replay(self.now)
        for row in TierFloor.objects.filter(pk__in=floor.row_ids):
            told: dict[str, Any] = {"reason": "given by mistake", "by": self.maker, "at": self.now}
            if row.source == TierFloor.Source.STAFF:
                end_tier_by_hand(floor_id=row.pk, **told)
            else:
                end_floor(source=row.source, source_ref=row.source_ref, ended_at=self.now, **told)
        floor.ended_at = self.now

    @precondition(lambda self: len(self.versions) < MOST_VERSIONS)
    @rule(ladder=ladders, days=st.sampled_from([1, 20, 120]), percent=st.sampled_from([50, 100, 200]), change=st.sampled_from(["", "dropped", "inserted"]))  # fmt: skip
    def a_version_is_published(self, ladder: Terms, days: int, percent: int, change: str) -> None:
        """It begins on a day to come; the version before it ends then."""
        begin = day(self.now + timedelta(days=days))
        if begin in self.versions.values():
            return
        inserted = self.name("jade") if change == "inserted" else ""
        dropped = "gold" if change == "dropped" else ""
        version = publish(ladder, percent, begin, self.now, dropped=dropped, inserted=inserted)
        self.versions[version.pk] = begin
        self.is_as_seen = False

    @precondition(lambda self: max(self.versions.values()) > self.now)
    @rule()
    def a_version_is_withdrawn(self) -> None:
        version_id = max(self.versions, key=lambda one: self.versions[one])
        withdraw_version(version_id=version_id, reason="too early", by=SYSTEM, at=self.now)
        del self.versions[version_id]
        self.is_as_seen = False

    # What is so after each step.

    @invariant()
    def is_in_order(self) -> None:
        places = self.look()
        new = TierChange.objects.filter(pk__gt=self.seen_change, member_id__in=places).order_by("pk")
        for change in new.select_related("from_tier", "to_tier"):
            self.seen_change = change.pk
            assert_reason(change)
            if change.reason == "fallen":
                self.fell[places[change.member_id]] = change.happened_at
        for trio in (self.trios[place] for place in self.touched):
            assert seen_of(trio.in_set) == seen_of(trio.alone)
        self.touched.clear()
        self.assert_tiers()

    def look(self) -> dict[int, int]:
        """Look at the standings; return the places of the trios by member."""
        places = {trio.in_set: place for place, trio in enumerate(self.trios)}
        self.standings = {places[row.member_id]: row for row in TierStanding.objects.filter(member_id__in=places)}
        return places

    def assert_tiers(self) -> None:
        """Everybody holds what is earned, which the newest change gave, or a floor where that is higher."""
        ranks = dict(Tier.objects.values_list("pk", "rank"))
        lowest = min(ranks, key=lambda tier_id: ranks[tier_id])
        held = held_tier_ids([trio.in_set for trio in self.trios], self.now)
        for place, trio in enumerate(self.trios):
            standing, floor = self.standings.get(place), trio.floor_at(self.now, ranks)
            earned = standing.tier_id if standing else lowest
            expected = floor.tier_id if floor and ranks[floor.tier_id] > ranks[earned] else earned
            assert held.get(trio.in_set, lowest) == expected
            now = standing_of(trio.in_set, self.now)
            assert (now.tier.tier_id, now.earned.tier_id) == (expected, earned)
            if earned != lowest:
                assert TierChange.objects.filter(member_id=trio.in_set).latest("number").to_tier_id == earned

    # Hands.

    def tell(self, trio: Trio, fact: CountedFact) -> None:
        self.facts += 1
        trio.tell(fact, self.now)
        self.disturb(self.trios.index(trio))

    def disturb(self, *touched: int) -> None:
        """Take note about whom something may have been decided."""
        self.touched.update(touched)
        self.is_as_seen = self.is_as_seen and not touched

    def replay_all(self, *, compared: bool = True) -> None:
        for trio in self.trios:
            trio.replay(self.now, compared=compared)

    def work(self, job: Job | None) -> str:
        assert job is not None
        ended = run_job(job_id=job.pk, worker="test", clock=Clock(self.now))
        assert ended in ("done", "cancelled")
        return ended

    def dues(self) -> dict[int, datetime]:
        """Return when something is due about whom, by the place of the trio."""
        moments = {
            place: [moment for moment in (row.valid_until, row.rise_at) if moment]
            for place, row in self.standings.items()
        }
        return {place: min(due) for place, due in moments.items() if due}

    def moments_ahead(self) -> list[datetime]:
        return [moment for moment in self.dues().values() if self.now < moment < self.now + AHEAD]

    def is_left(self, moment: datetime) -> bool:
        """Whether the daily review leaves a decision to the run that is planned."""
        run = ReviewRun.objects.filter(pk=self.planned).first()
        return run is not None and run.from_at <= moment < run.before_at and self.now - LEFT_TO_A_RUN < run.before_at

    def spoilt(self) -> list[int]:
        """Return those who may be given grace, and were not often: they hold a tier that ends, or fell lately."""
        fell = {place for place, fell_at in self.fell.items() if self.now - fell_at <= AFTER_FALL}
        places = fell | {place for place, row in self.standings.items() if row.valid_until}
        return sorted(place for place in places if self.trios[place].graces < MOST_GRACES)

    def sellers(self) -> list[Trio]:
        return [trio for trio in self.trios if any(sale.left for sale in trio.sales)]

    def without_floors(self) -> list[Trio]:
        return [trio for trio in self.trios if len(trio.floors) < MOST_FLOORS]

    def floors_to_end(self) -> list[tuple[Trio, Floor]]:
        return [(trio, floor) for trio in self.trios for floor in trio.floors if floor.can_end(self.now)]

    def name(self, letter: str) -> str:
        self.number += 1
        return f"{letter}{self.number}"

    def chosen[One](self, there_are: Sequence[One], place: int) -> One:
        return there_are[place % len(there_are)]
