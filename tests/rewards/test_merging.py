"""Points, arrears, vouchers and tiers of two members who are merged, and taken apart again."""

from datetime import timedelta

import pytest
from django.db import transaction

from loyalty.queries import standing_of
from members.actors import SYSTEM
from members.models import Member, Merge, Proposal
from members.services.activities import record_activity
from members.services.merging import MergeInTheWay, UnmergeInTheWay
from rewards import ledger
from rewards.expiring import PURCHASE, Policy, PolicyKind
from rewards.models import LedgerTransaction, Lot, PointsAccount, Purchase, Voucher
from rewards.services.behaviours import award_activities
from rewards.services.bulk import post_history
from rewards.services.corrections import LEAVE, correct, correction_of
from rewards.services.deadlines import _last_activity
from rewards.services.holds import give_hold_back, hold_points, spend_on_order
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import RewardLimitReached, redeem_reward
from rewards.services.returns import record_return
from rewards.services.vouchers import use_voucher
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_store
from tests.factories.rules import a_rule
from tests.rewards.merge_given import DAY, a_person, balances, merged, nothing_is_wrong, taken_apart

pytestmark = pytest.mark.django_db

AT = NOON + timedelta(days=3)


def bought(member: Member, amount: str = "100.00", days: int = 0) -> Purchase:
    order = an_order(member, amount, ordered_at=NOON + days * DAY)
    receipt = record_purchase(order=order, by=TILL, at=NOON + days * DAY)
    return Purchase.objects.get(pk=receipt.purchase_id)


class TestMerge:
    def test_moves_points_lot_by_lot_with_their_dates_and_origins(self) -> None:
        kept, other = a_person(), a_person()
        bought(kept)
        bought(other, "50.00")
        give_points(other, 7, moment=NOON, expires_at=NOON + 9 * DAY)
        before = list(Lot.objects.filter(member=other).values_list("remaining", "expires_at", "origin").order_by("id"))
        merged(kept, other, at=AT)
        after = Lot.objects.filter(member=kept, transaction__kind=LedgerTransaction.Kind.MERGE)
        assert sorted(after.values_list("remaining", "expires_at", "origin"), key=str) == sorted(before, key=str)
        assert [balance.available for balance in balances(kept, other, at=AT)] == [157, 0]
        nothing_is_wrong(AT)

    def test_and_its_end_write_no_free_words_into_the_ledger(self) -> None:
        kept, other = a_person(), a_person()
        bought(other)
        taken_apart(merged(kept, other, at=AT), at=AT + DAY)
        posted = LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.MERGE)
        assert set(posted.values_list("reason", flat=True)) == {"merge"}
        assert posted.count() == 2

    def test_leaves_rows_with_their_member_and_lets_them_count_as_one(self) -> None:
        kept, other = a_person(), a_person()
        purchase = bought(other)
        merged(kept, other, at=AT)
        assert Purchase.objects.get(pk=purchase.pk).member_id == other.pk
        assert Member.objects.get(pk=other.pk).merged_into_id == kept.pk

    def test_brings_arrears_without_repaying_anything(self) -> None:
        kept, other = a_person(), a_person()
        give_points(kept, 30, moment=NOON)
        order = an_order(other, "100.00")
        record_purchase(order=order, by=TILL, at=NOON)
        redeem_reward(member_id=other.pk, reward_id=a_reward(60).pk, request_id="1", by=TILL, at=NOON)
        record_return(ret=a_return(order), by=TILL, at=NOON + DAY)
        merged(kept, other, at=AT)
        assert [(one.available, one.debt) for one in balances(kept, other, at=AT)] == [(30, 60), (0, 0)]
        nothing_is_wrong(AT)

    def test_is_refused_while_points_are_set_aside(self) -> None:
        kept, other = a_person(), a_person()
        give_points(other, 30, moment=NOON)
        hold = hold_points(member_id=other.pk, points=10, source="shop", external_ref="h", by=TILL, at=AT)
        with pytest.raises(MergeInTheWay):
            merged(kept, other, at=AT)
        assert not Merge.objects.exists()
        give_hold_back(hold_id=hold.hold_id, by=TILL, at=AT)
        merged(kept, other, at=AT)
        nothing_is_wrong(AT)

    def test_gives_the_higher_tier_or_one_that_both_reach(self) -> None:
        kept, other = a_person(), a_person()
        bought(kept, "300.00")
        bought(other, "300.00")
        lowest = standing_of(kept.pk, AT).tier.rank
        merged(kept, other, at=AT)
        assert standing_of(kept.pk, AT).tier.rank > lowest


class TestOrdersOfAMergedMember:
    def test_earn_for_the_survivor_and_keep_the_name_told(self) -> None:
        kept, other = a_person(), a_person()
        merged(kept, other, at=AT)
        purchase = bought(other, days=5)
        assert purchase.member_id == other.pk
        assert [one.available for one in balances(kept, other, at=AT + 9 * DAY)] == [100, 0]
        nothing_is_wrong(AT + 9 * DAY)

    def test_told_again_are_known(self) -> None:
        kept, other = a_person(), a_person()
        order = an_order(other)
        record_purchase(order=order, by=TILL, at=NOON)
        merged(kept, other, at=AT)
        receipt = record_purchase(order=order, by=TILL, at=AT)
        assert (receipt.already_recorded, receipt.available) == (True, 50)

    def test_come_back_out_of_the_points_they_brought(self) -> None:
        kept, other = a_person(), a_person()
        order = an_order(other)
        record_purchase(order=order, by=TILL, at=NOON)
        give_points(kept, 5, moment=NOON, expires_at=NOON + 20 * DAY)
        merged(kept, other, at=AT)
        receipt = record_return(ret=a_return(order, returned_at=AT + DAY), by=TILL, at=AT + DAY)
        assert (receipt.points_from_balance, receipt.points_to_arrears) == (50, 0)
        assert [one.available for one in balances(kept, other, at=AT + DAY)] == [5, 0]
        nothing_is_wrong(AT + DAY)

    def test_come_back_after_the_points_had_expired_with_the_other_member(self) -> None:
        kept, other = a_person(), a_person()
        order = an_order(other)
        record_purchase(order=order, by=TILL, at=NOON)
        ends = Lot.objects.get(member=other).expires_at
        assert ends is not None
        late = ends + DAY
        merged(kept, other, at=late)
        receipt = record_return(ret=a_return(order, returned_at=late), by=TILL, at=late)
        assert (receipt.points_from_balance, receipt.points_to_arrears) == (0, 0)
        nothing_is_wrong(late)

    def test_that_were_paid_with_points_give_them_to_the_survivor(self) -> None:
        kept, other = a_person(), a_person()
        give_points(other, 80, moment=NOON - DAY)
        order = an_order(other)
        record_purchase(order=order, by=TILL, at=NOON)
        spend_on_order(
            member_id=other.pk,
            points=60,
            source=order.source,
            external_order_no=order.external_order_no,
            by=TILL,
            at=NOON,
        )
        merged(kept, other, at=AT)
        record_return(ret=a_return(order, returned_at=AT + DAY), by=TILL, at=AT + DAY)
        assert [(one.available, one.debt) for one in balances(kept, other, at=AT + DAY)] == [(80, 0), (0, 0)]
        nothing_is_wrong(AT + DAY)

    def test_come_in_with_a_file_as_they_do_from_a_till(self) -> None:
        kept, other = a_person(), a_person()
        early = an_order(other, "40.00")
        record_purchase(order=early, by=TILL, at=NOON)
        merge = merged(kept, other, at=AT)
        orders = [an_order(one, amount, ordered_at=AT) for one, amount in ((kept, "20.00"), (other, "30.00"))]
        outcome = post_history(
            orders=orders, returns=[a_return(early, returned_at=AT + DAY)], by=TILL, at=AT + DAY, quiet=True
        )
        assert (outcome.orders_new, outcome.returns_new, outcome.refused) == (2, 1, [])
        assert [one.available for one in balances(kept, other, at=AT + DAY)] == [50, 0]
        assert Purchase.objects.filter(member=other).count() == 2
        nothing_is_wrong(AT + DAY)
        taken_apart(merge, at=AT + 2 * DAY)
        assert [one.available for one in balances(kept, other, at=AT + 2 * DAY)] == [20, 30]
        nothing_is_wrong(AT + 2 * DAY)


class TestActivitiesOfAMergedMember:
    def test_are_recorded_as_told_and_go_with_that_member(self) -> None:
        kept, other = a_person(), a_person()
        a_rule("Review", activity_kind="review", points_fixed=15, pending_days=0, gets_tier_multiplier=False)
        merge = merged(kept, other, at=AT)
        done = record_activity(
            member_id=other.pk, kind="review", source="door", external_ref="1", happened_at=AT, by=TILL, at=AT
        )
        award_activities(activity_ids=[done.activity_id], by=TILL, at=AT)
        assert [one.available for one in balances(kept, other, at=AT)] == [15, 0]
        taken_apart(merge, at=AT + DAY)
        assert [one.available for one in balances(kept, other, at=AT + DAY)] == [0, 15]
        nothing_is_wrong(AT + DAY)


class TestVouchersOfAMergedMember:
    def test_are_used_by_the_survivor(self) -> None:
        kept, other = a_person(), a_person()
        give_points(other, 30, moment=NOON)
        redeemed = redeem_reward(member_id=other.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=NOON)
        merged(kept, other, at=AT)
        use_voucher(code=redeemed.code, store_id=a_store().pk, external_order_no="V", spend_amount=None, by=TILL, at=AT)
        assert Voucher.objects.get().state == Voucher.State.USED

    def test_count_towards_the_limit_of_the_survivor(self) -> None:
        kept, other = a_person(), a_person()
        give_points(other, 30, moment=NOON)
        give_points(kept, 30, moment=NOON)
        reward = a_reward(30, per_member_limit=1)
        redeem_reward(member_id=other.pk, reward_id=reward.pk, request_id="1", by=TILL, at=NOON)
        merged(kept, other, at=AT)
        with pytest.raises(RewardLimitReached):
            redeem_reward(member_id=kept.pk, reward_id=reward.pk, request_id="2", by=TILL, at=AT)


class TestUnmerge:
    def test_without_anything_between_is_as_if_never_merged(self) -> None:
        kept, other = a_person(), a_person()
        bought(kept, "700.00")
        bought(other, "1500.00")
        before = balances(kept, other, at=AT), [standing_of(one.pk, AT).tier for one in (kept, other)]
        merge = merged(kept, other, at=AT)
        taken_apart(merge, at=AT + DAY)
        after = balances(kept, other, at=AT + DAY), [standing_of(one.pk, AT + DAY).tier for one in (kept, other)]
        assert after == before
        nothing_is_wrong(AT + DAY)

    def test_gives_each_side_what_came_in_its_name(self) -> None:
        kept, other = a_person(), a_person()
        merge = merged(kept, other, at=AT)
        bought(kept, "20.00", days=4)
        bought(other, "30.00", days=4)
        taken_apart(merge, at=AT + 5 * DAY)
        assert [one.available for one in balances(kept, other, at=AT + 5 * DAY)] == [20, 30]
        assert Member.objects.get(pk=other.pk).status == Member.Status.ACTIVE
        nothing_is_wrong(AT + 5 * DAY)

    def test_takes_what_was_spent_off_the_points_that_ended_first(self) -> None:
        kept, other = a_person(), a_person()
        give_points(kept, 50, moment=NOON, expires_at=AT + 90 * DAY)
        give_points(other, 50, moment=NOON, expires_at=AT + 60 * DAY)
        merge = merged(kept, other, at=AT)
        redeem_reward(member_id=kept.pk, reward_id=a_reward(70).pk, request_id="1", by=TILL, at=AT)
        taken_apart(merge, at=AT + DAY)
        assert [one.available for one in balances(kept, other, at=AT + DAY)] == [30, 0]
        nothing_is_wrong(AT + DAY)

    def test_lets_a_later_return_find_its_points(self) -> None:
        kept, other = a_person(), a_person()
        merge = merged(kept, other, at=AT)
        order = an_order(other, "30.00", ordered_at=AT)
        record_purchase(order=order, by=TILL, at=AT)
        taken_apart(merge, at=AT + DAY)
        record_return(ret=a_return(order, returned_at=AT + 2 * DAY), by=TILL, at=AT + 2 * DAY)
        assert [(one.available, one.debt) for one in balances(kept, other, at=AT + 2 * DAY)] == [(0, 0), (0, 0)]
        nothing_is_wrong(AT + 2 * DAY)

    def test_gives_arrears_back_as_far_as_they_are_owed(self) -> None:
        kept, other = a_person(), a_person()
        PointsAccount.objects.create(member=kept, currency_id=ledger.currency_id())
        order = an_order(other, "100.00")
        record_purchase(order=order, by=TILL, at=NOON)
        redeem_reward(member_id=other.pk, reward_id=a_reward(60).pk, request_id="1", by=TILL, at=NOON)
        record_return(ret=a_return(order), by=TILL, at=NOON + DAY)
        merge = merged(kept, other, at=AT)
        give_points(kept, 25, moment=AT)
        taken_apart(merge, at=AT + DAY)
        assert [(one.available, one.debt) for one in balances(kept, other, at=AT + DAY)] == [(0, 0), (0, 35)]
        nothing_is_wrong(AT + DAY)

    def test_comes_apart_in_the_opposite_order_of_merging(self) -> None:
        first, second, third = a_person(), a_person(), a_person()
        give_points(third, 9, moment=NOON)
        inner = merged(second, third, at=AT)
        outer = merged(first, second, at=AT)
        assert Member.objects.get(pk=third.pk).merged_into_id == first.pk
        bought(third, "11.00", days=4)
        with pytest.raises(UnmergeInTheWay):
            taken_apart(inner, at=AT + 3 * DAY)
        taken_apart(outer, at=AT + 3 * DAY)
        taken_apart(inner, at=AT + 3 * DAY)
        assert [one.available for one in balances(first, second, third, at=AT + 3 * DAY)] == [0, 0, 20]
        nothing_is_wrong(AT + 3 * DAY)

    def test_waits_for_whoever_was_merged_into_the_same_member_later(self) -> None:
        first, second, third = a_person(), a_person(), a_person()
        bought(second, "1500.00")
        tiers = [standing_of(one.pk, AT).tier for one in (first, second, third)]
        earlier, later = merged(first, second, at=AT), merged(first, third, at=AT)
        with pytest.raises(UnmergeInTheWay):
            taken_apart(earlier, at=AT + DAY)
        assert Merge.objects.get(pk=earlier.pk).unmerged_at is None
        taken_apart(later, at=AT + DAY)
        taken_apart(earlier, at=AT + DAY)
        assert [standing_of(one.pk, AT + DAY).tier for one in (first, second, third)] == tiers
        nothing_is_wrong(AT + DAY)


class TestCorrectionsOfAMergedMember:
    def test_find_the_points_with_the_survivor(self) -> None:
        kept, other = a_person(), a_person()
        give_points(kept, 5, moment=NOON)
        give_points(other, 100, moment=NOON)
        origin = LedgerTransaction.objects.get(member=other)
        merged(kept, other, at=AT)
        found = correction_of(transaction_id=origin.pk, at=AT)
        assert (found.points, found.own, found.spent, found.others) == (100, 100, 0, 5)
        with transaction.atomic():
            correct(transaction_id=origin.pk, choice=LEAVE, by=SYSTEM, at=AT, reason="wrong", proposal=Proposal())
        assert [one.available for one in balances(kept, other, at=AT)] == [5, 0]
        nothing_is_wrong(AT)


class TestInactivityOfAMergedMember:
    def test_counts_what_was_told_in_the_old_name(self) -> None:
        kept, other = a_person(), a_person()
        bought(kept)
        merged(kept, other, at=AT)
        late = bought(other, days=30)
        policy = Policy(1, None, PolicyKind.INACTIVITY, NOON, number=12, events=frozenset({PURCHASE}))
        assert _last_activity([kept.pk], policy) == {kept.pk: late.ordered_at}

    def test_ends_no_points_that_had_no_such_end(self) -> None:
        kept, other = a_person(), a_person()
        for one in (kept, other):
            give_points(one, 10, moment=NOON)
        PointsAccount.objects.filter(member=other).update(deadline_at=AT + DAY)
        merged(kept, other, at=AT)
        assert PointsAccount.objects.get(member=kept).deadline_at is None
