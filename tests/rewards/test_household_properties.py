"""Whatever people of a household earn, agree to and redeem: no point is lost or made, and nobody pays who did not agree."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from members.actors import SYSTEM
from members.models import HouseholdMember
from rewards import ledger
from rewards.models import Hold
from rewards.services.expiry import expire_due_lots
from rewards.services.holds import hold_points, release_due_holds
from rewards.services.household_points import household_would_add
from rewards.services.vouchers import expire_due_vouchers
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON
from tests.factories.people import TILL
from tests.harness.generated import examples
from tests.rewards.household_given import DAY, a_household, agrees, all_points, findings, has, pays, redeem

pytestmark = pytest.mark.django_db

PEOPLE = 4
WHO = st.integers(0, PEOPLE - 1)
STEPS = st.one_of(
    st.tuples(st.just("earn"), WHO, st.integers(1, 60)),
    st.tuples(st.just("redeem"), WHO, st.integers(1, 150)),
    st.tuples(st.just("redeem"), WHO, st.integers(1, 60)),
    st.tuples(st.just("agree"), WHO, st.integers(0, 1)),
    st.tuples(st.just("hold"), WHO, st.integers(1, 30)),
    st.tuples(st.just("wait"), WHO, st.integers(1, 20)),
)


class _Undone(Exception):
    """Ends the example's transaction."""


class Story:
    """A household, what its people do, and what must hold after each step."""

    def __init__(self) -> None:
        pays()
        self.people = a_household(*[0] * PEOPLE)
        self.at = NOON
        self.number = 0

    def do(self, step: tuple[str, int, int]) -> None:
        what, who, how = step
        self.number += 1
        self.at += timedelta(minutes=1)
        getattr(self, f"_{what}")(who, how)

    def _earn(self, who: int, points: int) -> None:
        end = None if points % 3 == 0 else self.at + points * DAY
        give_points(self.people[who], points, moment=self.at, expires_at=end)

    def _agree(self, who: int, says_yes: int) -> None:
        agrees(self.people[who], bool(says_yes), self.at)

    def _hold(self, who: int, points: int) -> None:
        if has(self.people[who], at=self.at)[0] >= points:
            hold_points(
                member_id=self.people[who].pk,
                points=points,
                source="t",
                external_ref=str(self.number),
                by=TILL,
                at=self.at,
            )

    def _wait(self, _who: int, days: int) -> None:
        self.at += days * DAY

    def _redeem(self, who: int, price: int) -> None:
        member, standing = self.people[who], all_points()
        parts = HouseholdMember.objects.filter(points_shared_at__isnull=False).exclude(member=member)
        paying = set(parts.values_list("member_id", flat=True))
        before = dict(zip([one.pk for one in self.people], has(*self.people, at=self.at), strict=True))
        others = household_would_add(member_id=member.pk, currency_id=ledger.currency_id(), at=self.at)
        assert others == sum(before[one] for one in paying)
        # A hold past its end comes back with the redemption; until then nothing knows of it.
        over = Hold.objects.filter(member=member, state=Hold.State.OPEN, expires_at__lte=self.at)
        back = sum(over.values_list("points", flat=True))
        reward = a_reward(price)
        try:
            with transaction.atomic():
                redeem(member, reward, f"{self.number}", self.at)
        except ledger.InsufficientPoints:
            assert before[member.pk] + others < price
            assert has(*self.people, at=self.at) == list(before.values())
            return
        after = dict(zip(before, has(*self.people, at=self.at), strict=True))
        assert all_points() == standing - price
        for one, points in before.items():
            if one != member.pk and one not in paying:
                assert after[one] == points
        assert before[member.pk] + others + back >= price

    def end(self) -> None:
        """Let time do its work, and the proof find nothing."""
        release_due_holds(at=self.at)
        expire_due_lots(at=self.at, by=SYSTEM)
        expire_due_vouchers(at=self.at, by=SYSTEM)
        assert findings(self.at) == []


@settings(max_examples=examples(25))
@given(steps=st.lists(STEPS, min_size=4, max_size=25))
def test_a_household_conserves_points(steps: list[tuple[str, int, int]]) -> None:
    try:
        with transaction.atomic():
            story = Story()
            for step in steps:
                story.do(step)
            story.end()
            raise _Undone
    except _Undone:
        pass
