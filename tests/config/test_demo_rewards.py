"""The demo's rewards and their orders, what staff do with vouchers, the tills, and the other systems."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from config.demo.business import open_business, texts
from config.demo.byhand import AIRLINE, MILES, PROJECT
from config.demo.pictures import PICTURES, picture
from config.demo.points import open_points
from config.demo.redeeming import scenes_of_rewards
from config.demo.scenes import Scene
from config.demo.staff import make_accounts, make_till_key
from loyalty.pictures import opened_picture
from members.actors import SYSTEM
from members.models import (
    ApiKey,
    Job,
    Member,
    Proposal,
    TillActivation,
    WebhookEndpoint,
)
from rewards.models import (
    CharityProject,
    DigitalCode,
    Direction,
    FlashSale,
    OfflineBatch,
    OrderHold,
    OrderSettlement,
    OrderVoid,
    Partner,
    PartnerRate,
    PurchaseReturn,
    Redemption,
    RedemptionAddress,
    RedemptionState,
    Reward,
    RewardImage,
    RewardPrice,
    Voucher,
    VoucherBatch,
    VoucherGoodwill,
    WishedReward,
)
from rewards.queries import forget_rules
from rewards.services.purchases import record_purchase
from rewards.services.verification import verify
from tests.factories.catalogue import a_voucher
from tests.factories.histories import with_points
from tests.factories.orders import an_order
from tests.factories.times import SHANGHAI
from tests.rewards.voucher_given import a_list_of


def a_business(now: datetime) -> list[Member]:
    """Open the demo's business with its staff; return members who have bought and hold vouchers."""
    start = now - timedelta(days=60)
    open_business(start=start, today=now, members=30)
    open_points(start=start, today=now, by=SYSTEM)
    forget_rules()
    make_accounts("not-a-password")
    make_till_key(at=now - timedelta(days=30))
    CharityProject.objects.create(**texts("name", PROJECT), starts_at=start)
    partner = Partner.objects.create(
        code="cloud-magpie", **texts("name", AIRLINE), **texts("unit_name", MILES), min_points=500, step_points=100
    )
    PartnerRate.objects.create(partner=partner, direction=Direction.OUT, valid_from=start, points=10, units=1)
    members = [with_points(3_000, moment=now - timedelta(days=40)) for _number in range(20)]
    for number, member in enumerate(members):
        moment = now - timedelta(days=24, minutes=number)
        record_purchase(order=an_order(member, "900.00", ordered_at=moment), by=SYSTEM, at=moment)
    a_list_of(members[:9], "滨江店周年邀请", at=now - timedelta(days=9))
    a_list_of(members[9:15], "华东常客", at=now - timedelta(days=9))
    return members


@pytest.mark.django_db
def test_show_each_page_at_work() -> None:
    now = timezone.now()
    members = a_business(now)
    scenes = scenes_of_rewards(now=now, tz=SHANGHAI, seed=1)
    for member in members[:6]:
        a_voucher(member.pk, issued_at=now - timedelta(days=25))
    together: list[tuple[Scene, int]] = sorted(
        ((scene, place) for place, each in enumerate(scenes) for scene in each.scenes),
        key=lambda one: (one[0].at, one[1]),
    )
    for scene, place in together:
        scenes[place].play(scene.at + timedelta(microseconds=1))

    assert set(Reward.objects.values_list("kind", flat=True)) == set(Reward.Kind.values)
    assert RewardImage.objects.values("reward").distinct().count() == Reward.objects.count()
    assert FlashSale.objects.filter(starts_at__lte=now, ends_at__gt=now).count() == 1
    assert RewardPrice.objects.filter(valid_from__gt=now).count() == 1
    assert set(DigitalCode.objects.values_list("state", flat=True)) == {"free", "given"}
    assert WishedReward.objects.count() > 10

    assert set(Redemption.objects.values_list("state", flat=True)) == set(RedemptionState.values)
    late = Redemption.objects.filter(state__in=["placed", "preparing"], due_at__lt=now)
    assert late.count() >= 1
    assert RedemptionAddress.objects.count() == Redemption.objects.filter(delivery="post").count() > 8

    kept, taken_back = VoucherBatch.objects.order_by("pk")
    assert (kept.issued, taken_back.issued) == (9, 6)
    assert Voucher.objects.filter(origin="batch", origin_ref=str(taken_back.pk), state="voided").count() == 6
    assert set(VoucherGoodwill.objects.values_list("what", flat=True)) >= {"give", "extend", "void"}
    assert not Job.objects.exclude(state="done").exists()
    assert not Proposal.objects.filter(state="waiting").exists()

    holds = Counter(OrderHold.objects.values_list("state", flat=True))
    assert holds == {"captured": 5, "open": 1, "expired": 1, "released": 1}
    assert OrderSettlement.objects.filter(purchase__member__isnull=False).count() == 5
    assert (OrderVoid.objects.count(), PurchaseReturn.objects.count()) == (1, 2)
    batch = OfflineBatch.objects.get()
    assert Counter(batch.lines.values_list("outcome", flat=True)) == {"recorded": 5, "refused": 2}

    assert ApiKey.objects.filter(revoked_at__isnull=False).count() == 1
    assert TillActivation.objects.filter(used_at=None, expires_at__gt=now).count() == 1
    assert set(WebhookEndpoint.objects.values_list("state", flat=True)) == {"paused"}
    assert [str(finding) for finding in verify(at=now)] == []


def test_pictures_are_ones_that_staff_could_have_uploaded() -> None:
    for name in PICTURES:
        drawn = opened_picture(picture(name), most_bytes=100_000, least_side=200)
        assert drawn.width == drawn.height
