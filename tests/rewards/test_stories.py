"""The accountant's stories (tests/rewards/stories), played in the books in memory and in the database."""

from typing import Any

import pytest

from rewards.services.verification import verify
from tests.rewards.ledger_books import Seen, Twins, seen_in
from tests.rewards.ledger_lots import Balances, Name, Refused
from tests.rewards.ledger_model import Model, Result
from tests.rewards.stories import NOTHING, Event, Story, account_of, row_of, stories

STORIES = stories()
EMPTY = [NOTHING, "0", "0", "0", "0", "0"]


def told_of(seen: Seen, who: Name) -> list[str]:
    """Return the cells that say what an account looks like."""
    return row_of([lot for lot in seen.lots if lot.who == who], seen.accounts.get(who, Balances(0, 0, 0, 0)))


def check_answer(event: Event, answer: Any) -> None:
    """Hold the answer to an event against how the event ends in the story."""
    if isinstance(answer, Result):
        assert answer.repeated is (event.ending == "again"), event.words
        known = (
            f"gives up {answer.given_up}"
            if answer.given_up
            else f"forgives {answer.forgiven}"
            if answer.forgiven
            else ""
        )
        assert known == event.ending.removeprefix("again"), event.words
    elif answer is not None:
        assert (answer == 0) is (event.ending == "nothing"), event.words


def check_books(event: Event, seen: Seen, page: dict[Name, list[str]]) -> None:
    """Hold every account against the story; `page` is what it looked like before, and then what it looks like now."""
    page.update({account_of(account): cells for account, cells in event.expected.items()})
    accounts = sorted(page.keys() | seen.accounts.keys() | {lot.who for lot in seen.lots})
    found = {who: told_of(seen, who) for who in accounts}
    assert found == {who: page.get(who, EMPTY) for who in accounts}, f"{event.moment} {event.words}"


def play(story: Story, tell: Any, look: Any) -> None:
    """Play a story through `tell`, and hold what `look` shows after each event against it."""
    page: dict[Name, list[str]] = {}
    for event in story.events:
        if event.ending == "refused":
            with pytest.raises(Refused):
                tell(event.verb, **event.arguments)
        else:
            check_answer(event, tell(event.verb, **event.arguments))
        check_books(event, look(), page)


@pytest.mark.parametrize("title", STORIES)
class TestStory:
    """A story …"""

    def test_adds_up_in_memory(self, title: str) -> None:
        model = Model()

        play(STORIES[title], lambda verb, **told: getattr(model, verb)(**told), lambda: seen_in(model))

    @pytest.mark.django_db
    def test_adds_up_in_the_database(self, title: str) -> None:
        twins = Twins()
        play(STORIES[title], twins.tell, lambda: twins.seen)
        assert [str(finding) for finding in verify(at=STORIES[title].events[0].moment)] == []

    def test_is_arithmetic(self, title: str) -> None:
        """What an accountant would do first: the lots add up to the balances, the balances to the liability."""
        for event in STORIES[title].events:
            for cells in event.expected.values():
                available, pending, held, owed, liability = map(int, cells[1:])
                assert liability == available + pending + held - owed, event.words
                lots = [lot.split() for lot in cells[0].split("; ")] if cells[0] != NOTHING else []
                assert sum(int(lot[1]) for lot in lots if "pending" not in lot) == available, event.words
                assert sum(int(lot[1]) for lot in lots if "pending" in lot) == pending, event.words
                assert sum(int(lot[3]) for lot in lots if "held" in lot) == held, event.words


def test_there_are_enough_of_them() -> None:
    assert len(STORIES) >= 60
