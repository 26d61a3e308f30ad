"""Examples for the published description of a member's own orders and points."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from rewards.api.examples_till import SETTLEMENT

_CODE: Final = "otc_6k3m9p2x4w8k3m9p2x4w8k3m9p"


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


_ORDER: Final[dict[str, Any]] = {
    "id": "ord_1q7w3e9r5t2y8v4p6a0s1d3f5g",
    "external_order_no": "S01-0007731",
    "ordered_at": "2026-07-05T06:10:00Z",
    "ordered_on": "2026-07-05",
    "store": {"id": "sto_0a2c4e6g8j0m2p4r6t8v0x2z4b", "code": "SH01", "name": "Shanghai Jing'an Temple"},
    "channel": "Till",
    "total_amount": "88.00",
    "currency": "CNY",
    "points_earned": 198,
    "other_points": [{"currency": "beans", "points": 8}],
    "came_back": {"amount": "24.00", "points": 54, "times": 1},
    "voided_at": None,
}
ORDERS = [_answer("One of them came back in part", {"items": [_ORDER], "next": None, "previous": None})]
ORDER = [
    _answer(
        "With a return",
        {
            **_ORDER,
            "settlement": SETTLEMENT,
            "explanation": {
                "lines": [
                    {"kind": "base", "label": "Points on purchases: 1 for each 1.00 of 88.00", "points": 88},
                    {"kind": "tier", "label": "Tier multiplier ×1.25", "points": 22},
                    {"kind": "promotion", "label": "Double points", "points": 88},
                ],
                "not_applied": [
                    {"label": "Weekend bonus", "code": "weekday", "reason": "It does not apply on this weekday."}
                ],
                "notes": [],
            },
            "lines": [
                {"line_no": 1, "sku": "LATTE-L", "name": "Latte", "quantity": "2.000", "amount": "64.00", "earns": True},
                {
                    "line_no": 2, "sku": "CROISSANT", "name": "Croissant", "quantity": "1.000", "amount": "24.00",
                    "earns": True,
                },
            ],
            "returns": [
                {
                    "id": "ret_4n6p8q0r2s1t3v5w7x9y2z4a6b",
                    "external_return_no": "S01-R0042",
                    "returned_at": "2026-07-06T02:00:00Z",
                    "amount": "24.00",
                    "points": 54,
                }
            ],
        },
    )
]  # fmt: skip
EXPIRING = [
    _answer(
        "Two months",
        {
            "currency": "points",
            "until": "2027-08-09",
            "buckets": [
                {"points": 310, "expires_at": "2026-07-31T16:00:00Z", "expires_on": "2026-07-31"},
                {"points": 128, "expires_at": "2026-08-31T16:00:00Z", "expires_on": "2026-08-31"},
            ],
            "total": 438,
            "later": 1702,
            "never": 200,
            "available": 2340,
            "as_of": "2026-07-05T06:10:00Z",
        },
    )
]
_GIVEN: Final = {
    "id": "trf_5d7f9h1k3n5q7s9v1x3z5b7d9f",
    "points": 300,
    "currency": "points",
    "to_member_no_ending": "0417",
    "given_at": "2026-07-05T06:12:00Z",
}
TRANSFERS = [_answer("One", {"items": [_GIVEN], "next": None, "previous": None})]
TRANSFER_CODE = [
    _request("To a phone", {"to": "139 0013 9000", "points": 300}),
    _answer("Sent", {"code_id": _CODE, "expires_at": "2026-07-05T06:20:00Z"}, 201),
]
TRANSFER = [
    _request("With the code", {"to": "139 0013 9000", "points": 300, "code_id": _CODE, "code": "4071882"}),
    _answer("Given", _GIVEN, 201),
    _answer("Given before", _GIVEN),
]
