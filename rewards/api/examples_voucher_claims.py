"""Examples for the published description of offers, claims and gifts of vouchers."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from rewards.api.examples import HELD, TEN_OFF

_MEMBER: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_OFFER: Final = "vof_4c6e8g0j2k4n6q8s0v2x4z6a8b"
_GIFT: Final = "vgf_1d3f5h7j9m1p3r5t7w9y1a3c5e"
_WEEKEND: Final = {
    "id": _OFFER,
    "name": "Weekend voucher",
    "voucher": TEN_OFF,
    "begins_at": "2026-07-03T16:00:00Z",
    "ends_at": "2026-07-05T16:00:00Z",
    "per_member": 1,
}
_ENDED: Final[dict[str, Any]] = {
    "id": _GIFT, "voucher": HELD, "state": "cancelled", "state_label": "taken back", "expires_at": "2026-07-06T06:20:00Z",
}  # fmt: skip
_OFFERED: Final = {**HELD, "state": "offered", "state_label": "offered to a friend"}
_CLAIMED: Final = {"offer_id": _OFFER, "voucher": HELD, "already_claimed": False}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


OFFERS = [
    _answer(
        "To a member", {"offers": [{**_WEEKEND, "claimed_by_me": 0, "can_claim": True, "why_not": ""}]}
    ),
    _answer(
        "To a visitor", {"offers": [{**_WEEKEND, "claimed_by_me": None, "can_claim": None, "why_not": ""}]}
    ),
]  # fmt: skip
CLAIM = [
    _request("By the button", {"offer": _OFFER}),
    _request("By a scanned code", {"code": "9F2K-7M3P-X4W8-A1B5", "scanned_at": "2026-07-05T06:19:58Z"}),
    _answer("Claimed", _CLAIMED, 201),
    _answer("Claimed before", {**_CLAIMED, "already_claimed": True}),
]
CLAIM_AT_TILL = [
    _request("By a scanned code", {"member_ref": _MEMBER, "code": "9F2K-7M3P-X4W8-A1B5"}),
    _answer("Claimed", _CLAIMED, 201),
    _answer("Claimed before", {**_CLAIMED, "already_claimed": True}),
]
GIFT = [
    _answer(
        "Offered",
        {
            **_ENDED,
            "voucher": _OFFERED,
            "state": "offered",
            "state_label": "waiting for the friend",
            "token": "3H8N-Q5V2-D7KM-0R4T",
        },
        201,
    )
]
CANCEL_GIFT = [_answer("Taken back", _ENDED)]
ACCEPT_GIFT = [
    _request("With the friend's token", {"token": "3H8N-Q5V2-D7KM-0R4T"}),
    _answer("Accepted", {"gift_id": _GIFT, "voucher": HELD, "already_accepted": False}, 201),
    _answer("Accepted before", {"gift_id": _GIFT, "voucher": HELD, "already_accepted": True}),
]
