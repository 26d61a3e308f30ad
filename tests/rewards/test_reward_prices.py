"""Prices of rewards: cheaper at once, dearer after approval and notice, and how many members a rise affects."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from members.models import Member, Operator, Proposal
from members.proposals import approve, sentence_of
from members.queries import programme
from rewards.ledger import currency_id
from rewards.models import FlashSale, PointsRate, Reward, RewardPrice
from rewards.reward_offers import offers_at
from rewards.reward_prices import SavedUp, bought_by_month, planned_price, price_at, saved_up, worth_of_a_point
from rewards.services import reward_prices
from rewards.services.reward_prices import (
    NewPrice,
    NoticeTooShort,
    PriceIsInForce,
    PriceIsPlanned,
    PriceIsTheSame,
    PriceNeedsApproval,
    ask_price,
    change_price,
    withdraw_price,
)
from tests.factories.catalogue import a_reward
from tests.factories.histories import give_points, with_points
from tests.factories.orders import NOON
from tests.factories.portal import an_operator, signed_in
from tests.rewards.by_hand import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker() -> Operator:
    return an_operator(superuser=True)


def raised(reward: Reward, maker: Operator, points: int = 40, days: int = 30, honour: int = 0) -> RewardPrice:
    """Return the price that a rise, asked for and approved at noon, comes to."""
    wanted = NewPrice(reward.pk, points, notice_days=days, honour_days=honour)
    outcome = ask_price(wanted=wanted, reason="costs more", by=actor(maker), at=NOON)
    assert outcome.price is None
    assert outcome.proposal is not None
    assert outcome.proposal.waiting
    approve(proposal_id=outcome.proposal.proposal_id, by=actor(an_operator(superuser=True)), at=NOON)
    return RewardPrice.objects.get(reward=reward)


class TestAPrice:
    def test_falls_at_once(self, maker: Operator) -> None:
        reward = a_reward(30)

        outcome = ask_price(wanted=NewPrice(reward.pk, 20), reason="spring", by=actor(maker), at=NOON)

        assert outcome.price is not None
        assert [price_at(reward, NOON + timedelta(seconds=s)).points for s in (-1, 0)] == [30, 20]

    def test_rises_after_a_colleague_and_the_notice(self, maker: Operator) -> None:
        reward = a_reward(30)

        price = raised(reward, maker, honour=10)

        assert price.valid_from.astimezone(programme().tz).hour == 0
        assert timedelta(days=30) <= price.valid_from - NOON < timedelta(days=31)
        assert price.honoured_until is not None
        assert price.honoured_until - price.valid_from == timedelta(days=10)
        assert price_at(reward, price.valid_from - timedelta(seconds=1)).points == 30
        assert price_at(reward, price.valid_from).points == 40
        assert planned_price(reward.pk, NOON) == price
        with override("en"):
            assert "from 30 points to 40 points, 30 days after" in sentence_of(Proposal.objects.get())

    def test_that_costs_more_money_is_dearer_too(self, maker: Operator) -> None:
        reward = a_reward(30)

        outcome = ask_price(
            wanted=NewPrice(reward.pk, 20, Decimal(5)), reason="points and money", by=actor(maker), at=NOON
        )

        assert outcome.price is None
        assert not RewardPrice.objects.exists()

    def test_of_a_reward_that_nobody_saw_yet_rises_at_once(self, maker: Operator) -> None:
        reward = a_reward(30, valid_from=NOON + timedelta(days=1))

        ask_price(wanted=NewPrice(reward.pk, 40), reason="typed wrongly", by=actor(maker), at=NOON)

        assert price_at(reward, NOON).points == 40

    def test_refuses_what_changes_nothing_comes_too_soon_or_crosses_another(self, maker: Operator) -> None:
        reward, other = a_reward(30), a_reward(30)
        raised(other, maker)
        before = RewardPrice.objects.count(), Proposal.objects.count()
        for wanted, refusal in (
            (NewPrice(reward.pk, 30), PriceIsTheSame),
            (NewPrice(reward.pk, 40, notice_days=6), NoticeTooShort),
            (NewPrice(other.pk, 20), PriceIsPlanned),
        ):
            with pytest.raises(refusal):
                ask_price(wanted=wanted, reason="no", by=actor(maker), at=NOON)
        assert (RewardPrice.objects.count(), Proposal.objects.count()) == before

    def test_can_be_withdrawn_until_it_comes(self, maker: Operator) -> None:
        reward = a_reward(30)
        price = raised(reward, maker)

        with pytest.raises(PriceIsInForce):
            withdraw_price(price_id=price.pk, by=actor(maker), at=price.valid_from)
        withdraw_price(price_id=price.pk, by=actor(maker), at=NOON + timedelta(days=1))

        assert price_at(reward, price.valid_from).points == 30
        again = NewPrice(reward.pk, 45)
        change_price(wanted=again, reason="again", by=actor(maker), at=NOON + timedelta(days=1), is_approved=True)

    def test_that_became_dearer_while_it_was_asked_for_waits_for_a_colleague_too(
        self, maker: Operator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reward, check = a_reward(30), reward_prices._checked
        wanted = NewPrice(reward.pk, 28)

        def checked(*asked: Any) -> Any:
            found = check(*asked)
            if not RewardPrice.objects.exists():  # somebody else is faster
                a_price(reward, 20, NOON - timedelta(seconds=1))
            return found

        monkeypatch.setattr(reward_prices, "_checked", checked)
        outcome = ask_price(wanted=wanted, reason="spring", by=actor(maker), at=NOON)

        assert outcome.price is None
        assert Proposal.objects.get().params["from"] == [20, "0.00"]
        with pytest.raises(PriceNeedsApproval):
            change_price(wanted=wanted, reason="spring", by=actor(maker), at=NOON, is_approved=False)
        assert RewardPrice.objects.count() == 1
        assert price_at(reward, NOON).points == 20


def a_price(reward: Reward, points: int, since: datetime, cash: int = 0, *, days: int = 0) -> RewardPrice:
    """Return a price in force since a moment, announced then; the one before it is honoured for so many days after noon."""
    return RewardPrice.objects.create(
        reward=reward, price_points=points, cash_amount=cash, announced_at=since, valid_from=since, reason="so",
        honoured_until=NOON + timedelta(days=days) if days else None,
    )  # fmt: skip


def offered(reward: Reward, member: Member, at: datetime = NOON) -> tuple[int, Decimal, bool]:
    """Return what a member pays now, and whether that is an old price."""
    offer = offers_at([reward], at, member_id=member.pk)[reward.pk]
    return offer.points, offer.cash_amount, offer.is_honoured


class TestAnOldPrice:
    """The price before a rise …"""

    def test_is_kept_through_later_changes_unless_they_are_in_no_way_dearer(self) -> None:
        reward, hour = a_reward(100), timedelta(hours=1)
        saved, poor = with_points(150, moment=NOON - 9 * hour), with_points(99, moment=NOON - 9 * hour)
        a_price(reward, 200, NOON - 5 * hour, days=60)
        a_price(reward, 190, NOON - 4 * hour)
        assert (offered(reward, saved), offered(reward, poor)) == ((100, 0, True), (190, 0, False))

        a_price(reward, 300, NOON - 3 * hour, days=90)
        give_points(poor, 100, moment=NOON - 4 * hour)
        assert (offered(reward, saved), offered(reward, poor)) == ((100, 0, True), (190, 0, True))
        assert offered(reward, saved, NOON + timedelta(days=60)) == (300, 0, False)

        a_price(reward, 95, NOON - 2 * hour)
        assert (offered(reward, saved), offered(reward, poor)) == ((95, 0, False), (95, 0, False))

    def test_is_kept_where_the_new_one_asks_for_less_points_and_more_money(self) -> None:
        reward, member = a_reward(100), with_points(100, moment=NOON - timedelta(hours=2))
        a_price(reward, 90, NOON - timedelta(hours=1), cash=10, days=30)

        assert offered(reward, member) == (100, 0, True)
        FlashSale.objects.create(
            reward=reward, price_points=80, cash_amount=5, starts_at=NOON, ends_at=NOON + timedelta(days=1)
        )
        assert offered(reward, member) == (100, 0, True)
        assert offered(reward, with_points(100, moment=NOON)) == (80, 5, False)

    def test_or_any_other_is_not_made_dearer_by_a_sale(self) -> None:
        reward = a_reward(100)
        FlashSale.objects.create(
            reward=reward, price_points=100, cash_amount=5, starts_at=NOON, ends_at=NOON + timedelta(days=1)
        )
        assert offered(reward, with_points(100, moment=NOON)) == (100, 0, False)

    def test_is_read_for_many_rewards_at_once(self, django_assert_num_queries: Any) -> None:
        member, rewards = with_points(15, moment=NOON - timedelta(days=9)), [a_reward(10 + n) for n in range(8)]
        for hours, reward in enumerate(rewards, 1):
            a_price(reward, 50, NOON - timedelta(hours=hours), days=9)
        currency_id()

        with django_assert_num_queries(7):
            offers = offers_at(rewards, NOON, member_id=member.pk)

        assert [offers[one.pk].points for one in rewards] == [10, 11, 12, 13, 14, 15, 50, 50]


class TestWhatAPriceMeans:
    def test_counts_who_has_saved_enough_and_who_no_longer_would(self) -> None:
        for points in (10, 30, 35, 40, 99):
            with_points(points, moment=NOON)

        assert saved_up(reward=a_reward(30), points=30, new_points=40) == SavedUp(enough=4, no_longer=2)

    @pytest.mark.parametrize(
        ("points", "cash", "cost", "worth"),
        [(1000, "0", "8", "0.008"), (1000, "3", "8", "0.005"), (1000, "9", "8", "0"), (1000, "0", None, None)],
    )
    def test_is_what_a_point_buys(self, points: int, cash: str, cost: str | None, worth: str | None) -> None:
        found = worth_of_a_point(points, Decimal(cash), Decimal(cost) if cost else None)
        assert found == (None if worth is None else Decimal(worth))

    def test_shows_when_100_points_buy_less(self, maker: Operator) -> None:
        reward = a_reward(100, cost_amount=Decimal(2))
        a_reward(100)  # without a cost, it counts for nothing
        price = raised(reward, maker, points=200)

        months = bought_by_month(at=price.valid_from + timedelta(days=40), months=3)

        bought = [month.amount for month in months]
        assert (bought[0], bought[-1]) == (Decimal("2.00"), Decimal("1.00"))
        assert {month.rewards for month in months} == {1}


class TestThePages:
    def test_say_what_is_typed_in_words_and_as_members_see_it(self) -> None:
        PointsRate.objects.create(currency_id=currency_id(), valid_from=NOON, money_per_point=Decimal("0.01"))
        client = signed_in("marketing")

        shown = client.post(
            "/admin/rewards/reward/look/",
            {
                "kind": "gift",
                "name_zh_hans": "杯子",
                "name_en": "Cup",
                "price_points": 1000,
                "cost_amount": "8",
                "by_post": "on",
            },
        ).text

        assert "Every member can redeem “Cup” for 1,000 points." in shown
        assert "1 point ≈ ¥0.008, the standard is ¥0.01." in shown
        assert "繁體中文 is missing" in shown
        assert 'lang="zh-hans"' in shown
        assert "杯子" in shown

    def test_warn_how_many_members_a_dearer_price_affects(self) -> None:
        reward = a_reward(30)
        for points in (30, 99):
            with_points(points, moment=NOON)
        client = signed_in(superuser=True)

        page = client.get(f"/admin/rewards/reward/{reward.pk}/price/")
        shown = client.post(
            f"/admin/rewards/reward/{reward.pk}/price/effect/", {"points": 40, "cash_amount": 0, "notice_days": 30}
        ).text

        assert "It still costs what it was put up with." in page.text
        assert "It affects 2 members who have saved enough." in shown
        assert "1 of them would no longer have enough." in shown

    def test_take_a_cheaper_price_and_ask_for_approval_of_a_dearer_one_before_which_there_is_no_other(self) -> None:
        reward = a_reward(30)
        client = signed_in(superuser=True)
        address = f"/admin/rewards/reward/{reward.pk}/price/"
        form = {"cash_amount": "0", "notice_days": 30, "honour_days": 0, "reason": "costs", "request_id": "r1"}

        client.post(address, {**form, "points": 25})
        assert price_at(reward, timezone.now()).points == 25
        client.post(address, {**form, "points": 40, "request_id": "r2"})
        assert Proposal.objects.get().kind == "rewards.raise_price"
        client.post(address, {**form, "points": 20, "request_id": "r3"})
        assert price_at(reward, timezone.now()).points == 25

    def test_are_closed_to_those_who_set_no_prices(self) -> None:
        reward = a_reward(30)
        client = signed_in("service")

        assert client.get(f"/admin/rewards/reward/{reward.pk}/price/").status_code == 200
        assert client.post(f"/admin/rewards/reward/{reward.pk}/price/effect/", {"points": 40}).status_code == 403
        assert (
            client.post(f"/admin/rewards/reward/{reward.pk}/price/", {"points": 25, "reason": "x"}).status_code == 200
        )
        assert not RewardPrice.objects.exists()
        assert Client().get("/admin/rewards/reward/look/").status_code == 302

    def test_show_what_100_points_buy(self) -> None:
        client = signed_in("marketing")
        assert "Nothing can be said yet" in client.get("/admin/rewards/reward/what-points-buy/").text
        a_reward(100, cost_amount=Decimal(2))
        assert "¥2.00" in client.get("/admin/rewards/reward/what-points-buy/").text

    def test_change_everything_else_in_the_form_with_the_price_beside(self) -> None:
        reward = a_reward(30)
        client = signed_in("marketing")
        page = client.get(f"/admin/rewards/reward/{reward.pk}/change/")
        assert page.status_code == 200
        assert "Prices of this reward" in page.text
        assert 'name="price_points"' not in page.text

    def test_leave_it_on_the_shelf_since_when_it_has_been_so_that_its_price_never_rises_unseen(self) -> None:
        client, today = signed_in(superuser=True), timezone.now()
        seen, planned = a_reward(30), a_reward(30, valid_from=today + timedelta(days=1))
        for reward in (seen, planned):
            address = f"/admin/rewards/reward/{reward.pk}/change/"
            form = client.get(address).context["adminform"].form
            data = {
                bound.name: bound.value() for bound in form if bound.value() is not None and bound.name != "valid_from"
            }
            later = {"valid_from_0": "2099-01-01", "valid_from_1": "00:00"}
            assert client.post(address, {**data, **later, "sort_order": 7}).status_code == 302
            assert ("this stays as it is" in client.get(address).text) == (reward == seen)

        before = seen.valid_from, planned.valid_from
        seen.refresh_from_db()
        planned.refresh_from_db()
        assert (seen.sort_order, seen.valid_from) == (7, before[0])
        assert planned.valid_from > before[1] + timedelta(days=365)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"kind": "gift"}, "by_post"),
            ({"kind": "voucher"}, "template"),
            ({"kind": "ticket"}, "event_at"),
            ({"kind": "gift", "by_post": "on", "period_limit": "2"}, "period"),
        ],
    )
    def test_complain_at_the_field_that_the_kind_needs(self, changes: dict[str, str], field: str) -> None:
        client = signed_in("marketing")
        data = {
            "name_zh_hans": "杯子", "price_points": "100", "cash_amount": "0", "prepare_days": "3", "cancel_hours": "0",
            "valid_from_0": "2026-01-01", "valid_from_1": "00:00", "sort_order": "1", **changes,
        }  # fmt: skip

        answer = client.post("/admin/rewards/reward/add/", data)

        assert answer.status_code == 200
        assert field in answer.context["adminform"].form.errors
        assert not Reward.objects.exists()

    def test_put_a_reward_on_the_shelf(self) -> None:
        client = signed_in("marketing")
        data = {
            "kind": "gift", "by_post": "on", "name_zh_hans": "杯子", "price_points": "100", "cash_amount": "0", "prepare_days": "3",
            "cancel_hours": "0", "valid_from_0": "2026-01-01", "valid_from_1": "00:00", "sort_order": "1", "stock": "5",
        }  # fmt: skip

        answer = client.post("/admin/rewards/reward/add/", data)

        assert answer.status_code == 302, answer.context["adminform"].form.errors
        made = Reward.objects.get()
        assert (made.kind, made.by_post, made.in_store, made.stock) == ("gift", True, False, 5)
