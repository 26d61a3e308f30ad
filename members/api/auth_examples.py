"""Examples of signing in, for the published description."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

_ACCESS: Final = "mt_Jq2v0kq7m3c8Zt1yXw5n9bR4sH6dL0aFgU2eIoPkTzM"
_REFRESH: Final = "mr_8sV1nQ4xZ0cK7mB2tY5wL9hD3fG6jR1pE0uA4iO8sXk"
_BINDING: Final = "bt_3kP9wN2vC6xZ1mL8qT4yB7hR0sD5fJ2gU9eA1iO6tXc"
_CODE_ID: Final = "otc_2m8c0v6x4k9q1d7t3n5j8r0w2z"
_OLD_CODE_ID: Final = "otc_5n8r0w4z3t8v0m6d4q9j1x7k2c"
_CONSENTS: Final[list[dict[str, Any]]] = [
    {"purpose": "service", "text_version": 1},
    {"purpose": "marketing", "text_version": 1, "channels": ["wechat"]},
]
_MEMBER: Final = {"member_ref": "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z", "member_no": "100000016"}
_SIGNED_IN: Final[dict[str, Any]] = {
    "member": _MEMBER,
    "next": None,
    "access_token": _ACCESS,
    "token_type": "Bearer",
    "expires_at": "2026-07-05T08:10:00Z",
    "refresh_token": _REFRESH,
    "refresh_expires_at": "2026-08-04T06:10:00Z",
    "binding_token": None,
    "binding_expires_at": None,
    "joined": False,
    "merged": False,
}
_JOINED: Final = {**_SIGNED_IN, "joined": True}
_TO_BIND: Final[dict[str, Any]] = {
    **dict.fromkeys(_SIGNED_IN),
    "next": "bind_phone",
    "binding_token": _BINDING,
    "binding_expires_at": "2026-07-05T06:20:00Z",
    "joined": False,
    "merged": False,
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: dict[str, Any], status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


WECHAT_LOGIN: Final = [
    _request("From the mini-program", {"code": "0b3Fxk0w3Qk8a03rT72w3aBcDe1Fxk0a", "device": "iPhone 17"}),
    _answer("A member", _SIGNED_IN),
    _answer("Nobody's account", _TO_BIND),
]
WECHAT_PHONE: Final = [
    _request(
        "From the phone button",
        {
            "binding_token": _BINDING,
            "code": "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144",
            "device": "iPhone 17",
            "consents": _CONSENTS,
        },
    ),
    _answer("The number of a member", _SIGNED_IN),
    _answer("Joined", _JOINED, "201"),
]
SEND_CODE: Final = [
    _request("A phone", {"phone": "138 0013 8000"}),
    _answer("Sent", {"code_id": _CODE_ID, "expires_at": "2026-07-05T06:20:00Z"}, "201"),
]
VERIFY_CODE: Final = [
    _request(
        "The code",
        {"code_id": _CODE_ID, "phone": "138 0013 8000", "code": "4071882", "device": "Pixel 11", "consents": _CONSENTS},
    ),
    _answer("A member", _SIGNED_IN),
    _answer("Joined", _JOINED, "201"),
]
REFRESH: Final = [
    _request("The refresh token", {"refresh_token": _REFRESH}),
    _answer("The next two", _SIGNED_IN),
]
SESSIONS: Final = [
    _answer(
        "Two devices",
        {
            "sessions": [
                {
                    "id": "ses_3t8v0m6d4q9j1x7k2c5n8r0w4z",
                    "device": "iPhone 17",
                    "signed_in_with": "wechat",
                    "signed_in_at": "2026-06-30T02:12:00Z",
                    "last_used_at": "2026-07-05T06:10:00Z",
                    "expires_at": "2026-08-04T06:10:00Z",
                    "is_current": True,
                },
                {
                    "id": "ses_2m8c0v6x4k9q1d7t3n5j8r0w2z",
                    "device": "",
                    "signed_in_with": "sms",
                    "signed_in_at": "2026-06-12T11:00:00Z",
                    "last_used_at": "2026-06-28T09:00:00Z",
                    "expires_at": "2026-07-28T09:00:00Z",
                    "is_current": False,
                },
            ]
        },
    )
]
PHONE_CODES: Final = [
    _request("The new number", {"phone": "139 0013 9000"}),
    _answer(
        "Sent",
        {"new_code_id": _CODE_ID, "old_code_id": _OLD_CODE_ID, "expires_at": "2026-07-05T06:20:00Z"},
        "201",
    ),
]
PHONE_CHANGE: Final = [
    _request(
        "Both codes",
        {
            "phone": "139 0013 9000",
            "new_code_id": _CODE_ID,
            "new_code": "4071882",
            "old_code_id": _OLD_CODE_ID,
            "old_code": "0193377",
        },
    ),
    _answer("Changed", {"phone_masked": "139****9000", "points_stay_until": "2026-07-06T06:10:00Z"}),
]
