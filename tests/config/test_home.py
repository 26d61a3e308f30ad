"""The home page."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics.models import DayFigures
from members.actors import SYSTEM, Actor
from members.models import ParkedEntry, Store, Subscription
from members.queries import programme
from rewards.services.adjustments import propose_adjustment
from rewards.services.verification import run_verification
from tests.factories.histories import a_small_history, give_points
from tests.factories.people import a_member, a_store
from tests.factories.portal import an_operator, signed_in
from tests.rewards.tampering import arrears_of_an_account

HOME_QUERIES = 16


def a_day(days_ago: int, store: Store | None = None, **figures: object) -> DayFigures:
    """Write the figures of a day of the programme's zone."""
    today = timezone.now().astimezone(programme().tz).date()
    return DayFigures.objects.create(date=today - timedelta(days=days_ago), store=store, **figures)


@pytest.mark.django_db
class TestTheHomePage:
    def test_shows_yesterday_against_the_same_weekday_a_week_before(self) -> None:
        a_day(1, members_joined=30, member_sales_amount=Decimal("750.00"), guest_sales_amount=Decimal("250.00"))
        a_day(8, members_joined=24, member_sales_amount=Decimal("500.00"), guest_sales_amount=Decimal("500.00"))
        a_day(0, members_joined=7)
        text = signed_in("marketing").get(reverse("admin:index")).text
        joined = text[text.index('id="card-members_joined"') : text.index('id="card-members_active"')]
        assert "+25.0 %" in joined
        assert "a week before: 24" in joined
        assert "today so far: 7" in joined
        assert "Members who joined on this day." in joined  # the definition, on hover
        share = text[text.index('id="card-member_share"') : text.index('id="card-points_issued"')]
        assert "75.0" in share
        assert "+25.0 percentage points" in share

    def test_says_how_old_its_figures_are_in_the_programmes_zone(self) -> None:
        a_day(1)
        Subscription.objects.create(name="analytics.days", advanced_at=timezone.now())
        assert "(Asia/Shanghai)" in signed_in("marketing").get(reverse("admin:index")).text

    def test_leads_store_staff_to_their_counter(self) -> None:
        counter = reverse("admin:rewards_voucher_counter")
        operator, client = an_operator("store"), signed_in()
        operator.stores.add(a_store("S01"))
        client.force_login(operator)
        main = client.get(reverse("admin:index")).text.partition('class="pn-stack"')[2]
        assert f'href="{counter}"' in main
        assert f'href="{counter}"' not in signed_in("service").get(reverse("admin:index")).text

    def test_shows_store_staff_their_own_stores_only(self) -> None:
        mine, other = a_store("S01"), a_store("S02")
        a_day(1, mine, members_joined=5)
        a_day(1, other, members_joined=90)
        operator = an_operator("store")
        operator.stores.add(mine)
        client = signed_in()
        client.force_login(operator)
        text = client.get(reverse("admin:index")).text
        joined = text[text.index('id="card-members_joined"') : text.index('id="card-members_active"')]
        assert ">5<" in joined
        assert "your stores only" in text
        assert "card-points_outstanding" not in text

    def test_tells_a_fresh_installation_what_to_do(self) -> None:
        text = signed_in("administrator").get(reverse("admin:index")).text
        assert "Five steps to the first points" in text
        assert "card-members_joined" not in text

    def test_leads_from_what_waits_to_the_list_of_just_that(self) -> None:
        subscription = Subscription.objects.create(name="campaigns.messages")
        ParkedEntry.objects.create(
            subscription=subscription, entry_id=1, error="ValueError: once", parked_at=timezone.now()
        )
        ParkedEntry.objects.create(
            subscription=subscription,
            entry_id=2,
            error="ValueError: done",
            parked_at=timezone.now(),
            replayed_at=timezone.now(),
        )
        client = signed_in("administrator")
        todo = [item for item in client.get(reverse("admin:index")).context["todos"] if "parkedentry" in item["link"]]
        assert [item["count"] for item in todo] == ["1"]
        listed = client.get(todo[0]["link"]).text
        assert "ValueError: once" in listed
        assert "ValueError: done" not in listed

    def test_shows_no_task_to_who_may_not_do_it(self) -> None:
        subscription = Subscription.objects.create(name="campaigns.messages")
        ParkedEntry.objects.create(
            subscription=subscription, entry_id=1, error="ValueError: once", parked_at=timezone.now()
        )
        todos = signed_in("service").get(reverse("admin:index")).context["todos"]
        assert [item for item in todos if "parkedentry" in item["link"]] == []

    def test_leads_those_who_decide_to_what_waits_for_them(self) -> None:
        maker, supervisor = an_operator("service"), an_operator("service supervisor")
        member = a_member()
        give_points(member, 3_000, moment=timezone.now() - timedelta(days=2))
        propose_adjustment(
            member_id=member.pk, points=2_000, reason_code="goodwill", note="", by=Actor("operator", maker.pk), at=timezone.now(),
            request_id="one",
        )  # fmt: skip
        client = signed_in()
        client.force_login(supervisor)
        page = client.get(reverse("admin:index"))
        first = page.context["todos"][0]
        assert (str(first["label"]), first["count"]) == ("Proposals that wait for your decision", "1")
        assert "2,000 points" in client.get(first["link"]).text
        client.force_login(maker)
        shown = client.get(reverse("admin:index")).context["todos"]
        assert [todo for todo in shown if todo["link"] == first["link"]] == []

    def test_says_first_what_is_wrong_with_the_proof_of_the_ledger(self) -> None:
        a_small_history()
        client = signed_in("finance")
        assert client.get(reverse("admin:index")).context["worries"] == []
        arrears_of_an_account()
        run_verification(by=SYSTEM, at=timezone.now())
        found = "The last verification of the points ledger found 1 row that is wrong."
        page = client.get(reverse("admin:index"))
        assert found in page.text
        assert found in client.get(page.context["worries"][0]["link"]).text
        assert "Nothing waits for you" not in page.text
        assert found not in signed_in("store").get(reverse("admin:index")).text

    def test_shows_no_business_figures_to_customer_service(self) -> None:
        a_day(1, members_joined=30)
        assert "card-members_joined" not in signed_in("service").get(reverse("admin:index")).text

    def test_reads_roll_ups_only_within_a_budget(self) -> None:
        for days_ago in range(40):
            a_day(days_ago, members_joined=1)
        client = signed_in("marketing")
        client.get(reverse("admin:index"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("admin:index"))
        read = "\n".join(query["sql"] for query in captured)
        assert len(captured) <= HOME_QUERIES, read
        for table in ("rewards_purchase", "rewards_ledgerentry", "members_timelineentry", "members_member"):
            assert f'"{table}"' not in read
