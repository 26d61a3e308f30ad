"""Stories of members on the starter ladder, told to the service and to the replay, with every figure worked out by hand.

Silver takes 500 tier credits to rise and 400 to keep, gold 1,500 and 1,200, diamond 5,000 and 4,000; twelve months
count, a tier is valid for twelve months to the end of the month, and a review lets fall by one step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from loyalty.models import LadderVersion
from loyalty.queries import forget_ladder_book
from loyalty.replay import load_replays, save_replays
from members.actors import SYSTEM
from members.models import Member
from tests.loyalty.stories import goods_back, local, path_of, purchase, review, tell

Step = tuple[str, ...]
Teller = Callable[[Member, list[Step]], None]


@dataclass(frozen=True)
class Story:
    """What is told (bought, returned, reviewed), and the changes it leads to."""

    name: str
    steps: list[Step]
    path: list[str]
    soft_landing: bool = True


STORIES = [
    Story("too little to rise", [("buy", "2025-03-15", "a", "499")], []),
    Story(
        "rises at once at the threshold",
        [("buy", "2025-03-15", "a", "200"), ("buy", "2025-04-10", "b", "300")],
        ["risen member>silver 2025-04-10 500/500 until 2026-05-01"],
    ),
    Story(
        "skips a tier when the credits carry it",
        [("buy", "2025-03-15", "a", "6000")],
        ["risen member>diamond 2025-03-15 6000/5000 until 2026-04-01"],
    ),
    Story(
        "what is older than the qualifying period does not count",
        [("buy", "2025-03-14", "a", "300"), ("buy", "2026-03-15", "b", "300")],
        [],
    ),
    Story(
        "the first day of the qualifying period counts",
        [("buy", "2025-03-15 00:00", "a", "300"), ("buy", "2026-03-15 23:59", "b", "300")],
        ["risen member>silver 2026-03-15 600/500 until 2027-04-01"],
    ),
    Story(
        "keeps the tier at the review and has it a whole year more",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "400"), ("review", "2026-04-01 00:00")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "kept silver>silver 2026-04-01 400/400 until 2027-04-01",
        ],
    ),
    Story(
        "one credit short falls back to the beginning",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2025-06-01", "b", "399"), ("review", "2026-04-01 00:00")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "fallen silver>member 2026-04-01 399/400",
        ],
    ),
    Story(
        "a review a moment too early finds nothing due",
        [("buy", "2025-03-15", "a", "500"), ("review", "2026-03-31 23:59")],
        ["risen member>silver 2025-03-15 500/500 until 2026-04-01"],
    ),
    Story(
        "lands softly, one step for each review",
        [("buy", "2025-03-15", "a", "5000"), ("review", "2026-04-02"), ("review", "2027-04-02")],
        [
            "risen member>diamond 2025-03-15 5000/5000 until 2026-04-01",
            "fallen diamond>gold 2026-04-01 0/4000 until 2027-04-01",
            "fallen gold>silver 2027-04-01 0/1200 until 2028-04-01",
        ],
    ),
    Story(
        "falls as far as the credits let it without soft landing",
        [("buy", "2025-03-15", "a", "5000"), ("buy", "2025-05-01", "b", "450"), ("review", "2026-04-02")],
        [
            "risen member>diamond 2025-03-15 5000/5000 until 2026-04-01",
            "fallen diamond>silver 2026-04-01 450/4000 until 2027-04-01",
        ],
        soft_landing=False,
    ),
    Story(
        "falls to the beginning without soft landing when nothing was bought",
        [("buy", "2025-03-15", "a", "5000"), ("review", "2026-04-02")],
        ["risen member>diamond 2025-03-15 5000/5000 until 2026-04-01", "fallen diamond>member 2026-04-01 0/4000"],
        soft_landing=False,
    ),
    Story(
        "a late run does several periods one after another, each dated when it was due",
        [("buy", "2022-03-15", "a", "5000"), ("buy", "2023-07-01", "b", "1300"), ("review", "2026-11-22")],
        [
            "risen member>diamond 2022-03-15 5000/5000 until 2023-04-01",
            "fallen diamond>gold 2023-04-01 0/4000 until 2024-04-01",
            "kept gold>gold 2024-04-01 1300/1200 until 2025-04-01",
            "fallen gold>silver 2025-04-01 0/1200 until 2026-04-01",
            "fallen silver>member 2026-04-01 0/400",
        ],
    ),
    Story(
        "a purchase after the due moment comes after the review that nobody ran",
        [("buy", "2025-03-15", "a", "1500"), ("buy", "2026-04-05", "b", "1200"), ("review", "2026-04-10")],
        [
            "risen member>gold 2025-03-15 1500/1500 until 2026-04-01",
            "fallen gold>silver 2026-04-01 0/1200 until 2027-04-01",
        ],
    ),
    Story(
        "falls and rises again on the same day",
        [("buy", "2025-03-15", "a", "500"), ("buy", "2026-04-01 09:00", "b", "500")],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "fallen silver>member 2026-04-01 0/400",
            "risen member>silver 2026-04-01 500/500 until 2027-05-01",
        ],
    ),
    Story(
        "a full return undoes the rise it caused",
        [("buy", "2025-03-15", "a", "500"), ("back", "2025-03-20", "ra", "500", "a")],
        ["risen member>silver 2025-03-15 500/500 until 2026-04-01", "undone silver>member 2025-03-20 0/500"],
    ),
    Story(
        "two partial returns undo the rise once the credits no longer reach",
        [
            ("buy", "2025-03-15", "a", "700"),
            ("back", "2025-03-20", "r1", "200", "a"),
            ("back", "2025-03-25", "r2", "1", "a"),
        ],
        ["risen member>silver 2025-03-15 700/500 until 2026-04-01", "undone silver>member 2025-03-25 499/500"],
    ),
    Story(
        "undoing goes back to the tier held before, with its old validity",
        [
            ("buy", "2025-01-10", "a", "600"),
            ("buy", "2025-03-15", "b", "1000"),
            ("back", "2025-04-20", "rb", "1000", "b"),
            ("review", "2026-02-01 00:00"),
        ],
        [
            "risen member>silver 2025-01-10 600/500 until 2026-02-01",
            "risen silver>gold 2025-03-15 1600/1500 until 2026-04-01",
            "undone gold>silver 2025-04-20 600/1500 until 2026-02-01",
            "fallen silver>member 2026-02-01 0/400",
        ],
    ),
    Story(
        "undoing a rise over two tiers rests on the tier between if the credits carry it",
        [
            ("buy", "2025-03-15", "a", "2000"),
            ("back", "2025-03-20", "ra", "1400", "a"),
        ],
        [
            "risen member>gold 2025-03-15 2000/1500 until 2026-04-01",
            "undone gold>member 2025-03-20 600/1500",
            "risen member>silver 2025-03-20 600/500 until 2026-04-01",
        ],
    ),
    Story(
        "other purchases since then carry the tier on",
        [
            ("buy", "2025-03-15", "a", "500"),
            ("buy", "2025-03-18", "b", "500"),
            ("back", "2025-03-20", "ra", "500", "a"),
        ],
        ["risen member>silver 2025-03-15 500/500 until 2026-04-01"],
    ),
    Story(
        "the return of another purchase leaves an earned tier until the review",
        [
            ("buy", "2025-03-10", "a", "300"),
            ("buy", "2025-03-15", "b", "200"),
            ("back", "2025-03-20", "ra", "300", "a"),
            ("review", "2026-04-01 00:00"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "fallen silver>member 2026-04-01 0/400",
        ],
    ),
    Story(
        "a return after the review takes back no tier, only credits",
        [
            ("buy", "2025-03-15", "a", "500"),
            ("buy", "2025-09-01", "b", "450"),
            ("back", "2026-04-20", "ra", "500", "a"),
            ("review", "2027-04-01 00:00"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "kept silver>silver 2026-04-01 450/400 until 2027-04-01",
            "fallen silver>member 2027-04-01 -500/400",
        ],
    ),
    Story(
        "a late fact within the period lifts at the moment of the latest fact",
        [("buy", "2025-06-01", "a", "300"), ("buy", "2025-05-01", "late", "250")],
        ["risen member>silver 2025-06-01 550/500 until 2026-07-01"],
    ),
    Story(
        "a late fact from before the period does not lift",
        [("buy", "2026-06-01", "a", "300"), ("buy", "2025-05-31", "late", "250")],
        [],
    ),
    Story(
        "a late fact after a review comes after it in the history",
        [
            ("buy", "2025-03-15", "a", "500"),
            ("buy", "2026-03-01", "b", "400"),
            ("review", "2026-04-01 00:00"),
            ("buy", "2026-03-20", "late", "1100"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "kept silver>silver 2026-04-01 400/400 until 2027-04-01",
            "risen silver>gold 2026-04-01 1500/1500 until 2027-05-01",
        ],
    ),
    Story(
        "an undone rise gives back a tier whose review has passed, which is then held at once without what came back",
        [
            ("buy", "2025-03-15", "a", "500"),
            ("buy", "2026-03-20", "b", "1500"),
            ("back", "2026-04-10", "rb", "1500", "b"),
        ],
        [
            "risen member>silver 2025-03-15 500/500 until 2026-04-01",
            "risen silver>gold 2026-03-20 1500/1500 until 2027-04-01",
            "undone gold>silver 2026-04-10 0/1500 until 2026-04-01",
            "fallen silver>member 2026-04-10 0/400",
        ],
    ),
]


def _tell(member: Member, steps: list[Step]) -> None:
    for verb, day, *rest in steps:
        if verb == "review":
            review(local(day))
        elif verb == "buy":
            tell(purchase(member.pk, rest[0], int(rest[1]), local(day)))
        else:
            tell(goods_back(member.pk, rest[0], int(rest[1]), local(day), rest[2]))


def _replay(member: Member, steps: list[Step]) -> None:
    """Tell the same to a replay, which is saved at every review and at the end."""
    replays = load_replays([member.pk], earliest_at=local("2020-01-01"))
    for verb, day, *rest in steps:
        one = replays[member.pk]
        if verb == "review":
            save_replays(replays, by=SYSTEM, at=local("2030-01-01"), quiet=True)
            review(local(day))
            replays = load_replays([member.pk], earliest_at=local("2020-01-01"))
            continue
        one.tier_for_fact(local(day))
        if verb == "buy":
            one.count(purchase(member.pk, rest[0], int(rest[1]), local(day)))
        else:
            one.count(goods_back(member.pk, rest[0], int(rest[1]), local(day), rest[2]))
    save_replays(replays, by=SYSTEM, at=local("2030-01-01"), quiet=True)


@pytest.mark.parametrize("told", [_tell, _replay], ids=["service", "replay"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
class TestStory:
    def test_leads_to_these_changes(self, member: Member, story: Story, told: Teller) -> None:
        if not story.soft_landing:
            LadderVersion.objects.update(soft_landing=False)
            forget_ladder_book()
        told(member, story.steps)
        assert path_of(member.pk) == story.path
