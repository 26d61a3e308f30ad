"""Examples for the published description of the catalogue, the wish list and orders of rewards."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from rewards.api.examples import HELD

_MUG: Final = "rwd_2b4d6f8h0k2m4p6r8t0w2y4a6c"
_COUPON: Final = "rwd_5e7g9j1m3p5s7v9x1z3b5d7f9h"
_QUOTE: Final = "quo_3c5e7g9k1n3q5s7v9y1a3d5f7h"
_ORDER: Final = "rdm_6c8d0e2f4g1h3j5k7m9n2p4q6r"
_STORE: Final = {"id": "sto_1a3c5e7g9j1m3p5s7v9x1z3b5d", "code": "S01", "name": "Nanjing Road"}
_PICTURE: Final = {
    "alt": "A white mug with a blue wave",
    "colour": "#e8eef4",
    "variants": [
        {"path": f"/rewards/pictures/{digest * 32}.webp", "width": width, "height": width}
        for digest, width in (("1a", 200), ("2b", 600), ("3c", 1200))
    ],
}
_ANYBODY: Final[dict[str, Any]] = {
    "affordable": None, "missing_points": None, "eligible": None, "reasons": [], "wished": None,
}  # fmt: skip
_REWARD: Final[dict[str, Any]] = {
    "id": _MUG,
    "kind": "gift",
    "kind_label": "gift",
    "category": {"code": "home", "name": "Home"},
    "name": "Mug",
    "description": "Stoneware, 350 ml.",
    "price_points": 800,
    "cash_amount": "9.90",
    "currency": "CNY",
    "list_price_points": 1000,
    "price_until": "2026-07-06T16:00:00Z",
    "is_flash_sale": True,
    "next_price": None,
    "stock_left": 42,
    "per_member_limit": 2,
    "period_limit": None,
    "period": "",
    "least_tier": {"code": "silver", "label": "Silver"},
    "delivery": ["post", "store"],
    "voucher": None,
    "project": None,
    "partner": None,
    "event": None,
    "images": [_PICTURE],
    "valid_from": "2026-06-30T16:00:00Z",
    "valid_to": None,
}
_TO_MEMBER: Final = {
    **_REWARD,
    "affordable": False,
    "missing_points": 120,
    "eligible": False,
    "reasons": [{"code": "tier_too_low", "detail": "This reward is for members from tier Silver on."}],
    "wished": True,
}
_PLACED: Final[dict[str, Any]] = {
    "id": _ORDER,
    "reward": {"id": _MUG, "kind": "gift", "name": "Mug"},
    "points": 800,
    "cash_amount": "9.90",
    "currency": "CNY",
    "state": "placed",
    "state_label": "placed",
    "state_at": "2026-07-05T06:20:00Z",
    "delivery": "post",
    "store": None,
    "ready_by": "2026-07-08T06:20:00Z",
    "carrier": "",
    "tracking_no": "",
    "cancellable": True,
    "redeemed_at": "2026-07-05T06:20:00Z",
    "voucher": None,
}
_VOUCHER: Final = {
    **_PLACED,
    "reward": {"id": _COUPON, "kind": "voucher", "name": "¥10 off"},
    "points": 300,
    "cash_amount": "0.00",
    "state": "done",
    "state_label": "done",
    "delivery": "none",
    "ready_by": None,
    "voucher": HELD,
}
_ADDRESS: Final = {"name": "张小丰", "phone": "+8613800138000", "lines": ["上海市黄浦区", "南京东路 1 号 302 室"]}
_ASKED: Final[dict[str, Any]] = {
    "quote_id": _QUOTE,
    "expires_at": "2026-07-05T06:25:00Z",
    "reward_id": _MUG,
    "price_points": 800,
    "cash_amount": "9.90",
    "currency": "CNY",
    "points_available": 2340,
    "household_available": 0,
    "missing_points": 0,
    "stock_left": 42,
    "delivery": ["post", "store"],
    "can_redeem": True,
    "reasons": [],
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


def _page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next": None, "previous": None}


LIST = [_answer("To anybody", _page({**_REWARD, **_ANYBODY})), _answer("To a member", _page(_TO_MEMBER))]
ONE = [_answer("To a member", _TO_MEMBER)]
WISHES = [_answer("One wish", _page({"reward": _TO_MEMBER, "wished_at": "2026-07-01T03:00:00Z", "on_shelf": True}))]
QUOTE = [
    _request("A reward from /rewards", {"reward": _MUG}),
    _answer("It can be had", _ASKED),
]
REDEEM = [
    _request("Sent by post, at the price of a quote", {"quote": _QUOTE, "delivery": "post", "address": _ADDRESS}),
    _request("A voucher, at the price of the moment", {"reward": _COUPON}),
    _answer("Placed", {**_PLACED, "points_available": 1540, "already_processed": False}, 201),
    _answer("A voucher, again", {**_VOUCHER, "points_available": 2040, "already_processed": True}),
]
REDEMPTIONS = [_answer("Two orders", _page(_PLACED, _VOUCHER))]
_CODES: Final = {"pickup_code": None, "digital_code": None, "digital_code_until": None, "address": None}
REDEMPTION = [
    _answer(
        "On its way",
        {
            **_PLACED, "state": "shipped", "state_label": "on its way", "state_at": "2026-07-06T08:00:00Z", "cancellable": False,
            "carrier": "SF Express", "tracking_no": "SF1234567890123", **_CODES, "address": _ADDRESS,
        },
    ),
    _answer(
        "To be picked up",
        {
            **_PLACED, "state": "ready", "state_label": "ready for pick-up", "delivery": "store", "store": _STORE,
            **_CODES, "pickup_code": "7K3M-9P2X-4W8A-1B5C",
        },
    ),
]  # fmt: skip
CANCEL = [
    _answer("Cancelled", {**_PLACED, "state": "cancelled", "state_label": "cancelled", "cancellable": False}),
]
PICKUP = [
    _request("The till names its store", {"store": "S01"}),
    _answer(
        "Handed over",
        {
            "id": _ORDER, "reward": _PLACED["reward"], "cash_amount": "9.90", "currency": "CNY", "state": "done",
            "state_label": "done", "already_processed": False,
        },
    ),
]  # fmt: skip
