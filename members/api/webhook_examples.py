"""Examples of webhooks and of the log, for the published description."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwWJQ0nzrF1Xc="  # noqa: S105 - an example
_EVENT: Final = "evt_7k3m9p2x4w8k3m9p2x4w8k3m9p"
_WRITTEN: Final[dict[str, Any]] = {
    "url": "https://crm.example.com/loyalty/events",
    "types": ["points.earned", "tier.upgraded"],
    "description": "Customer service desk",
}
_WEBHOOK: Final[dict[str, Any]] = {
    "id": "whk_7k3m9p2x4w8k3m9p2x4w8k3m9p",
    **_WRITTEN,
    "state": "active",
    "state_reason": None,
    "created_at": "2026-07-01T03:00:00Z",
    "delivered_at": "2026-07-05T06:10:01Z",
    "failing_since": None,
    "earlier_secret_until": None,
}
_NEW: Final = {**_WEBHOOK, "delivered_at": None, "secret": _SECRET}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


LIST: Final = [_answer("One address", {"items": [_WEBHOOK]})]
GET: Final = [_answer("An address", _WEBHOOK)]
CREATE: Final = [_request("Two types of events", _WRITTEN), _answer("With its secret", _NEW, "201")]
CHANGE: Final = [
    _request("A pause", {"state": "paused"}),
    _answer("Paused", {**_WEBHOOK, "state": "paused", "state_reason": "owner"}),
]
TEST: Final = [
    _answer(
        "It works", {"delivered": True, "status": 204, "fault": None, "took_ms": 41, "answer": ""}
    ),
    _answer(
        "It does not", {"delivered": False, "status": 500, "fault": "status", "took_ms": 63, "answer": "no such table"}
    ),
]  # fmt: skip
ROTATE: Final = [
    _request("Two days for both", {"overlap_hours": 48}),
    _answer("The new secret", {"secret": _SECRET, "earlier_secret_until": "2026-07-07T06:10:00Z"}),
]
DELIVERIES: Final = [
    _answer(
        "One that failed",
        {
            "items": [
                {
                    "event_id": _EVENT,
                    "type": "points.earned",
                    "state": "failed",
                    "attempts": 2,
                    "created_at": "2026-07-05T06:10:00Z",
                    "tried_at": "2026-07-05T06:10:06Z",
                    "next_at": "2026-07-05T06:15:20Z",
                    "status": 503,
                    "fault": "status",
                    "took_ms": 120,
                    "answer": "maintenance",
                }
            ],
            "next": None,
            "previous": None,
        },
    )
]
REPLAY: Final = [
    _request("Some events", {"event_ids": [_EVENT]}),
    _request("What failed in an hour", {"since": "2026-07-05T06:00:00Z", "until": "2026-07-05T07:00:00Z"}),
    _answer("How many", {"deliveries": 12}, "202"),
]
EVENTS: Final = [
    _answer(
        "A page",
        {
            "items": [
                {
                    "id": _EVENT,
                    "type": "points.earned",
                    "timestamp": "2026-07-05T06:10:00Z",
                    "data": {
                        "member_ref": "mem_7k3m9p2x4w8k3m9p2x4w8k3m9p",
                        "points": 120,
                        "points_currency": "points",
                        "source": "purchase",
                        "order_id": "ord_7k3m9p2x4w8k3m9p2x4w8k3m9p",
                        "return_id": None,
                    },
                    "is_history": False,
                }
            ],
            "next": "gAAAAABqRm2Yb2l0Zm9yZXhhbXBsZQ",
            "has_more": False,
            "epoch": 1,
        },
    )
]
