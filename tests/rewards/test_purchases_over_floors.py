"""What a purchase meets when staff or a plan gave its member a tier, live and in an import."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.queries import earned_tier_at, tier_at
from loyalty.services.floors import refresh_floors
from members.actors import SYSTEM
from rewards.queries import balance_of
from rewards.services.bulk import post_history
from rewards.services.purchases import PurchaseReceipt, record_purchase
from rewards.services.returns import record_return
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL, a_member
from tests.factories.plans import a_floor

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def buy(*args: object, **changes: object) -> PurchaseReceipt:
    order = an_order(*args, **changes)  # type: ignore[arg-type]
    return record_purchase(order=order, by=TILL, at=order.ordered_at)


class TestAPurchase:
    def test_earns_by_the_tier_that_was_given_and_counts_towards_the_earned_one(self) -> None:
        member = a_member()
        a_floor(member.pk, "gold", NOON - DAY, NOON + DAY)
        receipt = buy(member, "100.00")
        assert (receipt.tier_code, receipt.points, receipt.tier_changed_to) == ("gold", 125, "")
        assert buy(member, "100.00", ordered_at=NOON + DAY).tier_code == "member"  # it has ended, followed or not
        refresh_floors(at=NOON + 2 * DAY)
        assert buy(member, "100.00", ordered_at=NOON + 2 * DAY).tier_code == "member"
        late = an_order(member, "100.00", ordered_at=NOON + timedelta(hours=1))
        assert record_purchase(order=late, by=TILL, at=NOON + 3 * DAY).tier_code == "gold"

    def test_that_rises_beneath_it_is_no_change_the_receipt_tells_now_and_when_repeated(self) -> None:
        member = a_member()
        a_floor(member.pk, "gold", NOON - DAY, None)
        order = an_order(member, "600.00")
        receipts = [record_purchase(order=order, by=TILL, at=NOON) for _ in range(2)]
        assert [(one.tier_code, one.tier_changed_to) for one in receipts] == [("gold", ""), ("gold", "")]
        assert earned_tier_at(member.pk, NOON).code == "silver"

    def test_that_rises_above_it_tells_the_change_now_and_when_repeated(self) -> None:
        member = a_member()
        a_floor(member.pk, "gold", NOON - DAY, None)
        order = an_order(member, "6000.00")
        receipts = [record_purchase(order=order, by=TILL, at=NOON) for _ in range(2)]
        assert [(one.tier_code, one.tier_changed_to) for one in receipts] == [("gold", "diamond")] * 2

    @pytest.mark.parametrize(("floor", "told"), [("silver", "silver"), ("gold", ""), ("diamond", "")])
    def test_that_comes_back_tells_what_the_member_holds_then(self, floor: str, told: str) -> None:
        member = a_member()
        a_floor(member.pk, floor, NOON - DAY, None)
        order = an_order(member, "1600.00")  # gold
        record_purchase(order=order, by=TILL, at=NOON)
        back = a_return(order)
        receipts = [record_return(ret=back, by=TILL, at=back.returned_at) for _ in range(2)]
        assert [one.tier_changed_to for one in receipts] == [told, told]
        assert earned_tier_at(member.pk, NOON + 2 * DAY).code == "member"
        assert tier_at(member.pk, NOON + 2 * DAY).code == floor

    def test_in_an_import_is_as_it_is_live(self) -> None:
        live, imported = a_member(), a_member()
        moments = [NOON, NOON + DAY, NOON + 5 * DAY, NOON + 9 * DAY]
        for member in (live, imported):
            a_floor(member.pk, "gold", NOON + DAY, NOON + 5 * DAY, ref=f"m{member.pk}", at=NOON)
        for moment in moments:
            buy(live, "300.00", ordered_at=moment)
        orders = [an_order(imported, "300.00", ordered_at=moment) for moment in moments]
        post_history(orders=orders, returns=[], by=SYSTEM, at=NOON + 10 * DAY, quiet=True)
        points = [balance_of(member.pk, NOON + 10 * DAY).available for member in (live, imported)]
        # 300, then 375 as gold, then 300 and 330: silver with the second order of 300.
        assert points[0] == points[1] == 300 + 375 + 330 + 330
        assert Decimal(points[0]) == 1335
