"""Examples of what tills do without a line to us, for the published description."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

_LATTE: Final = {"sku": "LATTE-L", "name": "Latte", "quantity": "2", "unit_price": "32.00", "amount": "64.00"}
_ORDER: Final = {
    "external_order_no": "S01-OFF-0001",
    "member_ref": "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z",
    "ordered_at": "2026-07-05T14:10:00+08:00",
    "lines": [_LATTE],
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


_BATCH: Final = {
    "id": "bat_6d8f0h2k4m6p8r0t2v4x6z8b0d",
    "external_batch_no": "S01-20260705-1",
    "is_done": True,
    "total": 2,
    "recorded": 1,
    "known": 0,
    "refused": 1,
    "lines": [
        {
            "position": 1,
            "external_order_no": "S01-OFF-0001",
            "outcome": "recorded",
            "id": "ord_1q7w3e9r5t2y8v4p6a0s1d3f5g",
            "points_earned": 64,
            "code": "",
            "reason": "",
            "fields": [],
        },
        {
            "position": 2,
            "external_order_no": "S01-OFF-0002",
            "outcome": "refused",
            "id": None,
            "points_earned": 0,
            "code": "spending_offline",
            "reason": "Points, vouchers and benefits can not be spent offline.",
            "fields": [],
        },
    ],
}

BATCH = [
    _request(
        "Two orders, one of which can not be taken",
        {
            "external_batch_no": "S01-20260705-1",
            "store": "S01",
            "orders": [_ORDER, {**_ORDER, "external_order_no": "S01-OFF-0002", "points": 100}],
        },
    ),
    _answer("Each order has its answer", _BATCH),
]
GET_BATCH = [_answer("Each order has its answer", _BATCH)]

CONFIG = [
    _answer(
        "A store where points pay",
        {
            "store": {"code": "S01", "name": "Jing'an"},
            "source": "till",
            "currency": "CNY",
            "timezone": "Asia/Shanghai",
            "languages": ["zh-hans", "zh-hant", "en"],
            "scopes": ["quotes.write", "holds.write", "orders.write"],
            "limits": {
                "lines_per_order": 200,
                "orders_per_batch": 500,
                "quote_minutes": 30,
                "hold_minutes_min": 2,
                "hold_minutes_max": 30,
                "hold_minutes": 10,
            },
            "earning": [
                {
                    "name": "Points on purchases",
                    "sentence": "1 point for each ¥1.00.",
                    "is_extra": False,
                    "points": 1,
                    "step": "1.00",
                    "counts_everything": True,
                }
            ],
            "points_payment": {
                "sentence": "Points: each 100 pay ¥1.00, from 100 on, up to the whole order. Postage can not be paid with them.",
                "money_per_point": "0.010000",
                "step": 100,
                "least": 100,
                "max_share_percent": 100,
                "pays_shipping": False,
            },
        },
    )
]
