"""Returns: a purchase comes back in any number of parts, and closes to the point and the cent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Promotion, PromotionUse
from loyalty.models import QualificationEntry, TierStanding
from members.models import Member, TimelineEntry
from rewards.explanation import explain
from rewards.models import LedgerTransaction, Lot, Product, PurchaseReturn
from rewards.queries import balance_of
from rewards.services.bulk import post_history
from rewards.services.expiry import expire_due_lots
from rewards.services.purchases import Order, OrderInFuture, record_purchase
from rewards.services.return_deductions import GivenBack
from rewards.services.returns import (
    PurchaseNotFound,
    Return,
    ReturnConflict,
    ReturnExceedsOrder,
    ReturnReceipt,
    record_return,
)
from rewards.services.verification import verify
from rewards.services.voucher_codes import voucher_code
from rewards.services.vouchers import use_voucher
from tests.factories.catalogue import a_voucher
from tests.factories.histories import give_points
from tests.factories.orders import NOON, a_line, a_return, a_return_of_an_unknown_sale, an_order
from tests.factories.people import TILL, a_member
from tests.factories.rules import rewrite_base_rule
from tests.factories.times import at
from tests.harness.dumps import dump
from tests.harness.generated import examples


def bought(member: Member | None, amount: str = "50.00", **details: object) -> Order:
    """Return an order that was recorded."""
    order = an_order(member, amount, **details)  # type: ignore[arg-type]
    record_purchase(order=order, by=TILL, at=order.ordered_at)
    return order


def give_back(ret: Return) -> ReturnReceipt:
    """Record a return at its own moment."""
    return record_return(ret=ret, by=TILL, at=ret.returned_at)


def available(member: Member) -> int:
    """Return the points a member can spend a week after the purchases of the tests."""
    return balance_of(member.pk, NOON + timedelta(days=7)).available


def credits(member: Member) -> int:
    """Return a member's tier credits."""
    return QualificationEntry.objects.filter(member=member).aggregate(sum=Sum("credits", default=0))["sum"]


def promoted(member: Member) -> int:
    """Return the points that promotions gave a member, less what went back."""
    return PromotionUse.objects.filter(member=member).aggregate(sum=Sum("points", default=0))["sum"]


def double_points() -> None:
    """Let a promotion of double points run."""
    Promotion.objects.create(
        name="双倍积分",
        state=Promotion.State.LIVE,
        factor=2,
        starts_at=NOON - timedelta(days=5),
        ends_at=NOON + timedelta(days=5),
    )


@pytest.mark.django_db
class TestReturn:
    """A return …"""

    def test_of_everything_takes_everything_back(self) -> None:
        double_points()
        member = a_member()
        receipt = give_back(a_return(bought(member, "58.90")))
        assert (receipt.amount, receipt.points, receipt.credits) == (Decimal("58.90"), 116, 58)
        assert (receipt.points_from_balance, receipt.points_to_arrears) == (116, 0)
        assert (available(member), credits(member), promoted(member)) == (0, 0, 0)

    def test_of_one_line_takes_the_share_of_its_amount(self) -> None:
        member = a_member()
        order = bought(member, lines=(a_line("30.00"), a_line("70.00", sku="CAKE")))
        receipt = give_back(a_return(order, (1, "1")))
        assert (receipt.amount, receipt.points, receipt.credits) == (30, 30, 30)
        assert (available(member), credits(member)) == (70, 70)

    @pytest.mark.parametrize("is_import", [False, True])
    def test_of_what_cost_nothing_does_not_take_the_order_back_once_more(self, is_import: bool) -> None:
        member = a_member()
        order = an_order(member, lines=(a_line("30.00"), a_line("0.00", sku="GIFT")))
        returns = [a_return(order, (1, "1")), a_return(order, (2, "1"))]
        if is_import:
            post_history(orders=[order], returns=returns, by=TILL, at=NOON + timedelta(days=1), quiet=True)
        else:
            record_purchase(order=order, by=TILL, at=order.ordered_at)
            assert [give_back(ret).amount for ret in returns] == [30, 0]
        counted = QualificationEntry.objects.filter(member=member)
        assert counted.aggregate(sum=Sum("orders"))["sum"] == 0

    def test_of_one_piece_takes_the_share_of_its_quantity(self) -> None:
        member = a_member()
        order = bought(member, lines=(a_line("10.00", quantity="3"),))
        amounts = [give_back(a_return(order, (1, "1"))).amount for _ in range(3)]
        assert amounts == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]
        assert (available(member), credits(member)) == (0, 0)

    def test_of_weighed_goods_takes_the_share_of_their_weight(self) -> None:
        member = a_member()
        order = bought(member, lines=(a_line("24.00", quantity="0.750"),))
        assert give_back(a_return(order, (1, "0.250"))).amount == 8
        assert available(member) == 16

    def test_without_items_takes_what_is_left(self) -> None:
        member = a_member()
        order = bought(member, lines=(a_line("30.00", quantity="3"), a_line("20.00", sku="CAKE")))
        give_back(a_return(order, (1, "1")))
        receipt = give_back(a_return(order))
        assert (receipt.amount, receipt.points) == (40, 40)
        lines = PurchaseReturn.objects.latest("id").lines.order_by("line_no").values_list("sku", "quantity", "amount")
        assert list(lines) == [("LATTE", 2, 20), ("CAKE", 1, 20)]

    def test_of_what_did_not_earn_takes_no_points(self) -> None:
        Product.objects.create(sku="POST", name="邮费", earns=False)
        member = a_member()
        order = bought(member, lines=(a_line("50.00"), a_line("8.00", sku="POST")))
        receipt = give_back(a_return(order, (2, "1")))
        assert (receipt.amount, receipt.points, receipt.credits) == (8, 0, 0)
        assert available(member) == 50

    def test_of_a_purchase_that_earned_nothing_takes_nothing(self) -> None:
        Product.objects.create(sku="POST", name="邮费", earns=False)
        member = a_member()
        receipt = give_back(a_return(bought(member, lines=(a_line("8.00", sku="POST"),))))
        assert (receipt.amount, receipt.points, receipt.credits) == (8, 0, 0)

    def test_takes_back_what_the_rule_of_the_purchase_gave(self) -> None:
        member = a_member()
        order = bought(member, "50.00")
        rewrite_base_rule(points_per_step=9)
        assert give_back(a_return(order)).points == 50

    def test_takes_pending_points(self) -> None:
        rewrite_base_rule(pending_days=30)
        member = a_member()
        receipt = give_back(a_return(bought(member)))
        assert (receipt.points_from_balance, receipt.points_to_arrears) == (50, 0)
        assert balance_of(member.pk, NOON).pending == 0

    def test_of_spent_points_leaves_arrears(self) -> None:
        member = a_member()
        order = bought(member)
        give_back(a_return_of_an_unknown_sale(member, "35.00"))  # stands for whatever took the points
        receipt = give_back(a_return(order))
        assert (receipt.points, receipt.points_from_balance, receipt.points_to_arrears) == (50, 15, 35)
        assert balance_of(member.pk, NOON).debt == 35

    def test_of_expired_points_forgives_them(self) -> None:
        member = a_member()
        order = bought(member)
        give_points(member, 5, moment=NOON)
        late = at("2027-04-01")
        expire_due_lots(at=late, by=TILL)
        receipt = give_back(a_return(order, returned_at=late))
        assert (receipt.points, receipt.points_from_balance, receipt.points_to_arrears) == (50, 0, 0)
        assert balance_of(member.pk, late).available == 5

    def test_undoes_the_rise_that_its_purchase_had_caused(self) -> None:
        member = a_member()
        order = bought(member, "500.00")
        assert TierStanding.objects.get(member=member).tier.code == "silver"
        ret = a_return(order)
        receipt = give_back(ret)
        assert receipt.tier_changed_to == "member"
        assert not TierStanding.objects.filter(member=member, tier__code="silver").exists()
        assert give_back(ret) == replace(receipt, already_recorded=True)

    def test_of_nobody_s_purchase_is_recorded(self) -> None:
        receipt = give_back(a_return(bought(None)))
        assert (receipt.amount, receipt.points, receipt.credits) == (50, 0, 0)
        assert LedgerTransaction.objects.count() == 0

    def test_of_nobody_s_purchase_gives_back_a_voucher_that_was_used_with_it(self) -> None:
        voucher = a_voucher(a_member().pk, issued_at=NOON)
        order = bought(None, lines=(a_line("30.00"), a_line("20.00")))
        use_voucher(
            code=voucher_code(voucher.public_id), store_id=None, external_order_no=order.external_order_no, spend_amount=None,
            by=TILL, at=NOON, source=order.source,
        )  # fmt: skip
        part = give_back(a_return(order, (1, "1")))
        assert part.given_back == GivenBack(vouchers_kept=1)
        rest = a_return(order)
        assert give_back(rest).given_back == give_back(rest).given_back == GivenBack(vouchers=1)
        voucher.refresh_from_db()
        assert (voucher.state, voucher.used_order_no) == ("issued", "")

    def test_of_a_frozen_member_is_recorded(self) -> None:
        member = a_member()
        order = bought(member)
        Member.objects.filter(pk=member.pk).update(status=Member.Status.FROZEN)
        assert give_back(a_return(order)).points == 50

    def test_is_told_on_the_timeline(self) -> None:
        member = a_member()
        order = bought(member)
        give_back(a_return_of_an_unknown_sale(member, "35.00"))
        receipt = give_back(a_return(order, number="R1"))
        entry = TimelineEntry.objects.filter(member=member).latest("id")
        assert entry.kind == "rewards.return_recorded.v1"
        expected = {
            "return": receipt.return_id,
            "amount": "50.00",
            "points": 50,
            "arrears": 35,
            "credits": 50,
            "return_no": "R1",
        }
        assert {name: entry.payload[name] for name in expected} == expected

    def test_is_explained(self) -> None:
        give_back(a_return(bought(a_member())))
        with override("en"):
            notes = explain(LedgerTransaction.objects.latest("id").trace).notes
        assert notes == ["Return of 50.00: its share of the points of the purchase, 50."]


@pytest.mark.django_db
class TestUnknownSale:
    """A return whose sale is unknown …"""

    def test_takes_back_base_points_and_never_a_promotion_s_extra(self) -> None:
        double_points()
        member = a_member()
        bought(member, "50.00")
        receipt = give_back(a_return_of_an_unknown_sale(member, "20.00"))
        assert (receipt.points, receipt.points_from_balance, receipt.credits) == (20, 20, 20)
        assert (available(member), credits(member), promoted(member)) == (80, 30, 50)
        with override("en"):
            notes = explain(LedgerTransaction.objects.latest("id").trace).notes
        assert notes == ["Return without a known sale, 20.00: base points only, 20."]

    def test_of_nobody_takes_nothing(self) -> None:
        receipt = give_back(a_return_of_an_unknown_sale(None, "20.00"))
        assert (receipt.amount, receipt.points) == (20, 0)

    def test_is_recorded_once(self) -> None:
        member = a_member()
        bought(member)
        ret = a_return_of_an_unknown_sale(member, "20.00")
        first = give_back(ret)
        before = dump()
        assert give_back(ret) == replace(first, already_recorded=True)
        assert dump() == before


@pytest.mark.django_db
class TestDryRun:
    """A dry run …"""

    def test_says_what_the_return_would_do_and_changes_nothing(self) -> None:
        double_points()
        order = bought(a_member(), "500.00")
        ret = a_return(order, (1, "0.5"))
        before = dump()
        told = record_return(ret=ret, by=TILL, at=ret.returned_at, dry_run=True)
        assert dump() == before
        done = give_back(ret)
        assert replace(told, return_id=done.return_id, public_id=done.public_id) == done

    def test_refuses_what_the_return_would_refuse(self) -> None:
        ret = a_return(bought(a_member()), (1, "2"))
        before = dump()
        with pytest.raises(ReturnExceedsOrder):
            record_return(ret=ret, by=TILL, at=ret.returned_at, dry_run=True)
        assert dump() == before


@pytest.mark.django_db
class TestRepeat:
    """A return told again …"""

    def test_gets_the_first_answer_and_changes_nothing(self) -> None:
        double_points()
        member = a_member()
        ret = a_return(bought(member), (1, "1"))
        first = give_back(ret)
        before = dump()
        assert give_back(ret) == replace(first, already_recorded=True)
        assert dump() == before

    def test_gets_the_first_answer_for_arrears(self) -> None:
        member = a_member()
        order = bought(member)
        give_back(a_return_of_an_unknown_sale(member, "35.00"))
        ret = a_return(order)
        assert give_back(ret) == replace(give_back(ret), already_recorded=False)

    @pytest.mark.parametrize("other", ["items", "order", "no order", "moment"])
    def test_with_another_content_is_refused_and_changes_nothing(self, other: str) -> None:
        member = a_member()
        order = bought(member, lines=(a_line("30.00", quantity="3"),))
        ret = a_return(order, (1, "1"), number="R1")
        give_back(ret)
        changed = {
            "items": lambda: a_return(order, (1, "2"), number="R1"),
            "order": lambda: a_return(bought(member), (1, "1"), number="R1"),
            "no order": lambda: replace(ret, external_order_no="nobody knows it"),
            "moment": lambda: replace(ret, returned_at=ret.returned_at + timedelta(seconds=1)),
        }[other]()
        before = dump()
        with pytest.raises(ReturnConflict) as refused:
            give_back(changed)
        assert (refused.value.code, refused.value.params) == ("order_conflict", {"return_no": "R1"})
        assert dump() == before


@pytest.mark.django_db
class TestRefusal:
    """A return is refused, and nothing changes, …"""

    @pytest.mark.parametrize("items", [[(1, "4")], [(1, "1"), (1, "1")], [(3, "1")], [(2, "1"), (1, "3.001")]])
    def test_when_more_comes_back_than_was_bought(self, items: Sequence[tuple[int, str]]) -> None:
        order = bought(a_member(), lines=(a_line("30.00", quantity="3"), a_line("20.00", sku="CAKE")))
        self._is_refused(a_return(order, *items))

    def test_when_more_comes_back_than_is_left(self) -> None:
        order = bought(a_member(), lines=(a_line("30.00", quantity="3"),), number="A1")
        give_back(a_return(order, (1, "2")))
        refusal = self._is_refused(a_return(order, (1, "2")))
        assert (refusal.code, refusal.params) == ("return_exceeds_order", {"order_no": "A1", "left": "1", "asked": "2"})

    def test_when_nothing_is_left(self) -> None:
        order = bought(a_member())
        give_back(a_return(order))
        self._is_refused(a_return(order))

    def test_when_the_purchase_is_not_known(self) -> None:
        order = an_order(a_member(), number="A1")
        before = dump()
        with pytest.raises(PurchaseNotFound) as refused:
            give_back(a_return(order))
        assert (refused.value.code, refused.value.status, refused.value.params) == (
            "not_found",
            404,
            {"order_no": "A1"},
        )
        assert dump() == before

    def test_when_it_is_dated_later_than_now(self) -> None:
        ret = a_return(bought(a_member()))
        before = dump()
        with pytest.raises(OrderInFuture):
            record_return(ret=ret, by=TILL, at=NOON)
        assert dump() == before

    def _is_refused(self, ret: Return) -> ReturnExceedsOrder:
        before = dump()
        with pytest.raises(ReturnExceedsOrder) as refused:
            give_back(ret)
        assert dump() == before
        return refused.value


amounts = st.lists(st.tuples(st.integers(1, 40_000), st.integers(1, 4), st.booleans()), min_size=1, max_size=3)
picks = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=8)


@pytest.mark.django_db
class TestAnySequenceOfReturns:
    """Any sequence of partial returns of all of a purchase …"""

    def test_leaves_nothing(self) -> None:
        double_points()
        member = a_member()
        Product.objects.create(sku="POST", name="邮费", earns=False)

        @settings(max_examples=examples(40))
        @given(amounts, picks, st.sampled_from(["0", "600.00"]))
        def check(bought_lines: list[tuple[int, int, bool]], parts: list[tuple[int, int]], earlier: str) -> None:
            with transaction.atomic():
                if earlier != "0":
                    first = bought(member, earlier, ordered_at=NOON - timedelta(hours=1))  # the member is silver
                before = (available(member), credits(member), promoted(member))
                lines = tuple(
                    a_line(f"{cents / 100:.2f}", quantity=str(pieces), sku="LATTE" if earns else "POST")
                    for cents, pieces, earns in bought_lines
                )
                order = bought(member, lines=lines)
                receipts = self._return_parts(order, parts)
                assert sum(receipt.amount for receipt in receipts) == order.total_amount
                assert all(receipt.points >= 0 and receipt.credits >= 0 for receipt in receipts)
                assert (available(member), credits(member), promoted(member)) == before
                assert not Lot.objects.filter(
                    transaction__natural_key=order.external_order_no, remaining__gt=0
                ).exists()
                if earlier != "0":
                    give_back(a_return(first))
                assert (available(member), credits(member), promoted(member)) == (0, 0, 0)
                assert [str(finding) for finding in verify(at=NOON)] == []
                transaction.set_rollback(True)

        check()

    def _return_parts(self, order: Order, parts: list[tuple[int, int]]) -> list[ReturnReceipt]:
        """Return the picked lines, as many pieces as are left of each; then the rest, if anything is left."""
        left = [line.quantity for line in order.lines]
        receipts = []
        for index, pieces in parts:
            line = index % len(left)
            quantity = min(left[line], Decimal(pieces))
            if quantity:
                left[line] -= quantity
                receipts.append(give_back(a_return(order, (line + 1, str(quantity)))))
        if any(left):
            receipts.append(give_back(a_return(order)))
        return receipts
