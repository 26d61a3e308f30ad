"""Examples for the published description: one customer, one evening."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from rewards.api.examples_till import SETTLEMENT

_MEMBER: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_ORDER: Final = "ord_1q7w3e9r5t2y8v4p6a0s1d3f5g"
_VOUCHER: Final = "vch_2b4c6d8e0f1g3h5j7k9m1n3p5q"
_GOLD: Final = {"code": "gold", "label": "Gold"}
_TEN_OFF: Final = {
    "name": "¥10 off",
    "kind": "amount",
    "kind_label": "money off",
    "off_amount": "10.00",
    "off_percent": None,
    "cap_amount": None,
    "most_times": 1,
    "multiplier": None,
    "gift": "",
    "min_spend_amount": "30.00",
    "currency": "CNY",
    "terms": "One per order.",
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


_RECEIPT: Final = {
    "id": _ORDER,
    "external_order_no": "S01-0007731",
    "member_ref": _MEMBER,
    "ordered_at": "2026-07-05T06:10:00Z",
    "total_amount": "88.00",
    "currency": "CNY",
    "settlement": None,
    "points_earned": 198,
    "points_are_pending": False,
    "explain": [
        {"kind": "base", "label": "Points on purchases: 1 for each 1.00 of 88.00", "points": 88},
        {"kind": "tier", "label": "Tier multiplier ×1.25", "points": 22},
        {"kind": "promotion", "label": "Double points", "points": 88},
    ],
    "not_applied": [{"label": "Weekend bonus", "code": "weekday", "reason": "It does not apply on this weekday."}],
    "tier": _GOLD,
    "tier_change": {"to": _GOLD},
    "tier_credits": 88,
    "points_available": 2538,
    "points_pending": 0,
    "already_processed": False,
}

RECORD_ORDER = [
    _request(
        "Two lines",
        {
            "external_order_no": "S01-0007731",
            "member_ref": _MEMBER,
            "ordered_at": "2026-07-05T14:10:00+08:00",
            "lines": [
                {"sku": "LATTE-L", "name": "Latte", "quantity": "2", "unit_price": "32.00", "amount": "64.00"},
                {"sku": "CROISSANT", "name": "Croissant", "quantity": "1", "unit_price": "24.00", "amount": "24.00"},
            ],
        },
    ),
    _request(
        "As it was quoted, with what was set aside",
        {
            "external_order_no": "S01-0007732",
            "ordered_at": "2026-07-05T14:12:00+08:00",
            "quote_id": "quo_5c7e9g1j3m5p7r9t1v3x5z7b9d",
            "hold_id": "hol_2a4c6e8g0j2m4p6r8t0v2x4z6b",
            "shipping": "8.00",
            "lines": [
                {"sku": "TEA-TIN", "name": "Tea in a tin", "quantity": "2", "amount": "258.00"},
                {"sku": "CUP", "name": "Cup", "quantity": "1", "amount": "81.00"},
            ],
        },
    ),
    _answer("Recorded", _RECEIPT, 201),
    _answer("Recorded before", _RECEIPT | {"already_processed": True}),
    _answer("Quoted", _RECEIPT | {"total_amount": "319.00", "settlement": SETTLEMENT}, 201),
]

GET_ORDER = [
    _answer(
        "With a return",
        {
            **_RECEIPT,
            "already_processed": True,
            "lines": [
                {
                    "line_no": 1,
                    "sku": "LATTE-L",
                    "name": "Latte",
                    "quantity": "2.000",
                    "amount": "64.00",
                    "earns": True,
                },
                {
                    "line_no": 2,
                    "sku": "CROISSANT",
                    "name": "Croissant",
                    "quantity": "1.000",
                    "amount": "24.00",
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
            "voided_at": None,
        },
    )
]

_RETURN_RECEIPT: Final = {
    "id": "ret_4n6p8q0r2s1t3v5w7x9y2z4a6b",
    "external_return_no": "S01-R0042",
    "external_order_no": "S01-0007731",
    "amount": "24.00",
    "currency": "CNY",
    "points_taken_back": 54,
    "points_from_balance": 54,
    "points_to_arrears": 0,
    "points_given_back": 0,
    "vouchers_given_back": 0,
    "vouchers_kept": 0,
    "benefit_uses_given_back": 0,
    "tier_credits": 24,
    "tier_change": None,
    "sentence": "Refund of ¥24.00: 54 points taken back.",
    "dry_run": False,
    "already_processed": False,
}

RECORD_RETURN = [
    _request(
        "One line",
        {
            "external_return_no": "S01-R0042",
            "returned_at": "2026-07-06T10:00:00+08:00",
            "lines": [{"line_no": 2, "quantity": "1"}],
        },
    ),
    _request("All that is left", {"external_return_no": "S01-R0042", "returned_at": "2026-07-06T10:00:00+08:00"}),
    _request(
        "Money back, the goods stay",
        {"external_return_no": "S01-R0042", "returned_at": "2026-07-06T10:00:00+08:00", "amount": "24.00"},
    ),
    _answer("Recorded", _RETURN_RECEIPT, 201),
    _answer("Dry run", _RETURN_RECEIPT | {"dry_run": True}),
]

_VOUCHER_VALUE: Final = {
    "id": _VOUCHER,
    "template": _TEN_OFF,
    "off_amount": "10.00",
    "currency": "CNY",
    "shares": [{"line_no": 1, "amount": "6.00"}, {"line_no": 2, "amount": "4.00"}],
}
_VOUCHER_LINES: Final = [
    {"sku": "LATTE", "quantity": "1", "amount": "30.00", "discountable": True},
    {"sku": "CROISSANT", "quantity": "1", "amount": "20.00", "discountable": True},
]

VERIFY_VOUCHER = [
    _request("With the order's total", {"code": "7K3M-9P2X-4W8A-1B5C", "store": "S01", "spend_amount": "45.00"}),
    _request("With the lines of the order", {"code": "7K3M-9P2X-4W8A-1B5C", "lines": _VOUCHER_LINES}),
    _answer("Usable", _VOUCHER_VALUE),
]

USE_VOUCHER = [
    _request(
        "For an order",
        {
            "code": "7K3M-9P2X-4W8A-1B5C",
            "store": "S01",
            "external_order_no": "S01-0007732",
            "spend_amount": "45.00",
            "lines": _VOUCHER_LINES,
        },
    ),
    _answer("Used", {**_VOUCHER_VALUE, "external_order_no": "S01-0007732", "already_processed": False}),
]

UNDO_VOUCHER_USE = [
    _request(
        "The wrong voucher",
        {"code": "7K3M-9P2X-4W8A-1B5C", "store": "S01", "external_order_no": "S01-0007732"},
    ),
    _answer(
        "The member has it again",
        {"id": _VOUCHER, "template": _TEN_OFF, "external_order_no": "S01-0007732", "already_processed": False},
    ),
]

_HELD: Final = {
    "id": _VOUCHER,
    "template": _TEN_OFF,
    "state": "issued",
    "state_label": "ready to use",
    "issued_at": "2026-07-05T06:20:00Z",
    "valid_from": "2026-07-05T06:20:00Z",
    "expires_at": "2026-08-04T06:20:00Z",
    "expires_on": "2026-08-04",
}

LIST_VOUCHERS = [_answer("One ready to use", {"items": [_HELD], "next": None, "previous": None})]
GET_VOUCHER = [
    _answer(
        "Not at this hour",
        {
            **_HELD,
            "code": "7K3M-9P2X-4W8A-1B5C",
            "sentence": "¥10.00 off, on orders of ¥30.00 or more, from 14:00 to 18:00, valid for 30 days, not with other vouchers.",
            "usable_now": False,
            "reasons": [
                {"code": "not_this_hour", "detail": "This voucher can be used from 14 to 18 o'clock."},
            ],
            "is_giftable": True,
            "use": None,
        },
    )
]

SUMMARY = [
    _answer(
        "A gold member",
        {
            "member": {"id": _MEMBER, "member_no": "100000016", "name": "张小丰", "joined_at": "2025-03-15T02:00:00Z"},
            "tier": {
                **_GOLD,
                "rank": 2,
                "colour": "#c9a227",
                "image_path": f"/tiers/{'3b' * 32}.png",
                "credits": 1820,
                "next_tier": {
                    "code": "diamond",
                    "label": "Diamond",
                    "rank": 3,
                    "colour": "#4a8fe7",
                    "image_path": None,
                },
                "credits_to_next": 3180,
                "sentence": "1,820 of 5,000 tier credits; 3,180 more to Diamond.",
            },
            "points": {
                "available": 2238,
                "pending": 0,
                "arrears": 0,
                "expiring_next": {"points": 120, "expires_at": "2026-07-31T16:00:00Z", "expires_on": "2026-07-31"},
            },
            "vouchers_usable": 3,
        },
    )
]

GET_ENTRY = [
    _answer(
        "Points of a purchase",
        {
            "id": "ent_42",
            "kind": "earn",
            "kind_label": "earned",
            "available_change": 198,
            "pending_change": 0,
            "arrears_change": 0,
            "available_after": 2538,
            "reference": "S01-0007731",
            "happened_at": "2026-07-05T06:10:00Z",
            "happened_on": "2026-07-05",
            "explanation": {
                "lines": _RECEIPT["explain"],
                "not_applied": _RECEIPT["not_applied"],
                "notes": [],
            },
            "lots": [{"points_change": 198, "expires_at": "2027-07-31T16:00:00Z", "expires_on": "2027-07-31"}],
        },
    )
]

#: A voucher and its worth, for the examples of other modules.
HELD: Final = _HELD
TEN_OFF: Final = _TEN_OFF
