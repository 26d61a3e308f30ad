"""What a voucher's terms allow at the till, its use taken back, and holds: every refusal names the limit and changes nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from members.actors import SYSTEM
from members.models import Member, TimelineEntry
from rewards.cart import CartLine
from rewards.models import Voucher, VoucherEvent, VoucherTemplate
from rewards.refusals import RewardsRefusal
from rewards.services import voucher_refusals as no
from rewards.services.voucher_codes import voucher_code
from rewards.services.voucher_holds import (
    VoucherHoldOver,
    give_back_order_vouchers,
    hold_vouchers,
    release_held_vouchers,
    release_lapsed_vouchers,
    use_held_vouchers,
)
from rewards.services.voucher_issue import VoucherNotIssued, issue_vouchers
from rewards.services.vouchers import (
    Basket,
    VoucherReceipt,
    expire_due_vouchers,
    undo_voucher_use,
    use_voucher,
    voucher_terms_of,
)
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_channel, a_member, a_store
from tests.harness.dumps import dump

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def in_english() -> Any:
    with override("en"):
        yield


def held(**terms: Any) -> Voucher:
    """Return a voucher of these terms, issued at noon."""
    return a_voucher(a_member().pk, a_template(f"t{VoucherTemplate.objects.count()}", **terms), issued_at=NOON)


def use(
    voucher: Voucher, *, order_no: str = "A1", at: datetime = LATER, basket: Basket | None = None, **more: Any
) -> VoucherReceipt:
    known = {"store_id": a_store().pk, "spend_amount": Decimal(100), "by": TILL, "source": "till", **more}
    return use_voucher(code=voucher_code(voucher.public_id), external_order_no=order_no, at=at, basket=basket, **known)


def undo(voucher: Voucher, *, order_no: str = "A1", minutes: float = 1, store_id: int | None = None) -> VoucherReceipt:
    return undo_voucher_use(
        code=voucher_code(voucher.public_id), store_id=store_id or a_store().pk, external_order_no=order_no, by=TILL,
        at=LATER + timedelta(minutes=minutes),
    )  # fmt: skip


def refused(what: Callable[[], object], by: type[RewardsRefusal]) -> RewardsRefusal:
    """Return the refusal, having made sure that nothing changed."""
    before = dump()
    with pytest.raises(by) as caught, transaction.atomic():
        what()
    assert dump() == before
    return caught.value


def line(sku: str = "LATTE", amount: str = "30", **changes: Any) -> CartLine:
    return CartLine(1, sku, Decimal(1), Decimal(amount), **changes)


def states(voucher: Voucher) -> list[str]:
    return list(voucher.events.order_by("id").values_list("to_state", flat=True))


class TestUsing:
    def test_is_refused_outside_the_terms_with_the_limit_in_words(self) -> None:
        store, other = a_store(), a_store("S02")
        day, hour = weekday_and_hour(LATER)
        cases: list[tuple[dict[str, Any], type[RewardsRefusal], str]] = [
            ({"store_ids": [other.pk]}, no.VoucherNotForStore, f"This voucher is for other stores: {other.name}."),
            ({"weekdays": [(day + 1) % 7]}, no.VoucherNotToday, "This voucher is for "),
            (
                {"hour_from": (hour + 1) % 24, "hour_to": (hour + 2) % 24 or 24},
                no.VoucherNotThisHour,
                "can be used from",
            ),
            ({"starts_after_days": 3}, no.VoucherNotYetValid, "This voucher can be used from "),
            (
                {"min_spend_amount": Decimal(150)},
                no.MinSpendNotReached,
                "needs an order of 150.00 or more; this one is 100",
            ),
        ]
        for terms, kind, words in cases:
            refusal = refused(partial(use, held(**terms), store_id=store.pk), kind)
            assert words in refusal.sentence()
        channel = a_channel("web")
        voucher = held(channel_ids=[channel.pk])
        elsewhere = Basket(Decimal(100), channel_id=a_channel().pk)
        assert "other channels" in refused(lambda: use(voucher, basket=elsewhere), no.VoucherNotForChannel).sentence()
        assert use(voucher, basket=Basket(Decimal(100), channel_id=channel.pk)).off_amount == 5

    def test_looks_at_the_goods_where_the_lines_are_given(self) -> None:
        voucher = held(skus=["LATTE"])
        refused(lambda: use(voucher, basket=Basket(lines=(line("BAGEL"),))), no.VoucherNotForGoods)
        refused(lambda: use(voucher, basket=Basket(lines=(line(is_discountable=False),))), no.VoucherNotForGoods)
        receipt = use(voucher, basket=Basket(lines=(line("BAGEL"), CartLine(2, "LATTE", Decimal(1), Decimal(3)))))
        assert receipt.off_amount == 3
        assert receipt.use is not None
        assert receipt.use.shares == {2: Decimal(3)}
        voucher.refresh_from_db()
        assert (voucher.used_off_amount, voucher.used_source, voucher.used_order_no) == (3, "till", "A1")

    @pytest.mark.parametrize(
        ("terms", "off"),
        [
            ({"kind": "percent", "off_amount": None, "off_percent": 20, "cap_amount": 15}, 15),
            ({"kind": "threshold", "off_amount": 10, "min_spend_amount": 40, "most_times": 2}, 20),
            ({"kind": "exchange", "off_amount": None, "gift": "A latte"}, None),
            ({"kind": "shipping", "off_amount": None}, None),
            ({"kind": "multiplier", "off_amount": None, "multiplier": 2}, None),
        ],
    )
    def test_gives_what_its_kind_says(self, terms: dict[str, Any], off: int | None) -> None:
        assert use(held(**terms)).off_amount == off

    def test_stops_at_the_limit_of_a_day_which_begins_again_the_next(self) -> None:
        template, member = a_template("daily", most_used_per_day=2), a_member()
        vouchers = [a_voucher(member.pk, template, issued_at=NOON) for _number in range(4)]
        for number, voucher in enumerate(vouchers[:2]):
            use(voucher, order_no=f"D{number}")
        refusal = refused(lambda: use(vouchers[2], order_no="D2"), no.VoucherDayLimit)
        assert refusal.sentence() == "At most 2 of these vouchers can be used a day."
        assert use(vouchers[2], order_no="D2", at=LATER + timedelta(days=1)).off_amount == 5
        assert use(held(most_used_per_day=1), order_no="D3").off_amount == 5  # another member's, another template's

    def test_of_one_that_is_over_or_void_says_so(self) -> None:
        voucher = held()
        refused(lambda: use(voucher, at=voucher.expires_at), no.VoucherExpired)
        Voucher.objects.filter(pk=voucher.pk).update(state="voided")
        refused(lambda: use(voucher), no.VoucherVoided)


class TestTakingAUseBack:
    def test_gives_the_voucher_back_and_again_says_the_same(self) -> None:
        voucher = held()
        use(voucher)
        assert not undo(voucher).already_used_here
        assert undo(voucher, minutes=4).already_used_here
        voucher.refresh_from_db()
        assert (voucher.state, voucher.used_at, voucher.used_off_amount) == ("issued", None, None)
        assert states(voucher) == ["issued", "used", "issued"]
        assert TimelineEntry.objects.filter(kind="rewards.voucher_use_undone.v1").count() == 1
        assert not use(voucher, order_no="A2").already_used_here

    def test_is_refused_elsewhere_for_another_order_and_after_five_minutes(self) -> None:
        voucher = held()
        refused(lambda: undo(voucher), no.VoucherNotUsedHere)
        use(voucher)
        refused(lambda: undo(voucher, order_no="A2"), no.VoucherNotUsedHere)
        refused(lambda: undo(voucher, store_id=a_store("S02").pk), no.VoucherNotUsedHere)
        refusal = refused(lambda: undo(voucher, minutes=5), no.VoucherUndoTooLate)
        assert refusal.params == {"minutes": 5}

    def test_of_a_quoted_order_is_refused(self) -> None:
        voucher, ref = held(), uuid4()
        hold(voucher, ref=ref)
        use_held(ref)
        refused(lambda: undo(voucher), no.VoucherOfOrder)


def hold(*vouchers: Voucher, ref: UUID | None = None, minutes: int = 10, at: datetime = LATER) -> list[Voucher]:
    return hold_vouchers(
        member_id=vouchers[0].member_id, voucher_ids=[one.pk for one in vouchers], ref=ref or uuid4(),
        until=at + timedelta(minutes=minutes), by=TILL, at=at,
    )  # fmt: skip


def use_held(
    ref: UUID, *, at: datetime = LATER, off: dict[int, Decimal] | None = None, order_no: str = "A1"
) -> list[int]:
    return use_held_vouchers(
        ref=ref, source="till", external_order_no=order_no, store_id=a_store().pk, off_amounts=off or {}, by=TILL, at=at
    )


class TestHolds:
    def test_are_used_with_the_order_or_given_back(self) -> None:
        one, ref = held(), uuid4()
        other = a_voucher(one.member_id, one.template, issued_at=NOON)
        assert [row.pk for row in hold(one, other, ref=ref)] == [one.pk, other.pk]
        assert [row.pk for row in hold(one, other, ref=ref)] == [one.pk, other.pk]  # told again, moved nowhere
        assert VoucherEvent.objects.filter(to_state="held").count() == 2
        assert use_held(ref, off={one.pk: Decimal("4.20")}) == [one.pk, other.pk]
        assert use_held(ref) == []
        assert release_held_vouchers(ref=ref, by=TILL, at=LATER) == 0
        one.refresh_from_db()
        assert (one.state, one.used_off_amount, one.held_ref) == ("used", Decimal("4.20"), None)

        third, ref = held(), uuid4()
        hold(third, ref=ref)
        assert release_held_vouchers(ref=ref, by=TILL, at=LATER, reason="payment_failed") == 1
        assert release_held_vouchers(ref=ref, by=TILL, at=LATER) == 0
        assert states(third) == ["issued", "held", "issued"]
        assert use(third).off_amount == 5

    def test_keep_every_other_order_out_until_their_end(self) -> None:
        voucher, ref = held(), uuid4()
        hold(voucher, ref=ref, minutes=10)
        refused(lambda: hold(voucher), no.VoucherHeld)
        assert "is held for another order until" in refused(lambda: use(voucher), no.VoucherHeld).sentence()
        assert [one.held_until for one in voucher_terms_of(voucher.member_id, LATER)] == [LATER + timedelta(minutes=10)]
        assert [one.held_until for one in voucher_terms_of(voucher.member_id, LATER, held_ref=ref)] == [None]

    def test_past_their_end_count_as_given_back_everywhere(self) -> None:
        voucher, ref = held(), uuid4()
        hold(voucher, ref=ref, minutes=10)
        over = LATER + timedelta(minutes=10)
        voucher.refresh_from_db()
        assert voucher.state_at(over) == "issued"
        refused(lambda: use_held(ref, at=over), VoucherHoldOver)
        assert use(voucher, at=over).off_amount == 5
        assert states(voucher) == ["issued", "held", "issued", "used"]
        assert use_held(ref, at=over) == []

    def test_that_lapsed_are_noted_once(self) -> None:
        voucher = held()
        hold(voucher, minutes=10)
        over = LATER + timedelta(minutes=10)
        assert release_lapsed_vouchers(at=over - timedelta(seconds=1), by=SYSTEM) == 0
        assert release_lapsed_vouchers(at=over, by=SYSTEM) == 1
        assert release_lapsed_vouchers(at=over, by=SYSTEM) == 0
        assert TimelineEntry.objects.get(kind="rewards.voucher_released.v1").payload["expired"] is True

    def test_take_only_the_members_own_and_no_more_than_a_day_allows(self) -> None:
        mine, theirs = held(most_used_per_day=1), held()
        refused(
            lambda: hold_vouchers(
                member_id=mine.member_id,
                voucher_ids=[mine.pk, theirs.pk],
                ref=uuid4(),
                until=LATER + timedelta(1),
                by=TILL,
                at=LATER,
            ),
            no.VoucherNotUsable,
        )
        second = a_voucher(mine.member_id, mine.template, issued_at=NOON)
        refused(lambda: hold(mine, second), no.VoucherDayLimit)
        hold(mine)
        refused(lambda: hold(second), no.VoucherDayLimit)

    def test_keep_a_voucher_past_its_own_end_until_they_are_over(self) -> None:
        voucher, ref = held(validity_days=1), uuid4()
        near = voucher.expires_at - timedelta(minutes=1)
        hold(voucher, ref=ref, at=near)
        assert expire_due_vouchers(at=voucher.expires_at, by=SYSTEM) == 0
        assert use_held(ref, at=voucher.expires_at) == [voucher.pk]


class TestAVoidedOrder:
    def back(self, voucher: Voucher, days: float) -> list[int]:
        use(voucher)
        return give_back_order_vouchers(
            source="till", external_order_no="A1", store_id=a_store().pk, by=TILL, at=LATER + timedelta(days=days),
            reason="voided",
        )  # fmt: skip

    def test_gives_its_vouchers_back_once(self) -> None:
        voucher = held()
        assert self.back(voucher, 1) == [voucher.pk]
        assert give_back_order_vouchers(source="till", external_order_no="A1", by=TILL, at=LATER) == []
        before = voucher.expires_at
        voucher.refresh_from_db()
        assert (voucher.state, voucher.expires_at) == ("issued", before)
        assert voucher.events.latest("id").reason == "voided"
        assert TimelineEntry.objects.get(kind="rewards.voucher_given_back.v1").payload["store"] == a_store().pk

    def test_keeps_those_whose_template_says_so_and_those_past_their_end(self) -> None:
        assert self.back(held(is_given_back=False), 1) == []
        assert self.back(held(), 31) == []

    def test_gives_days_of_grace_past_the_end(self) -> None:
        voucher = held(grace_days=7)
        assert self.back(voucher, 31) == [voucher.pk]
        voucher.refresh_from_db()
        assert voucher.expires_at == LATER + timedelta(days=38)

    def test_gives_nothing_to_who_left_or_to_another_order(self) -> None:
        voucher = held()
        use(voucher)
        assert give_back_order_vouchers(source="web", external_order_no="A1", by=TILL, at=LATER) == []
        Member.objects.filter(pk=voucher.member_id).update(status=Member.Status.CLOSED)
        assert give_back_order_vouchers(source="till", external_order_no="A1", by=TILL, at=LATER) == []


class TestIssuing:
    def rows(self, count: int) -> list[tuple[int, UUID]]:
        return [(a_member().pk, uuid4()) for _number in range(count)]

    def test_of_what_was_told_before_issues_nothing(self) -> None:
        template, rows = a_template(), self.rows(3)
        told: dict[str, Any] = {
            "template": template,
            "origin": Voucher.Origin.BATCH,
            "origin_ref": "b1",
            "by": SYSTEM,
            "at": NOON,
        }
        first = issue_vouchers(rows=rows[:2], **told)
        assert len(first) == 2
        again = issue_vouchers(rows=rows, **told)
        assert len(again) == 1
        assert Voucher.objects.filter(origin_ref="b1").count() == 3
        assert VoucherEvent.objects.filter(to_state="issued").count() == 3
        assert TimelineEntry.objects.filter(kind="rewards.voucher_issued.v1").count() == 3
        assert [row.member_id for row in Voucher.objects.filter(pk__in=[*first, *again]).order_by("pk")] == [
            one for one, _id in rows
        ]

    def test_takes_three_statements_for_any_number(self, django_assert_max_num_queries: Any) -> None:
        template, rows = a_template(), self.rows(20)
        with django_assert_max_num_queries(6):
            issue_vouchers(template=template, rows=rows, origin=Voucher.Origin.BATCH, by=SYSTEM, at=NOON)

    def test_gives_the_span_that_the_template_says(self) -> None:
        until = NOON + timedelta(days=9)
        dates = {"validity": "dates", "validity_days": None, "valid_from": NOON + timedelta(days=2), "valid_to": until}
        fixed = held(**dates)
        assert (fixed.valid_from, fixed.expires_at) == (NOON + timedelta(days=2), until)
        delayed = held(starts_after_days=2, validity_days=3)
        assert (delayed.valid_from, delayed.expires_at) == (NOON + timedelta(days=2), NOON + timedelta(days=5))

    def test_is_refused_from_what_is_retired_or_over(self) -> None:
        member = a_member()
        over = a_template("over", validity="dates", validity_days=None, valid_to=NOON)
        for template in (a_template("retired", is_retired=True), over):
            refused(partial(a_voucher, member.pk, template, issued_at=NOON), VoucherNotIssued)


class TestATemplate:
    @pytest.mark.parametrize(
        "terms",
        [
            {"off_amount": None}, {"kind": "percent", "off_amount": None}, {"kind": "percent", "off_amount": None, "off_percent": 101},
            {"kind": "threshold", "off_amount": 10, "min_spend_amount": 5}, {"most_times": 2}, {"cap_amount": 3},
            {"gift": "A latte"}, {"validity": "dates"}, {"hour_from": 9}, {"weekdays": [7]}, {"stacking": "class"},
            {"is_given_back": False, "grace_days": 3}, {"most_held": 0}, {"kind": "multiplier", "off_amount": None, "multiplier": 1},
            {"kind": "exchange", "off_amount": None, "budget_amount": 100}, {"starts_after_days": 1, "validity": "dates"},
        ],
    )  # fmt: skip
    def test_that_makes_no_sense_is_refused_by_the_database(self, terms: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            a_template("senseless", **terms)

    def test_says_what_one_costs_at_most(self) -> None:
        assert a_template("a").most_cost_amount == 5
        assert (
            a_template("b", kind="threshold", off_amount=10, min_spend_amount=50, most_times=3).most_cost_amount == 30
        )
        assert a_template("c", kind="percent", off_amount=None, off_percent=10, cap_amount=8).most_cost_amount == 8
        assert a_template("d", kind="exchange", off_amount=None, cost_amount=6).most_cost_amount == 6
        assert a_template("e", kind="shipping", off_amount=None).most_cost_amount == 0

    def test_keeps_its_history_with_the_new_columns(self) -> None:
        template = a_template("kept", skus=["LATTE"], most_used_per_day=2)
        template.most_used_per_day = 3
        template.save()
        history = apps.get_model("rewards", "VoucherTemplateEvent").objects.filter(pgh_obj=template.pk)
        kept = history.order_by("pgh_id").values_list("pgh_label", "most_used_per_day", "skus")
        assert list(kept) == [("insert", 2, ["LATTE"]), ("update", 3, ["LATTE"])]


class TestAMillionVouchers:
    def test_are_read_by_index_wherever_one_is_looked_for(self) -> None:
        held()
        looked = {
            "used_order_no = 'A1' AND used_source = 'till' AND state = 'used'": "vouchers_of_order",
            "held_ref = gen_random_uuid() AND held_ref IS NOT NULL": "vouchers_of_hold",
            "state = 'held' AND held_until <= now()": "voucher_held_until",
            "template_id = 1": "vouchers_of_template_by_member",
            "origin = 'batch' AND origin_ref = 'b1'": "vouchers_by_origin",
        }
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            for where, index in looked.items():
                cursor.execute(f"EXPLAIN SELECT id FROM rewards_voucher WHERE {where}")
                assert index in " ".join(row[0] for row in cursor.fetchall()), where


def weekday_and_hour(moment: datetime) -> tuple[int, int]:
    """Return weekday and hour of a moment in the programme's zone."""
    local = moment.astimezone(ZoneInfo("Asia/Shanghai"))
    return local.weekday(), local.hour
