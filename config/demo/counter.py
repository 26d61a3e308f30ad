"""What happened at the demo's tills: orders paid with points; in the last days points set aside, given back, and refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from config.demo.business import MENU, Business
from members.actors import Actor
from members.decisions import record_decision
from members.models import ApiKey
from rewards.ledger import InsufficientPoints
from rewards.models import PointsAccount, Purchase
from rewards.services.holds import hold_points, release_due_holds, spend_hold, spend_on_order
from rewards.services.purchases import Order, OrderLine, record_purchase
from rewards.services.returns import Return, record_return

PAID_POINTS = 100
PAYS_WITH_POINTS = 0.03
_MUG = next(article for article in MENU if article.sku == "R-MUG")


def serve(*, now: datetime, business: Business, random: Random) -> None:
    """Play the tills' last two days. Members are those with the most points who bought lately."""
    key = ApiKey.objects.filter(name="Demo till", revoked_at=None).first()
    till = Actor("device", key.pk if key else None)
    rich = list(
        PointsAccount.objects.filter(currency__code="points", available__gte=3 * PAID_POINTS)
        .order_by("-available", "pk")
        .values_list("member_id", flat=True)[:60]
    )
    chosen = random.sample(rich, min(3, len(rich)))
    for scene, member_id in zip((_paid_and_returned, _left_waiting, _set_aside), chosen, strict=False):
        scene(member_id, now, business, till)
    _refused(now, business, till)


def pay_with_points(*, orders: Sequence[Order], by: Actor, random: Random) -> None:
    """Let some members pay a part of their last order in a store with points, wherever these were earned."""
    last = {
        order.member_id: order
        for order in sorted(orders, key=lambda order: order.ordered_at)
        if order.member_id is not None and order.store_id is not None
    }
    payers = {member_id: order for member_id, order in sorted(last.items()) if random.random() < PAYS_WITH_POINTS}
    rich = PointsAccount.objects.filter(currency__code="points", available__gte=PAID_POINTS, member__in=list(payers))
    for member_id, available in rich.order_by("member_id").values_list("member_id", "available"):
        order = payers[member_id]
        points = PAID_POINTS * random.randint(1, min(3, available // PAID_POINTS))
        try:
            spend_on_order(
                member_id=member_id, points=points, source=order.source, external_order_no=order.external_order_no, by=by,
                at=order.ordered_at, store_id=order.store_id,
            )  # fmt: skip
        except InsufficientPoints:
            continue  # earned later than this order, or spent since


def _paid_and_returned(member_id: int, now: datetime, business: Business, till: Actor) -> None:
    """A mug, in part paid with points, comes back the next day: so do the points."""
    at = (now - timedelta(days=1)).astimezone(business.tz).replace(hour=15, minute=12)
    store, channel = business.stores[0].pk, business.channels["till"]
    number = f"{business.stores[0].code}-{at:%y%m%d}-PAY01"
    held = hold_points(
        member_id=member_id, points=PAID_POINTS, source="till", external_ref=number, by=till, at=at, store_id=store
    )
    spend_hold(
        hold_id=held.hold_id, source="till", external_order_no=number, by=till, at=at + timedelta(minutes=2), store_id=store
    )  # fmt: skip
    line = OrderLine(_MUG.sku, _MUG.name, Decimal(1), _MUG.price, _MUG.price, earns=True)
    order = Order(
        source="till", external_order_no=number, member_id=member_id, channel_id=channel, store_id=store,
        ordered_at=at + timedelta(minutes=2), lines=(line,),
    )  # fmt: skip
    record_purchase(order=order, by=till, at=order.ordered_at, quiet=True)
    back_at = now - timedelta(hours=2)
    ret = Return(
        source="till", external_return_no=f"R-{number}", external_order_no=number, channel_id=channel, store_id=store,
        returned_at=back_at,
    )  # fmt: skip
    record_return(ret=ret, by=till, at=back_at, quiet=True)


def _left_waiting(member_id: int, now: datetime, business: Business, till: Actor) -> None:
    """Points set aside for an order that was never paid are the member's again."""
    at = now - timedelta(hours=4)
    hold_points(
        member_id=member_id, points=PAID_POINTS, source="till", external_ref=f"LEFT-{at:%y%m%d}", by=till, at=at,
        store_id=business.stores[0].pk,
    )  # fmt: skip
    release_due_holds(at=at + timedelta(minutes=16))


def _set_aside(member_id: int, now: datetime, business: Business, till: Actor) -> None:
    """Points set aside for a birthday cake that is fetched tomorrow."""
    at = now - timedelta(minutes=25)
    hold_points(
        member_id=member_id, points=2 * PAID_POINTS, source="till", external_ref=f"CAKE-{at:%y%m%d}", by=till, at=at,
        minutes=24 * 60, store_id=business.stores[0].pk,
    )  # fmt: skip


def _refused(now: datetime, business: Business, till: Actor) -> None:
    """Some who bought lately wanted to pay with more points than they have."""
    lately = Purchase.objects.filter(member__isnull=False, ordered_at__lt=now).order_by("-ordered_at", "pk")
    members = list(dict.fromkeys(lately.values_list("member_id", flat=True)[:200]))
    short = PointsAccount.objects.filter(currency__code="points", member_id__in=members, available__lt=300)
    for number, member_id in enumerate(short.order_by("pk").values_list("member_id", flat=True)[:4], 1):
        at = now - timedelta(hours=3 * number)
        try:
            spend_on_order(
                member_id=member_id, points=500, source="till", external_order_no=f"SHORT-{at:%y%m%d}-{number}", by=till, at=at,
                store_id=business.stores[0].pk,
            )  # fmt: skip
        except InsufficientPoints as refusal:
            record_decision(
                kind="refusal", member_id=member_id, subject="POST /pos/orders", code=refusal.code,
                trace={"v": 1, "params": refusal.stored_params(), "request": ""}, by=till, at=at,
            )  # fmt: skip
