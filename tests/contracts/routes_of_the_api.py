"""Every operation of the API: for whom it is, the scope that it needs, and what there is to ask of a member who has everything.

A new operation has to be entered here, or the walk over all of them fails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from django.utils import timezone

from loyalty.services.plans import start_trial
from members.actors import SYSTEM
from members.api.signatures import signature_of
from members.services.keys import (
    ACTIVITIES_WRITE,
    ADJUSTMENTS_WRITE,
    BENEFITS_USE,
    EVENTS_READ,
    HOLDS_WRITE,
    MEMBERS_ENROL,
    MEMBERS_READ,
    MEMBERS_RESOLVE,
    MEMBERS_WRITE,
    ORDERS_READ,
    ORDERS_WRITE,
    PICKUPS_COMPLETE,
    PLANS_CONFIRM,
    QUOTES_WRITE,
    SEGMENTS_READ,
    VOUCHERS_REDEEM,
    WEBHOOKS_MANAGE,
    signing_secret,
)
from tests.contracts.world_of_a_member import World, minutes_pass
from tests.factories.api import order_body

Refused = tuple[int, str]
NOT_FOUND: Final[Refused] = (404, "not_found")
FROZEN: Final[Refused] = (409, "member_frozen")
#: Makes a body of what there is in the world.
Asked = Callable[[World], Any]


@dataclass(frozen=True)
class Route:
    """One operation.

    `public`: for anybody; `known`: for anybody, and more with a member's token; `member`; `till`: for keys with `scope`.
    """

    who: Literal["public", "known", "member", "till"]
    scope: str = ""
    path: tuple[tuple[str, str], ...] = ()  # a parameter of the path, and what the world has for it, or =text
    body: Asked | None = None
    headers: Callable[[World, bytes], dict[str, str]] | None = None  # that depend on the body as it is sent
    before: Callable[[World], Any] | None = None  # what has to be so for the rightful caller
    is_hers: bool = False  # names what belongs to the member
    foreign: Refused = NOT_FOUND  # what another member is told who names it
    elsewhere: Refused | None = None  # what the key of another store is told; None: it may as well
    stranger: Refused | None = None  # what the key of another system is told; None: it may as well
    frozen: Refused | None = None  # what a till is told of a member who is frozen; None: it may all the same
    fails: Refused | None = None  # what the rightful caller is told where the world can not have what it takes


def _told(**fields: Any) -> Asked:
    """Return a body of these fields, in which @name stands for what the world has under that name."""
    return lambda world: {name: _of(world, value) for name, value in fields.items()}


def _of(world: World, value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@"):
        return world[value[1:]]
    return [_of(world, one) for one in value] if isinstance(value, list) else value


def _in(scope: str, **more: Any) -> Route:
    """Return a route for tills with this scope."""
    return Route("till", scope, **more)


def _mine(**more: Any) -> Route:
    """Return a route for members."""
    return Route("member", **more)


def _her(parameter: str, name: str, **more: Any) -> Route:
    """Return a route for members that names what belongs to one of them."""
    return Route("member", path=((parameter, name),), is_hers=True, **more)


def _ago(**span: Any) -> str:
    return (timezone.now() - timedelta(**span)).isoformat()


def _signed(world: World, raw: bytes) -> dict[str, str]:
    stamp = int(timezone.now().timestamp())
    secret = signing_secret(world.till.key)
    signature = signature_of(secret, message_id="msg_77", stamp=stamp, body=raw)
    return {"webhook-id": "msg_77", "webhook-timestamp": str(stamp), "webhook-signature": signature}


def _orders_plan(world: World) -> None:
    world.has["plan_order"] = world.me.post("/me/plan", {"plan": "gold_year"}, key="plan").json()["order"]["order_ref"]


def _payment(world: World) -> Any:
    order = world.has.get("plan_order", f"plo_{'0' * 26}")
    paid = {"order_ref": order, "payment_no": "PAY-77", "amount": "365.00", "currency": "CNY"}
    return paid | {"paid_at": timezone.now().isoformat()}


def _tries_plan(world: World) -> None:
    start_trial(
        member_id=world.member.pk,
        plan_code="gold_year",
        renews_intended=False,
        by=SYSTEM,
        at=timezone.now(),
    )


_OF_ORDER: Final = (("order_no", "her_order"),)
_HOOK: Final = (("webhook", "webhook"),)
_CODE: Final = {"code": "@her_code_of_voucher", "spend_amount": "50.00"}
_CONSENT: Final = [{"purpose": "service", "text_version": 1}]
_JOIN: Final = {"phone": "13955556666", "consents": _CONSENT}

ROUTES: Final[dict[str, Route]] = {
    # for anybody
    "get_program": Route("public"),
    "list_tiers": Route("public"),
    "get_rules": Route("public"),
    "list_rules_changes": Route("public"),
    "list_plans": Route("public"),
    "list_stores": Route("public"),
    "get_problem_kind": Route("public", path=(("code", "=not_found"),)),
    "list_earning_rules": Route("known"),
    "list_rewards": Route("known"),
    "get_reward": Route("known", path=(("reward_id", "mug"),)),
    "list_voucher_offers": Route("known"),
    "get_job_result": Route("public", path=(("job", "her_job"),), fails=NOT_FOUND),
    "sign_in_with_wechat": Route("public", body=_told(code="x"), fails=(409, "wechat_not_configured")),
    "bind_wechat_phone": Route(
        "public", body=_told(binding_token="x", code="x", consents=_CONSENT), fails=(401, "token_expired")
    ),
    "send_sign_in_code": Route("public", body=_told(phone="13933334444")),
    "sign_in_with_code": Route(
        "public",
        body=_told(code_id=f"otc_{'0' * 26}", phone="13812345678", code="1234567", consents=_CONSENT),
        fails=(422, "code_wrong"),
    ),
    "refresh_tokens": Route("public", body=_told(refresh_token="@refresh")),
    "activate_till": Route("public", body=_told(code="@activation")),
    # of members
    "sign_out": _mine(),
    "list_my_sessions": _mine(),
    "end_my_session": _her("session", "her_session"),
    "change_my_phone": _mine(body=lambda world: world["phone_change"], is_hers=True, foreign=(422, "code_wrong")),
    "send_phone_change_codes": _mine(body=_told(phone="13922223333"), before=minutes_pass),
    "get_me": _mine(),
    "change_me": _mine(body=_told(name="欧阳新月")),
    "get_my_card": _mine(),
    "get_my_wallet_pass": _mine(fails=(404, "wallet_pass_unavailable")),
    "get_my_code": _mine(),
    "get_my_code_seed": _mine(),
    "get_my_onboarding": _mine(),
    "get_my_preferences": _mine(),
    "set_my_preferences": _mine(body=_told(language="en", channels=["sms"], quiet_hours=None)),
    "list_my_consents": _mine(),
    "get_my_consent": _mine(path=(("purpose", "=marketing"),)),
    "say_my_consent": _mine(path=(("purpose", "=marketing"),), body=_told(given=False)),
    "copy_my_data": _mine(),
    "get_my_closure": _mine(),
    "ask_to_leave": _mine(body=_told(reason="other")),
    "stay_after_all": _mine(fails=(409, "not_leaving")),
    "record_my_events": _mine(body=lambda world: {"events": [_event()]}),
    "get_job": _her("job", "her_job", stranger=NOT_FOUND),
    "get_my_tier": _mine(),
    "ask_my_tier_what_if": _mine(body=_told(spend="500.00")),
    "list_my_tier_changes": _mine(),
    "get_my_badges": _mine(),
    "choose_my_title": _mine(body=_told(badge="@badge"), is_hers=True, foreign=(422, "title_not_held")),
    "get_my_growth": _mine(),
    "list_my_benefits": _mine(),
    "claim_benefit": _her("entitlement_id", "her_lounge", body=_told()),
    "get_my_plan": _mine(),
    "order_my_plan": _mine(body=_told(plan="gold_year")),
    "change_my_plan": _mine(body=_told(renews=False), before=_tries_plan),
    "get_my_summary": _mine(),
    "get_my_points": _mine(),
    "list_my_points_entries": _mine(),
    "list_my_expiring_points": _mine(),
    "list_my_transfers": _mine(),
    "send_transfer_code": _mine(body=_told(to="13887654321", points=50), before=minutes_pass),
    "give_points": _mine(body=lambda world: world["gift_of_points"], is_hers=True, foreign=(422, "code_wrong")),
    "list_my_orders": _mine(),
    "get_my_order": _her("order_id", "her_order_ref"),
    "list_my_messages": _mine(),
    "mark_my_messages_read": _mine(body=_told(ids=["@her_message"]), is_hers=True),
    "get_my_points_entry": _her("entry_id", "her_entry"),
    "list_my_wishes": _mine(),
    "wish_for_reward": _mine(path=(("reward_id", "reward"),)),
    "wish_no_more": _mine(path=(("reward_id", "mug"),)),
    "quote_reward": _mine(body=_told(reward="@reward")),
    "list_my_redemptions": _mine(),
    "redeem_reward": _mine(body=_told(quote="@quote_of_reward"), is_hers=True, foreign=(409, "quote_expired")),
    "get_my_redemption": _her("redemption_id", "her_parcel"),
    "cancel_redemption": _her("redemption_id", "her_redemption"),
    "list_my_vouchers": _mine(),
    "get_my_voucher": _her("voucher_id", "her_voucher"),
    "give_voucher": _her("voucher_id", "her_voucher"),
    "cancel_voucher_gift": _her("voucher_id", "her_given_voucher"),
    "claim_voucher": _mine(body=_told(offer="@offer")),
    "accept_voucher_gift": _mine(body=_told(token="@token_of_the_other")),
    # of tills
    "get_pos_config": _in(ORDERS_WRITE),
    "join_at_till": _in(MEMBERS_ENROL, body=_told(**_JOIN)),
    "resolve_member": _in(MEMBERS_RESOLVE, body=_told(phone="13812345678"), frozen=FROZEN),
    "record_activity": _in(
        ACTIVITIES_WRITE,
        body=lambda world: {
            "member_ref": world["ref"],
            "kind": "review",
            "external_ref": "REVIEW-77",
            "happened_at": _ago(hours=1),
        },
        frozen=(403, "member_frozen"),
    ),
    "quote_cart": _in(QUOTES_WRITE, body=_told(member_ref="@ref", lines="@lines"), frozen=FROZEN),
    "hold_order": _in(
        HOLDS_WRITE, body=_told(quote_id="@quote"), elsewhere=NOT_FOUND, stranger=NOT_FOUND, frozen=FROZEN
    ),
    "release_hold": _in(HOLDS_WRITE, path=(("hold_id", "hold"),), elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "record_order": _in(
        ORDERS_WRITE, body=lambda world: world["paid_order"], elsewhere=NOT_FOUND, stranger=NOT_FOUND, frozen=FROZEN
    ),
    "get_order": _in(ORDERS_READ, path=_OF_ORDER, elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "record_return": _in(
        ORDERS_WRITE,
        path=_OF_ORDER,
        body=lambda world: {"external_return_no": "RETURN-77", "returned_at": timezone.now().isoformat()},
        elsewhere=NOT_FOUND,
        stranger=NOT_FOUND,
    ),
    "void_order": _in(ORDERS_WRITE, path=_OF_ORDER, body=_told(), elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "record_batch": _in(
        ORDERS_WRITE, body=lambda world: {"external_batch_no": "BATCH-78", "orders": [order_body(world["ref"])]}
    ),
    "get_batch": _in(ORDERS_READ, path=(("batch_id", "batch"),), elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "claim_voucher_at_till": _in(VOUCHERS_REDEEM, body=_told(member_ref="@ref", code="@scan"), frozen=FROZEN),
    "verify_voucher": _in(VOUCHERS_REDEEM, body=_told(**_CODE), frozen=FROZEN),
    "use_voucher": _in(VOUCHERS_REDEEM, body=_told(**_CODE, external_order_no="V-78"), frozen=FROZEN),
    "undo_voucher_use": _in(
        VOUCHERS_REDEEM,
        body=_told(code="@her_code_of_used_voucher", external_order_no="V-77"),
        elsewhere=(409, "voucher_not_used_here"),
        stranger=(409, "voucher_not_used_here"),
    ),
    "complete_pickup": _in(
        PICKUPS_COMPLETE,
        path=(("code", "her_pickup_code"),),
        body=_told(),
        elsewhere=(409, "wrong_store"),
        stranger=(409, "wrong_store"),
    ),
    "use_benefit": _in(
        BENEFITS_USE, body=_told(member_ref="@ref", benefit="tea", external_ref="USE-78"), frozen=FROZEN
    ),
    "undo_benefit_use": _in(
        BENEFITS_USE,
        path=(("external_ref", "=USE-77"),),
        body=_told(reason="a slip"),
        elsewhere=NOT_FOUND,
        stranger=NOT_FOUND,
    ),
    # of other systems
    "confirm_plan_payment": _in(PLANS_CONFIRM, body=_payment, headers=_signed, before=_orders_plan),
    "record_orders_batch": _in(ORDERS_WRITE, body=lambda world: {"orders": [order_body(world["ref"])]}),
    "get_orders_batch": _in(ORDERS_READ, path=(("job", "orders_batch"),), elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "adjust_points": _in(ADJUSTMENTS_WRITE, body=lambda world: world["adjustment"] | {"external_ref": "ADJUST-78"}),
    "get_adjustment": _in(ADJUSTMENTS_WRITE, path=(("adjustment", "adjustment_ref"),), stranger=NOT_FOUND),
    "get_shop_member": _in(MEMBERS_READ, path=(("external_id", "=CRM-77"),), stranger=NOT_FOUND),
    "put_shop_member": _in(MEMBERS_WRITE, path=(("external_id", "=CRM-77"),), body=_told(name="上官新月")),
    "list_segments": _in(SEGMENTS_READ),
    "list_segment_members": _in(SEGMENTS_READ, path=(("segment", "segment"),)),
    "list_events": _in(EVENTS_READ),
    "list_webhooks": _in(WEBHOOKS_MANAGE),
    "create_webhook": _in(WEBHOOKS_MANAGE, body=_told(url="@receiver", types=["member.closed"])),
    "get_webhook": _in(WEBHOOKS_MANAGE, path=_HOOK, elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "change_webhook": _in(
        WEBHOOKS_MANAGE, path=_HOOK, body=_told(description="new"), elsewhere=NOT_FOUND, stranger=NOT_FOUND
    ),
    "delete_webhook": _in(WEBHOOKS_MANAGE, path=_HOOK, elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "test_webhook": _in(WEBHOOKS_MANAGE, path=_HOOK, elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "rotate_webhook_secret": _in(WEBHOOKS_MANAGE, path=_HOOK, body=_told(), elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "list_webhook_deliveries": _in(WEBHOOKS_MANAGE, path=_HOOK, elsewhere=NOT_FOUND, stranger=NOT_FOUND),
    "replay_webhook": _in(
        WEBHOOKS_MANAGE,
        path=_HOOK,
        body=lambda world: {"since": _ago(hours=2), "until": _ago(hours=1)},
        elsewhere=NOT_FOUND,
        stranger=NOT_FOUND,
        fails=(409, "nothing_to_replay"),
    ),
}


def _event() -> dict[str, Any]:
    return {"id": "E-77", "kind": "review", "happened_at": _ago(hours=1)}
