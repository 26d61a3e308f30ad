"""What waits for somebody: counted on the home page, each with the list that shows just these."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from django.apps import apps
from django.contrib.admin.utils import prepare_lookup_value
from pytest_django import DjangoAssertNumQueries

from analytics.metrics import METRICS, POINTS_OUTSTANDING, Unit
from analytics.queries import DaySummary, todo_counts
from campaigns.models import Message, MessageTemplate
from loyalty.models import Tier, TierStanding
from members.models import ParkedEntry, Subscription
from rewards.models import OrderImport, Reward, VoucherTemplate
from tests.campaigns.given import NOON, a_member

DAY = timedelta(days=1)


def counts() -> dict[str, int]:
    """The counts by key, each compared with what its link shows."""
    items = todo_counts(NOON)
    for item in items:
        app_label, model_name = item.url_name.removeprefix("admin:").removesuffix("_changelist").split("_", 1)
        look_ups = {key: prepare_lookup_value(key, value) for key, value in parse_qsl(item.query, strict_parsing=True)}
        shown = apps.get_model(app_label, model_name)._default_manager.filter(**look_ups).count()
        assert shown == item.count or (item.key == "low_stock" and shown > item.count)
    return {item.key: item.count for item in items}


def a_reward(name: str, stock: int | None, *, until: timedelta | None = None) -> Reward:
    template, _ = VoucherTemplate.objects.get_or_create(
        code="t5", defaults={"name": "¥5", "kind": "amount", "off_amount": 5}
    )
    valid_to = None if until is None else NOON + until
    return Reward.objects.create(
        name=name, price_points=10, template=template, stock=stock, valid_from=NOON - 9 * DAY, valid_to=valid_to
    )


@pytest.mark.django_db
class TestTodo:
    def test_is_empty_at_first(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(5):
            items = todo_counts(NOON)
        assert {item.count for item in items} == {0}

    def test_counts_entries_set_aside_and_not_replayed(self) -> None:
        reader, _ = Subscription.objects.get_or_create(name="analytics.days")
        for number, replayed_at in enumerate((None, NOON, None)):
            ParkedEntry.objects.create(
                subscription=reader, entry_id=number, error="x", parked_at=NOON, replayed_at=replayed_at
            )
        assert counts()["parked_entries"] == 2

    def test_counts_messages_that_were_given_up(self) -> None:
        template, member = MessageTemplate.objects.get(occasion="tier_raised"), a_member()
        for state in Message.State.values:
            Message.objects.create(
                member=member,
                template=template,
                occurrence=state,
                channel="email",
                state=state,
                created_at=NOON,
                figures={},
            )
        assert counts()["failed_messages"] == 1

    def test_counts_recent_imports_with_rejected_rows(self) -> None:
        for days, rejected in ((0, 3), (13, 1), (15, 9), (1, 0)):
            OrderImport.objects.create(
                file_name="a.csv",
                file_sha256=b"0" * 32,
                source="pos",
                rows_rejected=rejected,
                started_at=NOON - days * DAY,
            )
        assert counts()["rejected_rows"] == 2

    def test_counts_rewards_on_the_shelf_that_run_out(self) -> None:
        for name, stock, until in (
            ("A", 9, None),
            ("B", 10, None),
            ("C", None, None),
            ("D", 0, DAY),
            ("E", 0, timedelta(0)),
        ):
            a_reward(name, stock, until=until)
        assert counts()["low_stock"] == 2

    def test_counts_tiers_due_within_a_week(self) -> None:
        tier, _ = Tier.objects.get_or_create(code="gold", defaults={"name": "Gold", "rank": 77})
        for days in (-1, 6, 7, None):
            until = None if days is None else NOON + days * DAY
            TierStanding.objects.create(member=a_member(), tier=tier, since_at=NOON - 400 * DAY, valid_until=until)
        assert counts()["tier_reviews"] == 2


class TestMetrics:
    def test_have_words_and_a_value(self) -> None:
        day = DaySummary(
            NOON.date(),
            member_orders=2,
            guest_orders=1,
            member_sales_amount=Decimal(30),
            guest_sales_amount=Decimal(10),
        )
        for key, metric in METRICS.items():
            assert metric.key == key
            assert str(metric.label)
            assert str(metric.definition).endswith((".", "。"))
            assert isinstance(metric.unit, Unit)
            assert isinstance(metric.value(day), int | Decimal)
        assert METRICS["orders"].value(day) == 3
        assert METRICS["member_share"].value(day) == Decimal("0.75")
        assert all(map(str, POINTS_OUTSTANDING))
