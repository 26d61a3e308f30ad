"""A member to stand on the ladder."""

import pytest

from members.models import Member
from tests.loyalty.stories import make_member


@pytest.fixture
def member(db: None) -> Member:
    """A member who joined on 1 January 2024."""
    return make_member()
