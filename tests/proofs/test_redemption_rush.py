"""A rush on a reward: 200 members at once for 50 pieces, of a gift and of digital codes, and the ledger verifies after it."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from members.actors import SYSTEM, Actor
from rewards.models import DigitalCode, Redemption, Reward
from rewards.queries import balance_of
from rewards.reward_refusals import OutOfStock
from rewards.services.digital_codes import add_codes
from rewards.services.redemptions import Wanted, redeem_reward
from rewards.services.verification import verify
from tests.factories.catalogue import a_reward
from tests.factories.histories import with_points
from tests.factories.orders import NOON
from tests.factories.people import a_store
from tests.harness.results import Figures
from tests.harness.threads import spread

MEMBERS, PIECES, THREADS = 200, 50, 40


def test_two_hundred_members_get_fifty_pieces(committed_db: str, record_result: Callable[[str, Figures], None]) -> None:
    members = [with_points(60, moment=NOON - timedelta(days=1)) for _ in range(MEMBERS)]
    store = a_store()
    gift = a_reward(30, kind=Reward.Kind.GIFT, template=None, in_store=True, stock=PIECES)
    codes = a_reward(30, kind=Reward.Kind.DIGITAL, template=None)
    add_codes(reward_id=codes.pk, codes=[f"CODE-{number}" for number in range(PIECES)], by=SYSTEM, at=NOON)
    figures: dict[str, object] = {"members": f"{MEMBERS}", "pieces": f"{PIECES}", "threads": f"{THREADS}"}
    for name, reward, wanted in (("gift", gift, Wanted("store", store.pk)), ("codes", codes, Wanted())):

        def redeem(number: int, reward: Reward = reward, wanted: Wanted = wanted) -> str:
            member = members[number]
            try:
                redeem_reward(
                    member_id=member.pk, reward_id=reward.pk, request_id=f"{reward.pk}:{number}", by=Actor("member", member.pk),
                    at=NOON, wanted=wanted,
                )  # fmt: skip
            except OutOfStock:
                return "out of stock"
            return "redeemed"

        began = time.monotonic()
        outcomes = spread(redeem, times=MEMBERS, threads=THREADS, patience=300)
        figures[f"{name}: seconds"] = f"{time.monotonic() - began:.1f}"
        assert Counter(outcomes) == {"redeemed": PIECES, "out of stock": MEMBERS - PIECES}
        assert Redemption.objects.filter(reward=reward).count() == PIECES
    assert Reward.objects.get(pk=gift.pk).stock == 0
    assert DigitalCode.objects.filter(state=DigitalCode.State.GIVEN).count() == PIECES
    paid = 60 * MEMBERS - sum(balance_of(member.pk, NOON).available for member in members)
    assert paid == 30 * 2 * PIECES
    assert [str(finding) for finding in verify(at=NOON)] == []
    record_result(f"{MEMBERS} redemptions at once of {PIECES} pieces", figures)
