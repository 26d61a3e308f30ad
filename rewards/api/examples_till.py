"""Examples of the till flow for the published description: the same customer, the same evening."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

_MEMBER: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_ORDER: Final = "ord_1q7w3e9r5t2y8v4p6a0s1d3f5g"
_VOUCHER: Final = "vch_2b4c6d8e0f1g3h5j7k9m1n3p5q"
_OTHER_VOUCHER: Final = "vch_4d6f8h0k2m4p6r8t0v2x4z6b8d"
_QUOTE: Final = "quo_5c7e9g1j3m5p7r9t1v3x5z7b9d"
_HOLD: Final = "hol_2a4c6e8g0j2m4p6r8t0v2x4z6b"
_LINES: Final = [
    {"sku": "TEA-TIN", "name": "Tea in a tin", "quantity": "2", "amount": "258.00"},
    {"sku": "CUP", "name": "Cup", "quantity": "1", "amount": "81.00"},
]
_OFF: Final = {
    "kind": "voucher",
    "label": "¥10 off",
    "voucher_id": _VOUCHER,
    "amount": "10.00",
    "lines": [{"line_no": 1, "amount": "7.61"}, {"line_no": 2, "amount": "2.39"}],
}
_PAID: Final = {
    "kind": "points",
    "label": "Paid with 1,000 points",
    "voucher_id": None,
    "amount": "10.00",
    "lines": [{"line_no": 1, "amount": "7.61"}, {"line_no": 2, "amount": "2.39"}],
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


SETTLEMENT: Final = {
    "quote_id": _QUOTE,
    "total": "339.00",
    "discount": "10.00",
    "points_paid": 1000,
    "points_worth": "10.00",
    "deductions": [_OFF, _PAID],
}

QUOTE = [
    _request("The best vouchers, and 1,000 points", {"member_ref": _MEMBER, "lines": _LINES, "points": 1000}),
    _request(
        "For a guest, with postage",
        {"lines": [{**_LINES[1], "unit_price": "81.00", "discountable": False}], "shipping": "8.00", "vouchers": []},
    ),
    _answer(
        "What it costs and earns",
        {
            "quote_id": _QUOTE,
            "expires_at": "2026-07-05T06:40:00Z",
            "can_be_ordered": True,
            "needs_hold": True,
            "currency": "CNY",
            "total": "339.00",
            "discount": "10.00",
            "payable": "319.00",
            "deductions": [_OFF, _PAID],
            "vouchers_not_used": [
                {
                    "voucher_id": _OTHER_VOUCHER,
                    "label": "¥50 off from ¥500",
                    "code": "min_spend",
                    "reason": "This voucher needs an order of ¥500.00 or more; this one is ¥339.00.",
                }
            ],
            "points_payable": {
                "max": 2300,
                "applied": 1000,
                "worth": "10.00",
                "step": 100,
                "least": 100,
                "reason": "",
            },
            "earn": {
                "total": 638,
                "explain": [
                    {"kind": "base", "label": "Points on purchases: 1 for each 1.00 of 319.00", "points": 319},
                    {"kind": "promotion", "label": "Double points for gold members", "points": 319},
                ],
                "not_applied": [
                    {"label": "Double points on birthdays", "code": "not_combined", "reason": "The higher one counts."}
                ],
            },
            "tier": {
                "code": "gold",
                "label": "Gold",
                "credits_to_next": 1180,
                "sentence": "1,180 more tier credits to Diamond.",
            },
        },
    ),
]

_HELD: Final = {
    "id": _HOLD,
    "quote_id": _QUOTE,
    "state": "open",
    "expires_at": "2026-07-05T06:20:00Z",
    "points": 1000,
    "points_worth": "10.00",
    "currency": "CNY",
    "vouchers": 1,
    "benefit_uses": 0,
    "already_processed": False,
}

HOLD = [
    _request("As quoted", {"quote_id": _QUOTE}),
    _request("Named, for 10 minutes", {"quote_id": _QUOTE, "points": 1000, "vouchers": [_VOUCHER], "minutes": 10}),
    _answer("Set aside", _HELD, 201),
    _answer("Set aside before", _HELD | {"already_processed": True}),
]

RELEASE = [_answer("Given back", _HELD | {"state": "released"})]

_TOOK_BACK: Final = {
    "id": "ret_4n6p8q0r2s1t3v5w7x9y2z4a6b",
    "external_return_no": "void-0e1d2c3b4a5968778695a4b3c2d1e0f1",
    "external_order_no": "S01-0007731",
    "amount": "319.00",
    "currency": "CNY",
    "points_taken_back": 638,
    "points_from_balance": 638,
    "points_to_arrears": 0,
    "points_given_back": 1000,
    "vouchers_given_back": 1,
    "vouchers_kept": 0,
    "benefit_uses_given_back": 0,
    "tier_credits": 319,
    "tier_change": None,
    "sentence": "Refund of ¥319.00: 638 points taken back, 1,000 points that had paid come back, 1 voucher comes back.",
    "dry_run": False,
    "already_processed": False,
}

VOID = [
    _request("Nothing to say", {}),
    _request("Naming the store", {"store": "S01"}),
    _answer(
        "Undone",
        {
            "id": _ORDER,
            "external_order_no": "S01-0007731",
            "voided_at": "2026-07-05T06:31:00Z",
            "took_back": _TOOK_BACK,
            "already_processed": False,
        },
        201,
    ),
]
