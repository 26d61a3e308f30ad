"""Two members are merged and taken apart again and again while orders, returns and redemptions come in for both."""

from datetime import timedelta

from rewards import ledger
from rewards.models import LedgerEntry, LedgerTransaction, PointsAccount, Purchase, Redemption
from rewards.services.orders import MemberClosed
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import redeem_reward
from rewards.services.returns import record_return
from tests.factories.catalogue import a_reward
from tests.factories.orders import NOON, a_return, an_order
from tests.factories.people import TILL
from tests.harness.threads import spread
from tests.rewards.merge_given import a_person, merged, nothing_is_wrong, taken_apart

TIMES = 80
THREADS = 4


def test_nothing_is_lost_and_nobody_waits_for_ever(committed_db: str) -> None:
    kept, other = a_person(), a_person()
    reward = a_reward(30)
    record_purchase(order=an_order(other, "500.00"), by=TILL, at=NOON)

    def work(turn: int) -> str:
        moment = NOON + timedelta(hours=1)
        who = (kept, other)[turn % 2]
        if turn % 8 == 0:
            merge = merged(kept, other, at=moment)
            taken_apart(merge, at=moment)
            return "merged"
        if turn % 8 == 4:
            return "rested"
        if turn % 8 == 5:
            try:
                redeem_reward(member_id=other.pk, reward_id=reward.pk, request_id=f"R{turn}", by=TILL, at=moment)
            except (ledger.InsufficientPoints, MemberClosed):
                return "refused"
            return "redeemed"
        order = an_order(who, "20.00", number=f"O-{turn}", ordered_at=moment)
        record_purchase(order=order, by=TILL, at=moment)
        if turn % 8 == 3:
            record_return(ret=a_return(order, number=f"B-{turn}", returned_at=moment), by=TILL, at=moment)
        return "bought"

    # The first thread alone merges: a second merge of the same two would rightly be refused.
    outcomes = spread(work, times=TIMES, threads=THREADS)
    assert outcomes.count("bought") == TIMES // 8 * 5
    assert Purchase.objects.count() == outcomes.count("bought") + 1
    assert Redemption.objects.count() == outcomes.count("redeemed")
    posted = LedgerEntry.objects.exclude(transaction__kind=LedgerTransaction.Kind.MERGE)
    standing = sum(one.available + one.pending - one.debt for one in PointsAccount.objects.all())
    assert standing == sum(one.d_available + one.d_pending - one.d_debt for one in posted)
    nothing_is_wrong(NOON + timedelta(hours=2))
