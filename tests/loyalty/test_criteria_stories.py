"""Stories of members on ladders of other terms than the starter ladder's, told to the service and to the replay.

What is not named stays as it is on the starter ladder: silver 500 tier credits to rise and 400 to keep, gold 1,500 and
1,200, diamond 5,000 and 4,000. Each story says by hand which figures decide, and on which day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from loyalty.models import LadderVersion, TierChange, TierRule
from loyalty.queries import forget_ladder_book
from loyalty.replay import load_replays, save_replays
from loyalty.services.standing import CountedFact
from members.actors import SYSTEM
from members.models import Member
from tests.loyalty.stories import SHANGHAI, activity, goods_back, local, purchase, review, tell

Told = tuple[str, ...]
Teller = Callable[[Member, list[Told]], None]
NO_CREDITS = {"rise_credits": None, "keep_credits": None}


@dataclass(frozen=True)
class Story:
    """The terms of the ladder, what silver asks for, what is told, and the changes it leads to."""

    name: str
    steps: list[Told]
    path: list[str]
    terms: Mapping[str, object] = field(default_factory=dict)
    silver: Mapping[str, object] = field(default_factory=dict)
    joined: str = "2024-01-01"


YEAR = {"window": "year"}
QUARTER = {"window": "quarter"}
JOINED = {"window": "joined"}
TIER = {"window": "tier"}
GRACE = {"grace_percent": 20, "grace_days": 30}
WAITING = {"rises": "waiting"}

PERIODS = [
    Story(
        "a calendar year: the tier is valid to the end of the next one, which alone is reviewed",
        [("buy", "2025-03-15", "a", "600"), ("review", "2027-01-01 00:00")],
        ["risen member>silver 2025-03-15 600/500 until 2027-01-01", "fallen silver>member 2027-01-01 0/400"],
        YEAR,
    ),
    Story(
        "a calendar year: December does not help January",
        [("buy", "2025-12-31", "a", "300"), ("buy", "2026-01-01", "b", "300")],
        [],
        YEAR,
    ),
    Story(
        "a calendar year: begins at local midnight",
        [("buy", "2025-12-31 23:59", "a", "499"), ("buy", "2026-01-01 00:00", "b", "500")],
        ["risen member>silver 2026-01-01 500/500 until 2028-01-01"],
        YEAR,
    ),
    Story(
        "a calendar year: kept by what was bought in the year that closes",
        [("buy", "2025-03-15", "a", "600"), ("buy", "2026-11-01", "b", "400"), ("review", "2027-01-01 00:00")],
        [
            "risen member>silver 2025-03-15 600/500 until 2027-01-01",
            "kept silver>silver 2027-01-01 400/400 until 2028-01-01",
        ],
        YEAR,
    ),
    Story(
        "a quarter: reviewed at the end of the next one",
        [("buy", "2025-02-10", "a", "500"), ("review", "2025-07-01 00:00")],
        ["risen member>silver 2025-02-10 500/500 until 2025-07-01", "fallen silver>member 2025-07-01 0/400"],
        QUARTER,
    ),
    Story(
        "a quarter: lands softly, a step a quarter",
        [("buy", "2025-02-10", "a", "1500"), ("review", "2025-12-01")],
        [
            "risen member>gold 2025-02-10 1500/1500 until 2025-07-01",
            "fallen gold>silver 2025-07-01 0/1200 until 2025-10-01",
            "fallen silver>member 2025-10-01 0/400",
        ],
        QUARTER,
    ),
    Story(
        "the year of the member: two sides of the anniversary do not add up",
        [("buy", "2025-05-19", "a", "300"), ("buy", "2025-05-20", "b", "300")],
        [],
        JOINED,
        joined="2024-05-20",
    ),
    Story(
        "the year of the member: valid to the end of the next year of membership",
        [("buy", "2025-05-20", "a", "300"), ("buy", "2026-05-19 23:00", "b", "200")],
        ["risen member>silver 2026-05-19 500/500 until 2027-05-20"],
        JOINED,
        joined="2024-05-20",
    ),
    Story(
        "the year of the member: who joined on 29 February has the anniversary on the 28th",
        [("buy", "2025-02-27", "a", "300"), ("buy", "2025-02-28", "b", "300"), ("buy", "2026-02-27", "c", "200")],
        ["risen member>silver 2026-02-27 500/500 until 2027-02-28"],
        JOINED,
        joined="2024-02-29",
    ),
    Story(
        "the year of the tier: kept at its anniversary by what came after the rise",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "400"), ("review", "2026-03-15 00:00")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-03-15",
            "kept silver>silver 2026-03-15 400/400 until 2027-03-15",
        ],
        TIER,
    ),
    Story(
        "the year of the tier: what lifted does not count again",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "1000")],
        ["risen member>silver 2025-03-15 500/500 until 2026-03-15"],
        TIER,
    ),
    Story(
        "the year of the tier: the next tier begins a year of its own",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "1500")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-03-15",
            "risen silver>gold 2025-06-01 1500/1500 until 2026-06-01",
        ],
        TIER,
    ),
]
METRICS = [
    Story(
        "orders: three of them, however small",
        [("buy", "2025-03-15", "a", "10"), ("buy", "2025-03-16", "b", "10"), ("buy", "2025-03-17", "c", "10")],
        ["risen member>silver 2025-03-17 orders 3/3 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_orders": 3, "keep_orders": 2},
    ),
    Story(
        "orders: one that came back whole is none",
        [
            ("buy", "2025-03-15", "a", "10"),
            ("buy", "2025-03-16", "b", "10"),
            ("whole", "2025-03-17", "rb", "10", "b", "2025-03-16"),
            ("buy", "2025-03-18", "c", "10"),
            ("buy", "2025-03-19", "d", "10"),
        ],
        ["risen member>silver 2025-03-19 orders 3/3 -1 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_orders": 3, "keep_orders": 2},
    ),
    Story(
        "orders: the rise is undone when the order that made it comes back",
        [
            ("buy", "2025-03-15", "a", "10"),
            ("buy", "2025-03-16", "b", "10"),
            ("buy", "2025-03-17", "c", "10"),
            ("whole", "2025-03-20", "rc", "10", "c", "2025-03-17"),
        ],
        ["risen member>silver 2025-03-17 orders 3/3 until 2026-04-01", "undone silver>member 2025-03-20 orders 2/3 -1"],
        silver={**NO_CREDITS, "rise_orders": 3, "keep_orders": 2},
    ),
    Story(
        "orders: kept by two in the year before the review",
        [
            ("buy", "2025-03-15", "a", "10"),
            ("buy", "2025-03-16", "b", "10"),
            ("buy", "2025-03-17", "c", "10"),
            ("buy", "2025-05-01", "d", "10"),
            ("buy", "2025-06-01", "e", "10"),
            ("review", "2026-04-01 00:00"),
        ],
        [
            "risen member>silver 2025-03-17 orders 3/3 until 2026-04-01",
            "kept silver>silver 2026-04-01 orders 2/2 until 2027-04-01",
        ],
        silver={**NO_CREDITS, "rise_orders": 3, "keep_orders": 2},
    ),
    Story(
        "spend: in money, cents and all",
        [("buy", "2025-03-15", "a", "300"), ("buy", "2025-03-16", "b", "199"), ("buy", "2025-03-17", "c", "1")],
        ["risen member>silver 2025-03-17 spend 500/499.5 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_spend": "499.50", "keep_spend": "300"},
    ),
    Story(
        "spend: what came back does not count",
        [
            ("buy", "2025-03-15", "a", "500"),
            ("back", "2025-03-16", "ra", "200", "a"),
            ("buy", "2025-03-17", "b", "200"),
        ],
        [
            "risen member>silver 2025-03-15 spend 500/500 until 2026-04-01",
            "undone silver>member 2025-03-16 spend 300/500 -200",
            "risen member>silver 2025-03-17 spend 500/500 -200 until 2026-04-01",
        ],
        silver={**NO_CREDITS, "rise_spend": 500, "keep_spend": 300},
    ),
    Story(
        "active days: a day counts once",
        [
            ("buy", "2025-03-15 10:00", "a", "10"),
            ("buy", "2025-03-15 18:00", "b", "10"),
            ("buy", "2025-03-16", "c", "10"),
        ],
        ["risen member>silver 2025-03-16 active_days 2/2 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_active_days": 2, "keep_active_days": 1},
    ),
    Story(
        "active days: midnight is the programme's",
        [("buy", "2025-03-15 23:59", "a", "10"), ("buy", "2025-03-16 00:00", "b", "10")],
        ["risen member>silver 2025-03-16 active_days 2/2 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_active_days": 2, "keep_active_days": 1},
    ),
    Story(
        "active days: the day of an order that came back whole is none",
        [
            ("buy", "2025-03-15", "a", "10"),
            ("whole", "2025-03-16", "ra", "10", "a", "2025-03-15"),
            ("buy", "2025-03-17", "b", "10"),
            ("buy", "2025-03-18", "c", "10"),
        ],
        ["risen member>silver 2025-03-18 active_days 2/2 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_active_days": 2, "keep_active_days": 1},
    ),
    Story(
        "active days: an activity makes a day active, too",
        [("act", "2025-03-15", "x", "1"), ("buy", "2025-03-16", "a", "10")],
        ["risen member>silver 2025-03-16 active_days 2/2 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_active_days": 2, "keep_active_days": 1},
    ),
    Story(
        "activity: points of activities add up",
        [("act", "2025-03-15", "x", "3"), ("act", "2025-03-16", "y", "2")],
        ["risen member>silver 2025-03-16 activity 5/5 until 2026-04-01"],
        silver={**NO_CREDITS, "rise_activity": 5, "keep_activity": 5},
    ),
    Story(
        "tenure: a day before the year is over is too early",
        [("buy", "2024-12-31", "a", "10"), ("buy", "2025-01-01", "b", "10")],
        ["risen member>silver 2025-01-01 tenure_months 12/12 until 2026-02-01"],
        silver={**NO_CREDITS, "rise_tenure_months": 12, "keep_tenure_months": 12},
    ),
    Story(
        "any: one of two is enough",
        [("buy", "2025-03-15", "a", "10"), ("buy", "2025-03-16", "b", "10")],
        ["risen member>silver 2025-03-16 credits 20/500, orders 2/2 (1) until 2026-04-01"],
        silver={"rise_orders": 2, "rise_least": 1},
    ),
    Story(
        "all: one of two is not enough",
        [("buy", "2025-03-15", "a", "600"), ("buy", "2025-03-16", "b", "10")],
        ["risen member>silver 2025-03-16 credits 610/500, orders 2/2 until 2026-04-01"],
        silver={"rise_orders": 2},
    ),
    Story(
        "two of three",
        [("buy", "2025-03-15", "a", "10"), ("buy", "2025-03-16", "b", "10"), ("act", "2025-03-17", "x", "5")],
        ["risen member>silver 2025-03-17 credits 20/500, orders 2/2, activity 5/5 (2) until 2026-04-01"],
        silver={"rise_orders": 2, "rise_activity": 5, "rise_least": 2},
    ),
    Story(
        "score: a weighted mix of money and orders",
        [("buy", "2025-03-15", "a", "100"), ("buy", "2025-03-16", "b", "60"), ("buy", "2025-03-17", "c", "10")],
        ["risen member>silver 2025-03-17 score 320/300 until 2026-04-01"],
        {"weight_spend": 1, "weight_orders": 50},
        {**NO_CREDITS, "rise_score": 300, "keep_score": 200},
    ),
    Story(
        "by hand only: a tier that asks for nothing is passed over",
        [("buy", "2025-03-15", "a", "1499"), ("buy", "2025-03-16", "b", "1")],
        ["risen member>gold 2025-03-16 1500/1500 until 2026-04-01"],
        silver=NO_CREDITS,
    ),
    Story(
        "kept without a condition",
        [("buy", "2025-03-15", "a", "500"), ("review", "2026-04-01 00:00")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "kept silver>silver 2026-04-01 0/0 until 2027-04-01",
        ],
        silver={"keep_credits": None},
    ),
]
MOVEMENT = [
    Story(
        "grace: near the line there is more time, once",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "320"), ("review", "2026-06-01")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "grace silver>silver 2026-04-01 320/400 until 2026-05-01",
            "fallen silver>member 2026-05-01 320/400",
        ],
        GRACE,
    ),
    Story(
        "grace: made good in time, and the next review is not moved by it",
        [
            ("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "330"), ("review", "2026-04-02"),
            ("buy", "2026-04-30", "c", "70"), ("review", "2026-05-02"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "grace silver>silver 2026-04-01 330/400 until 2026-05-01",
            "kept silver>silver 2026-05-01 400/400 until 2027-04-01",
        ],
        GRACE,
    ),
    Story(
        "grace: a credit too far from the line falls at once",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "319"), ("review", "2026-04-01 00:00")],
        ["risen member>silver 2025-03-15 500/500 until 2026-04-01", "fallen silver>member 2026-04-01 319/400"],
        GRACE,
    ),
    Story(
        "grace: says what returns took back",
        [
            ("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "450"), ("back", "2025-06-09", "rb", "100", "b"),
            ("review", "2026-04-01 00:00"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "grace silver>silver 2026-04-01 350/400 -100 until 2026-05-01",
        ],
        GRACE,
    ),
    Story(
        "waiting: risen on the first of the next month",
        [("buy", "2025-03-15", "a", "600"), ("review", "2025-04-01 00:00")],
        ["risen member>silver 2025-04-01 600/500 until 2026-05-01"],
        WAITING,
    ),
    Story(
        "waiting: not risen on the last of the month",
        [("buy", "2025-03-15", "a", "600"), ("review", "2025-03-31 23:59")],
        [],
        WAITING,
    ),
    Story(
        "waiting: what came back before the day does not lift",
        [("buy", "2025-03-15", "a", "600"), ("back", "2025-03-20", "ra", "200", "a"), ("review", "2025-04-02")],
        [],
        WAITING,
    ),
    Story(
        "waiting: at the end of the year to the highest tier that is reached by then",
        [("buy", "2025-03-15", "a", "600"), ("buy", "2025-06-01", "b", "1000"), ("review", "2026-01-01 00:00")],
        ["risen member>gold 2026-01-01 1600/1500 until 2028-01-01"],
        {**WAITING, **YEAR},
    ),
    Story(
        "waiting: a rise comes before the review of the same moment",
        [
            ("buy", "2024-03-15", "a", "600"), ("review", "2025-01-01 00:00"), ("buy", "2026-03-15", "b", "1500"),
            ("review", "2027-01-01 00:00"),
        ],
        [
            "risen member>silver 2025-01-01 600/500 until 2027-01-01",
            "risen silver>gold 2027-01-01 1500/1500 until 2029-01-01",
        ],
        {**WAITING, **YEAR},
    ),
    Story(
        "waiting: who holds no tier yet waits for the end of the year of membership, where the year is the tier's",
        [("buy", "2025-03-15", "a", "600"), ("review", "2026-01-01 00:00")],
        ["risen member>silver 2026-01-01 600/500 until 2027-01-01"],
        {**WAITING, **TIER},
    ),
    Story(
        "waiting: what a late purchase lifts to waits from the review that was decided meanwhile",
        [
            ("buy", "2025-03-15", "a", "600"), ("buy", "2025-06-01", "b", "450"), ("review", "2026-05-01 00:00"),
            ("buy", "2025-06-02", "late", "1100"), ("review", "2026-06-01 00:00"),
        ],
        [
            "risen member>silver 2025-04-01 600/500 until 2026-05-01",
            "kept silver>silver 2026-05-01 450/400 until 2027-05-01",
            "risen silver>gold 2026-06-01 1550/1500 until 2027-07-01",
        ],
        WAITING,
    ),
    Story(
        "carried over: what keeping did not take helps to keep the next year, once",
        [("buy", "2025-03-15", "a", "600"), ("buy", "2026-05-01", "b", "900"), ("review", "2029-01-01 00:00")],
        [
            "risen member>silver 2025-03-15 600/500 until 2027-01-01",
            "kept silver>silver 2027-01-01 900/400 until 2028-01-01",
            "kept silver>silver 2028-01-01 500/400 until 2029-01-01",
            "fallen silver>member 2029-01-01 0/400",
        ],
        {**YEAR, "carries_over": True},
    ),
    Story(
        "carried over: helps to rise, too",
        [
            ("buy", "2025-03-15", "a", "600"), ("buy", "2026-05-01", "b", "900"), ("review", "2027-01-01 00:00"),
            ("buy", "2027-02-01", "c", "1000"),
        ],
        [
            "risen member>silver 2025-03-15 600/500 until 2027-01-01",
            "kept silver>silver 2027-01-01 900/400 until 2028-01-01",
            "risen silver>gold 2027-02-01 1500/1500 until 2029-01-01",
        ],
        {**YEAR, "carries_over": True},
    ),
]  # fmt: skip


def _fact(member: Member, step: Told) -> CountedFact:
    verb, day, ref, number, *rest = step
    if verb == "buy":
        return purchase(member.pk, ref, int(number), local(day))
    if verb == "act":
        return activity(member.pk, ref, int(number), local(day))
    whole_on = local(rest[1]).date() if verb == "whole" else None
    return goods_back(member.pk, ref, int(number), local(day), rest[0], whole_on=whole_on)


def _tell(member: Member, steps: list[Told]) -> None:
    for step in steps:
        if step[0] == "review":
            review(local(step[1]))
        else:
            tell(_fact(member, step))


def _replay(member: Member, steps: list[Told]) -> None:
    """Tell the same to a replay, which decides for one member in memory; reviews are what brings it up to date."""
    replay = load_replays([member.pk], earliest_at=local("2020-01-01"))[member.pk]
    for step in steps:
        if step[0] == "review":
            replay.tier_for_fact(local(step[1]))
            continue
        fact = _fact(member, step)
        replay.tier_for_fact(fact.happened_at)
        replay.count(fact)
    save_replays({member.pk: replay}, by=SYSTEM, at=local("2030-01-01"), quiet=True)


def path_of(member_id: int) -> list[str]:
    """Return a member's changes with all figures that decided, and how many were needed where not all were."""
    lines = []
    changes = TierChange.objects.filter(member_id=member_id).select_related("from_tier", "to_tier").order_by("number")
    for change in changes:
        told = change.figures or [["", str(change.credits), str(change.needed_credits), str(change.returned_credits)]]
        figures = ", ".join(
            f"{metric} {have}/{needed}{f' -{back}' if back != '0' else ''}".strip()
            for metric, have, needed, back in told
        )
        some = f" ({change.must})" if 0 < change.must < len(change.figures) else ""
        until = f" until {change.valid_until.astimezone(SHANGHAI):%Y-%m-%d}" if change.valid_until else ""
        day = f"{change.happened_at.astimezone(SHANGHAI):%Y-%m-%d}"
        lines.append(f"{change.reason} {change.from_tier.code}>{change.to_tier.code} {day} {figures}{some}{until}")
    return lines


@pytest.mark.parametrize("told", [_tell, _replay], ids=["set-based", "single"])
@pytest.mark.parametrize("story", [*PERIODS, *METRICS, *MOVEMENT], ids=lambda story: story.name)
class TestStory:
    def test_leads_to_these_changes(self, member: Member, story: Story, told: Teller) -> None:
        Member.objects.filter(pk=member.pk).update(joined_at=local(story.joined))
        LadderVersion.objects.update(**story.terms)
        TierRule.objects.filter(tier__code="silver").update(**story.silver)
        forget_ladder_book()
        told(member, story.steps)
        assert path_of(member.pk) == story.path
