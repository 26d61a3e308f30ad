"""Orders of rewards on the portal: what waits first, by role and store; several at once; papers; points given back."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from members.models import Job, Operator, TimelineEntry
from rewards.fulfilment_queries import Waiting, waiting
from rewards.models import Redemption
from rewards.order_numbers import order_no
from tests.factories.fulfilment import a_gift, a_pickup, an_order
from tests.factories.imports import may
from tests.factories.people import a_store
from tests.factories.portal import a_named_member, an_operator, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/rewards/redemption/"
FULFIL, CANCEL, SEE, ADDRESSES = (
    "rewards.fulfil_redemption", "rewards.cancel_redemption", "rewards.view_redemption", "rewards.view_redemptionaddress",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.jobs.current_app.send_task", lambda *args, **kwargs: None)


def browser_of(operator: Operator) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    return client


def one_who_may(*permissions: str, role: str = "service") -> Client:
    return browser_of(may(an_operator(role), SEE, *permissions))


def act(client: Client, action: str, *orders: Redemption) -> Any:
    data = {"action": action, "_selected_action": [order.pk for order in orders], "index": 0, "select_across": 0}
    return client.post(LIST, data)


def rows(client: Client, query: str = "") -> list[int]:
    return [row.pk for row in client.get(f"{LIST}{query}").context["cl"].result_list]


class TestTheList:
    def test_begins_with_what_waits_to_be_sent_the_oldest_first_and_late_ones_red(self) -> None:
        now = timezone.now()
        new, late = an_order(at=now), an_order(at=now - timedelta(days=9))
        sent, pickup = an_order(at=now, state="shipped", tracking_no="SF1"), a_pickup(a_store(), at=now)
        client = one_who_may()

        page = client.get(LIST)

        assert [row.pk for row in page.context["cl"].result_list] == [late.pk, new.pk]
        assert 'aria-current="page">to be sent</a>' in page.text
        assert page.text.count(", late</span>") == 1
        assert order_no(late.pk) in page.text
        assert rows(client, "?what=late") == [late.pk]
        assert rows(client, "?what=shipped") == [sent.pk]
        assert rows(client, "?what=stores") == [pickup.pk]
        assert set(rows(client, "?what=all")) == {new.pk, late.pk, sent.pk, pickup.pk}

    def test_finds_an_order_by_its_number(self) -> None:
        now = timezone.now()
        order, _other = an_order(at=now), an_order(at=now)
        client = one_who_may()

        answer = client.post(f"{LIST}?what=all", {"q": order_no(order.pk).lower()}, follow=True)

        assert [row.pk for row in answer.context["cl"].result_list] == [order.pk]

    def test_says_so_when_nothing_waits(self) -> None:
        assert "Nothing waits to be shipped today. Well done." in one_who_may().get(LIST).text

    def test_shows_staff_of_a_store_their_own_pick_ups_only(self) -> None:
        now, mine = timezone.now(), a_store("S1")
        ours = a_pickup(mine, at=now)
        ready = a_pickup(mine, at=now, state="ready")
        theirs, parcel = a_pickup(a_store("S2"), at=now), an_order(at=now)
        operator = may(an_operator("store"), SEE, FULFIL)
        operator.stores.set([mine])
        client = browser_of(operator)

        assert set(rows(client)) == {ours.pk, ready.pk}
        for other in (theirs, parcel):
            assert client.get(f"{LIST}{other.pk}/change/").status_code == 404
            assert client.get(f"{LIST}{other.pk}/do/prepare/").status_code == 404
        act(client, "start_preparing", ours, theirs)
        assert list(Redemption.objects.filter(state="preparing")) == [ours]

    def test_asks_no_more_however_long_it_is(self) -> None:
        client, now, store = one_who_may(FULFIL), timezone.now(), a_store()
        counts = []
        for _round in range(2):
            for _number in range(4):
                an_order(at=now, member=a_named_member())
                a_pickup(store, at=now)
            with CaptureQueriesContext(connection) as asked:
                client.get(f"{LIST}?what=all")
            counts.append(len(asked))
        assert counts[0] == counts[1] <= 13

    def test_offers_nothing_to_those_who_may_only_look(self) -> None:
        order = an_order(at=timezone.now())
        client = one_who_may(role="analyst")

        assert "start_preparing" not in client.get(LIST).text
        act(client, "start_preparing", order)
        order.refresh_from_db()
        assert order.state == "placed"
        for path in ("tracking/", "parcels/", "picking-list/", "refund/", f"{order.pk}/do/cancel/"):
            assert client.get(f"{LIST}{path}").status_code == 403, path
        assert client.post(f"{LIST}{order.pk}/address/").status_code == 403
        assert signed_in().get(LIST).status_code == 403


class TestSeveralAtOnce:
    def test_start_being_prepared(self) -> None:
        orders = [an_order(at=timezone.now()) for _number in range(3)]
        client = one_who_may(FULFIL)

        page = act(client, "start_preparing", *orders)

        assert page.status_code == 302
        assert "3 orders are being prepared." in client.get(LIST).text
        assert Redemption.objects.filter(state="preparing").count() == 3

    def test_that_are_many_are_done_by_a_job(self) -> None:
        orders = [an_order(at=timezone.now()) for _number in range(26)]
        client = one_who_may(FULFIL)

        act(client, "start_preparing", *orders)

        job = Job.objects.get()
        assert (job.kind, job.total, job.state) == ("rewards.fulfil", 26, "queued")
        assert not Redemption.objects.filter(state="preparing").exists()

    def test_stand_on_a_picking_list_with_names_masked(self) -> None:
        order = an_order(at=timezone.now(), member=a_named_member())
        client = one_who_may(FULFIL)

        paper = act(client, "picking_list", order)

        assert paper["Content-Type"] == "application/pdf"
        assert "no-store" in paper["Cache-Control"]
        assert paper.content.startswith(b"%PDF-")
        assert client.get(f"{LIST}picking-list/").content.startswith(b"%PDF-")
        assert not TimelineEntry.objects.filter(kind="rewards.delivery_address_seen.v1").exists()


class TestPointsGivenBack:
    def test_for_what_is_out_of_stock_ask_why_and_for_the_number_typed(self) -> None:
        reward = a_gift("Scarf")
        for _number in range(21):
            an_order(at=timezone.now(), reward=reward)
        other = an_order(at=timezone.now())
        client = one_who_may(CANCEL)

        assert "Scarf" in client.get(f"{LIST}refund/").text
        address = f"{LIST}refund/?reward={reward.pk}"
        assert "Give the points of 21 orders back" in client.get(address).text
        for wrong in ({"reason": "none left"}, {"reason": "none left", "typed": 20}, {"typed": 21}):
            assert client.post(address, wrong).status_code == 200
        assert not Redemption.objects.filter(state="refunded").exists()
        assert client.post(address, {"reason": "none left", "typed": 21}).status_code == 302
        other.refresh_from_db()
        assert other.state == "placed"

    def test_for_chosen_orders_lead_to_the_page_that_asks(self) -> None:
        one, two = an_order(at=timezone.now()), an_order(at=timezone.now())
        client = one_who_may(CANCEL)

        answer = act(client, "out_of_stock", one, two)

        assert answer["Location"].startswith(f"{LIST}refund/?orders=")
        page = client.get(answer["Location"]).text
        assert "2 orders end; 60 points go back to their members" in page
        assert "Number of orders, typed" not in page

    def test_are_offered_for_what_was_lost_or_does_not_work(self) -> None:
        now = timezone.now()
        digital = a_gift("Code", kind="digital", by_post=False)
        sent, given = (
            an_order(at=now, state="shipped"),
            an_order(at=now, reward=digital, state="done", delivery="none", due_at=None),
        )
        arrived, waiting_still = an_order(at=now, state="done"), an_order(at=now)
        client = one_who_may(CANCEL)

        def offered(order: Redemption) -> set[str]:
            page = client.get(f"{LIST}{order.pk}/change/").text
            return {wish for wish in ("refund", "lost") if f"{order.pk}/do/{wish}/" in page}

        assert [offered(order) for order in (sent, given, arrived, waiting_still)] == [
            {"lost"}, {"lost"}, set(), {"refund"},
        ]  # fmt: skip
        named = ".".join(str(order.pk) for order in (sent, given, arrived, waiting_still))
        page = client.get(f"{LIST}refund/?orders={named}").text
        assert "3 orders end; 90 points go back to their members" in page


class TestTrackingNumbers:
    def test_of_the_whole_programme_are_not_for_staff_of_a_store(self) -> None:
        order = an_order(at=timezone.now())
        operator = may(an_operator("store"), SEE, FULFIL)
        operator.stores.add(a_store())
        client = browser_of(operator)
        content = f"order number,carrier,tracking number\n{order_no(order.pk)},SF,SF1001\n".encode()

        page = client.get(LIST)

        assert page.status_code == 200
        for path in ("tracking/", "parcels/"):
            assert f"{LIST}{path}" not in page.text
            assert client.get(f"{LIST}{path}").status_code == 403, path
        file = SimpleUploadedFile("list.csv", content)
        assert client.post(f"{LIST}tracking/", {"file": file}).status_code == 403
        assert client.post(f"{LIST}tracking/refused.xlsx", {"rows": "x"}).status_code == 403
        assert f"{LIST}tracking/" in one_who_may(FULFIL).get(LIST).text

    def test_are_checked_first_and_sent_off_by_a_job(self) -> None:
        order = an_order(at=timezone.now())
        client = one_who_may(FULFIL)
        content = f"order number,carrier,tracking number\n{order_no(order.pk)},SF,SF1001\nR-1,SF,SF1002\n"

        page = client.post(f"{LIST}tracking/", {"file": SimpleUploadedFile("list.csv", content.encode())})

        assert "Send 1 order off" in page.text
        assert "is no order number" in page.text
        assert not Job.objects.exists()
        signed = page.context["signed"]
        refused = client.post(f"{LIST}tracking/refused.xlsx", {"rows": signed})
        assert refused.content.startswith(b"PK")
        answer = client.post(f"{LIST}tracking/", {"rows": signed})
        job = Job.objects.get()
        assert answer["Location"] == f"/admin/members/job/{job.pk}/change/"
        assert (job.kind, job.total) == ("rewards.ship", 1)

    def test_are_taken_from_nobody_else_and_not_from_a_changed_page(self) -> None:
        order = an_order(at=timezone.now())
        content = f"order number,carrier,tracking number\n{order_no(order.pk)},SF,SF1001\n".encode()
        one, other = one_who_may(FULFIL), one_who_may(FULFIL)
        signed = one.post(f"{LIST}tracking/", {"file": SimpleUploadedFile("list.csv", content)}).context["signed"]

        other.post(f"{LIST}tracking/", {"rows": signed})
        one.post(f"{LIST}tracking/", {"rows": signed[:-3] + "abc"})

        assert not Job.objects.exists()

    def test_have_a_form_to_be_filled_in(self) -> None:
        an_order(at=timezone.now())
        assert one_who_may(FULFIL).get(f"{LIST}parcels/").content.startswith(b"PK")


class TestTheOrderPage:
    def test_says_what_happened_and_offers_what_can_be_done(self) -> None:
        order = an_order(at=timezone.now(), member=a_named_member("张三丰"))
        client = one_who_may(FULFIL)

        page = client.get(f"{LIST}{order.pk}/change/").text

        for words in (order_no(order.pk), "Redeemed.", "Start preparing", "Send off", "张*丰", order.member.member_no):
            assert words in page
        assert "Ready for pick-up" not in page
        assert "三丰" not in page

    def test_sends_it_off_with_its_number(self) -> None:
        order = an_order(at=timezone.now())
        client = one_who_may(FULFIL)
        address = f"{LIST}{order.pk}/do/ship/"

        wrong = client.post(address, {"_form_submitted": "on", "carrier": "SF", "tracking_no": "!"})
        done = client.post(address, {"_form_submitted": "on", "carrier": "SF", "tracking_no": "sf 1001"})

        assert "letters, digits" in wrong.text
        assert done["HX-Redirect"] == f"{LIST}{order.pk}/change/"
        order.refresh_from_db()
        assert (order.state, order.carrier, order.tracking_no) == ("shipped", "SF", "SF1001")
        assert "On its way with SF, tracking number SF1001." in client.get(f"{LIST}{order.pk}/change/").text

    def test_stands_on_the_page_of_the_member_with_its_limit(self) -> None:
        member = a_named_member()
        order = an_order(at=timezone.now(), member=member, reward=a_gift(per_member_limit=3))
        client = one_who_may(CANCEL)

        page = client.get(f"/admin/members/member/{member.pk}/change/?tab=redemptions").text

        assert order_no(order.pk) in page
        assert "1 of 3 that one member may have" in page
        assert f"{LIST}{order.pk}/do/cancel/?from=member" in page


class TestWhatWaits:
    def test_is_counted_for_the_home_page(self) -> None:
        now, store = timezone.now(), a_store()
        an_order(at=now)
        an_order(at=now - timedelta(days=9))
        a_pickup(store, at=now)
        a_pickup(store, at=now, state="ready")
        with CaptureQueriesContext(connection) as asked:
            assert waiting(now) == Waiting(to_send=2, late=1, to_make_ready=1, to_pick_up=1)
        assert len(asked) == 2
        assert waiting(now, store_ids=[store.pk]) == Waiting(0, 0, 1, 1)
        assert waiting(now, store_ids=[]) == Waiting(0, 0, 0, 0)
