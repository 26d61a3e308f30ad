"""Members to stand on the ladder, and the ladder read anew for each test."""

from collections.abc import Callable, Iterator

import pytest

from loyalty.queries import forget_ladder_book
from members.models import Member
from tests.loyalty.stories import make_member


@pytest.fixture(autouse=True)
def _fresh_ladder() -> Iterator[None]:
    forget_ladder_book()
    yield
    forget_ladder_book()


@pytest.fixture
def member(db: None) -> Member:
    """A member who joined on 1 January 2024."""
    return make_member()


@pytest.fixture
def another_member(db: None) -> Callable[[], Member]:
    """A function that makes one more member."""
    return make_member
