"""The ledger's functions beside a small model in memory, over random histories."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.ledger import InsufficientPoints
from rewards.models import Lot
from rewards.services.verification import verify
from tests.factories.people import a_member
from tests.harness.generated import examples
from tests.rewards.books import START, Books


@dataclass
class ModelLot:
    key: str
    amount: int
    remaining: int
    pending: bool
    available_on: float
    until: float | None
    expired: int = 0

    def is_live(self, on: float) -> bool:
        return not self.pending and self.remaining > 0 and (self.until is None or self.until > on)


@dataclass
class Model:
    """The ledger in memory, as one would explain it to an accountant."""

    lots: list[ModelLot] = field(default_factory=list)
    owed: int = 0
    seen: set[tuple[str, str]] = field(default_factory=set)

    def earn(self, key: str, points: int, on: float, until: float | None, pending: float) -> None:
        repaid = 0 if pending else min(self.owed, points)
        self.owed -= repaid
        if points:
            self.lots.append(ModelLot(key, points, points - repaid, bool(pending), on + pending, until))

    def burn(self, _key: str, points: int, on: float) -> bool:
        if sum(lot.remaining for lot in self.lots if lot.is_live(on)) < points:
            return False
        self._eat(points, on)
        return True

    def take_back(self, _key: str, points: int, on: float, of: str | None) -> None:
        for lot in self.lots:
            if lot.key == of:
                own = min(points, lot.remaining)
                lot.remaining -= own
                forgiven = min(points - own, lot.expired)
                lot.expired -= forgiven
                points -= own + forgiven
        self.owed += points - self._eat(points, on)

    def expire(self, on: float) -> None:
        for lot in self.lots:
            if lot.until is not None and lot.until <= on:
                lot.expired, lot.remaining = lot.expired + lot.remaining, 0

    def release(self, on: float) -> None:
        for lot in sorted(self.lots, key=lambda lot: lot.available_on):
            if lot.pending and lot.remaining and lot.available_on <= on:
                repaid = min(self.owed, lot.remaining)
                self.owed, lot.remaining, lot.pending = self.owed - repaid, lot.remaining - repaid, False

    def _eat(self, points: int, on: float) -> int:
        wanted = points
        for lot in sorted(self.lots, key=lambda lot: (lot.until is None, lot.until)):
            if lot.is_live(on):
                eaten = min(lot.remaining, points)
                lot.remaining, points = lot.remaining - eaten, points - eaten
        return wanted - points


keys, points, days = st.integers(1, 12).map(str), st.integers(0, 60), st.integers(0, 40)
steps = st.one_of(
    st.tuples(st.just("earn"), keys, points, days, st.none() | st.integers(1, 30), st.sampled_from([0, 0, 7])),
    st.tuples(st.just("earn"), keys, points, days, st.none() | st.integers(1, 30), st.sampled_from([0, 0, 7])),
    st.tuples(st.just("burn"), keys, st.integers(1, 60), days),
    st.tuples(st.just("take_back"), keys, points, days, st.none() | keys),
    st.tuples(st.just("expire"), days),
    st.tuples(st.just("release"), days),
)


def _do(books: Books, model: Model, step: tuple[Any, ...]) -> None:
    """Do one step on both sides; a fact that both know already is told to the database only, where nothing must follow."""
    verb, *rest = step
    if verb == "earn":
        key, points, on, lasts, pending = rest
        rest = [key, points, on, None if lasts is None else on + lasts, pending]
    if verb in ("expire", "release"):
        getattr(books, verb)(*rest)
        getattr(model, verb)(*rest)
        return
    is_new = (verb, rest[0]) not in model.seen
    try:
        posting = getattr(books, verb)(*rest)
    except InsufficientPoints:
        assert is_new
        assert model.burn(*rest) is False
        return
    assert posting.repeated is not is_new
    if is_new:
        model.seen.add((verb, rest[0]))
        assert getattr(model, verb)(*rest) is not False


@pytest.mark.django_db
class TestRandomHistories:
    """The database functions …"""

    def test_do_what_the_model_does(self) -> None:
        member = a_member()

        @settings(max_examples=examples(60))
        @given(st.lists(steps, min_size=3, max_size=25))
        def check(history: list[tuple[Any, ...]]) -> None:
            with transaction.atomic():
                books, model = Books(member), Model()
                for step in history:
                    _do(books, model, step)
                    lots = Lot.objects.order_by("id").values_list("amount", "remaining")
                    assert list(lots) == [(lot.amount, lot.remaining) for lot in model.lots], step
                    available = sum(lot.remaining for lot in model.lots if not lot.pending)
                    pending = sum(lot.remaining for lot in model.lots if lot.pending)
                    assert books.balances() == (available, pending, model.owed), step
                assert [str(finding) for finding in verify(at=START)] == []
                transaction.set_rollback(True)

        check()
