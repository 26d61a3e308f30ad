"""Members with a past."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from members.actors import SYSTEM
from members.models import Member
from rewards import ledger
from rewards.services.expiry import expire_due_lots, release_pending_lots
from rewards.services.purchases import record_purchase
from rewards.services.redemptions import RedemptionReceipt, redeem_reward
from rewards.services.returns import record_return
from tests.factories.catalogue import a_reward
from tests.factories.orders import a_return, an_order
from tests.factories.people import TILL, a_member


def with_points(points: int, *, moment: datetime, expires_at: datetime | None = None) -> Member:
    """Return a member with so many points, earned in one lot at a moment."""
    member = a_member()
    give_points(member, points, moment=moment, expires_at=expires_at)
    return member


def give_points(member: Member, points: int, *, moment: datetime, expires_at: datetime | None = None) -> None:
    """Give a member points in a lot of their own, through the ledger's door and without a purchase."""
    key = f"{member.pk}:{moment.isoformat()}:{points}"
    with transaction.atomic():
        ledger.accrue(
            member_id=member.pk, source="gift", natural_key=key, at=moment, by=SYSTEM, trace={},
            lots=[ledger.NewLot(points, ledger.Origin.ADJUSTMENT, moment, expires_at)],
        )  # fmt: skip


def a_small_history() -> tuple[Member, RedemptionReceipt]:
    """Return a member who did a little of everything in the last days, and what she redeemed.

    Two purchases, a redemption, a return of each purchase (one ends in arrears), a new purchase that repays them;
    a gift that expired, one that was pending, and one that is.
    """
    now = timezone.now()
    days = [now - timedelta(days=20 - day) for day in range(20)]
    member = a_member(joined_at=days[0])
    give_points(member, 11, moment=days[0], expires_at=days[2])
    expire_due_lots(at=days[2], by=SYSTEM)
    coffee, cake = (an_order(member, amount, ordered_at=days[day]) for amount, day in (("80.00", 3), ("40.00", 4)))
    record_purchase(order=coffee, by=TILL, at=days[3])
    record_purchase(order=cake, by=TILL, at=days[4])
    redeemed = redeem_reward(
        member_id=member.pk, reward_id=a_reward(100).pk, request_id=f"{member.pk}:1", by=TILL, at=days[5]
    )
    record_return(ret=a_return(coffee, number=f"{member.pk}-R1", returned_at=days[6]), by=TILL, at=days[6])
    record_return(ret=a_return(cake, (1, "0.5"), number=f"{member.pk}-R2", returned_at=days[7]), by=TILL, at=days[7])
    record_purchase(order=an_order(member, "130.00", ordered_at=days[8]), by=TILL, at=days[8])
    with transaction.atomic():
        for points, day in ((7, 9), (9, 60)):
            ledger.accrue(
                member_id=member.pk, source="gift", natural_key=f"{member.pk}:pending {points}", at=days[8], by=SYSTEM, trace={},
                lots=[ledger.NewLot(points, ledger.Origin.ADJUSTMENT, days[0] + timedelta(days=day), None)],
            )  # fmt: skip
    release_pending_lots(at=now, by=SYSTEM)
    return member, redeemed
