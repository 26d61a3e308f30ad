"""Whatever is merged, done and taken apart in whatever order: no point, order or voucher is lost or made."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.models import QualificationEntry
from members.models import Member, Merge
from members.services.merging import MergeInTheWay, UnmergeInTheWay
from rewards import ledger
from rewards.models import LedgerEntry, LedgerTransaction, PointsAccount, Purchase, Redemption, Reward, Voucher
from rewards.services.purchases import Order, record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from tests.factories.catalogue import a_reward
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL
from tests.harness.generated import examples
from tests.rewards.merge_given import a_person, merged, nothing_is_wrong, taken_apart

pytestmark = pytest.mark.django_db

PEOPLE = 4
WHO = st.integers(0, PEOPLE - 1)
STEPS = st.one_of(
    st.tuples(st.just("buy"), WHO, st.integers(1, 900)),
    st.tuples(st.just("buy"), WHO, st.integers(1, 900)),
    st.tuples(st.just("return"), WHO, st.integers(0, 3)),
    st.tuples(st.just("spend"), WHO, st.integers(0, 0)),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("apart"), WHO, st.integers(0, 3)),
)


class _Undone(Exception):
    """Ends the example's transaction."""


class Story:
    """Some people, what they do, and what must hold of all of them together."""

    def __init__(self) -> None:
        self.people = [a_person() for _ in range(PEOPLE)]
        self.at = NOON
        self.orders: list[tuple[Member, Order]] = []
        self.merges: list[Merge] = []
        self.reward: Reward = a_reward(40)
        self.has_spent = False
        self.number = 0

    def do(self, step: tuple[str, int, int]) -> None:
        what, who, how = step
        self.at += timedelta(hours=1)
        self.number += 1
        getattr(self, f"_{what}")(self.people[who], how)

    def survivor(self, member: Member) -> Member:
        return Member.objects.get(pk=Member.objects.get(pk=member.pk).merged_into_id or member.pk)

    def _buy(self, member: Member, amount: int) -> None:
        order = an_order(member, f"{amount}.00", number=f"O-{self.number}", ordered_at=self.at)
        record_purchase(order=order, by=TILL, at=self.at)
        self.orders.append((member, order))

    def _return(self, member: Member, nth: int) -> None:
        own = [order for owner, order in self.orders if owner == member]
        if nth < len(own):
            order = own[nth]
            self.orders.remove((member, order))
            record_return(ret=a_return(order, number=f"R-{self.number}", returned_at=self.at), by=TILL, at=self.at)

    def _spend(self, member: Member, _how: int) -> None:
        try:
            with transaction.atomic():
                redeem_reward(
                    member_id=self.survivor(member).pk,
                    reward_id=self.reward.pk,
                    request_id=f"{self.number}",
                    by=TILL,
                    at=self.at,
                )
        except ledger.InsufficientPoints:
            return
        self.has_spent = True

    def _merge(self, member: Member, other: int) -> None:
        kept, gone = self.survivor(member), self.survivor(self.people[other])
        if kept != gone:
            try:
                self.merges.append(merged(kept, gone, at=self.at))
            except MergeInTheWay:
                raise AssertionError("nothing is set aside here") from None

    def _apart(self, _member: Member, nth: int) -> None:
        if nth < len(self.merges):
            merge = self.merges[nth]
            try:
                with transaction.atomic():
                    taken_apart(merge, at=self.at)
            except UnmergeInTheWay:
                return
            self.merges.remove(merge)

    def end(self) -> None:
        """Take everything apart, the last first."""
        self.at += timedelta(hours=1)
        for merge in reversed(self.merges):
            taken_apart(merge, at=self.at)
        self.merges = []

    def sums(self) -> dict[str, Any]:
        """Return what no merge may change: points by what moved them, orders, vouchers, tier credits."""
        entries = LedgerEntry.objects.exclude(transaction__kind=LedgerTransaction.Kind.MERGE)
        posted = sum(one.d_available + one.d_pending + one.d_held - one.d_debt for one in entries)
        standing = sum(one.available + one.pending + one.held - one.debt for one in PointsAccount.objects.all())
        return {"points": standing - posted}

    def net(self, member: Member) -> int:
        account = PointsAccount.objects.filter(member=member).first()
        return account.available + account.pending - account.debt if account else 0


@settings(max_examples=examples(25))
@given(steps=st.lists(STEPS, min_size=3, max_size=22))
def test_merging_and_taking_apart_conserves_everything(steps: list[tuple[str, int, int]]) -> None:
    try:
        with transaction.atomic():
            story = Story()
            for step in steps:
                story.do(step)
                assert story.sums() == {"points": 0}
            nothing_is_wrong(story.at)
            story.end()
            assert story.sums() == {"points": 0}
            nothing_is_wrong(story.at)
            _all_is_with_whom_it_was_told(story)
            raise _Undone
    except _Undone:
        pass


def _all_is_with_whom_it_was_told(story: Story) -> None:
    assert not Member.objects.filter(merged_into__isnull=False).exists()
    for member in story.people:
        assert Member.objects.get(pk=member.pk).status == Member.Status.ACTIVE
        kept = [order for owner, order in story.orders if owner == member]
        recorded = Purchase.objects.filter(member=member)
        assert {order.external_order_no for order in kept} <= set(recorded.values_list("external_order_no", flat=True))
        credits = QualificationEntry.objects.filter(member=member).values_list("credits", "spend_amount", "orders")
        spent = sum((amount for _credits, amount, _orders in credits), Decimal(0))
        assert spent == sum((order.total_amount for order in kept), Decimal(0))
    assert Voucher.objects.count() == Redemption.objects.count()
    if not story.has_spent:
        # Nothing was spent, so each has exactly what its own orders earned.
        earned = {
            row["natural_key"]: sum(
                entry.d_available - entry.d_debt for entry in LedgerEntry.objects.filter(transaction=row["pk"])
            )
            for row in LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EARN).values("pk", "natural_key")
        }
        for member in story.people:
            own = sum(earned[order.external_order_no] for owner, order in story.orders if owner == member)
            assert story.net(member) == own
