"""Promotions at work: what they offer, book and take back, and who changes them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils.translation import override
from pytest_django import DjangoAssertNumQueries

from campaigns.models import Promotion, PromotionUse
from campaigns.promotions import Offer
from campaigns.queries import promotion_sentence
from campaigns.services import promotions
from campaigns.services.promotions import PromotionNotInState, contributor
from loyalty.models import Tier
from members.actors import Actor
from members.models import Member, TimelineEntry
from members.queries import programme
from rewards.earning import OfferUse, contributors
from rewards.explanation import explain
from tests.campaigns.given import NOON, a_member, a_promotion, a_store

pytestmark = pytest.mark.django_db
ANNA = Actor("operator", 1)


@pytest.fixture(autouse=True)
def fresh_offers() -> Iterator[None]:
    contributor.forget()
    yield
    contributor.forget()


def offers(start: datetime = NOON, end: datetime | None = None) -> list[Offer]:
    return list(contributor.offers(start, end or start))


class TestOffers:
    def test_is_registered_with_rewards(self) -> None:
        assert contributor in contributors()

    def test_are_the_live_promotions_of_the_moment(self) -> None:
        live = a_promotion()
        a_promotion(state=Promotion.State.DRAFT)
        a_promotion(state=Promotion.State.PAUSED)
        assert [offer.id for offer in offers()] == [live.pk]

    def test_carry_what_the_promotion_asks_for(self) -> None:
        tier, _ = Tier.objects.get_or_create(
            code="test-gold", defaults={"name_en": "Gold", "name_zh_hans": "金卡", "rank": 77}
        )
        promotion = a_promotion(weekdays=[5, 6], min_tier=tier, min_spend_amount=30)
        stores = [a_store("S1"), a_store("S2")]
        promotion.stores.set(stores)
        (offer,) = offers()
        assert offer.store_ids == {store.pk for store in stores}
        assert offer.weekdays == {5, 6}
        assert (offer.min_tier_rank, offer.min_tier_label) == (77, {"en": "Gold", "zh-hans": "金卡"})
        assert offer.label == {"en": "Double points", "zh-hans": "双倍积分"}

    @pytest.mark.parametrize(
        ("start", "end", "touches"),
        [
            (-2, -1, False),
            (-2, 0, True),  # the last order of the span falls on the first moment of the promotion
            (0, 0, True),
            (30 * 24 * 3600 - 1, 40 * 24 * 3600, True),
            (30 * 24 * 3600, 40 * 24 * 3600, False),  # its end is not part of it
            (-50, 90 * 24 * 3600, True),
        ],
    )
    def test_touch_the_span_that_was_asked_for(self, start: int, end: int, touches: bool) -> None:
        begin = datetime(2026, 10, 31, 16, tzinfo=UTC)
        a_promotion(starts_at=begin, ends_at=begin + timedelta(days=30))
        assert bool(offers(begin + timedelta(seconds=start), begin + timedelta(seconds=end))) is touches

    def test_cost_two_queries_and_then_none_for_a_while(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(3):
            a_promotion().stores.add(a_store())
        programme()  # known already to a busy till
        with django_assert_num_queries(2):
            offers()
        with django_assert_num_queries(0):
            assert len(offers(NOON + timedelta(minutes=5))) == 3

    def test_are_read_anew_after_a_few_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        promotion = a_promotion()
        assert offers()
        Promotion.objects.filter(pk=promotion.pk).update(state=Promotion.State.PAUSED)
        assert offers()
        monkeypatch.setattr(promotions, "_FRESH_SECONDS", -1.0)
        assert not offers()


class TestUses:
    @pytest.fixture
    def member(self) -> Member:
        return a_member()

    def use(self, promotion: Promotion, member: Member, ref: str, points: int) -> OfferUse:
        return OfferUse(str(promotion.pk), member.pk, "till", ref, points, NOON)

    def booked(self) -> list[tuple[str, int]]:
        return list(PromotionUse.objects.order_by("pk").values_list("source_ref", "points"))

    def test_are_booked_once(self, member: Member) -> None:
        promotion = a_promotion()
        for _ in range(2):
            contributor.commit([self.use(promotion, member, "A1", 50), self.use(promotion, member, "A2", 10)])
        assert self.booked() == [("A1", 50), ("A2", 10)]

    def test_are_taken_back_once_for_each_return(self, member: Member) -> None:
        promotion = a_promotion()
        contributor.commit([self.use(promotion, member, "A1", 50)])
        for _ in range(2):
            contributor.reverse([self.use(promotion, member, "A1", 20)])  # the return's number may equal the order's
        contributor.reverse([self.use(promotion, member, "R2", 30)])
        assert self.booked() == [("A1", 50), ("return:A1", -20), ("return:R2", -30)]

    def test_of_nothing_are_not_booked(self, member: Member) -> None:
        contributor.commit([self.use(a_promotion(), member, "A1", 0)])
        contributor.commit([])
        assert self.booked() == []

    def test_fit_the_longest_return_numbers(self, member: Member) -> None:
        promotion = a_promotion()
        for last in "ab":
            contributor.reverse([self.use(promotion, member, "9" * 79 + last, 1)])
        contributor.reverse([self.use(promotion, member, "9" * 79 + "a", 1)])
        assert len(self.booked()) == 2

    @pytest.mark.parametrize(
        "statement", ["UPDATE campaigns_promotionuse SET points = 1", "DELETE FROM campaigns_promotionuse"]
    )
    def test_are_history(self, member: Member, statement: str) -> None:
        contributor.commit([self.use(a_promotion(), member, "A1", 50)])
        with pytest.raises(DatabaseError), transaction.atomic(), transaction.get_connection().cursor() as cursor:
            cursor.execute(statement)
        assert self.booked() == [("A1", 50)]


class TestChanges:
    @pytest.mark.parametrize(
        ("verb", "before", "after"),
        [("launch", "draft", "live"), ("pause", "live", "paused"), ("resume", "paused", "live")],
    )
    def test_move_the_state_and_tell_the_timeline(self, verb: str, before: str, after: str) -> None:
        promotion = a_promotion(state=before)
        getattr(promotions, f"{verb}_promotion")(promotion_id=promotion.pk, by=ANNA, at=NOON)
        promotion.refresh_from_db()
        assert promotion.state == after
        entry = TimelineEntry.objects.get(subject=f"promotion:{promotion.pk}")
        assert (entry.actor_kind, entry.actor_id, entry.happened_at) == ("operator", 1, NOON)

    @pytest.mark.parametrize(
        ("verb", "before"),
        [
            ("launch", "live"),
            ("launch", "paused"),
            ("pause", "draft"),
            ("pause", "paused"),
            ("resume", "live"),
            ("end", "draft"),
        ],
    )
    def test_are_refused_in_another_state(self, verb: str, before: str) -> None:
        promotion = a_promotion(state=before)
        with pytest.raises(PromotionNotInState):
            getattr(promotions, f"{verb}_promotion")(promotion_id=promotion.pk, by=ANNA, at=NOON)
        unchanged = Promotion.objects.get(pk=promotion.pk)
        assert (unchanged.state, unchanged.ends_at) == (before, promotion.ends_at)
        assert not TimelineEntry.objects.exists()

    def test_are_seen_at_once_in_this_process(self, django_capture_on_commit_callbacks: Any) -> None:
        promotion = a_promotion()
        assert offers()
        with django_capture_on_commit_callbacks(execute=True):
            promotions.pause_promotion(promotion_id=promotion.pk, by=ANNA, at=NOON)
        assert not offers()

    def test_ending_keeps_what_was_before(self) -> None:
        promotion = a_promotion()
        promotions.end_promotion(promotion_id=promotion.pk, by=ANNA, at=NOON)
        contributor.forget()
        assert offers(NOON - timedelta(microseconds=1))
        assert not offers(NOON)


class TestWords:
    def test_of_a_saved_promotion_name_its_stores_and_tier(self) -> None:
        promotion = a_promotion(min_spend_amount=Decimal("30.00"), weekdays=[5, 6])
        promotion.stores.add(a_store("S1"))
        with override("en"):
            assert promotion_sentence(promotion) == (
                "Base points ×2 on orders of ¥30 or more, Saturday and Sunday, "
                "2026-11-01 00:00 to 2026-12-01 00:00, in Store S1, every tier."
            )

    def test_explain_a_stored_trace(self) -> None:
        trace = {
            "v": 1,
            "rule": 1,
            "lines": [],
            "not": [["7", {"en": "Double points"}, "wrong_weekday", {"weekdays": [5]}]],
        }
        with override("en"):
            (unused,) = explain(trace).not_applied
        assert (unused.label, unused.reason) == ("Double points", "only on Saturday")
