"""Limits of a member and of a key hold whatever is asked for at the same moment."""

from collections import Counter
from datetime import timedelta

from django.db import transaction

from members.actors import Actor
from members.models import ApiKey, KeyDay, OneTimeCode
from members.refusals import Refusal
from members.services.key_bounds import KeyCeilingReached, count_against_ceiling
from rewards import ledger
from rewards.models import FlashSale, Redemption, TransferPolicy
from rewards.queries import balance_of
from rewards.services.own_transfers import Gift, give_points
from rewards.services.redemptions import redeem_reward
from rewards.services.transfers import TransferDayLimit
from tests.factories.api import make_till
from tests.factories.catalogue import a_reward
from tests.factories.histories import with_points
from tests.factories.orders import NOON
from tests.factories.people import TILL, a_member
from tests.harness.threads import spread
from tests.rewards.test_races import is_sound

THREADS = 16
DAY = timedelta(days=1)


class TestSixteenAtOnce:
    def test_never_get_more_of_a_reward_than_a_member_may_have(self, committed_db: str) -> None:
        member = with_points(10_000, moment=NOON)
        ever, daily, dear = (
            a_reward(10, **more) for more in ({"per_member_limit": 3}, {"period_limit": 2, "period": "day"}, {})
        )
        FlashSale.objects.create(
            reward=dear, price_points=5, per_member_limit=1, starts_at=NOON - DAY, ends_at=NOON + DAY
        )  # fmt: skip

        def redeem(number: int) -> list[str]:
            said = []
            for reward in (ever, daily, dear):
                try:
                    redeem_reward(
                        member_id=member.pk, reward_id=reward.pk, request_id=f"{reward.pk}:{number}", by=TILL, at=NOON
                    )
                    said.append("done")
                except Refusal as refusal:
                    said.append(refusal.code)
            return said

        answers = list(zip(*spread(redeem, times=THREADS, threads=THREADS), strict=True))
        had = [Redemption.objects.filter(reward=reward).count() for reward in (ever, daily, dear)]
        assert had == [Counter(one)["done"] for one in answers] == [3, 2, 1]
        assert balance_of(member.pk, NOON).available == 10_000 - 30 - 20 - 5
        assert is_sound()

    def test_never_give_more_points_to_friends_than_a_day_allows(self, committed_db: str) -> None:
        TransferPolicy.objects.update(
            is_enabled=True, min_points=10, max_points=100, day_points=250, day_times=20, month_points=1_000, month_times=20
        )  # fmt: skip
        giver, friend = with_points(1_000, moment=NOON), a_member()
        gift = Gift(friend.member_no, 50, ledger.currency_id())
        codes = OneTimeCode.objects.bulk_create(
            OneTimeCode(
                purpose="transfer", recipient_hash=b"x", caller_hash=b"x", code_hash=b"x", created_at=NOON, expires_at=NOON + DAY
            )
            for _ in range(THREADS)
        )  # fmt: skip

        def give(number: int) -> int:
            try:
                give_points(
                    sender_id=giver.pk, gift=gift, code_id=codes[number].pk, request_id=str(number),
                    by=Actor("member", giver.pk), at=NOON,
                )  # fmt: skip
            except TransferDayLimit:
                return 0
            return 50

        assert sum(spread(give, times=THREADS, threads=THREADS)) == 250
        assert [balance_of(one.pk, NOON).available for one in (giver, friend)] == [750, 250]
        assert is_sound()

    def test_never_move_more_points_with_a_key_than_its_day_allows(self, committed_db: str) -> None:
        key = make_till().key
        ApiKey.objects.filter(pk=key.pk).update(daily_points_ceiling=1_000)
        key.refresh_from_db()

        def move(number: int) -> int:
            try:
                with transaction.atomic():
                    count_against_ceiling(key, points=150, at=NOON)
            except KeyCeilingReached:
                return 0
            return 150

        assert sum(spread(move, times=32, threads=THREADS)) == 900
        assert KeyDay.objects.get().points == 900
