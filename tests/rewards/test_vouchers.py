"""Vouchers: codes that are stored nowhere, used once, until their end."""

import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import override_settings
from django.utils.translation import override

from members.models import Member, TimelineEntry
from rewards.models import Voucher, VoucherEvent
from rewards.refusals import RewardsRefusal
from rewards.services.purchases import MemberClosed, MemberFrozen
from rewards.services.redemptions import RedemptionReceipt, redeem_reward
from rewards.services.voucher_checks import check_voucher
from rewards.services.vouchers import (
    MinSpendNotReached,
    VoucherExpired,
    VoucherNotUsable,
    VoucherReceipt,
    VoucherUsed,
    code_hmac,
    expire_due_vouchers,
    use_voucher,
    voucher_code,
)
from tests.factories.catalogue import a_reward, a_template
from tests.factories.histories import with_points
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_store
from tests.harness.dumps import dump

_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")


def a_redeemed_voucher(**template: object) -> RedemptionReceipt:
    """Return a redemption at noon, with the code of its voucher."""
    member = with_points(100, moment=NOON - timedelta(days=1))
    reward = a_reward(30, template=a_template("tested", **template))
    return redeem_reward(member_id=member.pk, reward_id=reward.pk, request_id=f"wish of {member.pk}", by=TILL, at=NOON)


def use(
    code: str, *, order_no: str = "A1", store_id: int | None = None, spend: str | None = None, days: float = 1
) -> VoucherReceipt:
    """Use a code some days after noon."""
    amount = Decimal(spend) if spend else None
    return use_voucher(
        code=code,
        store_id=store_id,
        external_order_no=order_no,
        spend_amount=amount,
        by=TILL,
        at=NOON + timedelta(days=days),
    )


class TestCode:
    """A code …"""

    def test_has_sixteen_characters_that_are_hard_to_misread(self) -> None:
        codes = {voucher_code(uuid4()) for _ in range(500)}
        assert len(codes) == 500
        assert all(_CODE.fullmatch(code) for code in codes)

    def test_carries_eighty_bits(self) -> None:
        # 16 characters of 5 bits; over many codes each place takes each of the 32 characters.
        plain = [voucher_code(uuid4()).replace("-", "") for _ in range(2000)]
        assert {len({code[place] for code in plain}) for place in range(16)} == {32}

    def test_takes_each_character_as_often_at_each_place(self) -> None:
        # Pearson's chi-square of 32 characters, 31 degrees of freedom: above 74 in one of 40,000 fair samples.
        plain = [voucher_code(UUID(int=number << 64)).replace("-", "") for number in range(8_000)]
        expected = len(plain) / 32
        for place in range(16):
            found = Counter(code[place] for code in plain)
            assert sum((found[one] - expected) ** 2 / expected for one in "0123456789ABCDEFGHJKMNPQRSTVWXYZ") < 74, (
                place
            )

    def test_depends_on_the_secret(self) -> None:
        public_id = uuid4()
        code, key = voucher_code(public_id), code_hmac("0110-1111-0000-ABCD")
        with override_settings(CODE_SECRET="another one"):
            assert voucher_code(public_id) != code
            assert code_hmac("0110-1111-0000-ABCD") != key

    @pytest.mark.parametrize(
        "change", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} ".replace("-", " ")]
    )
    def test_is_found_however_it_is_typed(self, change: object) -> None:
        code = voucher_code(uuid4())
        assert code_hmac(change(code)) == code_hmac(code)  # type: ignore[operator]

    def test_is_found_with_misread_letters(self) -> None:
        assert code_hmac("OIL0-1111-0000-ABCD") == code_hmac("0110-1111-0000-ABCD")

    @pytest.mark.django_db
    def test_stands_nowhere_in_the_database(self) -> None:
        code = a_redeemed_voucher().code
        plain = code.replace("-", "")
        number = 0
        for character in plain:
            number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
        forms = [code, plain, number.to_bytes(10).hex(), code.encode().hex(), plain.encode().hex(), str(number)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
            )
            tables = [name for (name,) in cursor.fetchall()]
            assert "rewards_voucher" in tables
            for table in tables:
                # A row as text shows bytes in hexadecimal.
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" AS t WHERE lower(t::text) LIKE ANY (%s)',
                    [[f"%{form.lower()}%" for form in forms]],
                )
                assert cursor.fetchone() == (0,), table

    @pytest.mark.django_db
    def test_is_not_its_look_up_key(self) -> None:
        receipt = a_redeemed_voucher()
        key = bytes(Voucher.objects.get().code_hmac)
        assert key == code_hmac(receipt.code)
        assert key.hex().upper() not in receipt.code


@pytest.mark.django_db
class TestUse:
    """A voucher …"""

    def test_gives_what_its_template_says(self) -> None:
        store = a_store()
        receipt = use(a_redeemed_voucher().code, store_id=store.pk)
        assert (receipt.off_amount, receipt.already_used_here) == (Decimal(5), False)
        assert Voucher.objects.get().state == Voucher.State.USED
        event = VoucherEvent.objects.latest("id")
        assert (event.from_state, event.to_state, event.store_id, event.external_order_no) == (
            "issued",
            "used",
            store.pk,
            "A1",
        )
        assert (event.actor_kind, event.actor_id, event.happened_at) == (TILL.kind, TILL.id, NOON + timedelta(days=1))

    def test_for_goods_gives_no_money_off(self) -> None:
        code = a_redeemed_voucher(kind="exchange", off_amount=None).code
        assert use(code).off_amount is None

    def test_is_told_on_the_timeline(self) -> None:
        redeemed = a_redeemed_voucher()
        store = a_store()
        use(redeemed.code, store_id=store.pk)
        entry = TimelineEntry.objects.latest("id")
        assert (entry.kind, entry.member_id) == ("rewards.voucher_used.v1", redeemed.redemption.member_id)
        voucher = redeemed.redemption.voucher
        assert voucher is not None
        assert entry.payload == {
            "voucher": voucher.pk,
            "template": voucher.template_id,
            "store": store.pk,
            "order_no": "A1",
        }

    def test_used_again_for_the_same_order_gets_the_first_answer_and_changes_nothing(self) -> None:
        code = a_redeemed_voucher().code
        first = use(code)
        before = dump()
        again = use(code, days=60)
        assert (again.voucher, again.off_amount, again.already_used_here) == (first.voucher, first.off_amount, True)
        assert dump() == before

    @pytest.mark.parametrize("order_no", ["A2", "A1"])
    def test_used_before_is_refused_and_nothing_changes(self, order_no: str) -> None:
        code = a_redeemed_voucher().code
        use(code)
        store = a_store().pk if order_no == "A1" else None  # the same number in another store is another order
        before = dump()
        with pytest.raises(VoucherUsed) as refused:
            use(code, order_no=order_no, store_id=store)
        assert refused.value.code == "voucher_used"
        assert dump() == before

    def test_can_be_used_up_to_its_last_moment(self) -> None:
        assert use(a_redeemed_voucher().code, days=30 - 1e-9).off_amount == 5

    def test_is_refused_from_its_end_on_and_nothing_changes(self) -> None:
        code = a_redeemed_voucher().code
        before = dump()
        with pytest.raises(VoucherExpired):
            use(code, days=30)
        assert dump() == before

    @pytest.mark.parametrize(
        ("spend", "is_enough"), [("29.99", False), (None, False), ("30.00", True), ("99.00", True)]
    )
    def test_asks_for_the_least_spend_of_its_template(self, spend: str | None, is_enough: bool) -> None:
        code = a_redeemed_voucher(min_spend_amount=Decimal("30.00")).code
        before = dump()
        if is_enough:
            assert use(code, spend=spend).off_amount == 5
        else:
            with pytest.raises(MinSpendNotReached) as refused:
                use(code, spend=spend)
            assert refused.value.params == {"required": "30.00", "spend": spend or "0"}
            assert dump() == before

    @pytest.mark.parametrize(
        ("status", "refusal"), [(Member.Status.FROZEN, MemberFrozen), (Member.Status.CLOSED, MemberClosed)]
    )
    def test_of_a_member_who_is_not_active_is_refused_and_nothing_changes(
        self, status: str, refusal: type[RewardsRefusal]
    ) -> None:
        code = a_redeemed_voucher().code
        Member.objects.update(status=status)
        before = dump()
        with pytest.raises(refusal):
            use(code)
        assert dump() == before


@pytest.mark.django_db
class TestWrongCode:
    """A wrong code …"""

    @pytest.mark.parametrize("wrong", ["", "-", "0000-0000-0000-0000", "'; --", "五元券", "A" * 5000, "one letter"])
    def test_gets_the_same_answer_whatever_is_wrong(self, wrong: str) -> None:
        code = a_redeemed_voucher().code
        if wrong == "one letter":
            wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        before = dump()
        with pytest.raises(VoucherNotUsable) as refused, override("en"):
            use(wrong)
        assert (refused.value.code, refused.value.status, refused.value.params) == ("voucher_not_usable", 409, {})
        assert dump() == before


@pytest.mark.django_db
class TestCheck:
    """Looking at a voucher …"""

    def test_says_what_it_would_give_and_changes_nothing(self) -> None:
        code = a_redeemed_voucher().code
        before = dump()
        receipt = check_voucher(code=code, store_id=None, spend_amount=None, by=TILL, at=NOON)
        assert receipt.off_amount == 5
        assert dump() == before
        assert not use(code).already_used_here


@pytest.mark.django_db
class TestExpiry:
    """Vouchers past their end …"""

    def test_are_closed_once(self) -> None:
        redeemed = a_redeemed_voucher()
        assert expire_due_vouchers(at=NOON + timedelta(days=30, microseconds=-1), by=TILL) == 0
        assert expire_due_vouchers(at=NOON + timedelta(days=30), by=TILL) == 1
        assert expire_due_vouchers(at=NOON + timedelta(days=31), by=TILL) == 0
        assert Voucher.objects.get().state == Voucher.State.EXPIRED
        event = VoucherEvent.objects.latest("id")
        assert (event.from_state, event.to_state, event.happened_at) == ("issued", "expired", NOON + timedelta(days=30))
        entry = TimelineEntry.objects.latest("id")
        assert (entry.kind, entry.payload) == (
            "rewards.voucher_expired.v1",
            {"voucher": redeemed.redemption.voucher_id},
        )

    def test_are_closed_a_few_at_a_time(self) -> None:
        for _ in range(3):
            a_redeemed_voucher()
        late = NOON + timedelta(days=40)
        assert [expire_due_vouchers(at=late, by=TILL, limit=2) for _ in range(3)] == [2, 1, 0]

    def test_are_refused_at_the_till_when_closed(self) -> None:
        code = a_redeemed_voucher().code
        expire_due_vouchers(at=NOON + timedelta(days=30), by=TILL)
        with pytest.raises(VoucherExpired):
            use(code)

    def test_leave_used_ones_alone(self) -> None:
        use(a_redeemed_voucher().code)
        assert expire_due_vouchers(at=NOON + timedelta(days=40), by=TILL) == 0
        assert Voucher.objects.get().state == Voucher.State.USED
