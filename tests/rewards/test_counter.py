"""The counter (核销): vouchers used and orders handed over by staff without a till."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from members.actors import SYSTEM
from members.admin.decisions import decision_sentence
from members.models import Decision, Operator, Store
from rewards.models import Redemption, RedemptionState, Voucher, VoucherEvent
from rewards.services.counter import CodeNotKnown, HandedOverTooLongAgo, serve, take_pickup_back, take_voucher_back
from rewards.services.fulfilment import PICKUP_LOOKUP, PickupElsewhere
from rewards.services.secret_codes import lookup_key
from rewards.services.vouchers import VoucherUsed, voucher_code
from tests.factories.api import make_member, make_store
from tests.factories.catalogue import a_template, a_voucher
from tests.factories.fulfilment import a_pickup
from tests.factories.portal import an_operator

pytestmark = pytest.mark.django_db
PAGE = "/admin/rewards/voucher/counter/"
PICKUP = "7K2M-9PQR-3STV-4WXY"


@pytest.fixture
def store() -> Store:
    return make_store("S01")


@pytest.fixture
def voucher() -> Voucher:
    return a_voucher(make_member().pk, issued_at=timezone.now() - timedelta(days=1))


@pytest.fixture
def order(store: Store) -> Redemption:
    return a_pickup(
        store, at=timezone.now() - timedelta(days=1), state=RedemptionState.READY, pickup_hmac=lookup_key(PICKUP_LOOKUP, PICKUP),
        cash_amount=Decimal("9.90"),
    )  # fmt: skip


def at_the_counter(*stores: Store) -> tuple[Client, Operator]:
    """Return the window of a member of staff who works in these stores and may stand at the counter."""
    operator = an_operator("store")
    operator.stores.set(stores)
    operator.user_permissions.add(Permission.objects.get(codename="serve_at_counter"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    return client, operator


def scan(client: Client, code: str, **more: str) -> str:
    page = client.get(PAGE).content.decode()
    slip = re.search(r'name="slip_no" value="(C-[0-9A-Z]{8})"', page)
    assert slip
    return client.post(PAGE, {"slip_no": slip[1], "code": code, **more}).content.decode()


def served(store: Store, code: str, **changes: Any) -> Any:
    told = {"order_no": "A-1", "spend_amount": None, "by": SYSTEM, "at": timezone.now(), **changes}
    return serve(code=code, store_id=store.pk, **told)


class TestACode:
    def test_of_a_voucher_uses_it_once(self, store: Store, voucher: Voucher) -> None:
        code = voucher_code(voucher.public_id)
        first = served(store, code.lower())
        assert (first.voucher, first.off_amount, first.again) == (voucher, Decimal(5), False)
        assert served(store, code).again
        with pytest.raises(VoucherUsed):
            served(store, code, order_no="A-2")

    def test_of_a_pick_up_hands_the_order_over_once(self, store: Store, order: Redemption) -> None:
        assert (served(store, PICKUP).redemption, served(store, PICKUP).again) == (order, True)
        order.refresh_from_db()
        assert order.state == RedemptionState.DONE

    def test_of_a_pick_up_in_another_store_changes_nothing(self, order: Redemption) -> None:
        with pytest.raises(PickupElsewhere):
            served(make_store("S02"), PICKUP)
        order.refresh_from_db()
        assert order.state == RedemptionState.READY

    def test_of_nothing_gets_one_answer(self, store: Store) -> None:
        with pytest.raises(CodeNotKnown):
            served(store, "AAAA-BBBB-CCCC-DDDD")


class TestTakingBack:
    def test_makes_a_voucher_usable_again(self, store: Store, voucher: Voucher) -> None:
        served(store, voucher_code(voucher.public_id))
        told: dict[str, Any] = {"voucher_id": voucher.pk, "store_id": store.pk, "by": SYSTEM, "at": timezone.now()}
        assert take_voucher_back(**told).state == take_voucher_back(**told).state == Voucher.State.ISSUED
        assert not served(store, voucher_code(voucher.public_id), order_no="A-2").again

    def test_lets_an_order_wait_again_for_five_minutes_only(self, store: Store, order: Redemption) -> None:
        served(store, PICKUP)
        told: dict[str, Any] = {"redemption_id": order.pk, "store_id": store.pk, "by": SYSTEM}
        with pytest.raises(HandedOverTooLongAgo):
            take_pickup_back(**told, at=timezone.now() + timedelta(minutes=5))
        assert take_pickup_back(**told, at=timezone.now()).state == RedemptionState.READY
        assert not served(store, PICKUP).again


class TestThePage:
    def test_is_for_those_who_may_and_without_a_store_says_whom_to_ask(self) -> None:
        client = Client(headers={"accept-language": "en"})
        client.force_login(an_operator("store"))
        client_of_nowhere, _operator = at_the_counter()
        assert "No store is yours yet" in client_of_nowhere.get(PAGE).content.decode()
        client.force_login(an_operator("analyst"))
        assert client.get(PAGE).status_code == 403

    def test_answers_large_lists_the_shift_and_takes_back(
        self, store: Store, voucher: Voucher, order: Redemption
    ) -> None:
        client, operator = at_the_counter(store)
        assert "Take off" in (said := scan(client, voucher_code(voucher.public_id)))
        assert "pn-yes" in said
        assert "Collect" in scan(client, PICKUP)
        refused = scan(client, voucher_code(voucher.public_id))
        assert "pn-no" in refused
        assert "Vouchers used: 1" in refused
        assert "Handed over: 1" in refused
        client.post(f"{PAGE}back/", {"voucher": voucher.pk})
        client.post(f"{PAGE}back/", {"redemption": order.pk})
        page = client.get(PAGE).content.decode()
        assert "Vouchers used: 0" in page
        assert page.count("· taken back") == 2
        event = VoucherEvent.objects.filter(voucher=voucher, to_state=Voucher.State.USED).latest("pk")
        assert (event.actor_id, event.store, event.external_order_no[:2]) == (operator.pk, store, "C-")

    def test_of_a_voucher_that_needs_an_amount_asks_for_it(self, store: Store) -> None:
        template = a_template("over-100", min_spend_amount=Decimal(100))
        voucher = a_voucher(make_member().pk, template, issued_at=timezone.now())
        client, _operator = at_the_counter(store)
        assert "100.00" in (said := scan(client, voucher_code(voucher.public_id)))
        assert "pn-no" in said
        assert "pn-yes" in scan(client, voucher_code(voucher.public_id), spend_amount="120")

    def test_keeps_the_code_while_it_asks_and_takes_a_code_among_the_amounts_as_the_code(
        self, store: Store, voucher: Voucher
    ) -> None:
        template = a_template("over-100", min_spend_amount=Decimal(100))
        over = voucher_code(a_voucher(make_member().pk, template, issued_at=timezone.now()).public_id)
        client, _operator = at_the_counter(store)
        said = scan(client, over)
        assert "needs an order of ¥100.00 or more. How much is the order?" in said
        assert f'value="{over}"' in said
        assert "Take off" in scan(client, over, spend_amount=voucher_code(voucher.public_id))
        assert scan(client, over, spend_amount="12,5,0").count(f'value="{over}"') == 1  # a slip: the code stays
        assert "pn-yes" in scan(client, over, spend_amount="120")

    def test_keeps_what_it_refused_for_those_who_are_asked_why(self, store: Store, voucher: Voucher) -> None:
        code = voucher_code(voucher.public_id)
        client, operator = at_the_counter(store)
        scan(client, code)
        scan(client, code)
        scan(client, "AAAA-BBBB-CCCC-DDDD")
        decision = Decision.objects.get()
        assert (decision.member_id, decision.actor_id, decision.subject) == (voucher.member_id, operator.pk, "counter")
        assert decision_sentence(decision).startswith("This voucher was used")

    def test_sent_twice_serves_once(self, store: Store, voucher: Voucher) -> None:
        client, _operator = at_the_counter(store)
        sent = {"slip_no": "C-22222222", "code": voucher_code(voucher.public_id)}
        assert "pn-yes" in client.post(PAGE, sent).content.decode()
        assert "Was used here with this order before" in client.post(PAGE, sent).content.decode()

    def test_lets_nobody_stand_in_a_store_that_is_not_theirs(self, store: Store, voucher: Voucher) -> None:
        client, _operator = at_the_counter(make_store("S02"), make_store("S03"))
        client.get(f"{PAGE}?store=S01")
        client.post(PAGE, {"slip_no": "C-22222222", "code": voucher_code(voucher.public_id)})
        voucher.refresh_from_db()
        assert voucher.state == Voucher.State.ISSUED
