"""Holds of the till and the orders that are paid with them: once, under one end, and back as a whole."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from loyalty.models import Benefit, Entitlement
from loyalty.services.entitlements import VouchersWereIssued
from members.actors import SYSTEM, Actor
from members.admin.decisions import decision_sentence
from members.models import ApiKey, Decision, KeyDay, Member, MemberAtTill, TimelineEntry
from members.services.keys import ORDERS_WRITE
from rewards.models import Hold, LedgerTransaction, OrderHold, OrderSettlement, Purchase, PurchaseReturn, Voucher
from rewards.queries import balance_of
from rewards.services import till_holds
from rewards.services.till_holds import release_due_order_holds, release_order_hold
from rewards.services.voids import VoidTooLate, void_order
from rewards.tasks import release_due_holds
from tests.factories.api import Till, make_member, make_store, make_till, now, problem_of
from tests.factories.benefits import a_benefit, an_entitlement, given_by, holding
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.rules import follow_base_rule
from tests.factories.till import (
    a_cart,
    an_order_of,
    held,
    ordered,
    points_pay,
    quoted,
    ref,
    returned,
    shows_card,
    with_points,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return make_till()


@pytest.fixture
def member() -> Member:
    points_pay()
    found = make_member(phone="13800138000")
    with_points(found, 2_000)
    return found


@pytest.fixture
def voucher(member: Member) -> Voucher:
    return a_voucher(member.pk, issued_at=now() - timedelta(hours=1))


@pytest.fixture
def free(member: Member) -> Entitlement:
    """One order without postage."""
    benefit = a_benefit("free", kind=Benefit.Kind.SHIPPING, quota=1)
    return an_entitlement(member, benefit, at=now() - timedelta(days=1), quota=1)


LINES = a_cart("60.00", "40.00")
POSTED: dict[str, Any] = {"shipping": "8.00"}


def state_of(voucher: Voucher, entitlement: Entitlement) -> tuple[str, int]:
    voucher.refresh_from_db()
    entitlement.refresh_from_db()
    return voucher.state, entitlement.used


def points_moved_by(till: Till) -> int:
    return KeyDay.objects.get(family=till.key.family).points


class TestAHold:
    def test_sets_aside_points_vouchers_and_uses_under_one_end(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        hold = held(till, quoted(till, member, LINES, points=500, **POSTED), minutes=5)
        assert (hold["points"], hold["points_worth"], hold["vouchers"], hold["benefit_uses"]) == (500, "5.00", 1, 1)
        row = OrderHold.objects.get()
        assert row.expires_at - row.created_at == timedelta(minutes=5)
        voucher.refresh_from_db()
        assert (voucher.held_until, voucher.held_ref) == (row.expires_at, row.public_id)
        assert row.points_hold is not None
        assert row.points_hold.expires_at == row.expires_at
        assert state_of(voucher, free) == ("held", 1)
        assert balance_of(member.pk, now()).available == 1_500

    def test_of_a_quote_is_made_once(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        first = held(till, quote)
        again = till.post("/pos/holds", {"quote_id": quote["quote_id"]}, key="another")
        assert (again.status_code, again.json()) == (200, first | {"already_processed": True})
        other = till.post("/pos/holds", {"quote_id": quote["quote_id"], "points": 100}, key="third")
        assert problem_of(other) == (409, "order_conflict")
        assert Hold.objects.count() == 1

    @pytest.mark.parametrize(
        ("asked", "code"),
        [({"points": 150}, "quote_differs"), ({"points": 2_100}, "quote_differs"), ({"vouchers": []}, "quote_differs")],
    )
    def test_of_something_else_than_was_quoted_is_refused_and_sets_nothing_aside(
        self, asked: dict[str, Any], code: str, till: Till, member: Member, voucher: Voucher
    ) -> None:
        quote = quoted(till, member, LINES, points=500)
        answer = till.post("/pos/holds", {"quote_id": quote["quote_id"], **asked}, key="h")
        assert problem_of(answer) == (409, code)
        assert not OrderHold.objects.exists()
        assert not Hold.objects.exists()

    def test_that_can_not_have_all_has_nothing(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        first, second = (quoted(till, member, LINES, points=500, **POSTED) for _ in range(2))
        held(till, first)
        answer = till.post("/pos/holds", {"quote_id": second["quote_id"]}, key="second")
        assert problem_of(answer) == (409, "voucher_held")
        assert balance_of(member.pk, now()).available == 1_500
        assert OrderHold.objects.count() == 1
        assert free.uses.count() == 1

    def test_of_another_store_s_quote_does_not_exist(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        elsewhere = make_till(make_store("S02"))
        body = {"quote_id": quote["quote_id"]}
        assert problem_of(elsewhere.post("/pos/holds", body, key="h")) == (404, "not_found")
        hold = held(till, quote)
        gone = elsewhere.client.delete(
            f"/api/v1/pos/holds/{hold['id']}", headers={"authorization": f"Bearer {elsewhere.secret}"}
        )
        assert problem_of(gone) == (404, "not_found")
        assert problem_of(elsewhere.post("/pos/holds", body, key="h2")) == (404, "not_found")

    def test_waits_until_the_member_has_shown_this_till_that_they_may_spend(
        self, till: Till, member: Member, voucher: Voucher
    ) -> None:
        shows_card(make_till(), member)  # at another till
        quote = quoted(till, member, LINES, points=500, shown=False)
        body = {"quote_id": quote["quote_id"]}
        assert problem_of(till.post("/pos/holds", body, key="h")) == (403, "spending_not_shown")
        voucher.refresh_from_db()
        assert (voucher.state, balance_of(member.pk, now()).available) == ("issued", 2_000)
        assert not OrderHold.objects.exists()
        shows_card(till, member)
        assert till.post("/pos/holds", body, key="h2").status_code == 201
        MemberAtTill.objects.all().delete()
        again = till.post("/pos/holds", body, key="h3")  # whoever holds it asks nobody again
        assert (again.status_code, again.json()["already_processed"]) == (200, True)

    def test_of_vouchers_alone_asks_as_well_and_waits_while_the_phone_is_new(
        self, till: Till, member: Member, voucher: Voucher
    ) -> None:
        quote = quoted(till, member, LINES, shown=False)
        body = {"quote_id": quote["quote_id"], "points": 0}
        assert problem_of(till.post("/pos/holds", body, key="h")) == (403, "spending_not_shown")
        shows_card(till, member)
        Member.objects.filter(pk=member.pk).update(cooling_until=now() + timedelta(hours=3))
        assert problem_of(till.post("/pos/holds", body, key="h2")) == (403, "cooling_down")
        assert not OrderHold.objects.exists()
        voucher.refresh_from_db()
        assert voucher.state == "issued"
        Member.objects.filter(pk=member.pk).update(cooling_until=None)
        assert till.post("/pos/holds", body, key="h3").status_code == 201
        voucher.refresh_from_db()
        assert (voucher.state, balance_of(member.pk, now()).available) == ("held", 2_000)
        late = till.post("/pos/holds", {"quote_id": quoted(till, member, LINES, shown=False)["quote_id"]}, key="h4")
        assert late.status_code == 201  # nothing but the quote: no points, and the voucher is held already

    def test_counts_against_what_the_key_may_move_in_a_day(self, till: Till, member: Member) -> None:
        ApiKey.objects.filter(pk=till.key.pk).update(daily_points_ceiling=1_000)
        follow_base_rule(valid_from=now() - timedelta(days=30))
        first = quoted(till, member, LINES, points=500)
        hold = held(till, first)
        for key in ("again", "and again"):
            till.post("/pos/holds", {"quote_id": first["quote_id"]}, key=key)  # told again: counted once
        assert points_moved_by(till) == 500
        order = ordered(till, first, LINES, hold)
        assert points_moved_by(till) == 500 + order["points_earned"] > 500
        many = quoted(till, member, LINES, points=500)
        answer = till.post("/pos/holds", {"quote_id": many["quote_id"]}, key="many")
        assert problem_of(answer) == (409, "key_ceiling_reached")
        assert balance_of(member.pk, now()).available == 1_500 + order["points_earned"]
        assert OrderHold.objects.count() == 1

    def test_of_a_guest_is_refused(self, till: Till) -> None:
        quote = quoted(till, None, LINES)
        assert problem_of(till.post("/pos/holds", {"quote_id": quote["quote_id"]}, key="h")) == (422, "nothing_to_hold")

    def test_is_given_back_by_the_till_once(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        hold = held(till, quoted(till, member, LINES, points=500, **POSTED))
        for state, known in (("released", False), ("released", True)):
            answer = till.client.delete(
                f"/api/v1/pos/holds/{hold['id']}", headers={"authorization": f"Bearer {till.secret}"}
            )
            assert answer.status_code == 200
            assert (answer.json()["state"], answer.json()["already_processed"]) == (state, known)
        assert state_of(voucher, free) == ("issued", 0)
        assert balance_of(member.pk, now()).available == 2_000

    def test_past_its_end_counts_for_nothing_at_once_and_is_given_back_by_the_beat(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        quote = quoted(till, member, LINES, points=500, **POSTED)
        hold = held(till, quote)
        later = now() + timedelta(minutes=11)
        balance = balance_of(member.pk, later)
        assert (balance.available, balance.held, sum(part.points for part in balance.expiring)) == (2_000, 0, 2_000)
        assert voucher.__class__.objects.get(pk=voucher.pk).state_at(later) == "issued"
        OrderHold.objects.update(created_at=now() - timedelta(minutes=20), expires_at=now() - timedelta(minutes=1))
        Hold.objects.update(created_at=now() - timedelta(minutes=20), expires_at=now() - timedelta(minutes=1))
        Voucher.objects.update(held_until=now() - timedelta(minutes=1))
        # Every reader knows before the beat does, and the next hold takes what is free.
        again = quoted(till, member, LINES, points=2_000, **POSTED)
        assert again["points_payable"]["max"] == 2_000
        assert {one["kind"] for one in again["deductions"]} == {"shipping", "voucher", "points"}
        late = till.post("/pos/orders", an_order_of(quote, LINES, hold, **POSTED), key="late")
        assert problem_of(late) == (409, "hold_expired")
        assert not Purchase.objects.exists()
        release_due_holds()
        assert OrderHold.objects.get().state == "expired"
        assert state_of(voucher, free) == ("issued", 0)
        assert balance_of(member.pk, now()).available == 2_000
        assert release_due_order_holds(at=now()) == 0
        held(till, again)

    def test_that_can_not_be_given_back_holds_no_other_up(
        self, till: Till, member: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(2):
            held(till, quoted(till, member, LINES, points=500, **POSTED))
        OrderHold.objects.update(created_at=now() - timedelta(minutes=20), expires_at=now() - timedelta(minutes=1))
        stuck, other = OrderHold.objects.order_by("pk")
        give_back = till_holds.give_back

        def refused(hold: OrderHold, **told: Any) -> None:
            if hold == stuck:
                raise VouchersWereIssued
            give_back(hold, **told)

        monkeypatch.setattr(till_holds, "give_back", refused)
        assert release_due_order_holds(at=now()) == 1
        assert list(OrderHold.objects.order_by("pk").values_list("state", flat=True)) == ["open", "expired"]
        assert OrderHold.objects.get(state="expired") == other

    def test_past_its_end_makes_way_for_the_next_one_without_the_beat(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        held(till, quoted(till, member, LINES, points=2_000, **POSTED))
        OrderHold.objects.update(created_at=now() - timedelta(minutes=20), expires_at=now() - timedelta(minutes=1))
        Hold.objects.update(created_at=now() - timedelta(minutes=20), expires_at=now() - timedelta(minutes=1))
        Voucher.objects.update(held_until=now() - timedelta(minutes=1))
        hold = held(till, quoted(till, member, LINES, points=2_000, **POSTED))
        assert (hold["points"], hold["vouchers"], hold["benefit_uses"]) == (2_000, 1, 1)
        assert sorted(OrderHold.objects.values_list("state", flat=True)) == ["expired", "open"]

    def test_is_not_given_back_once_its_order_is_recorded(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        hold = held(till, quote)
        ordered(till, quote, LINES, hold)
        gone = till.client.delete(f"/api/v1/pos/holds/{hold['id']}", headers={"authorization": f"Bearer {till.secret}"})
        assert problem_of(gone) == (409, "hold_captured")
        release_due_holds()
        assert OrderHold.objects.get().state == "captured"


class TestAQuotedOrder:
    def test_is_paid_with_what_was_set_aside_and_earns_on_the_rest(
        self, till: Till, member: Member, voucher: Voucher, free: Entitlement
    ) -> None:
        quote = quoted(till, member, LINES, points=500, **POSTED)
        told = ordered(till, quote, LINES, held(till, quote), **POSTED)
        assert (told["total_amount"], told["points_earned"]) == ("90.00", 90)
        settlement = told["settlement"]
        assert (settlement["total"], settlement["discount"], settlement["points_worth"]) == ("108.00", "13.00", "5.00")
        assert [one["kind"] for one in settlement["deductions"]] == ["shipping", "voucher", "points"]
        assert state_of(voucher, free) == ("used", 1)
        seen = till.get(f"/pos/orders/{told['external_order_no']}").json()
        assert seen["settlement"] == settlement
        assert [line["amount"] for line in seen["lines"]] == ["54.00", "36.00", "0.00"]
        assert balance_of(member.pk, now()).available == 1_590
        used = OrderSettlement.objects.get().deductions.get(kind="shipping").use
        assert used is not None
        assert used.entitlement_id == free.pk

    def test_raises_the_points_by_a_voucher_for_more(self, till: Till, member: Member) -> None:
        triple = a_template(
            "triple", kind="multiplier", off_amount=None, multiplier=Decimal(3), name="三倍", name_en="Triple"
        )
        a_voucher(member.pk, triple, issued_at=now() - timedelta(hours=1))
        quote = quoted(till, member, LINES)
        told = ordered(till, quote, LINES, held(till, quote))
        assert told["points_earned"] == quote["earn"]["total"] == 300
        assert told["explain"][1]["label"] == "Triple: ×3 on 100 points"

    def test_needs_no_hold_where_nothing_is_set_aside(self, till: Till, member: Member) -> None:
        holding("gold", since=now() - timedelta(days=2), member=member)
        given_by("gold", a_benefit("ten", kind=Benefit.Kind.DISCOUNT, quota=None), figure=Decimal(10))
        quote = quoted(till, member, LINES)
        told = ordered(till, quote, LINES)
        assert (told["total_amount"], told["settlement"]["discount"]) == ("90.00", "10.00")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"lines": a_cart("60.00")}, 409, "quote_differs"),
            ({"shipping": "1.00"}, 409, "quote_differs"),
            ({"hold_id": None}, 409, "hold_required"),
            ({"member_ref": f"mem_{'0' * 25}1"}, 404, "not_found"),
            ({"quote_id": f"quo_{'0' * 26}"}, 409, "quote_differs"),
            ({"hold_id": f"hol_{'0' * 26}"}, 404, "not_found"),
        ],
    )
    def test_that_is_not_what_was_quoted_is_refused_and_changes_nothing(
        self, change: dict[str, Any], status: int, code: str, till: Till, member: Member, voucher: Voucher
    ) -> None:
        quote = quoted(till, member, LINES, points=500)
        order = {**an_order_of(quote, LINES, held(till, quote)), **change}
        order = {name: value for name, value in order.items() if value is not None}
        assert problem_of(till.post("/pos/orders", order, key="o")) == (status, code)
        assert not Purchase.objects.exists()
        assert OrderHold.objects.get().state == "open"
        assert not LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.CAPTURE).exists()

    def test_names_its_member_by_either_ref_after_a_merge(self, till: Till, member: Member) -> None:
        gone, other = make_member(), make_member()
        Member.objects.filter(pk=gone.pk).update(merged_into=member)
        quote = quoted(till, gone, LINES)
        wrong = an_order_of(quote, LINES, member_ref=ref(other))
        assert problem_of(till.post("/pos/orders", wrong, key="w")) == (409, "quote_differs")
        assert ordered(till, quote, LINES, member_ref=ref(gone))["points_earned"] == 100
        ordered(till, quoted(till, gone, LINES), LINES, member_ref=ref(member))
        assert set(Purchase.objects.values_list("member_id", flat=True)) == {member.pk}
        early = quoted(till, other, LINES)
        Member.objects.filter(pk=other.pk).update(merged_into=member)
        ordered(till, early, LINES, member_ref=ref(member))

    def test_of_who_was_frozen_meanwhile_does_not_use_their_vouchers(
        self, till: Till, member: Member, voucher: Voucher
    ) -> None:
        quote = quoted(till, member, LINES)
        order = an_order_of(quote, LINES, held(till, quote))
        Member.objects.filter(pk=member.pk).update(status="frozen", frozen_but_earns=True)
        assert problem_of(till.post("/pos/orders", order, key="1")) == (409, "member_frozen")
        voucher.refresh_from_db()
        assert (voucher.state, OrderHold.objects.get().state, Purchase.objects.exists()) == ("held", "open", False)
        Member.objects.filter(pk=member.pk).update(frozen_but_spends=True)
        assert till.post("/pos/orders", order, key="2").status_code == 201
        voucher.refresh_from_db()
        assert voucher.state == "used"

    def test_of_an_old_quote_is_refused(self, till: Till, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rewards.services.till_quotes.QUOTE_VALID", timedelta(seconds=0))
        quote = quoted(till, member, LINES)
        assert problem_of(till.post("/pos/holds", {"quote_id": quote["quote_id"]}, key="h")) == (409, "quote_expired")
        assert problem_of(till.post("/pos/orders", an_order_of(quote, LINES), key="o")) == (409, "quote_expired")

    def test_is_known_for_ever_by_its_number(self, till: Till, member: Member, voucher: Voucher) -> None:
        quote = quoted(till, member, LINES, points=500)
        order = an_order_of(quote, LINES, held(till, quote))
        first = till.post("/pos/orders", order, key="1").json()
        again = till.post("/pos/orders", order, key="2")
        assert (again.status_code, again.json()) == (200, first | {"already_processed": True})
        bare = {name: order[name] for name in ("external_order_no", "ordered_at", "lines")}
        assert problem_of(till.post("/pos/orders", bare, key="3")) == (409, "order_conflict")
        other = order | {"external_order_no": "ANOTHER"}
        assert problem_of(till.post("/pos/orders", other, key="4")) == (409, "hold_captured")

    def test_does_not_take_the_number_of_one_that_was_not_quoted(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES, points=500)
        order = an_order_of(quote, LINES, held(till, quote))
        bare = {name: order[name] for name in ("external_order_no", "ordered_at", "lines")}
        assert till.post("/pos/orders", bare, key="1").status_code == 201
        assert problem_of(till.post("/pos/orders", order, key="2")) == (409, "order_conflict")
        assert OrderHold.objects.get().state == "open"

    def test_names_its_postage_only_when_it_was_quoted(self, till: Till) -> None:
        order = {"external_order_no": "P", "ordered_at": now().isoformat(), "lines": LINES, "shipping": "8.00"}
        assert problem_of(till.post("/pos/orders", order, key="p")) == (400, "validation_error")

    def test_that_costs_nothing_gives_back_its_points_with_its_goods(self, till: Till, member: Member) -> None:
        lines = a_cart("10.00", "5.00")
        quote = quoted(till, member, lines, points=1_500)
        told = ordered(till, quote, lines, held(till, quote))
        assert (told["total_amount"], told["points_available"]) == ("0.00", 500)
        first = returned(till, told["external_order_no"], {"line_no": 2, "quantity": "1"})
        assert (first["amount"], first["points_given_back"]) == ("0.00", 500)
        assert returned(till, told["external_order_no"])["points_given_back"] == 1_000
        assert balance_of(member.pk, now()).available == 2_000

    def test_whose_last_money_is_paid_back_for_goods_that_stay_gives_back_all_its_points(
        self, till: Till, member: Member
    ) -> None:
        lines = [{"sku": "SKU-1", "name": "Two", "quantity": "2", "amount": "100.00"}]
        quote = quoted(till, member, lines, points=2_000)
        number = ordered(till, quote, lines, held(till, quote))["external_order_no"]
        back = [
            returned(till, number, line)
            for line in (
                {"line_no": 1, "quantity": "1"},
                {"line_no": 1, "amount": "30.00"},
                {"line_no": 1, "amount": "10.00"},
                {"line_no": 1, "quantity": "1"},
            )
        ]
        assert [one["amount"] for one in back] == ["40.00", "30.00", "10.00", "0.00"]
        assert [one["points_given_back"] for one in back] == [1_000, 375, 625, 0]

    def test_gives_back_nothing_more_for_money_that_is_all_there_by_rounding(self, till: Till, member: Member) -> None:
        ten = a_voucher(member.pk, a_template("ten", off_amount=Decimal(10)), issued_at=now() - timedelta(hours=1))
        lines = [{"sku": "SKU-1", "name": "Two", "quantity": "2", "amount": "20.01"}]
        quote = quoted(till, member, lines, points=1_000)
        number = ordered(till, quote, lines, held(till, quote))["external_order_no"]
        back = [returned(till, number, {"line_no": 1, "quantity": "1"}) for _ in range(2)]
        assert [one["amount"] for one in back] == ["0.01", "0.00"]
        assert [(one["points_given_back"], one["vouchers_given_back"]) for one in back] == [(500, 0), (500, 1)]
        ten.refresh_from_db()
        assert ten.state == "issued"


class TestAVoid:
    def test_leaves_everything_as_it_was(self, till: Till, member: Member, voucher: Voucher, free: Entitlement) -> None:
        quote = quoted(till, member, LINES, points=500, **POSTED)
        told = ordered(till, quote, LINES, held(till, quote), **POSTED)
        path = f"/pos/orders/{told['external_order_no']}/void"
        void = till.post(path, {}, key="v")
        assert void.status_code == 201, void.json()
        took = void.json()["took_back"]
        assert (took["points_taken_back"], took["points_given_back"], took["vouchers_given_back"]) == (90, 500, 1)
        assert took["benefit_uses_given_back"] == 1
        assert took["sentence"] == (
            "Refund of ¥90.00: 90 points taken back, 500 points that had paid come back, 1 voucher comes back, "
            "1 use of a benefit comes back."
        )
        assert state_of(voucher, free) == ("issued", 0)
        assert balance_of(member.pk, now()).available == 2_000
        again = till.post(path, {}, key="v2")
        assert (again.status_code, again.json()["already_processed"]) == (200, True)
        assert again.json()["took_back"] == took | {"already_processed": True}
        assert PurchaseReturn.objects.count() == 1
        seen = till.get(f"/pos/orders/{told['external_order_no']}").json()
        assert seen["voided_at"] == void.json()["voided_at"]
        assert TimelineEntry.objects.filter(kind="rewards.order_voided.v1", member_id=member.pk).count() == 1

    def test_of_another_day_or_after_a_return_is_refused(self, till: Till, member: Member) -> None:
        quote = quoted(till, member, LINES)
        told = ordered(till, quote, LINES)
        purchase = Purchase.objects.get()
        with pytest.raises(VoidTooLate):
            void_order(purchase_id=purchase.pk, by=SYSTEM, at=now() + timedelta(days=1))
        returned(till, told["external_order_no"], {"line_no": 1, "quantity": "1"})
        answer = till.post(f"/pos/orders/{told['external_order_no']}/void", {}, key="v")
        assert problem_of(answer) == (409, "order_has_returns")
        assert PurchaseReturn.objects.count() == 1

    def test_is_for_orders_of_the_own_store_and_with_the_scope(self, till: Till, member: Member) -> None:
        told = ordered(till, (quote := quoted(till, member, LINES)), LINES)
        path = f"/pos/orders/{told['external_order_no']}/void"
        assert problem_of(make_till(make_store("S02")).post(path, {}, key="v")) == (404, "not_found")
        assert problem_of(make_till(scopes=["orders.read"]).post(path, {}, key="v")) == (403, "insufficient_scope")
        assert problem_of(make_till(scopes=[ORDERS_WRITE]).post(path, {})) == (400, "idempotency_key_missing")
        assert quote["payable"] == "100.00"

    def test_frees_the_caps_it_used(self, till: Till, member: Member) -> None:
        follow_base_rule(valid_from=now() - timedelta(days=1), cap_day_points=100)
        for _ in range(2):
            quote = quoted(till, member, LINES)
            told = ordered(till, quote, LINES)
            assert told["points_earned"] == 100
            assert till.post(f"/pos/orders/{told['external_order_no']}/void", {}, key=told["id"]).status_code == 201


class TestStaff:
    def test_gives_a_hold_back_with_a_reason(self, till: Till, member: Member) -> None:
        held(till, quoted(till, member, LINES, points=500))
        hold = OrderHold.objects.get()
        by = Actor("operator", 1)
        release_order_hold(hold_id=hold.pk, by=by, at=now(), reason="The till broke")
        hold.refresh_from_db()
        assert (hold.state, hold.closed_reason) == ("released", "The till broke")

    def test_reads_quotes_and_voids_in_words(self, till: Till, member: Member) -> None:
        quoted(till, member, LINES, points=500)
        with override("en"):
            said = decision_sentence(Decision.objects.get(kind="quote"))
        assert said == "A till quoted a cart: ¥95.00 to pay beside 500 points, 95 points to earn."
