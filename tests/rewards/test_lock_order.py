"""Two pieces of work that lock several rows at once meet in the same order: one waits for the other, and no deadlock is met.

In each test the first one holds a lock until the second one waits for it, and then goes on.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection, transaction

from loyalty.models import Benefit, Entitlement
from members.actors import SYSTEM
from members.models import Member
from members.services.activities import record_activity
from rewards import ledger
from rewards.models import BudgetSlice, CapCounter, EarnRule, PointsAccount, PointsCurrency, Voucher
from rewards.services import privacy
from rewards.services.behaviours import award_activities
from rewards.services.expiry import expire_due_lots
from rewards.services.extensions import extend_points
from rewards.services.holds import spend_on_order
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from rewards.services.till_holds import hold_order, release_order_hold
from rewards.services.till_quotes import CartRequest, quote_cart
from rewards.services.voucher_codes import voucher_code
from rewards.services.vouchers import VoucherExpired, use_voucher
from tests.factories.api import make_channel, make_store, now
from tests.factories.benefits import a_benefit, an_entitlement
from tests.factories.catalogue import a_reward, a_voucher
from tests.factories.histories import give_points
from tests.factories.orders import NOON, a_line, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.factories.rules import a_rule
from tests.factories.times import at
from tests.harness.threads import together
from tests.rewards.expiry_given import holder, inactivity, set_deadline
from tests.rewards.test_extensions import NOW, a_wish

PATIENCE_SECONDS = 10.0
DAY = timedelta(days=1)


@pytest.fixture
def coins(committed_db: str) -> PointsCurrency:
    """Return a second currency, of which every order gives one."""
    coins = PointsCurrency.objects.create(code="coins", name="Coins")
    a_rule("Coin", mode="extra", points_fixed=1, currency=coins)
    return coins


def give_coins(member: Member, coins: PointsCurrency, points: int) -> None:
    """Give a member coins that end two days later."""
    with transaction.atomic():
        ledger.accrue(
            member_id=member.pk, source="gift", natural_key=f"coins {member.pk}", at=NOON, by=SYSTEM, trace={},
            currency_id=coins.pk, lots=[ledger.NewLot(points, ledger.Origin.ADJUSTMENT, NOON, NOON + 2 * DAY)],
        )  # fmt: skip


def meet(first: Callable[[], object], then: Callable[[], object], other: Callable[[], object]) -> None:
    """Let one transaction lock something, wait until the other work waits for a lock, and go on."""
    has_locked = Event()

    def one() -> None:
        with transaction.atomic():
            first()
            has_locked.set()
            _until_somebody_waits()
            then()

    def another() -> None:
        assert has_locked.wait(PATIENCE_SECONDS)
        other()

    together([one, another])


def _until_somebody_waits() -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    pytest.fail("the other work has not met the lock")


class TestAPurchaseInTwoCurrencies:
    """A purchase that earns in two currencies meets …"""

    def test_the_return_of_an_order_that_was_paid_in_the_other_one(self, coins: PointsCurrency) -> None:
        member = a_member()
        order = an_order(member)
        record_purchase(order=order, by=TILL, at=NOON)
        give_coins(member, coins, 50)
        spend_on_order(
            member_id=member.pk, points=20, source=order.source, external_order_no=order.external_order_no, by=TILL, at=NOON,
            currency_id=coins.pk,
        )  # fmt: skip
        meet(
            lambda: ledger.lock_account(member_id=member.pk),
            lambda: record_purchase(order=an_order(member), by=TILL, at=NOON),
            lambda: record_return(ret=a_return(order), by=TILL, at=NOON + DAY),
        )

    def test_the_expiry_of_an_account_that_is_older_than_the_one_of_points(self, coins: PointsCurrency) -> None:
        member = a_member()
        give_coins(member, coins, 50)
        give_points(member, 10, moment=NOON, expires_at=NOON + 2 * DAY)
        meet(
            lambda: ledger.lock_account(member_id=member.pk),
            lambda: record_purchase(order=an_order(member), by=TILL, at=NOON),
            lambda: expire_due_lots(at=NOON + 2 * DAY, by=SYSTEM),
        )
        assert dict(PointsAccount.objects.values_list("currency__code", "available")) == {"points": 50, "coins": 1}

    def test_a_reward_of_the_other_one_that_counts_towards_the_same_cap(self, coins: PointsCurrency) -> None:
        a_rule("Check-in", activity_kind="check_in", points_fixed=1, currency=coins, cap_day_points=50)
        rule = EarnRule.objects.get(name="Check-in")
        member = a_member()
        done = record_activity(
            member_id=member.pk, kind="check_in", source="app", external_ref="1", happened_at=NOON, by=TILL, at=NOON
        )

        def count() -> None:
            ledger.lock_account(member_id=member.pk)
            CapCounter.objects.create(
                member=member, rule=rule, currency=coins, period=1, period_start=NOON.date(), used=1, times=1
            )

        meet(
            count,
            lambda: ledger.lock_account(member_id=member.pk, currency=coins.pk),
            lambda: award_activities(activity_ids=[done.activity_id], by=SYSTEM, at=NOON),
        )
        assert CapCounter.objects.get(rule=rule).used == 2


class TestBudgets:
    """Budgets of two rules …"""

    def test_are_given_back_in_the_order_in_which_they_are_taken(self, coins: PointsCurrency) -> None:
        a_rule("First", mode="extra", points_fixed=1, currency=coins, budget_points=1_000)
        a_rule("Second", mode="extra", points_fixed=1, budget_points=1_000)
        order, other = an_order(a_member()), a_member()
        record_purchase(order=order, by=TILL, at=NOON)
        low, high = sorted(set(BudgetSlice.objects.values_list("budget_id", flat=True)))

        def take(budget_id: int) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT rewards_take_budget(%s, %s, 1)", [budget_id, other.pk])

        meet(
            lambda: take(low),
            lambda: take(high),
            lambda: record_return(ret=a_return(order), by=TILL, at=NOON + DAY),
        )
        assert sum(BudgetSlice.objects.values_list("used", flat=True)) == 2


class TestVouchersOfAnOrder:
    """A till that locks an account and then its vouchers meets …"""

    def vouchers(self, member: Member) -> list[Voucher]:
        return list(Voucher.objects.select_for_update(no_key=True).filter(member=member).order_by("pk"))

    def test_the_return_of_an_order_with_a_voucher(self, committed_db: str) -> None:
        member = a_member()
        voucher, order = a_voucher(member.pk, issued_at=NOON), an_order(member)
        use_voucher(
            code=voucher_code(voucher.public_id), store_id=None, external_order_no=order.external_order_no, spend_amount=None,
            by=TILL, at=NOON, source=order.source,
        )  # fmt: skip
        record_purchase(order=order, by=TILL, at=NOON)
        meet(
            lambda: ledger.lock_account(member_id=member.pk),
            lambda: self.vouchers(member),
            lambda: record_return(ret=a_return(order), by=TILL, at=NOON + DAY),
        )
        assert Voucher.objects.get().state == Voucher.State.ISSUED

    def test_the_end_of_a_hold_without_points(self, committed_db: str) -> None:
        member, store, channel, moment = a_member(), make_store().pk, make_channel().pk, now()
        free = a_benefit("free", kind=Benefit.Kind.SHIPPING, quota=1)
        an_entitlement(member, free, at=moment - DAY, quota=1)
        a_voucher(member.pk, issued_at=moment - DAY)
        cart = CartRequest("till", store, channel, (a_line("100.00"),), Decimal("8.00"))
        quote = quote_cart(cart=cart, member=member, by=SYSTEM, at=moment)
        hold = hold_order(
            quote_ref=quote.quote_ref, source="till", store_id=store, key_id=None, points=None, voucher_refs=None, minutes=10,
            by=SYSTEM, at=moment,
        ).hold  # fmt: skip
        assert (hold.points, hold.vouchers, hold.uses) == (0, 1, 1)

        def give_back_what_is_due() -> None:
            ledger.lock_account(member_id=member.pk)
            list(Entitlement.objects.select_for_update(no_key=True).filter(member=member))

        meet(
            give_back_what_is_due,
            lambda: self.vouchers(member),
            lambda: release_order_hold(hold_id=hold.pk, by=SYSTEM, at=moment),
        )
        assert Voucher.objects.get().state == Voucher.State.ISSUED


class TestExtension:
    """An extension …"""

    def test_locks_accounts_with_and_without_a_deadline_in_one_order(self, committed_db: str) -> None:
        low, high = holder(100, until="2026-03-31"), holder(100, until="2026-03-31")
        inactivity()
        set_deadline(high, at("2026-05-01"))

        def extend() -> None:
            with transaction.atomic():
                assert extend_points(wish=a_wish(), reason="a test", natural_key="t", by=SYSTEM, at=NOW) == (2, 200)

        meet(
            lambda: ledger.lock_account(member_id=low.pk),
            lambda: ledger.lock_account(member_id=high.pk),
            extend,
        )


class TestErasure:
    """The erasure of a person meets …"""

    def erase(self, *members: Member) -> None:
        with transaction.atomic():
            list(Member.objects.select_for_update(no_key=True).filter(pk__in=[one.pk for one in members]))
            for one in members:
                privacy.erase(one.pk, SYSTEM, NOON + DAY)

    def test_the_use_of_a_voucher(self, committed_db: str) -> None:
        member = a_member()
        give_points(member, 100, moment=NOON)
        code = redeem_reward(member_id=member.pk, reward_id=a_reward(30).pk, request_id="1", by=TILL, at=NOON).code

        def use() -> None:
            with pytest.raises(VoucherExpired):
                use_voucher(
                    code=code, store_id=None, external_order_no="A1", spend_amount=None, by=TILL, at=NOON + DAY
                )  # fmt: skip

        meet(
            lambda: list(Member.objects.select_for_update(no_key=True).filter(pk=member.pk)),
            lambda: privacy.erase(member.pk, SYSTEM, NOON + DAY),
            use,
        )
        assert Voucher.objects.get().state == Voucher.State.EXPIRED

    def test_what_locks_accounts_in_the_order_of_currencies(self, coins: PointsCurrency) -> None:
        kept, other = a_member(), a_member()
        for one in (kept, other):
            give_points(one, 10, moment=NOON)
            give_coins(one, coins, 10)
        Member.objects.filter(pk=other.pk).update(merged_into=kept)
        meet(
            lambda: ledger.lock_account(member_id=other.pk),
            lambda: ledger.lock_account(member_id=kept.pk, currency=coins.pk),
            lambda: self.erase(kept, other),
        )
        assert not PointsAccount.objects.exclude(available=0).exists()
