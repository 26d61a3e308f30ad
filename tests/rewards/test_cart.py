"""Vouchers in a cart: the best lawful set is the best one, closes to the cent, and says why the others are not in it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from time import perf_counter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.cart import (
    Cart,
    CartLine,
    VoucherNotUsed,
    VoucherSet,
    VoucherTerms,
    are_lawful_together,
    best_set,
    obstacle,
    split,
)
from tests.harness.generated import examples

NOW = datetime(2026, 7, 3, 7, 0, tzinfo=UTC)  # a Friday; 15:00 in Shanghai
LOCAL = NOW.astimezone(ZoneInfo("Asia/Shanghai"))
COFFEE, CAKE = 1, 2


def a_cart(*amounts: str, categories: Sequence[int] = (), shipping: str = "0", **changes: Any) -> Cart:
    """Return a cart of lines of these amounts, each of one of the categories in turn."""
    lines = tuple(
        CartLine(number, f"SKU{number}", Decimal(1), Decimal(amount), (categories[number - 1],) if categories else ())
        for number, amount in enumerate(amounts, start=1)
    )
    return Cart(**{
        "lines": lines, "store_id": 1, "channel_id": 1, "local": LOCAL, "shipping_amount": Decimal(shipping), **changes,
    })  # fmt: skip


def a_voucher(number: int = 1, kind: str = "amount", off: str | None = "5", **changes: Any) -> VoucherTerms:
    """Return a voucher of ¥5 off that combines with others, unless told otherwise."""
    given: dict[str, Any] = {
        "voucher_id": number, "public_id": UUID(int=number), "label": {"en": f"Voucher {number}"}, "kind": kind,
        "valid_from": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=30), "stacking": "free",
        "off_amount": Decimal(off) if off is not None and kind in ("amount", "threshold") else None,
    }  # fmt: skip
    return VoucherTerms(**{**given, **changes})


def percent(number: int, share: str, **changes: Any) -> VoucherTerms:
    return a_voucher(number, "percent", off_percent=Decimal(share), **changes)


def best(cart: Cart, *vouchers: VoucherTerms, chosen: Sequence[int] | None = None) -> VoucherSet:
    return best_set(cart, vouchers, at=NOW, chosen=chosen)


def reasons(found: VoucherSet) -> dict[int, str]:
    return {one.voucher_id: one.code for one in found.not_used}


class TestWhatAVoucherTakesOff:
    @pytest.mark.parametrize(
        ("voucher", "amounts", "off"),
        [
            (a_voucher(off="5"), ["20", "10"], "5.00"),
            (a_voucher(off="50"), ["20", "10"], "30.00"),
            (percent(1, "20"), ["19.99"], "4.00"),
            (percent(1, "20", cap_amount=Decimal(3)), ["19.99"], "3.00"),
            (percent(1, "100"), ["19.99", "0.01"], "20.00"),
            (a_voucher(1, "threshold", "10", min_spend_amount=Decimal(100)), ["350"], "10.00"),
            (a_voucher(1, "threshold", "10", min_spend_amount=Decimal(100), most_times=3), ["350"], "30.00"),
            (a_voucher(1, "threshold", "10", min_spend_amount=Decimal(100), most_times=2), ["350"], "20.00"),
        ],
    )
    def test_is_what_its_kind_says(self, voucher: VoucherTerms, amounts: list[str], off: str) -> None:
        found = best(a_cart(*amounts), voucher)
        assert found.off_amount == Decimal(off)
        assert sum(found.used[0].shares.values()) == Decimal(off)  # type: ignore[union-attr]

    def test_is_split_over_the_lines_by_their_amounts_to_the_cent(self) -> None:
        found = best(a_cart("10.00", "10.00", "10.00"), a_voucher(off="10"))
        assert found.used[0].shares == {1: Decimal("3.34"), 2: Decimal("3.33"), 3: Decimal("3.33")}

    def test_comes_off_the_goods_it_is_for_only(self) -> None:
        cart = a_cart("10", "20", categories=(COFFEE, CAKE))
        assert best(cart, a_voucher(off="15", category_ids=(COFFEE,))).used[0].shares == {1: Decimal(10)}
        assert best(cart, a_voucher(off="15", skus=("SKU2",))).used[0].shares == {2: Decimal(15)}

    def test_never_comes_off_goods_that_must_not_become_cheaper(self) -> None:
        line = CartLine(1, "GIFTCARD", Decimal(1), Decimal(100), is_discountable=False)
        assert reasons(best(replace(a_cart("1"), lines=(line,)), a_voucher())) == {1: "no_goods"}

    def test_a_percentage_is_of_what_is_left_after_money_off(self) -> None:
        found = best(a_cart("100"), percent(1, "10"), a_voucher(2, off="20"))
        assert [(use.voucher_id, use.off_amount) for use in found.used] == [(2, Decimal(20)), (1, Decimal(8))]

    def test_the_least_spend_is_judged_before_any_voucher(self) -> None:
        found = best(a_cart("100"), a_voucher(1, off="20"), a_voucher(2, off="5", min_spend_amount=Decimal(100)))
        assert found.off_amount == Decimal(25)

    def test_free_shipping_frees_it_and_is_worth_what_it_costs(self) -> None:
        found = best(a_cart("10", shipping="12"), a_voucher(1, "shipping", None))
        assert (found.used[0].frees_shipping, found.off_amount, found.shipping_off_amount) == (True, 0, Decimal(12))
        assert reasons(best(a_cart("10"), a_voucher(1, "shipping", None))) == {1: "nothing_left"}

    def test_a_gift_and_more_points_are_used_beside_money(self) -> None:
        gift = a_voucher(1, "exchange", None, gift={"en": "A cookie"})
        double = a_voucher(2, "multiplier", None, multiplier=Decimal(2))
        found = best(a_cart("10"), gift, double, a_voucher(3))
        assert [use.voucher_id for use in found.used] == [1, 2, 3]
        assert (found.used[0].gift, found.used[1].multiplier) == ({"en": "A cookie"}, Decimal(2))


class TestWhyNot:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"min_spend_amount": Decimal(50)}, "min_spend"),
            ({"store_ids": (2,)}, "wrong_store"),
            ({"channel_ids": (2,)}, "wrong_channel"),
            ({"category_ids": (COFFEE,)}, "no_goods"),
            ({"weekdays": (5, 6)}, "not_today"),
            ({"hours_from": 8, "hours_to": 15}, "not_this_hour"),
            ({"hours_from": 22, "hours_to": 6}, "not_this_hour"),
            ({"valid_from": NOW + timedelta(seconds=1)}, "not_yet_valid"),
            ({"expires_at": NOW}, "expired"),
            ({"held_until": NOW + timedelta(seconds=1)}, "held"),
            ({"day_limit": 2, "used_today": 2}, "day_limit"),
        ],
    )
    def test_is_said_with_a_code(self, changes: dict[str, Any], code: str) -> None:
        assert reasons(best(a_cart("10"), a_voucher(**changes))) == {1: code}

    @pytest.mark.parametrize(
        "changes",
        [
            {"store_ids": (1, 2)}, {"weekdays": (4,)}, {"hours_from": 15, "hours_to": 16}, {"hours_from": 14, "hours_to": 3},
            {"held_until": NOW}, {"valid_from": NOW}, {"min_spend_amount": Decimal(10)}, {"day_limit": 2, "used_today": 1},
        ],
    )  # fmt: skip
    def test_nothing_is_in_the_way_at_the_edge(self, changes: dict[str, Any]) -> None:
        assert best(a_cart("10"), a_voucher(**changes)).off_amount == 5

    def test_names_what_is_missing(self) -> None:
        found = best(a_cart("35.50"), a_voucher(min_spend_amount=Decimal(50)))
        assert found.not_used == (
            VoucherNotUsed(1, "min_spend", {"required": "50", "missing": "14.50", "spend": "35.50"}),
        )

    def test_is_another_one_that_stands_alone(self) -> None:
        found = best(
            a_cart("100"), a_voucher(1, off="20", stacking="alone"), a_voucher(2, off="5"), a_voucher(3, off="6")
        )
        assert [use.voucher_id for use in found.used] == [1]
        assert reasons(found) == {2: "not_combined", 3: "not_combined"}

    def test_is_a_better_one_of_the_group(self) -> None:
        group = {"stacking": "class", "stacking_class": "drinks"}
        found = best(
            a_cart("100"), a_voucher(1, off="5", **group), a_voucher(2, off="9", **group), a_voucher(3, off="1")
        )
        assert {use.voucher_id for use in found.used} == {2, 3}
        assert found.not_used == (VoucherNotUsed(1, "worth_less", {"than_id": 2, "than": {"en": "Voucher 2"}}),)

    def test_is_that_nothing_is_left(self) -> None:
        found = best(a_cart("5"), a_voucher(1), a_voucher(2))
        assert (reasons(found), found.off_amount) == ({2: "nothing_left"}, 5)

    def test_is_the_limit_of_a_day(self) -> None:
        limited: dict[str, Any] = {"day_limit": 3, "used_today": 1, "template_id": 9}
        found = best(a_cart("100"), *(a_voucher(number, **limited) for number in (1, 2, 3)))
        assert (found.off_amount, reasons(found)) == (10, {3: "day_limit"})


class TestTheChoice:
    def test_uses_what_ends_first_of_equal_ones(self) -> None:
        later = a_voucher(1, stacking="alone", expires_at=NOW + timedelta(days=9))
        assert [
            use.voucher_id
            for use in best(a_cart("9"), later, replace(later, voucher_id=2, expires_at=NOW + timedelta(1))).used
        ] == [2]

    def test_prefers_priority_where_two_give_the_same(self) -> None:
        first = a_voucher(1, stacking="alone")
        assert best(a_cart("9"), first, replace(first, voucher_id=2, priority=1)).used[0].voucher_id == 2

    def test_looks_only_at_what_was_chosen(self) -> None:
        found = best(a_cart("100"), a_voucher(1, off="50"), a_voucher(2, off="5"), chosen=[2])
        assert ([use.voucher_id for use in found.used], found.not_used) == ([2], ())
        assert best(a_cart("100"), a_voucher(1), chosen=[]).used == ()

    def test_counts_like_vouchers_together_and_stays_exact(self) -> None:
        found = best(a_cart("1000"), *(a_voucher(number) for number in range(1, 101)))
        assert (found.is_exact, found.off_amount) == (True, 500)

    def test_of_too_many_is_bounded_lawful_and_says_so(self) -> None:
        vouchers = [a_voucher(number, off=str(number)) for number in range(1, 61)]
        cart = a_cart(*["50"] * 20)
        began = perf_counter()
        found = best(cart, *vouchers)
        assert perf_counter() - began < 5
        assert not found.is_exact
        assert found.off_amount == 1000  # all of it: 1 + … + 60 is more than the cart

    def test_of_very_many_of_two_kinds_is_bounded_too(self) -> None:
        vouchers = [a_voucher(number, off=str(1 + number % 2)) for number in range(1, 99)]
        found = best(a_cart(*["50"] * 20), *vouchers)
        assert (found.is_exact, found.off_amount) == (False, 49 * 1 + 49 * 2)


# --- Against brute force ---------------------------------------------------------------------------------------------
MONEY = st.integers(1, 4_000).map(lambda cents: Decimal(cents).scaleb(-2))


@st.composite
def vouchers(draw: st.DrawFn, number: int) -> VoucherTerms:
    kind = draw(st.sampled_from(["amount", "amount", "percent", "threshold", "shipping", "exchange", "multiplier"]))
    stacking = draw(st.sampled_from(["free", "free", "class", "alone"]))
    changes: dict[str, Any] = {
        "stacking": stacking, "stacking_class": draw(st.sampled_from("ab")) if stacking == "class" else "",
        "category_ids": draw(st.sampled_from([(), (), (COFFEE,), (CAKE,)])), "priority": draw(st.integers(0, 1)),
        "template_id": number,
    }  # fmt: skip
    if kind in ("amount", "threshold"):
        changes["off_amount"] = draw(MONEY)
    if kind == "threshold":
        changes |= {"min_spend_amount": changes["off_amount"] + draw(MONEY), "most_times": draw(st.integers(1, 3))}
    if kind == "percent":
        changes |= {"off_percent": draw(st.integers(1, 100).map(Decimal)), "cap_amount": draw(st.none() | MONEY)}
    if kind == "multiplier":
        changes["multiplier"] = Decimal(draw(st.integers(2, 3)))
    if draw(st.booleans()):
        changes |= {"day_limit": 2, "used_today": draw(st.integers(0, 2))}
    return a_voucher(number, kind, **changes)


@st.composite
def offered(draw: st.DrawFn) -> tuple[Cart, list[VoucherTerms]]:
    amounts = draw(st.lists(MONEY, min_size=1, max_size=4))
    categories = draw(st.lists(st.sampled_from([COFFEE, CAKE]), min_size=len(amounts), max_size=len(amounts)))
    cart = a_cart(*map(str, amounts), categories=categories, shipping=draw(st.sampled_from(["0", "8.00"])))
    held: list[VoucherTerms] = []
    for template in range(1, draw(st.integers(1, 4)) + 1):
        terms = draw(vouchers(template))
        for _again in range(draw(st.sampled_from([1, 1, 2, 3]))):
            ends_at = NOW + timedelta(days=draw(st.integers(0, 3)))
            held.append(replace(terms, voucher_id=len(held) + 1, expires_at=ends_at))
    return cart, held


class TestAnyCart:
    @settings(max_examples=examples(120), deadline=None)
    @given(offered())
    def test_gets_the_most_that_any_lawful_set_gives(self, given_: tuple[Cart, list[VoucherTerms]]) -> None:
        cart, held = given_
        found = best(cart, *held)
        usable = [one for one in held if obstacle(one, cart, NOW) is None]
        most = max(
            (self.worth(cart, some) for size in range(len(usable) + 1) for some in combinations(usable, size)),
            default=Decimal(0),
        )
        assert found.is_exact
        assert found.off_amount + found.shipping_off_amount == most

    @staticmethod
    def worth(cart: Cart, some: Sequence[VoucherTerms]) -> Decimal:
        """Return what a set gives, worked out plainly: each voucher by itself on what those before it left."""
        if not are_lawful_together(some):
            return Decimal(-1)
        left = {line.line_no: line.amount for line in cart.lines}
        off = Decimal(0)
        turn = sorted(some, key=lambda one: (one.kind == "percent", -one.priority, one.expires_at, one.voucher_id))
        for one in turn:
            lines = [line for line in cart.lines if not one.category_ids or line.category_ids[0] in one.category_ids]
            there = sum((left[line.line_no] for line in lines), Decimal(0))
            wished = Decimal(0)
            if one.kind == "percent" and one.off_percent is not None:
                wished = (there * one.off_percent / 100).quantize(Decimal("0.01"), "ROUND_HALF_UP")
                wished = min(wished, one.cap_amount) if one.cap_amount is not None else wished
            elif one.off_amount is not None:
                spent = sum((line.amount for line in lines), Decimal(0))
                again = min(one.most_times, int(spent // one.min_spend_amount)) if one.kind == "threshold" else 1
                wished = one.off_amount * again
            took = min(wished, there)
            shares = (
                split({line.line_no: int(left[line.line_no] * 100) for line in lines}, int(took * 100)) if there else {}
            )
            for number, cents in shares.items():
                left[number] -= Decimal(cents) / 100
            off += took
        freed = cart.shipping_amount if any(one.kind == "shipping" for one in some) else Decimal(0)
        return off + freed

    @settings(max_examples=examples(120), deadline=None)
    @given(offered())
    def test_closes_to_the_cent_and_never_goes_below_nothing(self, given_: tuple[Cart, list[VoucherTerms]]) -> None:
        cart, held = given_
        found = best(cart, *held)
        taken = {line.line_no: Decimal(0) for line in cart.lines}
        for use in found.used:
            shares = use.shares or {}
            assert sum(shares.values(), Decimal(0)) == use.off_amount
            for number, share in shares.items():
                assert share > 0
                taken[number] += share
        assert all(taken[line.line_no] <= line.amount for line in cart.lines)
        assert sum(taken.values()) == found.off_amount

    @settings(max_examples=examples(60), deadline=None)
    @given(offered(), st.randoms())
    def test_gets_the_same_answer_in_any_order_with_a_reason_for_each(
        self, given_: tuple[Cart, list[VoucherTerms]], random: Any
    ) -> None:
        cart, held = given_
        found = best(cart, *held)
        shuffled = list(held)
        random.shuffle(shuffled)
        assert best(cart, *shuffled) == found
        told = [use.voucher_id for use in found.used] + [one.voucher_id for one in found.not_used]
        assert sorted(told) == [one.voucher_id for one in held]
        used = [one for one in held if one.voucher_id in {use.voucher_id for use in found.used}]
        assert are_lawful_together(used)


class TestSplit:
    @given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any), st.floats(0, 1))
    def test_adds_up_and_stays_within_the_weights(self, weights: list[int], share: float) -> None:
        cents = int(sum(weights) * share)
        shares = split(dict(enumerate(weights)), cents)
        assert sum(shares.values()) == cents
        assert all(0 <= shares[place] <= weight for place, weight in enumerate(weights))
