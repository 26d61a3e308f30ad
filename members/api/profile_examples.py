"""Examples for the published description: one customer who keeps her profile."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

MEMBER_REF: Final = "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_STORE: Final = {"id": "sto_0a1b2c3d4e5f6g7h8j9k0m1n2p", "code": "S01", "name": "Nanjing Road"}

PROFILE: Final[dict[str, Any]] = {
    "id": MEMBER_REF,
    "member_no": "100000016",
    "name": "张三丰",
    "phone": "+8613800138000",
    "email": "zhang@example.com",
    "birthday": "1990-05-01",
    "birthday_locked_until": None,
    "language": "zh-hans",
    "joined_at": "2026-01-05T06:10:00Z",
    "home_store": _STORE,
    "home_region": {"code": "shanghai", "name": "Shanghai"},
    "details": [
        {
            "code": "occupation",
            "label": "Occupation",
            "purpose": "To choose events that fit.",
            "kind": "choice",
            "unit": "",
            "is_sensitive": False,
            "can_change": True,
            "answers": [{"code": "teacher", "label": "Teacher"}, {"code": "nurse", "label": "Nurse"}],
            "value": "teacher",
        }
    ],
    "completeness": {"percent": 100, "missing": []},
    "freeze": None,
}
_PREFERENCES: Final = {
    "language": "zh-hans",
    "channels": ["wechat", "email"],
    "quiet_hours": {"start": "22:00", "end": "08:00"},
}
_REASONS: Final = [
    {"code": "no_benefit", "label": "The benefits are not worth it"},
    {"code": "other", "label": "Another reason"},
]
_STAYS: Final = {
    "state": "member",
    "reason": None,
    "asked_at": None,
    "effective_at": None,
    "days": 7,
    "gives_up": [{"label": "Available points", "what": "2,340 points"}],
    "reasons": _REASONS,
}
_LEAVES: Final = {
    **_STAYS,
    "state": "leaving",
    "reason": _REASONS[0],
    "asked_at": "2026-07-05T06:10:00Z",
    "effective_at": "2026-07-12T06:10:00Z",
}
_SHOP_MEMBER: Final = {
    "external_id": "C-4711",
    "member_ref": MEMBER_REF,
    "member_no": "100000016",
    "status": "active",
    "name": "张三丰",
    "phone": "+8613800138000",
    "email": "zhang@example.com",
    "birthday": "1990-05-01",
    "language": "zh-hans",
    "joined_at": "2026-01-05T06:10:00Z",
    "details": {"occupation": "teacher"},
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


ME: Final = [_answer("A complete profile", PROFILE)]
CHANGE_ME: Final = [
    _request("A new birthday and an answer", {"birthday": "1990-05-01", "details": {"occupation": "teacher"}}),
    _answer("The profile afterwards", PROFILE),
]
PREFERENCES: Final = [_answer("WeChat first, and quiet nights", _PREFERENCES)]
SET_PREFERENCES: Final = [_request("WeChat first, and quiet nights", _PREFERENCES), *PREFERENCES]
CLOSURE: Final = [_answer("A member who stays", _STAYS)]
ASK_TO_LEAVE: Final = [_request("With a reason", {"reason": "no_benefit"}), _answer("Noted", _LEAVES, 201)]
PUT_MEMBER: Final = [
    _request("A customer of the shop", {"name": "张三丰", "phone": "13800138000", "birthday": "1990-05-01"}),
    _answer("Made", _SHOP_MEMBER, 201),
    _answer("Changed", _SHOP_MEMBER),
]
GET_MEMBER: Final = [_answer("A customer of the shop", _SHOP_MEMBER)]
