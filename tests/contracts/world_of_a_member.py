"""One member with something of everything, the till and the systems that served her, and others who should see none of it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.test import Client

from campaigns.channels.sms import MemorySms
from campaigns.models import Message, MessageTemplate
from loyalty.models import Badge, Benefit
from loyalty.services.badges import award_by_hand, save_badge
from loyalty.services.published_rules import publish_rules
from members.actors import SYSTEM
from members.identifiers import ENTITLEMENT, MESSAGE, REWARD, SESSION, STORE, VOUCHER, VOUCHER_OFFER, public_ref
from members.models import ActivityKind, Member, OneTimeCode, RateCounter
from members.services.devices import make_activation
from members.services.tokens import issue_member_token
from rewards.models import Redemption, RedemptionState, Reward, TransferPolicy
from rewards.services.fulfilment import move_redemption
from rewards.services.voucher_codes import voucher_code
from rewards.services.voucher_offers import scan_code
from tests.factories.api import (
    Caller,
    Till,
    make_channel,
    make_member,
    make_store,
    make_till,
    now,
    order_body,
    sign_in,
)
from tests.factories.benefits import a_benefit, an_entitlement
from tests.factories.catalogue import a_reward, a_template, a_voucher
from tests.factories.plans import a_plan
from tests.factories.portal import signed_in
from tests.factories.segments import ACTIVE, a_live_segment
from tests.factories.till import a_cart, held, points_pay, quoted, ref, with_points
from tests.rewards.voucher_given import an_offer

NAME, PHONE, MAIL = "欧阳明月", "13812345678", "moon@example.com"
SHOP_NAME = "上官明月"  # the member whom another system told us of
ADDRESS = {"name": NAME, "phone": PHONE, "lines": ["上海市黄浦区", "明月路 77 号"]}
HOUR = timedelta(hours=1)


@dataclass
class World:
    """Who is there, and by name what the rightful caller may ask for."""

    member: Member
    me: Caller
    other: Caller  # another member, who has points, too
    till: Till  # where she was served, with every scope
    elsewhere: Till  # the key of another store, of the same source
    stranger: Till  # the key of another system in another store
    staff: Client  # a browser in which a superuser has signed in
    has: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.has[name]

    @property
    def traces(self) -> list[str]:
        """What others must not read in any answer."""
        secret = [value for name, value in self.has.items() if name.startswith("her_")]
        return [NAME, SHOP_NAME, PHONE, MAIL, ADDRESS["lines"][1], self.member.member_no, ref(self.member), *secret]


def a_world(receiver_url: str) -> World:
    """Return a world in which webhooks go to this address."""
    points_pay()
    member = make_member(full_name=NAME, phone=PHONE, email=MAIL)
    other = make_member(phone="13887654321")
    for one in (member, other):
        with_points(one, 5_000)
    world = World(
        Member.objects.get(pk=member.pk),
        sign_in(member),
        sign_in(other),
        make_till(),
        make_till(make_store("S02")),
        make_till(make_store("S03"), source="crm"),
        signed_in(superuser=True),
    )
    world.has["ref"] = ref(member)
    elsewhere = issue_member_token(member_id=member.pk, at=now())
    world.has["her_session"] = public_ref(SESSION, elsewhere.session.public_id)
    world.has["refresh"] = elsewhere.refresh_secret
    _profile(world)
    _friends(world)
    _benefits(world)
    _vouchers(world)
    _rewards(world)
    _till(world)
    _systems(world, receiver_url)
    return world


def minutes_pass(_world: World) -> None:
    """Let the last codes have been sent some minutes ago."""
    RateCounter.objects.all().delete()
    OneTimeCode.objects.update(created_at=now() - timedelta(minutes=2))


def _done(answer: Any) -> Any:
    assert answer.status_code < 300, answer.content.decode()
    return answer.json()


def _profile(world: World) -> None:
    badge = Badge(name="First", title="Pioneer")
    save_badge(badge=badge, condition=None, by=SYSTEM, at=now())
    award_by_hand(member_id=world.member.pk, badge_id=badge.pk, reason="the first", by=SYSTEM, at=now())
    ActivityKind.objects.get_or_create(code="review", defaults={"name": "Review"})
    a_plan(trial_days=7)
    world.has["badge"] = Badge.objects.get(pk=badge.pk).code
    sent = _done(world.me.post("/me/phone-change/codes", {"phone": "13911112222"}))
    codes = {one.phone: one.params["code"] for one in MemorySms.sent if "code" in one.params}
    world.has["phone_change"] = {
        "phone": "13911112222", "new_code_id": sent["new_code_id"], "new_code": codes["+8613911112222"],
        "old_code_id": sent["old_code_id"], "old_code": codes[f"+86{PHONE}"],
    }  # fmt: skip


def _friends(world: World) -> None:
    TransferPolicy.objects.update(is_enabled=True, min_points=10, max_points=200, day_points=300, day_times=3)
    minutes_pass(world)
    gift = {"to": "13887654321", "points": 50}
    sent = _done(world.me.post("/me/points/transfers/codes", gift))
    code = next(one.params["code"] for one in reversed(MemorySms.sent) if one.phone == f"+86{PHONE}")
    world.has["gift_of_points"] = gift | {"code_id": sent["code_id"], "code": code}
    template = MessageTemplate.objects.get_or_create(
        occasion=MessageTemplate.Occasion.TIER_RAISED,
        defaults={"channel": "console", "title": "Congratulations", "body": "Well done."},
    )[0]
    message = Message.objects.create(
        member=world.member,
        template=template,
        occurrence="walk",
        channel="console",
        created_at=now(),
        state=Message.State.SENT,
        figures={"to": "gold", "credits": 2000, "valid_until": None},
    )
    message.refresh_from_db()
    world.has["her_message"] = public_ref(MESSAGE, message.public_id)


def _benefits(world: World) -> None:
    for name, in_app in (("lounge", True), ("tea", False)):
        benefit = a_benefit(name, kind=Benefit.Kind.VISITS, is_used_in_app=in_app)
        row = an_entitlement(world.member, benefit, at=now() - HOUR)
        row.refresh_from_db()
        world.has[f"her_{name}"] = public_ref(ENTITLEMENT, row.public_id)
    used = {"member_ref": world["ref"], "benefit": "tea", "external_ref": "USE-77"}
    _done(world.till.post("/pos/benefits/use", used, key="use"))


def _vouchers(world: World) -> None:
    template = a_template("giftable", is_giftable=True)
    for name in ("voucher", "given_voucher", "used_voucher"):
        voucher = a_voucher(world.member.pk, template, issued_at=now() - HOUR)
        world.has[f"her_{name}"] = public_ref(VOUCHER, voucher.public_id)
        world.has[f"her_code_of_{name}"] = voucher_code(voucher.public_id)
    gift = _done(world.me.post(f"/me/vouchers/{world['her_given_voucher']}/gift", {}, key="gift"))
    world.has["her_token"] = gift["token"]
    friend = _done(_gift_of_the_other(world))
    world.has["token_of_the_other"] = friend["token"]
    use = {"code": world["her_code_of_used_voucher"], "spend_amount": "50.00", "external_order_no": "V-77"}
    _done(world.till.post("/pos/vouchers/redeem", use, key="use"))
    offer = an_offer(begins_at=now() - HOUR)
    world.has["offer"] = public_ref(VOUCHER_OFFER, offer.public_id)
    world.has["scan"] = scan_code(offer)


def _gift_of_the_other(world: World) -> Any:
    other = Member.objects.exclude(pk=world.member.pk).get()
    voucher = a_voucher(other.pk, a_template("giftable"), issued_at=now() - HOUR)
    return world.other.post(f"/me/vouchers/{public_ref(VOUCHER, voucher.public_id)}/gift", {}, key="gift")


def _rewards(world: World) -> None:
    mug = Reward.objects.get(pk=a_reward(30, name="Mug", kind="gift", template=None, by_post=True, in_store=True).pk)
    tea = Reward.objects.get(pk=a_reward(40, name="Five off").pk)
    world.has["mug"], world.has["reward"] = (public_ref(REWARD, one.public_id) for one in (mug, tea))
    assert world.me.put(f"/me/wishes/{world['mug']}", {}).status_code == 204
    store = public_ref(STORE, world.till.key.store.public_id)
    orders = {
        "her_parcel": {"reward": world["mug"], "delivery": "post", "address": ADDRESS},
        "her_pickup": {"reward": world["mug"], "delivery": "store", "store": store},
        "her_redemption": {"reward": world["reward"]},
    }
    for name, body in orders.items():
        world.has[name] = _done(world.me.post("/me/redemptions", body, key=name))["id"]
    world.has["her_pickup_code"] = _done(world.me.get(f"/me/redemptions/{world['her_pickup']}"))["pickup_code"]
    waiting = Redemption.objects.get(delivery=Redemption.Delivery.STORE)
    move_redemption(redemption_id=waiting.pk, to_state=RedemptionState.READY, by=SYSTEM, at=now())
    world.has["quote_of_reward"] = _done(world.me.post("/me/redemptions/quote", {"reward": world["reward"]}))[
        "quote_id"
    ]
    world.has["her_entry"] = _done(world.me.get("/me/points/entries"))["items"][0]["id"]


def _till(world: World) -> None:
    till, lines = world.till, a_cart("100.00")
    told = order_body(world["ref"])
    world.has["her_order"] = told["external_order_no"]
    world.has["her_order_ref"] = _done(till.post("/pos/orders", told, key="order"))["id"]
    quote = quoted(till, world.member, lines, points=1_000, vouchers=[])
    world.has["hold"] = held(till, quote)["id"]
    world.has["lines"] = lines
    world.has["quote"] = quoted(till, world.member, lines, points=500, vouchers=[])["quote_id"]
    paid = quoted(till, world.member, lines, points=200, vouchers=[])
    world.has["paid_order"] = {
        "external_order_no": "PAID-77", "ordered_at": now().isoformat(), "lines": lines, "quote_id": paid["quote_id"],
        "hold_id": held(till, paid)["id"],
    }  # fmt: skip
    batch = {"external_batch_no": "BATCH-77", "orders": [order_body(world["ref"])]}
    world.has["batch"] = _done(till.post("/pos/batches", batch, key="batch"))["id"]
    world.has["activation"] = make_activation(
        store_id=till.key.store_id, channel_id=make_channel().pk, name="Till 2", source="till", reason="a new till",
        by=SYSTEM, at=now(),
    ).code  # fmt: skip


def _systems(world: World, receiver_url: str) -> None:
    _done(world.till.put("/integration/members/CRM-77", {"name": SHOP_NAME, "phone": "13900007777"}))
    hook = {"url": receiver_url, "types": ["member.closed"], "description": "for the shop"}
    world.has["webhook"] = _done(world.till.post("/integration/webhooks", hook))["id"]
    world.has["receiver"] = receiver_url
    publish_rules(by=SYSTEM, at=now())
    a_live_segment({"all": [ACTIVE]}, at=now())
    world.has["segment"] = _done(world.till.get("/integration/segments"))["items"][0]["id"]
    world.has["her_job"] = _done(world.me.post("/me/data-export", {}))["id"]
    told = {"orders": [order_body(world["ref"])]}
    world.has["orders_batch"] = _done(world.till.post("/integration/orders:batch", told, key="orders"))["id"]
    world.has["adjustment"] = {
        "external_ref": "ADJUST-77", "member_ref": world["ref"], "points": 10, "reason_code": "goodwill"
    }  # fmt: skip
    adjusted = _done(world.till.post("/integration/adjustments", world["adjustment"], key="adjust"))
    world.has["adjustment_ref"] = adjusted["id"]
